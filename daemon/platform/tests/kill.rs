//! `kill -9` of the platform, and ends of connections, at any moment: what was acknowledged is there, and in the end
//! everything is, once.

mod house;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use catalog::Device;
use house::{Manner, Outgoing, assert_has, recording, start, trail};
use uplink::Fingerprint;
use uplink::station_end::Item;

const NAME: &str = "killed_at_any_moment_nothing_is_lost_and_nothing_there_twice";
const CHILD: &str = "HOOKLINE_PLATFORM_KILL_CHILD";
const STATIONS: u64 = 3;
/// Of each station; a page of the catalog holds 1,000 of all.
const RECORDINGS: u64 = 300;
const ROUNDS: usize = 12;

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_there_twice() {
    if let Ok(folder) = std::env::var(CHILD) {
        return serve(Path::new(&folder));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(rounds());
}

/// The child: a platform that says where it is, until it is killed.
fn serve(folder: &Path) {
    let platform = start(folder);
    println!("intake {} {}", platform.intake_address(), platform.fingerprint().to_string().replace(' ', ""));
    std::thread::sleep(Duration::from_secs(60));
}

/// The child, killed when this goes.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ended");
    }
}

struct Server {
    process: Process,
    address: SocketAddr,
    fingerprint: Fingerprint,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args([NAME, "--exact", "--nocapture"]).env(CHILD, folder).stdout(Stdio::piped());
        let mut process = Process(command.spawn().expect("the child starts"));
        let lines = BufReader::new(process.0.stdout.take().expect("piped")).lines();
        // The test's own report may stand before it on the line.
        let said = lines.map(|line| line.expect("text")).find_map(|line| {
            let (_, said) = line.split_once("intake ")?;
            said.split_once(' ').map(|(address, fingerprint)| (address.to_owned(), fingerprint.to_owned()))
        });
        let (address, fingerprint) = said.expect("the child says where it is");
        let address = address.parse().expect("an address");
        Self { process, address, fingerprint: fingerprint.parse().expect("a fingerprint") }
    }

    fn kill(self) {
        drop(self.process);
    }
}

async fn rounds() {
    let folder = tempfile::tempdir().expect("a folder");
    let serials: Vec<String> = (1..=STATIONS).map(|number| format!("HKLN-{number:014}")).collect();
    let manners: Vec<Manner> = serials.iter().map(|serial| Manner::new(serial)).collect();
    let platform = start(folder.path());
    let devices = manners.iter().map(|manner| Device {
        fingerprint: Some(manner.fingerprint().to_string()),
        ..Device::new(manner.serial.as_str())
    });
    platform.add_devices(devices.collect(), vec![trail("add")]).expect("added");
    platform.stop();
    drop(platform);
    let items: Vec<Vec<Item>> = serials
        .iter()
        .map(|serial| {
            (1..=RECORDINGS).map(|n| recording(folder.path(), serial, n, n, 1 + n as u32 % 4)).collect()
        })
        .collect();
    let outgoing: Vec<Outgoing> = items.iter().map(|items| Outgoing::of(items.clone())).collect();
    let mut acknowledged_by_then = Vec::new();
    for round in 0..ROUNDS {
        let server = Server::start(folder.path());
        let talking: Vec<_> = manners
            .iter()
            .zip(&outgoing)
            .map(|(manner, out)| manner.dial(server.address, server.fingerprint, out))
            .collect();
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..250))).await;
        if round % 3 == 2 {
            // The station's side this time, one after the other; the platform a moment later.
            for one in talking {
                one.task.abort();
                tokio::time::sleep(Duration::from_millis(fastrand::u64(1..20))).await;
            }
        }
        server.kill();
        acknowledged_by_then.push(outgoing.iter().map(|out| out.done().len()).sum::<usize>());
        // What was acknowledged is there after the kill.
        let platform = start(folder.path());
        for (serial, out) in serials.iter().zip(&outgoing) {
            let arrived = platform.catalog().arrived(serial).expect("read");
            let lost: BTreeSet<u64> =
                out.done().into_iter().filter(|item| !arrived.contains(*item)).collect();
            assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
        }
        platform.stop();
        drop(platform);
        house::sound(folder.path());
    }
    let total = (STATIONS * RECORDINGS) as usize;
    assert!(acknowledged_by_then[0] < total, "the first kill came too late to say anything");

    let platform = start(folder.path());
    let _talking: Vec<_> =
        manners.iter().zip(&outgoing).map(|(manner, out)| manner.talk(&platform, out)).collect();
    house::until("the rest", || outgoing.iter().all(Outgoing::all_done)).await;
    assert_has(folder.path(), platform, &items.concat());
}
