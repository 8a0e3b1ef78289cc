//! Settings of the box's channels: defaults from the input, changes kept in `settings/channels.toml`, each change undoable.

use std::collections::BTreeMap;
use std::path::PathBuf;

use line::{ChannelSettings, PortUse};
use recording::write_atomically;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One port's channel as the pages edit it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    pub port: u16,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub line_number: Option<String>,
    #[serde(default, rename = "use")]
    pub port_use: PortUse,
    #[serde(default)]
    pub settings: ChannelSettings,
}

#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error("there is no port {0} on this box")]
    NoSuchPort(u16),
    #[error("port {port}: {field}: {reason}")]
    Invalid { port: u16, field: String, reason: String },
    #[error("there is no change to undo")]
    NothingToUndo,
    #[error("{path}: {reason}")]
    File { path: PathBuf, reason: String },
}

/// How many changes can be undone.
const UNDO_DEPTH: usize = 50;

/// All channels of the box, and the file that keeps what was changed.
#[derive(Debug)]
pub struct Channels {
    file: PathBuf,
    channels: BTreeMap<u16, Channel>,
    /// Channels as they were before each change, newest last.
    undo: Vec<Vec<Channel>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    channel: Vec<Channel>,
}

impl Channels {
    /// `defaults` describe the ports that the input has; entries of the file for other ports are kept, unused.
    ///
    /// # Errors
    /// A file that cannot be read, or says something no channel can have.
    pub fn load(file: PathBuf, defaults: Vec<Channel>) -> Result<Self, ChannelError> {
        let mut channels: BTreeMap<u16, Channel> = defaults.into_iter().map(|c| (c.port, c)).collect();
        for channel in read(&file)? {
            check(&channel)?;
            if let Some(slot) = channels.get_mut(&channel.port) {
                *slot = channel;
            }
        }
        Ok(Self { file, channels, undo: Vec::new() })
    }

    pub fn all(&self) -> Vec<Channel> {
        self.channels.values().cloned().collect()
    }

    pub fn get(&self, port: u16) -> Option<&Channel> {
        self.channels.get(&port)
    }

    /// Sets the members of `patch` on each of `ports`: all of them, or none. Returns the channels as they are now.
    pub fn change(
        &mut self,
        ports: &[u16],
        patch: &Map<String, Value>,
    ) -> Result<Vec<Channel>, ChannelError> {
        let mut before = Vec::with_capacity(ports.len());
        let mut after = Vec::with_capacity(ports.len());
        for &port in ports {
            let channel = self.channels.get(&port).ok_or(ChannelError::NoSuchPort(port))?;
            after.push(patched(channel, patch)?);
            before.push(channel.clone());
        }
        self.put(&after)?;
        self.undo.push(before);
        if self.undo.len() > UNDO_DEPTH {
            self.undo.remove(0);
        }
        Ok(after)
    }

    /// Takes the last change back. Returns the channels as they are now.
    pub fn undo(&mut self) -> Result<Vec<Channel>, ChannelError> {
        let before = self.undo.pop().ok_or(ChannelError::NothingToUndo)?;
        if let Err(error) = self.put(&before) {
            self.undo.push(before);
            return Err(error);
        }
        Ok(before)
    }

    pub fn undo_depth(&self) -> usize {
        self.undo.len()
    }

    /// Writes the file first: what the pages show as set survives the next power cut.
    fn put(&mut self, changed: &[Channel]) -> Result<(), ChannelError> {
        let mut kept: BTreeMap<u16, Channel> = read(&self.file)?.into_iter().map(|c| (c.port, c)).collect();
        kept.extend(changed.iter().map(|c| (c.port, c.clone())));
        let failed = |reason: String| ChannelError::File { path: self.file.clone(), reason };
        let text = toml::to_string(&File { channel: kept.into_values().collect() })
            .map_err(|e| failed(format!("the settings cannot be written: {e}")))?;
        write_atomically(&self.file, text.as_bytes())
            .map_err(|e| failed(format!("the settings cannot be written: {e}")))?;
        for channel in changed {
            self.channels.insert(channel.port, channel.clone());
        }
        Ok(())
    }
}

fn read(file: &PathBuf) -> Result<Vec<Channel>, ChannelError> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ChannelError::File { path: file.clone(), reason: format!("{error}") }),
    };
    let parsed: File = toml::from_str(&text).map_err(|error| ChannelError::File {
        path: file.clone(),
        reason: error.message().to_owned() + "; correct it, or remove the file to return to the defaults",
    })?;
    Ok(parsed.channel)
}

