//! Starting a platform: what is opened, in which order, and which threads run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use appliance::Appliance;
use catalog::{Catalog, Options};
use mail::{Mail, MailConfig};
use recording::DataDir;
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use upkeep::BoxClock;
use upkeep::identity::{self, Role};
use uplink::{DeviceKey, tls};

use crate::care::{self, Care, Notice};
use crate::error::PlatformError;
use crate::intake::{self, Door};
use crate::keeping;
use crate::listening::Listening;
use crate::lock;
use crate::mail_host::PlatformHost;
use crate::orders::Orders;
use crate::platform::{
    Background, Inner, KEEPS_AT_ONCE, Platform, PlatformConfig, PlatformInfo, Running, VitalsNow,
};
use crate::pull::{self, Pauses, Pulls};
use crate::recalled::Recalled;
use crate::releases::Releases;
use crate::remembered;
use crate::room::Room;
use crate::settings::Book;
use crate::station::Come;
use crate::stations::Stations;
use crate::tuning::Tuning;

/// Stations that wait at the door, after a restart say, when all come at once.
const BACKLOG: u32 = 4096;
/// Waveforms that wait to be made; those for which there is no room are made when somebody looks.
const PEAKS_WAITING: usize = 4096;
const PEAKS_WAIT: Duration = Duration::from_millis(200);

impl Platform {
    /// Opens the data folder, repairs what the last stop left, and takes what stations send from now on.
    ///
    /// # Errors
    /// One sentence: a folder in use, of a newer release or of a station, a wrong setting, an address that is taken.
    pub fn start(config: &PlatformConfig) -> Result<Self, PlatformError> {
        Self::start_tuned(config, Tuning::default())
    }

    /// As `start`, with other measures of the box, and other waits.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_tuned(config: &PlatformConfig, tuning: Tuning) -> Result<Self, PlatformError> {
        let data = Arc::new(DataDir::open(&config.data)?);
        let settings = Arc::new(Book::load(data.path().join("settings/platform.toml"))?);
        let serial = identity::serial(&data, Role::Platform)?;
        let key = DeviceKey::load_or_make(&data.path().join("identity/device-key.pem"))?;
        let tls = tls::platform_config(&key).map_err(|error| PlatformError::Tls(error.to_string()))?;
        let runtime = runtime()?;
        // Before anything is done: a start that fails for an address leaves all as it was.
        let listener = {
            let _inside = runtime.enter();
            bind(config.intake)?
        };
        let address = listener
            .local_addr()
            .map_err(|source| PlatformError::Listen { address: config.intake, source })?;
        let (catalog, report) = Catalog::open(data.path(), Options::new(serial.as_str()))?;
        report.damage.iter().for_each(|sentence| eprintln!("{sentence}"));
        let clock = BoxClock::new(tuning.clock.clone(), settings.now().zone());
        let (notices, notices_out) = channel();
        let (peaks, peaks_out) = sync_channel(PEAKS_WAITING);
        let pulls_file = data.path().join("pulls.json");
        let pauses = Pauses { first: tuning.pull_first_pause, longest: tuning.pull_longest_pause };
        let host = Arc::new(PlatformHost {
            serial: serial.clone(),
            settings: settings.clone(),
            clock: clock.clone(),
            data: data.clone(),
            platform: OnceLock::new(),
        });
        let mail = Mail::start(MailConfig {
            data: data.path().to_owned(),
            catalog: catalog.clone(),
            host: host.clone(),
            tuning: mail::Tuning::default(),
        });
        let mail = mail.map_err(|source| PlatformError::Thread { source })?;
        let room = Arc::new(Room::new(data.path().to_owned(), settings.clone(), tuning.held_s));
        let (releases, sentences) = Releases::open(&data.path().join("releases"), room.clone())?;
        sentences.iter().for_each(|sentence| eprintln!("{sentence}"));
        let inner = Arc::new(Inner {
            info: PlatformInfo {
                serial,
                name: settings.now().name.clone(),
                version: env!("CARGO_PKG_VERSION"),
                started: clock.text(clock.now_us()),
            },
            fingerprint: key.fingerprint(),
            address,
            room,
            releases,
            settings,
            data,
            catalog,
            orders: Mutex::new(Orders::new(clock.now_us())),
            clock,
            stations: Stations::new(tuning.settled_after()),
            door: Door::new(TlsAcceptor::from(Arc::new(tls))),
            pulls: Pulls::load(pulls_file, pauses, tuning.pulls_at_once),
            tuning,
            registering: Mutex::default(),
            loading: Mutex::default(),
            loaded: AtomicBool::new(false),
            keeps: Arc::new(Semaphore::new(KEEPS_AT_ONCE)),
            listening: Listening::default(),
            vitals: Mutex::new(VitalsNow::default()),
            last_round: Mutex::new(Instant::now()),
            notices,
            peaks: Mutex::new(Some(peaks)),
            appliance: Appliance::at(&config.appliance),
            running: Mutex::new(None),
            mail,
        });
        let _ = host.platform.set(Arc::downgrade(&inner));
        // A catalog that is being made again is waited for by the care thread; stations are busy with their own until
        // then.
        if let Err(error) = inner.load_devices() {
            eprintln!("stations are not let in yet: {error}");
        }
        let peaks = {
            let keeps = inner.keeps.clone();
            spawn("peaks", move || make_peaks(&peaks_out, &keeps))?
        };
        let care = Care::new(inner.clone());
        let care = spawn("care", move || care.run(&notices_out))?;
        runtime.spawn(intake::serve(inner.clone(), listener));
        runtime.spawn(pull::run(inner.clone()));
        runtime.spawn(care::tick(Arc::downgrade(&inner)));
        let running = Running { runtime: Background(Some(runtime)), care, peaks };
        *lock(&inner.running) = Some(running);
        Ok(Self { inner })
    }
}

