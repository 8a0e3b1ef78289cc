//! What the fuzzer does with bytes: one function a target, each true for any bytes at all. `runner/` gives them to
//! libFuzzer (`scripts/fuzz`), `tests/corpora.rs` replays what was found before.

use std::path::Path;

use bytes::BytesMut;
use capture::line_tap::order::Order;
use capture::line_tap::wire::{Identity, MOST_LINES, Packet, SelfTest, packet_bytes};
use capture::{BLOCK_SAMPLES, Scenario};
use catalog::journal::JournalReader;
use catalog::journal::format::{SegmentHeader, encode_frame};
use recording::check::{Depth, check};
use recording::{Reader, Select};
use signal::{Bank, BankConfig, CallerIdStandard, SampleIndex, caller_id};
use uplink::frame::{self, Frame};
use uplink::message;

/// What is done with bytes.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 7] = [
    ("caller_id", caller_id),
    ("wav_facts", wav_facts),
    ("journal", journal),
    ("capture_log", capture_log),
    ("scenario", scenario),
    ("uplink", uplink),
    ("line_tap", line_tap),
];

/// A caller-ID message, and the same bytes as samples of a line.
pub fn caller_id(bytes: &[u8]) {
    if let Ok(caller_id) = caller_id::parse(bytes, CallerIdStandard::FskV23) {
        assert!(caller_id.number.is_none_or(|number| !number.is_empty()));
    }
    let mut bank = Bank::new(&[BankConfig { country: "cn".into(), voice_above_dbm0: -38.0 }]);
    bank.arm_caller_id_always(true);
    let samples: Vec<i16> =
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let mut at = SampleIndex(0);
    for block in samples.chunks(80) {
        bank.process(block, at, &mut |track, _| assert_eq!(track, 0));
        at = at.plus(block.len() as u64);
    }
}

/// A recording file.
pub fn wav_facts(bytes: &[u8]) {
    let path = in_memory().join(format!("fuzz-{}.wav", std::process::id()));
    if std::fs::write(&path, bytes).is_ok()
        && let Ok(reader) = Reader::open(&path)
    {
        let mut samples = [0; 1000];
        for from in [0, reader.samples() / 2, reader.samples(), u64::MAX] {
            if let Ok(count) = reader.read(Select::Mix, from, &mut samples) {
                assert!(count <= samples.len());
            }
        }
        let _ = reader.verify_audio();
    }
    let _ = std::fs::remove_file(path);
}

/// A journal segment: the bytes as they are, and as the payload of whole frames, which a checksum would else hide.
pub fn journal(bytes: &[u8]) {
    let Ok(folder) = tempfile::tempdir_in(in_memory()) else { return };
    let path = folder.path().join(format!("{:020}.journal", 1));
    let mut framed =
        SegmentHeader { format: 1, readable_from: 1, first_sequence: 1, created_us: 0, records_before: 0 }
            .encode()
            .to_vec();
    for (index, payload) in bytes.split(|byte| *byte == b'\n').enumerate() {
        encode_frame(&mut framed, index as u64 + 1, 0, payload);
    }
    for content in [bytes, framed.as_slice()] {
        if std::fs::write(&path, content).is_err() {
            return;
        }
        let Ok(mut reader) = JournalReader::open(folder.path(), 1) else { continue };
        while let Ok(Some(entries)) = reader.next_segment() {
            assert!(entries.windows(2).all(|pair| pair[0].entry.sequence < pair[1].entry.sequence));
        }
    }
}

/// A segment of the capture log.
pub fn capture_log(bytes: &[u8]) {
    let Ok(folder) = tempfile::tempdir_in(in_memory()) else { return };
    let log = folder.path().join("capture-log");
    if std::fs::create_dir(&log).is_ok() && std::fs::write(log.join("segment-00000001"), bytes).is_ok() {
        let _ = check(folder.path(), [], Depth::Audio);
    }
}

/// `scenario.toml`, or a voltage file (after a first byte below 128).
pub fn scenario(bytes: &[u8]) {
    let Ok(folder) = tempfile::tempdir_in(in_memory()) else { return };
    let good = "rate = 8000\n[[unit]]\nkind = \"analog\"\nname = \"u\"\n[[unit.channel]]\nport = 1\naudio = \"a.wav\"\nvolts = \"v.csv\"\n";
    let (toml, volts) = match bytes.split_first() {
        Some((first, volts)) if *first < 128 => (good.as_bytes(), volts),
        Some((_, toml)) => (toml, &b"seconds,volts,ring_volts\n0,48,0\n"[..]),
        None => return,
    };
    let wav =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x06\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x04\0\0\0abcd";
    let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).is_ok();
    if write("scenario.toml", toml) && write("v.csv", volts) && write("a.wav", wav) {
        match Scenario::load(folder.path()) {
            Ok(scenario) => assert!(!scenario.channels.is_empty()),
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
    }
}

/// What comes from the other end of a connection between station and platform.
pub fn uplink(bytes: &[u8]) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    runtime.block_on(async {
        let mut stream = bytes;
        while let Ok(Some(frame)) = frame::read(&mut stream, frame::MAX_GREETING_BYTES).await {
            if let Frame::Message(json) = &frame {
                let _ = message::decode::<message::ToPlatform>(json);
                let _ = message::decode::<message::ToStation>(json);
            }
            let mut again = BytesMut::new();
            assert!(frame.encode(&mut again).is_ok(), "what was read can be sent");
        }
    });
}

/// What comes from a line tap: its identity, its self-test, and packets, as they are and with a checksum that is right.
pub fn line_tap(bytes: &[u8]) {
    let _ = SelfTest::decode(bytes);
    let lines = match Identity::decode(bytes) {
        Ok(identity) => identity.lines,
        Err(_) => usize::from(bytes.get(6).copied().unwrap_or(0)).clamp(MOST_LINES / 8, MOST_LINES),
    };
    let covered = packet_bytes(lines) - 4;
    let mut sealed: Vec<u8> = bytes.iter().copied().chain(std::iter::repeat(0)).take(covered).collect();
    sealed.extend(crc32fast::hash(&sealed).to_le_bytes());
    let mut order = Order::default();
    for whole in [bytes, &sealed] {
        let Ok(packet) = Packet::decode(whole, lines) else { continue };
        assert_eq!(packet.status().count(), lines);
        let mut samples = vec![0; lines * BLOCK_SAMPLES];
        packet.copy_samples(&mut samples);
        let _ = order.step(&packet.header);
        let _ = order.step(&packet.header);
    }
}

/// A folder that costs no disk.
fn in_memory() -> &'static Path {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { shm } else { Path::new("/tmp") }
}
