//! Scripts: what happens on a line, one thing a row, and what it says, one event a row.
//!
//! Rows of a script begin with a time in seconds:
//!
//! ```text
//! 0.0   48V                       the line has so many volts from now on
//! 1.0   ring 1.0                  ringing voltage for so many seconds
//! 2.0   dial 13800138000          DTMF from the near side (or the only track), 80 ms and 80 ms
//! 2.0   pulse 119                 pulse dialling, 10 pulses a second, 60 % break
//! 2.0   flash 300                 the loop is open for so many ms
//! 2.0   caller-id 8005 bell202    or v23, dtmf
//! 2.0   tone busy 3.5             for so many seconds; named 1.5 s after it began
//! 2.0   voice 3.0                 on the only track; `near voice`, `far voice` with two
//! 2.0   far digit 5               a digit heard on the far side
//! 2.0   command manual_start      any command
//! 2.0   set max_length_s = 60.0   changes settings
//! 2.0   use disabled              or unused, recorded
//! 9.0   end
//! ```

use arrayvec::ArrayString;
use line::{ChannelSettings, Command, Line, LineEvent, LineEventKind, PortUse, Side};
use signal::{CallerId, CallerIdStandard, Detection, Digit, SampleIndex, Tone};

const BLOCK: u64 = 80;
/// How much later than it happened something is heard.
const DIGIT_LAG_S: f64 = 0.03;
const TONE_LAG_S: f64 = 1.5;
const TONE_END_LAG_S: f64 = 0.8;
const RINGBACK_END_LAG_S: f64 = 4.5;
const VOICE_LAG_S: f64 = 0.2;
const VOICE_END_LAG_S: f64 = 0.45;

enum Happening {
    Status { volts: f32, ring_volts: f32 },
    Heard(Side, Detection),
    Command(Command),
    Settings(Box<ChannelSettings>),
    Use(PortUse),
}

/// A script, read.
pub struct Script {
    settings: ChannelSettings,
    /// When the line learns of it, and what.
    happenings: Vec<(SampleIndex, Happening)>,
    end: SampleIndex,
    volts: Vec<(f64, f32)>,
    rings: Vec<(f64, f64)>,
}

fn samples(seconds: f64) -> SampleIndex {
    SampleIndex::from_seconds(seconds)
}

pub fn settings(toml: &str) -> ChannelSettings {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}: {error}"))
}

impl Script {
    pub fn new(settings_toml: &str, rows: &str) -> Self {
        let mut script = Self {
            settings: settings(settings_toml),
            happenings: Vec::new(),
            end: SampleIndex(0),
            volts: vec![(0.0, 48.0)],
            rings: Vec::new(),
        };
        let table =
            |text: &str| -> toml::Table { text.parse().unwrap_or_else(|error| panic!("{text}: {error}")) };
        let mut current = table(settings_toml);
        for row in rows.lines().map(str::trim).filter(|row| !row.is_empty() && !row.starts_with('#')) {
            let (at, what) = row.split_once(char::is_whitespace).unwrap_or_else(|| panic!("{row}: no time"));
            let at: f64 = at.parse().unwrap_or_else(|_| panic!("{row}: no time"));
            let what = what.trim();
            if let Some(change) = what.strip_prefix("set ") {
                current.extend(table(change));
                script.push(at, Happening::Settings(Box::new(settings(&current.to_string()))));
            } else {
                script.read(at, what);
            }
        }
        script.measure();
        script.happenings.sort_by_key(|(at, _)| *at);
        script
    }

    fn push(&mut self, at: f64, happening: Happening) {
        self.happenings.push((samples(at), happening));
    }

    fn hear(&mut self, said: f64, side: Side, detection: Detection) {
        self.push(said, Happening::Heard(side, detection));
    }

