//! The clock in simulated time: an oscillator that drifts, a network that delays, servers that are right or lie; and between
//! them the packets, the arithmetic and the decisions that a box has. Hours pass in milliseconds, each run the same.

mod tests;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use sntpc::NtpUdpSocket;

use super::discipline::Discipline;
use super::line::Frequency;
use super::machine::{Leap, LeapState, Machine, Reading, Tune};
use super::sample::exchange;
use super::source::{Next, Source};

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 123);
/// From 1900, where NTP begins to count, to 1970.
const NTP_TO_1970_S: i64 = 2_208_988_800;
const DAY_US: i64 = 86_400_000_000;

/// Time itself, an oscillator, and a kernel that makes a clock of it.
struct Physics {
    /// True UTC, microseconds since 1970, without the leap second that it may have had.
    true_us: f64,
    leapt: Option<(i64, f64)>,
    raw_us: f64,
    utc_us: f64,
    /// True time runs so much faster than the oscillator.
    drift_ppm: f64,
    /// The drift wanders by so much in a second, this way or that.
    wander_ppm: f64,
    frequency_ppm: f64,
    synchronised: bool,
    leap: Leap,
    leap_state: LeapState,
    steps: Vec<i64>,
    random: fastrand::Rng,
}

impl Physics {
    fn truth_us(&self) -> f64 {
        self.true_us
            + self.leapt.map_or(0.0, |(at, by_us)| if self.true_us >= at as f64 { by_us } else { 0.0 })
    }

    /// In steps of at most a second.
    fn advance(&mut self, mut by_us: f64) {
        while by_us > 0.0 {
            let one_us = by_us.min(1e6);
            by_us -= one_us;
            let sign = if self.random.bool() { 1.0 } else { -1.0 };
            self.drift_ppm += sign * self.wander_ppm * (one_us / 1e6).sqrt();
            let raw_us = one_us / (1.0 + self.drift_ppm * 1e-6);
            let day = self.utc_us as i64 / DAY_US;
            self.true_us += one_us;
            self.raw_us += raw_us;
            self.utc_us += raw_us * (1.0 + self.frequency_ppm * 1e-6);
            self.leap_over(day);
        }
    }

    /// As the kernel does it at the end of a day (`second_overflow` of `kernel/time/ntp.c`).
    fn leap_over(&mut self, day: i64) {
        let end_us = (day + 1) * DAY_US;
        match (self.leap_state, self.leap) {
            (LeapState::Quiet, Leap::Insert) if self.utc_us as i64 >= end_us => {
                self.utc_us -= 1e6;
                self.leap_state = LeapState::Within;
            }
            (LeapState::Quiet, Leap::Delete) if self.utc_us as i64 >= end_us - 1_000_000 => {
                self.utc_us += 1e6;
                self.leap_state = LeapState::Over;
            }
            (LeapState::Within, _) if self.utc_us as i64 >= end_us => self.leap_state = LeapState::Over,
            (LeapState::Over, Leap::None) => self.leap_state = LeapState::Quiet,
            _ => {}
        }
    }
}

#[derive(Clone)]
struct Simulated(Arc<Mutex<Physics>>);

impl Simulated {
    fn with<T>(&self, work: impl FnOnce(&mut Physics) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn error_us(&self) -> f64 {
        self.with(|physics| physics.utc_us - physics.truth_us())
    }
}

impl Machine for Simulated {
    fn reading(&self) -> Reading {
        self.with(|physics| Reading { utc_us: physics.utc_us as i64, raw_us: physics.raw_us as i64 })
    }

    fn set(&self, utc_us: i64) -> io::Result<()> {
        self.with(|physics| physics.utc_us = utc_us as f64);
        Ok(())
    }

    fn step(&self, by_us: i64) -> io::Result<()> {
        self.with(|physics| {
            physics.utc_us += by_us as f64;
            physics.steps.push(by_us);
        });
        Ok(())
    }

