//! Counts and lengths of what a query finds: each call type by itself, in hours, days, months or ports.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::Tz;
use rusqlite::Result;

use crate::index::apply::{unsigned, us_from_key};
use crate::index::search::Filter;
use crate::index::sources::walk;
use crate::query::{CallTotals, GroupBy, Statistics};

/// A group: a local hour, day or month, or a port. Groups order as they are shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Time { year: i32, month: u32, day: u32, hour: u32 },
    Port(u16),
}

pub fn statistics(filter: &Filter<'_>, by: GroupBy, zone: Tz) -> Result<Statistics> {
    let mut groups: BTreeMap<Group, CallTotals> = BTreeMap::new();
    let mut totals = CallTotals::default();
    // Neighbours mostly lie in the same quarter of an hour, of which no zone's offset changes the inside.
    let mut last: Option<(i64, Group)> = None;
    walk(filter, u64::MAX, &mut |row, _| {
        let Some(allowed) = filter.combos.get(row.combo) else { return ControlFlow::Continue(()) };
        let group = match by {
            GroupBy::Port => Group::Port(row.port),
            _ => {
                let quarter = us_from_key(row.key).div_euclid(900_000_000);
                match last {
                    Some((same, group)) if same == quarter => group,
                    _ => {
                        let group = local_group(quarter, by, zone);
                        last = Some((quarter, group));
                        group
                    }
                }
            }
        };
        for tally in
            [groups.entry(group).or_default().of(allowed.combo.call_type), totals.of(allowed.combo.call_type)]
        {
            tally.count += 1;
            tally.duration_ms += unsigned(row.duration_ms);
        }
        ControlFlow::Continue(())
    })?;
    let rows = groups.into_iter().map(|(group, totals)| (group.key(by), totals)).collect();
    Ok(Statistics { rows, totals })
}

fn local_group(quarter: i64, by: GroupBy, zone: Tz) -> Group {
    let utc = DateTime::from_timestamp(quarter.saturating_mul(900), 0).unwrap_or_default();
    let local = utc.with_timezone(&zone);
    Group::Time {
        year: local.year(),
        month: local.month(),
        day: if by == GroupBy::Month { 0 } else { local.day() },
        hour: if by == GroupBy::Hour { local.hour() } else { 0 },
    }
}

impl Group {
    fn key(self, by: GroupBy) -> String {
        match self {
            Self::Port(port) => port.to_string(),
            Self::Time { year, month, day, hour } => match by {
                GroupBy::Month => format!("{year:04}-{month:02}"),
                GroupBy::Hour => format!("{year:04}-{month:02}-{day:02}T{hour:02}"),
                GroupBy::Day | GroupBy::Port => format!("{year:04}-{month:02}-{day:02}"),
            },
        }
    }
}
