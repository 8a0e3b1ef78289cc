//! Commands of the run before, as the audit trail has them: what each has come to, and the end of those that the stop cut
//! off. Their stations were told what to do; what they have done by then stays done.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::{AuditEntry, AuditQuery, AuditResult, AuditRow, Catalog, Error, PageRequest, Scope};
use serde_json::{Map, Value};
use uplink::command::What;

use crate::orders::{COMMAND_END, CommandNow, CommandState, end_of};

/// Operations that give commands.
const GIVING: [&str; 2] = ["command", "fetch"];
const AT_ONCE: u32 = 1000;
/// Entries of each operation that are looked at; there is no need for more than are shown.
const MOST_ENTRIES: usize = 20_000;

/// What is known of them, and the ends that the trail lacks.
#[derive(Debug, Default)]
pub(crate) struct Recalled {
    pub commands: Vec<CommandNow>,
    pub cut: Vec<AuditEntry>,
}

impl Recalled {
    /// Reads the trail of this platform, of the serial number `own`, from `from_us` on. Waits for the disk.
    ///
    /// # Errors
    /// A trail that cannot be read.
    pub fn read(catalog: &Catalog, own: &str, from_us: i64, now_us: i64) -> Result<Self, Error> {
        let ends = entries(catalog, own, COMMAND_END, from_us)?;
        let mut given = Vec::new();
        for operation in GIVING {
            given.extend(entries(catalog, own, operation, from_us)?);
        }
        Ok(Self::of(given, ends, now_us))
    }

    fn of(given: Vec<AuditRow>, ends: Vec<AuditRow>, now_us: i64) -> Self {
        let number = |row: &AuditRow| row.entry.params.get("command").and_then(Value::as_u64);
        let ends: HashMap<u64, AuditRow> =
            ends.into_iter().filter_map(|row| Some((number(&row)?, row))).collect();
        let mut recalled = Self::default();
        for row in given {
            let params = &row.entry.params;
            let Some(what) = params.get("what").and_then(Value::as_str).and_then(What::known_name) else {
                continue;
            };
            let shown = Arc::new(of_the_command(params));
            let ids = list(params, "commands").filter_map(Value::as_u64);
            for (id, serial) in ids.zip(list(params, "serials").filter_map(Value::as_str)) {
                let (state, ended_us) = match ends.get(&id) {
                    Some(end) => (state_of(&end.entry), end.utc_us),
                    None => (CommandState::failed("cut_off"), now_us),
                };
                let now = CommandNow {
                    id,
                    serial: serial.to_owned(),
                    what,
                    params: shown.clone(),
                    account: row.entry.account.clone(),
                    begun_us: row.utc_us,
                    ended_us: Some(ended_us),
                    state,
                    change: 0,
                };
                if !ends.contains_key(&id) {
                    recalled.cut.push(end_of(&now, &row.entry));
                }
                recalled.commands.push(now);
            }
        }
        recalled
    }
}

/// Newest first.
fn entries(catalog: &Catalog, own: &str, operation: &str, from_us: i64) -> Result<Vec<AuditRow>, Error> {
    let query =
        AuditQuery {
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
        if after.is_none() || found.len() >= MOST_ENTRIES {
            return Ok(found);
        }
    }
}

fn list<'a>(params: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    params.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn of_the_command(params: &Map<String, Value>) -> Map<String, Value> {
    let others = params.iter().filter(|(name, _)| !["what", "commands", "serials"].contains(&name.as_str()));
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
        let end = |id| json!({"serial": "x", "command": id, "what": "upgrade"});
        let given = vec![
            row(5, "command", begun, "ok", None),
            row(4, "command", json!({"what": "sing", "commands": [1], "serials": ["A"]}), "ok", None),
            row(3, "fetch", json!({"id": "A-1"}), "refused", Some("not_found")),
        ];
        let ends = vec![
            row(7, COMMAND_END, end(8), "failed", Some("not_available")),
            row(6, COMMAND_END, end(7), "ok", None),
        ];
        let recalled = Recalled::of(given, ends, 99);
        let told: Vec<_> =
            recalled.commands.iter().map(|now| (now.id, now.serial.as_str(), now.ended_us)).collect();
        assert_eq!(told, [(7, "A", Some(6)), (8, "B", Some(7)), (9, "C", Some(99))]);
        let states: Vec<_> = recalled.commands.iter().map(|now| now.state.clone()).collect();
        let done = CommandState::Done { detail: Map::new() };
        assert_eq!(states, [done, CommandState::failed("not_available"), CommandState::failed("cut_off")]);
        assert_eq!(Value::Object((*recalled.commands[0].params).clone()), json!({"release": "2.0"}));
        assert_eq!(recalled.cut.len(), 1);
        let cut = &recalled.cut[0];
        assert_eq!((cut.operation.as_str(), cut.detail.as_deref()), (COMMAND_END, Some("cut_off")));
        assert_eq!((&cut.params["command"], &cut.params["serial"]), (&json!(9), &json!("C")));
        assert_eq!((cut.account.as_deref(), cut.result), (Some("admin"), AuditResult::Failed));
    }
}
