//! Thresholds of a line from what was seen on it: phone down, phone up, unplugged.

use serde::{Deserialize, Serialize};

/// What the installer has just done at the phone; the voltage is then watched for `WATCH_S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationStep {
    Start,
    OnHook,
    OffHook,
    Unplugged,
    Cancel,
}

/// Seconds of voltage behind each step's figure.
pub const WATCH_S: f32 = 1.0;

/// State of a port's calibration. Voltages are magnitudes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Calibration {
    pub on_hook_volts: Option<f32>,
    pub off_hook_volts: Option<f32>,
    pub unplugged_volts: Option<f32>,
    pub proposal: Option<Proposal>,
    /// Why no proposal can be made of these voltages: a code for the page.
    pub problem: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Proposal {
    pub off_hook_below_volts: f32,
    pub on_hook_above_volts: f32,
    pub line_lost_below_volts: f32,
}

/// The least distance between two voltages that thresholds can tell apart.
const LEAST_DISTANCE_VOLTS: f32 = 3.0;

impl Calibration {
    /// Takes the voltage seen at `step` and proposes thresholds as soon as down and up are known.
    pub fn take(&mut self, step: CalibrationStep, volts: f32) {
        let seen = Some(volts.abs());
        match step {
            CalibrationStep::Start | CalibrationStep::Cancel => *self = Self::default(),
            CalibrationStep::OnHook => self.on_hook_volts = seen,
            CalibrationStep::OffHook => self.off_hook_volts = seen,
            CalibrationStep::Unplugged => self.unplugged_volts = seen,
        }
        self.propose();
    }

    fn propose(&mut self) {
        (self.proposal, self.problem) = (None, None);
        let (Some(down), Some(up)) = (self.on_hook_volts, self.off_hook_volts) else { return };
        let lost = self.unplugged_volts.unwrap_or(0.0);
        if down - up < LEAST_DISTANCE_VOLTS {
            self.problem = Some("on_hook_not_above_off_hook");
        } else if up - lost < 1.0 {
            self.problem = Some("off_hook_not_above_unplugged");
        } else {
            // A third of the way up from off-hook: an idle line sags under ringing and leakage more often than
            // a handset in use climbs.
            let tenth = |volts: f32| (volts * 10.0).round() / 10.0;
            self.proposal = Some(Proposal {
                off_hook_below_volts: tenth(up + (down - up) / 3.0),
                on_hook_above_volts: tenth(up + (down - up) / 2.0),
                line_lost_below_volts: tenth(lost + (up - lost) / 2.0).min(3.0),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibrated(down: f32, up: f32, lost: f32) -> Calibration {
        let mut calibration = Calibration::default();
        calibration.take(CalibrationStep::OnHook, down);
        calibration.take(CalibrationStep::OffHook, up);
        calibration.take(CalibrationStep::Unplugged, lost);
        calibration
    }

    #[test]
    fn proposes_thresholds_between_the_voltages_seen() {
        for (down, up, lost) in [(48.0, 8.0, 0.2), (-48.0, -8.0, 0.0), (24.0, 7.0, 0.1), (56.0, 11.5, 0.4)] {
            let calibration = calibrated(down, up, lost);
            let proposal = calibration.proposal.expect("a proposal");
            assert!(proposal.line_lost_below_volts > lost.abs());
            assert!(proposal.line_lost_below_volts < up.abs());
            assert!(proposal.off_hook_below_volts > up.abs());
            assert!(proposal.on_hook_above_volts > proposal.off_hook_below_volts);
            assert!(proposal.on_hook_above_volts < down.abs());
        }
    }

    #[test]
    fn refuses_voltages_that_cannot_be_told_apart() {
        assert_eq!(calibrated(8.0, 48.0, 0.0).problem, Some("on_hook_not_above_off_hook"));
        assert_eq!(calibrated(48.0, 47.0, 0.0).problem, Some("on_hook_not_above_off_hook"));
        assert_eq!(calibrated(48.0, 0.5, 0.2).problem, Some("off_hook_not_above_unplugged"));
        assert_eq!(calibrated(48.0, 47.0, 0.0).proposal, None);
    }
}
