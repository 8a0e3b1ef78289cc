//! What a platform's journal says of its stations, and what a station's says of its platform.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeSet;

use common::{BEGIN_US, SERIAL, add, export, facts, file_name, missed, open, settle};
use hookline_catalog::entry::{
    AlarmAcknowledged, AlarmCleared, AlarmRaised, Annotation, Deletion, FromStation, Name, Record,
    Synchronised,
};
use hookline_catalog::{
    AlarmCategory, AlarmCode, AlarmKey, AlarmQuery, AlarmState, AuditQuery, AuditResult, Body, Catalog,
    Change, DeletedFilter, DeletionReason, Department, Device, Grade, Grant, Only, PageRequest, RecordQuery,
    RecordRow, Scope,
};
use recording::{Facts, RecordId};

const STATION: &str = "HKLN-00000000000007";

/// The entry as a station would have sent it.
fn sent(entry: u64, body: &Body, file: Option<&str>) -> Body {
    Body::FromStation(FromStation {
        serial: STATION.into(),
        entry,
        written_us: BEGIN_US + entry as i64,
        layout: 1,
        payload: serde_json::to_string(body).unwrap(),
        file: file.map(str::to_owned),
        unavailable: None,
        covers_from: None,
    })
}

fn theirs(sequence: u64) -> Facts {
    Facts { id: RecordId { serial: STATION.into(), sequence }, ..facts(sequence) }
}

fn record(facts: Facts) -> Body {
    let file = file_name(&facts);
    Body::Record(Record { facts, file })
}

fn said(sequence: u64, change: Change) -> Body {
    Body::Annotation(Annotation { record: theirs(sequence).id, account: Some("officer".into()), change })
}

fn rows(catalog: &Catalog) -> Vec<RecordRow> {
    settle(catalog);
    let query = RecordQuery { deleted: DeletedFilter::All, ..RecordQuery::default() };
    catalog.records(&Scope::everything(), &query, PageRequest::default()).unwrap().items
}

/// Brings the entries in, and again after them, and holds the catalog against one made again from the journal.
fn platform(entries: Vec<Body>) -> (tempfile::TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    for body in &entries {
        catalog.append(vec![body.clone()]).unwrap();
    }
    catalog.append(entries).unwrap();
    let kept_up = export(&catalog);
    drop(catalog);
    std::fs::remove_file(folder.path().join("catalog.sqlite")).unwrap();
    let (catalog, _) = open(folder.path());
    assert_eq!(export(&catalog), kept_up);
    (folder, catalog)
}

#[test]
fn what_comes_twice_exists_once() {
    let (_folder, catalog) = platform(vec![
        sent(1, &record(theirs(1)), Some("recordings/a.wav")),
        sent(2, &said(1, Change::Play), None),
        sent(4, &record(Facts { port: 3, ..theirs(2) }), Some("recordings/b.wav")),
    ]);
    let rows = rows(&catalog);
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[1].file.as_deref(), rows[1].play_count), (Some("recordings/a.wav"), 1));
    assert_eq!(catalog.arrived(STATION).unwrap().iter().collect::<Vec<_>>(), [(1, 2), (4, 4)]);
    assert!(catalog.arrived(SERIAL).unwrap().is_empty());
    let detail = catalog.record(&Scope::everything(), &theirs(1).id).unwrap().unwrap();
    assert_eq!(detail.facts, theirs(1));
    assert_eq!(catalog.next_sequence(), 1, "records of stations are not counted as the box's own");
}

#[test]
fn a_station_speaks_for_itself_only() {
    let account = Body::AccountRemoved(Name { name: "admin".into() });
    let foreign = Body::Annotation(Annotation {
        record: facts(1).id,
        account: None,
        change: Change::Grade(Grade::Permanent),
    });
    let nested = sent(7, &record(theirs(9)), None);
    let (_folder, catalog) = platform(vec![
        record(facts(1)),
        sent(1, &record(facts(2)), None),
        sent(2, &foreign, None),
        sent(3, &account, None),
        sent(4, &nested, None),
        sent(5, &Body::DeviceSet(Device::new("x")), None),
    ]);
    let rows = rows(&catalog);
    assert_eq!((rows.len(), rows[0].grade), (1, Grade::Normal));
    assert!(catalog.devices().unwrap().is_empty());
    assert_eq!(catalog.arrived(STATION).unwrap().iter().collect::<Vec<_>>(), [(1, 5)]);
}

