//! Times of the week (schedule, do-not-record): tells the lines when a span begins and ends. Runs in a thread that
//! never waits for a disk: a full one must not keep a privileged hour from beginning.

use std::collections::HashMap;
use std::sync::mpsc::{Sender, sync_channel};

use crate::capture_thread::Request;
use crate::channels::Channel;
use crate::timekeeper::Timekeeper;

/// Which spans of the week hold on which port, as the lines were told last.
pub(crate) struct Weekly {
    channels: Vec<Channel>,
    holds: HashMap<(u16, Span), bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Span {
    Schedule,
    DoNotRecord,
}

impl Weekly {
    pub(crate) fn new(channels: Vec<Channel>) -> Self {
        Self { channels, holds: HashMap::new() }
    }

    /// Channels as they are now: their times of the week may have changed.
    pub(crate) fn change(&mut self, channels: Vec<Channel>) {
        self.channels = channels;
    }

    pub(crate) fn tell_changes(&mut self, keeper: &Timekeeper, requests: &Sender<Request>) {
        let (weekday, minute) = keeper.weekday_and_minute();
        for (index, channel) in self.channels.iter().enumerate() {
            for (span, spans) in [
                (Span::Schedule, &channel.settings.schedule),
                (Span::DoNotRecord, &channel.settings.do_not_record_times),
            ] {
                let holds = line::weekly::any_holds(spans, weekday, minute);
                if self.holds.insert((channel.port, span), holds).unwrap_or(false) == holds {
                    continue;
                }
                let command = match (span, holds) {
                    (Span::Schedule, true) => line::Command::ScheduleBegin,
                    (Span::Schedule, false) => line::Command::ScheduleEnd,
                    (Span::DoNotRecord, true) => line::Command::DoNotRecordBegin,
                    (Span::DoNotRecord, false) => line::Command::DoNotRecordEnd,
                };
                // The answer says whether something was begun or ended by it; either is right.
                let (reply, _answer) = sync_channel(1);
                let _ = requests.send(Request::Line(index, command, reply));
            }
        }
    }
}
