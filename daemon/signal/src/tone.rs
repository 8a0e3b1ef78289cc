//! Supervisory tones: dial, busy, ringback and their kin, by the table of each lane's country.
//!
//! Three steps, each in its own file: probes measure the power at the country's frequencies in windows of 20 ms and
//! cut the lane into bursts (here, for all lanes at once); `tone_fit` says which sounds a burst may be; `tone_cadence`
//! names the tone by the rhythm of its bursts. Only a lane in which a burst begins or ends leaves the common path.

use std::f64::consts::TAU;

use crate::dbm0::power_from_dbm0;
use crate::hop::{HOP_SAMPLES, Hop, LOW_RATE_HZ, LOW_SAMPLES, WINDOW_HOPS};
use crate::lanes::{LANES, LaneMask, Lanes, lanes_of};
use crate::tone_cadence::{Burst, Rhythm};
use crate::tone_even::{EDGE_WINDOWS, Evenness};
use crate::tone_fit::{Fit, PROBES, probe_hertz, second_family};
use crate::tone_table::{Country, Sound, SupervisoryTone, china};
use crate::units::{RATE_HZ, SampleIndex};
use crate::{Detection, Tone};

/// Samples in a probe's window.
const WINDOW_SAMPLES: usize = WINDOW_HOPS * HOP_SAMPLES;
/// A burst begins when the probes catch this part of a window's energy, and ends when they catch less than
const BEGIN_SHARE: f32 = 0.6;
const END_SHARE: f32 = 0.5;
/// of it, or this part of what they caught while it sounded: in silence the share alone stays high for too long,
/// because what little is left of the tone is still pure. Less where tones beat, nothing where they swing.
const END_DROP: f32 = 0.45;
const END_DROP_BEATING: f32 = 0.2;
/// Where nothing beats, that drop tells the end, and the share may fall to this under speech.
const END_SHARE_COVERED: f32 = 0.1;
/// Under speech a burst is judged by what the probes catch of it: this part of all energy at least, which changes
/// from one window to the next by at most this, and varies by this (mean squares, relative). Of 384 bursts of 450 Hz
/// at −10 dBm0 under speech of −17 dBm0 the worst in a hundred has 0.033 and 0.17.
const LEAST_SHARE_COVERED: f32 = 0.5;
const MOST_UNSTEADY_COVERED: f32 = 0.04;
const MOST_SPREAD_COVERED: f32 = 0.2;
/// No doubt is left up to this spread: three in four have less, notes of music that fade more than twice as much.
const MOST_SPREAD_SURE: f32 = 0.03;
/// Tones are heard from a little below −30 dBm0 on.
const LEAST_DBM0: f32 = -34.0;
/// A gap shorter than this is a click or a sample slip within a burst (the shortest real one is 36 ms).
const GLITCH_HOPS: f32 = 4.0;
/// Shorter bursts are chance: a vowel, a note.
const SHORTEST_BURST_SAMPLES: u64 = 60 * RATE_HZ as u64 / 1000;
/// A tone's energy is steady: the mean square change from one window to the next, relative, is at most this,
const MOST_UNSTEADY: f32 = 0.003;
/// where a single change counts no more than this.
const MOST_CHANGE: f32 = 0.01;
/// Under speech it counts in full.
const ANY_CHANGE: f32 = 1e6;
/// Nor does it drift: the variance of its windows' energies, relative.
const MOST_SPREAD: f32 = 0.02;
/// Two frequencies closer than this beat so slowly that a window sees it: they must be unsteady.
const BEATING_BELOW_HZ: f32 = 45.0;
/// And closer than this, their power vanishes for a whole window.
const SWINGING_BELOW_HZ: f32 = 30.0;
/// For so long behind a burst, loudness means that it was cut off.
const CUT_OFF_HOPS: f32 = 50.0;
/// Mean energy there, relative to the burst's.
const CUT_OFF_SHARE: f32 = 0.1;

