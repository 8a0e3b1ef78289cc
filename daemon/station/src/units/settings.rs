//! Which capture units a box has, and which of its ports are theirs: `settings/units.toml`. The same unit keeps its ports
//! in whatever socket it is plugged; a change counts from the next start on.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use capture::{TrackLayout, UnitConfig, UnitPlace};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::kept::{self, Kept, KeptError};

/// A unit as a person set it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitSettings {
    /// As people call it, 1 to 32 characters; no two units have the same.
    pub name: String,
    /// Where it is: `{ kind = "line_tap", serial = "…" }` or `{ kind = "pcm", device = "…" }`.
    pub place: UnitPlace,
    /// The box's port of the unit's first line, 1 to 9,999; the others follow.
    pub first_port: u16,
    /// Lines that are used, from its first on: 1 to 64.
    pub lines: u16,
    /// Both sides of a line on a track of its own; PCM devices only.
    #[serde(default)]
    pub two_track: bool,
}

impl UnitSettings {
    pub fn ports(&self) -> std::ops::Range<u16> {
        self.first_port..self.first_port.saturating_add(self.lines)
    }

    pub fn layout(&self) -> TrackLayout {
        if self.two_track { TrackLayout::TwoTrack } else { TrackLayout::Mono }
    }

    pub(crate) fn config(&self) -> UnitConfig {
        UnitConfig { place: self.place.clone(), lines: self.lines, tracks: self.tracks() }
    }

    /// Tracks that the unit has to give.
    pub fn tracks(&self) -> u16 {
        self.lines * self.layout().tracks() as u16
    }
}

#[derive(Debug, thiserror::Error)]
pub enum UnitSettingsError {
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    #[error(transparent)]
    File(#[from] KeptError),
}

const NAME_CHARACTERS: usize = 32;
const PLACE_CHARACTERS: usize = 128;
const MOST_UNITS: usize = 64;
const MOST_LINES: u16 = 64;
const MOST_PORTS: u16 = 512;
const LAST_PORT: u16 = 9_999;
/// The one member of the file.
const LIST: &str = "unit";

/// The units of the box, and the file that they are kept in.
#[derive(Debug)]
pub struct UnitBook {
    file: PathBuf,
    /// As they were when the station started, and as they are set now.
    at_start: Vec<UnitSettings>,
    now: Mutex<Vec<UnitSettings>>,
}

impl UnitBook {
    /// Reads the file; without one the box has no units. Members that this release does not know are told on the
    /// console, kept, and passed over.
    ///
    /// # Errors
    /// A file that cannot be read, or says what cannot be.
    pub fn load(file: PathBuf) -> Result<Self, UnitSettingsError> {
        let kept = Kept::load(&file)?;
        let (_, unknown) = kept::known(&kept.table, &Map::from_iter([(LIST.to_owned(), Value::Null)]));
        unknown.iter().for_each(|member| eprintln!("{}", kept.passed_over(member)));
        let tables = match kept.table.get(LIST) {
            None => Vec::new(),
            Some(list) => list
                .as_array()
                .and_then(|list| list.iter().map(toml::Value::as_table).collect::<Option<Vec<_>>>())
                .ok_or_else(|| kept.wrong(format!("{LIST} must be a list of tables")))?,
        };
        let mut units: Vec<UnitSettings> = Vec::with_capacity(tables.len());
        for (index, table) in tables.into_iter().enumerate() {
            let (known, unknown) = kept::known(table, &template());
            unknown.iter().for_each(|member| {
                eprintln!("{}", kept.passed_over(&format!("{LIST} {}: {member}", index + 1)))
            });
            let unit = known.try_into().map_err(|error: toml::de::Error| {
                kept.wrong(format!("{LIST} {}: {}", index + 1, kept::sentence(&error)))
            })?;
            units.push(unit);
        }
        check(&units).map_err(|error| kept.wrong(error.to_string()))?;
        units.sort_by_key(|unit| unit.first_port);
        Ok(Self { file, at_start: units.clone(), now: Mutex::new(units) })
    }

