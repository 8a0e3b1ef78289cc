//! Caller ID sent as DTMF digits on an idle line, before the first ring or between rings (ETSI ES 200 778-2 annex,
//! YDN 069 in China): a code opens each part, a code ends the whole.
//!
//! ```text
//! D number C          A number C          A number #          A number D diverting-number B reason C
//! ```
//!
//! The number is the part that A opens, or else the one that D opens; a reason (B) stands where there is no number.

use arrayvec::ArrayString;

use crate::units::{RATE_HZ, SampleIndex};
use crate::{CallerId, CallerIdStandard, Digit};

/// Longest pause between two digits of a message; 40 to 90 ms are usual.
const LONGEST_PAUSE: u64 = RATE_HZ as u64;

/// Reads DTMF caller ID from the digits of an idle line.
#[derive(Clone, Debug, Default)]
pub struct DtmfCallerId {
    message: Option<Message>,
}

#[derive(Clone, Debug)]
struct Message {
    start: SampleIndex,
    /// One behind the last digit.
    end: SampleIndex,
    opened_by: u8,
    part: u8,
    a: ArrayString<32>,
    d: ArrayString<32>,
    b: ArrayString<32>,
}

impl DtmfCallerId {
    /// Takes a digit that began at `at` and was `samples` long. Returns the caller ID that it completes, and where
    /// that began. Digits that are no such message are ignored; a new opening code begins anew.
    pub fn digit(&mut self, at: SampleIndex, samples: u32, digit: Digit) -> Option<(SampleIndex, CallerId)> {
        let end = at.plus(u64::from(samples));
        let message = self.message.take().filter(|message| at.since(message.end) <= LONGEST_PAUSE);
        let Some(mut message) = message else {
            self.message = Message::opened_by(digit.0, at, end);
            return None;
        };
        message.end = end;
        match digit.0 {
            b'0'..=b'9' => {
                // A number that is too long is no number: wait for the next opening code.
                if message.current().try_push(digit.as_char()).is_ok() {
                    self.message = Some(message);
                }
                None
            }
            // D and B go on with a message that A opened, A and D begin a new one.
            part @ (b'B' | b'D') if message.opened_by == b'A' && part != message.part => {
                message.part = part;
                self.message = Some(message);
                None
            }
            b'C' => message.finish(),
            b'#' if message.opened_by == b'A' => message.finish(),
            opening => {
                self.message = Message::opened_by(opening, at, end);
                None
            }
        }
    }

    /// Forgets a message that has begun: the line is in use.
    pub fn reset(&mut self) {
        self.message = None;
    }
}

impl Message {
    fn opened_by(code: u8, start: SampleIndex, end: SampleIndex) -> Option<Self> {
        let empty = ArrayString::new();
        matches!(code, b'A' | b'D').then_some(Self {
            start,
            end,
            opened_by: code,
            part: code,
            a: empty,
            d: empty,
            b: empty,
        })
    }

    fn current(&mut self) -> &mut ArrayString<32> {
        match self.part {
            b'A' => &mut self.a,
            b'D' => &mut self.d,
            _ => &mut self.b,
        }
    }

    fn finish(self) -> Option<(SampleIndex, CallerId)> {
        let number = if self.opened_by == b'A' { self.a } else { self.d };
        let number = (!number.is_empty()).then_some(number);
        let told = number.is_some() || !self.b.is_empty();
        let caller_id = CallerId { number, name: None, time: None, standard: CallerIdStandard::Dtmf };
        told.then_some((self.start, caller_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sends digits of 70 ms with pauses of 70 ms; a blank is a pause of two seconds.
    fn heard(digits: &str) -> Vec<(u64, Option<String>)> {
        let mut reader = DtmfCallerId::default();
        let mut at = 0;
        let mut heard = Vec::new();
        for digit in digits.bytes() {
            if digit == b' ' {
                at += 16_000;
                continue;
            }
            if let Some((start, caller_id)) = reader.digit(SampleIndex(at), 560, Digit(digit)) {
                assert_eq!(caller_id.standard, CallerIdStandard::Dtmf);
                heard.push((start.0, caller_id.number.map(|number| number.to_string())));
            }
            at += 1120;
        }
        heard
    }

    #[test]
    fn the_forms() {
        for (digits, start, number) in [
            ("D13800138000C", 0, Some("13800138000")),
            ("A2345C", 0, Some("2345")),
            ("A2345#", 0, Some("2345")),
            ("A2345D777B00C", 0, Some("2345")),
            ("A2345D777C", 0, Some("2345")),
            ("A2345B10#", 0, Some("2345")),
            ("AB10C", 0, None),
            // What was dialled or begun before is no part of it.
            ("12D110C", 2 * 1120, Some("110")),
            ("D1D110C", 2 * 1120, Some("110")),
            ("A1A110#", 2 * 1120, Some("110")),
        ] {
            assert_eq!(heard(digits), [(start, number.map(str::to_string))], "{digits}");
        }
        assert_eq!(heard("D1C D2C"), [(0, Some("1".into())), (3 * 1120 + 16_000, Some("2".into()))]);
    }

    #[test]
    fn what_is_no_message() {
        for digits in ["", "DC", "AC", "A#", "13800138000#", "D12#", "D12*3C", "D12 3C", "D12", "B10C"] {
            assert_eq!(heard(digits), [], "{digits}");
        }
        assert_eq!(heard(&format!("D{}C", "1".repeat(33))), []);
    }

    #[test]
    fn a_reset_forgets() {
        let mut reader = DtmfCallerId::default();
        assert_eq!(reader.digit(SampleIndex(0), 400, Digit(b'D')), None);
        assert_eq!(reader.digit(SampleIndex(800), 400, Digit(b'1')), None);
        reader.reset();
        assert_eq!(reader.digit(SampleIndex(1600), 400, Digit(b'C')), None);
    }

    proptest! {
        #[test]
        fn any_digits_at_any_time(
            digits in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u8>()), 0..200),
        ) {
            let mut reader = DtmfCallerId::default();
            for (at, samples, digit) in digits {
                if let Some((_, caller_id)) = reader.digit(SampleIndex(u64::from(at)), samples, Digit(digit)) {
                    let number = caller_id.number.unwrap_or_default();
                    prop_assert!(number.bytes().all(|byte| byte.is_ascii_digit()));
                }
            }
        }
    }
}
