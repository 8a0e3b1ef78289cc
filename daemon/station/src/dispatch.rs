//! Takes what the sample path tells and keeps the live state of the ports by it; tells the lines the times of the week.
//! Alarms of lines go on to the care thread, which may wait for a disk; this one never does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use catalog::{AlarmKey, Params};
use line::{LineEventKind, Standing};
use rtrb::Consumer;

use crate::capture_thread::{Request, Told};
use crate::care::Notice;
use crate::channels::Channel;
use crate::group::LineState;
use crate::live::{Live, PortLive};
use crate::timekeeper::Timekeeper;
use crate::units::UnitWatch;
use crate::weekly::Weekly;

/// How long the live state lags behind the line at most.
const PERIOD: Duration = Duration::from_millis(20);
/// How often times of the week are looked at.
const TICK: Duration = Duration::from_secs(1);

/// What the dispatcher works on.
pub(crate) struct Dispatch {
    pub live: Arc<Live>,
    pub keeper: Timekeeper,
    /// Of each port: the time of its samples.
    pub keepers: Vec<Timekeeper>,
    pub units: UnitWatch,
    pub notices: Sender<Notice>,
    pub requests: Sender<Request>,
    pub weekly: Weekly,
    /// Channels as they are after each change.
    pub changes: Receiver<Vec<Channel>>,
}

impl Dispatch {
    /// Runs until `stop` is set and the ring is empty.
    pub(crate) fn run(mut self, mut told: Consumer<Told>, stop: &Arc<AtomicBool>) {
        let ports: Vec<u16> = self.live.ports().iter().map(|port| port.port).collect();
        let mut standing = vec![Standing::default(); ports.len()];
        let mut next_tick = Instant::now() + TICK;
        loop {
            let last = stop.load(Relaxed);
            while let Ok(message) = told.pop() {
                match message {
                    Told::State(index, state) => {
                        let keeper = self.keepers.get(index).unwrap_or(&self.keeper);
                        self.live.update(index, |port| show(port, &state, keeper));
                        if let (Some(&port), Some(before)) = (ports.get(index), standing.get_mut(index)) {
                            self.tell_alarms(port, std::mem::replace(before, state.alarms), state.alarms);
                        }
                    }
                    Told::Event(index, event) => {
                        if let Some(&port) = ports.get(index) {
                            self.tell_withheld(port, event.kind);
                        }
                    }
                }
            }
            self.units.look();
            if last {
                return;
            }
            let changed = self.changes.try_iter().last();
            if changed.is_some() || Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                changed.into_iter().for_each(|channels| self.weekly.change(channels));
                self.weekly.tell_changes(&self.keeper, &self.requests);
            }
            std::thread::sleep(PERIOD);
        }
    }

    /// Alarms go by the state of the line, not by its events: a message that was lost is made good by the next.
    fn tell_alarms(&self, port: u16, before: Standing, now: Standing) {
        for ((code, stood), (_, stands)) in before.each().into_iter().zip(now.each()) {
            let key = AlarmKey::of_port(code, port);
            match (stood, stands) {
                (false, true) => self.notice(Notice::Raise(key, Params::new())),
                (true, false) => self.notice(Notice::Clear(key)),
                _ => {}
            }
        }
    }

    fn tell_withheld(&self, port: u16, event: LineEventKind) {
        let number = match event {
            LineEventKind::CallWithoutAudio(call) if call.withheld => call.peer_number,
            LineEventKind::RecordStop(stop) if stop.withheld => stop.peer_number,
            _ => return,
        };
        self.notice(Notice::Withheld { port, number: number.map(|number| number.to_string()) });
    }

    fn notice(&self, notice: Notice) {
        // The care thread ends after this one; without it there is nobody to tell.
        let _ = self.notices.send(notice);
    }
}

fn show(port: &mut PortLive, state: &LineState, keeper: &Timekeeper) {
    if port.state != state.port_state || port.since.is_none() {
        port.since = Some(keeper.text(keeper.now_us()));
    }
    port.state = state.port_state;
    let open = state.recording.as_ref().filter(|recording| !recording.withheld);
    port.call_type = open.map_or(line::CallType::Unknown, |recording| recording.call_type);
    port.peer_number = open.and_then(|recording| recording.peer_number).map(|number| number.to_string());
    port.peer_name = open.and_then(|recording| recording.peer_name).map(|name| name.to_string());
    port.recording_since = open.map(|recording| keeper.text(keeper.instant(recording.start).utc_us));
    port.call_id = open.map(|recording| keeper.call_id(recording.call));
}
