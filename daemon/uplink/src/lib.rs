//! Between a station and its platform: both ends of the protocol in one room, so that they cannot drift apart.
//!
//! ```text
//! station                                     platform
//!   Outbox ─► station_end::talk ═ TLS 1.3 ═► platform_end::serve ─► Intake
//!     ▲            order, pace                   taking, arriving       │
//!     └──────────── acknowledged ◄═══════════════ acknowledged ◄────────┘
//! ```
//!
//! A station dials, each side proves the key that the other knows it by (`key`, `tls`), they agree on a version
//! (`message`), and entries of the station's journal go up with their files (`frame`), fresh ones before the backlog.
//! The platform acknowledges what is safe on its disk and in its catalog; until then the station's outbox keeps it.
//! What it asks of a station comes down the same connection (`command`).
//! Errors say whose side failed and whether trying again helps (`error`). The bytes stand in this room's README.

pub mod arriving;
pub mod command;
pub mod error;
pub mod frame;
pub mod key;
pub mod listening;
pub mod message;
pub mod order;
mod outgoing;
pub mod pace;
pub mod platform_end;
pub mod seats;
pub mod station_end;
mod taking;
pub mod tls;

pub use command::What;
pub use error::{Retry, Side, UplinkError};
pub use key::{DeviceKey, Fingerprint};
