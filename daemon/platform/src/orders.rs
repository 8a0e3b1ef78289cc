//! Commands to stations: each has a number, a time limit, an answer, and its end in the audit trail. They are kept in
//! memory, for a day after they ended; what became of them stays in the trail, and is recalled from there (`recalled`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{AuditEntry, AuditResult};
use serde::Serialize;
use serde_json::{Map, Value, json};
use upkeep::params;
use uplink::UplinkError;
use uplink::command::{UPGRADE, What};
use uplink::message::{Command, Outcome};

use crate::recalled::Open;

/// A command as the pages show it.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandNow {
    pub id: u64,
    pub serial: String,
    /// Its name.
    pub what: &'static str,
    /// Its members, as far as they are for people's eyes.
    pub params: Arc<Map<String, Value>>,
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

/// Settings that are longer as JSON are shown as their count.
const SHOWN_BYTES: usize = 4096;
/// The operation of the entry that says what has become of a command.
pub(crate) const COMMAND_END: &str = "command_end";
/// Ends that are the platform's own, and not the station's.
const GIVEN_UP: [&str; 4] = ["cancelled", "too_late", "cut_off", "connection_lost"];
/// The name of `What::Synchronise`.
const SYNCHRONISE: &str = "synchronise";

/// What is remembered of a command for as long as it is shown: of thousands of contacts, how many there were.
pub(crate) fn shown(what: &What) -> Arc<Map<String, Value>> {
    let members = match what {
        What::SetContacts { contacts } => return Arc::new(params(json!({"contacts": contacts.len()}))),
        _ => serde_json::to_value(what),
    };
    let Ok(Value::Object(mut members)) = members else { return Arc::default() };
    members.remove("what");
    if let Some(settings) = members.get_mut("settings")
        && settings.to_string().len() > SHOWN_BYTES
    {
        *settings = settings.as_object().map_or(0, Map::len).into();
    }
    Arc::new(members)
}

/// Commands that are remembered at most; the oldest that have ended go first.
const MOST_REMEMBERED: usize = 20_000;

#[derive(Debug)]
pub(crate) struct Orders {
    by_id: BTreeMap<u64, Order>,
    /// Those that have not ended.
    open: BTreeSet<u64>,
    next_id: u64,
    change: u64,
}