/// One complex number for each lane.
#[derive(Clone, Copy, Debug, Default)]
struct Complex {
    re: Lanes,
    im: Lanes,
}

/// One probe of each lane.
#[derive(Clone, Debug)]
struct Probe {
    /// The probe's frequency over a hop at the low rate, as cosine and minus sine, scaled so that the square of what
    /// is caught of a tone over a window is the tone's energy.
    shape: [Complex; LOW_SAMPLES],
    /// How its phase advances over a hop.
    turn: Complex,
    /// What the last hops held.
    caught: [Complex; WINDOW_HOPS],
    /// Sum over the windows of the burst that sounds.
    sum: Lanes,
}

/// What a lane's burst is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Quiet,
    Sounding {
        start: SampleIndex,
    },
    /// It has stopped, but may go on if the gap is a glitch.
    Pausing {
        start: SampleIndex,
        end: SampleIndex,
    },
    /// Just behind a burst: is it quiet?
    Behind {
        hop_energy: f32,
    },
}

/// What the common path does not need of a lane.
#[derive(Clone, Debug)]
struct LaneState {
    fit: Fit,
    rhythm: Rhythm,
    phase: Phase,
}

/// Hears the supervisory tones of all lanes.
#[derive(Clone, Debug)]
pub struct ToneDetector {
    probes: [Probe; PROBES],
    /// 1 for lanes in which the probe hears the second family of sounds, 0 for others.
    of_second: [Lanes; PROBES],
    /// 1 for lanes whose burst is of the second family; and those in which that is the louder one in this window.
    in_second: Lanes,
    louder_second: LaneMask,
    /// Energy of the last hops, and which of them is the oldest.
    energy: [Lanes; WINDOW_HOPS],
    oldest: usize,
    /// Lanes in which a window sounds like a tone.
    on: LaneMask,
    /// 1 for lanes in which the sums run, 0 for others; and for how many windows they have run.
    counting: Lanes,
    age: Lanes,
    sum_energy: Lanes,
    /// Windows away from the edges: how many, how even their energy is, and what the probes caught of it.
    inner: Lanes,
    whole: Evenness,
    caught: Evenness,
    /// Energy since the last burst ended.
    behind: Lanes,
    /// Hops until a lane has something to decide; infinite if there is nothing.
    countdown: Lanes,
    /// What the probes must catch for a burst to go on: this part of `held`.
    drop: Lanes,
    /// And this part of the window's energy.
    end_share: Lanes,
    /// 1 for lanes in which the tone is most of what sounds, 0 for others.
    sounding: Lanes,
    /// The most that the probes caught in a window of the burst that sounds.
    held: Lanes,
    /// Energy of a window at the least level.
    least_energy: f32,
    lanes: [LaneState; LANES],
}

impl Probe {
    const UNUSED: Self = Self {
        shape: [Complex { re: Lanes::ZERO, im: Lanes::ZERO }; LOW_SAMPLES],
        turn: Complex { re: Lanes::ZERO, im: Lanes::ZERO },
        caught: [Complex { re: Lanes::ZERO, im: Lanes::ZERO }; WINDOW_HOPS],
        sum: Lanes::ZERO,
    };

    /// Points the probe of one lane at `hertz`; 0 switches it off.
    fn point_at(&mut self, lane: usize, hertz: f32) {
        let hertz = f64::from(hertz);
        let turn = TAU * hertz * HOP_SAMPLES as f64 / f64::from(RATE_HZ);
        (self.turn.re[lane], self.turn.im[lane]) = (turn.cos() as f32, turn.sin() as f32);
        let scale =
            if hertz == 0.0 { 0.0 } else { (2.0 / WINDOW_SAMPLES as f64).sqrt() / decimation_gain(hertz) };
        for (k, shape) in self.shape.iter_mut().enumerate() {
            let angle = TAU * hertz * k as f64 / f64::from(LOW_RATE_HZ);
            shape.re[lane] = (scale * angle.cos()) as f32;
            shape.im[lane] = (scale * -angle.sin()) as f32;
        }
        for caught in &mut self.caught {
            (caught.re[lane], caught.im[lane]) = (0.0, 0.0);
        }
        self.sum[lane] = 0.0;
    }

