//! The sample path of a running station: one thread that takes blocks from the unit, works on them, and waits for
//! nothing but the next block. What others must know of it goes into a ring without a lock; what they want of it
//! comes by a queue that it only polls.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError};
use std::time::{Duration, Instant as StdInstant};

use capture::{Block, Intake, ScenarioError, ScenarioSource};
use catalog::{AlarmCode, AlarmKey};
use line::{CallKey, LineEvent};
use recording::{Instant, OpenId, Recorder, StopFacts, WithoutAudio};
use rtrb::Producer;
use serde_json::json;
use signal::SampleIndex;
use upkeep::params;

use crate::care::Notice;
use crate::channels::Channel;
use crate::group::{Group, LineState, Surroundings};
use crate::health::Pulse;
use crate::listen::Tap;
use crate::live::{Live, MeterCell};
use crate::timekeeper::Timekeeper;

/// What a line did, on its way to the dispatcher.
#[derive(Debug)]
pub(crate) enum Told {
    Event(usize, LineEvent),
    State(usize, LineState),
}

/// What pages and the care thread want of the sample path. Each is answered within a block.
pub(crate) enum Request {
    Line(usize, line::Command, SyncSender<Result<(), line::CommandError>>),
    Change(usize, Box<Channel>, SyncSender<Result<(), line::SettingsError>>),
    Listen(usize, Tap, SyncSender<bool>),
    ResetRange(usize),
    /// Ends every line (`shutdown`) and the thread.
    Finish,
}

/// Where blocks come from.
pub(crate) enum Source {
    /// A block each time it is asked for one.
    Scenario(ScenarioSource),
    /// As they come, by the unit's own clock.
    Unit(Intake),
}

/// A group, and which of the unit's tracks are its own.
pub(crate) struct TrackGroup {
    pub group: Group,
    pub tracks: Range<usize>,
}

/// Groups whose blocks come from one place.
pub(crate) struct Input {
    pub source: Source,
    pub groups: Vec<TrackGroup>,
    /// Names of the units that it reads.
    pub units: BTreeSet<String>,
    /// When its samples were taken.
    pub keeper: Timekeeper,
    /// Turns of the thread since the last block.
    pub silent_turns: u32,
}

/// What the thread hands around.
pub(crate) struct World {
    pub recorder: Recorder,
    pub live: Arc<Live>,
    pub told: Producer<Told>,
    /// Messages for which the ring had no room.
    pub dropped: Arc<AtomicU64>,
    /// Some message since the last telling of all states did not arrive.
    pub overflowed: bool,
    /// For what is rare and must not be lost: an input that fails, a record that cannot be kept.
    pub notices: Sender<Notice>,
    pub pulse: Arc<Pulse>,
}

impl World {
    fn tell(&mut self, told: Told) {
        if self.told.push(told).is_err() {
            self.dropped.fetch_add(1, Relaxed);
            self.overflowed = true;
        }
    }

    /// True once, when messages were dropped and there is room again to say how every port is.
    fn is_to_tell_again(&mut self, ports: usize) -> bool {
        self.overflowed && self.told.slots() >= ports && {
            self.overflowed = false;
            true
        }
    }
}

/// The world as the groups of one input see it: with the time of their samples.
struct Around<'a> {
    world: &'a mut World,
    keeper: &'a Timekeeper,
}

impl Surroundings for Around<'_> {
    fn instant(&self, at: SampleIndex) -> Instant {
        self.keeper.instant(at)
    }

    fn call_id(&self, call: CallKey) -> String {
        self.keeper.call_id(call)
    }

    fn recorder(&self) -> Option<&Recorder> {
        Some(&self.world.recorder)
    }

    fn end(&mut self, open: OpenId, stop: StopFacts, _port: u16) {
        self.world.recorder.end(open, stop);
    }

    fn keep_without_audio(&mut self, _at: SampleIndex, record: WithoutAudio) {
        let port = record.port;
        if !self.world.recorder.record_without_audio(record) {
            let key = AlarmKey::of_port(AlarmCode::AudioGap, port);
            let lost = params(json!({"cause": "overflow", "records": 1}));
            // Without the care thread there is nobody to tell: it ends after this one.
            let _ = self.world.notices.send(Notice::Lost(key, lost));
        }
    }

    fn meters(&self, index: usize) -> Option<&MeterCell> {
        self.world.live.meter_cell(index)
    }

    fn event(&mut self, index: usize, event: &LineEvent) {
        self.world.tell(Told::Event(index, event.clone()));
    }

    fn state(&mut self, index: usize, state: &LineState) {
        self.world.tell(Told::State(index, *state));
    }
}

const BLOCK_TIME: Duration = Duration::from_millis(10);
/// Blocks of one unit that are worked on in one turn: what a stall left is caught up with, and the others wait no longer.
const BLOCKS_A_TURN: usize = 20;
/// Turns without a block after which a unit is gone: 2 s. Until then it is only late.
const GONE_AFTER_TURNS: u32 = 200;

