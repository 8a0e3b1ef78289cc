//! When a recording starts and stops: start modes, stop modes, do-not-record rules, commands (ST-02, ST-03, ST-21).

use signal::SampleIndex;
use signal::units::{ms_to_samples, seconds_to_samples};

use crate::call::Call;
use crate::event::{CallKey, LineEvent, StartMode, StopMode};
use crate::machine::{CommandError, LONGEST_SEGMENT_S, Line, max_lookback_samples, stops_by};
use crate::numbers::is_listed;

/// Busy and congestion tone are named this late, at most.
pub(crate) const TONE_LAG_S: f32 = 4.0;
/// What comes on top of every wait: a block, and detectors that say things late.
pub(crate) const MARGIN_S: f32 = 1.5;
/// Voice is heard this late, at most.
const VOICE_LAG: u64 = ms_to_samples(600);
/// Digits and hook changes are heard this late, at most, beside what the hook itself says to be undecided.
const LAG: u64 = ms_to_samples(200);

/// A silence in a recording.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    quiet: SampleIndex,
    /// When it will have lasted `silence_stop_s`.
    over: SampleIndex,
}

impl Line {
    fn stops(&self, mode: StopMode) -> bool {
        self.tape.open.as_ref().is_some_and(|open| stops_by(&self.settings, open.mode, mode))
    }

    fn open_start(&self) -> Option<SampleIndex> {
        self.tape.open.as_ref().map(|open| open.start)
    }

    /// Starts a recording, unless one is open or a rule forbids it. A start that was found late goes back no further
    /// than audio is kept, and never into what was recorded already.
    fn start(&mut self, at: SampleIndex, mode: StartMode, out: &mut Vec<LineEvent>) {
        if self.tape.open.is_some() || !self.is_in_use() {
            return;
        }
        let off_hook_call = self.call.as_mut().filter(|call| call.off_hook.is_some());
        if self.do_not_record || off_hook_call.as_ref().is_some_and(|call| call.withheld) {
            if let Some(call) = off_hook_call {
                call.suppressed = true;
            }
            return;
        }
        let earliest = self.tape.floor().max(self.now.minus(max_lookback_samples(&self.settings)));
        let at = at.max(earliest).min(self.now);
        let key = match off_hook_call {
            Some(call) if call.begin <= at => {
                call.has_record = true;
                call.begin
            }
            _ => at,
        };
        let pre_roll = match mode {
            StartMode::Voltage | StartMode::Voice => seconds_to_samples(f64::from(self.settings.pre_roll_s)),
            _ => 0,
        };
        self.tape.begin(CallKey { port: self.port, at: key }, at, mode, pre_roll, out);
    }

    fn stop(&mut self, at: SampleIndex, mode: StopMode, out: &mut Vec<LineEvent>) {
        let Some(start) = self.open_start() else { return };
        let at = at.min(self.now).max(start);
        let current =
            self.call.as_ref().filter(|call| call.off_hook.is_some()).map(|call| call.facts_at_end(at));
        self.tape.end(at, mode, current, self.line_number, out);
    }

    /// Starts what the start mode wants at `at`, if its cause is there.
    pub(crate) fn resume(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        let mode = self.settings.start_mode;
        let cause = match mode {
            StartMode::Voltage => self.off_hook.is_some(),
            StartMode::Voice => self.hearing.is_spoken(),
            StartMode::Schedule => self.scheduled,
            StartMode::Continuous => true,
            StartMode::Key | StartMode::Manual | StartMode::Signalling => false,
        };
        if cause && !self.held && !self.paused {
            self.start(at, mode, out);
        }
    }

    pub(crate) fn start_by_off_hook(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        if self.settings.start_mode == StartMode::Voltage {
            self.resume(at, out);
        }
    }

    pub(crate) fn stop_by_on_hook(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        let Some(open) = &self.tape.open else { return self.forget_stops() };
        // What began by hand or code after the line went on-hook, but before that was certain, goes on.
        if self.stops(StopMode::OnHook) && (open.mode == StartMode::Voltage || at >= open.start) {
            self.stop(at, StopMode::OnHook, out);
        }
        self.forget_stops();
    }

