//! The real RAUC, as a Debian package, on the bus of the test: what it says of good and bad bundles, and an installation
//! into a file. The played one stands in for what this one does not do at command: ending, falling silent, another's work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hookline_appliance::Installed;
use nix::unistd::geteuid;
use zbus::connection::Builder;
use zbus::fdo::DBusProxy;

use crate::house::{House, wait_until};

const IMAGE_BYTES: usize = 300_000;
const SLOT_BYTES: usize = 1 << 20;

/// A RAUC of a box of kind `hookline-x86_64`, whose other slot is a file.
struct RealRauc {
    service: Child,
    folder: PathBuf,
    key: Key,
}

/// A key and its certificate, as files.
struct Key {
    key: PathBuf,
    certificate: PathBuf,
}

impl Key {
    fn make(folder: &Path, name: &str) -> Self {
        let pair = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let made = Self {
            key: folder.join(format!("{name}.key.pem")),
            certificate: folder.join(format!("{name}.pem")),
        };
        fs::write(&made.key, pair.serialize_pem()).expect("written");
        fs::write(&made.certificate, params.self_signed(&pair).expect("signed").pem()).expect("written");
        made
    }
}

impl RealRauc {
    fn start(house: &House) -> Self {
        let folder = house.folder.path().join("rauc");
        fs::create_dir_all(folder.join("mounts")).expect("a folder");
        let key = Key::make(&folder, "own");
        fs::write(folder.join("running.img"), vec![0; SLOT_BYTES]).expect("written");
        fs::write(folder.join("other.img"), vec![0; SLOT_BYTES]).expect("written");
        let here = folder.display();
        let config = format!(
            "[system]\ncompatible=hookline-x86_64\nbootloader=noop\nbundle-formats=plain verity\n\
            mountprefix={here}/mounts\n\n[keyring]\npath={here}/own.pem\n\n\
            [slot.rootfs.0]\ndevice={here}/running.img\ntype=raw\nbootname=A\n\n\
            [slot.rootfs.1]\ndevice={here}/other.img\ntype=raw\nbootname=B\n"
        );
        fs::write(folder.join("system.conf"), config).expect("written");
        let service = Command::new("rauc")
            .arg(format!("--conf={here}/system.conf"))
            .args(["--override-boot-slot=A", "service"])
            .env("DBUS_SYSTEM_BUS_ADDRESS", &house.bus.address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("rauc starts; scripts/test setup installs it");
        let rauc = Self { service, folder, key };
        house.runtime.block_on(async {
            let connection = Builder::address(house.bus.address.as_str()).build().await.expect("a bus");
            let bus = DBusProxy::new(&connection).await.expect("a bus");
            let name = || "de.pengutronix.rauc".try_into().expect("a name");
            while !bus.name_has_owner(name()).await.expect("answered") {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        });
        rauc
    }

    /// Made and signed by RAUC itself.
    fn bundle(&self, name: &str, compatible: &str, key: &Key) -> PathBuf {
        let content = self.folder.join(format!("{name}.content"));
        fs::create_dir(&content).expect("a folder");
        let manifest = format!(
            "[update]\ncompatible={compatible}\nversion=0.2.0\n\n[bundle]\nformat=plain\n\n\
            [image.rootfs]\nfilename=rootfs.img\n"
        );
        fs::write(content.join("manifest.raucm"), manifest).expect("written");
        fs::write(content.join("rootfs.img"), image()).expect("written");
        let bundle = self.folder.join(format!("{name}.raucb"));
        let output = Command::new("rauc")
            .arg(format!("--cert={}", key.certificate.display()))
            .arg(format!("--key={}", key.key.display()))
            .arg("bundle")
            .args([&content, &bundle])
            .output()
            .expect("rauc runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        bundle
    }

    /// The slot that does not run.
    fn other_slot(&self) -> PathBuf {
        self.folder.join("other.img")
    }
}

impl Drop for RealRauc {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

/// Nothing that can be compressed, so that a cut bundle is cut within it.
fn image() -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..IMAGE_BYTES).map(|_| next()).collect()
}

#[test]
fn a_real_rauc_tells_bad_bundles_apart_and_writes_none() {
    let house = House::new();
    let rauc = RealRauc::start(&house);
    let good = fs::read(rauc.bundle("good", "hookline-x86_64", &rauc.key)).expect("read");
    let made = |name: &str, bytes: &[u8]| {
        let path = rauc.folder.join(name);
        fs::write(&path, bytes).expect("written");
        path
    };
    let mut altered = good.clone();
    altered[IMAGE_BYTES / 2] ^= 1;
    let stranger = Key::make(&rauc.folder, "stranger");
    for (bundle, code) in [
        (rauc.bundle("aarch64", "hookline-aarch64", &rauc.key), "not_for_this_box"),
        (rauc.bundle("strange", "hookline-x86_64", &stranger), "bundle_corrupt"),
        (made("altered.raucb", &altered), "bundle_corrupt"),
        (made("cut.raucb", &good[..good.len() / 2]), "bundle_corrupt"),
        (made("nothing.raucb", &[]), "bundle_corrupt"),
        (made("noise.raucb", &image()), "bundle_corrupt"),
    ] {
        let error = house.appliance().upgrade(&bundle, "0.2.0", &mut |_| {}).expect_err("refused");
        assert_eq!(error.code(), code, "{}: {error}", bundle.display());
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    let slot = fs::read(rauc.other_slot()).expect("read");
    assert!(slot.iter().all(|byte| *byte == 0), "nothing was written");
}

#[test]
fn a_real_rauc_installs_into_the_other_slot_or_says_why_not() {
    let house = House::new();
    let rauc = RealRauc::start(&house);
    let bundle = rauc.bundle("good", "hookline-x86_64", &rauc.key);
    let mut told = Vec::new();
    let result = house.appliance().upgrade(&bundle, "0.2.0", &mut |percent| told.push(percent));
    if geteuid().is_root() && Path::new("/dev/loop-control").exists() {
        assert_eq!(result.expect("installed"), Installed { version: "0.2.0".into() });
        assert!(told.is_sorted() && told.iter().any(|percent| *percent > 0), "{told:?}");
        let slot = fs::read(rauc.other_slot()).expect("read");
        assert!(slot[..IMAGE_BYTES] == image(), "the image lies in the slot");
    } else {
        // It mounts bundles, which takes root.
        assert_eq!(result.expect_err("it cannot").code(), "upgrade_failed");
    }
    let running = fs::read(rauc.folder.join("running.img")).expect("read");
    assert!(running.iter().all(|byte| *byte == 0), "the slot that runs is left alone");

    fs::remove_file(rauc.other_slot()).expect("removed");
    wait_until("it says that the slot is gone", || {
        match house.appliance().upgrade(&bundle, "0.2.0", &mut |_| {}) {
            // The end is told a moment before it is idle again.
            Err(error) if error.code() == "upgrade_running" => false,
            Err(error) => {
                assert_eq!(error.code(), "upgrade_failed", "{error}");
                true
            }
            Ok(installed) => panic!("{installed:?}"),
        }
    });
}
