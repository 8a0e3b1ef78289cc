//! What is plugged into the box, used or not.

use serde::Serialize;

/// What a look at the buses has found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UnitsFound {
    pub line_taps: Vec<capture::UnitIdentity>,
    pub pcm_devices: Vec<capture::UnitIdentity>,
    /// What could not be looked at, one sentence each.
    pub troubles: Vec<String>,
}

impl UnitsFound {
    pub(crate) fn look() -> Self {
        Self::default()
    }
}
