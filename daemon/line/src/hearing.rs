//! One port's view of what is heard on its one or two tracks: a tone or a digit that is on both is said once, and
//! there is voice while either side speaks.

use signal::units::ms_to_samples;
use signal::{CallerId, Detection, Digit, SampleIndex, Tone};

use crate::event::{LineEvent, LineEventKind, Side};

/// The same caller-ID message on the other track comes within this.
const SAME_MESSAGE: u64 = ms_to_samples(2000);

#[derive(Clone, Copy, Debug)]
struct HeardDigit {
    at: SampleIndex,
    end: SampleIndex,
    digit: Digit,
    place: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Hearing {
    tones: [Option<Tone>; 2],
    voice: [bool; 2],
    /// The end of the last voice, when nobody speaks.
    voice_end: Option<SampleIndex>,
    digit: Option<HeardDigit>,
    caller_id: Option<(SampleIndex, CallerId)>,
}

fn place(side: Side) -> usize {
    match side {
        Side::Near | Side::Both => 0,
        Side::Far => 1,
    }
}

impl Hearing {
    /// What a detection adds to what is known; nothing when the other track has said it.
    pub(crate) fn hear(&mut self, side: Side, detection: &Detection) -> Option<LineEvent> {
        let own = place(side);
        let (at, kind) = match *detection {
            Detection::Digit { at, digit, samples } => (at, self.hear_digit(own, at, digit, samples)?),
            Detection::CallerId { at, ref caller_id } => (at, self.hear_caller_id(at, caller_id)?),
            Detection::ToneStart { at, tone } => (at, self.tone_starts(own, tone)?),
            Detection::ToneStop { at, tone } => (at, self.tone_stops(own, tone)?),
            Detection::VoiceStart { at } => {
                let spoken = self.is_spoken();
                self.voice[own] = true;
                if spoken {
                    return None;
                }
                (at.max(self.voice_end.unwrap_or(at)), LineEventKind::VoiceStart)
            }
            Detection::VoiceStop { at } => {
                if !self.voice[own] {
                    return None;
                }
                self.voice[own] = false;
                let end = self.voice_end.map_or(at, |before| before.max(at));
                self.voice_end = Some(end);
                if self.is_spoken() {
                    return None;
                }
                (end, LineEventKind::VoiceStop)
            }
        };
        Some(LineEvent { at, kind })
    }

    fn hear_digit(
        &mut self,
        own: usize,
        at: SampleIndex,
        digit: Digit,
        samples: u32,
    ) -> Option<LineEventKind> {
        let end = at.plus(u64::from(samples));
        let same = self
            .digit
            .is_some_and(|last| last.place != own && last.digit == digit && at < last.end && last.at < end);
        self.digit = Some(HeardDigit { at, end, digit, place: own });
        (!same).then_some(LineEventKind::Digit { digit, samples })
    }

    fn hear_caller_id(&mut self, at: SampleIndex, caller_id: &CallerId) -> Option<LineEventKind> {
        let same = self
            .caller_id
            .as_ref()
            .is_some_and(|(last, message)| last.0.abs_diff(at.0) < SAME_MESSAGE && message == caller_id);
        self.caller_id = Some((at, caller_id.clone()));
        (!same).then(|| LineEventKind::CallerId(caller_id.clone()))
    }

    fn tone_starts(&mut self, own: usize, tone: Tone) -> Option<LineEventKind> {
        let known = self.has_tone(tone);
        self.tones[own] = Some(tone);
        (!known).then_some(LineEventKind::ToneStart(tone))
    }

    fn tone_stops(&mut self, own: usize, tone: Tone) -> Option<LineEventKind> {
        if self.tones[own] != Some(tone) {
            return None;
        }
        self.tones[own] = None;
        (!self.has_tone(tone)).then_some(LineEventKind::ToneStop(tone))
    }

    fn has_tone(&self, tone: Tone) -> bool {
        self.tones.contains(&Some(tone))
    }

    pub(crate) fn is_spoken(&self) -> bool {
        self.voice.contains(&true)
    }

    /// The end of the last voice; `None` while there is voice or if there never was.
    pub(crate) fn voice_end(&self) -> Option<SampleIndex> {
        self.voice_end.filter(|_| !self.is_spoken())
    }

    pub(crate) fn hears_tone(&self) -> bool {
        self.tones.iter().any(Option::is_some)
    }

    /// A tone that says: this call is over.
    pub(crate) fn hears_refusal(&self) -> bool {
        self.tones.iter().flatten().any(|tone| is_refusal(*tone))
    }
}

/// Busy, congestion, number unobtainable, and the howler that asks to hang up: what the stop mode `busy_tone` means.
pub(crate) fn is_refusal(tone: Tone) -> bool {
    matches!(tone, Tone::Busy | Tone::Congestion | Tone::Unobtainable | Tone::Howler)
}
