//! The common front of levels, tones and voice: 5 ms of all lanes measured once, so that what follows works 200
//! times a second instead of 8000. A hop carries its energy, its peak, and the samples at 2 kHz for the tone probes.

use crate::lanes::{LANES, Lanes};
use crate::units::{RATE_HZ, SampleIndex};

/// Samples in a hop: 5 ms.
pub const HOP_SAMPLES: usize = 40;
/// Hops in a second.
pub const HOPS_PER_SECOND: usize = RATE_HZ as usize / HOP_SAMPLES;
/// Samples whose sum is one sample at [`LOW_RATE_HZ`].
const DECIMATION: usize = 4;
/// Samples of a hop at the low rate.
pub const LOW_SAMPLES: usize = HOP_SAMPLES / DECIMATION;
/// Rate of [`Hop::low`] in hertz.
pub const LOW_RATE_HZ: u32 = RATE_HZ / DECIMATION as u32;

/// What 5 ms of all lanes were like.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The sample behind the last one of this hop.
    pub end: SampleIndex,
    /// Sum of the squares of the samples.
    pub energy: Lanes,
    /// Energy without mains hum and offset: what a parabola over the hop explains (below about 100 Hz) is taken off.
    /// A hop is too short for a filter that separates 50 Hz from 300 Hz in any other way without a long memory.
    pub energy_above_hum: Lanes,
    /// `energy_above_hum` of this hop and the three before it: 20 ms, a period of mains hum.
    pub window_energy: Lanes,
    /// Largest square of a sample.
    pub peak_power: Lanes,
    /// Sums of four samples each, at 2 kHz. No filter but the sum stands in front: what lies above 1 kHz folds down,
    /// weaker. A reader that compares with `energy` is not deceived, because that counts it in full.
    pub low: [Lanes; LOW_SAMPLES],
}

impl Hop {
    #[inline(always)]
    fn take_off_hum(&mut self) {
        let mut hum = Lanes::ZERO;
        for shape in &PARABOLA {
            let mut fit = Lanes::ZERO;
            for (low, weight) in self.low.iter().zip(shape) {
                fit += *low * *weight;
            }
            hum += fit * fit;
        }
        self.energy_above_hum = (self.energy - hum).max(Lanes::ZERO);
    }
}

/// Legendre shapes of degree 0, 1 and 2 over the ten low-rate samples, each with unit energy over the hop's forty
/// samples (a low-rate sample stands for four).
const PARABOLA: [[f32; LOW_SAMPLES]; 3] = [
    // 1 / sqrt(10) and 1 / sqrt(4)
    [0.158_113_88; LOW_SAMPLES],
    scaled([-9.0, -7.0, -5.0, -3.0, -1.0, 1.0, 3.0, 5.0, 7.0, 9.0], 0.5 / 18.165_902),
    scaled([6.0, 2.0, -1.0, -3.0, -4.0, -4.0, -3.0, -1.0, 2.0, 6.0], 0.5 / 11.489_125),
];

const fn scaled(mut shape: [f32; LOW_SAMPLES], by: f32) -> [f32; LOW_SAMPLES] {
    let mut i = 0;
    while i < LOW_SAMPLES {
        shape[i] *= by;
        i += 1;
    }
    shape
}

/// Hops in [`Hop::window_energy`].
pub const WINDOW_HOPS: usize = 4;

/// Cuts the samples of all lanes into hops, whatever the length of the frames.
#[derive(Clone, Debug)]
pub struct Hops {
    hop: Hop,
    /// `energy_above_hum` of the last hops, and which of them is the oldest.
    last: [Lanes; WINDOW_HOPS],
    oldest: usize,
    /// Low-rate samples of `hop` that are there already.
    filled: usize,
    /// A group of four that a frame's end has cut, and how many of it are there.
    group: [Lanes; DECIMATION],
    waiting: usize,
}

impl Default for Hops {
    fn default() -> Self {
        Self {
            hop: Hop {
                end: SampleIndex(0),
                energy: Lanes::ZERO,
                energy_above_hum: Lanes::ZERO,
                window_energy: Lanes::ZERO,
                peak_power: Lanes::ZERO,
                low: [Lanes::ZERO; LOW_SAMPLES],
            },
            last: [Lanes::ZERO; WINDOW_HOPS],
            oldest: 0,
            filled: 0,
            group: [Lanes::ZERO; DECIMATION],
            waiting: 0,
        }
    }
}

impl Hops {
    /// Gives each hop that becomes whole within `frame` to `each`.
    #[inline(always)]
    pub fn process(&mut self, frame: &[Lanes], first: SampleIndex, each: &mut impl FnMut(&Hop)) {
        let head = if self.waiting == 0 { 0 } else { (DECIMATION - self.waiting).min(frame.len()) };
        for sample in &frame[..head] {
            self.wait(sample, first, head, each);
        }
        let (groups, tail) = frame[head..].as_chunks::<DECIMATION>();
        let mut done = head;
        for group in groups {
            done += DECIMATION;
            self.take(group, first.plus(done as u64), each);
        }
        for sample in tail {
            self.wait(sample, first, frame.len(), each);
        }
    }

