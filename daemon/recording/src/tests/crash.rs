//! The power is cut (the folder is copied) at every step, recovery included; and the log is torn at every kind of byte.
//! Whatever happens, every call becomes exactly one record, and its audio is what was given or a marked gap.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use line::StopMode;
use proptest::prelude::*;

use super::kit::*;
use crate::check::{Depth, check};
use crate::facts::{Facts, MarkKind};
use crate::frame::{Frame, Kind};
use crate::open::OpenStart;
use crate::reader::{Reader, Select};
use crate::recorder::{Tuning, start_tuned};
use crate::steps::{Step, Steps};

/// Small and without syncs: here a power cut is a copy.
fn quick(steps: Steps) -> Tuning {
    let period = Duration::from_millis(2);
    Tuning { segment_bytes: 64 << 10, reserve_bytes: 4096, period, chunks: Some(64), steps }
}

/// Starts on a folder, lets recovery finish, and stops.
fn recover(data: &Path, steps: Steps) -> Arc<Journal> {
    let journal = Journal::open(data);
    let settings = crate::Settings { power_safe: false, ..settings(0) };
    let (_, service) = start_tuned(data, settings, journal.clone(), quick(steps)).unwrap();
    assert!(service.close(Duration::from_secs(20)));
    journal
}

/// Where the folder was copied to, and at which step.
type Copies = Arc<Mutex<Vec<(Step, PathBuf)>>>;

/// Copies the folder at each step, numbered.
fn copies(data: &Path, into: &Path) -> (Steps, Copies) {
    let made = Arc::new(Mutex::new(Vec::new()));
    let (data, into, list) = (data.to_path_buf(), into.to_path_buf(), made.clone());
    let steps = Steps::hooked(move |step| {
        let mut made = list.lock().unwrap();
        let copy = into.join(made.len().to_string());
        copy_folder(&data, &copy);
        made.push((step, copy));
        Ok(())
    });
    (steps, made)
}

fn assert_whole(data: &Path, journal: &Journal, moment: &str) -> BTreeMap<String, Facts> {
    let journalled = journal.journalled();
    let report = check(data, journalled, Depth::Audio).unwrap();
    assert_eq!(report.violations, [], "{moment}");
    assert_eq!((report.unfinished, report.damaged), (0, 0), "{moment}");
    let mut calls = BTreeMap::new();
    for (facts, path) in journal.records() {
        if let Some(path) = path {
            assert_heard(&Reader::open(data.join(path)).unwrap(), moment);
        }
        let twice = calls.insert(facts.call_id.clone(), facts);
        assert_eq!(twice, None, "{moment}: a call became two records");
    }
    calls
}

/// Each sample is the one that was given, or lies in a marked gap. Calls in these tests begin at sample 0.
fn assert_heard(reader: &Reader, moment: &str) {
    let facts = reader.facts();
    let mut heard = vec![0; facts.samples as usize];
    reader.read(Select::Track(0), 0, &mut heard).unwrap();
    let mut expected = samples(facts.port, 0, facts.samples);
    for mark in &facts.marks {
        if let MarkKind::Gap { samples } = mark.kind {
            expected[mark.sample as usize..(mark.sample + samples) as usize].fill(0);
        }
    }
    assert!(heard == expected, "{moment}: call {} has wrong audio", facts.call_id);
}

const LENGTH: u64 = 12_000;

/// Two ended calls, a missed one, and one that stays open; copies of the folder at each step.
fn session(data: &Path, into: &Path) -> Vec<(Step, PathBuf)> {
    let (steps, made) = copies(data, into);
    let journal = Journal::open(data);
    let settings = crate::Settings { power_safe: false, ..settings(0) };
    let (recorder, service) = start_tuned(data, settings, journal.clone(), quick(steps)).unwrap();
    let opens: Vec<_> =
        ["a", "b", "open"].iter().zip(1..).map(|(name, port)| recorder.begin(call(name, port, 0))).collect();
    let settle = || std::thread::sleep(Duration::from_millis(60));
    for part in 0..3 {
        for (open, port) in opens.iter().zip(1..) {
            speak(&recorder, *open, port, part * LENGTH / 3, (part + 1) * LENGTH / 3);
        }
        settle();
    }
    recorder.end(opens[0], stop(LENGTH));
    recorder.record_without_audio(missed("missed", 9));
    recorder.end(opens[1], stop(LENGTH - 100));
    journal.wait_for(3);
    settle();
    assert!(service.close(Duration::from_secs(20)));
    std::mem::take(&mut made.lock().unwrap())
}

