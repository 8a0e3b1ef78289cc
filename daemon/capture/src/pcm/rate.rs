//! From the rate of a sound card to 8000 Hz, for cards that have no such rate: one low-pass filter (windowed sinc, linear
//! phase) for all tracks. Every input rate here is to 8000 Hz as whole numbers below 500 are to each other, so that each
//! sample lies on a point of the filter that is worked out beforehand: nothing is interpolated, and no rate drifts.

use audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};
use signal::RATE_HZ;

use crate::BLOCK_SAMPLES;

/// Rates that a card may run at, best first: 8000 Hz is not touched, and what is a multiple of it is filtered the least.
pub const RATES_HZ: [u32; 5] = [8000, 16_000, 32_000, 48_000, 44_100];

/// The filter is this part of a second long: 13.3 ms. With the Blackman-Harris window it falls within ±300 Hz of its
/// corner, and what it has to keep out is 100 dB down.
const FILTERS_A_SECOND: u32 = 75;
/// Corner of the filter (−6 dB), in Hz: flat to 3400 Hz, the end of the telephone band, and nothing from 4000 Hz on.
const CORNER_HZ: f32 = 3700.0;

/// Makes blocks of 8000 Hz from frames of another rate.
pub struct Resampler {
    filter: Async<f32>,
    rate_hz: u32,
    tracks: usize,
    delay_us: i64,
    /// Track-major, for as many frames as one block can need.
    input: Vec<f32>,
    output: Vec<f32>,
}

/// The filter was given other lengths than it asked for, or was made for something impossible.
#[derive(Debug, thiserror::Error)]
#[error("the samples of a sound card at {rate_hz} Hz cannot be brought to 8000 Hz: {reason}")]
pub struct RateError {
    rate_hz: u32,
    reason: String,
}

impl Resampler {
    /// For `tracks` tracks at `rate_hz`, one of [`RATES_HZ`].
    ///
    /// # Errors
    /// A rate of 0, or no tracks.
    pub fn new(rate_hz: u32, tracks: usize) -> Result<Self, RateError> {
        let wrong = |reason: &dyn std::fmt::Display| RateError { rate_hz, reason: reason.to_string() };
        let sinc_len = (rate_hz / FILTERS_A_SECOND).next_multiple_of(8);
        // Points of the filter between two input frames: as many as the fraction's numerator, and each is met exactly.
        let points = RATE_HZ / common_divisor(rate_hz, RATE_HZ);
        let parameters = SincInterpolationParameters::new(sinc_len as usize, WindowFunction::BlackmanHarris)
            .f_cutoff(CORNER_HZ / (RATE_HZ as f32 / 2.0))
            .oversampling_factor(points as usize)
            .interpolation(SincInterpolationType::Nearest);
        let ratio = f64::from(RATE_HZ) / f64::from(rate_hz);
        let filter = Async::new_sinc(ratio, 1.0, &parameters, BLOCK_SAMPLES, tracks, FixedAsync::Output)
            .map_err(|error| wrong(&error))?;
        // Half the filter; its middle is one of its points before the half, and the first sample that comes out is the one
        // behind the beginning.
        let delay_frames = f64::from(sinc_len / 2) - 1.0 / f64::from(points) - 1.0 / ratio;
        let longest = filter.input_frames_max();
        Ok(Self {
            rate_hz,
            tracks,
            delay_us: (delay_frames * 1e6 / f64::from(rate_hz)).round() as i64,
            input: vec![0.0; tracks * longest],
            output: vec![0.0; tracks * BLOCK_SAMPLES],
            filter,
        })
    }

    /// Frames that the next block needs.
    pub fn wants(&self) -> usize {
        self.filter.input_frames_next()
    }

    /// Frames that any block can need.
    pub fn wants_at_most(&self) -> usize {
        self.filter.input_frames_max()
    }

    /// By how much later a sample comes out than it went in, in microseconds: the group delay, the same for all
    /// frequencies.
    pub fn delay_us(&self) -> i64 {
        self.delay_us
    }

