//! Commands to stations: each has a number, a time limit, an answer, and its end in the audit trail. They are kept in
//! memory, for a day after they ended; what became of them stays in the trail.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catalog::{AuditEntry, AuditResult};
use serde::Serialize;
use serde_json::{Map, Value, json};
use upkeep::params;
use uplink::UplinkError;
use uplink::command::What;
use uplink::message::{Command, Outcome};

/// A command as the pages show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommandNow {
    pub id: u64,
    pub serial: String,
    /// Its name, and its members as they were sent.
    pub what: What,
    /// Who gave it.
    pub account: Option<String>,
    /// Microseconds of UTC since 1970.
    pub begun_us: i64,
    pub ended_us: Option<i64>,
    pub state: CommandState,
    /// Counts up over all commands: `commands(since)` gives those that have changed.
    pub change: u64,
}

/// What has become of a command.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CommandState {
    Sent,
    Progress {
        done: u64,
        total: u64,
    },
    Done {
        detail: Map<String, Value>,
    },
    /// `device_offline`, `connection_lost`, `too_late`, `cancelled`, or a code of the station's.
    Failed {
        code: String,
        params: Map<String, Value>,
    },
}

impl CommandState {
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. })
    }

    pub(crate) fn failed(code: &str) -> Self {
        Self::Failed { code: code.into(), params: Map::new() }
    }
}

/// Commands that are remembered at most; the oldest that have ended go first.
const MOST_REMEMBERED: usize = 20_000;

#[derive(Debug)]
pub(crate) struct Orders {
    by_id: BTreeMap<u64, Order>,
    next_id: u64,
    change: u64,
}

#[derive(Debug)]
struct Order {
    now: CommandNow,
    /// Who gave it, for the entry at its end.
    trail: AuditEntry,
    until: Instant,
    ended: Option<Instant>,
    /// What goes to a station that comes back, until it has ended; `None`: that would do something a second time.
    again: Option<Command>,
}

/// A command that has ended, for the audit trail.
pub(crate) type Ended = AuditEntry;

impl Orders {
    /// `now_us` makes numbers that no run before has given.
    pub fn new(now_us: i64) -> Self {
        Self { by_id: BTreeMap::new(), next_id: now_us.max(1) as u64, change: 0 }
    }