    /// The next call is recorded again, whatever stopped the recording of this one.
    pub(crate) fn forget_stops(&mut self) {
        if matches!(self.settings.start_mode, StartMode::Voltage | StartMode::Key) {
            (self.held, self.paused) = (false, false);
        }
    }

    /// A lost line ends its call, unless a recording of it goes on.
    pub(crate) fn stop_by_line_lost(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        if self.stops(StopMode::LineLost) {
            self.stop(at, StopMode::LineLost, out);
        }
        if self.tape.open.as_ref().is_none_or(|open| open.mode != StartMode::Voltage) {
            self.end_call(at, out);
            self.forget_stops();
        }
    }

    pub(crate) fn stop_by_busy_tone(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        if self.stops(StopMode::BusyTone) && self.open_start().is_some_and(|start| at > start) {
            self.stop(at, StopMode::BusyTone, out);
            self.paused = true;
        }
    }

    /// Voice starts at `at`, after the `silence` there was until now.
    pub(crate) fn voice_starts(
        &mut self,
        at: SampleIndex,
        silence: Option<Silence>,
        out: &mut Vec<LineEvent>,
    ) {
        if let Some(Silence { quiet, over }) = silence
            && at >= over
        {
            self.stop_by_silence(quiet, out);
        }
        self.sounds_again(at, out);
        if self.settings.start_mode == StartMode::Voice && !self.held {
            self.start(at, StartMode::Voice, out);
        }
    }

    pub(crate) fn voice_stops(&mut self) {
        if self.settings.start_mode == StartMode::Voice {
            self.held = false;
        }
    }

    /// After silence or busy tone, a call that goes on is recorded on.
    pub(crate) fn sounds_again(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        let sure = self.hook.settled_before() >= at;
        if self.paused && sure && !self.hearing.hears_refusal() {
            self.paused = false;
            if self.settings.start_mode != StartMode::Voice {
                self.resume(at, out);
            }
        }
    }

    /// The silence in the open recording, if it would stop it.
    pub(crate) fn silence(&self) -> Option<Silence> {
        let open = self.tape.open.as_ref().filter(|_| self.stops(StopMode::Silence))?;
        let mut quiet = self.hearing.voice_end().unwrap_or(open.start).max(open.start);
        if open.mode != StartMode::Voice {
            // Tones and digits are no voice, but no silence either: a call that is being set up goes on.
            if self.hearing.hears_tone() {
                return None;
            }
            quiet = quiet.max(self.sound_end);
        }
        let over = quiet.plus(seconds_to_samples(f64::from(self.settings.silence_stop_s)));
        (!self.hearing.is_spoken()).then_some(Silence { quiet, over })
    }

    fn stop_by_silence(&mut self, quiet: SampleIndex, out: &mut Vec<LineEvent>) {
        // A recording in which nothing was ever said ends where that became certain.
        let silent = self.open_start() == Some(quiet);
        let at = if silent {
            quiet.plus(seconds_to_samples(f64::from(self.settings.silence_stop_s)))
        } else {
            quiet
        };
        self.stop(at, StopMode::Silence, out);
        self.paused = true;
    }

    /// Stops and splits that time alone brings.
    pub(crate) fn stop_by_time(&mut self, out: &mut Vec<LineEvent>) {
        if self.length_limit().is_some_and(|limit| limit < self.now) {
            self.split_by_length(self.settled_for_stops(), out);
        }
        if let Some(Silence { quiet, over }) = self.silence()
            && self.now > over.plus(VOICE_LAG)
            // What the line did before, but is not decided yet, would stop the recording first.
            && self.hook.settled_before() > over
        {
            self.stop_by_silence(quiet, out);
        }
        if self.hearing.is_spoken() {
            self.sounds_again(self.hook.settled_before(), out);
        }
    }

    /// Every stop whose moment lies before this sample has been carried out.
    fn settled_for_stops(&self) -> SampleIndex {
        let mut settled = self.hook.settled_before().min(self.now.minus(LAG));
        if self.stops(StopMode::Silence) {
            settled = settled.min(match self.silence() {
                Some(Silence { quiet, .. }) => quiet,
                None => self.now.minus(VOICE_LAG),
            });
        }
        if self.stops(StopMode::BusyTone) {
            settled = settled.min(self.now.minus(seconds_to_samples(f64::from(TONE_LAG_S))));
        }
        settled
    }

