//! The line's public face (being filled in).

use arrayvec::ArrayString;
use signal::{Detection, SampleIndex};

use crate::event::{CallKey, CallType, Direction, LineEvent, PortState, Side, StartMode};
use crate::settings::{ChannelSettings, PortUse};
use crate::validate::SettingsError;

/// What a person, a clock or the station tells a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// From the page: begins a recording in any start mode.
    ManualStart,
    /// From the page: ends a recording that has `manual` among its stop modes, or that began manually.
    ManualStop,
    /// A span of `ChannelSettings::schedule` begins, or holds when the line is made.
    ScheduleBegin,
    ScheduleEnd,
    /// A span of `ChannelSettings::do_not_record_times` begins, or holds when the line is made.
    DoNotRecordBegin,
    DoNotRecordEnd,
    /// Somebody knows about the phone that is off-hook too long: clears the alarm until the next off-hook.
    AcknowledgeOffHook,
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("the port is already being recorded")]
    AlreadyRecording,
    #[error("the port is not being recorded")]
    NotRecording,
    #[error("this recording cannot be stopped by hand: manual is not among the channel's stop modes")]
    ManualStopNotAllowed,
    #[error("a do-not-record rule holds on this port now")]
    DoNotRecord,
    #[error("the port is not in use")]
    NotInUse,
    #[error("no off-hook alarm is raised on this port")]
    NoAlarm,
}

/// The recording that is open now, for the live page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenRecording {
    pub call: CallKey,
    pub segment: u32,
    /// Where this segment's start condition was met.
    pub start: SampleIndex,
    pub start_mode: StartMode,
    pub direction: Option<Direction>,
    /// As far as it is known yet.
    pub call_type: CallType,
    pub peer_number: Option<ArrayString<32>>,
    pub peer_name: Option<ArrayString<64>>,
    /// A do-not-record number: nothing is kept.
    pub withheld: bool,
}

/// How far `RecordStart.at` can lie behind the `now` at which it is said, in samples. The pre-roll comes on top.
pub fn max_lookback_samples(settings: &ChannelSettings) -> u64 {
    let waits_s = settings.line_lost_after_s.max(settings.silence_stop_s).max(3.0);
    signal::units::seconds_to_samples(f64::from(waits_s) + 2.0)
}

/// One channel of an analog line.
#[derive(Debug)]
pub struct Line {
    port: u16,
    settings: ChannelSettings,
}

impl Line {
    /// A line seen from sample 0 on.
    ///
    /// # Errors
    /// Settings that no channel, or no analog line, can have.
    pub fn new(port: u16, settings: ChannelSettings) -> Result<Self, SettingsError> {
        Self::starting_at(port, settings, SampleIndex(0))
    }

    /// A line seen from sample `first` on: one that is taken into use while its unit is running.
    ///
    /// # Errors
    /// As `new`.
    pub fn starting_at(
        port: u16,
        settings: ChannelSettings,
        first: SampleIndex,
    ) -> Result<Self, SettingsError> {
        settings.validate()?;
        settings.validate_analog()?;
        let _ = first;
        Ok(Self { port, settings })
    }

    /// The line's own number, which goes into its records.
    pub fn set_line_number(&mut self, number: Option<&str>) {
        let _ = number;
    }

    /// From `at` on the unit measures `volts` (signed DC) and `ring_volts` (AC RMS). In the order of `at`; whenever it
    /// changes or every 10 ms. A line of which nothing is measured has 48 V and no ring.
    pub fn status(&mut self, at: SampleIndex, volts: f32, ring_volts: f32, out: &mut Vec<LineEvent>) {
        let _ = (at, volts, ring_volts, out);
    }

    /// A detector heard something on `side`.
    pub fn detection(&mut self, side: Side, detection: &Detection, out: &mut Vec<LineEvent>) {
        let _ = (side, detection, out);
    }

    /// All samples before `now` have been seen by the detectors, and all status of before `now` has been given.
    /// Called after each block.
    pub fn advance(&mut self, now: SampleIndex, out: &mut Vec<LineEvent>) {
        let _ = (now, out);
    }

    /// # Errors
    /// Why the command could not be carried out; nothing has changed then.
    pub fn command(
        &mut self,
        command: Command,
        now: SampleIndex,
        out: &mut Vec<LineEvent>,
    ) -> Result<(), CommandError> {
        let _ = (command, now, out);
        Ok(())
    }

    /// New settings, at once. An open recording goes on unless its start mode can no longer end it.
    ///
    /// # Errors
    /// Settings that no channel, or no analog line, can have; the old ones stay.
    pub fn change_settings(
        &mut self,
        settings: ChannelSettings,
        now: SampleIndex,
        out: &mut Vec<LineEvent>,
    ) -> Result<(), SettingsError> {
        settings.validate()?;
        settings.validate_analog()?;
        let _ = (now, out);
        self.settings = settings;
        Ok(())
    }

    /// Takes the port into or out of use: out of use it says nothing but the end of what was open.
    pub fn set_use(&mut self, port_use: PortUse, now: SampleIndex, out: &mut Vec<LineEvent>) {
        let _ = (port_use, now, out);
    }

    /// The input ends at `end` (one behind its last sample): what is still open stops with `shutdown`.
    pub fn finish(&mut self, end: SampleIndex, out: &mut Vec<LineEvent>) {
        let _ = (end, out);
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn settings(&self) -> &ChannelSettings {
        &self.settings
    }

    /// Whether FSK caller ID can come now: between rings, and for a while after a reversal on an idle line.
    pub fn caller_id_armed(&self) -> bool {
        false
    }

    pub fn port_state(&self) -> PortState {
        PortState::Idle
    }

    pub fn open_recording(&self) -> Option<OpenRecording> {
        None
    }
}
