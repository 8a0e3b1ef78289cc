//! Settings of the platform as a whole: `settings/platform.toml`, what of it is in force, and changes by the pages.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono_tz::Tz;
use recording::FreeSpace;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use upkeep::clock::zone_named;
use upkeep::kept::{self, Kept, KeptError};
use upkeep::vitals::Limits;

use crate::lock;

/// What stands in `platform.toml`; every member has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlatformSettings {
    /// 1 to 64 characters.
    pub name: String,
    /// IANA name such as `Asia/Shanghai`; absent: the system's.
    pub time_zone: Option<String>,
    /// Alarm below this share of free space, 0 to 90 percent.
    pub disk_nearly_full_percent: f64,
    /// Room that recordings leave free on the disk, for journal and catalog; stations wait while there is less. Absent:
    /// 1 GiB or 2 percent of the disk, whichever is less.
    pub disk_reserve_bytes: Option<u64>,
    /// Alarm above this share of the processors' time, 10 to 100 percent.
    pub cpu_high_percent: f64,
    /// Alarm above this share of the memory, 10 to 100 percent.
    pub memory_high_percent: f64,
    /// Alarm when a sensor of the box is hotter, 30 to 150 °C.
    pub temperature_high_celsius: f64,
    /// How long one of these three must last without a break, 0 to 86,400 seconds.
    pub high_for_s: u32,
    /// A station that is switched on and has been away for so long is an alarm, 1 to 10,080 minutes.
    pub station_offline_after_min: u32,
    /// A station that is switched on and has sent nothing for so long is an alarm, 1 to 10,080 minutes.
    pub nothing_received_after_min: u32,
}

