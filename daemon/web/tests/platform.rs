//! A platform with a real station: registered, synchronised, watched, listened to and told what to do through the pages.

mod house;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use house::organisation::{NORTH, Organisation, SOUTH, facts};
use house::{Answer, Client, House, contract};
use http_body_util::Full;
use hyper::{Method, header};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

type Socket = WebSocketStream<house::client::Tls>;

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

async fn next_live(socket: &mut Socket) -> Value {
    loop {
        let message = timeout(Duration::from_secs(10), socket.next()).await.expect("in time");
        if let Message::Text(text) = message.expect("open").expect("a message") {
            let value = serde_json::from_str(&text).expect("JSON");
            contract::valid("/components/schemas/LivePlatformMessage", &value, "a live message");
            return value;
        }
    }
}

async fn close_code(socket: &mut Socket) -> Option<u16> {
    loop {
        match timeout(Duration::from_secs(20), socket.next()).await.expect("in time") {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_is_registered_watched_and_told_what_to_do() {
    let (house, organisation) = (House::open().await, Organisation::open().await);
    let (station, mut admin) = (house.admin().await, organisation.serving.admin().await);
    let [north, _, south] = organisation.furnish(&mut admin).await;
    let serial = station.get("/box").await.expect(200)["serial"].as_str().expect("text").to_owned();
    let port = organisation.platform.intake_address().port();
    let fingerprint = admin.get("/box").await.expect(200)["fingerprint"].clone();

    // The station is told of its platform, and waits there until somebody adds it.
    let settings =
        json!({ "address": format!("127.0.0.1:{port}"), "fingerprint": fingerprint, "switched_on": true });
    let link = station
        .with_body(Method::PATCH, "/settings/platform", json!({ "settings": settings }))
        .await
        .expect(200);
    assert_eq!(link["settings"]["switched_on"], true);
    let waiting =
        until(&admin, "/devices/waiting", |list| list["items"][0]["serial"] == serial.as_str()).await;
    assert_eq!(waiting["items"][0]["fingerprint"], link["own_fingerprint"]);
    assert_eq!(north.get("/devices/waiting").await.expect(200)["items"], json!([]), "it is nobody's yet");
    let device = json!({ "serial": serial, "name": "Exchange", "department": "North", "fingerprint": link["own_fingerprint"] });
    admin.post("/devices", device.clone()).await.expect(201);
    admin.post("/devices", device).await.refused(409, "device_exists");
    let path = format!("/devices/{serial}");
    let device =
        until(&admin, &path, |device| device["online"] == true && device["ports"]["total"] == 2).await;
    assert_eq!((&device["department"], &device["pinned"]), (&json!("North"), &json!(true)));

    // What it records is here, and can be heard.
    let filter = format!("/recordings?station={serial}&audio=with");
    let list = until(&north, &filter, |list| list["items"][0]["has_audio"] == true).await;
    assert_eq!(list["items"][0]["station_name"], "Exchange");
    let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
    let audio = north.get(&format!("/recordings/{id}/audio")).await;
    audio.expect(200);
    assert_eq!(&audio.body[..4], b"RIFF");
    north.get(&format!("/recordings/{id}/peaks")).await.expect(200);
    north.bare(Method::POST, &format!("/recordings/{id}/fetch")).await.refused(409, "audio_here");
    // The disk has lost it: it is not "here" because the catalog says so.
    let data = organisation.platform.data_dir();
    let rows = organisation.platform.catalog();
    let (own_serial, sequence) = id.split_once(':').expect("an id");
    let number = sequence.parse().expect("a number");
    let record = recording::RecordId { serial: own_serial.into(), sequence: number };
    let row = rows.record(&catalog::Scope::everything(), &record).expect("asked").expect("there").row;
    std::fs::remove_file(data.path().join(row.file.expect("a file"))).expect("removed");
    let fetch = north.bare(Method::POST, &format!("/recordings/{id}/fetch")).await.expect(202);
    let fetch = format!("/commands/{}", fetch["id"].as_str().expect("an id"));
    let fetched = until(&north, &fetch, |command| command["finished_at"].is_string()).await;
    assert_eq!(fetched["state"], "done", "{fetched}");
    north.get(&format!("/recordings/{id}/audio")).await.expect(200);
    south.get(&format!("/recordings/{id}")).await.refused(404, "not_found");
    let home = north.get("/home").await.expect(200);
    assert_eq!((&home["devices"], &home["ports"]["total"]), (&json!({ "online": 1, "total": 2 }), &json!(2)));
    assert_eq!(south.get("/home").await.expect(200)["devices"], json!({ "online": 0, "total": 1 }));
    north.get("/vitals").await.expect(200);
    let ports = north.get(&format!("{path}/ports")).await.expect(200);
    assert_eq!(ports["items"].as_array().map(Vec::len), Some(2));
    let statistics = north.get("/recordings/statistics?by=department").await.expect(200);
    assert_eq!(statistics["rows"][0]["key"], "North");
    let by_station = north.get("/recordings/statistics?by=station").await.expect(200);
    assert_eq!(
        (&by_station["rows"][0]["key"], &by_station["rows"][0]["name"]),
        (&json!(serial), &json!("Exchange"))
    );

    // It is seen and heard as it happens, by those to whom it belongs.
    let mut live = north.socket(&format!("/live?device={serial}"), None).await.expect("opened");
    let all = next_live(&mut live).await;
    assert_eq!((&all["type"], all["devices"].as_array().map(Vec::len)), (&json!("all"), Some(2)));
    assert_eq!(all["ports"].as_array().map(Vec::len), Some(2));
    let mut seen = false;
    for _ in 0..100 {
        let change = next_live(&mut live).await;
        seen |= change["ports"]
            .as_array()
            .is_some_and(|ports| ports.iter().any(|port| port["recording_since"].is_string()));
        if seen {
            break;
        }
    }
    assert!(seen, "a call in progress is seen");
    assert_eq!(south.socket(&format!("{path}/ports/1/listen"), None).await.err(), Some(404));
    let mut sound = north.socket(&format!("{path}/ports/1/listen"), None).await.expect("opened");
    let heard = timeout(Duration::from_secs(20), async {
        loop {
            if let Some(Ok(Message::Binary(bytes))) = sound.next().await {
                return bytes.len();
            }
        }
    });
    assert_eq!(heard.await.expect("heard"), 960);

    // Commands have an answer each.
    let command = json!({ "what": "synchronise", "from": "2026-03-01T00:00:00+08:00", "to": "2026-03-02T00:00:00+08:00" });
    let asked = north
        .with_body(Method::POST, "/devices/commands", json!({ "serials": [serial], "command": command }))
        .await;
    let id = asked.expect(202)["items"][0]["id"].as_str().expect("an id").to_owned();
    let done = until(&north, &format!("/commands/{id}"), |command| command["finished_at"].is_string()).await;
    assert_eq!(done["state"], "done", "{done}");
    north.bare(Method::POST, &format!("/commands/{id}/cancel")).await.refused(409, "command_over");
    let wrong = json!({ "what": "set_channels", "ports": [1], "settings": { "colour": "red" } });
    let asked = north
        .with_body(Method::POST, "/devices/commands", json!({ "serials": [serial], "command": wrong }))
        .await;
    let id = asked.expect(202)["items"][0]["id"].as_str().expect("an id").to_owned();
    let failed =
        until(&north, &format!("/commands/{id}"), |command| command["finished_at"].is_string()).await;
    assert_eq!(
        (&failed["state"], &failed["code"]),
        (&json!("failed"), &json!("setting_invalid")),
        "{failed}"
    );

    // It goes to another department: whoever listens hears nothing more from that moment on.
    admin.patch(&path, json!({ "department": "South" })).await.expect(200);
    assert_eq!(close_code(&mut sound).await, Some(4001));
    north.get(&path).await.refused(404, "not_found");
    south.get(&path).await.expect(200);
    loop {
        let change = next_live(&mut live).await;
        if change["removed"].as_array().is_some_and(|removed| removed.contains(&json!(serial))) {
            break;
        }
    }
    assert!(
        !north.get(&filter).await.expect(200)["items"].as_array().expect("a list").is_empty(),
        "what was theirs stays"
    );

    // Off: it is cut at once.
    south.with_body(Method::PATCH, &path, json!({ "switched_on": false })).await.expect(200);
    until(&south, &path, |device| device["online"] == false).await;
    until(&station, "/settings/platform", |link| link["state"] == "refused").await;
    let listen = south.get(&format!("{path}/ports/1/listen")).await;
    listen.refused(426, "websocket_expected");
    organisation.close().await;
    house.close().await;
}

async fn import(client: &Client, query: &str, text: &str) -> Answer {
    let request = client.request(Method::POST, &format!("/devices/import{query}"));
    let request = request.header(header::CONTENT_TYPE, "text/csv").body(Full::from(text.to_owned()));
    client.send(request.expect("a request")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stations_come_from_a_file_line_by_line() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [north, ..] = organisation.furnish(&mut admin).await;
    let template = admin.get("/devices/import").await;
    assert!(String::from_utf8_lossy(&template.body).contains("serial,name,department,fingerprint,note"));
    let key = "ab".repeat(32);
    let text = format!(
        "\u{feff}Serial,Name,Department,Fingerprint\r\nHKLN-00000000000010,ten,North,{key}\r\nHKLN-00000000000011,eleven,Nowhere,\r\n\
         HKLN-00000000000010,again,,\r\n{NORTH},known,,\r\nbad serial,,,\r\nHKLN-00000000000012,\"twelve, with comma\",,\r\nHKLN-00000000000013,short\r\n"
    );
    let check = import(&admin, "?check=true", &text).await.expect(200);
    assert_eq!((&check["added"], &check["refused"]), (&json!(0), &json!(5)), "{check:#}");
    let report = import(&admin, "", &text).await.expect(200);
    let codes: Vec<&str> = report["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["code"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(
        codes,
        ["-", "not_found", "device_exists", "device_exists", "field_invalid", "-", "field_invalid"]
    );
    assert_eq!(report["rows"][0]["line"], 2);
    assert_eq!(admin.get("/devices/HKLN-00000000000012").await.expect(200)["name"], "twelve, with comma");
    assert_eq!(north.get("/devices/HKLN-00000000000010").await.expect(200)["department"], "North");
    // Whoever does not see the whole tree reads the fingerprint off the box.
    let own = import(
        &north,
        "",
        "serial,fingerprint\nHKLN-00000000000020,\nHKLN-00000000000021,".to_owned().as_str(),
    )
    .await
    .expect(200);
    assert_eq!(
        (&own["rows"][0]["code"], &own["rows"][0]["field"]),
        (&json!("field_missing"), &json!("fingerprint"))
    );
    let page = admin.get("/devices?limit=2").await.expect(200);
    let next = page["next"].as_str().expect("more").replace(' ', "%20").replace(',', "%2C");
    let rest = admin.get(&format!("/devices?limit=200&after={next}")).await.expect(200);
    assert_eq!((page["total"].as_u64(), rest["items"].as_array().map(Vec::len)), (Some(4), Some(2)));
    assert_eq!(admin.get("/devices?text=twelve").await.expect(200)["total"], 1);
    assert_eq!(admin.get("/devices?department=North").await.expect(200)["total"], 2);
    assert_eq!(admin.get("/devices?state=online").await.expect(200)["total"], 0);
    organisation.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn departments_are_a_tree_and_nobody_reaches_above_their_own() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [mut north, _, _] = organisation.furnish(&mut admin).await;
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().expect("a list");
        items.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&north.get("/departments").await.expect(200)), ["North", "North 1"]);
    assert_eq!(names(&north.get("/accounts").await.expect(200)), ["northerner", "northerner1"]);
    let department = |name: &str, prefix: &str, parent: Option<&str>| json!({ "name": name, "prefix": prefix, "parent": parent });
    for (body, field) in
        [(department("x", "n", Some("North")), "prefix"), (department("", "X", Some("North")), "name")]
    {
        assert_eq!(north.post("/departments", body).await.refused(422, "field_invalid")["field"], field);
    }
    let taken = north.post("/departments", department("x", "S", Some("North"))).await;
    assert_eq!(taken.refused(409, "department_exists")["field"], "prefix");
    north.post("/departments", department("x", "X", None)).await.refused(403, "department_not_yours");
    north.post("/departments", department("North 2", "NB", Some("North 1"))).await.expect(201);
    let move_to = |parent: &str| json!({ "parent": parent });
    north.patch("/departments/North%201", move_to("North 2")).await.refused(409, "department_cycle");
    north.patch("/departments/North", move_to("North 2")).await.refused(403, "department_not_yours");
    admin.patch("/departments/North", move_to("North 2")).await.refused(409, "department_cycle");
    north
        .patch("/departments/North%202", json!({ "code": "320100000000", "parent": "North" }))
        .await
        .expect(200);
    let used = admin.bare(Method::DELETE, "/departments/North").await.refused(409, "department_in_use");
    assert_eq!(
        (&used["devices"], &used["accounts"], &used["departments"]),
        (&json!(1), &json!(1), &json!(2))
    );
    north.bare(Method::DELETE, "/departments/North").await.refused(403, "department_not_yours");
    let contact = json!({ "number": "110", "name": "x", "department": "North 2" });
    north.post("/contacts", contact).await.expect(201);
    let used = north.bare(Method::DELETE, "/departments/North%202").await.refused(409, "department_in_use");
    assert_eq!((&used["contacts"], &used["devices"]), (&json!(1), &json!(0)));
    north.bare(Method::DELETE, "/contacts/110").await.expect(204);
    north.bare(Method::DELETE, "/departments/North%202").await.expect(204);

    // Accounts: nobody above, and nobody out of the tree.
    let account = |name: &str, department: Value| json!({ "name": name, "rights": ["live"], "password": house::NEW_PASSWORD, "department": department });
    north.post("/accounts", account("above", json!(null))).await.refused(403, "department_not_yours");
    let made = north.post("/accounts", account("below", json!("North 1"))).await.expect(201);
    assert_eq!(made["department"], "North 1");
    north.patch("/accounts/below", json!({ "department": "South" })).await.refused(404, "not_found");
    north.patch("/accounts/below", json!({ "department": null })).await.refused(403, "department_not_yours");
    north.bare(Method::DELETE, "/accounts/admin").await.refused(404, "not_found");
    let last = admin.patch("/accounts/admin", json!({ "department": "North" })).await;
    assert_eq!(last.refused(409, "account_protected")["reason"], "last_with_accounts");
    admin.patch("/accounts/northerner", json!({ "department": "South" })).await.expect(200);
    north.get("/session").await.refused(401, "not_logged_in");
    organisation.close().await;
}

/// A station that was another department's takes what it recorded then along to nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_stays_where_it_was() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [mut north, _, mut south] = organisation.furnish(&mut admin).await;
    organisation.fill(&mut south, SOUTH).await;
    let path = format!("/devices/{SOUTH}");
    admin.patch(&path, json!({ "department": "North" })).await.expect(200);
    let count = |list: &Value| list["items"].as_array().map(Vec::len);
    assert_eq!(count(&north.get("/recordings").await.expect(200)), Some(0));
    assert_eq!(count(&south.get("/recordings").await.expect(200)), Some(2));
    north.get(&path).await.expect(200);
    south.get(&path).await.refused(404, "not_found");
    let back = json!({ "department": "North", "since": "2026-01-01T00:00:00+08:00" });
    north.patch(&path, back.clone()).await.refused(403, "department_not_yours");
    assert_eq!(count(&north.get("/recordings").await.expect(200)), Some(0));
    admin.patch(&path, back).await.expect(200);
    assert_eq!(count(&north.get("/recordings").await.expect(200)), Some(2));
    // A department that goes leaves its past to the one above.
    admin
        .patch(&path, json!({ "department": "North 1", "since": "2026-02-01T00:00:00+08:00" }))
        .await
        .expect(200);
    admin.patch(&path, json!({ "department": "South" })).await.expect(200);
    admin.bare(Method::DELETE, "/accounts/northerner1").await.expect(204);
    admin.bare(Method::DELETE, "/departments/North%201").await.expect(204);
    assert_eq!(count(&north.get("/recordings").await.expect(200)), Some(2));
    admin.patch(&path, json!({ "note": "can still be changed" })).await.expect(200);
    organisation.close().await;
}

/// Nobody comes by what another department has of a station by removing it and registering it anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_comes_again_belongs_to_whom_it_belonged() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [mut north, _, south] = organisation.furnish(&mut admin).await;
    organisation.fill(&mut north, NORTH).await;
    let count = |list: &Value| list["items"].as_array().map(Vec::len);
    // Its port belongs to South, from before its recordings.
    let platform = &organisation.platform;
    let give = |device: &mut catalog::Device| {
        let south = catalog::Since { from_us: 1, department: Some("South".into()) };
        device.ports.insert(1, vec![south]);
    };
    let trail: catalog::AuditEntry = serde_json::from_value(
        json!({ "account": "admin", "ip": null, "item": "device", "operation": "x", "result": "ok" }),
    )
    .expect("an entry");
    platform.change_device(NORTH, give, |_, _| vec![trail]).expect("changed");
    let recordings = "/recordings";
    assert_eq!(count(&south.get(recordings).await.expect(200)), Some(2));
    assert_eq!(count(&north.get(recordings).await.expect(200)), Some(0));

    let path = format!("/devices/{NORTH}");
    north.bare(Method::DELETE, &path).await.refused(403, "department_not_yours");
    admin.bare(Method::DELETE, &path).await.expect(204);
    let again = json!({ "serial": NORTH, "department": "North", "fingerprint": "ab".repeat(32) });
    north.post("/devices", again.clone()).await.expect(201);
    assert_eq!(count(&north.get(recordings).await.expect(200)), Some(0), "what was recorded for South");
    assert_eq!(count(&south.get(recordings).await.expect(200)), Some(2), "stays South's");
    let device = platform.device(NORTH).expect("known").device;
    assert_eq!(device.department_at(Some(1), 2), Some("South"));
    assert_eq!(device.department_at(None, 2), Some("North"), "and its own past is North's again");

    // A department that is no more has left its past to those above all.
    admin.bare(Method::DELETE, &path).await.expect(204);
    admin.bare(Method::DELETE, "/accounts/southerner").await.expect(204);
    let south_station = format!("/devices/{SOUTH}");
    admin.bare(Method::DELETE, &south_station).await.expect(204);
    admin.bare(Method::DELETE, "/departments/South").await.expect(204);
    north.post("/devices", again).await.expect(201);
    let device = platform.device(NORTH).expect("known").device;
    assert_eq!(device.department_at(Some(1), 2), None);
    assert_eq!(count(&north.get(recordings).await.expect(200)), Some(0));
    organisation.close().await;
}

