//! What a box is: a station or a platform. What both have is asked of `Served`; what only one has is reached through
//! `app.station()` and `app.platform()`, in routes that the other does not have.

use ::appliance::Appliance;
use ::mail::Mail;
use catalog::{AuditEntry, Catalog, Deletions, Scope};
use chrono_tz::Tz;
use platform::Platform;
use recording::{DataDir, RecordId};
use station::uplink::PlatformSettingsError;
use station::{BoxSettingsError, ChannelError, Station, StationError};

use crate::app::App;
use crate::problem::{Code, Problem};

/// In which role a box serves its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Station,
    Platform,
}

impl Role {
    /// As in `x-role` of the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Station => "station",
            Self::Platform => "platform",
        }
    }
}

/// The running box behind the pages.
#[derive(Clone)]
pub enum Served {
    Station(Station),
    Platform(Platform),
}

impl From<Station> for Served {
    fn from(station: Station) -> Self {
        Self::Station(station)
    }
}

impl From<Platform> for Served {
    fn from(platform: Platform) -> Self {
        Self::Platform(platform)
    }
}

/// What the box says of itself.
pub struct Info {
    pub serial: String,
    pub name: String,
    pub version: &'static str,
    /// RFC 3339.
    pub started: String,
}

impl Served {
    pub fn role(&self) -> Role {
        match self {
            Self::Station(_) => Role::Station,
            Self::Platform(_) => Role::Platform,
        }
    }

    pub fn catalog(&self) -> &Catalog {
        match self {
            Self::Station(station) => station.catalog(),
            Self::Platform(platform) => platform.catalog(),
        }
    }

    pub fn data_dir(&self) -> &DataDir {
        match self {
            Self::Station(station) => station.data_dir(),
            Self::Platform(platform) => platform.data_dir(),
        }
    }

    pub fn zone(&self) -> Tz {
        match self {
            Self::Station(station) => station.time_zone(),
            Self::Platform(platform) => platform.time_zone(),
        }
    }

    /// RFC 3339, in the box's zone.
    pub fn now(&self) -> String {
        match self {
            Self::Station(station) => station.now(),
            Self::Platform(platform) => platform.now(),
        }
    }

    /// E-mail push.
    pub fn mail(&self) -> &Mail {
        match self {
            Self::Station(station) => station.mail(),
            Self::Platform(platform) => platform.mail(),
        }
    }

    /// What needs root is asked of it.
    pub fn appliance(&self) -> &Appliance {
        match self {
            Self::Station(station) => station.appliance(),
            Self::Platform(platform) => platform.appliance(),
        }
    }

    /// As in a record's facts.
    pub fn clock_quality(&self) -> recording::ClockQuality {
        match self {
            Self::Station(station) => station.clock_quality(),
            Self::Platform(platform) => platform.clock_quality(),
        }
    }

    pub fn info(&self) -> Info {
        match self {
            Self::Station(station) => {
                let info = station.info();
                Info { serial: info.serial, name: info.name, version: info.version, started: info.started }
            }
            Self::Platform(platform) => {
                let info = platform.info();
                Info { serial: info.serial, name: info.name, version: info.version, started: info.started }
            }
        }
    }

    /// Parts of the box that do not work now, by their names in the contract.
    pub fn not_well(&self) -> Vec<&'static str> {
        let parts = match self {
            Self::Station(station) => {
                let health = station.health();
                [
                    ("capturing", health.capturing),
                    ("recording", health.recording),
                    ("catalog_following", health.catalog_following),
                ]
            }
            Self::Platform(platform) => {
                let health = platform.health();
                [
                    ("intake", health.intake),
                    ("keeping", health.keeping),
                    ("catalog_following", health.catalog_following),
                ]
            }
        };
        parts.iter().filter(|(_, well)| !well).map(|(part, _)| *part).collect()
    }

    /// Deletes those that may be: first the entries with the audit entries that `trail` gives, then the files. Blocks.
    ///
    /// # Errors
    /// When the journal cannot be written; nothing is deleted then.
    pub fn delete_recordings(
        &self,
        scope: &Scope,
        ids: &[RecordId],
        account: &str,
        trail: impl FnOnce(&Deletions) -> Vec<AuditEntry>,
    ) -> Result<Deletions, Problem> {
        match self {
            Self::Station(station) => Ok(station.delete_recordings(scope, ids, account, trail)?),
            Self::Platform(platform) => Ok(platform.delete_recordings(scope, ids, account, trail)?),
        }
    }
}

impl App {
    /// The station, in routes that only a station has.
    ///
    /// # Errors
    /// Never in such a route: the table keeps a platform out of it.
    pub fn station(&self) -> Result<&Station, Problem> {
        match &self.served {
            Served::Station(station) => Ok(station),
            Served::Platform(_) => Err(Problem::internal("a platform was asked for its station")),
        }
    }

    /// The platform, in routes that only a platform has.
    ///
    /// # Errors
    /// Never in such a route: the table keeps a station out of it.
    pub fn platform(&self) -> Result<&Platform, Problem> {
        match &self.served {
            Served::Platform(platform) => Ok(platform),
            Served::Station(_) => Err(Problem::internal("a station was asked for its platform")),
        }
    }
}

/// What a route answers in the role that does not have it.
pub async fn elsewhere(request: axum::extract::Request) -> Problem {
    Problem::not_found("route", request.uri().path())
}

impl From<StationError> for Problem {
    fn from(error: StationError) -> Self {
        let sentence = error.to_string();
        match error {
            StationError::Catalog(error) => error.into(),
            StationError::NoSuchPort { port } | StationError::Channels(ChannelError::NoSuchPort(port)) => {
                Self::not_found("port", port)
            }
            StationError::Channels(ChannelError::Invalid { port, field, reason }) => {
                Self::new(Code::SettingInvalid, sentence)
                    .with("port", port)
                    .with("field", field)
                    .with("reason", reason)
            }
            StationError::BoxSettings(BoxSettingsError::Invalid { field, reason })
            | StationError::Platform(PlatformSettingsError::Invalid { field, reason }) => {
                Self::new(Code::SettingInvalid, sentence).with("field", field).with("reason", reason)
            }
            StationError::Setting { port, reason } => Self::new(Code::SettingInvalid, sentence)
                .with("port", port)
                .with("field", reason.field())
                .with("reason", reason.to_string()),
            StationError::Channels(ChannelError::NothingToUndo) => {
                Self::new(Code::NothingToUndo, "There is no change to take back.")
            }
            StationError::Command { port, reason } => {
                Self::new(Code::RecordRefused, sentence).with("port", port).with("reason", refusal(reason))
            }
            StationError::NoVoltage { port } => {
                Self::new(Code::CalibrationRefused, sentence).with("port", port).with("reason", "no_voltage")
            }
            StationError::TooManyListeners { .. } | StationError::Stopping => Self::busy(5),
            other => Self::storage(other.code(), other),
        }
    }
}

/// Why a recording by hand was refused, as a code for the pages.
fn refusal(reason: line::CommandError) -> &'static str {
    use line::CommandError;
    match reason {
        CommandError::AlreadyRecording => "already_recording",
        CommandError::NotRecording => "not_recording",
        CommandError::ManualStopNotAllowed => "manual_stop_not_allowed",
        CommandError::DoNotRecord => "do_not_record",
        CommandError::NotInUse => "not_in_use",
        CommandError::UnitLost => "unit_lost",
        CommandError::NoAlarm => "no_alarm",
    }
}