    /// As they are set now, in the order of their ports.
    pub fn now(&self) -> Vec<UnitSettings> {
        self.lock().clone()
    }

    /// Whether what is set waits for the next start.
    pub fn restart_needed(&self) -> bool {
        *self.lock() != self.at_start
    }

    /// Sets the box's units, all of them. Returns them before and after.
    ///
    /// # Errors
    /// What cannot be, by its place in the list; a disk that refuses.
    pub fn change(
        &self,
        mut units: Vec<UnitSettings>,
    ) -> Result<(Vec<UnitSettings>, Vec<UnitSettings>), UnitSettingsError> {
        check(&units)?;
        units.sort_by_key(|unit| unit.first_port);
        let mut now = self.lock();
        let mut kept = Kept::load(&self.file)?;
        let tables: Result<Vec<_>, _> = units.iter().map(toml::Value::try_from).collect();
        let tables = tables.map_err(|error| kept.wrong(format!("the units cannot be written: {error}")))?;
        kept.table.insert(LIST.to_owned(), toml::Value::Array(tables));
        kept.write()?;
        Ok((std::mem::replace(&mut *now, units.clone()), units))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<UnitSettings>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every member that this release knows, of each kind.
fn template() -> Map<String, Value> {
    let members = json!({"name": "", "place": {"kind": "", "serial": "", "device": ""}, "first_port": 0, "lines": 0, "two_track": false});
    members.as_object().cloned().unwrap_or_default()
}

fn check(units: &[UnitSettings]) -> Result<(), UnitSettingsError> {
    let invalid = |field: String, reason: String| UnitSettingsError::Invalid { field, reason };
    if units.len() > MOST_UNITS {
        return Err(invalid("units".into(), format!("expected at most {MOST_UNITS} units")));
    }
    for (index, unit) in units.iter().enumerate() {
        let wrong = |member: &str, reason: String| Err(invalid(format!("units[{index}].{member}"), reason));
        let name = unit.name.trim();
        if name.is_empty()
            || name != unit.name
            || has_controls(name)
            || name.chars().count() > NAME_CHARACTERS
        {
            return wrong("name", format!("expected 1 to {NAME_CHARACTERS} characters on one line"));
        }
        let (member, text) = match &unit.place {
            UnitPlace::LineTap { serial } => ("place.serial", serial),
            UnitPlace::Pcm { device } => ("place.device", device),
        };
        if text.trim().is_empty() || has_controls(text) || text.chars().count() > PLACE_CHARACTERS {
            return wrong(member, format!("expected 1 to {PLACE_CHARACTERS} characters on one line"));
        }
        if !(1..=MOST_LINES).contains(&unit.lines) || unit.tracks() > MOST_LINES {
            return wrong(
                "lines",
                format!("expected 1 to {MOST_LINES} tracks, and each two-track line has two"),
            );
        }
        if unit.first_port == 0 || unit.ports().end > LAST_PORT + 1 {
            return wrong("first_port", format!("expected ports from 1 to {LAST_PORT}"));
        }
        if unit.two_track && matches!(unit.place, UnitPlace::LineTap { .. }) {
            return wrong("two_track", "a line tap has both sides of a line on one track".into());
        }
        for other in &units[..index] {
            if other.name == unit.name {
                return wrong("name", format!("there is a unit {:?} already", unit.name));
            }
            if other.place == unit.place {
                return wrong(member, format!("it is the unit {:?} already", other.name));
            }
            if other.ports().start < unit.ports().end && unit.ports().start < other.ports().end {
                return wrong("first_port", format!("its ports are also those of {:?}", other.name));
            }
        }
    }
    let ports: u32 = units.iter().map(|unit| u32::from(unit.lines)).sum();
    if ports > MOST_PORTS.into() {
        return Err(invalid("units".into(), format!("expected at most {MOST_PORTS} ports on a box")));
    }
    Ok(())
}

fn has_controls(text: &str) -> bool {
    text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tap(name: &str, first_port: u16, lines: u16) -> UnitSettings {
        let place = UnitPlace::LineTap { serial: format!("S-{name}") };
        UnitSettings { name: name.into(), place, first_port, lines, two_track: false }
    }

    fn card(name: &str, first_port: u16, lines: u16, two_track: bool) -> UnitSettings {
        let place = UnitPlace::Pcm { device: format!("hw:{name}") };
        UnitSettings { name: name.into(), place, first_port, lines, two_track }
    }

    #[test]
    fn units_are_kept_and_count_from_the_next_start_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("units.toml");
        let book = UnitBook::load(file.clone()).expect("no file is no unit");
        assert!(book.now().is_empty() && !book.restart_needed());
        let (before, after) = book.change(vec![card("b", 17, 4, true), tap("a", 1, 16)]).expect("set");
        assert_eq!((before.len(), after[0].name.as_str(), after[1].tracks()), (0, "a", 8));
        assert!(book.restart_needed() && book.at_start.is_empty());
        let again = UnitBook::load(file).expect("read");
        assert_eq!((again.now(), again.restart_needed()), (after, false));
    }

    #[test]
    fn what_cannot_be_is_named_and_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let book = UnitBook::load(folder.path().join("units.toml")).expect("a book");
        book.change(vec![tap("a", 1, 16)]).expect("set");
        for (units, field) in [
            (vec![tap("", 1, 1)], "units[0].name"),
            (vec![tap("a\nb", 1, 1)], "units[0].name"),
            (vec![tap("a", 0, 1)], "units[0].first_port"),
            (vec![tap("a", 9_999, 2)], "units[0].first_port"),
            (vec![tap("a", 1, 0)], "units[0].lines"),
            (vec![tap("a", 1, 65)], "units[0].lines"),
            (vec![card("a", 1, 33, true)], "units[0].lines"),
            (vec![UnitSettings { two_track: true, ..tap("a", 1, 1) }], "units[0].two_track"),
            (vec![tap("a", 1, 4), tap("a", 9, 4)], "units[1].name"),
            (vec![tap("a", 1, 4), tap("b", 4, 4)], "units[1].first_port"),
            (
                vec![tap("a", 1, 4), UnitSettings { name: "b".into(), ..tap("a", 9, 4) }],
                "units[1].place.serial",
            ),
            (
                vec![UnitSettings { place: UnitPlace::Pcm { device: " ".into() }, ..tap("a", 1, 1) }],
                "units[0].place.device",
            ),
            ((0..9).map(|n| tap(&n.to_string(), 1 + n * 64, 64)).collect(), "units"),
        ] {
            match book.change(units) {
                Err(UnitSettingsError::Invalid { field: found, .. }) => assert_eq!(found, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        assert_eq!(book.now(), [tap("a", 1, 16)]);
    }

    #[test]
    fn a_file_by_hand_is_put_in_the_order_of_the_ports() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("units.toml");
        let unit = |name: &str, port: u16| {
            format!(
                "[[unit]]\nname = \"{name}\"\nplace = {{ kind = \"pcm\", device = \"{name}\" }}\nfirst_port = {port}\nlines = 2\n"
            )
        };
        std::fs::write(&file, unit("b", 9) + &unit("a", 1)).expect("written");
        let book = UnitBook::load(file).expect("read");
        assert_eq!(book.now().iter().map(|unit| unit.first_port).collect::<Vec<_>>(), [1, 9]);
        assert!(!book.restart_needed());
    }

    #[test]
    fn members_of_a_newer_release_are_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("units.toml");
        let text = "[[unit]]\nname = \"a\"\nplace = { kind = \"line_tap\", serial = \"1\" }\nfirst_port = 1\nlines = 4\ncolour = 3\n";
        std::fs::write(&file, text).expect("written");
        assert_eq!(UnitBook::load(file.clone()).expect("read").now()[0].lines, 4);
        std::fs::write(&file, text.replace("line_tap", "radio")).expect("written");
        let sentence = UnitBook::load(file).expect_err("no such kind").to_string();
        assert!(sentence.contains("unit 1") && sentence.contains("radio"), "{sentence}");
    }
}
