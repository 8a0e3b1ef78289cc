//! Two network namespaces of the test's own, joined by a bad line: packets are delayed, lost, reordered, and the line is
//! cut for a while. It stands for `tc netem`, which not every kernel has: what passes are real IP packets between real
//! TCP stacks, so that everything above them behaves as on a bad line.
//!
//! The test has to run in a user and network namespace already (`unshare --user --map-root-user --net`).

use std::collections::BinaryHeap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where the platform is, seen from its stations.
pub const PLATFORM: &str = "10.77.0.1";
const STATIONS: &str = "10.77.0.2";

#[derive(Clone, Copy, Debug)]
pub struct Badness {
    pub delay: Duration,
    /// Of each packet, from nothing to this much more: what comes later may overtake it.
    pub jitter: Duration,
    /// Share of packets that are lost.
    pub loss: f64,
    /// How much passes in each direction; `None`: all there is.
    pub bytes_per_s: Option<u32>,
}

/// The line between both namespaces, until it is dropped.
pub struct Line {
    state: Arc<State>,
    jobs: Sender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

struct State {
    badness: Mutex<Badness>,
    cut: AtomicBool,
    over: AtomicBool,
    passed: AtomicU64,
    lost: AtomicU64,
}

impl Line {
    /// Makes the line. The platform's side is the caller's namespace.
    pub fn lay(badness: Badness) -> Self {
        ip("link set lo up");
        let near = tun("near", PLATFORM, STATIONS);
        let (jobs, to_do) = channel::<Job>();
        let (made, far) = channel();
        std::thread::spawn(move || {
            // This thread, and whatever it starts, live in a namespace of their own from here on.
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace");
            ip("link set lo up");
            made.send(tun("far", STATIONS, PLATFORM)).expect("somebody waits");
            to_do.into_iter().for_each(|job| job());
        });
        let far = far.recv().expect("the far side is there");
        let state = Arc::new(State {
            badness: Mutex::new(badness),
            cut: AtomicBool::new(false),
            over: AtomicBool::new(false),
            passed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        pass(near.try_clone().expect("cloned"), far.try_clone().expect("cloned"), &state);
        pass(far, near, &state);
        Self { state, jobs }
    }

    /// Does something in the stations' namespace, such as starting one.
    pub fn at_the_far_side<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (reply, answer) = channel();
        let job = Box::new(move || drop(reply.send(work())));
        self.jobs.send(job).expect("the far side is there");
        answer.recv().expect("the work was done")
    }

    /// Nothing passes while the line is cut.
    pub fn cut(&self, cut: bool) {
        self.state.cut.store(cut, Relaxed);
    }

    pub fn change(&self, badness: Badness) {
        *self.state.badness.lock().expect("no thread panics with it") = badness;
    }

    /// Packets that passed, and that were lost.
    pub fn packets(&self) -> (u64, u64) {
        (self.state.passed.load(Relaxed), self.state.lost.load(Relaxed))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.state.over.store(true, Relaxed);
    }
}

/// Carries packets from one side to the other: one thread takes them in, one hands them on when they are due.
fn pass(from: File, to: File, state: &Arc<State>) {
    let (taken, due) = channel::<Packet>();
    let reading = state.clone();
    std::thread::spawn(move || take(from, &taken, &reading));
    std::thread::spawn(move || hand_on(to, &due));
}

struct Packet {
    at: Instant,
    bytes: Vec<u8>,
}

impl Ord for Packet {
    /// The earliest is the greatest: a heap gives it first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Packet {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Packet {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Packet {}

/// What waits for longer in front of a narrow line is lost.
const LONGEST_QUEUE: Duration = Duration::from_millis(1500);

fn take(mut from: File, taken: &Sender<Packet>, state: &State) {
    let mut random = fastrand::Rng::new();
    let mut free_at = Instant::now();
    let mut bytes = vec![0; 65536];
    while let Ok(count) = from.read(&mut bytes) {
        if state.over.load(Relaxed) {
            return;
        }
        let badness = *state.badness.lock().expect("no thread panics with it");
        if state.cut.load(Relaxed) || random.f64() < badness.loss {
            state.lost.fetch_add(1, Relaxed);
            continue;
        }
        if let Some(bytes_per_s) = badness.bytes_per_s {
            let now = Instant::now();
            if free_at > now + LONGEST_QUEUE {
                state.lost.fetch_add(1, Relaxed);
                continue;
            }
            free_at = free_at.max(now) + Duration::from_secs(1) * count as u32 / bytes_per_s;
        } else {
            free_at = Instant::now();
        }
        state.passed.fetch_add(1, Relaxed);
        let at = free_at.max(Instant::now()) + badness.delay + badness.jitter.mul_f64(random.f64());
        if taken.send(Packet { at, bytes: bytes[..count].to_vec() }).is_err() {
            return;
        }
    }
}

fn hand_on(mut to: File, due: &std::sync::mpsc::Receiver<Packet>) {
    let mut waiting = BinaryHeap::new();
    loop {
        let wait = waiting.peek().map_or(Duration::from_secs(1), |packet: &Packet| {
            packet.at.saturating_duration_since(Instant::now())
        });
        match due.recv_timeout(wait) {
            Ok(packet) => waiting.push(packet),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
        }
        while waiting.peek().is_some_and(|packet| packet.at <= Instant::now()) {
            let Some(packet) = waiting.pop() else { break };
            // A full queue loses packets, as lines do.
            let _ = to.write(&packet.bytes);
        }
    }
}

/// A TUN device in the namespace of the calling thread, from `own` to `other`.
fn tun(name: &str, own: &str, other: &str) -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_CLOEXEC)
        .open("/dev/net/tun")
        .expect("/dev/net/tun can be opened");
    // SAFETY: a request is plain data; all zeroes is one.
    let mut request: nix::libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (nix::libc::IFF_TUN | nix::libc::IFF_NO_PI) as i16;
    // SAFETY: the request outlives the call, and the descriptor is open.
    let made = unsafe { nix::libc::ioctl(file.as_raw_fd(), nix::libc::TUNSETIFF, &raw mut request) };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    ip(&format!("addr add {own} peer {other} dev {name}"));
    ip(&format!("link set {name} up"));
    file
}

fn ip(arguments: &str) {
    let output =
        Command::new("ip").args(arguments.split(' ')).output().expect("ip (package iproute2) starts");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
