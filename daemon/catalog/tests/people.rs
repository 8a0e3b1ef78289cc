//! Alarms, accounts, the audit trail, and what people say about records.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::{add, export, facts, id, open, settle};
use hookline_catalog::entry::{Annotation, Body};
use hookline_catalog::journal::JournalReader;
use hookline_catalog::{
    Account, AlarmCategory, AlarmCode, AlarmCounts, AlarmKey, AlarmQuery, AlarmState, AuditEntry, AuditQuery,
    AuditResult, Catalog, Change, DeletionReason, DeletionRefusal, Deletions, Error, Grade, PageRequest,
    Params, Right, Scope,
};
use line::Severity;
use serde_json::json;

fn params(value: serde_json::Value) -> Params {
    value.as_object().unwrap().clone()
}

fn alarms(catalog: &Catalog, query: AlarmQuery) -> Vec<hookline_catalog::AlarmRow> {
    settle(catalog);
    catalog.alarms(&Scope::everything(), &query, PageRequest::default()).unwrap().items
}

fn history() -> AlarmQuery {
    AlarmQuery { state: AlarmState::History, ..AlarmQuery::default() }
}

#[test]
fn an_alarm_is_one_however_often_it_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    let lost = AlarmKey::of_port(line::AlarmCode::LineLost, 35);
    for volts in 0..5 {
        catalog.raise(&lost, params(json!({"volts": volts}))).unwrap();
    }
    catalog.raise(&AlarmKey::of_port(AlarmCode::LineLost, 36), Params::new()).unwrap();
    catalog.raise(&AlarmKey::of_thing(AlarmCode::UnitLost, "tap-a"), Params::new()).unwrap();
    catalog.raise(&AlarmKey::of_thing(AlarmCode::UnitLost, "tap-b"), Params::new()).unwrap();
    let current = alarms(&catalog, AlarmQuery::default());
    assert_eq!(current.len(), 4);
    assert_eq!(catalog.health().journal_sequence, 4, "repeats are not written one by one");
    let counts = catalog.alarm_counts(&Scope::everything()).unwrap();
    assert_eq!(counts, AlarmCounts { critical: 4, ..AlarmCounts::default() });

    catalog.clear(&lost).unwrap();
    catalog.clear(&lost).unwrap();
    let past = alarms(&catalog, history());
    assert_eq!(past.len(), 1);
    assert_eq!((past[0].count, past[0].port), (5, Some(35)));
    assert_eq!(past[0].params, params(json!({"volts": 4})), "of the last raising");
    assert!(past[0].cleared_us.is_some());
    assert_eq!(alarms(&catalog, AlarmQuery::default()).len(), 3);

    catalog.raise(&lost, Params::new()).unwrap();
    let again = alarms(&catalog, AlarmQuery::default());
    assert_eq!(again.iter().find(|alarm| alarm.port == Some(35)).unwrap().count, 1, "a new alarm");
}

#[test]
fn standing_alarms_are_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let key = AlarmKey::of_box(AlarmCode::DiskFull);
    open(folder.path()).0.raise(&key, Params::new()).unwrap();
    let (catalog, _) = open(folder.path());
    catalog.raise(&key, Params::new()).unwrap();
    assert_eq!(catalog.health().journal_sequence, 1);
    catalog.clear(&key).unwrap();
    let past = alarms(&catalog, history());
    assert_eq!((past.len(), past[0].count), (1, 2));
}

