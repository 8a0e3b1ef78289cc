//! How the way to the platform is now: kept by the uplink thread, read by pages and by the care thread.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use capture::clock::Moment;
use catalog::{AlarmCode, Params};
use recording::ClockQuality;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::{Notify, watch};
use upkeep::params;
use uplink::key::KeyError;
use uplink::message::{ClockNow, RefusalCode, Welcome};
use uplink::{DeviceKey, Fingerprint, UplinkError};

use super::asked::{Asked, Stream};
use super::settings::{PlatformBook, PlatformSettings, PlatformSettingsError};
use super::token::PullToken;
use crate::timekeeper::Timekeeper;

/// A clock that differs by more is wrong, unless something keeps it in step.
const CLOCK_WRONG_MS: i64 = 2000;

line::names! {
    /// What the station is doing about its platform.
    LinkState {
        Off = "off",
        /// It is dialling, or waits until it dials again: `trouble` says why.
        Connecting = "connecting",
        /// The platform does not know the serial number yet: its operator has to add it.
        WaitingForPlatform = "waiting_for_platform",
        /// Nobody here has accepted the platform's key yet: it is `offered`.
        NotPinned = "not_pinned",
        Refused = "refused",
        Connected = "connected",
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTrouble {
    /// Stable; of a refusal its own (`other_key`, `switched_off`, …).
    pub code: &'static str,
    /// One sentence in English.
    pub sentence: String,
}

/// Everything a page shows of the way to the platform. Times are microseconds of UTC since 1970.
#[derive(Clone, Debug)]
pub struct PlatformLinkNow {
    pub settings: Arc<PlatformSettings>,
    pub state: LinkState,
    pub since_us: i64,
    /// What the last try failed of; `None` while connected or off.
    pub trouble: Option<LinkTrouble>,
    /// The key that a platform showed which nobody has accepted yet. To accept it, set `fingerprint` to it.
    pub offered: Option<Fingerprint>,
    /// Of this box's key; `None` when it cannot be read: `trouble` says why once a connection was tried.
    pub own_fingerprint: Option<Fingerprint>,
    /// Entries that the platform has not acknowledged, as counted last.
    pub waiting: u64,
    /// When the platform last acknowledged something, in this run of the station.
    pub last_synchronised_us: Option<i64>,
    /// Of the platform's software, on the last connection.
    pub platform_release: Option<String>,
    /// The platform's clock less this box's, now.
    pub clock_offset_ms: Option<i64>,
    /// When the token was made by which the platform may ask this box; `None`: it may not.
    pub token_made_us: Option<i64>,
    /// When the platform last asked, with the right token, in this run of the station.
    pub last_asked_us: Option<i64>,
}

/// What the threads share.
pub(crate) struct Link {
    key_file: PathBuf,
    key: OnceLock<DeviceKey>,
    book: PlatformBook,
    now: Mutex<Now>,
    asked: Mutex<Option<Asked>>,
    changed: watch::Sender<Changed>,
    pub(super) news: Notify,
}

/// What the uplink thread waits for beside the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub settings: u64,
    /// The platform has come.
    pub asked: u64,
    pub stop: bool,
}

struct Now {
    state: LinkState,
    since_us: i64,
    trouble: Option<LinkTrouble>,
    offered: Option<Fingerprint>,
    waiting: u64,
    last_synchronised_us: Option<i64>,
    platform_release: Option<String>,
    clock: Option<PlatformClock>,
    last_asked_us: Option<i64>,
    /// Switched on, and without a connection.
    away_since: Option<Instant>,
}

/// The platform's clock when it said welcome.
struct PlatformClock {
    said: ClockNow,
    at: Moment,
}

impl PlatformClock {
    /// Theirs less ours: a step of either since then shows.
    fn offset_ms(&self, now: Moment) -> i64 {
        let theirs = self.said.utc_us.saturating_add(now.monotonic_us - self.at.monotonic_us);
        theirs.saturating_sub(now.utc_us) / 1000
    }
}

impl Link {
    /// `key_file` holds the box's key. A key that cannot be read, or made on a disk that is full, is asked for again with
    /// every connection: it keeps nobody from recording.
    pub(crate) fn new(key_file: PathBuf, book: PlatformBook, now_us: i64) -> Self {
        let now = Now {
            state: LinkState::Off,
            since_us: now_us,
            trouble: None,
            offered: None,
            waiting: 0,
            last_synchronised_us: None,
            platform_release: None,
            clock: None,
            last_asked_us: None,
            away_since: None,
        };
        let (changed, _) = watch::channel(Changed::default());
        let (now, news) = (Mutex::new(now), Notify::new());
        let asked = Mutex::default();
        let link = Self { key_file, key: OnceLock::new(), book, now, asked, changed, news };
        if let Err(error) = link.key() {
            eprintln!("{error}");
        }
        link
    }

    pub(super) fn key(&self) -> Result<&DeviceKey, KeyError> {
        match self.key.get() {
            Some(key) => Ok(key),
            None => DeviceKey::load_or_make(&self.key_file).map(|key| self.key.get_or_init(|| key)),
        }
    }

    pub(crate) fn now(&self, keeper: &Timekeeper) -> PlatformLinkNow {
        let now = lock(&self.now);
        PlatformLinkNow {
            settings: self.book.now(),
            state: now.state,
            since_us: now.since_us,
            trouble: now.trouble.clone(),
            offered: now.offered,
            own_fingerprint: self.key.get().map(DeviceKey::fingerprint),
            waiting: now.waiting,
            last_synchronised_us: now.last_synchronised_us,
            platform_release: now.platform_release.clone(),
            clock_offset_ms: now.clock.as_ref().map(|clock| clock.offset_ms(keeper.moment())),
            token_made_us: self.book.token().map(|token| token.made_us),
            last_asked_us: now.last_asked_us,
        }
    }

    pub(crate) fn settings(&self) -> Arc<PlatformSettings> {
        self.book.now()
    }

    /// # Errors
    /// Those of the settings.
    pub(crate) fn change(
        &self,
        patch: &Map<String, Value>,
    ) -> Result<(Arc<PlatformSettings>, Arc<PlatformSettings>), PlatformSettingsError> {
        let change = self.book.change(patch)?;
        self.changed.send_modify(|changed| changed.settings += 1);
        Ok(change)
    }

    /// Another token, or none. Whoever came with the former one has to go.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn set_token(
        &self,
        token: Option<PullToken>,
    ) -> Result<Option<PullToken>, PlatformSettingsError> {
        let before = self.book.set_token(token)?;
        self.changed.send_modify(|changed| changed.settings += 1);
        Ok(before)
    }

    pub(crate) fn is_token(&self, token: &str) -> bool {
        self.book.token().is_some_and(|kept| kept.is(token))
    }

    /// The platform has come: the next connection is on this stream.
    pub(crate) fn be_asked(&self, stream: impl Stream + 'static, address: String, now_us: i64) {
        *lock(&self.asked) = Some(Asked { stream: Box::new(stream), address });
        lock(&self.now).last_asked_us = Some(now_us);
        self.changed.send_modify(|changed| changed.asked += 1);
    }

    pub(super) fn take_asked(&self) -> Option<Asked> {
        lock(&self.asked).take()
    }

    /// The uplink thread ends.
    pub(crate) fn stop(&self) {
        self.changed.send_modify(|changed| changed.stop = true);
    }

    /// The journal has something new. Never waits.
    pub(crate) fn tell_news(&self) {
        self.news.notify_one();
    }

    /// The alarms of this part of the box: whether each stands now, `None` where that is not known.
    pub(crate) fn alarms(&self, keeper: &Timekeeper) -> [(AlarmCode, Option<bool>, Params); 2] {
        let settings = self.book.now();
        let now = lock(&self.now);
        let away = now.away_since.map(|since| since.elapsed());
        let longest = Duration::from_secs(settings.unreachable_after_s.into());
        let unreachable = match away {
            None => Some(false),
            Some(away) => (away >= longest).then_some(true),
        };
        let code = now.trouble.as_ref().map(|trouble| trouble.code);
        let away_params = params(json!({"address": settings.address, "code": code}));
        let offset_ms = now.clock.as_ref().map(|clock| clock.offset_ms(keeper.moment()));
        let in_step = keeper.quality() == ClockQuality::Synchronised;
        let wrong = match offset_ms {
            _ if in_step || settings.dials().is_none() => Some(false),
            Some(offset_ms) => Some(offset_ms.abs() > CLOCK_WRONG_MS),
            None => None,
        };
        let offset_s = offset_ms.map(|offset_ms| (offset_ms as f64 / 100.0).round() / 10.0);
        let quality = now.clock.as_ref().map(|clock| clock.said.quality.clone());
        let clock_params = params(json!({"offset_s": offset_s, "platform_quality": quality}));
        [
            (AlarmCode::PlatformUnreachable, unreachable, away_params),
            (AlarmCode::ClockWrong, wrong, clock_params),
        ]
    }

    pub(super) fn changes(&self) -> watch::Receiver<Changed> {
        self.changed.subscribe()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.changed.borrow().stop
    }

    pub(super) fn off(&self, now_us: i64) {
        let mut now = lock(&self.now);
        now.enter(LinkState::Off, now_us);
        (now.trouble, now.offered, now.clock, now.away_since) = (None, None, None, None);
        now.waiting = 0;
    }

    pub(super) fn dialling(&self, now_us: i64) {
        let mut now = lock(&self.now);
        if now.state == LinkState::Off {
            now.enter(LinkState::Connecting, now_us);
        }
        now.away_since.get_or_insert_with(Instant::now);
    }

    pub(super) fn welcomed(&self, welcome: &Welcome, at: Moment) {
        let mut now = lock(&self.now);
        now.enter(LinkState::Connected, at.utc_us);
        (now.trouble, now.offered, now.away_since) = (None, None, None);
        now.platform_release = Some(welcome.release.clone());
        now.clock = Some(PlatformClock { said: welcome.clock.clone(), at });
    }

    pub(super) fn failed(&self, error: &UplinkError, now_us: i64) {
        let state = match error {
            UplinkError::NotPinned(_) => LinkState::NotPinned,
            UplinkError::Refused(refusal) if refusal.code == RefusalCode::Waiting => {
                LinkState::WaitingForPlatform
            }
            UplinkError::Refused(_) => LinkState::Refused,
            _ => LinkState::Connecting,
        };
        let mut now = lock(&self.now);
        now.enter(state, now_us);
        now.away_since.get_or_insert_with(Instant::now);
        now.offered = if let UplinkError::NotPinned(found) = error { Some(*found) } else { None };
        now.trouble = Some(LinkTrouble { code: error.code(), sentence: error.to_string() });
    }

    /// A connection that the platform had opened has ended. It comes again when it likes: there is nothing to wait for.
    pub(super) fn visit_ended(&self, error: Option<&UplinkError>, now_us: i64) {
        match error {
            Some(error) if !matches!(error, UplinkError::Closed | UplinkError::Broken(_)) => {
                self.failed(error, now_us);
            }
            _ => {
                let mut now = lock(&self.now);
                (now.trouble, now.offered) = (None, None);
                now.enter(LinkState::Off, now_us);
            }
        }
        let mut now = lock(&self.now);
        now.away_since = None;
        if now.state == LinkState::Connecting {
            now.enter(LinkState::Off, now_us);
        }
    }

    pub(super) fn counted(&self, waiting: u64) {
        lock(&self.now).waiting = waiting;
    }

    pub(super) fn synchronised(&self, now_us: i64) {
        lock(&self.now).last_synchronised_us = Some(now_us);
    }
}

impl Now {
    fn enter(&mut self, state: LinkState, now_us: i64) {
        if self.state != state {
            (self.state, self.since_us) = (state, now_us);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
