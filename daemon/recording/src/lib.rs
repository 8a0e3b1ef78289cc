//! Recording files: the capture log that survives a power cut, the container and codecs behind one writer and one
//! reader, waveform peaks, and the data folder they all lie in.

pub mod facts;

pub use facts::{ClockQuality, Codec, Facts, Instant, Mark, MarkKind, RecordId};
