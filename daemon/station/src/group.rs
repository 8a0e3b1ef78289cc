//! Some channels of a unit, worked on together: their tracks lie side by side in the detectors' lanes. Samples and
//! voltages go in, line events come out, audio goes to the recorder. Live and replay run this same code.

use capture::{BLOCK_SAMPLES, Block};
use line::{ChannelSettings, Line, LineEvent, LineEventKind, OpenRecording, RecordStop, Side};
use recording::{Codec, Instant, Known, MarkKind, OpenId, OpenStart, Recorder, StopFacts, WithoutAudio};
use signal::{Bank, BankConfig, Detection, SampleIndex, Tone};

use crate::history::History;
use crate::listen::Tap;
use crate::live::MeterCell;

/// One channel as a group is made of it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Place among all ports of the box.
    pub index: usize,
    pub port: u16,
    pub name: String,
    pub line_number: Option<String>,
    /// 1, or 2: near (own) side, then far side.
    pub tracks: usize,
    pub codec: Codec,
    pub settings: ChannelSettings,
    pub port_use: line::PortUse,
    /// Where this channel's input ends; `None` while it is live.
    pub end: Option<SampleIndex>,
}

/// What a group needs of the world, so that it knows no clock and no disk itself.
pub trait Surroundings {
    /// Wall clock of a sample.
    fn instant(&self, at: SampleIndex) -> Instant;
    /// Names a call on this box for ever.
    fn call_id(&self, call: line::CallKey) -> String;
    /// Where audio goes; `None` keeps none.
    fn recorder(&self) -> Option<&Recorder>;
    /// Ends a recording: it gets its number in the order of these calls.
    fn end(&mut self, open: OpenId, stop: StopFacts, port: u16);
    /// Keeps a call that left no audio, likewise.
    fn keep_without_audio(&mut self, at: SampleIndex, record: WithoutAudio);
    /// The port's meters, where somebody looks at them.
    fn meters(&self, index: usize) -> Option<&MeterCell>;
    /// A line event has happened on the port at `index`.
    fn event(&mut self, index: usize, event: &LineEvent);
    /// The port at `index` has another state, or something else is being recorded on it.
    fn state(&mut self, index: usize, state: &LineState);
}

/// What a line is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineState {
    pub port_state: line::PortState,
    pub recording: Option<OpenRecording>,
}

/// Channels side by side, at most [`signal::LANES`] tracks.
pub struct Group {
    bank: Bank,
    channels: Vec<Channel>,
    detections: Vec<(usize, Detection)>,
    events: Vec<LineEvent>,
}

struct Channel {
    member: Member,
    line: Line,
    history: History,
    /// Its number among the channels of a block.
    place: u16,
    first_track: usize,
    open: Option<Open>,
    taps: Vec<Tap>,
    /// What the surroundings know, as of how many changes of the line.
    told: Option<(u64, LineState)>,
    ended: bool,
}

struct Open {
    id: OpenId,
    call: line::CallKey,
    segment: u32,
    /// One behind the last sample that the recorder was given.
    sent: SampleIndex,
}

/// Events and detections of one block that are kept without allocating; a block of 10 ms has far fewer.
const EXPECTED_EVENTS: usize = 64;

/// Listeners a port can have at once; kept small, because each is fed by the sample path.
pub(crate) const MAX_TAPS: usize = 8;

impl Group {
    /// # Errors
    /// The first setting that a channel cannot have.
    pub fn new(
        members: Vec<Member>,
        first: SampleIndex,
        caller_id_always: bool,
    ) -> Result<Self, line::SettingsError> {
        let mut configs = Vec::new();
        let mut channels = Vec::with_capacity(members.len());
        for (place, member) in members.into_iter().enumerate() {
            let mut line = Line::starting_at(member.port, member.settings.clone(), first)?;
            line.set_line_number(member.line_number.as_deref());
            let first_track = configs.len();
            configs.extend((0..member.tracks).map(|_| bank_config(&member.settings)));
            channels.push(Channel {
                line,
                history: History::new(member.tracks, history_samples(&member.settings), first),
                place: place as u16,
                first_track,
                open: None,
                told: None,
                taps: Vec::with_capacity(MAX_TAPS),
                ended: false,
                member,
            });
        }
        let mut bank = Bank::new(&configs);
        bank.arm_caller_id_always(caller_id_always);
        let mut group = Self {
            bank,
            channels,
            detections: Vec::with_capacity(EXPECTED_EVENTS),
            events: Vec::with_capacity(EXPECTED_EVENTS),
        };
        for channel in &mut group.channels {
            let port_use = channel.member.port_use;
            channel.line.set_use(port_use, first, &mut group.events);
        }
        Ok(group)
    }

