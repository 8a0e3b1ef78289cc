//! Calls that go well: what is given is what the file holds.

use std::time::Duration;

use line::StopMode;
use signal::SampleIndex;

use super::kit::*;
use crate::facts::{Codec, Mark, MarkKind};
use crate::open::{Known, OpenStart, StopFacts};
use crate::reader::{Reader, Select};
use crate::recorder::{Settings, start_tuned};
use crate::sink::GapCause;

fn read_all(reader: &Reader, select: Select) -> Vec<i16> {
    let mut all = vec![0; reader.samples() as usize];
    assert_eq!(reader.read(select, 0, &mut all).unwrap(), all.len());
    all
}

#[test]
fn a_call_becomes_a_file_with_its_facts() {
    let data = data_folder();
    let (recorder, service, journal) = run(data.path(), tuning());
    let open = recorder.begin(OpenStart { pre_roll_samples: 160, ..call("a", 3, 8000) });
    speak(&recorder, open, 3, 8000, 20_000);
    recorder.mark(open, SampleIndex(9000), MarkKind::Digit { digit: '5' });
    recorder.mark(open, SampleIndex(19_500), MarkKind::PolarityReversed);
    // Noticed late: the call ended before what was already given.
    recorder.end(open, stop(19_000));
    close(service);

    let records = journal.records();
    let (facts, path) = &records[0];
    assert_eq!(path.as_deref(), Some("recordings/2026/03/01/20260301_080001_000-p003-00000001.wav"));
    let path = data.path().join(path.as_ref().unwrap());
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.facts(), facts);
    assert_eq!((facts.samples, facts.pre_roll_samples, facts.stop_mode), (11_000, 160, StopMode::OnHook));
    assert_eq!(facts.peer_number.as_deref(), Some("13800"));
    assert_eq!(facts.marks, [Mark { sample: 1000, kind: MarkKind::Digit { digit: '5' } }]);
    assert_eq!(read_all(&reader, Select::Track(0)), samples(3, 8000, 11_000));
    reader.verify_audio().unwrap();
    assert!(path.with_extension("peaks").exists());
    assert_eq!(files(&data.path().join("recordings")).len(), 2);
    assert!(journal.told.lock().unwrap().gaps.is_empty());
}

#[test]
fn calls_of_several_ports_and_two_tracks_do_not_mix() {
    let data = data_folder();
    let (recorder, service, journal) = run(data.path(), tuning());
    let opens: Vec<_> = (1..=4)
        .map(|port| recorder.begin(OpenStart { tracks: 2, ..call(&format!("c{port}"), port, 0) }))
        .collect();
    for block in 0..500u64 {
        for (open, port) in opens.iter().zip(1..) {
            let (near, far) = (samples(port, block * 80, 80), samples(port + 100, block * 80, 80));
            recorder.audio(*open, SampleIndex(block * 80), &[&near, &far]);
        }
    }
    opens.iter().for_each(|open| recorder.end(*open, stop(40_000)));
    close(service);
    for (facts, path) in journal.records() {
        let reader = Reader::open(data.path().join(path.unwrap())).unwrap();
        assert_eq!((facts.tracks, facts.samples), (2, 40_000));
        assert_eq!(read_all(&reader, Select::Track(0)), samples(facts.port, 0, 40_000));
        assert_eq!(read_all(&reader, Select::Track(1)), samples(facts.port + 100, 0, 40_000));
        assert!(reader.read(Select::Track(2), 0, &mut [0]).is_err());
    }
}

#[test]
fn segments_of_a_long_call_join_without_a_lost_sample() {
    let data = data_folder();
    let (recorder, service, journal) = run(data.path(), tuning());
    let first = recorder.begin(call("long", 1, 0));
    speak(&recorder, first, 1, 0, 8000);
    let second = recorder.begin(OpenStart { segment: 1, ..call("long", 1, 7990) });
    // The block over the border goes to both, each keeps its own part.
    for open in [first, second] {
        recorder.audio(open, SampleIndex(7950), &[&samples(1, 7950, 80)]);
    }
    recorder.end(first, StopFacts { stop_mode: StopMode::Length, ..stop(7990) });
    speak(&recorder, second, 1, 8030, 9000);
    recorder.end(second, stop(9000));
    close(service);
    let mut heard = Vec::new();
    for (_, path) in journal.records() {
        heard.extend(read_all(&Reader::open(data.path().join(path.unwrap())).unwrap(), Select::Mix));
    }
    assert_eq!(heard, samples(1, 0, 9000));
}

