//! What goes over the socket, the same for both ends: one line with a request, then lines with answers, all JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::ClockSettings;
use crate::error::ApplianceError;
use crate::network::NetworkSettings;

/// Of a request or an answer, with its line feed.
pub const LONGEST_LINE_BYTES: usize = 64 * 1024;

/// What can be asked for. Both ends are of one release, so that an unknown member is a mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// With braces: members of a unit variant would be passed over.
    Restart {},
    /// Microseconds of UTC since 1970.
    SetTime {
        utc_us: i64,
    },
    /// How the clock is kept.
    Clock {},
    /// All settings of the clock.
    ChangeClock {
        settings: ClockSettings,
    },
    /// To the time of the server that is followed.
    StepClock {},
    /// Whether somebody would install an upgrade now.
    CanUpgrade {},
    /// The system that runs does its work: it is one to start from.
    MarkGood {},
    /// `release`: as people call it; it stands in sentences only.
    Upgrade {
        bundle: PathBuf,
        release: String,
    },
    /// How the network is, and how it is set.
    Network {},
    /// Has these settings count, until they are confirmed or the time is up.
    ChangeNetwork {
        settings: NetworkSettings,
    },
    ConfirmNetwork {
        id: u64,
    },
    /// Takes a change back at once.
    RevertNetwork {
        id: u64,
    },
}

/// A line of an answer: progress any number of times, then one of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// 0 to 100. Repeated now and then while nothing changes, so that whoever waits knows that somebody works.
    Progress(u8),
    Done(Map<String, Value>),
    Failed {
        code: String,
        reason: String,
        /// What pages make a sentence of.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        detail: Map<String, Value>,
    },
}

impl Request {
    /// # Errors
    /// `BadRequest`: no JSON, a request that is not known, members that are not those of it.
    pub(crate) fn read(line: &[u8]) -> Result<Self, ApplianceError> {
        let bad = |reason: String| ApplianceError::BadRequest { reason };
        let given: Value = serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
        let request: Self = serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
        let known = serde_json::to_value(&request).map_err(|error| bad(error.to_string()))?;
        match unknown_member(&given, &known) {
            Some(member) => Err(bad(format!("there is no member {member:?} here"))),
            None => Ok(request),
        }
    }

    /// Changes nothing, and is asked every few seconds while somebody looks at a page.
    pub(crate) fn only_looks(&self) -> bool {
        matches!(self, Self::Clock {} | Self::Network {})
    }

    /// As a line.
    ///
    /// # Errors
    /// `BadRequest`: a path that is not text, or more than a line holds.
    pub(crate) fn line(&self) -> Result<Vec<u8>, ApplianceError> {
        let bad = |reason: String| ApplianceError::BadRequest { reason };
        let mut line = serde_json::to_vec(self).map_err(|error| bad(error.to_string()))?;
        line.push(b'\n');
        if line.len() > LONGEST_LINE_BYTES {
            return Err(bad(format!("it is longer than {LONGEST_LINE_BYTES} bytes")));
        }
        Ok(line)
    }
}

/// A member of `given` that `known`, which was read from it, does not have: settings inside a request are read leniently,
/// since they are also kept on the disk.
pub fn unknown_member(given: &Value, known: &Value) -> Option<String> {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => given.iter().find_map(|(name, value)| {
            let Some(known) = known.get(name) else { return Some(name.clone()) };
            let inner = unknown_member(value, known)?;
            Some(if inner.starts_with('[') { format!("{name}{inner}") } else { format!("{name}.{inner}") })
        }),
        (Value::Array(given), Value::Array(known)) => {
            given.iter().zip(known).enumerate().find_map(|(index, (given, known))| {
                let inner = unknown_member(given, known)?;
                Some(format!("[{index}].{inner}"))
            })
        }
        _ => None,
    }
}

impl Answer {
    pub(crate) fn failed(error: &ApplianceError) -> Self {
        Self::Failed { code: error.code().to_owned(), reason: error.to_string(), detail: error.detail() }
    }