    fn read(&mut self, at: f64, what: &str) {
        let mut words = what.split_whitespace();
        let mut word = || words.next().unwrap_or_else(|| panic!("{what}: too short"));
        let mut first = word();
        let side = match first {
            "near" => Side::Near,
            "far" => Side::Far,
            _ => Side::Both,
        };
        if side != Side::Both {
            first = word();
        }
        let number = |text: &str| -> f64 { text.parse().unwrap_or_else(|_| panic!("{what}: no number")) };
        match first {
            "end" => self.end = samples(at),
            "ring" => self.rings.push((at, at + number(word()))),
            "voice" => {
                let end = at + number(word());
                self.hear(at + VOICE_LAG_S, side, Detection::VoiceStart { at: samples(at) });
                self.hear(end + VOICE_END_LAG_S, side, Detection::VoiceStop { at: samples(end) });
            }
            "tone" => {
                let tone = match word() {
                    "dial" => Tone::Dial,
                    "ringback" => Tone::Ringback,
                    "busy" => Tone::Busy,
                    "congestion" => Tone::Congestion,
                    "unobtainable" => Tone::Unobtainable,
                    "howler" => Tone::Howler,
                    other => panic!("{what}: no tone {other}"),
                };
                let end = at + number(word());
                let end_lag_s = if tone == Tone::Ringback { RINGBACK_END_LAG_S } else { TONE_END_LAG_S };
                self.hear(at + TONE_LAG_S, side, Detection::ToneStart { at: samples(at), tone });
                self.hear(end + end_lag_s, side, Detection::ToneStop { at: samples(end), tone });
            }
            "dial" | "digit" => {
                for (index, digit) in word().bytes().enumerate() {
                    let begin = at + index as f64 * 0.16;
                    let heard = Detection::Digit { at: samples(begin), digit: Digit(digit), samples: 640 };
                    self.hear(begin + 0.08 + DIGIT_LAG_S, side, heard);
                }
            }
            "pulse" => {
                let mut now = at;
                for digit in word().bytes() {
                    for _ in 0..(if digit == b'0' { 10 } else { digit - b'0' }) {
                        self.volts.extend([(now, 48.0), (now + 0.06, 8.0)]);
                        now += 0.1;
                    }
                    now += 0.7;
                }
            }
            "flash" => {
                let ms = number(word());
                self.volts.extend([(at, 48.0), (at + ms / 1000.0, 8.0)]);
            }
            "caller-id" => {
                let number = word();
                let standard = match word() {
                    "bell202" => CallerIdStandard::FskBell202,
                    "v23" => CallerIdStandard::FskV23,
                    "dtmf" => CallerIdStandard::Dtmf,
                    other => panic!("{what}: no standard {other}"),
                };
                let number = ArrayString::from(number).ok();
                let caller_id = CallerId { number, name: None, time: None, standard };
                self.hear(at + 0.4, Side::Both, Detection::CallerId { at: samples(at), caller_id });
            }
            "command" => {
                let command = match word() {
                    "manual_start" => Command::ManualStart,
                    "manual_stop" => Command::ManualStop,
                    "schedule_begin" => Command::ScheduleBegin,
                    "schedule_end" => Command::ScheduleEnd,
                    "do_not_record_begin" => Command::DoNotRecordBegin,
                    "do_not_record_end" => Command::DoNotRecordEnd,
                    "acknowledge" => Command::AcknowledgeOffHook,
                    other => panic!("{what}: no command {other}"),
                };
                self.push(at, Happening::Command(command));
            }
            "use" => {
                let port_use = match word() {
                    "disabled" => PortUse::Disabled,
                    "unused" => PortUse::Unused,
                    "recorded" => PortUse::Recorded,
                    other => panic!("{what}: no use {other}"),
                };
                self.push(at, Happening::Use(port_use));
            }
            volts if volts.ends_with('V') => {
                self.volts.push((at, number(volts.trim_end_matches('V')) as f32))
            }
            other => panic!("{what}: what is {other}?"),
        }
    }

    /// Voltages and ringing as changes of status.
    fn measure(&mut self) {
        let mut times: Vec<f64> = self.volts.iter().map(|(at, _)| *at).collect();
        times.extend(self.rings.iter().flat_map(|(from, to)| [*from, *to]));
        times.sort_by(f64::total_cmp);
        self.volts.sort_by(|a, b| a.0.total_cmp(&b.0));
        for at in times {
            let volts =
                self.volts.iter().rev().find(|(from, _)| *from <= at).map_or(48.0, |(_, volts)| *volts);
            let ringing = self.rings.iter().any(|(from, to)| (*from..*to).contains(&at));
            self.push(at, Happening::Status { volts, ring_volts: if ringing { 75.0 } else { 0.0 } });
        }
    }

    /// Plays the script in blocks of 10 ms. Events in the order in which they are said, each with the `now` of then.
    pub fn play(&self) -> (Line, Vec<(SampleIndex, LineEvent)>) {
        let mut line = Line::new(1, self.settings.clone()).expect("settings are right");
        line.set_line_number(Some("8001"));
        let mut said = Vec::new();
        let mut out = Vec::new();
        let mut rest = self.happenings.iter().peekable();
        let mut first = 0;
        while first < self.end.0 {
            let now = SampleIndex((first + BLOCK).min(self.end.0));
            while let Some((at, happening)) = rest.next_if(|(at, _)| *at < now) {
                let begin = SampleIndex(first);
                match happening {
                    Happening::Status { volts, ring_volts } => {
                        line.status(*at, *volts, *ring_volts, &mut out)
                    }
                    Happening::Heard(side, detection) => line.detection(*side, detection, &mut out),
                    Happening::Command(command) => {
                        line.command(*command, begin, &mut out)
                            .unwrap_or_else(|error| panic!("{command:?} at {}: {error}", at.seconds()));
                    }
                    Happening::Settings(settings) => {
                        line.change_settings((**settings).clone(), begin, &mut out)
                            .expect("settings are right");
                    }
                    Happening::Use(port_use) => line.set_use(*port_use, begin, &mut out),
                }
            }
            line.advance(now, &mut out);
            said.extend(out.drain(..).map(|event| (now, event)));
            first = now.0;
        }
        line.finish(self.end, &mut out);
        said.extend(out.drain(..).map(|event| (self.end, event)));
        (line, said)
    }
}

