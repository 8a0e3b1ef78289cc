//! The network: what interfaces there are, and how each comes to its addresses. A change counts at once and is taken back
//! unless it is confirmed in time, by a power cut or the end of this process too: what is kept on the disk is the former
//! settings until then.
//!
//! ```text
//! settled --change--> trying --confirm--> settled, as changed
//!                       |-- time is up, revert, the process ended --> settled, as before
//! ```

mod change;
mod check;
mod fault;
mod files;
mod kept;
mod links;
mod networkd;
mod places;
mod ppp;
mod settings;

pub(crate) use change::Network;
pub use change::{NetworkNow, NetworkTuning, Trying};
pub use fault::Fault;
pub use kept::{Ended, Outcome};
pub use links::{Address, AddressSource, Lease, Link, LinkKind, LinkState};
pub use settings::{InterfaceSettings, Ipv4Settings, Ipv6Settings, NetworkSettings, Secret};