    fn tune(&self, tune: &Tune) -> io::Result<()> {
        assert!(
            tune.frequency_ppm.abs() <= 500.0 && tune.error_us >= 0,
            "the kernel takes no other: {tune:?}"
        );
        self.with(|physics| {
            (physics.frequency_ppm, physics.synchronised) = (tune.frequency_ppm, tune.synchronised);
            physics.leap = tune.leap;
        });
        Ok(())
    }

    fn leap_state(&self) -> LeapState {
        self.with(|physics| physics.leap_state)
    }

    fn read_rtc(&self) -> io::Result<Option<i64>> {
        Ok(None)
    }

    fn write_rtc(&self, _: i64) -> io::Result<()> {
        Ok(())
    }

    fn boot_id(&self) -> String {
        "simulated".to_owned()
    }
}

/// How long packets take, each way: this, and up to so much more, evenly.
#[derive(Clone, Copy)]
struct Way {
    least_us: f64,
    jitter_us: f64,
}

const LAN: Way = Way { least_us: 150.0, jitter_us: 100.0 };
/// Twenty milliseconds of jitter.
const FAR: Way = Way { least_us: 5_000.0, jitter_us: 20_000.0 };

/// A time server and the way to it.
#[derive(Clone, Copy)]
struct Server {
    way: Way,
    /// Its time less true time.
    lies_us: i64,
    leap: Leap,
    answers: bool,
    /// When it is asked next, by true time.
    next_us: f64,
}

impl Server {
    const fn right(way: Way) -> Self {
        Self { way, lies_us: 0, leap: Leap::None, answers: true, next_us: 0.0 }
    }

    const fn lying(way: Way, lies_us: i64) -> Self {
        Self { lies_us, ..Self::right(way) }
    }
}

/// A question on its way: time passes while the packets travel.
struct Network<'a> {
    machine: &'a Simulated,
    server: Server,
    asked: RefCell<([u8; 48], i64)>,
}

impl Network<'_> {
    fn travel(&self) {
        let Way { least_us, jitter_us } = self.server.way;
        self.machine.with(|physics| {
            let late_us = physics.random.f64() * jitter_us;
            physics.advance(least_us + late_us);
        });
    }

    fn servers_time_us(&self) -> i64 {
        self.machine.with(|physics| physics.truth_us()) as i64 + self.server.lies_us
    }
}

impl NtpUdpSocket for Network<'_> {
    async fn send_to(&self, packet: &[u8], _: SocketAddr) -> sntpc::Result<usize> {
        self.travel();
        let mut asked = self.asked.borrow_mut();
        asked.0.copy_from_slice(packet);
        asked.1 = self.servers_time_us();
        Ok(packet.len())
    }

    async fn recv_from(&self, answer: &mut [u8]) -> sntpc::Result<(usize, SocketAddr)> {
        self.machine.with(|physics| physics.advance(30.0));
        let (asked, came_us) = &*self.asked.borrow();
        let leap = match self.server.leap {
            Leap::None => 0,
            Leap::Insert => 1,
            Leap::Delete => 2,
        };
        answer.fill(0);
        answer[..4].copy_from_slice(&[leap << 6 | 4 << 3 | 4, 1, 4, 0xec]);
        answer[12..16].copy_from_slice(b"TEST");
        answer[24..32].copy_from_slice(&asked[40..48]);
        answer[32..40].copy_from_slice(&ntp(*came_us));
        answer[40..48].copy_from_slice(&ntp(self.servers_time_us()));
        self.travel();
        Ok((answer.len(), HERE))
    }
}

fn ntp(utc_us: i64) -> [u8; 8] {
    let seconds = (utc_us.div_euclid(1_000_000) + NTP_TO_1970_S) as u64 & 0xffff_ffff;
    let fraction = ((utc_us.rem_euclid(1_000_000) as u64) << 32) / 1_000_000;
    (seconds << 32 | fraction).to_be_bytes()
}

