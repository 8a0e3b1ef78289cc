//! One time server as it has answered so far: what is believed of it, how often it is asked, and why it counts for nothing
//! when it does not.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::line::{Frequency, Line};
use super::machine::Leap;
use super::sample::{Failure, Sample};

/// Answers that are kept.
const MOST_SAMPLES: usize = 64;
/// Asked in quick succession at the start, so many times.
const QUICK: u32 = 6;
/// Answers after which a server's time may be taken.
pub(crate) const ENOUGH: usize = 4;
/// Answers that are nothing like those before, yet like each other: then the server, or the way to it, is another one.
const ANOTHER: usize = 4;
/// Doublings of the shortest time between two questions: 16 s to 1024 s.
const MOST_DOUBLINGS: u32 = 6;
/// Good answers before a server is asked half as often: at first, so that ten minutes are well measured, and later.
const STEADY_AT_FIRST: u32 = 44;
const STEADY: u32 = 12;
/// A server that has failed so often before its first answer is not waited for.
const TRIED: u32 = 2;
/// Nobody hurries to one that has gone, nor is it left alone for long.
const GONE_DOUBLINGS: u32 = 2;

/// What a server counts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Too few answers to say.
    #[default]
    Waiting,
    /// The clock follows it.
    Followed,
    /// It says the same as the others.
    Agrees,
    /// The others say something else, and are more.
    Outvoted,
    /// It says something else than the others, and neither side is more than half.
    Disputed,
}

/// When a server is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// After the time between two questions of the start.
    Quick,
    /// After the shortest time between two questions, doubled so often.
    Doubled(u32),
    /// It does not serve us: not before the settings change.
    Never,
}

#[derive(Debug, Default)]
pub(crate) struct Source {
    samples: VecDeque<Sample>,
    /// Nothing like those before.
    aside: Vec<Sample>,
    line: Option<Line>,
    /// The last eight questions, newest in the lowest bit: 1 answered.
    pub(crate) reach: u8,
    asked: u32,
    doublings: u32,
    /// Since the time between two questions was changed last.
    steady: u32,
    /// It has asked for no more than this.
    least_doublings: u32,
    pub(crate) denied: bool,
    pub(crate) failure: Option<Failure>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) verdict: Verdict,
}

impl Source {
    /// An answer. `known` of the frequency without it.
    pub(crate) fn heard(&mut self, address: SocketAddr, sample: Sample, known: Frequency) {
        self.note(true);
        (self.address, self.failure) = (Some(address), None);
        if self.line.is_some_and(|line| !line.fits(&sample)) {
            self.set_aside(sample, known);
            return;
        }
        self.aside.clear();
        if self.samples.len() == MOST_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        self.draw(known);
        self.steady += 1;
        let enough = if self.doublings == 0 { STEADY_AT_FIRST } else { STEADY };
        if self.steady >= enough && self.doublings < MOST_DOUBLINGS {
            (self.doublings, self.steady) = (self.doublings + 1, 0);
        }
    }

    /// No answer, or none that is a time.
    pub(crate) fn failed(&mut self, failure: Failure) {
        match failure {
            // The next question is as good as this one would have been.
            Failure::Disturbed => return,
            Failure::Denied => self.denied = true,
            Failure::RateLimited => {
                self.least_doublings = (self.least_doublings + 1).min(MOST_DOUBLINGS);
            }
            _ => {}
        }
        self.note(false);
        self.failure = Some(failure);
        let next = if self.reach == 0 {
            (self.doublings + 1).min(GONE_DOUBLINGS)
        } else {
            self.doublings.saturating_sub(1)
        };
        (self.doublings, self.steady) = (next.max(self.least_doublings), 0);
    }

    fn note(&mut self, answered: bool) {
        self.reach = self.reach << 1 | u8::from(answered);
        self.asked = self.asked.saturating_add(1);
    }

    /// One such answer is an accident; several that are like each other are another truth.
    fn set_aside(&mut self, sample: Sample, known: Frequency) {
        let alike = Line::through(&self.aside, known).is_none_or(|line| line.fits(&sample));
        if !alike {
            self.aside.clear();
        }
        self.aside.push(sample);
        (self.doublings, self.steady) = (self.least_doublings, 0);
        if self.aside.len() >= ANOTHER {
            self.samples = std::mem::take(&mut self.aside).into();
            self.draw(known);
        }
    }

    fn draw(&mut self, known: Frequency) {
        self.line = Line::through(self.samples.make_contiguous(), known);
    }

    /// The scale of time itself moves, by a leap second: so does what was measured on it.
    pub(crate) fn shift(&mut self, by_us: i64) {
        for sample in self.samples.iter_mut().chain(&mut self.aside) {
            sample.ahead_us += by_us;
        }
        if let Some(line) = &mut self.line {
            line.shift(by_us);
        }
    }

    /// While it has not said often enough what the time is, yet may.
    pub(crate) fn is_awaited(&self) -> bool {
        let hopeless = self.denied || (self.samples.is_empty() && self.asked >= TRIED);
        self.samples.len() < ENOUGH && !hopeless
    }

    /// Its time, when it may be taken.
    pub(crate) fn candidate(&self) -> Option<&Line> {
        let usable = !self.denied && self.reach != 0 && self.samples.len() >= ENOUGH;
        self.line.as_ref().filter(|_| usable)
    }

