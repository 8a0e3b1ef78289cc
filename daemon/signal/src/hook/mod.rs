//! What the voltages of one line mean: hook, flash, pulse digits, polarity, ringing, line lost. Pure and streaming:
//! events depend on when the status changed, never on how often `advance` is called.
//!
//! ```text
//!                 closed, held hook_debounce_ms              open
//!   [on-hook] -------------------------------> [off-hook] ---------> [break] --- closed again --+
//!       ^   <--- open again: nothing happened       ^                   |   a dial pulse, or    |
//!       |                                           +-------------------|------- a flash ------+
//!       +---------------- open for more than flash_max_ms: on_hook -----+
//! ```
//!
//! Beside it, whatever the hook does: a dead line (under `line_lost_below_volts`) that stays dead for
//! `line_lost_after_ms` is lost until its voltage has been back for `hook_debounce_ms`. A dead line is never taken for
//! off-hook, nor for on-hook: the hook stays as it was. Ringing current can disturb the DC reading: while it flows, a
//! change must outlast one of its periods.

mod contact;
mod polarity;
mod pulse;
mod ring;
#[cfg(test)]
mod tests;

use contact::{BOUNCE, Contact, Loop};
use polarity::Polarity;
use pulse::{BREAK_MAX, Pulsed, Pulses};
use ring::{Ring, RingEdge};

use crate::units::ms_to_samples;
use crate::{Digit, SampleIndex};

/// Longer than a period of the lowest ringing frequency, 16 Hz.
const RINGING_HOLD: u64 = ms_to_samples(80);

/// Thresholds of one line. Voltages are compared by magnitude; `line_lost_below_volts` < `off_hook_below_volts` <=
/// `on_hook_above_volts` is expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HookSettings {
    pub off_hook_below_volts: f32,
    pub on_hook_above_volts: f32,
    pub line_lost_below_volts: f32,
    pub line_lost_after_ms: u32,
    pub hook_debounce_ms: u32,
    pub flash_max_ms: u32,
    pub ring_above_volts: f32,
}

/// A thing that happened on the line at `at`, which lies before the moment it is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HookEvent {
    pub at: SampleIndex,
    pub kind: HookEventKind,
}

/// `volts` is the signed DC reading when the change had lasted long enough to be believed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HookEventKind {
    /// Each burst of ringing has a start and a stop.
    RingStart,
    RingStop,
    OffHook {
        volts: f32,
    },
    OnHook {
        volts: f32,
    },
    PolarityReversed {
        volts: f32,
    },
    /// Longer than a dial pulse, no longer than `flash_max_ms`.
    HookFlash {
        ms: u32,
    },
    LineLost {
        volts: f32,
    },
    /// `still_off_hook`: as it was when it was lost, so that no `OffHook` follows.
    LineRestored {
        volts: f32,
        still_off_hook: bool,
    },
    PulseDigit {
        digit: Digit,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum HookState {
    OnHook,
    /// Closed, not long enough to be off-hook.
    Closing {
        since: SampleIndex,
    },
    OffHook,
    /// Open, not long enough to be on-hook.
    Break {
        since: SampleIndex,
    },
}

/// Something that will happen unless the line changes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Contact,
    Closing,
    Digit,
    Break,
    Lost,
    Restored,
    Polarity,
    Ring,
}

/// Reads one line's status.
#[derive(Debug)]
pub struct HookReader {
    settings: HookSettings,
    now: SampleIndex,
    contact: Contact,
    hook: HookState,
    pulses: Pulses,
    polarity: Polarity,
    ring: Ring,
    dead_since: Option<SampleIndex>,
    lost: bool,
    /// On a lost line: the loop that has come back, and since when.
    back: Option<(Loop, SampleIndex)>,
    /// What follows from all the above, looked up when it changes and not with every block.
    ahead: Ahead,
}

/// What is to come on a line.
#[derive(Clone, Copy, Debug, Default)]
struct Ahead {
    /// The first of the timers.
    timer: Option<(SampleIndex, Timer)>,
    /// Since when something is undecided, bounce of the contact aside.
    undecided_since: Option<SampleIndex>,
}

impl HookReader {
    /// A line that is on-hook until its first status says otherwise.
    pub fn new(settings: HookSettings) -> Self {
        Self {
            settings,
            now: SampleIndex(0),
            contact: Contact::default(),
            hook: HookState::OnHook,
            pulses: Pulses::default(),
            polarity: Polarity::default(),
            ring: Ring::default(),
            dead_since: None,
            lost: false,
            back: None,
            ahead: Ahead::default(),
        }
    }

    /// New thresholds, which hold from the next status on.
    pub fn set_settings(&mut self, settings: HookSettings) {
        self.settings = settings;
        self.look_ahead();
    }

