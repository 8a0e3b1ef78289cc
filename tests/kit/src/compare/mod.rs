//! The judge: pairs the events of a replay with the truth and reports misses, extras, wrong members and time errors.

mod align;
mod report;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

pub use align::{Alignment, Mark, align};
pub use report::{ClassResult, Report};
use vocabulary::{Agreement, CALL_WITHOUT_AUDIO, KINDS, Kind, NOT_JUDGED, agreement, kind_of};

use crate::event::Event;

/// Judges `got`, the lines of `events.jsonl` in their order, by `truth`.
pub fn compare(truth: &[Event], got: &[Event]) -> Report {
    let mut report = Report::default();
    check_form(got, &mut report);
    let got = with_calls_without_audio(got);
    let ports: BTreeSet<u16> = truth.iter().chain(&got).map(|event| event.port).collect();
    let mut calls = Calls::default();
    for port in ports {
        for kind in &KINDS {
            let pick = |events: &[Event]| -> Vec<Event> {
                let mut picked: Vec<Event> = events
                    .iter()
                    .filter(|event| event.port == port && event.event == kind.event)
                    .cloned()
                    .collect();
                picked.sort_by(|a, b| a.t.total_cmp(&b.t));
                picked
            };
            judge_kind(kind, &pick(truth), &pick(&got), &mut calls, &mut report);
        }
    }
    report
}

/// The rules of `events.jsonl` itself: known events, all members, sorted.
fn check_form(got: &[Event], report: &mut Report) {
    let mut said = HashSet::new();
    for pair in got.windows(2) {
        let in_order = pair[0].t < pair[1].t || pair[0].t == pair[1].t && pair[0].port <= pair[1].port;
        if !in_order && said.insert("order".to_string()) {
            report.faults.push(format!("events are not sorted by t, then port, at t {:.3}", pair[1].t));
        }
    }
    for event in got {
        let Some(kind) = kind_of(&event.event).filter(|kind| kind.event != CALL_WITHOUT_AUDIO) else {
            if !NOT_JUDGED.contains(&event.event.as_str()) && said.insert(event.event.clone()) {
                report.faults.push(format!("{:?} is no event of the scenario page", event.event));
            }
            continue;
        };
        for member in kind.members {
            if !event.members.contains_key(*member) && said.insert(format!("{}.{member}", event.event)) {
                report.faults.push(format!("{} has no member {member:?}, at t {:.3}", event.event, event.t));
            }
        }
    }
}

/// A `record_stop` whose call never started recording stands for a call without audio.
fn with_calls_without_audio(got: &[Event]) -> Vec<Event> {
    let started: HashSet<&str> = got
        .iter()
        .filter(|event| event.event == "record_start")
        .filter_map(|event| event.text("call_id"))
        .collect();
    let renamed = got.iter().map(|event| {
        let mut event = event.clone();
        if event.event == "record_stop" && !event.text("call_id").is_some_and(|call| started.contains(call)) {
            event.event = CALL_WITHOUT_AUDIO.into();
        }
        event
    });
    renamed.collect()
}

/// Which call of the product is which call of truth: one to one.
#[derive(Default)]
struct Calls {
    of_truth: HashMap<String, String>,
    of_got: HashMap<String, String>,
}

impl Calls {
    fn agree(&mut self, truth: &str, got: &str) -> bool {
        let known = self.of_truth.entry(truth.into()).or_insert_with(|| got.into());
        let known_back = self.of_got.entry(got.into()).or_insert_with(|| truth.into());
        known == got && known_back == truth
    }
}

fn judge_kind(kind: &'static Kind, truth: &[Event], got: &[Event], calls: &mut Calls, report: &mut Report) {
    fn mark<'a>(kind: &Kind, event: &'a Event) -> Mark<'a> {
        let key = kind.key.and_then(|member| event.text(member)).unwrap_or("");
        Mark { t: event.t, key, optional: event.is_optional() }
    }
    let truth_marks: Vec<_> = truth.iter().map(|event| mark(kind, event)).collect();
    let got_marks: Vec<_> = got.iter().map(|event| mark(kind, event)).collect();
    let found = align(&truth_marks, &got_marks, kind.window_s);

    report.class(kind).expected += truth.iter().filter(|event| !event.is_optional()).count();
    for &index in &found.misses {
        if !truth[index].is_optional() {
            report.class(kind).missed += 1;
            report.findings.push((truth[index].clone(), "missed".into()));
        }
    }
    for &index in &found.extras {
        report.class(kind).extra += 1;
        report.findings.push((got[index].clone(), "extra".into()));
    }
    for (i, j) in found.pairs {
        let (truth, got) = (&truth[i], &got[j]);
        let result = report.class(kind);
        if !truth.is_optional() {
            result.found += 1;
        }
        result.note_time(got.t - truth.t, || said_of(kind, truth));
        if result.is_worth_telling(got.t - truth.t) {
            report.findings.push((truth.clone(), format!("t is {:+.1} ms off", (got.t - truth.t) * 1000.0)));
        }
        for (member, expected) in &truth.members {
            if let Some(complaint) = judge_member(kind, member, expected, got, calls, report) {
                report.class(kind).wrong += 1;
                report.findings.push((truth.clone(), complaint));
            }
        }
    }
}

/// What an event is called where the worst time is told: `tone_stop dial`.
fn said_of(kind: &Kind, event: &Event) -> String {
    let key = kind.key.and_then(|member| event.text(member));
    key.map_or_else(|| event.event.clone(), |key| format!("{} {key}", event.event))
}

/// The complaint about one member of a pair, if there is one.
fn judge_member(
    kind: &'static Kind,
    member: &str,
    expected: &Value,
    got: &Event,
    calls: &mut Calls,
    report: &mut Report,
) -> Option<String> {
    let actual = got.members.get(member).unwrap_or(&Value::Null);
    let numbers = expected.as_f64().zip(actual.as_f64());
    let agree = match agreement(member) {
        Agreement::Equal => expected == actual,
        Agreement::Within(limit) => {
            numbers.is_some_and(|(expected, actual)| (expected - actual).abs() <= limit)
        }
        Agreement::Time => {
            let Some((expected, actual)) = numbers else { return Some(format!("{member} is {actual}")) };
            let result = report.class(kind);
            result.note_time(actual - expected, || member.to_string());
            let late = result.is_late(actual - expected);
            return late.then(|| format!("{member} is {:+.1} ms off", (actual - expected) * 1000.0));
        }
        Agreement::Elsewhere if member == "call_id" => expected
            .as_str()
            .zip(actual.as_str())
            .is_some_and(|(expected, actual)| calls.agree(expected, actual)),
        Agreement::Elsewhere => true,
    };
    (!agree).then(|| format!("{member} is {actual} instead of {expected}"))
}

/// Counts of events by name, for a first look.
pub fn counts(events: &[Event]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event.event.as_str()).or_insert(0) += 1;
    }
    counts
}
