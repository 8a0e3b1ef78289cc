//! DTMF codes that start and stop a recording (start mode `key`).

use arrayvec::ArrayVec;
use signal::SampleIndex;

/// Longest code.
pub(crate) const MAX_CODE: usize = 16;

/// The last keys that were pressed.
#[derive(Debug, Default)]
pub(crate) struct KeyCode(ArrayVec<(SampleIndex, u8), MAX_CODE>);

impl KeyCode {
    pub(crate) fn press(&mut self, at: SampleIndex, digit: u8) {
        if self.0.is_full() {
            self.0.remove(0);
        }
        self.0.push((at, digit));
    }

    /// Where `code` began, if it has just been keyed in; its keys are used up then.
    pub(crate) fn take(&mut self, code: &str) -> Option<SampleIndex> {
        let keyed = self.0.get(self.0.len().checked_sub(code.len())?..)?;
        let (begin, _) = *keyed.first()?;
        keyed.iter().map(|(_, digit)| *digit).eq(code.bytes()).then(|| {
            self.0.clear();
            begin
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_taken_once_and_wherever_it_ends() {
        let mut keys = KeyCode::default();
        let mut at = 0;
        let mut pressed = |digits: &str, code: &str| {
            for digit in digits.bytes() {
                at += 1;
                keys.press(SampleIndex(at), digit);
            }
            keys.take(code).map(|begin| begin.0)
        };
        assert_eq!(pressed("0123456789012345*#", "*#"), Some(17));
        assert_eq!(pressed("", "*#"), None);
        assert_eq!(pressed("*1#", "*#"), None);
        assert_eq!(pressed("**#", "*#"), Some(23));
        assert_eq!(pressed("#", "*#"), None);
        assert_eq!(pressed("0123456789ABCD*#", "0123456789ABCD*#"), Some(26));
    }
}
