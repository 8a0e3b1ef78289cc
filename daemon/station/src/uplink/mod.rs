//! The way to the platform: what the journal says goes up, entry by entry with the recordings' files, on a thread of its
//! own. The protocol is the room `uplink`; this is what a station has for it.
//!
//! ```text
//! journal ─► Outbox (queue on the disk, Synchronised entries) ─► dialler ═ uplink::talk ═► platform
//!                                                        commands ◄──┘
//! ```

mod again;
mod asked;
mod bundle;
mod commands;
mod dialler;
mod follower;
mod hashes;
mod item;
mod last_upgrade;
mod link;
mod listeners;
mod orders;
mod outbox;
mod outbox_handle;
#[cfg(test)]
mod outbox_tests;
mod ports;
mod put_off;
mod queue;
mod settings;
mod token;
mod upgrade;

use std::sync::{Arc, Weak};

use appliance::Appliance;
use catalog::Catalog;
use recording::DataDir;

use crate::box_settings::BoxBook;
use crate::live::Live;
use crate::station::Inner;
use crate::timekeeper::Timekeeper;
use crate::tuning::Tuning;

pub(crate) use link::Link;
pub use link::{LinkState, LinkTrouble, PlatformLinkNow};
pub(crate) use ports::Peak;
pub(crate) use settings::PlatformBook;
pub use settings::{DEFAULT_PORT, PlatformSettings, PlatformSettingsError};
pub use token::PullToken;

/// What the uplink thread knows of the station.
pub(crate) struct World {
    pub serial: String,
    pub catalog: Catalog,
    pub data: Arc<DataDir>,
    pub keeper: Timekeeper,
    pub live: Arc<Live>,
    pub settings: Arc<BoxBook>,
    pub link: Arc<Link>,
    pub tuning: Tuning,
    pub peak: Peak,
    /// Does what needs root.
    pub appliance: Appliance,
    /// For commands; gone when the station is.
    pub station: Weak<Inner>,
}

/// The uplink thread.
pub(crate) fn run(world: World) {
    dialler::run(&Arc::new(world));
}