    /// Takes a hop in place of the oldest one and gives the energy caught in the window that it completes.
    #[inline(always)]
    fn hop(&mut self, low: &[Lanes; LOW_SAMPLES], oldest: usize) -> Lanes {
        let mut caught = Complex::default();
        for (low, shape) in low.iter().zip(&self.shape) {
            caught.re += *low * shape.re;
            caught.im += *low * shape.im;
        }
        self.caught[oldest] = caught;
        let mut window = self.caught[(oldest + 1) % WINDOW_HOPS];
        for later in 2..=WINDOW_HOPS {
            let next = self.caught[(oldest + later) % WINDOW_HOPS];
            window = Complex {
                re: window.re * self.turn.re - window.im * self.turn.im + next.re,
                im: window.re * self.turn.im + window.im * self.turn.re + next.im,
            };
        }
        window.re * window.re + window.im * window.im
    }
}

/// How far what the probes catch of a sound may fall before it counts as ended.
fn end_drop(sound: Sound) -> f32 {
    match sound {
        Sound::One(_) => END_DROP,
        Sound::Two(low, high) if high - low >= SWINGING_BELOW_HZ => END_DROP_BEATING,
        Sound::Two(..) | Sound::Modulated(_) => 0.0,
    }
}

/// What summing samples by fours leaves of an amplitude at `hertz`.
fn decimation_gain(hertz: f64) -> f64 {
    let step = TAU * hertz / f64::from(RATE_HZ) / 2.0;
    let by = f64::from(RATE_HZ / LOW_RATE_HZ);
    (by * step).sin() / (by * step.sin())
}

impl Default for ToneDetector {
    fn default() -> Self {
        let state = LaneState { fit: Fit::new(china()), rhythm: Rhythm::new(china()), phase: Phase::Quiet };
        let mut detector = Self {
            probes: [Probe::UNUSED; PROBES],
            of_second: [Lanes::ZERO; PROBES],
            in_second: Lanes::ZERO,
            louder_second: 0,
            energy: [Lanes::ZERO; WINDOW_HOPS],
            oldest: 0,
            on: 0,
            counting: Lanes::ZERO,
            age: Lanes::ZERO,
            sum_energy: Lanes::ZERO,
            inner: Lanes::ZERO,
            whole: Evenness::new(MOST_CHANGE),
            caught: Evenness::new(ANY_CHANGE),
            behind: Lanes::ZERO,
            countdown: Lanes::splat(f32::INFINITY),
            drop: Lanes::ZERO,
            end_share: Lanes::ZERO,
            sounding: Lanes::ZERO,
            held: Lanes::ZERO,
            least_energy: power_from_dbm0(LEAST_DBM0) * WINDOW_SAMPLES as f32,
            lanes: std::array::from_fn(|_| state.clone()),
        };
        for lane in 0..LANES {
            detector.point_at(lane, china());
        }
        detector
    }
}

impl ToneDetector {
    /// Listens for the tones of `country` in a lane from now on. If it is another one than before, a tone that sounds
    /// there is forgotten.
    pub fn set_country(&mut self, lane: usize, country: &'static Country) {
        if std::ptr::eq(country, self.lanes[lane].rhythm.country()) {
            return;
        }
        self.point_at(lane, country);
    }

