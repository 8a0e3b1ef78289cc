//! Where finished recordings go: into the journal and its catalog. It also hears of gaps and of trouble with the disk,
//! and makes alarms of them.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use catalog::{AlarmCode, AlarmKey, Catalog, Grade, Params};
use recording::{DiskTrouble, Facts, Finished, FinishedSink, Gap, GapCause, SinkError};
use serde_json::json;

/// A gap alarm clears when nothing was lost for this long.
const GAP_ALARM_HOLD: Duration = Duration::from_secs(60);

/// Called with each record that has come into the journal.
pub type OnFinished = Box<dyn Fn(&Finished) + Send + Sync>;
/// The grade that the box gives to a record by itself.
pub type GradeOf = Box<dyn Fn(&Facts) -> Option<Grade> + Send + Sync>;

pub struct Archive {
    catalog: Catalog,
    gaps: Mutex<Vec<(u16, Instant)>>,
    gap_count: AtomicUsize,
    grade_of: GradeOf,
    on_finished: OnFinished,
}

impl Archive {
    pub fn new(catalog: Catalog, grade_of: GradeOf, on_finished: OnFinished) -> Self {
        Self { catalog, gaps: Mutex::default(), gap_count: AtomicUsize::new(0), grade_of, on_finished }
    }

    /// Gaps told so far.
    pub fn gap_count(&self) -> usize {
        self.gap_count.load(Relaxed)
    }

    /// Clears the gap alarms of ports that have lost nothing for a while. Called now and then.
    pub fn clear_old_gaps(&self) -> Result<(), catalog::Error> {
        let mut over = Vec::new();
        lock(&self.gaps).retain(|(port, last)| {
            let stays = last.elapsed() < GAP_ALARM_HOLD;
            if !stays {
                over.push(*port);
            }
            stays
        });
        over.into_iter()
            .try_for_each(|port| self.catalog.clear(&AlarmKey::of_port(AlarmCode::AudioGap, port)))
    }

    /// An alarm that cannot be written now is not worth losing a recording for; the disk's own alarm tells.
    fn raise(&self, key: &AlarmKey, params: Params) {
        if let Err(error) = self.catalog.raise(key, params) {
            eprintln!("alarm {} could not be written: {error}", key.code.name());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn params(value: serde_json::Value) -> Params {
    match value {
        serde_json::Value::Object(params) => params,
        _ => Params::new(),
    }
}

fn trouble_code(trouble: DiskTrouble) -> AlarmCode {
    match trouble {
        DiskTrouble::Full => AlarmCode::DiskFull,
        DiskTrouble::Unwritable => AlarmCode::DiskUnwritable,
        DiskTrouble::Slow => AlarmCode::DiskFailing,
    }
}

impl FinishedSink for Archive {
    fn next_sequence(&self) -> u64 {
        self.catalog.next_sequence()
    }

    fn finished(&self, record: &Finished) -> Result<(), SinkError> {
        self.catalog.add_record(record.facts.clone(), record.path.clone(), (self.grade_of)(&record.facts))?;
        (self.on_finished)(record);
        Ok(())
    }

    fn gap(&self, gap: Gap) {
        self.gap_count.fetch_add(1, Relaxed);
        let mut gaps = lock(&self.gaps);
        match gaps.iter_mut().find(|(port, _)| *port == gap.port) {
            Some((_, last)) => *last = Instant::now(),
            None => gaps.push((gap.port, Instant::now())),
        }
        drop(gaps);
        let cause = match gap.cause {
            GapCause::NotCaptured => "not_captured",
            GapCause::Overflow => "overflow",
            GapCause::Damaged => "damaged",
        };
        let seconds = gap.samples as f64 / f64::from(signal::RATE_HZ);
        self.raise(
            &AlarmKey::of_port(AlarmCode::AudioGap, gap.port),
            params(json!({"cause": cause, "seconds": seconds})),
        );
    }

    fn disk_trouble(&self, trouble: DiskTrouble, detail: &str) {
        self.raise(&AlarmKey::of_box(trouble_code(trouble)), params(json!({"detail": detail})));
    }

    fn disk_ok(&self) {
        for trouble in [DiskTrouble::Full, DiskTrouble::Unwritable, DiskTrouble::Slow] {
            if let Err(error) = self.catalog.clear(&AlarmKey::of_box(trouble_code(trouble))) {
                eprintln!("alarm {} could not be cleared: {error}", trouble_code(trouble).name());
            }
        }
    }
}
