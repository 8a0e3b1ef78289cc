//! What interfaces the box has and how they are: the hardware from sysfs, what they came to from systemd-networkd
//! (`Describe` of its bus interface, and its leases).

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::places::Places;

/// More are not told: there is a line of the socket to fit into.
const MOST_LINKS: usize = 64;
const MOST_ADDRESSES: usize = 16;
/// Kinds of hardware of the kernel (`if_arp.h`).
const ARPHRD_ETHER: u32 = 1;
const ARPHRD_PPP: u32 = 512;
const ARPHRD_LOOPBACK: u32 = 772;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub name: String,
    pub kind: LinkKind,
    /// Whether it can be set here.
    pub settable: bool,
    /// Such as `00:11:22:33:44:55`; `None` where the kind has none.
    pub mac: Option<String>,
    /// Whether a cable is in it, with somebody at the other end.
    pub carrier: bool,
    pub speed_mbit: Option<u32>,
    pub mtu: Option<u32>,
    pub state: LinkState,
    pub addresses: Vec<Address>,
    pub gateways: Vec<IpAddr>,
    pub dns: Vec<IpAddr>,
    /// What DHCP gave, for IPv4.
    pub lease: Option<Lease>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    Ethernet,
    Vlan,
    Wireless,
    /// Of a PPPoE connection.
    Ppp,
    Other,
}

/// How far networkd has come with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    Configured,
    /// It waits, for DHCP say.
    Configuring,
    Failed,
    /// No settings are for it.
    Unmanaged,
    /// networkd does not answer, or does not say.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub address: IpAddr,
    pub prefix: u8,
    pub source: AddressSource,
}

/// Where an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressSource {
    Static,
    Dhcp,
    /// Made of what the router announces (IPv6).
    Router,
    LinkLocal,
    /// Others gave it, pppd say.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Of the DHCP server.
    pub server: Option<IpAddr>,
    pub lifetime_s: Option<u64>,
}

/// What networkd says of all interfaces, as far as it is used.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Description {
    #[serde(rename = "Interfaces", default)]
    interfaces: Vec<Described>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Described {
    name: String,
    administrative_state: String,
    addresses: Vec<DescribedAddress>,
    routes: Vec<DescribedRoute>,
    #[serde(rename = "DNS")]
    dns: Vec<DescribedAddress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DescribedAddress {
    address: Bytes,
    prefix_length: u8,
    config_source: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DescribedRoute {
    destination_prefix_length: u8,
    gateway: Option<Bytes>,
    type_string: String,
}

/// An address as a list of its bytes.
#[derive(Debug, Default, Deserialize)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn address(&self) -> Option<IpAddr> {
        if let Ok(four) = <[u8; 4]>::try_from(self.0.as_slice()) {
            return Some(Ipv4Addr::from(four).into());
        }
        <[u8; 16]>::try_from(self.0.as_slice()).ok().map(|sixteen| Ipv6Addr::from(sixteen).into())
    }
}

