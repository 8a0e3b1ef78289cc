//! The disk is full, read-only, slow, or not there: nothing finished is lost, what cannot be kept is counted and told,
//! and when the disk is back everything goes on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::kit::*;
use crate::check::{Depth, check};
use crate::facts::{Codec, MarkKind};
use crate::open::OpenStart;
use crate::queue::{CHUNK_BYTES, QUEUE_BYTES_PER_PORT, QUEUE_SECONDS, chunks_per_port};
use crate::reader::{Reader, Select};
use crate::recorder::Tuning;
use crate::sink::{DiskTrouble, GapCause};
use crate::steps::{Step, Steps};

/// Steps that fail with `error` as long as the flag is up.
fn failing(at: &'static [Step], error: io::ErrorKind) -> (Steps, Arc<AtomicBool>) {
    let flag = Arc::new(AtomicBool::new(false));
    let up = flag.clone();
    let steps = Steps::hooked(move |step| {
        if up.load(Ordering::Relaxed) && at.contains(&step) { Err(error.into()) } else { Ok(()) }
    });
    (steps, flag)
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < until, "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_full_disk_finishes_later_and_loses_nothing() {
    for (at, error, trouble) in [
        (&[Step::NewFile][..], io::ErrorKind::StorageFull, DiskTrouble::Full),
        (&[Step::AudioWritten], io::ErrorKind::StorageFull, DiskTrouble::Full),
        (&[Step::FileSynced], io::ErrorKind::Other, DiskTrouble::Unwritable),
        (&[Step::FileNamed], io::ErrorKind::Other, DiskTrouble::Unwritable),
        (&[Step::PeaksWritten], io::ErrorKind::ReadOnlyFilesystem, DiskTrouble::Unwritable),
        (&[Step::LogWrite], io::ErrorKind::ReadOnlyFilesystem, DiskTrouble::Unwritable),
        (&[Step::LogSync, Step::NewFile], io::ErrorKind::QuotaExceeded, DiskTrouble::Full),
        (&[Step::NewSegment, Step::NewFile], io::ErrorKind::StorageFull, DiskTrouble::Full),
    ] {
        let data = data_folder();
        let (steps, broken) = failing(at, error);
        let (recorder, service, journal) = run(data.path(), Tuning { steps, ..tuning() });
        let open = recorder.begin(call("full", 1, 0));
        speak(&recorder, open, 1, 0, 4000);
        std::thread::sleep(Duration::from_millis(60));
        broken.store(true, Ordering::Relaxed);
        speak(&recorder, open, 1, 4000, 16_000);
        recorder.end(open, stop(16_000));
        wait_until(|| journal.told.lock().unwrap().troubles.contains(&trouble));
        assert!(journal.records().is_empty(), "{at:?}");
        broken.store(false, Ordering::Relaxed);
        journal.wait_for(1);
        wait_until(|| journal.told.lock().unwrap().ok > 0);
        close(service);
        let (facts, path) = journal.records().remove(0);
        assert_eq!((facts.samples, facts.marks.len()), (16_000, 0));
        let reader = Reader::open(data.path().join(path.unwrap())).unwrap();
        let mut heard = vec![0; 16_000];
        reader.read(Select::Track(0), 0, &mut heard).unwrap();
        assert_eq!(heard, samples(1, 0, 16_000), "{at:?}");
        let report = check(data.path(), journal.journalled(), Depth::Audio).unwrap();
        assert_eq!((report.violations, report.unfinished), (vec![], 0), "{at:?}");
    }
}

#[test]
fn a_refusing_journal_is_asked_again_with_the_same_record() {
    let data = data_folder();
    let (recorder, service, journal) = run(data.path(), tuning());
    journal.told.lock().unwrap().refuse = 1;
    let open = recorder.begin(call("again", 1, 0));
    speak(&recorder, open, 1, 0, 800);
    recorder.end(open, stop(800));
    journal.wait_for(1);
    close(service);
    assert_eq!(journal.told.lock().unwrap().troubles, [DiskTrouble::Unwritable]);
    assert_eq!(files(&data.path().join("recordings")).len(), 2);
    assert_eq!(check(data.path(), journal.journalled(), Depth::Audio).unwrap().violations, []);
}