#[test]
fn alarms_are_filtered_acknowledged_and_held_to_the_scope() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    catalog.raise(&AlarmKey::of_port(AlarmCode::NoCall, 2), Params::new()).unwrap();
    catalog.raise(&AlarmKey::of_box(AlarmCode::DiskFull), Params::new()).unwrap();
    catalog.raise(&AlarmKey::of_port(AlarmCode::LineLost, 7), Params::new()).unwrap();
    let codes = |query: AlarmQuery| -> Vec<String> {
        alarms(&catalog, query).into_iter().map(|alarm| alarm.code).collect()
    };
    assert_eq!(codes(AlarmQuery::default()), ["line_lost", "disk_full", "no_call"], "newest first");
    let disk = AlarmQuery { categories: [AlarmCategory::Disk].into(), ..AlarmQuery::default() };
    assert_eq!(codes(disk), ["disk_full"]);
    let minor = AlarmQuery { severities: [Severity::Minor].into(), ..AlarmQuery::default() };
    assert_eq!(codes(minor), ["no_call"]);
    let port = AlarmQuery { ports: [7, 9].into(), ..AlarmQuery::default() };
    assert_eq!(codes(port), ["line_lost"]);
    let code =
        AlarmQuery { codes: ["disk_full".to_owned(), "no_call".to_owned()].into(), ..AlarmQuery::default() };
    assert_eq!(codes(code), ["disk_full", "no_call"]);
    let later = AlarmQuery { from_us: Some(i64::MAX), ..AlarmQuery::default() };
    assert_eq!(codes(later), [""; 0]);

    let seen = catalog.alarms(&Scope::ports([2]), &AlarmQuery::default(), PageRequest::default()).unwrap();
    assert_eq!(seen.items.len(), 2, "its own port, and the box");
    assert_eq!(seen.total, Some(2));

    let first = alarms(&catalog, AlarmQuery::default()).pop().unwrap();
    let row = catalog.acknowledge(first.id, "officer", Some("on the way")).unwrap();
    let acknowledged = row.acknowledged.unwrap();
    assert_eq!(
        (acknowledged.account.as_str(), acknowledged.note.as_deref()),
        ("officer", Some("on the way"))
    );
    let open = AlarmQuery { acknowledged: Some(false), ..AlarmQuery::default() };
    assert_eq!(codes(open), ["line_lost", "disk_full"]);
    assert!(matches!(catalog.acknowledge(999, "officer", None), Err(Error::NoAlarm(999))));
}

#[test]
fn every_alarm_of_a_line_is_one_of_the_box() {
    for code in line::AlarmCode::ALL {
        assert_eq!(AlarmCode::from(*code).name(), code.name());
        assert_eq!(AlarmCode::from(*code).category(), AlarmCategory::Channel);
    }
}

fn account(name: &str) -> Account {
    Account {
        name: name.into(),
        display_name: "Duty".into(),
        password_hash: "$argon2id$v=19$secret".into(),
        rights: vec!["live".into(), "listen".into(), "fly".into()],
        must_change: true,
        disabled: false,
        language: None,
        department: None,
    }
}

fn audit(account: &str, operation: &str, result: AuditResult) -> AuditEntry {
    AuditEntry {
        account: Some(account.into()),
        display_name: Some("Duty".into()),
        ip: Some("192.168.1.20".into()),
        item: "session".into(),
        port: None,
        operation: operation.into(),
        params: params(json!({"agent": "browser 50%_x"})),
        result,
        detail: None,
        department: None,
    }
}

#[test]
fn accounts_are_set_changed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    catalog.set_account(account("Officer")).unwrap();
    let row = catalog.account("OFFICER").unwrap().unwrap();
    assert!(row.account.has(Right::Listen) && !row.account.has(Right::Delete));
    assert_eq!(row.account.known_rights(), [Right::Live, Right::Listen]);
    assert_eq!(row.account.rights.len(), 3, "a right of a newer release is kept");
    assert_eq!(row.last_login_us, None);
    assert!(!format!("{row:?}").contains("secret"), "hashes stay out of logs");
    assert!(!export(&catalog).contains("argon2"), "and out of exports");

    catalog.audit(audit("officer", "login", AuditResult::Refused)).unwrap();
    assert_eq!(catalog.account("officer").unwrap().unwrap().last_login_us, None);
    catalog.audit(audit("officer", "login", AuditResult::Ok)).unwrap();
    let changed = Account { name: "officer".into(), must_change: false, ..account("x") };
    catalog.set_account(changed).unwrap();
    let rows = catalog.accounts().unwrap();
    assert_eq!(rows.len(), 1, "names differ by more than the case of letters");
    assert!(rows[0].last_login_us.is_some());
    assert_eq!((rows[0].created_us, rows[0].account.must_change), (row.created_us, false));

    catalog.remove_account("oFFicer").unwrap();
    assert!(catalog.accounts().unwrap().is_empty());
    assert!(matches!(catalog.remove_account("officer"), Err(Error::NoAccount(_))));
}

