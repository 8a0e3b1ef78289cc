//! The box's clock over the interface, with a real appliance process on a clock of the test's own and a time server on the
//! loopback.

// The name that what is shared with the tests of the appliance process knows it by.
extern crate appliance as hookline_appliance;

mod house;
#[path = "../../appliance/tests/support/machine.rs"]
mod machine;
#[path = "../../appliance/tests/support/ntp.rs"]
mod ntp;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use house::organisation::Organisation;
use house::{Client, House};
use hyper::Method;
use machine::{FakeMachine, true_us};
use ntp::{Manners, NtpServer, RIGHT};
use serde_json::{Value, json};

const YEAR_US: i64 = 31_536_000_000_000;

/// An appliance process at this socket, until its runtime ends; its clock is the machine's.
fn serve(socket: PathBuf, machine: &FakeMachine) {
    let clock = appliance::ClockTuning {
        machine: Arc::new(machine.clone()),
        not_before_us: appliance::EARLIEST_US,
        quick: Duration::from_millis(20),
        shortest_poll: Duration::from_millis(60),
        answer_within: Duration::from_millis(300),
        tick: Duration::from_millis(10),
        keep_every: Duration::from_millis(100),
    };
    let (folder, root) = (socket.with_extension("kept"), socket.with_extension("root"));
    let tuning = appliance::Tuning { clock, ..appliance::Tuning::default() };
    let config = appliance::Config { socket, for_uid: None, bus: None, folder, root, tuning };
    let server = appliance::Server::bind(config).expect("it starts");
    tokio::spawn(server.run(std::future::pending()));
}

async fn clock_once(client: &mut Client, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..1000 {
        let now = client.get("/settings/clock").await.expect(200);
        if fits(&now) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_follows_time_servers_and_it_is_written_down() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let without = admin.get("/settings/clock").await.expect(200);
    assert_eq!((&without["state"], &without["rtc"]), (&json!("unavailable"), &json!("unknown")));
    let settings = json!({ "on": false });
    admin.patch("/settings/clock", json!({ "settings": settings })).await.refused(503, "appliance_absent");
    let machine = FakeMachine::off_by(2_000_000);
    serve(house.data.path().join("appliance.sock"), &machine);
    let before = admin.get("/settings/clock").await.expect(200);
    assert_eq!(before["settings"], json!({ "on": false, "servers": [] }));
    assert_eq!((&before["state"], &before["followed"]), (&json!("off"), &Value::Null));

    let servers = [RIGHT, RIGHT, Manners { lies_us: YEAR_US, ..RIGHT }].map(NtpServer::start);
    let names: Vec<String> = servers.iter().map(NtpServer::name).collect();
    let settings = json!({ "on": true, "servers": names });
    admin.patch("/settings/clock", json!({ "settings": settings })).await.expect(200);
    let now = clock_once(&mut admin, "in step", |now| now["state"] == "in_step").await;
    assert_eq!((&now["synchronised"], &now["trouble"]), (&json!(true), &Value::Null));
    let states: Vec<&str> =
        now["servers"].as_array().expect("a list").iter().filter_map(|one| one["state"].as_str()).collect();
    assert!(states[2] == "outvoted" && states[..2].contains(&"followed") && states[..2].contains(&"agrees"));
    let offset_s = now["servers"][2]["offset_s"].as_f64().expect("known");
    assert!((offset_s - YEAR_US as f64 / 1e6).abs() < 1.0, "{offset_s} s");
    assert!(machine.error_us().abs() < 5_000, "{} us", machine.error_us());

    let trail = admin.get("/audit?item=clock&operation=change").await.expect(200);
    assert_eq!(trail["items"][0]["parameters"]["before"], json!({ "on": false, "servers": [] }));
    assert_eq!(trail["items"][0]["parameters"]["after"], settings);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sets_and_steps_the_clock_and_it_is_written_down() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let machine = FakeMachine::off_by(0);
    serve(house.data.path().join("appliance.sock"), &machine);
    admin.bare(Method::POST, "/settings/clock/step").await.refused(409, "no_time");

    let set =
        admin.post("/settings/clock/set", json!({ "time": "2030-05-06T07:08:09+08:00" })).await.expect(200);
    assert!(set["time"].as_str().is_some_and(|time| time.starts_with("2030-05-0")), "{set}");
    assert_eq!(machine.told().set_us, [1_904_252_889_000_000]);

    // One server alone, three years away: nothing moves before a person says so.
    let server = NtpServer::start(RIGHT);
    let settings = json!({ "on": true, "servers": [server.name()] });
    admin.patch("/settings/clock", json!({ "settings": settings })).await.expect(200);
    let now = clock_once(&mut admin, "a person is asked", |now| now["state"] == "step_needed").await;
    assert_eq!(now["step_needed"], "one_server_alone");
    admin.bare(Method::POST, "/settings/clock/step").await.expect(200);
    clock_once(&mut admin, "in step", |now| now["state"] == "in_step").await;
    assert!(machine.error_us().abs() < 20_000, "{} us", machine.error_us());

    let trail = admin.get("/audit?item=clock").await.expect(200);
    let written: Vec<(&Value, &Value)> = trail["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| (&item["operation"], &item["result"]))
        .collect();
    let expected = [("step", "ok"), ("change", "ok"), ("set", "ok"), ("step", "refused")];
    assert_eq!(
        written,
        expected.map(|(what, how)| (json!(what), json!(how))).each_ref().map(|(a, b)| (a, b))
    );
    let by_s = trail["items"][0]["parameters"]["by_s"].as_f64().expect("by how much");
    assert!((by_s - (true_us() - 1_904_252_889_000_000) as f64 / 1e6).abs() < 60.0, "{by_s} s");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_where_it_stands() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let machine = FakeMachine::off_by(0);
    serve(house.data.path().join("appliance.sock"), &machine);
    for (settings, field) in [
        (json!({ "on": true }), "servers"),
        (json!({ "servers": ["192.0.2.1", "no server"] }), "servers[1]"),
        (json!({ "servers": ["ntp.test", "NTP.test"] }), "servers[1]"),
        (
            json!({ "servers": ["a.cn", "b.cn", "c.cn", "d.cn", "e.cn", "f.cn", "g.cn", "h.cn", "i.cn"] }),
            "servers",
        ),
    ] {
        let refused = admin.patch("/settings/clock", json!({ "settings": settings })).await;
        assert_eq!(refused.refused(422, "setting_invalid")["field"], field);
    }
    for (settings, code) in [
        (json!({}), "field_invalid"),
        (json!({ "servers": "ntp.test" }), "field_invalid"),
        (json!({ "servers": [1] }), "field_invalid"),
        (json!({ "on": "yes" }), "field_invalid"),
        (json!({ "colour": 1 }), "field_unknown"),
    ] {
        admin.patch("/settings/clock", json!({ "settings": settings })).await.refused(422, code);
    }
    for time in ["soon", "2019-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "2026-11-23T00:00:00"] {
        admin.post("/settings/clock/set", json!({ "time": time })).await.refused(422, "field_invalid");
    }
    machine.refuse(true);
    let refused = admin.post("/settings/clock/set", json!({ "time": "2026-11-23T00:00:00Z" })).await;
    refused.refused(500, "clock_failed");
    assert!(machine.told().set_us.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_has_a_clock_as_well() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    assert_eq!(admin.get("/settings/clock").await.expect(200)["state"], "unavailable");
    let time = json!({ "time": "2026-11-23T00:00:00Z" });
    admin.post("/settings/clock/set", time).await.refused(503, "appliance_absent");
    organisation.close().await;
}
