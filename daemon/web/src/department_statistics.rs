//! Counts and lengths by department (PF-11): each record belongs to the department that its port belonged to when it
//! began, and so a period is counted in pieces between the dates at which anything went elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{CallTotals, Device, GroupBy, RecordQuery, Scope, Statistics};
use line::CallType;

use crate::app::App;
use crate::problem::{Code, Problem};
use crate::role::Served;

/// Pieces that a period is counted in: each is a query of its own.
const MOST_PIECES: usize = 200;

/// One row for each department, without those below it; an empty key for what belongs to none. Blocks.
///
/// # Errors
/// When the catalog cannot be read, or so much has moved in the period that it would take too long.
pub fn by_department(app: &App, scope: &Scope, filters: &RecordQuery) -> Result<Statistics, Problem> {
    let devices: BTreeMap<String, Device> = match &app.served {
        Served::Station(_) => BTreeMap::new(),
        Served::Platform(platform) => {
            let devices = platform.devices().into_iter();
            devices.map(|now| (now.device.serial.clone(), Device::clone(&now.device))).collect()
        }
    };
    let pieces = pieces_of(&devices, filters);
    if pieces.len() > MOST_PIECES {
        let title = "Too much has gone from one department to another in this period: choose a shorter one.";
        let problem = Problem::new(Code::TooManyFound, title);
        return Err(problem.with("found", pieces.len()).with("most", MOST_PIECES));
    }
    let mut rows = BTreeMap::<String, CallTotals>::new();
    let mut totals = CallTotals::default();
    for (from_us, to_us) in pieces {
        let piece = RecordQuery { from_us, to_us, ..filters.clone() };
        let counted = app.catalog().statistics(scope, &piece, GroupBy::StationPort, app.zone())?;
        for (key, counted) in counted.rows {
            // At the beginning of a piece as at its end: nothing moves within it.
            let at_us = from_us.unwrap_or(i64::MIN);
            let department = department_of(&devices, &key, at_us).unwrap_or_default();
            add(rows.entry(department).or_default(), &counted);
            add(&mut totals, &counted);
        }
    }
    Ok(Statistics { rows: rows.into_iter().collect(), totals })
}

/// The period, cut where something went elsewhere.
fn pieces_of(devices: &BTreeMap<String, Device>, filters: &RecordQuery) -> Vec<(Option<i64>, Option<i64>)> {
    let spans =
        devices.values().flat_map(|device| device.departments.iter().chain(device.ports.values().flatten()));
    let within = |us: &i64| {
        filters.from_us.is_none_or(|from_us| *us > from_us) && filters.to_us.is_none_or(|to_us| *us < to_us)
    };
    let cuts: BTreeSet<i64> = spans.map(|span| span.from_us).filter(within).collect();
    let ends = cuts.iter().copied().map(Some).chain([filters.to_us]);
    std::iter::once(filters.from_us).chain(cuts.iter().copied().map(Some)).zip(ends).collect()
}

fn department_of(devices: &BTreeMap<String, Device>, key: &str, at_us: i64) -> Option<String> {
    let (serial, port) = key.rsplit_once(':')?;
    devices.get(serial)?.department_at(port.parse().ok(), at_us).map(str::to_owned)
}

fn add(sum: &mut CallTotals, more: &CallTotals) {
    let mut more = more.clone();
    for call_type in CallType::ALL {
        let (sum, more) = (sum.of(*call_type), *more.of(*call_type));
        sum.count += more.count;
        sum.duration_ms += more.duration_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::Since;

    #[test]
    fn a_period_is_cut_where_something_moves() {
        let mut device = Device::new("A");
        let since = |from_us, name: &str| Since { from_us, department: Some(name.into()) };
        device.departments = vec![since(0, "east"), since(50, "west")];
        device.ports.insert(2, vec![since(70, "desk")]);
        let devices = BTreeMap::from([("A".to_owned(), device)]);
        let pieces =
            |from_us, to_us| pieces_of(&devices, &RecordQuery { from_us, to_us, ..RecordQuery::default() });
        assert_eq!(pieces(Some(10), Some(40)), [(Some(10), Some(40))]);
        assert_eq!(pieces(Some(10), Some(60)), [(Some(10), Some(50)), (Some(50), Some(60))]);
        assert_eq!(pieces(Some(50), None), [(Some(50), Some(70)), (Some(70), None)]);
        assert_eq!(pieces(None, None).len(), 4);
        let of = |key, at_us| department_of(&devices, key, at_us);
        assert_eq!((of("A:1", 49), of("A:1", 50)), (Some("east".into()), Some("west".into())));
        assert_eq!((of("A:2", 60), of("A:2", 70), of("B:1", 70)), (None, Some("desk".into()), None));
    }
}
