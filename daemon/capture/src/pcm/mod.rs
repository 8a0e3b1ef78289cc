//! Sound cards by ALSA: anything from a USB card to the timeslots of an E1 framer. A card gives samples and no line
//! voltages. One that is not there, or went away, is looked for on and on:
//!
//! ```text
//!           opened, first samples: Present
//!   looked for ------------------------> running --+ overrun, stopped, asleep: Lost
//!   every     <------------------------          <-+
//!   second      gone, failed: Absent
//! ```

mod card;
mod fault;
mod found;
mod rate;
mod samples;
mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

pub use found::{PcmFound, found};

use card::Card;
use stream::{Seen, Stream};

use crate::Feed;
use crate::unit::{Driver, News, UnitFault, UnitNews};

/// Tracks that are taken from one card at most.
pub const MOST_TRACKS: u16 = 64;

/// How often a card that is not there is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How soon an end is heard meanwhile.
const LISTEN: Duration = Duration::from_millis(100);

/// Records the first `tracks` tracks of the ALSA device `device` into `feed` until the driver is dropped.
///
/// # Errors
/// No tracks, or more than [`MOST_TRACKS`]; no thread left. Whatever is wrong with the card comes as news.
pub fn start(device: &str, tracks: u16, mut feed: Feed, news: News) -> io::Result<Driver> {
    if tracks == 0 || tracks > MOST_TRACKS {
        let sentence =
            format!("Of the sound card {device:?} {tracks} tracks are set: set 1 to {MOST_TRACKS}.");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
    }
    let device = device.to_owned();
    Driver::start("pcm", move |stop| {
        let mut told: Option<UnitFault> = None;
        while !stop.load(Relaxed) {
            if let Err(fault) = run(&device, tracks, &mut feed, &news, stop, &mut told) {
                tell_absent(fault, &news, &mut told);
                pause(stop);
            }
        }
    })
}

/// Runs the card until it fails, or the driver ends.
fn run(
    device: &str,
    tracks: u16,
    feed: &mut Feed,
    news: &News,
    stop: &AtomicBool,
    told: &mut Option<UnitFault>,
) -> Result<(), UnitFault> {
    let card = Card::open(device, tracks, &card::ALL)?;
    let mut stream = Stream::start(&card, tracks)?;
    let mut present = false;
    // Whoever heard the news is gone when they cannot be told; the driver ends with its feed.
    while !stop.load(Relaxed) {
        match stream.step(feed)? {
            Seen::Blocks(0) => {}
            Seen::Blocks(_) if present => {}
            Seen::Blocks(_) => {
                (present, *told) = (true, None);
                let _ = news.send(UnitNews::Present(card.identity()));
            }
            Seen::Lost(samples, cause) => {
                let _ = news.send(UnitNews::Lost { samples, cause });
            }
        }
    }
    Ok(())
}

/// Says once why the card gives nothing. One that was unplugged is not to be found either: that is no news.
fn tell_absent(fault: UnitFault, news: &News, told: &mut Option<UnitFault>) {
    let known = told
        .as_ref()
        .is_some_and(|told| *told == fault || (told.code == "unplugged" && fault.code == "not_found"));
    if !known {
        let _ = news.send(UnitNews::Absent(fault.clone()));
        *told = Some(fault);
    }
}

fn pause(stop: &AtomicBool) {
    for _ in 0..LOOK_AGAIN.as_millis() / LISTEN.as_millis() {
        if stop.load(Relaxed) {
            return;
        }
        std::thread::sleep(LISTEN);
    }
}
