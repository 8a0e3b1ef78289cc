//! A sound card, opened and set up: the best rate and kind of samples that it has, a period of about 10 ms and a buffer of
//! a second, times by the monotonic clock. It never stops by itself when its buffer overflows: what is lost is counted.

use std::ffi::CString;

use alsa::pcm::{Access, Format, Frames, HwParams, PCM, TstampType};
use alsa::{Direction, ValueOr};

use super::fault;
use super::rate::RATES_HZ;
use super::samples::Encoding;
use crate::{UnitFault, UnitIdentity};

/// A card's buffer: long enough for a box that is busy for a moment, in microseconds. Half of it is the least that a
/// card should have; one that has less gives what it has.
const BUFFER_US: u32 = 1_000_000;
/// How often a card tells of samples, in microseconds.
const PERIOD_US: u32 = 10_000;
/// More channels than any card has.
const MOST_CHANNELS: u32 = 1024;

/// What is taken from a card, best first.
pub struct Choices {
    pub rates_hz: &'static [u32],
    pub encodings: &'static [Encoding],
    /// Tracks side by side, or each by itself.
    pub accesses: &'static [Access],
}

pub const ALL: Choices = Choices {
    rates_hz: &RATES_HZ,
    encodings: &[Encoding::Linear16, Encoding::ALaw, Encoding::Linear32],
    accesses: &[Access::RWInterleaved, Access::RWNonInterleaved],
};

/// An open card.
pub struct Card {
    pub device: String,
    pub pcm: PCM,
    pub rate_hz: u32,
    pub encoding: Encoding,
    /// Each track lies by itself.
    pub apart: bool,
    /// Tracks that come; at least as many as were asked for.
    pub channels: u32,
    pub buffer_frames: Frames,
}

impl Card {
    /// Opens `device` for at least `tracks` tracks.
    ///
    /// # Errors
    /// It is not there, or cannot do what is needed.
    pub fn open(device: &str, tracks: u16, choices: &Choices) -> Result<Self, UnitFault> {
        hush();
        let name = CString::new(device).map_err(|_| fault::bad_name(device))?;
        let pcm = PCM::open(&name, Direction::Capture, true).map_err(|e| fault::failed(device, "open", e))?;
        let failed = |what: &'static str| move |error| fault::failed(device, what, error);

        let hw = best(&pcm, device, tracks, choices)?;
        // The buffer first: some cards have few periods, and a buffer that holds is worth more than a short period.
        hw.set_buffer_time_near(BUFFER_US, ValueOr::Nearest).map_err(failed("buffer"))?;
        hw.set_period_time_near(PERIOD_US, ValueOr::Nearest).map_err(failed("period"))?;
        pcm.hw_params(&hw).map_err(failed("parameters"))?;
        let rate_hz = hw.get_rate().map_err(failed("rate"))?;
        let channels = hw.get_channels().map_err(failed("channels"))?;
        let buffer_frames = hw.get_buffer_size().map_err(failed("buffer"))?;
        let format = hw.get_format().map_err(failed("format"))?;
        let encoding = choices.encodings.iter().copied().find(|e| e.format() == format);
        let apart = hw.get_access().map_err(failed("access"))? == Access::RWNonInterleaved;
        drop(hw);

        set_up(&pcm, rate_hz).map_err(failed("parameters"))?;
        let encoding = encoding.ok_or_else(|| fault::no_encoding(device))?;
        Ok(Self { device: device.to_owned(), pcm, rate_hz, encoding, apart, channels, buffer_frames })
    }

    pub fn identity(&self) -> UnitIdentity {
        UnitIdentity {
            model: self.name().unwrap_or_else(|_| self.device.clone()),
            serial: None,
            firmware: None,
            lines: self.channels as u16,
            has_volts: false,
        }
    }

    fn name(&self) -> alsa::Result<String> {
        let info = self.pcm.info()?;
        if info.get_card() >= 0 {
            return alsa::Card::new(info.get_card()).get_name();
        }
        let name = info.get_name()?;
        Ok(if name.is_empty() { self.device.clone() } else { name.to_owned() })
    }
}

impl Encoding {
    fn format(self) -> Format {
        match self {
            Self::Linear16 => Format::S16LE,
            Self::ALaw => Format::ALaw,
            Self::Linear32 => Format::S32LE,
        }
    }
}

/// The parameters with the best rate, kind of samples and number of channels that the card has.
fn best<'a>(pcm: &'a PCM, device: &str, tracks: u16, choices: &Choices) -> Result<HwParams<'a>, UnitFault> {
    let failed = |error| fault::failed(device, "parameters", error);
    let all = HwParams::any(pcm).map_err(failed)?;
    // A card that would have its rate changed by ALSA has it changed here, with a filter whose quality is known.
    all.set_rate_resample(false).map_err(failed)?;
    let access = choices.accesses.iter().find(|access| all.test_access(**access).is_ok());
    all.set_access(*access.ok_or_else(|| fault::no_access(device))?).map_err(failed)?;
    let most = all.get_channels_max().map_err(failed)?.min(MOST_CHANNELS);
    let channels = (u32::from(tracks)..=most).find(|&channels| all.test_channels(channels).is_ok());
    all.set_channels(channels.ok_or_else(|| fault::too_few_channels(device, most, tracks))?)
        .map_err(failed)?;
    if !choices.encodings.iter().any(|encoding| all.test_format(encoding.format()).is_ok()) {
        return Err(fault::no_encoding(device));
    }
    for &rate_hz in choices.rates_hz {
        for encoding in choices.encodings {
            let chosen = all.clone();
            if chosen.set_rate(rate_hz, ValueOr::Nearest).is_ok()
                && chosen.set_format(encoding.format()).is_ok()
            {
                return Ok(chosen);
            }
        }
    }
    Err(fault::no_rate(device))
}

fn set_up(pcm: &PCM, rate_hz: u32) -> alsa::Result<()> {
    let sw = pcm.sw_params_current()?;
    sw.set_tstamp_mode(true)?;
    sw.set_tstamp_type(TstampType::Monotonic)?;
    sw.set_avail_min((rate_hz / 100).into())?;
    // Never stopped for a full buffer: by how much it was overrun is known to the frame while it runs on.
    sw.set_stop_threshold(sw.get_boundary()?)?;
    pcm.sw_params(&sw)
}

/// What libasound writes to the console of what it cannot do is said in a fault's sentence instead.
pub fn hush() {
    // In place of the last one, so that what it kept is freed.
    let _ = alsa::Output::local_error_handler();
}
