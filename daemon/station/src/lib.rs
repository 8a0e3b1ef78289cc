//! The recorder's life cycle: unit -> pipeline -> recorder -> journal -> catalog, and what the pages may ask of it.
//!
//! The face of a running station is [`Station`]: cheap to clone, safe from any thread, blocking but brief.
//!
//! ```text
//! Station::start(StationConfig) -> Result<Station, StationError>
//! station.stop()                                   closes what is open (shutdown) and waits for the files
//! station.info() -> BoxInfo                        serial, name, version, boot time
//! station.now() -> String                          RFC 3339 in the box's zone; station.time_zone() -> chrono_tz::Tz
//! station.clock_quality() -> ClockQuality
//! station.health() -> Health                     capturing, recording, catalog_following; is_well()
//! station.live() -> &Live                          ports(), port(n), meters(), changes()
//! station.listen(port) -> Result<Listener, StationError>
//! station.record(port, ManualRecord::Start | Stop) -> Result<(), StationError>
//! station.box_settings() ; station.change_box_settings(&Map)
//! station.units() ; station.unit_settings() ; station.change_unit_settings(units)
//! station.platform_link() ; station.change_platform_link(&Map)
//! station.channels() -> Vec<Channel>; station.change_channels(&[port], &Map) ; station.undo_channels()
//! station.calibrate(port, CalibrationStep) -> Result<Calibration, StationError>
//! station.reset_voltage_range(port) -> Result<(), StationError>
//! station.catalog() -> &Catalog                    the one writer and many readers of records, alarms, accounts, audit
//! station.delete_recordings(…) -> Deletions       deletion entries first, then the files
//! station.data_dir() -> &recording::DataDir
//! ```

mod archive;
pub mod box_settings;
pub mod calibration;
mod capture_thread;
mod care;
pub mod channels;
mod dispatch;
mod error;
pub mod events;
pub mod group;
mod health;
pub mod history;
pub mod listen;
pub mod live;
mod mail_host;
pub mod maintenance;
mod play;
pub mod replay;
mod start;
mod station;
mod timekeeper;
mod tuning;
pub mod units;
pub mod uplink;
mod weekly;

use upkeep::{identity, kept};

pub use self::uplink::{LinkState, LinkTrouble, PlatformLinkNow, PlatformSettings};
pub use box_settings::{BoxSettings, BoxSettingsError, GradeRule};
pub use calibration::{Calibration, CalibrationStep, Proposal};
pub use channels::{Channel, ChannelError};
pub use error::StationError;
pub use health::Health;
pub use listen::Listener;
pub use live::{Live, Meter, PortLive};
pub use station::{BoxInfo, BoxSettingsNow, ManualRecord, Station, StationConfig};
pub use tuning::Tuning;
pub use units::{UnitNow, UnitSettings, UnitState, UnitsFound};
