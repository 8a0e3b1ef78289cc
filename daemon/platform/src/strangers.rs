//! Those at the door who have not said yet who they are. Whoever can reach the port can open connections and say nothing:
//! one address keeps only itself waiting.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use upkeep::address::network_of;

use crate::lock;

/// All of them. Those who come when there are as many wait to be accepted.
const MOST: usize = 4096;
/// Of one address that are spoken with at the same time.
pub(crate) const MOST_SPOKEN_WITH: usize = 64;
/// Of one address that wait for that: an office whose stations all come back at once. Others are sent away, and come again.
pub(crate) const MOST_IN_LINE: usize = 512;
/// So long, as a dialling station has patience.
const IN_LINE_FOR: Duration = Duration::from_secs(10);

/// Clones share it.
#[derive(Clone)]
pub(crate) struct Strangers {
    room: Arc<Semaphore>,
    by_network: Arc<Mutex<HashMap<IpAddr, Network>>>,
}

struct Network {
    count: usize,
    turns: Arc<Semaphore>,
}

/// A stranger, until dropped.
pub(crate) struct Guest {
    network: IpAddr,
    strangers: Strangers,
    turns: Arc<Semaphore>,
    turn: Option<OwnedSemaphorePermit>,
    _room: OwnedSemaphorePermit,
}

impl Strangers {
    pub fn new() -> Self {
        Self { room: Arc::new(Semaphore::new(MOST)), by_network: Arc::default() }
    }

    /// Room for whoever is accepted next; waits until there is some. `None`: nobody is let in any more.
    pub async fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().acquire_owned().await.ok()
    }

    /// `None`: too many of this address are there already.
    pub fn enter(&self, address: IpAddr, room: OwnedSemaphorePermit) -> Option<Guest> {
        let network = network_of(address);
        let mut all = lock(&self.by_network);
        let new = || Network { count: 0, turns: Arc::new(Semaphore::new(MOST_SPOKEN_WITH)) };
        let known = all.entry(network).or_insert_with(new);
        if known.count >= MOST_SPOKEN_WITH + MOST_IN_LINE {
            return None;
        }
        known.count += 1;
        let turns = known.turns.clone();
        Some(Guest { network, strangers: self.clone(), turns, turn: None, _room: room })
    }
}

impl Guest {
    /// Waits to be spoken with. `false`: it has taken too long.
    pub async fn turn(&mut self) -> bool {
        self.turn = match timeout(IN_LINE_FOR, self.turns.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Some(turn),
            _ => None,
        };
        self.turn.is_some()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut all = lock(&self.strangers.by_network);
        if let Some(network) = all.get_mut(&self.network) {
            network.count -= 1;
            if network.count == 0 {
                all.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_address_keeps_only_itself_waiting() {
        let strangers = Strangers::new();
        let greedy: IpAddr = [10, 0, 0, 1].into();
        let enter = async |address| {
            let room = strangers.room().await.expect("room");
            strangers.enter(address, room)
        };
        let mut guests = Vec::new();
        while let Some(guest) = enter(greedy).await {
            guests.push(guest);
        }
        assert_eq!(guests.len(), MOST_SPOKEN_WITH + MOST_IN_LINE);
        for guest in &mut guests[..MOST_SPOKEN_WITH] {
            assert!(guest.turn().await);
        }
        assert!(!guests[MOST_SPOKEN_WITH].turn().await, "the others of it wait in vain");
        let mut other = enter([10, 0, 0, 2].into()).await.expect("there is room");
        assert!(other.turn().await);
        guests.remove(0);
        let mut last = guests.pop().expect("one");
        assert!(last.turn().await, "a place has become free");
        drop((guests, last, other));
        assert!(lock(&strangers.by_network).is_empty());
        assert_eq!(strangers.room.available_permits(), MOST);
    }
}
