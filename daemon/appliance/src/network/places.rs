//! Where the network's things are: those of the system below one root, that of the machine or a folder of a test, and
//! what is kept in the folder of this process.

use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub(super) struct Places {
    root: PathBuf,
    kept: PathBuf,
}

impl Places {
    pub(super) fn new(root: &Path, kept: &Path) -> Self {
        Self { root: root.to_owned(), kept: kept.to_owned() }
    }

    /// A folder an interface (sysfs).
    pub(super) fn interfaces(&self) -> PathBuf {
        self.root.join("sys/class/net")
    }

    /// What networkd got by DHCP, a file an interface, by its index.
    pub(super) fn lease(&self, index: u32) -> PathBuf {
        self.root.join(format!("run/systemd/netif/leases/{index}"))
    }

    /// networkd's files of this run. They go before those of the image, and are gone with a power cut.
    pub(super) fn networkd_files(&self) -> PathBuf {
        self.root.join("run/systemd/network")
    }

    /// pppd's options, a file an interface, for root alone.
    pub(super) fn ppp_files(&self) -> PathBuf {
        self.root.join("run/hookline/ppp")
    }

    /// What outlives a restart; of root's own.
    pub(super) fn kept(&self) -> &Path {
        &self.kept
    }
}