    /// A number for a command.
    pub fn number(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Begins a command; what is to be sent of it.
    pub fn begin(
        &mut self,
        serial: &str,
        what: &What,
        within: Duration,
        trail: &AuditEntry,
        now_us: i64,
    ) -> (u64, Result<Command, UplinkError>) {
        let id = self.number();
        let within_s = within.as_secs().clamp(1, u32::MAX.into()) as u32;
        self.change += 1;
        let now = CommandNow {
            id,
            serial: serial.to_owned(),
            what: what.clone(),
            account: trail.account.clone(),
            begun_us: now_us,
            ended_us: None,
            state: CommandState::Sent,
            change: self.change,
        };
        let until = Instant::now() + within;
        let command = what.command(id, within_s);
        let again = command.as_ref().ok().filter(|_| what.may_be_sent_again()).cloned();
        self.by_id.insert(id, Order { now, trail: trail.clone(), until, ended: None, again });
        self.forget_oldest();
        (id, command)
    }

    fn forget_oldest(&mut self) {
        while self.by_id.len() > MOST_REMEMBERED {
            let ended = self.by_id.iter().find(|(_, order)| order.ended.is_some()).map(|(id, _)| *id);
            let Some(id) = ended else { return };
            self.by_id.remove(&id);
        }
    }

    /// A station has answered. `None`: no command of its own that goes on, or it goes on.
    pub fn answered(&mut self, serial: &str, id: u64, outcome: Outcome, now_us: i64) -> Option<Ended> {
        let order = self.by_id.get(&id)?;
        if order.now.serial != serial {
            return None;
        }
        let state = match outcome {
            Outcome::Progress { done, total } => CommandState::Progress { done, total },
            Outcome::Done { detail } => CommandState::Done { detail },
            Outcome::Failed { code, params } => CommandState::Failed { code, params },
            Outcome::Unknown => CommandState::failed("answer_unknown"),
        };
        self.set(id, state, now_us)
    }

    /// Ends or moves on a command that has not ended.
    pub fn set(&mut self, id: u64, state: CommandState, now_us: i64) -> Option<Ended> {
        let order = self.by_id.get_mut(&id)?;
        if order.ended.is_some() {
            return None;
        }
        self.change += 1;
        order.now.change = self.change;
        order.now.state = state;
        if !order.now.state.has_ended() {
            return None;
        }
        order.ended = Some(Instant::now());
        order.again = None;
        order.now.ended_us = Some(now_us);
        Some(end_entry(order))
    }

    /// A station's connection has ended. What can be sent again goes on, here as there; the rest will not be answered.
    pub fn lost(&mut self, serial: &str, now_us: i64) -> Vec<Ended> {
        let open =
            |order: &Order| order.ended.is_none() && order.again.is_none() && order.now.serial == serial;
        let ids: Vec<u64> = self.by_id.iter().filter(|(_, order)| open(order)).map(|(id, _)| *id).collect();
        let lost = || CommandState::failed("connection_lost");
        ids.into_iter().filter_map(|id| self.set(id, lost(), now_us)).collect()
    }

    /// What a station that is connected again is to be told once more, with the time that is left. It knows by the
    /// number what it has done, or is doing.
    pub fn once_more(&self, serial: &str, now: Instant) -> Vec<Command> {
        let open = self.by_id.values().filter(|order| order.ended.is_none() && order.now.serial == serial);
        let left =
            |order: &Order| order.until.saturating_duration_since(now).as_secs().clamp(1, u32::MAX.into());
        open.filter_map(|order| Some(Command { within_s: left(order) as u32, ..order.again.clone()? }))
            .collect()
    }

    /// Ends those whose time is up; each with its station, to be told.
    pub fn too_late(&mut self, now: Instant, now_us: i64) -> Vec<(String, u64, Ended)> {
        let late = |order: &Order| order.ended.is_none() && order.until <= now;
        let late: Vec<(String, u64)> = self
            .by_id
            .iter()
            .filter(|(_, order)| late(order))
            .map(|(id, order)| (order.now.serial.clone(), *id))
            .collect();
        let end = |(serial, id)| {
            let ended = self.set(id, CommandState::failed("too_late"), now_us)?;
            Some((serial, id, ended))
        };
        late.into_iter().filter_map(end).collect()
    }

    /// The station of a command that goes on.
    pub fn open(&self, id: u64) -> Option<String> {
        self.by_id.get(&id).filter(|order| order.ended.is_none()).map(|order| order.now.serial.clone())
    }

    /// A station works on a command.
    pub fn has_open(&self, serial: &str) -> bool {
        self.by_id.values().rev().any(|order| order.ended.is_none() && order.now.serial == serial)
    }

    /// Forgets those that ended longer ago than `shown`.
    pub fn forget(&mut self, shown: Duration) {
        self.by_id.retain(|_, order| order.ended.is_none_or(|ended| ended.elapsed() < shown));
    }

    /// Those that have changed since, the newest first.
    pub fn since(&self, change: u64) -> Vec<CommandNow> {
        let newer = self.by_id.values().rev().filter(|order| order.now.change > change);
        newer.map(|order| order.now.clone()).collect()
    }
}

fn end_entry(order: &Order) -> AuditEntry {
    let now = &order.now;
    let (result, detail) = match &now.state {
        CommandState::Failed { code, .. } => (AuditResult::Failed, Some(code.clone())),
        _ => (AuditResult::Ok, None),
    };
    AuditEntry {
        item: "device".into(),
        operation: "command_end".into(),
        params: params(json!({"serial": now.serial, "command": now.id, "what": now.what.name()})),
        result,
        detail,
        ..order.trail.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail() -> AuditEntry {
        serde_json::from_value(json!({
            "account": "admin", "ip": null, "item": "device", "operation": "restart", "result": "ok",
        }))
        .expect("an entry")
    }

    #[test]
    fn a_command_ends_once_whoever_ends_it() {
        let mut orders = Orders::new(1_000);
        let begin = |orders: &mut Orders, within| {
            let (id, command) = orders.begin("A", &What::Restart, within, &trail(), 5);
            assert_eq!(command.expect("written").command, id);
            id
        };
        let minute = Duration::from_secs(60);
        let (first, second, third, late) = (
            begin(&mut orders, minute),
            begin(&mut orders, minute),
            begin(&mut orders, minute),
            begin(&mut orders, Duration::ZERO),
        );
        let done = || Outcome::Done { detail: Map::new() };
        assert!(orders.answered("B", first, done(), 6).is_none(), "another station's");
        assert!(orders.answered("A", first, Outcome::Progress { done: 1, total: 9 }, 6).is_none());
        let ended = orders.answered("A", first, done(), 7).expect("ended");
        assert_eq!((ended.account.as_deref(), ended.operation.as_str()), (Some("admin"), "command_end"));
        assert!(orders.answered("A", first, done(), 8).is_none(), "ended already");
        assert!(orders.set(second, CommandState::failed("cancelled"), 8).is_some());
        let too_late = orders.too_late(Instant::now(), 9);
        assert_eq!(too_late.iter().map(|(_, id, _)| *id).collect::<Vec<_>>(), [late]);
        let lost = orders.lost("A", 9);
        assert_eq!((lost.len(), lost[0].result), (1, AuditResult::Failed));
        assert_eq!(orders.open(third), None);
        assert_eq!(orders.since(0).len(), 4);
        let newest = orders.since(0).iter().map(|now| now.change).max().expect("some");
        assert!(orders.since(newest).is_empty() && orders.since(newest - 1)[0].id == third);
        orders.forget(Duration::ZERO);
        assert!(orders.since(0).is_empty());
    }

    #[test]
    fn what_can_be_done_twice_outlives_its_connection_and_its_members_do_not_outlive_it() {
        let mut orders = Orders::new(1_000);
        let (id, command) =
            orders.begin("A", &What::Fetch { sequence: 7 }, Duration::from_secs(90), &trail(), 5);
        let command = command.expect("written");
        assert!(orders.lost("A", 6).is_empty() && orders.once_more("B", Instant::now()).is_empty());
        let later = Instant::now() + Duration::from_secs(40);
        let again = orders.once_more("A", later).pop().expect("still open");
        assert_eq!((again.command, &again.what), (id, &command.what));
        assert!((45..=50).contains(&again.within_s), "{} s are left", again.within_s);
        assert!(orders.answered("A", id, Outcome::Done { detail: Map::new() }, 9).is_some());
        assert!(orders.once_more("A", later).is_empty() && orders.by_id[&id].again.is_none());
    }
}
