//! The clock itself: which server it follows, when it is stepped, how it is tuned, and whether it may be called in step.
//! Pure: readings of the clocks and answers of servers in, orders to the kernel out.
//!
//! ```text
//! off ──on──> searching ──enough heard──> following <──> holding over        off: a person sets the clock
//!                 │                           │
//!                 └──> a person is asked <────┘     too far off to be believed, or to be slewed
//! ```
//!
//! searching: nothing has been followed since the box was started; the clock may be stepped, once. following: the clock is
//! tuned towards the line of the server that is followed. holding over: nobody is believed; the line is prolonged.

use chrono::{DateTime, Datelike, Days};

use super::line::{Frequency, Line};
use super::machine::{Leap, LeapState, Reading, Tune};
use super::source::{Source, Verdict};
use super::vote::{Claim, believed};

/// At the first time the clock is stepped when it is off by this; below, tuning is as quick.
const STEP_LEAST_US: i64 = 10_000;
/// What one server alone says is not believed beyond this, unless the clock is wrong for certain.
const ALONE_MOST_US: i64 = 3_600_000_000;
/// Further off than this the clock is not tuned: at 500 ppm that takes a day and a half.
const SLEW_MOST_US: i64 = 60_000_000;
/// An error is tuned away over this time.
const SLEW_OVER_S: f64 = 30.0;
/// What the kernel takes.
const MOST_PPM: f64 = 500.0;
/// The clock is in step from the first on, until it is further off than the second.
const IN_STEP_US: i64 = 50_000;
const OUT_OF_STEP_US: i64 = 100_000;
/// So long after the last answer the clock counts as in step, if its error is small enough.
pub(crate) const TRUSTED_FOR_US: i64 = 8 * 3_600_000_000;
/// Servers that say nothing are not waited for longer than this.
const SETTLED_AFTER_US: i64 = 30_000_000;
/// A frequency that is known better than this is worth keeping.
const WORTH_KEEPING_PPM: f64 = 5.0;
const SECOND_US: i64 = 1_000_000;

/// Why a person has to have the clock stepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepWanted {
    /// One server alone says that the clock is off by more than an hour.
    Alone,
    /// Off by more than is tuned away.
    TooFar,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Orders {
    pub(crate) step_us: Option<i64>,
    pub(crate) tune: Tune,
}

/// The line that the clock is tuned towards.
#[derive(Clone, Copy, Debug)]
struct Held {
    line: Line,
    /// When the last answer came, by the oscillator.
    heard_raw_us: i64,
}

#[derive(Debug)]
pub(crate) struct Discipline {
    on: bool,
    pub(crate) sources: Vec<Source>,
    /// Known of the oscillator without the answers that are kept.
    known: Frequency,
    held: Option<Held>,
    followed: Option<usize>,
    /// Since when, by the oscillator; `None`: the clock has been in step since the box was started.
    searching_since_us: Option<i64>,
    /// Its time at the start was impossible.
    clock_is_wrong: bool,
    step_wanted: Option<StepWanted>,
    disputed: bool,
    in_step: bool,
    leap: Leap,
    frequency_ppm: f64,
}

impl Discipline {
    /// `searching_since_us`: now by the oscillator, unless the clock has been followed in this run of the machine.
    pub(crate) fn new(known: Frequency, searching_since_us: Option<i64>, clock_is_wrong: bool) -> Self {
        Self {
            on: false,
            sources: Vec::new(),
            known,
            held: None,
            followed: None,
            searching_since_us,
            clock_is_wrong,
            step_wanted: None,
            disputed: false,
            in_step: false,
            leap: Leap::None,
            frequency_ppm: known.ppm,
        }
    }

    /// Follows these servers from now on, or none.
    pub(crate) fn follow(&mut self, on: bool, sources: Vec<Source>, raw_us: i64) {
        if let Some(known) = self.worth_keeping() {
            self.known = known;
        }
        (self.on, self.sources, self.followed) = (on, sources, None);
        if self.searching_since_us.is_some() {
            self.searching_since_us = Some(raw_us);
        }
        if !on {
            (self.held, self.step_wanted, self.disputed, self.leap) = (None, None, false, Leap::None);
        }
    }

    /// What an answer is laid beside.
    pub(crate) fn known(&self) -> Frequency {
        self.known
    }

