//! The second look at a possible DTMF digit: two sinusoids are fitted to its samples by least squares. What is left
//! over, how steadily both tones stand, and their exact frequencies tell digits from speech and music. It runs a few
//! times a second at most, so it is exact rather than fast.

use std::f64::consts::TAU;

use arrayvec::ArrayVec;

use crate::dbm0::power_from_dbm0;
use crate::dtmf_bins::{TONES_HZ, WEAKEST_TONE_DBM0};
use crate::dtmf_residue::Residue;
use crate::units::RATE_HZ;

/// Samples of a block, in which amplitude and phase of both tones are taken: 8 ms, two periods of the difference of
/// the closest pair of tones.
pub(crate) const BLOCK: usize = 64;
const HALF: usize = BLOCK / 2;
/// Blocks overlap by half: they are 4 ms apart.
pub(crate) const STEP: usize = 32;

/// Between 1.5 % (AT&T) or 1.8 % (NTT), accepted, and 3.0 % (NTT) or 3.5 % (AT&T), refused. Frequencies are known to
/// a tenth of a per cent; nearer to the accepted side keeps more speech out.
const MOST_DEVIATION: f64 = 0.020;
/// High over low in dB: Q.24 accepts +4 and −8; the rest is room for lines that bend their levels.
const TWIST_DB: std::ops::RangeInclusive<f64> = -9.0..=5.0;
/// Largest share of the energy that is neither tone nor dial tone: white noise 6 dB under both tones leaves 0.2.
const MOST_RESIDUE: f64 = 0.28;
/// Above the first share, no more than the second may be predictable, which white noise is not.
const SMALL_RESIDUE: f64 = 0.05;
const MOST_COLOURED_RESIDUE: f64 = 0.03;
/// How far a block's power may be from the mean of all blocks, as a share of it: the tone's own unsteadiness, and what
/// the residue, counted in the tone's power, adds in noise (by its square root).
const SWING: f64 = 0.35;
const SWING_BY_DISTURBANCE: f64 = 0.9;
/// What may be missing to a perfectly even phase, likewise (in proportion to the disturbance), and at the most.
const INCOHERENCE: f64 = 0.003;
const INCOHERENCE_BY_DISTURBANCE: f64 = 0.06;
const MOST_INCOHERENCE: f64 = 0.045;
/// No more blocks are looked at: 56 ms.
pub(crate) const MOST_BLOCKS: usize = 12;
/// Fewer blocks than these (20 ms) say too little.
const LEAST_BLOCKS: usize = 4;

/// Whether blocks of `samples`, beginning at `starts` in ascending order, hold the low and the high tone `tones`
/// (indices into [`TONES_HZ`]) as a digit has them.
pub(crate) fn is_digit(samples: &[f32], starts: &[usize], tones: [usize; 2]) -> bool {
    if starts.len() < LEAST_BLOCKS {
        return false;
    }
    let nominal = tones.map(|tone| TAU * TONES_HZ[tone] / f64::from(RATE_HZ));
    let within = |omega: [f64; 2], limit: f64| (0..2).all(|t| (omega[t] / nominal[t] - 1.0).abs() <= limit);
    let coarse = Pass::new(samples, starts, nominal);
    let corrected: [f64; 2] = std::array::from_fn(|tone| nominal[tone] + coarse.detuning(tone));
    if !within(corrected, 2.0 * MOST_DEVIATION) {
        return false;
    }
    let fine = Pass::new(samples, starts, corrected);
    let exact: [f64; 2] = std::array::from_fn(|tone| corrected[tone] + fine.detuning(tone));
    if !within(exact, MOST_DEVIATION) || !fine.is_steady_pair() {
        return false;
    }
    let disturbance = fine.disturbance();
    if disturbance <= SMALL_RESIDUE {
        return true;
    }
    let mut rest = fine.rest(samples, starts);
    let whole = rest.energy().max(1e-9);
    rest.take_off_dial_tone();
    let residue = disturbance * rest.energy() / whole;
    residue <= SMALL_RESIDUE
        || residue <= MOST_RESIDUE && residue * rest.predictability() <= MOST_COLOURED_RESIDUE
}

#[derive(Clone, Copy, Debug, Default)]
struct Phasor {
    re: f64,
    im: f64,
}

