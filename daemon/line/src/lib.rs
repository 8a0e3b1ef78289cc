//! One channel's life: hook, call, start and stop policy. A pure state machine: the same input gives the same
//! events, live or from a scenario.

pub mod event;
pub mod settings;

pub use event::{AlarmCode, CallKey, CallType, LineEvent, LineEventKind, PortState, Severity, StartMode, StopMode};
pub use settings::ChannelSettings;
