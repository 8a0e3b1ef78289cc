//! The appliance process over its real socket and a real bus, with a logind, a RAUC and a networkd on it that change nothing, and a
//! clock that is not the machine's.

#[path = "../support/bus.rs"]
mod bus;
mod clock;
mod clock_servers;
mod door;
mod house;
#[path = "../support/machine.rs"]
mod machine;
mod network;
#[path = "../support/networkd.rs"]
mod networkd;
#[path = "../support/ntp.rs"]
mod ntp;
#[path = "../support/rauc.rs"]
mod rauc;
mod real_networkd;
mod real_rauc;
mod restart;
mod upgrade;
