//! One channel's life: hook, call, start and stop policy. A pure state machine: the same input gives the same
//! events, live or from a scenario.

mod alarm;
mod away;
mod call;
pub mod event;
mod follow;
mod hearing;
mod idle;
mod key;
pub mod machine;
mod numbers;
mod policy;
pub mod settings;
mod spells;
mod tape;
pub mod validate;
pub mod weekly;

pub use alarm::Standing;
pub use event::{
    AlarmCode, CallKey, CallType, CallWithoutAudio, Direction, LineEvent, LineEventKind, PortState,
    RecordStop, Severity, Side, StartMode, StopMode,
};
pub use machine::{Command, CommandError, LONGEST_SEGMENT_S, Line, OpenRecording, max_lookback_samples};
pub use settings::{ChannelSettings, PortUse};
pub use validate::SettingsError;
pub use weekly::WeeklySpan;
