//! What the software unit can be asked to do wrong, once each, by tests and by installers who train.

use std::str::FromStr;

/// Something that a unit should not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// So many packets get lost on the way.
    Drop(u32),
    /// A packet is sent twice.
    Repeat,
    /// A packet ends after 100 bytes.
    Short,
    /// A packet has a byte too many.
    Long,
    /// A packet of nothing sensible.
    Garbage,
    /// A packet says that it has another number of lines.
    Lines,
    /// A byte of a packet is changed.
    Checksum,
    /// From a packet on, numbers are five ahead.
    Number,
    /// From a packet on, samples are counted from a second ago.
    Count,
    /// Nothing is sent for so many milliseconds, and kept in the FIFO as far as it goes.
    Hold(u64),
    /// Nothing is sent any more until the next start.
    Silent,
    /// So many packets of nothing sensible, one behind the other.
    Noise(u32),
    /// The endpoint halts.
    Halt,
    /// The unit disappears in the middle of a transfer.
    Vanish,
}

/// Words of [`Fault::from_str`].
pub const WORDS: &str = "drop N, repeat, short, long, garbage, lines, checksum, number, count, hold MS, silent, noise N, halt, vanish";

impl FromStr for Fault {
    type Err = String;

    fn from_str(words: &str) -> Result<Self, String> {
        let mut words = words.split_whitespace();
        let (name, number) = (words.next().unwrap_or_default(), words.next());
        let number = |default: u64| match number {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("'{text}' is no number")),
        };
        let packets =
            |default: u64| u32::try_from(number(default)?).map_err(|_| "that is too many packets".to_owned());
        Ok(match name {
            "drop" => Self::Drop(packets(1)?),
            "repeat" => Self::Repeat,
            "short" => Self::Short,
            "long" => Self::Long,
            "garbage" => Self::Garbage,
            "lines" => Self::Lines,
            "checksum" => Self::Checksum,
            "number" => Self::Number,
            "count" => Self::Count,
            "hold" => Self::Hold(number(1000)?),
            "silent" => Self::Silent,
            "noise" => Self::Noise(packets(100)?),
            "halt" => Self::Halt,
            "vanish" => Self::Vanish,
            _ => return Err(format!("'{name}' is no fault: use one of {WORDS}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_asked_for_by_words() {
        assert_eq!("drop 3".parse(), Ok(Fault::Drop(3)));
        assert_eq!(" hold ".parse(), Ok(Fault::Hold(1000)));
        assert!("drop many".parse::<Fault>().is_err());
        for words in WORDS.split(", ") {
            let name = words.split(' ').next().unwrap();
            assert!(name.parse::<Fault>().is_ok(), "{name}");
        }
    }
}
