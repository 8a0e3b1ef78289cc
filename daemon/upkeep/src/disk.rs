//! How full the disk of the data folder is.

use catalog::{AlarmCode, AlarmKey, Params};
use recording::FreeSpace;
use serde_json::json;

use crate::alarm_states::AlarmStates;
use crate::params;

/// The alarm clears this many percent above where it was raised.
const HYSTERESIS_PERCENT: f64 = 1.0;

/// Raises `disk_nearly_full` below `limit_percent` of free space, and clears it well above.
pub fn look(space: FreeSpace, limit_percent: f64, alarms: &mut AlarmStates) {
    let free_percent = 100.0 * space.free_bytes as f64 / (space.total_bytes as f64).max(1.0);
    let key = AlarmKey::of_box(AlarmCode::DiskNearlyFull);
    if free_percent < limit_percent {
        let rounded = (free_percent * 10.0).round() / 10.0;
        alarms.set(key, true, params(json!({"free_percent": rounded})));
    } else if free_percent > limit_percent + HYSTERESIS_PERCENT {
        alarms.set(key, false, Params::new());
    }
}
