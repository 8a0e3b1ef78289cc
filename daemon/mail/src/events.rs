//! Alarms as they change, read from the journal: what was raised and cleared, and not what an alarm that stands says
//! over again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use catalog::{
    AlarmQuery, AlarmRow, AlarmState, Body, Catalog, JournalTail, PageRequest, Params, RawEntry, Scope,
};
use line::Severity;

/// Changes that are kept for messages. Of what is older, a message says only that there was more.
pub const MOST_EVENTS: usize = 5000;
/// Past alarms that are looked through for those that were cleared while nobody was told.
const MOST_PAST: usize = 50_000;
/// Entries that are read in one go.
const ENTRIES_AT_ONCE: usize = 2000;

/// What is wrong, on which thing of which station.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Serial number; `None`: this box.
    pub station: Option<String>,
    pub code: String,
    pub port: Option<u16>,
    pub thing: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Raised { severity: Severity, params: Params },
    Cleared,
}

/// An alarm that came or went.
#[derive(Clone, Debug)]
pub struct Event {
    /// Of its entry in this box's journal.
    pub sequence: u64,
    pub key: Key,
    pub change: Change,
    /// When it was written, by the clock of the box that it is about; microseconds of UTC.
    pub at_us: i64,
    /// When it was read here.
    pub noticed: Instant,
}

/// Follows the journal. What it has read stands in `events` until [`Follower::forget`] is told that all know it.
pub struct Follower {
    tail: JournalTail,
    /// Alarms that stand after what was read.
    standing: HashSet<Key>,
    pub events: VecDeque<Event>,
    /// Events up to this entry may have been left out, for there were too many.
    pub left_out_to: u64,
}

impl Follower {
    /// What comes behind the entry `told`.
    ///
    /// # Errors
    /// Those of the catalog, among them that it is not ready yet.
    pub fn after(catalog: &Catalog, told: u64) -> Result<Self, catalog::Error> {
        Ok(Self {
            tail: catalog.journal_tail(told + 1),
            standing: standing_at(catalog, told)?,
            events: VecDeque::new(),
            left_out_to: 0,
        })
    }

    /// Last entry that has been read.
    pub fn read_to(&self) -> u64 {
        self.tail.next_sequence() - 1
    }

    /// Reads what has come, as far as it is safe on disk. `wanted` says which kinds (code) are sent; `true`: there is
    /// perhaps more.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(&mut self, wanted: impl Fn(&Key) -> bool) -> Result<bool, catalog::Error> {
        let entries = self.tail.read(ENTRIES_AT_ONCE)?;
        let more = entries.len() == ENTRIES_AT_ONCE;
        for (sequence, key, change, at_us) in entries.iter().filter_map(understood) {
            let news = match change {
                Change::Raised { .. } => self.standing.insert(key.clone()),
                Change::Cleared => self.standing.remove(&key),
            };
            if news && wanted(&key) {
                self.events.push_back(Event { sequence, key, change, at_us, noticed: Instant::now() });
            }
        }
        while self.events.len() > MOST_EVENTS {
            self.left_out_to = self.events.pop_front().map_or(self.left_out_to, |event| event.sequence);
        }
        Ok(more)
    }

    /// Everybody has been told of all up to this entry.
    pub fn forget(&mut self, told: u64) {
        while self.events.front().is_some_and(|event| event.sequence <= told) {
            self.events.pop_front();
        }
    }
}

/// Alarms that stood at that entry: those that still stand, and those that have been cleared behind it.
fn standing_at(catalog: &Catalog, told: u64) -> Result<HashSet<Key>, catalog::Error> {
    let mut standing = HashSet::new();
    let current = AlarmQuery { state: AlarmState::Current, ..AlarmQuery::default() };
    each_alarm(catalog, &current, usize::MAX, |alarm| {
        if alarm.id <= told {
            standing.insert(key_of(alarm));
        }
    })?;
    let cleared = cleared_behind(catalog, told)?;
    if cleared.is_empty() {
        return Ok(standing);
    }
    let codes = cleared.keys().map(|key| key.code.clone()).collect();
    let past = AlarmQuery { state: AlarmState::History, codes, ..AlarmQuery::default() };
    each_alarm(catalog, &past, MOST_PAST, |alarm| {
        let (id, cleared_us, key) = (alarm.id, alarm.cleared_us, key_of(alarm));
        if id <= told && cleared.get(&key).copied() == cleared_us {
            standing.insert(key);
        }
    })?;
    Ok(standing)
}

