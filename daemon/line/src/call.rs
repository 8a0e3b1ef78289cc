//! What is known of one call: the evidence as it comes in, and what follows from it (ST-05, ST-06): direction, outcome
//! and the other side's number. Knows nothing of recordings.

use arrayvec::{ArrayString, ArrayVec};
use signal::units::ms_to_samples;
use signal::{CallerId, SampleIndex, Tone};

use crate::event::{CallType, Direction};
use crate::spells::Spells;

/// Off-hook so long after the last ring still answers it.
pub(crate) const ANSWERS_RING: u64 = ms_to_samples(6000);
/// Voice behind the last ringback answers a call when there is this much of it: the end of a burst may sound like it.
const VOICE_AFTER_RINGBACK: u64 = ms_to_samples(300);
/// Without ringback, this much voice after the last digit is an answer.
const LASTING_VOICE: u64 = ms_to_samples(1500);
/// The end of a ringback is said when the next burst is overdue: no cadence has a longer period.
const RINGBACK_PERIOD: u64 = ms_to_samples(6000);
/// Voice that counts as an answer when a call ended before that could be said.
const VOICE_BEFORE_THE_END: u64 = ms_to_samples(500);
/// Voice that is followed by ringback within this was an announcement, or somebody in the room.
const ANNOUNCEMENT: u64 = ms_to_samples(10_000);
/// A number is complete when no digit has come for so long.
const DIALLING_OVER: u64 = ms_to_samples(6000);
/// Digits that are kept of a call; the longest numbers have 15 (ITU-T E.164), with prefixes 30.
const DIGITS: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Dialled {
    at: SampleIndex,
    end: SampleIndex,
    digit: u8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ringback {
    Unheard,
    Heard { since: SampleIndex },
    Over { end: SampleIndex },
}

/// A call is answered by a reversal for good; by voice unless ringback follows soon.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Answer {
    at: SampleIndex,
    by_voice: bool,
}

/// The evidence of one call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// First ring, or off-hook.
    pub(crate) begin: SampleIndex,
    pub(crate) off_hook: Option<SampleIndex>,
    ringing: bool,
    last_ring_end: Option<SampleIndex>,
    caller: Option<CallerId>,
    dialled: ArrayVec<Dialled, DIGITS>,
    ringback: Ringback,
    refused: Option<SampleIndex>,
    voice: Spells,
    answer: Option<Answer>,
    /// No hook was ever seen: only numbers can be told.
    hookless: bool,
    /// Length of the number that was looked up last, and whether it was whole.
    looked_up: Option<(usize, bool)>,

    /// Its peer is on the do-not-record list.
    pub(crate) withheld: bool,
    /// Some of it was not recorded because of a do-not-record rule.
    pub(crate) suppressed: bool,
    /// A record of it has been made, with or without audio.
    pub(crate) has_record: bool,
}

/// What goes into a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CallFacts {
    pub(crate) call_type: CallType,
    pub(crate) peer_number: Option<ArrayString<32>>,
    pub(crate) peer_name: Option<ArrayString<64>>,
}

impl CallFacts {
    pub(crate) const UNKNOWN: Self =
        Self { call_type: CallType::Unknown, peer_number: None, peer_name: None };
}

impl Call {
    fn new(begin: SampleIndex) -> Self {
        Self {
            begin,
            off_hook: None,
            ringing: false,
            last_ring_end: None,
            caller: None,
            dialled: ArrayVec::new(),
            ringback: Ringback::Unheard,
            refused: None,
            voice: Spells::default(),
            answer: None,
            hookless: false,
            looked_up: None,
            withheld: false,
            suppressed: false,
            has_record: false,
        }
    }

    /// The first ring; `caller` is what caller ID has said before it.
    pub(crate) fn ringing_from(at: SampleIndex, caller: Option<CallerId>) -> Self {
        Self { ringing: true, caller, ..Self::new(at) }
    }

    /// Off-hook without ringing.
    pub(crate) fn off_hook_from(at: SampleIndex) -> Self {
        Self { off_hook: Some(at), ..Self::new(at) }
    }

    /// A recording on a line whose hook says nothing.
    pub(crate) fn hookless_from(at: SampleIndex) -> Self {
        Self { hookless: true, ..Self::new(at) }
    }

    pub(crate) fn ring_start(&mut self) {
        self.ringing = true;
    }

