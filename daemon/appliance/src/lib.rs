//! What needs root on a box, behind a narrow Unix socket: restart, keep the clock, install an upgrade, set the network. The
//! recorder and its pages ask for it and run without privileges. See `README.md` for the protocol.
//!
//! ```text
//! Server::bind(Config) -> Server ; run(stop)            the privileged process, `hookline appliance`
//! Appliance::at(socket) ; restart() clock() upgrade() …      whoever asks; blocks
//! ```

mod bus;
mod client;
mod clock;
mod error;
mod network;
mod restart;
mod server;
mod socket;
mod upgrade;
mod wire;
mod work;

pub use client::{Appliance, Installed};
pub use clock::{
    ClockFault, ClockNow, ClockSettings, ClockState, ClockTuning, EARLIEST_US, LATEST_US, Leap, LeapNow,
    LeapState, MOST_SERVERS, Machine, Reading, RtcNow, ServerNow, ServerState, StepNeeded, SystemMachine,
    Tune,
};
pub use error::ApplianceError;
pub use network::{
    Address, AddressSource, Ended, Fault, InterfaceSettings, Ipv4Settings, Ipv6Settings, Lease, Link,
    LinkKind, LinkState, NetworkNow, NetworkSettings, NetworkTuning, Outcome, Secret, Trying,
};
pub use server::{Config, Server, Tuning};
pub use wire::{LONGEST_LINE_BYTES, unknown_member};

/// Where the process answers when nothing else is said.
pub const DEFAULT_SOCKET: &str = "/run/hookline/appliance.sock";
/// Where the process keeps what it is told, when nothing else is said.
pub const DEFAULT_FOLDER: &str = "/data/hookline-appliance";
