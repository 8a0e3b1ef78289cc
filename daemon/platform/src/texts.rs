//! What a station says in words is cut at the door: it stands in memory, in the trail, in alarms and on every page.

use serde_json::{Map, Value};
use uplink::message::Outcome;

/// Characters of a code.
const CODE: usize = 64;
/// Characters of a sentence.
const SENTENCE: usize = 500;
/// Bytes of all members of an answer, as JSON.
const MEMBERS_BYTES: usize = 4096;

/// The beginning of a text, without control characters.
fn beginning(text: &str, characters: usize) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(characters).collect()
}

pub(crate) fn code(text: &str) -> String {
    beginning(text, CODE)
}

pub(crate) fn sentence(text: &str) -> String {
    beginning(text, SENTENCE)
}

/// Members as long as there is room; one that is too long is left out.
fn members(mut all: Map<String, Value>) -> Map<String, Value> {
    let mut room = MEMBERS_BYTES;
    let fits = |name: &String, value: &mut Value| {
        let bytes = name.len() + value.to_string().len();
        let fits = bytes <= room;
        room -= if fits { bytes } else { 0 };
        fits
    };
    all.retain(fits);
    all
}

pub(crate) fn outcome(told: Outcome) -> Outcome {
    match told {
        Outcome::Done { detail } => Outcome::Done { detail: members(detail) },
        Outcome::Failed { code: name, params } => {
            Outcome::Failed { code: code(&name), params: members(params) }
        }
        Outcome::Progress { .. } | Outcome::Unknown => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_too_long_is_cut_and_the_rest_stays() {
        assert_eq!(sentence(&"é\n".repeat(1000)), "é".repeat(500));
        let params = json!({"a": 1, "b": "x".repeat(5000), "c": "y".repeat(4000), "d": "z".repeat(90)});
        let params = params.as_object().expect("an object").clone();
        let told = outcome(Outcome::Failed { code: "c".repeat(99), params });
        let Outcome::Failed { code, params } = told else { panic!("a failure") };
        let kept: Vec<&str> = params.keys().map(String::as_str).collect();
        assert_eq!((code.len(), kept), (64, vec!["a", "c"]));
    }
}
