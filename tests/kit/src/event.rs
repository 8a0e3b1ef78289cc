//! Events as `events.jsonl` of a replay and `truth.jsonl` of the kit have them: one JSON object a line.
//!
//! Truth uses the product's vocabulary and adds three things. A member that truth leaves out is not compared.
//! `"optional": true` marks what may be said or not. The event `call_without_audio` stands for a call that leaves a
//! record but no audio (missed, do-not-record), which a replay shows as a `record_stop` without a `record_start`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds from sample 0.
    pub t: f64,
    pub port: u16,
    pub event: String,
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

impl Event {
    pub fn new<const N: usize>(t: f64, port: u16, event: &str, members: [(&str, Value); N]) -> Self {
        let members = members.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self { t, port, event: event.into(), members }
    }

    pub fn optional(mut self) -> Self {
        self.members.insert("optional".into(), Value::Bool(true));
        self
    }

    pub fn is_optional(&self) -> bool {
        self.members.get("optional") == Some(&Value::Bool(true))
    }

    pub fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member)?.as_str()
    }

    pub fn number(&self, member: &str) -> Option<f64> {
        self.members.get(member)?.as_f64()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum EventFileError {
    #[error("cannot {verb} {}: {source}", path.display())]
    File { verb: &'static str, path: PathBuf, source: io::Error },
    #[error("{}, line {line}: not an event with `t`, `port` and `event`: {source}", path.display())]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
}

/// Reads events, one a line; empty lines are passed over.
pub fn read(path: &Path) -> Result<Vec<Event>, EventFileError> {
    let text = fs::read_to_string(path).map_err(|source| EventFileError::File {
        verb: "read",
        path: path.into(),
        source,
    })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|source| EventFileError::Line {
                path: path.into(),
                line: index + 1,
                source,
            })
        })
        .collect()
}

/// Writes events sorted by `t`, then port.
pub fn write(path: &Path, mut events: Vec<Event>) -> Result<(), EventFileError> {
    let failed = |source| EventFileError::File { verb: "write", path: path.into(), source };
    events.sort_by(|a, b| a.t.total_cmp(&b.t).then(a.port.cmp(&b.port)));
    let mut file = io::BufWriter::new(fs::File::create(path).map_err(failed)?);
    for event in events {
        let line = serde_json::to_string(&event).map_err(|source| failed(source.into()))?;
        writeln!(file, "{line}").map_err(failed)?;
    }
    file.flush().map_err(failed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_come_back_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truth.jsonl");
        let late = Event::new(2.5, 1, "on_hook", [("volts", json!(48.0))]);
        let early = Event::new(1.0, 2, "caller_id", [("name", Value::Null)]).optional();
        write(&path, vec![late.clone(), early.clone()]).unwrap();
        assert_eq!(read(&path).unwrap(), [early, late]);
    }

    #[test]
    fn a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        fs::write(&path, "{\"t\":1,\"port\":1,\"event\":\"x\"}\n\n{\"t\":1}\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
