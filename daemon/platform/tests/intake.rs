//! What stations send is kept whole, once, and acknowledged when it is safe.

mod house;

use std::path::Path;
use std::time::{Duration, Instant};

use catalog::{AlarmCode, Body};
use house::{Manner, OTHER, Outgoing, SERIAL, add, assert_has, entry, recording, records, start, until};
use uplink::station_end::Item;

fn recordings(folder: &Path, serial: &str, count: u64) -> Vec<Item> {
    (1..=count).map(|number| recording(folder, serial, number, number, 1 + number as u32 % 3)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recordings_of_two_stations_arrive_once_and_are_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let (one, two) = (Manner::new(SERIAL), Manner::new(OTHER));
    add(&platform, SERIAL, Some(one.fingerprint()));
    add(&platform, OTHER, Some(two.fingerprint()));
    let (of_one, of_two) = (recordings(folder.path(), SERIAL, 40), recordings(folder.path(), OTHER, 25));
    let (out_one, out_two) = (Outgoing::of(of_one.clone()), Outgoing::of(of_two.clone()));
    let (_one, _two) = (one.talk(&platform, &out_one), two.talk(&platform, &out_two));
    until("all acknowledged", || out_one.all_done() && out_two.all_done()).await;
    let rows = records(&platform);
    assert_eq!(rows[0].file.as_deref().expect("a file").split('/').nth(1), Some(SERIAL));
    let now = platform.device(SERIAL).expect("known");
    assert!(now.online && now.last_received_us.is_some() && now.own_name.as_deref() == Some("Duty room"));
    until("a waveform", || {
        let file = platform.data_dir().path().join(rows[0].file.as_ref().expect("a file"));
        file.with_extension("peaks").exists()
    })
    .await;
    let all = [of_one, of_two].concat();
    assert_has(folder.path(), platform, &all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_twice_it_exists_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let items = recordings(folder.path(), SERIAL, 20);
    let out = Outgoing::of(items.clone());
    for _ in 0..2 {
        out.forget_done();
        let _talking = station.talk(&platform, &out);
        until("all acknowledged", || out.all_done()).await;
    }
    platform.stop();
    drop(platform);
    // A restart knows what is there from the catalog.
    let platform = start(folder.path());
    out.forget_done();
    let begun = Instant::now();
    let _talking = station.talk(&platform, &out);
    until("all acknowledged", || out.all_done()).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    let journal = platform.catalog().health().journal_sequence;
    assert!(journal < 20 + 20, "{journal} entries: the second time wrote none");
    assert_has(folder.path(), platform, &items);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_kept_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let later = r#"{"kind":"hologram",  "body":{"é":[1,2]}}"#;
    let mut newer = recording(folder.path(), SERIAL, 3, 3, 1);
    newer.layout = 9;
    // A serial number that is another's, and a path that leads elsewhere.
    let foreign = recording(folder.path(), "../../x", 4, 4, 1);
    let account = r#"{"kind":"account_set","body":{"name":"evil","password_hash":"x","rights":["system"]}}"#;
    let items = vec![
        entry(1, 1, later),
        entry(2, 1, "no JSON"),
        newer,
        foreign,
        entry(5, 1, account),
        entry(6, 1, ""),
    ];
    let out = Outgoing::of(items);
    let _talking = station.talk(&platform, &out);
    until("all acknowledged", || out.all_done()).await;
    assert!(records(&platform).is_empty());
    assert!(platform.catalog().account("evil").expect("asked").is_none());
    let mut tail = platform.catalog().journal_tail(1);
    let payloads: Vec<String> = tail
        .read(100)
        .expect("read")
        .iter()
        .filter_map(|raw| match Body::from_payload(raw.layout, &raw.payload) {
            Ok(Body::FromStation(from)) => Some(from.payload),
            _ => None,
        })
        .collect();
    assert_eq!(payloads.len(), 6);
    assert!(payloads.iter().any(|payload| payload == later), "not a byte is another");
    let unread = platform.data_dir().path().join("recordings").join(SERIAL).join("unread");
    let files = std::fs::read_dir(unread).expect("a folder").flatten();
    assert_eq!(files.filter(|file| file.path().extension().is_some_and(|end| end == "wav")).count(), 2);
    platform.stop();
    drop(platform);
    house::sound(folder.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_began_anew_is_not_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let out = Outgoing::of(recordings(folder.path(), SERIAL, 3));
    let talking = station.talk(&platform, &out);
    until("all acknowledged", || out.all_done()).await;
    drop(talking);
    // The same numbers, and other calls.
    let anew = tempfile::tempdir().expect("a folder");
    let other = Outgoing::of(recordings(anew.path(), SERIAL, 3));
    let _talking = station.talk(&platform, &other);
    until("it is told", || house::stands(&platform, AlarmCode::SynchronisationFailed, SERIAL)).await;
    assert!(other.done().is_empty());
    assert!(platform.device(SERIAL).expect("known").trouble.expect("said").contains("begun anew"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_entry_that_cannot_be_kept_holds_up_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let mut items = recordings(folder.path(), SERIAL, 20);
    let no_text = Item { payload: bytes::Bytes::from_static(b"\xff\xfe"), ..entry(21, 1, "") };
    items.push(no_text);
    items.extend((22..=30).map(|number| recording(folder.path(), SERIAL, number, number, 1)));
    let out = Outgoing::of(items.clone());
    let talking = station.talk(&platform, &out);
    until("all but that one", || out.done().len() == 29).await;
    assert_eq!(out.refused(), [21].into());
    // Others come, and it stays said.
    let last = recording(folder.path(), SERIAL, 31, 31, 1);
    out.put(last.clone());
    until("the next one", || out.done().len() == 30).await;
    until("it is told", || house::stands(&platform, AlarmCode::SynchronisationFailed, SERIAL)).await;
    assert!(!talking.task.is_finished() && !out.done().contains(&21), "the connection stays");
    drop(talking);
    let good: Vec<Item> = items.into_iter().filter(|item| item.item != 21).collect();
    assert_has(folder.path(), platform, &[good, vec![last]].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_lacking_comes_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let item = recording(folder.path(), SERIAL, 1, 1, 1);
    let path = item.file.as_ref().expect("a file").path.clone();
    let hidden = path.with_extension("hidden");
    std::fs::rename(&path, &hidden).expect("renamed");
    let out = Outgoing::of(vec![item.clone()]);
    let talking = station.talk(&platform, &out);
    until("acknowledged without it", || out.all_done()).await;
    assert_eq!(records(&platform)[0].file, None);
    drop(talking);
    std::fs::rename(&hidden, &path).expect("renamed");
    out.forget_done();
    let _talking = station.talk(&platform, &out);
    until("acknowledged with it", || out.all_done()).await;
    assert_has(folder.path(), platform, &[item]);
}
