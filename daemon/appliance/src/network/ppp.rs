//! PPPoE: what pppd is told, a file a connection. The image's `hookline-pppoe@INTERFACE.service` runs
//! `pppd file /run/hookline/ppp/INTERFACE`.

use std::net::IpAddr;

use super::check::{Ipv4Plan, Ipv6Plan, Planned};

/// Unit of a connection over this interface.
pub(super) fn unit(link: &str) -> String {
    format!("hookline-pppoe@{link}.service")
}

/// The options of a connection, if it is one.
pub(super) fn options(planned: &Planned) -> Option<String> {
    let Ipv4Plan::Pppoe { user, password, service, mtu } = &planned.ipv4 else { return None };
    let mut lines = vec![
        "plugin pppoe.so".to_owned(),
        format!("nic-{}", planned.link),
        format!("user {}", quoted(user)),
        format!("password {}", quoted(password)),
        // The provider does not have to prove who it is: none does.
        "noauth".to_owned(),
        "hide-password".to_owned(),
        "noipdefault".to_owned(),
        "defaultroute".to_owned(),
        "usepeerdns".to_owned(),
        format!("mtu {mtu}"),
        format!("mru {mtu}"),
        // Dials again for ever, every 10 s, and notices within a minute that nobody is at the other end.
        "persist".to_owned(),
        "maxfail 0".to_owned(),
        "holdoff 10".to_owned(),
        "lcp-echo-interval 20".to_owned(),
        "lcp-echo-failure 3".to_owned(),
        "nodetach".to_owned(),
    ];
    if let Some(service) = service {
        lines.push(format!("rp_pppoe_service {}", quoted(service)));
    }
    lines.push(match planned.ipv6 {
        Ipv6Plan::Off => "noipv6".to_owned(),
        Ipv6Plan::Auto | Ipv6Plan::Static(_) => "+ipv6".to_owned(),
    });
    if !planned.dns.is_empty() {
        // What the image's ip-up gives to the resolver instead of the provider's.
        let servers: Vec<String> = planned.dns.iter().map(IpAddr::to_string).collect();
        lines.push(format!("ipparam {}", quoted(&servers.join(" "))));
    }
    lines.push(String::new());
    Some(lines.join("\n"))
}

/// As one word of pppd's.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}
