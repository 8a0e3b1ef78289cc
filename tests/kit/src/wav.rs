//! WAV files, the two formats that a scenario may have: 16-bit linear and A-law, one or two tracks, 8000 Hz.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::spandsp::g711;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WavFormat {
    Linear16,
    ALaw,
}

#[derive(Debug, thiserror::Error)]
pub enum WavError {
    #[error("cannot {verb} {}: {source}", path.display())]
    File { verb: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is not an 8000 Hz WAV file, 16 bit or A-law, of one or two tracks", path.display())]
    Format { path: PathBuf },
}

/// Writes `tracks` (one or two, of equal length).
pub fn write(path: &Path, tracks: &[&[i16]], format: WavFormat) -> Result<(), WavError> {
    let length = tracks.iter().map(|track| track.len()).min().unwrap_or(0);
    let mut woven = Vec::with_capacity(length * tracks.len());
    match tracks {
        [mono] => woven.extend_from_slice(mono),
        _ => woven.extend((0..length).flat_map(|at| tracks.iter().map(move |track| track[at]))),
    }
    let (code, bytes): (u16, Vec<u8>) = match format {
        WavFormat::Linear16 => (1, woven.iter().flat_map(|sample| sample.to_le_bytes()).collect()),
        WavFormat::ALaw => (6, g711::alaw_encode(&woven)),
    };
    let channels = tracks.len() as u16;
    let sample_bytes: u16 = if format == WavFormat::ALaw { 1 } else { 2 };

    let mut file = Vec::with_capacity(bytes.len() + 64);
    file.extend(b"RIFF\0\0\0\0WAVEfmt ");
    file.extend(18u32.to_le_bytes());
    file.extend(code.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(8000u32.to_le_bytes());
    file.extend((8000 * u32::from(channels * sample_bytes)).to_le_bytes());
    file.extend((channels * sample_bytes).to_le_bytes());
    file.extend((sample_bytes * 8).to_le_bytes());
    file.extend(0u16.to_le_bytes());
    if format == WavFormat::ALaw {
        file.extend(b"fact");
        file.extend(4u32.to_le_bytes());
        file.extend((length as u32).to_le_bytes());
    }
    file.extend(b"data");
    file.extend((bytes.len() as u32).to_le_bytes());
    file.extend(&bytes);
    if bytes.len() % 2 == 1 {
        file.push(0);
    }
    let riff_length = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&riff_length.to_le_bytes());
    fs::write(path, file).map_err(|source| WavError::File { verb: "write", path: path.into(), source })
}

/// Reads a file's tracks, linear.
pub fn read(path: &Path) -> Result<Vec<Vec<i16>>, WavError> {
    let file = fs::read(path).map_err(|source| WavError::File { verb: "read", path: path.into(), source })?;
    parse(&file).ok_or_else(|| WavError::Format { path: path.into() })
}

fn parse(file: &[u8]) -> Option<Vec<Vec<i16>>> {
    if file.get(..4)? != b"RIFF" || file.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut rest = &file[12..];
    let mut format = None;
    loop {
        let (name, after) = rest.split_at_checked(4)?;
        let (length, after) = after.split_at_checked(4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let body = &after[..length.min(after.len())];
        match name {
            b"fmt " => {
                let word = |at: usize| Some(u16::from_le_bytes(body.get(at..at + 2)?.try_into().ok()?));
                let rate = u32::from_le_bytes(body.get(4..8)?.try_into().ok()?);
                if rate != 8000 {
                    return None;
                }
                format = Some((word(0)?, usize::from(word(2)?), word(14)?));
            }
            b"data" => {
                let (code, channels, bits) = format?;
                let linear = match (code, bits) {
                    (1, 16) => {
                        body.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
                    }
                    (6, 8) => g711::alaw_decode(body),
                    _ => return None,
                };
                return match channels {
                    1 => Some(vec![linear]),
                    2 => Some(
                        (0..2).map(|track| linear.iter().skip(track).step_by(2).copied().collect()).collect(),
                    ),
                    _ => None,
                };
            }
            _ => {}
        }
        rest = after.get(length + length % 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn random_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
            file.extend(bytes);
            let _ = parse(&file);
        }

        #[test]
        fn linear_files_come_back(near in proptest::collection::vec(any::<i16>(), 0..99), two in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.wav");
            let far: Vec<i16> = near.iter().map(|sample| sample.wrapping_add(1)).collect();
            let tracks: Vec<&[i16]> = if two { vec![&near, &far] } else { vec![&near] };
            write(&path, &tracks, WavFormat::Linear16).unwrap();
            prop_assert_eq!(read(&path).unwrap(), tracks);
        }
    }

    #[test]
    fn a_law_comes_back_as_g711_rounds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let near: Vec<i16> = (-100..101).map(|step| step * 300).collect();
        write(&path, &[&near, &near], WavFormat::ALaw).unwrap();
        let back = read(&path).unwrap();
        assert_eq!(back.len(), 2);
        for (sent, got) in near.iter().zip(&back[1]) {
            assert!(
                (i32::from(*sent) - i32::from(*got)).abs() <= 16 + i32::from(*sent).abs() / 30,
                "{sent} {got}"
            );
        }
    }
}
