//! What the caller says about a recording: when it begins, while it is open, and when it ends.

use line::{CallType, StartMode, StopMode};
use serde::{Deserialize, Serialize};
use signal::SampleIndex;

use crate::facts::{Codec, Instant};

/// Names an open recording to the [`Recorder`](crate::Recorder) that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpenId {
    pub(crate) number: u64,
    pub(crate) slot: u32,
    pub(crate) port: u16,
    pub(crate) tracks: u16,
    pub(crate) codec: Codec,
}

/// What is known when a recording begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenStart {
    /// Shared by the segments of one long call and by all records of one call; at most 255 bytes are kept.
    pub call_id: String,
    /// 0, 1, … within a long call.
    pub segment: u32,
    pub port: u16,
    /// At most 255 bytes are kept.
    pub port_name: String,
    /// Wall clock of the start condition, which lies `pre_roll_samples` behind `first_sample`.
    pub start: Instant,
    /// The first sample that is kept; audio before it is cut off.
    pub first_sample: SampleIndex,
    pub pre_roll_samples: u32,
    /// 1, or 2: near (own) side, then far side.
    pub tracks: u16,
    pub codec: Codec,
    pub start_mode: StartMode,
    pub known: Known,
}

/// What is known of a call so far; the last word counts, also when the power is cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub call_type: CallType,
    pub line_number: Option<String>,
    pub peer_number: Option<String>,
    pub peer_name: Option<String>,
}

/// How a recording ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopFacts {
    /// The sample behind the last one kept: audio from here on is cut off, although it was already given.
    pub end: SampleIndex,
    pub stop_mode: StopMode,
    pub known: Known,
}

/// A call that left no audio: missed, or withheld by a do-not-record rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithoutAudio {
    pub call_id: String,
    pub segment: u32,
    pub port: u16,
    pub port_name: String,
    /// Its first ring or off-hook.
    pub start: Instant,
    pub start_mode: StartMode,
    pub stop_mode: StopMode,
    pub known: Known,
    /// A do-not-record rule held the audio back.
    pub withheld: bool,
}

/// Longest text kept in a start or in `Known`, in bytes: a frame of the capture log always has room for all of them.
pub(crate) const TEXT_BYTES: usize = 255;

impl Default for Known {
    fn default() -> Self {
        Self { call_type: CallType::Unknown, line_number: None, peer_number: None, peer_name: None }
    }
}

impl Known {
    pub(crate) fn clip(&mut self) {
        for text in [&mut self.line_number, &mut self.peer_number, &mut self.peer_name].into_iter().flatten()
        {
            clip(text);
        }
    }
}

impl OpenStart {
    pub(crate) fn clip(&mut self) {
        clip(&mut self.call_id);
        clip(&mut self.port_name);
        clip(&mut self.start.boot_id);
        self.known.clip();
    }
}

impl WithoutAudio {
    pub(crate) fn clip(&mut self) {
        clip(&mut self.call_id);
        clip(&mut self.port_name);
        clip(&mut self.start.boot_id);
        self.known.clip();
    }
}

fn clip(text: &mut String) {
    if text.len() > TEXT_BYTES {
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_whole_character() {
        let mut known = Known { peer_name: Some("局".repeat(100)), ..Known::default() };
        known.clip();
        assert_eq!(known.peer_name, Some("局".repeat(85)));
    }
}
