//! USB line taps: units of 4 to 32 analog lines that anyone may build from `PROTOCOL.md`. A driver looks for its unit by
//! serial number, streams from it, and comes back to it by itself whenever it is plugged in.

use std::io;

mod device;
mod driver;
pub mod order;
mod plugs;
mod report;
pub mod wire;

use crate::{Driver, Feed, News, UnitFault, UnitIdentity};

/// Streams the first `lines` lines of the line tap with this serial number into `feed`, a mono track and channel each, until
/// the driver is dropped.
///
/// # Errors
/// The system has no thread left. Everything else is told as news, and tried again.
pub fn start(serial: &str, lines: u16, feed: Feed, news: News) -> io::Result<Driver> {
    let worker = driver::Worker::new(serial, lines.into(), feed, news);
    // The kernel keeps 15 characters of a thread's name: the end of a serial number tells most.
    let end = serial.char_indices().rev().nth(10).map_or(0, |(at, _)| at);
    Driver::start(&format!("tap {}", &serial[end..]), move |stop| worker.work(stop))
}

/// All line taps that are plugged in, whether they are in use or not. One that does not say what it is (this program may
/// not open it, or it speaks another protocol) is there by its name, with 0 lines.
///
/// # Errors
/// The box has no USB, or does not tell what is plugged in.
pub fn found() -> Result<Vec<UnitIdentity>, UnitFault> {
    Ok(device::plugged_in()?.iter().map(device::Plugged::describe).collect())
}
