//! The driver's thread: finds its unit, starts it, keeps transfers waiting, and turns packets into blocks. Whatever ends a
//! session is told, and the next one begins when the unit is there. No memory is allocated between two packets.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use nusb::Endpoint;
use nusb::transfer::{Bulk, In, TransferError};

use super::device::{self, Unit, fault, unplugged};
use super::order::{Order, Step};
use super::plugs::Plugs;
use super::report::Report;
use super::wire::{self, Identity, Packet, SelfTest};
use crate::clock::monotonic_us;
use crate::{BLOCK_SAMPLES, Feed, LossCause, News, StatusChange, UnitFault};

/// Transfers that wait for packets: 160 ms that this thread may be late without the unit's FIFO filling up.
const TRANSFERS: usize = 16;
/// How soon the thread notices that it shall stop.
const TURN: Duration = Duration::from_millis(100);
/// A unit that sends nothing for so many turns (1 s) is started anew. Turns are counted, not time: when it is the box that
/// stood still, packets wait.
const SILENT_TURNS: u32 = 10;
/// So is one that sends so many packets one behind the other (0.5 s) that cannot be used.
const USELESS_PACKETS: u32 = 50;
/// How long a unit that was pulled out may still be on the list.
const LEAVING: Duration = Duration::from_millis(300);
const BLOCK_US: i64 = 10_000;

pub struct Worker {
    serial: String,
    /// Lines that are used, from the first on.
    lines: usize,
    feed: Feed,
    report: Report,
}

/// Why a session ended before it was to stop.
enum End {
    Transfer(TransferError),
    Fault(UnitFault),
}

impl From<UnitFault> for End {
    fn from(fault: UnitFault) -> Self {
        Self::Fault(fault)
    }
}

impl Worker {
    pub fn new(serial: &str, lines: usize, feed: Feed, news: News) -> Self {
        Self { serial: serial.to_owned(), lines, feed, report: Report::new(news) }
    }

    /// Until `stop` is set.
    pub fn work(mut self, stop: &AtomicBool) {
        let mut plugs = Plugs::watch();
        while !stop.load(Relaxed) {
            if let Err(fault) = self.session(stop) {
                self.report.absent(fault);
                plugs.wait(stop);
            }
        }
    }

    /// From opening the unit to what ends it; well when it was to stop.
    fn session(&mut self, stop: &AtomicBool) -> Result<(), UnitFault> {
        let unit = device::find(&self.serial)?.open(&self.serial)?;
        let lines = unit.identity.lines;
        if lines < self.lines {
            return Err(fault(
                "wrong_unit",
                &self.serial,
                format_args!(
                    "has {lines} lines, and {} are set up on it: put the number of its lines right.",
                    self.lines
                ),
            ));
        }
        unit.stop()?;
        let mut endpoint = unit.packets()?;
        let test = unit.self_test()?;
        if !test.passed() {
            self.report.complain("self_test", monotonic_us(), || self_test_fault(&self.serial, test));
        }
        unit.reset_gains()?;
        // The next multiple of a USB packet that is greater: the short packet at the end belongs to the transfer.
        let bytes = (wire::packet_bytes(lines) / wire::USB_PACKET_BYTES + 1) * wire::USB_PACKET_BYTES;
        for _ in 0..TRANSFERS {
            endpoint.submit(endpoint.allocate(bytes));
        }
        let ended = unit.start().map_err(End::Fault).and_then(|()| self.stream(&unit, &mut endpoint, stop));
        self.report.flush(monotonic_us());
        endpoint.cancel_all();
        while endpoint.pending() > 0 && endpoint.wait_next_complete(TURN).is_some() {}
        // One that is gone has stopped by itself.
        let _ = unit.stop();
        ended.map_err(|end| self.explain(end))
    }

    fn stream(
        &mut self,
        unit: &Unit,
        endpoint: &mut Endpoint<Bulk, In>,
        stop: &AtomicBool,
    ) -> Result<(), End> {
        let mut order = Order::default();
        let (mut silent_turns, mut useless_packets) = (0, 0);
        while !stop.load(Relaxed) {
            let done = endpoint.wait_next_complete(TURN);
            let now_us = monotonic_us();
            self.report.turn(now_us);
            let Some(done) = done else {
                silent_turns += 1;
                if silent_turns >= SILENT_TURNS {
                    return Err(fault(
                        "stopped",
                        &self.serial,
                        "has sent nothing for a second and is started anew: have it repaired if this comes again.",
                    )
                    .into());
                }
                continue;
            };
            done.status.map_err(End::Transfer)?;
            silent_turns = 0;
            if self.packet(&done.buffer, &unit.identity, &mut order, now_us)? {
                useless_packets = 0;
            } else {
                useless_packets += 1;
            }
            if useless_packets >= USELESS_PACKETS {
                return Err(fault(
                    "bad_data",
                    &self.serial,
                    "has sent nothing of use for half a second and is started anew: have it repaired if this comes again.",
                )
                .into());
            }
            endpoint.submit(done.buffer);
        }
        Ok(())
    }