    pub(crate) fn ring_stop(&mut self, at: SampleIndex) {
        self.ringing = false;
        self.last_ring_end = Some(at);
    }

    /// The end of the last ring; `None` while it rings.
    pub(crate) fn last_ring_end(&self) -> Option<SampleIndex> {
        self.last_ring_end.filter(|_| !self.ringing)
    }

    /// Off-hook at `at` would answer this ringing.
    pub(crate) fn answered_by_off_hook(&self, at: SampleIndex) -> bool {
        self.last_ring_end().is_none_or(|end| at.since(end) <= ANSWERS_RING)
    }

    /// It has begun with ringing.
    fn rang(&self) -> bool {
        self.ringing || self.last_ring_end.is_some()
    }

    pub(crate) fn is_waiting_for_answer(&self) -> bool {
        self.off_hook.is_none() && !self.hookless
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answer.is_some()
    }

    pub(crate) fn caller_id(&mut self, caller_id: &CallerId) {
        // A message without a number (call waiting, withheld) does not undo one that had it.
        if self.caller.as_ref().is_none_or(|known| known.number.is_none()) {
            self.caller = Some(caller_id.clone());
        }
    }

    /// A digit of a telephone on this line, DTMF or pulse.
    pub(crate) fn digit(&mut self, at: SampleIndex, end: SampleIndex, digit: u8) {
        if at < self.off_hook.unwrap_or(self.begin) {
            return;
        }
        // What does not fit is behind any number.
        let _ = self.dialled.try_push(Dialled { at, end, digit });
    }

    /// The digits from `at` on were a code for the recorder, not for the exchange.
    pub(crate) fn take_back_digits(&mut self, at: SampleIndex) {
        self.dialled.retain(|dialled| dialled.at < at);
    }

    pub(crate) fn tone_start(&mut self, at: SampleIndex, tone: Tone) {
        match tone {
            Tone::Ringback => {
                let announced = |answer: &Answer| answer.by_voice && at.since(answer.at) <= ANNOUNCEMENT;
                self.answer = self.answer.filter(|answer| !announced(answer));
                self.refused = None;
                self.ringback = Ringback::Heard { since: at };
            }
            Tone::Busy | Tone::Congestion | Tone::Unobtainable => {
                if self.answer.is_none() {
                    self.answer = self.answer_by(at);
                }
                if self.answer.is_none() {
                    self.refused.get_or_insert(at);
                }
            }
            Tone::Dial | Tone::SpecialDial | Tone::CallWaiting | Tone::Howler => {}
        }
    }

    pub(crate) fn tone_stop(&mut self, at: SampleIndex, tone: Tone) {
        if tone == Tone::Ringback {
            self.ringback = Ringback::Over { end: at };
        }
    }

    pub(crate) fn far_voice_start(&mut self, at: SampleIndex) {
        if self.answer.is_none() {
            self.voice.start(at);
        }
    }

    pub(crate) fn far_voice_stop(&mut self, at: SampleIndex) {
        self.voice.stop(at);
    }

    pub(crate) fn reversal(&mut self, at: SampleIndex) {
        let after_off_hook = self.off_hook.is_some_and(|off_hook| at > off_hook);
        if after_off_hook && self.answer.is_none_or(|answer| answer.by_voice && at < answer.at) {
            self.answer = Some(Answer { at, by_voice: false });
        }
    }

    /// Decides, as of `now`, what has become clear with time. Called after each step.
    pub(crate) fn advance(&mut self, now: SampleIndex) {
        if self.answer.is_some() || self.refused.is_some() || self.rang() {
            return;
        }
        let heard = match self.ringback {
            Ringback::Over { end } => self.voice_of_length(end, now, VOICE_AFTER_RINGBACK),
            Ringback::Unheard => {
                self.dialled.last().and_then(|last| self.voice_of_length(last.end, now, LASTING_VOICE))
            }
            Ringback::Heard { .. } => None,
        };
        self.answer = heard.map(|at| Answer { at, by_voice: true });
    }

    fn voice_of_length(&self, from: SampleIndex, to: SampleIndex, least: u64) -> Option<SampleIndex> {
        self.voice.between(from, to).filter(|&(_, total)| total >= least).map(|(first, _)| first)
    }

