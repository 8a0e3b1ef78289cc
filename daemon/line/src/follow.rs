//! Follows the call on the line: hook events and detections become evidence of a call, and are passed on as events.

use signal::hook::{HookEvent, HookEventKind};
use signal::units::ms_to_samples;
use signal::{CallerId, Detection, SampleIndex};

use crate::call::Call;
use crate::event::{CallKey, CallWithoutAudio, LineEvent, LineEventKind, Side};
use crate::hearing::is_refusal;
use crate::idle::{Held, HeldDigit};
use crate::machine::Line;

/// Caller ID before the first ring belongs to it if the ring follows within this.
const EARLY_CALLER: u64 = ms_to_samples(10_000);
/// The end of voice is said this late.
const VOICE_HANGOVER: u64 = ms_to_samples(500);

impl Line {
    pub(crate) fn hook_event(&mut self, event: HookEvent, out: &mut Vec<LineEvent>) {
        let at = event.at;
        match event.kind {
            HookEventKind::RingStart => {
                self.say(at, LineEventKind::RingStart, out);
                self.ring_start(at, out);
            }
            HookEventKind::RingStop => {
                self.say(at, LineEventKind::RingStop, out);
                if let Some(call) = &mut self.call {
                    call.ring_stop(at);
                }
            }
            HookEventKind::OffHook { volts } => {
                self.say(at, LineEventKind::OffHook { volts }, out);
                self.went_off_hook(at, out);
            }
            HookEventKind::OnHook { volts } => {
                self.say(at, LineEventKind::OnHook { volts }, out);
                self.went_on_hook(at, out);
            }
            HookEventKind::PolarityReversed { volts } => {
                self.say(at, LineEventKind::PolarityReversed { volts }, out);
                match &mut self.call {
                    Some(call) if self.off_hook.is_some() => call.reversal(at),
                    _ => self.idle_reversal = Some(at),
                }
            }
            HookEventKind::HookFlash { ms } => self.say(at, LineEventKind::HookFlash { ms }, out),
            HookEventKind::PulseDigit { digit } => {
                self.say(at, LineEventKind::PulseDigit { digit }, out);
                if let Some(call) = &mut self.call {
                    call.digit(at, at, digit.0);
                }
                self.sound(at);
            }
            HookEventKind::LineLost { volts } => {
                self.say(at, LineEventKind::LineLost { volts }, out);
                self.lost = true;
                self.alarms.line_lost(at, out);
                self.alarms.off_hook_over(at, out);
                self.off_hook = None;
                self.stop_by_line_lost(at, out);
            }
            HookEventKind::LineRestored { volts, still_off_hook } => {
                self.say(at, LineEventKind::LineRestored { volts }, out);
                self.lost = false;
                self.alarms.line_restored(at, out);
                if still_off_hook {
                    self.went_off_hook(at, out);
                }
            }
        }
    }

    /// What happens at `at` is too late for the ringing before it: that call was missed.
    fn end_ringing_before(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        if let Some(call) = &self.call
            && call.is_waiting_for_answer()
            && !call.answered_by_off_hook(at)
        {
            let end = call.last_ring_end().unwrap_or(at);
            self.end_call(end, out);
        }
    }

    fn ring_start(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        self.end_ringing_before(at, out);
        match &mut self.call {
            Some(call) => call.ring_start(),
            None => {
                let caller = self.early_caller.take().filter(|(said, _)| at.since(*said) <= EARLY_CALLER);
                self.call = Some(Call::ringing_from(at, caller.map(|(_, caller)| caller)));
                self.alarms.call_begins(at, out);
            }
        }
    }

    pub(crate) fn went_off_hook(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        self.end_ringing_before(at, out);
        self.off_hook = Some(at);
        self.alarms.off_hook(at);
        match &mut self.call {
            Some(call) => {
                call.off_hook = Some(call.off_hook.unwrap_or(at));
                call.begin = call.begin.min(at);
            }
            None => {
                self.call = Some(Call::off_hook_from(at));
                self.alarms.call_begins(at, out);
            }
        }
        while let Some(held) = self.idle.release_any() {
            self.release(held, out);
        }
        self.check_do_not_record(out);
        self.start_by_off_hook(at, out);
    }

    fn went_on_hook(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        self.off_hook = None;
        self.alarms.off_hook_over(at, out);
        self.stop_by_on_hook(at, out);
        self.end_call(at, out);
        self.resume(at, out);
    }

    /// The call is over: makes the record of one that left no audio.
    pub(crate) fn end_call(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        let Some(call) = self.call.take() else { return };
        let at = at.max(call.begin);
        let facts = call.facts_at_end(at);
        self.alarms.call_ends(at);
        let missed = call.is_waiting_for_answer();
        if !missed && let Some(open) = &mut self.tape.open {
            open.call_over(facts);
        }
        let withheld = call.suppressed && !call.has_record;
        if call.suppressed {
            self.tape.keep_nothing_before(at);
        }
        if withheld || (missed && self.settings.record_missed_calls) {
            let record = CallWithoutAudio {
                call: CallKey { port: self.port, at: call.begin },
                end: at,
                call_type: facts.call_type,
                line_number: self.line_number,
                peer_number: facts.peer_number,
                peer_name: facts.peer_name,
                withheld,
            };
            self.say(call.begin, LineEventKind::CallWithoutAudio(record), out);
        }
    }

