//! Plays groups of channels side by side, as fast as they go: workers take a second of all of them, then what ended in
//! it is put in order, so that the result does not depend on the number of workers.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};

use capture::{Block, Scenario, ScenarioError, ScenarioSource};
use line::{CallKey, LineEvent};
use recording::{Instant, OpenId, Recorder, StopFacts, WithoutAudio};
use signal::SampleIndex;

use crate::group::{Group, LineState, Member, Surroundings};
use crate::live::MeterCell;
use crate::replay::{Epoch, ReplayError, group_ranges};

/// Blocks that all groups work off before what ended in them is put in order: one second.
const ROUND_BLOCKS: usize = 100;

/// A group, its input, and what came out of it so far.
pub(crate) struct Player {
    group: Group,
    source: ScenarioSource,
    block: Block,
    world: World,
}

/// The world of a replay: time by the scenario, endings kept for the end of the round.
struct World {
    epoch: Epoch,
    recorder: Option<Recorder>,
    events: Vec<(usize, LineEvent)>,
    endings: Vec<Ending>,
}

/// An end of a recording, put in order before the recorder hears of it: numbers do not depend on threads.
struct Ending {
    at: SampleIndex,
    port: u16,
    what: What,
}

enum What {
    Recording(OpenId, StopFacts),
    WithoutAudio(WithoutAudio),
}

impl Surroundings for World {
    fn instant(&self, at: SampleIndex) -> Instant {
        self.epoch.instant(at)
    }

    fn call_id(&self, call: CallKey) -> String {
        self.epoch.call_id(call)
    }

    fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    fn end(&mut self, open: OpenId, stop: StopFacts, port: u16) {
        self.endings.push(Ending { at: stop.end, port, what: What::Recording(open, stop) });
    }

    fn keep_without_audio(&mut self, at: SampleIndex, record: WithoutAudio) {
        self.endings.push(Ending { at, port: record.port, what: What::WithoutAudio(record) });
    }

    fn meters(&self, _index: usize) -> Option<&MeterCell> {
        None
    }

    fn event(&mut self, index: usize, event: &LineEvent) {
        self.events.push((index, event.clone()));
    }

    fn state(&mut self, _index: usize, _state: &LineState) {}
}

/// The members of a scenario in groups, each with its input.
pub(crate) fn players(
    scenario: &Scenario,
    members: Vec<Member>,
    caller_id_always: bool,
    epoch: &Epoch,
    recorder: Option<&Recorder>,
) -> Result<Vec<Player>, ReplayError> {
    group_ranges(&members)
        .into_iter()
        .map(|range| {
            let port = members[range.start].port;
            let group = Group::new(members[range.clone()].to_vec(), 0, SampleIndex(0), caller_id_always)
                .map_err(|error| ReplayError::Setting {
                    scenario: scenario.file.display().to_string(),
                    port,
                    reason: error.to_string(),
                })?;
            let world = World {
                epoch: epoch.clone(),
                recorder: recorder.cloned(),
                events: Vec::new(),
                endings: Vec::new(),
            };
            Ok(Player { group, source: ScenarioSource::new(scenario, range), block: Block::default(), world })
        })
        .collect()
}

