//! What a day was: recordings by type of call, alarms by kind, what stands now, stations offline, room on the disk.

use std::collections::BTreeMap;

use catalog::{
    AlarmQuery, AlarmState, CallTotals, Catalog, DeletedFilter, GroupBy, PageRequest, Params, RecordQuery,
    Scope,
};
use chrono::{DateTime, Days, LocalResult, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use recording::FreeSpace;

use crate::events::Key;

/// Standing alarms that are named.
const MOST_STANDING: u32 = 50;
/// A summary that could not be sent tells of more than a day when it goes out, but of no more than this.
const MOST_DAYS: u64 = 31;

/// The figures of a summary.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Microseconds of UTC.
    pub from_us: i64,
    /// Microseconds of UTC.
    pub to_us: i64,
    /// Deleted recordings too: the calls were there.
    pub calls: CallTotals,
    /// Alarms that were raised, by code.
    pub raised: BTreeMap<String, u64>,
    /// Alarms that stand now, the newest of them.
    pub standing: Vec<(Key, Params)>,
    pub standing_count: u64,
    /// Serial numbers; `None` on a station.
    pub offline: Option<Vec<String>>,
    pub disk: Option<FreeSpace>,
}

impl Summary {
    /// Reads the figures of that time; what only the box knows is left open.
    ///
    /// # Errors
    /// Those of the catalog.
    pub fn read(catalog: &Catalog, zone: Tz, from_us: i64, to_us: i64) -> Result<Self, catalog::Error> {
        let everything = Scope::everything();
        let query = RecordQuery {
            from_us: Some(from_us),
            to_us: Some(to_us),
            deleted: DeletedFilter::All,
            ..RecordQuery::default()
        };
        let calls = catalog.statistics(&everything, &query, GroupBy::Day, zone)?.totals;

        let of_time = AlarmQuery {
            state: AlarmState::All,
            from_us: Some(from_us),
            to_us: Some(to_us),
            ..AlarmQuery::default()
        };
        let mut raised = BTreeMap::new();
        let mut request = PageRequest { after: None, limit: 1000, count_up_to: 0 };
        loop {
            let page = catalog.alarms(&everything, &of_time, request)?;
            for alarm in page.items {
                *raised.entry(alarm.code).or_default() += 1;
            }
            match page.next {
                Some(next) => request.after = Some(next),
                None => break,
            }
        }

        let first = PageRequest { after: None, limit: MOST_STANDING, count_up_to: 1_000_000 };
        let current = catalog.alarms(&everything, &AlarmQuery::default(), first)?;
        let standing_count = current.total.unwrap_or(current.items.len() as u64);
        let standing = current.items.into_iter().map(|alarm| {
            let key = Key { station: alarm.station, code: alarm.code, port: alarm.port, thing: alarm.thing };
            (key, alarm.params)
        });
        let standing = standing.collect();
        Ok(Self { from_us, to_us, calls, raised, standing, standing_count, offline: None, disk: None })
    }
}

/// The last moment up to now at which it was that time of the day, microseconds of UTC.
pub fn last_due_us(now_us: i64, zone: Tz, (hour, minute): (u32, u32)) -> i64 {
    let Some(now) = DateTime::from_timestamp_micros(now_us) else { return now_us };
    let today = now.with_timezone(&zone).date_naive();
    let moments =
        (0..3).filter_map(|days| moment(today.checked_sub_days(Days::new(days))?, zone, hour, minute));
    moments.map(|moment| moment.timestamp_micros()).find(|due_us| *due_us <= now_us).unwrap_or(now_us)
}

/// That time of that day. A time that a change to summer time leaves out counts as an hour later, one that comes twice
/// as the first.
fn moment(day: NaiveDate, zone: Tz, hour: u32, minute: u32) -> Option<DateTime<Utc>> {
    let at = |hour: u32| match zone.from_local_datetime(&day.and_hms_opt(hour, minute, 0)?) {
        LocalResult::Single(moment) | LocalResult::Ambiguous(moment, _) => Some(moment.to_utc()),
        LocalResult::None => None,
    };
    at(hour).or_else(|| at((hour + 1) % 24))
}

/// Where a summary begins that ends at `due_us`, for somebody who knows of everything up to `known_us`. `None`: there is
/// nothing to tell yet.
pub fn begin_us(known_us: i64, due_us: i64) -> Option<i64> {
    let longest_us = MOST_DAYS as i64 * 86_400_000_000;
    (known_us < due_us).then(|| known_us.max(due_us - longest_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).expect("a time").timestamp_micros()
    }

    #[test]
    fn a_day_ends_at_the_time_that_is_set_in_the_box_s_zone() {
        for (now, zone, at, due) in [
            ("2026-11-22T08:00:00+08:00", Tz::Asia__Shanghai, (8, 0), "2026-11-22T08:00:00+08:00"),
            ("2026-11-22T07:59:59+08:00", Tz::Asia__Shanghai, (8, 0), "2026-11-21T08:00:00+08:00"),
            ("2026-11-22T23:59:00+08:00", Tz::Asia__Shanghai, (0, 0), "2026-11-22T00:00:00+08:00"),
            // The night in which 02:30 does not exist, and the one in which it comes twice.
            ("2026-03-29T12:00:00+02:00", Tz::Europe__Berlin, (2, 30), "2026-03-29T03:30:00+02:00"),
            ("2026-10-25T12:00:00+01:00", Tz::Europe__Berlin, (2, 30), "2026-10-25T02:30:00+02:00"),
        ] {
            assert_eq!(last_due_us(us(now), zone, at), us(due), "{now} {at:?}");
        }
    }

    #[test]
    fn a_late_summary_tells_of_all_days_that_were_missed_up_to_a_month() {
        let day = 86_400_000_000;
        assert_eq!(begin_us(10 * day, 10 * day), None);
        assert_eq!(begin_us(11 * day, 10 * day), None, "the clock was put back");
        assert_eq!(begin_us(9 * day, 10 * day), Some(9 * day));
        assert_eq!(begin_us(day, 100 * day), Some(69 * day));
    }
}