    /// Goes on in a new segment at the length limit, without losing a sample, as often as `until` lies behind it.
    fn split_by_length(&mut self, until: SampleIndex, out: &mut Vec<LineEvent>) {
        while let Some(at) = self.length_limit().filter(|limit| *limit < until)
            && let Some((key, mode)) = self.tape.open.as_ref().map(|open| (open.key, open.mode))
        {
            self.stop(at, StopMode::Length, out);
            self.tape.begin(key, at, mode, 0, out);
        }
    }

    /// Where the open recording goes on in a new segment.
    fn length_limit(&self) -> Option<SampleIndex> {
        let open = self.tape.open.as_ref().filter(|open| !open.withheld)?;
        let limit_s =
            if self.stops(StopMode::Length) { self.settings.max_length_s } else { LONGEST_SEGMENT_S };
        let limit = open.start.plus(seconds_to_samples(f64::from(limit_s)));
        // A shorter limit than before holds from when it was set.
        Some(limit.max(self.settings_since))
    }

    /// A code may have been completed at `end`.
    pub(crate) fn key_code(&mut self, end: SampleIndex, out: &mut Vec<LineEvent>) {
        let recorded_by_key = self.tape.open.as_ref().is_some_and(|open| open.mode == StartMode::Key);
        let code = if recorded_by_key && self.stops(StopMode::Manual) {
            &self.settings.key_stop
        } else if self.tape.open.is_none() && self.settings.start_mode == StartMode::Key {
            &self.settings.key_start
        } else {
            return;
        };
        let Some(begin) = self.keys.take(code) else { return };
        if let Some(call) = &mut self.call {
            call.take_back_digits(begin);
        } else if let Some(open) = &mut self.tape.open {
            open.own.take_back_digits(begin);
        }
        if recorded_by_key {
            self.stop(end, StopMode::Manual, out);
        } else {
            self.start(end, StartMode::Key, out);
        }
    }

    /// Looks whether the call's number, as far as it is known, must not be recorded.
    pub(crate) fn check_do_not_record(&mut self, out: &mut Vec<LineEvent>) {
        if self.settings.do_not_record.is_empty() {
            return;
        }
        let (now, list) = (self.now, &self.settings.do_not_record);
        let listed = |call: &mut Call| {
            !call.withheld
                && call.number_to_look_up(now).is_some_and(|(number, whole)| is_listed(list, &number, whole))
        };
        if let Some(call) = self.call.as_mut().filter(|call| call.off_hook.is_some()) {
            if listed(call) {
                self.withhold_call(out);
            }
        } else if self.tape.open.as_mut().is_some_and(|open| listed(&mut open.own)) {
            self.tape.withhold(now, out);
        }
    }

    fn withhold_call(&mut self, out: &mut Vec<LineEvent>) {
        let open_start = self.open_start();
        let Some(call) = self.call.as_mut() else { return };
        call.withheld = true;
        let off_hook = call.off_hook.unwrap_or(call.begin);
        match open_start {
            Some(start) if start >= off_hook => self.tape.withhold(self.now, out),
            Some(_) => {
                call.suppressed = true;
                // What was recorded before the call stays. No stop mode names this rule; it is a person's doing.
                self.tape.end(off_hook, StopMode::Manual, None, self.line_number, out);
            }
            None => {}
        }
    }

    pub(crate) fn manual_start(&mut self, out: &mut Vec<LineEvent>) -> Result<(), CommandError> {
        if self.tape.open.is_some() {
            return Err(CommandError::AlreadyRecording);
        }
        if self.do_not_record
            || self.call.as_ref().is_some_and(|call| call.withheld && call.off_hook.is_some())
        {
            return Err(CommandError::DoNotRecord);
        }
        (self.held, self.paused) = (false, false);
        self.start(self.now, StartMode::Manual, out);
        Ok(())
    }

