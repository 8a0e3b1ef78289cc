//! The central server: stations register by their serial numbers, send what they record, and are told what to do; the
//! pages ask it as they ask a station. Its face is [`Platform`]: cheap to clone, safe from any thread.
//!
//! ```text
//! Platform::start(&PlatformConfig { data, intake, appliance }) -> Result<Platform, PlatformError> ; stop()
//! info(), now(), time_zone(), clock_quality(), health(), data_dir(), catalog(), vitals(), settings(), change_settings(&Map)
//! fingerprint() ; intake_address()
//! devices() -> Vec<DeviceNow> ; device(serial) ; waiting() -> Vec<Waiting> ; changes()
//! add_devices(devices, trail) ; change_device(serial, change, trail) ; remove_device(serial, trail)
//! accept_key(serial, fingerprint, trail)
//! command(serials, what, within, trail) -> ids ; commands(since), command_now(id), synchronising() ; cancel(id)
//! releases() -> list(), get(sha256), read(sha256, offset, most), begin(name, bytes, account) -> Upload
//! upgrade(serials, sha256, restart, within, trail) -> ids ; remove_release(sha256)
//! has_file(row)
//! listen(serial, port) -> PortAudio
//! fetch_now(serial, trail)
//! mail() -> &Mail
//! delete_recordings(scope, ids, account, trail) -> Deletions
//! ```
//!
//! Calls that write wait for the disk, and are made from `spawn_blocking`; those that only ask answer from memory.

mod care;
mod clock_watch;
mod devices;
mod error;
mod intake;
mod keeping;
mod known;
mod listening;
mod mail_host;
pub mod maintenance;
mod orders;
mod platform;
mod pull;
mod quiet;
mod recalled;
mod releases;
mod remembered;
mod room;
mod settings;
mod start;
mod station;
mod stations;
mod strangers;
mod texts;
mod tuning;
mod waiting;

pub use devices::check_device;
pub use error::PlatformError;
pub use listening::PortAudio;
pub use orders::{CommandNow, CommandState};
pub use platform::{Health, Platform, PlatformConfig, PlatformInfo, VitalsNow};
pub use pull::{PULL_TROUBLES, PullNow, PullState, PullTrouble};
pub use releases::{MOST_RELEASE_BYTES, MOST_RELEASES, Release, ReleaseError, Releases, Upload};
pub use settings::{PlatformSettings, SettingsError};
pub use station::{DeviceNow, OtherKey};
pub use tuning::Tuning;
pub use uplink::Fingerprint;
pub use uplink::command::{ContactToSet, MoreOfContact, What, is_sha256};
pub use uplink::message::PortNow;
pub use waiting::{MOST_WAITING, Waiting};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a panic left half done under a lock is whole all the same: nothing here changes more than one thing at a time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
