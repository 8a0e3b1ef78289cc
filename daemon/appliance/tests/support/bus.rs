//! A bus of a test's own (Debian's dbus-daemon), and a logind on it that restarts nothing.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use zbus::Connection;
use zbus::connection::Builder;

/// A bus that runs until this is dropped.
pub struct Bus {
    daemon: Child,
    pub address: String,
    _folder: tempfile::TempDir,
}

impl Bus {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Services with a user of their own come in as well.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("set");
        let config = folder.path().join("bus.conf");
        let text = format!(
            r#"<busconfig>
                <listen>unix:path={}</listen>
                <auth>EXTERNAL</auth>
                <policy context="default">
                    <allow user="*"/>
                    <allow send_destination="*"/>
                    <allow receive_sender="*"/>
                    <allow own="*"/>
                </policy>
            </busconfig>"#,
            folder.path().join("bus").display()
        );
        std::fs::write(&config, text).expect("written");
        let mut daemon = Command::new("dbus-daemon")
            .arg("--nofork")
            .arg("--print-address")
            .arg(format!("--config-file={}", config.display()))
            .stdout(Stdio::piped())
            // As root it complains that it may not open more files.
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon starts; scripts/test setup installs it");
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().expect("is piped")).read_line(&mut address).expect("an address");
        assert!(address.starts_with("unix:"), "dbus-daemon did not start: {address:?}");
        Self { daemon, address: address.trim().to_owned(), _folder: folder }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// What a box's logind answers, and what it was asked to do.
#[derive(Clone)]
pub struct Logind {
    can_reboot: &'static str,
    /// When, and with which `interactive`.
    pub reboots: Arc<Mutex<Vec<(Instant, bool)>>>,
}

impl Logind {
    /// On the bus as long as the connection that it returns.
    pub async fn serve(bus: &Bus, can_reboot: &'static str) -> (Self, Connection) {
        let logind = Self { can_reboot, reboots: Arc::default() };
        let connection = Builder::address(bus.address.as_str())
            .name("org.freedesktop.login1")
            .serve_at("/org/freedesktop/login1", logind.clone())
            .build()
            .await
            .expect("a service");
        (logind, connection)
    }

    pub fn reboots(&self) -> Vec<(Instant, bool)> {
        self.reboots.lock().expect("no panic holds it").clone()
    }
}

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn can_reboot(&self) -> String {
        self.can_reboot.to_owned()
    }

    fn reboot(&self, interactive: bool) {
        self.reboots.lock().expect("no panic holds it").push((Instant::now(), interactive));
    }
}
