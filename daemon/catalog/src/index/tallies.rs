//! Sums of calls over spans of time, kept up as records come: of all places together in quarters of an hour (no time
//! zone's offset is finer) and in days, of each place in spans of 8 hours, 2 days, and 8 days, all counted from 1970 in
//! UTC. Deleted records have sums of their own. This file says which sums there are and how a stretch of time is put
//! together from them; they are written in `apply::tallies` and read in `statistics`.

use line::CallType;
use rusqlite::{Connection, Result};

use crate::index::apply::unsigned;

/// Microseconds of a quarter of an hour.
pub const QUARTER_US: i64 = 900_000_000;
/// The place that stands for all.
pub const ALL_PLACES: i64 = 0;
/// Lengths of the spans of all places together, in quarters of an hour, each a multiple of the one before.
pub const SPANS_OF_ALL: [i64; 2] = [1, DAY_QUARTERS];
pub const DAY_QUARTERS: i64 = 96;
/// Lengths of the spans of each place. None of them is one of all places, which would lie scattered among their rows.
pub const SPANS_OF_PLACES: [i64; 3] = [32, 192, 768];

/// Columns of `tally` with counts and milliseconds, in the order of `CallType::ALL`.
pub fn columns() -> String {
    let names = || CallType::ALL.iter().map(|call_type| call_type.name());
    let ms = names().map(|name| format!("{name}_ms"));
    names().map(str::to_owned).chain(ms).collect::<Vec<_>>().join(", ")
}

/// How many places have sums that are not those of their records, of any length of span; all places together count as
/// one.
pub fn differing(sql: &Connection) -> Result<u64> {
    let names: Vec<&str> = CallType::ALL.iter().map(|call_type| call_type.name()).collect();
    let calls = names.join(" + ");
    let ms = names.iter().map(|name| format!("{name}_ms")).collect::<Vec<_>>().join(" + ");
    let sql_text = format!(
        "WITH of_records (place, calls, ms) AS (
             SELECT place, count(*), sum(duration_ms) FROM skim GROUP BY place
         ), of_sums (quarters, place, calls, ms) AS (
             SELECT quarters, place, sum({calls}), sum({ms}) FROM tally GROUP BY quarters, place
         ), of_all (place, calls, ms) AS (
             SELECT {ALL_PLACES}, sum(calls), sum(ms) FROM of_records HAVING count(*) > 0
             UNION ALL SELECT * FROM of_records
         )
         SELECT count(DISTINCT place) FROM of_all FULL JOIN of_sums USING (place)
         WHERE of_all.calls IS NOT of_sums.calls OR of_all.ms IS NOT of_sums.ms"
    );
    sql.query_row(&sql_text, [], |row| row.get(0).map(unsigned))
}

/// A stretch of time, in quarters of an hour: from, and before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Spans of this length, one after the other.
    Spans { quarters: i64, from: i64, before: i64 },
    /// No spans fit: its records have to be looked at.
    Records { from: i64, before: i64 },
}

/// Puts a stretch of time together from spans of these lengths. `whole(from, before)` says whether a span may be taken,
/// because all of it belongs to one group.
pub fn pieces(
    (from, before): (i64, i64),
    spans: &[i64],
    mut whole: impl FnMut(i64, i64) -> bool,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let Some(shortest) = spans.first() else { return pieces };
    let mut at = from;
    while at < before {
        let longest_first = spans.iter().rev().copied();
        let fit = longest_first
            .filter(|quarters| at.rem_euclid(*quarters) == 0 && at + quarters <= before)
            .find(|quarters| whole(at, at + quarters));
        let piece = match fit {
            Some(quarters) => Piece::Spans { quarters, from: at, before: at + quarters },
            None => {
                let next = (at.div_euclid(*shortest) + 1) * shortest;
                Piece::Records { from: at, before: next.min(before) }
            }
        };
        at = piece.before();
        match pieces.last_mut() {
            Some(last) if piece.follows(last) => last.extend(at),
            _ => pieces.push(piece),
        }
    }
    pieces
}

impl Piece {
    fn before(&self) -> i64 {
        match self {
            Self::Spans { before, .. } | Self::Records { before, .. } => *before,
        }
    }

    fn follows(&self, last: &Self) -> bool {
        match (self, last) {
            (Self::Spans { quarters, .. }, Self::Spans { quarters: of_last, .. }) => quarters == of_last,
            (Self::Records { .. }, Self::Records { .. }) => true,
            _ => false,
        }
    }

    fn extend(&mut self, to: i64) {
        match self {
            Self::Spans { before, .. } | Self::Records { before, .. } => *before = to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sums_of_all_places_lie_together() {
        assert!(SPANS_OF_ALL.iter().all(|length| !SPANS_OF_PLACES.contains(length)));
        for lengths in [&SPANS_OF_ALL[..], &SPANS_OF_PLACES[..]] {
            assert!(lengths.windows(2).all(|two| two[1] % two[0] == 0), "{lengths:?}");
        }
    }

    #[test]
    fn a_month_at_eight_hours_east_is_few_spans() {
        // March 2026 in Shanghai: 2026-02-28T16:00Z to 2026-03-31T16:00Z.
        let month = (1_772_294_400 / 900, 1_774_972_800 / 900);
        let all = pieces(month, &SPANS_OF_PLACES, |_, _| true);
        assert!(all.iter().all(|piece| matches!(piece, Piece::Spans { .. })), "{all:?}");
        let spans: i64 = all
            .iter()
            .map(|piece| match piece {
                Piece::Spans { quarters, from, before } => (before - from) / quarters,
                Piece::Records { .. } => 0,
            })
            .sum();
        assert!(spans < 20, "{spans} spans: {all:?}");
    }

    proptest! {
        #[test]
        fn pieces_lie_end_to_end(from in -5000i64..5000, length in 0i64..5000, group in 1i64..800) {
            let one_group = |from: i64, before: i64| from.div_euclid(group) == (before - 1).div_euclid(group);
            let before = from + length;
            let mut at = from;
            for piece in pieces((from, before), &SPANS_OF_PLACES, one_group) {
                let (piece_from, piece_before) = match piece {
                    Piece::Records { from, before } => (from, before),
                    Piece::Spans { quarters, from, before } => {
                        prop_assert_eq!((from.rem_euclid(quarters), before.rem_euclid(quarters)), (0, 0));
                        prop_assert!((from..before).step_by(quarters as usize).all(|at| one_group(at, at + quarters)));
                        (from, before)
                    }
                };
                prop_assert_eq!(piece_from, at);
                prop_assert!(piece_before > piece_from);
                at = piece_before;
            }
            prop_assert_eq!(at, before);
        }
    }
}