    /// Samples that are missing until the hop is whole.
    pub fn missing(&self) -> usize {
        HOP_SAMPLES - self.filled * DECIMATION - self.waiting
    }

    /// One sample of a group that this frame does not hold whole; `done` samples of the frame will be read when it is.
    #[inline(always)]
    fn wait(&mut self, sample: &Lanes, first: SampleIndex, done: usize, each: &mut impl FnMut(&Hop)) {
        self.group[self.waiting] = *sample;
        self.waiting += 1;
        if self.waiting == DECIMATION {
            self.waiting = 0;
            let group = self.group;
            self.take(&group, first.plus(done as u64), each);
        }
    }

    #[inline(always)]
    fn take(&mut self, group: &[Lanes; DECIMATION], end: SampleIndex, each: &mut impl FnMut(&Hop)) {
        let [a, b, c, d] = *group;
        let (a2, b2, c2, d2) = (a * a, b * b, c * c, d * d);
        self.hop.energy += (a2 + b2) + (c2 + d2);
        self.hop.peak_power = self.hop.peak_power.max(a2.max(b2).max(c2.max(d2)));
        self.hop.low[self.filled] = (a + b) + (c + d);
        self.filled += 1;
        if self.filled == LOW_SAMPLES {
            self.filled = 0;
            self.hop.end = end;
            self.hop.take_off_hum();
            self.last[self.oldest] = self.hop.energy_above_hum;
            self.oldest = (self.oldest + 1) % WINDOW_HOPS;
            // In the order of time, so that rounding does not depend on where the ring stands.
            self.hop.window_energy = Lanes::ZERO;
            for hop in 0..WINDOW_HOPS {
                self.hop.window_energy += self.last[(self.oldest + hop) % WINDOW_HOPS];
            }
            each(&self.hop);
            self.hop.energy = Lanes::ZERO;
            self.hop.peak_power = Lanes::ZERO;
        }
    }
}

/// Turns one track into frames whose lanes all carry it: for tests and tools that have a single track.
pub fn same_in_all_lanes(samples: &[i16]) -> Vec<Lanes> {
    samples.iter().map(|&sample| Lanes([f32::from(sample); LANES])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hops_of(samples: &[i16], cuts: &[usize]) -> Vec<(u64, f32, f32, [f32; LOW_SAMPLES])> {
        let frames = same_in_all_lanes(samples);
        let mut hops = Hops::default();
        let mut out = Vec::new();
        let mut at = 0;
        let mut cuts = cuts.iter().cycle();
        while at < frames.len() {
            let len = cuts.next().map_or(frames.len(), |&cut| cut).min(frames.len() - at);
            hops.process(&frames[at..at + len], SampleIndex(at as u64), &mut |hop| {
                out.push((hop.end.0, hop.energy[3], hop.peak_power[3], hop.low.map(|low| low[3])));
            });
            at += len;
        }
        out
    }

    #[test]
    fn a_hop_says_what_it_held() {
        let samples: Vec<i16> = (0..80).map(|n| if n == 47 { -200 } else { 100 }).collect();
        let hops = hops_of(&samples, &[80]);
        assert_eq!(hops.len(), 2);
        assert_eq!(hops[0], (40, 40.0 * 10_000.0, 10_000.0, [400.0; LOW_SAMPLES]));
        assert_eq!(hops[1].0, 80);
        assert_eq!(hops[1].1, 39.0 * 10_000.0 + 40_000.0);
        assert_eq!(hops[1].2, 40_000.0);
        assert_eq!(hops[1].3[1], 100.0);
    }

    #[test]
    fn hum_is_taken_off_and_speech_is_not() {
        for (hertz, least_db, most_db) in [
            (0.0, 60.0, 999.0),
            (50.0, 25.0, 999.0),
            (100.0, 10.0, 999.0),
            (450.0, -0.1, 0.7),
            (1000.0, -0.1, 0.2),
        ] {
            let (mut whole, mut left) = (0.0, 0.0);
            let mut hops = Hops::default();
            let frame: Vec<Lanes> = (0..8000)
                .map(|n| {
                    Lanes::splat(
                        (10_000.0 * (std::f64::consts::TAU * hertz * f64::from(n) / 8000.0 + 0.7).cos())
                            as f32,
                    )
                })
                .collect();
            hops.process(&frame, SampleIndex(0), &mut |hop| {
                whole += hop.energy[0];
                left += hop.energy_above_hum[0];
            });
            let taken_db = 10.0 * (whole / left.max(1.0)).log10();
            assert!((least_db..most_db).contains(&taken_db), "{hertz} Hz: {taken_db} dB");
        }
    }

    proptest! {
        #[test]
        fn hops_do_not_depend_on_the_frames(
            samples in prop::collection::vec(any::<i16>(), 0..400),
            cuts in prop::collection::vec(1usize..90, 1..8),
        ) {
            prop_assert_eq!(hops_of(&samples, &cuts), hops_of(&samples, &[usize::MAX]));
        }
    }
}
