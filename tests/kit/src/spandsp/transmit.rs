//! Senders. What of spandsp makes which signal:
//! `dtmf_by_dtmf_tx` is spandsp's `dtmf_tx` (whole decibels, nominal frequencies only); `dtmf` and `two_tones` are two
//! `dds_modf` oscillators summed and clipped, because `dtmf_tx` deviates no frequency and wraps around where a codec
//! clips; `caller_id` is `adsi_tx` with `adsi_add_field`; `tone` is `super_tone_tx`; `Noise` is `awgn`.

use std::ffi::c_int;

use super::{SpandspError, ffi};

const RATE_HZ: f64 = 8000.0;
const ROWS_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const KEYPAD: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Samples in `ms` milliseconds, rounded.
fn samples(ms: f64) -> usize {
    (ms.max(0.0) * RATE_HZ / 1000.0).round() as usize
}

fn c_len(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

/// Two sines, `length` samples long, starting at phase 0, clipped at full scale. A level of −99 or less is no tone.
pub fn two_tones(
    first_hz: f32,
    first_dbm0: f32,
    second_hz: f32,
    second_dbm0: f32,
    length: usize,
) -> Vec<i16> {
    let mut out = vec![0; length];
    // SAFETY: `out` holds `length` samples, the count that is passed.
    unsafe {
        ffi::kit_two_tones(out.as_mut_ptr(), c_len(length), first_hz, first_dbm0, second_hz, second_dbm0)
    };
    out
}

/// How DTMF digits are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DtmfTone {
    /// Level of the low (row) tone.
    pub low_dbm0: f32,
    /// High tone above low tone; ITU-T Q.24 (AT&T) accepts +4 … −8 dB.
    pub twist_db: f32,
    pub on_ms: f32,
    pub off_ms: f32,
    /// Of the low and the high tone from their nominal frequencies, in per cent.
    pub low_deviation_percent: f32,
    pub high_deviation_percent: f32,
}

impl Default for DtmfTone {
    fn default() -> Self {
        Self {
            low_dbm0: -10.0,
            twist_db: 0.0,
            on_ms: 50.0,
            off_ms: 50.0,
            low_deviation_percent: 0.0,
            high_deviation_percent: 0.0,
        }
    }
}

impl DtmfTone {
    /// Samples from the start of one digit to the start of the next.
    pub fn period_samples(&self) -> usize {
        samples(f64::from(self.on_ms)) + samples(f64::from(self.off_ms))
    }

    pub fn on_samples(&self) -> usize {
        samples(f64::from(self.on_ms))
    }
}

fn key_position(digit: char) -> Result<(usize, usize), SpandspError> {
    KEYPAD
        .iter()
        .enumerate()
        .find_map(|(row, keys)| keys.iter().position(|&key| key == digit).map(|column| (row, column)))
        .ok_or(SpandspError::NotADigit { digit })
}

/// Digits by two oscillators: each `on_ms` of tone, then `off_ms` of silence. Digit `n` begins at sample
/// `n * period_samples()`.
pub fn dtmf(digits: &str, how: &DtmfTone) -> Result<Vec<i16>, SpandspError> {
    let mut out = Vec::with_capacity(digits.len() * how.period_samples());
    for digit in digits.chars() {
        let (row, column) = key_position(digit)?;
        let low_hz = ROWS_HZ[row] * (1.0 + how.low_deviation_percent / 100.0);
        let high_hz = COLUMNS_HZ[column] * (1.0 + how.high_deviation_percent / 100.0);
        out.extend(two_tones(low_hz, how.low_dbm0, high_hz, how.low_dbm0 + how.twist_db, how.on_samples()));
        out.resize(out.len() + samples(f64::from(how.off_ms)), 0);
    }
    Ok(out)
}

/// Digits by spandsp's own `dtmf_tx`: nominal frequencies, whole decibels and milliseconds; keep each tone under −6 dBm0.
pub fn dtmf_by_dtmf_tx(
    digits: &str,
    low_dbm0: i32,
    twist_db: i32,
    on_ms: u32,
    off_ms: u32,
) -> Result<Vec<i16>, SpandspError> {
    for digit in digits.chars() {
        key_position(digit)?;
    }
    let length = digits.len() * samples(f64::from(on_ms + off_ms));
    let mut out = vec![0; length];
    // SAFETY: `digits` is ASCII (checked above) and `digits.len()` long; `out` holds `length` samples.
    let made = unsafe {
        ffi::kit_dtmf_tx(
            digits.as_ptr().cast(),
            c_len(digits.len()),
            low_dbm0,
            twist_db,
            c_int::try_from(on_ms).unwrap_or(c_int::MAX),
            c_int::try_from(off_ms).unwrap_or(c_int::MAX),
            out.as_mut_ptr(),
            c_len(length),
        )
    };
    finish(out, made, "send DTMF")
}

