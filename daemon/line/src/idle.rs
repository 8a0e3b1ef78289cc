//! Digits on an on-hook line. They may be caller ID by DTMF, which comes before the first ring (or between rings) and
//! is told by its letters only when it is whole; or the first digit of a call whose off-hook is not believed yet. They
//! are held back until that is known.

use arrayvec::ArrayVec;
use signal::units::ms_to_samples;
use signal::{Digit, SampleIndex};

/// The longest caller-ID message has two numbers of 20 digits and four letters.
const HELD: usize = 48;
/// Digits of one message follow each other within this.
const MESSAGE_PAUSE: u64 = ms_to_samples(1000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeldDigit {
    pub(crate) at: SampleIndex,
    pub(crate) digit: Digit,
    pub(crate) samples: u32,
    /// From this line's telephone, as far as the tracks tell.
    pub(crate) dialled: bool,
}

#[derive(Debug, Default)]
pub(crate) struct IdleDigits(ArrayVec<HeldDigit, HELD>);

impl IdleDigits {
    /// Holds a digit back. Returns the oldest one when there are more than any message has.
    pub(crate) fn hold(&mut self, digit: HeldDigit) -> Option<HeldDigit> {
        let oldest = if self.0.is_full() { Some(self.0.remove(0)) } else { None };
        self.0.push(digit);
        oldest
    }

    /// The digits from `at` on were caller ID.
    pub(crate) fn forget_from(&mut self, at: SampleIndex) {
        self.0.retain(|held| held.at < at);
    }

    /// The next digit that is none of a message, when all that happened before `settled` is known.
    pub(crate) fn release(&mut self, settled: SampleIndex) -> Option<HeldDigit> {
        let first = self.0.first()?;
        let last = self.0.last()?;
        let message = matches!(first.digit.0, b'A' | b'D');
        let over = settled.since(last.at) > MESSAGE_PAUSE + u64::from(last.samples);
        (first.at < settled && (!message || over)).then(|| self.0.remove(0))
    }

    /// The next digit, whatever it is: the line is off-hook now.
    pub(crate) fn release_any(&mut self) -> Option<HeldDigit> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}
