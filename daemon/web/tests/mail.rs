//! E-mail push over the interface: who may, what is told, and that the secret never is.

mod house;

use house::House;
use serde_json::json;

const SECRET: &str = "correct-horse";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_mail_is_set_up_and_tested_and_the_secret_is_in_no_answer() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let before = admin.get("/settings/mail").await.expect(200);
    assert_eq!((&before["settings"]["switched_on"], &before["secret_set"]), (&json!(false), &json!(false)));
    assert_eq!(before["recipients"], json!([]));
    let kinds: Vec<&str> =
        before["kinds"].as_array().expect("a list").iter().filter_map(|one| one.as_str()).collect();
    assert!(kinds.contains(&"line_lost") && !kinds.contains(&"station_offline"), "{kinds:?}");
    let refused = admin.post("/settings/mail/test", json!({ "text": "x" })).await;
    assert_eq!(refused.refused(422, "setting_invalid")["field"], "server");

    // A port that nobody listens on: what a test comes to is told, in codes.
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let settings = json!({ "server": "127.0.0.1", "port": port, "security": "none", "secret": SECRET,
        "sender": "box@mail.test", "recipients": ["duty@mail.test"], "switched_on": true });
    let changed = admin.patch("/settings/mail", json!({ "settings": settings })).await.expect(200);
    assert_eq!((&changed["settings"]["port"], &changed["secret_set"]), (&json!(port), &json!(true)));
    admin.post("/settings/mail/test", json!({ "text": "x" })).await.expect(200);
    let mut now = json!(null);
    for _ in 0..200 {
        now = admin.get("/settings/mail").await.expect(200);
        if now["test"]["running"] == json!(false) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let result = &now["test"]["recipients"][0];
    assert_eq!((&result["state"], &result["failure"]["reason"]), (&json!("failed"), &json!("unreachable")));
    assert_eq!(now["recipients"][0]["last"]["what"], "test");

    for (settings, field) in [
        (json!({ "server": "other.example.org" }), "secret"),
        (json!({ "recipients": ["nobody"] }), "recipients[0]"),
        (json!({ "colour": 1 }), "colour"),
    ] {
        let refused = admin.patch("/settings/mail", json!({ "settings": settings })).await;
        assert_eq!(refused.refused(422, "setting_invalid")["field"], field);
    }
    admin.patch("/settings/mail", json!({ "settings": {} })).await.refused(422, "field_invalid");

    let trail = admin.get("/audit?item=mail").await.expect(200);
    let written = trail.to_string();
    assert!(written.contains("secret_set") && written.contains("duty@mail.test"), "{written}");
    for told in [changed.to_string(), now.to_string(), written] {
        assert!(!told.contains(SECRET), "{told}");
    }
    let file = house.data.path().join("data/settings/mail.toml");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    house.close().await;
}
