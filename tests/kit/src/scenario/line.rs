//! One port's input while it is being made: audio of both sides, voltages, and the truth, all at one moving moment.
//!
//! The recording part of the truth follows the rules of the scenario page: a voltage recording runs from off-hook to
//! on-hook, line lost, or the end of the input (`shutdown`), in segments of `max_length_s`; a voice recording from the
//! first voice to the last one before `silence_stop_s` without any.

use serde_json::{Value, json};

use super::{Tone, impairments};
use crate::audio::{mix, samples, seconds};
use crate::event::Event;
use crate::spandsp::{Noise, SpandspError};
use crate::wav::WavFormat;

/// Whose voice; on a mono line both go into one track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Near = 0,
    Far = 1,
}

/// A row of the volts file: from `at` on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Status {
    pub at: usize,
    pub volts: f32,
    pub ring_volts: f32,
}

struct OpenRecording {
    mode: &'static str,
    start: usize,
    call_id: String,
}

/// One port.
pub struct Line {
    pub port: u16,
    pub line_number: String,
    pub format: WavFormat,
    pub two_tracks: bool,
    /// Voltage of the idle line; its sign is the line's polarity.
    pub feed_volts: f32,
    pub off_hook_volts: f32,
    pub ring_volts: f32,
    /// Contacts bounce for some ms at each change of the hook.
    pub bounce: bool,
    /// White noise on the whole line.
    pub noise_dbm0: Option<f32>,
    /// Ringing current, mains hum and the clicks of the hook are heard, as on a badly filtered tap.
    pub crosstalk: bool,
    /// The measured voltage wanders by as much as this, four times a second.
    pub ripple_volts: f32,
    /// The port has no volts file, as a unit without line measurement has none.
    pub without_volts: bool,
    pub max_length_s: f64,
    settings: Vec<(String, String)>,

    pub random: fastrand::Rng,
    audio: [Vec<i16>; 2],
    pub(super) status: Vec<Status>,
    pub(super) events: Vec<Event>,
    now: usize,
    reversed: bool,
    off_hook: bool,
    records_by_voltage: bool,
    recording: Option<OpenRecording>,
    calls: u32,
    /// What the call under way turns out to be; written when its recording ends.
    pub(super) call_type: Option<&'static str>,
    pub(super) peer_number: Option<String>,
    pub(super) withheld: bool,
}

impl Line {
    pub fn new(port: u16, line_number: &str, seed: u64) -> Self {
        Self {
            port,
            line_number: line_number.into(),
            format: WavFormat::Linear16,
            two_tracks: false,
            feed_volts: 48.0,
            off_hook_volts: 8.0,
            ring_volts: 75.0,
            bounce: false,
            noise_dbm0: Some(-65.0),
            crosstalk: false,
            ripple_volts: 0.0,
            without_volts: false,
            max_length_s: 3600.0,
            settings: Vec::new(),
            random: fastrand::Rng::with_seed(seed ^ (u64::from(port) << 32)),
            audio: [Vec::new(), Vec::new()],
            status: Vec::new(),
            events: Vec::new(),
            now: 0,
            reversed: false,
            off_hook: false,
            records_by_voltage: true,
            recording: None,
            calls: 0,
            call_type: None,
            peer_number: None,
            withheld: false,
        }
    }

    /// Adds a channel setting; `value` as TOML writes it. `max_length_s` and `start_mode` shape the truth too.
    pub fn set(&mut self, name: &str, value: &str) {
        if name == "max_length_s" {
            self.max_length_s = value.parse().unwrap_or(self.max_length_s);
        }
        if name == "start_mode" {
            self.records_by_voltage = value == "\"voltage\"";
        }
        self.settings.push((name.into(), value.into()));
    }

    pub(super) fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Samples made so far.
    pub fn now(&self) -> usize {
        self.now
    }

    pub fn now_s(&self) -> f64 {
        seconds(self.now)
    }

    pub fn wait(&mut self, wait_s: f64) {
        self.now += samples(wait_s);
    }

    /// Waits until `at_s`; nothing if that has passed.
    pub fn wait_until(&mut self, at_s: f64) {
        self.now = self.now.max(samples(at_s));
    }

    /// Goes back, to say what happened a moment ago.
    pub(super) fn rewind(&mut self, by: usize) {
        self.now = self.now.saturating_sub(by);
    }

    /// A random number of seconds.
    pub fn between(&mut self, least_s: f64, most_s: f64) -> f64 {
        least_s + (most_s - least_s) * self.random.f64()
    }

    pub(super) fn say<const N: usize>(&mut self, event: &str, members: [(&str, Value); N]) {
        self.say_at(self.now, event, members);
    }

    pub(super) fn say_at<const N: usize>(&mut self, at: usize, event: &str, members: [(&str, Value); N]) {
        self.events.push(Event::new(seconds(at), self.port, event, members));
    }

