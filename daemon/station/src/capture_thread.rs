//! The sample path of a running station: one thread that takes blocks from the unit, works on them, and waits for
//! nothing but the next block. What others must know of it goes into a ring without a lock; what they want of it
//! comes by a queue that it only polls.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError};
use std::time::{Duration, Instant as StdInstant};

use capture::{BLOCK_SAMPLES, Block, ScenarioSource};
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

/// A group and where its blocks come from.
pub(crate) struct Input {
    pub group: Group,
    pub source: ScenarioSource,
    /// Names of the units that it reads.
    pub units: BTreeSet<String>,
}

/// What the thread hands around.
pub(crate) struct World {
    pub keeper: Timekeeper,
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

impl Surroundings for World {
    fn instant(&self, at: SampleIndex) -> Instant {
        self.keeper.instant(at)
    }

    fn call_id(&self, call: CallKey) -> String {
        self.keeper.call_id(call)
    }

    fn recorder(&self) -> Option<&Recorder> {
        Some(&self.recorder)
    }

    fn end(&mut self, open: OpenId, stop: StopFacts, _port: u16) {
        self.recorder.end(open, stop);
    }

    fn keep_without_audio(&mut self, _at: SampleIndex, record: WithoutAudio) {
        let port = record.port;
        if !self.recorder.record_without_audio(record) {
            let key = AlarmKey::of_port(AlarmCode::AudioGap, port);
            let lost = params(json!({"cause": "overflow", "records": 1}));
            // Without the care thread there is nobody to tell: it ends after this one.
            let _ = self.notices.send(Notice::Lost(key, lost));
        }
    }

    fn meters(&self, index: usize) -> Option<&MeterCell> {
        self.live.meter_cell(index)
    }

    fn event(&mut self, index: usize, event: &LineEvent) {
        self.tell(Told::Event(index, event.clone()));
    }

    fn state(&mut self, index: usize, state: &LineState) {
        self.tell(Told::State(index, *state));
    }
}

const BLOCK_TIME: Duration = Duration::from_millis(10);

/// Runs until it is told to finish, or its input fails.
pub(crate) fn run(mut inputs: Vec<Input>, mut world: World, requests: &Receiver<Request>) {
    let ports = world.live.ports().len();
    let mut block = Block::default();
    let mut end = SampleIndex(0);
    let mut due = StdInstant::now();
    loop {
        due += BLOCK_TIME;
        if let Some(wait) = due.checked_duration_since(StdInstant::now()) {
            std::thread::sleep(wait);
        }
        if !answer(requests, &mut inputs, &mut world) {
            break;
        }
        inputs.retain_mut(|input| match input.source.next_block(&mut block) {
            Ok(()) => {
                input.group.process(&block, &mut world);
                true
            }
            Err(error) => {
                // Its lines end where their input ends; those of the other inputs go on.
                input.group.finish(end, &mut world);
                for unit in &input.units {
                    let key = AlarmKey::of_thing(AlarmCode::UnitLost, unit.as_str());
                    let detail = params(json!({"detail": error.to_string()}));
                    let _ = world.notices.send(Notice::Raise(key, detail));
                }
                false
            }
        });
        world.pulse.beat(inputs.len());
        if world.is_to_tell_again(ports) {
            inputs.iter_mut().for_each(|input| input.group.tell_again());
        }
        end = end.plus(BLOCK_SAMPLES as u64);
    }
    inputs.iter_mut().for_each(|input| input.group.finish(end, &mut world));
}

/// Does what was asked for; `false` when the thread is to end. Whoever asked may have gone: then nobody is told.
fn answer(requests: &Receiver<Request>, inputs: &mut [Input], world: &mut World) -> bool {
    loop {
        match requests.try_recv() {
            Ok(Request::Line(index, command, reply)) => {
                if let Some(result) =
                    inputs.iter_mut().find_map(|input| input.group.command(index, command, world))
                {
                    let _ = reply.try_send(result);
                }
            }
            Ok(Request::Change(index, channel, reply)) => {
                if let Some(result) =
                    inputs.iter_mut().find_map(|input| input.group.change(index, &channel, world))
                {
                    let _ = reply.try_send(result);
                }
            }
            Ok(Request::Listen(index, tap, reply)) => {
                let mut tap = Some(tap);
                let taken = inputs.iter_mut().any(|input| input.group.listen(index, &mut tap));
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
