//! Reads the members of a JSON body one by one, so that every mistake names the member it is in. A member that
//! nobody asked for is refused: a misspelt one must not be passed over in silence.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::problem::{Code, Problem};

/// The members of a JSON object that have not been read yet.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
}

/// A member that may be left out, or be `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given<T> {
    Absent,
    Null,
    Value(T),
}

impl Fields {
    /// # Errors
    /// `json_malformed` with line and column; `field_invalid` when it is JSON, but not an object.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self { members }),
            Ok(_) => Err(Problem::field_invalid("body", "a JSON object")),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                let title = format!("The body is not JSON at line {line}, column {column}.");
                Err(Problem::new(Code::JsonMalformed, title).with("line", line).with("column", column))
            }
        }
    }

    /// Of an object within another.
    pub fn of(members: Map<String, Value>) -> Self {
        Self { members }
    }

    /// Reads a member as `parse` understands it; `expected` completes "must be …".
    pub fn optional<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Given<T>, Problem> {
        match self.members.remove(name) {
            None => Ok(Given::Absent),
            Some(Value::Null) => Ok(Given::Null),
            Some(value) => {
                parse(value).map(Given::Value).ok_or_else(|| Problem::field_invalid(name, expected))
            }
        }
    }

    /// As `optional`, but `null` is refused and leaving it out is `None`.
    pub fn maybe<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        match self.optional(name, expected, parse)? {
            Given::Absent => Ok(None),
            Given::Null => Err(Problem::field_invalid(name, expected)),
            Given::Value(value) => Ok(Some(value)),
        }
    }

    pub fn required<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(Value) -> Option<T>,
    ) -> Result<T, Problem> {
        self.maybe(name, expected, parse)?.ok_or_else(|| Problem::field_missing(name))
    }

    /// Text of so many characters, none of them a control character (new lines and tabs pass).
    pub fn text(&mut self, name: &str, characters: RangeInclusive<usize>) -> Result<Option<String>, Problem> {
        let expected = text_expected(&characters);
        self.maybe(name, &expected, |value| text_of(value, &characters))
    }

    pub fn required_text(
        &mut self,
        name: &str,
        characters: RangeInclusive<usize>,
    ) -> Result<String, Problem> {
        self.text(name, characters)?.ok_or_else(|| Problem::field_missing(name))
    }

    pub fn nullable_text(
        &mut self,
        name: &str,
        characters: RangeInclusive<usize>,
    ) -> Result<Given<String>, Problem> {
        let expected = text_expected(&characters);
        self.optional(name, &expected, |value| text_of(value, &characters))
    }

    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        self.maybe(name, "true or false", |value| value.as_bool())
    }

    /// A list of 1 to `most` things without repeats; a thing `parse` does not know is refused.
    pub fn list<T: PartialEq + Ord>(
        &mut self,
        name: &str,
        expected: &str,
        most: usize,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, Problem> {
        let expected = format!("a list of 1 to {most}: {expected}");
        self.required(name, &expected, |value| {
            let values = value.as_array()?;
            if values.is_empty() || values.len() > most {
                return None;
            }
            let list = values.iter().map(parse).collect::<Option<Vec<T>>>()?;
            let mut sorted: Vec<&T> = list.iter().collect();
            sorted.sort_unstable();
            let all_differ = sorted.windows(2).all(|pair| pair[0] != pair[1]);
            all_differ.then_some(list)
        })
    }

    /// An object whose members are somebody else's to judge.
    pub fn object(&mut self, name: &str) -> Result<Map<String, Value>, Problem> {
        self.required(name, "an object", |value| match value {
            Value::Object(members) => Some(members),
            _ => None,
        })
    }

    /// # Errors
    /// `field_unknown` for a member that was never asked for.
    pub fn finish(self) -> Result<(), Problem> {
        match self.members.keys().next() {
            Some(name) => Err(Problem::field_unknown(name)),
            None => Ok(()),
        }
    }
}

fn text_expected(characters: &RangeInclusive<usize>) -> String {
    format!("text of {} to {} characters", characters.start(), characters.end())
}

fn text_of(value: Value, characters: &RangeInclusive<usize>) -> Option<String> {
    let Value::String(text) = value else { return None };
    is_text(&text, characters).then_some(text)
}

/// Whether `text` has so many characters, none of them a control character but new lines and tabs.
pub fn is_text(text: &str, characters: &RangeInclusive<usize>) -> bool {
    let plain = !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    plain && characters.contains(&text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(text: &str) -> Fields {
        Fields::parse(text.as_bytes()).expect("an object")
    }

    fn code_and_field(problem: &Problem) -> (Code, &str) {
        (problem.code, problem.params.get("field").and_then(Value::as_str).unwrap_or("-"))
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        let problem = Fields::parse(b"{\"a\": 1,\n  nonsense}").expect_err("refused");
        assert_eq!(problem.code, Code::JsonMalformed);
        assert_eq!(problem.params["line"], 2);
        for text in ["[]", "3", "null", "\"x\""] {
            let problem = Fields::parse(text.as_bytes()).expect_err("refused");
            assert_eq!(problem.code, Code::FieldInvalid, "{text}");
        }
    }

    #[test]
    fn each_mistake_names_its_member() {
        let mut missing = fields("{}");
        let problem = missing.required_text("name", 1..=3).expect_err("refused");
        assert_eq!(code_and_field(&problem), (Code::FieldMissing, "name"));
        for wrong in [
            r#"{"name":""}"#,
            r#"{"name":"abcd"}"#,
            r#"{"name":3}"#,
            r#"{"name":null}"#,
            "{\"name\":\"\\u0000\"}",
        ] {
            let problem = fields(wrong).required_text("name", 1..=3).expect_err("refused");
            assert_eq!(code_and_field(&problem), (Code::FieldInvalid, "name"), "{wrong}");
        }
        let problem = fields(r#"{"colour":1}"#).finish().expect_err("refused");
        assert_eq!(code_and_field(&problem), (Code::FieldUnknown, "colour"));
    }

    #[test]
    fn absent_null_and_value_differ() {
        let mut given = fields(r#"{"note":null,"text":"a"}"#);
        assert_eq!(given.nullable_text("note", 0..=9).expect("read"), Given::Null);
        assert_eq!(given.nullable_text("text", 0..=9).expect("read"), Given::Value("a".into()));
        assert_eq!(given.nullable_text("other", 0..=9).expect("read"), Given::Absent);
    }

    #[test]
    fn lists_have_bounds_and_no_repeats() {
        let number = |value: &Value| value.as_u64();
        for (text, good) in [
            ("[1]", true),
            ("[1,2]", true),
            ("[]", false),
            ("[1,1]", false),
            ("[1,2,3]", false),
            ("[\"x\"]", false),
            ("7", false),
        ] {
            let mut body = fields(&format!("{{\"ids\":{text}}}"));
            assert_eq!(body.list("ids", "numbers", 2, number).is_ok(), good, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(mut fields) = Fields::parse(&bytes) {
                let _ = fields.text("a", 0..=10);
                let _ = fields.finish();
            }
        }
    }
}
