//! DTMF at the limits of ITU-T Q.24 (AT&T column) and in white noise, 1,600 digits each: every digit 100 times.

use super::{Bench, MeasureError, Row, Section, Verdict, folder, off_hook_line, share, verdict_of_share};
use crate::audio::{mix, samples, seconds};
use crate::compare::{Mark, align};
use crate::event::Event;
use crate::replay::detect;
use crate::scenario::{ScenarioFolder, Side};
use crate::spandsp::{DtmfTone, Heard, Noise, Receiver, ReceiverParts, dtmf, g711, two_tones};
use crate::wav::WavFormat;

const DIGITS: &str = "0123456789ABCD*#";
const TURNS: usize = 100;

/// What is asked of a condition.
#[derive(Clone, Copy)]
enum Want {
    /// At least this many per cent heard; no floor: an aim only.
    Heard(Option<f64>),
    Nothing,
}

struct Condition {
    name: &'static str,
    how: DtmfTone,
    noise_dbm0: Option<f32>,
    format: WavFormat,
    /// Dial tone under the digits.
    dial_tone_dbm0: Option<f32>,
    /// A hole in the middle of each digit.
    interruption_ms: u16,
    want: Want,
}

/// A digit and the sample at which it begins.
type Sent = (usize, char);

/// What was sent and heard on one port.
struct Outcome {
    right: usize,
    /// Other digits than were sent, or more of them.
    wrong: usize,
}

fn conditions() -> Vec<Condition> {
    let nominal = DtmfTone::default();
    let deviated =
        |low, high| DtmfTone { low_deviation_percent: low, high_deviation_percent: high, ..nominal };
    let accept = |name, how| Condition {
        name,
        how,
        noise_dbm0: None,
        format: WavFormat::Linear16,
        dial_tone_dbm0: None,
        interruption_ms: 0,
        want: Want::Heard(Some(99.9)),
    };
    let reject = |name, how| Condition { want: Want::Nothing, ..accept(name, how) };
    let noisy = |name, level, floor| Condition {
        noise_dbm0: Some(level),
        want: Want::Heard(Some(floor)),
        ..accept(name, nominal)
    };
    let together = |name, how, format| Condition { format, want: Want::Heard(None), ..accept(name, how) };
    let short = DtmfTone { on_ms: 40.0, off_ms: 40.0, ..nominal };
    let weak = DtmfTone { low_dbm0: -25.0, ..short };
    vec![
        accept("nominal: −10 dBm0 a tone, 50/50 ms", nominal),
        accept("40 ms on, 40 ms off", short),
        accept("both tones +1.5 %", deviated(1.5, 1.5)),
        accept("both tones −1.5 %", deviated(-1.5, -1.5)),
        accept("low tone +1.5 %, high tone −1.5 %", deviated(1.5, -1.5)),
        accept("low tone −1.5 %, high tone +1.5 %", deviated(-1.5, 1.5)),
        accept("twist +4 dB", DtmfTone { twist_db: 4.0, ..nominal }),
        accept("twist −8 dB", DtmfTone { twist_db: -8.0, ..nominal }),
        accept("0 dBm0 a tone (clips)", DtmfTone { low_dbm0: 0.0, ..nominal }),
        accept("−25 dBm0 a tone", DtmfTone { low_dbm0: -25.0, ..nominal }),
        together(
            "together: 40/40 ms, +1.5 %, −25 dBm0, twist +4 dB",
            DtmfTone { twist_db: 4.0, low_deviation_percent: 1.5, high_deviation_percent: 1.5, ..weak },
            WavFormat::Linear16,
        ),
        together(
            "together: 40/40 ms, −1.5 %, high tone −25 dBm0, twist −8 dB",
            DtmfTone {
                low_dbm0: -17.0,
                twist_db: -8.0,
                low_deviation_percent: -1.5,
                high_deviation_percent: -1.5,
                ..short
            },
            WavFormat::Linear16,
        ),
        together(
            "together: 40/40 ms, +1.5 / −1.5 %, −25 dBm0, twist +4 dB, A-law",
            DtmfTone { twist_db: 4.0, low_deviation_percent: 1.5, high_deviation_percent: -1.5, ..weak },
            WavFormat::ALaw,
        ),
        together(
            "together: 40/40 ms, −1.5 %, 0 dBm0 a tone (clips)",
            DtmfTone { low_dbm0: 0.0, low_deviation_percent: -1.5, high_deviation_percent: -1.5, ..short },
            WavFormat::Linear16,
        ),
        Condition {
            interruption_ms: 10,
            ..together(
                "80 ms, interrupted for 10 ms",
                DtmfTone { on_ms: 80.0, ..nominal },
                WavFormat::Linear16,
            )
        },
        Condition {
            dial_tone_dbm0: Some(-16.0),
            ..together(
                "dial tone of −16 dBm0 under the digits, 80/80 ms",
                DtmfTone { on_ms: 80.0, off_ms: 80.0, ..nominal },
                WavFormat::Linear16,
            )
        },
        reject("23 ms on, 77 ms off", DtmfTone { on_ms: 23.0, off_ms: 77.0, ..nominal }),
        reject("both tones +3.5 %", deviated(3.5, 3.5)),
        reject("both tones −3.5 %", deviated(-3.5, -3.5)),
        reject("low tone +3.5 %", deviated(3.5, 0.0)),
        reject("low tone −3.5 %", deviated(-3.5, 0.0)),
        reject("high tone +3.5 %", deviated(0.0, 3.5)),
        reject("high tone −3.5 %", deviated(0.0, -3.5)),
        reject("−55 dBm0 a tone", DtmfTone { low_dbm0: -55.0, ..nominal }),
        noisy("white noise −23 dBm0", -23.0, 100.0),
        noisy("white noise −16 dBm0", -16.0, 99.5),
        noisy("white noise −13 dBm0", -13.0, 99.0),
    ]
}