    /// The answer, if the call (or its ringing) is known to be over at `end`: voice shortly before shows that the
    /// ringback had ended, although that had not been said yet.
    fn answer_by(&self, end: SampleIndex) -> Option<Answer> {
        // The exchange may take a reversal back as the line goes on-hook: that one answers nothing.
        let answer = self.answer.filter(|answer| answer.at < end);
        if answer.is_some() || self.refused.is_some_and(|at| at < end) {
            return answer;
        }
        let Ringback::Heard { since } = self.ringback else { return None };
        let from = since.max(end.minus(RINGBACK_PERIOD));
        self.voice_of_length(from, end, VOICE_BEFORE_THE_END).map(|at| Answer { at, by_voice: true })
    }

    pub(crate) fn direction(&self) -> Option<Direction> {
        self.direction_by(SampleIndex(u64::MAX), self.answer)
    }

    /// The direction by what happened before `end`.
    fn direction_by(&self, end: SampleIndex, answer: Option<Answer>) -> Option<Direction> {
        let ringback = match self.ringback {
            Ringback::Unheard => None,
            Ringback::Heard { since: at } | Ringback::Over { end: at } => Some(at),
        };
        let signs =
            [self.dialled.first().map(|first| first.at), ringback, self.refused, answer.map(|a| a.at)];
        if self.rang() {
            Some(Direction::Incoming)
        } else if !self.hookless && signs.into_iter().flatten().any(|at| at < end) {
            Some(Direction::Outgoing)
        } else {
            None
        }
    }

    /// What is known while the call goes on: an outgoing one is unknown until it is answered or refused.
    pub(crate) fn facts_so_far(&self) -> CallFacts {
        let call_type = match self.direction() {
            Some(Direction::Incoming) if self.off_hook.is_some() => CallType::IncomingAnswered,
            Some(Direction::Outgoing) if self.answer.is_some() => CallType::OutgoingAnswered,
            Some(Direction::Outgoing) if self.refused.is_some() => CallType::OutgoingUnanswered,
            _ => CallType::Unknown,
        };
        self.facts(call_type, self.answer)
    }

    /// What is known of a call that is over at `end`.
    pub(crate) fn facts_at_end(&self, end: SampleIndex) -> CallFacts {
        let answer = self.answer_by(end);
        let call_type = match self.direction_by(end, answer) {
            Some(Direction::Incoming) if self.off_hook.is_some() => CallType::IncomingAnswered,
            Some(Direction::Incoming) => CallType::IncomingMissed,
            Some(Direction::Outgoing) if answer.is_some() => CallType::OutgoingAnswered,
            Some(Direction::Outgoing) => CallType::OutgoingUnanswered,
            None => CallType::Unknown,
        };
        self.facts(call_type, answer)
    }

    fn facts(&self, call_type: CallType, answer: Option<Answer>) -> CallFacts {
        CallFacts {
            call_type,
            peer_number: self.number_before(answer),
            peer_name: self.caller.as_ref().filter(|_| self.rang()).and_then(|caller| caller.name),
        }
    }

    /// The caller's number, or what was dialled before the answer.
    fn number_before(&self, answer: Option<Answer>) -> Option<ArrayString<32>> {
        if self.rang() {
            return self.caller.as_ref().and_then(|caller| caller.number);
        }
        let mut number = ArrayString::new();
        for dialled in self.dialled.iter().filter(|d| answer.is_none_or(|answer| d.at < answer.at)) {
            // A number longer than any is kept as far as it goes.
            let _ = number.try_push(char::from(dialled.digit));
        }
        if number.is_empty() { self.caller.as_ref().and_then(|caller| caller.number) } else { Some(number) }
    }

    /// The number of the peer as far as it is known, and whether it is whole: once for each change.
    pub(crate) fn number_to_look_up(&mut self, now: SampleIndex) -> Option<(ArrayString<32>, bool)> {
        let whole = self.rang()
            || self.answer.is_some()
            || self.refused.is_some()
            || self.ringback != Ringback::Unheard
            || self.dialled.last().is_none_or(|last| now.since(last.end) >= DIALLING_OVER);
        let number = self.number_before(self.answer)?;
        let changed = self.looked_up.replace((number.len(), whole)) != Some((number.len(), whole));
        changed.then_some((number, whole))
    }

    /// The list of numbers has changed.
    pub(crate) fn look_up_again(&mut self) {
        self.looked_up = None;
    }
}