/// Members of a channel beside its settings.
const OWN_MEMBERS: [&str; 3] = ["name", "line_number", "use"];

fn patched(channel: &Channel, patch: &Map<String, Value>) -> Result<Channel, ChannelError> {
    let invalid = |field: &str, reason: String| ChannelError::Invalid {
        port: channel.port,
        field: field.to_owned(),
        reason,
    };
    let mut whole = match serde_json::to_value(channel) {
        Ok(Value::Object(whole)) => whole,
        _ => return Err(invalid("settings", "cannot be read".into())),
    };
    // One member at a time, so that a mistake names the member it is in.
    let mut result = channel.clone();
    for (field, value) in patch {
        let target = if OWN_MEMBERS.contains(&field.as_str()) {
            &mut whole
        } else {
            whole
                .get_mut("settings")
                .and_then(Value::as_object_mut)
                .ok_or_else(|| invalid(field, "cannot be set".into()))?
        };
        target.insert(field.clone(), value.clone());
        result = serde_json::from_value(Value::Object(whole.clone()))
            .map_err(|error| invalid(field, error.to_string()))?;
    }
    check(&result)?;
    Ok(result)
}

fn check(channel: &Channel) -> Result<(), ChannelError> {
    let invalid = |field: &str, reason: &str| ChannelError::Invalid {
        port: channel.port,
        field: field.into(),
        reason: reason.into(),
    };
    if channel.name.chars().count() > 64 {
        return Err(invalid("name", "at most 64 characters"));
    }
    if let Some(number) = &channel.line_number
        && (number.is_empty()
            || number.len() > 32
            || !number.bytes().all(|b| b.is_ascii_digit() || b"+*#-".contains(&b)))
    {
        return Err(invalid("line_number", "1 to 32 digits, or + * # -"));
    }
    channel.settings.validate().map_err(|error| ChannelError::Invalid {
        port: channel.port,
        field: error.field().to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn channels(dir: &tempfile::TempDir) -> Channels {
        let defaults = (1..=3)
            .map(|port| Channel {
                port,
                name: String::new(),
                line_number: None,
                port_use: PortUse::Recorded,
                settings: ChannelSettings::default(),
            })
            .collect();
        Channels::load(dir.path().join("channels.toml"), defaults).expect("loads")
    }

    fn patch(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn changes_many_survive_a_restart_and_can_be_undone() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut box_channels = channels(&dir);
        let change = patch(json!({"off_hook_below_volts": 12.5, "line_number": "8001", "use": "disabled"}));
        box_channels.change(&[1, 3], &change).expect("changed");
        let again = channels(&dir);
        assert_eq!(again.all(), box_channels.all());
        assert_eq!(again.get(3).map(|c| c.settings.off_hook_below_volts), Some(12.5));
        assert_eq!(again.get(2).map(|c| c.port_use), Some(PortUse::Recorded));
        box_channels.undo().expect("undone");
        assert_eq!(channels(&dir).get(1).map(|c| c.settings.off_hook_below_volts), Some(16.0));
        assert!(matches!(box_channels.undo(), Err(ChannelError::NothingToUndo)));
    }

    #[test]
    fn a_wrong_member_changes_no_port_and_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut box_channels = channels(&dir);
        let before = box_channels.all();
        for (change, field) in [
            (json!({"off_hook_below_volts": "high"}), "off_hook_below_volts"),
            (json!({"colour": "red"}), "colour"),
            (json!({"line_number": "../../etc"}), "line_number"),
            (json!({"use": "sometimes"}), "use"),
            (json!({"off_hook_below_volts": -4.0}), "off_hook_below_volts"),
        ] {
            match box_channels.change(&[1, 2], &patch(change)) {
                Err(ChannelError::Invalid { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        assert!(matches!(
            box_channels.change(&[1, 9], &patch(json!({"name": "x"}))),
            Err(ChannelError::NoSuchPort(9))
        ));
        assert_eq!(box_channels.all(), before);
    }

    #[test]
    fn a_damaged_file_is_refused_in_one_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("channels.toml");
        std::fs::write(&file, "[[channel]]\nport = \"one\"\n").expect("written");
        let error = Channels::load(file, Vec::new()).expect_err("refused").to_string();
        assert!(error.contains("channels.toml") && !error.contains('\n'), "{error}");
    }
}
