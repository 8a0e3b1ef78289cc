//! Alarms of the disk from their real causes (ST-11): a disk that is full, one that takes nothing, files that are
//! damaged, gone, or held by somebody. What could not be written while the disk took nothing is written afterwards.

mod support;

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use catalog::{AlarmCode, AlarmState, AuditEntry, AuditResult, PageRequest, RecordQuery, Scope};
use station::{Station, Tuning};
use support::start_station;
use support::tuned::{TestBox, alarms, cleared, is_history, raised, stands, start_in, wait_until};

/// A call of two seconds every four.
const CALLS: (&str, &str) = ("0,48,0\n1,8,0\n3,48,0", "");
/// Off-hook all the time.
const OPEN: (&str, &str) = ("0,8,0", "");

fn files_of(station: &Station) -> Vec<PathBuf> {
    let page = station
        .catalog()
        .records(&Scope::everything(), &RecordQuery::default(), PageRequest::default())
        .expect("the catalog answers");
    page.items
        .into_iter()
        .filter_map(|row| row.file)
        .map(|file| station.data_dir().path().join(file))
        .collect()
}

fn audit_entry() -> AuditEntry {
    AuditEntry {
        account: None,
        display_name: None,
        ip: None,
        item: "test".into(),
        port: None,
        operation: "fill".into(),
        params: Default::default(),
        result: AuditResult::Ok,
        detail: Some("x".repeat(200)),
        department: None,
    }
}

/// Runs one test of this file again, as a child of `sh` that prepares its surroundings.
fn run_prepared(name: &str, folder: &Path, variable: &str, wrapper: &[&str]) {
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(std::env::current_exe().expect("this test"));
    command.args([name, "--exact", "--nocapture"]).env(variable, folder).process_group(0);
    // Its own test report must not be counted a second time.
    let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", wrapper[0]));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{wrapper:?}: {}\n{said}", output.status);
}

const TMPFS: &str = "HOOKLINE_ALARMS_TMPFS";

#[test]
fn a_full_disk_is_told_as_soon_as_it_takes_a_word() {
    let name = "a_full_disk_is_told_as_soon_as_it_takes_a_word";
    match std::env::var(TMPFS) {
        Ok(folder) => fill_the_disk(Path::new(&folder)),
        Err(_) => {
            let folder = tempfile::tempdir().expect("a folder");
            // A file system in memory, in a namespace of the test's own: needs no rights.
            run_prepared(name, folder.path(), TMPFS, &["unshare", "--mount", "--map-root-user", "--"]);
        }
    }
}

fn fill_the_disk(data: &Path) {
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256m", "none"]).arg(data).status();
    assert!(mounted.expect("mount runs").success(), "a file system in memory");
    let test_box = TestBox::new(4, &[CALLS]);
    // A quarter of this small disk is the recorder's reserve, which it gives free.
    fs::create_dir_all(data.join("settings")).expect("a folder");
    fs::write(data.join("settings/box.toml"), "disk_nearly_full_percent = 40\n").expect("written");
    let station = start_in(data, &test_box.scenario(), test_box.tuning());
    wait_until("the reserve is held", || data.join("capture-log/reserve").exists());
    assert!(!stands(&station, AlarmCode::DiskNearlyFull), "there is room as yet");

    let mut filler = fs::File::create(data.join("filler")).expect("room");
    let mut fill = || while filler.write_all(&[0; 64 << 10]).is_ok() {};
    fill();
    // The reserve is given free for what is being recorded, and for this.
    raised(&station, AlarmCode::DiskFull);
    raised(&station, AlarmCode::DiskNearlyFull);
    // Then nothing is left at all, not even for an entry of the journal.
    fill();
    wait_until("the journal takes no entry", || {
        fill();
        station.catalog().append_durable(vec![catalog::Body::Audit(audit_entry())]).is_err()
    });
    test_box.clock.0.store(false, Relaxed);
    std::thread::sleep(Duration::from_millis(500));
    assert!(
        !stands(&station, AlarmCode::ClockUnsynchronised),
        "there was room for it: nothing is shown by this"
    );

    drop(filler);
    fs::remove_file(data.join("filler")).expect("it is there");
    raised(&station, AlarmCode::ClockUnsynchronised);
    cleared(&station, AlarmCode::DiskFull);
    cleared(&station, AlarmCode::DiskNearlyFull);
    station.stop().expect("it stops");
}

