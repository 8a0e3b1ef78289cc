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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BLOCK_SAMPLES, Block};

    /// A folder with two ports of counting samples: port 2 is half as long as port 1 and has two tracks.
    fn folder(toml: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let wav = |tracks: u16, samples: std::ops::Range<i16>| {
            let mut out = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec();
            out.extend(tracks.to_le_bytes());
            out.extend(8000_u32.to_le_bytes());
            out.extend([0, 0, 0, 0, 0, 0, 16, 0]);
            out.extend(b"data");
            let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
            out.extend((data.len() as u32).to_le_bytes());
            out.extend(data);
            out
        };
        std::fs::write(dir.path().join("one.wav"), wav(1, 0..200)).expect("written");
        std::fs::write(dir.path().join("two.wav"), wav(2, 1000..1200)).expect("written");
        std::fs::write(dir.path().join("two.csv"), "seconds,volts,ring_volts\n0.005,8,0\n").expect("written");
        std::fs::write(dir.path().join("scenario.toml"), toml).expect("written");
        dir
    }

    const TWO_PORTS: &str = "rate = 8000\nstart = \"2026-03-01T08:00:00+08:00\"\n[[unit]]\nkind = \"analog\"\nname = \"tap\"\n\
        [[unit.channel]]\nport = 2\naudio = \"two.wav\"\nvolts = \"two.csv\"\npre_roll_s = 1.0\n\
        [[unit.channel]]\nport = 1\nline_number = \"8001\"\naudio = \"one.wav\"\n";

    #[test]
    fn channels_come_in_the_order_of_their_ports_with_their_settings_untouched() {
        let dir = folder(TWO_PORTS);
        let scenario = Scenario::load(dir.path()).expect("loads");
        assert_eq!(scenario.channels.iter().map(|c| c.port).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(scenario.channels[0].line_number.as_deref(), Some("8001"));
        assert_eq!(
            scenario.channels[1].settings.get("pre_roll_s").and_then(toml::Value::as_float),
            Some(1.0)
        );
        assert_eq!(scenario.channels[0].audio.samples, 200);
        assert_eq!(scenario.channels[1].audio.samples, 100);
        assert!(scenario.start.is_some());
    }

    #[test]
    fn a_loop_begins_again_behind_the_longest_channel() {
        let dir = folder(TWO_PORTS);
        let scenario = Scenario::load(dir.path()).expect("loads");
        let mut source = ScenarioSource::looped(&scenario, 0..2);
        let mut block = Block::default();
        let mut near = Vec::new();
        for turn in 0..2 {
            for n in 0..3_u64 {
                source.next_block(&mut block).expect("reads");
                assert_eq!(block.first.0, (turn * 3 + n) * BLOCK_SAMPLES as u64);
                let at: Vec<_> = block.status.iter().map(|c| (c.channel, c.at.0, c.status.volts)).collect();
                let start = turn * 3 * BLOCK_SAMPLES as u64;
                let expected = if n == 0 {
                    vec![(0, start, 48.0), (1, start, 48.0), (1, start + 40, 8.0)]
                } else {
                    vec![]
                };
                assert_eq!(at, expected);
                near.extend_from_slice(&block.samples[..BLOCK_SAMPLES]);
                let two: Vec<i16> =
                    block.samples[BLOCK_SAMPLES..].iter().copied().filter(|s| *s != 0).collect();
                let from = 1000 + n as i16 * 160;
                let alternate = |first: i16| (from + first..1200.min(from + 160)).step_by(2);
                assert_eq!(two, alternate(0).chain(alternate(1)).collect::<Vec<_>>());
            }
        }
        let once: Vec<i16> = (0..200).chain(std::iter::repeat_n(0, 40)).collect();
        assert_eq!(near, [once.clone(), once].concat());
    }

    #[test]
    fn what_is_wrong_is_one_sentence_that_says_where() {
        for (from, to, parts) in [
            ("rate = 8000", "rate = 44100", &["scenario.toml", "44100", "8000"][..]),
            ("rate = 8000", "rate = ", &["row 1"]),
            ("kind = \"analog\"", "kind = \"e1\"", &["unit 1", "E1"]),
            ("kind = \"analog\"", "kind = 5", &["unit 1", "analog"]),
            ("name = \"tap\"", "", &["unit 1", "name"]),
            ("port = 1", "port = 2", &["port = 2"]),
            ("port = 1", "port = 70000", &["unit 1"]),
            ("one.wav", "../nothing.wav", &["nothing.wav"]),
            ("two.csv", "one.wav", &["one.wav", "row 1"]),
            ("2026-03-01T", "2026-13-01T", &["start"]),
            ("\n[[unit]]", "\n[[uniq]]\n[[unit]]", &["uniq"]),
        ] {
            let dir = folder(&TWO_PORTS.replacen(from, to, 1));
            let error = Scenario::load(dir.path()).expect_err(to).to_string();
            assert!(parts.iter().all(|part| error.contains(part)) && !error.contains('\n'), "{error}");
        }
        let dir = folder("rate = 8000\n");
        assert!(Scenario::load(dir.path()).expect_err("no channel").to_string().contains("at least one"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(cut in 0..TWO_PORTS.len(), noise in ".{0,40}") {
            let dir = folder(&format!("{}{noise}", &TWO_PORTS[..cut]));
            let _ = Scenario::load(dir.path());
        }
    }
}