    /// From `at` on the line has `volts` (signed DC) and `ring_volts` (AC RMS). A reading that is no number is passed
    /// over; one from the past counts as of now.
    pub fn status(&mut self, at: SampleIndex, volts: f32, ring_volts: f32, out: &mut Vec<HookEvent>) {
        self.advance(at, out);
        self.read(self.now, volts, ring_volts, out);
        self.look_ahead();
    }

    fn read(&mut self, at: SampleIndex, volts: f32, ring_volts: f32, out: &mut Vec<HookEvent>) {
        if ring_volts.is_finite() {
            self.ring.read(at, ring_volts, self.settings.ring_above_volts);
        }
        if !volts.is_finite() {
            return;
        }
        self.polarity.read(at, volts, self.settings.line_lost_below_volts);
        if let Some(first) = self.contact.read(at, volts, &self.settings) {
            self.loop_changed(first, at, out);
        }
    }

    /// Nothing but what was told has happened before `now`.
    pub fn advance(&mut self, now: SampleIndex, out: &mut Vec<HookEvent>) {
        while let Some((due, timer)) = self.ahead.timer
            && due <= now
        {
            self.now = self.now.max(due);
            self.fire(timer, out);
            self.look_ahead();
        }
        self.now = self.now.max(now);
    }

    /// The input ends: a loop that has been open for longer than a pulse and `hook_debounce_ms` is on-hook, since no
    /// flash ended it.
    pub fn finish(&mut self, end: SampleIndex, out: &mut Vec<HookEvent>) {
        self.advance(end, out);
        if let HookState::Break { since } = self.hook
            && self.now.since(since) > self.debounce().max(BREAK_MAX)
        {
            self.hang_up(since, out);
            self.look_ahead();
        }
    }

    pub fn is_off_hook(&self) -> bool {
        matches!(self.hook, HookState::OffHook | HookState::Break { .. }) && !self.lost
    }

    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// A burst of ringing is on the line.
    pub fn is_ringing(&self) -> bool {
        self.ring.burst()
    }

    /// All that happened before this sample has been said, but for pulse digits that wait for a witness.
    pub fn settled_before(&self) -> SampleIndex {
        let undecided = [self.contact.undecided_since(self.now), self.ahead.undecided_since];
        undecided.into_iter().flatten().fold(self.now, SampleIndex::min)
    }

    fn look_ahead(&mut self) {
        self.ahead = Ahead { timer: self.next_timer(), undecided_since: self.undecided_since() };
    }

