//! The real line-tap driver against the software unit, through the kernel's USB.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use capture::{BLOCK_SAMPLES, Block, Driver, Intake, LossCause, UnitClock, UnitNews, clock, feed, line_tap};
use hookline_test_kit::line_tap::{Fault, Pattern, SoftwareTap, Unit};

use crate::{Test, allocations};

pub const TESTS: &[Test] = &[
    ("line_tap: 32 lines for ten seconds, bit for bit", every_bit_of_32_lines),
    ("line_tap: a crystal that is 100 ppm fast", drift),
    ("line_tap: no allocation between packets", no_allocation),
    ("line_tap: unplugged and plugged in again", unplugged),
    ("line_tap: packets that are no good", bad_packets),
    ("line_tap: numbers that are no good", bad_numbers),
    ("line_tap: a FIFO that overflows", overflow),
    ("line_tap: silence, halt, noise and a lost count", started_anew),
    ("line_tap: vanished in the middle of a transfer", vanished),
    ("line_tap: units that cannot be used", wrong_units),
    ("line_tap: what is plugged in", plugged_in),
];

/// Everything takes a while without KVM.
const PATIENCE: Duration = Duration::from_secs(60);

/// A station's end of a driver.
struct Rig {
    intake: Intake,
    clock: Arc<UnitClock>,
    news: Receiver<UnitNews>,
    /// When sample 0 was, monotonic.
    origin_us: i64,
    _driver: Driver,
}

impl Rig {
    fn start(serial: &str, lines: u16) -> Self {
        let origin_us = clock::monotonic_us();
        let (feed, intake) = feed(lines.into(), lines.into(), origin_us);
        let clock = feed.clock();
        let (tell, news) = channel();
        let driver = line_tap::start(serial, lines, feed, tell).expect("there are threads");
        Self { intake, clock, news, origin_us, _driver: driver }
    }

    /// The next news; blocks go by meanwhile.
    fn news(&mut self) -> UnitNews {
        let until = Instant::now() + PATIENCE;
        loop {
            while self.intake.next(|_| ()).is_some() {}
            match self.news.recv_timeout(Duration::from_millis(20)) {
                Ok(news) => return news,
                Err(RecvTimeoutError::Timeout) => assert!(Instant::now() < until, "no news came"),
                Err(RecvTimeoutError::Disconnected) => panic!("the driver has ended"),
            }
        }
    }

    /// The first block's first sample; whoever looks for gaps later has seen the one before it.
    fn begin(&mut self) -> u64 {
        let first = self.block(|block| block.first.0);
        let news = self.news.try_recv();
        assert!(matches!(news, Ok(UnitNews::Present(_))), "{news:?}");
        first
    }

    fn present(&mut self) {
        let news = self.news();
        assert!(matches!(news, UnitNews::Present(_)), "{news:?}");
    }

    /// The sentence of the absence that is told next, which has this code.
    fn absent(&mut self, code: &str) -> String {
        match self.news() {
            UnitNews::Absent(fault) if fault.code == code => fault.sentence,
            other => panic!("{code} was due: {other:?}"),
        }
    }

    fn defect(&mut self, code: &str) -> String {
        match self.news() {
            UnitNews::Defect(fault) if fault.code == code => fault.sentence,
            other => panic!("{code} was due: {other:?}"),
        }
    }

