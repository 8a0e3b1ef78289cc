//! How even the level of a burst is: sums over those of its windows that its edges do not reach into. They are taken
//! late, when the burst has gone on for some more.

use crate::lanes::Lanes;

/// Windows at either end of a burst that its edges may reach into.
pub(crate) const EDGE_WINDOWS: usize = 3;

/// Sums of one quantity, energy or what the probes caught of it, over the inner windows of each lane's burst.
#[derive(Clone, Debug)]
pub(crate) struct Evenness {
    /// The last windows, the newest first.
    windows: [Lanes; EDGE_WINDOWS + 2],
    /// A change from one window to the next, relative and squared, counts no more than this.
    most_change: f32,
    energy: Lanes,
    squared: Lanes,
    change: Lanes,
}

impl Evenness {
    pub(crate) fn new(most_change: f32) -> Self {
        Self {
            windows: [Lanes::ZERO; EDGE_WINDOWS + 2],
            most_change,
            energy: Lanes::ZERO,
            squared: Lanes::ZERO,
            change: Lanes::ZERO,
        }
    }

    /// Takes the newest window; `inside` is 1 for lanes in which the one before the edge windows is an inner one.
    #[inline(always)]
    pub(crate) fn take(&mut self, window: Lanes, inside: Lanes) {
        self.windows.rotate_right(1);
        self.windows[0] = window;
        let [.., inner, before] = self.windows;
        let change = inner - before;
        let squared = inner * inner;
        self.energy += inner * inside;
        self.squared += squared * inside;
        self.change += (change * change).min(squared * self.most_change) * inside;
    }

    /// A burst begins in a lane.
    pub(crate) fn begin(&mut self, lane: usize) {
        self.energy[lane] = 0.0;
        self.squared[lane] = 0.0;
        self.change[lane] = 0.0;
    }

    /// Sum over a lane's inner windows.
    pub(crate) fn energy(&self, lane: usize) -> f32 {
        self.energy[lane].max(f32::MIN_POSITIVE)
    }

    /// Whether the mean square change from one window to the next, relative, is at most `most`.
    pub(crate) fn is_steady(&self, lane: usize, most: f32) -> bool {
        self.change[lane] <= most * self.squared[lane]
    }

    /// Whether the variance of a lane's `count` inner windows, relative, is at most `most`.
    pub(crate) fn is_level(&self, lane: usize, count: f32, most: f32) -> bool {
        self.squared[lane] * count <= (1.0 + most) * self.energy(lane) * self.energy(lane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(windows: impl Iterator<Item = f32>, most_change: f32) -> (Evenness, f32) {
        let mut even = Evenness::new(most_change);
        let mut count = 0.0;
        for (n, window) in windows.enumerate() {
            let inside = if n >= EDGE_WINDOWS + 2 { 1.0 } else { 0.0 };
            count += inside;
            even.take(Lanes::splat(window), Lanes::splat(inside));
        }
        (even, count)
    }

    #[test]
    fn a_level_that_stays_is_steady_and_level() {
        let (even, count) = of((0..50).map(|_| 7.0), 1.0);
        assert!(even.is_steady(3, 1e-6) && even.is_level(3, count, 1e-6));
        assert_eq!(even.energy(3), 7.0 * count);
    }

    #[test]
    fn what_fades_is_steady_and_not_level() {
        let (even, count) = of((0..50).map(|n| 0.97_f32.powi(n)), 1.0);
        assert!(even.is_steady(3, 0.002) && !even.is_level(3, count, 0.1));
    }

    #[test]
    fn one_click_is_not_more_than_a_change_may_count() {
        let click = |n| if n == 25 { 10.0 } else { 1.0 };
        let (capped, _) = of((0..50).map(click), 0.01);
        assert!(capped.is_steady(3, 0.01));
        assert!(!of((0..50).map(click), 1e6).0.is_steady(3, 0.01));
    }
}
