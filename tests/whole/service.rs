//! What the service manager hears of each role: ready, alive, ending.

mod support;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use support::Process;

/// Played service manager: its socket, and how long it waits for a sign of life.
struct Manager {
    socket: UnixDatagram,
    path: String,
}

const WAITS_US: &str = "600000";

impl Manager {
    fn new(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        Self { socket, path: path.to_str().expect("text").to_owned() }
    }

    fn environment(&self) -> [(&str, &str); 2] {
        [("NOTIFY_SOCKET", &self.path), ("WATCHDOG_USEC", WAITS_US)]
    }

    /// The next message that has `what`.
    #[track_caller]
    fn hears(&self, what: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length =
                self.socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{what} never came: {error}"));
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if message.lines().any(|line| line.starts_with(what)) {
                return message;
            }
        }
    }
}

fn tells(role: &[&str], name: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let manager = Manager::new(folder.path());
    let addresses = ["--data", data.to_str().expect("text"), "--https", "127.0.0.1:0", "--http", "none"];
    let arguments: Vec<String> = role.iter().chain(&addresses).map(|text| (*text).to_owned()).collect();
    let process = Process::start_in(&arguments, "pages: ", &manager.environment());
    let ready = manager.hears("READY=1");
    assert!(ready.contains("STATUS=hookline ") && ready.contains(name), "{ready}");
    let began = Instant::now();
    for _ in 0..5 {
        manager.hears("WATCHDOG=1");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_micros(5 * 600_000), "it is heard of in time: five signs in {took:?}");
    process.stop();
    manager.hears("STOPPING=1");
}

#[test]
fn a_station_tells_that_it_is_ready_that_it_lives_and_that_it_ends() {
    tells(&["station"], "recording 0 ports");
}

#[test]
fn a_platform_tells_the_same() {
    tells(&["platform", "--intake", "127.0.0.1:0"], "platform of 0 stations");
}
