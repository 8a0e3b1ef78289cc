//! Settings as people give them become a plan, or a fault at a place. What is in a plan can be carried out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::fault::Fault;
use super::settings::{InterfaceSettings, Ipv4Settings, Ipv6Settings, NetworkSettings};

const MOST_INTERFACES: usize = 32;
const MOST_DNS: usize = 3;
/// Of a name, without the zero at its end (`IFNAMSIZ`).
const LONGEST_NAME: usize = 15;
const USUAL_MTU: u16 = 1500;
/// PPP and PPPoE take 8 bytes of an Ethernet frame (RFC 2516).
const PPPOE_MTU: u16 = 1492;
const LEAST_MTU: u16 = 576;
/// RFC 8200, section 5.
const LEAST_IPV6_MTU: u16 = 1280;
const MOST_MTU: u16 = 9216;
const LONGEST_SECRET: usize = 128;

/// All that is to be set, free of faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) interfaces: Vec<Planned>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) interface: String,
    pub(super) vlan: Option<u16>,
    /// Of the interface or VLAN itself.
    pub(super) link: String,
    pub(super) ipv4: Ipv4Plan,
    pub(super) ipv6: Ipv6Plan,
    pub(super) dns: Vec<IpAddr>,
    /// Of the interface or VLAN itself.
    pub(super) mtu: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ipv4Plan {
    Off,
    Dhcp,
    Static(Net<Ipv4Addr>),
    Pppoe { user: String, password: String, service: Option<String>, mtu: u16 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ipv6Plan {
    Off,
    Auto,
    Static(Net<Ipv6Addr>),
}

/// An address in its net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Net<A> {
    pub(super) address: A,
    pub(super) prefix: u8,
    pub(super) gateway: Option<A>,
}

/// Where it stands and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Such as `interfaces[0].ipv4.gateway`.
    pub(crate) field: String,
    pub(crate) fault: Fault,
}

/// Of settings that somebody gives. `settable`: interfaces that the box has.
///
/// # Errors
/// The first fault, and the member it stands at.
pub(super) fn plan(settings: &NetworkSettings, settable: &[String]) -> Result<Plan, Wrong> {
    let all = &settings.interfaces;
    if let Some(index) = all.iter().position(|one| !settable.contains(&one.interface)) {
        let field = format!("interfaces[{index}].interface");
        return Err(Wrong { field, fault: Fault::InterfaceUnknown });
    }
    let plan = kept_plan(settings)?;
    let untouched = settable.iter().any(|name| all.iter().all(|one| one.interface != *name));
    let reachable = |one: &Planned| one.ipv4 != Ipv4Plan::Off || one.ipv6 != Ipv6Plan::Off;
    if !untouched && !all.is_empty() && !plan.interfaces.iter().any(reachable) {
        return Err(Wrong { field: "interfaces".to_owned(), fault: Fault::NoWayLeft });
    }
    Ok(plan)
}

/// Of settings that were a plan when they were given: an interface that has been taken out keeps its own.
///
/// # Errors
/// As `plan`.
pub(super) fn kept_plan(settings: &NetworkSettings) -> Result<Plan, Wrong> {
    let all = &settings.interfaces;
    let wrong = |field: String, fault| Wrong { field, fault };
    if all.len() > MOST_INTERFACES {
        return Err(wrong("interfaces".to_owned(), Fault::TooMany));
    }
    let mut planned: Vec<Planned> = Vec::new();
    for (index, one) in all.iter().enumerate() {
        let at = |(member, fault): At| {
            let dot = if member.is_empty() { "" } else { "." };
            wrong(format!("interfaces[{index}]{dot}{member}"), fault)
        };
        check_place(one, all).map_err(at)?;
        let next = interface(one).map_err(at)?;
        check_beside(&next, &planned).map_err(at)?;
        planned.push(next);
    }
    for (index, one) in planned.iter().enumerate().filter(|(_, one)| one.vlan.is_some()) {
        let port = planned.iter().find(|port| port.vlan.is_none() && port.interface == one.interface);
        if port.is_some_and(|port| port.mtu < one.mtu) {
            return Err(wrong(format!("interfaces[{index}].mtu"), Fault::MtuAbovePort));
        }
    }
    Ok(Plan { interfaces: planned })
}

/// A member of one interface's settings and what is wrong there.
type At = (String, Fault);

fn at(member: &str, fault: Fault) -> At {
    (member.to_owned(), fault)
}

/// Which interface it is.
fn check_place(one: &InterfaceSettings, all: &[InterfaceSettings]) -> Result<(), At> {
    if all.iter().filter(|other| other.is_at_place_of(one)).count() > 1 {
        let member = if one.vlan.is_some() { "vlan" } else { "interface" };
        return Err(at(member, Fault::InterfaceTwice));
    }
    let Some(vlan) = one.vlan else { return Ok(()) };
    if !(1..=4094).contains(&vlan) {
        return Err(at("vlan", Fault::VlanRange));
    }
    if one.link().len() > LONGEST_NAME {
        return Err(at("vlan", Fault::VlanNameLong));
    }
    if !all.iter().any(|port| port.vlan.is_none() && port.interface == one.interface) {
        return Err(at("vlan", Fault::VlanAlone));
    }
    Ok(())
}

