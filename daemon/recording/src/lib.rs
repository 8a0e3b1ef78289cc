//! Recording files: the capture log that survives a power cut, the container and codecs behind one writer and one
//! reader, waveform peaks, and the data folder they all lie in. See `README.md` for the formats and the invariants.

mod codec;
pub mod facts;
mod open;
mod queue;
mod recorder;
mod sink;

pub use facts::{ClockQuality, Codec, Facts, Instant, Mark, MarkKind, RecordId};
pub use open::{Known, OpenId, OpenStart, StopFacts, WithoutAudio};
pub use queue::{MAX_AUDIO_BYTES, QUEUE_BYTES_PER_PORT, QUEUE_SECONDS, queue_bytes_per_port};
pub use recorder::{QueueLoad, Recorder, Settings};
pub use sink::{DiskTrouble, Finished, FinishedSink, Gap, GapCause, SinkError};
