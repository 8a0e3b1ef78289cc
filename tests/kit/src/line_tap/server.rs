//! The software unit's firmware: answers requests, takes samples by its own clock, keeps them in its FIFO, and sends them
//! as `PROTOCOL.md` says, unless it was asked for a fault. Written from that page, not from the driver's code.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::fault::Fault;
use super::play::{Lines, PACKET_SAMPLES};
use super::usbip::{self, Command, EPIPE, Submit};
use super::{Counts, Unit, descriptors};

/// One packet that waits.
#[derive(Clone)]
struct Entry {
    sequence: u32,
    first_sample: u64,
    overflow: bool,
    taken: Instant,
    /// Volts and samples.
    body: Vec<u8>,
}

/// A unit that is plugged in.
pub struct Server {
    pub unit: Unit,
    pub stream: UnixStream,
    /// Since when the crystal runs.
    pub switched_on: Instant,
    pub lines: Arc<Mutex<Box<dyn Lines>>>,
    pub faults: Receiver<Fault>,
    pub counts: Arc<Counts>,
    pub state: State,
}

/// What changes while it runs.
#[derive(Default)]
pub struct State {
    started: bool,
    halted: bool,
    silent: bool,
    held_until: Option<Instant>,
    sequence: u32,
    /// Packets since the unit was switched on.
    next_packet: u64,
    overflow: bool,
    fifo: VecDeque<Entry>,
    /// Transfers that wait for a packet: number and room.
    transfers: VecDeque<(u32, usize)>,
    gains: Vec<u8>,
    noise: u32,
    /// What the fault `Number` and `Count` have put wrong.
    number_ahead: u32,
    count_back: u64,
}

impl Server {
    /// Until the unit is unplugged, or vanishes.
    pub fn run(mut self) -> io::Result<()> {
        let ended = self.serve();
        // The kernel notices by this, whoever else holds the socket.
        let _ = self.stream.shutdown(Shutdown::Both);
        ended
    }

    fn serve(&mut self) -> io::Result<()> {
        self.state.gains = vec![0; 2 * usize::from(self.unit.lines)];
        loop {
            let now = Instant::now();
            let mut until = now + Duration::from_millis(20);
            if self.state.started {
                until = until.min(self.due(self.state.next_packet));
            }
            if let Some(held) = self.state.held_until {
                until = until.min(held);
            }
            let mut fds = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
            let wait = TimeSpec::from_duration(until.saturating_duration_since(now));
            if ppoll(&mut fds, Some(wait), None)? > 0 {
                match usbip::read(&mut self.stream)? {
                    None => return Ok(()),
                    Some(Command::Submit(submit)) => self.submit(submit)?,
                    Some(Command::Unlink { number, transfer }) => {
                        let waiting = self.state.transfers.len();
                        self.state.transfers.retain(|(waits, _)| *waits != transfer);
                        let waited = self.state.transfers.len() < waiting;
                        usbip::write(&mut self.stream, &usbip::answer_unlink(number, waited))?;
                    }
                }
            }
            while self.state.started && self.due(self.state.next_packet) <= Instant::now() {
                self.take();
            }
            if !self.deliver()? {
                return Ok(());
            }
        }
    }

    /// When the last sample of a packet is taken.
    fn due(&self, packet: u64) -> Instant {
        let seconds = (packet + 1) as f64 * 0.01 / (1.0 + self.unit.fast_ppm * 1e-6);
        self.switched_on + Duration::from_secs_f64(seconds)
    }

    fn submit(&mut self, submit: Submit) -> io::Result<()> {
        if submit.endpoint != 0 {
            self.state.transfers.push_back((submit.number, submit.length));
            return Ok(());
        }
        let answer = self.control(&submit);
        let answer = match (submit.to_host, answer) {
            (true, Some(mut data)) => {
                data.truncate(submit.length);
                usbip::answer_in(submit.number, Ok(&data))
            }
            (false, Some(_)) => usbip::answer_out(submit.number, Ok(submit.data.len())),
            (true, None) => usbip::answer_in(submit.number, Err(EPIPE)),
            (false, None) => usbip::answer_out(submit.number, Err(EPIPE)),
        };
        usbip::write(&mut self.stream, &answer)
    }

    /// Answers a request; `None` is a stall.
    fn control(&mut self, submit: &Submit) -> Option<Vec<u8>> {
        let [kind, request, value_low, value_high, ..] = submit.setup;
        match (kind, request) {
            (0x80, 6) => descriptors::descriptor(&self.unit, value_high, value_low),
            // Status, configuration.
            (0x80..=0x82, 0) => Some(vec![1, 0]),
            (0x80, 8) => Some(vec![1]),
            (0x00, 9) => {
                self.stop();
                self.state.gains.fill(0);
                Some(Vec::new())
            }
            (0x01, 11) | (0x00, 1 | 3) => Some(Vec::new()),
            (0x02, 1) => {
                self.state.halted = false;
                Some(Vec::new())
            }
            (0xC1, 1) => Some(descriptors::identity(&self.unit)),
            (0x41, 2) => {
                self.start();
                Some(Vec::new())
            }
            (0x41, 3) => {
                self.stop();
                Some(Vec::new())
            }
            (0xC1, 4) => Some(self.state.gains.clone()),
            (0x41, 4) => {
                let within = |gain: &[u8]| (-120..=240).contains(&i16::from_le_bytes([gain[0], gain[1]]));
                let right =
                    submit.data.len() == self.state.gains.len() && submit.data.chunks_exact(2).all(within);
                right.then(|| {
                    self.state.gains.clone_from(&submit.data);
                    Vec::new()
                })
            }
            (0xC1, 5) => {
                let mut answer = self.unit.faulty_lines.to_le_bytes().to_vec();
                answer.extend(self.unit.faulty_parts.to_le_bytes());
                answer.extend([0, 0]);
                Some(answer)
            }
            _ => None,
        }
    }

