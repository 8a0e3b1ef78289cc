//! A systemd-networkd that sets nothing, for tests of the pages: a bus of its own, and interfaces in a faked `/sys` below a
//! root. Tells the bus's address and runs until its standard input ends.
//!
//!     played_networkd ROOT

use std::io::Read;
use std::path::PathBuf;

#[path = "../tests/support/bus.rs"]
#[allow(dead_code, reason = "its logind is for tests of the restart")]
mod bus;
#[path = "../tests/support/networkd.rs"]
#[allow(dead_code, reason = "what it was asked is for tests of the process")]
mod networkd;

fn main() {
    let root = PathBuf::from(std::env::args_os().nth(1).expect("the root is given"));
    networkd::plug(&root, "eth0", 2, None);
    networkd::plug(&root, "eth1", 3, None);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let bus = bus::Bus::start();
    let (_networkd, _connection) = runtime.block_on(networkd::Networkd::serve(&bus.address, &root));
    println!("bus: {}", bus.address);
    // Whoever started it ends it so, in whatever way that one ends.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
