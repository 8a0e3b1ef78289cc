//! The outbox as the connection asks it, and as commands do beside it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uplink::message::{Heartbeat, RefusedItem};
use uplink::order::Lane;
use uplink::station_end::{self, Item};

use super::World;
use super::outbox::Outbox;

/// Clones share the outbox. Held for one call at a time, all of them by the uplink thread.
#[derive(Clone)]
pub(super) struct OutboxHandle {
    outbox: Arc<Mutex<Outbox>>,
    world: Arc<World>,
}

impl OutboxHandle {
    pub(super) fn new(outbox: Outbox, world: Arc<World>) -> Self {
        Self { outbox: Arc::new(Mutex::new(outbox)), world }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl station_end::Outbox for OutboxHandle {
    fn next(&mut self, lane: Lane, limit: usize) -> io::Result<Vec<Item>> {
        self.lock().next(lane, limit)
    }

    fn acknowledged(&mut self, items: &[u64]) -> io::Result<()> {
        self.lock().acknowledged(items)?;
        self.world.link.synchronised(self.world.keeper.now_us());
        Ok(())
    }

    fn refused(&mut self, refused: RefusedItem) {
        self.lock().refused(refused);
    }

    fn begin_again(&mut self) {
        self.lock().begin_again();
    }

    fn heartbeat(&mut self) -> Heartbeat {
        let waiting = self.lock().waiting();
        self.world.heartbeat(waiting)
    }
}