fn finish(mut out: Vec<i16>, made: c_int, step: &'static str) -> Result<Vec<i16>, SpandspError> {
    let made = usize::try_from(made).map_err(|_| SpandspError::Refused { step })?;
    out.truncate(made);
    Ok(out)
}

/// The forms of caller ID that the product must read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerIdForm {
    /// Bell 202, multiple data message (GR-30; China).
    Bell202Mdmf,
    /// Bell 202, single data message: time and number only.
    Bell202Sdmf,
    /// V.23, multiple data message (ETSI ES 200 778-1).
    V23Mdmf,
    /// DTMF `D`number`C` (China, Taiwan, Kuwait).
    DtmfDc,
    /// DTMF `A`number`C`.
    DtmfAc,
    /// DTMF `A`number`#`.
    DtmfAHash,
}

impl CallerIdForm {
    pub const ALL: [Self; 6] =
        [Self::Bell202Mdmf, Self::Bell202Sdmf, Self::V23Mdmf, Self::DtmfDc, Self::DtmfAc, Self::DtmfAHash];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bell202Mdmf => "Bell 202 MDMF",
            Self::Bell202Sdmf => "Bell 202 SDMF",
            Self::V23Mdmf => "V.23 MDMF",
            Self::DtmfDc => "DTMF D…C",
            Self::DtmfAc => "DTMF A…C",
            Self::DtmfAHash => "DTMF A…#",
        }
    }

    /// The `standard` of a `caller_id` event.
    pub fn standard(self) -> &'static str {
        match self {
            Self::Bell202Mdmf | Self::Bell202Sdmf => "fsk-bell202",
            Self::V23Mdmf => "fsk-v23",
            Self::DtmfDc | Self::DtmfAc | Self::DtmfAHash => "dtmf",
        }
    }

    pub fn is_dtmf(self) -> bool {
        self.standard() == "dtmf"
    }
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerIdMessage {
    pub number: Option<String>,
    pub name: Option<String>,
    /// `MMDDhhmm`
    pub time: Option<String>,
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallerIdOptions {
    /// Power of the whole signal: of a DTMF form each tone is 3 dB below it.
    pub level_dbm0: f32,
    /// DTMF forms only: high tone above low tone.
    pub twist_db: f32,
    /// Channel seizure, bits of alternating 0 and 1 (FSK).
    pub seizure_bits: u16,
    /// Mark after the seizure, bits of 1 (FSK).
    pub mark_bits: u16,
    /// Of both frequencies and of the bit rate from nominal, in per cent (FSK); GR-30 and ETSI allow ±1.
    pub deviation_percent: f32,
    pub rate_deviation_percent: f32,
    /// Of a DTMF form.
    pub on_ms: u16,
    pub off_ms: u16,
}

impl Default for CallerIdOptions {
    fn default() -> Self {
        Self {
            level_dbm0: -14.0,
            twist_db: 0.0,
            seizure_bits: 300,
            mark_bits: 180,
            deviation_percent: 0.0,
            rate_deviation_percent: 0.0,
            on_ms: 70,
            off_ms: 70,
        }
    }
}

// Values of spandsp's enumerations (adsi.h).
const ADSI_STANDARD_CLASS: c_int = 1;
const ADSI_STANDARD_CLIP: c_int = 2;
const ADSI_STANDARD_CLIP_DTMF: c_int = 5;
const MDMF_CALLERID: c_int = 0x80;
const SDMF_CALLERID: c_int = 0x04;
const FIELD_TIME: u8 = 0x01;
const FIELD_NUMBER: u8 = 0x02;
const FIELD_NAME: u8 = 0x07;
const FIELD_UNTYPED: u8 = 0;

fn push_field(fields: &mut Vec<u8>, kind: u8, body: &[u8]) -> Result<(), SpandspError> {
    // adsi_add_field doubles a length byte of 16 (DLE) although only J-CLIP stuffs it.
    if body.len() == 16 && kind != FIELD_UNTYPED || body.len() > 200 {
        return Err(SpandspError::FieldLength { kind, length: body.len() });
    }
    fields.extend([kind, body.len() as u8]);
    fields.extend_from_slice(body);
    Ok(())
}

/// One caller-ID message, its first bit or digit at sample 0.
pub fn caller_id(
    form: CallerIdForm,
    message: &CallerIdMessage,
    how: &CallerIdOptions,
) -> Result<Vec<i16>, SpandspError> {
    let time = message.time.as_deref().unwrap_or_default();
    if !time.is_empty() && (time.len() != 8 || !time.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(SpandspError::Time { time: time.into() });
    }
    let number = message.number.as_deref().unwrap_or_default();
    let name = message.name.as_deref().unwrap_or_default();

    let mut fields = Vec::new();
    let (standard, opening) = match form {
        CallerIdForm::Bell202Mdmf | CallerIdForm::V23Mdmf => {
            for (kind, text) in [(FIELD_TIME, time), (FIELD_NUMBER, number), (FIELD_NAME, name)] {
                if !text.is_empty() {
                    push_field(&mut fields, kind, text.as_bytes())?;
                }
            }
            let bell = form == CallerIdForm::Bell202Mdmf;
            (if bell { ADSI_STANDARD_CLASS } else { ADSI_STANDARD_CLIP }, MDMF_CALLERID)
        }
        CallerIdForm::Bell202Sdmf => {
            // SDMF has no way to leave the time out (GR-30): eight digits always stand before the number.
            let time = if time.is_empty() { "01010000" } else { time };
            push_field(&mut fields, FIELD_UNTYPED, format!("{time}{number}").as_bytes())?;
            (ADSI_STANDARD_CLASS, SDMF_CALLERID)
        }
        CallerIdForm::DtmfDc | CallerIdForm::DtmfAc | CallerIdForm::DtmfAHash => {
            if !number.bytes().all(|byte| byte.is_ascii_digit()) || !name.is_empty() {
                return Err(SpandspError::DigitsOnly { text: format!("{number}{name}") });
            }
            let (begin, end) = match form {
                CallerIdForm::DtmfDc => (b'D', b'C'),
                CallerIdForm::DtmfAc => (b'A', b'C'),
                _ => (b'A', b'#'),
            };
            push_field(&mut fields, begin, number.as_bytes())?;
            (ADSI_STANDARD_CLIP_DTMF, c_int::from(end))
        }
    };
    let level = if form.is_dtmf() { how.level_dbm0 - 3.0103 } else { how.level_dbm0 };
    let longest = 8000 * 8 + usize::from(how.on_ms + how.off_ms) * 8 * 256;
    let mut out = vec![0; longest];
    // SAFETY: `fields` and `out` are passed with their own lengths; the shim keeps neither.
    let made = unsafe {
        ffi::kit_adsi_tx(
            standard,
            opening,
            fields.as_ptr(),
            c_len(fields.len()),
            level,
            how.twist_db,
            c_int::from(how.seizure_bits),
            c_int::from(how.mark_bits),
            1.0 + how.deviation_percent / 100.0,
            1.0 + how.rate_deviation_percent / 100.0,
            c_int::from(how.on_ms),
            c_int::from(how.off_ms),
            out.as_mut_ptr(),
            c_len(longest),
        )
    };
    finish(out, made, "send caller ID")
}

/// A stretch of one frequency, or of silence (`hertz` 0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToneStep {
    pub hertz: f32,
    pub dbm0: f32,
    pub ms: u32,
}

