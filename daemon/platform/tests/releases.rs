//! Upgrade bundles: kept whole or not at all, given out as they came, and there for as long as a station fetches one.

mod house;

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hookline_platform::{
    CommandState, MOST_RELEASE_BYTES, MOST_RELEASES, Platform, PlatformError, Release, ReleaseError, What,
};
use house::{Manner, Outgoing, SERIAL, add, audit, start, trail, until};
use serde_json::json;
use sha2::{Digest, Sha256};
use uplink::message::ToPlatform;
use uplink::station_end::{Said, Wanted};

const MINUTE: Duration = Duration::from_secs(60);

/// Begins as a bundle does; each `seed` makes another.
fn bundle(seed: u8, bytes: usize) -> Vec<u8> {
    let tail = (4..bytes).map(|place| (place as u8).wrapping_mul(31).wrapping_add(seed));
    b"hsqs".iter().copied().chain(tail).collect()
}

fn upload(platform: &Platform, name: &str, content: &[u8], piece: usize) -> Result<Release, ReleaseError> {
    let mut upload = platform.releases().begin(name, Some(content.len() as u64), "admin")?;
    content.chunks(piece).try_for_each(|piece| upload.take(piece))?;
    upload.finish(platform.now_us())
}

fn files(folder: &Path) -> Vec<String> {
    let all = std::fs::read_dir(folder.join("platform/releases")).expect("a folder");
    let mut names: Vec<String> =
        all.map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_bundle_is_kept_over_a_restart_and_read_in_any_pieces() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let content = bundle(1, 300_001);
    let sha256: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    let release = upload(&platform, "hookline-0.2.0+rc1", &content, 3).expect("taken");
    assert_eq!((release.bytes, &release.sha256, release.account.as_str()), (300_001, &sha256, "admin"));
    let older = upload(&platform, "0.1.9", &bundle(2, 4), 4).expect("the shortest there is");
    assert_eq!(platform.releases().list()[0], older, "who came last stands first");
    platform.stop();
    drop(platform);

    let left = folder.path().join("platform/releases/upload-0.part");
    std::fs::write(&left, "half of one").expect("written");
    std::fs::write(left.with_file_name(format!("{}.json", "cd".repeat(32))), "{}").expect("written");
    let platform = start(folder.path());
    let releases = platform.releases();
    assert_eq!(releases.list(), [older.clone(), release.clone()]);
    assert_eq!(files(folder.path()).len(), 4, "what a cut-off run left is gone: {:?}", files(folder.path()));
    let mut whole = Vec::new();
    loop {
        let piece = releases.read(&sha256, whole.len() as u64, 65_536).expect("read");
        if piece.is_empty() {
            break;
        }
        whole.extend_from_slice(&piece);
    }
    assert_eq!(whole, content);
    assert!(releases.read(&sha256, u64::MAX, 10).expect("behind the end").is_empty());
    for unknown in ["ef".repeat(32), "../settings/platform".to_owned(), String::new()] {
        let error = releases.read(&unknown, 0, 10).expect_err("not in the list");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    platform.remove_release(&older.sha256).expect("nobody is given it");
    let again = platform.remove_release(&older.sha256);
    assert!(matches!(again, Err(PlatformError::Release(ReleaseError::NotThere(_)))));
    assert_eq!(releases.list(), [release]);
    assert_eq!(files(folder.path()).len(), 2);
    platform.stop();
}

#[test]
fn what_is_no_new_bundle_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let first = bundle(1, 5000);
    upload(&platform, "one", &first, 5000).expect("taken");
    let same = upload(&platform, "two", &first, 1000);
    assert!(matches!(same, Err(ReleaseError::Exists(name)) if name == "one"));
    let taken = upload(&platform, "one", &bundle(2, 5000), 1000);
    assert!(matches!(taken, Err(ReleaseError::NameTaken(_))));
    assert!(matches!(upload(&platform, "a b", &first, 1000), Err(ReleaseError::NameInvalid(_))));
    for (content, piece) in
        [(&b"PK\x03\x04 an archive"[..], 100), (b"hsqx", 1), (b"hsq", 1), (b"", 1), (b"\0", 1)]
    {
        let refused = upload(&platform, "bad", content, piece);
        assert!(matches!(refused, Err(ReleaseError::NotABundle)), "{content:?}: {refused:?}");
    }
    let long = platform.releases().begin("long", Some(MOST_RELEASE_BYTES + 1), "admin");
    assert!(matches!(long.err(), Some(ReleaseError::TooLarge)));
    // Cut off, and of the same name at the same time: who is whole first has it.
    let mut cut = platform.releases().begin("three", None, "admin").expect("begun");
    cut.take(&bundle(3, 70_000)).expect("taken");
    let mut late = platform.releases().begin("three", None, "admin").expect("begun");
    late.take(&bundle(4, 100)).expect("taken");
    drop(cut);
    upload(&platform, "three", &bundle(5, 100), 100).expect("taken");
    assert!(matches!(late.finish(1), Err(ReleaseError::NameTaken(_))));
    assert_eq!(files(folder.path()).len(), 4, "{:?}", files(folder.path()));
    for seed in 10..10 + MOST_RELEASES as u8 - 2 {
        upload(&platform, &format!("more-{seed}"), &bundle(seed, 100), 100).expect("taken");
    }
    let many = upload(&platform, "one-too-many", &bundle(99, 100), 100);
    assert!(matches!(many, Err(ReleaseError::TooMany)));
    platform.stop();
}

