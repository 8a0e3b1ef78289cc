//! A scenario folder on disk, written port by port: `scenario.toml`, audio, volts, and `truth.jsonl` beside them.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Line;
use crate::audio::seconds;
use crate::corpus::CorpusError;
use crate::event::{self, Event, EventFileError};
use crate::spandsp::SpandspError;
use crate::wav::{self, WavError};

#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("cannot write {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("ports {count} asked for: use 1 to 480")]
    Ports { count: u16 },
    #[error("port {port}: its calls last {made_s:.1} s, longer than the scenario's {length_s:.1} s")]
    TooLong { port: u16, made_s: f64, length_s: f64 },
    #[error(transparent)]
    Wav(#[from] WavError),
    #[error(transparent)]
    Events(#[from] EventFileError),
    #[error(transparent)]
    Signal(#[from] SpandspError),
    #[error(transparent)]
    Speech(#[from] CorpusError),
}

/// Ports of one line-tap unit.
const PORTS_A_UNIT: usize = 8;

/// A scenario being written.
pub struct ScenarioFolder {
    folder: PathBuf,
    toml: String,
    ports: usize,
    truth: Vec<Event>,
}

impl ScenarioFolder {
    /// Makes the folder; files of an earlier scenario in it are written over.
    pub fn create(folder: &Path) -> Result<Self, ScenarioError> {
        fs::create_dir_all(folder).map_err(|source| ScenarioError::File { path: folder.into(), source })?;
        let toml = "rate = 8000\nstart = \"2026-03-01T08:00:00+08:00\"\n".to_string();
        Ok(Self { folder: folder.into(), toml, ports: 0, truth: Vec::new() })
    }

    /// Ends a line at `length_s` and writes it.
    pub fn add(&mut self, mut line: Line, length_s: f64) -> Result<(), ScenarioError> {
        if line.now_s() > length_s {
            return Err(ScenarioError::TooLong { port: line.port, made_s: line.now_s(), length_s });
        }
        let [near, far] = line.finish(length_s)?;
        let audio = format!("port{:02}.wav", line.port);
        let tracks: &[&[i16]] = if line.two_tracks { &[&near, &far] } else { &[&near] };
        wav::write(&self.folder.join(&audio), tracks, line.format)?;

        if self.ports.is_multiple_of(PORTS_A_UNIT) {
            let unit = self.ports / PORTS_A_UNIT + 1;
            let _ = write!(self.toml, "\n[[unit]]\nkind = \"analog\"\nname = \"tap-{unit}\"\n");
        }
        self.ports += 1;
        let _ = write!(self.toml, "\n[[unit.channel]]\nport = {}\n", line.port);
        if !line.line_number.is_empty() {
            let _ = writeln!(self.toml, "line_number = \"{}\"", line.line_number);
        }
        let _ = writeln!(self.toml, "audio = \"{audio}\"");
        if !line.without_volts {
            let volts = format!("port{:02}.volts.csv", line.port);
            self.write(&volts, &volts_csv(&line))?;
            let _ = writeln!(self.toml, "volts = \"{volts}\"");
        }
        for (name, value) in line.settings() {
            let _ = writeln!(self.toml, "{name} = {value}");
        }
        self.truth.append(&mut line.events);
        Ok(())
    }

    /// Writes `scenario.toml` and `truth.jsonl`.
    pub fn finish(self) -> Result<(), ScenarioError> {
        self.write("scenario.toml", &self.toml)?;
        event::write(&self.folder.join("truth.jsonl"), self.truth)?;
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<(), ScenarioError> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|source| ScenarioError::File { path, source })
    }
}

/// Rows in the order of time; of rows at one sample the last one counts.
fn volts_csv(line: &Line) -> String {
    let mut rows = line.status.clone();
    rows.sort_by_key(|row| row.at);
    let mut text = "seconds,volts,ring_volts\n".to_string();
    for (index, row) in rows.iter().enumerate() {
        if rows.get(index + 1).is_none_or(|next| next.at > row.at) {
            let _ = writeln!(text, "{:.6},{:.2},{:.1}", seconds(row.at), row.volts, row.ring_volts);
        }
    }
    text
}
