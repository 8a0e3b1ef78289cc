//! The part of DTMF that every sample passes: 4 ms of all lanes at a time are correlated with the eight tones, hops
//! are joined in phase to windows of 16 ms, and lanes in which two tones could be a digit are pointed out. What
//! follows runs for those few lanes only.

use std::f64::consts::TAU;

use crate::dbm0::power_from_dbm0;
use crate::dtmf_fit::TwoUnknowns;
use crate::lanes::{LaneMask, Lanes};
use crate::recent::HOP;
use crate::units::RATE_HZ;

const HALF: usize = HOP / 2;
/// Hops of a window.
pub(crate) const WINDOW_HOPS: usize = 4;

/// The tones in hertz (ITU-T Q.23): the low group, then the high group.
pub(crate) const TONES_HZ: [f64; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
pub(crate) const GROUP: usize = 4;

/// Dial tone may still be on during the first digit; a hop hears everything from 350 to 500 Hz with this probe.
const DIAL_TONE_HZ: f64 = 425.0;

/// Weakest tone that is looked at. Q.24 wants −25 dBm0 accepted, and −33 when all of its limits meet (a twist of
/// −8 dB on top); −55 dBm0 must be left alone.
pub(crate) const WEAKEST_TONE_DBM0: f32 = -40.0;
/// A window loses this much of a tone that is 1.5 % beside its nominal frequency (1633 Hz, 16 ms).
const WINDOW_LOSS_DB: f32 = 2.5;
/// High over low, and low over high, of a window: Q.24's +4 and −8 dB with the loss above and room for noise.
const GATE_TWIST_HIGH: f32 = 5.6;
const GATE_TWIST_LOW: f32 = 22.0;
/// Share of a window's energy that the two tones explain at least, dial tone not counted.
const GATE_SHARE: f32 = 0.4;

/// One hop, measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HopMeasures {
    /// Correlation with each of [`TONES_HZ`], about the middle of the hop.
    tones: [Complex; 2 * GROUP],
    /// Energy in 16-bit units squared, summed over the hop's samples, dial tone left out.
    total: Lanes,
}

impl HopMeasures {
    pub(crate) const ZERO: Self = Self { tones: [Complex::ZERO; 2 * GROUP], total: Lanes::ZERO };
}

/// What a low and a high tone are in one hop of one lane; energies in 16-bit units squared over the hop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PairInHop {
    pub energy: [f64; 2],
    /// Of the hop's energy (dial tone left out).
    pub explained_share: f64,
}

#[derive(Clone, Copy, Debug)]
struct Complex {
    re: Lanes,
    im: Lanes,
}

impl Complex {
    const ZERO: Self = Self { re: Lanes::ZERO, im: Lanes::ZERO };

    /// `self + other · (cos + i sin)`
    #[inline(always)]
    fn plus_turned(self, other: Self, (cos, sin): (f32, f32)) -> Self {
        Self {
            re: self.re + (other.re * cos - other.im * sin),
            im: self.im + (other.re * sin + other.im * cos),
        }
    }

    #[inline(always)]
    fn power(self) -> Lanes {
        self.re * self.re + self.im * self.im
    }
}

/// e^(-iωt) of one probe about the middle of a hop, from the middle outwards.
#[derive(Clone, Debug)]
struct Probe {
    cos: [f32; HALF],
    sin: [f32; HALF],
}

impl Probe {
    fn new(hertz: f64) -> Self {
        let angle = |n: usize| TAU * hertz / f64::from(RATE_HZ) * (n as f64 + 0.5);
        Self {
            cos: std::array::from_fn(|n| angle(n).cos() as f32),
            sin: std::array::from_fn(|n| -angle(n).sin() as f32),
        }
    }

