//! Settings of the box as a whole: `settings/box.toml`, what of it is in force, and changes by the pages.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use catalog::Grade;
use chrono_tz::Tz;
use recording::Codec;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use upkeep::clock::zone_named;
use upkeep::vitals::Limits;

use crate::kept::{self, Kept, KeptError};

/// What stands in `box.toml`; every member has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoxSettings {
    /// 1 to 64 characters.
    pub name: String,
    /// IANA name such as `Asia/Shanghai`; absent: the system's.
    pub time_zone: Option<String>,
    /// Of recordings; another one counts from the next start on.
    pub codec: Codec,
    /// Grades that recordings get by themselves; the first rule that fits counts.
    pub grade_rules: Vec<GradeRule>,
    /// Alarm below this share of free space, 0 to 90 percent.
    pub disk_nearly_full_percent: f64,
    /// Alarm above this share of the processors' time, 10 to 100 percent.
    pub cpu_high_percent: f64,
    /// Alarm above this share of the memory, 10 to 100 percent.
    pub memory_high_percent: f64,
    /// Alarm when a sensor of the box is hotter, 30 to 150 °C.
    pub temperature_high_celsius: f64,
    /// How long one of these three must last without a break, 0 to 86,400 seconds.
    pub high_for_s: u32,
}

/// Gives a grade to recordings for which all that is set is true (ST-10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeRule {
    pub grade: Grade,
    /// Empty: every port.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Peer or line number; a trailing `*` stands for any digits. Empty: every number, and none.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// Without pre-roll; 0 to 86,400.
    #[serde(default)]
    pub least_length_s: f64,
}