/// Invariant 2.
#[test]
fn invariant_02_a_call_without_audio_gives_a_record_and_no_file() {
    let data = data_folder();
    let (recorder, service, journal) = run(data.path(), tuning());
    assert!(recorder.record_without_audio(missed("m", 2)));
    let unheard = recorder.begin(call("unheard", 2, 100));
    recorder.end(unheard, stop(50_000));
    let cut_off = recorder.begin(call("cut", 2, 100));
    speak(&recorder, cut_off, 2, 100, 1000);
    recorder.end(cut_off, stop(100));
    close(service);
    let records = journal.records();
    assert_eq!(records.len(), 3);
    for (facts, path) in records {
        assert_eq!(
            (path, facts.samples, facts.codec, facts.audio_sha256),
            (None, 0, None, None),
            "{}",
            facts.call_id
        );
    }
    assert!(files(&data.path().join("recordings")).is_empty());
}

#[test]
fn samples_that_were_never_captured_are_silence_a_mark_and_told() {
    let data = data_folder();
    let (recorder, service, journal) = run(data.path(), tuning());
    let open = recorder.begin(OpenStart { codec: Codec::ALaw, ..call("gap", 1, 0) });
    speak(&recorder, open, 1, 0, 4000);
    speak(&recorder, open, 1, 5000, 6000);
    recorder.end(open, stop(6000));
    close(service);
    let (facts, path) = journal.records().remove(0);
    assert_eq!(facts.marks, [Mark { sample: 4000, kind: MarkKind::Gap { samples: 1000 } }]);
    assert_eq!(facts.samples, 6000);
    let heard = read_all(&Reader::open(data.path().join(path.unwrap())).unwrap(), Select::Track(0));
    assert!(heard[4000..5000].iter().all(|sample| sample.abs() <= 8));
    assert!((heard[5500] - sample(1, 5500)).abs() < 600);
    let told = journal.told.lock().unwrap();
    let gap = told.gaps[0];
    assert_eq!((gap.port, gap.samples, gap.cause), (1, 1000, GapCause::NotCaptured));
}

#[test]
fn what_is_known_at_the_end_counts() {
    let data = data_folder();
    let (recorder, service, journal) = run(data.path(), tuning());
    let open = recorder.begin(call("k", 1, 0));
    recorder.know(open, Known { peer_name: Some("early".into()), ..Known::default() });
    speak(&recorder, open, 1, 0, 800);
    recorder.end(open, stop(800));
    recorder.end(open, stop(400));
    close(service);
    let (facts, _) = journal.records().remove(0);
    assert_eq!((facts.samples, facts.peer_name, facts.peer_number.as_deref()), (800, None, Some("13800")));
}

#[test]
fn the_log_is_recycled_and_a_long_call_keeps_what_it_needs() {
    let data = data_folder();
    let (recorder, service, journal) = run(data.path(), tuning());
    let long = recorder.begin(call("long", 1, 0));
    for round in 0..40u64 {
        let short = recorder.begin(call(&format!("s{round}"), 2, round * 20_000));
        speak(&recorder, short, 2, round * 20_000, round * 20_000 + 20_000);
        recorder.end(short, stop(round * 20_000 + 20_000));
        speak(&recorder, long, 1, round * 80, round * 80 + 80);
        recorder.wait_for_room();
    }
    journal.wait_for(40);
    let pinned = files(&data.path().join("capture-log")).len();
    recorder.end(long, stop(3200));
    journal.wait_for(41);
    close(service);
    assert!(pinned > 10, "{pinned} segments while the long call was open");
    let (recorder, service, journal) = run(data.path(), tuning());
    let open = recorder.begin(call("after", 1, 0));
    speak(&recorder, open, 1, 0, 800);
    recorder.end(open, stop(800));
    journal.wait_for(42);
    assert_eq!(service.recovered(), Some(crate::Recovered::default()));
    close(service);
    // The reserve, the segment being written, and twice the 4 that hold 30 s of 4 ports.
    assert!(
        files(&data.path().join("capture-log")).len() <= 10,
        "{:?}",
        files(&data.path().join("capture-log"))
    );
}

#[test]
fn a_replay_waits_for_room_and_loses_nothing() {
    let data = data_folder();
    let journal = Journal::open(data.path());
    let settings = Settings { power_safe: false, ..settings(1) };
    let (recorder, service) = start_tuned(data.path(), settings, journal.clone(), tuning()).unwrap();
    let open = recorder.begin(call("fast", 1, 0));
    let seconds = 600;
    for second in 0..seconds {
        recorder.wait_for_room();
        speak(&recorder, open, 1, second * 8000, second * 8000 + 8000);
    }
    recorder.end(open, stop(seconds * 8000));
    assert!(service.close(Duration::from_secs(60)));
    let (facts, _) = journal.records().remove(0);
    assert_eq!((facts.samples, facts.marks.len()), (seconds * 8000, 0));
    assert!(journal.told.lock().unwrap().gaps.is_empty() && journal.told.lock().unwrap().troubles.is_empty());
}
