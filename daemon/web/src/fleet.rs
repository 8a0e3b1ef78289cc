//! Stations as a caller sees them: what was set of each, how it is now, and its alarms.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use catalog::{AlarmCounts, AlarmQuery, AlarmRow, PageRequest, Scope};
use chrono_tz::Tz;
use line::Severity;
use platform::{DeviceNow, Platform};
use serde_json::{Value, json};

use crate::api::meta::alarm_counts_json;
use crate::api::pull::pull_json;
use crate::app::App;
use crate::problem::{Code, Problem};
use crate::scope::{manages, not_yours};
use crate::time;
use crate::view::device_name;

/// Alarms are read anew this often, for everybody together.
const ALARMS_EVERY: Duration = Duration::from_secs(1);
/// Current alarms that are counted for the rows of stations; more than people can look at.
const MOST_ALARMS: usize = 20_000;
const ALARMS_AT_ONCE: u32 = 200;

/// Alarms that stand, as they were a moment ago.
#[derive(Default)]
pub struct Standing(Mutex<Option<(Instant, Arc<Vec<AlarmRow>>)>>);

impl Standing {
    fn alarms(&self, app: &App) -> Result<Arc<Vec<AlarmRow>>, Problem> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, alarms)) = known.as_ref().filter(|(read, _)| read.elapsed() < ALARMS_EVERY) {
            return Ok(alarms.clone());
        }
        let (mut alarms, mut after) = (Vec::new(), None);
        loop {
            let page = PageRequest { after, limit: ALARMS_AT_ONCE, count_up_to: 0 };
            let page = app.catalog().alarms(&Scope::everything(), &AlarmQuery::default(), page)?;
            alarms.extend(page.items);
            after = page.next;
            if after.is_none() || alarms.len() >= MOST_ALARMS {
                break;
            }
        }
        let alarms = Arc::new(alarms);
        *known = Some((Instant::now(), alarms.clone()));
        Ok(alarms)
    }
}

/// All stations at one moment, for one caller.
pub struct Fleet {
    pub scope: Scope,
    now_us: i64,
    zone: Tz,
    alarms: HashMap<String, AlarmCounts>,
    /// Of synchronisations that run, by station.
    progress: HashMap<String, (u64, u64)>,
}

impl Fleet {
    /// Blocks.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn look(app: &App, platform: &Platform, scope: Scope) -> Result<Self, Problem> {
        let now_us = platform.now_us();
        let mut alarms = HashMap::<String, AlarmCounts>::new();
        for alarm in app.standing.alarms(app)?.iter() {
            let Some(station) = alarm.about() else { continue };
            // An alarm of a port is for those who see the port.
            if alarm.port.is_none_or(|port| scope.port_now(station, port, now_us)) {
                let counts = alarms.entry(station.to_owned()).or_default();
                match alarm.severity {
                    Severity::Notice => counts.notice += 1,
                    Severity::Minor => counts.minor += 1,
                    Severity::Critical => counts.critical += 1,
                }
            }
        }
        let progress = platform.synchronising().into_iter().collect();
        Ok(Self { scope, now_us, zone: app.zone(), alarms, progress })
    }

    /// Stations of which the caller sees something now, by serial number.
    pub fn devices(&self, platform: &Platform) -> Vec<DeviceNow> {
        let mut devices = platform.devices();
        devices.retain(|device| self.scope.station_now(&device.device.serial, self.now_us));
        devices
    }

    pub fn alarms_of(&self, serial: &str) -> AlarmCounts {
        self.alarms.get(serial).copied().unwrap_or_default()
    }

    /// Ports that the caller sees: those that are used, and those that are being recorded.
    pub fn ports_of(&self, device: &DeviceNow) -> (usize, usize) {
        let serial = &device.device.serial;
        let seen = device
            .ports
            .values()
            .filter(|port| port.state != "unused" && self.scope.port_now(serial, port.port, self.now_us));
        seen.fold((0, 0), |(total, recording), port| {
            (total + 1, recording + usize::from(port.recording.is_some()))
        })
    }

    pub fn json(&self, now: &DeviceNow) -> Value {
        let device = &now.device;
        let at = |us: i64| time::in_zone(us, self.zone);
        let (total, recording) = self.ports_of(now);
        let department = device.department_at(None, self.now_us);
        let quiet_hours = device.quiet_hours.map(|(from, to)| {
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            json!({ "from": clock(from), "to": clock(to) })
        });
        let other_key = now.other_key.as_ref().map(|other| {
            json!({
                "fingerprint": other.fingerprint.to_string(),
                "address": other.address.to_string(),
                "first_at": at(other.first_us),
                "last_at": at(other.last_us),
            })
        });
        let disk = now.disk_free_bytes.zip(now.disk_total_bytes);
        json!({
            "serial": device.serial,
            "name": device_name(now),
            "department": department,
            "fingerprint": device.fingerprint,
            "pinned": device.fingerprint.is_some(),
            "switched_on": device.switched_on,
            "online": now.online,
            "address": now.address.map(|address| address.ip().to_string()),
            "connected_since": now.connected_since_us.map(at),
            "last_synchronised": now.last_synchronised_us.max(now.last_received_us).map(at),
            "waiting": now.waiting,
            "progress": self.progress.get(&device.serial).map(|(done, total)| json!({ "done": done, "total": total })),
            "disk": disk.map(|(free, total)| json!({ "free_bytes": free, "total_bytes": total })),
            "ports": { "total": total, "recording": recording, "peak": now.recording_peak },
            "alarms": alarm_counts_json(self.alarms_of(&device.serial)),
            "release": now.release,
            "clock_offset_s": now.clock_offset_ms.map(|ms| ms as f64 / 1000.0),
            "limits": { "audio_bytes_per_s": device.audio_bytes_per_s, "quiet_hours": quiet_hours },
            "may_manage": manages(&self.scope, department),
            "other_key": other_key,
            "trouble": now.trouble,
            "pull": pull_json(now, self.zone),
            "note": device.note,
        })
    }
}

