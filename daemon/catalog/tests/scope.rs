//! What a scope lets through is what its grants say, for every question that can be asked: lists, counts, statistics,
//! single records, alarms, the audit trail. The rule is written down a second time here, as plainly as it goes.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use chrono::TimeZone;
use chrono_tz::Tz;
use common::{BEGIN_US, SERIAL, facts, open, settle};
use hookline_catalog::entry::{AlarmRaised, Annotation, Body, Deletion, FromStation, Record};
use hookline_catalog::{
    AlarmCategory, AlarmQuery, AlarmState, AuditEntry, AuditQuery, AuditResult, Catalog, Change,
    DeletedFilter, DeletionReason, Department, Device, Grant, GroupBy, Only, PageRequest, Params,
    RecordQuery, RecordRow, Scope, Since, Tally,
};
use line::{CallType, Severity};
use proptest::prelude::*;
use proptest::sample::select;
use recording::{Facts, RecordId};

const STATIONS: [&str; 4] = ["HKLN-A", "HKLN-B", "HKLN-C", "HKLN-D"];
/// More than are looked at one by one.
const PORTS: u16 = 40;
const HOUR_US: i64 = 3_600_000_000;
/// Hours, halves of hours, quarters, and a change of the clocks in the days of the test.
const ZONES: [Tz; 4] = [
    chrono_tz::Asia::Shanghai,
    chrono_tz::Asia::Kolkata,
    chrono_tz::Asia::Kathmandu,
    chrono_tz::America::New_York,
];

#[derive(Clone, Debug)]
struct Made {
    station: &'static str,
    port: u16,
    hour: i64,
    call_type: CallType,
    seconds: u64,
    peer: &'static str,
    deleted: bool,
    tagged: bool,
}

fn made() -> impl Strategy<Value = Made> {
    (
        (select(&STATIONS[..]), 1..=PORTS, 0i64..24 * 25),
        (select(CallType::ALL), 0u64..4000, select(vec!["13800138000", "7001", "01066668888"])),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
    )
        .prop_map(|((station, port, hour), (call_type, seconds, peer), deleted, tagged)| Made {
            station,
            port,
            hour,
            call_type,
            seconds,
            peer,
            deleted,
            tagged,
        })
}

impl Made {
    fn facts(&self, sequence: u64) -> Facts {
        let mut facts = facts(sequence);
        facts.id = RecordId { serial: self.station.into(), sequence };
        facts.port = self.port;
        facts.start.utc_us = BEGIN_US + self.hour * HOUR_US + self.seconds as i64 * 300_007;
        facts.call_id = format!("call-{}", self.hour);
        facts.call_type = self.call_type;
        facts.samples = 16_000 + self.seconds * 8000;
        facts.peer_number = Some(self.peer.into());
        facts
    }
}

/// As a platform takes them.
fn bodies(all: &[Made]) -> Vec<Body> {
    let mut bodies = Vec::new();
    let mut entry = 0;
    for (made, sequence) in all.iter().zip(1..) {
        let record = made.facts(sequence).id;
        let mut say = |body: &Body| {
            entry += 1;
            bodies.push(Body::FromStation(FromStation {
                serial: made.station.into(),
                entry,
                written_us: BEGIN_US,
                layout: 1,
                payload: serde_json::to_string(body).unwrap(),
                file: None,
                unavailable: None,
                covers_from: None,
            }));
        };
        say(&Body::Record(Record { facts: made.facts(sequence), file: None }));
        if made.tagged {
            let change = Change::TagAdd { sample: 1, text: format!("tag {}", made.port % 3) };
            say(&Body::Annotation(Annotation { record: record.clone(), account: None, change }));
        }
        if made.deleted {
            say(&Body::Deletion(Deletion { record, account: None, reason: DeletionReason::Loop }));
        }
        say(&Body::AlarmRaised(AlarmRaised {
            code: format!("code {sequence}"),
            category: AlarmCategory::Channel,
            severity: Severity::Minor,
            port: (sequence % 2 == 0).then_some(made.port),
            thing: None,
            params: Params::new(),
            times: 1,
        }));
    }
    bodies
}

fn grant() -> impl Strategy<Value = Grant> {
    let time = |open| prop_oneof![Just(open), (-10i64..24 * 26).prop_map(|hour| BEGIN_US + hour * HOUR_US)];
    (
        prop::option::weighted(0.9, select(&STATIONS[..])),
        prop_oneof![Just(Only::All), prop::collection::btree_set(1..=PORTS, 0..30).prop_map(Only::These)],
        prop_oneof![4 => Just(BTreeSet::new()), 1 => prop::collection::btree_set(1..=PORTS, 1..4)],
        time(i64::MIN),
        time(i64::MAX),
    )
        .prop_map(|(station, ports, except, from_us, to_us)| Grant {
            station: station.map(str::to_owned),
            ports,
            except,
            from_us,
            to_us,
        })
}