impl Description {
    /// # Errors
    /// Why it is none.
    pub(super) fn read(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// All interfaces but the box's own loop, by name. `description`: `None` when networkd does not answer.
pub(super) fn links(places: &Places, description: Option<&Description>) -> Vec<Link> {
    let described: HashMap<&str, &Described> = description
        .iter()
        .flat_map(|description| &description.interfaces)
        .map(|one| (one.name.as_str(), one))
        .collect();
    let mut hardware = hardware(places);
    hardware.truncate(MOST_LINKS);
    hardware.into_iter().map(|one| one.with(described.get(one.name.as_str()).copied(), places)).collect()
}

/// Names of interfaces that can be set here.
pub(super) fn settable(places: &Places) -> Vec<String> {
    hardware(places).into_iter().filter(|one| one.settable).map(|one| one.name).collect()
}

/// VLANs that exist on interfaces that can be set here.
pub(super) fn vlans(places: &Places) -> Vec<String> {
    let all = hardware(places);
    let ours = |name: &str| {
        let parts = name.rsplit_once('.').filter(|(_, vlan)| vlan.parse::<u16>().is_ok());
        parts.is_some_and(|(port, _)| all.iter().any(|one| one.settable && one.name == port))
    };
    let vlans = all.iter().filter(|one| one.kind == LinkKind::Vlan && ours(&one.name));
    vlans.map(|one| one.name.clone()).collect()
}

/// What sysfs says of an interface.
struct Hardware {
    name: String,
    kind: LinkKind,
    settable: bool,
    index: Option<u32>,
    mac: Option<String>,
    carrier: bool,
    speed_mbit: Option<u32>,
    mtu: Option<u32>,
}

fn hardware(places: &Places) -> Vec<Hardware> {
    let Ok(entries) = fs::read_dir(places.interfaces()) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut all: Vec<Hardware> =
        names.filter_map(|name| Hardware::read(&places.interfaces().join(&name), name)).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

impl Hardware {
    /// `None` for the loop, and for what is no interface.
    fn read(folder: &Path, name: String) -> Option<Self> {
        let text = |file: &str| fs::read_to_string(folder.join(file)).ok().map(|text| text.trim().to_owned());
        let number = |file: &str| text(file)?.parse::<u32>().ok();
        let hardware: u32 = number("type")?;
        let uevent = text("uevent").unwrap_or_default();
        let device = uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE="));
        let kind = match (hardware, device) {
            (ARPHRD_LOOPBACK, _) => return None,
            (ARPHRD_ETHER, None) => LinkKind::Ethernet,
            (ARPHRD_ETHER, Some("vlan")) => LinkKind::Vlan,
            (ARPHRD_ETHER, Some("wlan")) => LinkKind::Wireless,
            (ARPHRD_PPP, _) => LinkKind::Ppp,
            _ => LinkKind::Other,
        };
        let mac = text("address").filter(|mac| kind != LinkKind::Ppp && !mac.is_empty());
        Some(Self {
            settable: kind == LinkKind::Ethernet && is_plain(&name),
            kind,
            index: number("ifindex"),
            mac,
            // Not there to read while the interface is off.
            carrier: text("carrier").as_deref() == Some("1"),
            // -1 while there is no carrier.
            speed_mbit: number("speed").filter(|speed| *speed > 0),
            mtu: number("mtu"),
            name,
        })
    }

    fn with(&self, described: Option<&Described>, places: &Places) -> Link {
        let empty = Described::default();
        let now = described.unwrap_or(&empty);
        let mut addresses: Vec<Address> = now.addresses.iter().filter_map(address).collect();
        // By which it is reached first; those of the link itself last.
        addresses.sort_by_key(|one| (one.source == AddressSource::LinkLocal, one.address.is_ipv6()));
        addresses.truncate(MOST_ADDRESSES);
        let default = |route: &&DescribedRoute| {
            route.destination_prefix_length == 0 && matches!(route.type_string.as_str(), "unicast" | "")
        };
        let mut gateways: Vec<IpAddr> = Vec::new();
        for gateway in now.routes.iter().filter(default).filter_map(|route| route.gateway.as_ref()?.address())
        {
            if !gateways.contains(&gateway) && gateways.len() < MOST_ADDRESSES {
                gateways.push(gateway);
            }
        }
        let dns = now.dns.iter().filter_map(|server| server.address.address()).take(MOST_ADDRESSES).collect();
        let leased = addresses.iter().any(|one| one.source == AddressSource::Dhcp && one.address.is_ipv4());
        Link {
            name: self.name.clone(),
            kind: self.kind,
            settable: self.settable,
            mac: self.mac.clone(),
            carrier: self.carrier,
            speed_mbit: self.speed_mbit,
            mtu: self.mtu,
            state: state(&now.administrative_state),
            addresses,
            gateways,
            dns,
            lease: self.index.filter(|_| leased).and_then(|index| lease(&places.lease(index))),
        }
    }
}

/// Whether it can stand in a file as it is.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !name.is_empty() && name.bytes().all(plain)
}

fn state(administrative: &str) -> LinkState {
    match administrative {
        "configured" => LinkState::Configured,
        "pending" | "initialized" | "configuring" => LinkState::Configuring,
        "failed" => LinkState::Failed,
        "unmanaged" => LinkState::Unmanaged,
        _ => LinkState::Unknown,
    }
}

fn address(described: &DescribedAddress) -> Option<Address> {
    let address = described.address.address()?;
    let of_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let source = match described.config_source.as_str() {
        _ if of_link => AddressSource::LinkLocal,
        "static" => AddressSource::Static,
        "DHCPv4" | "DHCPv6" | "DHCP-PD" => AddressSource::Dhcp,
        "NDisc" => AddressSource::Router,
        _ => AddressSource::Other,
    };
    Some(Address { address, prefix: described.prefix_length, source })
}

/// Of a file of networkd's: lines of `NAME=VALUE`.
fn lease(path: &Path) -> Option<Lease> {
    let text = fs::read_to_string(path).ok()?;
    let value = |name: &str| {
        let of = |line: &str| {
            line.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        text.lines().find_map(of)
    };
    let server = value("SERVER_ADDRESS").and_then(|server| server.parse().ok());
    Some(Lease { server, lifetime_s: value("LIFETIME").and_then(|seconds| seconds.parse().ok()) })
}

#[cfg(test)]
mod tests;
