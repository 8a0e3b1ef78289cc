//! Channels, alarms, contacts and the box itself.

mod house;

use std::time::Duration;

use catalog::{AlarmKey, Params};
use house::{Client, House};
use hyper::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_change_together_and_back() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let before = admin.get("/channels").await.expect(200);
    assert_eq!(before["undo_depth"], 0);
    assert_eq!(before["items"][0]["effective"]["on_hook_above_volts"], 18.0);
    admin.bare(Method::POST, "/channels/undo").await.refused(409, "nothing_to_undo");
    let patch = json!({ "ports": [1, 2], "settings": { "off_hook_below_volts": 14.5, "name": "值班室" } });
    let changed = admin.patch("/channels", patch).await.expect(200);
    assert_eq!(changed["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(changed["items"][1]["settings"]["off_hook_below_volts"], 14.5);
    assert_eq!(changed["undo_depth"], 1);
    for (settings, field) in [
        (json!({ "off_hook_below_volts": "high" }), "off_hook_below_volts"),
        (json!({ "off_hook_below_volts": -1 }), "off_hook_below_volts"),
        (json!({ "colour": 1 }), "colour"),
        (json!({ "use": "sometimes" }), "use"),
    ] {
        let refused = admin.patch("/channels", json!({ "ports": [1, 2], "settings": settings })).await;
        assert_eq!(refused.refused(422, "setting_invalid")["field"], field);
    }
    admin
        .patch("/channels", json!({ "ports": [1, 9], "settings": { "name": "x" } }))
        .await
        .refused(404, "not_found");
    admin
        .patch("/channels", json!({ "ports": [], "settings": { "name": "x" } }))
        .await
        .refused(422, "field_invalid");
    admin.patch("/channels", json!({ "ports": [1], "settings": {} })).await.refused(422, "field_invalid");
    let trail = admin.get("/audit?item=channel&operation=change&result=ok&port=2").await.expect(200);
    assert_eq!(
        trail["items"][0]["parameters"]["after"],
        json!({ "off_hook_below_volts": 14.5, "name": "值班室" })
    );
    admin.bare(Method::POST, "/channels/undo").await.expect(200);
    let after = admin.get("/channels").await.expect(200);
    assert_eq!(after["items"], before["items"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_box_is_set_at_once_and_it_is_written_down() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let before = admin.get("/settings/box").await.expect(200);
    assert_eq!(before["settings"]["name"], "Hookline");
    assert_eq!(before["restart_needed"], json!([]));
    let rule = json!({ "grade": "permanent", "ports": [1, 2], "numbers": [], "least_length_s": 0 });
    let change = json!({ "name": "值班室", "time_zone": "Asia/Urumqi", "grade_rules": [rule] });
    let now = admin.patch("/settings/box", json!({ "settings": change })).await.expect(200);
    assert_eq!(
        (&now["settings"]["name"], &now["effective"]["time_zone"]),
        (&json!("值班室"), &json!("Asia/Urumqi"))
    );
    let about = admin.get("/box").await.expect(200);
    assert_eq!((&about["name"], &about["time_zone"]), (&json!("值班室"), &json!("Asia/Urumqi")));
    assert!(about["time"].as_str().is_some_and(|time| time.ends_with("+06:00")), "{about}");
    // What is recorded from now on gets its grade by the rule, in the zone that holds now.
    for round in 0.. {
        let list = admin.get("/recordings?grade=permanent&limit=1").await.expect(200);
        if list["items"].get(0).is_some() {
            break;
        }
        assert!(round < 300, "no recording got its grade by the rule within 30 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let now = admin.patch("/settings/box", json!({ "settings": { "codec": "linear" } })).await.expect(200);
    assert_eq!(now["restart_needed"], json!(["codec"]));
    for (settings, field) in [
        (json!({ "colour": 1 }), "colour"),
        (json!({ "time_zone": "Mars" }), "time_zone"),
        (json!({ "disk_nearly_full_percent": 91 }), "disk_nearly_full_percent"),
        (json!({ "grade_rules": [{ "grade": "golden" }] }), "grade_rules[0]"),
    ] {
        let refused = admin.patch("/settings/box", json!({ "settings": settings })).await;
        assert_eq!(refused.refused(422, "setting_invalid")["field"], field);
    }
    admin.patch("/settings/box", json!({ "settings": {} })).await.refused(422, "field_invalid");
    let trail = admin.get("/audit?item=box&operation=change&result=ok").await.expect(200);
    assert_eq!(
        trail["items"][0]["parameters"],
        json!({ "before": { "codec": "g711_alaw" }, "after": { "codec": "linear" } })
    );
    assert_eq!(trail["items"][1]["parameters"]["before"]["name"], "Hookline");
    assert_eq!(trail["items"][1]["parameters"]["after"]["name"], "值班室");
    let refused = admin.get("/audit?item=box&result=refused").await.expect(200);
    assert_eq!(refused["total"], 4);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calibration_watches_the_line() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let begun = admin.post("/ports/1/calibration", json!({ "step": "start" })).await.expect(200);
    assert_eq!((&begun["port"], &begun["on_hook_volts"]), (&json!(1), &json!(null)));
    let seen = admin.post("/ports/1/calibration", json!({ "step": "on_hook" })).await.expect(200);
    assert!(seen["on_hook_volts"].as_f64().is_some_and(|volts| volts > 5.0), "{seen}");
    admin.post("/ports/1/calibration", json!({ "step": "guess" })).await.refused(422, "field_invalid");
    admin.post("/ports/77/calibration", json!({ "step": "start" })).await.refused(404, "not_found");
    admin.post("/channels/volts/reset", json!({ "ports": [1] })).await.expect(204);
    admin.post("/channels/volts/reset", json!({ "ports": [1, 77] })).await.refused(404, "not_found");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_records_by_hand() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    // Nothing else begins a recording on this port any more.
    let quiet =
        json!({ "ports": [1], "settings": { "start_mode": "manual", "stop_modes": ["manual", "length"] } });
    admin.patch("/channels", quiet).await.expect(200);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stop = admin.post("/ports/1/record", json!({ "action": "stop" })).await;
    if stop.status == 409 {
        assert_eq!(stop.refused(409, "record_refused")["reason"], "not_recording");
    }
    admin.post("/ports/1/record", json!({ "action": "start" })).await.expect(200);
    let twice = admin.post("/ports/1/record", json!({ "action": "start" })).await;
    assert_eq!(twice.refused(409, "record_refused")["reason"], "already_recording");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    admin.post("/ports/1/record", json!({ "action": "stop" })).await.expect(200);
    for _ in 0..100 {
        let list = admin.get("/recordings?start_mode=manual&stop_mode=manual&port=1").await.expect(200);
        if list["items"].get(0).is_some() {
            house.close().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the recording by hand is not in the list");
}

/// The first of a list as soon as there is one.
async fn shown(client: &Client, address: &str) -> Value {
    for _ in 0..50 {
        let list = client.get(address).await.expect(200);
        if let Some(first) = list["items"].get(0) {
            return first.clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{address} stayed empty");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_are_listed_and_acknowledged() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let catalog = house.station.catalog().clone();
    let key = AlarmKey::of_thing(catalog::AlarmCode::MirrorDegraded, "disk2");
    tokio::task::spawn_blocking(move || catalog.raise(&key, Params::new()))
        .await
        .expect("no panic")
        .expect("raised");
    // Raising is safe on disk at once; lists show it a moment later.
    let alarm = shown(&admin, "/alarms?category=disk&severity=critical&code=mirror_degraded").await;
    assert_eq!((&alarm["code"], &alarm["thing"]), (&json!("mirror_degraded"), &json!("disk2")));
    assert!(admin.get("/box").await.expect(200)["alarms"]["critical"].as_u64() >= Some(1));
    let address = format!("/alarms/{}/acknowledge", alarm["id"].as_str().expect("an id"));
    let seen = admin.post(&address, json!({ "note": "disk ordered" })).await.expect(200);
    assert_eq!(
        (&seen["acknowledged"]["account"], &seen["acknowledged"]["note"]),
        (&json!("admin"), &json!("disk ordered"))
    );
    let unseen = admin.get("/alarms?acknowledged=false&code=mirror_degraded").await.expect(200);
    assert_eq!(unseen["items"], json!([]));
    let catalog = house.station.catalog().clone();
    let key = AlarmKey::of_thing(catalog::AlarmCode::MirrorDegraded, "disk2");
    tokio::task::spawn_blocking(move || catalog.clear(&key)).await.expect("no panic").expect("cleared");
    let past = shown(&admin, "/alarms?state=history&code=mirror_degraded").await;
    assert!(past["cleared_at"].is_string(), "{past}");
    admin.post("/alarms/999999/acknowledge", json!({})).await.refused(404, "not_found");
    admin.post("/alarms/x/acknowledge", json!({})).await.refused(404, "not_found");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_come_and_go() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let contact = json!({ "number": "8001", "name": "王警官", "department": "指挥中心" });
    admin.post("/contacts", contact.clone()).await.expect(201);
    admin.post("/contacts", contact).await.refused(409, "contact_exists");
    admin.post("/contacts", json!({ "number": "a/b", "name": "x" })).await.refused(422, "field_invalid");
    admin.post("/contacts", json!({ "number": "1" })).await.refused(422, "field_missing");
    let changed = admin.patch("/contacts/8001", json!({ "note": "夜班" })).await.expect(200);
    assert_eq!((&changed["name"], &changed["note"]), (&json!("王警官"), &json!("夜班")));
    let found = admin.get("/contacts?text=%E7%8E%8B").await.expect(200);
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    let recording = house.a_recording(&mut admin).await;
    if recording["line_number"] == "8001" {
        assert_eq!(recording["line_contact"], "王警官");
    }
    admin.bare(Method::DELETE, "/contacts/8001").await.expect(204);
    admin.bare(Method::DELETE, "/contacts/8001").await.refused(404, "not_found");
    house.close().await;
}
