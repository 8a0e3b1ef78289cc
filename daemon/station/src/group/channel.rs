//! One channel of a group: follows its line, block by block, and does what the line's events ask for.

use capture::{BLOCK_SAMPLES, StatusChange};
use line::{ChannelSettings, Line, LineEvent, LineEventKind, RecordStop, Side};
use recording::{Known, MarkKind, OpenId, OpenStart, StopFacts, WithoutAudio};
use signal::{Bank, Detection, SampleIndex, Tone};

use super::{LineState, Member, Surroundings};
use crate::history::History;
use crate::listen::Tap;

/// Listeners a port can have at once; kept small, because each is fed by the sample path.
pub(super) const MAX_TAPS: usize = 8;

/// One port: its line, its newest samples, and what is being recorded of it.
pub(super) struct Channel {
    pub member: Member,
    pub line: Line,
    pub history: History,
    /// Its number among the channels of a block.
    place: u16,
    first_track: usize,
    open: Option<Open>,
    pub taps: Vec<Tap>,
    /// What the surroundings know, as of how many changes of the line.
    told: Option<(u64, LineState)>,
    pub ended: bool,
}

struct Open {
    id: OpenId,
    call: line::CallKey,
    segment: u32,
    /// One behind the last sample that the recorder was given.
    sent: SampleIndex,
}

impl Channel {
    pub fn new(
        member: Member,
        place: u16,
        first_track: usize,
        first: SampleIndex,
    ) -> Result<Self, line::SettingsError> {
        let mut line = Line::starting_at(member.port, member.settings.clone(), first)?;
        line.set_line_number(member.line_number.as_deref());
        Ok(Self {
            line,
            history: History::new(member.tracks, history_samples(&member.settings), first),
            place,
            first_track,
            open: None,
            told: None,
            taps: Vec::with_capacity(MAX_TAPS),
            ended: false,
            member,
        })
    }

    /// Its tracks among those of the group.
    pub fn tracks(&self) -> std::ops::Range<usize> {
        self.first_track..self.first_track + self.member.tracks
    }

    /// Takes in a block that ends before `end`: status, what was heard on its tracks, time.
    pub fn hear(
        &mut self,
        status: &[StatusChange],
        end: SampleIndex,
        detections: &[(usize, Detection)],
        bank: &Bank,
        events: &mut Vec<LineEvent>,
        around: &mut impl Surroundings,
    ) {
        let my_end = self.member.end.map_or(end, |own| own.min(end));
        let meters = around.meters(self.member.index);
        for change in status.iter().filter(|c| c.channel == self.place && c.at < my_end) {
            self.line.status(change.at, change.status.volts, change.status.ring_volts, events);
            if let Some(meters) = meters {
                meters.set_volts(change.status.volts, change.status.ring_volts);
            }
        }
        let tracks = self.tracks();
        if let Some(meters) = meters {
            let far = (self.member.tracks == 2).then(|| bank.level_dbm0(self.first_track + 1));
            meters.set_levels(bank.level_dbm0(self.first_track), far);
        }
        for (track, detection) in detections.iter().filter(|(track, _)| tracks.contains(track)) {
            let side = match (self.member.tracks, track - self.first_track) {
                (1, _) => Side::Both,
                (_, 0) => Side::Near,
                _ => Side::Far,
            };
            self.line.detection(side, detection, events);
        }
        self.line.advance(my_end, events);
        self.act(events, around);
        self.send(my_end, around);
        self.feed_taps(end);
        if self.member.end.is_some_and(|own| end >= own) {
            self.finish(my_end, events, around);
        }
    }

