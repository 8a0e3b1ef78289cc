//! Recorded line input: a folder with `scenario.toml`, WAV and voltage files, the product's demo, test bench and
//! benchmark. The format is a fixed interface.

mod audio;
mod source;
mod volts;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, FixedOffset};
use serde::Deserialize;

pub use audio::AudioFile;
pub use source::ScenarioSource;

use crate::StatusChange;

/// One sentence: which file, which row, what was expected.
#[derive(Debug, thiserror::Error)]
#[error("{path}{place}: {expected}")]
pub struct ScenarioError {
    pub path: String,
    /// `, row 3` and the like, or nothing.
    pub place: String,
    pub expected: String,
}

impl ScenarioError {
    pub fn new(path: &Path, expected: impl Into<String>) -> Self {
        Self { path: path.display().to_string(), place: String::new(), expected: expected.into() }
    }

    fn at(path: &Path, place: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            path: path.display().to_string(),
            place: format!(", {}", place.into()),
            expected: expected.into(),
        }
    }
}

/// A scenario whose every file was found sound: heads of audio read, voltages read whole.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub file: PathBuf,
    /// Wall clock of sample 0.
    pub start: Option<DateTime<FixedOffset>>,
    /// In the order of their ports.
    pub channels: Vec<ScenarioChannel>,
}

#[derive(Clone, Debug)]
pub struct ScenarioChannel {
    pub unit: String,
    pub port: u16,
    pub name: Option<String>,
    pub line_number: Option<String>,
    pub audio: AudioFile,
    /// Changes of the line's status, in order; `channel` is filled in by the source.
    pub status: Vec<StatusChange>,
    /// Whatever else stood at the channel: settings, which are none of this room's business.
    pub settings: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rate: i64,
    start: Option<toml::Value>,
    #[serde(default)]
    unit: Vec<toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnalogUnit {
    #[serde(rename = "kind")]
    _kind: String,
    name: String,
    #[serde(default)]
    channel: Vec<Channel>,
}

#[derive(Deserialize)]
struct Channel {
    port: u16,
    name: Option<String>,
    line_number: Option<String>,
    audio: String,
    volts: Option<String>,
    #[serde(flatten)]
    settings: toml::Table,
}

impl Scenario {
    /// Reads `folder/scenario.toml` and checks everything that it names.
    ///
    /// # Errors
    /// The first thing that is missing or wrong, in one sentence.
    pub fn load(folder: &Path) -> Result<Self, ScenarioError> {
        let file = folder.join("scenario.toml");
        let text = std::fs::read_to_string(&file).map_err(|error| {
            ScenarioError::new(&file, format!("cannot be read ({error}); expected a scenario folder"))
        })?;
        let parsed: File = parse(&file, "", &text)?;
        if parsed.rate != i64::from(signal::RATE_HZ) {
            return Err(ScenarioError::new(
                &file,
                format!("rate is {}, expected {} Hz", parsed.rate, signal::RATE_HZ),
            ));
        }
        let mut scenario = Self {
            start: parsed.start.map(|s| start_time(&file, &s)).transpose()?,
            file,
            channels: Vec::new(),
        };
        for (index, unit) in parsed.unit.into_iter().enumerate() {
            scenario.add_unit(folder, index + 1, unit)?;
        }
        scenario.check_ports()?;
        scenario.channels.sort_by_key(|channel| channel.port);
        Ok(scenario)
    }

    fn add_unit(&mut self, folder: &Path, number: usize, unit: toml::Table) -> Result<(), ScenarioError> {
        let place = format!("unit {number}");
        match unit.get("kind").and_then(toml::Value::as_str) {
            Some("analog") => {}
            Some("e1") => {
                return Err(ScenarioError::at(
                    &self.file,
                    place,
                    "E1 units are not supported yet, expected kind = \"analog\"",
                ));
            }
            _ => return Err(ScenarioError::at(&self.file, place, "expected kind = \"analog\" or \"e1\"")),
        }
        let unit: AnalogUnit = unit.try_into().map_err(|error: toml::de::Error| {
            ScenarioError::at(&self.file, place, one_line(error.message()))
        })?;
        for channel in unit.channel {
            let audio = AudioFile::open(&folder.join(&channel.audio))?;
            let status = match &channel.volts {
                Some(volts) => volts::read(&folder.join(volts))?,
                None => volts::idle(),
            };
            self.channels.push(ScenarioChannel {
                unit: unit.name.clone(),
                port: channel.port,
                name: channel.name,
                line_number: channel.line_number,
                audio,
                status,
                settings: channel.settings,
            });
        }
        Ok(())
    }

    fn check_ports(&self) -> Result<(), ScenarioError> {
        if self.channels.is_empty() {
            return Err(ScenarioError::new(
                &self.file,
                "has no channel, expected at least one [[unit.channel]]",
            ));
        }
        let mut seen = BTreeSet::new();
        for channel in &self.channels {
            if channel.port == 0 || !seen.insert(channel.port) {
                return Err(ScenarioError::at(
                    &self.file,
                    format!("unit {}", channel.unit),
                    format!(
                        "port = {} is 0 or used twice, expected a number of its own from 1",
                        channel.port
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn parse<T: serde::de::DeserializeOwned>(file: &Path, what: &str, text: &str) -> Result<T, ScenarioError> {
    toml::from_str(text).map_err(|error| {
        let row = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        ScenarioError::at(file, format!("row {row}"), format!("{what}{}", one_line(error.message())))
    })
}

fn start_time(file: &Path, value: &toml::Value) -> Result<DateTime<FixedOffset>, ScenarioError> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    DateTime::parse_from_rfc3339(&text).map_err(|_| {
        ScenarioError::new(
            file,
            format!("start = {text:?}, expected a time such as \"2026-03-01T08:00:00+08:00\""),
        )
    })
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
