//! Signals for unit tests, made quickly rather than well; what is measured against the standards is made by spandsp.

use std::f64::consts::TAU;

use crate::caller_id::checksum;

/// DTMF-like bursts in noise; every third seed sends a caller ID by FSK (Bell 202) instead, over and over.
pub(crate) fn busy_track(seed: u32, samples: usize) -> Vec<i16> {
    let mut noise = seed.wrapping_mul(2_654_435_761) | 1;
    let (low, high) = (697.0 + 9.0 * f64::from(seed % 5), [1209.0, 1336.0, 1477.0][seed as usize % 3]);
    let message = if seed % 3 == 2 { fsk(b"\x02\x0513800\x07\x02ab", 1200.0, 2200.0) } else { Vec::new() };
    (0..samples)
        .map(|n| {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let hiss = f64::from(noise >> 20) / 4.0 - 512.0;
            let sample = match message.get(n % (message.len() + 800)) {
                Some(&sample) => f64::from(sample),
                None if message.is_empty() && n / 480 % 2 == 0 => {
                    let t = TAU * n as f64 / 8000.0;
                    6000.0 * ((low * t).sin() + (high * t).sin())
                }
                None => 0.0,
            };
            (sample + hiss) as i16
        })
        .collect()
}

/// An MDMF message with 60 bits of seizure and 80 of mark, its phase going on without a jump.
pub(crate) fn fsk(body: &[u8], mark_hz: f64, space_hz: f64) -> Vec<i16> {
    let mut message = vec![0x80, body.len() as u8];
    message.extend(body);
    message.push(checksum(&message));
    let mut bits: Vec<bool> = (0..60).map(|n| n % 2 == 1).collect();
    bits.extend([true; 80]);
    for byte in message {
        bits.push(false);
        bits.extend((0..8).map(|n| byte >> n & 1 == 1));
        bits.push(true);
    }
    bits.extend([true; 5]);
    let mut phase = 0.0f64;
    let length = bits.len() * 20 / 3;
    (0..length)
        .map(|n| {
            let bit = bits[(n * 3 / 20).min(bits.len() - 1)];
            phase += TAU * if bit { mark_hz } else { space_hz } / 8000.0;
            (5000.0 * phase.sin()) as i16
        })
        .collect()
}