#[test]
fn the_audit_trail_is_filtered_and_paged() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    for index in 0..25u16 {
        let mut entry = audit(if index % 2 == 0 { "amy" } else { "bo" }, "play", AuditResult::Ok);
        entry.port = (index % 5 == 0).then_some(index);
        entry.item = "recording".into();
        catalog.audit(entry).unwrap();
    }
    catalog.audit(audit("amy", "login", AuditResult::Failed)).unwrap();
    let count = |query: AuditQuery| {
        let page = catalog.audit_trail(&Scope::everything(), &query, PageRequest::default()).unwrap();
        assert_eq!(page.total, Some(page.items.len() as u64));
        page.items.len()
    };
    let none = AuditQuery::default;
    assert_eq!(count(none()), 26);
    assert_eq!(count(AuditQuery { account: Some("amy".into()), ..none() }), 14);
    assert_eq!(count(AuditQuery { operation: Some("play".into()), ..none() }), 25);
    assert_eq!(count(AuditQuery { item: Some("session".into()), ..none() }), 1);
    assert_eq!(count(AuditQuery { result: Some(AuditResult::Failed), ..none() }), 1);
    assert_eq!(count(AuditQuery { port: Some(20), ..none() }), 1);
    assert_eq!(count(AuditQuery { ip: Some("168.1".into()), ..none() }), 26);
    assert_eq!(count(AuditQuery { ip: Some("168_1".into()), ..none() }), 0, "no wildcards");
    assert_eq!(count(AuditQuery { text: Some("50%_X".into()), ..none() }), 26);
    assert_eq!(count(AuditQuery { text: Some("50_".into()), ..none() }), 0, "no wildcards");
    assert_eq!(count(AuditQuery { to_us: Some(0), ..none() }), 0);
    let seen = catalog.audit_trail(&Scope::ports([5]), &none(), PageRequest::default()).unwrap();
    assert_eq!(seen.items.len(), 22, "other ports' entries are not shown");

    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = PageRequest { after, limit: 7, count_up_to: 10 };
        let page = catalog.audit_trail(&Scope::everything(), &none(), page).unwrap();
        assert_eq!((page.total, page.total_is_least), (Some(10), true));
        ids.extend(page.items.iter().map(|row| row.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(ids, (1..=26).rev().collect::<Vec<_>>());
}

#[test]
fn what_is_said_of_a_record_is_checked_first() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    add(&catalog, facts(1));
    settle(&catalog);
    let before = catalog.health().journal_sequence;
    assert!(matches!(catalog.annotate(&id(2), None, Change::Play), Err(Error::NoRecord(_))));
    for score in [0, 11, 255] {
        let change = Change::Score(Some(score));
        assert!(matches!(catalog.annotate(&id(1), None, change), Err(Error::BadScore(_))), "{score}");
    }
    assert!(matches!(catalog.annotate(&id(1), None, Change::TagRemove { tag: 1 }), Err(Error::NoTag { .. })));
    let refused = common::delete(&catalog, 2, None, DeletionReason::Person);
    assert_eq!(refused, Err(DeletionRefusal::NoRecord));
    let mut other = facts(1);
    other.port = 9;
    assert!(matches!(catalog.add_record(other, None, None), Err(Error::RecordExists(_))));
    catalog.add_record(facts(1), common::file_name(&facts(1)), Some(Grade::Permanent)).unwrap();
    assert_eq!(catalog.health().journal_sequence, before, "nothing of all this was written");

    let tag = catalog.add_tag(&id(1), Some("officer"), 8000, "fire").unwrap();
    catalog.add_tag(&id(1), Some("officer"), 100, "fire").unwrap();
    let row = || catalog.records_by_id(&Scope::everything(), &[id(1)]).unwrap().pop().unwrap();
    assert_eq!(row().tags.iter().map(|tag| tag.sample).collect::<Vec<_>>(), [100, 8000]);
    assert!(row().tags.contains(&tag));
    assert_eq!(catalog.tag_texts(&Scope::everything(), 5).unwrap()[0].count, 1, "recordings, not tags");
    catalog.annotate(&id(1), Some("officer"), Change::TagRemove { tag: tag.id }).unwrap();
    assert_eq!(row().tags.len(), 1);
    catalog.annotate(&id(1), None, Change::Play).unwrap();
    catalog.annotate(&id(1), None, Change::Play).unwrap();
    assert_eq!(row().play_count, 2);
    common::delete(&catalog, 1, Some("officer"), DeletionReason::Person).unwrap();
    assert_eq!(row().deleted.unwrap().account.as_deref(), Some("officer"));
    assert!(row().file.is_some(), "the facts stay");
}