impl Input {
    pub(crate) fn new(
        source: Source,
        groups: Vec<TrackGroup>,
        units: BTreeSet<String>,
        keeper: Timekeeper,
    ) -> Self {
        Self { source, groups, units, keeper, silent_turns: 0 }
    }

    /// Works on what has come.
    fn turn(&mut self, block: &mut Block, world: &mut World) -> Result<(), ScenarioError> {
        let mut around = Around { world, keeper: &self.keeper };
        let groups = &mut self.groups;
        let mut work = |block: &Block| {
            for TrackGroup { group, tracks } in groups.iter_mut() {
                group.process(block.part(tracks.clone()), &mut around);
            }
        };
        match &mut self.source {
            Source::Scenario(source) => {
                source.next_block(block)?;
                work(block);
            }
            Source::Unit(intake) => {
                let came = (0..BLOCKS_A_TURN).take_while(|_| intake.next(&mut work).is_some()).count();
                self.silent_turns = if came > 0 { 0 } else { self.silent_turns.saturating_add(1) };
                if self.silent_turns == GONE_AFTER_TURNS {
                    self.each_group(world, |group, around| group.unit_lost(around));
                }
            }
        }
        Ok(())
    }

    /// Ends the lines where their input ends.
    fn finish(&mut self, world: &mut World) {
        self.each_group(world, |group, around| group.finish(around));
    }

    fn each_group(&mut self, world: &mut World, mut work: impl FnMut(&mut Group, &mut Around<'_>)) {
        let mut around = Around { world, keeper: &self.keeper };
        self.groups.iter_mut().for_each(|part| work(&mut part.group, &mut around));
    }

    fn gives_blocks(&self) -> bool {
        self.silent_turns < GONE_AFTER_TURNS
    }
}

/// Runs until it is told to finish.
pub(crate) fn run(mut inputs: Vec<Input>, mut world: World, requests: &Receiver<Request>) {
    let ports = world.live.ports().len();
    let mut block = Block::default();
    let mut due = StdInstant::now();
    loop {
        due += BLOCK_TIME;
        if let Some(wait) = due.checked_duration_since(StdInstant::now()) {
            std::thread::sleep(wait);
        }
        if !answer(requests, &mut inputs, &mut world) {
            break;
        }
        inputs.retain_mut(|input| match input.turn(&mut block, &mut world) {
            Ok(()) => true,
            Err(error) => {
                // Its lines end where their input ends; those of the other inputs go on.
                input.finish(&mut world);
                for unit in &input.units {
                    let key = AlarmKey::of_thing(AlarmCode::UnitLost, unit.as_str());
                    let detail = params(json!({"detail": error.to_string()}));
                    let _ = world.notices.send(Notice::Raise(key, detail));
                }
                false
            }
        });
        world.pulse.beat(inputs.iter().filter(|input| input.gives_blocks()).count());
        if world.is_to_tell_again(ports) {
            inputs.iter_mut().for_each(|input| input.each_group(&mut world, |group, _| group.tell_again()));
        }
    }
    inputs.iter_mut().for_each(|input| input.finish(&mut world));
}

/// Asks each group for an answer until one has it.
fn find_map<T>(
    inputs: &mut [Input],
    world: &mut World,
    mut ask: impl FnMut(&mut Group, &mut Around<'_>) -> Option<T>,
) -> Option<T> {
    inputs.iter_mut().find_map(|input| {
        let mut around = Around { world, keeper: &input.keeper };
        input.groups.iter_mut().find_map(|part| ask(&mut part.group, &mut around))
    })
}

/// Does what was asked for; `false` when the thread is to end. Whoever asked may have gone: then nobody is told.
fn answer(requests: &Receiver<Request>, inputs: &mut [Input], world: &mut World) -> bool {
    loop {
        match requests.try_recv() {
            Ok(Request::Line(index, command, reply)) => {
                let command =
                    |group: &mut Group, around: &mut Around<'_>| group.command(index, command, around);
                if let Some(result) = find_map(inputs, world, command) {
                    let _ = reply.try_send(result);
                }
            }
            Ok(Request::Change(index, channel, reply)) => {
                let change =
                    |group: &mut Group, around: &mut Around<'_>| group.change(index, &channel, around);
                if let Some(result) = find_map(inputs, world, change) {
                    let _ = reply.try_send(result);
                }
            }
            Ok(Request::Listen(index, tap, reply)) => {
                let mut tap = Some(tap);
                let taken =
                    find_map(inputs, world, |group, _| group.listen(index, &mut tap).then_some(())).is_some();
                let _ = reply.try_send(taken);
            }
            Ok(Request::ResetRange(index)) => {
                if let Some(cell) = world.live.meter_cell(index) {
                    cell.reset_range();
                }
            }
            Ok(Request::Finish) | Err(TryRecvError::Disconnected) => return false,
            Err(TryRecvError::Empty) => return true,
        }
    }
}
