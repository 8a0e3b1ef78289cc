//! How a person has a platform fetch from a station that cannot dial out (MG-06): through the routes of both.

mod house;

use std::time::{Duration, Instant};

use house::organisation::Organisation;
use house::{Client, House};
use hyper::Method;
use serde_json::{Value, json};

/// Asks until the answer is as it should be.
async fn until(client: &Client, path: &str, good: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let answer = client.get(path).await.expect(200);
        if good(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{path} is still {answer:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_is_added_as_one_that_is_fetched_from() {
    let (house, organisation) = (House::open().await, Organisation::open().await);
    let (mut station, mut admin) = (house.admin().await, organisation.serving.admin().await);
    let [north, ..] = organisation.furnish(&mut admin).await;
    let serial = station.get("/box").await.expect(200)["serial"].as_str().expect("text").to_owned();
    let key = station.get("/settings/platform").await.expect(200)["own_fingerprint"].clone();
    let address = house.address.to_string();
    let wrong_token = "0123456789abcdef";
    let device =
        |pull: Value| json!({ "serial": serial, "fingerprint": key, "department": "North", "pull": pull });

    // Nothing is added with half of it, or with what no station can be asked by.
    let half = admin.post("/devices", device(json!({ "address": address }))).await;
    assert_eq!(half.refused(422, "field_missing")["field"], "token");
    let never = json!({ "address": address, "token": wrong_token, "every_hours": 11 });
    let never = admin.post("/devices", device(never)).await;
    assert_eq!(never.refused(422, "setting_invalid")["field"], "pull.every_hours");
    let path = format!("/devices/{serial}");
    admin.get(&path).await.refused(404, "not_found");

    let asked = json!({ "address": address, "token": wrong_token, "every_hours": 4 });
    let added = admin.post("/devices", device(asked)).await.expect(201);
    assert_eq!(added["pull"]["settings"]["every_hours"], 4);
    let refused =
        until(&admin, &path, |device| device["pull"]["now"]["trouble"]["code"] == "token_wrong").await;
    assert_eq!((&refused["pull"]["now"]["last_success"], &refused["online"]), (&Value::Null, &json!(false)));
    assert_eq!(refused["trouble"], Value::Null, "the visit says it");
    // What is planned is one time, however often it is asked for.
    let next = refused["pull"]["now"]["next"].clone();
    assert!(next.is_string());
    assert_eq!(admin.get(&path).await.expect(200)["pull"]["now"]["next"], next);
    let pinned = station.get("/uplink/token").await.expect(200)["certificate"].clone();
    assert_eq!(refused["pull"]["settings"]["certificate"], pinned);

    // The right one, and this platform's key accepted on the station.
    let settings = json!({ "fingerprint": organisation.platform.fingerprint() });
    station.patch("/settings/platform", json!({ "settings": settings })).await.expect(200);
    let made = station.bare(Method::POST, "/uplink/token").await.expect(200);
    let token = made["token"].as_str().expect("text").to_owned();
    admin.patch(&format!("{path}/pull"), json!({ "token": token })).await.expect(200);
    let done = until(&admin, &path, |device| device["pull"]["now"]["last_success"].is_string()).await;
    let now = &done["pull"]["now"];
    assert_eq!((&now["trouble"], &now["dials"]), (&Value::Null, &json!(false)));
    until(&north, &format!("/recordings?station={serial}"), |list| list["total"] != 0).await;
    admin.bare(Method::POST, &format!("{path}/pull/fetch")).await.expect(200);

    // No token stands anywhere, and who did what does.
    let trail = admin.get("/audit?item=device&limit=200").await.expect(200).to_string();
    for (word, there) in
        [(wrong_token, false), (token.as_str(), false), ("fetch_now", true), ("pin_certificate", true)]
    {
        assert_eq!(trail.contains(word), there, "{word}");
    }
    admin.bare(Method::DELETE, &format!("{path}/pull")).await.expect(204);
    let dials = admin.get(&path).await.expect(200);
    assert_eq!(dials["pull"], json!({ "settings": null, "now": null }));
    organisation.close().await;
    house.close().await;
}