fn query() -> impl Strategy<Value = RecordQuery> {
    let time =
        || prop::option::of((0i64..24 * 100).prop_map(|quarter| BEGIN_US + quarter * HOUR_US / 4 + 17));
    (
        time(),
        time(),
        prop::collection::btree_set(select(&STATIONS[..]).prop_map(str::to_owned), 0..3),
        prop_oneof![2 => Just(BTreeSet::new()), 1 => prop::collection::btree_set(1..=PORTS, 1..20)],
        prop_oneof![2 => Just(BTreeSet::new()), 1 => prop::collection::btree_set(select(CallType::ALL), 1..3)],
        select(vec![DeletedFilter::No, DeletedFilter::No, DeletedFilter::Yes, DeletedFilter::All]),
        prop::option::weighted(0.2, select(vec!["138", "7001", "6666", "42"])),
    )
        .prop_map(|(from_us, to_us, stations, ports, call_types, deleted, number)| RecordQuery {
            from_us,
            to_us,
            stations,
            ports,
            call_types,
            deleted,
            number: number.map(str::to_owned),
            ..RecordQuery::default()
        })
}

fn granted(grants: &Option<Vec<Grant>>, serial: &str, port: Option<u16>, us: i64) -> bool {
    let Some(grants) = grants else { return true };
    grants.iter().any(|grant| {
        let of_station = grant.station.as_deref().is_none_or(|one| one == serial);
        let gives = |port: &u16| grant.ports.allows(port) && !grant.except.contains(port);
        let of_port = match port {
            Some(port) => gives(&port),
            None => (1..=PORTS).any(|port| gives(&port)),
        };
        of_station && of_port && grant.from_us <= us && us < grant.to_us
    })
}

fn fits(row: &RecordRow, query: &RecordQuery, grants: &Option<Vec<Grant>>) -> bool {
    let number = query.number.as_deref().unwrap_or_default();
    let contains = |side: &Option<String>| side.as_ref().is_some_and(|side| side.contains(number));
    granted(grants, &row.id.serial, Some(row.port), row.start_us)
        && query.from_us.is_none_or(|from| row.start_us >= from)
        && query.to_us.is_none_or(|to| row.start_us < to)
        && (query.stations.is_empty() || query.stations.contains(&row.id.serial))
        && (query.ports.is_empty() || query.ports.contains(&row.port))
        && (query.call_types.is_empty() || query.call_types.contains(&row.call_type))
        && (contains(&row.line_number) || contains(&row.peer_number))
        && match query.deleted {
            DeletedFilter::All => true,
            DeletedFilter::Yes => row.deleted.is_some(),
            DeletedFilter::No => row.deleted.is_none(),
        }
}

fn group(row: &RecordRow, by: GroupBy, zone: Tz) -> String {
    let local = zone.timestamp_micros(row.start_us).unwrap();
    match by {
        GroupBy::Hour => local.format("%Y-%m-%dT%H").to_string(),
        GroupBy::Day => local.format("%Y-%m-%d").to_string(),
        GroupBy::Month => local.format("%Y-%m").to_string(),
        GroupBy::Port => row.port.to_string(),
        GroupBy::Station => row.id.serial.clone(),
        GroupBy::StationPort => format!("{}:{}", row.id.serial, row.port),
    }
}

fn check_lists(catalog: &Catalog, expected: &[&RecordRow], query: &RecordQuery, scope: &Scope) {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest { after, limit: 37, count_up_to: 20 };
        let page = catalog.records(scope, query, page).unwrap();
        assert_eq!(page.total, Some(expected.len().min(20) as u64), "{query:?}");
        assert_eq!(page.total_is_least, expected.len() > 20, "{query:?}");
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(found.iter().eq(expected.iter().copied()), "{query:?}");
    let mut exported = Vec::new();
    let mut each = |row| {
        exported.push(row);
        ControlFlow::Continue(())
    };
    catalog.each_record(scope, query, &mut each).unwrap();
    assert!(exported.iter().eq(expected.iter().copied()), "{query:?}");
}

