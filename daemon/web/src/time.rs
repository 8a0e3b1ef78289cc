//! Moments as the API writes them: RFC 3339 with milliseconds and the box's offset.

use chrono::{DateTime, FixedOffset, Offset, SecondsFormat, Utc};
use chrono_tz::Tz;

/// A moment in the box's zone. `us`: microseconds of UTC since 1970.
pub fn in_zone(us: i64, zone: Tz) -> String {
    moment(us).with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// A moment with the offset that was in force at the box, in seconds east of UTC.
pub fn with_offset(us: i64, offset_s: i32) -> String {
    let offset = FixedOffset::east_opt(offset_s).unwrap_or_else(|| Utc.fix());
    moment(us).with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// The same for people, in tables and files: `2026-03-01 08:00:12`.
pub fn for_people(us: i64, offset_s: i32) -> String {
    let offset = FixedOffset::east_opt(offset_s).unwrap_or_else(|| Utc.fix());
    moment(us).with_timezone(&offset).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A moment that no calendar has is shown as the first of 1970 rather than not at all.
fn moment(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or_default()
}

/// Microseconds of UTC now.
pub fn now_us() -> i64 {
    Utc::now().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn milliseconds_and_offset_are_always_written() {
        assert_eq!(with_offset(1_772_323_212_340_999, 28_800), "2026-03-01T08:00:12.340+08:00");
        assert_eq!(with_offset(0, 0), "1970-01-01T00:00:00.000+00:00");
        assert_eq!(
            in_zone(1_772_323_200_000_000, chrono_tz::Asia::Shanghai),
            "2026-03-01T08:00:00.000+08:00"
        );
        assert_eq!(for_people(1_772_323_212_340_999, 28_800), "2026-03-01 08:00:12");
    }

    proptest! {
        #[test]
        fn any_number_is_a_moment(us in any::<i64>(), offset_s in any::<i32>()) {
            let text = with_offset(us, offset_s);
            prop_assert!(text.len() >= 29, "{}", text);
        }
    }
}
