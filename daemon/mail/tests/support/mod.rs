//! A mail server that is real, and a box that has nothing but e-mail.

#![allow(dead_code)] // every test file uses a part

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog::{AlarmCode, AlarmQuery, AlarmRow, AlarmState, Catalog, Options, PageRequest, Scope};
use chrono_tz::Tz;
use hookline_mail::{Host, Mail, MailConfig, TestState, Tuning};
use recording::FreeSpace;
use serde_json::{Map, Value, json};

pub const SECRET: &str = "correct horse";
pub const SENDER: &str = "box@mail.test";

/// The server's certificate and key, and the authority's certificate, all PEM.
pub struct Certificates {
    folder: tempfile::TempDir,
    pub authority: String,
}

impl Certificates {
    /// For a server of that name.
    pub fn of(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).expect("signed").pem();
        let issuer = rcgen::Issuer::new(params, key);
        let server_key = rcgen::KeyPair::generate().expect("a key");
        let server = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let server = server.signed_by(&server_key, &issuer).expect("signed");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("certificate.pem"), server.pem()).expect("written");
        std::fs::write(folder.path().join("key.pem"), server_key.serialize_pem()).expect("written");
        Self { folder, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A running server; dropping it kills it.
pub struct Server {
    child: Child,
    pub port: u16,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/server.py");
        // Debian's own: another one in the path knows nothing of Debian's packages.
        let mut child = Command::new("/usr/bin/python3")
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/test setup installs python3-aiosmtpd, and python3 with it");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let port = lines.next().and_then(Result::ok).and_then(|line| line.parse().ok());
        let port = port.expect("the server starts: scripts/test setup installs python3-aiosmtpd");
        let taken = Arc::new(Mutex::new(Vec::new()));
        let list = taken.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                list.lock().expect("whole").push(serde_json::from_str(&line).expect("JSON"));
            }
        });
        Self { child, port, taken }
    }

    /// With TLS and a login.
    pub fn safe(tls: &str, certificates: &Certificates) -> Self {
        let (certificate, key) = (certificates.path("certificate.pem"), certificates.path("key.pem"));
        let account = format!("{SENDER}:{SECRET}");
        Self::start(&[
            "--tls",
            tls,
            "--certificate",
            certificate.to_str().expect("a path"),
            "--key",
            key.to_str().expect("a path"),
            "--account",
            &account,
        ])
    }

    /// Messages that it took, in order.
    pub fn taken(&self) -> Vec<Value> {
        self.taken.lock().expect("whole").clone()
    }

    /// Messages to one address.
    pub fn taken_for(&self, address: &str) -> Vec<Value> {
        self.taken().into_iter().filter(|message| message["to"] == json!([address])).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the box says of itself; its clock is set by the test.
pub struct FakeHost {
    pub now_us: AtomicI64,
}

impl Host for FakeHost {
    fn name(&self) -> String {
        "值班室".into()
    }
    fn serial(&self) -> String {
        "HKLN-00000000000001".into()
    }
    fn now_us(&self) -> i64 {
        self.now_us.load(Relaxed)
    }
    fn zone(&self) -> Tz {
        Tz::Asia__Shanghai
    }
    fn free_space(&self) -> Option<FreeSpace> {
        Some(FreeSpace { free_bytes: 250_000_000_000, total_bytes: 1_000_000_000_000 })
    }
    fn offline(&self) -> Option<Vec<String>> {
        Some(vec!["HKLN-00000000000002".into()])
    }
}

/// A data folder with catalog and e-mail, without anything that records.
pub struct TestBox {
    folder: tempfile::TempDir,
    pub catalog: Catalog,
    pub host: Arc<FakeHost>,
    pub mail: Mail,
}

pub fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

fn quick() -> Tuning {
    Tuning {
        round: Duration::from_millis(20),
        answer_within: Duration::from_millis(700),
        first_retry: Duration::from_millis(50),
        longest_retry: Duration::from_millis(200),
        failing_for: Duration::ZERO,
    }
}

impl TestBox {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("settings")).expect("a folder");
        let catalog = Catalog::open(folder.path(), Options::new("HKLN-00000000000001")).expect("opens").0;
        let host = Arc::new(FakeHost { now_us: AtomicI64::new(us("2026-11-22T17:00:00+08:00")) });
        let mail = start(folder.path(), &catalog, &host);
        Self { folder, catalog, host, mail }
    }

    /// Stops e-mail and starts it again, as a restart of the box does.
    pub fn restart(&mut self, meanwhile: impl FnOnce(&Catalog)) {
        self.mail.stop();
        meanwhile(&self.catalog);
        self.mail = start(self.folder.path(), &self.catalog, &self.host);
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Switched on, for that server; `more` on top of it.
    pub fn configure(&self, port: u16, recipients: &[&str], more: Value) {
        let mut patch = members(json!({
            "switched_on": true, "server": "127.0.0.1", "port": port, "security": "none", "sender": SENDER,
            "recipients": recipients, "collect_s": 0, "alarms": ["disk_full", "line_lost"], "language": "en",
        }));
        patch.extend(members(more));
        self.mail.change(&patch).expect("changed");
        // The thread has taken it over as soon as it knows the addresses.
        let now = || self.mail.now().recipients.len() == recipients.len();
        wait_until("the settings are in force", now);
        std::thread::sleep(Duration::from_millis(60));
    }

    /// Sends a test and waits for its end.
    pub fn test(&self, text: &str) -> Vec<TestState> {
        self.mail.test(text, self.host.now_us()).expect("begun");
        let test = || self.mail.now().test.expect("a test");
        wait_until("the test has ended", || !test().is_running());
        test().recipients.into_iter().map(|(_, state)| state).collect()
    }

    /// What failed in a test of one address.
    pub fn test_failure(&self, text: &str) -> hookline_mail::Failure {
        match self.test(text).pop() {
            Some(TestState::Failed(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }

    pub fn email_alarms(&self, state: AlarmState) -> Vec<AlarmRow> {
        let codes = [AlarmCode::EmailFailed.name().to_owned()].into();
        let query = AlarmQuery { state, codes, ..AlarmQuery::default() };
        self.catalog.alarms(&Scope::everything(), &query, PageRequest::default()).expect("read").items
    }
}

impl Drop for TestBox {
    fn drop(&mut self) {
        self.mail.stop();
    }
}

fn start(data: &Path, catalog: &Catalog, host: &Arc<FakeHost>) -> Mail {
    let config =
        MailConfig { data: data.to_owned(), catalog: catalog.clone(), host: host.clone(), tuning: quick() };
    Mail::start(config).expect("starts")
}

pub fn us(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp_micros()
}

#[track_caller]
pub fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !reached() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
