//! The work of an upgrade on a thread that may wait: making room for the bundle, checking what has come, and having it
//! installed by the process that may.

use std::io;

use appliance::Appliance;
use catalog::{AlarmCode, AlarmKey};
use serde_json::{Value, json};
use upkeep::params;
use uplink::What;
use uplink::command::code;
use uplink::message::Outcome;

use super::World;
use super::bundle::{Bundle, BundleError};
use super::commands::JobEnd;
use super::orders::{failure, not_done};
use crate::care::Notice;

/// Makes room for the bundle, if there is somebody to install it.
pub(super) fn open(world: &World, bytes: u64, sha256: &str) -> JobEnd {
    if !world.appliance.is_there() {
        return JobEnd::Ended(failure(code::NOT_AVAILABLE, "nobody on this box installs upgrades"));
    }
    match Bundle::open(world.data.path(), bytes, sha256) {
        Ok(bundle) => JobEnd::Comes(Box::new(bundle)),
        Err(error) => JobEnd::Ended(not_taken(&error)),
    }
}

/// Why a bundle is not here.
pub(super) fn not_taken(error: &BundleError) -> Outcome {
    let code = match error {
        BundleError::Invalid => code::COMMAND_INVALID,
        BundleError::NoRoom { .. } => "disk_full",
        BundleError::Io(error) if error.kind() == io::ErrorKind::StorageFull => "disk_full",
        BundleError::Io(_) => "io",
    };
    failure(code, error.to_string())
}

/// Checks the whole bundle and has it installed; `tell` hears of each percent. It is removed, installed or not.
pub(super) fn install(world: &World, what: &Value, bundle: Bundle, tell: &mut dyn FnMut(u8)) -> Outcome {
    let Ok(What::Upgrade { release, restart, .. }) = What::read(what) else {
        return failure(code::COMMAND_INVALID, "it is no upgrade any more");
    };
    let outcome = match bundle.is_right() {
        Err(error) => not_taken(&error.into()),
        Ok(false) => failure(code::BUNDLE_CORRUPT, "what came is not what the platform announced"),
        Ok(true) => installed(&world.appliance, &bundle, &release, restart, tell),
    };
    // What cannot be removed now makes way for the next bundle.
    let _ = bundle.remove();
    tell_whoever_is_at_the_box(world, &release, &outcome);
    outcome
}

/// A bundle that was not installed is an alarm until one is, or until the box starts again with what it has.
fn tell_whoever_is_at_the_box(world: &World, release: &str, outcome: &Outcome) {
    let key = AlarmKey::of_box(AlarmCode::UpgradeFailed);
    let notice = match outcome {
        Outcome::Failed { code, params: said } => {
            let detail = said.get("reason").cloned().unwrap_or_default();
            Notice::Raise(key, params(json!({"release": release, "upgrade": code, "detail": detail})))
        }
        _ => Notice::Clear(key),
    };
    if let Some(station) = world.station.upgrade() {
        // Its reader lives as long as the station.
        let _ = station.notices.send(notice);
    }
}

fn installed(
    appliance: &Appliance,
    bundle: &Bundle,
    release: &str,
    restart: bool,
    tell: &mut dyn FnMut(u8),
) -> Outcome {
    match appliance.upgrade(bundle.path(), release, tell) {
        Err(error) => not_done(&error),
        Ok(installed) => {
            // It goes down a moment later; by then the platform has been told.
            let restarts = restart && appliance.restart().is_ok();
            Outcome::Done { detail: params(json!({"version": installed.version, "restarts": restarts})) }
        }
    }
}
