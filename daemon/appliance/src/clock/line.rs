//! True time as a straight line over the oscillator, laid through the answers of one server. An answer weighs by how long it
//! was on the way beyond the shortest (what made it late made it late in one direction, nobody knows which), and by its age,
//! since an oscillator does not keep its frequency. Bayesian: what is known of the frequency before the first answer is one
//! more observation. How far the answers lie from the line corrects what was believed of their errors.

use super::sample::Sample;

/// The error of an answer that was on the way no longer than the shortest: reading clocks.
const FLOOR_US: f64 = 30.0;
/// How much the frequency of a crystal wanders: an answer of 1000 s ago counts as 0.2 ms worse.
const WANDER_PPM: f64 = 0.2;
/// With fewer the spread of the delays is not known.
const FEWEST_FOR_SPREAD: usize = 4;
/// Rounds of correcting what is believed of the errors; it settles in two or three.
const ROUNDS: usize = 6;
/// Variances of residuals that are as expected, within this.
const AS_EXPECTED: f64 = 1.1;
/// Deviations from what was known of the frequency, after which that is not believed.
const SURPRISE: f64 = 3.0;

/// What is known of the oscillator before anybody is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frequency {
    /// True time runs so much faster than the oscillator.
    pub(crate) ppm: f64,
    /// One standard deviation.
    pub(crate) sigma_ppm: f64,
}

impl Frequency {
    /// A crystal of which nothing is known.
    pub(crate) const UNKNOWN: Self = Self { ppm: 0.0, sigma_ppm: 50.0 };
}

/// True time less the oscillator's: a line over the oscillator, with its uncertainty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// The newest answer's moment and what it said; the rest is told from here.
    raw_us: i64,
    ahead_us: i64,
    rise_us: f64,
    pub(crate) slope_ppm: f64,
    /// Variances of rise and slope, and what they have in common.
    rise_us2: f64,
    common: f64,
    slope_ppm2: f64,
    /// Root mean square of the answers' distances from the line.
    pub(crate) jitter_us: f64,
    /// The shortest way there and back.
    pub(crate) delay_us: i64,
    /// Believed of the errors of answers beside delay and age, as the residuals show.
    extra_us2: f64,
    /// Delays beyond the shortest that even the shortest may have had.
    unseen_us: f64,
}

impl Line {
    /// Oldest sample first. `None` without one.
    pub(crate) fn through(samples: &[Sample], known: Frequency) -> Option<Self> {
        let line = Self::fitted(samples, known)?;
        let surprised = (line.slope_ppm - known.ppm).abs() > SURPRISE * known.sigma_ppm;
        if surprised { Self::fitted(samples, Frequency::UNKNOWN) } else { Some(line) }
    }

    fn fitted(samples: &[Sample], known: Frequency) -> Option<Self> {
        let newest = samples.last()?;
        let delay_us = samples.iter().map(|sample| sample.delay_us).min()?;
        let mut line = Self {
            raw_us: newest.raw_us,
            ahead_us: newest.ahead_us,
            rise_us: 0.0,
            slope_ppm: known.ppm,
            rise_us2: 0.0,
            common: 0.0,
            slope_ppm2: 0.0,
            jitter_us: 0.0,
            delay_us,
            extra_us2: 0.0,
            unseen_us: unseen_us(samples, delay_us),
        };
        for _ in 0..ROUNDS {
            line.solve(samples, known);
            if samples.len() < FEWEST_FOR_SPREAD {
                break;
            }
            let free = (samples.len() - 2) as f64;
            let surprise =
                samples.iter().map(|one| line.residual_us(one).powi(2) / line.sample_us2(one)).sum::<f64>()
                    / free;
            if surprise <= AS_EXPECTED {
                break;
            }
            let least_us2 = FLOOR_US.powi(2) + line.unseen_us.powi(2) / 12.0;
            line.extra_us2 = (line.extra_us2 + least_us2) * surprise - least_us2;
        }
        let squares: f64 = samples.iter().map(|one| line.residual_us(one).powi(2)).sum();
        line.jitter_us = (squares / samples.len() as f64).sqrt();
        Some(line)
    }