    fn point_at(&mut self, lane: usize, country: &'static Country) {
        for (probe, hertz) in self.probes.iter_mut().zip(probe_hertz(country)) {
            probe.point_at(lane, hertz);
        }
        for (of_second, second) in self.of_second.iter_mut().zip(second_family(country)) {
            of_second[lane] = if second { 1.0 } else { 0.0 };
        }
        self.lanes[lane] =
            LaneState { fit: Fit::new(country), rhythm: Rhythm::new(country), phase: Phase::Quiet };
        self.on &= !(1 << lane);
        self.counting[lane] = 0.0;
        self.countdown[lane] = f32::INFINITY;
        self.drop[lane] = country.tones.iter().map(|tone| end_drop(tone.sound)).fold(END_DROP, f32::min);
        self.end_share[lane] = if self.drop[lane] < END_DROP { END_SHARE } else { END_SHARE_COVERED };
    }

    /// 1 for lanes in which the last 20 ms sound like a tone, 0 for others.
    pub fn sounding(&self) -> Lanes {
        self.sounding
    }

    #[inline(always)]
    pub fn hop(&mut self, hop: &Hop, out: &mut impl FnMut(usize, Detection)) {
        let oldest = self.oldest;
        self.energy[oldest] = hop.energy;
        // In the order of time, so that rounding does not depend on where the ring stands.
        let mut window = Lanes::ZERO;
        for later in 1..=WINDOW_HOPS {
            window += self.energy[(oldest + later) % WINDOW_HOPS];
        }
        let (mut first, mut second) = (Lanes::ZERO, Lanes::ZERO);
        for (probe, of_second) in self.probes.iter_mut().zip(&self.of_second) {
            let caught = probe.hop(&hop.low, oldest);
            probe.sum += caught * self.counting;
            let in_second = caught * *of_second;
            second += in_second;
            first += caught - in_second;
        }
        self.louder_second = second.above(first);
        let tonal = first + (second - first) * self.in_second;
        self.oldest = (oldest + 1) % WINDOW_HOPS;
        self.sum_energy += window * self.counting;
        self.age += self.counting;
        let since = Lanes::splat(2.0 * EDGE_WINDOWS as f32 + 0.5);
        let inside = self.counting * self.age.zip(since, |age, since| if age > since { 1.0 } else { 0.0 });
        self.inner += inside;
        self.whole.take(window, inside);
        self.caught.take(tonal, inside);
        self.behind += hop.energy;
        self.countdown += Lanes::splat(-1.0);

        let begin = first.max(second).above((window * BEGIN_SHARE).max(Lanes::splat(self.least_energy)));
        // The probes overlap, and close to half the low rate they catch the tone's image as well, in one window and
        // not in the next: more than there was does not count.
        self.held = self.held.max(tonal.min(window) * self.counting);
        let least = (self.held * self.drop).max(Lanes::splat(self.least_energy * 0.5));
        let go_on = tonal.above((window * self.end_share).max(least));
        let on = (begin & !self.on) | (go_on & self.on);
        let changed = on ^ self.on;
        self.on = on;
        let due = Lanes::splat(0.5).above(self.countdown);
        for lane in lanes_of(changed | due) {
            self.decide(lane, hop.end, changed & (1 << lane) != 0, &mut |what| out(lane, what));
        }
        let most = tonal.zip(window * END_SHARE, |tonal, least| if tonal > least { 1.0 } else { 0.0 });
        self.sounding = self.counting * most;
    }

