//! Each fault at its place, and what is none.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn settable() -> Vec<String> {
    ["eth0", "eth1", "enx001122334455"].map(str::to_owned).into()
}

/// One interface with the members of `over` in place of the usual ones.
fn one(over: Value) -> Value {
    let mut one = json!({
        "interface": "eth0", "vlan": null, "ipv4": {"method": "dhcp"}, "ipv6": {"method": "auto"},
        "dns": [], "mtu": null,
    });
    for (name, value) in over.as_object().expect("an object") {
        one[name] = value.clone();
    }
    one
}

fn settings(interfaces: Value) -> NetworkSettings {
    serde_json::from_value(json!({ "interfaces": interfaces })).expect("settings")
}

fn static4(address: &str, gateway: Option<&str>) -> Value {
    json!({"method": "static", "address": address, "gateway": gateway})
}

#[track_caller]
fn wrong(interfaces: Value) -> (String, &'static str) {
    let wrong = plan(&settings(interfaces), &settable()).expect_err("refused");
    (wrong.field, wrong.fault.code())
}

#[test]
fn an_ipv4_address_is_one_that_a_machine_can_have() {
    for (address, gateway, field, code) in [
        ("192.168.1.20", None, "address", "address_malformed"),
        ("192.168.1.20/", None, "address", "address_malformed"),
        ("192.168.1.20/+24", None, "address", "address_malformed"),
        ("192.168.1.20/024", None, "address", "address_malformed"),
        ("192.168.1.20/999", None, "address", "address_malformed"),
        ("192.168.1.256/24", None, "address", "address_malformed"),
        ("192.168.01.2/24", None, "address", "address_malformed"),
        ("2001:db8::1/64", None, "address", "address_malformed"),
        ("", None, "address", "address_malformed"),
        ("192.168.1.20/32", None, "address", "prefix_range"),
        ("192.168.1.20/0", None, "address", "prefix_range"),
        ("192.168.1.0/24", None, "address", "address_is_net"),
        ("10.4.0.0/14", None, "address", "address_is_net"),
        ("192.168.1.255/24", None, "address", "address_is_broadcast"),
        ("10.7.255.255/14", None, "address", "address_is_broadcast"),
        ("224.0.0.5/24", None, "address", "address_special"),
        ("127.0.0.2/8", None, "address", "address_special"),
        ("169.254.3.4/16", None, "address", "address_special"),
        ("0.0.0.5/24", None, "address", "address_special"),
        ("250.1.1.1/24", None, "address", "address_special"),
        ("255.255.255.255/8", None, "address", "address_special"),
        ("192.168.1.20/24", Some("192.168.1.1/24"), "gateway", "gateway_malformed"),
        ("192.168.1.20/24", Some("fe80::1"), "gateway", "gateway_malformed"),
        ("192.168.1.20/24", Some(""), "gateway", "gateway_malformed"),
        ("192.168.1.20/24", Some("192.168.2.1"), "gateway", "gateway_outside"),
        ("192.168.1.20/28", Some("192.168.1.33"), "gateway", "gateway_outside"),
        ("192.168.1.20/24", Some("192.168.1.20"), "gateway", "gateway_is_self"),
        ("192.168.1.20/24", Some("192.168.1.0"), "gateway", "gateway_special"),
        ("192.168.1.20/24", Some("192.168.1.255"), "gateway", "gateway_special"),
        ("192.168.1.20/24", Some("239.1.1.1"), "gateway", "gateway_special"),
    ] {
        let found = wrong(json!([one(json!({"ipv4": static4(address, gateway)}))]));
        assert_eq!(found, (format!("interfaces[0].ipv4.{field}"), code), "{address} {gateway:?}");
    }
    for (address, gateway) in [
        ("192.168.1.20/24", None),
        ("192.168.1.20/24", Some("192.168.1.254")),
        ("10.0.0.0/31", Some("10.0.0.1")),
        ("10.0.0.255/16", Some("10.0.1.0")),
        ("8.8.8.8/1", None),
    ] {
        let good = settings(json!([one(json!({"ipv4": static4(address, gateway)}))]));
        plan(&good, &settable()).unwrap_or_else(|wrong| panic!("{address} {gateway:?}: {wrong:?}"));
    }
}

