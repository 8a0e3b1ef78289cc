//! From voltages to the state of the loop: open, closed or dead, with hysteresis between the two thresholds and with
//! contact bounce taken out. Voltages are compared by magnitude: both polarities serve.

use super::HookSettings;
use crate::SampleIndex;
use crate::units::ms_to_samples;

/// A state that lasts less than this is bounce. Below the shortest make of pulse dialling (22 pps with 75 % break:
/// 11 ms) and below the 10 ms between two readings of a unit, so that each reading counts.
pub(super) const BOUNCE: u64 = ms_to_samples(8);

/// Contacts that bounce do so for no longer than this; what follows is dated from where they began.
const CHATTER: u64 = ms_to_samples(30);

/// A dead line is alive again this much above the threshold.
const ALIVE_HYSTERESIS_VOLTS: f32 = 0.5;

/// What a voltage says of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loop {
    /// Full feeding voltage: no current flows.
    Open,
    /// A telephone draws current.
    Closed,
    /// No feeding voltage.
    Dead,
}

/// The accepted state was left, and came back at once.
#[derive(Clone, Copy, Debug)]
struct Return {
    left: SampleIndex,
    at: SampleIndex,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    to: Loop,
    since: SampleIndex,
    /// When the accepted state was left, perhaps through another state.
    left: SampleIndex,
}

/// The loop's state without bounce.
#[derive(Debug, Default)]
pub(super) struct Contact {
    accepted: Option<Loop>,
    /// Open or closed, whichever was last: kept within the hysteresis.
    alive: Option<Loop>,
    pending: Option<Pending>,
    returned: Option<Return>,
    /// The last reading that belongs to the accepted state.
    volts: f32,
    /// The last reading.
    last_volts: f32,
}

impl Contact {
    /// Takes a reading. The very first one is accepted at once, and returned.
    pub(super) fn read(&mut self, at: SampleIndex, volts: f32, settings: &HookSettings) -> Option<Loop> {
        let state = self.classify(volts.abs(), settings);
        if state != Loop::Dead {
            self.alive = Some(state);
        }
        self.last_volts = volts;
        let Some(accepted) = self.accepted else {
            self.accepted = Some(state);
            self.volts = volts;
            return Some(state);
        };
        if state == accepted {
            self.volts = volts;
            if let Some(pending) = self.pending {
                self.returned = Some(Return { left: pending.left, at });
            }
        }
        let left = self.chatter_since(at).unwrap_or(at);
        self.pending = match self.pending {
            _ if state == accepted => None,
            Some(pending) if pending.to == state => Some(pending),
            Some(pending) => Some(Pending { to: state, since: at, left: pending.left }),
            None => Some(Pending { to: state, since: at, left }),
        };
        None
    }

    fn classify(&self, magnitude: f32, settings: &HookSettings) -> Loop {
        let was_dead = self.accepted == Some(Loop::Dead);
        let dead_below = settings.line_lost_below_volts + if was_dead { ALIVE_HYSTERESIS_VOLTS } else { 0.0 };
        if magnitude < dead_below.min(settings.off_hook_below_volts) {
            Loop::Dead
        } else if magnitude < settings.off_hook_below_volts {
            Loop::Closed
        } else if magnitude > settings.on_hook_above_volts {
            Loop::Open
        } else {
            self.alive.unwrap_or(Loop::Open)
        }
    }

    pub(super) fn due(&self) -> Option<SampleIndex> {
        self.pending.map(|pending| pending.since.plus(BOUNCE))
    }

    /// Accepts what has lasted: the new state, and when the old one was left.
    pub(super) fn accept(&mut self) -> Option<(Loop, SampleIndex)> {
        let pending = self.pending.take()?;
        self.accepted = Some(pending.to);
        self.returned = None;
        self.volts = self.last_volts;
        Some((pending.to, pending.left))
    }

    /// The last reading that belongs to the loop's state.
    pub(super) fn volts(&self) -> f32 {
        self.volts
    }

    /// Where a bounce began that may still go on at `now`.
    fn chatter_since(&self, now: SampleIndex) -> Option<SampleIndex> {
        let returned = self.returned?;
        (now.since(returned.at) < BOUNCE && now.since(returned.left) <= CHATTER).then_some(returned.left)
    }

    /// Since when something is undecided at `now`.
    pub(super) fn undecided_since(&self, now: SampleIndex) -> Option<SampleIndex> {
        self.pending.map(|pending| pending.left).or(self.chatter_since(now))
    }
}