/// Every digit 100 times, shuffled, in groups of 16 that begin at odd samples, so that no block length is favoured.
fn digits(condition: &Condition, seed: u64) -> Result<(Vec<i16>, Vec<Sent>), MeasureError> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut order: Vec<char> = DIGITS.chars().cycle().take(DIGITS.len() * TURNS).collect();
    random.shuffle(&mut order);
    let mut audio = vec![0; samples(1.0)];
    let mut sent = Vec::with_capacity(order.len());
    for group in order.chunks(16) {
        let text: String = group.iter().collect();
        for (index, &digit) in group.iter().enumerate() {
            sent.push((audio.len() + index * condition.how.period_samples(), digit));
        }
        let mut tones = dtmf(&text, &condition.how)?;
        let hole = usize::from(condition.interruption_ms) * 8;
        for digit in tones.chunks_mut(condition.how.period_samples()) {
            let from = (condition.how.on_samples() - hole) / 2;
            digit[from..from + hole].fill(0);
        }
        audio.extend(tones);
        audio.resize(audio.len() + random.usize(800..1600), 0);
    }
    if let Some(level) = condition.dial_tone_dbm0 {
        let length = audio.len();
        mix(&mut audio, 0, &two_tones(450.0, level, 0.0, -99.0, length));
    }
    if let Some(level) = condition.noise_dbm0 {
        Noise::new(random.u32(..), level)?.add_to(&mut audio);
    }
    if condition.format == WavFormat::ALaw {
        // What the file will hold, so that the peer hears the same.
        audio = g711::alaw_decode(&g711::alaw_encode(&audio));
    }
    Ok((audio, sent))
}

fn judge(sent: &[Sent], heard: &[(f64, char)], window_s: f64) -> Outcome {
    let sent: Vec<_> = sent.iter().map(|&(at, digit)| (seconds(at), digit.to_string())).collect();
    let heard: Vec<_> = heard.iter().map(|&(t, digit)| (t, digit.to_string())).collect();
    fn marks(list: &[(f64, String)]) -> Vec<Mark<'_>> {
        list.iter().map(|(t, key)| Mark { t: *t, key, optional: false }).collect()
    }
    let found = align(&marks(&sent), &marks(&heard), window_s);
    let right = found.pairs.iter().filter(|&&(i, j)| sent[i].1 == heard[j].1).count();
    Outcome { right, wrong: found.pairs.len() - right + found.extras.len() }
}

