//! What is plugged into the box, used or not.

use capture::pcm::PcmFound;
use capture::{UnitFault, UnitIdentity, line_tap, pcm};
use serde::Serialize;

/// What a look at the buses has found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UnitsFound {
    pub line_taps: Vec<UnitIdentity>,
    pub pcm_devices: Vec<PcmFound>,
    /// What could not be looked at.
    pub troubles: Vec<UnitFault>,
}

impl UnitsFound {
    pub(crate) fn look() -> Self {
        let mut found = Self::default();
        match line_tap::found() {
            Ok(taps) => found.line_taps = taps,
            Err(fault) => found.troubles.push(fault),
        }
        match pcm::found() {
            Ok(devices) => found.pcm_devices = devices,
            Err(fault) => found.troubles.push(fault),
        }
        found
    }
}
