//! One analog line's life.
//!
//! ```text
//!                     first ring                 off-hook <= 6 s after the last ring
//!          +-------------------------> [ringing] ------------------------------------+
//!          |                               |                                         v
//!       [idle] <---------------------------+   6 s without a ring: missed       [off-hook] <--+ flash, reversal, digits,
//!        ^ ^ |                                                                   |  |  |      | tones, voice: evidence
//!        | | +-------------------- off-hook without ringing ---------------------|->+  +------+
//!        | +------------------------------- on-hook -----------------------------+  |
//!        |                                                                          |
//!        |   voltage back                    no voltage for line_lost_after_s       |
//!        +--------------------- [line lost] <--- from any state --------------------+
//! ```
//!
//! A call lasts from its first ring or off-hook to its last ring, on-hook or line lost; `call` weighs its evidence.
//! Beside the call, at most one recording is open (`tape`); when it starts and stops is `policy`:
//!
//! ```text
//!                      start condition of the start mode, and no do-not-record rule
//!   [not recording] ----------------------------------------------------------------> [recording]
//!      ^  ^                                                                            |  |   |
//!      |  +-- a stop mode's condition: RecordStop at the moment the condition began ---+  |   | length: RecordStop and
//!      |                                                                                  |   | RecordStart at one sample
//!      +-- the call ends <-- [withheld: nothing is kept] <-- do-not-record number --------+   +-> [recording], next segment
//! ```
//!
//! Where `length` is no stop mode, a recording still goes on in a new segment every 24 hours ([`LONGEST_SEGMENT_S`]): no
//! file grows without end, whatever the settings say.
//!
//! Everything is said when it is certain and dated when it happened: `at` of an event may lie before that of one said
//! earlier, never in the future.

use arrayvec::ArrayString;
use signal::hook::{HookEvent, HookReader, HookSettings};
use signal::units::seconds_to_samples;
use signal::{CallerId, Detection, SampleIndex};

use crate::alarm::{Alarms, Standing};
use crate::call::Call;
use crate::event::{
    CallKey, CallType, Direction, LineEvent, LineEventKind, PortState, Side, StartMode, StopMode,
};
use crate::hearing::Hearing;
use crate::idle::IdleDigits;
use crate::key::KeyCode;
use crate::policy::{MARGIN_S, TONE_LAG_S};
use crate::settings::{ChannelSettings, PortUse};
use crate::tape::Tape;
use crate::validate::SettingsError;

/// What a person, a clock or the station tells a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// From the page: begins a recording in any start mode.
    ManualStart,
    /// From the page: ends a recording that has `manual` among its stop modes, or that began manually. The channel's
    /// start mode may begin another one only with the next call (voice: the next voice; schedule: the next span;
    /// continuous: after the next `ManualStart`).
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
    #[error("the port's capture unit is not there")]
    UnitLost,
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

/// Seconds after which a recording that no length limit splits goes on in a new segment: the longest that
/// `max_length_s` may be.
pub const LONGEST_SEGMENT_S: f32 = 24.0 * 3600.0;

/// How far `RecordStart.at` can lie behind the `now` at which it is said, in samples. The pre-roll comes on top.
pub fn max_lookback_samples(settings: &ChannelSettings) -> u64 {
    let undecided_s = settings.line_lost_after_s.max(settings.silence_stop_s).max(TONE_LAG_S);
    let hook_s = (settings.flash_max_ms.max(settings.hook_debounce_ms)) as f32 / 1000.0;
    seconds_to_samples(f64::from(undecided_s.max(hook_s) + MARGIN_S))
}

/// Events of the hook that one step can bring; the vector does not grow in steady state.
const HOOK_EVENTS: usize = 32;

/// One channel of an analog line.
#[derive(Debug)]
pub struct Line {
    pub(crate) port: u16,
    pub(crate) settings: ChannelSettings,
    pub(crate) settings_since: SampleIndex,
    pub(crate) line_number: Option<ArrayString<32>>,
    pub(crate) port_use: PortUse,
    pub(crate) now: SampleIndex,
    changes: u64,
    /// The first sample, until something has been said of it.
    pub(crate) begins_at: Option<SampleIndex>,

    pub(crate) hook: HookReader,
    hook_events: Vec<HookEvent>,
    pub(crate) hearing: Hearing,
    pub(crate) idle: IdleDigits,
    pub(crate) keys: KeyCode,
    pub(crate) alarms: Alarms,

    /// Since when the line is off-hook; `None` on-hook and while it is lost.
    pub(crate) off_hook: Option<SampleIndex>,
    pub(crate) lost: bool,
    /// Its unit is gone.
    pub(crate) away: bool,
    pub(crate) call: Option<Call>,
    /// Caller ID that came on an idle line, before any ring.
    pub(crate) early_caller: Option<(SampleIndex, CallerId)>,
    /// The last reversal on an idle line: some exchanges announce caller ID by it.
    pub(crate) idle_reversal: Option<SampleIndex>,

