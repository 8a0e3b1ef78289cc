//! Members of a record with few values, put together: each combination that occurs has a number, and the indexes are
//! laid out by it. A filter on any of these members is then a choice of combinations, made without touching a record.

use line::{CallType, StartMode, StopMode};

use crate::index::named;
use crate::record::Grade;

/// Lower bounds of the classes of length, in milliseconds. A range of lengths is whole classes and at most two of
/// which part must be looked at.
const LENGTH_CLASSES_MS: [u64; 11] =
    [0, 1, 5_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000];

/// One combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Combo {
    /// Seconds east of UTC.
    pub offset_s: i32,
    pub call_type: CallType,
    pub start_mode: StartMode,
    pub stop_mode: StopMode,
    pub grade: Grade,
    pub audio: bool,
    pub deleted: bool,
    pub length_class: u8,
}

/// The class that a length lies in.
pub fn length_class(duration_ms: u64) -> u8 {
    let class = LENGTH_CLASSES_MS.iter().rposition(|&from| from <= duration_ms).unwrap_or(0);
    class as u8
}

/// How a class lies to a range of lengths, both ends inside the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    None,
    /// Each record's length has to be looked at.
    Part,
    Whole,
}

pub fn overlap(class: u8, min_ms: Option<u64>, max_ms: Option<u64>) -> Overlap {
    let class = usize::from(class).min(LENGTH_CLASSES_MS.len() - 1);
    let first = LENGTH_CLASSES_MS[class];
    let last = LENGTH_CLASSES_MS.get(class + 1).map_or(u64::MAX, |next| next - 1);
    let (min, max) = (min_ms.unwrap_or(0), max_ms.unwrap_or(u64::MAX));
    if last < min || first > max {
        Overlap::None
    } else if min <= first && last <= max {
        Overlap::Whole
    } else {
        Overlap::Part
    }
}

/// Columns of `combo` behind `id`, in order.
pub const COLUMNS: &str = "offset_s, call_type, start_mode, stop_mode, grade, audio, deleted, length_class";

impl Combo {
    /// Reads `COLUMNS` that begin at column `at`.
    pub fn from_row(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            offset_s: row.get(at)?,
            call_type: named(row, at + 1, CallType::from_name)?,
            start_mode: named(row, at + 2, StartMode::from_name)?,
            stop_mode: named(row, at + 3, StopMode::from_name)?,
            grade: named(row, at + 4, Grade::from_name)?,
            audio: row.get(at + 5)?,
            deleted: row.get(at + 6)?,
            length_class: row.get(at + 7)?,
        })
    }

    /// Values of `COLUMNS`, in order.
    pub fn params(&self) -> impl rusqlite::Params {
        (
            self.offset_s,
            self.call_type.name(),
            self.start_mode.name(),
            self.stop_mode.name(),
            self.grade.name(),
            self.audio,
            self.deleted,
            self.length_class,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_class_says_what_its_lengths_do(
            ms in 0u64..8_000_000, min in prop::option::of(0u64..8_000_000), max in prop::option::of(0u64..8_000_000),
        ) {
            let inside = min.is_none_or(|min| ms >= min) && max.is_none_or(|max| ms <= max);
            match overlap(length_class(ms), min, max) {
                Overlap::None => prop_assert!(!inside),
                Overlap::Whole => prop_assert!(inside),
                Overlap::Part => {}
            }
        }
    }

    #[test]
    fn classes_begin_at_their_bounds() {
        for (ms, class) in
            [(0, 0), (1, 1), (4_999, 1), (5_000, 2), (3_599_999, 9), (3_600_000, 10), (u64::MAX, 10)]
        {
            assert_eq!(length_class(ms), class, "{ms} ms");
        }
    }
}
