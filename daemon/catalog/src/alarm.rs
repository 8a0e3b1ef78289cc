//! The box's alarms (ST-11): stable codes, their category and severity, and what names one alarm. An alarm is a
//! state: raised, perhaps raised again, cleared. Whoever raises it has debounced it; the catalog collapses repeats.

use line::Severity;
use serde::{Deserialize, Serialize};

line::names! {
    /// The part of the box that an alarm is about (通道, 磁盘, 网络, 时间, 系统, 中继).
    AlarmCategory {
        Channel = "channel", Disk = "disk", Network = "network", Time = "time", System = "system", Trunk = "trunk",
    }
}

line::names! {
    /// Every alarm of this release, `line::AlarmCode` among them under the same names.
    AlarmCode {
        LineLost = "line_lost",
        OffHookTooLong = "off_hook_too_long",
        NoCall = "no_call",
        /// A capture unit was unplugged or fell silent; `thing` its name.
        UnitLost = "unit_lost",
        /// A capture unit works, but something about it is not right; `thing` its name.
        UnitFaulty = "unit_faulty",
        /// Samples were lost between unit and disk and stand as a gap in the recording.
        AudioGap = "audio_gap",
        TrunkLos = "trunk_los",
        TrunkAis = "trunk_ais",
        TrunkLof = "trunk_lof",
        DiskNearlyFull = "disk_nearly_full",
        DiskFull = "disk_full",
        DiskFailing = "disk_failing",
        DiskUnwritable = "disk_unwritable",
        MirrorDegraded = "mirror_degraded",
        /// Bytes of the journal cannot be read; what they said about existing files comes back by a reindex.
        JournalDamaged = "journal_damaged",
        /// The catalog lags behind the journal: lists are out of date, nothing is lost.
        CatalogBehind = "catalog_behind",
        /// Recordings that the journal knows have no file any more.
        RecordingMissing = "recording_missing",
        ClockUnsynchronised = "clock_unsynchronised",
        ClockWrong = "clock_wrong",
        PlatformUnreachable = "platform_unreachable",
        CpuHigh = "cpu_high",
        MemoryHigh = "memory_high",
        TemperatureHigh = "temperature_high",
        /// The live state came late, because the box had too much to do; recordings are whole.
        Overloaded = "overloaded",
        PowerLossRestart = "power_loss_restart",
        UpgradeFailed = "upgrade_failed",
        /// E-mail does not reach an address, for ten minutes or for good; `thing` the address.
        EmailFailed = "email_failed",
        // Of a platform, about one of its stations; `thing` its serial number.
        StationOffline = "station_offline",
        /// Nothing has come of it for a long time.
        NothingReceived = "nothing_received",
        /// A box with its serial number and another key has knocked.
        TwoBoxesOneSerial = "two_boxes_one_serial",
        /// It has something that the platform cannot take.
        SynchronisationFailed = "synchronisation_failed",
        /// Its clock is more than 2 s from the platform's.
        StationClockWrong = "station_clock_wrong",
    }
}

impl AlarmCode {
    pub fn category(self) -> AlarmCategory {
        self.kind().0
    }

    /// The severity it has unless a policy says otherwise.
    pub fn severity(self) -> Severity {
        self.kind().1
    }

    /// Raised by a platform about one of its stations.
    pub fn is_about_a_station(self) -> bool {
        matches!(
            self,
            Self::StationOffline
                | Self::NothingReceived
                | Self::TwoBoxesOneSerial
                | Self::SynchronisationFailed
                | Self::StationClockWrong
        )
    }

