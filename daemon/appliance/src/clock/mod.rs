//! The box's clock: kept by time servers, or set by a person. This file is the life around it: the servers are asked, once a
//! second the kernel is told, and what is known is put away for the next start.
//!
//! ```text
//! settings ─> source (asked over sample) ─> line ─┐
//!                                                 ├─> discipline (votes) ─> machine (kernel, real-time clock)
//!                  the machine's clocks ──────────┘
//! ```

mod discipline;
mod kept;
mod line;
mod machine;
mod now;
mod sample;
mod settings;
#[cfg(test)]
mod simulated;
mod source;
mod view;
mod vote;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use discipline::Discipline;
use kept::{Kept, State};
use sample::ask;
use settings::ServerAddress;
use source::{Next, Source};

pub use machine::{Leap, LeapState, Machine, Reading, SystemMachine, Tune};
pub use now::{ClockNow, ClockState, LeapNow, RtcNow, ServerNow, ServerState, StepNeeded};
pub use settings::{ClockFault, ClockSettings, MOST_SERVERS};

use crate::error::ApplianceError;

/// 2020-01-01, microseconds of UTC since 1970: no box is older.
pub const EARLIEST_US: i64 = 1_577_836_800_000_000;
/// 2100-01-01, not included.
pub const LATEST_US: i64 = 4_102_444_800_000_000;

/// The real-time clock goes along with the box's, which the kernel writes into it every 11 min: not further apart than this.
/// Nor is it so far behind the time that has been when the box starts, unless its battery is dead.
const RTC_MOST_OFF_US: i64 = 60_000_000;

/// What tests choose otherwise: they have a clock of their own, and no time to wait.
#[derive(Clone)]
pub struct ClockTuning {
    pub machine: Arc<dyn Machine>,
    /// Before this the clock is wrong for certain: the date of the build. Microseconds of UTC since 1970.
    pub not_before_us: i64,
    /// Between two questions at the start, and between two at the most.
    pub quick: Duration,
    pub shortest_poll: Duration,
    pub answer_within: Duration,
    /// From one order to the kernel to the next.
    pub tick: Duration,
    /// From one writing of what is known to the next, and from one look at the real-time clock.
    pub keep_every: Duration,
}

impl Default for ClockTuning {
    fn default() -> Self {
        Self {
            machine: Arc::new(SystemMachine),
            not_before_us: built_us(),
            quick: Duration::from_secs(2),
            shortest_poll: Duration::from_secs(16),
            answer_within: Duration::from_millis(1500),
            tick: Duration::from_secs(1),
            keep_every: Duration::from_secs(600),
        }
    }
}

/// When this was built.
fn built_us() -> i64 {
    env!("HOOKLINE_BUILT_S").parse::<i64>().map_or(EARLIEST_US, |seconds| seconds.saturating_mul(1_000_000))
}

/// The box's clock, for as long as the process runs.
pub(crate) struct Clock {
    tuning: ClockTuning,
    kept: Kept,
    inner: Mutex<Inner>,
    /// The settings are others.
    changed: Notify,
}

struct Inner {
    settings: ClockSettings,
    addresses: Vec<ServerAddress>,
    discipline: Discipline,
    state: State,
    rtc: RtcNow,
    /// The real-time clock was dead at the start: it is shown until the box has been off once more.
    rtc_was_dead: bool,
    trouble: Option<String>,
    /// The disk refused the last time; it is told once.
    not_put_away: bool,
}