#[test]
fn a_file_that_was_lacking_may_come_later_and_what_a_station_deletes_its_platform_keeps() {
    let deleted = |sequence| {
        Body::Deletion(Deletion { record: theirs(sequence).id, account: None, reason: DeletionReason::Loop })
    };
    let (_folder, catalog) = platform(vec![
        sent(1, &record(theirs(1)), None),
        sent(2, &record(theirs(2)), Some("recordings/2.wav")),
        sent(3, &record(theirs(3)), None),
        sent(4, &deleted(2), None),
        sent(5, &deleted(3), None),
        sent(1, &record(theirs(1)), Some("recordings/1.wav")),
    ]);
    let rows = rows(&catalog);
    let state = |row: &RecordRow| (row.file.clone(), row.file_missing, row.deleted.is_some());
    assert_eq!(state(&rows[2]), (Some("recordings/1.wav".into()), false, false));
    assert_eq!(state(&rows[1]), (Some("recordings/2.wav".into()), false, false));
    assert_eq!(state(&rows[0]), (None, true, true));
}

#[test]
fn tags_are_named_by_the_stations_numbers_also_before_their_record() {
    let tag = |text: &str| Change::TagAdd { sample: 5, text: text.into() };
    let (_folder, catalog) = platform(vec![
        sent(3, &said(1, tag("early")), None),
        sent(4, &said(1, tag("gone")), None),
        sent(2, &record(theirs(1)), None),
        sent(5, &said(1, tag("later")), None),
        sent(6, &said(1, Change::TagRemove { tag: 4 }), None),
    ]);
    let texts: Vec<String> = rows(&catalog)[0].tags.iter().map(|tag| tag.text.clone()).collect();
    assert_eq!(texts, ["early", "later"]);
}

#[test]
fn the_same_alarm_of_two_boxes_is_two_alarms() {
    let raised = Body::AlarmRaised(AlarmRaised {
        code: "disk_full".into(),
        category: AlarmCategory::Disk,
        severity: line::Severity::Critical,
        port: None,
        thing: None,
        params: serde_json::Map::new(),
        times: 1,
    });
    let cleared = Body::AlarmCleared(AlarmCleared { code: "disk_full".into(), port: None, thing: None });
    let seen = AlarmAcknowledged { alarm: 40, account: "officer".into(), note: None };
    let (_folder, catalog) = platform(vec![
        raised.clone(),
        sent(40, &raised, None),
        sent(41, &Body::AlarmAcknowledged(seen), None),
    ]);
    let list = |catalog: &Catalog, state, stations: &[&str]| {
        let stations = stations.iter().map(|serial| (*serial).to_owned()).collect();
        let query = AlarmQuery { state, stations, ..AlarmQuery::default() };
        catalog.alarms(&Scope::everything(), &query, PageRequest::default()).unwrap().items
    };
    let current = list(&catalog, AlarmState::Current, &[]);
    let of: Vec<_> = current.iter().map(|alarm| (alarm.station.as_deref(), alarm.count)).collect();
    assert_eq!(
        of,
        [(Some(STATION), 1), (None, 2)],
        "the box's own was raised twice, the station's came twice"
    );
    assert_eq!(current[0].raised_us, BEGIN_US + 40);
    assert!(current[0].reported_us > current[0].raised_us);
    assert!(current[0].acknowledged.is_some() && current[1].acknowledged.is_none());
    catalog.append(vec![sent(42, &cleared, None)]).unwrap();
    assert_eq!(list(&catalog, AlarmState::Current, &[]).len(), 1);
    assert_eq!(list(&catalog, AlarmState::History, &[STATION]).len(), 1);
    assert_eq!(list(&catalog, AlarmState::All, &[SERIAL]).len(), 1);
}

