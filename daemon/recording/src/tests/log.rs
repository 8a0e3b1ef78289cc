//! The capture log by itself: what is committed is found again, in the right use of the right segment.

use std::path::Path;

use crate::capture_log::{CaptureLog, MIN_SEGMENT_BYTES, Sizes};
use crate::frame::{Kind, MAX_PAYLOAD_BYTES};
use crate::log_scan::{Found, scan};
use crate::steps::{Step, Steps};

use super::kit::files;

fn found(folder: &Path) -> Found {
    scan(folder, |_, _| {}).unwrap()
}

fn open(folder: &Path, found: Found) -> CaptureLog {
    let sizes = Sizes { segment_bytes: MIN_SEGMENT_BYTES, spare_segments: 2 };
    CaptureLog::new(folder.into(), sizes, false, Steps::default(), found)
}

/// Numbers of the frames that a scan finds, in order.
fn numbers(folder: &Path) -> Vec<u64> {
    let mut found = Vec::new();
    scan(folder, |frame, _| found.push(frame.number)).unwrap();
    found
}

fn add(log: &mut CaptureLog, number: u64, payload: usize) -> u64 {
    log.append(Kind::Audio, number, 0, &[&vec![number as u8; payload]]).unwrap().segment.generation
}

#[test]
fn committed_frames_are_found_in_order_over_segments_and_starts() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), found(folder.path()));
    for number in 0..10 {
        add(&mut log, number, 20_000);
        log.commit().unwrap();
    }
    add(&mut log, 99, 10);
    drop(log);
    assert_eq!(numbers(folder.path()), (0..10).collect::<Vec<_>>());
    let mut log = open(folder.path(), found(folder.path()));
    add(&mut log, 10, 20_000);
    log.commit().unwrap();
    assert_eq!(numbers(folder.path()), (0..=10).collect::<Vec<_>>());
}

#[test]
fn recycled_segments_say_nothing_of_their_former_use() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), found(folder.path()));
    for number in 0..200 {
        let generation = add(&mut log, number, 20_000);
        log.commit().unwrap();
        // Nothing older than the segment just written is needed.
        log.tend(generation).unwrap();
    }
    drop(log);
    assert!(files(folder.path()).len() <= 5, "{:?}", files(folder.path()));
    let left = numbers(folder.path());
    assert_eq!(left.last(), Some(&199));
    assert!(left.len() < 30 && left.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{left:?}");
}

#[test]
fn a_segment_whose_head_is_damaged_still_gives_its_frames() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), found(folder.path()));
    for number in 0..9 {
        add(&mut log, number, 20_000);
        log.commit().unwrap();
    }
    for name in files(folder.path()) {
        let path = folder.path().join(&name);
        let whole = std::fs::read(&path).unwrap();
        let mut spoiled = whole.clone();
        spoiled[3..40].fill(0xee);
        std::fs::write(&path, spoiled).unwrap();
        assert_eq!(numbers(folder.path()), (0..9).collect::<Vec<_>>(), "{name}");
        std::fs::write(&path, whole).unwrap();
    }
}

#[test]
fn after_a_failed_write_the_batch_goes_to_a_new_segment() {
    let folder = tempfile::tempdir().unwrap();
    let fail = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = fail.clone();
    let steps = Steps::hooked(move |step| {
        let failing = step == Step::LogSync && flag.load(std::sync::atomic::Ordering::Relaxed);
        if failing { Err(std::io::ErrorKind::Other.into()) } else { Ok(()) }
    });
    let sizes = Sizes { segment_bytes: MIN_SEGMENT_BYTES, spare_segments: 2 };
    let mut log = CaptureLog::new(folder.path().into(), sizes, true, steps, found(folder.path()));
    let before = add(&mut log, 1, 100);
    log.commit().unwrap();
    fail.store(true, std::sync::atomic::Ordering::Relaxed);
    add(&mut log, 2, 100);
    assert!(log.commit().is_err());
    log.forget_uncommitted();
    fail.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(add(&mut log, 2, 100) > before);
    log.commit().unwrap();
    let found = numbers(folder.path());
    assert_eq!(found.first(), Some(&1));
    assert_eq!(found.last(), Some(&2));
}

#[test]
fn a_frame_that_is_too_long_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path(), found(folder.path()));
    assert!(log.append(Kind::Known, 1, 0, &[&vec![0; MAX_PAYLOAD_BYTES + 1]]).is_err());
    add(&mut log, 2, MAX_PAYLOAD_BYTES);
    log.commit().unwrap();
    assert_eq!(numbers(folder.path()), [2]);
}
