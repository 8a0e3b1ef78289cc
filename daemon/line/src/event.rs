//! What a line says. Names and meanings are those of the scenario format, a fixed interface.

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};
use signal::{CallerId, Digit, SampleIndex, Tone};

/// A thing that happened on a line at sample `at`, which may lie before what was said last.
#[derive(Clone, Debug, PartialEq)]
pub struct LineEvent {
    pub at: SampleIndex,
    pub kind: LineEventKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LineEventKind {
    RingStart,
    RingStop,
    OffHook {
        volts: f32,
    },
    OnHook {
        volts: f32,
    },
    PolarityReversed {
        volts: f32,
    },
    HookFlash {
        ms: u32,
    },
    LineLost {
        volts: f32,
    },
    LineRestored {
        volts: f32,
    },
    Digit {
        digit: Digit,
        samples: u32,
    },
    PulseDigit {
        digit: Digit,
    },
    CallerId(CallerId),
    ToneStart(Tone),
    ToneStop(Tone),
    VoiceStart,
    VoiceStop,
    /// Keep audio from `at - pre_roll_samples` on.
    RecordStart {
        call: CallKey,
        segment: u32,
        mode: StartMode,
        pre_roll_samples: u32,
    },
    /// A do-not-record number was recognised in an open recording: what was kept of it is thrown away and nothing
    /// more is kept. Its `RecordStop`, with `withheld`, follows when the call ends.
    RecordWithheld {
        call: CallKey,
        segment: u32,
    },
    /// The audio ends at `at`; whatever was kept behind it is cut off.
    RecordStop(RecordStop),
    /// A call that left no audio (missed, or withheld by a do-not-record rule), `at` its first ring or off-hook.
    CallWithoutAudio(CallWithoutAudio),
    AlarmRaised {
        code: AlarmCode,
    },
    AlarmCleared {
        code: AlarmCode,
    },
}

/// Names a call on this box's input: the port it came on and the sample it began at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallKey {
    pub port: u16,
    pub at: SampleIndex,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RecordStop {
    pub call: CallKey,
    pub segment: u32,
    /// Where the recording's start condition was met.
    pub start: SampleIndex,
    pub pre_roll_samples: u32,
    pub start_mode: StartMode,
    pub stop_mode: StopMode,
    pub call_type: CallType,
    pub line_number: Option<ArrayString<32>>,
    pub peer_number: Option<ArrayString<32>>,
    pub peer_name: Option<ArrayString<64>>,
    /// A do-not-record rule held the audio back: `RecordWithheld` came before, and there is no audio to keep.
    pub withheld: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CallWithoutAudio {
    pub call: CallKey,
    pub end: SampleIndex,
    pub call_type: CallType,
    pub line_number: Option<ArrayString<32>>,
    pub peer_number: Option<ArrayString<32>>,
    pub peer_name: Option<ArrayString<64>>,
    /// A do-not-record rule held the audio back.
    pub withheld: bool,
}

/// The track on which something was heard. A two-wire line carries both sides on one track; only a line with two
/// tracks can tell who spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Near,
    Far,
    Both,
}

/// Which way a call goes, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Incoming,
    Outgoing,
}

/// Makes an enum whose variants have the fixed names used in files, events and the API. The caller has serde's derives
/// `Serialize` and `Deserialize` in scope.
#[macro_export]
macro_rules! names {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_meta])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in files, events and the API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

names! {
    /// Why a recording began (ST-02).
    StartMode {
        Voltage = "voltage", Voice = "voice", Key = "key", Signalling = "signalling",
        Schedule = "schedule", Continuous = "continuous", Manual = "manual",
    }
}

names! {
    /// Why a recording ended (ST-03).
    StopMode {
        OnHook = "on_hook", Silence = "silence", BusyTone = "busy_tone", Release = "release",
        LineLost = "line_lost", Schedule = "schedule", Length = "length",
        /// By a person: on the page, or with the DTMF code of the `key` start mode (settings may say `key`).
        #[serde(alias = "key")]
        Manual = "manual",
        Shutdown = "shutdown", PowerLoss = "power_loss",
    }
}

names! {
    /// Direction and outcome of a call (ST-05).
    CallType {
        IncomingAnswered = "incoming_answered", IncomingMissed = "incoming_missed",
        OutgoingAnswered = "outgoing_answered", OutgoingUnanswered = "outgoing_unanswered",
        Unknown = "unknown",
    }
}

names! {
    /// What a port shows on the live page (ST-12).
    PortState {
        Idle = "idle", Ringing = "ringing", OffHook = "off_hook", Recording = "recording",
        LineLost = "line_lost", Disabled = "disabled", Unused = "unused",
    }
}

names! {
    /// How bad an alarm is (ST-11).
    Severity { Notice = "notice", Minor = "minor", Critical = "critical" }
}

names! {
    /// Alarms that a line itself raises; the box's own are added in `catalog::alarm`.
    AlarmCode {
        LineLost = "line_lost",
        OffHookTooLong = "off_hook_too_long",
        NoCall = "no_call",
    }
}
