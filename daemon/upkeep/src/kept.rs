//! The box's own files of settings, across releases (decision 9): members that this release does not know were written
//! by a newer one. They are told and passed over when a file is read, and stay in it when it is written again.

use std::path::{Path, PathBuf};

use recording::write_atomically;
use serde_json::{Map, Value as Json, json};
use toml::{Table, Value};

/// A file of settings that cannot be read, written or understood.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct KeptError {
    pub path: PathBuf,
    pub reason: String,
}

/// A TOML file as it lies on the disk; an absent one is empty.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    pub table: Table,
}

impl Kept {
    /// # Errors
    /// A file that cannot be read, or is no TOML.
    pub fn load(path: &Path) -> Result<Self, KeptError> {
        let kept = |table| Self { path: path.to_owned(), table };
        let wrong = |reason: String| KeptError { path: path.to_owned(), reason };
        match std::fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map(kept).map_err(|error| wrong(sentence(&error))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(kept(Table::new())),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// What `reason` says of this file.
    pub fn wrong(&self, reason: impl Into<String>) -> KeptError {
        KeptError { path: self.path.clone(), reason: reason.into() }
    }

    /// # Errors
    /// When the disk refuses; the file is then as it was.
    pub fn write(&self) -> Result<(), KeptError> {
        let failed =
            |error: &dyn std::fmt::Display| self.wrong(format!("the settings cannot be written: {error}"));
        let text = toml::to_string(&self.table).map_err(|error| failed(&error))?;
        write_atomically(&self.path, text.as_bytes()).map_err(|error| failed(&error))
    }

    /// One sentence to print for a member that `known` took out.
    pub fn passed_over(&self, member: &str) -> String {
        let path = self.path.display();
        format!("{path}: {member} is not known to this release: it is passed over, and stays in the file")
    }
}

/// One line of what TOML says is wrong.
pub fn sentence(error: &toml::de::Error) -> String {
    error.message().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `table` without what `template` does not have, and the names of those members. A template is a whole set of
/// settings as JSON; a list in it shows by one element what its elements are by default.
pub fn known(table: &Table, template: &Map<String, Json>) -> (Table, Vec<String>) {
    let (mut known, mut unknown) = (table.clone(), Vec::new());
    take_out(&mut known, template, "", &mut unknown);
    (known, unknown)
}

fn take_out(table: &mut Table, template: &Map<String, Json>, place: &str, unknown: &mut Vec<String>) {
    table.retain(|name, value| {
        let place = format!("{place}{name}");
        match (template.get(name), value) {
            (None, _) => {
                unknown.push(place);
                return false;
            }
            (Some(Json::Object(inner)), Value::Table(table)) => {
                take_out(table, inner, &format!("{place}."), unknown);
            }
            (Some(Json::Array(elements)), Value::Array(values)) => {
                let Some(Json::Object(inner)) = elements.first() else { return true };
                for (index, value) in values.iter_mut().enumerate() {
                    if let Value::Table(table) = value {
                        take_out(table, inner, &format!("{place}[{index}]."), unknown);
                    }
                }
            }
            _ => {}
        }
        true
    });
}

/// Makes the members of `template` in `table` what they are in `now`. Others stay: those of the elements of a list as
/// long as the element is otherwise the same.
pub fn overlay(table: &mut Table, mut now: Table, template: &Map<String, Json>) {
    for (name, shape) in template {
        let Some(new) = now.remove(name) else {
            table.remove(name);
            continue;
        };
        match (table.get_mut(name), new, shape) {
            (Some(Value::Table(old)), Value::Table(new), Json::Object(inner)) => overlay(old, new, inner),
            (Some(Value::Array(old)), Value::Array(new), Json::Array(elements)) => {
                let Some(Json::Object(inner)) = elements.first() else {
                    *old = new;
                    continue;
                };
                let same = |new: &Value, old: &Value| match (new, old) {
                    (Value::Table(new), Value::Table(old)) => same_members(new, old, inner),
                    _ => false,
                };
                let keep = |new: Value| old.iter().find(|old| same(&new, old)).cloned().unwrap_or(new);
                *old = new.into_iter().map(keep).collect();
            }
            (_, new, _) => {
                table.insert(name.clone(), new);
            }
        }
    }
}

/// Whether two elements of a list say the same; what one leaves out is as in the template.
fn same_members(one: &Table, other: &Table, template: &Map<String, Json>) -> bool {
    let value = |table: &Table, name: &str, default: &Json| match table.get(name) {
        Some(value) => json!(value),
        None => default.clone(),
    };
    template.iter().all(|(name, default)| {
        let (one, other) = (value(one, name, default), value(other, name, default));
        one == other || (one.is_number() && one.as_f64() == other.as_f64())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        toml::from_str(text).expect("TOML")
    }

    fn template() -> Map<String, Json> {
        let template = json!({"name": "", "zone": null, "inner": {"volts": 1.0}, "rules": [{"grade": ""}]});
        template.as_object().expect("an object").clone()
    }

    const FILE: &str = "name = \"a\"\ncolour = 1\n[inner]\nvolts = 2.0\namps = 3\n\
                        [[rules]]\ngrade = \"x\"\nwhy = \"y\"\n[[rules]]\ngrade = \"z\"\n";

    #[test]
    fn what_is_not_known_is_named_with_its_place() {
        let (known, unknown) = known(&table(FILE), &template());
        assert_eq!(unknown, ["colour", "inner.amps", "rules[0].why"]);
        assert_eq!(
            known,
            table("name = \"a\"\n[inner]\nvolts = 2.0\n[[rules]]\ngrade = \"x\"\n[[rules]]\ngrade = \"z\"\n")
        );
    }

    #[test]
    fn what_is_not_known_stays_beside_what_changes() {
        let mut kept = table(FILE);
        let now = table(
            "zone = \"UTC\"\n[inner]\nvolts = 4.0\n[[rules]]\ngrade = \"new\"\n[[rules]]\ngrade = \"x\"\n",
        );
        overlay(&mut kept, now, &template());
        let expected = "zone = \"UTC\"\ncolour = 1\n[inner]\nvolts = 4.0\namps = 3\n\
                        [[rules]]\ngrade = \"new\"\n[[rules]]\ngrade = \"x\"\nwhy = \"y\"\n";
        assert_eq!(kept, table(expected));
    }
}