    pub(crate) fn manual_stop(&mut self, out: &mut Vec<LineEvent>) -> Result<(), CommandError> {
        let mode = self.tape.open.as_ref().map(|open| open.mode).ok_or(CommandError::NotRecording)?;
        if mode != StartMode::Manual && !self.stops(StopMode::Manual) {
            return Err(CommandError::ManualStopNotAllowed);
        }
        let at = self.now;
        self.split_by_length(at, out);
        self.stop(at, StopMode::Manual, out);
        // A recording by hand stood in the place of the start mode's own, which takes over.
        self.held = mode != StartMode::Manual;
        self.resume(at, out);
        Ok(())
    }

    pub(crate) fn schedule_begin(&mut self, out: &mut Vec<LineEvent>) {
        self.scheduled = true;
        if self.settings.start_mode == StartMode::Schedule && self.is_in_use() {
            self.resume(self.now, out);
        }
    }

    pub(crate) fn schedule_end(&mut self, out: &mut Vec<LineEvent>) {
        self.scheduled = false;
        let by_schedule = self.tape.open.as_ref().is_some_and(|open| open.mode == StartMode::Schedule);
        if by_schedule || self.stops(StopMode::Schedule) {
            self.end_now(StopMode::Schedule, out);
        }
        if self.settings.start_mode == StartMode::Schedule {
            (self.held, self.paused) = (false, false);
        }
    }

    pub(crate) fn do_not_record_begin(&mut self, out: &mut Vec<LineEvent>) {
        self.do_not_record = true;
        self.end_now(StopMode::Schedule, out);
    }

    pub(crate) fn do_not_record_end(&mut self, out: &mut Vec<LineEvent>) {
        if std::mem::take(&mut self.do_not_record) {
            self.tape.keep_nothing_before(self.now);
            self.resume(self.now, out);
        }
    }

    pub(crate) fn end_now(&mut self, mode: StopMode, out: &mut Vec<LineEvent>) {
        self.split_by_length(self.now, out);
        self.stop(self.now, mode, out);
    }

    /// A recording whose start mode has gone would never end: it ends now, and what the new mode wants starts.
    pub(crate) fn settings_changed(&mut self, out: &mut Vec<LineEvent>) {
        let mode = self.settings.start_mode;
        match self.tape.open.as_ref().map(|open| open.mode) {
            Some(StartMode::Schedule) if mode != StartMode::Schedule => self.end_now(StopMode::Schedule, out),
            Some(StartMode::Continuous) if mode != StartMode::Continuous => {
                self.end_now(StopMode::Manual, out)
            }
            _ => {}
        }
        (self.held, self.paused) = (false, false);
        if let Some(call) = &mut self.call {
            call.look_up_again();
        }
        if let Some(open) = &mut self.tape.open {
            open.own.look_up_again();
        }
        self.check_do_not_record(out);
        self.resume(self.now, out);
    }

    pub(crate) fn go_out_of_use(&mut self, out: &mut Vec<LineEvent>) {
        self.end_now(StopMode::Manual, out);
        self.alarms.clear_all(self.now, out);
        self.call = None;
        self.off_hook = None;
        self.lost = false;
        (self.held, self.paused) = (false, false);
    }

    /// Takes the line as it is now.
    pub(crate) fn come_into_use(&mut self, out: &mut Vec<LineEvent>) {
        let now = self.now;
        self.tape.keep_nothing_before(now);
        self.alarms.call_ends(now);
        self.lost = self.hook.is_lost();
        if self.lost {
            self.alarms.line_lost(now, out);
        }
        if self.hook.is_off_hook() {
            self.went_off_hook(now, out);
        }
        if self.begins_at.is_none() {
            self.resume(now, out);
        }
    }

    /// The input is over.
    pub(crate) fn shut_down(&mut self, out: &mut Vec<LineEvent>) {
        let end = self.now;
        while let Some(held) = self.idle.release_any() {
            self.release(held, out);
        }
        self.end_now(StopMode::Shutdown, out);
        let end = self
            .call
            .as_ref()
            .filter(|call| call.off_hook.is_none())
            .and_then(Call::last_ring_end)
            .unwrap_or(end);
        self.end_call(end, out);
    }
}