fn has_ended(copy: &Path, name: &str) -> bool {
    let mut numbers = BTreeMap::new();
    let mut ended = false;
    crate::log_scan::scan(&copy.join("capture-log"), |frame, _| match crate::frame::Entry::of(&frame) {
        Some(crate::frame::Entry::Begin(start)) => drop(numbers.insert(frame.number, start.call_id)),
        Some(crate::frame::Entry::End(_)) => {
            ended |= numbers.get(&frame.number).is_some_and(|call| call == name)
        }
        Some(crate::frame::Entry::WithoutAudio(record)) => ended |= record.call_id == name,
        _ => {}
    })
    .unwrap();
    ended || Journal::open(copy).records().iter().any(|(facts, _)| facts.call_id == name)
}

/// Invariants 5, 6, 7, 8 and 10, after a cut at every step, and after a second cut at steps of the recovery.
#[test]
fn invariant_10_a_cut_at_any_step_loses_and_doubles_nothing() {
    let room = tempfile::tempdir().unwrap();
    let data = data_folder();
    let moments = session(data.path(), &room.path().join("first"));
    let steps: std::collections::BTreeSet<String> =
        moments.iter().map(|(step, _)| format!("{step:?}")).collect();
    for step in ["LogSync", "NewFile", "AudioWritten", "FileSynced", "FileNamed", "PeaksWritten", "InJournal"]
    {
        assert!(steps.contains(step), "{step} was never reached");
    }
    let mut second_cuts = 0;
    for (number, (step, copy)) in moments.iter().enumerate() {
        let moment = format!("cut {number} at {step:?}");
        let ended: Vec<_> = ["a", "b", "missed"].into_iter().filter(|call| has_ended(copy, call)).collect();

        let again = room.path().join(format!("second-{number}"));
        let (hook, made) = if number % 4 == 0 { copies(copy, &again) } else { Default::default() };
        let journal = recover(copy, hook);
        let calls = assert_whole(copy, &journal, &moment);
        for call in &ended {
            assert_ne!(calls[*call].stop_mode, StopMode::PowerLoss, "{moment}: {call} had ended");
        }
        for (call, facts) in &calls {
            if facts.stop_mode == StopMode::PowerLoss {
                assert!(!ended.contains(&call.as_str()), "{moment}");
            }
        }
        // Once more changes nothing.
        let before = (journal.records(), files(&copy.join("recordings")));
        let journal = recover(copy, Steps::default());
        assert_eq!((journal.records(), files(&copy.join("recordings"))), before, "{moment}");

        for (second, copy) in std::mem::take(&mut *made.lock().unwrap()) {
            let moment = format!("{moment}, then at {second:?}");
            let journal = recover(&copy, Steps::default());
            let again = assert_whole(&copy, &journal, &moment);
            let numbers = |calls: &BTreeMap<String, Facts>| -> Vec<_> {
                calls.values().map(|facts| (facts.call_id.clone(), facts.samples, facts.stop_mode)).collect()
            };
            assert_eq!(numbers(&again), numbers(&calls), "{moment}");
            second_cuts += 1;
        }
    }
    assert!(moments.len() > 30 && second_cuts > 50, "{} cuts, {second_cuts} second cuts", moments.len());
}

/// A folder in which calls `a` and `b` were open when the process was killed, all in one segment.
fn killed() -> &'static (tempfile::TempDir, PathBuf) {
    static KILLED: std::sync::OnceLock<(tempfile::TempDir, PathBuf)> = std::sync::OnceLock::new();
    KILLED.get_or_init(kill)
}

fn kill() -> (tempfile::TempDir, PathBuf) {
    let data = data_folder();
    let journal = Journal::open(data.path());
    let settings = crate::Settings { power_safe: false, ..settings(0) };
    let tuning = Tuning { segment_bytes: 256 << 10, ..quick(Steps::default()) };
    let (recorder, service) = start_tuned(data.path(), settings, journal, tuning).unwrap();
    let opens =
        [recorder.begin(call("a", 1, 0)), recorder.begin(OpenStart { segment: 4, ..call("b", 2, 0) })];
    for part in 0..10 {
        for (open, port) in opens.iter().zip(1..) {
            speak(&recorder, *open, port, part * 800, part * 800 + 800);
        }
        std::thread::sleep(Duration::from_millis(8));
    }
    assert!(service.close(Duration::from_secs(20)));
    let newest = files(&data.path().join("capture-log")).into_iter().find(|name| {
        let bytes = std::fs::read(data.path().join("capture-log").join(name)).unwrap();
        bytes.len() > 64 && Frame::parse(&bytes[64..]).is_some()
    });
    let segment = Path::new("capture-log").join(newest.unwrap());
    (data, segment)
}

