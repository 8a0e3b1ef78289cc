//! What people set of the clock: whether time servers are followed, and which.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::error::ApplianceError;

/// Servers in the list; more outvote no more liars, and each is asked for ever.
pub const MOST_SERVERS: usize = 8;
const NTP_PORT: u16 = 123;
/// Of a name in the DNS, and of one of its parts.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// As it lies in `clock.toml` and goes over the socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockSettings {
    /// Time servers are followed; otherwise a person sets the clock.
    pub on: bool,
    /// Names or addresses, with a port where it is not 123: `ntp.example.cn`, `192.0.2.1:1123`, `[2001:db8::1]:1123`.
    pub servers: Vec<String>,
}

/// Why settings of the clock cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ClockFault {
    /// The member that it stands at, such as `servers[1]`.
    pub field: String,
    /// One sentence.
    pub reason: String,
}

impl ClockSettings {
    /// Whether they can be.
    ///
    /// # Errors
    /// The first fault: too many servers, one twice, one that is neither name nor address, none to follow.
    pub fn check(&self) -> Result<(), ClockFault> {
        self.addresses().map(drop)
    }

    /// Where the servers are, in the order of the list.
    ///
    /// # Errors
    /// As `check`.
    pub(crate) fn addresses(&self) -> Result<Vec<ServerAddress>, ClockFault> {
        let whole = |reason: String| ClockFault { field: "servers".to_owned(), reason };
        if self.servers.len() > MOST_SERVERS {
            return Err(whole(format!(
                "{} time servers, and {MOST_SERVERS} are the most",
                self.servers.len()
            )));
        }
        if self.on && self.servers.is_empty() {
            return Err(whole("time servers are to be followed, and none is named".to_owned()));
        }
        let mut found: Vec<ServerAddress> = Vec::new();
        for (place, name) in self.servers.iter().enumerate() {
            let here = |reason: String| ClockFault { field: format!("servers[{place}]"), reason };
            let address = ServerAddress::of(name)
                .ok_or_else(|| here(format!("{name:?} is neither a server's name nor its address")))?;
            if found.contains(&address) {
                return Err(here(format!("the time server {name:?} is named twice")));
            }
            found.push(address);
        }
        Ok(found)
    }
}

impl From<ClockFault> for ApplianceError {
    fn from(fault: ClockFault) -> Self {
        Self::BadRequest { reason: fault.reason }
    }
}

/// Host in lower case (name, or address without brackets) and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl ServerAddress {
    fn of(text: &str) -> Option<Self> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, after.strip_prefix(':').map(port_of).unwrap_or(after.is_empty().then_some(NTP_PORT))?)
        } else if text.parse::<IpAddr>().is_ok() {
            (text, NTP_PORT)
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, port_of(port)?),
                None => (text, NTP_PORT),
            }
        };
        let fits = match host.parse::<IpAddr>() {
            Ok(ip) => !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::from([255; 4]),
            Err(_) => is_name(host),
        };
        fits.then(|| Self { host: host.to_ascii_lowercase(), port })
    }
}

fn port_of(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// Letters, digits and `-` in parts with points between them; an all-digit end would be an address that is none.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last_is_word =
        text.rsplit('.').next().is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_alphabetic()));
    text.len() <= LONGEST_NAME && last_is_word && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(servers: &[&str]) -> ClockSettings {
        ClockSettings { on: true, servers: servers.iter().map(|&server| server.to_owned()).collect() }
    }

    #[test]
    fn names_and_addresses_with_and_without_a_port_are_servers() {
        for (text, host, port) in [
            ("ntp.example.cn", "ntp.example.cn", 123),
            ("NTP-1.Example.CN:1123", "ntp-1.example.cn", 1123),
            ("192.0.2.7", "192.0.2.7", 123),
            ("192.0.2.7:9", "192.0.2.7", 9),
            ("2001:db8::1", "2001:db8::1", 123),
            ("[2001:DB8::1]", "2001:db8::1", 123),
            ("[2001:db8::1]:65535", "2001:db8::1", 65535),
            ("ntp", "ntp", 123),
        ] {
            let found = settings(&[text]).addresses().expect(text);
            assert_eq!(found, [ServerAddress { host: host.to_owned(), port }], "{text}");
        }
    }

    #[test]
    fn what_is_no_server_is_named_in_the_refusal() {
        let long = "a".repeat(64);
        for text in [
            "",
            " ",
            "ntp example",
            "ntp.example.cn.",
            "-ntp.cn",
            "ntp-.cn",
            "ntp..cn",
            ".cn",
            "1.2.3",
            "256.1.1.1",
            "1.2.3.4:0",
            "1.2.3.4:65536",
            "1.2.3.4:+9",
            "ntp:",
            "ntp:x",
            "[::1",
            "[::1]x",
            "[1.2.3.4]",
            "0.0.0.0",
            "::",
            "224.0.1.1",
            "ff02::101",
            "255.255.255.255",
            "ntp.cn/x",
            "http://ntp.cn",
            "ntp\n.cn",
            "时间.cn",
            &long,
        ] {
            let fault = settings(&["192.0.2.1", text]).check().expect_err(text);
            assert_eq!(fault.field, "servers[1]");
            assert!(fault.reason.contains(&format!("{text:?}")), "{fault}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_is_refused() {
        let nine: Vec<String> = (1..=9).map(|n| format!("192.0.2.{n}")).collect();
        let nine: Vec<&str> = nine.iter().map(String::as_str).collect();
        for (servers, part) in [
            (&[][..], "none is named"),
            (&nine, "8 are the most"),
            (&["ntp.cn", "NTP.cn:123"], "named twice"),
        ] {
            let error = settings(servers).addresses().expect_err(part);
            assert!(error.reason.contains(part), "{error}");
        }
        assert!(settings(&nine[1..]).check().is_ok());
        assert!(ClockSettings::default().addresses().expect("off, and nobody to ask").is_empty());
    }
}
