//! Pulse dialling: breaks of the loop counted into digits (8–22 pulses a second, break 50–75 % of a period).

use arrayvec::ArrayVec;

use super::contact::BOUNCE;
use crate::units::ms_to_samples;
use crate::{Digit, SampleIndex};

/// Shortest break: 22 pps with 50 % break has 22.7 ms; a unit that reads every 10 ms may see 20.
const BREAK_MIN: u64 = ms_to_samples(16);
/// Longest break: 8 pps with 75 % break has 93.75 ms, which a unit may see as 100. What is longer is a flash or the end
/// of the call.
pub(super) const BREAK_MAX: u64 = ms_to_samples(104);
/// A break that stands alone is a flash from here on: timed recall has 100 ms.
const LONE_FLASH_ABOVE: u64 = ms_to_samples(95);
/// A make this long ends the digit: 8 pps with 50 % break has 62 ms between breaks; pauses between digits are 200 ms
/// and more, even at 20 pps.
const DIGIT_PAUSE: u64 = ms_to_samples(130);
/// Period of 22 pps and of 8 pps, with the 10 ms that a unit's readings are apart.
const PERIOD: std::ops::RangeInclusive<u64> = ms_to_samples(36)..=ms_to_samples(135);
/// How much the periods of one digit differ at most: a dial's own jitter, and readings 10 ms apart at both ends.
const PERIOD_SPREAD: u64 = ms_to_samples(25);
/// The breaks of two digits from one dial differ by less than this.
const BREAK_SPREAD: u64 = ms_to_samples(16);
/// A short lone break is believed if another digit of the same dial is no further away.
const LONE_REACH: u64 = ms_to_samples(5000);
/// Lone breaks that wait for a witness at once; a number has seldom more ones in a row.
const LONE_MAX: usize = 8;

/// The breaks of one digit so far.
#[derive(Clone, Copy, Debug)]
struct Train {
    first: SampleIndex,
    last: SampleIndex,
    /// Where the last break ended.
    made: SampleIndex,
    count: u64,
    break_total: u64,
    shortest: u64,
    longest: u64,
}

/// One break that may be a digit 1, or the mean break of a digit that was said.
#[derive(Clone, Copy, Debug)]
struct Lone {
    at: SampleIndex,
    length: u64,
}

/// What breaks of the loop came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulsed {
    Digit(Digit),
    Flash { length: u64 },
}

#[derive(Debug, Default)]
pub(super) struct Pulses {
    train: Option<Train>,
    /// Short lone breaks without a witness yet.
    lone: ArrayVec<Lone, LONE_MAX>,
    /// The digit said last.
    said: Option<Lone>,
}

impl Pulses {
    /// A break of the loop from `at` on that lasted `length`, at most `BREAK_MAX`.
    pub(super) fn add(&mut self, at: SampleIndex, length: u64) {
        if length < BREAK_MIN {
            return;
        }
        let made = at.plus(length);
        self.train = Some(match self.train {
            None => Train {
                first: at,
                last: at,
                made,
                count: 1,
                break_total: length,
                shortest: u64::MAX,
                longest: 0,
            },
            Some(train) => {
                let period = at.since(train.last);
                Train {
                    last: at,
                    made,
                    count: train.count + 1,
                    break_total: train.break_total + length,
                    shortest: train.shortest.min(period),
                    longest: train.longest.max(period),
                    ..train
                }
            }
        });
    }

    /// When the digit is over, unless a break comes before. The edge of a break is known `BOUNCE` late.
    pub(super) fn due(&self) -> Option<SampleIndex> {
        self.train.map(|train| train.made.plus(DIGIT_PAUSE + BOUNCE))
    }

    /// The digit is over: says it, and what it witnesses, each with its first break. `believed_from` is the break from
    /// which a lone one is believed at once; shorter ones may as well be a bad contact.
    pub(super) fn fire(&mut self, believed_from: u64, mut say: impl FnMut(SampleIndex, Pulsed)) {
        let Some(train) = self.train.take() else { return };
        let regular = train.count == 1
            || (PERIOD.contains(&train.shortest)
                && PERIOD.contains(&train.longest)
                && train.longest - train.shortest <= PERIOD_SPREAD);
        if !regular || train.count > 10 {
            return;
        }
        let length = train.break_total / train.count;
        if train.count == 1 && length > LONE_FLASH_ABOVE {
            return say(train.first, Pulsed::Flash { length });
        }
        let same_dial = |other: &Lone| {
            other.at.plus(LONE_REACH) >= train.first && other.length.abs_diff(length) <= BREAK_SPREAD
        };
        self.lone.retain(|lone| same_dial(lone));
        let witnessed = !self.lone.is_empty() || self.said.as_ref().is_some_and(same_dial);
        if train.count == 1 && length < believed_from && !witnessed {
            self.lone.push(Lone { at: train.first, length });
            return;
        }
        self.said = Some(Lone { at: train.last, length });
        for lone in self.lone.drain(..) {
            say(lone.at, Pulsed::Digit(Digit(b'1')));
        }
        // Ten pulses are a zero.
        say(train.first, Pulsed::Digit(Digit(b'0' + (train.count % 10) as u8)));
    }

    /// The loop opened for good. Returns the first break of a bounce that led up to it within `bounce`.
    pub(super) fn abandon(&mut self, opened: SampleIndex, bounce: u64) -> SampleIndex {
        self.lone.clear();
        self.said = None;
        match self.train.take() {
            Some(train) if opened.since(train.first) <= bounce => train.first,
            _ => opened,
        }
    }

    pub(super) fn undecided_since(&self) -> Option<SampleIndex> {
        self.train.map(|train| train.first)
    }
}
