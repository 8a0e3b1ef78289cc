//! How a unit's clock runs against the box's. A unit counts 8000 samples in what it takes for a second; blocks come late by
//! whatever their way took, never early. The least late block of each window stands for it, a line through the newest
//! windows says how fast the unit is, and the correction follows it slowly. Samples are never stretched for it: only the
//! times that are worked out from their count are corrected.

/// Windows of this length, by the box's clock.
const WINDOW_US: i64 = 10_000_000;
/// Windows that the line goes through: two minutes.
const WINDOWS: usize = 12;
/// A crystal is not worse than this; what is lies in the way of the blocks.
const WORST_PPB: i64 = 500_000;

/// One unit's clock.
#[derive(Clone, Debug, Default)]
pub struct DriftMeter {
    /// Of each newest window: the least lateness in it, and when that was, in microseconds.
    windows: [(i64, i64); WINDOWS],
    /// Windows that were ever closed since the beginning.
    closed: usize,
    open: Option<Open>,
    /// When the line was drawn last, where it was then, and how steep it is.
    line: (i64, f64, f64),
    correction_us: i64,
    fast_ppb: i64,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    began_us: i64,
    /// When the least late block came, and how late it was.
    least: (i64, i64),
}

impl DriftMeter {
    /// Begins anew: the sample that is due at `nominal_us` by count was taken at `taken_us`.
    pub fn begin(&mut self, nominal_us: i64, taken_us: i64) {
        // The crystal is the one it was: how fast it is stays until it is known better.
        *self = Self { correction_us: taken_us - nominal_us, fast_ppb: self.fast_ppb, ..Self::default() };
    }

    /// The sample that is due at `nominal_us` by count has come at `taken_us`.
    pub fn observe(&mut self, nominal_us: i64, taken_us: i64) {
        let late_us = taken_us - nominal_us;
        let open = self.open.get_or_insert(Open { began_us: taken_us, least: (taken_us, late_us) });
        if late_us < open.least.1 {
            open.least = (taken_us, late_us);
        }
        let open = *open;
        if self.closed == 0 {
            // Until a window is full, the least lateness so far is all there is.
            self.correction_us = self.correction_us.min(open.least.1);
        } else {
            let (drawn_us, there_us, slope) = self.line;
            self.correction_us = (there_us + slope * (taken_us - drawn_us) as f64) as i64;
        }
        if taken_us - open.began_us >= WINDOW_US {
            self.windows[self.closed % WINDOWS] = open.least;
            self.closed += 1;
            self.open = None;
            self.fit(taken_us);
        }
    }

    /// What has to be added to the time by count of a sample that is taken now, in microseconds.
    pub fn correction_us(&self) -> i64 {
        self.correction_us
    }

    /// How much faster the unit counts than the box, in parts per billion.
    pub fn fast_ppb(&self) -> i64 {
        self.fast_ppb
    }

    /// A straight line through the windows (least squares), and where it is now.
    fn fit(&mut self, now_us: i64) {
        let windows = &self.windows[..self.closed.min(WINDOWS)];
        let count = windows.len() as f64;
        let (first_us, first_late) = windows[0];
        let points = windows.iter().map(|(at, late)| ((at - first_us) as f64, (late - first_late) as f64));
        let (mean_at, mean_late) =
            points.clone().fold((0.0, 0.0), |(a, l), (at, late)| (a + at / count, l + late / count));
        let (over, under) = points.fold((0.0, 0.0), |(over, under), (at, late)| {
            (over + (at - mean_at) * (late - mean_late), under + (at - mean_at).powi(2))
        });
        let slope = if windows.len() > 1 && under > 0.0 { over / under } else { 0.0 };
        let slope = slope.clamp(-(WORST_PPB as f64) * 1e-9, WORST_PPB as f64 * 1e-9);
        if windows.len() > 2 {
            // A sample that comes later and later is one of a slow unit.
            self.fast_ppb = (-slope * 1e9) as i64;
        }
        let at_now = mean_late + slope * ((now_us - first_us) as f64 - mean_at);
        self.line = (now_us, first_late as f64 + at_now, slope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit that is `ppm` fast, whose blocks are `late` microseconds late, for `seconds`.
    fn run(meter: &mut DriftMeter, ppm: f64, seconds: i64, mut late: impl FnMut() -> i64) -> i64 {
        let mut true_us = 0;
        for block in 1..=seconds * 100 {
            true_us = (block as f64 * 10_000.0 / (1.0 + ppm * 1e-6)) as i64;
            meter.observe(block * 10_000, true_us + late());
        }
        true_us - seconds * 1_000_000
    }

    #[test]
    fn a_fast_and_a_slow_unit_are_told_apart_through_jitter() {
        for ppm in [-80.0, -5.0, 0.0, 30.0, 100.0] {
            let mut random = fastrand::Rng::with_seed(7);
            let mut meter = DriftMeter::default();
            meter.begin(0, 0);
            let truth_us = run(&mut meter, ppm, 600, || random.i64(500..8000));
            let found = meter.fast_ppb() as f64 / 1000.0;
            assert!((found - ppm).abs() < 2.0, "{ppm} ppm was taken for {found}");
            let error_us = meter.correction_us() - truth_us;
            assert!((-100..2500).contains(&error_us), "{ppm} ppm: {error_us} us off after ten minutes");
        }
    }

    #[test]
    fn one_late_burst_moves_nothing() {
        let mut meter = DriftMeter::default();
        meter.begin(0, 0);
        run(&mut meter, 0.0, 60, || 1000);
        let before = meter.correction_us();
        for block in 6001..6051 {
            meter.observe(block * 10_000, block * 10_000 + 400_000);
        }
        assert_eq!((before, meter.correction_us()), (1000, 1000));
    }

    #[test]
    fn a_new_beginning_keeps_what_is_known_of_the_crystal() {
        let mut meter = DriftMeter::default();
        meter.begin(0, 0);
        run(&mut meter, 50.0, 120, || 0);
        let known = meter.fast_ppb();
        meter.begin(5_000_000, 5_000_123);
        assert_eq!((meter.correction_us(), meter.fast_ppb()), (123, known));
    }
}