/// A box with its servers.
struct Run {
    machine: Simulated,
    discipline: Discipline,
    servers: Vec<Server>,
    next_tick_us: f64,
}

/// Of a box at its start.
struct Start {
    seed: u64,
    at_us: i64,
    /// Its clock less true time.
    off_us: i64,
    drift_ppm: f64,
    wander_ppm: f64,
    known: Frequency,
    clock_is_wrong: bool,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            seed: 1,
            at_us: 1_795_000_000_000_000,
            off_us: 2_500_000,
            drift_ppm: 38.0,
            wander_ppm: 0.0,
            known: Frequency::UNKNOWN,
            clock_is_wrong: false,
        }
    }
}

impl Run {
    fn new(start: &Start, servers: &[Server]) -> Self {
        let physics = Physics {
            true_us: start.at_us as f64,
            leapt: None,
            raw_us: 30e6,
            utc_us: (start.at_us + start.off_us) as f64,
            drift_ppm: start.drift_ppm,
            wander_ppm: start.wander_ppm,
            frequency_ppm: 0.0,
            synchronised: false,
            leap: Leap::None,
            leap_state: LeapState::Quiet,
            steps: Vec::new(),
            random: fastrand::Rng::with_seed(start.seed),
        };
        let machine = Simulated(Arc::new(Mutex::new(physics)));
        let mut discipline = Discipline::new(start.known, Some(30_000_000), start.clock_is_wrong);
        discipline.follow(true, servers.iter().map(|_| Source::default()).collect(), 30_000_000);
        let at_us = start.at_us as f64;
        let servers = servers.iter().map(|server| Server { next_us: at_us, ..*server }).collect();
        Self { machine, discipline, servers, next_tick_us: at_us }
    }

    /// So many seconds of true time.
    fn pass(&mut self, seconds: f64) {
        let end_us = self.machine.with(|physics| physics.true_us) + seconds * 1e6;
        loop {
            let asked = (0..self.servers.len())
                .min_by(|&one, &other| self.servers[one].next_us.total_cmp(&self.servers[other].next_us));
            let next_us =
                asked.map_or(f64::INFINITY, |place| self.servers[place].next_us).min(self.next_tick_us);
            if next_us > end_us {
                break;
            }
            self.machine.with(|physics| physics.advance(next_us - physics.true_us));
            match asked {
                Some(place) if self.servers[place].next_us <= self.next_tick_us => self.ask(place),
                _ => self.tick(),
            }
        }
        self.machine.with(|physics| physics.advance(end_us - physics.true_us));
    }

    fn ask(&mut self, place: usize) {
        let server = self.servers[place];
        let known = self.discipline.known();
        let source = &mut self.discipline.sources[place];
        if server.answers {
            let asked = RefCell::new(([0; 48], 0));
            let network = Network { machine: &self.machine, server, asked };
            match exchange(HERE, &network, &self.machine).now_or_never().expect("nothing waits here") {
                Ok(sample) => source.heard(HERE, sample, known),
                Err(failure) => source.failed(failure),
            }
        } else {
            source.failed(super::sample::Failure::Silent);
        }
        let pause_s = match source.next() {
            Next::Quick => 2.0,
            Next::Doubled(times) => 16.0 * f64::from(1 << times),
            Next::Never => f64::INFINITY,
        };
        self.servers[place].next_us = self.machine.with(|physics| physics.true_us) + pause_s * 1e6;
    }

    fn tick(&mut self) {
        let orders = self.discipline.tick(self.machine.reading(), self.machine.leap_state());
        if let Some(by_us) = orders.step_us {
            self.machine.step(by_us).expect("it may");
        }
        self.machine.tune(&orders.tune).expect("it may");
        self.next_tick_us += 1e6;
    }

    fn steps(&self) -> Vec<i64> {
        self.machine.with(|physics| physics.steps.clone())
    }

    fn is_synchronised(&self) -> bool {
        self.machine.with(|physics| physics.synchronised)
    }
}
