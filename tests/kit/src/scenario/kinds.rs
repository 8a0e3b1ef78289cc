//! Kinds of lines, each with the calls that show it: what `kit scenario` and the demo fill their ports with.

use super::calls::Happening;
use super::{Answer, Dialling, Incoming, Line, Outcome, Outgoing};
use crate::corpus::Speech;
use crate::spandsp::{CallerIdForm, CallerIdMessage, SpandspError};
use crate::wav::WavFormat;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    Plain,
    ALaw,
    TwoTracks,
    /// A small PBX's 24 V.
    LowVoltage,
    Reversed,
    /// A radio or intercom without voltages, started by voice.
    VoiceActivated,
    /// Calls are cut into segments of 20 s.
    LongCalls,
    /// Some callers must not be recorded.
    DoNotRecord,
    /// The wire breaks now and then.
    Breaking,
    /// An old dial phone with bouncing contacts.
    DialPhone,
    /// Off-hook at the first sample, and again at the last one.
    OffHookAtEdges,
    /// A noisy line with a message waiting (special dial tone).
    Noisy,
    /// Recorded all the time, in segments of a minute.
    Continuous,
    Idle,
}

impl LineKind {
    pub const ALL: [Self; 14] = [
        Self::Plain,
        Self::ALaw,
        Self::TwoTracks,
        Self::LowVoltage,
        Self::Reversed,
        Self::VoiceActivated,
        Self::LongCalls,
        Self::DoNotRecord,
        Self::Breaking,
        Self::DialPhone,
        Self::OffHookAtEdges,
        Self::Noisy,
        Self::Continuous,
        Self::Idle,
    ];
}

/// A caller of the do-not-record list of every `DoNotRecord` line.
pub const WITHHELD_NUMBER: &str = "01055500110";

/// Seconds that the longest call of a kind may take: no call begins later than this before the end.
const LONGEST_CALL_S: f64 = 80.0;

/// A line of a kind with nothing on it yet.
pub fn line_of(kind: LineKind, port: u16, seed: u64) -> Line {
    let mut line = Line::new(port, &(8000 + port).to_string(), seed);
    match kind {
        LineKind::ALaw => line.format = WavFormat::ALaw,
        LineKind::TwoTracks => {
            line.two_tracks = true;
            line.format = if port.is_multiple_of(2) { WavFormat::ALaw } else { WavFormat::Linear16 };
        }
        LineKind::LowVoltage => {
            line.feed_volts = 24.0;
            line.off_hook_volts = 6.5;
            line.ring_volts = 62.0;
            line.ripple_volts = 0.4;
        }
        LineKind::Reversed => {
            line.feed_volts = -49.5;
            line.off_hook_volts = -9.0;
        }
        LineKind::VoiceActivated => {
            line.without_volts = true;
            line.set("start_mode", "\"voice\"");
        }
        LineKind::Continuous => {
            line.set("start_mode", "\"continuous\"");
            line.set("max_length_s", "60");
        }
        LineKind::LongCalls => line.set("max_length_s", "20"),
        LineKind::DoNotRecord => line.set("do_not_record", &format!("[\"{WITHHELD_NUMBER}\"]")),
        LineKind::DialPhone => {
            line.bounce = true;
            line.crosstalk = true;
        }
        LineKind::Noisy => {
            line.noise_dbm0 = Some(-50.0);
            line.crosstalk = true;
            line.ripple_volts = 0.6;
        }
        LineKind::Breaking => line.ripple_volts = 0.6,
        LineKind::Plain | LineKind::OffHookAtEdges | LineKind::Idle => {}
    }
    line
}

/// Fills a line from sample 0 with calls of its kind until `end_s`, the first one after `first_s`.
pub fn fill(
    line: &mut Line,
    kind: LineKind,
    speech: &Speech,
    first_s: f64,
    end_s: f64,
) -> Result<(), SpandspError> {
    match kind {
        LineKind::Idle => line.begin(),
        LineKind::Continuous => {
            line.begin();
            line.record_from_now_on();
            line.wait(first_s);
            fill_with_calls(line, kind, speech, end_s)?;
        }
        LineKind::VoiceActivated => {
            line.wait(first_s);
            while line.now_s() + 40.0 < end_s {
                let (talk_s, quiet_s) = (line.between(5.0, 18.0), line.between(8.0, 20.0));
                line.spoken(speech, talk_s, quiet_s);
            }
        }
        LineKind::OffHookAtEdges => {
            line.begin_off_hook();
            line.wait(1.0);
            line.talk(speech, super::Side::Near, 12.0);
            line.on_hook();
            line.wait(5.0);
            fill_with_calls(line, kind, speech, end_s - 20.0)?;
            line.wait_until(end_s - 15.0);
            line.off_hook();
        }
        _ => {
            line.begin();
            line.wait(first_s);
            fill_with_calls(line, kind, speech, end_s)?;
        }
    }
    Ok(())
}

/// A line of dense calls whose voltage says off-hook from the first sample to the last, for measuring speed: all of
/// it is listened to. It has no truth.
pub fn busy_line(
    kind: LineKind,
    port: u16,
    seed: u64,
    speech: &Speech,
    length_s: f64,
) -> Result<Line, SpandspError> {
    let mut line = line_of(kind, port, seed);
    let mut turn = line.random.u32(0..12);
    while line.now_s() + LONGEST_CALL_S < length_s {
        call(&mut line, kind, speech, turn)?;
        turn += 1;
        line.wait(1.0);
    }
    line.hold_off_hook();
    Ok(line)
}

