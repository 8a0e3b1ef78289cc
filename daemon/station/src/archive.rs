//! Where finished recordings go: into the journal and its catalog. It also hears of gaps and of trouble with the disk,
//! and passes them on: it is called from the recorder's own threads, where no alarm may wait for a disk.

use catalog::{AlarmCode, AlarmKey, Catalog, Grade};
use recording::{DiskTrouble, Facts, Finished, FinishedSink, Gap, GapCause, Recovered, SinkError};
use serde_json::json;
use upkeep::params;

use crate::care::Notice;

/// Called with each record that has come into the journal.
pub type OnFinished = Box<dyn Fn(&Finished) + Send + Sync>;
/// The grade that the box gives to a record by itself.
pub type GradeOf = Box<dyn Fn(&Facts) -> Option<Grade> + Send + Sync>;
/// Takes what is to become an alarm.
pub(crate) type OnNotice = Box<dyn Fn(Notice) + Send + Sync>;

pub(crate) struct Archive {
    catalog: Catalog,
    grade_of: GradeOf,
    on_finished: OnFinished,
    on_notice: OnNotice,
}

impl Archive {
    pub(crate) fn new(
        catalog: Catalog,
        grade_of: GradeOf,
        on_finished: OnFinished,
        on_notice: OnNotice,
    ) -> Self {
        Self { catalog, grade_of, on_finished, on_notice }
    }
}

/// The thing whose damage took recordings that no port can be named for.
const CAPTURE_LOG: &str = "capture-log";

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
        let cause = match gap.cause {
            GapCause::NotCaptured => "not_captured",
            GapCause::Overflow => "overflow",
            GapCause::Damaged => "damaged",
        };
        let seconds = gap.samples as f64 / f64::from(signal::RATE_HZ);
        (self.on_notice)(Notice::Lost(
            AlarmKey::of_port(AlarmCode::AudioGap, gap.port),
            params(json!({"cause": cause, "seconds": seconds})),
        ));
    }

    fn recovered(&self, found: Recovered) {
        if found.strays > 0 {
            (self.on_notice)(Notice::Lost(
                AlarmKey::of_thing(AlarmCode::AudioGap, CAPTURE_LOG),
                params(json!({"cause": "damaged", "recordings": found.strays})),
            ));
        }
    }

    fn disk_trouble(&self, trouble: DiskTrouble, detail: &str) {
        let key = AlarmKey::of_box(trouble_code(trouble));
        (self.on_notice)(Notice::Raise(key, params(json!({"detail": detail}))));
    }

    fn disk_ok(&self) {
        for trouble in [DiskTrouble::Full, DiskTrouble::Unwritable, DiskTrouble::Slow] {
            (self.on_notice)(Notice::Clear(AlarmKey::of_box(trouble_code(trouble))));
        }
    }
}
