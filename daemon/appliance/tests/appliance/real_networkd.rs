//! The real systemd-networkd of Debian, in namespaces of its own, at the other end of a pair of virtual interfaces: it takes
//! our files, and goes from one way to an address to another and back. Needs root, to make the namespaces; this kernel may
//! have no VLAN, which the stand-in box tries.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::chown;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hookline_appliance::{AddressSource, Link, LinkState, NetworkSettings, Outcome};
use nix::unistd::{User, geteuid};
use serde_json::{Value, json};

use crate::house::{House, wait_until};
use crate::networkd::plug;

/// The other end of eth0: a router that gives addresses.
const ROUTER: &str = "[Match]\nName=peer0\n\n[Network]\nAddress=192.168.7.1/24\nDHCPServer=yes\n\n\
    [DHCPServer]\nPoolOffset=50\nPoolSize=1\nDNS=192.168.7.1\n";

/// Runs below the test's root; `sysfs` read-only says that no udev is there.
const INSIDE: &str = r#"
    set -e
    mount --make-rprivate /
    mount -t sysfs -o ro sysfs /sys
    mount -t tmpfs tmpfs /run/systemd
    mkdir /run/systemd/network /run/systemd/netif
    mount --bind "$1/run/systemd/network" /run/systemd/network
    mount --bind "$1/run/systemd/netif" /run/systemd/netif
    ip link add eth0 type veth peer name peer0
    exec /lib/systemd/systemd-networkd
"#;

struct RealNetworkd(Child);

impl RealNetworkd {
    fn start(house: &House) -> Self {
        let root = house.root();
        let user = User::from_name("systemd-network").expect("answered").expect("systemd made it");
        for folder in ["run/systemd/network", "run/systemd/netif"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        chown(root.join("run/systemd/netif"), Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .expect("given");
        fs::write(root.join("run/systemd/network/50-router.network"), ROUTER).expect("written");
        let child = Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c", INSIDE, "sh"])
            .arg(&root)
            .env("DBUS_SYSTEM_BUS_ADDRESS", &house.bus.address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare starts");
        Self(child)
    }
}

impl Drop for RealNetworkd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn eth0(house: &House) -> Link {
    let now = house.appliance().network().expect("told");
    now.links.into_iter().find(|link| link.name == "eth0").expect("it is there")
}

/// The one IPv4 address, and where it comes from.
fn ipv4(link: &Link) -> Option<(String, AddressSource)> {
    let mut all = link.addresses.iter().filter(|one| one.address.is_ipv4());
    all.next()
        .map(|one| (format!("{}/{}", one.address, one.prefix), one.source))
        .filter(|_| all.next().is_none())
}

fn settings(ipv4: Value, dns: Value) -> NetworkSettings {
    let one = json!({"interface": "eth0", "ipv4": ipv4, "ipv6": {"method": "off"}, "dns": dns, "mtu": 1400});
    serde_json::from_value(json!({ "interfaces": [one] })).expect("settings")
}

#[test]
fn the_real_networkd_goes_there_and_back() {
    if !geteuid().is_root() {
        eprintln!("not root: no namespaces to try it in");
        return;
    }
    let house = House::with(|config| {
        config.tuning.network.confirm_within = Duration::from_secs(5);
        plug(&config.root, "eth0", 3, None);
    });
    for folder in [house.folder.path().to_owned(), house.root()] {
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("opened");
    }
    let _networkd = RealNetworkd::start(&house);
    let appliance = house.appliance();
    wait_until("networkd answers", || eth0(&house).state == LinkState::Unmanaged);

    let dhcp = appliance.change_network(settings(json!({"method": "dhcp"}), json!([]))).expect("it counts");
    appliance.confirm_network(dhcp.id).expect("it stays");
    let leased = Some(("192.168.7.50/24".to_owned(), AddressSource::Dhcp));
    wait_until("DHCP gives an address", || ipv4(&eth0(&house)) == leased);
    let link = eth0(&house);
    let router: IpAddr = "192.168.7.1".parse().expect("an address");
    assert_eq!((link.gateways, link.dns), (vec![router], vec![router]));
    let lease = link.lease.expect("told");
    assert!(lease.server == Some(router) && lease.lifetime_s.is_some_and(|s| s > 60), "{lease:?}");

    let fixed = json!({"method": "static", "address": "10.20.0.9/16", "gateway": "10.20.0.1"});
    let fixed = appliance.change_network(settings(fixed, json!(["9.9.9.9"]))).expect("it counts");
    let fixed_address = Some(("10.20.0.9/16".to_owned(), AddressSource::Static));
    wait_until("the address is another one", || ipv4(&eth0(&house)) == fixed_address);
    let link = eth0(&house);
    assert_eq!(link.gateways, ["10.20.0.1".parse::<IpAddr>().expect("an address")]);
    assert_eq!(link.dns, ["9.9.9.9".parse::<IpAddr>().expect("an address")]);

    wait_until("it is taken back", || appliance.network().expect("told").trying.is_none());
    let last = appliance.network().expect("told").last.expect("one");
    assert_eq!((last.id, last.outcome), (fixed.id, Outcome::NotConfirmed));
    wait_until("DHCP gives an address again", || ipv4(&eth0(&house)) == leased);
}
