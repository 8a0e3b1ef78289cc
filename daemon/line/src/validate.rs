//! What a channel's settings may be: one table of ranges, used by the scenario reader, the settings file and the API.

use std::collections::BTreeSet;

use crate::event::{StartMode, StopMode};
use crate::machine::LONGEST_SEGMENT_S;
use crate::settings::ChannelSettings;
use crate::weekly::{WeeklySpan, minute_of_day};

/// A setting that no channel can have.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{field} is {value}; expected {expected}")]
pub struct SettingsError {
    field: &'static str,
    value: String,
    expected: String,
}

impl SettingsError {
    pub(crate) fn new(field: &'static str, value: impl ToString, expected: impl Into<String>) -> Self {
        Self { field, value: value.to_string(), expected: expected.into() }
    }

    /// The setting's name, as files and the API write it.
    pub fn field(&self) -> &'static str {
        self.field
    }

    pub fn value(&self) -> &str {
        &self.value
    }

    /// What would be right, for people.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}

/// Longest times: what must be looked back on is kept in memory for each port.
const SILENCE_STOP_S: (f32, f32) = (0.5, 60.0);
const LINE_LOST_AFTER_S: (f32, f32) = (0.5, 60.0);
const PRE_ROLL_S: (f32, f32) = (0.0, 30.0);
const MAX_LENGTH_S: (f32, f32) = (10.0, LONGEST_SEGMENT_S);
const VOLTS: (f32, f32) = (0.5, 150.0);
const HOOK_DEBOUNCE_MS: (u32, u32) = (10, 500);
const FLASH_MAX_MS: (u32, u32) = (100, 2000);
const VOICE_ABOVE_DBM0: (f32, f32) = (-60.0, 0.0);
const ALARM_AFTER_S: (u32, u32) = (0, 366 * 24 * 3600);
/// Numbers in a do-not-record list, spans in a list of times.
const LIST_LENGTH: usize = 1000;
const NUMBER_LENGTH: usize = 32;
const KEY_LENGTH: usize = 16;

impl ChannelSettings {
    /// Checks each setting's range and that they fit together.
    ///
    /// # Errors
    /// The first setting that is wrong: its name, its value and what would be right.
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.validate_stop_modes()?;
        self.validate_voltages()?;
        number("line_lost_after_s", self.line_lost_after_s, LINE_LOST_AFTER_S, "seconds")?;
        count("hook_debounce_ms", self.hook_debounce_ms, HOOK_DEBOUNCE_MS, "milliseconds")?;
        count("flash_max_ms", self.flash_max_ms, FLASH_MAX_MS, "milliseconds")?;
        number("silence_stop_s", self.silence_stop_s, SILENCE_STOP_S, "seconds")?;
        number("max_length_s", self.max_length_s, MAX_LENGTH_S, "seconds")?;
        number("pre_roll_s", self.pre_roll_s, PRE_ROLL_S, "seconds")?;
        number("voice_above_dbm0", self.voice_above_dbm0, VOICE_ABOVE_DBM0, "dBm0")?;
        if self.country.len() != 2 || !self.country.bytes().all(|b| b.is_ascii_lowercase()) {
            return Err(SettingsError::new(
                "country",
                quoted(&self.country),
                "a country's two small letters by ISO 3166-1, such as \"cn\"",
            ));
        }
        key("key_start", &self.key_start)?;
        key("key_stop", &self.key_stop)?;
        numbers("do_not_record", &self.do_not_record)?;
        spans("do_not_record_times", &self.do_not_record_times)?;
        spans("schedule", &self.schedule)?;
        count(
            "off_hook_alarm_after_s",
            self.off_hook_alarm_after_s,
            ALARM_AFTER_S,
            "seconds, 0 for no alarm",
        )?;
        count("no_call_alarm_after_s", self.no_call_alarm_after_s, ALARM_AFTER_S, "seconds, 0 for no alarm")
    }

    /// What an analog line cannot have.
    pub(crate) fn validate_analog(&self) -> Result<(), SettingsError> {
        if self.start_mode == StartMode::Signalling {
            return Err(SettingsError::new(
                "start_mode",
                quoted(self.start_mode.name()),
                "another mode: an analog line has no signalling channel",
            ));
        }
        if self.stop_modes.as_ref().is_some_and(|modes| modes.contains(&StopMode::Release)) {
            return Err(SettingsError::new(
                "stop_modes",
                quoted(StopMode::Release.name()),
                "other modes: an analog line has no signalling channel",
            ));
        }
        Ok(())
    }

    fn validate_stop_modes(&self) -> Result<(), SettingsError> {
        let Some(modes) = &self.stop_modes else { return Ok(()) };
        let fail = |value: String, expected: &str| Err(SettingsError::new("stop_modes", value, expected));
        if modes.iter().collect::<BTreeSet<_>>().len() != modes.len() {
            return fail(names(modes), "each mode once");
        }
        if let Some(mode) = modes.iter().find(|m| matches!(m, StopMode::Shutdown | StopMode::PowerLoss)) {
            return fail(
                quoted(mode.name()),
                "modes that can be chosen: shutdown and power loss always stop",
            );
        }
        // The length limit alone ends nothing: a continuation follows it.
        let ends = modes.iter().any(|mode| *mode != StopMode::Length);
        if !ends && self.start_mode != StartMode::Continuous {
            return fail(
                names(modes),
                "a mode beside length that ends a recording, such as on_hook or silence",
            );
        }
        Ok(())
    }

    fn validate_voltages(&self) -> Result<(), SettingsError> {
        number("off_hook_below_volts", self.off_hook_below_volts, VOLTS, "volts")?;
        number("line_lost_below_volts", self.line_lost_below_volts, VOLTS, "volts")?;
        number("ring_above_volts", self.ring_above_volts, VOLTS, "volts")?;
        if let Some(volts) = self.on_hook_above_volts {
            number("on_hook_above_volts", volts, VOLTS, "volts")?;
            if volts < self.off_hook_below_volts {
                let expected = format!("at least off_hook_below_volts ({})", self.off_hook_below_volts);
                return Err(SettingsError::new("on_hook_above_volts", volts, expected));
            }
        }
        if self.line_lost_below_volts >= self.off_hook_below_volts {
            let expected = format!("less than off_hook_below_volts ({})", self.off_hook_below_volts);
            return Err(SettingsError::new("line_lost_below_volts", self.line_lost_below_volts, expected));
        }
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    // Only the beginning: the sentence is for people, and the text came from outside.
    let shown: String = text.chars().take(40).collect();
    format!("{shown:?}")
}

