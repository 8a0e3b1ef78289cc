//! A scenario of a few seconds: two ports with a short call each, the second with two tracks.

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;

const RATE_HZ: u32 = 8000;
const SECONDS: u32 = 4;

pub fn make(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    fs::write(
        folder.join("scenario.toml"),
        r#"rate = 8000
start = "2026-03-01T08:00:00+08:00"

[[unit]]
kind = "analog"
name = "tap-a"

[[unit.channel]]
port = 1
line_number = "8001"
audio = "port01.wav"
volts = "port01.volts.csv"
pre_roll_s = 0.5

[[unit.channel]]
port = 2
line_number = "8002"
audio = "port02.wav"
volts = "port02.volts.csv"
pre_roll_s = 0.5
"#,
    )
    .expect("written");
    fs::write(folder.join("port01.wav"), wav(&[440.0])).expect("written");
    fs::write(folder.join("port02.wav"), wav(&[440.0, 600.0])).expect("written");
    for port in ["port01", "port02"] {
        let volts = "seconds,volts,ring_volts\n0,48,0\n1,8,0\n2.5,48,0\n";
        fs::write(folder.join(format!("{port}.volts.csv")), volts).expect("written");
    }
}

/// 16-bit linear, a steady tone a track.
fn wav(tones_hz: &[f32]) -> Vec<u8> {
    let tracks = tones_hz.len() as u16;
    let frames = RATE_HZ * SECONDS;
    let data_bytes = frames * u32::from(tracks) * 2;
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((36 + data_bytes).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(tracks.to_le_bytes());
    bytes.extend(RATE_HZ.to_le_bytes());
    bytes.extend((RATE_HZ * u32::from(tracks) * 2).to_le_bytes());
    bytes.extend((tracks * 2).to_le_bytes());
    bytes.extend(16_u16.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(data_bytes.to_le_bytes());
    for frame in 0..frames {
        for tone_hz in tones_hz {
            let phase = TAU * tone_hz * frame as f32 / RATE_HZ as f32;
            bytes.extend(((phase.sin() * 6000.0) as i16).to_le_bytes());
        }
    }
    bytes
}