/// Where the frames of a segment begin and end, and what they are.
fn frames(bytes: &[u8]) -> Vec<(usize, usize, Kind, u64, u64)> {
    let mut at = 64;
    let mut found = Vec::new();
    let mut base = None;
    while let Some(frame) = Frame::parse(&bytes[at..]) {
        let end = at + Frame::bytes(frame.payload.len());
        let padding = end - at - 40 - frame.payload.len();
        // The first recording of this run is 1, the second 2.
        let base = *base.get_or_insert(frame.number);
        found.push((
            at,
            end - padding,
            frame.kind,
            frame.number - base + 1,
            frame.position + frame.payload.len() as u64 / 2,
        ));
        at = end;
    }
    found
}

/// A copy of a killed folder in which `spoil` changed the segment, after recovery.
fn recovered_after(
    spoil: impl FnOnce(&mut Vec<u8>),
    killed: &(tempfile::TempDir, PathBuf),
    moment: &str,
) -> BTreeMap<String, Facts> {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(killed.0.path(), copy.path());
    let path = copy.path().join(&killed.1);
    let mut bytes = std::fs::read(&path).unwrap();
    spoil(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let journal = recover(copy.path(), Steps::default());
    let calls = assert_whole(copy.path(), &journal, moment);
    assert_eq!(recover(copy.path(), Steps::default()).records(), journal.records(), "{moment}");
    calls
}

#[test]
fn a_torn_log_costs_only_what_stood_behind_the_tear() {
    let killed = killed();
    let whole = std::fs::read(killed.0.path().join(&killed.1)).unwrap();
    let frames = frames(&whole);
    assert!(frames.len() > 12, "{} frames", frames.len());
    let mut cuts: Vec<usize> = Vec::new();
    for (begin, end, ..) in &frames {
        cuts.extend([*begin, begin + 1, begin + 7, begin + 8, begin + 39, begin + 40, begin + 41, end - 1]);
    }
    cuts.push(whole.len());
    for (number, cut) in cuts.into_iter().enumerate() {
        let spoil = |bytes: &mut Vec<u8>| match number % 3 {
            0 => bytes[cut..].fill(0),
            1 => bytes[cut..].fill(0xa5),
            _ => bytes.truncate(cut),
        };
        let mut spoiled = whole.clone();
        spoil(&mut spoiled);
        // Bytes may happen to be what they are filled with: the tear is where something is another.
        let same = whole.iter().zip(&spoiled).take_while(|(before, after)| before == after).count();
        let kept = |of: u64| frames.iter().filter(move |frame| frame.3 == of && frame.1 <= same);
        let moment = format!("torn at byte {cut}");
        let calls = recovered_after(spoil, killed, &moment);
        for (name, of) in [("a", 1), ("b", 2)] {
            let begun = kept(of).any(|frame| frame.2 == Kind::Begin);
            assert_eq!(calls.contains_key(name), begun, "{moment}");
            if begun {
                let expected = kept(of).filter(|frame| frame.2 == Kind::Audio).map(|frame| frame.4).max();
                assert_eq!(calls[name].samples, expected.unwrap_or(0), "{moment}: {name}");
                assert_eq!(calls[name].stop_mode, StopMode::PowerLoss, "{moment}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    /// A spot in the middle of the log that cannot be read is a gap; everything behind it is kept.
    #[test]
    fn a_damaged_spot_in_the_log_is_a_marked_gap(at: prop::sample::Index, length in 1..5000usize, value: u8) {
        let killed = killed();
        let whole = std::fs::read(killed.0.path().join(&killed.1)).unwrap();
        let frames = frames(&whole);
        let used = frames.last().unwrap().1;
        // Behind the starts of both calls.
        let starts = frames.iter().filter(|frame| frame.2 == Kind::Begin).map(|frame| frame.1).max().unwrap();
        let at = starts + at.index(used - starts);
        let calls = recovered_after(|bytes| bytes[at..(at + length).min(used)].fill(value), killed, &format!("{length} bytes at {at}"));
        prop_assert_eq!(calls.len(), 2);
        prop_assert!(frames.iter().all(|frame| (1..=2).contains(&frame.3)));
        for (number, name) in [(1, "a"), (2, "b")] {
            let untouched = |frame: &&(usize, usize, Kind, u64, u64)| frame.3 == number && frame.2 == Kind::Audio && (frame.1 <= at || frame.0 >= at + length);
            let last = frames.iter().filter(untouched).map(|frame| frame.4).max().unwrap_or(0);
            prop_assert!(calls[name].samples >= last, "{} has {} of {}", name, calls[name].samples, last);
        }
    }

    /// Whatever lies in the capture log's folder, a start succeeds and leaves a whole data folder.
    #[test]
    fn any_bytes_in_the_log_are_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        copies in 0..4usize,
        head: bool,
    ) {
        let data = data_folder();
        let mut segment = vec![0; 130 << 10];
        if head {
            let good = std::fs::read(killed().0.path().join("capture-log/segment-00000001")).unwrap();
            segment[..5000].copy_from_slice(&good[..5000]);
        }
        for copy in 0..copies {
            let at = 64 + copy * 1999;
            segment[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        std::fs::write(data.path().join("capture-log/segment-00000001"), &segment).unwrap();
        std::fs::write(data.path().join("capture-log/segment-00000002"), &bytes).unwrap();
        std::fs::write(data.path().join("capture-log/segment-x"), &bytes).unwrap();
        let journal = recover(data.path(), Steps::default());
        let report = check(data.path(), journal.journalled(), Depth::Audio).unwrap();
        prop_assert_eq!(report.violations, []);
    }
}

/// Invariant 1: a file under its name is whole. One that is not (a disk that lied about a sync) is kept apart, and the
/// recording is made again from the log.
#[test]
fn invariant_01_a_broken_file_is_moved_away_and_made_again() {
    let room = tempfile::tempdir().unwrap();
    let data = data_folder();
    let moments = session(data.path(), &room.path().join("first"));
    let (_, copy) = moments.iter().find(|(step, _)| *step == Step::FileNamed).unwrap();
    let path = files(&copy.join("recordings")).into_iter().find(|name| name.ends_with(".wav")).unwrap();
    let path = copy.join("recordings").join(path);
    for spoil in [0, 44, 3000, 24_100] {
        let again = room.path().join(format!("again-{spoil}"));
        copy_folder(copy, &again);
        let spoiled = again.join(path.strip_prefix(copy).unwrap());
        let mut bytes = std::fs::read(&spoiled).unwrap();
        bytes.truncate(spoil);
        std::fs::write(&spoiled, bytes).unwrap();
        let journal = recover(&again, Steps::default());
        let report = check(&again, journal.journalled(), Depth::Audio).unwrap();
        assert_eq!((report.violations, report.damaged), (vec![], 1));
        assert_eq!(journal.records().len(), 4);
        let reasons = files(&again.join("recordings/damaged"));
        assert_eq!(reasons.len(), 2, "{reasons:?}");
    }
}

#[test]
fn a_recovered_call_keeps_what_was_known_of_it() {
    let data = data_folder();
    let journal = Journal::open(data.path());
    let (recorder, service) = start_tuned(data.path(), settings(1), journal.clone(), tuning()).unwrap();
    let open = recorder.begin(call("cut", 1, 0));
    speak(&recorder, open, 1, 0, 8000);
    recorder.mark(open, signal::SampleIndex(4000), MarkKind::Digit { digit: '7' });
    recorder.know(open, crate::Known { peer_number: Some("7".into()), ..Default::default() });
    assert!(service.close(Duration::from_secs(20)));
    assert!(journal.records().is_empty());
    let journal = recover(data.path(), Steps::default());
    let (facts, _) = journal.records().remove(0);
    assert_eq!((facts.samples, facts.stop_mode), (8000, StopMode::PowerLoss));
    assert_eq!((facts.peer_number.as_deref(), facts.marks.len()), (Some("7"), 1));
    assert_eq!(journal.told.lock().unwrap().recovered, 1);
}

/// Each segment says again what is open: a damaged beginning costs nothing.
#[test]
fn a_damaged_beginning_is_made_good_by_the_next_segment() {
    let data = data_folder();
    let journal = Journal::open(data.path());
    let tuning = quick(Steps::default());
    let (recorder, service) = start_tuned(data.path(), settings(0), journal, tuning).unwrap();
    let open = recorder.begin(call("long", 1, 0));
    for part in 0..10 {
        speak(&recorder, open, 1, part * 8000, part * 8000 + 8000);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(service.close(Duration::from_secs(20)));
    let mut spoiled = 0;
    for name in files(&data.path().join("capture-log")) {
        let path = data.path().join("capture-log").join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(frame) = bytes.get(64..).and_then(Frame::parse)
            && frame.kind == Kind::Begin
            && spoiled == 0
        {
            bytes[64 + 45] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            spoiled += 1;
        }
    }
    assert_eq!(spoiled, 1);
    let journal = recover(data.path(), Steps::default());
    let calls = assert_whole(data.path(), &journal, "damaged beginning");
    assert_eq!((calls["long"].samples, calls["long"].marks.len()), (80_000, 0));
}
