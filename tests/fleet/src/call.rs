//! A made call of a simulated station: its facts, the entry of its journal, and the recording's file.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use catalog::Body;
use catalog::entry::Record;
use line::{CallType, StartMode, StopMode};
use recording::{ClockQuality, Codec, Facts, Instant, RecordId};
use sha2::{Digest, Sha256};
use uplink::frame::AudioHead;
use uplink::station_end::{Item, ItemFile};

use crate::{FleetError, io_at};

const RATE_HZ: u32 = 8000;

/// An answered call that ended now.
pub fn facts(serial: &str, sequence: u64, port: u16, end_us: i64, seconds: u32, audio: &[u8]) -> Facts {
    Facts {
        version: 1,
        id: RecordId { serial: serial.into(), sequence },
        call_id: format!("{serial}-{sequence}"),
        segment: 0,
        port,
        port_name: format!("M [{port:02}]"),
        start: Instant {
            utc_us: end_us - i64::from(seconds) * 1_000_000,
            offset_s: 28_800,
            boot_id: "fleet".into(),
            monotonic_us: 0,
            quality: ClockQuality::Synchronised,
        },
        rate_hz: RATE_HZ,
        tracks: 1,
        codec: Some(Codec::ALaw),
        samples: audio.len() as u64,
        pre_roll_samples: 0,
        start_mode: StartMode::Voltage,
        stop_mode: StopMode::OnHook,
        call_type: CallType::IncomingAnswered,
        line_number: Some(format!("5550{:04}", fastrand::u16(..10_000))),
        peer_number: Some(format!("127{:08}", fastrand::u32(..100_000_000))),
        peer_name: None,
        withheld: false,
        marks: Vec::new(),
        audio_sha256: Some(hex(&Sha256::digest(audio))),
    }
}

/// A-law noise of so many seconds.
pub fn audio(seconds: u32) -> Vec<u8> {
    (0..seconds * RATE_HZ).map(|_| fastrand::u8(..)).collect()
}

/// The item of a call, its file written to `folder`; `entry` is its number in the station's journal.
///
/// # Errors
/// The disk's.
pub fn item(folder: &Path, entry: u64, facts: Facts, audio: &[u8]) -> Result<Item, FleetError> {
    let file = wav(&facts, audio);
    let path: PathBuf = folder.join(format!("{}-{entry}.wav", facts.id.serial));
    std::fs::write(&path, &file).map_err(io_at(&path))?;
    let head = AudioHead { bytes: file.len() as u64, sha256: hex(&Sha256::digest(&file)) };
    let written_us = facts.start.utc_us;
    let name = format!("recordings/{entry}.wav");
    let body = Body::Record(Record { facts, file: Some(name) });
    Ok(Item {
        item: entry,
        written_us,
        layout: 1,
        payload: payload(&body),
        file: Some(ItemFile { path, head }),
        unavailable: None,
        covers_from: None,
    })
}

/// As the journal writes an entry.
pub fn payload(body: &Body) -> Bytes {
    // Plain data, which JSON can hold.
    Bytes::from(serde_json::to_vec(body).unwrap_or_default())
}

/// RIFF/WAVE with A-law audio and the facts in their chunk, as the recording room describes it.
fn wav(facts: &Facts, audio: &[u8]) -> Vec<u8> {
    let json = serde_json::to_vec(facts).unwrap_or_default();
    let mut body = b"WAVEfmt ".to_vec();
    body.extend(18u32.to_le_bytes());
    [6u16, 1].iter().for_each(|word| body.extend(word.to_le_bytes()));
    body.extend(RATE_HZ.to_le_bytes());
    body.extend(RATE_HZ.to_le_bytes());
    [1u16, 8, 0].iter().for_each(|word| body.extend(word.to_le_bytes()));
    body.extend(b"data");
    body.extend((audio.len() as u32).to_le_bytes());
    body.extend(audio);
    body.resize(body.len().next_multiple_of(2), 0);
    body.extend(b"hkln");
    body.extend((json.len() as u32 + 4).to_le_bytes());
    body.extend(crc32fast::hash(&json).to_le_bytes());
    body.extend(&json);
    body.resize(body.len().next_multiple_of(2), 0);
    let mut file = b"RIFF".to_vec();
    file.extend((body.len() as u32).to_le_bytes());
    file.extend(body);
    file
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_recording_is_one_that_the_product_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let audio = audio(1);
        let facts = facts("HKLN-90000000000001", 4, 2, 1_772_323_200_000_000, 1, &audio);
        let item = item(folder.path(), 9, facts.clone(), &audio).expect("made");
        let reader = recording::Reader::open(item.file.expect("a file").path).expect("opened");
        assert_eq!(reader.facts(), &facts);
        reader.verify_audio().expect("whole");
    }
}
