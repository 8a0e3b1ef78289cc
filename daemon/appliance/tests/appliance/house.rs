//! An appliance process in this one, the bus it asks, and a folder that is gone with the test.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookline_appliance::{Appliance, ApplianceError, ClockTuning, Config, EARLIEST_US, Server, Tuning};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::bus::Bus;
use crate::machine::FakeMachine;

/// From a restart's answer to the restart.
pub const RESTART_AFTER: Duration = Duration::from_millis(400);

pub struct House {
    pub runtime: Runtime,
    pub bus: Bus,
    pub folder: tempfile::TempDir,
    pub machine: FakeMachine,
    running: Option<Running>,
}

struct Running {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl House {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::build(FakeMachine::off_by(0), change)
    }

    pub fn on(machine: FakeMachine) -> Self {
        Self::build(machine, |_| {})
    }

    fn build(machine: FakeMachine, change: impl FnOnce(&mut Config)) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let mut house = Self { runtime, bus: Bus::start(), folder, machine, running: None };
        let mut config = house.config();
        change(&mut config);
        house.start(config).expect("the process starts");
        house
    }

    pub fn config(&self) -> Config {
        let clock = ClockTuning {
            machine: Arc::new(self.machine.clone()),
            not_before_us: EARLIEST_US,
            quick: Duration::from_millis(20),
            shortest_poll: Duration::from_millis(60),
            answer_within: Duration::from_millis(300),
            tick: Duration::from_millis(10),
            keep_every: Duration::from_millis(100),
        };
        let tuning = Tuning {
            clock,
            talk_within: Duration::from_millis(500),
            restart_after: RESTART_AFTER,
            ..Tuning::default()
        };
        let (bus, root) = (Some(self.bus.address.clone()), self.root());
        Config { socket: self.socket(), for_uid: None, bus, folder: self.kept(), root, tuning }
    }

    /// What the clock was set to.
    pub fn clock_set(&self) -> Vec<i64> {
        self.machine.told().set_us
    }

    /// Of the system that the process sees; empty unless the test fills it.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// What the process keeps.
    pub fn kept(&self) -> PathBuf {
        self.folder.path().join("kept")
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("appliance.sock")
    }

    pub fn start(&mut self, config: Config) -> Result<(), ApplianceError> {
        let _within = self.runtime.enter();
        let server = Server::bind(config)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = self.runtime.spawn(server.run(async move { drop(stopped.await) }));
        self.running = Some(Running { stop, ended });
        Ok(())
    }

    /// As by SIGTERM; returns when it has ended.
    pub fn stop(&mut self) {
        let Running { stop, ended } = self.running.take().expect("it runs");
        stop.send(()).expect("it listens");
        self.runtime.block_on(ended).expect("no panic");
    }

    pub fn appliance(&self) -> Appliance {
        Appliance::at(self.socket())
    }

    /// A file that could be a bundle.
    pub fn bundle(&self) -> PathBuf {
        let path = self.folder.path().join("hookline.raucb");
        std::fs::write(&path, b"hsqs").expect("written");
        path
    }

    /// Says that to the socket, and returns all that comes back.
    pub fn say(&self, bytes: &[u8]) -> String {
        say_to(&self.socket(), bytes)
    }
}

pub fn say_to(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).expect("it listens");
    // It may have heard enough before the end.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8(answer).expect("text"),
    }
}

#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
