//! The plan as systemd-networkd reads it (systemd.network(5), systemd.netdev(5)) and as pppd does, and both on the disk:
//! each file whole or as before, those of an earlier plan gone.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::check::{Ipv4Plan, Ipv6Plan, Plan, Planned};
use super::places::Places;
use super::ppp;

/// Before those of the image, whatever they are called.
const OURS: &str = "10-hookline-";
const TEMPORARY: &str = ".new";
/// networkd runs as a user of its own.
const NETWORKD_MODES: Modes = Modes { folder: 0o755, file: 0o644 };
/// There are passwords in it.
const PPP_MODES: Modes = Modes { folder: 0o700, file: 0o600 };

#[derive(Clone, Copy)]
struct Modes {
    folder: u32,
    file: u32,
}

/// What a plan comes to: contents by file name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    networkd: BTreeMap<String, String>,
    /// By interface.
    ppp: BTreeMap<String, String>,
}

/// A file or folder that refused, and at which step.
#[derive(Debug)]
pub(super) struct FileError {
    pub(super) step: &'static str,
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

/// What writing has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) networkd: bool,
    /// Interfaces of which the PPPoE connection is new or another one.
    pub(super) dial: Vec<String>,
    /// Interfaces of which it has gone.
    pub(super) hang_up: Vec<String>,
}

impl Changed {
    /// With what was to be told before.
    pub(super) fn and(mut self, before: Option<Self>) -> Self {
        let before = before.unwrap_or_default();
        self.networkd |= before.networkd;
        self.dial.extend(before.dial.into_iter().filter(|link| !self.hang_up.contains(link)));
        self.hang_up.extend(before.hang_up.into_iter().filter(|link| !self.dial.contains(link)));
        self
    }
}

impl Files {
    /// `leftover`: VLANs that exist and are no longer wanted. networkd makes VLANs and never removes one, so that they are
    /// held down until the next start.
    pub(super) fn of(plan: &Plan, leftover: &[String]) -> Self {
        let mut files = Self::default();
        for planned in &plan.interfaces {
            let vlans = plan.interfaces.iter().filter(|one| one.interface == planned.interface);
            let carried: Vec<&str> = match planned.vlan {
                None => vlans.filter(|one| one.vlan.is_some()).map(|one| one.link.as_str()).collect(),
                Some(_) => Vec::new(),
            };
            let link = &planned.link;
            files.networkd.insert(format!("{OURS}{link}.network"), network(planned, &carried));
            if let Some(vlan) = planned.vlan {
                let text = format!("[NetDev]\nName={link}\nKind=vlan\n\n[VLAN]\nId={vlan}\n");
                files.networkd.insert(format!("{OURS}{link}.netdev"), text);
            }
            if let Some(options) = ppp::options(planned) {
                files.ppp.insert(link.clone(), options);
            }
        }
        for link in leftover {
            let text = format!(
                "[Match]\nName={link}\n\n[Link]\nActivationPolicy=always-down\n\n[Network]\nLinkLocalAddressing=no\n"
            );
            files.networkd.insert(format!("{OURS}{link}.network"), text);
        }
        files
    }

    /// Writes what differs, and removes what an earlier plan left.
    ///
    /// # Errors
    /// The file that refused; those before it are written.
    pub(super) fn write(&self, places: &Places) -> Result<Changed, FileError> {
        let (folder, ppp) = (places.networkd_files(), places.ppp_files());
        let mut changed = Changed::default();
        for name in written(&folder, OURS)?.into_iter().filter(|name| !self.networkd.contains_key(name)) {
            remove(&folder.join(name))?;
            changed.networkd = true;
        }
        for link in written(&ppp, "")?.into_iter().filter(|link| !self.ppp.contains_key(link)) {
            remove(&ppp.join(&link))?;
            changed.hang_up.push(link);
        }
        for (name, text) in &self.networkd {
            changed.networkd |= put(&folder, name, text, NETWORKD_MODES)?;
        }
        for (link, text) in &self.ppp {
            if put(&ppp, link, text, PPP_MODES)? {
                changed.dial.push(link.clone());
            }
        }
        Ok(changed)
    }

    /// What there is to tell when it is not known what was told before.
    pub(super) fn all(&self) -> Changed {
        Changed { networkd: true, dial: self.ppp.keys().cloned().collect(), hang_up: Vec::new() }
    }
}

