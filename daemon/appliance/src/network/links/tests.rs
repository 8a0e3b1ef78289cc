//! Interfaces of a faked sysfs, with what a real networkd 252 says of them.

use serde_json::json;

use super::*;

fn plug(root: &Path, name: &str, files: &[(&str, &str)]) {
    let folder = root.join("sys/class/net").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    for (file, text) in files {
        fs::write(folder.join(file), format!("{text}\n")).expect("written");
    }
}

fn house() -> (tempfile::TempDir, Places) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    plug(root, "lo", &[("type", "772"), ("ifindex", "1")]);
    let mac = ("address", "00:11:22:33:44:55");
    let eth0 = [("type", "1"), ("ifindex", "2"), mac, ("carrier", "1"), ("speed", "1000"), ("mtu", "1500")];
    plug(root, "eth0", &eth0);
    plug(root, "eth1", &[("type", "1"), ("ifindex", "3"), mac, ("speed", "-1"), ("mtu", "1500")]);
    plug(root, "eth0.10", &[("type", "1"), mac, ("uevent", "DEVTYPE=vlan\nINTERFACE=eth0.10")]);
    plug(root, "wlan0", &[("type", "1"), mac, ("uevent", "DEVTYPE=wlan")]);
    plug(root, "br0", &[("type", "1"), mac, ("uevent", "DEVTYPE=bridge")]);
    plug(root, "ppp0", &[("type", "512"), ("address", ""), ("carrier", "1")]);
    plug(root, "odd name*", &[("type", "1"), mac]);
    plug(root, "broken", &[]);
    let places = Places::new(root, root);
    (folder, places)
}

#[test]
fn without_networkd_there_is_what_sysfs_says() {
    let (_folder, places) = house();
    let links = links(&places, None);
    let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["br0", "eth0", "eth0.10", "eth1", "odd name*", "ppp0", "wlan0"]);
    let of = |name: &str| links.iter().find(|link| link.name == name).expect("is there");
    let eth0 = of("eth0");
    assert_eq!((eth0.kind, eth0.settable, eth0.carrier), (LinkKind::Ethernet, true, true));
    assert_eq!((eth0.speed_mbit, eth0.mtu, eth0.state), (Some(1000), Some(1500), LinkState::Unknown));
    assert_eq!(eth0.mac.as_deref(), Some("00:11:22:33:44:55"));
    let eth1 = of("eth1");
    assert_eq!((eth1.carrier, eth1.speed_mbit), (false, None), "an interface that is off has neither");
    assert_eq!((of("ppp0").kind, of("ppp0").mac.clone()), (LinkKind::Ppp, None));
    assert_eq!(settable(&places), ["eth0", "eth1"]);
    assert_eq!(vlans(&places), ["eth0.10"]);
    assert_eq!(super::links(&Places::new(Path::new("/nonexistent"), Path::new("/nonexistent")), None), []);
}

#[test]
fn what_networkd_says_stands_beside_it() {
    let (folder, places) = house();
    // As systemd 252 describes an interface with DHCP, shortened by what is not read.
    let text = json!({"Interfaces": [{
        "Index": 2, "Name": "eth0", "Type": "ether", "AdministrativeState": "configured",
        "Addresses": [
            {"Family": 10, "Address": [254,128,0,0,0,0,0,0,44,246,131,255,254,193,104,152], "PrefixLength": 64,
             "ConfigSource": "foreign", "ConfigState": "configured"},
            {"Family": 2, "Address": [192,168,7,50], "PrefixLength": 24, "ConfigSource": "DHCPv4"},
            {"Family": 10, "Address": [32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,5], "PrefixLength": 64, "ConfigSource": "NDisc"},
            {"Family": 2, "Address": [192,168,7], "PrefixLength": 24, "ConfigSource": "static"},
        ],
        "Routes": [
            {"Family": 2, "Destination": [0,0,0,0], "DestinationPrefixLength": 0, "Gateway": [192,168,7,1],
             "TypeString": "unicast", "TableString": "main(254)"},
            {"Family": 2, "Destination": [192,168,7,0], "DestinationPrefixLength": 24, "TypeString": "unicast"},
        ],
        "DNS": [{"Family": 2, "Address": [192,168,7,1], "ConfigSource": "DHCPv4"}],
    }]});
    fs::create_dir_all(folder.path().join("run/systemd/netif/leases")).expect("a folder");
    fs::write(
        places.lease(2),
        "# private\nADDRESS=192.168.7.50\nSERVER_ADDRESS=192.168.7.1\nLIFETIME=43200\n",
    )
    .expect("written");
    let description = Description::read(&text.to_string()).expect("a description");
    let links = links(&places, Some(&description));
    let eth0 = links.iter().find(|link| link.name == "eth0").expect("is there");
    assert_eq!(eth0.state, LinkState::Configured);
    let addresses: Vec<(String, AddressSource)> =
        eth0.addresses.iter().map(|one| (format!("{}/{}", one.address, one.prefix), one.source)).collect();
    assert_eq!(
        addresses,
        [
            ("192.168.7.50/24".to_owned(), AddressSource::Dhcp),
            ("2001:db8::5/64".to_owned(), AddressSource::Router),
            ("fe80::2cf6:83ff:fec1:6898/64".to_owned(), AddressSource::LinkLocal),
        ]
    );
    let gateway: IpAddr = "192.168.7.1".parse().expect("an address");
    assert_eq!((eth0.gateways.clone(), eth0.dns.clone()), (vec![gateway], vec![gateway]));
    assert_eq!(eth0.lease, Some(Lease { server: Some(gateway), lifetime_s: Some(43200) }));
    let eth1 = links.iter().find(|link| link.name == "eth1").expect("is there");
    assert_eq!((eth1.state, eth1.addresses.len()), (LinkState::Unknown, 0), "networkd did not name it");
}

#[test]
fn what_is_no_description_is_refused() {
    for text in ["", "{\"Interfaces\": 3}", "{\"Interfaces\": [{\"Name\": 3}]}"] {
        Description::read(text).expect_err("refused");
    }
    for text in ["{}", "{\"Interfaces\": []}", "{\"Interfaces\": [{\"Later\": {\"x\": []}}]}"] {
        Description::read(text).expect("read");
    }
}
