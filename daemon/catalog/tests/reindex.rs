//! Journal, catalog and recording files held against each other.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;

use common::{SERIAL, add, export, facts, file_name, id, missed, open, settle, write_recording};
use hookline_catalog::{Catalog, Change, DeletionReason, Grade, reindex};
use recording::{DataDir, Facts};

fn short(sequence: u64) -> Facts {
    Facts { samples: 16_800, ..facts(sequence) }
}

/// Ten recordings and a missed call, with their files.
fn filled() -> (tempfile::TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    for sequence in 1..=10 {
        write_recording(folder.path(), &short(sequence));
        add(&catalog, short(sequence));
    }
    add(&catalog, missed(11));
    settle(&catalog);
    (folder, catalog)
}

#[test]
fn a_reindex_of_a_whole_folder_changes_nothing() {
    let (folder, catalog) = filled();
    catalog.annotate(&id(3), Some("officer"), Change::Grade(Grade::Important)).unwrap();
    let live = export(&catalog);
    drop(catalog);
    let done = reindex(folder.path(), SERIAL).unwrap();
    assert_eq!((done.records, done.added, done.missing, done.found), (11, 0, 0, 0), "{done}");
    assert_eq!(done.findings, [""; 0]);
    assert_eq!(export(&open(folder.path()).0), live);
}

#[test]
fn recordings_come_back_from_their_files_alone() {
    let (folder, catalog) = filled();
    drop(catalog);
    fs::remove_dir_all(folder.path().join("journal")).unwrap();
    let done = reindex(folder.path(), SERIAL).unwrap();
    assert_eq!((done.records, done.added), (10, 10), "{done}");
    let (catalog, _) = open(folder.path());
    assert_eq!(catalog.next_sequence(), 11);
    let row = catalog.record(&hookline_catalog::Scope::everything(), &id(4)).unwrap().unwrap();
    assert_eq!(row.facts, short(4));
    assert_eq!(row.row.file, file_name(&short(4)));
    let first = export(&catalog);
    drop(catalog);
    assert_eq!(reindex(folder.path(), SERIAL).unwrap().added, 0, "the second time finds nothing to do");
    assert_eq!(export(&open(folder.path()).0), first);
}

#[test]
fn lost_left_over_strange_and_doubled_files_are_told() {
    let (folder, catalog) = filled();
    let path = |sequence| folder.path().join(file_name(&short(sequence)).unwrap());
    common::delete(&catalog, 5, None, DeletionReason::Loop).unwrap();
    drop(catalog);
    fs::remove_file(path(2)).unwrap();
    fs::write(folder.path().join("recordings/2026/03/01/strange.wav"), b"RIFF").unwrap();
    fs::copy(path(7), folder.path().join("recordings/2026/03/01/copy.wav")).unwrap();
    let done = reindex(folder.path(), SERIAL).unwrap();
    let told = done.findings.join("\n");
    assert_eq!((done.added, done.missing), (0, 1), "{done}");
    assert!(told.contains("strange.wav is not a whole recording"), "{told}");
    assert!(told.contains("copy.wav is record HKLN-01121571897162:7, whose file is"), "{told}");
    assert!(told.contains("00000005.wav belongs to a deleted recording"), "{told}");
    let row = |catalog: &Catalog| {
        catalog.records_by_id(&hookline_catalog::Scope::everything(), &[id(2)]).unwrap().pop().unwrap()
    };
    assert!(row(&open(folder.path()).0).file_missing);

    write_recording(folder.path(), &short(2));
    let done = reindex(folder.path(), SERIAL).unwrap();
    assert_eq!((done.missing, done.found), (0, 1), "{done}");
    assert!(!row(&open(folder.path()).0).file_missing);
}

#[test]
fn a_check_tells_each_broken_promise() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path()).unwrap();
    let (catalog, _) = open(folder.path());
    for sequence in 1..=4 {
        write_recording(folder.path(), &short(sequence));
        add(&catalog, short(sequence));
    }
    assert_eq!(catalog.check(&data).unwrap(), [""; 0]);
    add(&catalog, missed(7));
    fs::remove_file(folder.path().join(file_name(&short(1)).unwrap())).unwrap();
    write_recording(folder.path(), &short(9));
    common::delete(&catalog, 2, None, DeletionReason::Loop).unwrap();
    let told = catalog.check(&data).unwrap().join("\n");
    for sentence in [
        "records HKLN-01121571897162:5 to 6 are missing",
        "record HKLN-01121571897162:1 has lost its file",
        "00000009.wav has no record",
        "00000002.wav belongs to a deleted recording",
    ] {
        assert!(told.contains(sentence), "{sentence} not in:\n{told}");
    }
    assert_eq!(told.lines().count(), 4, "{told}");
}

#[test]
fn a_check_tells_sums_that_are_not_those_of_the_records() {
    let (folder, catalog) = filled();
    let data = DataDir::open(folder.path()).unwrap();
    common::delete(&catalog, 2, None, DeletionReason::Loop).unwrap();
    fs::remove_file(folder.path().join(file_name(&short(2)).unwrap())).unwrap();
    assert_eq!(catalog.check(&data).unwrap(), [""; 0]);
    drop(catalog);
    let sql = rusqlite::Connection::open(folder.path().join("catalog.sqlite")).unwrap();
    sql.execute("UPDATE tally SET incoming_answered = incoming_answered + 1 WHERE quarters = 192", [])
        .unwrap();
    drop(sql);
    let (catalog, _) = open(folder.path());
    let told = catalog.check(&data).unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("the sums of 1 ports are not those of their records"), "{told:?}");
}
