//! DTMF digits to ITU-T Q.23 and Q.24 (AT&T column), for lanes side by side. Three looks, each rarer and stricter:
//!
//! 1. `dtmf_bins`, every 4 ms, all lanes at once: are two tones most of what is heard?
//! 2. Here, for those lanes: where does the pair of tones begin and end, interruptions of up to 10 ms bridged?
//! 3. `dtmf_fit`, once for each such run: are these really two steady sinusoids at the right frequencies?
//!
//! A digit is told when it has ended: its start is then known to about a millisecond, its length too.

use arrayvec::ArrayVec;

use crate::dtmf_bins::{Bins, GROUP, HopMeasures, PairInHop, WINDOW_HOPS};
use crate::dtmf_fit::{self, BLOCK, MOST_BLOCKS, STEP};
use crate::lanes::{LANES, LaneMask, lanes_of};
use crate::recent::{HOP, KEPT, Recent};
use crate::units::SampleIndex;
use crate::{Detection, Digit};

/// The keys by low tone (row) and high tone (column), ITU-T Q.23.
const KEYS: [[u8; GROUP]; GROUP] = [*b"123A", *b"456B", *b"789C", *b"*0#D"];

/// Between Q.24's 23 ms (refused) and 40 ms (accepted).
const LEAST_SAMPLES: u64 = 252;
/// Hops without the tones that end a digit: 20 ms, between the 10 ms interruption that is bridged and the pause of
/// 30 ms (NTT) or 40 ms (AT&T) that separates digits.
const ENDING_HOPS: u32 = 5;
/// A hop has the tones when both have this share of the energy that is usual in the run, together and each: noise may
/// hide one of them for a moment, an interruption takes both away.
const PRESENT_ENERGY: f64 = 0.35;
const PRESENT_ENERGY_EACH: f64 = 0.1;
/// Both tones explain this share of a hop that has them.
const PRESENT_SHARE: f64 = 0.35;
/// Weight of a new hop in the run's usual energy.
const USUAL_WEIGHT: f64 = 0.25;
/// An amplitude below this share of the usual one is no tone at all.
const LEAST_SHARE: f64 = 0.15;
/// How far back, in hops, a run may have begun when its first window is noticed.
const LOOK_BACK: u32 = 10;
/// A run is judged when it is this old, in hops (48 ms), or at its end, and again and again while it goes on: the
/// beginning of a digit may be under a click, and a moment of a chord may be like a digit. At least half must pass.
const JUDGED_AFTER: u32 = 12;
const JUDGED_AGAIN_AFTER: u32 = 8;
/// Margin, in samples, between a run's edge and what is judged.
const EDGE: usize = 8;
/// Samples that are judged at the most.
const MOST_SAMPLES: usize = BLOCK + (MOST_BLOCKS - 1) * STEP;

/// Hops kept with their energies: 128 ms are more than the samples of `Recent`.
const KEPT_HOPS: usize = 32;

/// Listens for DTMF on [`LANES`] tracks.
#[derive(Clone, Debug)]
pub(crate) struct DtmfDetector {
    bins: Bins,
    hops: Box<[HopMeasures; KEPT_HOPS]>,
    /// Hops measured so far, counting round.
    hop_count: u32,
    runs: [Option<Run>; LANES],
    /// Lanes that have a run.
    running: LaneMask,
    sounding: LaneMask,
}

/// A pair of tones that goes on in a lane. Hops are named by `hop_count` when they were measured.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Low and high tone, indices into `TONES_HZ`.
    tones: [usize; 2],
    first: u32,
    last_present: u32,
    /// Hops that had both tones: bit 0 the newest.
    present: u64,
    /// Energy of each tone in a whole hop.
    usual_energy: [f64; 2],
    /// In hops since `first`.
    judge_at_age: u32,
    /// The first sample; found when the run is judged for the first time.
    start: Option<SampleIndex>,
    /// Judgements for and against a digit.
    passed: u32,
    failed: u32,
}

