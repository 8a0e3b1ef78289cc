//! What the journal survives: a cut at any byte, changed bytes, a missing catalog, entries of a newer release.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{add, export, facts, id, open, settle};
use hookline_catalog::entry::{Annotation, Body};
use hookline_catalog::journal::format::{self, SEGMENT_HEADER_BYTES, SegmentHeader};
use hookline_catalog::{
    AlarmCode, AlarmKey, AlarmQuery, Catalog, Change, Error, Grade, Options, PageRequest, Params,
    RecordQuery, Scope,
};
use proptest::prelude::*;

fn segment(root: &Path) -> PathBuf {
    root.join("journal/00000000000000000001.journal")
}

fn sequences(catalog: &Catalog) -> Vec<u64> {
    settle(catalog);
    let page = PageRequest { limit: 1000, ..PageRequest::default() };
    let rows = catalog.records(&Scope::everything(), &RecordQuery::default(), page).unwrap();
    rows.items.iter().rev().map(|row| row.id.sequence).collect()
}

/// A journal of `records` records, closed.
fn filled(records: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    (1..=records).for_each(|sequence| add(&catalog, facts(sequence)));
    folder
}

/// Where frames begin, and where the last one ends.
fn frame_offsets(bytes: &[u8]) -> Vec<usize> {
    let mut offsets: Vec<usize> = format::Frames::of_segment(bytes)
        .map(|found| match found {
            format::Found::Frame { offset, .. } | format::Found::Damage { offset, .. } => offset,
        })
        .collect();
    offsets.push(bytes.len());
    offsets
}

