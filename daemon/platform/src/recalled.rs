//! Commands of the run before, as the audit trail has them: what each has come to, and the end of those that the stop cut
//! off. Their stations were told what to do; what they have done by then stays done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::{AuditEntry, AuditQuery, AuditResult, AuditRow, Catalog, Error, PageRequest, Scope};
use serde_json::{Map, Value};
use uplink::command::What;

use crate::orders::{COMMAND_END, CommandNow, CommandState, end_of};

/// Operations that give commands.
const GIVING: [&str; 2] = ["command", "fetch"];
const AT_ONCE: u32 = 1000;
/// Commands that are looked back at; their ends are read as far back as the oldest of them.
const MOST_COMMANDS: usize = 20_000;
/// How far back: a platform may have been away over some days of rest.
const LOOK_BACK: Duration = Duration::from_secs(8 * 86_400);

/// What is known of them, and the ends that the trail lacks.
#[derive(Debug, Default)]
pub(crate) struct Recalled {
    /// Each with the entry of whoever gave it.
    pub commands: Vec<(CommandNow, AuditEntry)>,
    pub cut: Vec<AuditEntry>,
    /// Those that go on where they were.
    pub open: Vec<Open>,
}

/// A command that its station is still about, or will be when it is connected again.
#[derive(Debug)]
pub(crate) struct Open {
    pub now: CommandNow,
    pub what: What,
    /// What is left of its time.
    pub left: Duration,
    /// Of whoever gave it.
    pub trail: AuditEntry,
}

impl Recalled {
    /// Reads the trail of this platform, of the serial number `own`; what ended longer ago than `shown` is left out. Waits
    /// for the disk.
    ///
    /// # Errors
    /// A trail that cannot be read.
    pub fn read(catalog: &Catalog, own: &str, shown: Duration, now_us: i64) -> Result<Self, Error> {
        let from_us = now_us.saturating_sub(micros(LOOK_BACK));
        let mut given = Vec::new();
        for operation in GIVING {
            let enough = |rows: &[AuditRow]| rows.iter().map(commands_in).sum::<usize>() >= MOST_COMMANDS;
            given.extend(entries(catalog, own, operation, from_us, enough)?);
        }
        let Some(oldest_us) = given.iter().map(|row| row.utc_us).min() else { return Ok(Self::default()) };
        let ends = entries(catalog, own, COMMAND_END, oldest_us, |_| false)?;
        let mut recalled = Self::of(given, ends, now_us);
        let shown_from_us = now_us.saturating_sub(micros(shown));
        recalled.commands.retain(|(now, _)| now.ended_us.is_none_or(|ended_us| ended_us >= shown_from_us));
        Ok(recalled)
    }