/// The station that an address names, if the caller sees something of it.
///
/// # Errors
/// `not_found`.
pub fn device_of(platform: &Platform, scope: &Scope, serial: &str) -> Result<DeviceNow, Problem> {
    platform
        .device(serial)
        .filter(|_| scope.station_now(serial, platform.now_us()))
        .ok_or_else(|| Problem::not_found("device", serial))
}

/// The same, if it is the caller's to change and to command.
///
/// # Errors
/// `not_found`; `department_not_yours` when only some of its ports are the caller's.
pub fn managed(platform: &Platform, scope: &Scope, serial: &str) -> Result<DeviceNow, Problem> {
    let now = device_of(platform, scope, serial)?;
    if manages(scope, now.device.department_at(None, platform.now_us())) {
        return Ok(now);
    }
    Err(not_yours().with("serial", serial))
}

impl From<platform::PlatformError> for Problem {
    fn from(error: platform::PlatformError) -> Self {
        use platform::{PlatformError as Error, SettingsError};
        let sentence = error.to_string();
        match error {
            Error::Catalog(error) => error.into(),
            Error::NoDevice(serial) => Self::not_found("device", serial),
            Error::NoPull(serial) => Self::not_found("pull", serial),
            Error::NoCommand(id) => Self::not_found("command", id),
            Error::DeviceExists(serial) => {
                Self::new(Code::DeviceExists, format!("{serial} is registered already."))
                    .with("serial", serial)
            }
            Error::DeviceInvalid { field, reason } => {
                Self::new(Code::SettingInvalid, sentence).with("field", field).with("reason", reason)
            }
            Error::Settings(SettingsError::Invalid { field, reason }) => {
                Self::new(Code::SettingInvalid, sentence).with("field", field).with("reason", reason)
            }
            Error::TooManyDevices(most) => {
                Self::field_invalid("serial", &format!("one of at most {most} stations: remove some first"))
            }
            Error::Release(error) => error.into(),
            Error::Offline(serial) => {
                Self::new(Code::DeviceOffline, format!("{serial} is not connected.")).with("serial", serial)
            }
            Error::DeviceBusy(_) | Error::TooManyListeners | Error::Stopping => Self::busy(5),
            other => Self::storage(other.code(), other),
        }
    }
}