/// When each alarm was cleared for the first time behind that entry.
fn cleared_behind(catalog: &Catalog, told: u64) -> Result<HashMap<Key, i64>, catalog::Error> {
    let mut cleared = HashMap::new();
    let mut tail = catalog.journal_tail(told + 1);
    loop {
        let entries = tail.read(ENTRIES_AT_ONCE)?;
        for (_, key, change, at_us) in entries.iter().filter_map(understood) {
            if change == Change::Cleared {
                cleared.entry(key).or_insert(at_us);
            }
        }
        if entries.len() < ENTRIES_AT_ONCE {
            return Ok(cleared);
        }
    }
}

/// Alarms of a query, the newest first, at most so many.
fn each_alarm(
    catalog: &Catalog,
    query: &AlarmQuery,
    most: usize,
    mut each: impl FnMut(AlarmRow),
) -> Result<(), catalog::Error> {
    let mut request = PageRequest { after: None, limit: 1000, count_up_to: 0 };
    let mut read = 0;
    while read < most {
        let page = catalog.alarms(&Scope::everything(), query, request)?;
        read += page.items.len();
        page.items.into_iter().for_each(&mut each);
        match page.next {
            Some(next) => request.after = Some(next),
            None => break,
        }
    }
    Ok(())
}

fn key_of(alarm: AlarmRow) -> Key {
    Key { station: alarm.station, code: alarm.code, port: alarm.port, thing: alarm.thing }
}