impl Run {
    fn is_present(&self, pair: &PairInHop) -> bool {
        pair.explained_share >= PRESENT_SHARE
            && pair.energy.iter().sum::<f64>() >= self.usual_energy.iter().sum::<f64>() * PRESENT_ENERGY
            && pair
                .energy
                .iter()
                .zip(self.usual_energy)
                .all(|(&energy, usual)| energy >= usual * PRESENT_ENERGY_EACH)
    }
}

impl Default for DtmfDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl DtmfDetector {
    fn new() -> Self {
        Self {
            bins: Bins::default(),
            hops: Box::new([HopMeasures::ZERO; KEPT_HOPS]),
            hop_count: 0,
            runs: [None; LANES],
            running: 0,
            sounding: 0,
        }
    }

    /// Takes the newest hop of all lanes; `now` is the sample behind it.
    #[inline(always)]
    pub(crate) fn hop(&mut self, recent: &Recent, now: SampleIndex, out: &mut impl FnMut(usize, Detection)) {
        let possible = self.bins.step(recent.hop(), &mut self.hops[self.hop_count as usize % KEPT_HOPS]);
        for lane in lanes_of(possible | self.running) {
            if let Some(heard) = self.follow(lane, possible & (1 << lane) != 0, recent, now) {
                out(lane, heard);
            }
        }
        self.hop_count = self.hop_count.wrapping_add(1);
    }

    /// Lanes in which a digit has been recognised and still goes on.
    pub(crate) fn sounding(&self) -> LaneMask {
        self.sounding
    }

    /// One hop of one lane; `possible` says that its window could belong to a digit, `now` is the sample behind it.
    #[inline(never)]
    fn follow(
        &mut self,
        lane: usize,
        possible: bool,
        recent: &Recent,
        now: SampleIndex,
    ) -> Option<Detection> {
        let Some(mut run) = self.runs[lane] else {
            if possible {
                self.begin(lane);
            }
            return None;
        };
        let hop = self.hop_count;
        run.present <<= 1;
        let pair = self.pair(lane, run.tones, hop);
        if run.is_present(&pair) {
            run.present |= 1;
            run.last_present = hop;
            for (usual, energy) in run.usual_energy.iter_mut().zip(pair.energy) {
                *usual += (energy - *usual) * USUAL_WEIGHT;
            }
        }
        let other_pair = possible && self.bins.strongest(lane) != run.tones;
        let ended = other_pair || hop.wrapping_sub(run.last_present) >= ENDING_HOPS;
        let age = hop.wrapping_sub(run.first);
        if age == run.judge_at_age || ended && run.passed == 0 {
            let start_ago = self.start_ago(lane, &run);
            let start = *run.start.get_or_insert(now.minus(start_ago));
            if self.judge(lane, &run, recent, now.since(start)) {
                run.passed = run.passed.saturating_add(1);
                self.sounding |= 1 << lane;
            } else {
                run.failed = run.failed.saturating_add(1);
            }
            run.judge_at_age = age.saturating_add(JUDGED_AGAIN_AFTER);
        }
        if !ended {
            self.runs[lane] = Some(run);
            return None;
        }
        self.runs[lane] = None;
        self.running &= !(1 << lane);
        self.sounding &= !(1 << lane);
        if other_pair {
            self.begin(lane);
        }
        let at = run.start.filter(|_| run.passed > 0 && run.passed >= run.failed)?;
        let samples = now.minus(self.end_ago(lane, &run)).since(at);
        let [low, high] = run.tones;
        (samples >= LEAST_SAMPLES).then(|| Detection::Digit {
            at,
            digit: Digit(KEYS[low][high - GROUP]),
            samples: u32::try_from(samples).unwrap_or(u32::MAX),
        })
    }