fn interface(one: &InterfaceSettings) -> Result<Planned, At> {
    let mtu = mtu(one)?;
    let ipv4 = match &one.ipv4 {
        Ipv4Settings::Off {} => Ipv4Plan::Off,
        Ipv4Settings::Dhcp {} => Ipv4Plan::Dhcp,
        Ipv4Settings::Static { address, gateway } => Ipv4Plan::Static(ipv4_net(address, gateway.as_deref())?),
        Ipv4Settings::Pppoe { user, password, service } => {
            let text = |member, fault, text: &str| match is_secret(text) {
                true => Ok(text.to_owned()),
                false => Err(at(member, fault)),
            };
            let user = text("ipv4.user", Fault::UserMalformed, user)?;
            let password = password.as_ref().ok_or_else(|| at("ipv4.password", Fault::PasswordMissing))?;
            let password = text("ipv4.password", Fault::PasswordMalformed, password.reveal())?;
            let service = service.as_deref();
            let service =
                service.map(|service| text("ipv4.service", Fault::ServiceMalformed, service)).transpose()?;
            Ipv4Plan::Pppoe { user, password, service, mtu: one.mtu.unwrap_or(PPPOE_MTU) }
        }
    };
    let ipv6 = match &one.ipv6 {
        Ipv6Settings::Off {} => Ipv6Plan::Off,
        Ipv6Settings::Auto {} => Ipv6Plan::Auto,
        Ipv6Settings::Static { .. } if matches!(ipv4, Ipv4Plan::Pppoe { .. }) => {
            return Err(at("ipv6.method", Fault::Ipv6WithPppoe));
        }
        Ipv6Settings::Static { address, gateway } => Ipv6Plan::Static(ipv6_net(address, gateway.as_deref())?),
    };
    let dns = dns(&one.dns)?;
    let (interface, link) = (one.interface.clone(), one.link());
    Ok(Planned { interface, vlan: one.vlan, link, ipv4, ipv6, dns, mtu })
}

/// Of the interface itself: what PPPoE has is that of its connection.
fn mtu(one: &InterfaceSettings) -> Result<u16, At> {
    let Some(mtu) = one.mtu else { return Ok(USUAL_MTU) };
    let pppoe = matches!(one.ipv4, Ipv4Settings::Pppoe { .. });
    let least = if matches!(one.ipv6, Ipv6Settings::Off {}) { LEAST_MTU } else { LEAST_IPV6_MTU };
    let most = if pppoe { PPPOE_MTU } else { MOST_MTU };
    if !(least..=most).contains(&mtu) {
        return Err(at("mtu", Fault::MtuRange));
    }
    Ok(if pppoe { USUAL_MTU } else { mtu })
}