fn names(modes: &[StopMode]) -> String {
    let names: Vec<&str> = modes.iter().map(|mode| mode.name()).take(12).collect();
    format!("[{}]", names.join(", "))
}

fn number(
    field: &'static str,
    value: f32,
    (least, most): (f32, f32),
    unit: &str,
) -> Result<(), SettingsError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(SettingsError::new(field, value, format!("{least} to {most} {unit}")))
}

fn count(
    field: &'static str,
    value: u32,
    (least, most): (u32, u32),
    unit: &str,
) -> Result<(), SettingsError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(SettingsError::new(field, value, format!("{least} to {most} {unit}")))
}

fn key(field: &'static str, code: &str) -> Result<(), SettingsError> {
    let dtmf = |byte: u8| byte.is_ascii_digit() || b"*#ABCD".contains(&byte);
    if (1..=KEY_LENGTH).contains(&code.len()) && code.bytes().all(dtmf) {
        return Ok(());
    }
    Err(SettingsError::new(field, quoted(code), format!("1 to {KEY_LENGTH} of the keys 0-9 * # A-D")))
}

fn numbers(field: &'static str, list: &[String]) -> Result<(), SettingsError> {
    if list.len() > LIST_LENGTH {
        let value = format!("a list of {}", list.len());
        return Err(SettingsError::new(field, value, format!("at most {LIST_LENGTH} numbers")));
    }
    for pattern in list {
        let digits = pattern.strip_suffix('*').unwrap_or(pattern);
        let right = (1..=NUMBER_LENGTH).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit() || b == b'#' || b == b'+');
        if !right {
            let expected = format!("1 to {NUMBER_LENGTH} digits, and a * behind them for any more digits");
            return Err(SettingsError::new(field, quoted(pattern), expected));
        }
    }
    Ok(())
}

fn spans(field: &'static str, list: &[WeeklySpan]) -> Result<(), SettingsError> {
    if list.len() > LIST_LENGTH {
        let value = format!("a list of {}", list.len());
        return Err(SettingsError::new(field, value, format!("at most {LIST_LENGTH} spans")));
    }
    for span in list {
        let days = &span.weekdays;
        if days.is_empty() || days.len() > 7 || days.iter().any(|day| !(1..=7).contains(day)) {
            let shown: Vec<u8> = days.iter().copied().take(8).collect();
            return Err(SettingsError::new(
                field,
                format!("weekdays {shown:?}"),
                "one to seven of the days 1 (Monday) to 7 (Sunday)",
            ));
        }
        if minute_of_day(&span.from).is_none_or(|minute| minute == 24 * 60) {
            return Err(SettingsError::new(field, quoted(&span.from), "a time HH:MM, 00:00 to 23:59"));
        }
        if minute_of_day(&span.to).is_none() {
            return Err(SettingsError::new(field, quoted(&span.to), "a time HH:MM, 00:00 to 24:00"));
        }
    }
    Ok(())
}
