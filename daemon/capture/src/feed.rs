//! Between a unit's driver and the sample path: blocks that go round in two rings without a lock. Neither side waits or
//! allocates; what the sample path does not take in time is counted as lost, and told with the next block.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use rtrb::{Consumer, Producer, RingBuffer};
use signal::{RATE_HZ, SampleIndex};

use crate::drift::DriftMeter;
use crate::{BLOCK_SAMPLES, Block, StatusChange};

/// Blocks that lie between driver and sample path at most: 2 s.
const BLOCKS: usize = 200;

/// How a unit's samples stand on the box's clock, for whoever wants to know; written by the driver only.
#[derive(Debug, Default)]
pub struct UnitClock {
    /// What has to be added to a sample's time by count, in microseconds.
    correction_us: AtomicI64,
    /// How much faster the unit counts than the box, in parts per billion.
    fast_ppb: AtomicI64,
    lost_samples: AtomicU64,
    blocks: AtomicU64,
}

impl UnitClock {
    /// Microseconds by which a sample that is taken now is later than its count says, by 8000 Hz from the anchor.
    pub fn correction_us(&self) -> i64 {
        self.correction_us.load(Relaxed)
    }

    /// How much faster the unit's clock is than the box's, in parts per million; 0 until it is known.
    pub fn fast_ppm(&self) -> f64 {
        self.fast_ppb.load(Relaxed) as f64 / 1000.0
    }

    /// Samples of each track that did not come while the unit was there.
    pub fn lost_samples(&self) -> u64 {
        self.lost_samples.load(Relaxed)
    }

    /// Blocks that have come so far.
    pub fn blocks(&self) -> u64 {
        self.blocks.load(Relaxed)
    }
}

/// The driver's end.
pub struct Feed {
    free: Consumer<Block>,
    full: Producer<Block>,
    /// Index of the next sample.
    position: SampleIndex,
    /// Samples that are missing just before `position`.
    lost: u64,
    /// Monotonic time of sample 0.
    origin_us: i64,
    drift: DriftMeter,
    clock: Arc<UnitClock>,
}

/// The sample path's end.
pub struct Intake {
    free: Producer<Block>,
    full: Consumer<Block>,
}

/// Both ends for a unit of `tracks` tracks and `channels` channels. `origin_us`: when sample 0 was, by the box's monotonic
/// clock; all units of a station share it.
pub fn feed(tracks: usize, channels: usize, origin_us: i64) -> (Feed, Intake) {
    let (mut to_driver, free) = RingBuffer::new(BLOCKS);
    let (full, to_path) = RingBuffer::new(BLOCKS);
    for _ in 0..BLOCKS {
        let block = Block {
            samples: vec![0; tracks * BLOCK_SAMPLES],
            status: Vec::with_capacity(2 * channels),
            ..Block::default()
        };
        // The ring has room for all of them.
        let _ = to_driver.push(block);
    }
    let feed = Feed {
        free,
        full,
        position: SampleIndex(0),
        lost: 0,
        origin_us,
        drift: DriftMeter::default(),
        clock: Arc::default(),
    };
    (feed, Intake { free: to_driver, full: to_path })
}

impl Feed {
    pub fn clock(&self) -> Arc<UnitClock> {
        self.clock.clone()
    }

    /// Index of the next sample.
    pub fn position(&self) -> SampleIndex {
        self.position
    }

    /// The unit gives samples again, of which the next one was taken at `first_us` (monotonic): after its start, or
    /// after it was away. What is missing in between is lost. Samples never go back in time: a unit whose clock ran
    /// ahead goes on where it was, and is corrected.
    pub fn resume(&mut self, first_us: i64) {
        let at = (first_us - self.origin_us).max(0) as u128 * u128::from(RATE_HZ) / 1_000_000;
        self.skip((at as u64).saturating_sub(self.position.0));
        self.drift.begin(self.nominal_us(self.position), first_us);
        self.clock.correction_us.store(self.drift.correction_us(), Relaxed);
    }

    /// So many samples of each track did not come, by the unit's own count.
    pub fn lose(&mut self, samples: u64) {
        self.clock.lost_samples.fetch_add(samples, Relaxed);
        self.skip(samples);
    }

    fn skip(&mut self, samples: u64) {
        self.position = self.position.plus(samples);
        self.lost += samples;
    }

