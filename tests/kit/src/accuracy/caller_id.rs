//! Caller ID in its six forms, at levels and signal to noise ratios, on a line that rings as lines do: FSK after the
//! first ring, DTMF before it.

use super::{Bench, MeasureError, Row, Section, Verdict, folder, share, verdict_of_share};
use crate::event::Event;
use crate::replay::detect;
use crate::scenario::{Line, ScenarioFolder};
use crate::spandsp::{
    CallerIdForm, CallerIdMessage, CallerIdOptions, Heard, HeardCallerId, Noise, Receiver, ReceiverParts,
};

/// Power of the whole signal.
const LEVELS_DBM0: [f32; 4] = [-4.0, -14.0, -24.0, -34.0];
/// Signal to noise in the whole band, 0–4000 Hz; the last one is an aim only.
const RATIOS_DB: [f32; 4] = [40.0, 25.0, 20.0, 15.0];

/// A message that was sent, and when the call around it began and ended.
struct Sent {
    from_s: f64,
    to_s: f64,
    message: CallerIdMessage,
    /// The audio that the peer hears: the message with the line's noise around it.
    audio: Vec<i16>,
}

#[derive(Default)]
struct Count {
    sent: usize,
    right: usize,
    /// Messages with another number than was sent.
    wrong: usize,
}

impl Count {
    /// Right: one message with every field right, of the right standard.
    fn add(&mut self, expected: &CallerIdMessage, heard: &[(HeardCallerId, bool)]) {
        self.sent += 1;
        let right = |(heard, standard): &(HeardCallerId, bool)| {
            *standard
                && heard.number == expected.number
                && heard.name == expected.name
                && heard.time == expected.time
        };
        self.wrong += heard.iter().filter(|(heard, _)| heard.number != expected.number).count();
        self.right += usize::from(heard.len() == 1 && right(&heard[0]));
    }
}

fn message(form: CallerIdForm, random: &mut fastrand::Rng) -> CallerIdMessage {
    const NAMES: [&str; 4] = ["LI WEI", "DUTY ROOM 3", "A", "NORTH GATE & YARD"];
    let length = random.usize(3..13);
    let named = matches!(form, CallerIdForm::Bell202Mdmf | CallerIdForm::V23Mdmf) && random.bool();
    CallerIdMessage {
        number: Some((0..length).map(|_| random.digit(10)).collect()),
        name: named.then(|| NAMES[random.usize(..NAMES.len())].into()),
        time: (!form.is_dtmf()).then(|| {
            format!(
                "{:02}{:02}{:02}{:02}",
                random.u8(1..13),
                random.u8(1..29),
                random.u8(0..24),
                random.u8(0..60)
            )
        }),
    }
}

/// A port with `messages` calls, each rung once, answered and ended at once.
fn make_line(
    port: u16,
    form: CallerIdForm,
    how: &CallerIdOptions,
    noise_dbm0: f32,
    messages: usize,
) -> Result<(Line, Vec<Sent>), MeasureError> {
    let mut line = Line::new(port, "8000", 4);
    line.noise_dbm0 = Some(noise_dbm0);
    line.begin();
    line.wait(1.5);
    let mut all = Vec::new();
    for _ in 0..messages {
        let message = message(form, &mut line.random);
        let audio = crate::spandsp::caller_id(form, &message, how)?;
        let from_s = line.now_s();
        if form.is_dtmf() {
            line.send_caller_id(form, &message, how)?;
            line.wait(0.4);
            line.ring(1.0);
        } else {
            line.ring(1.0);
            // Not always the same sample of a block.
            let pause_s = line.between(0.5, 0.8);
            line.wait(pause_s);
            line.send_caller_id(form, &message, how)?;
        }
        line.wait(0.5);
        line.off_hook();
        line.wait(0.5);
        line.on_hook();
        let to_s = line.now_s();
        line.wait(1.5);
        all.push(Sent { from_s, to_s, message, audio: with_noise(&audio, noise_dbm0, line.random.u32(..))? });
    }
    Ok((line, all))
}

fn with_noise(audio: &[i16], noise_dbm0: f32, seed: u32) -> Result<Vec<i16>, MeasureError> {
    let mut around = vec![0; 1600];
    around.extend_from_slice(audio);
    around.extend([0; 3200]);
    Noise::new(seed, noise_dbm0)?.add_to(&mut around);
    Ok(around)
}

/// What `adsi_rx`, told the form beforehand, made of one message.
fn by_peer(form: CallerIdForm, audio: &[i16]) -> Result<Vec<(HeardCallerId, bool)>, MeasureError> {
    let mut receiver = Receiver::new(ReceiverParts { caller_id: Some(form), ..Default::default() })?;
    for block in audio.chunks(160) {
        receiver.hear(block);
    }
    let heard = receiver.heard().into_iter().filter_map(|heard| match heard {
        Heard::CallerId { caller_id, .. } => Some((caller_id, true)),
        _ => None,
    });
    Ok(heard.collect())
}

/// What the product said between two moments, `MM-DDThh:mm` brought back to `MMDDhhmm`, and whether its standard is
/// the one that was sent.
fn by_us(events: &[Event], port: u16, form: CallerIdForm, sent: &Sent) -> Vec<(HeardCallerId, bool)> {
    let text = |event: &Event, member: &str| event.text(member).map(String::from);
    events
        .iter()
        .filter(|event| event.port == port && event.event == "caller_id")
        .filter(|event| (sent.from_s - 0.5..sent.to_s + 0.5).contains(&event.t))
        .map(|event| {
            let said = HeardCallerId {
                number: text(event, "number"),
                name: text(event, "name"),
                time: text(event, "time").map(|time| time.replace(['-', 'T', ':'], "")),
            };
            (said, event.text("standard") == Some(form.standard()))
        })
        .collect()
}

