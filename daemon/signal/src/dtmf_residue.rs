//! What a possible digit's samples hold besides its two tones. White noise may be loud there, and a dial tone may
//! still be on; the rest of a voice or of a chord gives itself away, because it is neither.

use std::f64::consts::TAU;

use arrayvec::ArrayVec;

use crate::dtmf_fit::{BLOCK, MOST_BLOCKS};
use crate::units::RATE_HZ;

/// Blocks that do not overlap, at the most.
const MOST_SAMPLES: usize = BLOCK * MOST_BLOCKS.div_ceil(2);
/// Dial tones of the world lie in here (ITU-T E.180 supplement 2), and have one or two frequencies.
const DIAL_TONE_HZ: std::ops::RangeInclusive<u32> = 335..=495;
const DIAL_TONE_STEP_HZ: usize = 5;
const DIAL_TONE_FREQUENCIES: usize = 2;
/// A dial tone explains this share of the residue at least, each of its frequencies: speech has a broad one.
const DIAL_TONE_SHARE: f64 = 0.4;

/// Samples less two fitted tones, with the time of each in samples; blocks need not follow each other closely.
#[derive(Clone, Debug, Default)]
pub(crate) struct Residue {
    samples: ArrayVec<(f64, f64), MOST_SAMPLES>,
}

impl Residue {
    /// Adds a sample in the order of time; more than a judgement looks at are left out.
    pub(crate) fn push(&mut self, at: usize, value: f64) {
        let _ = self.samples.try_push((at as f64, value));
    }

    pub(crate) fn energy(&self) -> f64 {
        self.samples.iter().map(|(_, value)| value * value).sum()
    }

    /// Takes a steady tone of one or two frequencies off, if that is what most of the residue is.
    pub(crate) fn take_off_dial_tone(&mut self) {
        for _ in 0..DIAL_TONE_FREQUENCIES {
            let energy = self.energy();
            let strongest = DIAL_TONE_HZ
                .step_by(DIAL_TONE_STEP_HZ)
                .map(|hertz| self.sinusoid(f64::from(hertz)))
                .max_by(|a, b| a.explained.total_cmp(&b.explained));
            let Some(tone) = strongest.filter(|tone| tone.explained >= energy * DIAL_TONE_SHARE) else {
                return;
            };
            for (at, value) in &mut self.samples {
                let (sin, cos) = (tone.omega * *at).sin_cos();
                *value -= tone.cos * cos + tone.sin * sin;
            }
        }
    }

    /// Share of the energy that the two samples before predict: 0 for white noise, near 1 for voices and chords.
    pub(crate) fn predictability(&self) -> f64 {
        let lag = |by: usize| -> f64 {
            self.samples.iter().zip(self.samples.iter().skip(by)).map(|((_, a), (_, b))| a * b).sum()
        };
        let (r0, r1, r2) = (lag(0).max(1e-9), lag(1), lag(2));
        // Levinson's recursion of order two.
        let k1 = r1 / r0;
        let error = r0 * (1.0 - k1 * k1);
        let k2 = (r2 - k1 * r1) / error.max(1e-9);
        1.0 - (1.0 - k1 * k1) * (1.0 - k2 * k2)
    }

    /// Fits one sinusoid by least squares.
    fn sinusoid(&self, hertz: f64) -> Sinusoid {
        let omega = TAU * hertz / f64::from(RATE_HZ);
        let (step_sin, step_cos) = omega.sin_cos();
        let (mut cc, mut cs, mut ss, mut xc, mut xs) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let (mut expected, mut sin, mut cos) = (f64::NAN, 0.0, 1.0);
        for &(at, value) in &self.samples {
            if at != expected {
                (sin, cos) = (omega * at).sin_cos();
            }
            cc += cos * cos;
            cs += cos * sin;
            ss += sin * sin;
            xc += value * cos;
            xs += value * sin;
            (sin, cos) = (sin * step_cos + cos * step_sin, cos * step_cos - sin * step_sin);
            expected = at + 1.0;
        }
        let determinant = (cc * ss - cs * cs).max(1e-9);
        let cos = (xc * ss - xs * cs) / determinant;
        let sin = (xs * cc - xc * cs) / determinant;
        Sinusoid { omega, cos, sin, explained: cos * xc + sin * xs }
    }
}

#[derive(Clone, Copy, Debug)]
struct Sinusoid {
    /// Radians a sample.
    omega: f64,
    cos: f64,
    sin: f64,
    /// Energy that it takes off.
    explained: f64,
}