    /// A burst begins or ends in a lane, or a wait is over.
    #[inline(never)]
    fn decide(&mut self, lane: usize, now: SampleIndex, changed: bool, say: &mut dyn FnMut(Detection)) {
        let on = self.on & (1 << lane) != 0;
        let mut say = |what| say(what);
        match self.lanes[lane].phase {
            Phase::Quiet | Phase::Behind { .. } if changed && on => {
                self.look_behind(lane);
                let start = now.minus(self.sounded_in_window(lane, true));
                self.begin(lane, start);
            }
            Phase::Pausing { start, end } if changed && on && !self.is_same_family(lane) => {
                self.end_burst(lane, start, end, now, &mut say);
                self.look_behind(lane);
                let start = now.minus(self.sounded_in_window(lane, true));
                self.begin(lane, start);
            }
            Phase::Pausing { start, .. } if changed && on => {
                self.counting[lane] = 1.0;
                self.age[lane] = 0.0;
                self.lanes[lane].phase = Phase::Sounding { start };
                self.wait_for_steady(lane, now.since(start));
            }
            Phase::Sounding { start } if changed && !on => {
                self.counting[lane] = 0.0;
                let window_start = now.minus(WINDOW_SAMPLES as u64);
                let end = window_start.plus(self.sounded_in_window(lane, false));
                self.lanes[lane].phase = Phase::Pausing { start, end };
                self.countdown[lane] = GLITCH_HOPS;
            }
            Phase::Sounding { start } => {
                let burst = self.burst(lane, start, now);
                self.lanes[lane].rhythm.still_sounding(&burst, &mut say);
                self.wait_for_steady(lane, now.since(start));
            }
            Phase::Pausing { start, end } => {
                self.end_burst(lane, start, end, now, &mut say);
            }
            Phase::Behind { .. } | Phase::Quiet => {
                self.look_behind(lane);
                self.lanes[lane].phase = Phase::Quiet;
                self.lanes[lane].rhythm.timeout(now, &mut say);
                self.wait_for_rhythm(lane, now);
            }
        }
    }

    /// Whether what sounds now is of the same family as the burst before.
    fn is_same_family(&self, lane: usize) -> bool {
        (self.louder_second & (1 << lane) != 0) == (self.in_second[lane] > 0.5)
    }

    /// A burst is over for good: the rhythm hears of it unless it was too short.
    fn end_burst(
        &mut self,
        lane: usize,
        start: SampleIndex,
        end: SampleIndex,
        now: SampleIndex,
        say: &mut impl FnMut(Detection),
    ) {
        if end.since(start) >= SHORTEST_BURST_SAMPLES {
            let burst = self.burst(lane, start, end);
            self.lanes[lane].rhythm.burst(burst, say);
            self.behind[lane] = 0.0;
            self.lanes[lane].phase = Phase::Behind { hop_energy: self.mean_energy(lane) };
            self.countdown[lane] = CUT_OFF_HOPS;
        } else {
            // A wait may have ended while it sounded.
            self.lanes[lane].phase = Phase::Quiet;
            self.lanes[lane].rhythm.timeout(now, say);
            self.wait_for_rhythm(lane, now);
        }
    }

    fn begin(&mut self, lane: usize, start: SampleIndex) {
        self.in_second[lane] = if self.louder_second & (1 << lane) != 0 { 1.0 } else { 0.0 };
        self.lanes[lane].phase = Phase::Sounding { start };
        self.counting[lane] = 1.0;
        self.age[lane] = 0.0;
        self.sum_energy[lane] = 0.0;
        self.inner[lane] = 0.0;
        self.whole.begin(lane);
        self.caught.begin(lane);
        self.held[lane] = 0.0;
        for probe in &mut self.probes {
            probe.sum[lane] = 0.0;
        }
        self.wait_for_steady(lane, 0);
    }

    /// Tells the rhythm if what follows a burst is loud.
    fn look_behind(&mut self, lane: usize) {
        if let Phase::Behind { hop_energy } = self.lanes[lane].phase {
            let hops = CUT_OFF_HOPS - self.countdown[lane];
            if self.behind[lane] > hops * hop_energy * CUT_OFF_SHARE {
                self.lanes[lane].rhythm.cut_off();
            }
        }
    }

    fn wait_for_steady(&mut self, lane: usize, sounded: u64) {
        let look = self.lanes[lane].rhythm.look_at_steady(sounded);
        self.countdown[lane] = look
            .map_or(f32::INFINITY, |look| (look.saturating_sub(sounded) as usize / HOP_SAMPLES + 1) as f32);
    }

