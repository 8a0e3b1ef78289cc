//! Times of queries, and what a processor worked on them.

use std::time::{Duration, Instant};

use catalog::{Catalog, Error, PageRequest, RecordQuery, Scope};
use hookline_catalog as catalog;

/// Times of many runs.
#[derive(Default)]
pub struct Times {
    clock: Vec<Duration>,
    processor: Vec<Duration>,
    /// Records that were found, in all runs.
    pub found: u64,
}

impl Times {
    pub fn runs(&self) -> usize {
        self.clock.len()
    }

    pub fn extend(&mut self, more: &Self) {
        self.clock.extend_from_slice(&more.clock);
        self.processor.extend_from_slice(&more.processor);
    }

    /// Asks for a first page.
    pub fn first_page(&mut self, catalog: &Catalog, scope: &Scope, query: &RecordQuery) -> Result<(), Error> {
        let page = self.time(|| catalog.records(scope, query, PageRequest::default()))?;
        self.found += page.total.unwrap_or(0);
        Ok(())
    }

    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (begin, begin_work) = (Instant::now(), processor_time());
        let outcome = work();
        self.clock.push(begin.elapsed());
        self.processor.push(processor_time().saturating_sub(begin_work));
        outcome
    }

    /// Median, 99th percentile and longest by the clock, then the 99th percentile of what the processor worked; ms.
    pub fn quantiles(&mut self) -> [f64; 4] {
        let [p50, p99, max] = quantiles(&mut self.clock);
        let [_, work, _] = quantiles(&mut self.processor);
        [p50, p99, max, work]
    }
}

/// What the processor has worked for this thread.
fn processor_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    nix::time::clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

/// Median, 99th percentile and longest, in milliseconds.
fn quantiles(times: &mut [Duration]) -> [f64; 3] {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1000.0;
    [at(0.5), at(0.99), at(1.0)]
}
