//! The filters of lists, as query parameters. What is given but empty is refused: it would look like a filter.

use std::collections::BTreeSet;

use catalog::{
    AlarmCategory, AlarmQuery, AlarmState, AudioFilter, AuditQuery, AuditResult, DeletedFilter, Grade,
    RecordQuery,
};
use line::{CallType, Severity, StartMode, StopMode};

use crate::api::expected_names;
use crate::problem::Problem;
use crate::query::{Query, whole_of};

const PORT: &str = "a port number from 1 to 65535";

fn port_of(text: &str) -> Option<u16> {
    whole_of(text).and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0)
}

/// A repeatable parameter whose values are names.
macro_rules! names_of {
    ($query:expr, $parameter:literal, $type:ty) => {
        $query.many::<$type, BTreeSet<$type>>(
            $parameter,
            &expected_names(<$type>::ALL, <$type>::name),
            <$type>::from_name,
        )?
    };
}

/// Filters of the recordings list, of its export and of statistics.
pub fn record_query(query: &mut Query) -> Result<RecordQuery, Problem> {
    let score =
        |query: &mut Query, name| query.whole(name, 1..=10).map(|score| score.map(|score| score as u8));
    Ok(RecordQuery {
        from_us: query.time_us("from")?,
        to_us: query.time_us("to")?,
        stations: BTreeSet::new(),
        ports: query.many("port", PORT, port_of)?,
        number: query.text("number", 1..=32)?,
        line_number: query.text("line_number", 1..=32)?,
        peer_number: query.text("peer_number", 1..=32)?,
        caller: query.text("caller", 1..=32)?,
        callee: query.text("callee", 1..=32)?,
        sn: query.text("sn", 1..=32)?,
        call_types: names_of!(query, "call_type", CallType),
        start_modes: names_of!(query, "start_mode", StartMode),
        stop_modes: names_of!(query, "stop_mode", StopMode),
        grades: names_of!(query, "grade", Grade),
        min_duration_ms: query.seconds_as_ms("min_duration_s")?,
        max_duration_ms: query.seconds_as_ms("max_duration_s")?,
        min_score: score(query, "min_score")?,
        max_score: score(query, "max_score")?,
        tag: query.text("tag", 1..=100)?,
        text: query.text("text", 1..=100)?,
        call_id: query.text("call_id", 1..=64)?,
        audio: query.one("audio", "one of with, without, all", audio_filter)?.unwrap_or_default(),
        deleted: query.one("deleted", "one of no, yes, all", deleted_filter)?.unwrap_or_default(),
        through_entry: None,
    })
}

fn audio_filter(text: &str) -> Option<AudioFilter> {
    match text {
        "with" => Some(AudioFilter::With),
        "without" => Some(AudioFilter::Without),
        "all" => Some(AudioFilter::All),
        _ => None,
    }
}

fn deleted_filter(text: &str) -> Option<DeletedFilter> {
    match text {
        "no" => Some(DeletedFilter::No),
        "yes" => Some(DeletedFilter::Yes),
        "all" => Some(DeletedFilter::All),
        _ => None,
    }
}

pub fn alarm_query(query: &mut Query) -> Result<AlarmQuery, Problem> {
    let state = |text: &str| match text {
        "current" => Some(AlarmState::Current),
        "history" => Some(AlarmState::History),
        "all" => Some(AlarmState::All),
        _ => None,
    };
    Ok(AlarmQuery {
        stations: BTreeSet::new(),
        state: query.one("state", "one of current, history, all", state)?.unwrap_or_default(),
        from_us: query.time_us("from")?,
        to_us: query.time_us("to")?,
        codes: query.many("code", "a code such as line_lost", |text| {
            (1..=64).contains(&text.len()).then(|| text.to_owned())
        })?,
        categories: names_of!(query, "category", AlarmCategory),
        severities: names_of!(query, "severity", Severity),
        ports: query.many("port", PORT, port_of)?,
        acknowledged: query.one("acknowledged", "true or false", |text| text.parse().ok())?,
    })
}

pub fn audit_query(query: &mut Query) -> Result<AuditQuery, Problem> {
    let results = expected_names(AuditResult::ALL, AuditResult::name);
    Ok(AuditQuery {
        stations: BTreeSet::new(),
        from_us: query.time_us("from")?,
        to_us: query.time_us("to")?,
        account: query.text("account", 1..=64)?,
        item: query.text("item", 1..=64)?,
        port: query.one("port", PORT, port_of)?,
        operation: query.text("operation", 1..=64)?,
        result: query.one("result", &results, AuditResult::from_name)?,
        ip: query.text("ip", 1..=64)?,
        text: query.text("text", 1..=100)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Part;
    use proptest::prelude::*;
    use serde_json::Value;

    fn openapi_parameters(operation: &str) -> Vec<String> {
        let document: Value = serde_json::from_str(crate::api::meta::OPENAPI).expect("JSON");
        let parameters = document["paths"][operation]["get"]["parameters"].as_array().expect("a list");
        parameters
            .iter()
            .map(|parameter| {
                let name =
                    parameter["$ref"].as_str().expect("a reference").rsplit('/').next().expect("a name");
                document["components"]["parameters"][name]["name"].as_str().expect("a name").to_owned()
            })
            .collect()
    }

    /// Every parameter of the contract is read: an unread one would be refused as unknown.
    #[test]
    fn the_filters_of_the_contract_are_the_ones_that_are_read() {
        let wrong = |name: &str| Query::parse(&format!("{name}=x&{name}=y"));
        type Reader = fn(&mut Query) -> Result<(), Problem>;
        let readers: [(&str, Reader); 3] = [
            ("/recordings", |query| record_query(query).and_then(|_| Part::of(query)).map(|_| ())),
            ("/alarms", |query| alarm_query(query).and_then(|_| Part::of(query)).map(|_| ())),
            ("/audit", |query| audit_query(query).and_then(|_| Part::of(query)).map(|_| ())),
        ];
        for (operation, read) in readers {
            for name in openapi_parameters(operation)
                .iter()
                .filter(|name| !["limit", "after"].contains(&name.as_str()))
            {
                let mut query = wrong(name);
                let refused = read(&mut query).is_err();
                assert!(refused || query.finish().is_ok(), "{operation}: {name} is not read");
            }
        }
    }

    #[test]
    fn values_outside_their_range_are_refused_by_name() {
        for wrong in [
            "port=0",
            "port=65536",
            "call_type=strange",
            "grade=",
            "min_score=11",
            "audio=maybe",
            "deleted=",
            "number=",
            "from=2026",
            "tag=",
            "max_duration_s=-1",
        ] {
            let problem = record_query(&mut Query::parse(wrong)).expect_err(wrong);
            assert_eq!(problem.params["field"].as_str(), wrong.split('=').next(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(text in "[ -~]{0,120}") {
            let _ = record_query(&mut Query::parse(&text));
            let _ = alarm_query(&mut Query::parse(&text));
            let _ = audit_query(&mut Query::parse(&text));
        }
    }
}