    /// What is to be done, to be asked about once a second.
    pub(crate) fn tick(&mut self, now: Reading, leap_state: LeapState) -> Orders {
        self.pass_leap(leap_state);
        let candidates = self.choose(now);
        if leap_state == LeapState::Quiet {
            self.leap = self.announced_leap(now);
        }
        let off_us = self.off_us(now);
        let step_us = if self.on { self.first_step(now, off_us, candidates) } else { None };
        let left_us = off_us.map(|off_us| off_us - step_us.unwrap_or(0));
        self.tune_towards(left_us);
        self.judge(now, left_us);
        let error_us = self.error_us(now).unwrap_or(OUT_OF_STEP_US);
        let tune = Tune {
            frequency_ppm: self.frequency_ppm,
            synchronised: self.in_step,
            leap: if self.in_step { self.leap } else { Leap::None },
            error_us,
        };
        Orders { step_us, tune }
    }

    /// The kernel has done the leap second: what was measured is told on the new scale.
    fn pass_leap(&mut self, leap_state: LeapState) {
        let by_us = match (leap_state, self.leap) {
            (LeapState::Quiet, _) | (_, Leap::None) => return,
            (_, Leap::Insert) => -SECOND_US,
            (_, Leap::Delete) => SECOND_US,
        };
        self.leap = Leap::None;
        self.sources.iter_mut().for_each(|source| source.shift(by_us));
        if let Some(held) = &mut self.held {
            held.line.shift(by_us);
        }
    }

    /// Looks which servers are to be believed; how many could be.
    fn choose(&mut self, now: Reading) -> usize {
        let mut places = Vec::new();
        let mut claims = Vec::new();
        for (place, source) in self.sources.iter_mut().enumerate() {
            source.verdict = Verdict::Waiting;
            let Some(line) = source.candidate().filter(|_| self.on) else { continue };
            let centre_us = (line.ahead_us(now.raw_us) - (now.utc_us - now.raw_us)) as f64;
            claims.push(Claim { centre_us, half_us: source.most_wrong_us(line, now.raw_us) });
            places.push(place);
        }
        let believed = believed(&claims);
        self.disputed = believed.is_empty() && !claims.is_empty();
        let other = if self.disputed { Verdict::Disputed } else { Verdict::Outvoted };
        places.iter().for_each(|&place| self.sources[place].verdict = other);
        for &one in &believed {
            self.sources[places[one]].verdict = Verdict::Agrees;
        }
        // The one that was followed is kept while no other is more than twice as certain.
        let kept = believed.iter().copied().find(|&one| {
            Some(places[one]) == self.followed && claims[one].half_us <= 2.0 * claims[believed[0]].half_us
        });
        self.followed = kept.or(believed.first().copied()).map(|one| places[one]);
        if let Some(place) = self.followed {
            let source = &mut self.sources[place];
            source.verdict = Verdict::Followed;
            if let (Some(line), Some(newest)) = (source.line(), source.newest()) {
                self.held = Some(Held { line: *line, heard_raw_us: newest.raw_us });
            }
        }
        claims.len()
    }

    /// A leap second comes at the end of this day, as most of those who are believed say.
    fn announced_leap(&self, now: Reading) -> Leap {
        let heard: Vec<Leap> = self
            .sources
            .iter()
            .filter(|source| matches!(source.verdict, Verdict::Followed | Verdict::Agrees))
            .map(Source::leap)
            .collect();
        let most = |leap: Leap| heard.iter().filter(|&&said| said == leap).count() * 2 > heard.len();
        match [Leap::Insert, Leap::Delete].into_iter().find(|&leap| most(leap)) {
            Some(leap) if is_last_of_month(now.utc_us) => leap,
            _ => Leap::None,
        }
    }

    /// True time less the clock's.
    pub(crate) fn off_us(&self, now: Reading) -> Option<i64> {
        let held = self.held?;
        Some(held.line.ahead_us(now.raw_us).saturating_sub(now.utc_us - now.raw_us))
    }

    /// The one step that the clock makes by itself, before it has been in step.
    fn first_step(&mut self, now: Reading, off_us: Option<i64>, candidates: usize) -> Option<i64> {
        let since_us = self.searching_since_us?;
        let settled =
            now.raw_us - since_us >= SETTLED_AFTER_US || !self.sources.iter().any(Source::is_awaited);
        let off_us = off_us.filter(|_| settled && self.followed.is_some())?;
        if off_us.abs() > ALONE_MOST_US && candidates == 1 && !self.clock_is_wrong {
            self.step_wanted = Some(StepWanted::Alone);
            return None;
        }
        (self.searching_since_us, self.step_wanted, self.clock_is_wrong) = (None, None, false);
        (off_us.abs() >= STEP_LEAST_US).then_some(off_us)
    }