/// That a station is gone is told to whom it belongs, and not to others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_about_a_station_are_for_its_department() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [mut north, _, south] = organisation.furnish(&mut admin).await;
    let offline = catalog::AlarmKey::of_thing(catalog::AlarmCode::StationOffline, NORTH);
    organisation.platform.catalog().raise(&offline, serde_json::Map::new()).expect("raised");
    organisation.platform.catalog().wait_until_current(std::time::Duration::from_secs(5));
    let alarms = north.get("/alarms").await.expect(200);
    assert_eq!(alarms["items"][0]["code"], "station_offline", "{alarms}");
    assert_eq!(south.get("/alarms").await.expect(200)["items"], json!([]));
    let shown = until(&north, "/devices?state=alarm", |list| list["total"] == 1).await;
    assert_eq!(shown["items"][0]["alarms"]["critical"], 1, "{shown}");
    assert_eq!(south.get("/devices?state=alarm").await.expect(200)["total"], 0);
    let id = alarms["items"][0]["id"].as_str().expect("an id");
    north.post(&format!("/alarms/{id}/acknowledge"), json!({})).await.expect(200);
    organisation.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_query_found_is_counted_deleted_and_archived() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [mut north, _, mut south] = organisation.furnish(&mut admin).await;
    let things = organisation.fill(&mut north, NORTH).await;
    organisation.fill(&mut south, SOUTH).await;
    let arrives = |sequence| {
        let facts = facts(NORTH, sequence, 1, "110");
        let file = format!("recordings/{NORTH}/{sequence}.wav");
        let record = catalog::entry::Record { facts, file: None };
        organisation.arrives(NORTH, &catalog::Body::Record(record), Some(file), None);
    };
    (3..=500).for_each(arrives);
    organisation.platform.catalog().wait_until_current(Duration::from_secs(10));
    north.patch("/recordings/HKLN-00000000000001:7", json!({ "grade": "permanent" })).await.expect(200);
    let silent = north.get(&format!("/recordings/{}/audio", things.silent)).await;
    assert_eq!(silent.refused(409, "audio_not_here")["reason"], "file_missing");
    north
        .bare(Method::POST, &format!("/recordings/{}/fetch", things.silent))
        .await
        .refused(409, "device_offline");

    let found = admin.get("/recordings/found?number=110").await.expect(200);
    assert_eq!(found["count"], 498);
    let path = format!("/recordings/found/delete?number=110&through={}", found["through"]);
    // Fits the query, lies in its time, and has not been counted: it is neither in the way nor deleted.
    arrives(501);
    organisation.platform.catalog().wait_until_current(Duration::from_secs(10));
    let wrong = north.post(&path, json!({ "count": 497 })).await;
    assert_eq!(wrong.refused(409, "count_mismatch")["found"], 498);
    let job = north.post(&path, json!({ "count": 498 })).await.expect(202);
    let id = job["id"].as_str().expect("an id");
    let done = until(&north, &format!("/jobs/{id}"), |job| job["state"] != "running").await;
    assert_eq!(
        (&done["state"], &done["changed"], &done["refused"]),
        (&json!("done"), &json!(497), &json!(1)),
        "{done}"
    );
    south.get(&format!("/jobs/{id}")).await.refused(404, "not_found");
    north.bare(Method::POST, &format!("/jobs/{id}/cancel")).await.refused(409, "job_over");
    let left = north.get("/recordings?number=110").await.expect(200);
    assert_eq!((&left["total"], &left["items"][0]["sequence"]), (&json!(2), &json!(501)));
    let rest = admin.get("/recordings/found").await.expect(200);
    assert_eq!(rest["count"], 6);
    let trail = north.get("/audit?operation=delete_found").await.expect(200);
    assert_eq!(
        (trail["items"].as_array().map(Vec::len), &trail["items"][0]["parameters"]["changed"]),
        (Some(3), &json!(497))
    );
    assert_eq!(trail["items"][0]["department"], "North");

    let archive = north
        .post(&format!("/recordings/found/download?number=5550001&through={}", rest["through"]), json!({}))
        .await;
    archive.expect(200);
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive.body.to_vec())).expect("a ZIP");
    let manifest: Value =
        serde_json::from_reader(zip.by_name("manifest.json").expect("there")).expect("JSON");
    assert_eq!(manifest["recordings"].as_array().map(Vec::len), Some(2));
    let export = north.get("/recordings/export?format=csv").await;
    assert!(!String::from_utf8_lossy(&export.body).contains(SOUTH));
    organisation.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_is_told_by_name_here_too() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    organisation.furnish(&mut admin).await;
    let device = format!("/devices/{NORTH}");
    let ports = format!("{device}/ports");
    let key = format!("{device}/key");
    let good = "ab".repeat(32);
    for (method, path, body, field) in [
        (Method::POST, "/devices", json!({}), "serial"),
        (Method::POST, "/devices", json!({ "serial": "../x" }), "serial"),
        (Method::POST, "/devices", json!({ "serial": "A", "fingerprint": "12" }), "fingerprint"),
        (Method::POST, "/devices", json!({ "serial": "A", "name": "" }), "name"),
        (Method::POST, "/devices", json!({ "serial": "A", "colour": 1 }), "colour"),
        (Method::PATCH, device.as_str(), json!({}), "name"),
        (
            Method::PATCH,
            device.as_str(),
            json!({ "name": "x", "since": "2026-01-01T00:00:00Z" }),
            "department",
        ),
        (Method::PATCH, device.as_str(), json!({ "department": "North", "since": "x" }), "since"),
        (Method::PATCH, device.as_str(), json!({ "limits": {} }), "limits"),
        (
            Method::PATCH,
            device.as_str(),
            json!({ "limits": { "audio_bytes_per_s": 5, "quiet_hours": null } }),
            "limits",
        ),
        (
            Method::PATCH,
            device.as_str(),
            json!({ "limits": { "audio_bytes_per_s": null, "quiet_hours": { "from": "25:00", "to": "1:00" } } }),
            "limits",
        ),
        (Method::PATCH, ports.as_str(), json!({ "ports": [], "department": null }), "ports"),
        (Method::PATCH, ports.as_str(), json!({ "ports": [1] }), "department"),
        (Method::POST, key.as_str(), json!({ "fingerprint": "zz", "confirm": NORTH }), "fingerprint"),
        (Method::POST, key.as_str(), json!({ "fingerprint": good }), "confirm"),
        (Method::POST, "/devices/commands", json!({ "serials": [], "command": {} }), "serials"),
        (
            Method::POST,
            "/devices/commands",
            json!({ "serials": [NORTH], "command": { "what": "explode" } }),
            "what",
        ),
        (
            Method::POST,
            "/devices/commands",
            json!({ "serials": [NORTH], "command": { "what": "restart" }, "within_s": 1 }),
            "within_s",
        ),
        (Method::POST, "/departments", json!({ "name": "a/b", "prefix": "A" }), "name"),
        (Method::POST, "/departments", json!({ "name": "x", "prefix": "ABCDE" }), "prefix"),
        (Method::POST, "/departments", json!({ "name": "x", "prefix": "A", "code": "1-2" }), "code"),
        (Method::PATCH, "/departments/North", json!({}), "prefix"),
        (Method::POST, "/recordings/found/delete", json!({ "count": 1 }), "through"),
        (Method::POST, "/recordings/found/delete?through=1", json!({ "count": 0 }), "count"),
        (Method::POST, "/recordings/found/delete?through=1&colour=red", json!({ "count": 1 }), "colour"),
        (Method::PATCH, "/settings/server", json!({ "settings": {} }), "settings"),
        (Method::PATCH, "/settings/server", json!({ "settings": { "colour": 1 } }), "colour"),
        (Method::PATCH, "/settings/server", json!({ "settings": { "high_for_s": -1 } }), "high_for_s"),
        (Method::GET, "/devices?state=sometimes", json!(null), "state"),
        (Method::GET, "/devices?limit=0", json!(null), "limit"),
        (Method::GET, "/devices?after=x", json!(null), "after"),
        (Method::GET, "/commands?state=x", json!(null), "state"),
        (Method::GET, "/commands?after=x", json!(null), "after"),
        (Method::GET, "/home?x=y", json!(null), "x"),
        (Method::GET, "/live?colour=red", json!(null), "colour"),
        (Method::GET, "/recordings?station=", json!(null), "station"),
        (Method::GET, "/recordings/statistics?by=colour", json!(null), "by"),
    ] {
        let answer = match body {
            Value::Null => admin.get(path).await,
            body => admin.with_body(method.clone(), path, body).await,
        };
        assert_eq!(answer.expect(422)["params"]["field"], field, "{method} {path}");
    }
    let mistyped = json!({ "fingerprint": good, "confirm": SOUTH });
    admin.post(&key, mistyped).await.refused(409, "confirmation_wrong");
    admin.post(&key, json!({ "fingerprint": good, "confirm": NORTH })).await.expect(200);
    for (kind, text, code) in [
        ("application/json", "{}", "media_type_wrong"),
        ("text/csv", "", "field_missing"),
        ("text/csv", "name\nx\n", "field_missing"),
        ("text/csv", "serial,colour\n1,2\n", "field_unknown"),
        ("text/csv", "serial,serial\n1,2\n", "field_invalid"),
    ] {
        let request = admin.request(Method::POST, "/devices/import").header(header::CONTENT_TYPE, kind);
        let answer = admin.send(request.body(Full::from(text.to_owned())).expect("a request")).await;
        assert_eq!(answer.json()["code"], code, "{kind} {text:?}");
    }
    for serial in ["..%2F..%2Fversion", "x", "%00", "a%20b"] {
        admin.get(&format!("/devices/{serial}")).await.refused(404, "not_found");
        admin.get(&format!("/devices/{serial}/ports")).await.refused(404, "not_found");
    }
    let person = json!({ "name": "no_system", "rights": ["live", "settings"] });
    let person = organisation.serving.person_with(&mut admin, person).await;
    let restart = json!({ "serials": [NORTH], "command": { "what": "restart" } });
    let refused = person.with_body(Method::POST, "/devices/commands", restart).await;
    assert_eq!(refused.refused(403, "right_missing")["right"], "system");
    organisation.close().await;
}
