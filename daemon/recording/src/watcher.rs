//! The thread that tells the sink what is wrong. It sees what the writing threads cannot tell while they hang: that the
//! queue fills, and what it loses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::health::{Health, Source};
use crate::queue::Queue;
use crate::sink::{DiskTrouble, FinishedSink, Gap};

pub(crate) struct Watcher {
    pub queue: Arc<Queue>,
    pub health: Arc<Health>,
    pub sink: Arc<dyn FinishedSink>,
    pub stop: Arc<AtomicBool>,
    /// Fed by lines, not by a replay, which fills the queue as fast as it can.
    pub live: bool,
}

impl Watcher {
    pub fn run(self) {
        const EVERY: Duration = Duration::from_secs(1);
        let mut lost = Vec::new();
        loop {
            let stop = self.stop.load(Ordering::Relaxed);
            if self.live {
                self.look_at_speed();
            }
            self.tell_lost(&mut lost);
            self.health.tell(&*self.sink);
            if stop {
                return;
            }
            thread::park_timeout(EVERY);
        }
    }

    fn tell_lost(&self, lost: &mut Vec<Gap>) {
        self.queue.take_lost(lost);
        lost.drain(..).for_each(|gap| self.sink.gap(gap));
    }

    fn look_at_speed(&self) {
        const SLOW_WRITE: Duration = Duration::from_secs(5);
        let stats = self.queue.stats();
        let waiting = 1.0 - stats.free as f32 / stats.chunks as f32;
        let writing = self.health.writing_for();
        if waiting > 0.3 || writing > SLOW_WRITE {
            let detail = format!("{:.0} % of the queue is full", waiting * 100.0);
            self.health.begins(Source::Queue, DiskTrouble::Slow, &detail);
        } else if waiting < 0.2 && writing < SLOW_WRITE / 2 {
            self.health.ends(Source::Queue);
        }
    }
}
