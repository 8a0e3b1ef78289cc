//! Contacts: found by every member, shown beside numbers and ports, and never to those who may not read them.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeSet;

use common::{SERIAL, add, export, facts, id, open, settle};
use hookline_catalog::entry::Body;
use hookline_catalog::{
    Catalog, Contact, ContactPort, ContactQuery, Error, Grant, Only, PageRequest, RecordQuery, RecordRow,
    Scope,
};
use serde_json::json;

fn contact(number: &str, name: &str, department: &str) -> Contact {
    Contact { number: number.into(), name: name.into(), department: department.into(), ..Contact::default() }
}

fn at(station: &str, port: u16) -> Option<ContactPort> {
    Some(ContactPort { station: station.into(), port })
}

/// Sees every record of the box, and the contacts of one department.
fn of_department(name: &str) -> Scope {
    Scope::of([Grant::of_station(SERIAL)], Only::These([name.to_owned()].into()))
}

fn numbers(catalog: &Catalog, scope: &Scope, query: &ContactQuery) -> Vec<String> {
    let page = catalog.contacts(scope, query, PageRequest::default()).unwrap();
    assert_eq!(page.total, Some(page.items.len() as u64));
    page.items.into_iter().map(|one| one.number).collect()
}

fn row(catalog: &Catalog, scope: &Scope) -> RecordRow {
    settle(catalog);
    catalog.records_by_id(scope, &[id(1)]).unwrap().pop().unwrap()
}

/// Names beside the record's line and peer number.
fn names(catalog: &Catalog, scope: &Scope) -> (Option<String>, Option<String>) {
    let row = row(catalog, scope);
    (row.line_contact, row.peer_contact)
}

fn found_by_text(catalog: &Catalog, scope: &Scope, text: &str) -> usize {
    let query = RecordQuery { text: Some(text.into()), ..RecordQuery::default() };
    let page = catalog.records(scope, &query, PageRequest::default()).unwrap();
    assert_eq!(page.total, Some(page.items.len() as u64));
    page.items.len()
}

#[test]
fn contacts_stand_beside_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    add(&catalog, facts(1));
    catalog.set_contact(contact("13800138000", "Harbour", "Port")).unwrap();
    catalog.set_contact(contact("13800138000", "Harbour Office", "Port")).unwrap();
    catalog.set_contact(contact("110", "Police", "")).unwrap();
    let row = catalog.records_by_id(&Scope::everything(), &[id(1)]).unwrap().pop().unwrap();
    assert_eq!((row.peer_contact.as_deref(), row.line_contact), (Some("Harbour Office"), None));
    let page = PageRequest { limit: 1, ..PageRequest::default() };
    let first = catalog.contacts(&Scope::everything(), &ContactQuery::default(), page).unwrap();
    assert_eq!((first.items[0].number.as_str(), first.total), ("110", Some(2)));
    let next = PageRequest { after: first.next, ..page };
    let second = catalog.contacts(&Scope::everything(), &ContactQuery::default(), next).unwrap();
    assert_eq!((second.items[0].number.as_str(), second.next), ("13800138000", None));
    for (text, found) in [("office", 1), ("%", 0)] {
        let query = ContactQuery { text: Some(text.into()), ..ContactQuery::default() };
        assert_eq!(
            catalog.contacts(&Scope::everything(), &query, page).unwrap().items.len(),
            found,
            "{text}"
        );
    }
    catalog.remove_contact("110").unwrap();
    assert_eq!(catalog.contact("110").unwrap(), None);
    assert!(matches!(catalog.remove_contact("110"), Err(Error::NoContact(_))));
}

/// Whom a number belongs to is not told by a search either, by counting, or by an export.
#[test]
fn nobody_finds_records_by_a_name_that_is_not_theirs_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    add(&catalog, facts(1));
    catalog.set_contact(contact("13800138000", "Harbour Office", "west")).unwrap();
    settle(&catalog);
    let (east, west) = (of_department("east"), of_department("west"));
    assert_eq!(found_by_text(&catalog, &west, "harbour"), 1);
    assert_eq!(found_by_text(&catalog, &Scope::everything(), "harbour"), 1);
    assert_eq!(found_by_text(&catalog, &east, "harbour"), 0);
    assert_eq!(names(&catalog, &west), (None, Some("Harbour Office".into())));
    assert_eq!(names(&catalog, &east), (None, None), "nor is it shown");
    assert_eq!(catalog.record(&east, &id(1)).unwrap().unwrap().row.peer_contact, None);
    assert_eq!(catalog.name_of_number(&east, "13800138000").unwrap(), None);
    let mut exported = Vec::new();
    let mut each = |row: RecordRow| {
        exported.push(row.peer_contact);
        std::ops::ControlFlow::Continue(())
    };
    catalog.each_record(&east, &RecordQuery::default(), &mut each).unwrap();
    assert_eq!(exported, [None]);

    // Who looks at a part of the tree reads the names that they always read.
    let part = of_department("east").with_contacts_of(&Scope::everything());
    assert_eq!(names(&catalog, &part).1.as_deref(), Some("Harbour Office"));
    assert_eq!(found_by_text(&catalog, &part, "harbour"), 1);
    let of_station = west.within_stations(&[SERIAL.to_owned()].into());
    assert_eq!(found_by_text(&catalog, &of_station, "harbour"), 1);

    catalog.set_contact(contact("13800138000", "Harbour Office", "")).unwrap();
    assert_eq!(found_by_text(&catalog, &east, "harbour"), 1, "one of no department is everybody's");
}

