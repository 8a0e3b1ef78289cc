//! A limit on bytes a second, without bursts longer than a fifth of a second.

use std::time::Duration;

use tokio::time::Instant;

const BURST: Duration = Duration::from_millis(200);

/// Says when the next bytes may go out.
#[derive(Debug)]
pub struct Pace {
    bytes_per_s: Option<u64>,
    /// Everything sent so far has been paid for at this moment.
    paid: Instant,
}

impl Pace {
    pub fn new(bytes_per_s: Option<u64>, now: Instant) -> Self {
        Self { bytes_per_s: bytes_per_s.map(|rate| rate.max(1)), paid: now }
    }

    /// Another limit from now on.
    pub fn change(&mut self, bytes_per_s: Option<u64>, now: Instant) {
        *self = Self::new(bytes_per_s, now);
    }

    /// From when on something may be sent; `None`: at once.
    pub fn not_before(&self, now: Instant) -> Option<Instant> {
        (self.bytes_per_s.is_some() && self.paid > now + BURST).then(|| self.paid - BURST)
    }

    pub fn sent(&mut self, bytes: usize, now: Instant) {
        let Some(rate) = self.bytes_per_s else { return };
        self.paid = self.paid.max(now) + Duration::from_secs_f64(bytes as f64 / rate as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_time() {
        let begin = Instant::now();
        let mut pace = Pace::new(Some(1_000_000), begin);
        let (mut now, mut sent) = (begin, 0);
        while now < begin + Duration::from_secs(10) {
            match pace.not_before(now) {
                Some(then) => now = then + Duration::from_micros(1),
                None => {
                    pace.sent(65_536, now);
                    sent += 65_536;
                }
            }
        }
        assert!((9_900_000..10_400_000).contains(&sent), "{sent} bytes in 10 s");
    }

    #[test]
    fn no_limit_is_no_limit() {
        let now = Instant::now();
        let mut pace = Pace::new(None, now);
        pace.sent(usize::MAX, now);
        assert_eq!(pace.not_before(now), None);
        pace.change(Some(0), now);
        pace.sent(1_000, now);
        assert!(pace.not_before(now).is_some(), "a limit of 0 is held to be 1");
    }
}
