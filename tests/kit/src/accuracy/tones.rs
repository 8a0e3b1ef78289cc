//! The Chinese tones off their frequency and cadence, each on a call of its own.

use super::{Bench, MeasureError, Row, Section, folder, share, verdict_of_share};
use crate::audio::samples;
use crate::corpus::Speech;
use crate::event::Event;
use crate::replay::detect;
use crate::scenario::{Line, ScenarioFolder, Side, TONES, Tone};
use crate::spandsp::{Heard, Receiver, ReceiverParts, SupervisoryTone};

/// GB/T 3380: −10 ±3 dBm.
const LEVELS_DBM0: [f32; 3] = [-7.0, -10.0, -13.0];

struct Sent {
    from_s: f64,
    to_s: f64,
    audio: Vec<i16>,
}

#[derive(Default)]
struct Count {
    sent: usize,
    right: usize,
    /// Names that were said and not sent, or said twice.
    wrong: usize,
}

impl Count {
    fn add(&mut self, tone: &str, said: &[String]) {
        self.sent += 1;
        let right = said.iter().filter(|name| *name == tone).count().min(1);
        self.wrong += said.len() - right;
        self.right += usize::from(right == 1 && said.len() == 1);
    }
}

/// As many turns as make a tone certain, and at least 3 s.
fn turns(tone: Tone) -> u32 {
    match tone.turn_ms() {
        0 => 4,
        turn_ms => (3000 / turn_ms + 1).max(3),
    }
}

fn make_line(port: u16, tone: Tone, short: bool) -> (Line, Vec<Sent>) {
    let detunes: &[f32] = if short { &[-25.0, 25.0] } else { &[-25.0, -12.0, 0.0, 12.0, 25.0] };
    let stretches: &[f32] = match (tone.cadence_ms.is_empty(), short) {
        (true, _) => &[1.0],
        (false, true) => &[0.9, 1.1],
        (false, false) => &[0.9, 1.0, 1.1],
    };
    let levels = if short { &LEVELS_DBM0[1..2] } else { &LEVELS_DBM0[..] };
    let mut line = Line::new(port, "8000", 5);
    line.begin();
    let mut all = Vec::new();
    for &detune_hz in detunes {
        for &stretch in stretches {
            for &dbm0 in levels {
                let pause_s = line.between(1.5, 1.6);
                line.wait(pause_s);
                let from_s = line.now_s();
                line.off_hook();
                line.wait(0.5);
                let played = tone.play(turns(tone), dbm0, detune_hz, stretch);
                line.play(Side::Far, &played);
                line.wait(0.5);
                line.on_hook();
                let mut audio = vec![0; samples(0.5)];
                audio.extend(&played);
                audio.extend([0; 8000]);
                all.push(Sent { from_s, to_s: line.now_s(), audio });
            }
        }
    }
    line.wait(2.0);
    (line, all)
}

/// Call waiting of −10 dBm0 while people talk on the same track all the time: six bursts, from the eighth second on.
fn make_covered_line(port: u16, calls: usize, speech: &Speech) -> Result<(Line, Vec<Sent>), MeasureError> {
    const TURNS: u32 = 6;
    let tone = Tone::named("call-waiting").unwrap_or(TONES[0]);
    let played = tone.play(TURNS, -10.0, 0.0, 1.0);
    let mut line = Line::new(port, "8000", 7);
    line.begin();
    let mut all = Vec::new();
    for _ in 0..calls {
        line.wait(2.0);
        let from_s = line.now_s();
        line.off_hook();
        line.wait(0.5);
        let first = line.now();
        line.talk(speech, Side::Near, 40.0);
        line.put(Side::Far, first + samples(8.0), &played);
        line.on_hook();
        let audio = line.heard(first, line.now());
        all.push(Sent { from_s, to_s: line.now_s(), audio });
    }
    line.wait(2.0);
    Ok((line, all))
}

fn by_us(events: &[Event], port: u16, sent: &Sent) -> Vec<String> {
    let starts = events.iter().filter(|event| event.port == port && event.event == "tone_start");
    let within = starts.filter(|event| (sent.from_s..sent.to_s + 0.5).contains(&event.t));
    within.filter_map(|event| event.text("tone").map(String::from)).collect()
}