#[test]
fn an_ipv6_address_likewise() {
    for (address, gateway, field, code) in [
        ("2001:db8::20", None, "address", "address_malformed"),
        ("192.168.1.20/24", None, "address", "address_malformed"),
        ("2001:db8::20/128", None, "address", "prefix_range"),
        ("2001:db8::20/0", None, "address", "prefix_range"),
        ("2001:db8::/64", None, "address", "address_is_net"),
        ("fe80::1/64", None, "address", "address_special"),
        ("ff02::1/64", None, "address", "address_special"),
        ("::1/64", None, "address", "address_special"),
        ("::ffff:10.0.0.1/96", None, "address", "address_special"),
        ("2001:db8::20/64", Some("10.0.0.1"), "gateway", "gateway_malformed"),
        ("2001:db8::20/64", Some("fe80::1%eth0"), "gateway", "gateway_malformed"),
        ("2001:db8::20/64", Some("2001:db8:1::1"), "gateway", "gateway_outside"),
        ("2001:db8::20/64", Some("2001:db8::20"), "gateway", "gateway_is_self"),
        ("2001:db8::20/64", Some("ff02::2"), "gateway", "gateway_special"),
        ("2001:db8::20/64", Some("::"), "gateway", "gateway_special"),
    ] {
        let found = wrong(json!([one(json!({"ipv6": static4(address, gateway)}))]));
        assert_eq!(found, (format!("interfaces[0].ipv6.{field}"), code), "{address} {gateway:?}");
    }
    for (address, gateway) in
        [("2001:db8::20/64", Some("2001:db8::1")), ("2001:db8::20/64", Some("fe80::1")), ("fd00::/127", None)]
    {
        let good = settings(json!([one(json!({"ipv6": static4(address, gateway)}))]));
        plan(&good, &settable()).unwrap_or_else(|wrong| panic!("{address} {gateway:?}: {wrong:?}"));
    }
}

#[test]
fn interfaces_are_those_of_the_box_each_once() {
    for (interfaces, field, code) in [
        (json!([one(json!({"interface": "eth7"}))]), "interfaces[0].interface", "interface_unknown"),
        (json!([one(json!({"interface": "../eth0"}))]), "interfaces[0].interface", "interface_unknown"),
        (json!([one(json!({})), one(json!({}))]), "interfaces[0].interface", "interface_twice"),
        (json!([one(json!({})), one(json!({"vlan": 0}))]), "interfaces[1].vlan", "vlan_range"),
        (json!([one(json!({})), one(json!({"vlan": 4095}))]), "interfaces[1].vlan", "vlan_range"),
        (json!([one(json!({"vlan": 10}))]), "interfaces[0].vlan", "vlan_alone"),
        (
            json!([one(json!({})), one(json!({"vlan": 5})), one(json!({"vlan": 5}))]),
            "interfaces[1].vlan",
            "interface_twice",
        ),
        (
            json!([
                one(json!({"interface": "enx001122334455"})),
                one(json!({"interface": "enx001122334455", "vlan": 5}))
            ]),
            "interfaces[1].vlan",
            "vlan_name_long",
        ),
        (json!(vec![one(json!({})); 33]), "interfaces", "too_many"),
    ] {
        assert_eq!(wrong(interfaces.clone()), (field.to_owned(), code), "{interfaces}");
    }
}

#[test]
fn nets_and_gateways_of_several_interfaces_fit_together() {
    let two = |first: Value, second: Value| {
        json!([one(json!({"ipv4": first})), one(json!({"interface": "eth1", "ipv4": second}))])
    };
    let found = wrong(two(static4("10.0.0.5/8", None), static4("10.9.9.9/24", None)));
    assert_eq!(found, ("interfaces[1].ipv4.address".to_owned(), "nets_overlap"));
    let found =
        wrong(two(static4("10.0.0.5/24", Some("10.0.0.1")), static4("10.0.1.5/24", Some("10.0.1.1"))));
    assert_eq!(found, ("interfaces[1].ipv4.gateway".to_owned(), "gateway_twice"));
    let good = two(static4("10.0.0.5/24", Some("10.0.0.1")), static4("10.0.1.5/24", None));
    plan(&settings(good), &settable()).expect("a plan");

    let vlan = json!([
        one(json!({"ipv6": static4("2001:db8::5/64", None)})),
        one(json!({"vlan": 5, "ipv6": static4("2001:db8::6/72", None)})),
    ]);
    assert_eq!(wrong(vlan), ("interfaces[1].ipv6.address".to_owned(), "nets_overlap"));
}

#[test]
fn name_servers_are_addresses_of_machines() {
    for (dns, field, code) in [
        (json!(["dns.example.net"]), "interfaces[0].dns[0]", "dns_malformed"),
        (json!(["9.9.9.9", "9.9.9"]), "interfaces[0].dns[1]", "dns_malformed"),
        (json!(["0.0.0.0"]), "interfaces[0].dns[0]", "dns_special"),
        (json!(["ff02::fb"]), "interfaces[0].dns[0]", "dns_special"),
        (json!(["fe80::1"]), "interfaces[0].dns[0]", "dns_special"),
        (json!(["2620:fe::9", "2620:fe:0::9"]), "interfaces[0].dns[1]", "dns_twice"),
        (json!(["1.1.1.1", "1.0.0.1", "9.9.9.9", "8.8.8.8"]), "interfaces[0].dns", "dns_too_many"),
    ] {
        assert_eq!(wrong(json!([one(json!({"dns": dns}))])), (field.to_owned(), code), "{dns}");
    }
}

