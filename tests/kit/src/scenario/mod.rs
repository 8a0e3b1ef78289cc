//! Scenario folders with their truth: line input made call by call, and what really happened on it.

mod calls;
mod folder;
mod impairments;
mod kinds;
mod line;
mod mixed;
mod tones;

pub use calls::{Answer, Dialling, Happening, Incoming, Outcome, Outgoing};
pub use folder::{ScenarioError, ScenarioFolder};
pub use kinds::{LineKind, WITHHELD_NUMBER, busy_line};
pub use line::{Line, Side};
pub use mixed::{DEMO_S, demo, mixed};
pub use tones::{TONES, Tone};
