//! The clock by time servers over real sockets: the test's own, each with its manners, and Debian's chrony.

use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hookline_appliance::{
    ClockNow, ClockSettings, ClockState, Machine, RtcNow, ServerNow, ServerState, StepNeeded,
};

use crate::house::{House, wait_until};
use crate::machine::{FakeMachine, true_us};
use crate::ntp::{Manners, NtpServer, RIGHT};

const YEAR_US: i64 = 31_536_000_000_000;

/// A process on a machine whose clock is off by so much, which is told to follow these.
fn following(off_us: i64, servers: &[String]) -> House {
    let house = House::on(FakeMachine::off_by(off_us));
    follow(&house, servers);
    house
}

fn follow(house: &House, servers: &[String]) {
    house.appliance().change_clock(&ClockSettings { on: true, servers: servers.to_vec() }).expect("kept");
}

fn clock(house: &House) -> ClockNow {
    house.appliance().clock().expect("told")
}

fn in_step(house: &House) -> ClockNow {
    wait_until("the clock is in step", || clock(house).state == ClockState::InStep);
    clock(house)
}

#[track_caller]
fn assert_near(value_us: i64, expected_us: i64, most_us: i64) {
    assert!((value_us - expected_us).abs() <= most_us, "{value_us} us, and {expected_us} us were expected");
}

#[test]
fn the_clock_is_stepped_once_to_a_servers_time_and_then_tuned() {
    let server = NtpServer::start(RIGHT);
    let house = following(-2_000_000, &[server.name()]);
    let now = in_step(&house);
    assert!(now.synchronised && now.followed == Some(server.name()));
    assert_near(house.machine.error_us(), 0, 5_000);
    let [one] = &now.servers[..] else { panic!("one server: {now:?}") };
    assert_eq!(
        (one.state, one.stratum, one.address.clone()),
        (ServerState::Followed, Some(2), Some(server.name()))
    );
    let told = house.machine.told();
    assert!(told.steps_us.len() == 1 && told.tuned.is_some_and(|tune| tune.synchronised));
    assert_near(told.steps_us[0], 2_000_000, 20_000);

    // Half a second is tuned away, and takes its time.
    house.machine.disturb(500_000);
    wait_until("it is on the way", || clock(&house).state == ClockState::Slewing);
    let now = clock(&house);
    assert!(!now.synchronised);
    assert_near(now.offset_us.expect("known"), -500_000, 20_000);
    assert!(now.slewed_after_s.is_some_and(|seconds| (700.0..1300.0).contains(&seconds)), "{now:?}");
    wait_until("the kernel is told", || {
        house.machine.told().tuned.is_some_and(|tune| tune.frequency_ppm < -400.0 && !tune.synchronised)
    });
    assert_eq!(house.machine.told().steps_us.len(), 1, "it is not stepped again");
    // A person wants it now.
    let by_us = house.appliance().step_clock().expect("stepped");
    assert_near(by_us, -500_000, 20_000);
    in_step(&house);
    assert_near(house.machine.error_us(), 0, 5_000);
}

#[test]
fn twenty_milliseconds_of_jitter_are_seen_and_do_no_harm() {
    let server = NtpServer::start(Manners { jitter_ms: 20, ..RIGHT });
    let house = following(700_000, &[server.name()]);
    wait_until("thirty answers", || server.asked() > 30);
    let now = in_step(&house);
    let one = &now.servers[0];
    assert!(one.jitter_us.is_some_and(|jitter_us| (1_000..20_000).contains(&jitter_us)), "{one:?}");
    assert_near(now.offset_us.expect("known"), -house.machine.error_us(), 5_000);
}

