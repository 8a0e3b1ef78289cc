//! Receivers: spandsp's `dtmf_rx`, `super_tone_rx`, `adsi_rx` and `power_meter` side by side on one channel.

use std::ffi::c_int;

use super::{CallerIdForm, SpandspError, ffi};

/// Elements of a cadence as `super_tone_rx` wants them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisoryTone {
    /// The tone's name in events.
    pub name: &'static str,
    /// (hertz, or 0 for silence; least ms; most ms, or 0 for no limit)
    pub elements: Vec<(u16, u32, u32)>,
}

impl SupervisoryTone {
    /// The tones of China (GB/T 3380-1982), cadence ±15 %, for the peer.
    pub fn china() -> Vec<Self> {
        // Short cadences must turn twice or more before they count, or half of all speech is a tone.
        let cadence = |name, turns: usize, steps: &[(u16, u32)]| {
            let turn = steps.iter().map(|&(hertz, ms)| (hertz, ms * 85 / 100, ms * 115 / 100 + 16));
            Self { name, elements: turn.collect::<Vec<_>>().repeat(turns) }
        };
        vec![
            Self { name: "dial", elements: vec![(450, 1500, 0)] },
            cadence("busy", 2, &[(450, 350), (0, 350)]),
            cadence("special-dial", 4, &[(450, 400), (0, 40)]),
            cadence(
                "unobtainable",
                1,
                &[(450, 100), (0, 100), (450, 100), (0, 100), (450, 100), (0, 100), (450, 400), (0, 400)],
            ),
            cadence("congestion", 2, &[(450, 700), (0, 700)]),
            cadence("ringback", 1, &[(450, 1000), (0, 4000)]),
            cadence("call-waiting", 1, &[(450, 400), (0, 3600)]),
            Self { name: "howler", elements: vec![(950, 1500, 0)] },
        ]
    }
}

/// What runs on a channel.
#[derive(Clone, Debug, Default)]
pub struct ReceiverParts {
    pub dtmf: bool,
    pub tones: Vec<SupervisoryTone>,
    /// One standard at a time: `adsi_rx` cannot listen for two.
    pub caller_id: Option<CallerIdForm>,
    pub power_meter: bool,
}

/// A caller-ID message as `adsi_rx` read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeardCallerId {
    pub number: Option<String>,
    pub name: Option<String>,
    pub time: Option<String>,
}

/// Something a receiver said, at the sample at which it said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Digit { noticed_at: u64, digit: char },
    Tone { noticed_at: u64, name: &'static str },
    ToneEnd { noticed_at: u64 },
    CallerId { noticed_at: u64, caller_id: HeardCallerId },
}

/// One channel's receivers. Codes of digits, tones and messages share a buffer, so run those whose results are
/// wanted one to a receiver; for speed run them all and look only at `level_dbm0`.
pub struct Receiver {
    rx: *mut ffi::Rx,
    parts: ReceiverParts,
}

impl Receiver {
    pub fn new(parts: ReceiverParts) -> Result<Self, SpandspError> {
        // SAFETY: no precondition; checked below, freed in `drop`.
        let rx = unsafe { ffi::kit_rx_new() };
        if rx.is_null() {
            return Err(SpandspError::Refused { step: "make a receiver" });
        }
        let receiver = Self { rx, parts };
        receiver.start()?;
        Ok(receiver)
    }

    fn start(&self) -> Result<(), SpandspError> {
        let check = |made: c_int, step| if made == 0 { Err(SpandspError::Refused { step }) } else { Ok(()) };
        let elements: Vec<_> = self
            .parts
            .tones
            .iter()
            .enumerate()
            .flat_map(|(tone, supervisory)| {
                supervisory.elements.iter().map(move |&(hertz, min_ms, max_ms)| ffi::Element {
                    tone: tone as c_int,
                    hertz: c_int::from(hertz),
                    min_ms: min_ms as c_int,
                    max_ms: max_ms as c_int,
                })
            })
            .collect();
        // SAFETY: `rx` is live and each part is added once; `elements` is passed with its own length and copied.
        unsafe {
            if self.parts.dtmf {
                check(ffi::kit_rx_add_dtmf(self.rx), "make dtmf_rx")?;
            }
            if !elements.is_empty() {
                let count = elements.len() as c_int;
                check(ffi::kit_rx_add_super_tone(self.rx, elements.as_ptr(), count), "make super_tone_rx")?;
            }
            if let Some(form) = self.parts.caller_id {
                let standard = match form.standard() {
                    "fsk-bell202" => 1,
                    "fsk-v23" => 2,
                    _ => 5,
                };
                check(ffi::kit_rx_add_adsi(self.rx, standard), "make adsi_rx")?;
            }
            if self.parts.power_meter {
                check(ffi::kit_rx_add_power_meter(self.rx), "make power_meter")?;
            }
        }
        Ok(())
    }