    /// New settings, at once.
    pub fn change(
        &mut self,
        change: &crate::channels::Channel,
        events: &mut Vec<LineEvent>,
        around: &mut impl Surroundings,
    ) -> Result<(), line::SettingsError> {
        let now = self.history.end();
        self.line.change_settings(change.settings.clone(), now, events)?;
        self.line.set_line_number(change.line_number.as_deref());
        self.line.set_use(change.port_use, now, events);
        let samples = history_samples(&change.settings);
        if samples > history_samples(&self.member.settings) {
            self.send(now, around);
            self.history = self.history.grown_to(samples);
        }
        self.member.name.clone_from(&change.name);
        self.member.line_number.clone_from(&change.line_number);
        self.member.port_use = change.port_use;
        self.member.settings = change.settings.clone();
        self.act(events, around);
        Ok(())
    }

    pub fn finish(&mut self, end: SampleIndex, events: &mut Vec<LineEvent>, around: &mut impl Surroundings) {
        self.line.finish(end, events);
        self.act(events, around);
        self.ended = true;
    }

    /// Does what the line's events ask for, and passes them on.
    pub fn act(&mut self, events: &mut Vec<LineEvent>, around: &mut impl Surroundings) {
        for event in events.iter() {
            match &event.kind {
                LineEventKind::RecordStart { call, segment, mode, pre_roll_samples } => {
                    self.begin(event.at, *call, *segment, *mode, *pre_roll_samples, around);
                }
                LineEventKind::RecordStop(stop) => self.stop(event.at, stop, around),
                LineEventKind::RecordWithheld { .. } => {
                    if let (Some(open), Some(recorder)) = (self.open.take(), around.recorder()) {
                        recorder.discard(open.id);
                    }
                }
                LineEventKind::CallWithoutAudio(call) => {
                    let known = known(call.call_type, &call.line_number, &call.peer_number, &call.peer_name);
                    self.keep_without_audio(
                        event.at,
                        call.call,
                        0,
                        line::StopMode::OnHook,
                        known,
                        call.withheld,
                        around,
                    );
                }
                _ => self.mark(event, around),
            }
            around.event(self.member.index, event);
        }
        events.clear();
        self.tell_state(around);
    }

    /// With the next block its state is told again, whatever was told.
    pub fn tell_again(&mut self) {
        self.told = None;
    }

    fn tell_state(&mut self, around: &mut impl Surroundings) {
        let changes = self.line.changes();
        if self.told.as_ref().is_some_and(|(as_of, _)| *as_of == changes) {
            return;
        }
        let state = LineState {
            port_state: self.line.port_state(),
            recording: self.line.open_recording(),
            alarms: self.line.standing_alarms(),
        };
        if self.told.as_ref().is_none_or(|(_, told)| *told != state) {
            around.state(self.member.index, &state);
        }
        self.told = Some((changes, state));
    }

    fn begin(
        &mut self,
        at: SampleIndex,
        call: line::CallKey,
        segment: u32,
        mode: line::StartMode,
        pre_roll_samples: u32,
        around: &mut impl Surroundings,
    ) {
        let first_sample = at.minus(u64::from(pre_roll_samples)).max(self.history.begin()).min(at);
        let start = OpenStart {
            call_id: around.call_id(call),
            segment,
            port: self.member.port,
            port_name: self.member.name.clone(),
            start: around.instant(at),
            first_sample,
            pre_roll_samples: at.since(first_sample) as u32,
            tracks: self.member.tracks as u16,
            codec: self.member.codec,
            start_mode: mode,
            known: Known { line_number: self.member.line_number.clone(), ..Known::default() },
        };
        let Some(recorder) = around.recorder() else { return };
        self.open = Some(Open { id: recorder.begin(start), call, segment, sent: first_sample });
    }

    fn stop(&mut self, at: SampleIndex, stop: &RecordStop, around: &mut impl Surroundings) {
        let known = known(stop.call_type, &stop.line_number, &stop.peer_number, &stop.peer_name);
        if stop.withheld {
            self.keep_without_audio(stop.start, stop.call, stop.segment, stop.stop_mode, known, true, around);
            return;
        }
        self.send(at, around);
        let Some(open) = self.open.take() else { return };
        debug_assert_eq!((open.call, open.segment), (stop.call, stop.segment));
        around.end(open.id, StopFacts { end: at, stop_mode: stop.stop_mode, known }, self.member.port);
    }