fn seconds(at: SampleIndex) -> String {
    format!("{:.3}", at.seconds())
}

/// An event as a row; `None` for what is heard, which only some scripts are about.
fn row(event: &LineEvent, with_heard: bool) -> Option<String> {
    let or_null = |text: Option<ArrayString<32>>| text.map_or("-".to_owned(), |text| text.to_string());
    let what = match &event.kind {
        LineEventKind::RingStart => "ring_start".into(),
        LineEventKind::RingStop => "ring_stop".into(),
        LineEventKind::OffHook { .. } => "off_hook".into(),
        LineEventKind::OnHook { .. } => "on_hook".into(),
        LineEventKind::PolarityReversed { .. } => "polarity_reversed".into(),
        LineEventKind::HookFlash { ms } => format!("hook_flash {ms}"),
        LineEventKind::LineLost { .. } => "line_lost".into(),
        LineEventKind::LineRestored { .. } => "line_restored".into(),
        LineEventKind::PulseDigit { digit } if with_heard => format!("pulse_digit {}", digit.as_char()),
        LineEventKind::Digit { digit, .. } if with_heard => format!("digit {}", digit.as_char()),
        LineEventKind::ToneStart(tone) if with_heard => format!("tone_start {tone:?}"),
        LineEventKind::ToneStop(tone) if with_heard => format!("tone_stop {tone:?}"),
        LineEventKind::VoiceStart if with_heard => "voice_start".into(),
        LineEventKind::VoiceStop if with_heard => "voice_stop".into(),
        LineEventKind::Digit { .. }
        | LineEventKind::PulseDigit { .. }
        | LineEventKind::ToneStart(_)
        | LineEventKind::ToneStop(_)
        | LineEventKind::VoiceStart
        | LineEventKind::VoiceStop => return None,
        LineEventKind::CallerId(caller_id) => format!("caller_id {}", or_null(caller_id.number)),
        LineEventKind::RecordStart { call, segment, mode, pre_roll_samples } => {
            let pre_roll = f64::from(*pre_roll_samples) / 8000.0;
            format!(
                "record_start {} call {} segment {segment} pre-roll {pre_roll:.3}",
                mode.name(),
                seconds(call.at)
            )
        }
        LineEventKind::RecordWithheld { .. } => "record_withheld".into(),
        LineEventKind::RecordStop(stop) => {
            assert_eq!(stop.line_number.as_deref(), Some("8001"));
            let withheld = if stop.withheld { " withheld" } else { "" };
            format!(
                "record_stop {} start {} {} {}{withheld}",
                stop.stop_mode.name(),
                seconds(stop.start),
                stop.call_type.name(),
                or_null(stop.peer_number),
            )
        }
        LineEventKind::CallWithoutAudio(call) => {
            let withheld = if call.withheld { " withheld" } else { "" };
            let (end, call_type, peer) =
                (seconds(call.end), call.call_type.name(), or_null(call.peer_number));
            format!("no_audio {call_type} {peer} end {end}{withheld}")
        }
        LineEventKind::AlarmRaised { code } => format!("alarm_raised {}", code.name()),
        LineEventKind::AlarmCleared { code } => format!("alarm_cleared {}", code.name()),
    };
    Some(format!("{} {what}", seconds(event.at)))
}

fn rows(settings_toml: &str, script: &str, with_heard: bool) -> Vec<String> {
    let (_, mut said) = Script::new(settings_toml, script).play();
    for (now, event) in &said {
        assert!(event.at <= *now, "{event:?} was said at {}", now.seconds());
    }
    said.sort_by_key(|(_, event)| event.at);
    said.iter().filter_map(|(_, event)| row(event, with_heard)).collect()
}

fn compare(said: &[String], expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|row| !row.is_empty()).collect();
    assert!(
        said == expected.as_slice(),
        "\nsaid:\n  {}\nexpected:\n  {}\n",
        said.join("\n  "),
        expected.join("\n  ")
    );
}

/// Plays `script` and compares what is said, but for what is only heard (digits, tones, voice), in order of time.
#[track_caller]
pub fn check(settings_toml: &str, script: &str, expected: &str) {
    compare(&rows(settings_toml, script, false), expected);
}

/// As `check`, with digits, tones and voice.
#[track_caller]
pub fn check_all(settings_toml: &str, script: &str, expected: &str) {
    compare(&rows(settings_toml, script, true), expected);
}

/// As `check`, but only for rows that contain one of `words`.
#[track_caller]
pub fn check_only(words: &[&str], settings_toml: &str, script: &str, expected: &str) {
    let said: Vec<String> = rows(settings_toml, script, true)
        .into_iter()
        .filter(|row| words.iter().any(|word| row.contains(word)))
        .collect();
    compare(&said, expected);
}
