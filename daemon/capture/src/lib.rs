//! Capture units: USB line taps, PCM cards, scenario files. Each gives blocks of samples and the line's voltages,
//! and the wall clock is attached here, once.

pub mod block;
pub mod clock;
pub mod scenario;

pub use block::{BLOCK_SAMPLES, Block, LineStatus, StatusChange, TrackLayout};
pub use scenario::{Scenario, ScenarioError, ScenarioSource};