    /// The next block.
    fn block<R>(&mut self, mut work: impl FnMut(&Block) -> R) -> R {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(result) = self.intake.next(&mut work) {
                return result;
            }
            assert!(Instant::now() < until, "no block came");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Reads on until what is missing, and what was told as lost for this cause, are both `due`.
    fn gap(&mut self, cause: LossCause, due: impl Fn() -> u64) {
        let until = Instant::now() + PATIENCE;
        let (mut missing, mut told) = (0, 0);
        while (missing, told) != (due(), due()) {
            assert!(Instant::now() < until, "{missing} are missing, {told} were told, {} were due", due());
            missing += self.block(|block| block.lost_samples);
            match self.news.try_recv() {
                Ok(UnitNews::Lost { samples, cause: why }) if why == cause => told += samples,
                Ok(UnitNews::Defect(_)) | Err(_) => {}
                Ok(other) => panic!("{other:?}"),
            }
        }
    }
}

/// With a FIFO that outlasts a test machine whose cores are busy elsewhere.
fn patient(unit: Unit) -> Unit {
    Unit { fifo_ms: 5000, ..unit }
}

/// A unit that is plugged in, and that the kernel has found.
fn plugged(unit: Unit) -> SoftwareTap {
    let serial = unit.serial.clone();
    // One that was pulled out just before may be on the list for a while: it has another number.
    let count = || found().iter().filter(|found| **found == serial).count();
    let before = count();
    let mut tap = SoftwareTap::new(unit, Pattern);
    tap.plug_in().expect("there is a virtual USB socket");
    wait_for(|| count() > before);
    tap
}

/// Which sample of the unit the block begins with, when all of it is the pattern from there on: looked for within a
/// second around where it should be.
fn unit_sample(block: &Block, around: u64) -> Option<u64> {
    let from = around.saturating_sub(8000) / 80 * 80;
    (from..from + 24_000).step_by(BLOCK_SAMPLES).find(|first| is_pattern(block, *first))
}

fn is_pattern(block: &Block, first: u64) -> bool {
    let lines = block.samples.chunks_exact(BLOCK_SAMPLES);
    let samples = lines.enumerate().all(|(line, samples)| {
        samples.iter().zip(first..).all(|(sample, at)| *sample == Pattern::sample(line, at))
    });
    samples
        && block.status.iter().zip(0_usize..).all(|(change, line)| {
            let (dc, ring) = Pattern::volts(line, first);
            (usize::from(change.channel), change.at) == (line, block.first)
                && (change.status.volts * 100.0).round() == f32::from(dc)
                && (change.status.ring_volts * 100.0).round() == f32::from(ring)
        })
}

fn every_bit_of_32_lines() {
    let tap = plugged(patient(Unit::new("T32", 32)));
    let mut rig = Rig::start("T32", 32);
    let begin = rig.begin();
    let mut next = begin;
    let began = tap.counts().started_at.load(Relaxed);
    for number in 1..=1000 {
        let (first, lost, right) = rig.block(|block| {
            let unit = began + (block.first.0 - begin);
            (block.first.0, block.lost_samples, is_pattern(block, unit) && block.status.len() == 32)
        });
        next += 80;
        assert_eq!((first, lost), (next, 0), "block {number}");
        assert!(right, "block {number} is not what was on the lines");
    }
    assert_eq!(rig.clock.lost_samples(), 0);
    assert_eq!(tap.counts().dropped_samples.load(Relaxed), 0);
    assert!(rig.news.try_recv().is_err(), "nothing else to tell");
}

fn drift() {
    let tap = plugged(patient(Unit { fast_ppm: 100.0, ..Unit::new("FAST", 4) }));
    let mut rig = Rig::start("FAST", 4);
    let first = rig.begin();
    let unit = tap.counts().started_at.load(Relaxed);
    let mut last = first;
    for _ in 0..4600 {
        last = rig.block(|block| block.first.0);
    }
    let fast = rig.clock.fast_ppm();
    println!("    measured: {fast:.1} ppm");
    assert!((fast - 100.0).abs() < 15.0, "{fast} ppm");
    // When the last sample was taken: by the box's count and correction, and by the unit's own crystal.
    let corrected_us = rig.origin_us + last as i64 * 125 + rig.clock.correction_us();
    let truth_us = clock::monotonic_us() - tap.age(unit + last - first).as_micros() as i64;
    println!("    corrected by {} us, off by {} us", rig.clock.correction_us(), corrected_us - truth_us);
    assert!((corrected_us - truth_us).abs() < 5000, "{corrected_us} instead of {truth_us}");
}

fn no_allocation() {
    let _tap = plugged(patient(Unit::new("ALLOC", 16)));
    let mut rig = Rig::start("ALLOC", 16);
    rig.present();
    for _ in 0..100 {
        rig.block(|_| ());
    }
    let count = allocations::of_thread("tap ALLOC", || {
        for _ in 0..300 {
            rig.block(|_| ());
        }
    });
    assert_eq!(count, 0, "in 3 s");
}

fn unplugged() {
    let mut tap = plugged(patient(Unit::new("AWAY", 8)));
    let mut rig = Rig::start("AWAY", 8);
    let first = rig.begin();
    let unit = tap.counts().started_at.load(Relaxed);
    for _ in 0..50 {
        assert!(rig.block(|block| is_pattern(block, unit + block.first.0 - first)));
    }
    tap.unplug();
    let said = rig.absent("unplugged");
    assert_eq!(said, "USB line tap AWAY was unplugged while it was in use: plug it in again.");
    let last = first + 80 * (rig.clock.blocks() - 1);
    thread::sleep(Duration::from_millis(1500));
    assert!(rig.news.try_recv().is_err(), "an absence is told once");
    tap.plug_in().expect("there is a virtual USB socket");
    let (again, lost, found) = rig
        .block(|block| (block.first.0, block.lost_samples, unit_sample(block, unit + block.first.0 - first)));
    rig.present();
    assert_eq!(again, last + 80 + lost, "samples and gap add up");
    // The unit's crystal ran on: its own count says how long the gap was.
    let truth = found.expect("the pattern goes on") - (unit + last - first) - 80;
    println!("    gap: {lost} samples, by the unit's count {truth}");
    assert!(lost.abs_diff(truth) < 800, "{lost} samples instead of {truth}");
    assert_eq!(rig.clock.lost_samples(), 0, "an absence is no loss of a unit that is there");
    let found = found.unwrap_or_default();
    for _ in 0..50 {
        assert!(rig.block(|block| is_pattern(block, found + block.first.0 - again)));
    }
}

fn bad_packets() {
    let tap = plugged(patient(Unit::new("BAD", 4)));
    let mut rig = Rig::start("BAD", 4);
    let first = rig.begin();
    let unit = tap.counts().started_at.load(Relaxed);
    for (fault, code, words) in [
        (Fault::Short, "packet_size", "sent a packet of 100 bytes where 692 are due; it was passed over."),
        (Fault::Garbage, "packet_magic", "sent a packet that does not begin with HLTP; it was passed over."),
        (
            Fault::Lines,
            "packet_lines",
            "sent a packet of 5 lines where its identity says 4; it was passed over.",
        ),
        (Fault::Checksum, "packet_checksum", "sent a packet with a wrong checksum; it was passed over."),
    ] {
        assert!(tap.fault(fault));
        assert_eq!(rig.defect(code), format!("USB line tap BAD {words}"));
        let news = rig.news();
        assert_eq!(news, UnitNews::Lost { samples: 80, cause: LossCause::Packet }, "{fault:?}");
    }
    assert!(tap.fault(Fault::Long));
    rig.gap(LossCause::Packet, || 80);
    assert_eq!(rig.clock.lost_samples(), 5 * 80);
    assert!(
        rig.block(|block| is_pattern(block, unit + block.first.0 - first)),
        "everything is where it belongs"
    );
}

fn bad_numbers() {
    let tap = plugged(patient(Unit::new("NUMBERS", 4)));
    let mut rig = Rig::start("NUMBERS", 4);
    rig.begin();
    assert!(tap.fault(Fault::Drop(7)));
    rig.gap(LossCause::Packet, || 560);
    assert!(tap.fault(Fault::Repeat));
    let said = rig.defect("packet_repeated");
    assert!(
        said.starts_with("USB line tap NUMBERS sent packet ")
            && said.ends_with(" again; it was passed over.")
    );
    assert!(tap.fault(Fault::Number));
    assert!(rig.defect("packet_number").ends_with(" is out of order; its samples are used."));
    assert_eq!(rig.clock.lost_samples(), 560, "nothing else is lost");
    for _ in 0..20 {
        assert_eq!(rig.block(|block| block.lost_samples), 0);
    }
}

fn overflow() {
    let tap = plugged(Unit { fifo_ms: 500, ..Unit::new("FULL", 4) });
    let mut rig = Rig::start("FULL", 4);
    rig.begin();
    assert!(tap.fault(Fault::Hold(800)));
    let dropped = || tap.counts().dropped_samples.load(Relaxed);
    wait_for(|| dropped() > 0);
    rig.gap(LossCause::UnitOverflow, dropped);
}

fn started_anew() {
    let tap = plugged(Unit::new("ANEW", 4));
    let mut rig = Rig::start("ANEW", 4);
    rig.present();
    for (starts, (fault, code, words)) in (2..).zip([
        (Fault::Silent, "stopped", "has sent nothing for a second"),
        (Fault::Halt, "bad_data", "failed to send (endpoint stalled)"),
        (Fault::Count, "bad_data", "has lost count of its samples"),
    ]) {
        assert!(tap.fault(fault));
        let said = rig.absent(code);
        assert!(said.starts_with(&format!("USB line tap ANEW {words} and is started anew")), "{said}");
        rig.present();
        assert_eq!(tap.counts().starts.load(Relaxed), starts);
    }
    assert!(tap.fault(Fault::Noise(1000)));
    rig.defect("packet_magic");
    let said = rig.absent("bad_data");
    assert!(said.contains("has sent nothing of use for half a second"), "{said}");
    rig.present();
    let (first, lost) = rig.block(|block| (block.first.0, block.lost_samples));
    assert_eq!(rig.block(|block| (block.first.0, block.lost_samples)), (first + 80, 0), "after {lost}");
}

fn vanished() {
    let mut tap = plugged(Unit::new("GONE", 4));
    let mut rig = Rig::start("GONE", 4);
    rig.present();
    assert!(tap.fault(Fault::Vanish));
    rig.absent("unplugged");
    wait_for(|| found().is_empty());
    tap.plug_in().expect("there is a virtual USB socket");
    rig.present();
    rig.block(|_| ());
}

fn wrong_units() {
    let mut rig = Rig::start("NONE", 4);
    assert_eq!(
        rig.absent("not_found"),
        "USB line tap NONE is not plugged in: plug it into any USB socket of this box."
    );
    drop(rig);
    for (unit, lines, words) in [
        (
            Unit { protocol_major: 2, ..Unit::new("V2", 4) },
            4,
            "speaks version 2.0 of the line-tap protocol, this box version 1",
        ),
        (
            Unit { claimed_lines: Some(33), ..Unit::new("L33", 4) },
            4,
            "says that it has 33 lines; a line tap has 4 to 32",
        ),
        (
            Unit { claimed_serial: Some("OTHER".into()), ..Unit::new("ID", 4) },
            4,
            "calls itself OTHER when asked",
        ),
        (Unit { fifo_ms: 100, ..Unit::new("FIFO", 4) }, 4, "holds 100 ms of samples, 500 ms are the least"),
        (Unit::new("L4", 4), 8, "has 4 lines, and 8 are set up on it"),
    ] {
        let serial = unit.serial.clone();
        let _tap = plugged(unit);
        let said = Rig::start(&serial, lines).absent("wrong_unit");
        assert!(said.starts_with(&format!("USB line tap {serial} {words}")), "{said}");
    }
    let one = plugged(Unit::new("TWIN", 4));
    let two = plugged(Unit::new("TWIN", 4));
    let mut rig = Rig::start("TWIN", 4);
    assert!(rig.absent("wrong_unit").contains("two units have this serial number"));
    drop(two);
    rig.present();
    drop(one);
    rig.absent("unplugged");
    // A fault of its own does not keep a unit from being used.
    let _tap = plugged(Unit { faulty_lines: 2, faulty_parts: 1, ..Unit::new("ILL", 4) });
    let mut rig = Rig::start("ILL", 4);
    let said = rig.defect("self_test");
    assert!(said.contains("found a fault in itself (line 2, reference voltage)"), "{said}");
    rig.present();
    let said = Rig::start("ILL", 4).absent("busy");
    assert!(said.contains("is in use by another program"), "{said}");
}

fn found() -> Vec<String> {
    let units = line_tap::found().expect("the kernel has USB");
    units.into_iter().filter_map(|unit| unit.serial).collect()
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "it did not happen in time");
        thread::sleep(Duration::from_millis(50));
    }
}

fn plugged_in() {
    wait_for(|| found().is_empty());
    let _one = plugged(Unit::new("ONE", 4));
    let _two = plugged(Unit { protocol_major: 9, ..Unit::new("TWO", 4) });
    let mut rig = Rig::start("ONE", 4);
    rig.present();
    let mut units = line_tap::found().expect("the kernel has USB");
    units.sort_by(|a, b| a.serial.cmp(&b.serial));
    assert_eq!(units[0].model, "Hookline software line tap");
    assert_eq!((units[0].lines, units[0].has_volts), (4, true), "although it is in use");
    assert_eq!(units[0].firmware.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!((units[1].lines, units[1].firmware.as_deref()), (0, None), "it does not say what it is");
}