    pub fn hear(&mut self, audio: &[i16]) {
        let length = c_int::try_from(audio.len()).unwrap_or(c_int::MAX);
        // SAFETY: `rx` is live; `audio` is passed with its own length and not kept.
        unsafe { ffi::kit_rx(self.rx, audio.as_ptr(), length) };
    }

    /// The power meter's reading now.
    pub fn level_dbm0(&mut self) -> f32 {
        // SAFETY: `rx` is live.
        unsafe { ffi::kit_rx_level_dbm0(self.rx) }
    }

    /// All that was heard since the beginning, in order.
    pub fn heard(&self) -> Vec<Heard> {
        // SAFETY: the shim's buffer holds `count` entries and does not move until the next `hear`, which needs `&mut`.
        let raw = unsafe {
            let count = ffi::kit_rx_heard_count(self.rx);
            if count == 0 { &[] } else { std::slice::from_raw_parts(ffi::kit_rx_heard(self.rx), count) }
        };
        raw.iter().map(|heard| self.name(heard)).collect()
    }

    fn name(&self, raw: &ffi::HeardRaw) -> Heard {
        let noticed_at = raw.noticed_at;
        if self.parts.caller_id.is_some() {
            let length = usize::try_from(raw.code).unwrap_or(0).min(raw.bytes.len());
            return Heard::CallerId { noticed_at, caller_id: self.fields(&raw.bytes[..length]) };
        }
        if self.parts.dtmf {
            let digit = u8::try_from(raw.code).map_or('?', char::from);
            return Heard::Digit { noticed_at, digit };
        }
        let tone = usize::try_from(raw.code).ok().and_then(|index| self.parts.tones.get(index));
        tone.map_or(Heard::ToneEnd { noticed_at }, |tone| Heard::Tone { noticed_at, name: tone.name })
    }

    fn fields(&self, message: &[u8]) -> HeardCallerId {
        let mut said = HeardCallerId::default();
        let single = message.first() == Some(&0x04);
        let dtmf = self.parts.caller_id.is_some_and(CallerIdForm::is_dtmf);
        let mut position = -1;
        for turn in 0..message.len() + 2 {
            let (mut kind, mut body, mut body_len) = (0u8, std::ptr::null(), 0);
            // SAFETY: `message` lives through the call; `body` points into it and is copied at once.
            position = unsafe {
                let length = message.len() as c_int;
                ffi::kit_rx_next_field(
                    self.rx,
                    message.as_ptr(),
                    length,
                    position,
                    &mut kind,
                    &mut body,
                    &mut body_len,
                )
            };
            if position < 0 {
                break;
            }
            let length = usize::try_from(body_len).unwrap_or(0);
            if turn == 0 || body.is_null() || length == 0 {
                continue;
            }
            // SAFETY: adsi_next_field gave a body inside `message`; anything else is cut at its end.
            let offset = (body as usize).wrapping_sub(message.as_ptr() as usize);
            let Some(bytes) = message.get(offset..(offset + length).min(message.len())) else { break };
            let text = String::from_utf8_lossy(bytes).into_owned();
            if dtmf {
                said.number = Some(text);
                break;
            }
            match kind {
                0 if single && text.len() >= 8 && text.is_char_boundary(8) => {
                    said.time = Some(text[..8].into());
                    said.number = Some(text[8..].into());
                }
                0x01 => said.time = Some(text),
                0x02 => said.number = Some(text),
                0x07 => said.name = Some(text),
                _ => {}
            }
        }
        said
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // SAFETY: made by `kit_rx_new`, freed only here.
        unsafe { ffi::kit_rx_free(self.rx) };
    }
}