    /// One transfer's bytes, which came at `now_us`; whether they were of use.
    fn packet(
        &mut self,
        bytes: &[u8],
        identity: &Identity,
        order: &mut Order,
        now_us: i64,
    ) -> Result<bool, UnitFault> {
        let packet = match Packet::decode(bytes, identity.lines) {
            Ok(packet) => packet,
            Err(error) => {
                self.complain(error.code(), now_us, format_args!("sent {error}; it was passed over."));
                return Ok(false);
            }
        };
        let taken_us = now_us - i64::from(packet.header.waited_us);
        match order.step(&packet.header) {
            Step::First => {
                self.feed.resume(taken_us - BLOCK_US);
                self.report.present(device::identity(identity));
            }
            Step::Next => {}
            Step::Misnumbered => {
                let number = packet.header.sequence;
                self.complain(
                    "packet_number",
                    now_us,
                    format_args!(
                        "sent a packet whose number {number} is out of order; its samples are used."
                    ),
                );
            }
            Step::Gap { samples, cause } => {
                self.feed.lose(samples);
                self.report.lost(samples, cause);
            }
            Step::Repeated => {
                let number = packet.header.sequence;
                self.complain(
                    "packet_repeated",
                    now_us,
                    format_args!("sent packet {number} again; it was passed over."),
                );
                return Ok(false);
            }
            Step::Lost => {
                return Err(fault(
                    "bad_data",
                    &self.serial,
                    "has lost count of its samples and is started anew: have it repaired if this comes again.",
                ));
            }
        }
        let lines = self.lines;
        let taken = self.feed.push(taken_us, |first, samples, status| {
            packet.copy_samples(samples);
            let changes = packet.status().take(lines).zip(0..);
            status.extend(changes.map(|(status, channel)| StatusChange { channel, at: first, status }));
        });
        if !taken {
            self.report.lost(BLOCK_SAMPLES as u64, LossCause::BoxLate);
        }
        Ok(true)
    }

    fn complain(&mut self, code: &'static str, now_us: i64, rest: std::fmt::Arguments) {
        self.report.complain(code, now_us, || fault(code, &self.serial, rest));
    }

    /// A cable that is being pulled out makes all kinds of errors before the unit is gone.
    fn explain(&self, end: End) -> UnitFault {
        let error = match end {
            End::Fault(fault) => return fault,
            End::Transfer(TransferError::Disconnected) => return unplugged(&self.serial),
            End::Transfer(error) => error,
        };
        thread::sleep(LEAVING);
        match device::find(&self.serial) {
            Err(gone) if gone.code == "not_found" => unplugged(&self.serial),
            _ => fault(
                "bad_data",
                &self.serial,
                format_args!(
                    "failed to send ({error}) and is started anew: try another cable or socket if this comes again."
                ),
            ),
        }
    }
}

fn self_test_fault(serial: &str, test: SelfTest) -> UnitFault {
    const PARTS: [&str; 4] = ["reference voltage", "sample clock", "supply", "checksum of its firmware"];
    let lines =
        (0..u32::BITS).filter(|bit| test.faulty_lines & 1 << bit != 0).map(|bit| format!("line {}", bit + 1));
    let parts = (0..u16::BITS as usize).filter(|bit| test.faulty_parts & 1 << bit != 0);
    let parts =
        parts.map(|bit| PARTS.get(bit).map_or_else(|| format!("part {bit}"), |part| (*part).to_owned()));
    let all = lines.chain(parts).collect::<Vec<_>>().join(", ");
    fault(
        "self_test",
        serial,
        format_args!("found a fault in itself ({all}): what works is recorded; have it repaired."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_self_test_is_told_in_words() {
        let test = SelfTest { faulty_lines: 0b101, faulty_parts: 0b1_0010 };
        assert_eq!(
            self_test_fault("S1", test).sentence,
            "USB line tap S1 found a fault in itself (line 1, line 3, sample clock, part 4): what works is recorded; have it repaired."
        );
    }
}
