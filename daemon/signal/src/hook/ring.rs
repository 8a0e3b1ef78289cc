//! Ringing bursts from the AC voltage that the unit measures on the line (16–68 Hz RMS).

use crate::SampleIndex;
use crate::units::ms_to_samples;

/// A burst, and a pause between two bursts, is at least this long. The shortest in any country's cadence is 200 ms;
/// the hold keeps the kick of a hook switch or a reversal from being taken for ringing.
const HOLD: u64 = ms_to_samples(100);

/// A burst ends below this part of the voltage at which it began.
const STOP_RATIO: f32 = 0.7;

#[derive(Debug, Default)]
pub(super) struct Ring {
    /// AC above the threshold now, and since when it is (or is not).
    present: bool,
    since: SampleIndex,
    burst: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RingEdge {
    Start,
    Stop,
}

impl Ring {
    pub(super) fn read(&mut self, at: SampleIndex, ring_volts: f32, above_volts: f32) {
        let threshold = if self.present { above_volts * STOP_RATIO } else { above_volts };
        let present = ring_volts > threshold;
        if present != self.present {
            self.present = present;
            self.since = at;
        }
    }

    /// When a burst is to be said to have begun (only on an on-hook line: dial pulses look like AC too) or ended.
    pub(super) fn due(&self, on_hook: bool) -> Option<SampleIndex> {
        self.undecided_since(on_hook).map(|since| since.plus(HOLD))
    }

    pub(super) fn fire(&mut self) -> (RingEdge, SampleIndex) {
        self.burst = self.present;
        (if self.burst { RingEdge::Start } else { RingEdge::Stop }, self.since)
    }

    /// AC that began on an off-hook line counts from when it went on-hook.
    pub(super) fn hear_from(&mut self, at: SampleIndex) {
        if !self.burst {
            self.since = self.since.max(at);
        }
    }

    /// Ringing current flows, or may just have begun to.
    pub(super) fn disturbs(&self, on_hook: bool) -> bool {
        self.burst || (self.present && on_hook)
    }

    pub(super) fn burst(&self) -> bool {
        self.burst
    }

    pub(super) fn undecided_since(&self, on_hook: bool) -> Option<SampleIndex> {
        (self.present != self.burst && (self.burst || on_hook)).then_some(self.since)
    }
}