#[test]
fn the_audit_trail_says_where_it_happened() {
    let entry = hookline_catalog::AuditEntry {
        account: Some("officer".into()),
        display_name: None,
        department: Some("east".into()),
        ip: None,
        item: "session".into(),
        port: None,
        operation: "login".into(),
        params: serde_json::Map::new(),
        result: AuditResult::Ok,
        detail: None,
    };
    let (_folder, catalog) = platform(vec![sent(1, &Body::Audit(entry), None)]);
    let trail = |stations: &[&str]| {
        let stations = stations.iter().map(|serial| (*serial).to_owned()).collect();
        let query = AuditQuery { stations, ..AuditQuery::default() };
        catalog.audit_trail(&Scope::everything(), &query, PageRequest::default()).unwrap().items
    };
    let rows = trail(&[STATION]);
    assert_eq!((rows.len(), rows[0].station.as_deref(), rows[0].utc_us), (1, Some(STATION), BEGIN_US + 1));
    assert_eq!(rows[0].entry.department.as_deref(), Some("east"));
    assert!(trail(&[SERIAL]).is_empty());
}

#[test]
fn the_last_word_on_a_station_and_a_department_counts() {
    let department = |name: &str, prefix: &str| Department {
        name: name.into(),
        prefix: prefix.into(),
        parent: None,
        code: None,
    };
    let renamed = Device { name: "Harbour".into(), ..Device::new(STATION) };
    let (_folder, catalog) = platform(vec![
        Body::DeviceSet(Device::new(STATION)),
        Body::DeviceSet(renamed.clone()),
        Body::DeviceSet(Device::new("HKLN-00000000000008")),
        Body::DeviceRemoved(Name { name: "HKLN-00000000000008".into() }),
        Body::DepartmentSet(department("west", "W")),
        Body::DepartmentSet(department("east", "E")),
        Body::DepartmentRemoved(Name { name: "west".into() }),
    ]);
    assert_eq!(catalog.devices().unwrap(), std::slice::from_ref(&renamed));
    assert_eq!(catalog.device(STATION).unwrap(), Some(renamed));
    assert_eq!(catalog.departments().unwrap(), [department("east", "E")]);
}

#[test]
fn a_station_keeps_in_mind_what_its_platform_has() {
    let spans = |ranges: &[(u64, u64)]| Body::Synchronised(Synchronised { ranges: ranges.to_vec() });
    let (_folder, catalog) =
        platform(vec![spans(&[(1, 3), (7, 9)]), spans(&[(5, 5)]), spans(&[(4, 4), (9, 12), (3, 1)])]);
    assert_eq!(catalog.synchronised().unwrap().iter().collect::<Vec<_>>(), [(1, 5), (7, 12)]);
}

#[test]
fn a_tail_follows_the_journal_and_gives_it_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    let mut tail = catalog.journal_tail(1);
    assert!(tail.read(10).unwrap().is_empty());
    for sequence in 1..=5 {
        add(&catalog, missed(sequence));
    }
    let read = tail.read(3).unwrap();
    assert_eq!(read.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    let Ok(Body::Record(first)) = Body::from_payload(read[0].layout, &read[0].payload) else {
        panic!("a record")
    };
    assert_eq!(first.facts, missed(1));
    assert_eq!(catalog.raw_entry(read[1].place, 2).unwrap(), read[1]);
    assert!(catalog.raw_entry(read[1].place, 3).is_err());
    add(&catalog, missed(6));
    assert_eq!(tail.read(10).unwrap().len(), 3);
    assert!(tail.read(10).unwrap().is_empty());
    assert_eq!(catalog.journal_tail(6).read(10).unwrap()[0].sequence, 6);
}

#[test]
fn an_entry_is_known_by_what_it_says_and_not_by_its_number_alone() {
    let alarm = |thing: &str| {
        Body::AlarmRaised(AlarmRaised {
            code: "line_lost".into(),
            category: AlarmCategory::Channel,
            severity: line::Severity::Critical,
            port: None,
            thing: Some(thing.into()),
            params: serde_json::Map::new(),
            times: 1,
        })
    };
    let Body::FromStation(covering) = sent(9, &alarm("nine"), None) else { panic!("of a station") };
    let nine = FromStation { covers_from: Some(1), ..covering };
    let (_folder, catalog) = platform(vec![
        Body::FromStation(nine.clone()),
        // Was only covered until now: it stayed at the station, or comes from a journal that has begun anew.
        sent(5, &alarm("five"), None),
        sent(12, &record(theirs(40)), None),
    ]);
    settle(&catalog);
    assert_eq!(catalog.entry_print(STATION, 9).unwrap(), Some(nine.print()));
    assert!(catalog.entry_print(STATION, 5).unwrap().is_some_and(|five| five != nine.print()));
    assert_eq!(catalog.entry_print(STATION, 4).unwrap(), None);
    assert_eq!(catalog.entry_print(SERIAL, 9).unwrap(), None);
    assert_eq!(catalog.highest_record(STATION).unwrap(), 40);
    assert_eq!(catalog.highest_record("HKLN-00000000000099").unwrap(), 0);
    let alarms =
        catalog.alarms(&Scope::everything(), &AlarmQuery::default(), PageRequest::default()).unwrap();
    assert_eq!(alarms.items.len(), 2);
}