    /// As a line.
    pub(crate) fn line(&self) -> Vec<u8> {
        // Nothing in it can fail to be JSON; a line without an answer would be told by the other end all the same.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requests_stand_on_the_wire_as_the_readme_says() {
        for (request, expected) in [
            (Request::Restart {}, json!({"request": "restart"})),
            (Request::MarkGood {}, json!({"request": "mark_good"})),
            (Request::SetTime { utc_us: 1 }, json!({"request": "set_time", "utc_us": 1})),
            (Request::Clock {}, json!({"request": "clock"})),
            (Request::StepClock {}, json!({"request": "step_clock"})),
            (
                Request::ChangeClock { settings: ClockSettings { on: true, servers: vec!["a.cn".into()] } },
                json!({"request": "change_clock", "settings": {"on": true, "servers": ["a.cn"]}}),
            ),
            (
                Request::Upgrade { bundle: "/data/b.raucb".into(), release: "0.2.0".into() },
                json!({"request": "upgrade", "bundle": "/data/b.raucb", "release": "0.2.0"}),
            ),
            (Request::Network {}, json!({"request": "network"})),
            (
                Request::ChangeNetwork { settings: NetworkSettings::default() },
                json!({"request": "change_network", "settings": {"interfaces": []}}),
            ),
            (Request::ConfirmNetwork { id: 7 }, json!({"request": "confirm_network", "id": 7})),
            (Request::RevertNetwork { id: 7 }, json!({"request": "revert_network", "id": 7})),
        ] {
            let line = request.line().expect("a line");
            assert_eq!(serde_json::from_slice::<Value>(&line).expect("JSON"), expected);
            assert_eq!(Request::read(&line).expect("read"), request);
        }
    }

    #[test]
    fn answers_stand_on_the_wire_as_the_readme_says() {
        let detail = json!({"version": "2"}).as_object().expect("an object").clone();
        let failed = Answer::Failed { code: "a".into(), reason: "b".into(), detail: Map::new() };
        let invalid = ApplianceError::NetworkInvalid {
            field: "interfaces[0].mtu".into(),
            fault: crate::network::Fault::MtuRange,
        };
        let invalid = serde_json::from_slice::<Value>(&Answer::failed(&invalid).line()).expect("JSON");
        let expected = json!({"field": "interfaces[0].mtu", "fault": "mtu_range"});
        assert_eq!(
            (&invalid["failed"]["detail"], &invalid["failed"]["code"]),
            (&expected, &json!("network_invalid"))
        );
        for (answer, expected) in [
            (Answer::Progress(7), json!({"progress": 7})),
            (Answer::Done(detail), json!({"done": {"version": "2"}})),
            (failed, json!({"failed": {"code": "a", "reason": "b"}})),
        ] {
            assert_eq!(serde_json::from_slice::<Value>(&answer.line()).expect("JSON"), expected);
        }
    }

    #[test]
    fn what_is_no_request_is_told_in_one_sentence() {
        for (line, part) in [
            (&b""[..], "EOF"),
            (b"\xff\xfe", "expected value"),
            (b"{\"request\": \"sing\"}", "sing"),
            (b"{\"request\": \"restart\", \"now\": true}", "now"),
            (b"{\"request\": \"set_time\"}", "utc_us"),
            (b"{\"request\": \"set_time\", \"utc_us\": 1.5}", "1.5"),
            (b"{\"request\": \"change_clock\", \"settings\": {\"on\": true}}", "servers"),
            (b"{\"request\": \"change_clock\", \"settings\": {\"on\": 1, \"servers\": []}}", "boolean"),
            (b"{\"request\": \"upgrade\", \"bundle\": \"/x\"}", "release"),
            (b"{\"utc_us\": 1}", "request"),
            (b"{\"request\": \"change_network\", \"settings\": {}}", "interfaces"),
            (
                b"{\"request\": \"change_network\", \"settings\": {\"interfaces\": [{\"interface\": \"eth0\",\
                \"ipv4\": {\"method\": \"dhcp\", \"gateway\": null}, \"ipv6\": {\"method\": \"off\"}}]}}",
                "settings.interfaces[0].ipv4.gateway",
            ),
        ] {
            let error = Request::read(line).expect_err("no request");
            let sentence = error.to_string();
            assert!(error.code() == "bad_request" && sentence.contains(part), "{sentence}");
            assert!(!sentence.contains('\n'), "{sentence}");
        }
    }

    #[test]
    fn what_fits_in_no_line_is_not_sent() {
        let long = Request::Upgrade { bundle: "/b".into(), release: "x".repeat(LONGEST_LINE_BYTES) };
        assert_eq!(long.line().expect_err("too long").code(), "bad_request");
    }
}
