//! What the sink has been told about the disk: each trouble once when it begins, and once when all are over.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sink::{DiskTrouble, FinishedSink};

/// Who is in trouble: each sees for itself when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    LogWrite,
    LogRoom,
    Files,
    Reserve,
    Queue,
}

pub(crate) struct Health {
    sink: Arc<dyn FinishedSink>,
    troubles: Mutex<BTreeMap<Source, DiskTrouble>>,
    /// Milliseconds since `began` when the log thread began to write, plus 1; 0 while it does not.
    writing_since_ms: AtomicU64,
    began: Instant,
    /// Trying again is of no use any more: the recorder closes, and the log keeps what is left.
    abandoned: AtomicBool,
}

impl Health {
    pub fn new(sink: Arc<dyn FinishedSink>) -> Self {
        Self {
            sink,
            troubles: Mutex::new(BTreeMap::new()),
            writing_since_ms: AtomicU64::new(0),
            began: Instant::now(),
            abandoned: AtomicBool::new(false),
        }
    }

    pub fn begins(&self, source: Source, trouble: DiskTrouble, detail: &str) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let known = troubles.values().any(|&other| other == trouble);
        troubles.insert(source, trouble);
        if !known {
            self.sink.disk_trouble(trouble, detail);
        }
    }

    /// Tells the trouble that an error of writing is.
    pub fn write_failed(&self, source: Source, error: &io::Error, doing: &str) {
        self.begins(source, kind_of(error), &format!("{doing}: {error}"));
    }

    pub fn ends(&self, source: Source) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.remove(&source).is_some() && troubles.is_empty() {
            self.sink.disk_ok();
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

pub(crate) fn kind_of(error: &io::Error) -> DiskTrouble {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskTrouble::Full,
        _ => DiskTrouble::Unwritable,
    }
}
