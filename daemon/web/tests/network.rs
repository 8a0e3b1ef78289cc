//! The network over the interface: who may, what is told, what is refused where, and what stands in the audit trail. The
//! appliance process is the real one, on a bus of the test's own, with a networkd that is played.

// The name that what is shared with the tests of the appliance process knows it by.
extern crate appliance as hookline_appliance;

#[path = "../../appliance/tests/support/bus.rs"]
#[allow(dead_code, reason = "its logind is for tests of the restart")]
mod bus;
mod house;
#[path = "../../appliance/tests/support/machine.rs"]
mod machine;
#[path = "../../appliance/tests/support/networkd.rs"]
#[allow(dead_code, reason = "what it was asked of units is for tests of the process")]
mod networkd;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use appliance::{ClockTuning, Config, NetworkTuning, Server, Tuning};
use house::organisation::Organisation;
use house::{Client, House};
use machine::FakeMachine;
use networkd::{Networkd, plug};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const SECRET: &str = "correct-horse";

/// An appliance process with two interfaces, at the socket of the box in `data`.
struct Machine {
    networkd: Networkd,
    _bus: bus::Bus,
    _connection: zbus::Connection,
    process: JoinHandle<()>,
}

impl Machine {
    async fn start(data: &Path, confirm_within: Duration) -> Self {
        let root = data.join("root");
        plug(&root, "eth0", 2, None);
        plug(&root, "eth1", 3, None);
        let bus = bus::Bus::start();
        let (networkd, connection) = Networkd::serve(&bus.address, &root).await;
        let network = NetworkTuning { confirm_within, apply_after: Duration::from_millis(50) };
        let clock = ClockTuning { machine: Arc::new(FakeMachine::off_by(0)), ..ClockTuning::default() };
        let config = Config {
            socket: data.join("appliance.sock"),
            for_uid: None,
            bus: Some(bus.address.clone()),
            folder: data.join("kept"),
            root,
            tuning: Tuning { clock, network, ..Tuning::default() },
        };
        let server = Server::bind(config).expect("it starts");
        let process = tokio::spawn(server.run(std::future::pending()));
        Self { networkd, _bus: bus, _connection: connection, process }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.process.abort();
    }
}

fn eth0(ipv4: Value) -> Value {
    json!({ "settings": { "interfaces": [
        { "interface": "eth0", "vlan": null, "ipv4": ipv4, "ipv6": { "method": "off" }, "dns": [], "mtu": null },
    ] } })
}

fn at(address: &str) -> Value {
    eth0(json!({ "method": "static", "address": address, "gateway": null }))
}