    pub(crate) fn heard(&mut self, side: Side, detection: &Detection, out: &mut Vec<LineEvent>) {
        let silence = self.silence();
        let event = self.hearing.hear(side, detection);
        match *detection {
            Detection::Digit { at, digit, samples } => {
                let dialled = side != Side::Far;
                let held = HeldDigit { at, digit, samples, dialled };
                if self.off_hook.is_some() {
                    if event.is_some() {
                        self.say(at, LineEventKind::Digit { digit, samples }, out);
                    }
                    self.count_digit(held);
                } else if event.is_some() {
                    self.hold(held, out);
                }
                if dialled {
                    self.keys.press(at, digit.0);
                    self.key_code(at.plus(u64::from(samples)), out);
                }
                self.sound(at.plus(u64::from(samples)));
                self.sounds_again(at, out);
            }
            Detection::CallerId { at, ref caller_id } => {
                if let Some(event) = event {
                    out.push(event);
                    self.caller_known(at, caller_id);
                }
            }
            Detection::ToneStart { at, tone } => {
                if let Some(event) = event {
                    out.push(event);
                    self.evidence(|call| call.tone_start(at, tone));
                    if is_refusal(tone) {
                        self.stop_by_busy_tone(at, out);
                    }
                }
            }
            Detection::ToneStop { at, tone } => {
                if let Some(event) = event {
                    out.push(event);
                    self.evidence(|call| call.tone_stop(at, tone));
                    self.sound(at);
                }
            }
            Detection::VoiceStart { at } => {
                if side != Side::Near {
                    self.evidence(|call| call.far_voice_start(at));
                }
                if let Some(event) = event {
                    let at = event.at;
                    out.push(event);
                    self.voice_starts(at, silence, out);
                }
            }
            Detection::VoiceStop { at } => {
                if side != Side::Near {
                    self.evidence(|call| call.far_voice_stop(at));
                }
                if let Some(event) = event {
                    out.push(event);
                    self.voice_stops();
                }
            }
        }
        self.check_do_not_record(out);
    }

    fn evidence(&mut self, weigh: impl FnOnce(&mut Call)) {
        if let Some(call) = self.call.as_mut().filter(|call| call.off_hook.is_some()) {
            weigh(call);
        }
    }

    fn caller_known(&mut self, at: SampleIndex, caller_id: &CallerId) {
        match (&mut self.call, &mut self.tape.open) {
            (Some(call), _) => call.caller_id(caller_id),
            (None, open) => {
                if let Some(open) = open {
                    open.own.caller_id(caller_id);
                }
                self.early_caller = Some((at, caller_id.clone()));
            }
        }
    }

    fn hold(&mut self, held: HeldDigit, out: &mut Vec<LineEvent>) {
        match self.idle.hold(held) {
            Held::Waiting => {}
            Held::CallerId(at, caller_id) => {
                self.caller_known(at, &caller_id);
                self.say(at, LineEventKind::CallerId(caller_id), out);
            }
            Held::Digit(oldest) => self.release(oldest, out),
        }
    }

    /// A digit of an idle line is no caller ID after all.
    pub(crate) fn release(&mut self, held: HeldDigit, out: &mut Vec<LineEvent>) {
        let HeldDigit { at, digit, samples, .. } = held;
        self.say(at, LineEventKind::Digit { digit, samples }, out);
        self.count_digit(held);
    }

    fn count_digit(&mut self, held: HeldDigit) {
        let end = held.at.plus(u64::from(held.samples));
        if !held.dialled {
            return;
        }
        match (&mut self.call, &mut self.tape.open) {
            (Some(call), _) if call.off_hook.is_some() => call.digit(held.at, end, held.digit.0),
            (_, Some(open)) => open.own.digit(held.at, end, held.digit.0),
            _ => {}
        }
    }

    fn sound(&mut self, end: SampleIndex) {
        self.sound_end = self.sound_end.max(end);
    }

    /// What time alone decides.
    pub(crate) fn pass_time(&mut self, out: &mut Vec<LineEvent>) {
        let settled = self.hook.settled_before();
        if self.off_hook.is_none() {
            while let Some(held) = self.idle.release(settled) {
                self.release(held, out);
            }
        }
        self.end_ringing_before(settled, out);
        // Voice that has ended is still thought to go on for a while.
        let heard_until = self.now.minus(VOICE_HANGOVER);
        self.evidence(|call| call.advance(heard_until));
        self.check_do_not_record(out);
        self.stop_by_time(out);
        self.alarms.advance(settled, &self.settings, out);
    }
}