    /// Weighted least squares with the known frequency as one observation.
    fn solve(&mut self, samples: &[Sample], known: Frequency) {
        let weight_known = known.sigma_ppm.powi(-2);
        let (mut w, mut wx, mut wxx, mut wy, mut wxy) =
            (0.0, 0.0, weight_known, 0.0, weight_known * known.ppm);
        for sample in samples {
            let weight = 1.0 / self.sample_us2(sample);
            let (x, y) = (self.seconds(sample.raw_us), (sample.ahead_us - self.ahead_us) as f64);
            w += weight;
            wx += weight * x;
            wxx += weight * x * x;
            wy += weight * y;
            wxy += weight * x * y;
        }
        let determinant = w * wxx - wx * wx;
        self.rise_us = (wy * wxx - wx * wxy) / determinant;
        self.slope_ppm = (w * wxy - wx * wy) / determinant;
        (self.rise_us2, self.common, self.slope_ppm2) =
            (wxx / determinant, -wx / determinant, w / determinant);
    }

    /// Variance of an answer: late by up to its excess in one direction, evenly; and by its age.
    fn sample_us2(&self, sample: &Sample) -> f64 {
        let late_us = (sample.delay_us - self.delay_us) as f64 + self.unseen_us;
        let aged_us = WANDER_PPM * self.seconds(sample.raw_us);
        FLOOR_US.powi(2) + self.extra_us2 + late_us.powi(2) / 12.0 + aged_us.powi(2)
    }

    /// Of the oscillator, from the newest answer on.
    fn seconds(&self, raw_us: i64) -> f64 {
        (raw_us - self.raw_us) as f64 / 1e6
    }

    /// True time less the oscillator's, at that moment of the oscillator.
    pub(crate) fn ahead_us(&self, raw_us: i64) -> i64 {
        let moved_us = self.rise_us + self.slope_ppm * self.seconds(raw_us);
        self.ahead_us.saturating_add(moved_us.round() as i64)
    }

    /// One standard deviation of that; it grows with the time since the last answer.
    pub(crate) fn sigma_us(&self, raw_us: i64) -> f64 {
        let x = self.seconds(raw_us);
        let wandered_us = WANDER_PPM * x;
        let fitted_us2 = self.rise_us2 + 2.0 * x * self.common + x * x * self.slope_ppm2;
        (fitted_us2.max(0.0) + wandered_us.powi(2)).sqrt()
    }

    /// The scale of time itself moves.
    pub(crate) fn shift(&mut self, by_us: i64) {
        self.ahead_us += by_us;
    }

    pub(crate) fn frequency(&self) -> Frequency {
        Frequency { ppm: self.slope_ppm, sigma_ppm: self.slope_ppm2.max(0.0).sqrt() }
    }

    /// How far an answer lies from the line.
    pub(crate) fn residual_us(&self, sample: &Sample) -> f64 {
        (sample.ahead_us - self.ahead_us(sample.raw_us)) as f64
    }

    /// Whether an answer can belong to the line: half of its delay is the most it can be wrong by.
    pub(crate) fn fits(&self, sample: &Sample) -> bool {
        let most_us =
            1_000.0 + sample.delay_us as f64 / 2.0 + 4.0 * (self.sigma_us(sample.raw_us) + self.jitter_us);
        self.residual_us(sample).abs() <= most_us
    }
}

