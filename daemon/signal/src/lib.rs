//! Pure signal code: what a line's samples and voltages mean. It knows only the sample count: no clock, no I/O,
//! no allocation in the sample path. The same input gives the same detections, whatever the length of the blocks.

pub mod bank;
pub mod caller_id;
pub mod caller_id_dtmf;
pub mod dbm0;
pub mod detection;
mod dtmf;
mod dtmf_bins;
mod dtmf_fit;
mod dtmf_residue;
mod fsk;
mod fsk_receiver;
pub mod g711;
pub mod hook;
pub mod hop;
pub mod lanes;
pub mod level;
mod recent;
#[cfg(test)]
mod test_signals;
pub mod tone;
mod tone_cadence;
mod tone_even;
mod tone_fit;
pub mod tone_table;
pub mod units;
pub mod voice;

pub use bank::{Bank, BankConfig};
pub use caller_id_dtmf::DtmfCallerId;
pub use detection::{CallerId, CallerIdStandard, Detection, Digit, Tone};
pub use lanes::{LANES, Lanes};
pub use units::{RATE_HZ, SampleIndex};
