//! What a real tap adds to a clean line: ringing current and hum in the audio, clicks of the hook, a voltage that wanders.

use super::line::Status;
use super::{Line, Side};
use crate::spandsp::two_tones;

/// Ringing current leaks into the audio: 25 Hz (GB/T 3380), mostly filtered away.
const RING_HZ: f32 = 25.0;
const RING_DBM0: f32 = -18.0;
const MAINS_HZ: f32 = 50.0;
const MAINS_DBM0: f32 = -48.0;

/// Adds ringing current while it rings, a click at each change of voltage, and mains hum all the time.
pub(super) fn crosstalk(line: &mut Line) {
    let rows = line.status.clone();
    for (index, row) in rows.iter().enumerate() {
        let end = rows.get(index + 1).map_or(line.now(), |next| next.at);
        if row.ring_volts > 0.0 {
            line.put(
                Side::Near,
                row.at,
                &two_tones(RING_HZ, RING_DBM0, 0.0, -99.0, end.saturating_sub(row.at)),
            );
        }
        if index > 0 {
            line.put(Side::Near, row.at, &click(row.volts - rows[index - 1].volts));
        }
    }
    line.put(Side::Near, 0, &two_tones(MAINS_HZ, MAINS_DBM0, 0.0, -99.0, line.now()));
}

/// A step of voltage through a capacitor: it dies away within some milliseconds.
fn click(step_volts: f32) -> Vec<i16> {
    let peak = f64::from(step_volts) * 150.0;
    (0..80).map(|sample| (peak * (-f64::from(sample) / 12.0).exp()) as i16).collect()
}

/// Adds rows between those that are there, each off by up to `ripple_volts`; lines without voltage stay so.
pub(super) fn ripple(line: &mut Line) {
    let most = line.ripple_volts;
    if most <= 0.0 {
        return;
    }
    let rows = line.status.clone();
    let mut all = Vec::with_capacity(rows.len() * 4);
    for (index, row) in rows.iter().enumerate() {
        let end = rows.get(index + 1).map_or(line.now(), |next| next.at);
        all.push(*row);
        let mut at = row.at + 2000;
        while at < end && row.volts.abs() > 2.0 {
            let volts = row.volts + most * (line.random.f32() * 2.0 - 1.0);
            all.push(Status { at, volts, ..*row });
            at += 2000;
        }
    }
    line.status = all;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_has_the_sign_of_its_step_and_dies_away() {
        let off_hook = click(-40.0);
        assert!(off_hook[0] < -5000 && off_hook[79].abs() < 20);
        assert!(click(40.0)[0] > 5000);
    }

    #[test]
    fn ripple_keeps_the_first_row_of_each_state_and_its_limits() {
        let mut line = Line::new(1, "8001", 1);
        line.ripple_volts = 0.5;
        line.begin();
        line.wait(10.0);
        line.off_hook();
        line.wait(10.0);
        ripple(&mut line);
        assert_eq!(line.status.len(), 80);
        assert!(line.status[..40].iter().all(|row| (row.volts - 48.0).abs() <= 0.5));
        assert!(line.status[40..].iter().all(|row| (row.volts - 8.0).abs() <= 0.5));
        assert_eq!(line.status[40].volts, 8.0);
    }
}