/// Each server by what it counts for.
#[test]
fn liars_are_outvoted_and_those_who_tell_no_time_are_named() {
    let starts = |manners| NtpServer::start(manners);
    let servers = [
        (starts(RIGHT), ServerState::Followed),
        (starts(Manners { jitter_ms: 20, ..RIGHT }), ServerState::Agrees),
        (starts(Manners { lies_us: YEAR_US, ..RIGHT }), ServerState::Outvoted),
        (starts(Manners { kiss: Some(b"DENY"), ..RIGHT }), ServerState::Denied),
        (starts(Manners { kiss: Some(b"RATE"), ..RIGHT }), ServerState::RateLimited),
        (starts(Manners { leap: 3, stratum: 16, ..RIGHT }), ServerState::Unsynchronised),
        (starts(Manners { bytes: 0, ..RIGHT }), ServerState::Silent),
        (starts(Manners { bytes: 40, ..RIGHT }), ServerState::Nonsense),
    ];
    let names: Vec<String> = servers.iter().map(|(server, _)| server.name()).collect();
    let house = following(3_000_000, &names);
    let expected: Vec<ServerState> = servers.iter().map(|(_, state)| *state).collect();
    let states = || clock(&house).servers.iter().map(|server| server.state).collect::<Vec<_>>();
    wait_until("each is what it is", || states() == expected);
    let now = in_step(&house);
    assert_near(now.servers[2].offset_us.expect("what it says"), YEAR_US, 1_000_000);
    assert_near(house.machine.error_us(), 0, 5_000);

    let [denied, limited] = [3, 4].map(|place: usize| servers[place].0.asked());
    assert_eq!(denied, 1, "it is left in peace");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(servers[3].0.asked(), 1);
    assert!(servers[4].0.asked() <= limited + 2, "it is asked ever less often");
    assert_eq!((now.servers[3].poll_s, now.servers[4].reach), (None, 0));
}

#[test]
fn servers_that_are_not_there_are_named() {
    let closed = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").to_string();
    let house = following(0, &[closed, "nowhere.invalid".to_owned()]);
    let expected = [ServerState::Unreachable, ServerState::NoName];
    wait_until("both are named", || clock(&house).servers.iter().map(|server| server.state).eq(expected));
    let now = clock(&house);
    assert_eq!((now.state, now.synchronised, now.offset_us), (ClockState::Searching, false, None));
}

#[test]
fn two_that_differ_move_nothing() {
    let servers = [NtpServer::start(RIGHT), NtpServer::start(Manners { lies_us: -YEAR_US, ..RIGHT })];
    let house = following(0, &servers.each_ref().map(NtpServer::name));
    wait_until("it is seen", || clock(&house).state == ClockState::Disputed);
    assert!(clock(&house).servers.iter().all(|server| server.state == ServerState::Disputed));
    assert_eq!(house.appliance().step_clock().expect_err("to whose time?").code(), "no_time");
    assert!(house.machine.told().steps_us.is_empty() && !clock(&house).synchronised);
}

#[test]
fn one_server_alone_moves_the_clock_by_a_year_only_when_a_person_says_so() {
    let server = NtpServer::start(Manners { lies_us: YEAR_US, ..RIGHT });
    let house = following(0, &[server.name()]);
    wait_until("it is asked for", || clock(&house).state == ClockState::StepNeeded);
    let now = clock(&house);
    assert_eq!(now.step_needed, Some(StepNeeded::OneServerAlone));
    assert!(house.machine.told().steps_us.is_empty() && !now.synchronised);
    let by_us = house.appliance().step_clock().expect("a person says so");
    assert_near(by_us, YEAR_US, 20_000);
    in_step(&house);
}

#[test]
fn a_clock_that_is_wrong_for_certain_is_moved_by_one_server_and_the_real_time_clock_with_it() {
    let server = NtpServer::start(RIGHT);
    let machine = FakeMachine::off_by(-true_us());
    machine.set_rtc(0);
    let house = House::on(machine);
    follow(&house, &[server.name()]);
    assert_eq!(in_step(&house).rtc, RtcNow::Dead, "it is shown although it goes right now");
    assert_near(house.machine.error_us(), 0, 20_000);
    assert_near(*house.machine.told().rtc_us.last().expect("it was written"), true_us(), 10_000_000);
}