    fn undecided_since(&self) -> Option<SampleIndex> {
        let hook = match self.hook {
            HookState::Closing { since } | HookState::Break { since } => Some(since),
            HookState::OnHook | HookState::OffHook => None,
        };
        [
            hook,
            self.pulses.undecided_since(),
            self.polarity.undecided_since(),
            self.ring.undecided_since(self.hears_ringing()),
            self.dead_since.filter(|_| !self.lost),
            self.back.map(|(_, since)| since),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn debounce(&self) -> u64 {
        ms_to_samples(self.settings.hook_debounce_ms)
    }

    /// How long a change of the DC must last to be believed.
    fn hold(&self) -> u64 {
        let ringing = self.ring.disturbs(self.hears_ringing());
        self.debounce().max(if ringing { RINGING_HOLD } else { 0 })
    }

    /// Dial pulses look like AC too: only an idle line rings.
    fn hears_ringing(&self) -> bool {
        matches!(self.hook, HookState::OnHook | HookState::Closing { .. })
    }

    /// The first of the things to come.
    fn next_timer(&self) -> Option<(SampleIndex, Timer)> {
        // The edge that ends a state is known `BOUNCE` late.
        let held = |since: SampleIndex, hold: u64| since.plus(hold + BOUNCE);
        let (closing, open) = match self.hook {
            HookState::Closing { since } => (Some(held(since, self.hold())), None),
            HookState::Break { since } => {
                let flash = ms_to_samples(self.settings.flash_max_ms).max(self.debounce());
                (None, Some(held(since, flash + 1)))
            }
            HookState::OnHook | HookState::OffHook => (None, None),
        };
        let lost_after = ms_to_samples(self.settings.line_lost_after_ms);
        let dead_since = self.dead_since.filter(|_| !self.lost);
        [
            (self.contact.due(), Timer::Contact),
            (closing, Timer::Closing),
            (self.pulses.due().filter(|_| self.hook == HookState::OffHook), Timer::Digit),
            (open, Timer::Break),
            (dead_since.map(|since| held(since, lost_after)), Timer::Lost),
            (self.back.map(|(_, since)| held(since, self.debounce())), Timer::Restored),
            (self.polarity.due(self.hold()), Timer::Polarity),
            (self.ring.due(self.hears_ringing()), Timer::Ring),
        ]
        .into_iter()
        .filter_map(|(due, timer)| due.map(|due| (due, timer)))
        .min()
    }

    fn fire(&mut self, timer: Timer, out: &mut Vec<HookEvent>) {
        let volts = self.contact.volts();
        let mut say = |at, kind| out.push(HookEvent { at, kind });
        match timer {
            Timer::Contact => {
                if let Some((state, at)) = self.contact.accept() {
                    self.loop_changed(state, at, out);
                }
            }
            Timer::Closing => {
                if let HookState::Closing { since } = self.hook {
                    self.hook = HookState::OffHook;
                    say(since, HookEventKind::OffHook { volts });
                }
            }
            Timer::Digit => {
                let believed_from = self.debounce();
                self.pulses.fire(believed_from, |at, pulsed| {
                    say(
                        at,
                        match pulsed {
                            Pulsed::Digit(digit) => HookEventKind::PulseDigit { digit },
                            Pulsed::Flash { length } => HookEventKind::HookFlash { ms: whole_ms(length) },
                        },
                    );
                });
            }
            Timer::Break => {
                if let HookState::Break { since } = self.hook {
                    self.hang_up(since, out);
                }
            }
            Timer::Lost => {
                if let Some(since) = self.dead_since {
                    self.lost = true;
                    say(since, HookEventKind::LineLost { volts });
                }
            }
            Timer::Restored => {
                if let Some((state, since)) = self.back.take() {
                    self.lost = false;
                    let still_off_hook = state == Loop::Closed && self.hook == HookState::OffHook;
                    say(since, HookEventKind::LineRestored { volts, still_off_hook });
                    self.found_again(state, since, out);
                }
            }
            Timer::Polarity => {
                if let Some((at, volts)) = self.polarity.fire() {
                    say(at, HookEventKind::PolarityReversed { volts });
                }
            }
            Timer::Ring => {
                let (edge, at) = self.ring.fire();
                say(
                    at,
                    match edge {
                        RingEdge::Start => HookEventKind::RingStart,
                        RingEdge::Stop => HookEventKind::RingStop,
                    },
                );
            }
        }
    }

    fn loop_changed(&mut self, state: Loop, at: SampleIndex, out: &mut Vec<HookEvent>) {
        self.dead_since = (state == Loop::Dead).then(|| self.dead_since.unwrap_or(at));
        if self.lost {
            self.back = (state != Loop::Dead).then_some((state, self.back.map_or(at, |(_, since)| since)));
            return;
        }
        self.hook = match (self.hook, state) {
            (HookState::OnHook, Loop::Closed) => HookState::Closing { since: at },
            (HookState::Closing { .. }, Loop::Open | Loop::Dead) => HookState::OnHook,
            (HookState::OffHook, Loop::Open) => HookState::Break { since: at },
            // While dialling, some telephones short the line to almost nothing between the breaks.
            (HookState::Break { since }, Loop::Closed | Loop::Dead) => {
                self.end_break(since, at, out);
                HookState::OffHook
            }
            (hook, _) => hook,
        };
    }

    fn end_break(&mut self, since: SampleIndex, at: SampleIndex, out: &mut Vec<HookEvent>) {
        let length = at.since(since);
        if self.ring.burst() {
            // Ringing current that has not been tripped yet, not the hook.
        } else if length <= BREAK_MAX {
            self.pulses.add(since, length);
        } else {
            self.pulses.abandon(since, 0);
            out.push(HookEvent { at: since, kind: HookEventKind::HookFlash { ms: whole_ms(length) } });
        }
    }

    fn hang_up(&mut self, since: SampleIndex, out: &mut Vec<HookEvent>) {
        let at = self.pulses.abandon(since, self.debounce());
        self.went_on_hook(at, out);
    }

    fn went_on_hook(&mut self, at: SampleIndex, out: &mut Vec<HookEvent>) {
        self.hook = HookState::OnHook;
        self.ring.hear_from(at);
        out.push(HookEvent { at, kind: HookEventKind::OnHook { volts: self.contact.volts() } });
    }

    /// A lost line is back as `state` since `at`: what the hook did meanwhile shows now.
    fn found_again(&mut self, state: Loop, at: SampleIndex, out: &mut Vec<HookEvent>) {
        let off_hook = matches!(self.hook, HookState::OffHook | HookState::Break { .. });
        match state {
            Loop::Open if off_hook => self.went_on_hook(at, out),
            Loop::Closed if !off_hook => {
                self.hook = HookState::OffHook;
                out.push(HookEvent { at, kind: HookEventKind::OffHook { volts: self.contact.volts() } });
            }
            _ => {}
        }
    }
}

fn whole_ms(samples: u64) -> u32 {
    u32::try_from(samples / ms_to_samples(1)).unwrap_or(u32::MAX)
}