#[test]
fn a_bundle_that_is_not_as_described_is_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let [short, other, good] = [1, 2, 3]
        .map(|seed| upload(&platform, &format!("v{seed}"), &bundle(seed, 1000), 1000).expect("taken").sha256);
    platform.stop();
    drop(platform);
    let path = |name: String| folder.path().join("platform/releases").join(name);
    let file = std::fs::OpenOptions::new().write(true).open(path(format!("{short}.raucb"))).expect("opened");
    file.set_len(999).expect("cut");
    std::fs::copy(path(format!("{good}.json")), path(format!("{other}.json"))).expect("copied");
    let platform = start(folder.path());
    let list = platform.releases().list();
    assert_eq!(list.iter().map(|release| &release.sha256).collect::<Vec<_>>(), [&good]);
    // Added again it takes the place of what was wrong.
    upload(&platform, "v1", &bundle(1, 1000), 1000).expect("taken");
    assert_eq!(platform.releases().read(&short, 0, 2000).expect("read"), bundle(1, 1000));
    platform.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_is_told_which_bundle_and_keeps_it_from_being_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    add(&platform, SERIAL, None);
    let mut talking = Manner::new(SERIAL).talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let release = upload(&platform, "0.2.0", &bundle(7, 2000), 500).expect("taken");
    let serials = [SERIAL.to_owned()];
    let unknown = platform.upgrade(&serials, &"ef".repeat(32), false, MINUTE, trail("command"));
    assert!(matches!(unknown, Err(PlatformError::Release(ReleaseError::NotThere(_)))));
    assert!(platform.commands(0).is_empty(), "nothing was sent");
    let ids = platform.upgrade(&serials, &release.sha256, true, MINUTE, trail("command")).expect("sent");
    let asked = talking.command().await;
    let what =
        What::Upgrade { release: "0.2.0".into(), bytes: 2000, sha256: release.sha256.clone(), restart: true };
    assert_eq!(What::read(&asked.what), Ok(what));
    let begun = audit(&platform, "command");
    assert_eq!(begun[0].entry.params["release"], json!("0.2.0"));
    let kept = platform.remove_release(&release.sha256);
    assert!(matches!(kept, Err(PlatformError::Release(ReleaseError::InUse(name))) if name == "0.2.0"));
    assert_eq!(platform.releases().read(&release.sha256, 0, 4).expect("still there"), &b"hsqs"[..]);
    platform.cancel(ids[0]).expect("cancelled");
    let ended = |state: &CommandState| state.has_ended();
    until("it is given up", || platform.commands(0).iter().all(|one| ended(&one.state))).await;
    platform.remove_release(&release.sha256).expect("nobody is given it any more");
    platform.stop();
}

const FULL: &str = "a_disk_without_room_for_a_bundle_refuses_it_and_goes_on_recording";
const CHILD: &str = "HOOKLINE_PLATFORM_RELEASES_CHILD";

