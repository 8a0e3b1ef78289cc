//! What a platform measures by, and how long it waits. Tests choose otherwise: they cannot wait for minutes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use capture::clock::{Clock, SystemClock};

/// See [`Platform::start_tuned`](crate::Platform::start_tuned). The default is what a platform has.
#[derive(Clone)]
pub struct Tuning {
    pub clock: Arc<dyn Clock>,
    /// `proc` and `sys` lie below it.
    pub system_root: PathBuf,
    /// How often the platform looks at its disk, load and stations, and tries again to write what it could not.
    pub round: Duration,
    /// How often limits and the ends of commands are looked at.
    pub tick: Duration,
    /// A minute of the settings.
    pub minute: Duration,
    /// After this long alarms of the run before that nothing has raised again are cleared.
    pub settle: Duration,
    /// A box that knocks with another key is forgotten when it has not for so long.
    pub other_key_stands: Duration,
    /// A station that has something and gets nothing kept for so long does not synchronise.
    pub stuck_after: Duration,
    /// Between two tries to ask a station: after the first failure, and at most.
    pub pull_first_pause: Duration,
    pub pull_longest_pause: Duration,
    /// A station whose visits bring nothing for so long does not synchronise, whatever the reason.
    pub pull_failed_after: Duration,
    /// Stations that are asked at the same time.
    pub pulls_at_once: usize,
    /// A visit for whose end others wait is broken off after so long.
    pub pull_longest_visit: Duration,
    /// How long ended commands are shown.
    pub commands_shown: Duration,
    /// Seconds from heartbeat to heartbeat of a station.
    pub heartbeat_s: u32,
    /// Seconds after which a station tries again while the disk is full.
    pub held_s: u32,
}

impl Tuning {
    /// How long a connection has to last until its station counts as connected.
    pub(crate) fn settled_after(&self) -> Duration {
        Duration::from_secs(2 * u64::from(self.heartbeat_s))
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            system_root: "/".into(),
            round: Duration::from_secs(10),
            tick: Duration::from_secs(1),
            minute: Duration::from_secs(60),
            settle: Duration::from_secs(60),
            other_key_stands: Duration::from_secs(900),
            stuck_after: Duration::from_secs(600),
            pull_first_pause: Duration::from_secs(60),
            pull_longest_pause: Duration::from_secs(3600),
            pull_failed_after: Duration::from_secs(1800),
            pulls_at_once: 8,
            pull_longest_visit: Duration::from_secs(1800),
            commands_shown: Duration::from_secs(86_400),
            heartbeat_s: 10,
            held_s: 30,
        }
    }
}