    fn tune_towards(&mut self, off_us: Option<i64>) {
        let Some(held) = self.held else { return };
        let slope_ppm = held.line.slope_ppm.clamp(-MOST_PPM, MOST_PPM);
        let may_slew = self.searching_since_us.is_none();
        self.frequency_ppm = match off_us {
            Some(off_us) if may_slew && off_us.abs() <= SLEW_MOST_US => {
                (slope_ppm + off_us as f64 / SLEW_OVER_S).clamp(-MOST_PPM, MOST_PPM)
            }
            _ => slope_ppm,
        };
        if may_slew {
            let too_far = off_us.is_some_and(|off_us| off_us.abs() > SLEW_MOST_US);
            self.step_wanted = too_far.then_some(StepWanted::TooFar);
        }
    }

    /// Whether the clock may be called in step: small enough an error, and somebody has said so not too long ago.
    fn judge(&mut self, now: Reading, off_us: Option<i64>) {
        let most_us = if self.in_step { OUT_OF_STEP_US } else { IN_STEP_US };
        self.in_step = self.on
            && self.searching_since_us.is_none()
            && self.held.is_some_and(|held| now.raw_us - held.heard_raw_us <= TRUSTED_FOR_US)
            && off_us.zip(self.doubt_us(now)).is_some_and(|(off, doubt)| off.abs() + doubt <= most_us);
    }

    /// Two standard deviations of what is believed of true time.
    fn doubt_us(&self, now: Reading) -> Option<i64> {
        self.held.map(|held| (2.0 * held.line.sigma_us(now.raw_us)).ceil() as i64)
    }

    /// What the clock is off by, and the doubt about that.
    pub(crate) fn error_us(&self, now: Reading) -> Option<i64> {
        Some(self.off_us(now)?.saturating_abs().saturating_add(self.doubt_us(now)?))
    }

    /// By how much the clock is to be stepped because a person wants it; `None`: nobody is believed now.
    pub(crate) fn step_asked(&self, now: Reading) -> Option<i64> {
        self.followed?;
        self.off_us(now)
    }

    /// It was.
    pub(crate) fn stepped_as_asked(&mut self) {
        (self.searching_since_us, self.step_wanted, self.clock_is_wrong) = (None, None, false);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    pub(crate) fn is_searching(&self) -> bool {
        self.searching_since_us.is_some()
    }

    pub(crate) fn is_disputed(&self) -> bool {
        self.disputed
    }

    pub(crate) fn in_step(&self) -> bool {
        self.in_step
    }

    pub(crate) fn step_wanted(&self) -> Option<StepWanted> {
        self.step_wanted
    }

    pub(crate) fn followed(&self) -> Option<usize> {
        self.followed
    }

    pub(crate) fn leap(&self) -> Leap {
        self.leap
    }

    /// The kernel was told this.
    pub(crate) fn frequency_ppm(&self) -> f64 {
        self.frequency_ppm
    }

    /// When the last answer came that counts, by the oscillator.
    pub(crate) fn heard_raw_us(&self) -> Option<i64> {
        self.held.map(|held| held.heard_raw_us)
    }

    /// Until the clock is in step by tuning; `None` when it is, or is not being tuned there.
    pub(crate) fn slewed_after_s(&self, now: Reading) -> Option<f64> {
        let left_us = self.off_us(now)?.abs() - IN_STEP_US;
        let slews = !self.in_step && self.searching_since_us.is_none() && self.step_wanted.is_none();
        let ppm = MOST_PPM - self.held?.line.slope_ppm.abs().min(MOST_PPM - 1.0);
        (slews && left_us > 0).then(|| left_us as f64 / ppm)
    }

    /// What is known of the oscillator, if it is worth keeping for the next start.
    pub(crate) fn worth_keeping(&self) -> Option<Frequency> {
        let frequency = self.held?.line.frequency();
        (frequency.sigma_ppm < WORTH_KEEPING_PPM).then_some(frequency)
    }
}

fn is_last_of_month(utc_us: i64) -> bool {
    let Some(today) = DateTime::from_timestamp_micros(utc_us).map(|utc| utc.date_naive()) else {
        return false;
    };
    today.checked_add_days(Days::new(1)).is_some_and(|tomorrow| tomorrow.month() != today.month())
}