fn is_secret(text: &str) -> bool {
    (1..=LONGEST_SECRET).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn ipv4_net(text: &str, gateway: Option<&str>) -> Result<Net<Ipv4Addr>, At> {
    let (address, prefix) =
        address_and_prefix::<Ipv4Addr>(text).map_err(|fault| at("ipv4.address", fault))?;
    let refused = |fault| Err(at("ipv4.address", fault));
    if !(1..=31).contains(&prefix) {
        return refused(Fault::PrefixRange);
    }
    if !is_ipv4_host(address) {
        return refused(Fault::AddressSpecial);
    }
    let (lowest, highest) = ipv4_bounds(address, prefix);
    // A net of two has neither (RFC 3021).
    if prefix < 31 && address == lowest {
        return refused(Fault::AddressIsNet);
    }
    if prefix < 31 && address == highest {
        return refused(Fault::AddressIsBroadcast);
    }
    let gateway = gateway.map(|gateway| -> Result<Ipv4Addr, Fault> {
        let gateway: Ipv4Addr = gateway.parse().map_err(|_| Fault::GatewayMalformed)?;
        match gateway {
            _ if gateway == address => Err(Fault::GatewayIsSelf),
            _ if gateway.is_multicast() || gateway.is_unspecified() => Err(Fault::GatewaySpecial),
            _ if !(lowest..=highest).contains(&gateway) => Err(Fault::GatewayOutside),
            _ if prefix < 31 && (gateway == lowest || gateway == highest) => Err(Fault::GatewaySpecial),
            _ => Ok(gateway),
        }
    });
    let gateway = gateway.transpose().map_err(|fault| at("ipv4.gateway", fault))?;
    Ok(Net { address, prefix, gateway })
}

fn ipv6_net(text: &str, gateway: Option<&str>) -> Result<Net<Ipv6Addr>, At> {
    let (address, prefix) =
        address_and_prefix::<Ipv6Addr>(text).map_err(|fault| at("ipv6.address", fault))?;
    let refused = |fault| Err(at("ipv6.address", fault));
    if !(1..=127).contains(&prefix) {
        return refused(Fault::PrefixRange);
    }
    if !is_ipv6_host(address) || address.is_unicast_link_local() {
        return refused(Fault::AddressSpecial);
    }
    let (lowest, highest) = ipv6_bounds(address, prefix);
    // The first address is that of any router of the net (RFC 4291, 2.6.1), but in a net of two (RFC 6164).
    if prefix < 127 && address == lowest {
        return refused(Fault::AddressIsNet);
    }
    let gateway = gateway.map(|gateway| -> Result<Ipv6Addr, Fault> {
        let gateway: Ipv6Addr = gateway.parse().map_err(|_| Fault::GatewayMalformed)?;
        match gateway {
            _ if gateway == address => Err(Fault::GatewayIsSelf),
            _ if !is_ipv6_host(gateway) => Err(Fault::GatewaySpecial),
            _ if gateway.is_unicast_link_local() || (lowest..=highest).contains(&gateway) => Ok(gateway),
            _ => Err(Fault::GatewayOutside),
        }
    });
    let gateway = gateway.transpose().map_err(|fault| at("ipv6.gateway", fault))?;
    Ok(Net { address, prefix, gateway })
}

fn address_and_prefix<A: std::str::FromStr>(text: &str) -> Result<(A, u8), Fault> {
    let (address, prefix) = text.split_once('/').ok_or(Fault::AddressMalformed)?;
    let address = address.parse().map_err(|_| Fault::AddressMalformed)?;
    // `+24` and `024` are numbers, and no prefixes.
    let plain =
        prefix.bytes().all(|digit| digit.is_ascii_digit()) && (prefix == "0" || !prefix.starts_with('0'));
    match prefix.parse() {
        Ok(prefix) if plain => Ok((address, prefix)),
        _ => Err(Fault::AddressMalformed),
    }
}

/// Whether it can be the address of one machine.
fn is_ipv4_host(address: Ipv4Addr) -> bool {
    let reserved = address.octets()[0] == 0 || address.octets()[0] >= 240;
    !(reserved || address.is_multicast() || address.is_loopback() || address.is_link_local())
}

fn is_ipv6_host(address: Ipv6Addr) -> bool {
    let mapped = address.to_ipv4_mapped().is_some();
    !(mapped || address.is_multicast() || address.is_loopback() || address.is_unspecified())
}

/// First and last address of the net.
fn ipv4_bounds(address: Ipv4Addr, prefix: u8) -> (Ipv4Addr, Ipv4Addr) {
    let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    let bits = u32::from(address);
    (Ipv4Addr::from(bits & !host), Ipv4Addr::from(bits | host))
}

fn ipv6_bounds(address: Ipv6Addr, prefix: u8) -> (Ipv6Addr, Ipv6Addr) {
    let host = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
    let bits = u128::from(address);
    (Ipv6Addr::from(bits & !host), Ipv6Addr::from(bits | host))
}

fn dns(servers: &[String]) -> Result<Vec<IpAddr>, At> {
    if servers.len() > MOST_DNS {
        return Err(at("dns", Fault::DnsTooMany));
    }
    let mut known: Vec<IpAddr> = Vec::new();
    for (index, text) in servers.iter().enumerate() {
        let refused = |fault| Err((format!("dns[{index}]"), fault));
        let Ok(server) = text.parse::<IpAddr>() else { return refused(Fault::DnsMalformed) };
        let host = match server {
            IpAddr::V4(address) => is_ipv4_host(address),
            // One of the link itself would need a zone.
            IpAddr::V6(address) => is_ipv6_host(address) && !address.is_unicast_link_local(),
        };
        if !host {
            return refused(Fault::DnsSpecial);
        }
        if known.contains(&server) {
            return refused(Fault::DnsTwice);
        }
        known.push(server);
    }
    Ok(known)
}

/// Nets and gateways of those before it.
fn check_beside(next: &Planned, before: &[Planned]) -> Result<(), At> {
    for one in before {
        if let (Ipv4Plan::Static(ours), Ipv4Plan::Static(theirs)) = (&next.ipv4, &one.ipv4) {
            let (ours_bounds, theirs_bounds) =
                (ipv4_bounds(ours.address, ours.prefix), ipv4_bounds(theirs.address, theirs.prefix));
            if overlap(ours_bounds, theirs_bounds) {
                return Err(at("ipv4.address", Fault::NetsOverlap));
            }
            if ours.gateway.is_some() && theirs.gateway.is_some() {
                return Err(at("ipv4.gateway", Fault::GatewayTwice));
            }
        }
        if let (Ipv6Plan::Static(ours), Ipv6Plan::Static(theirs)) = (&next.ipv6, &one.ipv6) {
            let (ours_bounds, theirs_bounds) =
                (ipv6_bounds(ours.address, ours.prefix), ipv6_bounds(theirs.address, theirs.prefix));
            if overlap(ours_bounds, theirs_bounds) {
                return Err(at("ipv6.address", Fault::NetsOverlap));
            }
            if ours.gateway.is_some() && theirs.gateway.is_some() {
                return Err(at("ipv6.gateway", Fault::GatewayTwice));
            }
        }
    }
    Ok(())
}

fn overlap<A: Ord>(one: (A, A), other: (A, A)) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

#[cfg(test)]
mod tests;
