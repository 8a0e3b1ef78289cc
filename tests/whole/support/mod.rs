//! What tests of the whole binary share: starting it, waiting for it, and scenarios whose audio says where it is from.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod lossy;
pub mod tuned;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

pub const BINARY: &str = env!("CARGO_BIN_EXE_hookline");

pub fn hookline(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().expect("the binary starts")
}

/// One sentence on standard error, and exit status 2: how everything that cannot be is refused.
#[track_caller]
pub fn assert_refused(output: &Output, expected: &[&str]) {
    let sentence = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{sentence}");
    assert_eq!(sentence.trim_end().lines().count(), 1, "{sentence}");
    for part in expected {
        assert!(sentence.contains(part), "{part:?} is not in: {sentence}");
    }
}

/// A process of the binary that runs until this is dropped.
pub struct Process {
    child: Child,
    /// What it said before it was ready.
    pub greeting: Vec<String>,
}

impl Process {
    /// Starts the binary and waits until it says a line that begins with `ready`.
    pub fn start(arguments: &[String], ready: &str) -> Self {
        Self::start_in(arguments, ready, &[])
    }

    /// The same, with variables of its environment.
    pub fn start_in(arguments: &[String], ready: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(arguments).envs(environment.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let mut greeting = Vec::new();
        while !greeting.iter().any(|line: &String| line.starts_with(ready)) {
            match lines.next() {
                Some(Ok(line)) => greeting.push(line),
                _ => panic!("it ended before it was ready: {arguments:?} {greeting:?} {:?}", child.wait()),
            }
        }
        Self { child, greeting }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What stood behind `begin` in its greeting.
    pub fn said(&self, begin: &str) -> String {
        let found = self.greeting.iter().find_map(|line| line.strip_prefix(begin));
        found.unwrap_or_else(|| panic!("no {begin:?} in {:?}", self.greeting)).to_owned()
    }

    /// The power switch.
    pub fn kill_9(mut self) {
        self.child.kill().expect("can be killed");
        self.child.wait().expect("has ended");
    }

    /// As the service manager does it.
    pub fn stop(mut self) {
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.child.id() as i32),
            nix::sys::signal::Signal::SIGTERM,
        )
        .expect("can be asked to stop");
        let status = self.child.wait().expect("has ended");
        assert!(status.success(), "it did not stop cleanly: {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a station on free ports of this machine and waits until it records and serves its pages.
pub fn start_station(data: &Path, scenario: &Path) -> Process {
    let path = |path: &Path| path.to_str().expect("a path that is text").to_owned();
    let arguments = ["station", "--data", &path(data), "--scenario", &path(scenario)];
    let addresses = ["--https", "127.0.0.1:0", "--http", "none"];
    let arguments: Vec<String> = arguments.iter().chain(&addresses).map(|text| (*text).to_owned()).collect();
    Process::start(&arguments, "pages: ")
}

/// A-law noise that differs at each place and port: from any stretch of it, the place can be told. Quiet enough to be
/// neither voice nor tone.
pub fn marked_audio(port: u16, samples: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ (u64::from(port) << 32);
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..samples).map(|_| signal::g711::linear_to_alaw(((next() >> 32) as i32 % 96) as i16)).collect()
}

pub fn wav_alaw(audio: &[u8]) -> Vec<u8> {
    let mut out = b"RIFF".to_vec();
    out.extend((36 + audio.len() as u32).to_le_bytes());
    out.extend(b"WAVEfmt \x10\0\0\0\x06\0\x01\0");
    out.extend(8000_u32.to_le_bytes());
    out.extend(8000_u32.to_le_bytes());
    out.extend([1, 0, 8, 0]);
    out.extend(b"data");
    out.extend((audio.len() as u32).to_le_bytes());
    out.extend(audio);
    out
}

/// Writes a scenario of analog ports, each with its audio and its voltages.
pub fn write_scenario(folder: &Path, ports: &[(u16, Vec<u8>, String)]) {
    fs::create_dir_all(folder).expect("a folder");
    let mut toml = "rate = 8000\n\n[[unit]]\nkind = \"analog\"\nname = \"tap\"\n".to_owned();
    for (port, audio, volts) in ports {
        fs::write(folder.join(format!("port{port:02}.wav")), wav_alaw(audio)).expect("written");
        fs::write(folder.join(format!("port{port:02}.volts.csv")), volts).expect("written");
        toml += &format!(
            "\n[[unit.channel]]\nport = {port}\nline_number = \"80{port:02}\"\naudio = \"port{port:02}.wav\"\nvolts = \"port{port:02}.volts.csv\"\n"
        );
    }
    fs::write(folder.join("scenario.toml"), toml).expect("written");
}
