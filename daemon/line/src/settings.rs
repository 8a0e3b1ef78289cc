//! The settings of a channel, as a scenario, the settings file and the API write them.

use serde::{Deserialize, Serialize};

use crate::event::{StartMode, StopMode};
use crate::weekly::WeeklySpan;

/// Settings of one channel. Every member has a default; `validate` says what is wrong with a set of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelSettings {
    pub start_mode: StartMode,
    /// Absent: by start mode, see `stop_modes()`.
    pub stop_modes: Option<Vec<StopMode>>,

    pub off_hook_below_volts: f32,
    /// Absent: 2 V above `off_hook_below_volts`.
    pub on_hook_above_volts: Option<f32>,
    pub line_lost_below_volts: f32,
    pub line_lost_after_s: f32,
    pub hook_debounce_ms: u32,
    pub flash_max_ms: u32,
    pub ring_above_volts: f32,

    pub silence_stop_s: f32,
    /// Holds where `length` is among the stop modes; where it is not, a recording goes on in a new segment after 24 h.
    pub max_length_s: f32,
    pub pre_roll_s: f32,
    /// Two letters, ISO 3166-1; chooses the tone table.
    pub country: String,
    /// Voice begins above this level.
    pub voice_above_dbm0: f32,
    /// DTMF codes of the `key` start mode.
    pub key_start: String,
    pub key_stop: String,

    /// A missed or unanswered call makes a record without audio.
    pub record_missed_calls: bool,
    /// Peer numbers that are never recorded; a trailing `*` stands for any digits.
    pub do_not_record: Vec<String>,
    /// Weekly times in which nothing is recorded, and times of the `schedule` start mode.
    pub do_not_record_times: Vec<WeeklySpan>,
    pub schedule: Vec<WeeklySpan>,

    /// 0: no alarm.
    pub off_hook_alarm_after_s: u32,
    /// 0: no alarm.
    pub no_call_alarm_after_s: u32,

    /// On E1 ports only.
    pub signalling_start: SignallingStart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignallingStart {
    Setup,
    Alerting,
    Connect,
}

/// How a port is used (ST-01). Only a port in use records, and only it raises alarms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortUse {
    #[default]
    Recorded,
    /// Wired, but not recorded for now.
    Disabled,
    /// Not wired.
    Unused,
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self {
            start_mode: StartMode::Voltage,
            stop_modes: None,
            off_hook_below_volts: 16.0,
            on_hook_above_volts: None,
            line_lost_below_volts: 3.0,
            line_lost_after_s: 5.0,
            hook_debounce_ms: 50,
            flash_max_ms: 700,
            ring_above_volts: 20.0,
            silence_stop_s: 5.0,
            max_length_s: 3600.0,
            pre_roll_s: 2.0,
            country: "cn".into(),
            voice_above_dbm0: -38.0,
            key_start: "*#".into(),
            key_stop: "#*".into(),
            record_missed_calls: true,
            do_not_record: Vec::new(),
            do_not_record_times: Vec::new(),
            schedule: Vec::new(),
            off_hook_alarm_after_s: 0,
            no_call_alarm_after_s: 0,
            signalling_start: SignallingStart::Connect,
        }
    }
}

impl ChannelSettings {
    pub fn on_hook_volts(&self) -> f32 {
        self.on_hook_above_volts.unwrap_or(self.off_hook_below_volts + 2.0)
    }

    /// The stop modes of a recording that began by `start`: those that are set, else those that `start` has by default.
    pub fn stop_modes_of(&self, start: StartMode) -> &[StopMode] {
        self.stop_modes.as_deref().unwrap_or_else(|| default_stop_modes(start))
    }

    pub fn stops_by(&self, mode: StopMode) -> bool {
        self.stop_modes_of(self.start_mode).contains(&mode)
    }
}

/// Stop modes that a start mode has unless they are set.
pub fn default_stop_modes(start: StartMode) -> &'static [StopMode] {
    use StopMode::{Length, LineLost, Manual, OnHook, Release, Schedule, Silence};
    match start {
        StartMode::Voltage => &[OnHook, LineLost, Length],
        StartMode::Voice => &[Silence, Length],
        StartMode::Signalling => &[Release, Length],
        StartMode::Key => &[Manual, OnHook, Length],
        StartMode::Schedule => &[Schedule, Length],
        StartMode::Continuous => &[Length],
        StartMode::Manual => &[Manual, Length],
    }
}