impl Inner {
    /// Reads which stations there are and what has come of them; nothing happens if that is known.
    pub(crate) fn load_devices(&self) -> Result<(), PlatformError> {
        // Whoever comes second waits: what the first has loaded may be in use by then.
        let _one_at_a_time = lock(&self.loading);
        if self.loaded.load(Relaxed) {
            return Ok(());
        }
        let catalog = &self.catalog;
        if !catalog.wait_until_current(care::CATALOG_MOMENT) {
            return Err(catalog::Error::Behind.into());
        }
        let mut known = Vec::new();
        for device in catalog.devices()? {
            let come = self.come(&device.serial)?;
            known.push((device, come));
        }
        self.stations.load(known, remembered::read(&self.remembered_file()));
        let expects = |serial: &str| self.stations.device(serial).is_some();
        for sentence in keeping::clear_up(&self.data, expects, |serial, item| self.has_arrived(serial, item))
        {
            eprintln!("{sentence}");
        }
        self.recall_commands();
        self.loaded.store(true, Relaxed);
        Ok(())
    }

    /// What has become of the commands of the run before.
    fn recall_commands(&self) {
        let (shown, now_us) = (self.tuning.commands_shown, self.clock.now_us());
        match Recalled::read(&self.catalog, &self.info.serial, shown, now_us) {
            Ok(Recalled { commands, cut, open }) => {
                let mut orders = lock(&self.orders);
                orders.recall(commands);
                open.into_iter().for_each(|open| orders.go_on(open));
                drop(orders);
                cut.into_iter().for_each(|entry| self.notify(Notice::Audit(Box::new(entry))));
            }
            Err(error) => eprintln!("what became of the commands before is not shown: {error}"),
        }
    }

    pub(crate) fn remembered_file(&self) -> PathBuf {
        self.data.path().join("stations.json")
    }

    /// What of a station is in the journal, as far as the catalog shows it.
    pub(crate) fn come(&self, serial: &str) -> Result<Come, catalog::Error> {
        let (arrived, highest_record) = (self.catalog.arrived(serial)?, self.catalog.highest_record(serial)?);
        Ok(Come { arrived, highest_record })
    }

    /// Of a station that is known no longer as well.
    fn has_arrived(&self, serial: &str, item: u64) -> bool {
        self.stations.has(serial, item)
            || self.catalog.arrived(serial).is_ok_and(|arrived| arrived.contains(item))
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, PlatformError> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("intake")
        .enable_all()
        .build()
        .map_err(|source| PlatformError::Thread { source })
}

fn bind(address: SocketAddr) -> Result<tokio::net::TcpListener, PlatformError> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restart must not wait for connections that the kernel still remembers.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|source| PlatformError::Listen { address, source })
}

/// What stations send goes first: while something is being kept, a waveform waits for a while.
fn make_peaks(files: &Receiver<PathBuf>, keeps: &Semaphore) {
    while let Ok(file) = files.recv() {
        let until = Instant::now() + PEAKS_WAIT;
        while keeps.available_permits() < KEEPS_AT_ONCE && Instant::now() < until {
            std::thread::sleep(PEAKS_WAIT / 20);
        }
        // A file that is no recording has no waveform; whoever looks at it is told why.
        let _ = recording::peaks::load(&file);
    }
}

/// A thread whose panic ends the process: a platform that goes on without one of them would look well. Started again, it
/// goes on from its journal.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, PlatformError> {
    let work = move || {
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
            std::process::abort();
        }
    };
    std::thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map_err(|source| PlatformError::Thread { source })
}

#[cfg(test)]
mod tests {
    use catalog::{AuditEntry, Device};
    use serde_json::json;

    use super::*;

    /// Whoever comes while another one loads must not undo what has come since.
    #[test]
    fn devices_are_loaded_once_however_many_ask() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = PlatformConfig {
            data: folder.path().to_owned(),
            intake: ([127, 0, 0, 1], 0).into(),
            appliance: folder.path().join("appliance.sock"),
        };
        let platform = Platform::start(&config).expect("started");
        let inner = &platform.inner;
        let trail = || -> AuditEntry {
            let entry =
                json!({"account": "a", "ip": null, "item": "device", "operation": "x", "result": "ok"});
            serde_json::from_value(entry).expect("an entry")
        };
        let known: Vec<Device> = (0..300).map(|number| Device::new(format!("HKLN-{number:014}"))).collect();
        platform.add_devices(known, vec![trail()]).expect("added");
        for round in 0..60 {
            inner.loaded.store(false, Relaxed);
            let begin = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let begin = &begin;
                    scope.spawn(move || {
                        begin.wait();
                        inner.load_devices().expect("loaded");
                        // Known to this run alone: a second load would forget it.
                        let serial = format!("HKLN-9{round:06}{thread:07}");
                        inner.stations.added(Device::new(serial), Come::default());
                    });
                }
            });
            assert_eq!(inner.stations.count(), 304, "round {round}");
        }
        platform.stop();
    }
}
