//! Which request goes to which subject. A further subject is a request in `wire`, an arm here, and a file of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, watch};

use crate::bus::Bus;
use crate::clock::Clock;
use crate::error::ApplianceError;
use crate::network::Network;
use crate::restart::{self, Restarts};
use crate::server::Tuning;
use crate::upgrade::{self, Wanted};
use crate::wire::Request;

/// What all requests share.
pub(crate) struct World {
    pub(crate) bus: Bus,
    pub(crate) tuning: Tuning,
    pub(crate) clock: Arc<Clock>,
    pub(crate) restarts: Restarts,
    /// Held while an upgrade is looked at or installed.
    pub(crate) upgrading: Mutex<()>,
    pub(crate) network: Network,
}

impl World {
    pub(crate) fn new(bus: Option<String>, root: &Path, folder: PathBuf, tuning: Tuning) -> Self {
        let bus = Bus::at(bus);
        let network = Network::open(root, &folder, bus.clone(), tuning.network);
        let clock = Arc::new(Clock::start(folder, tuning.clock.clone()));
        Self { bus, tuning, clock, restarts: Restarts::default(), upgrading: Mutex::default(), network }
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
        Request::SetTime { utc_us } => world.clock.set(utc_us)?,
        Request::Clock {} => {
            if let Value::Object(now) = json!(world.clock.now()) {
                detail = now;
            }
        }
        Request::ChangeClock { settings } => world.clock.change(settings)?,
        Request::StepClock {} => {
            detail.insert("by_us".to_owned(), world.clock.step()?.into());
        }
        Request::CanUpgrade {} => upgrade::is_possible(world).await?,
        Request::MarkGood {} => upgrade::mark_good(world).await?,
        Request::Upgrade { bundle, release } => {
            let version = upgrade::install(world, &Wanted { bundle, release }, progress).await?;
            detail.insert("version".to_owned(), version.into());
        }
        Request::Network {} => detail = members(&world.network.now().await)?,
        Request::ChangeNetwork { settings } => detail = members(&world.network.change(settings).await?)?,
        Request::ConfirmNetwork { id } => world.network.confirm(id).await?,
        Request::RevertNetwork { id } => world.network.revert(id).await?,
    }
    Ok(detail)
}

fn members(answer: &impl Serialize) -> Result<Map<String, Value>, ApplianceError> {
    match serde_json::to_value(answer) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Ok(Map::new()),
        Err(error) => Err(ApplianceError::BadRequest { reason: error.to_string() }),
    }
}