#[test]
fn a_file_that_was_missed_and_comes_again_is_there() {
    let facts = theirs(1);
    let file = file_name(&facts).unwrap();
    let came = sent(1, &record(facts.clone()), Some(&file));
    let missed = Body::FileMissing(hookline_catalog::entry::RecordRef { record: facts.id });
    let (_folder, catalog) = platform(vec![came.clone(), missed, came]);
    let row = &rows(&catalog)[0];
    assert!(!row.file_missing && row.file.as_deref() == Some(file.as_str()));
}

#[test]
fn a_station_that_was_removed_is_remembered_as_it_was() {
    let device = Device { name: "seven".into(), ..Device::new(STATION) };
    let removed = Body::DeviceRemoved(Name { name: STATION.into() });
    let (_folder, catalog) = platform(vec![Body::DeviceSet(device.clone()), removed.clone(), removed]);
    assert_eq!(catalog.device(STATION).unwrap(), None);
    assert_eq!(catalog.former_device(STATION).unwrap(), Some(device));
    assert_eq!(catalog.former_device(SERIAL).unwrap(), None);
}

#[test]
fn what_a_platform_says_of_a_station_is_for_those_who_see_the_station() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    let other = "HKLN-00000000000008";
    for serial in [STATION, other] {
        let offline = AlarmKey::of_thing(AlarmCode::StationOffline, serial);
        catalog.raise(&offline, serde_json::Map::new()).unwrap();
    }
    // A thing that is no station, whatever its name.
    catalog.raise(&AlarmKey::of_thing(AlarmCode::UnitLost, STATION), serde_json::Map::new()).unwrap();
    settle(&catalog);
    let seen = |scope: &Scope, stations: &[&str]| {
        let stations = stations.iter().map(|serial| (*serial).to_owned()).collect();
        let query = AlarmQuery { stations, ..AlarmQuery::default() };
        catalog.alarms(scope, &query, PageRequest::default()).unwrap().items
    };
    let few = Scope::of([Grant::of_station(STATION)], Only::These(BTreeSet::new()));
    let many = (100..300).map(|number| Grant::of_station(format!("HKLN-{number:014}")));
    let many = Scope::of(many.chain([Grant::of_station(STATION)]), Only::These(BTreeSet::new()));
    for scope in [&few, &many] {
        let items = seen(scope, &[]);
        assert_eq!(items.iter().map(|alarm| alarm.about()).collect::<Vec<_>>(), [Some(STATION)]);
        assert_eq!(catalog.alarm_counts(scope).unwrap().critical, 1);
        assert!(catalog.alarm(scope, items[0].id).unwrap().is_some());
        assert!(seen(scope, &[other]).is_empty());
    }
    assert_eq!(seen(&Scope::everything(), &[]).len(), 3);
    assert_eq!(seen(&Scope::everything(), &[other])[0].about(), Some(other));
}

#[test]
fn what_stays_at_a_station_leaves_no_hole_in_what_has_come() {
    let stays_before = |entry: u64, covers_from: u64| match sent(entry, &record(theirs(entry)), None) {
        Body::FromStation(from) => Body::FromStation(FromStation { covers_from: Some(covers_from), ..from }),
        other => other,
    };
    // The last two say what no station says: more than they are, and nothing that is before them.
    let (_folder, catalog) = platform(vec![
        sent(1, &record(theirs(1)), None),
        stays_before(5, 2),
        stays_before(9, 7),
        stays_before(12, 0),
        stays_before(20, 30),
    ]);
    settle(&catalog);
    let spans: Vec<_> = catalog.arrived(STATION).unwrap().iter().collect();
    assert_eq!(spans, [(1, 12), (20, 20)]);
    assert_eq!(rows(&catalog).len(), 5);
}
