//! The network: what there is, a change that is tried, confirmed or taken back, whatever ends meanwhile.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hookline_appliance::{AddressSource, LinkState, NetworkNow, NetworkSettings, NetworkTuning, Outcome};
use serde_json::{Value, json};
use zbus::Connection;

use crate::house::{House, wait_until};
use crate::networkd::{Networkd, plug};

const FILE: &str = "10-hookline-eth0.network";
const KEPT: &str = "network.json";

/// A box with two interfaces.
struct NetworkHouse {
    house: House,
    networkd: Networkd,
    _connection: Connection,
}

impl NetworkHouse {
    fn new(confirm_within: Duration) -> Self {
        let house = House::with(|config| {
            config.tuning.network = NetworkTuning { confirm_within, apply_after: SOON };
            plug(&config.root, "eth0", 2, None);
            plug(&config.root, "eth1", 3, None);
        });
        let root = house.root();
        let (networkd, connection) = house.runtime.block_on(Networkd::serve(&house.bus.address, &root));
        Self { house, networkd, _connection: connection }
    }

    fn now(&self) -> NetworkNow {
        self.house.appliance().network().expect("told")
    }

    /// Addresses of eth0 as people write them.
    fn addresses(&self) -> Vec<String> {
        let now = self.now();
        let eth0 = now.links.iter().find(|link| link.name == "eth0").expect("it is there");
        eth0.addresses.iter().map(|one| format!("{}/{}", one.address, one.prefix)).collect()
    }

    #[track_caller]
    fn wait_for(&self, address: &str) {
        wait_until(address, || self.addresses() == [address]);
    }

    #[track_caller]
    fn wait_for_outcome(&self, id: u64, outcome: Outcome) {
        wait_until(outcome.name(), || self.outcome() == Some((id, outcome)));
    }

    fn outcome(&self) -> Option<(u64, Outcome)> {
        self.now().last.map(|last| (last.id, last.outcome))
    }

    /// A process again, as after `stop`.
    fn start_again(&mut self, confirm_within: Duration) {
        let mut config = self.house.config();
        config.tuning.network = NetworkTuning { confirm_within, apply_after: SOON };
        self.house.start(config).expect("it starts");
    }
}

fn settings(interfaces: Value) -> NetworkSettings {
    serde_json::from_value(json!({ "interfaces": interfaces })).expect("settings")
}

fn eth0(ipv4: Value) -> NetworkSettings {
    settings(json!([{"interface": "eth0", "ipv4": ipv4, "ipv6": {"method": "off"}}]))
}

