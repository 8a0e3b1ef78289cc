//! A station whose journal has begun anew uses its numbers a second time; and a recording that the platform has lost comes
//! again. Nothing is acknowledged that is not kept, and nothing is kept that no page shows.

mod house;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::recording::of_station;
use catalog::{AlarmCode, AlarmState, Body};
use hookline_platform::Platform;
use house::{Manner, Outgoing, SERIAL, add, alarms, assert_has, entry, recording, records, start, until};
use uplink::station_end::Item;

fn alarm_entry(number: u64, port: u16) -> Item {
    let body = format!(
        r#"{{"kind":"alarm_raised","body":{{"code":"line_lost","category":"channel","severity":"critical","port":{port},"thing":null,"params":{{}},"times":1}}}}"#
    );
    entry(number, 1, &body)
}

/// Everything of `items` goes up and is acknowledged.
async fn send(platform: &Platform, station: &Manner, items: Vec<Item>) -> Outgoing {
    let out = Outgoing::of(items);
    let _talking = station.talk(platform, &out);
    until("all acknowledged", || out.all_done()).await;
    out
}

/// Nothing of `items` is acknowledged, and somebody is told why.
async fn is_refused(platform: &Platform, station: &Manner, items: Vec<Item>) {
    let number = format!("entry {} ", items[0].item);
    let out = Outgoing::of(items);
    let talking = station.talk(platform, &out);
    let trouble = || platform.device(SERIAL).expect("known").trouble.unwrap_or_default();
    until("it is told", || trouble().starts_with(&number) && trouble().contains("begun anew")).await;
    until("an alarm", || house::stands(platform, AlarmCode::SynchronisationFailed, SERIAL)).await;
    drop(talking);
    assert!(out.done().is_empty(), "{:?}", out.done());
}

fn files(platform: &Platform) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|end| end == "wav") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    below(&platform.data_dir().path().join("recordings"), &mut found);
    found
}

fn path_of(platform: &Platform, row: usize) -> PathBuf {
    platform.data_dir().path().join(records(platform)[row].file.as_ref().expect("a file"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_is_used_again_is_not_acknowledged_whatever_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let items = vec![alarm_entry(1, 1), alarm_entry(2, 2), recording(folder.path(), SERIAL, 3, 1, 1)];
    send(&platform, &station, items.clone()).await;
    // The same once more are acknowledged.
    send(&platform, &station, items).await;
    let stood = alarms(&platform, AlarmState::Current).iter().filter(|one| one.station.is_some()).count();
    assert_eq!(stood, 2);
    is_refused(&platform, &station, vec![alarm_entry(2, 7)]).await;
    // A record where an alarm was.
    is_refused(&platform, &station, vec![recording(folder.path(), SERIAL, 1, 9, 1)]).await;
    assert_eq!(files(&platform).len(), 1);
    platform.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_with_other_facts_is_not_written_under_another_number() {
    let (folder, anew) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let old: Vec<Item> = (1..=3).map(|number| recording(folder.path(), SERIAL, number, number, 1)).collect();
    send(&platform, &station, old.clone()).await;
    is_refused(&platform, &station, vec![recording(anew.path(), SERIAL, 510, 2, 3)]).await;
    // Nor after a restart, from the catalog.
    platform.stop();
    drop(platform);
    let platform = start(folder.path());
    is_refused(&platform, &station, vec![recording(anew.path(), SERIAL, 511, 3, 3)]).await;
    assert_eq!(files(&platform).len(), 3, "no file without a record");
    // What it has beside them is taken.
    send(&platform, &station, vec![recording(anew.path(), SERIAL, 512, 4, 3)]).await;
    assert_eq!(records(&platform).len(), 4);
    platform.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_records_of_one_number_that_come_together_are_told_apart() {
    let (folder, anew) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let (one, other) = (recording(folder.path(), SERIAL, 1, 1, 1), recording(anew.path(), SERIAL, 2, 1, 3));
    let out = Outgoing::of(vec![one, other]);
    let _talking = station.talk(&platform, &out);
    until("it is told", || house::stands(&platform, AlarmCode::SynchronisationFailed, SERIAL)).await;
    assert!(out.done().len() < 2 && records(&platform).len() < 2);
    assert_eq!(files(&platform).len(), records(&platform).len());
    platform.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_was_only_covered_is_taken_when_it_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    send(&platform, &station, vec![Item { covers_from: Some(1), ..alarm_entry(9, 1) }]).await;
    send(&platform, &station, vec![alarm_entry(5, 2)]).await;
    assert!(platform.catalog().wait_until_current(Duration::from_secs(10)));
    let ports: Vec<_> =
        alarms(&platform, AlarmState::Current).into_iter().filter_map(|one| one.port).collect();
    assert_eq!(ports.len(), 2, "{ports:?}");
    platform.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_comes_back_from_its_file_has_one_file_here() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let item = recording(folder.path(), SERIAL, 1, 1, 1);
    send(&platform, &station, vec![item.clone()]).await;
    // The station has lost its entry, and made another one from the file.
    send(&platform, &station, vec![Item { item: 7, ..item.clone() }]).await;
    assert_eq!(files(&platform).len(), 1);
    assert_has(folder.path(), platform, &[item]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_was_lost_here_comes_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let item = recording(folder.path(), SERIAL, 1, 1, 1);
    send(&platform, &station, vec![item.clone()]).await;
    let lost = path_of(&platform, 0);
    std::fs::remove_file(&lost).expect("removed");
    assert!(!platform.has_file(&records(&platform)[0]));
    send(&platform, &station, vec![item.clone()]).await;
    assert!(lost.exists() && platform.has_file(&records(&platform)[0]));

    // A reindex has found out before it comes.
    std::fs::remove_file(&lost).expect("removed");
    platform.stop();
    drop(platform);
    let data = folder.path().join("platform");
    let begun = std::time::Instant::now();
    while let Err(error) = hookline_platform::maintenance::reindex(&data) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{error}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let platform = start(folder.path());
    assert!(records(&platform)[0].file_missing);
    for _ in 0..3 {
        send(&platform, &station, vec![item.clone()]).await;
    }
    assert!(!records(&platform)[0].file_missing && platform.health().keeping);
    assert_eq!(files(&platform).len(), 1);
    assert_has(folder.path(), platform, &[item]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_taken_is_no_trouble_of_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let next = recording(folder.path(), SERIAL, 2, 2, 1);
    let Ok(Body::Record(record)) = Body::from_payload(1, &next.payload) else { panic!("a record") };
    let taken = platform.data_dir().path().join(of_station(SERIAL, &record.facts.start, 1, 2));
    let stem = taken.file_stem().expect("a name").to_string_lossy().into_owned();
    for path in [taken.clone(), taken.with_file_name(format!("{stem}-e2.wav"))] {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, b"somebody's").expect("written");
    }
    let out = Outgoing::of(vec![next]);
    let _talking = station.talk(&platform, &out);
    until("it is told", || house::stands(&platform, AlarmCode::SynchronisationFailed, SERIAL)).await;
    assert!(out.done().is_empty() && platform.health().keeping);
    assert_eq!(std::fs::read(&taken).expect("there"), b"somebody's", "nothing is written over");
    platform.stop();
}