    fn start(&mut self) {
        self.stop();
        let passed = self.switched_on.elapsed().as_secs_f64() * (1.0 + self.unit.fast_ppm * 1e-6) * 100.0;
        self.state.next_packet = passed.ceil() as u64;
        self.state.started = true;
        self.counts.started_at.store(self.state.next_packet * PACKET_SAMPLES as u64, Relaxed);
        self.counts.starts.fetch_add(1, Relaxed);
    }

    fn stop(&mut self) {
        let state = &mut self.state;
        (state.started, state.silent, state.overflow) = (false, false, false);
        (state.sequence, state.number_ahead, state.count_back, state.noise) = (0, 0, 0, 0);
        state.held_until = None;
        state.fifo.clear();
    }

    /// Takes the next 10 ms.
    fn take(&mut self) {
        let packet = self.state.next_packet;
        self.state.next_packet += 1;
        if self.state.fifo.len() >= usize::from(self.unit.fifo_ms / 10) {
            self.state.overflow = true;
            self.counts.dropped_samples.fetch_add(PACKET_SAMPLES as u64, Relaxed);
            return;
        }
        let first_sample = packet * PACKET_SAMPLES as u64;
        let count = usize::from(self.unit.lines);
        let mut body = vec![0; 4 * count];
        let mut samples = [0; PACKET_SAMPLES];
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for line in 0..count {
            let (dc, ring) = lines.read(line, first_sample, &mut samples);
            body[4 * line..][..2].copy_from_slice(&dc.to_le_bytes());
            body[4 * line + 2..][..2].copy_from_slice(&ring.to_le_bytes());
            body.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        }
        drop(lines);
        let entry = Entry {
            sequence: self.state.sequence,
            first_sample,
            overflow: std::mem::take(&mut self.state.overflow),
            taken: self.due(packet),
            body,
        };
        self.state.sequence = self.state.sequence.wrapping_add(1);
        self.state.fifo.push_back(entry);
    }

    /// Gives packets to the transfers that wait; `false`: the unit has vanished.
    fn deliver(&mut self) -> io::Result<bool> {
        if self.state.held_until.is_some_and(|until| Instant::now() >= until) {
            self.state.held_until = None;
        }
        while !self.state.halted && !self.state.silent && self.state.held_until.is_none() {
            if self.state.transfers.is_empty() || self.state.fifo.is_empty() {
                break;
            }
            let fault = if self.state.noise > 0 {
                self.state.noise -= 1;
                Some(Fault::Garbage)
            } else {
                self.faults.try_recv().ok()
            };
            match fault {
                Some(Fault::Hold(ms)) => {
                    self.state.held_until = Some(Instant::now() + Duration::from_millis(ms))
                }
                Some(Fault::Silent) => self.state.silent = true,
                Some(Fault::Noise(packets)) => self.state.noise = packets,
                Some(Fault::Number) => self.state.number_ahead += 5,
                Some(Fault::Count) => self.state.count_back += 8000,
                Some(Fault::Drop(packets)) => {
                    let waiting = self.state.fifo.len().min(packets as usize);
                    self.state.fifo.drain(..waiting);
                    self.state.sequence = self.state.sequence.wrapping_add(packets - waiting as u32);
                    self.state.next_packet += u64::from(packets) - waiting as u64;
                }
                Some(Fault::Halt) => {
                    self.state.halted = true;
                    let Some((number, _)) = self.state.transfers.pop_front() else { break };
                    usbip::write(&mut self.stream, &usbip::answer_in(number, Err(EPIPE)))?;
                }
                other => {
                    if !self.send(other)? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// The oldest packet in the oldest transfer.
    fn send(&mut self, fault: Option<Fault>) -> io::Result<bool> {
        let (Some(entry), Some((number, room))) =
            (self.state.fifo.pop_front(), self.state.transfers.pop_front())
        else {
            return Ok(true);
        };
        let mut bytes = self.encode(&entry);
        match fault {
            Some(Fault::Repeat) => self.state.fifo.push_front(entry),
            Some(Fault::Short) => bytes.truncate(100),
            Some(Fault::Long) => bytes.push(0),
            Some(Fault::Garbage) => {
                for (index, byte) in bytes.iter_mut().enumerate() {
                    *byte = (index * 7 + 3) as u8;
                }
            }
            Some(Fault::Lines) => bytes[6] ^= 1,
            Some(Fault::Checksum) => bytes[40] ^= 0x10,
            _ => {}
        }
        bytes.truncate(room);
        let mut answer = usbip::answer_in(number, Ok(&bytes));
        if fault == Some(Fault::Vanish) {
            answer.truncate(answer.len() / 2);
            usbip::write(&mut self.stream, &answer)?;
            return Ok(false);
        }
        usbip::write(&mut self.stream, &answer)?;
        Ok(true)
    }

    fn encode(&self, entry: &Entry) -> Vec<u8> {
        let length = 32 + entry.body.len() + 4;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend(b"HLTP");
        bytes.extend((length as u16).to_le_bytes());
        bytes.extend([self.unit.lines, u8::from(entry.overflow)]);
        bytes.extend(entry.sequence.wrapping_add(self.state.number_ahead).to_le_bytes());
        bytes.extend((entry.taken.elapsed().as_micros() as u32).to_le_bytes());
        bytes.extend(entry.first_sample.saturating_sub(self.state.count_back).to_le_bytes());
        bytes.extend((self.state.fifo.len() as u16).to_le_bytes());
        bytes.extend([0; 6]);
        bytes.extend(&entry.body);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }
}
