//! A line whose unit gives nothing: unplugged, vanished, broken. Nothing can be said of the line then: what was open ends
//! at the last sample that was seen, and the line is taken as it is when the unit is back. The alarm is the unit's, one
//! for all of its lines.

use signal::SampleIndex;
use signal::hook::HookReader;

use crate::event::{LineEvent, StopMode};
use crate::machine::{Line, hook_settings};

impl Line {
    /// The unit of this line has gone. An open recording stops by `line_lost`, whatever its stop modes: there is nothing
    /// to record. A second call does nothing.
    pub fn unit_lost(&mut self, out: &mut Vec<LineEvent>) {
        if self.away {
            return;
        }
        if self.is_in_use() {
            self.end_now(StopMode::LineLost, out);
            self.end_call(self.now, out);
            self.alarms.clear_all(self.now, out);
        }
        self.away = true;
        self.off_hook = None;
        self.lost = false;
        self.forget_stops();
        self.touch();
    }

    /// The unit gives samples again, `first` the first of them.
    pub fn unit_returned(&mut self, first: SampleIndex) {
        if !self.away {
            return;
        }
        self.away = false;
        self.now = self.now.max(first);
        // What the line did meanwhile is not known: it is read anew, as at a start.
        self.hook = HookReader::new(hook_settings(&self.settings));
        self.begins_at = Some(self.now);
        self.tape.keep_nothing_before(self.now);
        self.alarms.call_ends(self.now);
        (self.held, self.paused) = (false, false);
        self.touch();
    }

    /// Whether the unit of this line is gone.
    pub fn is_away(&self) -> bool {
        self.away
    }
}
