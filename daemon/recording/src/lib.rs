//! Recording files: the capture log that survives a power cut, the container and codecs behind one writer and one
//! reader, waveform peaks, and the data folder they all lie in. See `README.md` for the formats and the invariants.

mod capture_log;
pub mod check;
mod codec;
mod damaged;
mod data_dir;
mod deletion;
mod durable;
pub mod facts;
mod finisher;
mod frame;
mod health;
mod log_scan;
mod log_thread;
mod mend;
mod names;
mod open;
mod opens;
pub mod peaks;
mod queue;
mod reader;
mod recorder;
mod recover;
mod reserve;
mod sink;
mod steps;
pub mod survey;
#[cfg(test)]
mod tests;
mod watcher;
mod wav;
mod writer;

pub use data_dir::{DataDir, DataDirError, FORMAT};
pub use deletion::{DeleteError, delete};
pub use durable::{FreeSpace, create_folders, free_space, sync_folder, write_atomically};
pub use facts::{ClockQuality, Codec, Facts, Instant, Mark, MarkKind, RecordId};
pub use mend::{MendError, Mended, mend};
pub use names::{of_station, sn};
pub use open::{Known, OpenId, OpenStart, StopFacts, WithoutAudio};
pub use peaks::Peaks;
pub use queue::{MAX_AUDIO_BYTES, QUEUE_BYTES_PER_PORT, QUEUE_SECONDS, queue_bytes_per_port};
pub use reader::{Reader, Select};
pub use recorder::{QueueLoad, Recorder, Service, Settings, StartError, start};
pub use recover::Recovered;
pub use sink::{DiskTrouble, Finished, FinishedSink, Gap, GapCause, SinkError};
pub use survey::recordings;
pub use wav::{Fault, ReadError};
