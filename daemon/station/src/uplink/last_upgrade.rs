//! How the last upgrade ended, on the disk: the box may restart before its platform has been told, and is asked again then.

use std::fs;
use std::path::PathBuf;

use recording::write_atomically;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uplink::command::UPGRADE;
use uplink::message::{Command, Outcome};

use super::World;
use super::orders;

#[derive(Debug, Serialize, Deserialize)]
struct Last {
    command: u64,
    what: Value,
    outcome: Outcome,
    /// It stands in the audit trail.
    written_down: bool,
}

fn file(world: &World) -> PathBuf {
    world.data.path().join("upgrade/last.json")
}

fn write(world: &World, last: &Last) {
    let text = serde_json::to_vec(last).map_err(std::io::Error::from);
    if let Err(error) = text.and_then(|text| write_atomically(&file(world), &text)) {
        // A platform that does not hear of it in time has it done once more.
        eprintln!("how the upgrade ended cannot be kept: {error}");
    }
}

fn read(world: &World) -> Option<Last> {
    serde_json::from_slice(&fs::read(file(world)).ok()?).ok()
}

/// Keeps an end that nobody has heard of yet.
pub(super) fn keep(world: &World, command: &Command, outcome: &Outcome) {
    let (what, outcome) = (command.what.clone(), outcome.clone());
    write(world, &Last { command: command.command, what, outcome, written_down: false });
}

/// The trail has it now.
pub(super) fn is_written_down(world: &World, command: u64) {
    if let Some(last) = read(world).filter(|last| last.command == command && !last.written_down) {
        write(world, &Last { written_down: true, ..last });
    }
}

/// The last one, for whoever asks again; the trail has it then. Waits for the disk.
pub(super) fn recall(world: &World) -> Option<(Command, Outcome)> {
    let last = read(world)?;
    let Last { command, what, mut outcome, written_down } = last;
    if !written_down {
        outcome = orders::write_down(world, command, UPGRADE, &what, outcome);
        is_written_down(world, command);
    }
    Some((Command { command, within_s: 0, what }, outcome))
}