/// Decision 10 of the architecture: never silent.
#[test]
fn an_overflow_is_counted_marked_filled_with_silence_and_told() {
    let data = data_folder();
    let (steps, broken) = failing(&[Step::LogWrite], io::ErrorKind::Other);
    let chunks = Some(8);
    let (recorder, service, journal) = run(data.path(), Tuning { steps, chunks, ..tuning() });
    let open = recorder.begin(call("over", 1, 0));
    speak(&recorder, open, 1, 0, 1000);
    std::thread::sleep(Duration::from_millis(60));
    broken.store(true, Ordering::Relaxed);
    // 8 buffers of 2048 linear samples: far more than there is room for.
    speak(&recorder, open, 1, 1000, 50_000);
    assert!(recorder.load().filled > 0.99);
    wait_until(|| !journal.told.lock().unwrap().gaps.is_empty());
    broken.store(false, Ordering::Relaxed);
    wait_until(|| recorder.load().filled < 0.5);
    speak(&recorder, open, 1, 50_000, 60_000);
    recorder.end(open, stop(60_000));
    close(service);

    let told = journal.told.lock().unwrap();
    let lost: u64 =
        told.gaps.iter().filter(|gap| gap.cause == GapCause::Overflow).map(|gap| gap.samples).sum();
    let (facts, path) = journal.records().remove(0);
    let gaps: Vec<_> = facts
        .marks
        .iter()
        .filter_map(|mark| match mark.kind {
            MarkKind::Gap { samples } => Some((mark.sample, samples)),
            _ => None,
        })
        .collect();
    assert_eq!(gaps.iter().map(|gap| gap.1).sum::<u64>(), lost);
    assert!(lost > 30_000 && lost < 49_000, "{lost}");
    assert_eq!(facts.samples, 60_000);
    let reader = Reader::open(data.path().join(path.unwrap())).unwrap();
    let mut heard = vec![1; 60_000];
    reader.read(Select::Track(0), 0, &mut heard).unwrap();
    let mut expected = samples(1, 0, 60_000);
    for (at, samples) in gaps {
        expected[at as usize..(at + samples) as usize].fill(0);
    }
    assert!(heard == expected);
}

#[test]
fn an_overflow_at_the_very_end_is_kept_as_long_as_the_call_was() {
    let data = data_folder();
    let (steps, broken) = failing(&[Step::LogWrite], io::ErrorKind::Other);
    let (recorder, service, journal) = run(data.path(), Tuning { steps, chunks: Some(4), ..tuning() });
    broken.store(true, Ordering::Relaxed);
    let open = recorder.begin(call("end", 1, 0));
    speak(&recorder, open, 1, 0, 20_000);
    recorder.end(open, stop(20_000));
    broken.store(false, Ordering::Relaxed);
    close(service);
    let (facts, _) = journal.records().remove(0);
    assert_eq!(facts.samples, 20_000);
    let last = facts.marks.last().unwrap();
    assert!(matches!(last.kind, MarkKind::Gap { samples } if last.sample + samples == 20_000), "{last:?}");
}

#[test]
fn the_queue_holds_thirty_seconds_of_every_port_in_the_published_memory() {
    for (codec, tracks) in [(Codec::ALaw, 1), (Codec::MuLaw, 2), (Codec::Linear, 2)] {
        let bytes = chunks_per_port(codec, tracks) * CHUNK_BYTES;
        assert!(bytes >= QUEUE_SECONDS * 8000 * codec.sample_bytes() * tracks);
    }
    // As README.md publishes it.
    assert_eq!(QUEUE_BYTES_PER_PORT.div_ceil(1 << 10), 250);

    let data = data_folder();
    let (steps, broken) = failing(&[Step::LogWrite], io::ErrorKind::Other);
    let (recorder, service, journal) = run(data.path(), Tuning { steps, ..tuning() });
    broken.store(true, Ordering::Relaxed);
    let opens: Vec<_> = (1..=4u16)
        .map(|port| {
            (port, recorder.begin(OpenStart { codec: Codec::ALaw, ..call(&format!("q{port}"), port, 0) }))
        })
        .collect();
    let end = QUEUE_SECONDS as u64 * 8000;
    for (port, open) in &opens {
        speak(&recorder, *open, *port, 0, end);
    }
    broken.store(false, Ordering::Relaxed);
    opens.iter().for_each(|(_, open)| recorder.end(*open, stop(end)));
    close(service);
    assert!(journal.told.lock().unwrap().gaps.is_empty());
    assert!(journal.records().iter().all(|(facts, _)| facts.samples == end && facts.marks.is_empty()));
}

#[test]
fn a_disk_that_never_comes_back_does_not_keep_the_process() {
    let data = data_folder();
    let (steps, broken) = failing(&[Step::NewFile, Step::LogWrite], io::ErrorKind::Other);
    let (recorder, service, journal) = run(data.path(), Tuning { steps, ..tuning() });
    let open = recorder.begin(call("stuck", 1, 0));
    speak(&recorder, open, 1, 0, 8000);
    std::thread::sleep(Duration::from_millis(60));
    broken.store(true, Ordering::Relaxed);
    recorder.end(open, stop(8000));
    let began = Instant::now();
    assert!(!service.close(Duration::from_millis(300)));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(journal.records().is_empty());
    std::thread::sleep(Duration::from_millis(300));
    // The next start has it.
    let (_, service, journal) = run(data.path(), tuning());
    close(service);
    assert_eq!(journal.records().len(), 1);
}

#[test]
fn a_hanging_disk_is_told_by_the_watcher() {
    let data = data_folder();
    let hang = Arc::new(AtomicBool::new(true));
    let hanging = hang.clone();
    let steps = Steps::hooked(move |step| {
        while step == Step::LogWrite && hanging.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    });
    let (recorder, service, journal) = run(data.path(), Tuning { steps, chunks: Some(16), ..tuning() });
    let open = recorder.begin(call("slow", 1, 0));
    speak(&recorder, open, 1, 0, 20_000);
    wait_until(|| journal.told.lock().unwrap().troubles.contains(&DiskTrouble::Slow));
    hang.store(false, Ordering::Relaxed);
    wait_until(|| journal.told.lock().unwrap().ok > 0);
    recorder.end(open, stop(20_000));
    close(service);
    assert_eq!(journal.records()[0].0.samples, 20_000);
}