/// An entry about an alarm, of this box or of a station. Most entries are about something else: those are not parsed.
fn understood(entry: &RawEntry) -> Option<(u64, Key, Change, i64)> {
    const NAMED: &[u8] = b"alarm_";
    if !entry.payload.windows(NAMED.len()).any(|part| part == NAMED) {
        return None;
    }
    let (station, body, at_us) = match Body::from_payload(entry.layout, &entry.payload).ok()? {
        Body::FromStation(from) => {
            let body = from.body()?;
            (Some(from.serial), body, from.written_us)
        }
        body => (None, body, entry.utc_us),
    };
    let (key, change) = match body {
        Body::AlarmRaised(raised) => (
            Key { station, code: raised.code, port: raised.port, thing: raised.thing },
            Change::Raised { severity: raised.severity, params: raised.params },
        ),
        Body::AlarmCleared(cleared) => {
            (Key { station, code: cleared.code, port: cleared.port, thing: cleared.thing }, Change::Cleared)
        }
        _ => return None,
    };
    Some((entry.sequence, key, change, at_us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::{AlarmCode, AlarmKey, Options};
    use serde_json::json;

    const STATION: &str = "HKLN-00000000000002";

    fn open(folder: &std::path::Path) -> Catalog {
        Catalog::open(folder, Options::new("HKLN-00000000000001")).expect("opens").0
    }

    fn from_station(entry: u64, kind: &str, body: serde_json::Value) -> Body {
        let payload = json!({"kind": kind, "body": body}).to_string();
        let from = json!({"serial": STATION, "entry": entry, "written_us": 1_700_000_000_000_000_i64, "layout": 1,
            "payload": payload, "file": null});
        Body::FromStation(serde_json::from_value(from).expect("an entry"))
    }

    fn read(follower: &mut Follower) -> Vec<(Option<String>, String, bool)> {
        while follower.read(|key| key.code != "cpu_high").expect("read") {}
        let told = |event: &Event| {
            let raised = matches!(event.change, Change::Raised { .. });
            (event.key.station.clone(), event.key.code.clone(), raised)
        };
        follower.events.drain(..).map(|event| told(&event)).collect()
    }

    #[test]
    fn alarms_of_this_box_and_of_stations_are_told_once_when_they_come_and_when_they_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let catalog = open(folder.path());
        let mut follower = Follower::after(&catalog, 0).expect("follows");
        let disk = AlarmKey::of_box(AlarmCode::DiskFull);
        catalog.raise(&disk, Params::new()).expect("written");
        catalog.raise(&AlarmKey::of_box(AlarmCode::CpuHigh), Params::new()).expect("written");
        let raised = json!({"code": "line_lost", "category": "channel", "severity": "critical", "port": 3,
            "thing": null, "params": {}, "times": 1});
        let repeated = json!({"code": "line_lost", "category": "channel", "severity": "critical", "port": 3,
            "thing": null, "params": {}, "times": 7});
        let cleared = json!({"code": "line_lost", "port": 3, "thing": null});
        catalog
            .append(vec![
                from_station(1, "alarm_raised", raised),
                from_station(2, "alarm_raised", repeated),
                from_station(3, "alarm_cleared", cleared),
            ])
            .expect("written");
        catalog.clear(&disk).expect("written");
        catalog.clear(&disk).expect("written");
        let of =
            |station: Option<&str>, code: &str, raised| (station.map(str::to_owned), code.to_owned(), raised);
        assert_eq!(
            read(&mut follower),
            [
                of(None, "disk_full", true),
                of(Some(STATION), "line_lost", true),
                of(Some(STATION), "line_lost", false),
                of(None, "disk_full", false),
            ]
        );
    }

    #[test]
    fn after_a_restart_an_alarm_that_stands_is_not_raised_over_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = AlarmKey::of_box(AlarmCode::DiskFull);
        let catalog = open(folder.path());
        catalog.raise(&disk, Params::new()).expect("written");
        let told = catalog.health().journal_sequence;
        drop(catalog);
        let catalog = open(folder.path());
        assert!(catalog.wait_until_current(std::time::Duration::from_secs(5)));
        let mut follower = Follower::after(&catalog, told).expect("follows");
        catalog
            .append(vec![from_station(9, "alarm_cleared", json!({"code": "x", "port": null, "thing": null}))])
            .expect("written");
        let repeat = Body::AlarmRaised(catalog::entry::AlarmRaised {
            code: "disk_full".into(),
            category: AlarmCode::DiskFull.category(),
            severity: AlarmCode::DiskFull.severity(),
            port: None,
            thing: None,
            params: Params::new(),
            times: 4,
        });
        catalog.append(vec![repeat]).expect("written");
        assert_eq!(read(&mut follower), [], "it stood before, and stands");
        catalog.clear(&disk).expect("written");
        assert_eq!(read(&mut follower).len(), 1);
    }

    #[test]
    fn what_was_cleared_before_a_restart_and_not_told_is_told_after_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (disk, clock) =
            (AlarmKey::of_box(AlarmCode::DiskFull), AlarmKey::of_box(AlarmCode::ClockUnsynchronised));
        let catalog = open(folder.path());
        // One that was over long ago, and one that stood when people were told last.
        catalog.raise(&clock, Params::new()).expect("written");
        catalog.clear(&clock).expect("written");
        catalog.raise(&disk, Params::new()).expect("written");
        let told = catalog.health().journal_sequence;
        catalog.clear(&disk).expect("written");
        catalog.raise(&clock, Params::new()).expect("written");
        catalog.clear(&clock).expect("written");
        drop(catalog);
        let catalog = open(folder.path());
        assert!(catalog.wait_until_current(std::time::Duration::from_secs(5)));
        let told_now = read(&mut Follower::after(&catalog, told).expect("follows"));
        let codes: Vec<_> = told_now.iter().map(|(_, code, raised)| (code.as_str(), *raised)).collect();
        assert_eq!(
            codes,
            [("disk_full", false), ("clock_unsynchronised", true), ("clock_unsynchronised", false)]
        );
    }

    #[test]
    fn of_too_many_the_oldest_are_left_out_and_that_is_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let catalog = open(folder.path());
        let mut follower = Follower::after(&catalog, 0).expect("follows");
        let bodies = (0..MOST_EVENTS as u64 + 10).map(|n| {
            let raised = json!({"code": "unit_lost", "category": "channel", "severity": "critical", "port": null,
                "thing": format!("unit {n}"), "params": {}, "times": 1});
            from_station(n + 1, "alarm_raised", raised)
        });
        catalog.append(bodies.collect()).expect("written");
        while follower.read(|_| true).expect("read") {}
        assert_eq!((follower.events.len(), follower.left_out_to), (MOST_EVENTS, 10));
        follower.forget(20);
        assert_eq!(follower.events.front().map(|event| event.sequence), Some(21));
    }
}
