//! A scenario as a capture unit: block by block, once or looped.

use signal::SampleIndex;

use super::{Scenario, ScenarioChannel, ScenarioError};
use crate::{BLOCK_SAMPLES, Block, StatusChange};

/// Blocks read from a file at once.
const READ_AHEAD_BLOCKS: usize = 100;

/// Plays some of a scenario's channels as one unit.
#[derive(Debug)]
pub struct ScenarioSource {
    channels: Vec<Reader>,
    position: SampleIndex,
    /// Where the running turn of a loop began.
    turn: SampleIndex,
    /// Length of a turn; `None` plays once, silence and the last status following.
    turn_samples: Option<u64>,
}

#[derive(Debug)]
struct Reader {
    channel: ScenarioChannel,
    /// Interleaved samples read ahead, and how many of them have been used.
    ahead: Vec<i16>,
    used: usize,
    bytes: Vec<u8>,
    next_status: usize,
}

impl ScenarioSource {
    /// Channels `range` (indices into `scenario.channels`), played once.
    pub fn new(scenario: &Scenario, range: std::ops::Range<usize>) -> Self {
        let channels = scenario.channels[range].iter().map(Reader::new).collect();
        Self { channels, position: SampleIndex(0), turn: SampleIndex(0), turn_samples: None }
    }

    /// The same, beginning again after the scenario's longest channel.
    pub fn looped(scenario: &Scenario, range: std::ops::Range<usize>) -> Self {
        let longest = scenario.channels.iter().map(|c| c.audio.samples).max().unwrap_or(0);
        let blocks = longest.div_ceil(BLOCK_SAMPLES as u64).max(1);
        Self { turn_samples: Some(blocks * BLOCK_SAMPLES as u64), ..Self::new(scenario, range) }
    }

    pub fn channels(&self) -> impl Iterator<Item = &ScenarioChannel> {
        self.channels.iter().map(|reader| &reader.channel)
    }

    /// Fills `block` with the next 10 ms.
    ///
    /// # Errors
    /// A file that was sound when the scenario was loaded, and cannot be read now.
    pub fn next_block(&mut self, block: &mut Block) -> Result<(), ScenarioError> {
        if self.turn_samples.is_some_and(|length| self.position.since(self.turn) >= length) {
            self.turn = self.position;
            for reader in &mut self.channels {
                reader.rewind();
            }
        }
        block.first = self.position;
        block.lost_samples = 0;
        block.status.clear();
        let tracks: usize = self.channels.iter().map(|r| r.channel.audio.layout.tracks()).sum();
        block.samples.resize(tracks * BLOCK_SAMPLES, 0);
        let mut out = block.samples.as_mut_slice();
        let end = self.position.plus(BLOCK_SAMPLES as u64);
        for (index, reader) in self.channels.iter_mut().enumerate() {
            let (mine, rest) = out.split_at_mut(reader.channel.audio.layout.tracks() * BLOCK_SAMPLES);
            reader.fill(self.position.since(self.turn), mine)?;
            reader.status_until(self.turn, end, index as u16, &mut block.status);
            out = rest;
        }
        block.status.sort_by_key(|change| change.at);
        self.position = end;
        Ok(())
    }
}

impl Reader {
    fn new(channel: &ScenarioChannel) -> Self {
        Self { channel: channel.clone(), ahead: Vec::new(), used: 0, bytes: Vec::new(), next_status: 0 }
    }

    fn rewind(&mut self) {
        self.ahead.clear();
        (self.used, self.next_status) = (0, 0);
    }

    /// One block of each track, from `from` of the file on, track after track.
    fn fill(&mut self, from: u64, out: &mut [i16]) -> Result<(), ScenarioError> {
        let tracks = self.channel.audio.layout.tracks();
        if self.used == self.ahead.len() {
            self.ahead.resize(READ_AHEAD_BLOCKS * BLOCK_SAMPLES * tracks, 0);
            self.used = 0;
            self.channel.audio.read(from, &mut self.ahead, &mut self.bytes).map_err(|error| {
                ScenarioError::new(&self.channel.audio.path, format!("cannot be read any more ({error})"))
            })?;
        }
        let frames = &self.ahead[self.used..self.used + out.len()];
        self.used += out.len();
        if tracks == 1 {
            out.copy_from_slice(frames);
        } else {
            let (near, far) = out.split_at_mut(BLOCK_SAMPLES);
            for ((near, far), frame) in near.iter_mut().zip(far).zip(frames.chunks_exact(2)) {
                (*near, *far) = (frame[0], frame[1]);
            }
        }
        Ok(())
    }

    fn status_until(
        &mut self,
        turn: SampleIndex,
        end: SampleIndex,
        channel: u16,
        out: &mut Vec<StatusChange>,
    ) {
        while let Some(change) = self.channel.status.get(self.next_status) {
            let at = turn.plus(change.at.0);
            if at >= end {
                break;
            }
            out.push(StatusChange { channel, at, status: change.status });
            self.next_status += 1;
        }
    }
}