#[test]
fn a_disk_without_room_for_a_bundle_refuses_it_and_goes_on_recording() {
    if let Ok(folder) = std::env::var(CHILD) {
        return without_room(Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "--"]).arg(std::env::current_exe().expect("this test"));
    command.args([FULL, "--exact", "--nocapture"]).env(CHILD, folder.path()).process_group(0);
    let output = command.output().expect("unshare (util-linux) runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "in a namespace of its own: {}\n{said}", output.status);
}

fn without_room(folder: &Path) {
    let disk = folder.join("platform");
    std::fs::create_dir(&disk).expect("a folder");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "none"]).arg(&disk).status();
    assert!(mounted.expect("mount runs").success(), "a file system in memory");
    let platform = start(folder);
    let told = platform.releases().begin("told", Some(100 << 20), "admin");
    assert!(matches!(told.err(), Some(ReleaseError::NoRoom)), "as soon as its length is known");
    let mut untold = platform.releases().begin("untold", None, "admin").expect("begun");
    let mut piece = bundle(1, 1 << 20);
    let refused = (0..100).find_map(|_| {
        let result = untold.take(&piece).err();
        piece[0] = 0;
        result
    });
    assert!(matches!(refused, Some(ReleaseError::NoRoom)), "{refused:?}");
    assert!(platform.health().keeping, "the reserve is left for what stations send");
    drop(untold);
    assert_eq!(files(folder), Vec::<String>::new());
    upload(&platform, "small", &bundle(2, 1 << 20), 1 << 20).expect("there is room again");
    platform.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_is_to_upgrade_gets_its_bundle_piece_by_piece_and_nobody_else_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let content = bundle(3, 400_000);
    let release = upload(&platform, "2.0", &content, 65_536).expect("taken");
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let serials = [SERIAL.to_owned()];
    let order =
        || platform.upgrade(&serials, &release.sha256, true, MINUTE, trail("command")).expect("sent")[0];
    let id = order();
    let What::Upgrade { bytes, sha256, restart: true, .. } =
        What::read(&talking.command().await.what).expect("read")
    else {
        panic!("an upgrade")
    };
    assert_eq!((bytes, sha256.as_str()), (release.bytes, release.sha256.as_str()));
    let want = |command, from| Said::Message(ToPlatform::Want { command, from, most_bytes: 150_000 });
    let mut come = Vec::new();
    while come.len() < content.len() {
        talking.said.send(want(id, come.len() as u64)).await.expect("said");
        match talking.wanted.recv().await {
            Some(Wanted::Bundle { command, offset, bytes }) if command == id => {
                assert_eq!(offset, come.len() as u64);
                come.extend_from_slice(&bytes);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(come == content);
    talking.said.send(want(id + 1, 0)).await.expect("said");
    assert_eq!(talking.wanted.recv().await, Some(Wanted::Cancel(id + 1)), "a command that nobody gave");

    std::fs::remove_file(folder.path().join(format!("platform/releases/{}.raucb", release.sha256)))
        .expect("removed");
    talking.said.send(want(id, 0)).await.expect("said");
    assert_eq!(talking.wanted.recv().await, Some(Wanted::Cancel(id)));
    until("it has failed", || {
        matches!(&platform.command_now(id).expect("known").state, CommandState::Failed { code, .. } if code == "bundle_gone")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_goes_on_when_the_platform_has_been_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let platform = start(folder.path());
    let content = bundle(4, 50_000);
    let release = upload(&platform, "2.0", &content, 50_000).expect("taken");
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, Some(station.fingerprint()));
    let mut talking = station.talk(&platform, &Outgoing::default());
    talking.welcomed().await;
    let serials = [SERIAL.to_owned()];
    let id = platform.upgrade(&serials, &release.sha256, true, MINUTE, trail("command")).expect("sent")[0];
    let first = talking.command().await;
    drop(talking);
    platform.stop();
    drop(platform);

    let platform = start(folder.path());
    assert_eq!(platform.command_now(id).expect("it goes on").state, CommandState::Sent);
    assert!(matches!(
        platform.remove_release(&release.sha256),
        Err(PlatformError::Release(ReleaseError::InUse(_)))
    ));
    let mut talking = station.talk(&platform, &Outgoing::default());
    let again = talking.command().await;
    assert_eq!((again.command, &again.what), (id, &first.what), "the same command, to the letter");
    assert!(again.within_s <= 60);
    let want = ToPlatform::Want { command: id, from: 49_000, most_bytes: 5000 };
    talking.said.send(Said::Message(want)).await.expect("said");
    let Some(Wanted::Bundle { bytes, .. }) = talking.wanted.recv().await else { panic!("a piece") };
    assert_eq!(bytes, content[49_000..]);
    let detail = json!({"version": "2.0", "restarts": true}).as_object().expect("an object").clone();
    let outcome = uplink::message::Outcome::Done { detail };
    talking.said.send(Said::Message(ToPlatform::Answer { command: id, outcome })).await.expect("said");
    until("its end is written", || audit(&platform, "command_end").len() == 1).await;
    let end = &audit(&platform, "command_end")[0].entry;
    assert_eq!((end.account.as_deref(), &end.params["command"]), (Some("admin"), &json!(id)));
}