/// Plays all groups to their ends, in rounds. Returns the events of all, unordered.
///
/// # Errors
/// The first input that fails; `Panicked` when a step did.
pub(crate) fn play(
    mut players: Vec<Player>,
    threads: usize,
    recorder: Option<&Recorder>,
) -> Result<Vec<(usize, LineEvent)>, ReplayError> {
    let threads = threads.min(players.len()).max(1);
    let barrier = Barrier::new(threads);
    let endings: Mutex<Vec<Ending>> = Mutex::new(Vec::new());
    let failure: Mutex<Option<ReplayError>> = Mutex::new(None);
    let running = AtomicBool::new(false);
    let done = AtomicBool::new(false);
    let mut shares: Vec<Vec<Player>> = (0..threads).map(|_| Vec::new()).collect();
    for (index, player) in players.drain(..).enumerate() {
        shares[index % threads].push(player);
    }
    let work = |share: &mut Vec<Player>| {
        while !done.load(SeqCst) {
            step(&failure, || {
                for player in share.iter_mut() {
                    if player.round()? {
                        running.store(true, SeqCst);
                    }
                    lock(&endings).append(&mut player.world.endings);
                }
                Ok(())
            });
            if barrier.wait().is_leader() {
                step(&failure, || {
                    let mut round = std::mem::take(&mut *lock(&endings));
                    round.sort_by_key(|ending| (ending.at, ending.port));
                    if let Some(recorder) = recorder {
                        round.into_iter().for_each(|ending| ending.tell(recorder));
                        recorder.wait_for_room();
                    }
                    Ok(())
                });
                done.store(lock(&failure).is_some() || !running.swap(false, SeqCst), SeqCst);
            }
            barrier.wait();
        }
    };
    std::thread::scope(|scope| {
        let (first, rest) = shares.split_at_mut(1);
        for share in rest {
            scope.spawn(|| work(share));
        }
        work(&mut first[0]);
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(shares.into_iter().flatten().flat_map(|player| player.world.events).collect()),
    }
}

/// Does one step and notes the first failure, a panic included: the other workers wait at the barrier for this one.
fn step(failure: &Mutex<Option<ReplayError>>, work: impl FnOnce() -> Result<(), ReplayError>) {
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(ReplayError::Panicked));
    if let Err(error) = outcome {
        lock(failure).get_or_insert(error);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ending {
    fn tell(self, recorder: &Recorder) {
        match self.what {
            What::Recording(open, stop) => recorder.end(open, stop),
            What::WithoutAudio(record) => {
                recorder.record_without_audio(record);
            }
        }
    }
}

impl Player {
    /// One round; `false` when nothing is left to play.
    fn round(&mut self) -> Result<bool, ScenarioError> {
        for _ in 0..ROUND_BLOCKS {
            if self.group.is_ended() {
                return Ok(false);
            }
            self.source.next_block(&mut self.block)?;
            self.group.process(self.block.part(0..self.group.tracks()), &mut self.world);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::members;

    #[test]
    fn a_worker_that_panics_ends_the_replay_and_keeps_nobody_waiting() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x06\0\x01\0".to_vec();
        wav.extend([8000_u32, 8000, 0x0008_0001].map(u32::to_le_bytes).concat());
        wav.extend(b"data\x80\x3e\0\0");
        wav.resize(wav.len() + 16_000, 0xd5);
        std::fs::write(dir.path().join("quiet.wav"), wav).expect("written");
        let channel = |port| format!("[[unit.channel]]\nport = {port}\naudio = \"quiet.wav\"\n");
        let toml =
            format!("rate = 8000\n[[unit]]\nkind = \"analog\"\nname = \"tap\"\n{}{}", channel(1), channel(2));
        std::fs::write(dir.path().join("scenario.toml"), toml).expect("written");
        let scenario = Scenario::load(dir.path()).expect("loads");
        let epoch = Epoch::of(&scenario);
        let mut both = Vec::new();
        for member in members(&scenario).expect("members") {
            both.extend(players(&scenario, vec![member], false, &epoch, None).expect("a group"));
        }
        // A unit that gives fewer tracks than its group has: as wrong as a mistake in this program.
        both[1].source = ScenarioSource::new(&scenario, 0..0);
        let (told, outcome) = std::sync::mpsc::channel();
        std::thread::spawn(move || told.send(play(both, 2, None).map(drop)));
        let outcome = outcome.recv_timeout(std::time::Duration::from_secs(20)).expect("it ends");
        assert!(matches!(outcome, Err(ReplayError::Panicked)), "{outcome:?}");
    }
}