/// Names in a folder that begin with `prefix`, but for files that were not finished.
fn written(folder: &Path, prefix: &str) -> Result<Vec<String>, FileError> {
    let failed = |source| FileError { step: "list", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.map_err(failed)?.file_name().into_string()
            && name.starts_with(prefix)
            && !name.ends_with(TEMPORARY)
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn remove(path: &Path) -> Result<(), FileError> {
    fs::remove_file(path).map_err(|source| FileError { step: "remove", path: path.to_owned(), source })
}

/// Whether it was another one before.
fn put(folder: &Path, name: &str, text: &str, modes: Modes) -> Result<bool, FileError> {
    let path = folder.join(name);
    if fs::read_to_string(&path).is_ok_and(|known| known == text) {
        return Ok(false);
    }
    make_folder(folder, modes.folder)?;
    write_whole(folder, name, text, modes.file)?;
    Ok(true)
}

pub(super) fn make_folder(folder: &Path, mode: u32) -> Result<(), FileError> {
    if folder.is_dir() {
        return Ok(());
    }
    let made =
        fs::create_dir_all(folder).and_then(|()| fs::set_permissions(folder, Permissions::from_mode(mode)));
    made.map_err(|source| FileError { step: "make", path: folder.to_owned(), source })
}

/// Under another name first, so that a power cut leaves the file as it was or as it is to be.
pub(super) fn write_whole(folder: &Path, name: &str, text: &str, mode: u32) -> Result<(), FileError> {
    let temporary = folder.join(format!("{name}{TEMPORARY}"));
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
        // Whatever the process's umask.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, folder.join(name))?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|source| FileError { step: "write", path: folder.join(name), source })
}

/// `carried`: VLANs on it.
fn network(planned: &Planned, carried: &[&str]) -> String {
    let mut text = Sections::default();
    text.begin("Match");
    text.set("Name", &planned.link);
    text.begin("Link");
    // Always said: networkd leaves the one of an earlier file.
    text.set("MTUBytes", planned.mtu);
    text.begin("Network");
    text.set("DHCP", if planned.ipv4 == Ipv4Plan::Dhcp { "ipv4" } else { "no" });
    text.set("LinkLocalAddressing", if planned.own_ipv6() { "ipv6" } else { "no" });
    text.set("IPv6AcceptRA", if planned.is_auto() { "yes" } else { "no" });
    if let Ipv4Plan::Static(net) = &planned.ipv4 {
        text.set("Address", format_args!("{}/{}", net.address, net.prefix));
        net.gateway.iter().for_each(|gateway| text.set("Gateway", gateway));
    }
    if let Ipv6Plan::Static(net) = &planned.ipv6 {
        text.set("Address", format_args!("{}/{}", net.address, net.prefix));
        net.gateway.iter().for_each(|gateway| text.set("Gateway", gateway));
    }
    // Those of a PPPoE connection are told to pppd.
    let servers: &[IpAddr] = if planned.is_pppoe() { &[] } else { &planned.dns };
    servers.iter().for_each(|server| text.set("DNS", server));
    carried.iter().for_each(|vlan| text.set("VLAN", vlan));
    // The box answers as `hookline-SERIAL.local`, and to no other name service of the link.
    text.set("MulticastDNS", "yes");
    text.set("LLMNR", "no");
    if planned.ipv4 == Ipv4Plan::Dhcp {
        text.begin("DHCPv4");
        // So that an address reserved for the number on the housing is given.
        text.set("ClientIdentifier", "mac");
        if !servers.is_empty() {
            text.set("UseDNS", "no");
        }
    }
    if planned.is_auto() && !servers.is_empty() {
        text.begin("DHCPv6");
        text.set("UseDNS", "no");
        text.begin("IPv6AcceptRA");
        text.set("UseDNS", "no");
    }
    text.0
}

impl Planned {
    fn is_pppoe(&self) -> bool {
        matches!(self.ipv4, Ipv4Plan::Pppoe { .. })
    }

    /// Whether the interface itself has IPv6: with PPPoE its connection has.
    fn own_ipv6(&self) -> bool {
        self.ipv6 != Ipv6Plan::Off && !self.is_pppoe()
    }

    fn is_auto(&self) -> bool {
        self.ipv6 == Ipv6Plan::Auto && !self.is_pppoe()
    }
}

/// A file of systemd's as it grows.
#[derive(Default)]
struct Sections(String);

impl Sections {
    fn begin(&mut self, name: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.0 += &format!("{gap}[{name}]\n");
    }

    fn set(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0 += &format!("{name}={value}\n");
    }
}

#[cfg(test)]
mod tests;