    /// Correlates a hop, given as sums and differences of the samples at equal distance from its middle.
    #[inline(always)]
    fn correlate(&self, even: &[Lanes; HALF], odd: &[Lanes; HALF]) -> Complex {
        let mut sum = Complex::ZERO;
        for n in 0..HALF {
            sum.re += even[n] * self.cos[n];
            sum.im += odd[n] * self.sin[n];
        }
        sum
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Bins {
    probes: [Probe; 2 * GROUP],
    dial_tone: Probe,
    /// By how much each tone turns in one hop and in two, as cosine and sine.
    turn: [[(f32, f32); 2]; 2 * GROUP],
    /// The hop before, and the pairs of hops that ended one and two hops ago.
    previous: [Complex; 2 * GROUP],
    pairs: [[Complex; 2 * GROUP]; 2],
    previous_total: Lanes,
    pair_totals: [Lanes; 2],
    weakest: Lanes,
    /// Normal equations of each low with each high tone over a hop: cosines, then sines.
    pairs_of_tones: [[[TwoUnknowns; 2]; GROUP]; GROUP],
    /// Energies of the tones over the last window.
    window: [Lanes; 2 * GROUP],
}

impl Default for Bins {
    fn default() -> Self {
        let hop_energy = power_from_dbm0(WEAKEST_TONE_DBM0 - WINDOW_LOSS_DB) * (HOP * WINDOW_HOPS) as f32;
        let turn = |hertz: f64, hops: usize| {
            let angle = TAU * hertz / f64::from(RATE_HZ) * (hops * HOP) as f64;
            (angle.cos() as f32, angle.sin() as f32)
        };
        let probes = TONES_HZ.map(Probe::new);
        Self {
            dial_tone: Probe::new(DIAL_TONE_HZ),
            turn: TONES_HZ.map(|hertz| [turn(hertz, 1), turn(hertz, 2)]),
            previous: [Complex::ZERO; 2 * GROUP],
            pairs: [[Complex::ZERO; 2 * GROUP]; 2],
            previous_total: Lanes::ZERO,
            pair_totals: [Lanes::ZERO; 2],
            pairs_of_tones: std::array::from_fn(|low| {
                std::array::from_fn(|high| {
                    let [low, high] = [&probes[low], &probes[GROUP + high]];
                    [TwoUnknowns::new(&low.cos, &high.cos), TwoUnknowns::new(&low.sin, &high.sin)]
                })
            }),
            probes,
            weakest: Lanes::splat(hop_energy),
            window: [Lanes::ZERO; 2 * GROUP],
        }
    }
}

impl Bins {
    /// Measures one hop into `hop`. Returns the lanes in which the last window could belong to a digit.
    #[inline(always)]
    pub(crate) fn step(&mut self, samples: &[Lanes; HOP], hop: &mut HopMeasures) -> LaneMask {
        let mut even = [Lanes::ZERO; HALF];
        let mut odd = [Lanes::ZERO; HALF];
        let mut energy = Lanes::ZERO;
        for n in 0..HALF {
            let (after, before) = (samples[HALF + n], samples[HALF - 1 - n]);
            even[n] = after + before;
            odd[n] = after - before;
            energy += after * after + before * before;
        }
        // A tone of amplitude a correlates to a·HOP/2 and has the energy a²·HOP/2.
        const EXPLAINED: f32 = 2.0 / HOP as f32;
        let dial_tone = self.dial_tone.correlate(&even, &odd).power() * EXPLAINED;
        hop.total = (energy - dial_tone).max(energy * 0.01);
        let pair_total = hop.total + self.previous_total;
        let window_total = pair_total + self.pair_totals[1];
        self.previous_total = hop.total;
        self.pair_totals = [pair_total, self.pair_totals[0]];

        for tone in 0..2 * GROUP {
            let now = self.probes[tone].correlate(&even, &odd);
            hop.tones[tone] = now;
            let pair = now.plus_turned(self.previous[tone], self.turn[tone][0]);
            let window = pair.plus_turned(self.pairs[1][tone], self.turn[tone][1]);
            self.window[tone] = window.power() * (EXPLAINED / WINDOW_HOPS as f32);
            self.previous[tone] = now;
            self.pairs[1][tone] = self.pairs[0][tone];
            self.pairs[0][tone] = pair;
        }
        let [a, b, c, d, e, f, g, h] = self.window;
        let low = a.max(b).max(c.max(d));
        let high = e.max(f).max(g.max(h));
        low.above(self.weakest)
            & high.above(self.weakest)
            & (low * GATE_TWIST_HIGH).above(high)
            & (high * GATE_TWIST_LOW).above(low)
            & (low + high).above(window_total * GATE_SHARE)
    }

    /// A hop is so short that tones of a pair reach into each other's correlation: both are solved for together.
    pub(crate) fn pair(&self, hop: &HopMeasures, lane: usize, [low, high]: [usize; 2]) -> PairInHop {
        let [even, odd] = &self.pairs_of_tones[low][high - GROUP];
        let tones = [&hop.tones[low], &hop.tones[high]];
        let (re, re_explained) = even.solve(tones.map(|tone| f64::from(tone.re[lane])));
        let (im, im_explained) = odd.solve(tones.map(|tone| f64::from(tone.im[lane])));
        PairInHop {
            energy: [0, 1].map(|i| (re[i] * re[i] + im[i] * im[i]) * (HOP as f64 / 2.0)),
            explained_share: (re_explained + im_explained) / f64::from(hop.total[lane]).max(1.0),
        }
    }

    /// The strongest low and high tone of the last window in `lane`, as indices into [`TONES_HZ`].
    pub(crate) fn strongest(&self, lane: usize) -> [usize; 2] {
        let strongest = |tones: std::ops::Range<usize>| {
            let first = tones.start;
            tones.fold(
                first,
                |best, tone| if self.window[tone][lane] > self.window[best][lane] { tone } else { best },
            )
        };
        [strongest(0..GROUP), strongest(GROUP..2 * GROUP)]
    }
}