fn at(address: &str) -> NetworkSettings {
    eth0(json!({"method": "static", "address": address}))
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(800);
/// From an answer to what it promised.
const SOON: Duration = Duration::from_millis(100);

#[test]
fn interfaces_are_told_with_what_they_came_to() {
    let house = NetworkHouse::new(LONG);
    plug(&house.house.root(), "wlan0", 4, Some("wlan"));
    let now = house.now();
    assert_eq!((now.settings, now.trying, now.last), (NetworkSettings::default(), None, None));
    let names: Vec<(&str, bool)> = now.links.iter().map(|link| (link.name.as_str(), link.settable)).collect();
    assert_eq!(names, [("eth0", true), ("eth1", true), ("wlan0", false)]);
    let eth0 = &now.links[0];
    assert_eq!((eth0.state, eth0.addresses[0].source), (LinkState::Configured, AddressSource::Dhcp));
    assert_eq!(eth0.lease.as_ref().and_then(|lease| lease.lifetime_s), Some(3600));
}

#[test]
fn a_change_that_nobody_confirms_is_taken_back() {
    let house = NetworkHouse::new(SHORT);
    assert_eq!(house.addresses(), ["192.168.7.77/24"]);
    let begun = Instant::now();
    let trying = house.house.appliance().change_network(at("192.168.1.20/24")).expect("it counts");
    assert_eq!((trying.id, trying.left_s), (1, 1));
    assert_eq!(house.addresses(), ["192.168.7.77/24"], "the answer goes out first");
    house.wait_for("192.168.1.20/24");
    let now = house.now();
    assert_eq!(now.settings, NetworkSettings::default(), "after a restart the former ones would count");
    assert_eq!(now.trying.map(|trying| trying.settings), Some(at("192.168.1.20/24")));
    house.wait_for_outcome(1, Outcome::NotConfirmed);
    assert!(begun.elapsed() >= SHORT + SOON, "{:?}", begun.elapsed());
    assert_eq!(house.addresses(), ["192.168.7.77/24"]);
    assert_eq!((house.networkd.file(FILE), house.networkd.play().reloads), (None, 2));
    let error = house.house.appliance().confirm_network(1).expect_err("too late");
    assert_eq!((error.code(), error.detail()["id"].clone()), ("network_change_over", json!(1)));
}

#[test]
fn a_change_that_is_confirmed_outlives_the_process_and_the_power() {
    let mut house = NetworkHouse::new(SHORT);
    let trying = house.house.appliance().change_network(at("192.168.1.20/24")).expect("it counts");
    // At once: it is carried out by then, or not at all.
    house.house.appliance().confirm_network(trying.id).expect("it stays");
    assert_eq!(house.addresses(), ["192.168.1.20/24"]);
    std::thread::sleep(SHORT + Duration::from_millis(200));
    assert_eq!(house.outcome(), Some((1, Outcome::Confirmed)));
    assert_eq!(
        (house.addresses(), house.now().settings),
        (vec!["192.168.1.20/24".to_owned()], at("192.168.1.20/24"))
    );

    let reloads = house.networkd.play().reloads;
    house.house.stop();
    house.start_again(SHORT);
    assert_eq!(house.now().settings, at("192.168.1.20/24"));
    assert_eq!(house.networkd.play().reloads, reloads, "nothing to tell");

    house.house.stop();
    fs::remove_dir_all(house.house.root().join("run/systemd/network")).expect("gone with the power");
    house.start_again(SHORT);
    wait_until("networkd is told", || house.networkd.play().reloads > reloads);
    house.wait_for("192.168.1.20/24");
}

#[test]
fn a_process_that_ends_meanwhile_takes_the_change_back_at_the_next_start() {
    let mut house = NetworkHouse::new(LONG);
    let first = house.house.appliance().change_network(at("192.168.1.20/24")).expect("it counts");
    house.house.appliance().confirm_network(first.id).expect("it stays");
    let second = house.house.appliance().change_network(at("10.0.0.5/8")).expect("it counts");
    house.wait_for("10.0.0.5/8");
    // What a power cut would leave at this moment; `stop` leaves the same, since nothing is done on the way out.
    let cut = house.house.folder.path().join("cut");
    fs::create_dir(&cut).expect("made");
    let copied = Command::new("cp").arg("-a").args([&house.house.root(), &house.house.kept(), &cut]).status();
    assert!(copied.expect("cp runs").success());
    house.house.stop();

    house.start_again(LONG);
    wait_until("networkd is told", || house.addresses() == ["192.168.1.20/24"]);
    assert_eq!(house.outcome(), Some((second.id, Outcome::Interrupted)));
    assert_eq!(house.now().trying, None);
    house.house.stop();

    fs::remove_dir_all(cut.join("root/run")).expect("gone with the power");
    let mut config = house.house.config();
    (config.root, config.folder) = (cut.join("root"), cut.join("kept"));
    house.house.start(config).expect("it starts");
    assert_eq!(house.outcome(), Some((second.id, Outcome::Interrupted)));
    let text = fs::read_to_string(cut.join("root/run/systemd/network").join(FILE)).expect("written");
    assert!(text.contains("Address=192.168.1.20/24"), "{text}");
}

#[test]
fn one_change_at_a_time_and_each_ends_once() {
    let house = NetworkHouse::new(LONG);
    let appliance = house.house.appliance();
    let first = appliance.change_network(at("192.168.1.20/24")).expect("it counts");
    let error = appliance.change_network(at("192.168.1.21/24")).expect_err("one waits");
    assert_eq!((error.code(), error.detail()["id"].clone()), ("network_change_waits", json!(first.id)));
    for id in [first.id + 1, 0, u64::MAX] {
        assert_eq!(appliance.confirm_network(id).expect_err("another one").code(), "network_change_over");
        assert_eq!(appliance.revert_network(id).expect_err("another one").code(), "network_change_over");
    }
    house.wait_for("192.168.1.20/24");
    appliance.revert_network(first.id).expect("taken back");
    assert_eq!(appliance.confirm_network(first.id).expect_err("too late").code(), "network_change_over");
    house.wait_for_outcome(first.id, Outcome::Reverted);
    assert_eq!(house.addresses(), ["192.168.7.77/24"]);
    assert_eq!(appliance.revert_network(first.id).expect_err("over").code(), "network_change_over");
    let next = appliance.change_network(at("192.168.1.21/24")).expect("it counts");
    assert_eq!(next.id, first.id + 1);
}

#[test]
fn what_cannot_be_is_told_at_its_place_and_touches_nothing() {
    let house = NetworkHouse::new(LONG);
    let error = house
        .house
        .appliance()
        .change_network(eth0(
            json!({"method": "static", "address": "192.168.1.20/24", "gateway": "192.168.2.1"}),
        ))
        .expect_err("refused");
    assert_eq!(error.code(), "network_invalid");
    let detail = Value::Object(error.detail());
    assert_eq!(detail, json!({"field": "interfaces[0].ipv4.gateway", "fault": "gateway_outside"}));
    let sentence = error.to_string();
    assert!(sentence.contains("interfaces[0].ipv4.gateway") && !sentence.contains('\n'), "{sentence}");

    let answer = house.house.say(
        b"{\"request\":\"change_network\",\"settings\":{\"interfaces\":[{\"interface\":\"eth0\",\"wlan\":3,\
        \"ipv4\":{\"method\":\"dhcp\"},\"ipv6\":{\"method\":\"off\"}}]}}\n",
    );
    assert!(answer.contains("bad_request") && answer.contains("settings.interfaces[0].wlan"), "{answer}");
    assert_eq!(house.networkd.play().reloads, 0);
    assert!(!house.house.kept().join(KEPT).exists() && !house.house.root().join("run/hookline").exists());
}

#[test]
fn a_networkd_that_refuses_leaves_all_as_it_was() {
    let house = NetworkHouse::new(LONG);
    house.networkd.play().refuses = Some("Interactive authentication required");
    house.house.appliance().change_network(at("192.168.1.20/24")).expect("it was promised");
    house.wait_for_outcome(1, Outcome::Failed);
    assert_eq!(fs::read_dir(house.house.root().join("run/systemd/network")).expect("there").count(), 0);
    assert_eq!((house.now().trying, house.now().settings), (None, NetworkSettings::default()));
    let again = house.house.appliance().change_network(at("192.168.1.20/24")).expect("it was promised");
    let error = house.house.appliance().confirm_network(again.id).expect_err("it cannot be");
    assert_eq!(error.code(), "network_failed");
    assert!(error.to_string().contains("Interactive authentication required"), "{error}");
    house.wait_for_outcome(again.id, Outcome::Failed);
    house.networkd.play().refuses = None;
    house.house.appliance().change_network(at("192.168.1.20/24")).expect("and now it counts");
}

#[test]
fn a_box_without_networkd_shows_its_interfaces_and_changes_nothing() {
    let house = House::with(|config| plug(&config.root, "eth0", 2, None));
    let now = house.appliance().network().expect("told");
    assert_eq!((now.links.len(), now.links[0].state), (1, LinkState::Unknown));
    let error = house.appliance().change_network(at("192.168.1.20/24")).expect_err("nobody does it");
    assert_eq!(error.code(), "not_available");
    assert!(error.to_string().contains("systemd-networkd"), "{error}");
    assert!(!house.root().join("run").exists() && !house.kept().join(KEPT).exists());
}

#[test]
fn a_disk_that_refuses_is_told_before_anything_is_set() {
    let house = NetworkHouse::new(LONG);
    fs::create_dir_all(house.house.kept().join(KEPT)).expect("in the way");
    let error = house.house.appliance().change_network(at("192.168.1.20/24")).expect_err("refused");
    assert_eq!(error.code(), "network_failed");
    assert!(error.to_string().contains(KEPT), "{error}");
    assert_eq!(house.networkd.play().reloads, 0);
    assert_eq!(house.addresses(), ["192.168.7.77/24"]);
}

#[test]
fn pppoe_is_dialled_and_ended_and_its_password_stays_inside() {
    let house = NetworkHouse::new(LONG);
    let appliance = house.house.appliance();
    let pppoe = |password: Value| {
        eth0(json!({"method": "pppoe", "user": "anna@isp", "password": password, "service": null}))
    };
    let trying = appliance.change_network(pppoe(json!("hunter2"))).expect("it counts");
    assert_eq!(trying.settings, pppoe(Value::Null), "told without it");
    wait_until("it dials", || house.networkd.play().units == ["restart hookline-pppoe@eth0.service"]);
    appliance.confirm_network(trying.id).expect("it stays");
    let options = || fs::read_to_string(house.house.root().join("run/hookline/ppp/eth0"));
    assert!(options().expect("written").contains("password \"hunter2\""));
    let kept = house.house.kept().join(KEPT);
    assert_eq!(mode(&kept), 0o600);
    assert_eq!(house.now().settings, pppoe(Value::Null));

    // Without a password it is the one that is known; nothing changes, and the line is not dropped.
    let same = appliance.change_network(pppoe(Value::Null)).expect("it counts");
    std::thread::sleep(SOON * 2);
    assert_eq!(house.networkd.play().units.len(), 1);
    appliance.confirm_network(same.id).expect("it stays");
    assert!(options().expect("kept").contains("password \"hunter2\""));

    let dhcp = appliance.change_network(eth0(json!({"method": "dhcp"}))).expect("it counts");
    assert!(options().is_err(), "the options are gone");
    wait_until("it hangs up", || house.networkd.play().units.len() == 2);
    appliance.revert_network(dhcp.id).expect("taken back");
    house.wait_for_outcome(dhcp.id, Outcome::Reverted);
    assert_eq!(
        house.networkd.play().units[1..],
        ["stop hookline-pppoe@eth0.service", "restart hookline-pppoe@eth0.service"]
    );
    assert!(options().expect("there again").contains("hunter2"));
}

#[test]
fn a_vlan_is_made_and_held_down_when_it_is_no_longer_wanted() {
    let house = NetworkHouse::new(LONG);
    let appliance = house.house.appliance();
    let with_vlan = settings(json!([
        {"interface": "eth0", "ipv4": {"method": "dhcp"}, "ipv6": {"method": "off"}},
        {"interface": "eth0", "vlan": 10, "ipv4": {"method": "static", "address": "10.9.0.2/16"}, "ipv6": {"method": "off"}},
    ]));
    let trying = appliance.change_network(with_vlan).expect("it counts");
    let made =
        || house.networkd.file("10-hookline-eth0.10.netdev").is_some_and(|text| text.contains("Id=10"));
    wait_until("networkd reads it", made);
    // As networkd makes it.
    plug(&house.house.root(), "eth0.10", 9, Some("vlan"));
    assert!(house.now().links.iter().any(|link| link.name == "eth0.10"));
    appliance.revert_network(trying.id).expect("taken back");
    house.wait_for_outcome(trying.id, Outcome::Reverted);
    let held = house.networkd.file("10-hookline-eth0.10.network").expect("there is one");
    assert!(held.contains("ActivationPolicy=always-down"), "{held}");
    assert_eq!(house.networkd.file("10-hookline-eth0.10.netdev"), None);
    fs::write(house.house.root().join("sys/class/net/eth0.10/carrier"), "0\n").expect("written");
    assert!(!house.now().links.iter().any(|link| link.name == "eth0.10"), "nobody needs to see it");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").mode() & 0o777
}
