//! A registered station that does not keep to the protocol costs the platform its own connection, and no more.

mod house;

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use hookline_uplink::DeviceKey;
use hookline_uplink::message::ToPlatform;
use hookline_uplink::station_end::Outbox;
use house::{List, Platform, SERIAL, message, offer, raw, until};
use tokio::io::AsyncWriteExt;

async fn platform(folder: &tempfile::TempDir) -> (Platform, DeviceKey) {
    let platform = Platform::start(folder.path()).await;
    let key = DeviceKey::make().expect("a key");
    platform.register(SERIAL, key.fingerprint());
    (platform, key)
}

fn why_left(platform: &Platform) -> Vec<String> {
    platform.kept.left.lock().expect("a lock").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_heartbeats_and_reads_nothing_is_not_listened_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let (platform, key) = platform(&folder).await;
    let mut stream = raw(&platform, &key).await;
    let heartbeats =
        message(&ToPlatform::Heartbeat(List::new(Vec::new(), Vec::new()).heartbeat())).repeat(100);
    let begun = Instant::now();
    let flood = tokio::spawn(async move { while stream.write_all(&heartbeats).await.is_ok() {} });
    until("the connection has ended", || !why_left(&platform).is_empty()).await;
    assert!(begun.elapsed() < Duration::from_secs(15));
    flood.abort();
    let told = platform.kept.told.lock().expect("a lock").len();
    assert!(told < 1_000_000, "{told} heartbeats were taken without one answer being read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_without_their_files_do_not_pile_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (platform, key) = platform(&folder).await;
    let mut stream = raw(&platform, &key).await;
    let flood = tokio::spawn(async move {
        for item in 1..100 {
            if stream.write_all(&offer(item, 1 << 20, 1000)).await.is_err() {
                break;
            }
        }
        stream
    });
    until("the connection has ended", || !why_left(&platform).is_empty()).await;
    assert!(why_left(&platform)[0].contains("bytes of entries at once"), "{:?}", why_left(&platform));
    flood.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_offered_twice_is_begun_and_kept_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (platform, key) = platform(&folder).await;
    let mut stream = raw(&platform, &key).await;
    let entry = offer(7, 100, 0);
    let last = offer(8, 100, 0);
    stream.write_all(&[entry.clone(), entry.clone(), entry, last].concat()).await.expect("written");
    until("both are kept", || platform.count() == 2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(platform.kept.kept_twice.load(SeqCst), 0);
    assert_eq!(platform.kept.order.lock().expect("a lock").iter().filter(|item| **item == 7).count(), 1);
    assert!(why_left(&platform).is_empty());
}