#[test]
fn what_may_not_be_deleted_stays_and_the_trail_says_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    (1..=3).for_each(|sequence| add(&catalog, facts(sequence)));
    settle(&catalog);
    catalog.annotate(&id(1), None, Change::Grade(Grade::Permanent)).unwrap();
    common::delete(&catalog, 2, None, DeletionReason::Person).unwrap();
    let ids: Vec<_> = (1..=4).map(id).collect();
    let before = catalog.health().journal_sequence;
    let trail = |outcome: &Deletions| {
        vec![AuditEntry {
            account: Some("officer".into()),
            display_name: None,
            ip: None,
            item: "recording".into(),
            port: None,
            operation: "delete".into(),
            params: Params::from_iter([("deleted".to_owned(), outcome.deleted.len().into())]),
            result: AuditResult::Ok,
            detail: None,
            department: None,
        }]
    };
    let outcome =
        catalog.delete(&Scope::everything(), &ids, Some("officer"), DeletionReason::Person, trail).unwrap();
    assert_eq!(outcome.deleted.iter().map(|row| row.id.sequence).collect::<Vec<_>>(), [3]);
    let refused =
        [(4, DeletionRefusal::NoRecord), (1, DeletionRefusal::Permanent), (2, DeletionRefusal::Deleted)];
    assert_eq!(outcome.refused, refused.map(|(sequence, why)| (id(sequence), why)));
    assert_eq!(catalog.health().journal_sequence, before + 2, "one deletion and its line in the trail");
    let page = PageRequest { after: None, limit: 10, count_up_to: 0 };
    let trail = catalog.audit_trail(&Scope::everything(), &AuditQuery::default(), page).unwrap();
    assert_eq!(trail.items[0].entry.params["deleted"], 1);
    for reason in [DeletionReason::Loop, DeletionReason::Retention] {
        assert_eq!(common::delete(&catalog, 1, None, reason), Err(DeletionRefusal::Permanent));
    }
}

/// Somebody makes records permanent while somebody else deletes them: whichever comes first in the journal counts.
#[test]
fn what_was_made_permanent_is_never_deleted_after_it() {
    const RECORDS: u64 = 60;
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    (1..=RECORDS).for_each(|sequence| add(&catalog, facts(sequence)));
    settle(&catalog);
    let together = std::sync::Barrier::new(2);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for sequence in 1..=RECORDS {
                together.wait();
                catalog.annotate(&id(sequence), None, Change::Grade(Grade::Permanent)).unwrap();
            }
        });
        for sequence in 1..=RECORDS {
            together.wait();
            let _ = common::delete(&catalog, sequence, None, DeletionReason::Person);
        }
    });
    let mut permanent = std::collections::HashSet::new();
    let mut reader = JournalReader::open(&folder.path().join("journal"), 1).unwrap();
    while let Some(entries) = reader.next_segment().unwrap() {
        for placed in entries {
            match placed.entry.body {
                Body::Annotation(Annotation { record, change: Change::Grade(Grade::Permanent), .. }) => {
                    permanent.insert(record);
                }
                Body::Deletion(deletion) => {
                    assert!(!permanent.contains(&deletion.record), "{:?} was permanent", deletion.record);
                }
                _ => {}
            }
        }
    }
    assert_eq!(permanent.len() as u64, RECORDS);
}

#[test]
fn a_grade_that_a_rule_gives_is_written_together_with_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    catalog.add_record(facts(1), common::file_name(&facts(1)), Some(Grade::Permanent)).unwrap();
    settle(&catalog);
    let row = catalog.records_by_id(&Scope::everything(), &[id(1)]).unwrap().pop().unwrap();
    assert_eq!(row.grade, Grade::Permanent);
    assert_eq!(catalog.health().journal_sequence, 2);
}
