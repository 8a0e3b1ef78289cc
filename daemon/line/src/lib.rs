//! One channel's life: hook, call, start and stop policy. A pure state machine: the same input gives the same
//! events, live or from a scenario.

pub mod event;
pub mod machine;
pub mod settings;
pub mod validate;
pub mod weekly;

pub use event::{
    AlarmCode, CallKey, CallType, CallWithoutAudio, Direction, LineEvent, LineEventKind, PortState,
    RecordStop, Severity, Side, StartMode, StopMode,
};
pub use machine::{Command, CommandError, Line, OpenRecording, max_lookback_samples};
pub use settings::{ChannelSettings, PortUse};
pub use validate::SettingsError;
pub use weekly::WeeklySpan;