#[derive(Debug)]
struct Order {
    now: Arc<CommandNow>,
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
        Self { by_id: BTreeMap::new(), open: BTreeSet::new(), next_id: now_us.max(1) as u64, change: 0 }
    }

    /// Shows what has become of those of the run before.
    pub fn recall(&mut self, before: Vec<(CommandNow, AuditEntry)>) {
        let now = Instant::now();
        for (mut one, trail) in before {
            self.change += 1;
            one.change = self.change;
            let order = Order { now: Arc::new(one), trail, until: now, ended: Some(now), again: None };
            self.by_id.entry(order.now.id).or_insert(order);
        }
    }

    /// Goes on with one of the run before.
    pub fn go_on(&mut self, Open { mut now, what, left, trail }: Open) {
        // What could be sent once can be sent again.
        let again = what.command(now.id, left.as_secs().clamp(1, u32::MAX.into()) as u32).ok();
        self.change += 1;
        now.change = self.change;
        self.open.insert(now.id);
        let until = Instant::now() + left;
        let id = now.id;
        self.by_id.insert(id, Order { now: Arc::new(now), trail, until, ended: None, again });
    }

    /// A number for a command.
    pub fn number(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Begins a command, of which `params` are shown; what is to be sent of it.
    pub fn begin(
        &mut self,
        serial: &str,
        what: &What,
        params: &Arc<Map<String, Value>>,
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
            what: what.name(),
            params: params.clone(),
            account: trail.account.clone(),
            begun_us: now_us,
            ended_us: None,
            state: CommandState::Sent,
            change: self.change,
        };
        let until = Instant::now() + within;
        let command = what.command(id, within_s);
        let again = command.as_ref().ok().filter(|_| what.may_be_sent_again()).cloned();
        let now = Arc::new(now);
        self.by_id.insert(id, Order { now, trail: trail.clone(), until, ended: None, again });
        self.open.insert(id);
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
        let told = match outcome {
            Outcome::Progress { done, total } => CommandState::Progress { done, total },
            Outcome::Done { detail } => CommandState::Done { detail },
            Outcome::Failed { code, params } => CommandState::Failed { code, params },
            Outcome::Unknown => CommandState::failed("answer_unknown"),
        };
        if order.ended.is_some() && told.has_ended() && is_later_truth(&order.now.state, &told) {
            return self.end(id, told, now_us);
        }
        self.set(id, told, now_us)
    }

    /// Ends or moves on a command that has not ended.
    pub fn set(&mut self, id: u64, state: CommandState, now_us: i64) -> Option<Ended> {
        let order = self.by_id.get_mut(&id)?;
        if order.ended.is_some() {
            return None;
        }
        if state.has_ended() {
            return self.end(id, state, now_us);
        }
        self.change += 1;
        let now = Arc::make_mut(&mut order.now);
        (now.change, now.state) = (self.change, state);
        None
    }

    fn end(&mut self, id: u64, state: CommandState, now_us: i64) -> Option<Ended> {
        let order = self.by_id.get_mut(&id)?;
        self.change += 1;
        let now = Arc::make_mut(&mut order.now);
        (now.change, now.state, now.ended_us) = (self.change, state, Some(now_us));
        order.ended = Some(Instant::now());
        self.open.remove(&id);
        order.again = None;
        Some(end_entry(order))
    }

    /// A station's connection has ended. What can be sent again goes on, here as there; the rest will not be answered.
    pub fn lost(&mut self, serial: &str, now_us: i64) -> Vec<Ended> {
        let lost = |order: &&Order| order.now.serial == serial && order.again.is_none();
        let ids: Vec<u64> = self.all_open().filter(lost).map(|order| order.now.id).collect();
        let lost = || CommandState::failed("connection_lost");
        ids.into_iter().filter_map(|id| self.set(id, lost(), now_us)).collect()
    }

    /// What a station that is connected again is to be told once more, with the time that is left. It knows by the
    /// number what it has done, or is doing.
    pub fn once_more(&self, serial: &str, now: Instant) -> Vec<Command> {
        let open = self.all_open().filter(|order| order.now.serial == serial);
        let left =
            |order: &Order| order.until.saturating_duration_since(now).as_secs().clamp(1, u32::MAX.into());
        open.filter_map(|order| Some(Command { within_s: left(order) as u32, ..order.again.clone()? }))
            .collect()
    }

    /// Ends those whose time is up; each with its station, to be told.
    pub fn too_late(&mut self, now: Instant, now_us: i64) -> Vec<(String, u64, Ended)> {
        let late = self.all_open().filter(|order| order.until <= now);
        let late: Vec<(String, u64)> = late.map(|order| (order.now.serial.clone(), order.now.id)).collect();
        let end = |(serial, id)| {
            let ended = self.set(id, CommandState::failed("too_late"), now_us)?;
            Some((serial, id, ended))
        };
        late.into_iter().filter_map(end).collect()
    }

    fn all_open(&self) -> impl Iterator<Item = &Order> {
        self.open.iter().filter_map(|id| self.by_id.get(id))
    }

    /// The station of a command that goes on.
    pub fn open(&self, id: u64) -> Option<String> {
        self.by_id.get(&id).filter(|order| order.ended.is_none()).map(|order| order.now.serial.clone())
    }

    /// The SHA-256 of the bundle that an upgrade of this station, which goes on, is about.
    pub fn bundle_of(&self, serial: &str, id: u64) -> Option<String> {
        let order = self.by_id.get(&id).filter(|order| order.now.serial == serial)?;
        order.again.as_ref()?.what.get("sha256")?.as_str().map(str::to_owned)
    }

    /// A station works on a command.
    pub fn has_open(&self, serial: &str) -> bool {
        self.all_open().any(|order| order.now.serial == serial)
    }

    /// A station is being given the bundle with this SHA-256.
    pub fn sends(&self, sha256: &str) -> bool {
        self.all_open().any(|order| {
            order.now.what == UPGRADE && order.now.params.get("sha256").is_some_and(|of| of == sha256)
        })
    }

    /// Forgets those that ended longer ago than `shown`.
    pub fn forget(&mut self, shown: Duration) {
        self.by_id.retain(|_, order| order.ended.is_none_or(|ended| ended.elapsed() < shown));
    }

    pub fn command(&self, id: u64) -> Option<Arc<CommandNow>> {
        self.by_id.get(&id).map(|order| order.now.clone())
    }

    /// Stations that are sending what a period holds, and how far each is: done, of all.
    pub fn synchronising(&self) -> Vec<(String, (u64, u64))> {
        let progress = |order: &Order| match order.now.state {
            CommandState::Progress { done, total } if order.now.what == SYNCHRONISE => {
                Some((order.now.serial.clone(), (done, total)))
            }
            _ => None,
        };
        self.all_open().filter_map(progress).collect()
    }

    /// Those that have changed since, the newest first.
    pub fn since(&self, change: u64) -> Vec<Arc<CommandNow>> {
        let newer = self.by_id.values().rev().filter(|order| order.now.change > change);
        newer.map(|order| order.now.clone()).collect()
    }
}

/// The platform gave it up, and the station had begun to change something by then: it tells what that has come to.
fn is_later_truth(ended: &CommandState, told: &CommandState) -> bool {
    let CommandState::Failed { code: given_up, .. } = ended else { return false };
    let same = matches!(told, CommandState::Failed { code, .. } if code == given_up);
    GIVEN_UP.contains(&given_up.as_str()) && !same
}

fn end_entry(order: &Order) -> AuditEntry {
    end_of(&order.now, &order.trail)
}

