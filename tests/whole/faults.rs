//! Stations and their platform on a bad line, with `kill -9` of either side at random: at the end every recording and
//! alarm is on the platform once, byte for byte, and nothing that was not acknowledged has gone from a station.
//! `HOOKLINE_FAULT_S` and `HOOKLINE_FAULT_STATIONS` set how long and how many, `HOOKLINE_SEED` what happens.

mod support;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hookline_test_fleet::judge::judge;
use support::lossy::{Badness, Line, PLATFORM};
use support::{Process, marked_audio, write_scenario};

/// Set where the test runs in namespaces of its own.
const INSIDE: &str = "HOOKLINE_FAULTS_INSIDE";
const INTAKE_PORT: u16 = 1311;
/// Ports of a station, and the length of its loop.
const PORTS: u16 = 2;
const LOOP_S: u64 = 20;
/// A line as bad as the worst that still is one.
const BAD: Badness = Badness {
    delay: Duration::from_millis(20),
    jitter: Duration::from_millis(15),
    loss: 0.05,
    bytes_per_s: None,
};
const GOOD: Badness =
    Badness { delay: Duration::from_millis(1), jitter: Duration::ZERO, loss: 0.0, bytes_per_s: None };
/// 64 kbit/s for all stations together: less than they record.
const NARROW: Badness = Badness { bytes_per_s: Some(8_000), loss: 0.0, ..BAD };
const NARROW_FOR: Duration = Duration::from_secs(6);
const NARROW_EVERY_S: u64 = 60;
/// Nothing new on the platform for so long: everything has come.
const QUIET: Duration = Duration::from_secs(12);