#[test]
fn a_cut_at_any_byte_loses_only_what_it_cuts_and_writing_goes_on() {
    let folder = filled(6);
    let whole = fs::read(segment(folder.path())).unwrap();
    let ends = frame_offsets(&whole);
    // Each end of a frame, a byte to both sides of it, and a few within.
    let mut cuts: Vec<usize> = ends.iter().flat_map(|end| [end - 1, *end, end + 1, end + 17]).collect();
    cuts.extend([0, 1, SEGMENT_HEADER_BYTES - 1]);
    cuts.retain(|cut| *cut <= whole.len());
    for cut in cuts {
        fs::write(segment(folder.path()), &whole[..cut]).unwrap();
        let kept = ends.iter().skip(1).filter(|end| **end <= cut).count() as u64;
        let (catalog, report) = open(folder.path());
        assert_eq!(sequences(&catalog), (1..=kept).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(catalog.next_sequence(), kept + 1, "cut at {cut}");
        let clean = cut >= SEGMENT_HEADER_BYTES && ends.contains(&cut);
        assert_eq!(report.damage.is_empty(), clean, "cut at {cut}: {:?}", report.damage);
        add(&catalog, facts(kept + 1));
        drop(catalog);
        let (catalog, report) = open(folder.path());
        assert_eq!(sequences(&catalog), (1..=kept + 1).collect::<Vec<_>>(), "cut at {cut}, written on");
        assert!(report.damage.is_empty(), "cut at {cut}: {:?}", report.damage);
    }
}

#[test]
fn a_damaged_middle_is_told_and_skipped() {
    let folder = filled(5);
    let mut bytes = fs::read(segment(folder.path())).unwrap();
    let third = frame_offsets(&bytes)[2];
    bytes[third + 40] ^= 0x10;
    fs::write(segment(folder.path()), &bytes).unwrap();
    fs::remove_file(folder.path().join("catalog.sqlite")).unwrap();
    let (catalog, report) = open(folder.path());
    assert_eq!(sequences(&catalog), [1, 2, 4, 5]);
    let told = report.damage.join("\n");
    assert!(told.contains(&format!("from byte {third} on cannot be read")), "{told}");
    assert!(told.contains("entries 3 to 3 are missing"), "{told}");
    assert_eq!(catalog.next_sequence(), 6);
}

#[test]
fn an_annotation_waits_for_a_record_whose_entry_was_lost() {
    let folder = filled(2);
    let (catalog, _) = open(folder.path());
    catalog.annotate(&id(2), Some("officer"), Change::Grade(Grade::Permanent)).unwrap();
    drop(catalog);
    let mut bytes = fs::read(segment(folder.path())).unwrap();
    let second = frame_offsets(&bytes)[1];
    bytes[second] = 0;
    fs::write(segment(folder.path()), &bytes).unwrap();
    fs::remove_file(folder.path().join("catalog.sqlite")).unwrap();
    let (catalog, _) = open(folder.path());
    assert_eq!(sequences(&catalog), [1]);
    add(&catalog, facts(2));
    settle(&catalog);
    let row = catalog.records_by_id(&Scope::everything(), &[id(2)]).unwrap().pop().unwrap();
    assert_eq!(row.grade, Grade::Permanent);
}

#[test]
fn a_catalog_of_another_journal_version_or_content_is_made_again() {
    let folder = filled(4);
    let path = folder.path().join("catalog.sqlite");
    let (catalog, _) = open(folder.path());
    let before = export(&catalog);
    drop(catalog);
    type Spoil = fn(&Path);
    let ways: [(&str, Spoil, &str); 4] = [
        ("absent", |path| fs::remove_file(path).unwrap(), "there was none"),
        (
            "another version",
            |path| {
                let sql = rusqlite::Connection::open(path).unwrap();
                sql.pragma_update(None, "user_version", 99).unwrap();
            },
            "version 99",
        ),
        ("no database", |path| fs::write(path, [7; 9000]).unwrap(), "damaged"),
        (
            "ahead of the journal",
            |path| {
                let sql = rusqlite::Connection::open(path).unwrap();
                sql.execute("UPDATE applied SET sequence = 40", []).unwrap();
            },
            "does not stand in the journal",
        ),
    ];
    for (name, spoil, why) in ways {
        for suffix in ["-wal", "-shm"] {
            assert!(!folder.path().join(format!("catalog.sqlite{suffix}")).exists(), "{name}: closed");
        }
        spoil(&path);
        let (catalog, report) = open(folder.path());
        let told = report.rebuilt.unwrap_or_default();
        assert!(told.contains(why), "{name}: {told}");
        assert_eq!(export(&catalog), before, "{name}");
    }
}

#[test]
fn a_page_damaged_under_a_running_catalog_is_made_good() {
    let folder = filled(300);
    let (catalog, _) = open(folder.path());
    let before = export(&catalog);
    drop(catalog);
    let path = folder.path().join("catalog.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    // The first page, with version and schema, stays; every other one is spoilt.
    bytes[4096..].fill(0xA5);
    fs::write(&path, bytes).unwrap();
    let Ok((catalog, _)) = Catalog::open(folder.path(), Options::new(common::SERIAL)) else {
        panic!("a damaged catalog must not keep the station from starting");
    };
    for _ in 0..100 {
        let mut bytes = Vec::new();
        if catalog.export(&mut bytes).is_ok() && bytes == before.as_bytes() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the catalog was not made again: {:?}", catalog.health());
}

#[test]
fn a_journal_of_a_newer_release_is_refused_in_one_sentence() {
    let folder = filled(1);
    let mut bytes = fs::read(segment(folder.path())).unwrap();
    let header = SegmentHeader::decode(&bytes).unwrap();
    let newer = SegmentHeader { format: 3, readable_from: 2, ..header };
    bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&newer.encode());
    fs::write(segment(folder.path()), &bytes).unwrap();
    let error = Catalog::open(folder.path(), Options::new(common::SERIAL)).err().unwrap();
    assert!(matches!(error, Error::NewerFormat { found: 3, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("newer release"), "{error}");
    // One that says we can still read it is read.
    let additive = SegmentHeader { format: 3, readable_from: 1, ..header };
    bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&additive.encode());
    fs::write(segment(folder.path()), &bytes).unwrap();
    assert_eq!(sequences(&open(folder.path()).0), [1]);
}

#[test]
fn entries_of_a_newer_kind_are_carried_along() {
    let folder = filled(1);
    let mut bytes = fs::read(segment(folder.path())).unwrap();
    format::encode_frame(&mut bytes, 2, 5, br#"{"kind":"legal_hold","body":{"case":7}}"#);
    fs::write(segment(folder.path()), &bytes).unwrap();
    let (catalog, report) = open(folder.path());
    assert!(report.damage.is_empty(), "{:?}", report.damage);
    add(&catalog, facts(2));
    assert_eq!(sequences(&catalog), [1, 2]);
    assert_eq!(catalog.health().journal_sequence, 3);
    drop(catalog);
    assert!(fs::read(segment(folder.path())).unwrap().starts_with(&bytes), "kept byte for byte");
}

#[test]
fn many_threads_write_at_once_and_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let catalog = catalog.clone();
            scope.spawn(move || {
                for step in 0..50 {
                    add(&catalog, facts(1 + thread * 50 + step));
                    if step % 10 == 0 {
                        settle(&catalog);
                        catalog
                            .records(&Scope::everything(), &RecordQuery::default(), PageRequest::default())
                            .unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(sequences(&catalog), (1..=400).collect::<Vec<_>>());
    assert_eq!(catalog.health().journal_sequence, 400);
    let before = export(&catalog);
    drop(catalog);
    fs::remove_file(folder.path().join("catalog.sqlite")).unwrap();
    let (catalog, report) = open(folder.path());
    assert!(report.damage.is_empty(), "{:?}", report.damage);
    assert_eq!(export(&catalog).lines().count(), before.lines().count());
}

#[test]
fn a_long_catch_up_happens_while_the_station_records() {
    let folder = filled(1);
    let (catalog, _) = open(folder.path());
    let play = Body::Annotation(Annotation { record: id(1), account: None, change: Change::Play });
    for _ in 0..5 {
        catalog.append_durable(vec![play.clone(); 5_000]).unwrap();
    }
    settle(&catalog);
    drop(catalog);
    fs::remove_file(folder.path().join("catalog.sqlite")).unwrap();
    let (catalog, report) = open(folder.path());
    assert_eq!(report.caught_up, 25_001);
    assert_eq!(catalog.next_sequence(), 2, "known from the journal alone");
    add(&catalog, facts(2));
    catalog.raise(&AlarmKey::of_box(AlarmCode::DiskFull), Params::new()).unwrap();
    catalog.raise(&AlarmKey::of_box(AlarmCode::DiskFull), Params::new()).unwrap();
    match catalog.record(&Scope::everything(), &id(1)) {
        Ok(Some(detail)) => assert_eq!(detail.row.play_count, 25_000, "never a part of the truth"),
        Err(Error::NotReady { percent }) => assert!(percent <= 100),
        other => panic!("{other:?}"),
    }
    settle(&catalog);
    assert_eq!(catalog.record(&Scope::everything(), &id(1)).unwrap().unwrap().row.play_count, 25_000);
    assert_eq!(sequences(&catalog), [1, 2]);
    let alarms =
        catalog.alarms(&Scope::everything(), &AlarmQuery::default(), PageRequest::default()).unwrap();
    assert_eq!((alarms.items.len(), alarms.items[0].count), (1, 2));
    catalog.clear(&AlarmKey::of_box(AlarmCode::DiskFull)).unwrap();
}

#[test]
fn what_was_just_recorded_can_be_graded_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    for sequence in 1..=50 {
        add(&catalog, facts(sequence));
        catalog.annotate(&id(sequence), None, Change::Grade(Grade::Important)).unwrap();
    }
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = filled(1);
    for path in [segment(folder.path()), folder.path().join("catalog.sqlite")] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_in_place_of_a_segment_open_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), keep: bool) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("journal")).unwrap();
        let mut file = Vec::new();
        if keep {
            let header =
                SegmentHeader { format: 1, readable_from: 1, first_sequence: 1, created_us: 0, records_before: 0 };
            file.extend(header.encode());
        }
        file.extend(&bytes);
        fs::write(segment(folder.path()), &file).unwrap();
        let (catalog, _) = open(folder.path());
        add(&catalog, facts(1));
        prop_assert_eq!(sequences(&catalog), [1]);
    }
}
