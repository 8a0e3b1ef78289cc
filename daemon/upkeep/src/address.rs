//! Where another box is, as people write it: a host, a host and a port, or an IPv6 address with or without brackets.

use std::net::{IpAddr, Ipv6Addr};

const ADDRESS_LENGTH: usize = 255;

/// What counts as one where addresses are counted: an IPv6 host has 2^64 of them to itself.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// `address` with a port, `port` if it names none; `None`: it is no address.
pub fn host_and_port(address: &str, port: u16) -> Option<String> {
    if address.is_empty() || address.len() > ADDRESS_LENGTH {
        return None;
    }
    let bare = |host: &str| Some(format!("{host}:{port}"));
    if let Some(rest) = address.strip_prefix('[') {
        let (host, behind) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        return match behind.strip_prefix(':') {
            Some(port) => is_port(port).then(|| address.to_owned()),
            None if behind.is_empty() => bare(address),
            None => None,
        };
    }
    if address.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some(format!("[{address}]:{port}"));
    }
    match address.split_once(':') {
        Some((host, port)) => (is_host(host) && is_port(port)).then(|| address.to_owned()),
        None if is_host(address) => bare(address),
        None => None,
    }
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_or_gets_one() {
        for (address, with_port) in [
            ("platform.example", Some("platform.example:1311")),
            ("192.0.2.7", Some("192.0.2.7:1311")),
            ("192.0.2.7:4000", Some("192.0.2.7:4000")),
            ("2001:db8::1", Some("[2001:db8::1]:1311")),
            ("[2001:db8::1]", Some("[2001:db8::1]:1311")),
            ("[2001:db8::1]:7", Some("[2001:db8::1]:7")),
            ("", None),
            ("host:", None),
            ("host:0", None),
            ("host:65536", None),
            ("host:+7", None),
            (":1311", None),
            ("a b", None),
            ("https://host", None),
            ("[::1", None),
            ("[::1]x", None),
        ] {
            assert_eq!(host_and_port(address, 1311).as_deref(), with_port, "{address}");
        }
    }
}