    #[expect(clippy::too_many_arguments, reason = "one place builds the record, from two kinds of event")]
    fn keep_without_audio(
        &self,
        at: SampleIndex,
        call: line::CallKey,
        segment: u32,
        stop_mode: line::StopMode,
        known: Known,
        withheld: bool,
        around: &mut impl Surroundings,
    ) {
        if around.recorder().is_none() {
            return;
        }
        let record = WithoutAudio {
            call_id: around.call_id(call),
            segment,
            port: self.member.port,
            port_name: self.member.name.clone(),
            start: around.instant(at),
            start_mode: self.member.settings.start_mode,
            stop_mode,
            known,
            withheld,
        };
        around.keep_without_audio(at, record);
    }

    /// Shows on the waveform what was heard and seen while recording.
    fn mark(&self, event: &LineEvent, around: &impl Surroundings) {
        let (Some(open), Some(recorder)) = (&self.open, around.recorder()) else { return };
        let kind = match &event.kind {
            LineEventKind::Digit { digit, .. } => MarkKind::Digit { digit: digit.as_char() },
            LineEventKind::PulseDigit { digit } => MarkKind::PulseDigit { digit: digit.as_char() },
            LineEventKind::ToneStart(tone) => MarkKind::Tone { tone: Tone::clone(tone) },
            LineEventKind::HookFlash { ms } => MarkKind::HookFlash { ms: *ms },
            LineEventKind::PolarityReversed { .. } => MarkKind::PolarityReversed,
            LineEventKind::CallerId(_) => {
                if let Some(known) = self.known_now() {
                    recorder.know(open.id, known);
                }
                return;
            }
            _ => return,
        };
        recorder.mark(open.id, event.at, kind);
        if matches!(event.kind, LineEventKind::Digit { .. } | LineEventKind::PulseDigit { .. })
            && let Some(known) = self.known_now()
        {
            recorder.know(open.id, known);
        }
    }

    fn known_now(&self) -> Option<Known> {
        let open = self.line.open_recording()?;
        let mut known = known(open.call_type, &None, &open.peer_number, &open.peer_name);
        known.line_number.clone_from(&self.member.line_number);
        Some(known)
    }

    /// Gives the recorder what it lacks of the open recording, up to `until`.
    fn send(&mut self, until: SampleIndex, around: &impl Surroundings) {
        let (Some(open), Some(recorder)) = (&mut self.open, around.recorder()) else { return };
        let tracks = self.member.tracks;
        self.history.read(open.sent, until, |at, pieces| recorder.audio(open.id, at, &pieces[..tracks]));
        open.sent = open.sent.max(until);
    }

    fn feed_taps(&mut self, end: SampleIndex) {
        if self.taps.is_empty() {
            return;
        }
        let from = end.minus(BLOCK_SAMPLES as u64);
        let (history, taps, tracks) = (&self.history, &mut self.taps, self.member.tracks);
        history.read(from, end, |_, [near, far]| {
            taps.retain_mut(|tap| match tracks {
                1 => tap.push(near.iter().copied()),
                _ => tap.push(near.iter().zip(far).map(|(near, far)| near.saturating_add(*far))),
            });
        });
    }
}

fn known(
    call_type: line::CallType,
    line_number: &Option<arrayvec::ArrayString<32>>,
    peer_number: &Option<arrayvec::ArrayString<32>>,
    peer_name: &Option<arrayvec::ArrayString<64>>,
) -> Known {
    Known {
        call_type,
        line_number: line_number.as_ref().map(ToString::to_string),
        peer_number: peer_number.as_ref().map(ToString::to_string),
        peer_name: peer_name.as_ref().map(ToString::to_string),
    }
}

/// Pre-roll, the longest time after which a start is still found, and a block.
fn history_samples(settings: &ChannelSettings) -> u64 {
    signal::units::seconds_to_samples(f64::from(settings.pre_roll_s))
        + line::max_lookback_samples(settings)
        + BLOCK_SAMPLES as u64
}
