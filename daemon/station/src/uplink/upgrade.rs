//! The work of an upgrade on a thread that may wait: making room for the bundle, checking what has come, and having it
//! installed by the process that may.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use catalog::{AlarmCode, AlarmKey};
use serde_json::json;
use upkeep::params;
use uplink::What;
use uplink::command::code;
use uplink::message::{Command, Outcome};

use super::World;
use super::bundle::{Bundle, BundleError, Whole};
use super::commands::JobEnd;
use super::last_upgrade as last;
use super::orders::{failure, not_done};
use crate::care::Notice;

/// Makes room for the bundle, if there is somebody to install it.
pub(super) fn open(world: &World, bytes: u64, sha256: &str) -> JobEnd {
    if let Err(error) = world.appliance.can_upgrade() {
        return JobEnd::Ended(not_done(&error));
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

/// Checks the whole bundle and has it installed; `tell` hears of each percent. `gave_up`: nothing is begun any more, and
/// the box does not restart by itself.
pub(super) fn install(
    world: &World,
    command: &Command,
    bundle: Bundle,
    gave_up: &AtomicBool,
    tell: &mut dyn FnMut(u8),
) -> Outcome {
    let Ok(What::Upgrade { release, restart, .. }) = What::read(&command.what) else {
        return failure(code::COMMAND_INVALID, "it is no upgrade any more");
    };
    let outcome = match bundle.checked(gave_up) {
        // It stays on the disk, for the next command that is about it.
        Err(_) | Ok(Some(_)) if gave_up.load(Relaxed) => {
            return failure(code::CANCELLED, "nothing was installed");
        }
        Err(error) => not_taken(&error.into()),
        Ok(None) => failure(code::BUNDLE_CORRUPT, "what came is not what the platform announced"),
        Ok(Some(whole)) => {
            let restart = || restart && !gave_up.load(Relaxed);
            let outcome = installed(world, command, &whole, &release, restart, tell);
            // What cannot be removed now makes way for the next bundle.
            let _ = whole.remove();
            outcome
        }
    };
    tell_whoever_is_at_the_box(world, &release, &outcome);
    outcome
}

/// A bundle that was not installed is an alarm until one is, or until the box starts again with what it has.
fn tell_whoever_is_at_the_box(world: &World, release: &str, outcome: &Outcome) {
    let key = AlarmKey::of_box(AlarmCode::UpgradeFailed);
    let notice = match outcome {
        // That one has an end of its own.
        Outcome::Failed { code, .. } if code == code::UPGRADE_RUNNING => return,
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
    world: &World,
    command: &Command,
    whole: &Whole,
    release: &str,
    restart: impl FnOnce() -> bool,
    tell: &mut dyn FnMut(u8),
) -> Outcome {
    let installed = match world.appliance.upgrade(whole.path(), release, tell) {
        Err(error) => return not_done(&error),
        Ok(installed) => installed,
    };
    let done = |restarts: bool| Outcome::Done {
        detail: params(json!({"version": installed.version, "restarts": restarts})),
    };
    let restarts = restart();
    // Before the restart, which may come before the answer has gone: asked again, it is not done again.
    last::keep(world, command, &done(restarts));
    if restarts && world.appliance.restart().is_err() {
        last::keep(world, command, &done(false));
        return done(false);
    }
    done(restarts)
}
