//! What is wrong with the disk: seen by the threads that write, told to the sink by the watcher. They never wait for the
//! sink, which may itself be waiting for the disk. Each trouble is told once when it begins, and once when all are over.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sink::{DiskTrouble, FinishedSink};

/// Most that waits to be told. Older news goes first: what counts is how it is now.
const MAX_NEWS: usize = 32;

/// Who is in trouble: each sees for itself when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    LogWrite,
    LogRoom,
    Files,
    Reserve,
    Queue,
}

enum News {
    Trouble(DiskTrouble, String),
    Ok,
}

#[derive(Default)]
struct State {
    troubles: BTreeMap<Source, DiskTrouble>,
    news: VecDeque<News>,
}

pub(crate) struct Health {
    state: Mutex<State>,
    /// Milliseconds since `began` when the log thread began to write, plus 1; 0 while it does not.
    writing_since_ms: AtomicU64,
    began: Instant,
    /// Trying again is of no use any more: the recorder closes, and the log keeps what is left.
    abandoned: AtomicBool,
}

impl Health {
    pub fn new() -> Self {
        Self {
            state: Mutex::default(),
            writing_since_ms: AtomicU64::new(0),
            began: Instant::now(),
            abandoned: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begins(&self, source: Source, trouble: DiskTrouble, detail: &str) {
        let mut state = self.lock();
        let known = state.troubles.values().any(|&other| other == trouble);
        state.troubles.insert(source, trouble);
        if !known {
            state.add(News::Trouble(trouble, detail.into()));
        }
    }

    /// Tells the trouble that an error of writing is.
    pub fn write_failed(&self, source: Source, error: &io::Error, doing: &str) {
        self.begins(source, kind_of(error), &format!("{doing}: {error}"));
    }

    pub fn ends(&self, source: Source) {
        let mut state = self.lock();
        if state.troubles.remove(&source).is_some() && state.troubles.is_empty() {
            state.add(News::Ok);
        }
    }

    /// For the watcher: tells what has not been told yet.
    pub fn tell(&self, sink: &dyn FinishedSink) {
        loop {
            let Some(news) = self.lock().news.pop_front() else { return };
            match news {
                News::Trouble(trouble, detail) => sink.disk_trouble(trouble, &detail),
                News::Ok => sink.disk_ok(),
            }
        }
    }

    pub fn writing(&self, on: bool) {
        let now = self.began.elapsed().as_millis() as u64 + 1;
        self.writing_since_ms.store(if on { now } else { 0 }, Ordering::Relaxed);
    }

    /// How long the write that is under way has taken by now.
    pub fn writing_for(&self) -> Duration {
        match self.writing_since_ms.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => self.began.elapsed().saturating_sub(Duration::from_millis(since - 1)),
        }
    }

    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    pub fn abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Waits before the next try. False: there is none.
    pub fn pause(&self, time: Duration) -> bool {
        const LOOK: Duration = Duration::from_millis(20);
        let until = Instant::now() + time;
        while !self.abandoned() && Instant::now() < until {
            std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
        !self.abandoned()
    }
}

impl State {
    fn add(&mut self, news: News) {
        if self.news.len() >= MAX_NEWS {
            self.news.pop_front();
        }
        self.news.push_back(news);
    }
}

pub(crate) fn kind_of(error: &io::Error) -> DiskTrouble {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskTrouble::Full,
        _ => DiskTrouble::Unwritable,
    }
}
