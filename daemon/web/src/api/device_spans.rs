//! To which department a station, or a port of one, belongs from when on; and who may change that.

use catalog::{Device, Scope, Since};

use crate::fields::Fields;
use crate::problem::Problem;
use crate::scope::{manages, not_yours};

/// Before every record: a station that is new belongs to its department with all that it brings along.
pub const EVER_US: i64 = 0;

pub fn since_of(fields: &mut Fields) -> Result<Option<i64>, Problem> {
    fields.maybe("since", "a time such as 2026-03-01T08:00:00+08:00", |value| {
        let time = chrono::DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
        Some(time.timestamp_micros()).filter(|us| *us > EVER_US)
    })
}

/// Nobody takes over a time in which the thing belonged to others.
///
/// # Errors
/// `department_not_yours`.
pub fn check_past(scope: &Scope, spans: &[Since], since_us: i64) -> Result<(), Problem> {
    if scope.is_everything() {
        return Ok(());
    }
    let before = spans.iter().rev().find(|span| span.from_us <= since_us);
    let later = spans.iter().filter(|span| span.from_us > since_us);
    let own = |span: &Since| manages(scope, span.department.as_deref());
    if before.is_some_and(own) && later.clone().all(own) { Ok(()) } else { Err(not_yours()) }
}

/// Nobody removes what others have, or had, a part of: with the station they would lose sight of what it recorded for them.
///
/// # Errors
/// `department_not_yours`.
pub fn check_removal(scope: &Scope, device: &Device) -> Result<(), Problem> {
    let mut spans = device.departments.iter().chain(device.ports.values().flatten());
    let own = spans.all(|span| manages(scope, span.department.as_deref()));
    if own { Ok(()) } else { Err(not_yours().with("serial", device.serial.as_str())) }
}

/// From `since_us` on, and until somebody says otherwise.
pub fn belong(spans: &mut Vec<Since>, since_us: i64, department: Option<String>) {
    spans.retain(|span| span.from_us < since_us);
    if spans.last().map(|span| &span.department) != Some(&department) {
        spans.push(Since { from_us: since_us, department });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::{Grant, Only};
    use std::collections::BTreeSet;

    fn since(from_us: i64, department: Option<&str>) -> Since {
        Since { from_us, department: department.map(str::to_owned) }
    }

    #[test]
    fn a_thing_belongs_somewhere_from_a_time_on_whatever_was_said_before() {
        let mut spans = vec![since(10, Some("east")), since(20, Some("west"))];
        belong(&mut spans, 15, Some("north".into()));
        assert_eq!(spans, [since(10, Some("east")), since(15, Some("north"))]);
        belong(&mut spans, 30, Some("north".into()));
        assert_eq!(spans.len(), 2, "nothing has changed");
        belong(&mut spans, 10, None);
        assert_eq!(spans, [since(10, None)]);
    }

    #[test]
    fn nobody_takes_over_the_past_of_another_department() {
        let east = Scope::of(Vec::<Grant>::new(), Only::These(BTreeSet::from(["east".to_owned()])));
        let spans = [since(10, Some("west")), since(20, Some("east"))];
        assert!(check_past(&east, &spans, 25).is_ok());
        assert!(check_past(&east, &spans, 20).is_ok());
        assert!(check_past(&east, &spans, 19).is_err(), "it was west's then");
        assert!(check_past(&east, &spans, 5).is_err());
        assert!(check_past(&Scope::everything(), &spans, 5).is_ok());
        let planned = [since(10, Some("east")), since(90, Some("west"))];
        assert!(check_past(&east, &planned, 50).is_err(), "it has been promised to west");
    }
}