#[test]
fn on_a_bad_line_and_through_kills_everything_arrives_once() {
    if std::env::var_os(INSIDE).is_some() {
        return faults();
    }
    let mut again = Command::new("unshare");
    again.args(["--user", "--map-root-user", "--net", "--"]).arg(std::env::current_exe().expect("this test"));
    again.args(["on_a_bad_line_and_through_kills_everything_arrives_once", "--exact", "--nocapture"]);
    // Its own test report must not be counted a second time.
    let output = again.env(INSIDE, "1").process_group(0).output().expect("unshare starts");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{}\n{said}", output.status);
    said.lines()
        .filter(|line| !line.starts_with("test ") && !line.is_empty())
        .for_each(|line| println!("{line}"));
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// One station: its folders, and its process while it runs.
struct Station {
    data: PathBuf,
    scenario: PathBuf,
    running: Option<Process>,
}

impl Station {
    fn start(&mut self, line: &Line, scenario: bool) {
        let (data, scenario) = (self.data.clone(), scenario.then(|| self.scenario.clone()));
        self.running = Some(line.at_the_far_side(move || {
            let mut arguments = vec!["station".to_owned(), "--data".into(), text(&data)];
            arguments.extend(["--https", "127.0.0.1:0", "--http", "none"].map(String::from));
            if let Some(scenario) = scenario {
                arguments.extend(["--scenario".into(), text(&scenario)]);
            }
            Process::start(&arguments, "pages: ")
        }));
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path that is text").to_owned()
}

fn start_platform(data: &Path) -> Process {
    let intake = format!("{PLATFORM}:{INTAKE_PORT}");
    let arguments = ["platform", "--data", &text(data), "--intake", &intake, "--https", "none"];
    Process::start(&arguments.map(String::from), "intake: ")
}

fn faults() {
    let (seconds, stations) = (number("HOOKLINE_FAULT_S", 45), number("HOOKLINE_FAULT_STATIONS", 4));
    let seed = number("HOOKLINE_SEED", fastrand::u64(..));
    println!("HOOKLINE_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let dir = tempfile::tempdir().expect("a folder");
    let platform_data = dir.path().join("platform");

    let line = Line::lay(GOOD);
    let mut platform = start_platform(&platform_data);
    let key = platform.said("key: ");
    platform.stop();
    let mut all: Vec<Station> = (0..stations).map(|at| station(dir.path(), at, &key)).collect();
    register(&platform_data, &all);
    platform = start_platform(&platform_data);
    all.iter_mut().for_each(|station| station.start(&line, true));
    line.change(BAD);

    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut cuts, mut narrow, mut kills) = (0, 0, [0, 0]);
    let begun = Instant::now();
    // Each kind of fault once, in any order; then whatever comes.
    let mut still_due = [0, 3, 5];
    random.shuffle(&mut still_due);
    let mut still_due = still_due.into_iter();
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(random.u64(1000..4000)));
        if narrow <= begun.elapsed().as_secs() / NARROW_EVERY_S {
            line.change(NARROW);
            std::thread::sleep(NARROW_FOR);
            line.change(BAD);
            narrow += 1;
        }
        let first = still_due.next();
        match first.unwrap_or_else(|| random.u8(..10)) {
            0..3 => {
                line.cut(true);
                // Now and then for longer than anybody waits for a word.
                let longest = if first.is_none() && random.u8(..5) == 0 { 45_000 } else { 6_000 };
                let left = end.saturating_duration_since(Instant::now()).as_millis() as u64;
                std::thread::sleep(Duration::from_millis(random.u64(500..longest).min(left.max(500))));
                line.cut(false);
                cuts += 1;
            }
            3..5 => {
                platform.kill_9();
                std::thread::sleep(Duration::from_millis(random.u64(0..2000)));
                platform = start_platform(&platform_data);
                kills[0] += 1;
            }
            _ => {
                let station = random.choice(&mut all).expect("there are stations");
                station.running.take().expect("it runs").kill_9();
                station.start(&line, true);
                kills[1] += 1;
            }
        }
    }
    assert!(
        cuts > 0 && narrow > 0 && kills[0] > 0 && kills[1] > 0,
        "nothing happened: the test tests nothing"
    );
    let packets = line.packets();

    // What is open ends; what is left goes up on a good line, with nothing new behind it.
    line.change(GOOD);
    all.iter_mut().for_each(|station| station.running.take().expect("it runs").stop());
    all.iter_mut().for_each(|station| station.start(&line, false));
    wait_until_quiet(&platform_data, Duration::from_secs(120 + seconds));
    all.iter_mut().for_each(|station| station.running.take().expect("it runs").kill_9());
    platform.stop();

    let folders: Vec<PathBuf> = all.iter().map(|station| station.data.clone()).collect();
    let judgement = judge(&platform_data, &folders).expect("the folders can be read");
    println!("{judgement}");
    println!(
        "{seconds} s: {cuts} cuts, {narrow} times 64 kbit/s, {} kills of the platform, {} of stations; {} packets passed, {} lost",
        kills[0], kills[1], packets.0, packets.1
    );
    assert!(judgement.findings.is_empty(), "{judgement}");
    assert!(judgement.files > stations as usize, "hardly anything was recorded: the test tests nothing");
    let check = support::hookline(&["check", "--data", &text(&platform_data)]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

/// Folders of a station with calls of its own, which knows the platform's key.
fn station(dir: &Path, at: u64, key: &str) -> Station {
    let (data, scenario) = (dir.join(format!("station{at}")), dir.join(format!("scenario{at}")));
    let mut random = fastrand::Rng::with_seed(at);
    let ports: Vec<_> = (1..=PORTS)
        .map(|port| {
            let mut volts = "seconds,volts,ring_volts\n0,48,0\n".to_owned();
            let mut second = random.f64() * 2.0;
            while second + 4.0 < LOOP_S as f64 {
                let hung_up = second + 1.0 + random.f64() * 2.0;
                volts += &format!("{second:.2},8,0\n{hung_up:.2},48,0\n");
                second = hung_up + 1.5 + random.f64();
            }
            // A line that is unplugged for a while: an alarm that is raised and cleared.
            volts += &format!("{:.2},0,0\n{:.2},48,0\n", LOOP_S as f64 - 1.4, LOOP_S as f64 - 0.2);
            (port, marked_audio(port + 16 * at as u16, (LOOP_S * 8000) as usize), volts)
        })
        .collect();
    write_scenario(&scenario, &ports);
    std::fs::create_dir_all(data.join("settings")).expect("a folder");
    let link =
        format!("switched_on = true\naddress = \"{PLATFORM}:{INTAKE_PORT}\"\nfingerprint = \"{key}\"\n");
    std::fs::write(data.join("settings/platform.toml"), link).expect("written");
    std::fs::create_dir_all(data.join("identity")).expect("a folder");
    std::fs::write(data.join("identity/serial"), hookline_test_fleet::serial(at as usize)).expect("written");
    Station { data, scenario, running: None }
}

fn register(platform: &Path, stations: &[Station]) {
    hookline_test_fleet::enrol::enrol(platform, stations.len()).expect("the platform's folder is there");
}

/// Returns when the platform's journal has not grown for a while.
fn wait_until_quiet(platform: &Path, longest: Duration) {
    let size = || -> u64 {
        let listing = std::fs::read_dir(platform.join("journal")).expect("a journal");
        listing.map(|file| file.and_then(|file| file.metadata()).map_or(0, |metadata| metadata.len())).sum()
    };
    let (give_up, mut last, mut since) = (Instant::now() + longest, size(), Instant::now());
    while since.elapsed() < QUIET {
        assert!(Instant::now() < give_up, "the platform is still being sent things");
        std::thread::sleep(Duration::from_millis(250));
        let now = size();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}