#[test]
fn extensions_and_outside_numbers_name_those_who_alone_have_them() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    add(&catalog, facts(1));
    let everybody = Scope::everything();
    let desk = Contact { extension: "8001".into(), ..contact("1", "Desk", "east") };
    catalog.set_contact(desk).unwrap();
    let office = Contact { outside_number: "13800138000".into(), ..contact("2", "Office", "") };
    catalog.set_contact(office).unwrap();
    assert_eq!(names(&catalog, &everybody), (Some("Desk".into()), Some("Office".into())));
    assert_eq!(found_by_text(&catalog, &everybody, "desk"), 1);

    // Another desk with the same extension: which of them it was nobody can tell, but those who read one only.
    let other = Contact { extension: "8001".into(), ..contact("3", "Other Desk", "west") };
    catalog.set_contact(other).unwrap();
    assert_eq!(names(&catalog, &everybody).0, None);
    assert_eq!(found_by_text(&catalog, &everybody, "desk"), 0);
    assert_eq!(names(&catalog, &of_department("west")).0.as_deref(), Some("Other Desk"));
    assert_eq!(found_by_text(&catalog, &of_department("west"), "other"), 1);
    assert_eq!(found_by_text(&catalog, &of_department("east"), "other"), 0);

    // Whose number it is goes before whose extension it is.
    catalog.set_contact(contact("8001", "Duty Room", "")).unwrap();
    assert_eq!(names(&catalog, &everybody).0.as_deref(), Some("Duty Room"));
    assert_eq!(found_by_text(&catalog, &everybody, "desk"), 0);
    assert_eq!(found_by_text(&catalog, &everybody, "duty"), 1);

    // Both numbers of a contact may be the same.
    let both = Contact { extension: "13800138000".into(), ..contact("2", "Office", "") };
    let both = Contact { outside_number: "13800138000".into(), ..both };
    catalog.set_contact(both).unwrap();
    assert_eq!(names(&catalog, &everybody).1.as_deref(), Some("Office"));
}

#[test]
fn the_user_of_a_port_stands_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    add(&catalog, facts(1));
    let everybody = Scope::everything();
    for (number, station, port) in [("1", SERIAL, 1), ("2", SERIAL, 2), ("3", "HKLN-B", 1)] {
        let name = format!("user {number}");
        catalog.set_contact(Contact { port: at(station, port), ..contact(number, &name, "east") }).unwrap();
    }
    assert_eq!(row(&catalog, &everybody).port_contact.as_deref(), Some("user 1"));
    assert_eq!(row(&catalog, &of_department("west")).port_contact, None);
    let users = |scope: &Scope, station: &str| catalog.names_of_ports(scope, station).unwrap();
    assert_eq!(users(&everybody, SERIAL), [(1, "user 1".to_owned()), (2, "user 2".to_owned())].into());
    assert_eq!(users(&of_department("west"), SERIAL), [].into());
    // Two that share a port: lists do not say which of them it was.
    catalog.set_contact(Contact { port: at(SERIAL, 1), ..contact("4", "user 4", "west") }).unwrap();
    assert_eq!(row(&catalog, &everybody).port_contact, None);
    assert_eq!(users(&everybody, SERIAL), [(2, "user 2".to_owned())].into());
    assert_eq!(users(&of_department("west"), SERIAL), [(1, "user 4".to_owned())].into());
    assert_eq!(row(&catalog, &of_department("west")).port_contact.as_deref(), Some("user 4"));
    catalog.remove_contact("4").unwrap();
    catalog.set_contact(contact("1", "moved out", "east")).unwrap();
    assert_eq!(row(&catalog, &everybody).port_contact, None);

    let of = |station: Option<&str>, port| ContactQuery {
        station: station.map(str::to_owned),
        port,
        ..ContactQuery::default()
    };
    assert_eq!(numbers(&catalog, &everybody, &of(Some(SERIAL), None)), ["2"]);
    assert_eq!(numbers(&catalog, &everybody, &of(None, Some(1))), ["3"]);
    assert_eq!(numbers(&catalog, &everybody, &of(Some("HKLN-B"), Some(2))), [""; 0]);
    // A filter does not tell of ports that lie elsewhere, though the contact may be read.
    let east = of_department("east");
    assert_eq!(numbers(&catalog, &east, &of(Some("HKLN-B"), None)), [""; 0]);
    assert_eq!(numbers(&catalog, &east, &of(None, Some(1))), [""; 0]);
    assert_eq!(numbers(&catalog, &east, &of(Some(SERIAL), Some(2))), ["2"]);
}

