//! Some channels of a unit, worked on together: their tracks lie side by side in the detectors' lanes. Samples and
//! voltages go in, line events come out, audio goes to the recorder. Live and replay run this same code.

mod channel;

use capture::{BLOCK_SAMPLES, Part};
use line::{ChannelSettings, LineEvent, OpenRecording};
use recording::{Codec, Instant, OpenId, Recorder, StopFacts, WithoutAudio};
use signal::{Bank, BankConfig, Detection, SampleIndex};

use self::channel::{Channel, MAX_TAPS};
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
    pub alarms: line::Standing,
}

/// Channels side by side, at most [`signal::LANES`] tracks.
pub struct Group {
    bank: Bank,
    channels: Vec<Channel>,
    /// One behind the last sample that was worked on; `None` before the first.
    end: Option<SampleIndex>,
    /// The unit gives nothing.
    away: bool,
    /// What is heard where samples are missing: a block of all tracks.
    silence: Box<[i16]>,
    detections: Vec<(usize, Detection)>,
    events: Vec<LineEvent>,
}

/// Silence that the detectors hear at most where samples are missing, so that what they were hearing ends: 2 s.
const SILENT_BLOCKS: u64 = 200;

/// Events and detections of one block that are kept without allocating; a block of 10 ms has far fewer.
const EXPECTED_EVENTS: usize = 64;

impl Group {
    /// `first_place`: number of the first member among the channels of its unit.
    ///
    /// # Errors
    /// The first setting that a channel cannot have.
    pub fn new(
        members: Vec<Member>,
        first_place: u16,
        first: SampleIndex,
        caller_id_always: bool,
    ) -> Result<Self, line::SettingsError> {
        let mut configs = Vec::new();
        let mut channels = Vec::with_capacity(members.len());
        for (place, member) in members.into_iter().enumerate() {
            let first_track = configs.len();
            configs.extend((0..member.tracks).map(|_| bank_config(&member.settings)));
            channels.push(Channel::new(member, first_place + place as u16, first_track, first)?);
        }
        let mut bank = Bank::new(&configs);
        bank.arm_caller_id_always(caller_id_always);
        let mut group = Self {
            bank,
            channels,
            end: None,
            away: false,
            silence: vec![0; configs.len() * BLOCK_SAMPLES].into(),
            detections: Vec::with_capacity(EXPECTED_EVENTS),
            events: Vec::with_capacity(EXPECTED_EVENTS),
        };
        for channel in &mut group.channels {
            let port_use = channel.member.port_use;
            channel.line.set_use(port_use, first, &mut group.events);
        }
        Ok(group)
    }

    /// Tracks of all its channels.
    pub fn tracks(&self) -> usize {
        self.silence.len() / BLOCK_SAMPLES
    }

    /// Takes in 10 ms of its tracks. Where samples are missing before them, what was being heard ends.
    pub fn process(&mut self, block: Part<'_>, around: &mut impl Surroundings) {
        if std::mem::take(&mut self.away) {
            self.channels.iter_mut().for_each(|channel| channel.line.unit_returned(block.first));
        }
        if let Some(expected) = self.end.filter(|end| *end < block.first) {
            self.pass_gap(expected, block.first, around);
        }
        self.end = Some(block.first.plus(BLOCK_SAMPLES as u64));
        self.hear(block, around);
    }

    fn pass_gap(&mut self, from: SampleIndex, to: SampleIndex, around: &mut impl Surroundings) {
        let silence = std::mem::take(&mut self.silence);
        let blocks = (to.since(from) / BLOCK_SAMPLES as u64).min(SILENT_BLOCKS);
        for back in (1..=blocks).rev() {
            let first = to.minus(back * BLOCK_SAMPLES as u64);
            self.detect(&silence, first);
            let end = first.plus(BLOCK_SAMPLES as u64);
            for channel in self.channels.iter_mut().filter(|channel| !channel.ended) {
                channel.hear(&[], end, &self.detections, &self.bank, &mut self.events, around);
            }
        }
        self.silence = silence;
    }

    /// The unit gives nothing any more: what is open ends where the samples end.
    pub fn unit_lost(&mut self, around: &mut impl Surroundings) {
        self.away = true;
        for channel in self.channels.iter_mut().filter(|channel| !channel.ended) {
            channel.line.unit_lost(&mut self.events);
            channel.act(&mut self.events, around);
            if let Some(meters) = around.meters(channel.member.index) {
                meters.forget();
            }
        }
    }

    fn hear(&mut self, block: Part<'_>, around: &mut impl Surroundings) {
        let end = block.first.plus(BLOCK_SAMPLES as u64);
        for channel in &mut self.channels {
            let tracks = channel.tracks();
            let samples = tracks.start * BLOCK_SAMPLES..tracks.end * BLOCK_SAMPLES;
            channel.history.push(block.first, &block.samples[samples]);
            for track in tracks {
                self.bank.arm_caller_id(track, channel.line.caller_id_armed());
            }
        }
        self.detect(block.samples, block.first);
        for channel in &mut self.channels {
            if !channel.ended {
                channel.hear(block.status, end, &self.detections, &self.bank, &mut self.events, around);
            }
        }
    }

    /// Not generic over the surroundings: the detectors are large, and compiled anew for each closure that hears them.
    fn detect(&mut self, samples: &[i16], first: SampleIndex) {
        self.detections.clear();
        let detections = &mut self.detections;
        self.bank.process(samples, first, &mut |track, detection| detections.push((track, detection)));
    }

    /// Every line has been ended by its own end, and the rest of the input is silence.
    pub fn is_ended(&self) -> bool {
        self.channels.iter().all(|channel| channel.ended)
    }

    /// Tells the state of every line again with the next block: what was told may not have arrived.
    pub fn tell_again(&mut self) {
        self.channels.iter_mut().for_each(Channel::tell_again);
    }

    /// Ends what is open (stop mode `shutdown`) where its samples end.
    pub fn finish(&mut self, around: &mut impl Surroundings) {
        let end = self.end.unwrap_or_default();
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
        let changed = channel.change(change, &mut self.events, around);
        if changed.is_ok() {
            for track in channel.tracks() {
                self.bank.configure(track, &bank_config(&change.settings));
            }
        }
        Some(changed)
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
