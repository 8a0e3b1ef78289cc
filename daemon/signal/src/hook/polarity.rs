//! Polarity of the feeding voltage. Exchanges reverse it at answer, and some to announce caller ID.

use crate::SampleIndex;

#[derive(Debug, Default)]
pub(super) struct Polarity {
    positive: Option<bool>,
    /// The other polarity has been there since.
    reversed_since: Option<SampleIndex>,
    volts: f32,
}

impl Polarity {
    /// Takes a reading of a live line: under `dead_below_volts` there is no polarity.
    pub(super) fn read(&mut self, at: SampleIndex, volts: f32, dead_below_volts: f32) {
        if volts.abs() < dead_below_volts {
            return;
        }
        self.volts = volts;
        let positive = volts > 0.0;
        let before = *self.positive.get_or_insert(positive);
        self.reversed_since = (before != positive).then(|| self.reversed_since.unwrap_or(at));
    }

    pub(super) fn due(&self, hold: u64) -> Option<SampleIndex> {
        self.reversed_since.map(|since| since.plus(hold))
    }

    /// Takes the reversal as one: when it happened, and the volts since.
    pub(super) fn fire(&mut self) -> Option<(SampleIndex, f32)> {
        let since = self.reversed_since.take()?;
        self.positive = self.positive.map(|positive| !positive);
        Some((since, self.volts))
    }

    pub(super) fn undecided_since(&self) -> Option<SampleIndex> {
        self.reversed_since
    }
}
