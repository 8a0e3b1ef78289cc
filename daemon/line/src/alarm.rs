//! Alarms of one line (ST-11): line lost, off-hook too long, no call for too long. Each is raised once and cleared
//! once; a cause that ends before its time raises nothing.

use signal::SampleIndex;
use signal::units::seconds_to_samples;

use crate::event::{AlarmCode, LineEvent, LineEventKind};
use crate::settings::ChannelSettings;

#[derive(Debug)]
pub(crate) struct Alarms {
    line_lost: Alarm,
    off_hook: Alarm,
    no_call: Alarm,
    off_hook_since: Option<SampleIndex>,
    /// Somebody knows about this off-hook.
    acknowledged: bool,
    /// The end of the last call; `None` during one.
    idle_since: Option<SampleIndex>,
}

#[derive(Debug)]
struct Alarm {
    code: AlarmCode,
    raised: Option<SampleIndex>,
}

/// Which alarms of a line stand: the sum of what its events have raised and cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub line_lost: bool,
    pub off_hook_too_long: bool,
    pub no_call: bool,
}

impl Standing {
    /// Each alarm that a line can have, and whether it stands.
    pub fn each(self) -> [(AlarmCode, bool); 3] {
        [
            (AlarmCode::LineLost, self.line_lost),
            (AlarmCode::OffHookTooLong, self.off_hook_too_long),
            (AlarmCode::NoCall, self.no_call),
        ]
    }
}

impl Alarm {
    fn new(code: AlarmCode) -> Self {
        Self { code, raised: None }
    }

    fn raise(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        if self.raised.is_none() {
            self.raised = Some(at);
            out.push(LineEvent { at, kind: LineEventKind::AlarmRaised { code: self.code } });
        }
    }

    /// `at` may lie before the alarm, when its cause had ended unnoticed.
    fn clear(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        if let Some(raised) = self.raised.take() {
            let at = at.max(raised);
            out.push(LineEvent { at, kind: LineEventKind::AlarmCleared { code: self.code } });
        }
    }
}

/// When an alarm is due that has a cause `since`; `None` if it is switched off.
fn due(since: Option<SampleIndex>, after_s: u32) -> Option<SampleIndex> {
    since.filter(|_| after_s > 0).map(|since| since.plus(seconds_to_samples(f64::from(after_s))))
}

impl Alarms {
    pub(crate) fn new(first: SampleIndex) -> Self {
        Self {
            line_lost: Alarm::new(AlarmCode::LineLost),
            off_hook: Alarm::new(AlarmCode::OffHookTooLong),
            no_call: Alarm::new(AlarmCode::NoCall),
            off_hook_since: None,
            acknowledged: false,
            idle_since: Some(first),
        }
    }

    pub(crate) fn line_lost(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        self.line_lost.raise(at, out);
    }

    pub(crate) fn line_restored(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        self.line_lost.clear(at, out);
    }

    pub(crate) fn off_hook(&mut self, at: SampleIndex) {
        self.off_hook_since = Some(at);
        self.acknowledged = false;
    }

    /// On-hook, or no telling any more.
    pub(crate) fn off_hook_over(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        self.off_hook_since = None;
        self.off_hook.clear(at, out);
    }

    pub(crate) fn call_begins(&mut self, at: SampleIndex, out: &mut Vec<LineEvent>) {
        self.idle_since = None;
        self.no_call.clear(at, out);
    }

    pub(crate) fn call_ends(&mut self, at: SampleIndex) {
        self.idle_since = Some(at);
    }

    /// Raises what is due; all that happened before `settled` is known.
    pub(crate) fn advance(
        &mut self,
        settled: SampleIndex,
        settings: &ChannelSettings,
        out: &mut Vec<LineEvent>,
    ) {
        if let Some(at) = self.off_hook_due(settings).filter(|due| *due < settled) {
            self.off_hook.raise(at, out);
        }
        if let Some(at) = due(self.idle_since, settings.no_call_alarm_after_s).filter(|due| *due < settled) {
            self.no_call.raise(at, out);
        }
    }

    fn off_hook_due(&self, settings: &ChannelSettings) -> Option<SampleIndex> {
        due(self.off_hook_since, settings.off_hook_alarm_after_s).filter(|_| !self.acknowledged)
    }

    /// Takes down what is raised and would not be by `settings`.
    pub(crate) fn change_settings(
        &mut self,
        now: SampleIndex,
        settings: &ChannelSettings,
        out: &mut Vec<LineEvent>,
    ) {
        if self.off_hook_due(settings).is_none_or(|due| due > now) {
            self.off_hook.clear(now, out);
        }
        if due(self.idle_since, settings.no_call_alarm_after_s).is_none_or(|due| due > now) {
            self.no_call.clear(now, out);
        }
    }

    /// Clears the off-hook alarm until the next off-hook; `false` if none is raised.
    pub(crate) fn acknowledge_off_hook(&mut self, now: SampleIndex, out: &mut Vec<LineEvent>) -> bool {
        if self.off_hook.raised.is_none() {
            return false;
        }
        self.acknowledged = true;
        self.off_hook.clear(now, out);
        true
    }

    pub(crate) fn standing(&self) -> Standing {
        Standing {
            line_lost: self.line_lost.raised.is_some(),
            off_hook_too_long: self.off_hook.raised.is_some(),
            no_call: self.no_call.raised.is_some(),
        }
    }

    /// The port goes out of use.
    pub(crate) fn clear_all(&mut self, now: SampleIndex, out: &mut Vec<LineEvent>) {
        for alarm in [&mut self.line_lost, &mut self.off_hook, &mut self.no_call] {
            alarm.clear(now, out);
        }
        self.off_hook_since = None;
        self.idle_since = None;
    }
}