/// A tone by `super_tone_tx`, its steps one after another.
pub fn tone(steps: &[ToneStep]) -> Vec<i16> {
    let raw: Vec<_> = steps
        .iter()
        .filter(|step| step.ms > 0)
        .map(|step| ffi::Step {
            hertz: step.hertz,
            dbm0: step.dbm0,
            ms: c_int::try_from(step.ms).unwrap_or(c_int::MAX),
        })
        .collect();
    let length: usize = raw.iter().map(|step| samples(f64::from(step.ms))).sum();
    let mut out = vec![0; length];
    // SAFETY: `raw` and `out` are passed with their own lengths; the shim keeps neither.
    let made =
        unsafe { ffi::kit_super_tone_tx(raw.as_ptr(), c_len(raw.len()), out.as_mut_ptr(), c_len(length)) };
    debug_assert_eq!(usize::try_from(made).ok(), Some(length));
    out
}

/// White Gaussian noise over the whole band, 0–4000 Hz; the same seed gives the same noise.
pub struct Noise {
    awgn: *mut ffi::Awgn,
}

impl Noise {
    pub fn new(seed: u32, level_dbm0: f32) -> Result<Self, SpandspError> {
        // SAFETY: no precondition; the pointer is checked and freed once, in `drop`.
        let awgn = unsafe { ffi::kit_awgn_new((seed & 0x7fff_ffff) as c_int, level_dbm0) };
        if awgn.is_null() { Err(SpandspError::Refused { step: "make noise" }) } else { Ok(Self { awgn }) }
    }

    /// Adds noise to `audio`, clipping at full scale.
    pub fn add_to(&mut self, audio: &mut [i16]) {
        // SAFETY: `awgn` is live; `audio` is passed with its own length.
        unsafe { ffi::kit_awgn_add(self.awgn, audio.as_mut_ptr(), c_len(audio.len())) };
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        // SAFETY: made by `kit_awgn_new`, freed only here.
        unsafe { ffi::kit_awgn_free(self.awgn) };
    }
}
