//! Long work that can be left and found again: how far it is, and whether somebody wants it stopped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::problem::{Code, Problem};

/// Jobs that are remembered; the oldest that have ended go first.
const MOST_REMEMBERED: usize = 100;
/// Jobs that run at the same time, of everybody together: each waits for the disk all the time.
const MOST_RUNNING: usize = 4;

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Running,
    Done,
    Failed(Code),
    Cancelled,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One job. Counters go up while it runs.
#[derive(Debug)]
pub struct Job {
    pub id: u64,
    pub account: String,
    pub total: u64,
    /// Microseconds of UTC since 1970.
    pub started_us: i64,
    pub done: AtomicU64,
    pub changed: AtomicU64,
    pub refused: AtomicU64,
    stop: AtomicBool,
    ended: Mutex<Option<(State, i64)>>,
}

impl Job {
    pub fn state(&self) -> State {
        self.ended().map_or(State::Running, |(state, _)| state)
    }

    pub fn finished_us(&self) -> Option<i64> {
        self.ended().map(|(_, us)| us)
    }

    pub fn is_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Something more has been looked at.
    pub fn moved(&self, changed: u64, refused: u64) {
        self.changed.fetch_add(changed, Ordering::Relaxed);
        self.refused.fetch_add(refused, Ordering::Relaxed);
        self.done.fetch_add(changed + refused, Ordering::Relaxed);
    }

    pub fn end(&self, state: State, now_us: i64) {
        *self.lock() = Some((state, now_us));
    }

    /// # Errors
    /// `job_over`.
    pub fn cancel(&self) -> Result<(), Problem> {
        match self.state() {
            State::Running => {
                self.stop.store(true, Ordering::Relaxed);
                Ok(())
            }
            over => {
                let title = format!("Job {} is over: {}.", self.id, over.name());
                Err(Problem::new(Code::JobOver, title)
                    .with("id", self.id.to_string())
                    .with("state", over.name()))
            }
        }
    }

    fn ended(&self) -> Option<(State, i64)> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<(State, i64)>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All jobs of this box since its start.
#[derive(Debug, Default)]
pub struct Jobs(Mutex<(u64, VecDeque<Arc<Job>>)>);

impl Jobs {
    /// # Errors
    /// `busy` when as many run as may.
    pub fn begin(&self, account: &str, total: u64, now_us: i64) -> Result<Arc<Job>, Problem> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, jobs) = &mut *book;
        if jobs.iter().filter(|job| job.state() == State::Running).count() >= MOST_RUNNING {
            return Err(Problem::busy(30));
        }
        *number += 1;
        let job = Arc::new(Job {
            id: *number,
            account: account.to_owned(),
            total,
            started_us: now_us,
            done: AtomicU64::new(0),
            changed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            ended: Mutex::new(None),
        });
        jobs.push_front(job.clone());
        if jobs.len() > MOST_REMEMBERED
            && let Some(oldest) = jobs.iter().rposition(|job| job.state() != State::Running)
        {
            jobs.remove(oldest);
        }
        Ok(job)
    }

    /// Of one account, newest first.
    pub fn of(&self, account: &str) -> Vec<Arc<Job>> {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.1.iter().filter(|job| job.account == account).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_its_owners_and_ends_once() {
        let jobs = Jobs::default();
        let job = jobs.begin("anna", 10, 1).expect("begun");
        assert!(jobs.of("bert").is_empty());
        assert_eq!(jobs.of("anna")[0].id, job.id);
        job.moved(3, 1);
        assert_eq!(job.done.load(Ordering::Relaxed), 4);
        job.cancel().expect("running");
        assert!(job.is_to_stop());
        job.end(State::Cancelled, 9);
        assert_eq!((job.state(), job.finished_us()), (State::Cancelled, Some(9)));
        assert_eq!(job.cancel().expect_err("over").code, Code::JobOver);
    }

    #[test]
    fn only_so_many_run_and_only_so_many_are_remembered() {
        let jobs = Jobs::default();
        let running: Vec<_> = (0..MOST_RUNNING).map(|_| jobs.begin("anna", 1, 1).expect("begun")).collect();
        assert_eq!(jobs.begin("anna", 1, 1).expect_err("too many").code, Code::Busy);
        running[1..].iter().for_each(|job| job.end(State::Done, 2));
        for _ in 0..2 * MOST_REMEMBERED {
            jobs.begin("bert", 1, 1).expect("begun").end(State::Done, 2);
        }
        assert_eq!(jobs.of("bert").len() + jobs.of("anna").len(), MOST_REMEMBERED);
        assert_eq!(jobs.of("anna")[0].id, running[0].id, "the one that runs is not forgotten");
    }
}