/// A row of the table: ports of one form that count together.
struct Condition {
    name: String,
    form: CallerIdForm,
    /// (how, noise dBm0), a port each.
    ports: Vec<(CallerIdOptions, f32)>,
    floor: Option<f64>,
}

fn conditions() -> Vec<Condition> {
    let mut all = Vec::new();
    for form in CallerIdForm::ALL {
        let twist_db = if form.is_dtmf() { 1.0 } else { 0.0 };
        for ratio_db in RATIOS_DB {
            let port = |level_dbm0: f32| {
                (CallerIdOptions { level_dbm0, twist_db, ..Default::default() }, level_dbm0 - ratio_db)
            };
            all.push(Condition {
                name: format!("{}, signal to noise {ratio_db} dB", form.name()),
                form,
                ports: LEVELS_DBM0.map(port).into(),
                floor: (ratio_db >= 20.0).then_some(100.0),
            });
        }
    }
    // Beyond the floors: what the standards allow besides, at −14 dBm0 and 25 dB.
    for (form, percent) in [(CallerIdForm::Bell202Mdmf, 1.0), (CallerIdForm::V23Mdmf, 1.5)] {
        let nominal = CallerIdOptions::default();
        let off = |deviation_percent, rate_deviation_percent| {
            (CallerIdOptions { deviation_percent, rate_deviation_percent, ..nominal }, -39.0)
        };
        all.push(Condition {
            name: format!("{}, frequencies ±{percent} %, bit rate ±1 %", form.name()),
            form,
            ports: vec![off(percent, 1.0), off(percent, -1.0), off(-percent, 1.0), off(-percent, -1.0)],
            floor: None,
        });
        let lead = |seizure_bits, mark_bits| (CallerIdOptions { seizure_bits, mark_bits, ..nominal }, -39.0);
        all.push(Condition {
            name: format!("{}, seizure short or missing, mark 80 bits", form.name()),
            form,
            ports: vec![lead(96, 80), lead(0, 180), lead(0, 80), lead(300, 80)],
            floor: None,
        });
    }
    all
}

pub fn run(bench: &Bench) -> Result<Section, MeasureError> {
    let messages = if bench.short { 5 } else { 25 };
    let scenario = folder(bench, "caller-id");
    let mut made = ScenarioFolder::create(&scenario)?;
    let conditions = conditions();
    let mut ports = Vec::new();
    for condition in &conditions {
        for (how, noise_dbm0) in &condition.ports {
            let port = ports.len() as u16 + 1;
            let (line, sent) = make_line(port, condition.form, how, *noise_dbm0, messages)?;
            let length_s = line.now_s();
            made.add(line, length_s)?;
            ports.push((port, sent));
        }
    }
    made.finish()?;
    let (events, _) = detect(&bench.hookline, &scenario, &[])?;

    let mut rows = Vec::new();
    let mut ports = ports.into_iter();
    for condition in conditions {
        let (mut ours, mut peer) = (Count::default(), Count::default());
        for (port, all_sent) in ports.by_ref().take(condition.ports.len()) {
            for sent in all_sent {
                ours.add(&sent.message, &by_us(&events, port, condition.form, &sent));
                peer.add(&sent.message, &by_peer(condition.form, &sent.audio)?);
            }
        }
        let mut verdict = verdict_of_share(ours.right, ours.sent, ours.wrong, condition.floor);
        if ours.wrong > 0 {
            verdict = Verdict::Failed;
        }
        rows.push(Row {
            condition: condition.name,
            floor: if condition.floor.is_some() { "100 %, none wrong".into() } else { "none wrong".into() },
            aim: "100 %".into(),
            ours: share(ours.right, ours.sent, ours.wrong),
            peer: share(peer.right, peer.sent, peer.wrong),
            verdict,
        });
    }
    let levels: Vec<_> = LEVELS_DBM0.iter().map(|level| level.to_string().replace('-', "−")).collect();
    let notes = vec![format!(
        "{messages} messages at each of the levels {} dBm0 (power of the whole signal: a DTMF form's tones are 3 dB lower each), or of \
         the four variants of a row; white noise over 0–4000 Hz all the time. spandsp's `adsi_rx` was told the form beforehand and \
         heard each message alone. Right: one message, every field and the standard right.",
        levels.join(", ")
    )];
    Ok(Section { rows, notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_reads_every_form_in_little_noise() {
        for form in CallerIdForm::ALL {
            let (_, sent) = make_line(1, form, &CallerIdOptions::default(), -54.0, 4).unwrap();
            let mut count = Count::default();
            for sent in &sent {
                count.add(&sent.message, &by_peer(form, &sent.audio).unwrap());
            }
            assert_eq!((count.right, count.wrong), (4, 0), "{}", form.name());
        }
    }

    #[test]
    fn a_wrong_number_and_a_second_message_are_not_right() {
        let sent = CallerIdMessage { number: Some("12".into()), ..Default::default() };
        let heard =
            |number: &str| (HeardCallerId { number: Some(number.into()), ..Default::default() }, true);
        let mut count = Count::default();
        count.add(&sent, &[heard("12")]);
        count.add(&sent, &[heard("12"), heard("13")]);
        count.add(&sent, &[]);
        count.add(&sent, &[(heard("12").0, false)]);
        assert_eq!((count.sent, count.right, count.wrong), (4, 1, 1));
    }
}
