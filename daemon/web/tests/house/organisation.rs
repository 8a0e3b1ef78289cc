//! A platform with three departments, North above North 1 and South beside them, two stations with something of
//! everything, and somebody with every right in each department.

use std::sync::atomic::{AtomicU64, Ordering};

use catalog::entry::{AlarmRaised, Annotation, FromStation, Record};
use catalog::{AuditEntry, AuditResult, Body, Change};
use hyper::Method;
use line::{CallType, Severity, StartMode, StopMode};
use platform::{Platform, PlatformConfig};
use recording::{ClockQuality, Codec, Facts, Instant, RecordId};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Client, Serving};

pub const NORTH: &str = "HKLN-00000000000001";
pub const SOUTH: &str = "HKLN-00000000000002";
pub const EVERY_RIGHT: [&str; 10] =
    ["live", "listen", "download", "annotate", "delete", "alarms", "settings", "audit", "accounts", "system"];
/// Words and numbers that only South knows; nobody else may ever read one.
pub const SOUTHERN: [&str; 9] = [
    "South",
    SOUTH,
    "southerner",
    "5550002",
    "Sudbury",
    "southern note",
    "southern tag",
    "southern_call",
    "M [S1]",
];
/// 2026-03-01 08:00 in Shanghai.
const BEGIN_US: i64 = 1_772_323_200_000_000;

/// A running platform.
pub struct Organisation {
    pub data: TempDir,
    pub platform: Platform,
    pub serving: Serving,
    entries: AtomicU64,
}

/// What belongs to a department, by id.
#[derive(Clone, Debug)]
pub struct Things {
    pub department: &'static str,
    pub serial: &'static str,
    pub account: &'static str,
    pub contact: &'static str,
    pub recording: String,
    /// One whose sound has not come.
    pub silent: String,
    pub tag: String,
    pub alarm: String,
    pub command: String,
}

impl Organisation {
    pub async fn open() -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let intake = "127.0.0.1:0".parse().expect("an address");
        let config = PlatformConfig {
            data: data.path().join("data"),
            intake,
            appliance: data.path().join("appliance.sock"),
        };
        let platform = tokio::task::spawn_blocking(move || Platform::start(&config))
            .await
            .expect("no panic")
            .expect("a platform");
        let serving = Serving::start(platform.clone()).await;
        Self { data, platform, serving, entries: AtomicU64::new(0) }
    }

    pub async fn close(mut self) {
        self.serving.stop().await;
        let platform = self.platform.clone();
        tokio::task::spawn_blocking(move || platform.stop()).await.expect("no panic");
    }

    /// Departments, stations, and somebody in each department.
    pub async fn furnish(&self, admin: &mut Client) -> [Client; 3] {
        for (name, prefix, parent) in
            [("North", "N", None), ("North 1", "NA", Some("North")), ("South", "S", None)]
        {
            let department = json!({ "name": name, "prefix": prefix, "parent": parent });
            admin.post("/departments", department).await.expect(201);
        }
        for (serial, name, department) in [(NORTH, "Norbury", "North"), (SOUTH, "Sudbury", "South")] {
            let device = json!({ "serial": serial, "name": name, "department": department });
            admin.post("/devices", device).await.expect(201);
        }
        let mut people = Vec::new();
        for (name, department) in
            [("northerner", "North"), ("northerner1", "North 1"), ("southerner", "South")]
        {
            let account = json!({ "name": name, "rights": EVERY_RIGHT, "department": department });
            people.push(self.serving.person_with(admin, account).await);
        }
        people.try_into().unwrap_or_else(|_| unreachable!("three departments"))
    }

    /// Something of everything that belongs to a station's department.
    pub async fn fill(&self, person: &mut Client, serial: &'static str) -> Things {
        let south = serial == SOUTH;
        let (account, department) = if south { ("southerner", "South") } else { ("northerner", "North") };
        let contact = if south { "5550002" } else { "5550001" };
        let name = if south { "southern contact Sudbury" } else { "northern contact" };
        let body =
            json!({ "number": contact, "name": name, "department": department, "note": "southern note" });
        person.post("/contacts", if south { body } else { without_note(body) }).await.expect(201);
        for sequence in [1, 2] {
            let facts = facts(serial, sequence, 1, contact);
            let file = format!("recordings/{serial}/2026/03/01/{sequence}.wav");
            let unavailable = (sequence == 2).then(|| "file_missing".to_owned());
            let file = (sequence == 1).then_some(file);
            self.arrives(serial, &Body::Record(Record { facts, file: None }), file, unavailable);
        }
        let id = RecordId { serial: serial.into(), sequence: 1 };
        let text = if south { "southern tag" } else { "northern tag" };
        let tag = Change::TagAdd { sample: 5, text: text.into() };
        let annotation = Annotation { record: id, account: Some(account.into()), change: tag };
        self.arrives(serial, &Body::Annotation(annotation), None, None);
        self.arrives(serial, &Body::AlarmRaised(alarm(1)), None, None);
        self.arrives(serial, &Body::Audit(audit(account)), None, None);
        self.platform.catalog().wait_until_current(std::time::Duration::from_secs(5));
        let list = person.get("/recordings").await.expect(200);
        assert_eq!(list["items"].as_array().map(Vec::len), Some(2), "{list}");
        let alarms = person.get(&format!("/alarms?station={serial}")).await.expect(200);
        let asked = json!({ "serials": [serial], "command": { "what": "set_contacts" } });
        let commands = person.with_body(Method::POST, "/devices/commands", asked).await.expect(202);
        let text_of = |value: &Value| value.as_str().expect("text").to_owned();
        Things {
            department,
            serial,
            account,
            contact,
            recording: format!("{serial}:1"),
            silent: format!("{serial}:2"),
            tag: text_of(&list["items"][1]["tags"][0]["id"]),
            alarm: text_of(&alarms["items"][0]["id"]),
            command: text_of(&commands["items"][0]["id"]),
        }
    }

    /// As if the station had sent it.
    pub fn arrives(&self, serial: &str, body: &Body, file: Option<String>, unavailable: Option<String>) {
        let entry = self.entries.fetch_add(1, Ordering::Relaxed) + 1;
        let from = FromStation {
            serial: serial.into(),
            entry,
            written_us: BEGIN_US + entry as i64,
            layout: 1,
            payload: serde_json::to_string(body).expect("JSON"),
            file,
            unavailable,
            covers_from: None,
        };
        self.platform.catalog().append(vec![Body::FromStation(from)]).expect("kept");
    }
}

