//! How each interface comes to its addresses, as people set it and as it is kept. Addresses are text here: what is wrong
//! with one is said at its place, by `check`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All that is set. An interface that is not named has what the image gives it: DHCP, and the factory address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSettings {
    pub interfaces: Vec<InterfaceSettings>,
}

/// Of one interface, or of one VLAN on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceSettings {
    /// As the kernel names it, such as `eth0`.
    pub interface: String,
    /// 1 to 4094, tagged (IEEE 802.1Q). `None`: untagged.
    #[serde(default)]
    pub vlan: Option<u16>,
    pub ipv4: Ipv4Settings,
    pub ipv6: Ipv6Settings,
    /// Addresses of name servers. Empty: those that DHCP, the router or the provider names.
    #[serde(default)]
    pub dns: Vec<String>,
    /// Bytes; `None`: 1500, and 1492 for PPPoE.
    #[serde(default)]
    pub mtu: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Ipv4Settings {
    Off {},
    Dhcp {},
    Static {
        /// With the length of its prefix: `192.168.1.20/24`.
        address: String,
        #[serde(default)]
        gateway: Option<String>,
    },
    /// Dials the provider at the other end of this interface; the addresses are those of the connection.
    Pppoe {
        user: String,
        /// Never told again. `None`: as it is, as long as the user is the same.
        #[serde(default)]
        password: Option<Secret>,
        /// Of several at the other end, the one of this name.
        #[serde(default)]
        service: Option<String>,
    },
}

/// A password. What is asked of the process is logged, and this is not.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(secret)")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Ipv6Settings {
    Off {},
    /// As the router says: addresses of its announcements, DHCPv6.
    Auto {},
    Static {
        /// With the length of its prefix: `2001:db8::20/64`.
        address: String,
        #[serde(default)]
        gateway: Option<String>,
    },
}

impl NetworkSettings {
    /// As people and programs give them.
    ///
    /// # Errors
    /// The member that is none of these settings, and why.
    pub fn read(given: &Value) -> Result<Self, (String, String)> {
        let interfaces = given.get("interfaces").and_then(Value::as_array);
        let interfaces =
            interfaces.ok_or_else(|| ("interfaces".to_owned(), "it has to be a list".to_owned()))?;
        let read = interfaces.iter().enumerate().map(|(index, one)| {
            InterfaceSettings::deserialize(one)
                .map_err(|error| (format!("interfaces[{index}]"), error.to_string()))
        });
        Ok(Self { interfaces: read.collect::<Result<_, _>>()? })
    }

    /// Without secrets.
    pub fn told(&self) -> Self {
        let mut told = self.clone();
        for interface in &mut told.interfaces {
            if let Ipv4Settings::Pppoe { password, .. } = &mut interface.ipv4 {
                *password = None;
            }
        }
        told
    }

    /// With the secrets of `former` where none was given for the same user at the same place.
    pub(crate) fn with_secrets_of(mut self, former: &Self) -> Self {
        for interface in &mut self.interfaces {
            let same = former.interfaces.iter().find(|one| one.is_at_place_of(interface));
            let Some(InterfaceSettings {
                ipv4: Ipv4Settings::Pppoe { user: known, password: kept, .. }, ..
            }) = same
            else {
                continue;
            };
            if let Ipv4Settings::Pppoe { user, password, .. } = &mut interface.ipv4
                && password.is_none()
                && user == known
            {
                password.clone_from(kept);
            }
        }
        self
    }
}

impl InterfaceSettings {
    pub(crate) fn is_at_place_of(&self, other: &Self) -> bool {
        self.interface == other.interface && self.vlan == other.vlan
    }

    /// As the kernel names it.
    pub(crate) fn link(&self) -> String {
        match self.vlan {
            None => self.interface.clone(),
            Some(vlan) => format!("{}.{vlan}", self.interface),
        }
    }
}