    /// Lays audio over what is there, without moving on.
    pub fn put(&mut self, side: Side, at: usize, audio: &[i16]) {
        let track = &mut self.audio[if self.two_tracks { side as usize } else { 0 }];
        if track.len() < at + audio.len() {
            track.resize(at + audio.len(), 0);
        }
        mix(track, at, audio);
    }

    /// Lays audio and moves to its end.
    pub fn play(&mut self, side: Side, audio: &[i16]) {
        self.put(side, self.now, audio);
        self.now += audio.len();
    }

    /// What the line's first track carries between two samples, as far as it is made.
    pub fn heard(&self, from: usize, to: usize) -> Vec<i16> {
        let track = &self.audio[0];
        let mut heard = track[from.min(track.len())..to.min(track.len())].to_vec();
        heard.resize(to.saturating_sub(from), 0);
        heard
    }

    /// Takes away what lies from this moment on, as an exchange stops a tone.
    fn fall_silent(&mut self) {
        for track in &mut self.audio {
            track.truncate(self.now);
        }
    }

    fn measure(&mut self, volts: f32, ring_volts: f32) {
        self.status.push(Status { at: self.now, volts, ring_volts });
    }

    fn polarity(&self) -> f32 {
        if self.reversed { -1.0 } else { 1.0 }
    }

    /// The voltage of the line as it stands.
    fn volts(&self) -> f32 {
        self.polarity() * if self.off_hook { self.off_hook_volts } else { self.feed_volts }
    }

    /// The line is on-hook at sample 0; call it first.
    pub fn begin(&mut self) {
        self.measure(self.volts(), 0.0);
    }

    /// The line is off-hook from sample 0 on; instead of `begin`.
    pub fn begin_off_hook(&mut self) {
        self.off_hook = true;
        self.measure(self.volts(), 0.0);
        self.say("off_hook", [("volts", json!(self.volts()))]);
        self.open_recording("voltage");
    }

    /// A recording that only the end of the input ends, whatever the hook does.
    pub(super) fn record_from_now_on(&mut self) {
        self.open_recording("continuous");
    }

    /// Forgets all voltages and truth: the line was off-hook all the time.
    pub(super) fn hold_off_hook(&mut self) {
        self.events.clear();
        self.status = vec![Status { at: 0, volts: self.off_hook_volts, ring_volts: 0.0 }];
    }

    fn change_hook(&mut self, off_hook: bool) {
        let before = self.volts();
        self.off_hook = off_hook;
        let after = self.volts();
        self.measure(after, 0.0);
        if self.bounce {
            let at = self.now;
            for (delay_ms, volts) in [(3, before), (5, after), (11, before), (12, after)] {
                self.status.push(Status { at: at + delay_ms * 8, volts, ring_volts: 0.0 });
            }
        }
    }

    pub fn off_hook(&mut self) {
        self.change_hook(true);
        self.say("off_hook", [("volts", json!(self.volts()))]);
        if self.records_by_voltage && !self.withheld {
            self.open_recording("voltage");
        }
    }

    pub fn on_hook(&mut self) {
        self.fall_silent();
        self.change_hook(false);
        self.say("on_hook", [("volts", json!(self.volts()))]);
        self.end_call("on_hook");
    }

    /// A short break of the loop: 250–650 ms.
    pub fn hook_flash(&mut self, ms: u32) {
        self.say("hook_flash", [("ms", json!(ms))]);
        self.change_hook(false);
        self.now += ms as usize * 8;
        self.change_hook(true);
    }

    /// A digit by breaks of the loop, 10 a second: 60 ms open, 40 ms closed. 0 is ten.
    pub fn pulse_digit(&mut self, digit: char) {
        let pulses = digit.to_digit(10).map_or(1, |value| if value == 0 { 10 } else { value });
        self.say("pulse_digit", [("digit", json!(digit.to_string()))]);
        for _ in 0..pulses {
            self.off_hook = false;
            self.measure(self.volts(), 0.0);
            self.now += 60 * 8;
            self.off_hook = true;
            self.measure(self.volts(), 0.0);
            self.now += 40 * 8;
        }
    }

    pub fn reverse_polarity(&mut self) {
        self.reversed = !self.reversed;
        self.measure(self.volts(), 0.0);
        self.say("polarity_reversed", [("volts", json!(self.volts()))]);
    }

    pub fn is_reversed(&self) -> bool {
        self.reversed
    }

    /// One ring; moves to its end.
    pub fn ring(&mut self, ring_s: f64) {
        self.measure(self.volts(), self.ring_volts);
        self.say("ring_start", []);
        self.now += samples(ring_s);
        self.measure(self.volts(), 0.0);
        self.say("ring_stop", []);
    }