impl Clock {
    /// Reads what is kept, and sees to it that the clock does not stand before a time that has been.
    pub(crate) fn start(folder: PathBuf, tuning: ClockTuning) -> Self {
        let kept = Kept::new(folder);
        let state = kept.state();
        let machine = &tuning.machine;
        let least_us = state.last_known_us.max(tuning.not_before_us).min(LATEST_US);
        let mut trouble = None;
        let told_us = machine.reading().utc_us;
        let cannot_be = |told_us: i64| told_us < least_us - RTC_MOST_OFF_US || told_us >= LATEST_US;
        let clock_is_wrong = cannot_be(told_us);
        if told_us < least_us || clock_is_wrong {
            let [told_s, least_s] = [told_us, least_us].map(|us| us / 1_000_000);
            eprintln!(
                "the clock stood at {told_s} s since 1970, and it has been later: it is set to {least_s} s"
            );
            trouble = machine.set(least_us).err().map(refused);
        }
        let rtc = match machine.read_rtc() {
            Ok(None) => RtcNow::Absent,
            Ok(Some(rtc_us)) if cannot_be(rtc_us) => RtcNow::Dead,
            Ok(Some(_)) => RtcNow::Good,
            Err(_) => RtcNow::Unreadable,
        };
        let followed =
            !clock_is_wrong && state.followed_in_boot.as_deref() == Some(machine.boot_id().as_str());
        let raw_us = machine.reading().raw_us;
        let mut discipline =
            Discipline::new(state.frequency(), (!followed).then_some(raw_us), clock_is_wrong);
        let settings = kept.settings().unwrap_or_else(|sentence| {
            eprintln!("{sentence}");
            trouble = Some(sentence);
            ClockSettings::default()
        });
        // They were looked at when they were read.
        let addresses = settings.addresses().unwrap_or_default();
        discipline.follow(settings.on, new_sources(&addresses), raw_us);
        let rtc_was_dead = rtc == RtcNow::Dead;
        let inner =
            Inner { settings, addresses, discipline, state, rtc, rtc_was_dead, trouble, not_put_away: false };
        Self { tuning, kept, inner: Mutex::new(inner), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the clock, for ever.
    pub(crate) async fn keep(self: &Arc<Self>) {
        let ticking = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut ticks, mut keeps) = (ticking(self.tuning.tick), ticking(self.tuning.keep_every));
        loop {
            let mut asking = JoinSet::new();
            for (place, address) in self.asked().into_iter().enumerate() {
                let clock = self.clone();
                asking.spawn(async move { clock.ask_on(place, address).await });
            }
            loop {
                tokio::select! {
                    () = self.changed.notified() => break,
                    _ = ticks.tick() => self.tick(),
                    _ = keeps.tick() => self.put_away(),
                }
            }
        }
    }

    fn asked(&self) -> Vec<ServerAddress> {
        let inner = self.lock();
        if inner.settings.on { inner.addresses.clone() } else { Vec::new() }
    }

    /// Asks one server, as often as it is to be asked.
    async fn ask_on(&self, place: usize, address: ServerAddress) {
        let mut turn = 0;
        loop {
            let heard = ask(&address, turn, &*self.tuning.machine, self.tuning.answer_within).await;
            let next = {
                let mut inner = self.lock();
                let known = inner.discipline.known();
                let Some(source) = inner.discipline.sources.get_mut(place) else { return };
                match heard {
                    Ok((at, sample)) => source.heard(at, sample, known),
                    Err(failure) => {
                        turn += 1;
                        source.failed(failure);
                    }
                }
                source.next()
            };
            let Some(pause) = self.pause(next) else { return };
            sleep(pause).await;
        }
    }

    fn pause(&self, next: Next) -> Option<Duration> {
        match next {
            Next::Quick => Some(self.tuning.quick),
            Next::Doubled(times) => Some(self.tuning.shortest_poll * (1 << times)),
            Next::Never => None,
        }
    }

    /// Tells the kernel what the clock is to do now.
    fn tick(&self) {
        let machine = &self.tuning.machine;
        let mut inner = self.lock();
        let leap_state = machine.leap_state();
        let orders = inner.discipline.tick(machine.reading(), leap_state);
        if let Some(step_us) = orders.step_us {
            inner.step(&self.kept, &**machine, step_us);
        }
        // With no server to follow the kernel is told once, and left alone: another program may keep the clock.
        if inner.discipline.is_on() {
            let tuned = machine.tune(&orders.tune);
            inner.note(tuned);
        }
    }

    /// Writes down what the next start should know, and looks whether the real-time clock goes along.
    fn put_away(&self) {
        let machine = &self.tuning.machine;
        let mut inner = self.lock();
        inner.look_at_rtc(&**machine);
        inner.put_away(&self.kept, &**machine);
    }

    /// The last thing that is done.
    pub(crate) fn end(&self) {
        self.lock().put_away(&self.kept, &*self.tuning.machine);
    }

    /// What there is to say of it.
    pub(crate) fn now(&self) -> ClockNow {
        view::of(&self.lock(), self.tuning.machine.reading(), |next| self.pause(next))
    }

    /// Sets the clock because a person wants it.
    ///
    /// # Errors
    /// `BadRequest` outside 2020 to 2100; `Clock` when the system refuses.
    pub(crate) fn set(&self, utc_us: i64) -> Result<(), ApplianceError> {
        if !(EARLIEST_US..LATEST_US).contains(&utc_us) {
            let reason = format!("the time {utc_us} us lies outside the years 2020 to 2099");
            return Err(ApplianceError::BadRequest { reason });
        }
        let machine = &self.tuning.machine;
        machine.set(utc_us).map_err(|source| ApplianceError::Clock { source })?;
        self.lock().moved(&self.kept, &**machine);
        Ok(())
    }

    /// Steps the clock to the time of the server that is followed, because a person wants it; by how much.
    ///
    /// # Errors
    /// `NoTime` when none is believed; `Clock` when the system refuses.
    pub(crate) fn step(&self) -> Result<i64, ApplianceError> {
        let machine = &self.tuning.machine;
        let mut inner = self.lock();
        let by_us = inner.discipline.step_asked(machine.reading()).ok_or(ApplianceError::NoTime)?;
        machine.step(by_us).map_err(|source| ApplianceError::Clock { source })?;
        inner.discipline.stepped_as_asked();
        inner.moved(&self.kept, &**machine);
        Ok(by_us)
    }

    /// Other settings, from now on. Servers that stay are known as they were.
    ///
    /// # Errors
    /// `BadRequest` for what cannot be; `NotKept` when the disk refuses: all is as it was then.
    pub(crate) fn change(&self, settings: ClockSettings) -> Result<(), ApplianceError> {
        let addresses = settings.addresses()?;
        let mut inner = self.lock();
        if settings == inner.settings && inner.trouble.is_none() {
            return Ok(());
        }
        self.kept.keep_settings(&settings)?;
        let machine = &self.tuning.machine;
        let stays = settings.on && inner.settings.on;
        let mut before: Vec<Option<Source>> =
            std::mem::take(&mut inner.discipline.sources).into_iter().map(Some).collect();
        let sources = addresses
            .iter()
            .map(|address| {
                let place = inner.addresses.iter().position(|one| stays && one == address);
                let known = place.and_then(|place| before.get_mut(place)?.take());
                known.filter(|source| !source.denied).unwrap_or_default()
            })
            .collect();
        inner.discipline.follow(settings.on, sources, machine.reading().raw_us);
        (inner.settings, inner.addresses, inner.trouble) = (settings, addresses, None);
        if !inner.settings.on {
            let orders = inner.discipline.tick(machine.reading(), machine.leap_state());
            let tuned = machine.tune(&orders.tune);
            inner.note(tuned);
        }
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }
}

fn new_sources(addresses: &[ServerAddress]) -> Vec<Source> {
    addresses.iter().map(|_| Source::default()).collect()
}

fn refused(error: io::Error) -> String {
    ApplianceError::Clock { source: error }.to_string()
}

impl Inner {
    fn step(&mut self, kept: &Kept, machine: &dyn Machine, by_us: i64) {
        eprintln!("the clock is stepped by {:.6} s", by_us as f64 / 1e6);
        let stepped = machine.step(by_us);
        let done = stepped.is_ok();
        self.note(stepped);
        if done {
            self.moved(kept, machine);
        }
    }

