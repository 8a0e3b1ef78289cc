//! Turns at blocking work: who waits for a disk or for the time to pass waits in a lane of their own, so that exports
//! and calibrations keep nobody from lists, plays and deletions.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::problem::Problem;

/// Queries and file reads at the same time; more wait for their turn, so that pages cannot take all the disk.
const COMMON_AT_ONCE: usize = 8;
/// Spreadsheets, CSV files and ZIP downloads at the same time: each holds a thread while a piece is made, and some
/// memory for as long as its client reads.
const EXPORTS_AT_ONCE: usize = 4;
/// Whoever asks for one more waits so long, since most end within seconds, and is then asked to come back.
const EXPORT_WAIT: Duration = Duration::from_secs(10);
const EXPORT_RETRY_S: u64 = 30;
/// Calibrations that watch a line at the same time.
const WATCHING_AT_ONCE: usize = 8;
/// Bundles on their way in at the same time: each holds up to a megabyte, and the disk while it is put away.
const UPLOADS_AT_ONCE: usize = 2;
const UPLOAD_RETRY_S: u64 = 60;
/// People listening live at the same time.
const LISTENERS_AT_ONCE: usize = 64;

pub struct Turns {
    export_wait: Duration,
    common: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    watching: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    listeners: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        let lane = |at_once| Arc::new(Semaphore::new(at_once));
        Self {
            export_wait: EXPORT_WAIT,
            common: lane(COMMON_AT_ONCE),
            exports: lane(EXPORTS_AT_ONCE),
            watching: lane(WATCHING_AT_ONCE),
            uploads: lane(UPLOADS_AT_ONCE),
            listeners: lane(LISTENERS_AT_ONCE),
        }
    }
}

/// A place in a lane, for as long as it is held.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    /// A turn at what is soon done: a query, some bytes of a file, an entry in the journal.
    pub async fn common(&self) -> Result<Place, Problem> {
        turn(&self.common).await
    }

    /// A place for an export, to be held until its last byte is sent.
    ///
    /// # Errors
    /// `busy` when none becomes free in time.
    pub async fn export(&self) -> Result<Place, Problem> {
        match timeout(self.export_wait, turn(&self.exports)).await {
            Ok(place) => place,
            Err(_) => Err(Problem::busy(EXPORT_RETRY_S)),
        }
    }

    /// A turn at watching a line for some seconds.
    pub async fn watching(&self) -> Result<Place, Problem> {
        turn(&self.watching).await
    }

    /// A place for somebody who listens live.
    ///
    /// # Errors
    /// `busy` when all are taken.
    pub fn listener(&self) -> Result<Place, Problem> {
        place(&self.listeners, 5)
    }

    /// A place for a bundle on its way in.
    ///
    /// # Errors
    /// `busy` when all are taken.
    pub fn upload(&self) -> Result<Place, Problem> {
        place(&self.uploads, UPLOAD_RETRY_S)
    }
}

async fn turn(lane: &Arc<Semaphore>) -> Result<Place, Problem> {
    let permit = lane.clone().acquire_owned().await.map_err(Problem::internal)?;
    Ok(Place { _permit: permit })
}

fn place(lane: &Arc<Semaphore>, retry_after_s: u64) -> Result<Place, Problem> {
    let permit = lane.clone().try_acquire_owned();
    permit.map(|permit| Place { _permit: permit }).map_err(|_| Problem::busy(retry_after_s))
}

/// Runs blocking work, and lets `held` go when it has ended. Once begun it goes on to its end, also when the client
/// has gone.
///
/// # Errors
/// Those of `work`.
pub async fn run<T: Send + 'static>(
    held: impl Send + 'static,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let task = spawn_blocking(move || {
        let result = work();
        drop(held);
        result
    });
    task.await.map_err(Problem::internal)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;
    use std::sync::mpsc;
    use std::time::Instant;

    #[tokio::test]
    async fn exports_and_calibrations_keep_nobody_from_the_rest() {
        let turns = Turns::default();
        let mut busy = Vec::new();
        for _ in 0..EXPORTS_AT_ONCE {
            busy.push(turns.export().await.expect("a place"));
        }
        for _ in 0..WATCHING_AT_ONCE {
            busy.push(turns.watching().await.expect("a turn"));
        }
        // Each of them blocks in a thread for as long as it likes.
        let ends: Vec<_> = busy
            .into_iter()
            .map(|place| {
                let (end, ended) = mpsc::channel::<()>();
                let work = tokio::spawn(run(place, move || {
                    let _ = ended.recv();
                    Ok(())
                }));
                (end, work)
            })
            .collect();
        for _ in 0..100 {
            let place = turns.common().await.expect("a turn");
            assert_eq!(run(place, || Ok(7)).await, Ok(7));
        }
        for (end, work) in ends {
            drop(end);
            assert_eq!(work.await.expect("no panic"), Ok(()));
        }
        turns.export().await.expect("free again");
    }

    #[tokio::test]
    async fn one_export_too_many_waits_and_is_then_asked_to_come_back() {
        let wait = Duration::from_millis(200);
        let mut turns = Turns { export_wait: wait, ..Turns::default() };
        let mut held = Vec::new();
        for _ in 0..EXPORTS_AT_ONCE {
            held.push(turns.export().await.expect("a place"));
        }
        let asked = Instant::now();
        let problem = turns.export().await.expect_err("all places are taken");
        assert_eq!((problem.code, &problem.params["retry_after_s"]), (Code::Busy, &EXPORT_RETRY_S.into()));
        assert!(asked.elapsed() >= wait);
        let one = held.pop();
        turns.export_wait = Duration::from_secs(60);
        let soon = tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            drop(one);
        });
        turns.export().await.expect("a place that has become free meanwhile");
        soon.await.expect("no panic");
    }
}
