//! Names tones by the rhythm of their bursts. It sees bursts and times only, so that it is tested without audio.
//!
//! ```text
//!            bursts match a cadence, and no other as far back            a burst fits its place: go on
//!   unnamed ------------------------------------------------> named ------------------------------+
//!      ^     one whole period of long bursts, then quiet         |  ^                              |
//!      |     a burst outlasts every cadence: steady tone         |  +------------------------------+
//!      |                                                         |
//!      +--------- a burst or a silence that does not fit: the tone ended with its last burst
//! ```
//!
//! A tone begins with the first burst that belongs to its rhythm, and with the rest of a burst before it if listening
//! began within that one. A burst cut short is the tone's last, or the first of another one: the next burst tells.

use arrayvec::ArrayVec;

use crate::tone_table::{Country, Step, SupervisoryTone};
use crate::units::{SampleIndex, ms_to_samples};
use crate::{Detection, Tone};

/// What measuring the edges of a burst may be wrong by, on top of the cadence's own tolerance.
const EDGE_SAMPLES: u64 = ms_to_samples(14);
/// Bursts that are looked back at: two periods of the longest cadence.
const HISTORY: usize = 9;
/// Bursts name a tone when they reach back at least this far: short ones are common in speech.
const NAMED_AFTER_SAMPLES: u64 = ms_to_samples(600) - 2 * EDGE_SAMPLES;
/// Quiet behind one whole period that names a tone whose silence is long.
const QUIET_SAMPLES: u64 = ms_to_samples(1150);
/// A period names a tone by itself if it sounds at least this long,
const PERIOD_ON_MS: u32 = 750;
/// and is silent at least this long.
const PERIOD_OFF_MS: u16 = 1500;
/// Bursts of one tone have the same frequency and level.
const SAME_HERTZ: f32 = 8.0;
const SAME_DB: f32 = 4.0;
/// Bursts without a doubt that name a tone which is sent while people talk.
const SURE_BURSTS: usize = 2;
/// Bursts of a call-waiting tone that speech may cover before the tone counts as ended.
const COVERED_BURSTS: u64 = 2;

/// A burst of tone, as it was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    pub start: SampleIndex,
    /// The sample behind its last one; of a burst that still sounds, how far it has come.
    pub end: SampleIndex,
    /// Bit `i`: it sounds like tone `i` of the country's table.
    pub fits: u8,
    pub hertz: f32,
    pub level_db: f32,
    /// Nothing about it, not even speech over it, leaves a doubt that it is a tone: a note of music fades.
    pub sure: bool,
}

/// A named tone that goes on.
#[derive(Clone, Copy, Debug)]
struct Named {
    /// Index in the country's table.
    index: usize,
    /// The step of the cadence that the last burst was; 0 for steady tones.
    step: usize,
    /// The sample behind its last burst so far.
    end: SampleIndex,
    /// The same without the last burst, which stands in the history as well: it may be the first one of another tone.
    sure_end: SampleIndex,
    /// Of its bursts.
    hertz: f32,
    level_db: f32,
    steady: bool,
    /// The last burst was short: the tone's last, unless a whole one is in time again.
    cut: bool,
}

/// The rhythm of one lane.
#[derive(Clone, Debug)]
pub struct Rhythm {
    country: &'static Country,
    history: ArrayVec<Burst, HISTORY>,
    named: Option<Named>,
    /// Something loud came right behind the last burst: it was cut off by it, not ended.
    cut_off: bool,
}

impl Rhythm {
    pub fn new(country: &'static Country) -> Self {
        Self { country, history: ArrayVec::new(), named: None, cut_off: false }
    }

