//! Level meters: how loud each lane is now, for the live page's meters and for commissioning.

use crate::dbm0::dbm0_from_power;
use crate::hop::{HOP_SAMPLES, Hop};
use crate::lanes::Lanes;

/// What a meter shows at least: the level of one least significant bit of 16 is about −87 dBm0.
pub const METER_FLOOR_DBM0: f32 = -90.0;

/// Share of a new hop in the average: a time constant of 50 ms.
const AVERAGING: f32 = 0.1;
/// A peak falls by this factor of power each hop: 20 dB a second.
const PEAK_DECAY: f32 = 0.977_237_2;

/// Short-term power and peak of each lane.
#[derive(Clone, Debug)]
pub struct LevelMeter {
    /// Mean square in 16-bit units squared.
    power: Lanes,
    /// Square of the decaying peak.
    peak_power: Lanes,
}

impl Default for LevelMeter {
    fn default() -> Self {
        Self { power: Lanes::ZERO, peak_power: Lanes::ZERO }
    }
}

impl LevelMeter {
    #[inline(always)]
    pub fn hop(&mut self, hop: &Hop) {
        let power = hop.energy * (1.0 / HOP_SAMPLES as f32);
        self.power += (power - self.power) * AVERAGING;
        self.peak_power = hop.peak_power.max(self.peak_power * PEAK_DECAY);
    }

    /// Level of lane `lane`, averaged over about 50 ms, in dBm0; at least [`METER_FLOOR_DBM0`].
    pub fn rms_dbm0(&self, lane: usize) -> f32 {
        dbm0_from_power(self.power[lane]).max(METER_FLOOR_DBM0)
    }

    /// The highest peak of late, as the level in dBm0 of the sine that has it; it falls by 20 dB a second.
    pub fn peak_dbm0(&self, lane: usize) -> f32 {
        dbm0_from_power(self.peak_power[lane] / 2.0).max(METER_FLOOR_DBM0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dbm0::sine_peak_from_dbm0;
    use crate::hop::Hops;
    use crate::units::SampleIndex;

    fn sine(dbm0: f32, hertz: f32, samples: usize) -> Vec<Lanes> {
        let peak = sine_peak_from_dbm0(dbm0);
        (0..samples)
            .map(|n| Lanes::splat(peak * (std::f32::consts::TAU * (hertz * n as f32 / 8000.0).fract()).sin()))
            .collect()
    }

    #[test]
    fn a_sine_shows_its_level_as_mean_and_as_peak() {
        for hertz in [310.0, 1004.0, 3300.0] {
            for dbm0 in [3.0, -10.0, -38.0, -60.0] {
                let (mut hops, mut meter) = (Hops::default(), LevelMeter::default());
                hops.process(&sine(dbm0, hertz, 8000), SampleIndex(0), &mut |hop| meter.hop(hop));
                assert!((meter.rms_dbm0(5) - dbm0).abs() < 0.2, "{hertz} Hz: {}", meter.rms_dbm0(5));
                assert!((meter.peak_dbm0(5) - dbm0).abs() < 0.3, "{hertz} Hz: {}", meter.peak_dbm0(5));
            }
        }
    }

    #[test]
    fn silence_shows_the_floor_and_a_peak_falls_slowly() {
        let (mut hops, mut meter) = (Hops::default(), LevelMeter::default());
        assert_eq!(meter.rms_dbm0(0), METER_FLOOR_DBM0);
        hops.process(&sine(-10.0, 1004.0, 4000), SampleIndex(0), &mut |hop| meter.hop(hop));
        hops.process(&[Lanes::ZERO; 8000], SampleIndex(4000), &mut |hop| meter.hop(hop));
        assert!((meter.peak_dbm0(0) + 30.0).abs() < 0.5, "{}", meter.peak_dbm0(0));
        assert!(meter.rms_dbm0(0) < -85.0);
    }
}