    fn of(given: Vec<AuditRow>, ends: Vec<AuditRow>, now_us: i64) -> Self {
        let number = |row: &AuditRow| row.entry.params.get("command").and_then(Value::as_u64);
        // Of two, the later one is what a station said after it had been given up: newest first, it is overwritten last.
        let ends: HashMap<u64, AuditRow> =
            ends.into_iter().rev().filter_map(|row| Some((number(&row)?, row))).collect();
        let mut recalled = Self::default();
        for row in given {
            let params = &row.entry.params;
            let Some(what) = params.get("what").and_then(Value::as_str).and_then(What::known_name) else {
                continue;
            };
            let shown = Arc::new(of_the_command(params));
            let again = again_of(&row, now_us);
            let ids = list(params, "commands").filter_map(Value::as_u64);
            for (id, serial) in ids.zip(list(params, "serials").filter_map(Value::as_str)) {
                let mut now = CommandNow {
                    id,
                    serial: serial.to_owned(),
                    what,
                    params: shown.clone(),
                    account: row.entry.account.clone(),
                    begun_us: row.utc_us,
                    ended_us: None,
                    state: CommandState::Sent,
                    change: 0,
                };
                let trail = of_who_gave_it(&row.entry);
                match (ends.get(&id), &again) {
                    (Some(end), _) => {
                        (now.state, now.ended_us) = (state_of(&end.entry), Some(end.utc_us));
                        recalled.commands.push((now, trail));
                    }
                    (None, Some((what, left))) => {
                        recalled.open.push(Open { now, what: what.clone(), left: *left, trail });
                    }
                    (None, None) => {
                        (now.state, now.ended_us) = (CommandState::failed("cut_off"), Some(now_us));
                        recalled.cut.push(end_of(&now, &trail));
                        recalled.commands.push((now, trail));
                    }
                }
            }
        }
        recalled
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn commands_in(row: &AuditRow) -> usize {
    list(&row.entry.params, "commands").count()
}

/// What the trail has whole goes on, if its time lasts: an upgrade, which takes hours.
fn again_of(row: &AuditRow, now_us: i64) -> Option<(What, Duration)> {
    let params = &row.entry.params;
    let what = What::read(&Value::Object(params.clone()))
        .ok()
        .filter(|what| matches!(what, What::Upgrade { .. }))?;
    let within_s = i64::try_from(params.get("within_s")?.as_u64()?).ok()?;
    let left_us = row.utc_us.saturating_add(within_s.saturating_mul(1_000_000)).saturating_sub(now_us);
    Some((what, Duration::from_micros(u64::try_from(left_us).ok().filter(|left_us| *left_us > 0)?)))
}

/// The entry of whoever gave it, without what it was about.
fn of_who_gave_it(entry: &AuditEntry) -> AuditEntry {
    AuditEntry { params: Map::new(), detail: None, ..entry.clone() }
}

/// Newest first.
fn entries(
    catalog: &Catalog,
    own: &str,
    operation: &str,
    from_us: i64,
    enough: impl Fn(&[AuditRow]) -> bool,
) -> Result<Vec<AuditRow>, Error> {
    let query = AuditQuery {
        from_us: Some(from_us),
        operation: Some(operation.to_owned()),
        // What stations write down is of their own.
        stations: [own.to_owned()].into(),
        ..AuditQuery::default()
    };
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = PageRequest { after, limit: AT_ONCE, count_up_to: 0 };
        let page = catalog.audit_trail(&Scope::everything(), &query, page)?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() || enough(&found) {
            return Ok(found);
        }
    }
}

fn list<'a>(params: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    params.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn of_the_command(params: &Map<String, Value>) -> Map<String, Value> {
    let others = params
        .iter()
        .filter(|(name, _)| !["what", "commands", "serials", "within_s"].contains(&name.as_str()));
    others.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn state_of(end: &AuditEntry) -> CommandState {
    match (&end.result, &end.detail) {
        (AuditResult::Ok, _) => CommandState::Done { detail: Map::new() },
        (_, Some(code)) => CommandState::failed(code),
        (_, None) => CommandState::failed("command_failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(utc_us: i64, operation: &str, params: Value, result: &str, detail: Option<&str>) -> AuditRow {
        let entry = json!({
            "account": "admin", "ip": "192.0.2.1", "item": "device", "operation": operation,
            "params": params, "result": result, "detail": detail,
        });
        let entry = serde_json::from_value(entry).expect("an entry");
        AuditRow { id: utc_us as u64, station: None, utc_us, entry }
    }

    #[test]
    fn each_command_has_come_to_something_and_what_was_cut_is_told() {
        let begun = json!({
            "what": "upgrade", "commands": [7, 8, 9], "serials": ["A", "B", "C"], "release": "2.0",
        });
        let goes_on = json!({
            "what": "upgrade", "commands": [10], "serials": ["A"], "release": "3.0", "restart": true,
            "bytes": 5, "sha256": "ab".repeat(32), "within_s": 60,
        });
        let end = |id| json!({"serial": "x", "command": id, "what": "upgrade"});
        let given = vec![
            row(90, "command", goes_on.clone(), "ok", None),
            row(5, "command", begun, "ok", None),
            row(4, "command", json!({"what": "sing", "commands": [1], "serials": ["A"]}), "ok", None),
            row(3, "fetch", json!({"id": "A-1"}), "refused", Some("not_found")),
        ];
        let ends = vec![
            row(7, COMMAND_END, end(8), "failed", Some("not_available")),
            row(6, COMMAND_END, end(7), "ok", None),
            row(5, COMMAND_END, end(7), "failed", Some("cancelled")),
        ];
        let too_late = Recalled::of(vec![row(90, "command", goes_on, "ok", None)], vec![], 60_000_091);
        assert_eq!((too_late.open.len(), too_late.cut.len()), (0, 1));
        let recalled = Recalled::of(given, ends, 99);
        let [open] = &recalled.open[..] else { panic!("one goes on") };
        assert_eq!(
            (open.now.id, open.what.name(), open.left),
            (10, "upgrade", Duration::from_micros(59_999_991))
        );
        assert!(open.now.ended_us.is_none() && open.trail.params.is_empty());
        let told: Vec<_> =
            recalled.commands.iter().map(|(now, _)| (now.id, now.serial.as_str(), now.ended_us)).collect();
        assert_eq!(told, [(7, "A", Some(6)), (8, "B", Some(7)), (9, "C", Some(99))]);
        let states: Vec<_> = recalled.commands.iter().map(|(now, _)| now.state.clone()).collect();
        let done = CommandState::Done { detail: Map::new() };
        assert_eq!(states, [done, CommandState::failed("not_available"), CommandState::failed("cut_off")]);
        assert_eq!(Value::Object((*recalled.commands[0].0.params).clone()), json!({"release": "2.0"}));
        assert_eq!(recalled.cut.len(), 1);
        let cut = &recalled.cut[0];
        assert_eq!((cut.operation.as_str(), cut.detail.as_deref()), (COMMAND_END, Some("cut_off")));
        assert_eq!((&cut.params["command"], &cut.params["serial"]), (&json!(9), &json!("C")));
        assert_eq!((cut.account.as_deref(), cut.result), (Some("admin"), AuditResult::Failed));
    }
}
