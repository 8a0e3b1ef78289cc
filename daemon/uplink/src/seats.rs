//! One connection a station. A station that dials again, because its network broke, takes the place of its former
//! connection; it is let in when that has put away what it still had in hand, so that no part of a file has two owners.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch};

/// The places of all stations; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Seats {
    places: Arc<Mutex<HashMap<String, Arc<Place>>>>,
}

#[derive(Debug)]
struct Place {
    /// Counts those who asked for it.
    newest: watch::Sender<u64>,
    held: Arc<tokio::sync::Mutex<()>>,
}

/// The place of a station, until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    number: u64,
    newest: watch::Receiver<u64>,
    _held: OwnedMutexGuard<()>,
}

impl Seats {
    /// Asks whoever has the place of `serial` to leave, and waits until it has. Only for stations that are let in: each
    /// serial number keeps its entry.
    pub(crate) async fn take(&self, serial: &str) -> Seat {
        let place = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Place { newest: watch::Sender::new(0), held: Arc::default() });
            places.entry(serial.to_owned()).or_insert_with(new).clone()
        };
        let mut number = 0;
        place.newest.send_modify(|newest| {
            *newest += 1;
            number = *newest;
        });
        let newest = place.newest.subscribe();
        Seat { number, newest, _held: place.held.clone().lock_owned().await }
    }
}

impl Seat {
    /// Returns when somebody else wants the place.
    pub(crate) async fn wanted(&mut self) {
        // The sender lives in `Seats`; were it gone, nobody could want the place any more.
        if self.newest.wait_for(|newest| *newest > self.number).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_again_waits_until_the_former_one_has_left() {
        let seats = Seats::default();
        let mut first = seats.take("a").await;
        let other = seats.take("b").await;
        assert!(tokio::time::timeout(Duration::from_secs(9), first.wanted()).await.is_err(), "nobody else");
        let again = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take("a").await }
        });
        first.wanted().await;
        assert!(!again.is_finished(), "the first one still sits there");
        drop(first);
        let mut second = again.await.expect("taken");
        assert!(tokio::time::timeout(Duration::from_secs(9), second.wanted()).await.is_err());
        drop(other);
    }
}
