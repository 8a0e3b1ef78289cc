//! How far a station's clock is from the platform's. A message can be late, behind audio on a slow line, and then the
//! station's clock seems to be behind; it can never be early. So the furthest ahead of the last few is the nearest to
//! the truth.

use std::collections::VecDeque;

/// Clocks further apart than this are an alarm.
pub(crate) const MOST_OFFSET_MS: i64 = 2_000;
/// Heartbeats that are looked at together.
const LOOKED_AT: usize = 6;

#[derive(Debug, Default)]
pub(crate) struct ClockWatch {
    /// Station's time less the platform's, the newest last.
    offsets_us: VecDeque<i64>,
}

impl ClockWatch {
    /// A message said what time it is at the station.
    pub fn heard(&mut self, station_us: i64, now_us: i64) {
        if self.offsets_us.len() == LOOKED_AT {
            self.offsets_us.pop_front();
        }
        self.offsets_us.push_back(station_us.saturating_sub(now_us));
    }

    /// Milliseconds that the station is ahead; `None`: nothing is known.
    pub fn offset_ms(&self) -> Option<i64> {
        self.offsets_us.iter().max().map(|us| us / 1000)
    }

    /// Whether it is wrong; `None`: one message alone does not say that it is behind.
    pub fn is_wrong(&self) -> Option<bool> {
        let offset = self.offset_ms()?;
        let enough = self.offsets_us.len() == LOOKED_AT || offset > -MOST_OFFSET_MS;
        enough.then_some(offset.abs() > MOST_OFFSET_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn late_messages_are_no_wrong_clock_and_a_wrong_clock_is_found() {
        let mut watch = ClockWatch::default();
        assert_eq!((watch.offset_ms(), watch.is_wrong()), (None, None));
        for delay in [9, 30, 12, 0, 25, 14, 9, 7] {
            watch.heard(100 * S, (100 + delay) * S);
            assert_ne!(watch.is_wrong(), Some(true), "{delay} s late while another came in time");
            if delay == 0 {
                assert_eq!((watch.offset_ms(), watch.is_wrong()), (Some(0), Some(false)));
            }
        }
        for (offset, wrong) in [(3, true), (-3, true), (2, false), (-2, false), (i64::MAX / S / 2, true)] {
            let mut watch = ClockWatch::default();
            (0..LOOKED_AT).for_each(|_| watch.heard((1000 + offset) * S, 1000 * S));
            assert_eq!(watch.is_wrong(), Some(wrong), "{offset} s");
        }
    }

    #[test]
    fn a_clock_that_was_put_right_is_right_after_a_few_heartbeats() {
        let mut watch = ClockWatch::default();
        watch.heard(3600 * S, 0);
        assert_eq!(watch.is_wrong(), Some(true));
        (0..LOOKED_AT).for_each(|_| watch.heard(0, 0));
        assert_eq!(watch.is_wrong(), Some(false));
    }
}