const NO_WRITES: &str = "HOOKLINE_ALARMS_NO_WRITES";

#[test]
fn a_disk_that_takes_nothing_is_told_afterwards() {
    let name = "a_disk_that_takes_nothing_is_told_afterwards";
    match std::env::var(NO_WRITES) {
        Ok(folder) => take_nothing(Path::new(&folder)),
        Err(_) => {
            let folder = tempfile::tempdir().expect("a folder");
            // Without the signal, a file that may not grow is an error of writing.
            let shell = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
            run_prepared(name, folder.path(), NO_WRITES, &shell);
        }
    }
}

fn take_nothing(data: &Path) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).expect("it can be asked");
    let limit = |bytes| setrlimit(Resource::RLIMIT_FSIZE, bytes, hard).expect("it can be set");
    let test_box = TestBox::new(30, &[OPEN]);
    let station = start_in(data, &test_box.scenario(), test_box.tuning());
    wait_until("the call is open", || station.live().ports()[0].recording_since.is_some());
    limit(0);
    test_box.clock.0.store(false, Relaxed);
    // The queue holds 30 s; a third of it is what a slow disk is allowed.
    std::thread::sleep(Duration::from_secs(11));
    assert!(alarms(&station, AlarmCode::ClockUnsynchronised, AlarmState::All).is_empty());
    limit(hard);
    raised(&station, AlarmCode::ClockUnsynchronised);
    cleared(&station, AlarmCode::DiskFailing);
    cleared(&station, AlarmCode::DiskUnwritable);
    assert!(alarms(&station, AlarmCode::AudioGap, AlarmState::All).is_empty(), "nothing was lost");
    station.stop().expect("it stops");
}

#[test]
fn a_folder_that_takes_no_files_is_unwritable() {
    let test_box = TestBox::new(4, &[CALLS]);
    let station = test_box.start();
    let (recordings, away) = (test_box.data().join("recordings"), test_box.folder.path().join("away"));
    fs::rename(&recordings, &away).expect("moved");
    fs::write(&recordings, "not a folder").expect("written");
    let alarm = raised(&station, AlarmCode::DiskUnwritable);
    assert!(alarm.params["detail"].as_str().is_some_and(|text| text.contains("recordings")), "{alarm:?}");
    fs::remove_file(&recordings).expect("it is there");
    fs::rename(&away, &recordings).expect("moved");
    cleared(&station, AlarmCode::DiskUnwritable);
    wait_until("the call is a recording", || files_of(&station).iter().any(|file| file.exists()));
    station.stop().expect("it stops");
}

#[test]
fn a_recording_without_its_file_is_missed() {
    let test_box = TestBox::new(4, &[CALLS]);
    let station = test_box.start();
    wait_until("there is a recording", || !files_of(&station).is_empty());
    let file = files_of(&station).remove(0);
    let away = test_box.folder.path().join("away.wav");
    fs::rename(&file, &away).expect("moved");
    let alarm = raised(&station, AlarmCode::RecordingMissing);
    assert_eq!(alarm.params["count"], 1);
    fs::rename(&away, &file).expect("moved");
    cleared(&station, AlarmCode::RecordingMissing);

    // What is deleted is not missed, and what is missed survives a restart.
    fs::rename(&file, &away).expect("moved");
    raised(&station, AlarmCode::RecordingMissing);
    station.stop().expect("it stops");
    drop(station);
    let station = test_box.start();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(stands(&station, AlarmCode::RecordingMissing), "alarms of before were cleared by now");
    let everything = station
        .catalog()
        .records(&Scope::everything(), &RecordQuery::default(), PageRequest::default())
        .expect("the catalog answers");
    let ids: Vec<_> = everything.items.into_iter().map(|row| row.id).collect();
    station.delete_recordings(&Scope::everything(), &ids, "admin", |_| Vec::new()).expect("deleted");
    cleared(&station, AlarmCode::RecordingMissing);
    station.stop().expect("it stops");
}