#[test]
fn an_mtu_fits_the_wire_ipv6_and_what_carries_it() {
    let off = json!({"method": "off"});
    let pppoe = json!({"method": "pppoe", "user": "a", "password": "b"});
    for (over, good) in [
        (json!({"mtu": 9216}), true),
        (json!({"mtu": 9217}), false),
        (json!({"mtu": 1280}), true),
        (json!({"mtu": 1279}), false),
        (json!({"mtu": 576, "ipv6": off}), true),
        (json!({"mtu": 575, "ipv6": off}), false),
        (json!({"mtu": 1492, "ipv4": pppoe}), true),
        (json!({"mtu": 1500, "ipv4": pppoe}), false),
    ] {
        let result = plan(&settings(json!([one(over.clone())])), &settable());
        assert_eq!(result.is_ok(), good, "{over}");
    }
    let on_vlan = json!([one(json!({"mtu": 1400})), one(json!({"vlan": 5}))]);
    assert_eq!(wrong(on_vlan), ("interfaces[1].mtu".to_owned(), "mtu_above_port"));
}

#[test]
fn a_provider_is_given_an_account_and_a_password() {
    let long = "x".repeat(129);
    for (ipv4, field, code) in [
        (json!({"user": "", "password": "b"}), "user", "user_malformed"),
        (json!({"user": long, "password": "b"}), "user", "user_malformed"),
        (json!({"user": "a\nb", "password": "b"}), "user", "user_malformed"),
        (json!({"user": "a"}), "password", "password_missing"),
        (json!({"user": "a", "password": ""}), "password", "password_malformed"),
        (json!({"user": "a", "password": "b", "service": "\u{0}"}), "service", "service_malformed"),
    ] {
        let mut ipv4 = ipv4;
        ipv4["method"] = json!("pppoe");
        let found = wrong(json!([one(json!({"ipv4": ipv4}))]));
        assert_eq!(found, (format!("interfaces[0].ipv4.{field}"), code));
    }
    let ipv4 = json!({"method": "pppoe", "user": "a", "password": "b"});
    let both = json!([one(json!({"ipv4": ipv4, "ipv6": static4("2001:db8::2/64", None)}))]);
    assert_eq!(wrong(both), ("interfaces[0].ipv6.method".to_owned(), "ipv6_with_pppoe"));
}

#[test]
fn a_box_that_nobody_could_reach_is_refused() {
    let off = json!({"ipv4": {"method": "off"}, "ipv6": {"method": "off"}});
    let only = settings(json!([one(off.clone())]));
    let wrong = plan(&only, &["eth0".to_owned()]).expect_err("refused");
    assert_eq!((wrong.field.as_str(), wrong.fault), ("interfaces", Fault::NoWayLeft));
    plan(&only, &settable()).expect("there are others, as the image sets them");
    let vlan = settings(json!([one(off), one(json!({"vlan": 5}))]));
    plan(&vlan, &["eth0".to_owned()]).expect("by its VLAN");
    assert_eq!(plan(&NetworkSettings::default(), &settable()), Ok(Plan::default()));
}

#[test]
fn a_secret_stays_where_the_user_stays() {
    let of = |user: &str, password: Value| {
        let ipv4 = json!({"method": "pppoe", "user": user, "password": password});
        settings(json!([one(json!({"ipv4": ipv4}))]))
    };
    let former = of("anna", json!("secret"));
    assert_eq!(former.told(), of("anna", Value::Null));
    assert_eq!(of("anna", Value::Null).with_secrets_of(&former), former);
    assert_eq!(of("anna", json!("new")).with_secrets_of(&former), of("anna", json!("new")));
    assert_eq!(of("bert", Value::Null).with_secrets_of(&former), of("bert", Value::Null));
    let elsewhere = settings(json!([one(json!({"interface": "eth1"}))]));
    assert_eq!(of("anna", Value::Null).with_secrets_of(&elsewhere), of("anna", Value::Null));
}

proptest! {
    /// Whatever is typed is taken or refused, and what is taken holds what a plan promises.
    #[test]
    fn a_gateway_that_is_taken_lies_in_the_net(
        address in any::<u32>(), prefix in 0_u8..=40, gateway in any::<u32>(), near in any::<bool>(),
    ) {
        let gateway = if near { (address & !0xff) | (gateway & 0xff) } else { gateway };
        let (address, gateway) = (Ipv4Addr::from(address), Ipv4Addr::from(gateway));
        if let Ok(net) = ipv4_net(&format!("{address}/{prefix}"), Some(&gateway.to_string())) {
            let (lowest, highest) = ipv4_bounds(net.address, net.prefix);
            prop_assert!(lowest <= gateway && gateway <= highest && gateway != address);
            prop_assert!(net.prefix == 31 || (lowest < address && address < highest));
        }
    }

    #[test]
    fn any_text_is_taken_or_refused(text in "[0-9a-f:./%+ ]{0,30}") {
        let _ = ipv4_net(&text, Some(&text));
        let _ = ipv6_net(&text, Some(&text));
        let _ = dns(&[text]);
    }
}