    /// One block, from the [`wants`](Self::wants) frames that `fill` writes, track-major, full scale ±32768.
    ///
    /// # Errors
    /// The filter refused what it asked for; not seen yet.
    pub fn block(&mut self, fill: impl FnOnce(&mut [f32], usize)) -> Result<&[f32], RateError> {
        let wrong =
            |reason: &dyn std::fmt::Display| RateError { rate_hz: self.rate_hz, reason: reason.to_string() };
        let frames = self.filter.input_frames_next();
        let input =
            self.input.get_mut(..self.tracks * frames).ok_or_else(|| wrong(&"it wants more than it said"))?;
        fill(input, frames);
        let from = SequentialSlice::new(&*input, self.tracks, frames).map_err(|error| wrong(&error))?;
        let mut to = SequentialSlice::new_mut(&mut self.output, self.tracks, BLOCK_SAMPLES)
            .map_err(|error| wrong(&error))?;
        self.filter.process_into_buffer(&from, &mut to, None).map_err(|error| wrong(&error))?;
        Ok(&self.output)
    }
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// A second of a sine of `hz` and amplitude 10,000 at `rate_hz` through the filter, and the filter's delay.
    fn sine(rate_hz: u32, hz: f64) -> (Vec<f64>, i64) {
        let mut resampler = Resampler::new(rate_hz, 1).expect("a rate");
        let (mut frame, mut out) = (0, Vec::new());
        for _ in 0..100 {
            let block = resampler.block(|input, _| {
                for sample in input {
                    let turns = f64::from(frame) / f64::from(rate_hz) * hz;
                    *sample = (turns * TAU).sin() as f32 * 1e4;
                    frame += 1;
                }
            });
            out.extend(block.expect("a block").iter().map(|&sample| f64::from(sample)));
        }
        (out, resampler.delay_us())
    }

    /// From here on the filter is full.
    const FULL: usize = 800;

    /// The sine of `hz` in samples of 8000 Hz, which began `delay_us` late: its level against 10,000 in dB, by how many
    /// microseconds it is later than that, and how far everything else is below it, in dB.
    fn fit(samples: &[f64], hz: f64, delay_us: i64) -> (f64, f64, f64) {
        let count = (samples.len() - FULL) as f64;
        let (mut sines, mut cosines, mut power) = (0.0, 0.0, 0.0);
        for (n, sample) in samples.iter().enumerate().skip(FULL) {
            let (sin, cos) = ((n as f64 / 8000.0 - delay_us as f64 * 1e-6) * hz * TAU).sin_cos();
            (sines, cosines) = (sines + sample * sin * 2.0 / count, cosines + sample * cos * 2.0 / count);
            power += sample * sample / count;
        }
        let amplitude = sines.hypot(cosines);
        let rest = (power - amplitude * amplitude / 2.0).max(f64::MIN_POSITIVE);
        (
            20.0 * (amplitude / 1e4).log10(),
            -cosines.atan2(sines) / (hz * TAU) * 1e6,
            10.0 * (amplitude * amplitude / 2.0 / rest).log10(),
        )
    }

    #[test]
    fn the_telephone_band_passes_untouched_and_as_late_as_said() {
        for rate_hz in &RATES_HZ[1..] {
            for hz in [50.0, 300.0, 1000.0, 2100.0, 3000.0, 3400.0] {
                let (out, delay_us) = sine(*rate_hz, hz);
                let (level_db, late_us, signal_to_noise_db) = fit(&out, hz, delay_us);
                assert!(level_db.abs() < 0.01, "{rate_hz} Hz: {hz} Hz comes out {level_db} dB louder");
                assert!(late_us.abs() < 1.0, "{rate_hz} Hz: {hz} Hz is {late_us} us later than said");
                assert!(
                    signal_to_noise_db > 110.0,
                    "{rate_hz} Hz: {hz} Hz has a noise of -{signal_to_noise_db} dB"
                );
            }
        }
    }

    #[test]
    fn nothing_comes_back_from_above_the_band() {
        for rate_hz in &RATES_HZ[1..] {
            for hz in [4000.0, 4200.0, 4600.0, 5000.0, 7000.0, 7900.0] {
                let (out, _) = sine(*rate_hz, hz);
                let power = out[FULL..].iter().map(|s| s * s).sum::<f64>() / (out.len() - FULL) as f64;
                let level_db = 10.0 * (power / (1e4 * 1e4 / 2.0)).log10();
                assert!(level_db < -95.0, "{rate_hz} Hz: {hz} Hz comes back with {level_db} dB");
            }
        }
    }

    #[test]
    fn ten_milliseconds_come_from_ten_milliseconds_and_allocate_nothing() {
        for rate_hz in &RATES_HZ[1..] {
            let mut resampler = Resampler::new(*rate_hz, 3).expect("a rate");
            let first = resampler.wants();
            assert!(first < *rate_hz as usize / 50, "{rate_hz} Hz: {first} frames before the first block");
            let mut frames = 0;
            let counted = allocation_counter::measure(|| {
                for _ in 0..10_000 {
                    frames += resampler.wants();
                    let block = resampler.block(|input, _| input.fill(1.0));
                    assert_eq!(block.map(<[f32]>::len).unwrap_or(0), 3 * BLOCK_SAMPLES);
                }
            });
            assert_eq!(counted.count_total, 0, "{rate_hz} Hz");
            let ahead = frames - 9999 * *rate_hz as usize / 100;
            assert!(ahead.abs_diff(first) <= 1, "{rate_hz} Hz: {ahead} frames ahead, {first} at first");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(Resampler::new(0, 1).is_err());
    }
}