    /// Takes in 10 ms of all tracks, as `Block` orders them.
    pub fn process(&mut self, block: &Block, around: &mut impl Surroundings) {
        let end = block.first.plus(BLOCK_SAMPLES as u64);
        for channel in &mut self.channels {
            let tracks = channel.first_track * BLOCK_SAMPLES
                ..(channel.first_track + channel.member.tracks) * BLOCK_SAMPLES;
            channel.history.push(block.first, &block.samples[tracks]);
            for track in channel.first_track..channel.first_track + channel.member.tracks {
                self.bank.arm_caller_id(track, channel.line.caller_id_armed());
            }
        }
        self.detections.clear();
        let detections = &mut self.detections;
        self.bank.process(&block.samples, block.first, &mut |track, detection| {
            detections.push((track, detection))
        });
        for channel in &mut self.channels {
            if !channel.ended {
                channel.hear(block, end, &self.detections, &self.bank, &mut self.events, around);
            }
        }
    }

    /// Every line has been ended by its own end, and the rest of the input is silence.
    pub fn is_ended(&self) -> bool {
        self.channels.iter().all(|channel| channel.ended)
    }

    /// Ends what is open (stop mode `shutdown`).
    pub fn finish(&mut self, end: SampleIndex, around: &mut impl Surroundings) {
        for channel in &mut self.channels {
            if !channel.ended {
                channel.finish(end, &mut self.events, around);
            }
        }
    }

    /// Gives a command to the line of the port at `index`; `None` if it is not in this group.
    pub fn command(
        &mut self,
        index: usize,
        command: line::Command,
        around: &mut impl Surroundings,
    ) -> Option<Result<(), line::CommandError>> {
        let channel = self.channels.iter_mut().find(|c| c.member.index == index)?;
        let now = channel.history.end();
        let result = channel.line.command(command, now, &mut self.events);
        channel.act(&mut self.events, around);
        Some(result)
    }

    /// New settings of the port at `index`, at once; `None` if it is not in this group.
    pub fn change(
        &mut self,
        index: usize,
        change: &crate::channels::Channel,
        around: &mut impl Surroundings,
    ) -> Option<Result<(), line::SettingsError>> {
        let channel = self.channels.iter_mut().find(|c| c.member.index == index)?;
        let now = channel.history.end();
        if let Err(error) = channel.line.change_settings(change.settings.clone(), now, &mut self.events) {
            return Some(Err(error));
        }
        channel.line.set_line_number(change.line_number.as_deref());
        channel.line.set_use(change.port_use, now, &mut self.events);
        let samples = history_samples(&change.settings);
        if samples > history_samples(&channel.member.settings) {
            channel.send(now, around);
            channel.history = channel.history.grown_to(samples);
        }
        for track in channel.first_track..channel.first_track + channel.member.tracks {
            self.bank.configure(track, &bank_config(&change.settings));
        }
        channel.member.name.clone_from(&change.name);
        channel.member.line_number.clone_from(&change.line_number);
        channel.member.port_use = change.port_use;
        channel.member.settings = change.settings.clone();
        channel.act(&mut self.events, around);
        Some(Ok(()))
    }

    /// Lets somebody listen to the port at `index`: takes `tap` if the port is here and not too many listen already.
    pub(crate) fn listen(&mut self, index: usize, tap: &mut Option<Tap>) -> bool {
        match self.channels.iter_mut().find(|c| c.member.index == index) {
            Some(channel) if channel.taps.len() < MAX_TAPS => {
                channel.taps.extend(tap.take());
                true
            }
            _ => false,
        }
    }
}

fn bank_config(settings: &ChannelSettings) -> BankConfig {
    BankConfig { country: settings.country.clone(), voice_above_dbm0: settings.voice_above_dbm0 }
}

/// Pre-roll, the longest time after which a start is still found, and a block.
fn history_samples(settings: &ChannelSettings) -> u64 {
    signal::units::seconds_to_samples(f64::from(settings.pre_roll_s))
        + line::max_lookback_samples(settings)
        + BLOCK_SAMPLES as u64
}

impl Channel {
    fn hear(
        &mut self,
        block: &Block,
        end: SampleIndex,
        detections: &[(usize, Detection)],
        bank: &Bank,
        events: &mut Vec<LineEvent>,
        around: &mut impl Surroundings,
    ) {
        let my_end = self.member.end.map_or(end, |own| own.min(end));
        let meters = around.meters(self.member.index);
        for change in block.status.iter().filter(|c| c.channel == self.place && c.at < my_end) {
            self.line.status(change.at, change.status.volts, change.status.ring_volts, events);
            if let Some(meters) = meters {
                meters.set_volts(change.status.volts, change.status.ring_volts);
            }
        }
        let tracks = self.first_track..self.first_track + self.member.tracks;
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

    fn finish(&mut self, end: SampleIndex, events: &mut Vec<LineEvent>, around: &mut impl Surroundings) {
        self.line.finish(end, events);
        self.act(events, around);
        self.ended = true;
    }

    /// Does what the line's events ask for, and passes them on.
    fn act(&mut self, events: &mut Vec<LineEvent>, around: &mut impl Surroundings) {
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

    fn tell_state(&mut self, around: &mut impl Surroundings) {
        let changes = self.line.changes();
        if self.told.as_ref().is_some_and(|(as_of, _)| *as_of == changes) {
            return;
        }
        let state = LineState { port_state: self.line.port_state(), recording: self.line.open_recording() };
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