impl Default for PlatformSettings {
    fn default() -> Self {
        Self {
            name: "Hookline".into(),
            time_zone: None,
            disk_nearly_full_percent: 10.0,
            disk_reserve_bytes: None,
            cpu_high_percent: 90.0,
            memory_high_percent: 90.0,
            temperature_high_celsius: 85.0,
            high_for_s: 300,
            station_offline_after_min: 5,
            nothing_received_after_min: 480,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A setting that no platform can have.
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    #[error(transparent)]
    File(#[from] KeptError),
}

fn invalid(field: impl Into<String>, reason: impl Into<String>) -> SettingsError {
    SettingsError::Invalid { field: field.into(), reason: reason.into() }
}

const NAME_CHARACTERS: usize = 64;
const DEFAULT_RESERVE_BYTES: u64 = 1 << 30;
const DEFAULT_RESERVE_PART: u64 = 50;

impl PlatformSettings {
    /// # Errors
    /// `Invalid` with the first setting that is wrong.
    fn validate(&self) -> Result<(), SettingsError> {
        if !is_name(&self.name) {
            return Err(invalid("name", format!("expected 1 to {NAME_CHARACTERS} characters on one line")));
        }
        if let Some(zone) = &self.time_zone
            && zone.parse::<Tz>().is_err()
        {
            let reason = format!("expected a name such as \"Asia/Shanghai\", not {zone:?}");
            return Err(invalid("time_zone", reason));
        }
        for (field, value, least, most) in [
            ("disk_nearly_full_percent", self.disk_nearly_full_percent, 0.0, 90.0),
            ("cpu_high_percent", self.cpu_high_percent, 10.0, 100.0),
            ("memory_high_percent", self.memory_high_percent, 10.0, 100.0),
            ("temperature_high_celsius", self.temperature_high_celsius, 30.0, 150.0),
            ("high_for_s", self.high_for_s.into(), 0.0, 86_400.0),
            ("station_offline_after_min", self.station_offline_after_min.into(), 1.0, 10_080.0),
            ("nothing_received_after_min", self.nothing_received_after_min.into(), 1.0, 10_080.0),
        ] {
            if !(least..=most).contains(&value) {
                return Err(invalid(field, format!("expected {least} to {most}")));
            }
        }
        Ok(())
    }

    /// The settings with the members of `patch`.
    ///
    /// # Errors
    /// `Invalid` with the first member that is wrong or that no platform has.
    fn patched(&self, patch: &Map<String, Value>) -> Result<Self, SettingsError> {
        let mut whole = object(json!(self));
        let mut result = self.clone();
        // One member at a time, so that a mistake names the member it is in.
        for (field, value) in patch {
            whole.insert(field.clone(), value.clone());
            result = serde_json::from_value(Value::Object(whole.clone()))
                .map_err(|error| invalid(field, error.to_string()))?;
        }
        result.validate()?;
        Ok(result)
    }

    /// The zone of the platform; UTC where neither the file nor the system says one.
    pub fn zone(&self) -> Tz {
        zone_named(self.time_zone.as_deref())
    }

    /// Bytes that recordings leave free on a disk of that size.
    pub fn reserve_bytes(&self, space: FreeSpace) -> u64 {
        let least = DEFAULT_RESERVE_BYTES.min(space.total_bytes / DEFAULT_RESERVE_PART);
        self.disk_reserve_bytes.unwrap_or(least)
    }

    pub(crate) fn load_limits(&self) -> Limits {
        Limits {
            cpu_percent: self.cpu_high_percent,
            memory_percent: self.memory_high_percent,
            temperature_celsius: self.temperature_high_celsius,
            high_for: Duration::from_secs(self.high_for_s.into()),
        }
    }
}

/// A name that can stand in a line of a list.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = !name.trim().is_empty() && !name.contains(char::is_control);
    plain && name.chars().count() <= NAME_CHARACTERS
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The settings in force, and the file that keeps them.
#[derive(Debug)]
pub(crate) struct Book {
    file: PathBuf,
    now: Mutex<Arc<PlatformSettings>>,
    /// Held while the file is read, judged and written.
    writing: Mutex<()>,
}

impl Book {
    /// # Errors
    /// A file that cannot be read, or says something no platform can have.
    pub fn load(file: PathBuf) -> Result<Self, SettingsError> {
        let kept = Kept::load(&file)?;
        let (known, unknown) = kept::known(&kept.table, &template());
        unknown.iter().for_each(|member| eprintln!("{}", kept.passed_over(member)));
        let settings: PlatformSettings =
            known.try_into().map_err(|error: toml::de::Error| kept.wrong(kept::sentence(&error)))?;
        settings.validate().map_err(|error| kept.wrong(error.to_string()))?;
        Ok(Self { file, now: Mutex::new(Arc::new(settings)), writing: Mutex::new(()) })
    }

    pub fn now(&self) -> Arc<PlatformSettings> {
        lock(&self.now).clone()
    }

    /// Sets the members of `patch`, all or none, in the file first. Returns the settings before and after.
    pub fn change(
        &self,
        patch: &Map<String, Value>,
        apply: impl FnOnce(&PlatformSettings),
    ) -> Result<(Arc<PlatformSettings>, Arc<PlatformSettings>), SettingsError> {
        let _one_at_a_time = lock(&self.writing);
        let before = self.now();
        let after = Arc::new(before.patched(patch)?);
        let mut kept = Kept::load(&self.file)?;
        let table = toml::Table::try_from(&*after)
            .map_err(|error| kept.wrong(format!("the settings cannot be written: {error}")))?;
        kept::overlay(&mut kept.table, table, &template());
        kept.write()?;
        *lock(&self.now) = after.clone();
        apply(&after);
        Ok((before, after))
    }
}

/// Settings with every member that this release knows.
fn template() -> Map<String, Value> {
    object(json!(PlatformSettings::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(value: Value) -> Map<String, Value> {
        object(value)
    }

    #[test]
    fn a_change_is_kept_and_a_wrong_one_changes_nothing_and_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("platform.toml");
        std::fs::write(&path, "name = \"a\"\ncolour = 1\n").expect("written");
        let book = Book::load(path.clone()).expect("loads");
        let change = json!({"name": "Centre", "time_zone": "Asia/Urumqi", "disk_reserve_bytes": 5});
        book.change(&patch(change), |_| {}).expect("changed");
        for (change, field) in [
            (json!({"colour": 1}), "colour"),
            (json!({"name": "x", "high_for_s": -1}), "high_for_s"),
            (json!({"name": ""}), "name"),
            (json!({"time_zone": "Mars"}), "time_zone"),
            (json!({"station_offline_after_min": 0}), "station_offline_after_min"),
            (json!({"nothing_received_after_min": 10_081}), "nothing_received_after_min"),
        ] {
            match book.change(&patch(change), |_| {}) {
                Err(SettingsError::Invalid { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        let again = Book::load(path.clone()).expect("loads");
        assert_eq!(again.now(), book.now());
        assert_eq!(again.now().disk_reserve_bytes, Some(5));
        assert!(std::fs::read_to_string(path).expect("read").contains("colour = 1"));
    }

    #[test]
    fn the_reserve_fits_the_disk() {
        let settings = PlatformSettings::default();
        let of = |total_bytes| settings.reserve_bytes(FreeSpace { free_bytes: 0, total_bytes });
        assert_eq!((of(100 << 20), of(4 << 40)), (2 << 20, 1 << 30));
    }
}
