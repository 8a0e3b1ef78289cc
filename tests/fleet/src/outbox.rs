//! What a simulated station has for its platform: items in memory, given once a connection, gone when acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use uplink::message::{ClockNow, Heartbeat, RefusedItem};
use uplink::order::Lane;
use uplink::station_end::{Item, Outbox};

/// Shared by the station's connection and by whoever makes its calls.
#[derive(Clone, Default)]
pub struct Waiting(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Item>,
    given: BTreeMap<u64, Item>,
    made: BTreeMap<u64, Instant>,
    /// From being put here to being acknowledged, in milliseconds.
    latencies_ms: Vec<f64>,
    /// Which lane they go by.
    backlog: bool,
}

impl Waiting {
    /// Items that go as the backlog does.
    pub fn backlog(items: Vec<Item>) -> Self {
        let inner = Inner { waiting: items.into(), backlog: true, ..Inner::default() };
        Self(Arc::new(Mutex::new(inner)))
    }

    pub fn put(&self, item: Item) {
        let mut inner = self.lock();
        inner.made.insert(item.item, Instant::now());
        inner.waiting.push_back(item);
    }

    /// Items that are not acknowledged.
    pub fn count(&self) -> usize {
        let inner = self.lock();
        inner.waiting.len() + inner.given.len()
    }

    pub fn take_latencies_ms(&self) -> Vec<f64> {
        std::mem::take(&mut self.lock().latencies_ms)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for Waiting {
    fn next(&mut self, lane: Lane, limit: usize) -> io::Result<Vec<Item>> {
        let mut inner = self.lock();
        if (lane == Lane::Backlog) != inner.backlog {
            return Ok(Vec::new());
        }
        let count = limit.min(inner.waiting.len());
        let items: Vec<Item> = inner.waiting.drain(..count).collect();
        inner.given.extend(items.iter().map(|item| (item.item, item.clone())));
        Ok(items)
    }

    fn acknowledged(&mut self, items: &[u64]) -> io::Result<()> {
        let mut files = Vec::new();
        {
            let mut inner = self.lock();
            for item in items {
                files.extend(inner.given.remove(item).and_then(|item| item.file));
                if let Some(made) = inner.made.remove(item) {
                    inner.latencies_ms.push(made.elapsed().as_secs_f64() * 1000.0);
                }
            }
        }
        files.iter().try_for_each(|file| std::fs::remove_file(&file.path))
    }

    /// It stays among those given, and is put down as waiting.
    fn refused(&mut self, _refused: RefusedItem) {}

    fn begin_again(&mut self) {
        let mut inner = self.lock();
        let given = std::mem::take(&mut inner.given);
        for item in given.into_values().rev() {
            inner.waiting.push_front(item);
        }
    }

    fn heartbeat(&mut self) -> Heartbeat {
        Heartbeat {
            clock: clock(),
            disk_free_bytes: 100 << 30,
            disk_total_bytes: 128 << 30,
            recording_now: 0,
            recording_peak: 1,
            waiting: self.count() as u64,
        }
    }
}

pub fn now_us() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

pub fn clock() -> ClockNow {
    ClockNow { utc_us: now_us(), quality: "synchronised".into() }
}
