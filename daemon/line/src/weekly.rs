//! Times of the week, as settings give them. `line` knows no clock: whoever has one asks here whether a span holds at
//! a local weekday and minute, and tells the line when it begins and ends.

use serde::{Deserialize, Serialize};

/// Minutes of a day.
const DAY_MIN: u16 = 24 * 60;

/// A span of the week in the box's local time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeeklySpan {
    /// 1 Monday … 7 Sunday: the days on which the span begins.
    pub weekdays: Vec<u8>,
    /// `HH:MM`
    pub from: String,
    /// `HH:MM` or `24:00`; not later than `from` means the next day.
    pub to: String,
}

impl WeeklySpan {
    /// Whether the span holds in the minute `minute` (0 … 1439) of `weekday` (1 Monday … 7 Sunday), local time. The
    /// minute `to` is outside. A span whose times cannot be read never holds; `ChannelSettings::validate` refuses it.
    pub fn holds(&self, weekday: u8, minute: u16) -> bool {
        let (Some(from), Some(to)) = (minute_of_day(&self.from), minute_of_day(&self.to)) else {
            return false;
        };
        let begins_on = |day: u8| self.weekdays.contains(&day);
        if from < to {
            return begins_on(weekday) && (from..to).contains(&minute);
        }
        let day_before = if weekday == 1 { 7 } else { weekday.saturating_sub(1) };
        (begins_on(weekday) && minute >= from) || (begins_on(day_before) && minute < to)
    }
}

/// Whether any of `spans` holds.
pub fn any_holds(spans: &[WeeklySpan], weekday: u8, minute: u16) -> bool {
    spans.iter().any(|span| span.holds(weekday, minute))
}

/// `HH:MM` as a minute of the day, 0 … 1440 (`24:00`).
pub(crate) fn minute_of_day(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    let [h1, h2, b':', m1, m2] = *bytes else { return None };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let (hour, minute) = (digit(h1)? * 10 + digit(h2)?, digit(m1)? * 10 + digit(m2)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MIN).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(weekdays: &[u8], from: &str, to: &str) -> WeeklySpan {
        WeeklySpan { weekdays: weekdays.to_vec(), from: from.into(), to: to.into() }
    }

    #[test]
    fn spans_hold_from_their_first_minute_to_the_one_before_their_last() {
        /// Weekdays, from, to; at weekday, at minute; holds.
        type Row<'a> = (&'a [u8], &'a str, &'a str, u8, u16, bool);
        let table: &[Row] = &[
            (&[1], "08:00", "18:00", 1, 8 * 60 - 1, false),
            (&[1], "08:00", "18:00", 1, 8 * 60, true),
            (&[1], "08:00", "18:00", 1, 18 * 60 - 1, true),
            (&[1], "08:00", "18:00", 1, 18 * 60, false),
            (&[1], "08:00", "18:00", 2, 9 * 60, false),
            // Over midnight: the second part belongs to the day after, also from Sunday to Monday.
            (&[5], "22:00", "06:00", 5, 22 * 60, true),
            (&[5], "22:00", "06:00", 6, 5 * 60 + 59, true),
            (&[5], "22:00", "06:00", 6, 6 * 60, false),
            (&[5], "22:00", "06:00", 5, 5 * 60, false),
            (&[7], "22:00", "06:00", 1, 0, true),
            // Whole days.
            (&[3], "00:00", "24:00", 3, 0, true),
            (&[3], "00:00", "24:00", 3, 1439, true),
            (&[3], "00:00", "24:00", 4, 0, false),
            (&[3], "12:00", "12:00", 3, 12 * 60, true),
            (&[3], "12:00", "12:00", 4, 12 * 60 - 1, true),
            (&[3], "12:00", "12:00", 4, 12 * 60, false),
            (&[], "00:00", "24:00", 3, 10, false),
            (&[3], "later", "24:00", 3, 10, false),
        ];
        for (weekdays, from, to, weekday, minute, holds) in table {
            let span = span(weekdays, from, to);
            assert_eq!(span.holds(*weekday, *minute), *holds, "{span:?} on {weekday} at {minute}");
        }
    }

    proptest! {
        #[test]
        fn a_span_holds_for_its_length_each_week(
            day in 1u8..=7, from in 0u16..1440, to in 0u16..=1440
        ) {
            let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let span = span(&[day], &text(from), &text(to));
            let held = (1..=7).flat_map(|d| (0..1440).map(move |m| (d, m))).filter(|&(d, m)| span.holds(d, m));
            let length = if from < to { to - from } else { to + 1440 - from };
            prop_assert_eq!(held.count(), usize::from(length));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,8}", weekday: u8, minute: u16) {
            let _ = span(&[weekday], &text, &text).holds(weekday, minute);
        }
    }
}
