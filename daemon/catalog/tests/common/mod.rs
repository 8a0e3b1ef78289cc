//! Made records and a data folder to put them in.
#![allow(dead_code, reason = "each test file uses its part of this")]

use std::path::Path;

use hookline_catalog::{Catalog, DeletionReason, DeletionRefusal, OpenReport, Options, Scope};
use line::{CallType, StartMode, StopMode};
use recording::{ClockQuality, Codec, Facts, Instant, RecordId};

pub const SERIAL: &str = "HKLN-01121571897162";
/// 2026-03-01T00:00:00Z
pub const BEGIN_US: i64 = 1_772_323_200_000_000;

pub fn open(root: &Path) -> (Catalog, OpenReport) {
    Catalog::open(root, Options::new(SERIAL)).unwrap()
}

pub fn id(sequence: u64) -> RecordId {
    RecordId { serial: SERIAL.into(), sequence }
}

/// An answered call of half a minute from 13800138000 to 8001, its start one minute behind the one before it.
pub fn facts(sequence: u64) -> Facts {
    Facts {
        version: 1,
        id: id(sequence),
        call_id: format!("call-{sequence}"),
        segment: 0,
        port: 1,
        port_name: "M [01]".into(),
        start: Instant {
            utc_us: BEGIN_US + sequence as i64 * 60_000_000,
            offset_s: 28_800,
            boot_id: "boot".into(),
            monotonic_us: 1,
            quality: ClockQuality::Synchronised,
        },
        rate_hz: 8000,
        tracks: 1,
        codec: Some(Codec::ALaw),
        samples: 256_000,
        pre_roll_samples: 16_000,
        start_mode: StartMode::Voltage,
        stop_mode: StopMode::OnHook,
        call_type: CallType::IncomingAnswered,
        line_number: Some("8001".into()),
        peer_number: Some("13800138000".into()),
        peer_name: None,
        withheld: false,
        marks: Vec::new(),
        audio_sha256: Some("00".repeat(32)),
    }
}

/// A call that left no audio.
pub fn missed(sequence: u64) -> Facts {
    Facts {
        codec: None,
        samples: 0,
        pre_roll_samples: 0,
        call_type: CallType::IncomingMissed,
        audio_sha256: None,
        ..facts(sequence)
    }
}

pub fn file_name(facts: &Facts) -> Option<String> {
    facts.codec.map(|_| format!("recordings/2026/03/01/p{:03}-{:08}.wav", facts.port, facts.id.sequence))
}

pub fn add(catalog: &Catalog, facts: Facts) {
    let file = file_name(&facts);
    catalog.add_record(facts, file, None).unwrap();
}

/// Deletes a record, or tells why it may not be.
pub fn delete(
    catalog: &Catalog,
    sequence: u64,
    account: Option<&str>,
    reason: DeletionReason,
) -> Result<(), DeletionRefusal> {
    let everything = Scope::everything();
    let outcome = catalog.delete(&everything, &[id(sequence)], account, reason, |_| Vec::new()).unwrap();
    outcome.refused.first().map_or(Ok(()), |(_, why)| Err(*why))
}

/// Everything that has been written is shown by queries.
pub fn settle(catalog: &Catalog) {
    assert!(catalog.wait_until_current(std::time::Duration::from_secs(20)), "{:?}", catalog.health());
}

pub fn export(catalog: &Catalog) -> String {
    settle(catalog);
    let mut bytes = Vec::new();
    catalog.export(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Writes a whole recording as the recording room describes it: RIFF/WAVE with A-law audio and a `hkln` chunk.
pub fn write_recording(root: &Path, facts: &Facts) {
    let path = root.join(file_name(facts).unwrap());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let samples = facts.samples as u32;
    let json = serde_json::to_vec(facts).unwrap();
    let mut body = b"WAVEfmt ".to_vec();
    body.extend(18u32.to_le_bytes());
    for word in [6u16, 1] {
        body.extend(word.to_le_bytes());
    }
    body.extend(8000u32.to_le_bytes());
    body.extend(8000u32.to_le_bytes());
    for word in [1u16, 8, 0] {
        body.extend(word.to_le_bytes());
    }
    body.extend(b"data");
    body.extend(samples.to_le_bytes());
    body.resize(body.len() + samples as usize, 0xD5);
    body.extend(b"hkln");
    body.extend((json.len() as u32 + 4).to_le_bytes());
    body.extend(crc32fast::hash(&json).to_le_bytes());
    body.extend(&json);
    if body.len() % 2 == 1 {
        body.push(0);
    }
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    std::fs::write(path, bytes).unwrap();
}