    /// The next 10 ms, whose last sample had been taken at `taken_us` (monotonic; late by whatever the way took). `fill`
    /// writes all tracks, track-major, and the status of channels; the samples are those of 10 ms ago. `false`: the
    /// sample path is late, and the block is lost.
    pub fn push(
        &mut self,
        taken_us: i64,
        fill: impl FnOnce(SampleIndex, &mut [i16], &mut Vec<StatusChange>),
    ) -> bool {
        let end = self.position.plus(BLOCK_SAMPLES as u64);
        self.drift.observe(self.nominal_us(end), taken_us);
        self.clock.correction_us.store(self.drift.correction_us(), Relaxed);
        self.clock.fast_ppb.store(self.drift.fast_ppb(), Relaxed);
        let Ok(mut block) = self.free.pop() else {
            self.lose(BLOCK_SAMPLES as u64);
            return false;
        };
        block.first = self.position;
        block.lost_samples = std::mem::take(&mut self.lost);
        block.status.clear();
        fill(block.first, &mut block.samples, &mut block.status);
        self.position = end;
        // Every block is in one of the rings or here: there is room.
        let _ = self.full.push(block);
        self.clock.blocks.fetch_add(1, Relaxed);
        true
    }

    /// When a sample is taken by count, monotonic.
    fn nominal_us(&self, at: SampleIndex) -> i64 {
        self.origin_us + (u128::from(at.0) * 1_000_000 / u128::from(RATE_HZ)) as i64
    }
}

impl Intake {
    /// Works on the next block, if one is there.
    pub fn next<R>(&mut self, work: impl FnOnce(&Block) -> R) -> Option<R> {
        let block = self.full.pop().ok()?;
        let result = work(&block);
        // Blocks are never made, so that there is room for each that comes back.
        let _ = self.free.push(block);
        Some(result)
    }

    /// Blocks that wait.
    pub fn waiting(&self) -> usize {
        self.full.slots()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_us(blocks: u64) -> i64 {
        blocks as i64 * 10_000
    }

    #[test]
    fn blocks_come_in_order_with_their_samples() {
        let (mut feed, mut intake) = feed(2, 1, 0);
        for n in 0..500_i16 {
            assert!(feed.push(block_us(n as u64 + 1), |_, samples, _| samples.fill(n)));
            let seen = intake.next(|block| (block.first.0, block.samples[159], block.lost_samples));
            assert_eq!(seen, Some((n as u64 * 80, n, 0)));
        }
        assert_eq!(intake.next(|_| ()), None);
    }

    #[test]
    fn what_the_sample_path_does_not_take_is_told_as_lost() {
        let (mut feed, mut intake) = feed(1, 1, 0);
        for n in 0..BLOCKS as u64 + 7 {
            let taken = feed.push(block_us(n + 1), |_, _, _| ());
            assert_eq!(taken, n < BLOCKS as u64);
        }
        assert_eq!(feed.clock().lost_samples(), 7 * 80);
        while intake.next(|block| assert_eq!(block.lost_samples, 0)).is_some() {}
        feed.push(block_us(BLOCKS as u64 + 8), |_, _, _| ());
        let next = intake.next(|block| (block.first.0, block.lost_samples));
        assert_eq!(next, Some(((BLOCKS as u64 + 7) * 80, 7 * 80)));
    }

    #[test]
    fn a_unit_that_comes_later_or_was_away_goes_on_where_the_clock_is() {
        let (mut feed, mut intake) = feed(1, 1, 5_000_000);
        feed.resume(6_000_000);
        feed.push(6_010_000, |_, _, _| ());
        assert_eq!(intake.next(|block| (block.first.0, block.lost_samples)), Some((8000, 8000)));
        feed.resume(8_000_000);
        feed.push(8_010_000, |_, _, _| ());
        assert_eq!(intake.next(|block| (block.first.0, block.lost_samples)), Some((24_000, 15_920)));
        assert_eq!(feed.clock().lost_samples(), 0, "an absence is no loss of a unit that is there");
    }

    #[test]
    fn a_unit_that_ran_ahead_is_never_taken_back() {
        let (mut feed, mut intake) = feed(1, 1, 0);
        for n in 0..100 {
            feed.push(block_us(n + 1), |_, _, _| ());
            intake.next(|_| ());
        }
        feed.resume(990_000);
        feed.push(1_000_000, |_, _, _| ());
        assert_eq!(intake.next(|block| (block.first.0, block.lost_samples)), Some((8000, 0)));
        assert_eq!(feed.clock().correction_us(), -10_000);
    }
}
