//! Capture units: USB line taps, PCM cards, scenario files. Each gives blocks of samples and the line's voltages,
//! and the wall clock is attached here, once.

pub mod block;
pub mod clock;
pub mod drift;
pub mod feed;
pub mod line_tap;
pub mod pcm;
pub mod scenario;
pub mod unit;

pub use block::{BLOCK_SAMPLES, Block, LineStatus, Part, StatusChange, TrackLayout};
pub use feed::{Feed, Intake, UnitClock, feed};
pub use scenario::{Scenario, ScenarioError, ScenarioSource};
pub use unit::{Driver, LossCause, News, UnitConfig, UnitFault, UnitIdentity, UnitNews, UnitPlace, start};
