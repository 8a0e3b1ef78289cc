//! What a live unit is to the rooms above: where it is looked for, what it says of itself, and what becomes of it. Its
//! driver runs on a thread of its own, fills a [`Feed`](crate::feed::Feed), and tells what is rare by a channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use crate::feed::Feed;
use crate::{line_tap, pcm};

/// Where a unit's samples come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum UnitPlace {
    /// A USB line tap, by the serial number that is written into it: the same ports in whatever socket.
    LineTap { serial: String },
    /// An ALSA device, by its name (`hw:CARD=Loopback,DEV=1`): so many channels of it.
    Pcm { device: String },
}

/// A unit as the station is set to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitConfig {
    pub place: UnitPlace,
    /// Lines of the unit that are used, from its first on.
    pub lines: u16,
    /// Tracks that they have together: as many, or twice as many.
    pub tracks: u16,
}

/// What a unit says of itself once it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnitIdentity {
    /// As people know it: maker and model, or the sound card's name.
    pub model: String,
    pub serial: Option<String>,
    pub firmware: Option<String>,
    pub lines: u16,
    /// Whether it measures line voltage.
    pub has_volts: bool,
}

/// What becomes of a unit, for whoever shows it and raises its alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum UnitNews {
    /// It is there, and gives samples from now on.
    Present(UnitIdentity),
    /// It is not, or gives nothing that can be used; it is looked for on and on.
    Absent(UnitFault),
    /// It gives samples, but something about it is not right.
    Defect(UnitFault),
    /// Samples did not come while it was there: so many of each line, and why.
    Lost { samples: u64, cause: LossCause },
}

/// Why samples did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCause {
    /// The unit's own buffer was full before they were fetched.
    UnitOverflow,
    /// A packet is missing, or was not whole.
    Packet,
    /// The sound card's buffer was full before it was read (xrun).
    Overrun,
    /// The box was late with the blocks.
    BoxLate,
}

/// Why a unit gives nothing: a code, and one sentence that names the unit and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{sentence}")]
pub struct UnitFault {
    /// `not_found`, `unplugged`, `busy`, `not_allowed`, `wrong_unit`, `bad_data`, `stopped` …
    pub code: &'static str,
    pub sentence: String,
}

/// Starts the driver of a unit: it looks for it, fills `feed` and tells `news`, until it is dropped.
///
/// # Errors
/// The system has no thread left.
pub fn start(config: &UnitConfig, feed: Feed, news: News) -> std::io::Result<Driver> {
    match &config.place {
        UnitPlace::LineTap { serial } => line_tap::start(serial, config.lines, feed, news),
        UnitPlace::Pcm { device } => pcm::start(device, config.tracks, feed, news),
    }
}

/// Where a driver tells what is rare.
pub type News = Sender<UnitNews>;

/// A running driver; ends with this.
#[derive(Debug)]
pub struct Driver {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    /// Runs `work` on a thread of this name until it returns, which it does soon after `stop` is set. The thread has
    /// real-time priority where the box allows it.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(name: &str, work: impl FnOnce(&AtomicBool) + Send + 'static) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            ask_for_real_time();
            work(&told);
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so on the console.
            let _ = thread.join();
        }
    }
}

/// Priority of a driver's thread among those in real time: above everything ordinary, below the kernel's interrupt
/// threads (50), whose data it waits for.
const REAL_TIME_PRIORITY: libc::c_int = 20;

/// Puts the calling thread before everything that is not in real time. A box without the right (`CAP_SYS_NICE`, or
/// `RLIMIT_RTPRIO` of at least the priority) goes on at the ordinary one: buffers of half a second carry it.
pub fn ask_for_real_time() {
    // SAFETY: 0 is the calling thread, and the parameter is a live, whole value that is only read.
    unsafe {
        let mut parameter: libc::sched_param = std::mem::zeroed();
        parameter.sched_priority = REAL_TIME_PRIORITY;
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &parameter);
    }
}
