//! Digits on an on-hook line. They may be caller ID by DTMF, which comes before the first ring (or between rings) and
//! is told by its letters only when it is whole; or the first digit of a call whose off-hook is not believed yet. They
//! are held back until that is known.

use arrayvec::ArrayVec;
use signal::units::ms_to_samples;
use signal::{CallerId, Digit, DtmfCallerId, SampleIndex};

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

/// What a digit that is held back leads to.
#[derive(Debug)]
pub(crate) enum Held {
    Waiting,
    /// It completes a message that began at the sample given; its digits are no digits.
    CallerId(SampleIndex, CallerId),
    /// There are more digits than any message has: the oldest is none of one.
    Digit(HeldDigit),
}

#[derive(Debug, Default)]
pub(crate) struct IdleDigits {
    held: ArrayVec<HeldDigit, HELD>,
    reader: DtmfCallerId,
}

impl IdleDigits {
    pub(crate) fn hold(&mut self, digit: HeldDigit) -> Held {
        if let Some((start, caller_id)) = self.reader.digit(digit.at, digit.samples, digit.digit) {
            self.held.retain(|held| held.at < start);
            return Held::CallerId(start, caller_id);
        }
        let oldest = if self.held.is_full() { Some(self.held.remove(0)) } else { None };
        self.held.push(digit);
        oldest.map_or(Held::Waiting, Held::Digit)
    }

    /// The next digit that is none of a message, when all that happened before `settled` is known.
    pub(crate) fn release(&mut self, settled: SampleIndex) -> Option<HeldDigit> {
        let first = self.held.first()?;
        let last = self.held.last()?;
        let message = matches!(first.digit.0, b'A' | b'D');
        let over = settled.since(last.at) > MESSAGE_PAUSE + u64::from(last.samples);
        (first.at < settled && (!message || over)).then(|| self.held.remove(0))
    }

    /// The next digit, whatever it is: the line is off-hook now.
    pub(crate) fn release_any(&mut self) -> Option<HeldDigit> {
        self.reader.reset();
        (!self.held.is_empty()).then(|| self.held.remove(0))
    }
}
