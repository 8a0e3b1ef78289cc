//! Signals made and heard by spandsp 0.0.6 (Debian: libspandsp-dev), an implementation that is not ours: what our
//! detectors are measured with, and the peer they are compared to. All buffers are 16-bit linear, 8000 Hz, mono;
//! levels are dBm0 as spandsp counts them, 0 dBm0 being 3.14 dB under a full-scale sine.

mod ffi;
pub mod g711;
pub mod receive;
pub mod transmit;

pub use receive::{Heard, HeardCallerId, Receiver, ReceiverParts, SupervisoryTone};
pub use transmit::{
    CallerIdForm, CallerIdMessage, CallerIdOptions, DtmfTone, Noise, ToneStep, caller_id, dtmf,
    dtmf_by_dtmf_tx, tone, two_tones,
};

/// Why spandsp made no signal.
#[derive(Debug, thiserror::Error)]
pub enum SpandspError {
    #[error("{digit:?} is not a DTMF digit: use 0-9, A-D, * and #")]
    NotADigit { digit: char },
    #[error(
        "caller-ID field 0x{kind:02x} is {length} bytes long: spandsp 0.0.6 writes a 16 byte field wrongly and none over 200"
    )]
    FieldLength { kind: u8, length: usize },
    #[error("caller-ID time {time:?} is not of the form MMDDhhmm")]
    Time { time: String },
    #[error("this caller-ID form carries digits only, not {text:?}")]
    DigitsOnly { text: String },
    #[error("spandsp could not {step}")]
    Refused { step: &'static str },
}
