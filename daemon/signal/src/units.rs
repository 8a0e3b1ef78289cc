//! Time as a count of samples, the only clock below `capture`.

use serde::{Deserialize, Serialize};

/// The one sampling rate of telephony, in hertz (ITU-T G.711 clause 1).
pub const RATE_HZ: u32 = 8000;

/// A position in a unit's input, counted in samples of 8000 Hz from its first sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SampleIndex(pub u64);

impl SampleIndex {
    pub fn from_seconds(seconds: f64) -> Self {
        // The cast rounds down, and turns what is negative or no number into 0. `round` is a call on most targets.
        Self((seconds * f64::from(RATE_HZ) + 0.5) as u64)
    }

    pub fn seconds(self) -> f64 {
        self.0 as f64 / f64::from(RATE_HZ)
    }

    /// Samples from `earlier` to `self`; 0 if `earlier` lies behind.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub fn plus(self, samples: u64) -> Self {
        Self(self.0.saturating_add(samples))
    }

    pub fn minus(self, samples: u64) -> Self {
        Self(self.0.saturating_sub(samples))
    }
}

/// Samples in `ms` milliseconds.
pub const fn ms_to_samples(ms: u32) -> u64 {
    ms as u64 * (RATE_HZ as u64 / 1000)
}

/// Samples in `seconds`, rounded; 0 for negative and not-a-number.
pub fn seconds_to_samples(seconds: f64) -> u64 {
    SampleIndex::from_seconds(seconds).0
}