#[test]
fn contacts_are_found_by_every_member_within_what_may_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    let whole = Contact {
        number: "13818886666".into(),
        name: "Zhang Wei".into(),
        department: "east".into(),
        note: "night shift".into(),
        extension: "88056612".into(),
        outside_number: "+8613800000000".into(),
        position: "Inspector".into(),
        email: "zhang@example.org".into(),
        ..Contact::default()
    };
    catalog.set_contact(whole.clone()).unwrap();
    catalog.set_contact(contact("1", "nobody's", "")).unwrap();
    catalog.set_contact(contact("2", "western", "west")).unwrap();
    assert_eq!(catalog.contact("13818886666").unwrap(), Some(whole.clone()));
    type Set<'a> = &'a dyn Fn(&mut ContactQuery, String);
    let ask = |set: Set, text: &str| {
        let mut query = ContactQuery::default();
        set(&mut query, text.to_owned());
        numbers(&catalog, &Scope::everything(), &query)
    };
    let members: [(Set, &str); 8] = [
        (&|query, text| query.number = Some(text), "8886"),
        (&|query, text| query.name = Some(text), "WEI"),
        (&|query, text| query.department = Some(text), "eas"),
        (&|query, text| query.note = Some(text), "shift"),
        (&|query, text| query.extension = Some(text), "8805"),
        (&|query, text| query.outside_number = Some(text), "+86138"),
        (&|query, text| query.position = Some(text), "inspector"),
        (&|query, text| query.email = Some(text), "@example"),
    ];
    for (set, text) in members {
        assert_eq!(ask(set, text), ["13818886666"], "{text}");
        assert_eq!(ask(&|query, text| query.text = Some(text), text), ["13818886666"], "{text}, of any");
        assert_eq!(ask(set, "%"), [""; 0], "no wildcards");
    }
    let within =
        ContactQuery { departments: Some(BTreeSet::from(["west".to_owned()])), ..ContactQuery::default() };
    assert_eq!(numbers(&catalog, &Scope::everything(), &within), ["2"]);
    assert_eq!(numbers(&catalog, &of_department("east"), &within), [""; 0]);
    assert_eq!(numbers(&catalog, &of_department("east"), &ContactQuery::default()), ["1", "13818886666"]);
    assert!(of_department("east").reads_contacts_of("") && !of_department("east").reads_contacts_of("west"));
}

#[test]
fn contacts_of_older_and_newer_releases_are_kept_whole() {
    let folder = tempfile::tempdir().unwrap();
    let old = json!({"number": "110", "name": "Police", "department": "", "note": "x"});
    let new = json!({"number": "119", "name": "Fire", "department": "", "note": "", "extension": "9",
        "port": {"station": SERIAL, "port": 3}, "photo": {"sha256": "ab"}});
    let bodies = || -> Vec<Body> {
        let read =
            |value: &serde_json::Value| Body::ContactSet(serde_json::from_value(value.clone()).unwrap());
        vec![read(&old), read(&new)]
    };
    let (catalog, _) = open(folder.path());
    catalog.append(bodies()).unwrap();
    let read = |catalog: &Catalog, number: &str| {
        serde_json::to_value(catalog.contact(number).unwrap().unwrap()).unwrap()
    };
    assert_eq!((read(&catalog, "110"), read(&catalog, "119")), (old.clone(), new.clone()));
    // What this release changes keeps what it does not know.
    let changed = Contact { name: "Fire Brigade".into(), ..catalog.contact("119").unwrap().unwrap() };
    catalog.set_contact(changed).unwrap();
    assert_eq!(read(&catalog, "119")["photo"]["sha256"], "ab");
    let before = export(&catalog);
    drop(catalog);
    std::fs::remove_file(folder.path().join("catalog.sqlite")).unwrap();
    let (catalog, _) = open(folder.path());
    settle(&catalog);
    assert_eq!(export(&catalog), before, "the journal has it all");
}
