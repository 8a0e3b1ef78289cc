//! A station and its platform, over real sockets and TLS: everything arrives, once, whatever happens to either or to what
//! lies between them. The platform here is the room `uplink`'s end of the protocol, keeping what comes in memory.

mod alarms;
mod appliance_process;
mod arrives;
mod asked;
#[path = "../../../appliance/tests/support/bus.rs"]
mod bus;
mod commands;
mod house;
mod outbox;
#[path = "../../../appliance/tests/support/rauc.rs"]
mod rauc;
mod registration;
