//! Settings of the box's channels: defaults from the input, changes kept in `settings/channels.toml`, each change undoable.

use std::collections::BTreeMap;
use std::path::PathBuf;

use line::{ChannelSettings, PortUse, WeeklySpan};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use toml::Value as Toml;

use crate::kept::{self, Kept, KeptError};

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
    #[error(transparent)]
    File(#[from] KeptError),
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

impl Channels {
    /// `defaults` describe the ports that the input has; entries of the file for other ports are kept, unread. Members
    /// that this release does not know are told on the console, kept, and passed over.
    ///
    /// # Errors
    /// A file that cannot be read, or says something a channel of this box cannot have.
    pub fn load(file: PathBuf, defaults: Vec<Channel>) -> Result<Self, ChannelError> {
        let mut channels: BTreeMap<u16, Channel> = defaults.into_iter().map(|c| (c.port, c)).collect();
        let kept = Kept::load(&file)?;
        let (_, unknown) = kept::known(&kept.table, &Map::from_iter([(LIST.to_owned(), Value::Null)]));
        unknown.iter().for_each(|member| eprintln!("{}", kept.passed_over(member)));
        let template = template();
        for entry in entries(&kept)? {
            let port = port_of(&kept, entry)?;
            let Some(slot) = channels.get_mut(&port) else { continue };
            let (known, unknown) = kept::known(entry, &template);
            unknown
                .iter()
                .for_each(|member| eprintln!("{}", kept.passed_over(&format!("port {port}: {member}"))));
            *slot = known.try_into().map_err(|error: toml::de::Error| {
                let reason = kept::sentence(&error);
                kept.wrong(format!("port {port}: {reason}; {REMEDY}"))
            })?;
            check(slot)?;
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
        let mut kept = Kept::load(&self.file)?;
        let template = template();
        for channel in changed {
            let failed = |error| kept.wrong(format!("the settings cannot be written: {error}"));
            let now = toml::Table::try_from(channel).map_err(failed)?;
            let list = kept.table.entry(LIST).or_insert_with(|| Toml::Array(Vec::new()));
            let Toml::Array(list) = list else { return Err(no_list(&kept).into()) };
            // The last entry of a port is the one that counts.
            let entry = list
                .iter_mut()
                .rev()
                .filter_map(Toml::as_table_mut)
                .find(|entry| entry.get("port").and_then(Toml::as_integer) == Some(channel.port.into()));
            match entry {
                Some(entry) => kept::overlay(entry, now, &template),
                None => list.push(Toml::Table(now)),
            }
        }
        kept.write()?;
        for channel in changed {
            self.channels.insert(channel.port, channel.clone());
        }
        Ok(())
    }
}

/// The one member of the file: a list of channels.
const LIST: &str = "channel";
const REMEDY: &str = "correct it, or remove the file to return to the defaults";

fn no_list(kept: &Kept) -> KeptError {
    kept.wrong(format!("{LIST} must be a list of tables; {REMEDY}"))
}

fn entries(kept: &Kept) -> Result<Vec<&toml::Table>, KeptError> {
    let Some(list) = kept.table.get(LIST) else { return Ok(Vec::new()) };
    let tables = list.as_array().and_then(|list| list.iter().map(Toml::as_table).collect());
    tables.ok_or_else(|| no_list(kept))
}

fn port_of(kept: &Kept, entry: &toml::Table) -> Result<u16, KeptError> {
    let port = entry.get("port").and_then(Toml::as_integer).and_then(|port| u16::try_from(port).ok());
    port.ok_or_else(|| {
        kept.wrong(format!("each channel must have its port, a number from 0 to 65535; {REMEDY}"))
    })
}

/// A channel with every member that this release knows.
fn template() -> Map<String, Value> {
    let span = WeeklySpan { weekdays: Vec::new(), from: String::new(), to: String::new() };
    let settings = ChannelSettings {
        do_not_record_times: vec![span.clone()],
        schedule: vec![span],
        ..ChannelSettings::default()
    };
    let channel =
        Channel { port: 0, name: String::new(), line_number: None, port_use: PortUse::default(), settings };
    match json!(channel) {
        Value::Object(template) => template,
        _ => Map::new(),
    }
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
        Channels::load(dir.path().join("channels.toml"), (1..=3).map(default_channel).collect())
            .expect("loads")
    }

    fn default_channel(port: u16) -> Channel {
        Channel {
            port,
            name: String::new(),
            line_number: None,
            port_use: PortUse::Recorded,
            settings: ChannelSettings::default(),
        }
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
    fn a_file_of_a_newer_release_is_read_and_loses_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("channels.toml");
        let text = r#"
            version = 2
            [[channel]]
            port = 1
            name = "duty"
            noise_gate = true
            [channel.settings]
            off_hook_below_volts = 14.0
            echo_dbm0 = -50
            schedule = [{ weekdays = [1], from = "08:00", to = "09:00", holidays = true }]
            [[channel]]
            port = 77
            settings = { start_mode = "a mode of the other box", off_hook_below_volts = -4 }
        "#;
        std::fs::write(&file, text).expect("written");
        let mut box_channels = channels(&dir);
        assert_eq!(
            box_channels.get(1).map(|c| (c.name.as_str(), c.settings.schedule.len())),
            Some(("duty", 1))
        );
        box_channels.change(&[1, 2], &patch(json!({"name": "office"}))).expect("changed");
        assert_eq!(channels(&dir).all(), box_channels.all());
        let kept: toml::Table = toml::from_str(&std::fs::read_to_string(&file).expect("read")).expect("TOML");
        assert_eq!(kept["version"], Toml::Integer(2));
        let one = &kept["channel"][0];
        assert_eq!(one["name"], Toml::String("office".into()));
        assert_eq!(one["noise_gate"], Toml::Boolean(true));
        assert_eq!(one["settings"]["echo_dbm0"], Toml::Integer(-50));
        assert_eq!(one["settings"]["schedule"][0]["holidays"], Toml::Boolean(true));
        assert_eq!(kept["channel"][1]["settings"]["off_hook_below_volts"], Toml::Integer(-4));
    }

    #[test]
    fn a_damaged_file_is_refused_in_one_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("channels.toml");
        for text in [
            "[[channel]]\nport = \"one\"\n",
            "channel = 3",
            "channel = [3]",
            "[[channel]]\nport = 1\nname = 7\n",
            "[[channel]]\nport = 1\nsettings.start_mode = \"sometimes\"\n",
            "[[channel]\n",
        ] {
            std::fs::write(&file, text).expect("written");
            let error = Channels::load(file.clone(), vec![default_channel(1)]).expect_err(text).to_string();
            assert!(error.contains("channels.toml") && !error.contains('\n'), "{error}");
        }
        std::fs::write(&file, "[[channel]]\nport = 1\nsettings.off_hook_below_volts = -4\n")
            .expect("written");
        assert!(matches!(
            Channels::load(file, vec![default_channel(1)]),
            Err(ChannelError::Invalid { port: 1, .. })
        ));
    }
}