/// `super_tone_rx` says a cadence again each time it has lost and found it: that counts once.
fn by_peer(audio: &[i16]) -> Result<Vec<String>, MeasureError> {
    let mut receiver =
        Receiver::new(ReceiverParts { tones: SupervisoryTone::china(), ..Default::default() })?;
    for block in audio.chunks(160) {
        receiver.hear(block);
    }
    let mut said = Vec::new();
    for heard in receiver.heard() {
        if let Heard::Tone { name, .. } = heard
            && !said.iter().any(|said| said == name)
        {
            said.push(name.to_string());
        }
    }
    Ok(said)
}

pub fn run(bench: &Bench) -> Result<Section, MeasureError> {
    let scenario = folder(bench, "tones");
    let mut made = ScenarioFolder::create(&scenario)?;
    let mut all = Vec::new();
    for (index, tone) in TONES.into_iter().enumerate() {
        let port = index as u16 + 1;
        let (line, sent) = make_line(port, tone, bench.short);
        let length_s = line.now_s();
        made.add(line, length_s)?;
        all.push((tone, port, sent));
    }
    let speech = Speech::load("en")?;
    let mut covered = Vec::new();
    for index in 0..if bench.short { 1 } else { 4 } {
        let port = (TONES.len() + index) as u16 + 1;
        let (line, sent) = make_covered_line(port, 12, &speech)?;
        let length_s = line.now_s();
        made.add(line, length_s)?;
        covered.push((port, sent));
    }
    made.finish()?;
    let (events, _) = detect(&bench.hookline, &scenario, &[])?;
    let mut rows = Vec::new();
    for (tone, port, sent) in &all {
        let (mut ours, mut peer) = (Count::default(), Count::default());
        for sent in sent {
            ours.add(tone.name, &by_us(&events, *port, sent));
            peer.add(tone.name, &by_peer(&sent.audio)?);
        }
        rows.push(Row {
            condition: format!("{}, {} Hz ±25 Hz, cadence ±10 %", tone.name, tone.hertz),
            floor: "100 %".into(),
            aim: "100 %".into(),
            ours: share(ours.right, ours.sent, ours.wrong),
            peer: share(peer.right, peer.sent, peer.wrong),
            verdict: verdict_of_share(ours.right, ours.sent, ours.wrong, Some(100.0)),
        });
    }
    let (mut ours, mut peer) = (Count::default(), Count::default());
    for (port, sent) in covered.iter().flat_map(|(port, sent)| sent.iter().map(move |sent| (port, sent))) {
        ours.add("call-waiting", &by_us(&events, *port, sent));
        peer.add("call-waiting", &by_peer(&sent.audio)?);
    }
    rows.push(Row {
        condition: "call-waiting of −10 dBm0 under continuous speech of −17 dBm0".into(),
        floor: "–".into(),
        aim: "100 %".into(),
        ours: share(ours.right, ours.sent, ours.wrong),
        peer: share(peer.right, peer.sent, peer.wrong),
        verdict: verdict_of_share(ours.right, ours.sent, ours.wrong, None),
    });
    let notes = vec![
        "Each tone on a call of its own, −7, −10 and −13 dBm0 (short: −10), at least 3 s and three turns of its cadence. Right: \
         named once, and nothing else named. spandsp's `super_tone_rx` with the same tones, cadence ±15 %."
            .into(),
        "Under speech: six bursts of call waiting while two people talk on the same track, with pauses of 0.2 to 0.8 s.".into(),
    ];
    Ok(Section { rows, notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_names_a_busy_tone() {
        let busy = Tone::named("busy").unwrap();
        let (_, sent) = make_line(1, busy, true);
        assert_eq!(by_peer(&sent[0].audio).unwrap(), ["busy"]);
    }

    #[test]
    fn naming_twice_or_wrongly_is_not_right() {
        let mut count = Count::default();
        for said in [&["busy"][..], &["busy", "busy"], &["dial"], &[]] {
            count.add("busy", &said.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        }
        assert_eq!((count.sent, count.right, count.wrong), (4, 1, 2));
    }
}