    /// The feeding voltage goes for `lost_s` (longer than `line_lost_after_s`) and comes back with the phone on-hook.
    pub fn lose_line(&mut self, lost_s: f64) {
        self.fall_silent();
        let volts = 0.2f32;
        self.measure(volts, 0.0);
        self.say("line_lost", [("volts", json!(volts))]);
        self.say("alarm_raised", [("code", json!("line_lost"))]);
        let was_off_hook = std::mem::replace(&mut self.off_hook, false);
        self.end_call("line_lost");
        self.now += samples(lost_s);
        self.reversed = false;
        self.measure(self.volts(), 0.0);
        self.say("line_restored", [("volts", json!(self.volts()))]);
        self.say("alarm_cleared", [("code", json!("line_lost"))]);
        if was_off_hook {
            // Whether a phone whose line was cut is said to have hung up, and when, is left open by the scenario page.
            for at in [self.now - samples(lost_s), self.now] {
                self.say_at(at, "on_hook", []);
                if let Some(last) = self.events.pop() {
                    self.events.push(last.optional());
                }
            }
        }
    }

    /// The voltage is away for less than `line_lost_after_s`: nothing happened.
    pub fn dip(&mut self, dip_s: f64) {
        self.measure(0.4, 0.0);
        self.now += samples(dip_s);
        self.measure(self.volts(), 0.0);
    }

    /// A tone from the exchange, heard whole. Cadences should turn twice at least, or they cannot be told apart.
    pub fn tone(&mut self, tone: Tone, turns: u32, dbm0: f32) {
        let audio = tone.play(turns, dbm0, 0.0, 1.0);
        self.say("tone_start", [("tone", json!(tone.name))]);
        self.play(Side::Far, &audio);
        self.say("tone_stop", [("tone", json!(tone.name))]);
    }

    pub(super) fn open_recording(&mut self, mode: &'static str) {
        self.calls += 1;
        let call_id = format!("{}-{}", self.port, self.calls);
        self.recording = Some(OpenRecording { mode, start: self.now, call_id });
    }

    /// Ends the recording at this moment and writes its segments into the truth.
    pub(super) fn close_recording(&mut self, stop_mode: &'static str) {
        let Some(open) = self.recording.take() else { return };
        let most = samples(self.max_length_s);
        let mut start = open.start;
        loop {
            let last = self.now - start <= most;
            let end = if last { self.now } else { start + most };
            self.say_at(
                start,
                "record_start",
                [("mode", json!(open.mode)), ("call_id", json!(open.call_id))],
            );
            let stop = if last { stop_mode } else { "length" };
            self.say_at(
                end,
                "record_stop",
                [
                    ("mode", json!(stop)),
                    ("call_id", json!(open.call_id)),
                    ("start", json!(seconds(start))),
                    ("seconds", json!(seconds(end - start))),
                    ("line_number", json!(self.line_number)),
                    ("peer_number", json!(self.peer_number)),
                ],
            );
            if last {
                break;
            }
            start = end;
        }
        // The last segment may hold no call, or several.
        if open.mode == "continuous" {
            self.forget_peers(&open.call_id);
            return;
        }
        // Only the last segment knows how the call turned out.
        if let (Some(call_type), Some(event)) = (self.call_type, self.events.last_mut()) {
            event.members.insert("call_type".into(), json!(call_type));
        }
    }

    /// Nothing is said about the numbers of a recording that holds many calls.
    fn forget_peers(&mut self, call_id: &str) {
        for event in self.events.iter_mut().filter(|event| event.text("call_id") == Some(call_id)) {
            event.members.remove("peer_number");
        }
    }

    fn end_call(&mut self, stop_mode: &'static str) {
        let continuous = self.recording.as_ref().is_some_and(|open| open.mode == "continuous");
        if continuous && stop_mode != "shutdown" {
            // Goes on; the calls under it are not told apart.
        } else if self.recording.is_some() {
            self.close_recording(stop_mode);
        } else {
            self.note_call_without_audio();
        }
        self.call_type = None;
        self.peer_number = None;
        self.withheld = false;
    }

    /// The call so far made no audio but may leave a record.
    pub(super) fn note_call_without_audio(&mut self) {
        if let Some(call_type) = self.call_type.take() {
            let peer_number = self.peer_number.take();
            self.say(
                "call_without_audio",
                [("call_type", json!(call_type)), ("peer_number", json!(peer_number))],
            );
            if let Some(event) = self.events.pop() {
                self.events.push(event.optional());
            }
        }
    }

    /// Ends the input at `length_s`: pads, adds noise, and stops what is still open.
    pub(super) fn finish(&mut self, length_s: f64) -> Result<[Vec<i16>; 2], SpandspError> {
        self.now = samples(length_s);
        self.end_call("shutdown");
        if self.crosstalk {
            impairments::crosstalk(self);
        }
        impairments::ripple(self);
        let mut audio = std::mem::take(&mut self.audio);
        for (index, track) in audio.iter_mut().enumerate() {
            track.resize(self.now, 0);
            if let Some(level) = self.noise_dbm0 {
                Noise::new(u32::from(self.port) * 2 + index as u32 + self.random.u32(..1 << 20), level)?
                    .add_to(track);
            }
        }
        Ok(audio)
    }
}