    fn kind(self) -> (AlarmCategory, Severity) {
        use AlarmCategory::{Channel, Disk, Network, System, Time, Trunk};
        use Severity::{Critical, Minor, Notice};
        match self {
            Self::LineLost => (Channel, Critical),
            Self::OffHookTooLong => (Channel, Minor),
            Self::NoCall => (Channel, Minor),
            Self::UnitLost => (Channel, Critical),
            Self::UnitFaulty => (Channel, Minor),
            Self::AudioGap => (Channel, Critical),
            Self::TrunkLos => (Trunk, Critical),
            Self::TrunkAis => (Trunk, Critical),
            Self::TrunkLof => (Trunk, Critical),
            Self::DiskNearlyFull => (Disk, Minor),
            Self::DiskFull => (Disk, Critical),
            Self::DiskFailing => (Disk, Critical),
            Self::DiskUnwritable => (Disk, Critical),
            Self::MirrorDegraded => (Disk, Critical),
            Self::JournalDamaged => (Disk, Critical),
            Self::CatalogBehind => (System, Minor),
            Self::RecordingMissing => (Disk, Critical),
            Self::ClockUnsynchronised => (Time, Minor),
            Self::ClockWrong => (Time, Critical),
            Self::PlatformUnreachable => (Network, Minor),
            Self::CpuHigh => (System, Minor),
            Self::MemoryHigh => (System, Minor),
            Self::TemperatureHigh => (System, Critical),
            Self::Overloaded => (System, Minor),
            Self::PowerLossRestart => (System, Notice),
            Self::UpgradeFailed => (System, Critical),
            Self::StationOffline => (Network, Critical),
            Self::NothingReceived => (Network, Minor),
            Self::TwoBoxesOneSerial => (Network, Critical),
            Self::SynchronisationFailed => (Network, Critical),
            Self::StationClockWrong => (Time, Critical),
            Self::EmailFailed => (Network, Minor),
        }
    }
}

impl From<line::AlarmCode> for AlarmCode {
    fn from(code: line::AlarmCode) -> Self {
        match code {
            line::AlarmCode::LineLost => Self::LineLost,
            line::AlarmCode::OffHookTooLong => Self::OffHookTooLong,
            line::AlarmCode::NoCall => Self::NoCall,
        }
    }
}

/// Names one alarm among the current ones: what is wrong, on which thing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AlarmKey {
    pub code: AlarmCode,
    pub port: Option<u16>,
    /// A unit, disk or trunk by name, where `port` does not say it.
    pub thing: Option<String>,
}

impl AlarmKey {
    /// About the box as a whole.
    pub fn of_box(code: impl Into<AlarmCode>) -> Self {
        Self { code: code.into(), port: None, thing: None }
    }

    pub fn of_port(code: impl Into<AlarmCode>, port: u16) -> Self {
        Self { code: code.into(), port: Some(port), thing: None }
    }

    /// About a named unit, disk or trunk.
    pub fn of_thing(code: impl Into<AlarmCode>, thing: impl Into<String>) -> Self {
        Self { code: code.into(), port: None, thing: Some(thing.into()) }
    }
}

/// Parameters of a text, by name; the words are made where they are read.
pub type Params = serde_json::Map<String, serde_json::Value>;

/// The parameter that says why: another reason is a raising of its own.
pub const REASON: &str = "detail";

/// An alarm as the catalog shows it, current or past.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmRow {
    /// Journal sequence number of its first raising.
    pub id: u64,
    /// Serial number of the station that raised it; `None`: this box.
    pub station: Option<String>,
    /// A name of `AlarmCode`, or one of a newer release.
    pub code: String,
    pub category: AlarmCategory,
    pub severity: Severity,
    pub port: Option<u16>,
    pub thing: Option<String>,
    /// Of the last raising.
    pub params: Params,
    pub raised_us: i64,
    pub last_raised_us: i64,
    /// When this box first heard of it: on a platform later than it was raised.
    pub reported_us: i64,
    /// `None`: current.
    pub cleared_us: Option<i64>,
    /// How often it was raised before it cleared, at least 1.
    pub count: u64,
    pub acknowledged: Option<Acknowledged>,
}

impl AlarmRow {
    /// Serial number of the station that it is about: the one that raised it, or the one of which its platform says it.
    /// `None`: this box itself.
    pub fn about(&self) -> Option<&str> {
        let told_by_platform = || {
            let code = AlarmCode::from_name(&self.code)?;
            self.thing.as_deref().filter(|_| code.is_about_a_station())
        };
        self.station.as_deref().or_else(told_by_platform)
    }
}

/// Who has seen an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    pub utc_us: i64,
    pub account: String,
    pub note: Option<String>,
}