fn without_note(mut contact: Value) -> Value {
    contact["note"] = "".into();
    contact
}

/// A call on a port.
pub fn facts(serial: &str, sequence: u64, port: u16, peer_number: &str) -> Facts {
    let south = serial == SOUTH;
    Facts {
        version: 1,
        id: RecordId { serial: serial.into(), sequence },
        call_id: format!("{}_{sequence}", if south { "southern_call" } else { "northern_call" }),
        segment: 0,
        port,
        port_name: if south { "M [S1]".into() } else { format!("M [N{port}]") },
        start: Instant {
            utc_us: BEGIN_US + sequence as i64 * 60_000_000,
            offset_s: 28_800,
            boot_id: "boot".into(),
            monotonic_us: 1,
            quality: ClockQuality::Synchronised,
        },
        rate_hz: 8000,
        tracks: 1,
        codec: Some(Codec::ALaw),
        samples: 80_000,
        pre_roll_samples: 0,
        start_mode: StartMode::Voltage,
        stop_mode: StopMode::OnHook,
        call_type: CallType::IncomingAnswered,
        line_number: Some("8001".into()),
        peer_number: Some(peer_number.into()),
        peer_name: None,
        withheld: false,
        marks: Vec::new(),
        audio_sha256: Some("00".repeat(32)),
    }
}

fn alarm(port: u16) -> AlarmRaised {
    let alarm = json!({ "code": "line_lost", "port": port, "thing": null, "params": {},
        "category": "channel", "severity": Severity::Critical.name(), "times": 1 });
    serde_json::from_value(alarm).expect("an alarm")
}

fn audit(account: &str) -> AuditEntry {
    AuditEntry {
        account: Some(account.into()),
        display_name: None,
        department: None,
        ip: None,
        item: "channel".into(),
        port: Some(1),
        operation: "change".into(),
        params: Map::new(),
        result: AuditResult::Ok,
        detail: None,
    }
}
