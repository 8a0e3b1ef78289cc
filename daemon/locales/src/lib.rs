//! The words of the pages, for mails and files: the same word for the same code wherever a person reads it. They are
//! written in `webui/src/locales` alone, and compiled in from there.

use std::sync::LazyLock;

use serde_json::{Map, Value};

/// Languages of pages, mails and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// 简体中文
    Simplified,
    /// 繁體中文
    Traditional,
    #[default]
    English,
}

static SIMPLIFIED: LazyLock<Value> =
    LazyLock::new(|| read(include_str!("../../../webui/src/locales/zh-CN.json")));
static TRADITIONAL: LazyLock<Value> =
    LazyLock::new(|| read(include_str!("../../../webui/src/locales/zh-TW.json")));
static ENGLISH: LazyLock<Value> = LazyLock::new(|| read(include_str!("../../../webui/src/locales/en.json")));

/// A file that is no JSON has no words; tests read all three.
fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

impl Language {
    pub const ALL: &[Self] = &[Self::Simplified, Self::Traditional, Self::English];

    /// BCP 47, as the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simplified => "zh-CN",
            Self::Traditional => "zh-TW",
            Self::English => "en",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|language| language.name() == name)
    }

    /// One of three texts, in the order of [`Language::ALL`].
    pub fn of(self, [simplified, traditional, english]: [&'static str; 3]) -> &'static str {
        match self {
            Self::Simplified => simplified,
            Self::Traditional => traditional,
            Self::English => english,
        }
    }

    /// The pages' word at this place; `None`: they have none.
    pub fn word(self, place: &[&str]) -> Option<&'static str> {
        let all: &'static Value = match self {
            Self::Simplified => &SIMPLIFIED,
            Self::Traditional => &TRADITIONAL,
            Self::English => &ENGLISH,
        };
        place.iter().try_fold(all, |value, name| value.get(name))?.as_str()
    }

    /// The pages' sentence at this place with its parameters.
    pub fn sentence(self, place: &[&str], params: &Map<String, Value>) -> Option<String> {
        Some(filled(self.word(place)?, params))
    }
}

/// `text` with each `{name}` replaced by that parameter; one that is not there stays as it is written.
pub fn filled(text: &str, params: &Map<String, Value>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        match params.get(name) {
            Some(Value::String(value)) => out.push_str(value),
            Some(value) => out.push_str(&value.to_string()),
            None => out.extend(["{", name, "}"]),
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn params(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn every_language_has_the_words_of_the_pages() {
        let words: Vec<_> =
            Language::ALL.iter().map(|one| one.word(&["severity", "critical"]).expect("a word")).collect();
        assert_eq!(words, ["严重", "嚴重", "Critical"]);
        assert_eq!(Language::English.word(&["severity"]), None, "not a word, but a section");
        assert_eq!(Language::English.word(&["severity", "of a newer release"]), None);
        for language in Language::ALL {
            assert_eq!(Language::from_name(language.name()), Some(*language));
        }
        assert_eq!(Language::from_name("zh"), None);
    }

    #[test]
    fn parameters_stand_where_they_are_named() {
        let sentence = Language::Simplified.sentence(&["alarm_channel"], &params(json!({"port": 3})));
        assert_eq!(sentence.as_deref(), Some("通道[3]"));
        let given = params(json!({"a": "x{b}", "b": 1.5}));
        assert_eq!(filled("{a}/{b}/{c}/{", &given), "x{b}/1.5/{c}/{");
    }

    /// What this room can fill in is all that alarms need: no plural forms, no links.
    #[test]
    fn words_of_alarms_are_plain() {
        for all in [&*SIMPLIFIED, &*TRADITIONAL, &*ENGLISH] {
            for section in ["alarm", "severity", "call_type"] {
                let text = all[section].to_string();
                assert!(text.len() > 20 && !text.contains(['|', '@']), "{section}: {text}");
            }
        }
    }
}