    /// What it says, whether or not that may be taken.
    pub(crate) fn line(&self) -> Option<&Line> {
        self.line.as_ref()
    }

    pub(crate) fn newest(&self) -> Option<&Sample> {
        self.samples.back()
    }

    pub(crate) fn leap(&self) -> Leap {
        self.newest().map_or(Leap::None, |sample| sample.leap)
    }

    /// Half of the interval in which true time lies, if the server is right: what it and the way to it may be wrong by.
    pub(crate) fn most_wrong_us(&self, line: &Line, raw_us: i64) -> f64 {
        let root_us = self.newest().map_or(0, |sample| sample.root_us);
        line.delay_us as f64 / 2.0 + root_us as f64 + 3.0 * line.sigma_us(raw_us)
    }

    pub(crate) fn next(&self) -> Next {
        match () {
            () if self.denied => Next::Never,
            () if self.asked < QUICK && self.least_doublings == 0 => Next::Quick,
            () => Next::Doubled(self.doublings),
        }
    }

    /// It has answered none of the last questions, of which there were some.
    pub(crate) fn is_gone(&self) -> bool {
        self.reach == 0 && self.asked >= TRIED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 123);

    fn sample(at_s: i64, off_us: i64) -> Sample {
        let raw_us = at_s * 1_000_000;
        Sample { raw_us, ahead_us: off_us, delay_us: 2_000, root_us: 500, stratum: 2, leap: Leap::None }
    }

    fn heard(source: &mut Source, at_s: impl IntoIterator<Item = i64>, off_us: i64) {
        for at_s in at_s {
            source.heard(HERE, sample(at_s, off_us), Frequency::UNKNOWN);
        }
    }

    #[test]
    fn it_is_asked_quickly_at_first_and_seldom_when_it_is_steady() {
        let mut source = Source::default();
        let mut at_s = 0;
        let mut asked = Vec::new();
        for _ in 0..160 {
            heard(&mut source, [at_s], 0);
            let gap_s = match source.next() {
                Next::Quick => 2,
                Next::Doubled(times) => 16 << times,
                Next::Never => panic!("it serves us"),
            };
            asked.push(gap_s);
            at_s += gap_s;
        }
        assert_eq!(asked[..6], [2, 2, 2, 2, 2, 16]);
        assert!(asked.is_sorted() && asked.last() == Some(&1024), "{asked:?}");
        assert!(asked.iter().filter(|gap_s| **gap_s == 16).count() * 16 >= 480, "{asked:?}");
    }

    #[test]
    fn one_odd_answer_is_passed_over_and_four_alike_are_a_new_truth() {
        let mut source = Source::default();
        heard(&mut source, (0..50).map(|n| n * 16), 0);
        assert_ne!(source.next(), Next::Doubled(0));
        heard(&mut source, [800], 5_000_000);
        assert_eq!(source.line().expect("a line").ahead_us(800_000_000), 0);
        assert_eq!(source.next(), Next::Doubled(0), "it is asked more often");
        heard(&mut source, [816], 0);
        heard(&mut source, [832, 848, 864], 5_000_000);
        assert_eq!(source.line().expect("a line").ahead_us(864_000_000), 0);
        heard(&mut source, [880], 5_000_000);
        assert_eq!(source.line().expect("a line").ahead_us(880_000_000), 5_000_000);
    }

    #[test]
    fn odd_answers_that_are_not_alike_are_no_truth() {
        let mut source = Source::default();
        heard(&mut source, (0..10).map(|n| n * 16), 0);
        for n in 10..40 {
            heard(&mut source, [n * 16], n * n * 1_000_000);
        }
        assert!(source.line().expect("a line").ahead_us(640_000_000).abs() < 1_000);
    }

    #[test]
    fn a_kiss_is_obeyed() {
        let mut source = Source::default();
        source.failed(Failure::RateLimited);
        assert_eq!(source.next(), Next::Doubled(1));
        source.failed(Failure::RateLimited);
        assert_eq!(source.next(), Next::Doubled(2));
        for _ in 0..20 {
            source.failed(Failure::RateLimited);
        }
        assert_eq!(source.next(), Next::Doubled(6));
        heard(&mut source, [0], 0);
        assert_eq!(source.next(), Next::Doubled(6), "it stays so");
        source.failed(Failure::Denied);
        assert_eq!((source.next(), source.candidate().is_none()), (Next::Never, true));
    }

    #[test]
    fn who_never_answers_is_not_waited_for() {
        let mut source = Source::default();
        assert!(source.is_awaited() && !source.is_gone());
        source.failed(Failure::Silent);
        assert!(source.is_awaited());
        source.failed(Failure::Silent);
        assert!(!source.is_awaited() && source.is_gone());
        heard(&mut source, [0, 2, 4], 0);
        assert!(source.is_awaited() && source.candidate().is_none());
        heard(&mut source, [6], 0);
        assert!(!source.is_awaited() && source.candidate().is_some());
        for _ in 0..8 {
            source.failed(Failure::Silent);
        }
        assert!(source.candidate().is_none() && source.is_gone());
    }

    #[test]
    fn a_question_that_was_disturbed_says_nothing() {
        let mut source = Source::default();
        heard(&mut source, [0], 0);
        source.failed(Failure::Disturbed);
        assert_eq!((source.reach, source.failure.clone()), (1, None));
    }
}