fn check_statistics(
    catalog: &Catalog,
    expected: &[&RecordRow],
    query: &RecordQuery,
    scope: &Scope,
    zone: Tz,
) {
    use GroupBy::{Day, Hour, Month, Port, Station, StationPort};
    for by in [Hour, Day, Month, Port, Station, StationPort] {
        let mut groups: BTreeMap<(String, CallType), Tally> = BTreeMap::new();
        for row in expected {
            let tally = groups.entry((group(row, by, zone), row.call_type)).or_default();
            tally.count += 1;
            tally.duration_ms += row.duration_ms;
        }
        let statistics = catalog.statistics(scope, query, by, zone).unwrap();
        let mut shown = BTreeMap::new();
        for (name, mut totals) in statistics.rows.clone() {
            for call_type in CallType::ALL {
                let tally = *totals.of(*call_type);
                if tally.count > 0 {
                    shown.insert((name.clone(), *call_type), tally);
                }
            }
            assert!(totals.total().count > 0, "{name} is empty");
        }
        assert_eq!(shown, groups, "{query:?} by {by:?}");
        assert_eq!(statistics.totals.total().count, expected.len() as u64);
    }
}

fn check_single(catalog: &Catalog, all: &[RecordRow], grants: &Option<Vec<Grant>>, scope: &Scope) {
    let allowed = |row: &&RecordRow| granted(grants, &row.id.serial, Some(row.port), row.start_us);
    let ids: Vec<_> = all.iter().map(|row| row.id.clone()).collect();
    let found = catalog.records_by_id(scope, &ids).unwrap();
    assert!(found.iter().eq(all.iter().filter(allowed)));
    for row in all.iter().take(20) {
        let detail = catalog.record(scope, &row.id).unwrap();
        assert_eq!(detail.is_some(), allowed(&row));
        let Some(detail) = detail else { continue };
        let same = all.iter().rev().filter(|other| other.call_id == row.call_id && other.id != row.id);
        let same: Vec<_> = same.filter(allowed).map(|other| other.id.clone()).collect();
        assert_eq!(detail.same_call, same);
    }
    let tagged = all.iter().filter(allowed).filter(|row| !row.tags.is_empty()).count() as u64;
    let texts = catalog.tag_texts(scope, 100).unwrap();
    assert_eq!(texts.iter().map(|text| text.count).sum::<u64>(), tagged);
    for port in [1, PORTS] {
        let recent = catalog.recent(scope, port, 5).unwrap();
        let expected = all.iter().filter(allowed).filter(|row| row.port == port && row.deleted.is_none());
        assert!(recent.iter().eq(expected.take(5)));
    }
}

/// What is about a station as a whole needs a grant that holds now; the clock of the test stands still.
fn check_alarms(catalog: &Catalog, grants: &Option<Vec<Grant>>, scope: &Scope) {
    let page = PageRequest { limit: 1000, ..PageRequest::default() };
    let query = AlarmQuery { state: AlarmState::All, ..AlarmQuery::default() };
    let all = catalog.alarms(&Scope::everything(), &query, page).unwrap().items;
    let seen = catalog.alarms(scope, &query, page).unwrap();
    let expected: Vec<_> = all
        .iter()
        .filter(|alarm| {
            let us = if alarm.port.is_some() { alarm.raised_us } else { now_us() };
            granted(grants, alarm.station.as_deref().unwrap_or(SERIAL), alarm.port, us)
        })
        .cloned()
        .collect();
    assert_eq!(seen.items, expected);
    assert_eq!(seen.total, Some(expected.len() as u64));
    for alarm in all.iter().take(10) {
        assert_eq!(catalog.alarm(scope, alarm.id).unwrap().is_some(), expected.contains(alarm));
    }
    let counts = catalog.alarm_counts(scope).unwrap();
    assert_eq!(counts.minor, expected.len() as u64);
}

fn now_us() -> i64 {
    BEGIN_US + 24 * 12 * HOUR_US
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_scope_lets_through_what_its_grants_say(
        all in prop::collection::vec(made(), 1..400),
        questions in prop::collection::vec(
            (query(), prop::option::weighted(0.9, prop::collection::vec(grant(), 0..6)), select(&ZONES[..])), 20),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let options = hookline_catalog::Options { clock: now_us, ..hookline_catalog::Options::new(SERIAL) };
        let (catalog, _) = Catalog::open(folder.path(), options).unwrap();
        catalog.append(bodies(&all)).unwrap();
        settle(&catalog);
        let mut rows = Vec::new();
        let query = RecordQuery { deleted: DeletedFilter::All, ..RecordQuery::default() };
        let mut each = |row| { rows.push(row); ControlFlow::Continue(()) };
        catalog.each_record(&Scope::everything(), &query, &mut each).unwrap();
        prop_assert_eq!(rows.len(), all.len());
        for (query, grants, zone) in &questions {
            let scope = match grants {
                None => Scope::everything(),
                Some(grants) => Scope::of(grants.clone(), Only::All),
            };
            let expected: Vec<&RecordRow> = rows.iter().filter(|row| fits(row, query, grants)).collect();
            check_lists(&catalog, &expected, query, &scope);
            check_statistics(&catalog, &expected, query, &scope, *zone);
            check_single(&catalog, &rows, grants, &scope);
            check_alarms(&catalog, grants, &scope);
        }
    }
}