impl Default for BoxSettings {
    fn default() -> Self {
        Self {
            name: "Hookline".into(),
            time_zone: None,
            codec: Codec::ALaw,
            grade_rules: Vec::new(),
            disk_nearly_full_percent: 10.0,
            cpu_high_percent: 90.0,
            memory_high_percent: 90.0,
            temperature_high_celsius: 85.0,
            high_for_s: 300,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BoxSettingsError {
    /// A setting that no box can have.
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    #[error(transparent)]
    File(#[from] KeptError),
}

fn invalid(field: impl Into<String>, reason: impl Into<String>) -> BoxSettingsError {
    BoxSettingsError::Invalid { field: field.into(), reason: reason.into() }
}

const NAME_CHARACTERS: usize = 64;
const MOST_RULES: usize = 100;
/// Ports, and numbers, that one rule can name.
const MOST_IN_RULE: usize = 1000;
const NUMBER_LENGTH: usize = 32;
const MOST_LENGTH_S: f64 = 86_400.0;

impl BoxSettings {
    /// Reads the file. Members that this release does not know are told on the console, kept, and passed over.
    ///
    /// # Errors
    /// A file that cannot be read, or says something no box can have.
    pub fn load(path: &Path) -> Result<Self, BoxSettingsError> {
        let kept = Kept::load(path)?;
        let (known, unknown) = kept::known(&kept.table, &template());
        unknown.iter().for_each(|member| eprintln!("{}", kept.passed_over(member)));
        let settings: Self =
            known.try_into().map_err(|error: toml::de::Error| kept.wrong(kept::sentence(&error)))?;
        settings.validate().map_err(|error| kept.wrong(error.to_string()))?;
        Ok(settings)
    }

    /// # Errors
    /// `Invalid` with the first setting that is wrong.
    pub fn validate(&self) -> Result<(), BoxSettingsError> {
        let plain = !self.name.trim().is_empty() && !self.name.contains(char::is_control);
        if !plain || self.name.chars().count() > NAME_CHARACTERS {
            return Err(invalid("name", format!("expected 1 to {NAME_CHARACTERS} characters on one line")));
        }
        if let Some(zone) = &self.time_zone
            && zone.parse::<Tz>().is_err()
        {
            return Err(invalid(
                "time_zone",
                format!("expected a name such as \"Asia/Shanghai\", not {zone:?}"),
            ));
        }
        for (field, value, least, most) in [
            ("disk_nearly_full_percent", self.disk_nearly_full_percent, 0.0, 90.0),
            ("cpu_high_percent", self.cpu_high_percent, 10.0, 100.0),
            ("memory_high_percent", self.memory_high_percent, 10.0, 100.0),
            ("temperature_high_celsius", self.temperature_high_celsius, 30.0, 150.0),
            ("high_for_s", self.high_for_s.into(), 0.0, 86_400.0),
        ] {
            if !(least..=most).contains(&value) {
                return Err(invalid(field, format!("expected {least} to {most}")));
            }
        }
        if self.grade_rules.len() > MOST_RULES {
            return Err(invalid("grade_rules", format!("expected at most {MOST_RULES} rules")));
        }
        self.grade_rules.iter().enumerate().try_for_each(|(index, rule)| {
            rule.validate()
                .map_err(|(member, reason)| invalid(format!("grade_rules[{index}].{member}"), reason))
        })
    }

    /// The settings with the members of `patch`.
    ///
    /// # Errors
    /// `Invalid` with the first member that is wrong or that no box has.
    fn patched(&self, patch: &Map<String, Value>) -> Result<Self, BoxSettingsError> {
        let mut whole = object(json!(self));
        let mut result = self.clone();
        // One member at a time, so that a mistake names the member it is in.
        for (field, value) in patch {
            if field == "grade_rules" {
                check_rules(value)?;
            }
            whole.insert(field.clone(), value.clone());
            result = serde_json::from_value(Value::Object(whole.clone()))
                .map_err(|error| invalid(field, error.to_string()))?;
        }
        result.validate()?;
        Ok(result)
    }

    /// The zone of the box; UTC where neither the file nor the system says one.
    pub fn zone(&self) -> Tz {
        zone_named(self.time_zone.as_deref())
    }

    pub(crate) fn load_limits(&self) -> Limits {
        Limits {
            cpu_percent: self.cpu_high_percent,
            memory_percent: self.memory_high_percent,
            temperature_celsius: self.temperature_high_celsius,
            high_for: Duration::from_secs(self.high_for_s.into()),
        }
    }

    /// The grade that the rules give to a record, if any.
    pub fn grade_of(&self, facts: &recording::Facts) -> Option<Grade> {
        let seconds = facts.samples.saturating_sub(u64::from(facts.pre_roll_samples)) as f64
            / f64::from(facts.rate_hz.max(1));
        let rule = self.grade_rules.iter().find(|rule| {
            let number_fits = |number: &Option<String>| {
                number.as_ref().is_some_and(|number| rule.numbers.iter().any(|pattern| fits(pattern, number)))
            };
            (rule.ports.is_empty() || rule.ports.contains(&facts.port))
                && (rule.numbers.is_empty()
                    || number_fits(&facts.peer_number)
                    || number_fits(&facts.line_number))
                && seconds >= rule.least_length_s
        })?;
        Some(rule.grade)
    }
}

/// Names the rule that cannot be read.
fn check_rules(rules: &Value) -> Result<(), BoxSettingsError> {
    let rules = rules.as_array().ok_or_else(|| invalid("grade_rules", "expected a list of rules"))?;
    rules.iter().enumerate().try_for_each(|(index, rule)| {
        let read = GradeRule::deserialize(rule);
        read.map(drop).map_err(|error| invalid(format!("grade_rules[{index}]"), error.to_string()))
    })
}

impl GradeRule {
    /// What is wrong with which member.
    fn validate(&self) -> Result<(), (&'static str, String)> {
        if self.ports.len() > MOST_IN_RULE {
            return Err(("ports", format!("expected at most {MOST_IN_RULE} ports")));
        }
        if self.numbers.len() > MOST_IN_RULE {
            return Err(("numbers", format!("expected at most {MOST_IN_RULE} numbers")));
        }
        if let Some(wrong) = self.numbers.iter().find(|pattern| !is_pattern(pattern)) {
            let expected = format!("expected 1 to {NUMBER_LENGTH} digits, + or #, or a beginning and *");
            return Err(("numbers", format!("{expected}, not {wrong:?}")));
        }
        if !(0.0..=MOST_LENGTH_S).contains(&self.least_length_s) {
            return Err(("least_length_s", format!("expected 0 to {MOST_LENGTH_S} seconds")));
        }
        Ok(())
    }
}

fn is_pattern(pattern: &str) -> bool {
    let digits = pattern.strip_suffix('*').unwrap_or(pattern);
    !pattern.is_empty()
        && pattern.len() <= NUMBER_LENGTH
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b"+#*".contains(&byte))
}

/// Settings with every member that this release knows.
fn template() -> Map<String, Value> {
    let rule =
        GradeRule { grade: Grade::Normal, ports: Vec::new(), numbers: Vec::new(), least_length_s: 0.0 };
    object(json!(BoxSettings { grade_rules: vec![rule], ..BoxSettings::default() }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The settings in force, and the file that keeps them. Whoever asks gets them as they are at that moment.
#[derive(Debug)]
pub struct BoxBook {
    file: PathBuf,
    at_start: Arc<BoxSettings>,
    now: Mutex<Arc<BoxSettings>>,
    /// Held while the file is read, judged and written.
    writing: Mutex<()>,
}

impl BoxBook {
    /// # Errors
    /// Those of [`BoxSettings::load`].
    pub fn load(file: PathBuf) -> Result<Self, BoxSettingsError> {
        let at_start = Arc::new(BoxSettings::load(&file)?);
        Ok(Self { file, now: Mutex::new(at_start.clone()), at_start, writing: Mutex::new(()) })
    }

    /// Waits for nothing but other callers of `now`.
    pub fn now(&self) -> Arc<BoxSettings> {
        lock(&self.now).clone()
    }

    /// Settings that are set, but not in force before the next start.
    pub fn restart_needed(&self) -> Vec<&'static str> {
        if self.now().codec == self.at_start.codec { Vec::new() } else { vec!["codec"] }
    }

    /// Sets the members of `patch`, all or none: in the file first, so that what the pages show as set survives the
    /// next power cut. `apply` is told the new settings before another change can come. Returns the settings before
    /// and after.
    ///
    /// # Errors
    /// `Invalid` with the member that is wrong; `File` when the disk refuses.
    pub fn change(
        &self,
        patch: &Map<String, Value>,
        apply: impl FnOnce(&BoxSettings),
    ) -> Result<(Arc<BoxSettings>, Arc<BoxSettings>), BoxSettingsError> {
        let _one_at_a_time = lock(&self.writing);
        let before = self.now();
        let after = Arc::new(before.patched(patch)?);
        let mut kept = Kept::load(&self.file)?;
        let table = toml::Table::try_from(&*after)
            .map_err(|error| kept.wrong(format!("the settings cannot be written: {error}")))?;
        kept::overlay(&mut kept.table, table, &template());
        kept.write()?;
        *lock(&self.now) = after.clone();
        apply(&after);
        Ok((before, after))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fits(pattern: &str, number: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => number.starts_with(beginning),
        None => pattern == number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<BoxSettings, BoxSettingsError> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("box.toml");
        std::fs::write(&path, text).expect("written");
        BoxSettings::load(&path)
    }

    #[test]
    fn a_wrong_setting_is_refused_in_one_sentence() {
        for text in [
            "time_zone = \"Mars/Base\"",
            "disk_nearly_full_percent = 99",
            "disk_nearly_full_percent = nan",
            "cpu_high_percent = 101",
            "memory_high_percent = nan",
            "temperature_high_celsius = 8.5",
            "high_for_s = -1",
            "high_for_s = 100000",
            "codec = \"mp9\"",
            "name = ",
            "name = \"\"",
            "name = \"a\\nb\"",
            "grade_rules = 3",
            "[[grade_rules]]\nports = [1]",
            "[[grade_rules]]\ngrade = \"golden\"",
            "[[grade_rules]]\ngrade = \"permanent\"\nnumbers = [\"1x\"]",
        ] {
            let error = load(text).expect_err(text).to_string();
            assert!(error.contains("box.toml") && !error.contains('\n'), "{error}");
        }
        assert_eq!(load("").expect("loads"), BoxSettings::default());
        assert_eq!(load("time_zone = \"Asia/Shanghai\"").expect("loads").zone(), Tz::Asia__Shanghai);
    }

    fn patch(value: Value) -> Map<String, Value> {
        object(value)
    }

    #[test]
    fn changes_count_at_once_and_survive_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("box.toml");
        let book = BoxBook::load(path.clone()).expect("loads");
        let rule = json!({"grade": "important", "ports": [1, 2], "numbers": ["110*"], "least_length_s": 60});
        let change = patch(json!({"name": "Duty room", "time_zone": "Asia/Shanghai", "grade_rules": [rule]}));
        let (before, after) = book.change(&change, |_| {}).expect("changed");
        assert_eq!((before.name.as_str(), after.name.as_str()), ("Hookline", "Duty room"));
        assert_eq!(book.now().grade_rules[0].grade, Grade::Important);
        assert!(book.restart_needed().is_empty());
        book.change(&patch(json!({"codec": "linear", "time_zone": null})), |_| {}).expect("changed");
        assert_eq!(book.restart_needed(), ["codec"]);
        let again = BoxBook::load(path).expect("loads");
        assert_eq!(again.now(), book.now());
        assert_eq!((again.now().time_zone.as_ref(), again.now().codec), (None, Codec::Linear));
        assert!(again.restart_needed().is_empty());
    }

    #[test]
    fn a_wrong_member_changes_nothing_and_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let book = BoxBook::load(dir.path().join("box.toml")).expect("loads");
        let rule = |member: &str, value: Value| {
            let mut rule = patch(json!({"grade": "normal"}));
            rule.insert(member.into(), value);
            json!({"grade_rules": [{"grade": "permanent"}, rule]})
        };
        for (change, field) in [
            (json!({"colour": 1}), "colour"),
            (json!({"name": "x", "codec": "mp9"}), "codec"),
            (json!({"name": null}), "name"),
            (json!({"name": "x".repeat(65)}), "name"),
            (json!({"time_zone": "Mars"}), "time_zone"),
            (json!({"disk_nearly_full_percent": -1}), "disk_nearly_full_percent"),
            (json!({"grade_rules": {}}), "grade_rules"),
            (json!({"grade_rules": vec![json!({"grade": "normal"}); 101]}), "grade_rules"),
            (rule("grade", json!("golden")), "grade_rules[1]"),
            (rule("ports", json!([70_000])), "grade_rules[1]"),
            (rule("colour", json!(1)), "grade_rules[1]"),
            (rule("numbers", json!([""])), "grade_rules[1].numbers"),
            (rule("numbers", json!(vec!["1"; 1001])), "grade_rules[1].numbers"),
            (rule("least_length_s", json!(-1)), "grade_rules[1].least_length_s"),
        ] {
            match book.change(&patch(change), |_| {}) {
                Err(BoxSettingsError::Invalid { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        assert_eq!(*book.now(), BoxSettings::default());
        assert!(!dir.path().join("box.toml").exists());
    }

    #[test]
    fn a_file_of_a_newer_release_is_read_and_loses_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("box.toml");
        let text = "name = \"a\"\ncolour = 1\n[[grade_rules]]\ngrade = \"important\"\nweekdays = [1]\n";
        std::fs::write(&path, text).expect("written");
        let book = BoxBook::load(path.clone()).expect("loads");
        assert_eq!((book.now().name.as_str(), book.now().grade_rules.len()), ("a", 1));
        book.change(&patch(json!({"name": "b"})), |_| {}).expect("changed");
        let kept: toml::Table = toml::from_str(&std::fs::read_to_string(&path).expect("read")).expect("TOML");
        assert_eq!((kept["name"].as_str(), kept["colour"].as_integer()), (Some("b"), Some(1)));
        assert_eq!(kept["grade_rules"][0]["weekdays"][0].as_integer(), Some(1));
    }

    #[test]
    fn a_number_pattern_fits_whole_numbers_or_beginnings() {
        for (pattern, number, good) in [
            ("110", "110", true),
            ("110", "1100", false),
            ("110*", "1100", true),
            ("*", "1", true),
            ("11*", "1", false),
        ] {
            assert_eq!(fits(pattern, number), good, "{pattern} {number}");
        }
    }
}
