//! The socket: who may come in, what is no request, and what other processes leave there.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use hookline_appliance::{Appliance, EARLIEST_US, LONGEST_LINE_BYTES};
use nix::unistd::geteuid;
use serde_json::Value;

use crate::house::House;

/// The one answer that a line of JSON is.
#[track_caller]
fn refusal(answer: &str) -> (String, String) {
    let answer: Value = serde_json::from_str(answer).unwrap_or_else(|_| panic!("one line: {answer:?}"));
    let text = |name: &str| answer["failed"][name].as_str().expect("text").to_owned();
    (text("code"), text("reason"))
}

#[test]
fn what_is_no_request_is_answered_and_harms_nobody() {
    let house = House::new();
    let too_long = vec![b'x'; LONGEST_LINE_BYTES + 1];
    for (said, part) in [
        (&b"{\"request\": \"sing\"}\n"[..], "sing"),
        (b"\n", "EOF"),
        (b"GET / HTTP/1.1\r\n", "expected value"),
        (b"\xff\x00\xfe\n", "expected value"),
        (b"{\"request\": \"restart\"}", "ended before its line"),
        (b"{\"request\": \"set_ti", "ended before its line"),
        (&too_long, "longer than 65536 bytes"),
    ] {
        let (code, reason) = refusal(&house.say(said));
        assert!(code == "bad_request" && reason.contains(part), "{reason}");
    }
    assert_eq!(house.say(b""), "", "who says nothing hears nothing");
    house.appliance().set_time(EARLIEST_US).expect("it goes on");
}

#[test]
fn only_the_first_line_counts() {
    let house = House::new();
    let line = format!("{{\"request\":\"set_time\",\"utc_us\":{EARLIEST_US}}}\n");
    assert_eq!(house.say(line.repeat(3).as_bytes()), "{\"done\":{}}\n");
    assert_eq!(house.clock_set().len(), 1);
}

#[test]
fn who_does_not_come_to_the_point_is_let_go() {
    let house = House::new();
    let begun = Instant::now();
    let mut idle: Vec<_> =
        (0..40).map(|_| UnixStream::connect(house.socket()).expect("it listens")).collect();
    idle[0].write_all(b"{\"request\":").expect("written");
    house.appliance().set_time(EARLIEST_US).expect("behind forty who say nothing");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let mut answer = String::new();
    idle[0].read_to_string(&mut answer).expect("an answer");
    assert!(refusal(&answer).1.contains("0.5 s"), "{answer}");
}

#[test]
fn a_second_process_is_refused_and_disturbs_nothing() {
    let mut house = House::new();
    let second = house.config();
    let error = house.start(second).expect_err("refused");
    assert!(error.to_string().contains("another process"), "{error}");
    house.appliance().set_time(EARLIEST_US).expect("the first one answers");
}

#[test]
fn a_socket_that_a_killed_process_left_is_replaced() {
    let mut house = House::new();
    house.stop();
    assert!(!house.socket().exists(), "it takes its socket along");
    drop(UnixListener::bind(house.socket()).expect("bound"));
    assert_eq!(house.appliance().set_time(EARLIEST_US).expect_err("nobody").code(), "not_available");
    house.start(house.config()).expect("it starts");
    house.appliance().set_time(EARLIEST_US).expect("it answers");
    let mode = fs::metadata(house.socket()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[test]
fn a_file_in_its_place_is_left_alone() {
    let mut house = House::new();
    house.stop();
    fs::write(house.socket(), "precious").expect("written");
    let error = house.start(house.config()).expect_err("refused");
    assert!(error.to_string().contains("no socket"), "{error}");
    assert_eq!(fs::read_to_string(house.socket()).expect("read"), "precious");

    let mut elsewhere = house.config();
    elsewhere.socket = house.folder.path().join("missing/appliance.sock");
    let error = house.start(elsewhere).expect_err("refused");
    assert!(error.to_string().contains("missing/appliance.sock"), "{error}");
}

/// Needs root, to be somebody else; without it there is only the unit test of the rule.
#[test]
fn another_user_is_refused_even_where_the_file_lets_him_in() {
    if !geteuid().is_root() {
        eprintln!("not root: nobody else to ask as");
        return;
    }
    const NOBODY: u32 = 65534;
    let ask = |house: &House| {
        for path in [house.folder.path().to_owned(), house.socket()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("set");
        }
        let program = "import socket, sys\n\
            s = socket.socket(socket.AF_UNIX)\n\
            s.connect(sys.argv[1])\n\
            try: s.sendall(sys.argv[2].encode())\n\
            except BrokenPipeError: pass\n\
            print(s.recv(65536).decode(), end='')\n";
        let line = format!("{{\"request\":\"set_time\",\"utc_us\":{EARLIEST_US}}}\n");
        let mut python = Command::new("/usr/bin/python3");
        python.args(["-c", program]).arg(house.socket()).arg(line).uid(NOBODY).gid(NOBODY);
        let output = python.output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let house = House::new();
    let (code, reason) = refusal(&ask(&house));
    assert!(code == "not_allowed" && reason.contains("65534"), "{reason}");
    assert!(house.clock_set().is_empty());

    let house = House::with(|config| config.for_uid = Some(NOBODY));
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(house.socket()).expect("there"));
    assert_eq!(owner, NOBODY, "he can open it");
    assert_eq!(ask(&house), "{\"done\":{}}\n");
}

#[test]
fn whoever_asks_a_process_that_keeps_to_nothing_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("appliance.sock");
    let listener = UnixListener::bind(&socket).expect("bound");
    for (answer, code, part) in [
        (&b""[..], "appliance_failed", "ended before it had answered"),
        (b"{\"progress\":5}\n", "appliance_failed", "ended before it had answered"),
        (b"{\"done\":{}", "appliance_failed", "ended before it had answered"),
        (b"well\n", "appliance_failed", "cannot be read"),
        (b"{\"progress\":500}\n", "appliance_failed", "cannot be read"),
        (b"{\"failed\":{\"code\":\"tired\",\"reason\":\"it is late\"}}\n", "tired", "it is late"),
    ] {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("somebody asks");
                BufReader::new(&stream).read_line(&mut String::new()).expect("a line");
                stream.write_all(answer).expect("written");
            });
            let error = Appliance::at(&socket).set_time(EARLIEST_US).expect_err("no answer");
            assert_eq!(error.code(), code);
            assert!(error.to_string().contains(part), "{error}");
        });
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_no_place_for_the_socket() {
    let mut house = House::new();
    let folder = house.folder.path().join("open");
    fs::create_dir(&folder).expect("made");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("opened");
    let config = hookline_appliance::Config { socket: folder.join("x.sock"), ..house.config() };
    let error = house.start(config.clone()).expect_err("refused").to_string();
    assert!(error.contains("others may write to") && !error.contains('\n'), "{error}");
    assert_eq!(fs::read_dir(&folder).expect("read").count(), 0, "nothing was put there");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("closed");
    house.stop();
    house.start(config).expect("it starts");
}
