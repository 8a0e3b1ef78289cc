//! Takes what the sample path tells and keeps the live state of the ports by it; alarms of lines go on to the care
//! thread, which may wait for a disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::time::Duration;

use catalog::AlarmKey;
use line::LineEventKind;
use rtrb::Consumer;

use crate::capture_thread::Told;
use crate::care::Notice;
use crate::group::LineState;
use crate::live::{Live, PortLive};
use crate::timekeeper::Timekeeper;

/// How long the live state lags behind the line at most.
const PERIOD: Duration = Duration::from_millis(20);

/// Runs until `stop` is set and the ring is empty.
pub(crate) fn run(
    mut told: Consumer<Told>,
    live: &Live,
    keeper: &Timekeeper,
    notices: &Sender<Notice>,
    stop: &Arc<AtomicBool>,
) {
    let ports: Vec<u16> = live.ports().iter().map(|port| port.port).collect();
    loop {
        let last = stop.load(Relaxed);
        while let Ok(message) = told.pop() {
            match message {
                Told::State(index, state) => live.update(index, |port| show(port, &state, keeper)),
                Told::Event(index, event) => {
                    let Some(&port) = ports.get(index) else { continue };
                    let notice = match event.kind {
                        LineEventKind::AlarmRaised { code } => Notice::Raise(AlarmKey::of_port(code, port)),
                        LineEventKind::AlarmCleared { code } => Notice::Clear(AlarmKey::of_port(code, port)),
                        LineEventKind::CallWithoutAudio(call) if call.withheld => {
                            Notice::Withheld { port, number: call.peer_number.map(|n| n.to_string()) }
                        }
                        LineEventKind::RecordStop(stop) if stop.withheld => {
                            Notice::Withheld { port, number: stop.peer_number.map(|n| n.to_string()) }
                        }
                        _ => continue,
                    };
                    // The care thread ends after this one; without it there is nobody to tell.
                    let _ = notices.send(notice);
                }
            }
        }
        if last {
            return;
        }
        std::thread::sleep(PERIOD);
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