#[test]
fn damage_to_the_journal_is_told_until_a_reindex() {
    let test_box = TestBox::new(2, &[("0,48,0", "")]);
    let station = test_box.start();
    for _ in 0..3 {
        station.catalog().audit(audit_entry()).expect("written");
    }
    station.stop().expect("it stops");
    drop(station);
    let journal = fs::read_dir(test_box.data().join("journal"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "journal"))
        .expect("there is one");
    damage(&journal, b"xxxxxxxx");

    for _ in 0..2 {
        let station = test_box.start();
        let alarm = raised(&station, AlarmCode::JournalDamaged);
        assert!(alarm.thing.is_some_and(|thing| thing.contains(".journal, byte ")));
        std::thread::sleep(Duration::from_secs(1));
        assert!(stands(&station, AlarmCode::JournalDamaged), "alarms of before were cleared by now");
        station.stop().expect("it stops");
    }
    station::maintenance::reindex(&test_box.data()).expect("done");
    let station = test_box.start();
    std::thread::sleep(Duration::from_millis(500));
    assert!(is_history(&station, AlarmCode::JournalDamaged), "it is over, and not told as new");
    station.stop().expect("it stops");
}

/// Flips a byte where `pattern` first stands in a file.
fn damage(file: &Path, pattern: &[u8]) {
    let mut file = fs::File::options().read(true).write(true).open(file).expect("it is there");
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).expect("readable");
    let at = bytes.windows(pattern.len()).position(|window| window == pattern).expect("the pattern is there");
    file.seek(SeekFrom::Start(at as u64)).expect("within");
    file.write_all(&[!bytes[at]]).expect("written");
}

#[test]
fn a_catalog_that_somebody_holds_is_behind() {
    let test_box = TestBox::new(2, &[("0,48,0", "")]);
    let station = test_box.start();
    // As a tool does that somebody left open in the middle of a change.
    let holder = rusqlite::Connection::open(test_box.data().join("catalog.sqlite")).expect("opens");
    holder.execute_batch("BEGIN IMMEDIATE").expect("it is free");
    station.catalog().append_durable(vec![catalog::Body::Audit(audit_entry())]).expect("the journal is free");
    wait_until("the catalog is behind", || !station.health().catalog_following);
    std::thread::sleep(Duration::from_millis(200));
    holder.execute_batch("ROLLBACK").expect("over");
    cleared(&station, AlarmCode::CatalogBehind);
    assert!(station.health().is_well());
    station.stop().expect("it stops");
}

/// Flips a byte in the capture log where `pattern` stands; false: it does not stand there yet.
fn damage_log(data: &Path, pattern: &[u8]) -> bool {
    let mut found = false;
    for entry in fs::read_dir(data.join("capture-log")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).unwrap_or_default();
        if bytes.windows(pattern.len()).any(|window| window == pattern) {
            damage(&path, pattern);
            found = true;
        }
    }
    found
}

#[test]
fn audio_that_the_disk_gives_back_wrong_is_a_gap() {
    let test_box = TestBox::new(6, &[("0,48,0\n1,8,0\n4,48,0", "")]);
    let audio = fs::read(test_box.scenario().join("1.wav")).expect("it is there");
    let station = test_box.start();
    wait_until("the audio is in the log", || damage_log(&test_box.data(), &audio[12_000..12_032]));
    let alarm = raised(&station, AlarmCode::AudioGap);
    assert_eq!((alarm.port, &alarm.params["cause"]), (Some(1), &"damaged".into()));
    cleared(&station, AlarmCode::AudioGap);
    station.stop().expect("it stops");
}

#[test]
fn a_recording_whose_beginning_is_damaged_is_told() {
    let test_box = TestBox::new(30, &[OPEN]);
    let audio = fs::read(test_box.scenario().join("1.wav")).expect("it is there");
    let running = start_station(&test_box.data(), &test_box.scenario());
    let log = test_box.data().join("capture-log");
    wait_until("the audio is in the log", || {
        fs::read_dir(&log).expect("a folder").any(|entry| {
            let bytes = fs::read(entry.expect("an entry").path()).unwrap_or_default();
            bytes.windows(32).any(|window| window == &audio[6000..6032])
        })
    });
    running.kill_9();
    while damage_log(&test_box.data(), b"\"first_sample\"") {}
    let tuning = Tuning { lines_settle: Duration::from_secs(600), ..test_box.tuning() };
    let station = test_box.start_tuned(tuning);
    let of_log = |state| {
        alarms(&station, AlarmCode::AudioGap, state)
            .iter()
            .any(|alarm| alarm.thing.as_deref() == Some("capture-log") && alarm.params["recordings"] == 1)
    };
    wait_until("it is told and over", || of_log(AlarmState::History));
    station.stop().expect("it stops");
}
