//! Which request goes to which subject. A further subject is a request in `wire`, an arm here, and a file of its own.

use serde_json::{Map, Value};
use tokio::sync::{Mutex, watch};

use crate::bus::Bus;
use crate::clock;
use crate::error::ApplianceError;
use crate::restart::{self, Restarts};
use crate::server::Tuning;
use crate::upgrade::{self, Wanted};
use crate::wire::Request;

/// What all requests share.
pub(crate) struct World {
    pub(crate) bus: Bus,
    pub(crate) tuning: Tuning,
    pub(crate) restarts: Restarts,
    /// Held while an upgrade is looked at or installed.
    pub(crate) upgrading: Mutex<()>,
}

impl World {
    pub(crate) fn new(bus: Option<String>, tuning: Tuning) -> Self {
        Self { bus: Bus::at(bus), tuning, restarts: Restarts::default(), upgrading: Mutex::default() }
    }
}

/// Does what is asked for, and returns what there is to say of it. Dropped, it goes no further; what another service has
/// begun by then is that service's.
pub(crate) async fn on(
    request: Request,
    world: &World,
    progress: &watch::Sender<u8>,
) -> Result<Map<String, Value>, ApplianceError> {
    let mut detail = Map::new();
    match request {
        Request::Restart {} => restart::soon(world).await?,
        Request::SetTime { utc_us } => clock::set(&world.tuning.set_clock, utc_us)?,
        Request::CanUpgrade {} => upgrade::is_possible(world).await?,
        Request::MarkGood {} => upgrade::mark_good(world).await?,
        Request::Upgrade { bundle, release } => {
            let version = upgrade::install(world, &Wanted { bundle, release }, progress).await?;
            detail.insert("version".to_owned(), version.into());
        }
    }
    Ok(detail)
}
