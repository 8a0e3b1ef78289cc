//! Looks, a few at a time, whether recordings that the journal knows still have their file: a disk that loses some is
//! noticed while there is still a backup (ST-11, 录音文件缺失).

use std::collections::BTreeMap;

use catalog::{AlarmCode, AlarmKey, AudioFilter, Catalog, Cursor, PageRequest, Params, RecordQuery, Scope};
use recording::{DataDir, RecordId};
use serde_json::json;

use crate::alarm_states::AlarmStates;
use crate::params;

/// Records looked at in a round: a million take less than six hours.
const RECORDS_A_ROUND: u32 = 500;
/// Missing files that are remembered. More of them are one trouble, not more troubles.
const REMEMBERED: usize = 500;

#[derive(Default)]
pub struct FileWatch {
    /// Where the next round goes on; `None`: with the newest record.
    next: Option<Cursor>,
    /// Every record there is has been looked at since the start.
    seen_all: bool,
    missing: BTreeMap<RecordId, String>,
}

impl FileWatch {
    /// One round. A catalog that does not answer now is asked again in the next.
    pub fn look(&mut self, catalog: &Catalog, data: &DataDir, alarms: &mut AlarmStates) {
        let everything = Scope::everything();
        let gone = |file: &str| matches!(data.path().join(file).try_exists(), Ok(false));
        let ids: Vec<RecordId> = self.missing.keys().cloned().collect();
        let Ok(known) = catalog.records_by_id(&everything, &ids) else { return };
        // One that was deleted meanwhile is no longer missed.
        self.missing = known
            .into_iter()
            .filter(|row| row.deleted.is_none())
            .filter_map(|row| row.file.filter(|file| gone(file)).map(|file| (row.id, file)))
            .collect();

        let with_audio = RecordQuery { audio: AudioFilter::With, ..RecordQuery::default() };
        let request = PageRequest { after: self.next, limit: RECORDS_A_ROUND, count_up_to: 0 };
        let Ok(page) = catalog.records(&everything, &with_audio, request) else { return };
        let mut lost: Vec<RecordId> = page
            .items
            .into_iter()
            .filter(|row| row.file.as_deref().is_some_and(gone))
            .map(|row| row.id)
            .collect();
        lost.truncate(REMEMBERED.saturating_sub(self.missing.len()));
        // A deletion is an entry first and a file gone second: the entry is there by now.
        let Ok(lost) = catalog.records_by_id(&everything, &lost) else { return };
        self.missing.extend(
            lost.into_iter()
                .filter(|row| row.deleted.is_none())
                .filter_map(|row| row.file.map(|file| (row.id, file))),
        );
        self.seen_all |= page.next.is_none();
        self.next = page.next;

        let key = AlarmKey::of_box(AlarmCode::RecordingMissing);
        match self.missing.first_key_value() {
            Some((_, file)) => {
                alarms.set(key, true, params(json!({"count": self.missing.len(), "file": file})))
            }
            None if self.seen_all => alarms.set(key, false, Params::new()),
            None => {}
        }
    }
}
