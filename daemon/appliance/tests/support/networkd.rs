//! A systemd-networkd that sets nothing: it reads its files below a test's root as the real one does, and describes the
//! interfaces of the faked `/sys` there as if it had. Beside it a systemd that notes which units it was to start and end.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use zbus::connection::Builder;
use zbus::{Connection, OwnedObjectPath, fdo, interface};

/// What DHCP gives.
const LEASED: &str = "192.168.7.77/24";
const LEASE_SERVER: &str = "192.168.7.1";

#[derive(Clone)]
pub struct Networkd(Arc<Mutex<Play>>);

/// How it is to behave, and what it was asked.
pub struct Play {
    root: PathBuf,
    /// Its files, as they were when it read them last.
    files: BTreeMap<String, String>,
    pub reloads: usize,
    /// What it says to the next reloads instead of doing them.
    pub refuses: Option<&'static str>,
    /// Units that were started or ended, in order.
    pub units: Vec<String>,
}

/// An interface that the kernel would show in sysfs, with a cable in it.
pub fn plug(root: &Path, name: &str, index: u32, device: Option<&str>) {
    let folder = root.join("sys/class/net").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let uevent = device.map_or(String::new(), |device| format!("DEVTYPE={device}\n"));
    for (file, text) in [
        ("type", "1\n".to_owned()),
        ("ifindex", format!("{index}\n")),
        ("address", format!("00:11:22:33:44:{index:02x}\n")),
        ("carrier", "1\n".to_owned()),
        ("speed", "1000\n".to_owned()),
        ("mtu", "1500\n".to_owned()),
        ("uevent", format!("{uevent}INTERFACE={name}\nIFINDEX={index}\n")),
    ] {
        fs::write(folder.join(file), text).expect("written");
    }
}

impl Networkd {
    /// On the bus at that address as long as the connection that it returns.
    pub async fn serve(bus: &str, root: &Path) -> (Self, Connection) {
        let play =
            Play { root: root.to_owned(), files: read(root), reloads: 0, refuses: None, units: Vec::new() };
        let networkd = Self(Arc::new(Mutex::new(play)));
        let connection = Builder::address(bus)
            .name("org.freedesktop.network1")
            .name("org.freedesktop.systemd1")
            .serve_at("/org/freedesktop/network1", networkd.clone())
            .serve_at("/org/freedesktop/systemd1", Systemd(networkd.clone()))
            .build()
            .await
            .expect("a service");
        (networkd, connection)
    }

    pub fn play(&self) -> MutexGuard<'_, Play> {
        self.0.lock().expect("no panic holds it")
    }

    /// What it read last, of this name.
    pub fn file(&self, name: &str) -> Option<String> {
        self.play().files.get(name).cloned()
    }
}

fn read(root: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(root.join("run/systemd/network")) else { return BTreeMap::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "network" || end == "netdev"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_str().expect("text").to_owned();
            (name, fs::read_to_string(path).expect("read"))
        })
        .collect()
}

/// Of a file: all values of a key.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn bytes(address: &str) -> Vec<u8> {
    match address.parse().expect("an address") {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn address(text: &str, source: &str) -> Value {
    let (address, prefix) = text.split_once('/').expect("a prefix");
    let prefix: u8 = prefix.parse().expect("a number");
    json!({"Family": 2, "Address": bytes(address), "PrefixLength": prefix, "ConfigSource": source})
}

fn default_route(gateway: &str) -> Value {
    json!({"Family": 2, "DestinationPrefixLength": 0, "Gateway": bytes(gateway), "TypeString": "unicast"})
}

fn servers(addresses: &[&str]) -> Vec<Value> {
    addresses.iter().map(|server| json!({"Family": 2, "Address": bytes(server)})).collect()
}

impl Play {
    fn describe(&self, name: &str) -> Value {
        let factory = "[Network]\nDHCP=ipv4\n".to_owned();
        let file = self.files.get(&format!("10-hookline-{name}.network")).unwrap_or(&factory);
        let mut addresses: Vec<Value> =
            values(file, "Address").into_iter().map(|one| address(one, "static")).collect();
        let mut gateways = values(file, "Gateway");
        let mut dns = values(file, "DNS");
        if values(file, "DHCP") == ["ipv4"] {
            addresses.push(address(LEASED, "DHCPv4"));
            gateways.push(LEASE_SERVER);
            if dns.is_empty() {
                dns.push(LEASE_SERVER);
            }
            self.keep_lease(name);
        }
        json!({
            "Name": name, "AdministrativeState": "configured", "Addresses": addresses,
            "Routes": gateways.into_iter().map(default_route).collect::<Vec<_>>(), "DNS": servers(&dns),
        })
    }

    fn keep_lease(&self, name: &str) {
        let index = fs::read_to_string(self.root.join("sys/class/net").join(name).join("ifindex"));
        let folder = self.root.join("run/systemd/netif/leases");
        fs::create_dir_all(&folder).expect("a folder");
        let text = format!("# private\nADDRESS=192.168.7.77\nSERVER_ADDRESS={LEASE_SERVER}\nLIFETIME=3600\n");
        fs::write(folder.join(index.expect("read").trim()), text).expect("written");
    }
}

#[interface(name = "org.freedesktop.network1.Manager")]
impl Networkd {
    fn describe(&self) -> String {
        let play = self.play();
        let folder = play.root.join("sys/class/net");
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().into_string().expect("text"));
        let interfaces: Vec<Value> = names.map(|name| play.describe(&name)).collect();
        json!({ "Interfaces": interfaces }).to_string()
    }

    fn reload(&self) -> fdo::Result<()> {
        let mut play = self.play();
        if let Some(words) = play.refuses {
            return Err(fdo::Error::AccessDenied(words.to_owned()));
        }
        play.files = read(&play.root);
        play.reloads += 1;
        Ok(())
    }
}

struct Systemd(Networkd);

#[interface(name = "org.freedesktop.systemd1.Manager")]
impl Systemd {
    fn restart_unit(&self, name: String, mode: String) -> OwnedObjectPath {
        self.note("restart", &name, &mode)
    }

    fn stop_unit(&self, name: String, mode: String) -> OwnedObjectPath {
        self.note("stop", &name, &mode)
    }
}

impl Systemd {
    fn note(&self, what: &str, name: &str, mode: &str) -> OwnedObjectPath {
        assert_eq!(mode, "replace");
        self.0.play().units.push(format!("{what} {name}"));
        OwnedObjectPath::try_from("/org/freedesktop/systemd1/job/1").expect("a path")
    }
}