fn fill_with_calls(line: &mut Line, kind: LineKind, speech: &Speech, end_s: f64) -> Result<(), SpandspError> {
    // Starting anywhere in the round, each line still comes through all sorts of calls.
    let mut turn = line.random.u32(0..12);
    while line.now_s() + LONGEST_CALL_S < end_s {
        call(line, kind, speech, turn)?;
        turn += 1;
        let pause_s = line.between(3.0, 15.0);
        line.wait(pause_s);
    }
    Ok(())
}

/// One call of the round of twelve sorts.
pub fn call(line: &mut Line, kind: LineKind, speech: &Speech, turn: u32) -> Result<(), SpandspError> {
    let talk_s = if kind == LineKind::LongCalls { line.between(25.0, 50.0) } else { line.between(6.0, 22.0) };
    let then = match (kind, line.random.u32(0..5)) {
        (LineKind::Breaking, _) if turn.is_multiple_of(3) => {
            vec![Happening::LineLost { lost_s: line.between(8.0, 14.0) }]
        }
        (_, 0) => vec![Happening::Flash],
        (_, 1) => vec![Happening::CallWaiting, Happening::Flash],
        (_, 2) => vec![Happening::Digits(random_digits(line, 4))],
        _ => Vec::new(),
    };
    let answer = Answer { while_ringing: line.random.bool(), talk_s, then, far_hangs_up: line.random.bool() };
    let outgoing = |line: &mut Line, outcome| {
        let dialling = if kind == LineKind::DialPhone { Dialling::Pulse } else { Dialling::Dtmf };
        let number =
            if dialling == Dialling::Pulse { random_digits(line, 7) } else { fictitious_number(line) };
        Outgoing {
            number,
            dialling,
            special_dial_tone: kind == LineKind::Noisy && line.random.bool(),
            outcome,
        }
    };
    let ringbacks = line.random.u32(2..4);
    match turn % 12 {
        0 | 6 => {
            let caller_id = Some(random_caller_id(line));
            let rings = line.random.u32(2..4);
            let call = Incoming { caller_id, rings, answer: Some(answer), withheld: false };
            line.incoming(speech, &call)
        }
        1 => {
            let call = outgoing(line, Outcome::AnsweredByReversal { ringbacks, answer });
            line.outgoing(speech, &call)
        }
        2 => {
            let call = outgoing(line, Outcome::Refused { tone: "busy", turns: 7 });
            line.outgoing(speech, &call)
        }
        3 if kind == LineKind::DoNotRecord => {
            let message = CallerIdMessage { number: Some(WITHHELD_NUMBER.into()), ..Default::default() };
            let caller_id = Some((CallerIdForm::Bell202Mdmf, message));
            let call = Incoming {
                caller_id,
                rings: 2,
                answer: Some(Answer { then: vec![], ..answer }),
                withheld: true,
            };
            line.incoming(speech, &call)
        }
        3 => {
            let caller_id = line.random.bool().then(|| random_caller_id(line));
            let rings = line.random.u32(2..5);
            line.incoming(speech, &Incoming { caller_id, rings, answer: None, withheld: false })
        }
        4 => {
            let call = outgoing(line, Outcome::AnsweredByVoice { ringbacks, answer });
            line.outgoing(speech, &call)
        }
        5 => {
            let call = outgoing(line, Outcome::Refused { tone: "congestion", turns: 5 });
            line.outgoing(speech, &call)
        }
        7 => {
            let call = outgoing(line, Outcome::NoAnswer { ringbacks: 3 });
            line.outgoing(speech, &call)
        }
        8 => {
            let call = outgoing(line, Outcome::Refused { tone: "unobtainable", turns: 4 });
            line.outgoing(speech, &call)
        }
        9 if kind == LineKind::Breaking => {
            line.lose_line(12.0);
            line.wait(6.0);
            line.dip(2.0);
            Ok(())
        }
        9 => {
            line.left_off_hook(4, 6);
            Ok(())
        }
        10 => {
            let call = outgoing(line, Outcome::AnsweredAtOnce { answer });
            line.outgoing(speech, &call)
        }
        _ => line
            .incoming(speech, &Incoming { caller_id: None, rings: 1, answer: Some(answer), withheld: false }),
    }
}

fn random_digits(line: &mut Line, count: usize) -> String {
    (0..count).map(|_| line.random.digit(10)).collect()
}

/// A number that looks like one of China's and is nobody's: subscriber numbers 5550xxxx, or eleven digits that begin
/// with 127, which no Chinese mobile number does.
pub fn fictitious_number(line: &mut Line) -> String {
    let tail = random_digits(line, 4);
    match line.random.u32(0..5) {
        0 => format!("0105550{tail}"),
        1 => format!("0215550{tail}"),
        2 => format!("07555550{tail}"),
        _ => format!("1275550{tail}"),
    }
}

/// Any of the six forms, with a number; names only where the form carries one.
pub fn random_caller_id(line: &mut Line) -> (CallerIdForm, CallerIdMessage) {
    const NAMES: [&str; 5] = ["LINE A", "FRONT GATE", "DUTY ROOM 3", "SWITCHBOARD", "TEST DESK"];
    let form = CallerIdForm::ALL[line.random.usize(..6)];
    let named = matches!(form, CallerIdForm::Bell202Mdmf | CallerIdForm::V23Mdmf) && line.random.bool();
    let minute = line.random.u32(0..60);
    let message = CallerIdMessage {
        number: Some(fictitious_number(line)),
        name: named.then(|| NAMES[line.random.usize(..NAMES.len())].into()),
        time: (!form.is_dtmf()).then(|| format!("030108{minute:02}")),
    };
    (form, message)
}