    fn wait_for_rhythm(&mut self, lane: usize, now: SampleIndex) {
        let deadline = self.lanes[lane].rhythm.deadline().filter(|&deadline| deadline > now);
        self.countdown[lane] =
            deadline.map_or(f32::INFINITY, |at| (at.since(now) as usize / HOP_SAMPLES + 1) as f32);
    }

    /// Samples of the tone in the window that began or ended it: the window's energy over that of a full hop, which
    /// is the newest one at the beginning and the burst's mean at the end.
    fn sounded_in_window(&self, lane: usize, beginning: bool) -> u64 {
        let newest = (self.oldest + WINDOW_HOPS - 1) % WINDOW_HOPS;
        let full = if beginning { self.energy[newest][lane] } else { self.mean_energy(lane) };
        let sum: f32 = self.energy.iter().map(|energy| energy[lane].min(full)).sum();
        let hops = sum / full.max(f32::MIN_POSITIVE);
        // If something else sounds before or behind it: what it takes to pass the threshold in silence.
        let hops = if hops > WINDOW_HOPS as f32 - 0.2 { WINDOW_HOPS as f32 * BEGIN_SHARE } else { hops };
        (hops * HOP_SAMPLES as f32) as u64
    }

    /// Mean energy of a hop of the burst; of one too short to have an inside, of the last window's loudest hop.
    fn mean_energy(&self, lane: usize) -> f32 {
        if self.inner[lane] >= 1.0 {
            self.whole.energy(lane) / (self.inner[lane] * WINDOW_HOPS as f32)
        } else {
            self.energy.iter().fold(0.0, |most, energy| energy[lane].max(most))
        }
    }

    /// The burst of a lane from what was summed up over it.
    fn burst(&self, lane: usize, start: SampleIndex, end: SampleIndex) -> Burst {
        let energy = self.sum_energy[lane].max(f32::MIN_POSITIVE);
        let shares = std::array::from_fn(|probe| self.probes[probe].sum[lane] / energy);
        let state = &self.lanes[lane];
        let mut fitted = state.fit.sounds(shares);
        let tones = state.rhythm.country().tones.iter().enumerate();
        fitted.tones &=
            tones.filter(|(_, tone)| self.is_even(lane, tone)).fold(0, |bits, (index, _)| bits | 1 << index);
        let mut sure = fitted.tones != 0;
        if !sure && self.is_even_under_speech(lane, MOST_SPREAD_COVERED) {
            fitted = state.fit.sounds_under_speech(shares);
            sure = self.is_even_under_speech(lane, MOST_SPREAD_SURE);
        }
        let inner = self.inner[lane];
        let level = if inner >= 1.0 { self.caught.energy(lane) / inner } else { self.held[lane] };
        let level_db = 10.0 * level.max(f32::MIN_POSITIVE).log10();
        Burst { start, end, fits: fitted.tones, hertz: fitted.hertz, level_db, sure }
    }

    /// Whether the tone within a lane's burst keeps its level, whatever sounds beside it.
    fn is_even_under_speech(&self, lane: usize, most_spread: f32) -> bool {
        self.caught.energy(lane) > LEAST_SHARE_COVERED * self.whole.energy(lane)
            && self.caught.is_steady(lane, MOST_UNSTEADY_COVERED)
            && self.caught.is_level(lane, self.inner[lane], most_spread)
    }

    /// Whether the level of a lane's burst moves as that of `tone` would.
    fn is_even(&self, lane: usize, tone: &SupervisoryTone) -> bool {
        let steady = self.whole.is_steady(lane, MOST_UNSTEADY);
        let level = self.whole.is_level(lane, self.inner[lane], MOST_SPREAD);
        match tone.sound {
            Sound::One(_) => steady && (level || tone.tone == Tone::Howler),
            Sound::Two(low, high) if high - low < BEATING_BELOW_HZ => !steady,
            Sound::Two(..) => level,
            Sound::Modulated(_) => true,
        }
    }
}

#[cfg(test)]
mod tests;