/// The entry that says what has become of a command; `trail` is that of whoever gave it.
pub(crate) fn end_of(now: &CommandNow, trail: &AuditEntry) -> AuditEntry {
    let (result, detail) = match &now.state {
        CommandState::Failed { code, .. } => (AuditResult::Failed, Some(code.clone())),
        _ => (AuditResult::Ok, None),
    };
    AuditEntry {
        item: "device".into(),
        operation: COMMAND_END.into(),
        params: params(json!({"serial": now.serial, "command": now.id, "what": now.what})),
        result,
        detail,
        ..trail.clone()
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
            let (id, command) = orders.begin("A", &What::Restart, &Arc::default(), within, &trail(), 5);
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
        let as_told = Outcome::Failed { code: "cancelled".into(), params: Map::new() };
        assert!(orders.answered("A", second, as_told, 8).is_none(), "as it was given up");
        assert!(orders.answered("A", second, Outcome::Progress { done: 1, total: 2 }, 8).is_none());
        assert!(orders.answered("A", second, done(), 9).is_some(), "it had been done by then");
        assert!(matches!(orders.command(second).expect("known").state, CommandState::Done { .. }));
        assert!(orders.answered("A", second, done(), 9).is_none(), "once");
        let too_late = orders.too_late(Instant::now(), 9);
        assert_eq!(too_late.iter().map(|(_, id, _)| *id).collect::<Vec<_>>(), [late]);
        let lost = orders.lost("A", 9);
        assert_eq!((lost.len(), lost[0].result), (1, AuditResult::Failed));
        assert_eq!(orders.open(third), None);
        assert_eq!(orders.since(0).len(), 4);
        let newest = orders.since(0).iter().map(|now| now.change).max().expect("some");
        assert!(orders.since(newest).is_empty() && orders.since(newest - 1)[0].id == third);
        orders.forget(Duration::ZERO);
        assert!(orders.since(0).is_empty() && orders.open.is_empty());
    }

    #[test]
    fn of_what_is_large_only_how_much_it_was_is_remembered() {
        let contact = |number: u32| uplink::command::ContactToSet {
            number: number.to_string(),
            name: "x".repeat(60),
            department: String::new(),
            note: "y".repeat(500),
            more: None,
        };
        let contacts = What::SetContacts { contacts: (0..10_000).map(contact).collect() };
        assert_eq!(Value::Object((*shown(&contacts)).clone()), json!({"contacts": 10_000}));
        let settings = |value: Value| value.as_object().expect("an object").clone();
        let ports = vec![1, 2];
        let long =
            What::SetChannels { ports: ports.clone(), settings: settings(json!({"a": "x".repeat(5000)})) };
        assert_eq!(Value::Object((*shown(&long)).clone()), json!({"ports": [1, 2], "settings": 1}));
        let short = What::SetChannels { ports, settings: settings(json!({"name": "Duty"})) };
        assert_eq!(shown(&short)["settings"], json!({"name": "Duty"}));
        let period = What::Synchronise { from_us: 1, to_us: 2 };
        assert_eq!(period.name(), SYNCHRONISE);
        let mut orders = Orders::new(1);
        let minute = Duration::from_secs(60);
        let (id, _) = orders.begin("A", &period, &shown(&period), minute, &trail(), 5);
        assert!(orders.synchronising().is_empty(), "it has not begun");
        assert!(orders.answered("A", id, Outcome::Progress { done: 3, total: 9 }, 6).is_none());
        assert_eq!(orders.synchronising(), [("A".to_owned(), (3, 9))]);
        assert_eq!(orders.command(id).map(|now| now.params["to_us"].clone()), Some(json!(2)));
    }

    #[test]
    fn a_bundle_is_sent_until_the_last_station_has_ended() {
        let sha256 = "ab".repeat(32);
        let upgrade =
            What::Upgrade { release: "0.2.0".into(), bytes: 9, sha256: sha256.clone(), restart: true };
        assert_eq!(upgrade.name(), UPGRADE);
        let mut orders = Orders::new(1);
        let minute = Duration::from_secs(60);
        let mut begin =
            |serial: &str| orders.begin(serial, &upgrade, &shown(&upgrade), minute, &trail(), 5).0;
        let (first, second) = (begin("A"), begin("B"));
        assert!(orders.set(first, CommandState::failed("cancelled"), 6).is_some());
        assert!(orders.sends(&sha256) && !orders.sends(&"cd".repeat(32)));
        assert!(orders.answered("B", second, Outcome::Done { detail: Map::new() }, 7).is_some());
        assert!(!orders.sends(&sha256));
    }

    #[test]
    fn what_can_be_done_twice_outlives_its_connection_and_its_members_do_not_outlive_it() {
        let mut orders = Orders::new(1_000);
        let fetch = What::Fetch { sequence: 7 };
        let (id, command) = orders.begin("A", &fetch, &shown(&fetch), Duration::from_secs(90), &trail(), 5);
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