    pub fn country(&self) -> &'static Country {
        self.country
    }

    /// A burst still sounds, and has lasted as long as [`Self::look_at_steady`] asked.
    pub fn still_sounding(&mut self, burst: &Burst, say: &mut impl FnMut(Detection)) {
        if self.named.is_some_and(|named| named.steady && named.end >= burst.start) {
            return;
        }
        let length = burst.end.since(burst.start);
        let steady = self.country.tones.iter().enumerate().find(|(index, tone)| {
            tone.cadence.is_empty()
                && burst.fits & (1 << index) != 0
                && length >= ms_to_samples(self.country.steady_after_ms(tone))
        });
        if let Some((index, tone)) = steady {
            self.stop(say);
            self.history.clear();
            let Burst { end, hertz, level_db, .. } = *burst;
            self.named =
                Some(Named { index, step: 0, end, sure_end: end, hertz, level_db, steady: true, cut: false });
            say(Detection::ToneStart { at: burst.start, tone: tone.tone });
        }
    }

    /// After how many samples of a burst [`Self::still_sounding`] has something to say, if ever; asked again while
    /// the burst goes on.
    pub fn look_at_steady(&self, sounded: u64) -> Option<u64> {
        self.country
            .tones
            .iter()
            .filter(|tone| tone.cadence.is_empty())
            .map(|tone| ms_to_samples(self.country.steady_after_ms(tone)))
            .filter(|&needed| needed > sounded)
            .min()
    }

    /// A burst has ended.
    pub fn burst(&mut self, burst: Burst, say: &mut impl FnMut(Detection)) {
        let burst = Burst { fits: self.fits_by_length(&burst), ..burst };
        self.timeout(burst.start, say);
        self.cut_off = false;
        if let Some(named) = self.named {
            if named.steady {
                // The burst that was named while it sounded.
                self.named = Some(Named { end: burst.end, ..named });
                self.stop(say);
                return;
            }
            // Speech that sounds like some other tone for a moment, or like this one at another level or pitch, does
            // not end it; time does, or the rhythm of another tone.
            if burst.fits & (1 << named.index) != 0 && are_alike(named.hertz, named.level_db, &burst) {
                if self.go_on(named, &burst) {
                    return;
                }
                self.remember(burst);
                self.name_by_bursts(say);
                let unchanged =
                    self.named.is_some_and(|now| now.index == named.index && now.end == named.end);
                if unchanged && may_be_covered(&self.country.tones[named.index]) == 0 {
                    self.stop_named(say);
                }
                return;
            }
        }
        if burst.fits != 0 {
            self.remember(burst);
            self.name_by_bursts(say);
        }
    }

    /// What a burst may be. Of a tone that is sent while people talk only whole bursts count: speech has short ones
    /// that sound like it.
    fn fits_by_length(&self, burst: &Burst) -> u8 {
        let length = burst.end.since(burst.start);
        let tones = self.country.tones.iter().enumerate();
        let too_odd = tones.filter(|(_, tone)| {
            let whole = |step: &Step| is_near(length, step.on_ms, tone.cadence_tolerance);
            may_be_covered(tone) != 0 && !tone.cadence.iter().any(whole)
        });
        too_odd.fold(burst.fits, |fits, (index, _)| fits & !(1 << index))
    }

    fn remember(&mut self, burst: Burst) {
        if self.history.is_full() {
            self.history.remove(0);
        }
        self.history.push(burst);
    }

    /// What followed the last burst at once was loud: no pause of a cadence begins like that.
    pub fn cut_off(&mut self) {
        self.cut_off = true;
    }

    /// No burst has begun until `now`.
    pub fn timeout(&mut self, now: SampleIndex, say: &mut impl FnMut(Detection)) {
        match self.named {
            Some(named) if !named.steady => {
                if now.since(named.end) > self.longest_silence(&named) {
                    self.stop_named(say);
                }
            }
            Some(_) => {}
            None => {
                self.name_by_period(now, say);
                if self.named.is_some() {
                    self.timeout(now, say);
                }
            }
        }
    }

    /// When [`Self::timeout`] next has something to decide if no burst begins before.
    pub fn deadline(&self) -> Option<SampleIndex> {
        match self.named {
            Some(named) if !named.steady => Some(named.end.plus(self.longest_silence(&named) + 1)),
            Some(_) => None,
            None => self.history.last().map(|burst| burst.end.plus(QUIET_SAMPLES)),
        }
    }

    fn stop(&mut self, say: &mut impl FnMut(Detection)) {
        self.stop_named(say);
        self.history.clear();
    }

    /// Ends the tone, but keeps the bursts behind it: they may be another one's.
    fn stop_named(&mut self, say: &mut impl FnMut(Detection)) {
        if let Some(named) = self.named.take() {
            self.history.retain(|burst| burst.start >= named.end);
            say(Detection::ToneStop { at: named.end.minus(1), tone: self.country.tones[named.index].tone });
        }
    }

    fn longest_silence(&self, named: &Named) -> u64 {
        let tone = &self.country.tones[named.index];
        let step = tone.cadence[named.step];
        most(step.off_ms, tone.cadence_tolerance) + may_be_covered(tone) * period(tone.cadence)
    }

    /// Whether `burst` is the next one of the named tone; a short one is its last.
    fn go_on(&mut self, named: Named, burst: &Burst) -> bool {
        let tone = &self.country.tones[named.index];
        let in_time = is_in_time(tone, named.step, burst.start.since(named.end));
        let step = (named.step + 1) % tone.cadence.len();
        let length = burst.end.since(burst.start);
        if !in_time || length > most(tone.cadence[step].on_ms, tone.cadence_tolerance) {
            return false;
        }
        let short = length < least(tone.cadence[step].on_ms, tone.cadence_tolerance);
        if short && named.cut {
            return false;
        }
        self.named = Some(Named { step, end: burst.end, sure_end: named.end, cut: short, ..named });
        self.history.clear();
        self.history.push(*burst);
        true
    }

    /// Names the tone whose rhythm reaches back further than that of any other.
    fn name_by_bursts(&mut self, say: &mut impl FnMut(Detection)) {
        let mut best: Option<(usize, Match)> = None;
        let mut tied = false;
        for index in 0..self.country.tones.len() {
            let Some(found) = self.longest_match(index) else { continue };
            let reach = best.as_ref().map_or(0, |(_, best)| best.bursts);
            if found.bursts > reach {
                best = Some((index, found));
                tied = false;
            } else if found.bursts == reach {
                tied = true;
            }
        }
        if let Some((index, found)) = best
            && !tied
            && found.bursts > self.country.tones[index].cadence.len()
            && (found.sure >= SURE_BURSTS || may_be_covered(&self.country.tones[index]) == 0)
            && found.end.since(found.start) >= NAMED_AFTER_SAMPLES
        {
            self.name(index, found, say);
        }
    }

    /// Names a tone by one whole period, if what follows is the long silence that belongs to it.
    fn name_by_period(&mut self, now: SampleIndex, say: &mut impl FnMut(Detection)) {
        let Some(last) = self.history.last() else { return };
        if self.cut_off || now.since(last.end) < QUIET_SAMPLES {
            return;
        }
        for (index, tone) in self.country.tones.iter().enumerate() {
            let Some(last_step) = tone.cadence.len().checked_sub(1) else { continue };
            let on_ms: u32 = tone.cadence.iter().map(|step| u32::from(step.on_ms)).sum();
            if on_ms < PERIOD_ON_MS || tone.cadence[last_step].off_ms < PERIOD_OFF_MS {
                continue;
            }
            let found = self.match_back(index, last_step);
            if found.bursts >= tone.cadence.len() {
                self.name(index, found, say);
                return;
            }
        }
    }

    fn name(&mut self, index: usize, found: Match, say: &mut impl FnMut(Detection)) {
        let Some(&Burst { hertz, level_db, .. }) = self.history.last() else { return };
        if let Some(before) = &mut self.named
            && before.end > found.start
        {
            before.end = before.sure_end;
        }
        self.stop(say);
        let Match { step, end, .. } = found;
        self.named =
            Some(Named { index, step, end, sure_end: end, hertz, level_db, steady: false, cut: false });
        say(Detection::ToneStart { at: found.start, tone: self.country.tones[index].tone });
    }

    /// The furthest that the history, read backwards, agrees with a tone's cadence from any of its steps.
    fn longest_match(&self, index: usize) -> Option<Match> {
        (0..self.country.tones[index].cadence.len())
            .map(|step| self.match_back(index, step))
            .filter(|found| found.bursts > 0)
            .max_by_key(|found| found.bursts)
    }

    /// How far the history agrees with a tone if its last burst was step `last_step`.
    fn match_back(&self, index: usize, last_step: usize) -> Match {
        let tone = &self.country.tones[index];
        let mut found =
            Match { bursts: 0, sure: 0, step: last_step, start: SampleIndex(0), end: SampleIndex(0) };
        let mut step = last_step;
        let mut later: Option<&Burst> = None;
        for burst in self.history.iter().rev() {
            if burst.fits & (1 << index) == 0 {
                if may_be_covered(tone) != 0 {
                    continue;
                }
                break;
            }
            if let Some(later) = later {
                step = (step + tone.cadence.len() - 1) % tone.cadence.len();
                let silence = later.start.since(burst.end);
                if !is_in_time(tone, step, silence) || !are_alike(burst.hertz, burst.level_db, later) {
                    break;
                }
            } else {
                found.end = burst.end;
            }
            let length = burst.end.since(burst.start);
            let on_ms = tone.cadence[step].on_ms;
            if is_near(length, on_ms, tone.cadence_tolerance) {
                found.bursts += 1;
                found.sure += usize::from(burst.sure);
            } else if later.is_none() || length > most(on_ms, tone.cadence_tolerance) {
                break;
            }
            found.start = burst.start;
            if !is_near(length, on_ms, tone.cadence_tolerance) {
                // Listening began within this burst: it belongs to the tone, but proves nothing.
                break;
            }
            later = Some(burst);
        }
        found
    }
}