    /// Begins a run in `lane` with the tones that are strongest now, if the newest hops have them.
    fn begin(&mut self, lane: usize) {
        let hop = self.hop_count;
        let tones = self.bins.strongest(lane);
        let mut usual_energy = [0.0f64; 2];
        for ago in 0..WINDOW_HOPS as u32 {
            let pair = self.pair(lane, tones, hop.wrapping_sub(ago));
            usual_energy = [0, 1].map(|i| usual_energy[i].max(pair.energy[i]));
        }
        let mut run = Run {
            tones,
            first: hop,
            last_present: hop,
            present: 0,
            usual_energy,
            judge_at_age: JUDGED_AFTER,
            start: None,
            passed: 0,
            failed: 0,
        };
        // An interruption may lie behind the newest hops, and the digit's beginning behind it.
        for ago in 0..LOOK_BACK {
            if run.is_present(&self.pair(lane, tones, hop.wrapping_sub(ago))) {
                run.present |= 1 << ago;
            } else if ago >= ENDING_HOPS - 1 && run.present >> (ago - (ENDING_HOPS - 1)) == 0 {
                break;
            }
        }
        if run.present != 0 {
            run.first = hop.wrapping_sub(run.present.ilog2());
            run.last_present = hop.wrapping_sub(run.present.trailing_zeros());
            self.runs[lane] = Some(run);
            self.running |= 1 << lane;
        }
    }

    fn pair(&self, lane: usize, tones: [usize; 2], hop: u32) -> PairInHop {
        self.bins.pair(&self.hops[hop as usize % KEPT_HOPS], lane, tones)
    }

    /// How much of a hop at a run's edge the tones fill, in samples.
    fn filled_samples(&self, lane: usize, run: &Run, hop: u32) -> f64 {
        let energy: f64 = self.pair(lane, run.tones, hop).energy.iter().sum();
        let usual: f64 = run.usual_energy.iter().sum();
        let share = (energy / usual.max(1.0)).sqrt().min(1.0);
        if share < LEAST_SHARE { 0.0 } else { share * HOP as f64 }
    }

    /// Samples from the start of the tones to the end of the newest hop.
    fn start_ago(&self, lane: usize, run: &Run) -> u64 {
        let whole_hops = u64::from(self.hop_count.wrapping_sub(run.first)) * HOP as u64;
        let edge = self.filled_samples(lane, run, run.first)
            + self.filled_samples(lane, run, run.first.wrapping_sub(1));
        whole_hops + edge.round() as u64
    }

    /// Samples from the end of the tones to the end of the newest hop.
    fn end_ago(&self, lane: usize, run: &Run) -> u64 {
        let hops = self.hop_count.wrapping_sub(run.last_present);
        let behind =
            if hops == 0 { 0.0 } else { self.filled_samples(lane, run, run.last_present.wrapping_add(1)) };
        let edge = self.filled_samples(lane, run, run.last_present) + behind;
        (u64::from(hops + 1) * HOP as u64).saturating_sub(edge.round() as u64)
    }

    /// Fits the tones of a run that began `start_ago` samples ago to what is kept of it.
    fn judge(&self, lane: usize, run: &Run, recent: &Recent, start_ago: u64) -> bool {
        let newest = self.end_ago(lane, run) as usize + EDGE;
        let oldest = (start_ago as usize).saturating_sub(EDGE).min(newest + MOST_SAMPLES).min(KEPT);
        let samples: ArrayVec<f32, KEPT> = recent.newest(lane, oldest).collect();
        let mut starts = ArrayVec::<usize, MOST_BLOCKS>::new();
        let mut start = 0;
        while start + BLOCK + newest <= oldest && !starts.is_full() {
            let (first_ago, last_ago) = (oldest - start - 1, oldest - start - BLOCK);
            if (last_ago / HOP..=first_ago / HOP).all(|ago| run.present >> ago & 1 == 1) {
                starts.push(start);
            }
            start += STEP;
        }
        dtmf_fit::is_digit(&samples, &starts, run.tones)
    }
}
