//! Files as networkd and pppd read them, and as they lie on the disk.

use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use super::super::check;
use super::super::settings::NetworkSettings;
use super::*;

fn plan(interfaces: Value) -> Plan {
    let settings: NetworkSettings =
        serde_json::from_value(json!({ "interfaces": interfaces })).expect("settings");
    check::kept_plan(&settings).expect("a plan")
}

fn text<'a>(files: &'a Files, name: &str) -> &'a str {
    files.networkd.get(name).unwrap_or_else(|| panic!("{name} in {:?}", files.networkd.keys()))
}

#[test]
fn a_static_interface_with_a_vlan_of_dhcp() {
    let files = Files::of(
        &plan(json!([
            {
                "interface": "eth0", "dns": ["9.9.9.9", "2620:fe::9"], "mtu": 9000,
                "ipv4": {"method": "static", "address": "192.168.1.20/24", "gateway": "192.168.1.1"},
                "ipv6": {"method": "static", "address": "2001:db8::20/64", "gateway": "fe80::1"},
            },
            {"interface": "eth0", "vlan": 10, "dns": ["9.9.9.9"], "ipv4": {"method": "dhcp"}, "ipv6": {"method": "auto"}},
        ])),
        &["eth0.9".to_owned()],
    );
    assert_eq!(
        text(&files, "10-hookline-eth0.network"),
        "[Match]\nName=eth0\n\n[Link]\nMTUBytes=9000\n\n[Network]\nDHCP=no\nLinkLocalAddressing=ipv6\n\
        IPv6AcceptRA=no\nAddress=192.168.1.20/24\nGateway=192.168.1.1\nAddress=2001:db8::20/64\nGateway=fe80::1\n\
        DNS=9.9.9.9\nDNS=2620:fe::9\nVLAN=eth0.10\nMulticastDNS=yes\nLLMNR=no\n"
    );
    assert_eq!(
        text(&files, "10-hookline-eth0.10.network"),
        "[Match]\nName=eth0.10\n\n[Link]\nMTUBytes=1500\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv6\n\
        IPv6AcceptRA=yes\nDNS=9.9.9.9\nMulticastDNS=yes\nLLMNR=no\n\n[DHCPv4]\nClientIdentifier=mac\nUseDNS=no\n\n\
        [DHCPv6]\nUseDNS=no\n\n[IPv6AcceptRA]\nUseDNS=no\n"
    );
    assert_eq!(
        text(&files, "10-hookline-eth0.10.netdev"),
        "[NetDev]\nName=eth0.10\nKind=vlan\n\n[VLAN]\nId=10\n"
    );
    assert!(text(&files, "10-hookline-eth0.9.network").contains("ActivationPolicy=always-down"));
    assert_eq!(files.networkd.len(), 4);
}

#[test]
fn pppoe_leaves_the_interface_itself_without_an_address() {
    let files = Files::of(
        &plan(json!([{
            "interface": "eth1", "dns": ["9.9.9.9"], "ipv6": {"method": "auto"},
            "ipv4": {"method": "pppoe", "user": "a\"b\\c", "password": "p w#d", "service": "兴"},
        }])),
        &[],
    );
    assert_eq!(
        text(&files, "10-hookline-eth1.network"),
        "[Match]\nName=eth1\n\n[Link]\nMTUBytes=1500\n\n[Network]\nDHCP=no\nLinkLocalAddressing=no\n\
        IPv6AcceptRA=no\nMulticastDNS=yes\nLLMNR=no\n"
    );
    let options = &files.ppp["eth1"];
    for line in [
        "plugin pppoe.so",
        "nic-eth1",
        r#"user "a\"b\\c""#,
        r#"password "p w#d""#,
        r#"rp_pppoe_service "兴""#,
        "mtu 1492",
        "+ipv6",
        r#"ipparam "9.9.9.9""#,
    ] {
        assert!(options.lines().any(|one| one == line), "{line} in {options}");
    }
}

#[test]
fn what_is_written_is_whole_readable_by_whom_it_is_for_and_gone_with_its_plan() {
    let folder = tempfile::tempdir().expect("a folder");
    let places = Places::new(folder.path(), folder.path());
    assert_eq!(Files::default().write(&places).expect("nothing"), Changed::default());
    assert!(!places.networkd_files().exists(), "nothing is made for nothing");

    let pppoe = json!({"method": "pppoe", "user": "a", "password": "b"});
    let both = json!([
        {"interface": "eth0", "ipv4": {"method": "dhcp"}, "ipv6": {"method": "off"}},
        {"interface": "eth1", "ipv4": pppoe, "ipv6": {"method": "off"}},
    ]);
    let files = Files::of(&plan(both.clone()), &[]);
    let changed = files.write(&places).expect("written");
    assert_eq!(changed, Changed { networkd: true, dial: vec!["eth1".into()], hang_up: vec![] });
    assert_eq!(files.write(&places).expect("as it is"), Changed::default());
    let mode = |path: PathBuf| fs::metadata(path).expect("there").mode() & 0o777;
    assert_eq!(mode(places.networkd_files().join("10-hookline-eth0.network")), 0o644);
    assert_eq!(mode(places.networkd_files()), 0o755);
    assert_eq!((mode(places.ppp_files()), mode(places.ppp_files().join("eth1"))), (0o700, 0o600));

    // Of others, and one that was not finished.
    fs::write(places.networkd_files().join("20-else.network"), "x").expect("written");
    fs::write(places.ppp_files().join("eth5.new"), "x").expect("written");
    let one = json!([both[0]]);
    let changed = Files::of(&plan(one), &[]).write(&places).expect("written");
    assert_eq!(changed, Changed { networkd: true, dial: vec![], hang_up: vec!["eth1".into()] });
    let names = written(&places.networkd_files(), "").expect("listed");
    assert_eq!(names, ["10-hookline-eth0.network", "20-else.network"]);
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let places = Places::new(folder.path(), folder.path());
    fs::write(folder.path().join("run"), "in the way").expect("written");
    let one = json!([{"interface": "eth0", "ipv4": {"method": "dhcp"}, "ipv6": {"method": "off"}}]);
    let error = Files::of(&plan(one), &[]).write(&places).expect_err("refused");
    assert!(error.path.starts_with(folder.path()), "{error:?}");
}
