//! Levels: the one place where the power of samples meets dBm0.

/// A full-scale sine in dBm0 (ITU-T G.711 for A-law: the overload level).
#[expect(clippy::approx_constant, reason = "a level in decibels that only looks like pi")]
pub const FULL_SCALE_SINE_DBM0: f32 = 3.14;

/// Mean square of a full-scale sine in 16-bit units.
const FULL_SCALE_SINE_POWER: f32 = 32768.0 * 32768.0 / 2.0;

/// Mean square, in 16-bit units squared, of a signal at `dbm0`. Not for the sample path: compute thresholds once.
pub fn power_from_dbm0(dbm0: f32) -> f32 {
    FULL_SCALE_SINE_POWER * 10f32.powf((dbm0 - FULL_SCALE_SINE_DBM0) / 10.0)
}

/// Level of a signal with mean square `power` in 16-bit units squared; negative infinity for silence.
pub fn dbm0_from_power(power: f32) -> f32 {
    10.0 * (power / FULL_SCALE_SINE_POWER).log10() + FULL_SCALE_SINE_DBM0
}

/// Peak amplitude, in 16-bit units, of a sine at `dbm0`.
pub fn sine_peak_from_dbm0(dbm0: f32) -> f32 {
    (2.0 * power_from_dbm0(dbm0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_survive_the_way_there_and_back() {
        for dbm0 in [-60.0, -25.0, -10.0, 0.0, FULL_SCALE_SINE_DBM0] {
            assert!((dbm0_from_power(power_from_dbm0(dbm0)) - dbm0).abs() < 1e-3);
        }
        assert!((sine_peak_from_dbm0(FULL_SCALE_SINE_DBM0) - 32768.0).abs() < 0.1);
        assert_eq!(dbm0_from_power(0.0), f32::NEG_INFINITY);
    }
}