    pub(crate) tape: Tape,
    /// The last tone or digit that ended.
    pub(crate) sound_end: SampleIndex,
    pub(crate) scheduled: bool,
    pub(crate) do_not_record: bool,
    /// Stopped by hand: the start mode waits for its next cause.
    pub(crate) held: bool,
    /// Stopped by silence or busy tone: the same call goes on being recorded when something is said again.
    pub(crate) paused: bool,
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
        Ok(Self {
            port,
            settings_since: first,
            line_number: None,
            port_use: PortUse::Recorded,
            now: first,
            changes: 0,
            begins_at: Some(first),
            hook: HookReader::new(hook_settings(&settings)),
            hook_events: Vec::with_capacity(HOOK_EVENTS),
            hearing: Hearing::default(),
            idle: IdleDigits::default(),
            keys: KeyCode::default(),
            alarms: Alarms::new(first),
            off_hook: None,
            lost: false,
            away: false,
            call: None,
            early_caller: None,
            idle_reversal: None,
            tape: Tape::new(first),
            sound_end: first,
            scheduled: false,
            do_not_record: false,
            held: false,
            paused: false,
            settings,
        })
    }

    /// The line's own number, which goes into its records; what is longer than 32 bytes is no number.
    pub fn set_line_number(&mut self, number: Option<&str>) {
        self.line_number = number.and_then(|number| ArrayString::from(number).ok());
    }

    /// From `at` on the unit measures `volts` (signed DC) and `ring_volts` (AC RMS). In the order of `at`; whenever it
    /// changes or every 10 ms. A line of which nothing is measured has 48 V and no ring.
    pub fn status(&mut self, at: SampleIndex, volts: f32, ring_volts: f32, out: &mut Vec<LineEvent>) {
        self.reach(at, out);
        self.with_hook(out, |hook, events| hook.status(at, volts, ring_volts, events));
    }

    /// A detector heard something on `side`.
    pub fn detection(&mut self, side: Side, detection: &Detection, out: &mut Vec<LineEvent>) {
        self.reach(last_sample(detection), out);
        self.changes += 1;
        if self.is_in_use() {
            self.heard(side, detection, out);
        } else {
            self.hearing.hear(side, detection);
        }
    }

    /// All samples before `now` have been seen by the detectors, and all status of before `now` has been given.
    /// Called after each block.
    pub fn advance(&mut self, now: SampleIndex, out: &mut Vec<LineEvent>) {
        self.reach(now, out);
        let now = self.now;
        self.with_hook(out, |hook, events| hook.advance(now, events));
        if self.is_in_use() {
            let before = (out.len(), self.answered_call());
            self.pass_time(out);
            self.changes += u64::from(before != (out.len(), self.answered_call()));
        }
    }

    /// Whether there is a call, and whether it is answered: what time can change without an event.
    fn answered_call(&self) -> Option<bool> {
        self.call.as_ref().map(Call::is_answered)
    }

    /// # Errors
    /// Why the command could not be carried out; nothing has changed then.
    pub fn command(
        &mut self,
        command: Command,
        now: SampleIndex,
        out: &mut Vec<LineEvent>,
    ) -> Result<(), CommandError> {
        self.advance(now, out);
        self.changes += 1;
        let in_use = match self.is_in_use() {
            true => Ok(()),
            false if self.away => Err(CommandError::UnitLost),
            false => Err(CommandError::NotInUse),
        };
        match command {
            Command::ManualStart => in_use.and_then(|()| self.manual_start(out)),
            Command::ManualStop => self.manual_stop(out),
            Command::ScheduleBegin => {
                self.schedule_begin(out);
                Ok(())
            }
            Command::ScheduleEnd => {
                self.schedule_end(out);
                Ok(())
            }
            Command::DoNotRecordBegin => {
                self.do_not_record_begin(out);
                Ok(())
            }
            Command::DoNotRecordEnd => {
                self.do_not_record_end(out);
                Ok(())
            }
            Command::AcknowledgeOffHook => {
                let cleared = self.alarms.acknowledge_off_hook(self.now, out);
                if cleared { Ok(()) } else { Err(CommandError::NoAlarm) }
            }
        }
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
        self.advance(now, out);
        self.changes += 1;
        self.hook.set_settings(hook_settings(&settings));
        self.settings = settings;
        self.settings_since = self.now;
        if self.is_in_use() {
            self.alarms.change_settings(self.now, &self.settings, out);
            self.settings_changed(out);
        }
        Ok(())
    }

    /// Takes the port into or out of use: out of use it says nothing but the end of what was open.
    pub fn set_use(&mut self, port_use: PortUse, now: SampleIndex, out: &mut Vec<LineEvent>) {
        if port_use == self.port_use {
            return;
        }
        if self.begins_at.is_none() {
            self.advance(now, out);
        }
        self.changes += 1;
        let was_in_use = self.is_in_use();
        self.port_use = port_use;
        match (was_in_use, self.is_in_use()) {
            (true, false) => self.go_out_of_use(out),
            (false, true) => self.come_into_use(out),
            _ => {}
        }
    }

    /// The input ends at `end` (one behind its last sample): what is still open stops with `shutdown`.
    pub fn finish(&mut self, end: SampleIndex, out: &mut Vec<LineEvent>) {
        self.advance(end, out);
        self.changes += 1;
        let end = self.now;
        self.with_hook(out, |hook, events| hook.finish(end, events));
        if self.is_in_use() {
            self.shut_down(out);
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn settings(&self) -> &ChannelSettings {
        &self.settings
    }

    /// Whether FSK caller ID can come now: between rings, and for a while after a reversal on an idle line.
    pub fn caller_id_armed(&self) -> bool {
        let announced = self.idle_reversal.is_some_and(|at| self.now.since(at) < crate::call::ANSWERS_RING);
        let rings = self.call.as_ref().is_some_and(Call::is_waiting_for_answer);
        self.is_in_use() && !self.lost && self.off_hook.is_none() && (rings || announced)
    }

    pub fn port_state(&self) -> PortState {
        match self.port_use {
            PortUse::Disabled => PortState::Disabled,
            PortUse::Unused => PortState::Unused,
            PortUse::Recorded if self.lost || self.away => PortState::LineLost,
            PortUse::Recorded if self.tape.open.as_ref().is_some_and(|open| !open.withheld) => {
                PortState::Recording
            }
            PortUse::Recorded if self.off_hook.is_some() => PortState::OffHook,
            PortUse::Recorded if self.call.is_some() => PortState::Ringing,
            PortUse::Recorded => PortState::Idle,
        }
    }

    /// Counts up whenever `port_state`, `open_recording` or `standing_alarms` may have another answer: who shows them
    /// asks again only then.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    pub fn standing_alarms(&self) -> Standing {
        self.alarms.standing()
    }

    pub fn open_recording(&self) -> Option<OpenRecording> {
        let open = self.tape.open.as_ref()?;
        let call = self.call.as_ref().filter(|call| call.off_hook.is_some());
        let facts = open.facts(call.map(Call::facts_so_far), self.now);
        Some(OpenRecording {
            call: open.key,
            segment: open.segment,
            start: open.start,
            start_mode: open.mode,
            direction: call.and_then(Call::direction),
            call_type: facts.call_type,
            peer_number: facts.peer_number,
            peer_name: facts.peer_name,
            withheld: open.withheld,
        })
    }

    pub(crate) fn is_in_use(&self) -> bool {
        self.port_use == PortUse::Recorded && !self.away
    }

    /// Something of what pages show may have another answer.
    pub(crate) fn touch(&mut self) {
        self.changes += 1;
    }

    /// Says that something happened at `at`.
    pub(crate) fn say(&self, at: SampleIndex, kind: LineEventKind, out: &mut Vec<LineEvent>) {
        out.push(LineEvent { at: at.min(self.now), kind });
    }

    /// Time has come as far as `at`. What begins with the first sample begins here.
    fn reach(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        self.now = self.now.max(at);
        if let Some(first) = self.begins_at.take_if(|first| *first < at)
            && self.is_in_use()
        {
            self.changes += 1;
            self.resume(first, out);
        }
    }

    fn with_hook(
        &mut self,
        out: &mut Vec<LineEvent>,
        read: impl FnOnce(&mut HookReader, &mut Vec<HookEvent>),
    ) {
        let mut events = std::mem::take(&mut self.hook_events);
        read(&mut self.hook, &mut events);
        if self.is_in_use() {
            self.changes += events.len() as u64;
            for event in &events {
                self.hook_event(*event, out);
            }
        }
        events.clear();
        self.hook_events = events;
    }
}

pub(crate) fn hook_settings(settings: &ChannelSettings) -> HookSettings {
    HookSettings {
        off_hook_below_volts: settings.off_hook_below_volts,
        on_hook_above_volts: settings.on_hook_volts(),
        line_lost_below_volts: settings.line_lost_below_volts,
        line_lost_after_ms: (settings.line_lost_after_s * 1000.0).round() as u32,
        hook_debounce_ms: settings.hook_debounce_ms,
        flash_max_ms: settings.flash_max_ms,
        ring_above_volts: settings.ring_above_volts,
    }
}

/// The last sample of what a detection is about: time has come so far at least.
fn last_sample(detection: &Detection) -> SampleIndex {
    match *detection {
        Detection::Digit { at, samples, .. } => at.plus(u64::from(samples)),
        Detection::CallerId { at, .. }
        | Detection::ToneStart { at, .. }
        | Detection::ToneStop { at, .. }
        | Detection::VoiceStart { at }
        | Detection::VoiceStop { at } => at,
    }
}

/// Whether `mode` ends a recording that began by `start`.
pub(crate) fn stops_by(settings: &ChannelSettings, start: StartMode, mode: StopMode) -> bool {
    settings.stop_modes_of(start).contains(&mode)
}
