//! Disks that take nothing, as they are: a full file system in memory, mounted in a namespace of this test's own, and a
//! folder that may not be written to.

mod house;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use catalog::{AlarmCode, AlarmState};
use hookline_platform::Platform;
use house::{Manner, Outgoing, SERIAL, add, alarms, assert_has, recording, start, until};
use uplink::station_end::Item;

const NAME: &str = "a_full_disk_holds_the_stations_until_there_is_room";
const CHILD: &str = "HOOKLINE_PLATFORM_DISK_CHILD";

/// Runs the test of that name again, in a mount namespace in which it may mount.
fn in_a_namespace(name: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "--"]).arg(std::env::current_exe().expect("this test"));
    command.args([name, "--exact", "--nocapture"]).env(CHILD, folder.path()).process_group(0);
    let output = command.output().expect("unshare (util-linux) runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "in a namespace of its own: {}\n{said}", output.status);
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}

fn stands(platform: &Platform, code: AlarmCode) -> bool {
    alarms(platform, AlarmState::Current).iter().any(|alarm| alarm.code == code.name())
}

#[test]
fn a_full_disk_holds_the_stations_until_there_is_room() {
    match std::env::var(CHILD) {
        Ok(folder) => run(fill(Path::new(&folder))),
        Err(_) => in_a_namespace(NAME),
    }
}

async fn fill(folder: &Path) {
    let disk = folder.join("platform");
    std::fs::create_dir(&disk).expect("a folder");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "none"]).arg(&disk).status();
    assert!(mounted.expect("mount runs").success(), "a file system in memory");
    let platform = start(folder);
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let items: Vec<Item> = (1..=60).map(|number| recording(folder, SERIAL, number, number, 60)).collect();
    let (first, rest) = items.split_at(10);
    let out = Outgoing::of(first.to_vec());
    let talking = station.talk(&platform, &out);
    until("the first ones", || out.all_done()).await;

    let mut filler = std::fs::File::create(disk.join("filler")).expect("room");
    let part = vec![0; 64 << 10];
    while room_on(&disk) > 3 << 20 && filler.write_all(&part).is_ok() {}
    rest.iter().cloned().for_each(|item| out.put(item));
    until("it is told", || stands(&platform, AlarmCode::DiskFull)).await;
    assert!(!platform.health().keeping);
    let kept = out.done().len();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(out.done().len() < items.len(), "50 recordings do not fit in 3 MiB");
    assert!(!talking.task.is_finished(), "the station is held, and not sent away");
    // Really to the brim: now nothing can be written at all.
    while filler.write_all(&part).is_ok() {}
    while filler.write_all(&[0]).is_ok() {}
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!talking.task.is_finished() && out.done().len() <= kept + 6);

    drop(filler);
    std::fs::remove_file(disk.join("filler")).expect("it is there");
    until("all goes on by itself", || out.all_done()).await;
    until("it is over", || !stands(&platform, AlarmCode::DiskFull)).await;
    assert_has(folder, platform, &items);
}

const NO_FILES: &str = "a_disk_that_takes_no_more_files_is_full_whatever_it_has_free";

#[test]
fn a_disk_that_takes_no_more_files_is_full_whatever_it_has_free() {
    match std::env::var(CHILD) {
        Ok(folder) => run(use_up_files(Path::new(&folder))),
        Err(_) => in_a_namespace(NO_FILES),
    }
}

async fn use_up_files(folder: &Path) {
    let disk = folder.join("platform");
    std::fs::create_dir(&disk).expect("a folder");
    let options = "size=256m,nr_inodes=2000";
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&disk).status();
    assert!(mounted.expect("mount runs").success(), "a file system in memory");
    let platform = start(folder);
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let items: Vec<Item> = (1..=5).map(|number| recording(folder, SERIAL, number, number, 1)).collect();
    let out = Outgoing::of(items[..1].to_vec());
    let talking = station.talk(&platform, &out);
    until("the first one", || out.all_done()).await;
    let fillers = disk.join("fillers");
    std::fs::create_dir(&fillers).expect("made");
    let mut count = 0;
    while std::fs::File::create(fillers.join(count.to_string())).is_ok() {
        count += 1;
    }
    items[1..].iter().cloned().for_each(|item| out.put(item));
    until("it is told", || stands(&platform, AlarmCode::DiskFull)).await;
    assert!(!platform.health().keeping && room_on(&disk) > 100 << 20);
    assert!(!talking.task.is_finished(), "the station is held, and not sent away");
    std::fs::remove_dir_all(&fillers).expect("removed");
    until("all goes on by itself", || out.all_done()).await;
    until("it is over", || !stands(&platform, AlarmCode::DiskFull)).await;
    drop(talking);
    assert_has(folder, platform, &items);
}

/// What fails first on a disk that fails is the part of a file.
#[test]
fn a_part_that_cannot_be_opened_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    run(forbid_parts(folder.path()));
}

async fn forbid_parts(folder: &Path) {
    let platform = start(folder);
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let item = recording(folder, SERIAL, 1, 1, 1);
    let sum = &item.file.as_ref().expect("a file").head.sha256;
    let in_the_way = folder.join("platform/arriving").join(SERIAL).join(format!("1-{sum}.part"));
    std::fs::create_dir_all(&in_the_way).expect("made");
    let out = Outgoing::of(vec![item.clone()]);
    let _talking = station.talk(&platform, &out);
    until("it is told", || stands(&platform, AlarmCode::DiskUnwritable)).await;
    assert!(out.done().is_empty());
    std::fs::remove_dir(&in_the_way).expect("removed");
    until("all goes on by itself", || out.all_done()).await;
    until("it is over", || !stands(&platform, AlarmCode::DiskUnwritable)).await;
    assert_has(folder, platform, &[item]);
}

fn room_on(path: &Path) -> u64 {
    ::recording::free_space(path).expect("mounted").free_bytes
}

#[test]
fn a_folder_that_takes_nothing_is_unwritable_until_it_does() {
    let folder = tempfile::tempdir().expect("a folder");
    run(forbid(folder.path()));
}

/// A file in the place of the folder: not even root can write into it.
async fn forbid(folder: &Path) {
    let platform = start(folder);
    let station = Manner::new(SERIAL);
    add(&platform, SERIAL, None);
    let items: Vec<Item> = (1..=5).map(|number| recording(folder, SERIAL, number, number, 1)).collect();
    let in_the_way = folder.join("platform/recordings").join(SERIAL);
    std::fs::write(&in_the_way, "").expect("written");
    let out = Outgoing::of(items.clone());
    let _talking = station.talk(&platform, &out);
    until("it is told", || stands(&platform, AlarmCode::DiskUnwritable)).await;
    assert!(out.done().is_empty());
    std::fs::remove_file(&in_the_way).expect("removed");
    until("all goes on by itself", || out.all_done()).await;
    until("it is over", || !stands(&platform, AlarmCode::DiskUnwritable)).await;
    assert_has(folder, platform, &items);
}