#[test]
fn a_process_that_starts_again_steps_nothing_and_knows_its_servers() {
    let server = NtpServer::start(RIGHT);
    let mut house = following(-2_000_000, &[server.name()]);
    in_step(&house);
    house.stop();
    house.machine.disturb(200_000);
    house.start(house.config()).expect("it starts again");
    wait_until("it is on the way", || clock(&house).state == ClockState::Slewing);
    assert_eq!(house.machine.told().steps_us.len(), 1, "the box has not been off");
    drop(server);
    wait_until("nobody answers", || clock(&house).state == ClockState::Holdover);
    let now = clock(&house);
    assert_eq!(now.servers[0].state, ServerState::Unreachable);
    let (since_us, until_us) =
        now.holdover_since_us.zip(now.trusted_until_us).expect("it says how long it holds");
    assert_near(until_us - since_us, 8 * 3_600_000_000, 0);
    assert_near(since_us, house.machine.reading().utc_us, 20_000_000);
}

#[test]
fn a_system_that_lets_nobody_keep_its_clock_is_told_on_the_page() {
    let server = NtpServer::start(RIGHT);
    let house = following(-2_000_000, &[server.name()]);
    in_step(&house);
    house.machine.refuse(true);
    wait_until("it is told", || clock(&house).trouble.is_some());
    let trouble = clock(&house).trouble.expect("told");
    assert!(trouble.contains("permission denied") && !trouble.contains('\n'), "{trouble}");
    house.machine.refuse(false);
    wait_until("it is over", || clock(&house).trouble.is_none());
}

#[test]
fn no_server_is_followed_any_more_when_a_person_takes_over() {
    let server = NtpServer::start(RIGHT);
    let house = following(-2_000_000, &[server.name()]);
    in_step(&house);
    let servers = vec![server.name()];
    house.appliance().change_clock(&ClockSettings { on: false, servers }).expect("kept");
    let now = clock(&house);
    assert_eq!((now.state, now.synchronised, now.followed.clone()), (ClockState::Off, false, None));
    assert!(house.machine.told().tuned.is_some_and(|tune| !tune.synchronised), "programs know as well");
    std::thread::sleep(Duration::from_millis(100));
    let asked = server.asked();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(server.asked(), asked);
}

/// An answer to no question of ours: somebody guesses.
#[test]
fn an_answer_that_does_not_repeat_the_question_is_not_taken() {
    let server = NtpServer::start(Manners { repeats_question: false, lies_us: YEAR_US, ..RIGHT });
    let house = following(0, &[server.name()]);
    wait_until("it is passed over", || clock(&house).servers[0].state == ServerState::Silent);
    assert!(clock(&house).servers[0].offset_us.is_none() && house.machine.told().steps_us.is_empty());
}

/// Debian's chrony as a server, which does not touch the clock of this machine (`-x`).
struct Chrony {
    process: Child,
    name: String,
    _folder: tempfile::TempDir,
}

impl Chrony {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let config = folder.path().join("chrony.conf");
        let text = format!(
            "local stratum 3\nallow 127.0.0.1\nbindaddress 127.0.0.1\nport {}\ncmdport 0\nbindcmdaddress /\n\
             pidfile {}\n",
            address.port(),
            folder.path().join("chronyd.pid").display()
        );
        std::fs::write(&config, text).expect("written");
        let process = Command::new("/usr/sbin/chronyd")
            .args(["-d", "-x", "-U", "-u", &std::env::var("USER").unwrap_or("root".into()), "-f"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chronyd starts; scripts/test setup installs it");
        Self { process, name: address.to_string(), _folder: folder }
    }
}

impl Drop for Chrony {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_real_server_is_followed() {
    let chrony = Chrony::start();
    let begun = Instant::now();
    let house = following(-1_500_000, std::slice::from_ref(&chrony.name));
    let now = in_step(&house);
    println!("in step with chrony after {:.1} s", begun.elapsed().as_secs_f32());
    let [ServerNow { state, stratum, .. }] = now.servers[..] else { panic!("one server: {now:?}") };
    assert_eq!((state, stratum), (ServerState::Followed, Some(3)));
    assert_near(house.machine.error_us(), 0, 5_000);
}