async fn until(client: &mut Client, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..400 {
        let now = client.get(path).await.expect(200);
        if fits(&now) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("waited in vain for {path}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_tried_and_confirmed_and_each_step_is_in_the_trail() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    admin.get("/settings/network").await.refused(503, "appliance_absent");
    let machine = Machine::start(house.data.path(), Duration::from_secs(60)).await;
    let now = admin.get("/settings/network").await.expect(200);
    assert_eq!(
        (&now["settings"]["interfaces"], &now["trying"], &now["last"]),
        (&json!([]), &json!(null), &json!(null))
    );
    assert_eq!(now["links"][0]["addresses"][0]["source"], "dhcp");

    let trying = admin.patch("/settings/network", at("192.168.1.20/24")).await.expect(200);
    assert_eq!((&trying["id"], &trying["left_s"]), (&json!(1), &json!(61)));
    let applied = |now: &Value| now["links"][0]["addresses"][0]["address"] == "192.168.1.20";
    let now = until(&mut admin, "/settings/network", applied).await;
    assert_eq!((&now["trying"]["id"], &now["settings"]["interfaces"]), (&json!(1), &json!([])));
    admin.patch("/settings/network", at("192.168.1.21/24")).await.refused(409, "network_change_waits");
    admin.post("/settings/network/confirm", json!({ "id": 2 })).await.refused(409, "network_change_over");
    admin.post("/settings/network/confirm", json!({ "id": 1 })).await.expect(204);
    let now = admin.get("/settings/network").await.expect(200);
    assert_eq!((&now["trying"], &now["last"]["outcome"]), (&json!(null), &json!("confirmed")));
    assert_eq!(now["settings"]["interfaces"][0]["ipv4"]["address"], "192.168.1.20/24");

    let pppoe = json!({ "method": "pppoe", "user": "anna", "password": SECRET, "service": null });
    let pppoe = admin.patch("/settings/network", eth0(pppoe)).await.expect(200);
    admin.post("/settings/network/revert", json!({ "id": 2 })).await.expect(204);
    let now = until(&mut admin, "/settings/network", |now| now["last"]["outcome"] == "reverted").await;
    assert!(
        machine.networkd.file("10-hookline-eth0.network").is_some_and(|file| file.contains("192.168.1.20"))
    );

    let trail = admin.get("/audit?item=network").await.expect(200);
    let steps: Vec<&str> = trail["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["operation"].as_str())
        .collect();
    assert_eq!(steps, ["revert", "change", "confirm", "confirm", "change", "change"], "newest first");
    let first = &trail["items"][5]["parameters"];
    assert_eq!((&first["before"], &first["after"][0]["interface"]), (&json!([]), &json!("eth0")));
    for told in [now.to_string(), trail.to_string(), pppoe.to_string()] {
        assert!(!told.contains(SECRET), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_at_its_place() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let machine = Machine::start(house.data.path(), Duration::from_secs(60)).await;
    let static4 = |address: &str, gateway: &str| {
        eth0(json!({ "method": "static", "address": address, "gateway": gateway }))
    };
    for (body, field, fault) in [
        (at("192.168.1.20"), "interfaces[0].ipv4.address", "address_malformed"),
        (at("192.168.1.255/24"), "interfaces[0].ipv4.address", "address_is_broadcast"),
        (static4("192.168.1.20/24", "10.0.0.1"), "interfaces[0].ipv4.gateway", "gateway_outside"),
        (
            json!({ "settings": { "interfaces": [
            { "interface": "eth9", "ipv4": { "method": "dhcp" }, "ipv6": { "method": "off" } },
        ] } }),
            "interfaces[0].interface",
            "interface_unknown",
        ),
    ] {
        let refused = admin.patch("/settings/network", body).await.refused(422, "network_invalid");
        assert_eq!((refused["field"].as_str(), refused["fault"].as_str()), (Some(field), Some(fault)));
    }
    let method = |name: &str| eth0(json!({ "method": name }));
    for (body, code, field) in [
        (json!({}), "field_missing", "settings"),
        (json!({ "settings": {} }), "field_invalid", "settings.interfaces"),
        (json!({ "settings": { "interfaces": {} } }), "field_invalid", "settings.interfaces"),
        (method("telepathy"), "field_invalid", "settings.interfaces[0]"),
        (json!({ "settings": { "interfaces": [], "colour": 1 } }), "field_unknown", "settings.colour"),
        (
            eth0(json!({ "method": "dhcp", "gateway": null })),
            "field_unknown",
            "settings.interfaces[0].ipv4.gateway",
        ),
    ] {
        let refused = admin.patch("/settings/network", body).await.refused(422, code);
        assert_eq!(refused["field"], field);
    }
    for body in [json!({ "id": "1" }), json!({ "id": -1 }), json!({ "id": null })] {
        admin.post("/settings/network/confirm", body.clone()).await.refused(422, "field_invalid");
        admin.post("/settings/network/revert", body).await.refused(422, "field_invalid");
    }
    assert_eq!(machine.networkd.play().reloads, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_box_takes_back_by_itself_is_written_once() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let machine = Machine::start(house.data.path(), Duration::from_millis(300)).await;
    admin.patch("/settings/network", at("192.168.1.20/24")).await.expect(200);
    let path = "/audit?item=network&operation=rolled_back";
    let count = |trail: &Value| trail["items"].as_array().map_or(0, Vec::len);
    let trail = until(&mut admin, path, |trail| count(trail) == 1).await;
    let entry = &trail["items"][0];
    assert_eq!((&entry["account"], &entry["parameters"]["id"]), (&json!(null), &json!(1)));
    assert_eq!(entry["parameters"]["outcome"], "not_confirmed");

    // Whoever looks again finds it written; another one is another entry.
    machine.networkd.play().refuses = Some("no");
    admin.patch("/settings/network", at("192.168.1.21/24")).await.expect(200);
    let trail = until(&mut admin, path, |trail| count(trail) == 2).await;
    assert_eq!(trail["items"][0]["parameters"]["outcome"], "failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_platform_it_is_for_those_who_see_the_whole_tree() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let _machine = Machine::start(organisation.data.path(), Duration::from_secs(60)).await;
    let now = admin.get("/settings/network").await.expect(200);
    assert_eq!(now["links"].as_array().map(Vec::len), Some(2));
    admin.patch("/settings/network", at("192.168.1.20/24")).await.expect(200);
    admin.post("/settings/network/confirm", json!({ "id": 1 })).await.expect(204);
    let [mut north, ..] = organisation.furnish(&mut admin).await;
    north.get("/settings/network").await.refused(403, "right_missing");
    north.patch("/settings/network", at("192.168.1.22/24")).await.refused(403, "right_missing");
}
