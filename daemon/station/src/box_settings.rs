//! Settings of the box as a whole: `settings/box.toml`.

use std::path::{Path, PathBuf};

use catalog::Grade;
use chrono_tz::Tz;
use recording::Codec;
use serde::Deserialize;

/// What stands in `box.toml`; every member has a default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoxSettings {
    pub name: String,
    /// IANA name such as `Asia/Shanghai`; absent: the system's.
    pub time_zone: Option<String>,
    pub codec: Codec,
    /// Grades that recordings get by themselves; the first rule that fits counts.
    pub grade_rule: Vec<GradeRule>,
    /// Alarm below this share of free space, in percent.
    pub disk_nearly_full_percent: f64,
}

/// Gives a grade to recordings for which all that is set is true (ST-10).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeRule {
    pub grade: Grade,
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Peer or line number; a trailing `*` stands for any digits.
    #[serde(default)]
    pub numbers: Vec<String>,
    #[serde(default)]
    pub least_length_s: f64,
}

impl Default for BoxSettings {
    fn default() -> Self {
        Self {
            name: "Hookline".into(),
            time_zone: None,
            codec: Codec::ALaw,
            grade_rule: Vec::new(),
            disk_nearly_full_percent: 10.0,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct BoxSettingsError {
    path: PathBuf,
    reason: String,
}

impl BoxSettings {
    /// # Errors
    /// A file that cannot be read, or says something no box can have.
    pub fn load(path: &Path) -> Result<Self, BoxSettingsError> {
        let wrong = |reason: String| BoxSettingsError { path: path.to_owned(), reason };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let settings: Self = toml::from_str(&text)
            .map_err(|error| wrong(error.message().split_whitespace().collect::<Vec<_>>().join(" ")))?;
        if !(0.0..=90.0).contains(&settings.disk_nearly_full_percent) {
            return Err(wrong("disk_nearly_full_percent: expected 0 to 90".into()));
        }
        if let Some(zone) = &settings.time_zone
            && zone.parse::<Tz>().is_err()
        {
            return Err(wrong(format!("time_zone = {zone:?}: expected a name such as \"Asia/Shanghai\"")));
        }
        Ok(settings)
    }

    /// The zone of the box; UTC where neither the file nor the system says one.
    pub fn zone(&self) -> Tz {
        let system = || iana_time_zone::get_timezone().ok();
        self.time_zone.clone().or_else(system).and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
    }

    /// The grade that the rules give to a record, if any.
    pub fn grade_of(&self, facts: &recording::Facts) -> Option<Grade> {
        let seconds = facts.samples.saturating_sub(u64::from(facts.pre_roll_samples)) as f64
            / f64::from(facts.rate_hz.max(1));
        let rule = self.grade_rule.iter().find(|rule| {
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
            "colour = 1",
            "time_zone = \"Mars/Base\"",
            "disk_nearly_full_percent = 99",
            "codec = \"mp9\"",
            "name = ",
        ] {
            let error = load(text).expect_err(text).to_string();
            assert!(error.contains("box.toml") && !error.contains('\n'), "{error}");
        }
        assert_eq!(load("").expect("loads"), BoxSettings::default());
        assert_eq!(load("time_zone = \"Asia/Shanghai\"").expect("loads").zone(), Tz::Asia__Shanghai);
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