impl Phasor {
    fn power(self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    /// `self · other`
    fn turned(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.im * other.re + self.re * other.im }
    }

    /// `self · conj(other)`
    fn turned_back(self, other: Self) -> Self {
        Self { re: self.re * other.re + self.im * other.im, im: self.im * other.re - self.re * other.im }
    }
}

/// Both tones at given frequencies, fitted to every block.
struct Pass {
    omega: [f64; 2],
    /// Amplitude and phase of each tone at the middle of each block.
    blocks: ArrayVec<[Phasor; 2], MOST_BLOCKS>,
    /// Sum of one tone's phase steps between neighbouring blocks, and the sum of their lengths.
    steps: [(Phasor, f64); 2],
    energy: f64,
    residue: f64,
}

impl Pass {
    fn new(samples: &[f32], starts: &[usize], omega: [f64; 2]) -> Self {
        // About the middle of a block a sinusoid is a cosine and a sine, which never mix: two systems of two unknowns.
        let rotations = omega.map(half_block);
        let basis: [[[f64; HALF]; 2]; 2] = [
            rotations.each_ref().map(|tone| tone.map(|at| at.re)),
            rotations.each_ref().map(|tone| tone.map(|at| -at.im)),
        ];
        let [even_system, odd_system] = basis.map(|[low, high]| TwoUnknowns::new(&low, &high));
        let mut pass = Self {
            omega,
            blocks: ArrayVec::new(),
            steps: [(Phasor::default(), 0.0); 2],
            energy: 0.0,
            residue: 0.0,
        };
        let mut before: Option<(usize, [Phasor; 2])> = None;
        for &start in starts.iter().take(MOST_BLOCKS) {
            let Some(block) = samples.get(start..start + BLOCK) else { continue };
            let (mut even, mut odd) = ([0.0; HALF], [0.0; HALF]);
            let mut energy = 0.0;
            for n in 0..HALF {
                let (after, before) = (f64::from(block[HALF + n]), f64::from(block[HALF - 1 - n]));
                even[n] = after + before;
                odd[n] = after - before;
                energy += after * after + before * before;
            }
            let correlate = |basis: &[f64; HALF], folded: &[f64; HALF]| -> f64 {
                basis.iter().zip(folded).map(|(a, b)| a * b).sum()
            };
            let (re, even_explained) =
                even_system.solve([0, 1].map(|tone| correlate(&basis[0][tone], &even)));
            let (im, odd_explained) = odd_system.solve([0, 1].map(|tone| correlate(&basis[1][tone], &odd)));
            let phasors: [Phasor; 2] = std::array::from_fn(|tone| Phasor { re: re[tone], im: im[tone] });
            pass.energy += energy;
            pass.residue += (energy - even_explained - odd_explained).max(0.0);
            if let Some((at, earlier)) = before
                && start == at + STEP
            {
                for tone in 0..2 {
                    pass.add_step(tone, phasors[tone].turned_back(earlier[tone]));
                }
            }
            before = Some((start, phasors));
            pass.blocks.push(phasors);
        }
        pass
    }

    /// The samples of blocks that do not overlap, less both tones.
    fn rest(&self, samples: &[f32], starts: &[usize]) -> Residue {
        let rotations = self.omega.map(half_block);
        let mut rest = Residue::default();
        let mut end = 0;
        for (&start, phasors) in starts.iter().zip(&self.blocks) {
            let Some(block) = samples.get(start..start + BLOCK).filter(|_| start >= end) else { continue };
            end = start + BLOCK;
            let (before, after) = block.split_at(HALF);
            let tones = |side: f64, n: usize| -> f64 {
                let at = phasors.iter().zip(&rotations).map(|(phasor, tone)| (phasor, tone[n]));
                at.map(|(phasor, at)| phasor.re * at.re - side * phasor.im * at.im).sum()
            };
            for (n, &sample) in before.iter().enumerate() {
                rest.push(start + n, f64::from(sample) - tones(-1.0, HALF - 1 - n));
            }
            for (n, &sample) in after.iter().enumerate() {
                rest.push(start + HALF + n, f64::from(sample) - tones(1.0, n));
            }
        }
        rest
    }