/// How well the history agrees with a cadence.
#[derive(Clone, Copy, Debug)]
struct Match {
    /// Whole bursts that agree, and those without a doubt among them.
    bursts: usize,
    sure: usize,
    /// The step that the last burst was.
    step: usize,
    start: SampleIndex,
    /// Behind the last burst.
    end: SampleIndex,
}

fn are_alike(hertz: f32, level_db: f32, burst: &Burst) -> bool {
    (hertz - burst.hertz).abs() <= SAME_HERTZ && (level_db - burst.level_db).abs() <= SAME_DB
}

/// Bursts of `tone` that may be missing.
fn may_be_covered(tone: &SupervisoryTone) -> u64 {
    if tone.tone == Tone::CallWaiting { COVERED_BURSTS } else { 0 }
}

/// Whether a burst may come `silence` samples behind step `step` of `tone`.
fn is_in_time(tone: &SupervisoryTone, step: usize, silence: u64) -> bool {
    (0..=may_be_covered(tone)).any(|missed| {
        let waited = silence.saturating_sub(missed * period(tone.cadence));
        is_near(waited, tone.cadence[step].off_ms, tone.cadence_tolerance)
    })
}

fn slack(ms: u16, tolerance: f32) -> u64 {
    (ms_to_samples(u32::from(ms)) as f32 * tolerance) as u64 + EDGE_SAMPLES
}

/// The longest that something of nominally `ms` may last, in samples.
fn most(ms: u16, tolerance: f32) -> u64 {
    ms_to_samples(u32::from(ms)) + slack(ms, tolerance)
}

fn least(ms: u16, tolerance: f32) -> u64 {
    ms_to_samples(u32::from(ms)).saturating_sub(slack(ms, tolerance))
}

fn is_near(samples: u64, ms: u16, tolerance: f32) -> bool {
    (least(ms, tolerance)..=most(ms, tolerance)).contains(&samples)
}

/// Samples in a period of `cadence`.
fn period(cadence: &[Step]) -> u64 {
    cadence.iter().map(|step| ms_to_samples(u32::from(step.on_ms) + u32::from(step.off_ms))).sum()
}

#[cfg(test)]
mod tests;
