//! A card that runs: its frames become blocks, each with the time at which its last sample was taken. That time is worked
//! out backwards from the last moment at which the driver saw where the card was, by the frames that came until then.
//!
//! What a card loses is told by its own count where it runs on (its buffer was overrun: only what was overwritten is lost),
//! and by the clock where it was stopped (the box slept, or the driver gave up and it had to be started again).

use std::time::Duration;

use alsa::pcm::{IO, State};
use signal::RATE_HZ;

use super::card::Card;
use super::fault;
use super::rate::{RateError, Resampler};
use super::samples::{Frames, round};
use crate::clock::monotonic_us;
use crate::{BLOCK_SAMPLES, Feed, LossCause, UnitFault};

/// How long a card is waited for at once, so that an end is heard soon.
const WAIT_MS: u32 = 200;
/// How long a card is left alone that has less than it says.
const NOT_YET: Duration = Duration::from_millis(5);
/// A card that gives nothing for so long has failed.
const SILENT_S: i64 = 2;
/// Blocks that are thrown away of what lies in an overrun buffer, besides those that were overwritten: the card writes
/// on while they are.
const MARGIN_BLOCKS: i64 = 2;
/// A backlog of more seconds than this is not read to be thrown away: the card is started again.
const WORST_BACKLOG_S: i64 = 10;
/// A sample is not longer on its way through a card's own buffers than this part of a second.
const LONGEST_WAY: i64 = 10;

/// What a step saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// So many blocks came.
    Blocks(u64),
    /// So many samples of each track were lost.
    Lost(u64, LossCause),
}

/// A running card.
pub struct Stream<'a> {
    card: &'a Card,
    io: IO<'a, u8>,
    /// Where each track's samples go, for cards that keep them apart.
    pointers: Vec<*mut u8>,
    frames: Frames,
    /// Frames of `frames` that have come.
    have: usize,
    resampler: Option<Resampler>,
    /// Frames that the filter has, and that belong to the next block.
    ahead: i64,
    /// When the next frame that is read was taken, in microseconds of the monotonic clock.
    next_us: f64,
    began: Began,
    /// When frames came last.
    heard_us: i64,
    /// Samples that the sample path was too late for, and that are not told yet.
    late: u64,
}

/// What the next moment that is known means.
#[derive(Clone, Copy, Debug)]
enum Began {
    /// The card runs for the first time.
    Anew,
    /// It was stopped, and the first frame that is missing was due at `due_us`.
    Again {
        due_us: f64,
        cause: LossCause,
    },
    Running,
}

