//! The recording of one port: what is open, how segments of a call count up, and that no two recordings overlap. It
//! does what policy says; when to start and stop is not its business.

use arrayvec::ArrayString;
use signal::SampleIndex;

use crate::call::{Call, CallFacts};
use crate::event::{CallKey, LineEvent, LineEventKind, RecordStop, StartMode, StopMode};

/// An open recording.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) key: CallKey,
    pub(crate) segment: u32,
    pub(crate) start: SampleIndex,
    pub(crate) mode: StartMode,
    pre_roll_samples: u32,
    pub(crate) withheld: bool,
    /// Calls that began and ended within it.
    calls: u32,
    last_call: Option<CallFacts>,
    /// What was heard in it outside any call.
    pub(crate) own: Call,
}

impl Open {
    pub(crate) fn call_over(&mut self, facts: CallFacts) {
        self.calls = self.calls.saturating_add(1);
        self.last_call = Some(facts);
    }

    /// The facts of the one call in this recording; those of none, or of several, are unknown but for the numbers
    /// heard outside of calls.
    pub(crate) fn facts(&self, current: Option<CallFacts>, at: SampleIndex) -> CallFacts {
        match (self.calls, current) {
            (0, Some(current)) => current,
            (0, None) => self.own.facts_at_end(at),
            (1, None) => self.last_call.unwrap_or(CallFacts::UNKNOWN),
            _ => CallFacts::UNKNOWN,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Tape {
    pub(crate) open: Option<Open>,
    /// Nothing before this is kept again: the end of the last recording, or of a time that must not be recorded.
    floor: SampleIndex,
    last: Option<(CallKey, u32)>,
}

impl Tape {
    pub(crate) fn new(first: SampleIndex) -> Self {
        Self { open: None, floor: first, last: None }
    }

    pub(crate) fn keep_nothing_before(&mut self, at: SampleIndex) {
        self.floor = self.floor.max(at);
    }

    pub(crate) fn floor(&self) -> SampleIndex {
        self.floor
    }

    /// Opens a recording at `at`, with as much pre-roll as does not reach into the one before.
    pub(crate) fn begin(
        &mut self,
        key: CallKey,
        at: SampleIndex,
        mode: StartMode,
        pre_roll: u64,
        out: &mut Vec<LineEvent>,
    ) {
        let segment = match self.last {
            Some((last, segment)) if last == key => segment.saturating_add(1),
            _ => 0,
        };
        let pre_roll_samples = u32::try_from(pre_roll.min(at.since(self.floor))).unwrap_or(u32::MAX);
        self.last = Some((key, segment));
        self.open = Some(Open {
            key,
            segment,
            start: at,
            mode,
            pre_roll_samples,
            withheld: false,
            calls: 0,
            last_call: None,
            own: Call::hookless_from(at),
        });
        out.push(LineEvent {
            at,
            kind: LineEventKind::RecordStart { call: key, segment, mode, pre_roll_samples },
        });
    }

    /// Throws away what is open and keeps no more of it.
    pub(crate) fn withhold(&mut self, now: SampleIndex, out: &mut Vec<LineEvent>) {
        if let Some(open) = self.open.as_mut().filter(|open| !open.withheld) {
            open.withheld = true;
            let kind = LineEventKind::RecordWithheld { call: open.key, segment: open.segment };
            out.push(LineEvent { at: now, kind });
        }
    }

    /// Ends the open recording at `at`.
    pub(crate) fn end(
        &mut self,
        at: SampleIndex,
        stop_mode: StopMode,
        current: Option<CallFacts>,
        line_number: Option<ArrayString<32>>,
        out: &mut Vec<LineEvent>,
    ) {
        let Some(open) = self.open.take() else { return };
        let facts = open.facts(current, at);
        self.floor = self.floor.max(at);
        let stop = RecordStop {
            call: open.key,
            segment: open.segment,
            start: open.start,
            pre_roll_samples: open.pre_roll_samples,
            start_mode: open.mode,
            stop_mode,
            call_type: facts.call_type,
            line_number,
            peer_number: facts.peer_number,
            peer_name: facts.peer_name,
            withheld: open.withheld,
        };
        out.push(LineEvent { at, kind: LineEventKind::RecordStop(stop) });
    }
}
