//! What is on the software unit's lines: a scenario's channels, or a pattern that tells by itself which line and sample it
//! belongs to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::wav::{self, WavError};

/// Samples of a line in a packet.
pub const PACKET_SAMPLES: usize = 80;

/// DC and ring of a line, in steps of 10 mV.
pub type Volts = (i16, u16);

/// Lines that a unit is connected to; asked once for each line and packet, in order.
pub trait Lines: Send {
    /// Fills in what is on `line` (from 0 on) from `first_sample` on.
    fn read(&mut self, line: usize, first_sample: u64, samples: &mut [i16; PACKET_SAMPLES]) -> Volts;
}

/// No two lines and no two neighbouring samples are alike, and every one can be worked out again.
#[derive(Clone, Copy, Debug)]
pub struct Pattern;

impl Pattern {
    pub fn sample(line: usize, at: u64) -> i16 {
        let mixed = (at << 6 | line as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ mixed >> 29) as i16
    }

    /// In the packet that begins with this sample.
    pub fn volts(line: usize, first_sample: u64) -> Volts {
        let mixed = Self::sample(line, first_sample ^ 0x5555);
        (mixed, mixed.unsigned_abs() / 2)
    }
}

impl Lines for Pattern {
    fn read(&mut self, line: usize, first_sample: u64, samples: &mut [i16; PACKET_SAMPLES]) -> Volts {
        for (sample, at) in samples.iter_mut().zip(first_sample..) {
            *sample = Self::sample(line, at);
        }
        Self::volts(line, first_sample)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is no scenario: {problem}", path.display())]
    Scenario { path: PathBuf, problem: String },
    #[error("{} row {row} is not 'seconds,volts,ring_volts' with a volts file's numbers", path.display())]
    Volts { path: PathBuf, row: usize },
    #[error(transparent)]
    Wav(#[from] WavError),
}

#[derive(Deserialize)]
struct File {
    unit: Vec<FileUnit>,
}

#[derive(Deserialize)]
struct FileUnit {
    channel: Vec<FileChannel>,
}

#[derive(Deserialize)]
struct FileChannel {
    audio: PathBuf,
    volts: Option<PathBuf>,
}

/// One line of a scenario.
struct Channel {
    samples: Vec<i16>,
    /// From which sample on which volts are there; begins with sample 0.
    volts: Vec<(u64, Volts)>,
}

/// A scenario's channels, from the moment at which the unit is first started.
pub struct Player {
    channels: Vec<Channel>,
    /// Samples until it begins again; 0 for once only, with silence behind it.
    turn_samples: u64,
    begins_at: Option<u64>,
}

impl Player {
    /// Reads all of a scenario folder. The two sides of a two-track channel are added, as they are on a two-wire line.
    pub fn load(folder: &Path, once: bool) -> Result<Self, PlayError> {
        let path = folder.join("scenario.toml");
        let text = read_text(&path)?;
        let file: File = toml::from_str(&text)
            .map_err(|error| PlayError::Scenario { path, problem: error.message().to_owned() })?;
        let mut channels = Vec::new();
        for channel in file.unit.into_iter().flat_map(|unit| unit.channel) {
            let tracks = wav::read(&folder.join(channel.audio))?;
            let length = tracks.iter().map(Vec::len).max().unwrap_or(0);
            let samples = (0..length)
                .map(|at| tracks.iter().fold(0_i16, |sum, track| sum.saturating_add(track[at])))
                .collect();
            let volts = match channel.volts {
                Some(volts) => read_volts(&folder.join(volts))?,
                None => vec![(0, (0, 0))],
            };
            channels.push(Channel { samples, volts });
        }
        let longest = channels.iter().map(|channel| channel.samples.len()).max().unwrap_or(0);
        let turn = longest.div_ceil(PACKET_SAMPLES) * PACKET_SAMPLES;
        Ok(Self { channels, turn_samples: if once { 0 } else { turn as u64 }, begins_at: None })
    }

    pub fn channels(&self) -> usize {
        self.channels.len()
    }
}

impl Lines for Player {
    fn read(&mut self, line: usize, first_sample: u64, samples: &mut [i16; PACKET_SAMPLES]) -> Volts {
        let mut at = first_sample - *self.begins_at.get_or_insert(first_sample);
        if self.turn_samples > 0 {
            at %= self.turn_samples;
        }
        let Some(channel) = self.channels.get(line) else {
            samples.fill(0);
            return (0, 0);
        };
        for (sample, at) in samples.iter_mut().zip(at as usize..) {
            *sample = channel.samples.get(at).copied().unwrap_or(0);
        }
        // What is known at the packet's end.
        let end = at + PACKET_SAMPLES as u64;
        let known = channel.volts.partition_point(|(from, _)| *from < end);
        channel.volts[known.max(1) - 1].1
    }
}

fn read_text(path: &Path) -> Result<String, PlayError> {
    fs::read_to_string(path).map_err(|source| PlayError::File { path: path.into(), source })
}

fn read_volts(path: &Path) -> Result<Vec<(u64, Volts)>, PlayError> {
    let mut rows = Vec::new();
    for (index, line) in read_text(path)?.lines().enumerate().skip(1) {
        let wrong = || PlayError::Volts { path: path.into(), row: index + 1 };
        let fields: Vec<f64> = line
            .split(',')
            .map(|field| field.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|_| wrong())?;
        let [seconds, volts, ring] = fields[..] else { return Err(wrong()) };
        // Casts stop at the greatest that the wire can carry.
        rows.push((
            (seconds * 8000.0).round() as u64,
            ((volts * 100.0).round() as i16, (ring * 100.0).round() as u16),
        ));
    }
    if rows.is_empty() {
        return Err(PlayError::Volts { path: path.into(), row: 1 });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wav::WavFormat;

    fn scenario(folder: &Path) {
        let near: Vec<i16> = (0..200).collect();
        let far = vec![1000; 200];
        wav::write(&folder.join("a.wav"), &[&near, &far], WavFormat::Linear16).unwrap();
        fs::write(folder.join("a.csv"), "seconds,volts,ring_volts\n0,-48,0\n0.0125,9.5,75.25\n").unwrap();
        let toml = "rate = 8000\n[[unit]]\nkind = \"analog\"\n[[unit.channel]]\nport = 1\naudio = \"a.wav\"\nvolts = \"a.csv\"\n";
        fs::write(folder.join("scenario.toml"), toml).unwrap();
    }

    #[test]
    fn a_scenario_begins_with_the_unit_and_comes_round_on_a_whole_packet() {
        let folder = tempfile::tempdir().unwrap();
        scenario(folder.path());
        let mut player = Player::load(folder.path(), false).unwrap();
        let mut samples = [0; PACKET_SAMPLES];
        assert_eq!(player.read(0, 8_000_000, &mut samples), (-4800, 0));
        assert_eq!((samples[0], samples[79]), (1000, 1079));
        assert_eq!(player.read(0, 8_000_080, &mut samples), (950, 7525));
        player.read(0, 8_000_160, &mut samples);
        assert_eq!((samples[39], samples[40]), (1199, 0));
        assert_eq!(player.read(0, 8_000_240, &mut samples), (-4800, 0));
        assert_eq!(samples[0], 1000);
        assert_eq!(player.read(1, 8_000_240, &mut samples), (0, 0), "a line that the scenario does not have");
        assert_eq!(samples, [0; 80]);
    }

    #[test]
    fn once_is_followed_by_silence_and_the_last_volts() {
        let folder = tempfile::tempdir().unwrap();
        scenario(folder.path());
        let mut player = Player::load(folder.path(), true).unwrap();
        let mut samples = [0; PACKET_SAMPLES];
        player.read(0, 0, &mut samples);
        assert_eq!(player.read(0, 80_000, &mut samples), (950, 7525));
        assert_eq!(samples, [0; 80]);
    }

    #[test]
    fn what_is_no_scenario_is_refused_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let refused = || Player::load(folder.path(), false).err().unwrap().to_string();
        assert!(refused().contains("scenario.toml"));
        scenario(folder.path());
        fs::write(folder.path().join("a.csv"), "seconds,volts,ring_volts\n0,x,0\n").unwrap();
        assert!(
            refused().ends_with("a.csv row 2 is not 'seconds,volts,ring_volts' with a volts file's numbers")
        );
    }
}
