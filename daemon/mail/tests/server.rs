//! The ways to a real mail server, and the ways in which it can fail, each with what the page says of it.

mod support;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use hookline_mail::{Kind, Reason, TestState};
use serde_json::json;
use support::{Certificates, SECRET, SENDER, Server, TestBox};

const DUTY: &str = "duty@mail.test";

#[test]
fn a_test_arrives_over_every_kind_of_connection() {
    let certificates = Certificates::of("localhost");
    for (security, tls) in [("tls", "implicit"), ("starttls", "starttls")] {
        let server = Server::safe(tls, &certificates);
        let test_box = TestBox::new();
        let safe = json!({"server": "localhost", "security": security, "secret": SECRET,
            "ca_certificate": certificates.authority, "language": "zh-CN"});
        test_box.configure(server.port, &[DUTY, "second@mail.test"], safe);
        assert_eq!(test_box.test("收到请回复"), [TestState::Sent, TestState::Sent], "{security}");
        let taken = server.taken_for(DUTY);
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0]["subject"], "[值班室] 测试邮件");
        assert!(taken[0]["body"].as_str().expect("a text").contains("收到请回复"));
        assert_eq!((&taken[0]["tls"], &taken[0]["login"]), (&json!(true), &json!(SENDER)));
        assert_eq!(taken[0]["automatic"], "auto-generated");
        assert_eq!(server.taken().len(), 2);
        let last = test_box.mail.now().recipients[0].last.clone().expect("it is known");
        assert_eq!((last.kind, last.failure), (Kind::Test, None));
    }

    let server = Server::start(&["--account", &format!("{SENDER}:{SECRET}")]);
    let test_box = TestBox::new();
    test_box.configure(server.port, &[DUTY], json!({"secret": SECRET}));
    assert_eq!(test_box.test("x"), [TestState::Sent], "plain, because it was said so");
    assert_eq!(server.taken()[0]["tls"], false);
}

#[test]
fn a_certificate_that_nobody_vouches_for_ends_the_connection_before_anything_is_said() {
    let (ours, theirs) = (Certificates::of("localhost"), Certificates::of("localhost"));
    let other_name = Certificates::of("mail.test");
    for (security, tls) in [("tls", "implicit"), ("starttls", "starttls")] {
        for (server, authority) in [(&theirs, None), (&theirs, Some(&ours)), (&other_name, Some(&other_name))]
        {
            let server = Server::safe(tls, server);
            let test_box = TestBox::new();
            let safe = json!({"server": "localhost", "security": security, "secret": SECRET,
                "ca_certificate": authority.map(|one| &one.authority)});
            test_box.configure(server.port, &[DUTY], safe);
            let failure = test_box.test_failure("x");
            assert_eq!(failure.reason, Reason::CertificateRefused, "{security}: {failure:?}");
            assert_eq!(server.taken().len(), 0);
        }
    }
}

#[test]
fn where_tls_was_asked_for_nothing_goes_over_a_plain_connection() {
    let server = Server::start(&["--account", &format!("{SENDER}:{SECRET}")]);
    for (security, reasons) in [("starttls", [Reason::NoTls]), ("tls", [Reason::TlsFailed])] {
        let test_box = TestBox::new();
        test_box.configure(server.port, &[DUTY], json!({"security": security, "secret": SECRET}));
        let failure = test_box.test_failure("x");
        assert!(reasons.contains(&failure.reason), "{security}: {failure:?}");
    }
    assert_eq!(server.taken().len(), 0);
}

#[test]
fn a_wrong_secret_is_told_and_stands_nowhere() {
    let certificates = Certificates::of("localhost");
    let server = Server::safe("implicit", &certificates);
    let test_box = TestBox::new();
    let wrong = json!({"server": "localhost", "security": "tls", "secret": "hunter2",
        "ca_certificate": certificates.authority});
    test_box.configure(server.port, &[DUTY], wrong);
    let failure = test_box.test_failure("x");
    assert_eq!((failure.reason, failure.permanent), (Reason::LoginRefused, false), "{failure:?}");
    test_box.mail.stop();
    let now = format!("{:?}", test_box.mail.now());
    let kept = std::fs::read_to_string(test_box.path().join("mail.json")).expect("written");
    assert!(kept.contains("login_refused") && now.contains("LoginRefused"));
    assert!(!kept.contains("hunter2") && !now.contains("hunter2"), "{kept} {now}");
}

#[test]
fn one_address_that_fails_keeps_no_other_from_its_mail() {
    let server = Server::start(&[]);
    let test_box = TestBox::new();
    let all =
        ["refused@mail.test", "busy@mail.test", "hangs@mail.test", "closes@mail.test", "well@mail.test"];
    test_box.configure(server.port, &all, json!({}));
    let states = test_box.test("x");
    let reasons: Vec<Option<(Reason, bool)>> = states
        .iter()
        .map(|state| match state {
            TestState::Failed(failure) => Some((failure.reason, failure.permanent)),
            _ => None,
        })
        .collect();
    assert_eq!(
        reasons,
        [
            Some((Reason::RecipientRefused, true)),
            Some((Reason::RecipientRefused, false)),
            Some((Reason::TimedOut, false)),
            Some((Reason::Closed, false)),
            None
        ],
        "{states:?}"
    );
    assert_eq!(states[4], TestState::Sent);
    assert_eq!(server.taken().len(), 1);
    match &states[0] {
        TestState::Failed(failure) => assert!(failure.detail.contains("no such mailbox"), "{failure:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_mail_server_is_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = |listener: &TcpListener| listener.local_addr().expect("bound").port();
    let (silent_port, other_port) = (port(&silent), port(&other));
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in other.incoming().flatten() {
            let _ = (&stream).write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    for (port, reason) in
        [(nobody, Reason::Unreachable), (silent_port, Reason::TimedOut), (other_port, Reason::NoMailServer)]
    {
        let test_box = TestBox::new();
        test_box.configure(port, &[DUTY], json!({}));
        let failure = test_box.test_failure("x");
        assert_eq!(failure.reason, reason, "{failure:?}");
        assert!(!failure.detail.is_empty() && !failure.detail.contains('\n'));
    }
    let test_box = TestBox::new();
    test_box.configure(25, &[DUTY], json!({"server": "no-such-host.invalid"}));
    assert_eq!(test_box.test_failure("x").reason, Reason::Unreachable);
}

#[test]
fn a_server_that_hangs_does_not_keep_the_box_from_stopping_or_a_second_test_from_being_refused() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let test_box = TestBox::new();
    test_box.configure(silent.local_addr().expect("bound").port(), &[DUTY], json!({}));
    test_box.mail.test("x", 0).expect("begun");
    assert!(matches!(test_box.mail.test("y", 0), Err(hookline_mail::MailError::TestRunning)));
    let begun = Instant::now();
    test_box.mail.stop();
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
}