#[test]
fn what_accounts_did_is_seen_by_their_departments_and_what_a_station_says_by_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    let audit = |department: Option<&str>, port| AuditEntry {
        account: Some("officer".into()),
        display_name: None,
        department: department.map(str::to_owned),
        ip: None,
        item: "session".into(),
        port,
        operation: "login".into(),
        params: Params::new(),
        result: AuditResult::Ok,
        detail: None,
    };
    for (department, port) in
        [(None, None), (Some("east"), None), (Some("west"), Some(3)), (Some("east"), Some(9))]
    {
        catalog.audit(audit(department, port)).unwrap();
    }
    let sent = |serial: &str, port| {
        Body::FromStation(FromStation {
            serial: serial.into(),
            entry: 1,
            written_us: BEGIN_US,
            layout: 1,
            payload: serde_json::to_string(&Body::Audit(audit(None, port))).unwrap(),
            file: None,
            unavailable: None,
            covers_from: None,
        })
    };
    catalog
        .append(vec![sent(STATIONS[0], None), sent(STATIONS[1], None), sent(STATIONS[2], Some(2))])
        .unwrap();
    let of = |serial: &str, ports| Grant { ports, ..Grant::of_station(serial) };
    let seen = |scope: &Scope| -> Vec<u64> {
        let page = catalog.audit_trail(scope, &AuditQuery::default(), PageRequest::default()).unwrap();
        assert_eq!(page.total, Some(page.items.len() as u64));
        page.items.iter().map(|row| row.id).collect()
    };
    let departments = |names: &[&str]| Only::These(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(seen(&Scope::everything()), [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(seen(&Scope::of([of(STATIONS[0], Only::All)], departments(&["east"]))), [5, 4, 2]);
    let desk = [of(STATIONS[2], Only::These([1, 2].into())), of(STATIONS[1], Only::These(BTreeSet::new()))];
    assert_eq!(seen(&Scope::of(desk, departments(&["west", "north"]))), [7, 3]);
    assert_eq!(seen(&Scope::of([], departments(&[]))), [0u64; 0]);
}

#[test]
fn a_department_follows_what_happens_to_its_stations() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    let made = Made {
        station: STATIONS[0],
        port: 1,
        hour: 5,
        call_type: CallType::IncomingAnswered,
        seconds: 30,
        peer: "7001",
        deleted: false,
        tagged: false,
    };
    catalog.append(bodies(&[made.clone(), Made { hour: 50, ..made }])).unwrap();
    settle(&catalog);
    let seen = |name: &str| {
        let scope = catalog.scope_of_department(name).unwrap();
        catalog.records(&scope, &RecordQuery::default(), PageRequest::default()).unwrap().items.len()
    };
    assert_eq!((seen("east"), seen("city")), (0, 0), "departments that are not there");
    let department = |name: &str, parent: Option<&str>| {
        Body::DepartmentSet(Department {
            name: name.into(),
            prefix: "E".into(),
            parent: parent.map(str::to_owned),
            code: None,
        })
    };
    catalog.append(vec![department("city", None), department("east", Some("city"))]).unwrap();
    assert_eq!((seen("east"), seen("city")), (0, 0));
    let mut device = Device::new(STATIONS[0]);
    device.departments = vec![Since { from_us: i64::MIN, department: Some("east".into()) }];
    catalog.append(vec![Body::DeviceSet(device.clone())]).unwrap();
    assert_eq!((seen("east"), seen("city")), (2, 2));
    let moved = Since { from_us: BEGIN_US + 20 * HOUR_US, department: Some("city".into()) };
    device.departments.push(moved);
    catalog.append(vec![Body::DeviceSet(device)]).unwrap();
    assert_eq!((seen("east"), seen("city")), (1, 2), "what was recorded before stays where it belonged");
}

#[test]
fn a_scope_is_narrowed_to_stations_and_never_widened() {
    let of = |serials: &[&str]| serials.iter().map(|serial| (*serial).to_owned()).collect::<BTreeSet<_>>();
    let all = Scope::everything().within_stations(&of(&["A"]));
    assert!(all.allows_record("A", 7, 0) && !all.allows_record("B", 7, 0) && !all.is_everything());
    let some = Scope::of([Grant::of_station("A"), Grant::of_station("B")], Only::All);
    let narrowed = some.within_stations(&of(&["B", "C"]));
    assert_eq!(["A", "B", "C"].map(|serial| narrowed.station_now(serial, 0)), [false, true, false]);
    let ports = Scope::ports([3]).within_stations(&of(&["B"]));
    assert!(
        ports.allows_record("B", 3, 0) && !ports.allows_record("B", 4, 0) && !ports.allows_record("A", 3, 0)
    );
}
