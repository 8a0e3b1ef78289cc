//! Who may talk with whom, and what becomes of those who may not.

mod house;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookline_uplink::message::{RefusalCode, Versions};
use hookline_uplink::{DeviceKey, Retry, Side, UplinkError, station_end};
use house::{List, Platform, SERIAL, be_asked, hello, item, talk, until};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

fn key() -> Arc<DeviceKey> {
    Arc::new(DeviceKey::make().expect("a key"))
}

async fn refusal_of(
    platform: &Platform,
    key: Arc<DeviceKey>,
    hello: hookline_uplink::message::Hello,
) -> UplinkError {
    let folder = tempfile::tempdir().expect("a folder");
    let list = List::new(vec![item(folder.path(), 1, Some(1000))], Vec::new());
    let talking = talk(platform.address, platform.fingerprint, key, list, hello);
    let error = talking.task.await.expect("no panic").0.expect_err("refused");
    assert_eq!(platform.count(), 0, "a refused station leaves nothing");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_impostors_and_other_releases_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = Platform::start(folder.path()).await;
    let (known, other) = (key(), key());
    platform.register(SERIAL, known.fingerprint());
    let mut far_newer = hello(SERIAL);
    far_newer.versions = Versions { from: 900, to: 999 };
    for (key, hello, code) in [
        (known.clone(), hello("HKLN-99999999999999"), RefusalCode::Waiting),
        (other, hello(SERIAL), RefusalCode::OtherKey),
        (known, far_newer, RefusalCode::Version),
    ] {
        let error = refusal_of(&platform, key, hello).await;
        let UplinkError::Refused(refusal) = &error else { panic!("{error}") };
        assert_eq!(refusal.code, code);
        assert_eq!((error.side(), error.retry()), (Side::There, Retry::WhenChanged));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_talks_to_the_platform_it_knows_and_to_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = Platform::start(folder.path()).await;
    let station = key();
    let address = platform.address.to_string();
    let wrong =
        station_end::dial(&address, &station, Some(key().fingerprint())).await.expect_err("another key");
    assert!(matches!(wrong, UplinkError::OtherKey { .. }), "{wrong}");
    let unknown = station_end::dial(&address, &station, None).await.expect_err("not yet accepted");
    let UplinkError::NotPinned(found) = unknown else { panic!("{unknown}") };
    assert_eq!(found, platform.fingerprint);
    assert!(station_end::dial(&address, &station, Some(found)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_is_switched_off_is_cut_off_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = Platform::start(folder.path()).await;
    let station = key();
    platform.register(SERIAL, station.fingerprint());
    let mut talking = talk(
        platform.address,
        platform.fingerprint,
        station,
        List::new(Vec::new(), Vec::new()),
        hello(SERIAL),
    );
    talking.wanted.recv().await.expect("welcomed");
    let switched = Instant::now();
    *platform.kept.to_station.lock().expect("a lock") = None;
    let error = talking.task.await.expect("no panic").0.expect_err("cut off");
    assert!(switched.elapsed() < Duration::from_secs(1), "after {:?}", switched.elapsed());
    assert!(matches!(error, UplinkError::Closed | UplinkError::Broken(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_and_a_mute_one_end_in_a_sentence() {
    let station = key();
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = nobody.local_addr().expect("an address").to_string();
    drop(nobody);
    for address in [address.as_str(), "no-such-host.invalid:1311", "not an address"] {
        let error = station_end::dial(address, &station, None).await.expect_err("nobody");
        assert!(matches!(error, UplinkError::Unreachable { .. }), "{error}");
        assert_eq!((error.side(), error.retry()), (Side::Between, Retry::Soon));
        assert!(error.to_string().contains(address));
    }
}

/// Whatever bytes come, before the handshake or behind it: that connection ends, and the others do not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_ends_its_own_connection_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = Platform::start(folder.path()).await;
    let station = key();
    platform.register(SERIAL, station.fingerprint());
    let address = platform.address.to_string();
    let items = (0..50).map(|number| item(folder.path(), number, Some(50_000))).collect();
    let talking = talk(
        platform.address,
        platform.fingerprint,
        station.clone(),
        List::new(items, Vec::new()),
        hello(SERIAL),
    );
    for turn in 0..40 {
        let bytes: Vec<u8> = (0..fastrand::usize(0..400)).map(|_| fastrand::u8(..)).collect();
        if turn % 2 == 0 {
            let mut raw = TcpStream::connect(platform.address).await.expect("connected");
            let _ = raw.write_all(&bytes).await;
        } else {
            let dialled = station_end::dial(&address, &station, Some(platform.fingerprint));
            let mut stream = dialled.await.expect("connected");
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
    }
    until("all acknowledged", || talking.done.lock().expect("a lock").len() == 50).await;
}

/// A station that cannot dial is asked: who opens the connection changes nothing of who proves what to whom.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_is_asked_proves_its_key_and_checks_the_platforms() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = Platform::start(folder.path()).await;
    let (station, other) = (key(), key());
    platform.register(SERIAL, station.fingerprint());
    for (key, pinned, works) in [
        (other, platform.fingerprint, false),
        (station.clone(), key().fingerprint(), false),
        (station, platform.fingerprint, true),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let list = List::new(vec![item(folder.path(), 1, Some(100_000))], Vec::new());
        let talking = be_asked(listener, pinned, key, list, hello(SERIAL));
        let stream = TcpStream::connect(address).await.expect("connected");
        let serving = {
            let platform = platform.clone();
            tokio::spawn(async move { platform.serve(stream, address).await })
        };
        if works {
            until("taken", || talking.done.lock().expect("a lock").len() == 1).await;
            drop(talking.said);
            talking.task.await.expect("no panic").0.expect("ended by the station");
        } else {
            talking.task.await.expect("no panic").0.expect_err("not that key");
        }
        serving.await.expect("no panic").expect_err("each connection has an end");
        assert_eq!(platform.count(), usize::from(works));
    }
}
