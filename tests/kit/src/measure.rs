//! What the tables of accuracy and of speed have in common: how a figure came out, and what can fail on the way to it.

use std::fmt;
use std::path::PathBuf;

use crate::corpus::CorpusError;
use crate::event::EventFileError;
use crate::replay::ReplayError;
use crate::scenario::ScenarioError;
use crate::spandsp::SpandspError;
use crate::wav::WavError;

#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Signal(#[from] SpandspError),
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    #[error(transparent)]
    Wav(#[from] WavError),
    #[error(transparent)]
    Events(#[from] EventFileError),
    #[error("there is no section {name:?}: choose from {}", known.join(", "))]
    Section { name: String, known: &'static [&'static str] },
    #[error("cannot read {}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the peer's last line is not `heard N channel-seconds`: {line:?}")]
    PeerLine { line: String },
}

/// How a figure came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The floor is missed.
    Failed,
    /// Between floor and aim.
    Floor,
    Aim,
    /// A figure without a floor that is below its aim.
    BelowAim,
    /// A figure that binds nobody.
    Noted,
}

impl Verdict {
    /// Judges a figure of which more is better.
    pub fn of(figure: f64, floor: f64, aim: f64) -> Self {
        if figure >= aim {
            Self::Aim
        } else if figure >= floor {
            Self::Floor
        } else {
            Self::Failed
        }
    }
}

/// As the tables have it.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "**FAILED**",
            Self::Floor => "floor",
            Self::Aim => "aim",
            Self::BelowAim => "below aim",
            Self::Noted => "",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_judged_at_their_limits() {
        assert_eq!(Verdict::of(4.0, 2.0, 4.0), Verdict::Aim);
        assert_eq!(Verdict::of(3.99, 2.0, 4.0), Verdict::Floor);
        assert_eq!(Verdict::of(1.99, 2.0, 4.0), Verdict::Failed);
        assert_eq!(Verdict::of(f64::NAN, 2.0, 4.0), Verdict::Failed);
    }
}
