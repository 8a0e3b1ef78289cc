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
    /// Read ahead, as it lies in the file.
    ahead: Vec<u8>,
    /// Blocks read ahead (the last ones may be behind the file's end), and how many of them have been used.
    blocks: usize,
    used: usize,
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
        Self { channel: channel.clone(), ahead: Vec::new(), blocks: 0, used: 0, next_status: 0 }
    }

    fn rewind(&mut self) {
        (self.blocks, self.used, self.next_status) = (0, 0, 0);
    }

    /// One block of each track, from `from` of the file on, track after track.
    fn fill(&mut self, from: u64, out: &mut [i16]) -> Result<(), ScenarioError> {
        let audio = &self.channel.audio;
        if self.used == self.blocks {
            audio.read(from, READ_AHEAD_BLOCKS * BLOCK_SAMPLES, &mut self.ahead).map_err(|error| {
                ScenarioError::new(&audio.path, format!("cannot be read any more ({error})"))
            })?;
            (self.blocks, self.used) = (READ_AHEAD_BLOCKS, 0);
        }
        let at = self.used * BLOCK_SAMPLES * audio.frame_bytes();
        audio.expand(self.ahead.get(at..).unwrap_or_default(), out);
        self.used += 1;
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
