//! What there is to say of the clock, as it goes over the socket and onto the page.

use serde::{Deserialize, Serialize};

use super::settings::ClockSettings;

/// All of the clock at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockNow {
    pub settings: ClockSettings,
    pub state: ClockState,
    /// The box's clock: microseconds of UTC since 1970.
    pub utc_us: i64,
    /// What the kernel is told, and by it the recorder.
    pub synchronised: bool,
    /// The server that is followed.
    pub followed: Option<String>,
    /// True time less the box's, as far as known.
    pub offset_us: Option<i64>,
    /// The offset, and the doubt about it (two standard deviations).
    pub error_us: Option<i64>,
    /// By how much the clock is made to run faster than the oscillator.
    pub frequency_ppm: f64,
    /// The last answer that counts, when nobody is followed now.
    pub holdover_since_us: Option<i64>,
    /// Until then the clock counts as in step without an answer.
    pub trusted_until_us: Option<i64>,
    /// Until the clock is in step, when it is being tuned there.
    pub slewed_after_s: Option<f64>,
    pub step_needed: Option<StepNeeded>,
    pub leap: LeapNow,
    pub rtc: RtcNow,
    /// Why the system does not let the clock be kept; one sentence.
    pub trouble: Option<String>,
    pub servers: Vec<ServerNow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    /// A person sets it.
    Off,
    /// No server has been followed since the box was started.
    Searching,
    /// Servers differ, and no side is more than half.
    Disputed,
    /// A server is followed.
    InStep,
    /// A server is followed, and the clock on the way to its time.
    Slewing,
    /// Nobody answers who is believed; the clock runs on as it was tuned.
    Holdover,
    /// So far off that a person has to say whether the clock is stepped.
    StepNeeded,
}

/// Why the clock is not stepped by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepNeeded {
    /// One server alone says so.
    OneServerAlone,
    TooFar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeapNow {
    None,
    /// This day ends with 23:59:60 UTC.
    Insert,
    /// This day ends with 23:59:58 UTC.
    Delete,
}

/// The clock that runs while the box is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RtcNow {
    Absent,
    Good,
    /// It told a time before the box was made, or before one that had been; its battery, most likely.
    Dead,
    /// It does not run with the clock.
    Wrong,
    /// It is there and cannot be read or set.
    Unreadable,
}

/// A time server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerNow {
    /// As in the settings.
    pub server: String,
    /// As it answered last.
    pub address: Option<String>,
    pub state: ServerState,
    /// Its time less the box's.
    pub offset_us: Option<i64>,
    /// The shortest way there and back.
    pub delay_us: Option<i64>,
    /// Root mean square of what its answers differ by.
    pub jitter_us: Option<i64>,
    /// 1 for one with a clock of its own, 15 at most.
    pub stratum: Option<u8>,
    /// The last eight questions, newest in the lowest bit: 1 answered.
    pub reach: u8,
    /// From one question to the next; `None`: it is not asked any more.
    pub poll_s: Option<f64>,
    /// The last answer.
    pub heard_us: Option<i64>,
}

/// What a server counts for, and why it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// It is not asked.
    Off,
    Waiting,
    Followed,
    Agrees,
    Outvoted,
    Disputed,
    NoName,
    Unreachable,
    Silent,
    Unsynchronised,
    RateLimited,
    Denied,
    Nonsense,
}
