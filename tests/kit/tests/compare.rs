//! The judge finds what is wrong and nothing else: truth played back as the product's events passes, and each kind
//! of damage to it is found.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test they serve")]

use std::sync::LazyLock;

use hookline_test_kit::compare::compare;
use hookline_test_kit::event::{self, Event};
use hookline_test_kit::scenario;
use serde_json::{Value, json};

/// Made once for all tests.
fn truth() -> &'static [Event] {
    static TRUTH: LazyLock<Vec<Event>> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        scenario::mixed(folder.path(), 3, 14, 240.0).unwrap();
        event::read(&folder.path().join("truth.jsonl")).unwrap()
    });
    &TRUTH
}

/// Truth as a perfect product would write it.
fn perfect(truth: &[Event]) -> Vec<Event> {
    let mut got: Vec<Event> = truth
        .iter()
        .filter(|event| !event.is_optional())
        .map(|event| {
            let mut event = event.clone();
            if event.event == "record_stop" {
                event.members.entry("file").or_insert(Value::Null);
                event.members.entry("pre_roll_s").or_insert(json!(2.0));
                event.members.entry("call_type").or_insert(json!("unknown"));
                event.members.entry("peer_number").or_insert(Value::Null);
            }
            if event.event.starts_with("alarm") {
                event.members.extend([("severity".into(), json!("minor")), ("text".into(), json!("x"))]);
            }
            event
        })
        .collect();
    got.sort_by(|a, b| a.t.total_cmp(&b.t).then(a.port.cmp(&b.port)));
    got
}

#[test]
fn a_perfect_product_passes() {
    let truth = truth();
    let report = compare(truth, &perfect(truth));
    assert!(report.passes(), "{report}");
    assert!(report.classes.values().all(|class| class.meets_aim()));
    assert!(report.classes["recordings"].expected > 20, "{report}");
}

#[test]
fn each_kind_of_damage_is_found() {
    let truth = truth();
    let got = perfect(truth);
    let index = |event: &str| got.iter().position(|got| got.event == event).unwrap();
    type Damage<'a> = &'a dyn Fn(&mut Vec<Event>);
    let damages: [(&str, &str, Damage); 12] = [
        ("hook, ring, line lost", "a missed ring", &|got| drop(got.remove(index("ring_start")))),
        ("hook, ring, line lost", "a late hook", &|got| got[index("off_hook")].t += 0.021),
        ("DTMF digits", "an extra digit", &|got| {
            let mut extra = got[index("digit")].clone();
            extra.t += 0.4;
            got.push(extra);
        }),
        ("DTMF digits", "a wrong digit", &|got| {
            let digit = &mut got[index("digit")].members["digit"];
            *digit = if digit == "5" { json!("6") } else { json!("5") };
        }),
        ("caller ID", "a wrong number", &|got| got[index("caller_id")].members["number"] = json!("110")),
        ("tones", "a wrong tone", &|got| got[index("tone_start")].members["tone"] = json!("howler")),
        ("tones", "a dial tone that goes on under a digit", &|got| {
            let stops = |got: &&mut Event| got.event == "tone_stop" && got.text("tone") == Some("dial");
            got.iter_mut().find(stops).unwrap().t += 0.101;
        }),
        ("tones", "a ringback that begins a turn late", &|got| {
            let starts = |got: &&mut Event| got.event == "tone_start" && got.text("tone") == Some("ringback");
            got.iter_mut().find(starts).unwrap().t += 5.0;
        }),
        ("tones", "a busy tone that ends a burst early", &|got| {
            let stops = |got: &&mut Event| got.event == "tone_stop" && got.text("tone") == Some("busy");
            got.iter_mut().find(stops).unwrap().t -= 0.7;
        }),
        ("recordings", "a wrong call type", &|got| {
            let stop = got
                .iter_mut()
                .rfind(|got| got.event == "record_stop" && got.members["call_type"] != "unknown");
            stop.unwrap().members["call_type"] = json!("incoming_missed");
        }),
        ("recordings", "a short recording", &|got| {
            let seconds = got[index("record_stop")].number("seconds").unwrap();
            got[index("record_stop")].members["seconds"] = json!(seconds - 0.041);
        }),
        ("recordings", "a mixed-up call", &|got| {
            let other =
                got.iter().rfind(|got| got.event == "record_start").unwrap().members["call_id"].clone();
            got[index("record_start")].members["call_id"] = other;
        }),
    ];
    for (class, what, damage) in damages {
        let mut got = got.clone();
        damage(&mut got);
        got.sort_by(|a, b| a.t.total_cmp(&b.t).then(a.port.cmp(&b.port)));
        let report = compare(truth, &got);
        assert!(!report.classes[class].passes(), "{what} was not found:\n{report}");
    }
}

#[test]
fn form_is_judged_too() {
    let truth = truth();
    let mut got = perfect(truth);
    got.reverse();
    assert!(!compare(truth, &got).passes());

    let mut got = perfect(truth);
    got.last_mut().unwrap().event = "off-hook".into();
    assert!(compare(truth, &got).faults.iter().any(|fault| fault.contains("off-hook")));

    let mut got = perfect(truth);
    let stop = got.iter_mut().find(|event| event.event == "record_stop").unwrap();
    stop.members.remove("file");
    assert!(compare(truth, &got).faults.iter().any(|fault| fault.contains("file")));
}

#[test]
fn a_call_without_audio_may_leave_a_record() {
    let truth = truth();
    let missed = truth.iter().find(|event| event.event == "call_without_audio").unwrap();
    let mut got = perfect(truth);
    let mut record = Event::new(missed.t, missed.port, "record_stop", [("call_id", json!("missed-1"))]);
    for member in ["mode", "file", "start", "seconds", "pre_roll_s", "line_number"] {
        record.members.insert(member.into(), Value::Null);
    }
    record.members.insert("call_type".into(), missed.members["call_type"].clone());
    record.members.insert("peer_number".into(), missed.members["peer_number"].clone());
    got.push(record);
    got.sort_by(|a, b| a.t.total_cmp(&b.t).then(a.port.cmp(&b.port)));
    let report = compare(truth, &got);
    assert!(report.passes(), "{report}");
}