impl<'a> Stream<'a> {
    /// Starts the card.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(card: &'a Card, tracks: u16) -> Result<Self, UnitFault> {
        let resampler = match card.rate_hz {
            RATE_HZ => None,
            rate_hz => Some(
                Resampler::new(rate_hz, tracks.into())
                    .map_err(|error| fault::no_filter(&card.device, &error))?,
            ),
        };
        let capacity = resampler.as_ref().map_or(BLOCK_SAMPLES, Resampler::wants_at_most);
        let stream = Self {
            card,
            io: card.pcm.io_bytes(),
            pointers: vec![std::ptr::null_mut(); card.channels as usize],
            frames: Frames::new(card.encoding, card.channels as usize, card.apart, capacity),
            have: 0,
            resampler,
            ahead: 0,
            next_us: 0.0,
            began: Began::Anew,
            heard_us: monotonic_us(),
            late: 0,
        };
        stream.card.pcm.start().map_err(|error| fault::failed(&card.device, "start", error))?;
        Ok(stream)
    }

    /// Waits for frames, at most [`WAIT_MS`], and makes blocks of those that have come.
    ///
    /// # Errors
    /// The card is gone, or gives nothing any more.
    pub fn step(&mut self, feed: &mut Feed) -> Result<Seen, UnitFault> {
        match self.try_step(feed) {
            Ok(seen) => Ok(seen),
            Err(Trouble::Filter(error)) => Err(fault::no_filter(&self.card.device, &error)),
            Err(Trouble::Card(error)) => self.recover(error),
        }
    }

    fn try_step(&mut self, feed: &mut Feed) -> Result<Seen, Trouble> {
        self.card.pcm.wait(Some(WAIT_MS))?;
        let waiting = self.look()?;
        if waiting == 0 {
            return self.listen();
        }
        match self.began {
            Began::Anew => feed.resume(self.next_us as i64 - self.delay_us()),
            Began::Again { due_us, cause } => {
                self.began = Began::Running;
                let samples = ((self.next_us - due_us) * f64::from(RATE_HZ) / 1e6).round().max(0.0) as u64;
                feed.lose(samples);
                return Ok(Seen::Lost(samples, cause));
            }
            Began::Running => {}
        }
        self.began = Began::Running;
        let overwritten = waiting - self.card.buffer_frames;
        if overwritten > 0 {
            return self.catch_up(feed, overwritten);
        }
        let heard_us = self.heard_us;
        let blocks = self.read(feed, waiting)?;
        if self.heard_us == heard_us {
            // A plug-in may tell of frames that it cannot give yet.
            std::thread::sleep(NOT_YET);
            return self.listen();
        }
        // Told when the sample path is there again, or once a second.
        if self.late > 0 && (blocks > 0 || self.late >= RATE_HZ.into()) {
            return Ok(Seen::Lost(std::mem::take(&mut self.late), LossCause::BoxLate));
        }
        Ok(Seen::Blocks(blocks))
    }

    /// Nothing has come.
    fn listen(&self) -> Result<Seen, Trouble> {
        if monotonic_us() - self.heard_us > SILENT_S * 1_000_000 {
            return Err(Trouble::Card(alsa::Error::new("no samples", libc::ETIMEDOUT)));
        }
        Ok(Seen::Blocks(0))
    }

    /// Where the card is: frames that wait; and from it when the next of them was taken.
    fn look(&mut self) -> Result<i64, Trouble> {
        let status = self.card.pcm.status()?;
        let (now_us, now_mono_us) = (monotonic_us(), sleepless_us());
        self.running()?;
        let stamp = status.get_htstamp();
        let age_us = now_mono_us - (stamp.tv_sec * 1_000_000 + stamp.tv_nsec / 1000);
        // A driver that gives no time, or one by another clock, is as good as its wake-ups.
        let age_us = if (0..1_000_000).contains(&age_us) { age_us } else { 0 };
        let waiting = status.get_avail();
        // What is on its way inside the card was taken before it could be seen here.
        let rate_hz = i64::from(self.card.rate_hz);
        let delay = status.get_delay().clamp(waiting, waiting + rate_hz / LONGEST_WAY);
        self.next_us = (now_us - age_us) as f64 - self.us(delay);
        Ok(waiting)
    }

    /// A card that does not run any more may still tell of frames; the time of its stamp is over.
    fn running(&self) -> alsa::Result<()> {
        const RUNNING: i32 = State::Running as i32;
        const OVERRUN: i32 = State::XRun as i32;
        const SUSPENDED: i32 = State::Suspended as i32;
        const DISCONNECTED: i32 = State::Disconnected as i32;
        let errno = match self.card.pcm.state_raw() {
            RUNNING => return Ok(()),
            OVERRUN => libc::EPIPE,
            SUSPENDED => libc::ESTRPIPE,
            DISCONNECTED => libc::ENODEV,
            _ => libc::EBADFD,
        };
        Err(alsa::Error::new("state", errno))
    }

    /// Makes blocks of `waiting` frames; the blocks that the sample path took.
    fn read(&mut self, feed: &mut Feed, mut waiting: i64) -> Result<u64, Trouble> {
        let mut blocks = 0;
        loop {
            let wants = self.resampler.as_ref().map_or(BLOCK_SAMPLES, Resampler::wants);
            if self.have < wants {
                let came = self.fetch(self.have, wants.min(self.have + waiting.max(0) as usize))?;
                if came == 0 {
                    break;
                }
                self.heard_us = monotonic_us();
                self.have += came;
                waiting -= came as i64;
                self.next_us += self.us(came as i64);
            }
            if self.have >= wants {
                self.have = 0;
                if self.push(feed, wants)? {
                    blocks += 1;
                } else {
                    self.late += BLOCK_SAMPLES as u64;
                }
            }
        }
        Ok(blocks)
    }

    /// Reads frames `from..to` of a block; how many came.
    fn fetch(&mut self, from: usize, to: usize) -> Result<usize, Trouble> {
        if from == to {
            return Ok(0);
        }
        let came = if self.frames.is_apart() {
            for (pointer, track) in self.pointers.iter_mut().zip(self.frames.each_apart(from, to)) {
                *pointer = track.as_mut_ptr();
            }
            // SAFETY: there is a pointer for every channel of the card, each to room for `to - from` samples of it that
            // nothing else uses until this returns.
            unsafe { self.io.readn(&mut self.pointers, to - from) }
        } else {
            self.io.readi(self.frames.side_by_side(from, to))
        };
        match came {
            Err(error) if error.errno().abs() == libc::EAGAIN => Ok(0),
            came => Ok(came?),
        }
    }

    /// One block from `wants` frames; whether the sample path took it.
    fn push(&mut self, feed: &mut Feed, wants: usize) -> Result<bool, Trouble> {
        let frames = &self.frames;
        let Some(resampler) = &mut self.resampler else {
            return Ok(feed.push(self.next_us as i64, |_, out, _| frames.to_linear(BLOCK_SAMPLES, out)));
        };
        let delay_us = resampler.delay_us();
        let block = resampler.block(|input, count| frames.to_float(count, input)).map_err(Trouble::Filter)?;
        let rate_hz = i64::from(self.card.rate_hz);
        self.ahead += wants as i64 - rate_hz / 100;
        let end_us = self.next_us as i64 - self.ahead * 1_000_000 / rate_hz - delay_us;
        Ok(feed.push(end_us, |_, out, _| round(block, out)))
    }

    /// The card has written over what was not read: goes on behind it. So many whole blocks are lost.
    fn catch_up(&mut self, feed: &mut Feed, overwritten: i64) -> Result<Seen, Trouble> {
        if overwritten > WORST_BACKLOG_S * i64::from(self.card.rate_hz) {
            return self.start_again(LossCause::Overrun);
        }
        let block = i64::from(self.card.rate_hz) / 100;
        let blocks = (overwritten + self.have as i64) / block + 1 + MARGIN_BLOCKS;
        let mut unwanted = blocks * block - self.have as i64;
        // What has come of the block that was being filled is thrown away with it.
        self.next_us -= self.us(self.have as i64);
        self.have = 0;
        while unwanted > 0 {
            match self.fetch(0, self.frames.capacity().min(unwanted as usize))? {
                0 => return self.start_again(LossCause::Overrun),
                came => unwanted -= came as i64,
            }
        }
        self.heard_us = monotonic_us();
        let samples = blocks as u64 * BLOCK_SAMPLES as u64;
        feed.lose(samples);
        Ok(Seen::Lost(samples, LossCause::Overrun))
    }

    /// What can be done about an error of the card.
    fn recover(&mut self, error: alsa::Error) -> Result<Seen, UnitFault> {
        let device = &self.card.device;
        // One that was started again and has not run since is not started for ever.
        let runs = matches!(self.began, Began::Running);
        let again = match error.errno().abs() {
            libc::ENODEV | libc::ENXIO | libc::ESHUTDOWN => return Err(fault::unplugged(device)),
            libc::ETIMEDOUT => return Err(fault::silent(device, SILENT_S as u64)),
            libc::EPIPE if runs => self.start_again(LossCause::Overrun),
            libc::ESTRPIPE if runs => self.start_again(LossCause::BoxLate),
            libc::EIO | libc::EBADFD if runs => self.start_again(LossCause::Packet),
            _ => Err(Trouble::Card(error)),
        };
        again.map_err(|trouble| match trouble {
            // Gone cards answer to nothing but their end.
            Trouble::Card(error) if matches!(error.errno().abs(), libc::ENODEV | libc::EBADFD) => {
                fault::unplugged(device)
            }
            Trouble::Card(error) => fault::failed(device, error.func(), error),
            Trouble::Filter(error) => fault::no_filter(device, &error),
        })
    }

    /// Stops and starts the card; the next look tells how much was lost.
    fn start_again(&mut self, cause: LossCause) -> Result<Seen, Trouble> {
        let due_us = self.next_us - self.us(self.have as i64);
        self.have = 0;
        self.heard_us = monotonic_us();
        self.began = Began::Again { due_us, cause };
        // One that is stopped already, or sleeps, says so here; what counts is whether it can be prepared.
        let _ = self.card.pcm.drop();
        self.card.pcm.prepare()?;
        self.card.pcm.start()?;
        Ok(Seen::Blocks(0))
    }

    fn delay_us(&self) -> i64 {
        self.resampler.as_ref().map_or(0, Resampler::delay_us)
    }

    /// How long so many frames take.
    fn us(&self, frames: i64) -> f64 {
        frames as f64 * 1e6 / f64::from(self.card.rate_hz)
    }
}

enum Trouble {
    Card(alsa::Error),
    Filter(RateError),
}

impl From<alsa::Error> for Trouble {
    fn from(error: alsa::Error) -> Self {
        Self::Card(error)
    }
}

/// The clock that drivers stamp by: monotonic, without the time that the box slept.
fn sleepless_us() -> i64 {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| t.tv_sec() * 1_000_000 + t.tv_nsec() / 1000)
}
