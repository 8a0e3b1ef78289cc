//! Items go over, whole and once, whatever happens on the way.

mod house;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use bytes::Bytes;
use hookline_uplink::message::{Limits, Outcome, ToPlatform, ToStation};
use hookline_uplink::station_end::{Item, Said, Wanted};
use hookline_uplink::{DeviceKey, UplinkError, What};
use house::{Cutting, List, Platform, SERIAL, hello, item, talk, until};
use tokio::sync::mpsc::error::TrySendError;

struct Two {
    platform: Platform,
    key: Arc<DeviceKey>,
    folder: tempfile::TempDir,
}

impl Two {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let platform = Platform::start(folder.path()).await;
        let key = Arc::new(DeviceKey::make().expect("a key"));
        platform.register(SERIAL, key.fingerprint());
        Self { platform, key, folder }
    }

    fn item(&self, number: u64, bytes: Option<usize>) -> Item {
        item(self.folder.path(), number, bytes)
    }

    fn talk(&self, list: List) -> house::Talking {
        talk(self.platform.address, self.platform.fingerprint, self.key.clone(), list, hello(SERIAL))
    }

    fn assert_same(&self, items: &[Item]) {
        let kept = self.platform.kept.items.lock().expect("a lock");
        assert_eq!(kept.len(), items.len());
        for item in items {
            let (payload, bytes) = &kept[&item.item];
            assert_eq!(*payload, item.payload, "the entry's bytes are the same");
            let there = item.file.as_ref().map(|file| std::fs::read(&file.path).expect("there"));
            assert!(*bytes == there, "the file of {} is the same", item.item);
        }
        assert_eq!(self.platform.kept.kept_twice.load(SeqCst), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_and_files_arrive_as_they_are_and_are_acknowledged() {
    let two = Two::new().await;
    let sizes = [None, Some(0), Some(1), Some(262_144), Some(262_145), Some(3_000_000)];
    let items: Vec<Item> =
        (0..200).map(|number| two.item(number, sizes[number as usize % sizes.len()])).collect();
    let (fresh, backlog) = items.split_at(100);
    let talking = two.talk(List::new(fresh.to_vec(), backlog.to_vec()));
    until("all acknowledged", || talking.done.lock().expect("a lock").len() == items.len()).await;
    let kept: Vec<Item> = items
        .iter()
        .cloned()
        .map(|mut item| {
            // A file with nothing in it is none.
            item.file = item.file.filter(|file| file.head.bytes > 0);
            item
        })
        .collect();
    two.assert_same(&kept);
    drop(talking.said);
    assert!(talking.task.await.expect("ended").0.is_ok());
    until("the platform has noticed", || two.platform.kept.left.lock().expect("a lock").len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_transfer_goes_on_where_it_broke() {
    let two = Two::new().await;
    let items: Vec<Item> = (0..5).map(|number| two.item(number, Some(2_000_000))).collect();
    let cuts = vec![1_500, 700_000, 3_000_000, 40_000, 2_222_222];
    let tries = cuts.len();
    let way = Cutting::start(two.platform.address, cuts).await;
    let mut list = List::new(Vec::new(), items.clone());
    for turn in 0..=tries {
        let mut talking = talk(way.address, two.platform.fingerprint, two.key.clone(), list, hello(SERIAL));
        if turn == tries {
            until("all acknowledged", || talking.done.lock().expect("a lock").len() == items.len()).await;
            break;
        }
        let (result, back) = (&mut talking.task).await.expect("no panic");
        let error = result.expect_err("cut");
        assert!(matches!(error, UplinkError::Broken(_) | UplinkError::Closed), "{error}");
        list = back;
    }
    two.assert_same(&items);
    let sent = way.bytes_up.load(SeqCst);
    // What lay in buffers when a connection was cut goes again, whole files do not.
    assert!(sent < 10_000_000 + tries as u64 * 1_500_000, "{sent} bytes for 10,000,000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_platform_says_so_and_takes_all_when_there_is_room() {
    let two = Two::new().await;
    two.platform.kept.full.store(true, SeqCst);
    let items: Vec<Item> = (0..100).map(|number| two.item(number, Some(10_000))).collect();
    let talking = two.talk(List::new(items.clone(), Vec::new()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((two.platform.count(), talking.done.lock().expect("a lock").len()), (0, 0));
    assert!(!talking.task.is_finished(), "the connection stays");
    two.platform.kept.full.store(false, SeqCst);
    until("all acknowledged", || talking.done.lock().expect("a lock").len() == items.len()).await;
    two.assert_same(&items);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_set_aside_and_everything_else_comes() {
    let two = Two::new().await;
    let items: Vec<Item> =
        (0..300).map(|number| two.item(number, (number % 2 == 0).then_some(3000))).collect();
    // More than are ever under way, when they are offered; some more when they are whole.
    *two.platform.kept.refuses.lock().expect("a lock") = [(20..200).collect(), [3, 6, 290].into()];
    let refused = |item: &Item| (20..200).contains(&item.item) || [3, 6, 290].contains(&item.item);
    let good: Vec<Item> = items.iter().filter(|item| !refused(item)).cloned().collect();
    let talking = two.talk(List::new(Vec::new(), items.clone()));
    until("all but those", || talking.done.lock().expect("a lock").len() == good.len()).await;
    until("each is told", || talking.refused.lock().expect("a lock").len() == items.len() - good.len()).await;
    assert!(!talking.task.is_finished(), "and the connection stays");
    two.assert_same(&good);
}

/// Offers that were on their way are answered behind the hold by which the station has given them up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_on_its_way_when_the_platform_said_hold_ends_no_connection() {
    let two = Two::new().await;
    *two.platform.kept.holds_at.lock().expect("a lock") = Some(5);
    let items: Vec<Item> = (0..60).map(|number| two.item(number, Some(100_000))).collect();
    let talking = two.talk(List::new(Vec::new(), items.clone()));
    until("all acknowledged", || talking.done.lock().expect("a lock").len() == items.len()).await;
    assert!(two.platform.kept.left.lock().expect("a lock").is_empty(), "on one connection");
    two.assert_same(&items);
}

/// A heartbeat is a second here, and three without a word end a connection: the files take twice as long on this line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrow_line_takes_its_time_and_is_not_taken_for_a_broken_one() {
    let two = Two::new().await;
    let way = Cutting::narrow(two.platform.address, 64_000).await;
    let items: Vec<Item> = (0..2).map(|number| two.item(number, Some(260_000))).collect();
    let list = List::new(Vec::new(), items.clone());
    let begun = std::time::Instant::now();
    let talking = talk(way.address, two.platform.fingerprint, two.key.clone(), list, hello(SERIAL));
    until("all acknowledged", || talking.done.lock().expect("a lock").len() == items.len()).await;
    assert!(begun.elapsed() > Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(two.platform.kept.left.lock().expect("a lock").is_empty(), "on one connection");
    two.assert_same(&items);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_audio_that_a_line_does_not_take_is_left_out_and_kept_nowhere() {
    let two = Two::new().await;
    let way = Cutting::narrow(two.platform.address, 20_000).await;
    let list = List::new(Vec::new(), Vec::new());
    let mut talking = talk(way.address, two.platform.fingerprint, two.key.clone(), list, hello(SERIAL));
    talking.wanted.recv().await.expect("welcomed");
    let bytes = Bytes::from(vec![0; 960]);
    let (begun, mut taken) = (std::time::Instant::now(), 0);
    while begun.elapsed() < Duration::from_millis(1500) {
        match talking.said.try_send(Said::LiveAudio { listener: 1, bytes: bytes.clone() }) {
            Ok(()) => taken += bytes.len(),
            Err(TrySendError::Full(_)) => tokio::task::yield_now().await,
            Err(TrySendError::Closed(_)) => panic!("the connection has ended"),
        }
    }
    // What the kernel has room for on both sides of the line, and no more.
    assert!(taken < 20 << 20, "{taken} bytes of live audio wait for a line of 20 kB/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_station_cannot_send_is_kept_without_its_file() {
    let two = Two::new().await;
    let items: Vec<Item> = (0..4).map(|number| two.item(number, Some(400_000))).collect();
    let path = |number: usize| &items[number].file.as_ref().expect("a file").path;
    std::fs::remove_file(path(0)).expect("removed");
    std::fs::write(path(1), vec![0; 400_000]).expect("damaged");
    std::fs::write(path(2), vec![0; 300_000]).expect("cut");
    let talking = two.talk(List::new(items.clone(), Vec::new()));
    until("all acknowledged", || talking.done.lock().expect("a lock").len() == items.len()).await;
    let mut unavailable: Vec<u64> =
        two.platform.kept.unavailable.lock().expect("a lock").iter().map(|(item, _)| *item).collect();
    unavailable.sort_unstable();
    assert_eq!(unavailable, [0, 1, 2]);
    assert!(two.platform.kept.items.lock().expect("a lock")[&3].1.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_recording_overtakes_the_backlog_on_a_slow_line() {
    let two = Two::new().await;
    *two.platform.kept.limits.lock().expect("a lock") =
        Limits { audio_bytes_per_s: Some(2_000_000), backlog_held: false };
    let backlog: Vec<Item> = (100..110).map(|number| two.item(number, Some(600_000))).collect();
    let fresh = vec![two.item(1, Some(300_000)), two.item(2, None)];
    let begun = std::time::Instant::now();
    let talking = two.talk(List::new(fresh, backlog));
    until("the fresh ones", || talking.done.lock().expect("a lock").len() >= 2).await;
    let order = two.platform.kept.order.lock().expect("a lock").clone();
    assert!(order[..2].contains(&1) && order[..2].contains(&2), "{order:?}");
    until("all acknowledged", || talking.done.lock().expect("a lock").len() == 12).await;
    let seconds = begun.elapsed().as_secs_f64();
    assert!(seconds > 2.5, "6.3 MB at 2 MB/s took {seconds} s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_backlog_waits_for_its_hours_and_fresh_ones_do_not() {
    let two = Two::new().await;
    *two.platform.kept.limits.lock().expect("a lock") =
        Limits { audio_bytes_per_s: None, backlog_held: true };
    let talking =
        two.talk(List::new(vec![two.item(1, Some(1000))], vec![two.item(2, Some(1000)), two.item(3, None)]));
    until("fresh, and what has no audio", || talking.done.lock().expect("a lock").len() == 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!talking.done.lock().expect("a lock").contains(&2));
    let sender = two.platform.kept.to_station.lock().expect("a lock").clone().expect("connected");
    sender.send(ToStation::Limits(Limits::default())).await.expect("sent");
    until("the rest", || talking.done.lock().expect("a lock").len() == 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_on_which_nothing_happens_stays() {
    let two = Two::new().await;
    let talking = two.talk(List::new(Vec::new(), Vec::new()));
    // Three heartbeats, of one second each, without a word would end it.
    tokio::time::sleep(Duration::from_millis(4500)).await;
    assert!(!talking.task.is_finished());
    assert!(two.platform.kept.left.lock().expect("a lock").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_go_down_answers_and_live_audio_go_up() {
    let two = Two::new().await;
    let mut talking = two.talk(List::new(Vec::new(), Vec::new()));
    let Some(Wanted::Welcomed(welcome)) = talking.wanted.recv().await else { panic!("a welcome first") };
    assert_eq!((welcome.version, welcome.heartbeat_s), (1, 1));
    let command = What::Listen { port: 3, listener: 7 }.command(7, 10).expect("written");
    let sender = two.platform.kept.to_station.lock().expect("a lock").clone().expect("connected");
    sender.send(ToStation::Command(command.clone())).await.expect("sent");
    let Some(Wanted::Do(asked)) = talking.wanted.recv().await else { panic!("a command") };
    assert_eq!(asked, command);
    let outcome = Outcome::Done { detail: Default::default() };
    let answer = ToPlatform::Answer { command: 7, outcome };
    talking.said.send(Said::Message(answer.clone())).await.expect("said");
    let bytes = Bytes::from_static(b"\x01\x00\x02\x00");
    talking.said.send(Said::LiveAudio { listener: 7, bytes: bytes.clone() }).await.expect("said");
    let kept = &two.platform.kept;
    until("live audio", || kept.heard.lock().expect("a lock").as_slice() == [(7, bytes.clone())]).await;
    let told = kept.told.lock().expect("a lock");
    assert!(told.contains(&answer));
    assert!(told.iter().any(|message| matches!(message, ToPlatform::Heartbeat(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_comes_piece_by_piece_to_whoever_has_the_command_for_it() {
    let two = Two::new().await;
    let bundle: Bytes = (0..700_000).map(|_| fastrand::u8(..)).collect();
    *two.platform.kept.bundle.lock().expect("a lock") = Some((7, bundle.clone()));
    let items: Vec<Item> = (0..20).map(|number| two.item(number, Some(100_000))).collect();
    let mut talking = two.talk(List::new(Vec::new(), items.clone()));
    let want = |command, from: usize, most_bytes| {
        Said::Message(ToPlatform::Want { command, from: from as u64, most_bytes })
    };
    assert!(matches!(talking.wanted.recv().await, Some(Wanted::Welcomed(_))));
    let mut come = Vec::new();
    while come.len() < bundle.len() {
        talking.said.send(want(7, come.len(), 60_000)).await.expect("said");
        match talking.wanted.recv().await.expect("connected") {
            Wanted::Bundle { command: 7, offset, bytes } => {
                assert_eq!(
                    (offset, bytes.len()),
                    (come.len() as u64, (bundle.len() - come.len()).min(60_000))
                );
                come.extend_from_slice(&bytes);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(come == bundle);
    // Behind its end, and for a command that is about no bundle, there is nothing.
    for (command, from) in [(7, bundle.len()), (8, 0)] {
        talking.said.send(want(command, from, u32::MAX)).await.expect("said");
        assert_eq!(talking.wanted.recv().await, Some(Wanted::Cancel(command)));
    }
    // However much is asked for, a piece has an end.
    talking.said.send(want(7, 0, u32::MAX)).await.expect("said");
    let piece = talking.wanted.recv().await;
    assert!(matches!(&piece, Some(Wanted::Bundle { bytes, .. }) if bytes.len() == 256 * 1024), "{piece:?}");
    until("all acknowledged", || talking.done.lock().expect("a lock").len() == items.len()).await;
    two.assert_same(&items);
}
