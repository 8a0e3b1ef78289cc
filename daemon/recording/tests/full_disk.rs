//! A disk that is really full: a file system in memory, mounted in a namespace of this test's own, filled to the brim
//! while calls are open.

mod common;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{BLOCK, Journal, SERIAL, begin, block, kept, stop};
use hookline_recording as recording;
use recording::check::{Depth, check};
use recording::{DataDir, DiskTrouble, Reader, Select, Settings, free_space};
use signal::SampleIndex;

const NAME: &str = "open_calls_are_closed_on_a_full_disk";
const CHILD: &str = "HOOKLINE_FULL_DISK_CHILD";
const PORTS: u16 = 4;

#[test]
fn open_calls_are_closed_on_a_full_disk() {
    if let Ok(folder) = std::env::var(CHILD) {
        return fill_and_record(Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "--"]).arg(std::env::current_exe().expect("this test"));
    command.args([NAME, "--exact", "--nocapture"]).env(CHILD, folder.path()).process_group(0);
    // Its own test report must not be counted a second time.
    let output = command.output().expect("unshare (util-linux) runs");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "in a namespace of its own: {}\n{said}", output.status);
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn fill_and_record(folder: &Path) {
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256m", "none"]).arg(folder).status();
    assert!(mounted.expect("mount runs").success(), "a file system in memory");
    let data = DataDir::open(folder).expect("an empty folder");
    let journal = Arc::new(Journal::open(folder));
    let settings = Settings::analog(SERIAL, usize::from(PORTS));
    let (recorder, service) = recording::start(&data, settings, journal.clone()).expect("it starts");
    wait_until("the reserve is held", || folder.join("capture-log/reserve").exists());

    let opens: Vec<_> = (1..=PORTS).map(|port| (port, begin(&recorder, port, 0))).collect();
    let speak = |from: u64, to: u64| {
        for at in (from..to).step_by(BLOCK as usize) {
            opens
                .iter()
                .for_each(|(port, open)| recorder.audio(*open, SampleIndex(at), &[&block(*port, at)]));
        }
        std::thread::sleep(Duration::from_millis(1200));
    };
    speak(0, 80_000);

    let mut filler = std::fs::File::create(folder.join("filler")).expect("room");
    let part = vec![0; 64 << 10];
    while filler.write_all(&part).is_ok() {}
    assert!(free_space(folder).expect("mounted").free_bytes < 64 << 10);
    // A minute goes on into the log's spare segments, and the calls are closed with the help of the reserve.
    speak(80_000, 240_000);
    speak(240_000, 480_000);
    opens.iter().for_each(|(_, open)| recorder.end(*open, stop(480_000)));
    wait_until("the calls are closed", || journal.records().len() == opens.len());
    wait_until("it is told", || journal.troubles.lock().expect("no panic").contains(&DiskTrouble::Full));
    assert!(!folder.join("capture-log/reserve").exists(), "the reserve was given free");
    assert_eq!(*journal.ok.lock().expect("no panic"), 0, "and it is not said to be over");

    drop(filler);
    std::fs::remove_file(folder.join("filler")).expect("it is there");
    let last = begin(&recorder, 1, 800_000);
    recorder.audio(last, SampleIndex(800_000), &[&block(1, 800_000)]);
    recorder.end(last, stop(800_080));
    wait_until("the reserve is held again", || folder.join("capture-log/reserve").exists());
    wait_until("it is over", || *journal.ok.lock().expect("no panic") > 0);
    assert!(service.close(Duration::from_secs(30)));

    assert!(journal.gaps.lock().expect("no panic").is_empty());
    let report = check(folder, journal.journalled(), Depth::Audio).expect("readable");
    assert_eq!((report.violations, report.unfinished), (vec![], 0));
    for (facts, path) in journal.records().iter().take(opens.len()) {
        assert_eq!((facts.samples, facts.marks.len()), (480_000, 0));
        let reader = Reader::open(folder.join(path.as_deref().expect("with audio"))).expect("whole");
        let mut heard = vec![0; 480_000];
        reader.read(Select::Mix, 0, &mut heard).expect("whole");
        assert!(heard.iter().zip(0..).all(|(&sample, at)| sample == kept(facts.port, at)));
    }
}