    /// The system's answer, told once.
    fn note(&mut self, result: io::Result<()>) {
        let trouble = result.err().map(refused);
        if trouble != self.trouble {
            if let Some(sentence) = &trouble {
                eprintln!("{sentence}");
            }
            self.trouble = trouble;
        }
    }

    /// The clock stands elsewhere: the real-time clock as well, and the time that has been.
    fn moved(&mut self, kept: &Kept, machine: &dyn Machine) {
        let written = machine.write_rtc(machine.reading().utc_us);
        if let Err(error) = written {
            eprintln!("the real-time clock cannot be set: {error}");
            self.rtc = RtcNow::Unreadable;
        } else {
            self.look_at_rtc(machine);
        }
        self.put_away(kept, machine);
    }

    fn look_at_rtc(&mut self, machine: &dyn Machine) {
        let utc_us = machine.reading().utc_us;
        self.rtc = match machine.read_rtc() {
            Ok(None) => RtcNow::Absent,
            Ok(Some(_)) if self.rtc_was_dead => RtcNow::Dead,
            Ok(Some(rtc_us)) if (rtc_us - utc_us).abs() > RTC_MOST_OFF_US => RtcNow::Wrong,
            Ok(Some(_)) => RtcNow::Good,
            Err(_) => RtcNow::Unreadable,
        };
    }

    fn put_away(&mut self, kept: &Kept, machine: &dyn Machine) {
        let state = &mut self.state;
        state.last_known_us = machine.reading().utc_us;
        if let Some(known) = self.discipline.worth_keeping() {
            (state.frequency_ppm, state.frequency_sigma_ppm) = (Some(known.ppm), Some(known.sigma_ppm));
        }
        if !self.discipline.is_searching() {
            state.followed_in_boot = Some(machine.boot_id());
        }
        let kept = kept.keep_state(state);
        if let Err(error) = &kept
            && !self.not_put_away
        {
            eprintln!("how the clock runs cannot be put away: {error}; the next start will not know");
        }
        self.not_put_away = kept.is_err();
    }
}