/// What `dtmf_rx` heard. It says a digit some 25 ms after its beginning.
fn by_peer(audio: &[i16]) -> Result<Vec<(f64, char)>, MeasureError> {
    let mut receiver = Receiver::new(ReceiverParts { dtmf: true, ..Default::default() })?;
    for block in audio.chunks(160) {
        receiver.hear(block);
    }
    let heard = receiver.heard().into_iter().filter_map(|heard| match heard {
        Heard::Digit { noticed_at, digit } => Some((noticed_at as f64 / 8000.0 - 0.025, digit)),
        _ => None,
    });
    Ok(heard.collect())
}

fn by_us(events: &[Event], port: u16) -> Vec<(f64, char)> {
    let digits = events.iter().filter(|event| event.port == port && event.event == "digit");
    digits.filter_map(|event| Some((event.t, event.text("digit")?.chars().next()?))).collect()
}

fn row(condition: &Condition, sent: usize, ours: &Outcome, peer: &Outcome) -> Row {
    let (floor, aim, verdict) = match condition.want {
        Want::Heard(floor) => (
            floor.map_or("–".into(), |floor| format!("{floor} %")),
            "100 %".into(),
            verdict_of_share(ours.right, sent, ours.wrong, floor),
        ),
        Want::Nothing => {
            let none = ours.right + ours.wrong == 0;
            ("0 digits".into(), "0".into(), if none { Verdict::Aim } else { Verdict::Failed })
        }
    };
    let text = |outcome: &Outcome| match condition.want {
        Want::Heard(_) => share(outcome.right, sent, outcome.wrong),
        Want::Nothing => (outcome.right + outcome.wrong).to_string(),
    };
    Row { condition: condition.name.into(), floor, aim, ours: text(ours), peer: text(peer), verdict }
}

pub fn run(bench: &Bench) -> Result<Section, MeasureError> {
    let conditions = conditions();
    let scenario = folder(bench, "dtmf");
    let mut made = ScenarioFolder::create(&scenario)?;
    let mut all = Vec::new();
    for (index, condition) in conditions.iter().enumerate() {
        let port = index as u16 + 1;
        let (audio, sent) = digits(condition, 24 + index as u64)?;
        let mut line = off_hook_line(port, 1);
        line.format = condition.format;
        line.play(Side::Near, &audio);
        line.wait(1.0);
        let peer = judge(&sent, &by_peer(&audio)?, 0.06);
        let length_s = line.now_s();
        made.add(line, length_s)?;
        all.push((port, sent, peer));
    }
    made.finish()?;
    let (events, _) = detect(&bench.hookline, &scenario, &[])?;
    let rows = conditions.iter().zip(&all).map(|(condition, (port, sent, peer))| {
        row(condition, sent.len(), &judge(sent, &by_us(&events, *port), 0.06), peer)
    });
    let notes = vec!["1,600 digits a row, all sixteen 100 times in random order.".into()];
    Ok(Section { rows: rows.collect(), notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_hears_nominal_digits_and_the_judge_counts_them() {
        let condition = &conditions()[0];
        let (audio, sent) = digits(condition, 1).unwrap();
        assert_eq!(sent.len(), 1600);
        let outcome = judge(&sent, &by_peer(&audio).unwrap(), 0.06);
        assert_eq!((outcome.right, outcome.wrong), (1600, 0));
    }

    #[test]
    fn wrong_and_extra_digits_are_counted() {
        let sent = [(8000, '1'), (8800, '2')];
        let outcome = judge(&sent, &[(1.0, '1'), (1.1, '3'), (5.0, '4')], 0.06);
        assert_eq!((outcome.right, outcome.wrong), (1, 2));
    }
}
