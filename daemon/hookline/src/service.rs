//! What the service manager is told (`Type=notify`, `WatchdogSec=`): that the role is ready, that it lives, that it ends.
//! Started by hand, there is nobody to tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use systemd::daemon::{self, STATE_READY, STATE_STATUS, STATE_STOPPING, STATE_WATCHDOG};

use crate::Failure;
use crate::role::Signs;

/// Looks whether the role moves at least so often.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// Feeds the watchdog as long as the role moves, from a thread of its own; ends with this.
pub struct Watchdog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The role is ready, in one sentence for `systemctl status`.
pub fn ready(status: &str) {
    tell(&[(STATE_READY, "1"), (STATE_STATUS, status)]);
}

/// The role closes what is open and takes this process over anew: `ready` follows.
pub fn starting_again() {
    tell(&[(STATE_STATUS, "starting again"), (STATE_WATCHDOG, "1")]);
}

/// The role ends, and closes what is open.
pub fn stopping() {
    tell(&[(STATE_STOPPING, "1")]);
}

fn tell(state: &[(&str, &str)]) {
    // A manager that has gone cannot be told, and whoever was started by hand has none.
    let _ = daemon::notify(state.iter());
}

impl Watchdog {
    /// Once the role does not move any more, the manager is left waiting, and starts it again.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(signs: Arc<Signs>) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let Some(within) = manager_waits() else { return Ok(Self { stop, thread: None }) };
        let told = stop.clone();
        let look = (within / 3).min(LONGEST_LOOK);
        let feed = move || {
            while !told.load(Relaxed) {
                if (signs.moves)() {
                    tell(&[(STATE_WATCHDOG, "1")]);
                }
                std::thread::park_timeout(look);
            }
        };
        let thread =
            std::thread::Builder::new().name("watchdog".into()).spawn(feed).map_err(Failure::failed)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// How long the manager waits for a sign of life; `None`: it does not.
fn manager_waits() -> Option<Duration> {
    let us = daemon::watchdog_enabled().ok()?;
    (us > 0).then(|| Duration::from_micros(us))
}