    /// Adds a step of `tone`'s phase, less what its frequency turns in the meantime.
    fn add_step(&mut self, tone: usize, step: Phasor) {
        let (sin, cos) = (self.omega[tone] * STEP as f64).sin_cos();
        let step = step.turned_back(Phasor { re: cos, im: sin });
        let (sum, lengths) = &mut self.steps[tone];
        sum.re += step.re;
        sum.im += step.im;
        *lengths += step.power().sqrt();
    }

    /// Share of the energy that is neither tone.
    fn disturbance(&self) -> f64 {
        self.residue / self.energy.max(1.0)
    }

    fn is_steady_pair(&self) -> bool {
        let power = [0, 1].map(|tone| self.mean_power(tone));
        let weakest = f64::from(power_from_dbm0(WEAKEST_TONE_DBM0));
        power.iter().all(|&power| power >= weakest)
            && TWIST_DB.contains(&(10.0 * (power[1] / power[0]).log10()))
            && (0..2).all(|tone| self.is_steady(tone, power[tone] / (power[0] + power[1])))
    }

    /// Whether `tone`, of whose pair's power it has `share`, keeps its amplitude and its phase.
    fn is_steady(&self, tone: usize, share: f64) -> bool {
        let disturbance = self.disturbance();
        let noise = disturbance / (share * (1.0 - disturbance)).max(1e-9);
        let incoherence = INCOHERENCE + INCOHERENCE_BY_DISTURBANCE * noise;
        self.swing(tone) <= SWING + SWING_BY_DISTURBANCE * noise.sqrt()
            && 1.0 - self.coherence(tone) <= incoherence.min(MOST_INCOHERENCE)
    }

    /// By how much `tone` is faster than assumed, in radians a sample.
    fn detuning(&self, tone: usize) -> f64 {
        let (sum, _) = self.steps[tone];
        sum.im.atan2(sum.re) / STEP as f64
    }

    /// How evenly the phase of `tone` goes forward from block to block: 1 is perfectly.
    fn coherence(&self, tone: usize) -> f64 {
        let (sum, lengths) = self.steps[tone];
        sum.power().sqrt() / lengths.max(1e-9)
    }

    /// In 16-bit units squared.
    fn mean_power(&self, tone: usize) -> f64 {
        let sum: f64 = self.blocks.iter().map(|block| block[tone].power()).sum();
        sum / (2.0 * self.blocks.len().max(1) as f64)
    }

    /// Largest distance of a block's power from the mean, as a share of it.
    fn swing(&self, tone: usize) -> f64 {
        let mean = self.mean_power(tone).max(1e-9);
        self.blocks.iter().map(|block| (block[tone].power() / (2.0 * mean) - 1.0).abs()).fold(0.0, f64::max)
    }
}

/// e^(iωt) at the samples of the later half of a block, counted from its middle.
fn half_block(omega: f64) -> [Phasor; HALF] {
    let of = |angle: f64| Phasor { re: angle.cos(), im: angle.sin() };
    let (mut at, step) = (of(omega / 2.0), of(omega));
    [(); HALF].map(|()| {
        let now = at;
        at = at.turned(step);
        now
    })
}

/// Least squares with two basis functions that are even or odd about the middle of their span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TwoUnknowns {
    inverse: [[f64; 2]; 2],
}

impl TwoUnknowns {
    /// Of the half of each basis function that lies behind the middle.
    pub(crate) fn new<T: Copy + Into<f64>>(a: &[T], b: &[T]) -> Self {
        let product = |x: &[T], y: &[T]| -> f64 {
            2.0 * x.iter().zip(y).map(|(&x, &y)| x.into() * y.into()).sum::<f64>()
        };
        let (aa, ab, bb) = (product(a, a), product(a, b), product(b, b));
        // Never near zero: a low and a high tone are at least one period of their difference apart.
        let determinant = aa * bb - ab * ab;
        Self { inverse: [[bb / determinant, -ab / determinant], [-ab / determinant, aa / determinant]] }
    }

    /// The two amplitudes from the correlations with both functions, and the energy that they explain.
    pub(crate) fn solve(&self, right: [f64; 2]) -> ([f64; 2], f64) {
        let amplitudes = self.inverse.map(|row| row[0] * right[0] + row[1] * right[1]);
        (amplitudes, amplitudes[0] * right[0] + amplitudes[1] * right[1])
    }
}
