//! What is true of a recording for ever: written once with its audio, never changed.

use line::{CallType, StartMode, StopMode};
use serde::{Deserialize, Serialize};

/// Names a record in the whole world: the box, and the box's count of records without a hole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordId {
    pub serial: String,
    pub sequence: u64,
}

/// How far the wall clock could be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockQuality {
    Synchronised,
    Holdover,
    /// Set by hand or by the real-time clock, never checked.
    Unchecked,
    /// Known to be wrong.
    Wrong,
    /// The times come from a scenario, not from this box's clock.
    Scenario,
}

/// A moment: wall clock, and what is needed to correct it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instant {
    /// Microseconds of UTC since 1970.
    pub utc_us: i64,
    /// Seconds east of UTC, at the box, at that moment.
    pub offset_s: i32,
    pub boot_id: String,
    /// Microseconds of the boot's monotonic clock.
    pub monotonic_us: i64,
    pub quality: ClockQuality,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    #[serde(rename = "g711_alaw")]
    ALaw,
    #[serde(rename = "g711_ulaw")]
    MuLaw,
    /// 16 bit.
    Linear,
}

/// Something heard or seen during a recording, shown on its waveform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Samples from the first sample of the audio (pre-roll included).
    pub sample: u64,
    #[serde(flatten)]
    pub kind: MarkKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "snake_case")]
pub enum MarkKind {
    Digit {
        digit: char,
    },
    PulseDigit {
        digit: char,
    },
    Tone {
        tone: signal::Tone,
    },
    HookFlash {
        ms: u32,
    },
    PolarityReversed,
    /// Samples that were never captured, replaced by silence from here on.
    Gap {
        samples: u64,
    },
}

/// Facts of one record. A record without audio (a missed call) has `samples == 0`, no `codec` and no file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Version of this layout: 1. Later ones only add members.
    pub version: u32,
    #[serde(flatten)]
    pub id: RecordId,
    /// Shared by the segments of one long call and by all records of one call.
    pub call_id: String,
    /// 0, 1, … within a long call.
    pub segment: u32,
    pub port: u16,
    pub port_name: String,
    /// The start condition; the audio begins `pre_roll_samples` before it.
    pub start: Instant,
    pub rate_hz: u32,
    pub tracks: u16,
    pub codec: Option<Codec>,
    /// Samples a track, pre-roll included.
    pub samples: u64,
    pub pre_roll_samples: u32,
    pub start_mode: StartMode,
    pub stop_mode: StopMode,
    pub call_type: CallType,
    pub line_number: Option<String>,
    pub peer_number: Option<String>,
    pub peer_name: Option<String>,
    /// A do-not-record rule held the audio back.
    #[serde(default)]
    pub withheld: bool,
    #[serde(default)]
    pub marks: Vec<Mark>,
    /// Lower-case hexadecimal SHA-256 of the kept audio bytes (the `data` chunk); `None` without audio.
    pub audio_sha256: Option<String>,
}
