//! Waiting for something to be plugged in. udev tells it at once, when it runs; a look now and then is enough without.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use futures_core::Stream;
use nusb::hotplug::HotplugEvent;

/// How often a driver looks for its unit although nobody told it to.
const LOOK: Duration = Duration::from_secs(1);
/// How soon a driver notices that it shall stop.
const TURN: Duration = Duration::from_millis(100);

pub struct Plugs {
    watch: Option<nusb::hotplug::HotplugWatch>,
    waker: Waker,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Plugs {
    /// For the calling thread.
    pub fn watch() -> Self {
        Self { watch: nusb::watch_devices().ok(), waker: Waker::from(Arc::new(Unpark(thread::current()))) }
    }

    /// Until something was plugged in, a second has passed, or `stop` is set.
    pub fn wait(&mut self, stop: &AtomicBool) {
        let until = Instant::now() + LOOK;
        while !stop.load(Relaxed) && !self.plugged_in() {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            thread::park_timeout(left.min(TURN));
        }
    }

    fn plugged_in(&mut self) -> bool {
        let Some(watch) = &mut self.watch else { return false };
        let mut context = Context::from_waker(&self.waker);
        let mut plugged_in = false;
        while let Poll::Ready(Some(event)) = Pin::new(&mut *watch).poll_next(&mut context) {
            plugged_in |= matches!(event, HotplugEvent::Connected(_));
        }
        plugged_in
    }
}