/// The shortest of few delays is not the shortest there is: by as much as delays usually differ, less the more there are.
fn unseen_us(samples: &[Sample], shortest_us: i64) -> f64 {
    if samples.len() < FEWEST_FOR_SPREAD {
        return shortest_us as f64;
    }
    let mut beyond: Vec<i64> = samples.iter().map(|sample| sample.delay_us - shortest_us).collect();
    beyond.sort_unstable();
    beyond[beyond.len() / 2] as f64 / (samples.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::machine::Leap;

    const AHEAD_US: i64 = 1_795_000_000_000_000;

    fn sample(at_s: i64, off_us: i64, delay_us: i64) -> Sample {
        let raw_us = at_s * 1_000_000;
        Sample { raw_us, ahead_us: AHEAD_US + off_us, delay_us, root_us: 0, stratum: 1, leap: Leap::None }
    }

    #[test]
    fn a_frequency_shows_in_answers_without_jitter() {
        let samples: Vec<_> = (0..20).map(|n| sample(n * 16, n * 16 * -30, 400)).collect();
        let line = Line::through(&samples, Frequency::UNKNOWN).expect("a line");
        assert!((line.slope_ppm + 30.0).abs() < 0.5, "{line:?}");
        let at_us = 400_000_000;
        assert!(
            (line.ahead_us(at_us) - (AHEAD_US - 12_000)).abs() < 100,
            "{}",
            line.ahead_us(at_us) - AHEAD_US
        );
        assert!(line.sigma_us(at_us) < 200.0, "{}", line.sigma_us(at_us));
    }

    #[test]
    fn of_one_answer_half_its_delay_is_in_doubt_and_the_frequency_is_what_was_known() {
        let known = Frequency { ppm: 12.0, sigma_ppm: 2.0 };
        let line = Line::through(&[sample(0, 5_000, 40_000)], known).expect("a line");
        assert!((line.slope_ppm - 12.0).abs() < 1e-6);
        assert_eq!(line.ahead_us(1_000_000), AHEAD_US + 5_012);
        assert!((5_000.0..20_000.0).contains(&line.sigma_us(0)), "{}", line.sigma_us(0));
        assert!(Line::through(&[], known).is_none());
    }

    #[test]
    fn late_answers_move_the_line_little() {
        let mut samples: Vec<_> = (0..20).map(|n| sample(n * 16, 0, 10_000)).collect();
        for late in [3, 7, 8, 15] {
            samples[late] = sample(late as i64 * 16, 40_000, 90_000);
        }
        let line = Line::through(&samples, Frequency::UNKNOWN).expect("a line");
        let off_us = line.ahead_us(19 * 16_000_000) - AHEAD_US;
        assert!(off_us.abs() < 2_000, "{off_us} us");
    }

    #[test]
    fn what_was_known_of_another_crystal_is_given_up() {
        let samples: Vec<_> = (0..30).map(|n| sample(n * 16, n * 16 * 45, 2_000)).collect();
        let line = Line::through(&samples, Frequency { ppm: -20.0, sigma_ppm: 1.0 }).expect("a line");
        assert!((line.slope_ppm - 45.0).abs() < 1.0, "{line:?}");
    }

    #[test]
    fn doubt_grows_without_answers() {
        let samples: Vec<_> = (0..20).map(|n| sample(n * 16, 0, 400)).collect();
        let line = Line::through(&samples, Frequency::UNKNOWN).expect("a line");
        let doubt = |hours: i64| line.sigma_us((20 * 16 + hours * 3600) * 1_000_000);
        assert!(doubt(0) < 100.0 && doubt(1) < doubt(8) && doubt(8) > 5_000.0, "{} {}", doubt(0), doubt(8));
    }

    #[test]
    fn an_answer_that_no_delay_explains_does_not_fit() {
        let samples: Vec<_> = (0..8).map(|n| sample(n * 16, 0, 10_000)).collect();
        let line = Line::through(&samples, Frequency::UNKNOWN).expect("a line");
        assert!(line.fits(&sample(130, 4_000, 10_000)));
        assert!(line.fits(&sample(130, 40_000, 90_000)));
        assert!(!line.fits(&sample(130, 500_000, 10_000)));
        assert!(!line.fits(&sample(130, 31_536_000_000_000, 10_000)));
    }
}
