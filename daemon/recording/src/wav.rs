//! The container of a finished recording: standard RIFF/WAVE, with the facts in a chunk `hkln` behind the audio.
//! `README.md` documents it byte by byte. Sizes and offsets from a file are untrusted until they are checked here.

use std::io;
use std::path::PathBuf;

use crate::facts::{Codec, Facts};

/// Format tags of RFC 2361 (registered: PCM, A-law, µ-law).
const TAG_PCM: u16 = 1;
const TAG_ALAW: u16 = 6;
const TAG_MULAW: u16 = 7;

/// Where `RIFF`'s size stands, which is known only when the facts are.
pub(crate) const RIFF_SIZE_AT: u64 = 4;
pub(crate) const FACTS_ID: &[u8; 4] = b"hkln";
/// Bytes before the JSON in the facts chunk: its CRC-32.
const FACTS_HEAD: usize = 4;
/// Longest facts chunk that is read: over 100,000 marks.
const MAX_FACTS_BYTES: u64 = 16 << 20;
/// Most chunks that are looked at.
const MAX_CHUNKS: usize = 64;
const MAX_FORMAT_BYTES: u32 = 256;

/// Why a file is no whole recording.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is no whole recording: {fault}", path.display())]
    Damaged { path: PathBuf, fault: Fault },
    #[error("the recording has {tracks} tracks, and track {asked} was asked for")]
    NoSuchTrack { asked: u16, tracks: u16 },
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Fault {
    #[error("it does not begin with RIFF and WAVE")]
    NotWav,
    #[error("its sound is kept in a way this release does not know ({0})")]
    Format(String),
    #[error("it has no {0} chunk")]
    Missing(&'static str),
    #[error("its {0} chunk is cut off")]
    Cut(&'static str),
    #[error("it has no audio in it")]
    Empty,
    #[error("its facts do not match their checksum")]
    FactsChecksum,
    #[error("its facts cannot be read ({0})")]
    Facts(String),
    #[error("its facts say {facts} where the file has {file} ({what})")]
    Disagree { what: &'static str, facts: String, file: String },
    #[error("its audio does not match the checksum in its facts")]
    Audio,
}

/// How the audio lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub codec: Codec,
    pub tracks: u16,
    pub rate_hz: u32,
    pub data_at: u64,
    pub data_bytes: u64,
    facts_at: u64,
    facts_bytes: u64,
}

impl Layout {
    /// Bytes of one sample of all tracks.
    pub fn frame_bytes(&self) -> usize {
        usize::from(self.tracks) * self.codec.sample_bytes()
    }

    /// Samples a track.
    pub fn samples(&self) -> u64 {
        self.data_bytes / self.frame_bytes() as u64
    }
}

/// Everything before the audio. The size of `RIFF` is left 0.
pub(crate) fn head(codec: Codec, tracks: u16, rate_hz: u32, samples: u64) -> Vec<u8> {
    let tag = match codec {
        Codec::Linear => TAG_PCM,
        Codec::ALaw => TAG_ALAW,
        Codec::MuLaw => TAG_MULAW,
    };
    let width = codec.sample_bytes() as u16;
    let frame = width * tracks;
    let mut head = Vec::with_capacity(58);
    head.extend(b"RIFF\0\0\0\0WAVEfmt ");
    head.extend(if codec == Codec::Linear { 16u32 } else { 18 }.to_le_bytes());
    head.extend(tag.to_le_bytes());
    head.extend(tracks.to_le_bytes());
    head.extend(rate_hz.to_le_bytes());
    head.extend((rate_hz * u32::from(frame)).to_le_bytes());
    head.extend(frame.to_le_bytes());
    head.extend((width * 8).to_le_bytes());
    if codec != Codec::Linear {
        head.extend(0u16.to_le_bytes());
        head.extend(b"fact\x04\0\0\0");
        head.extend((samples as u32).to_le_bytes());
    }
    head.extend(b"data");
    head.extend(((samples * u64::from(frame)) as u32).to_le_bytes());
    head
}

/// Everything behind `data_bytes` of audio: padding to an even length, and the facts.
pub(crate) fn tail(data_bytes: u64, facts: &Facts) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(facts).map_err(io::Error::other)?;
    let mut tail = Vec::with_capacity(json.len() + 16);
    if data_bytes % 2 == 1 {
        tail.push(0);
    }
    tail.extend(FACTS_ID);
    tail.extend(((json.len() + FACTS_HEAD) as u32).to_le_bytes());
    tail.extend(crc32fast::hash(&json).to_le_bytes());
    tail.extend(&json);
    if json.len() % 2 == 1 {
        tail.push(0);
    }
    Ok(tail)
}

/// Why parsing stopped: the disk, or what it gave.
#[derive(Debug)]
pub(crate) enum ParseError {
    Io(io::Error),
    Fault(Fault),
}

impl From<Fault> for ParseError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl ParseError {
    pub fn at(self, path: impl Into<PathBuf>) -> ReadError {
        match self {
            Self::Io(source) => ReadError::Io { path: path.into(), source },
            Self::Fault(fault) => ReadError::Damaged { path: path.into(), fault },
        }
    }
}

/// Reads `buffer.len()` bytes at an offset that has been checked against the file's length.
pub(crate) trait ReadAt {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for std::fs::File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).ok().and_then(|from| self.get(from..)?.get(..buffer.len()));
        buffer.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

struct Format {
    codec: Codec,
    tracks: u16,
    rate_hz: u32,
}

/// Finds format, audio and facts in a file of `length` bytes, and checks the facts against the file.
pub(crate) fn parse(file: &(impl ReadAt + ?Sized), length: u64) -> Result<(Layout, Facts), ParseError> {
    let layout = parse_layout(file, length)?;
    let facts = parse_facts(file, &layout)?;
    agree(&layout, &facts)?;
    Ok((layout, facts))
}

fn read<const N: usize>(file: &(impl ReadAt + ?Sized), at: u64) -> Result<[u8; N], ParseError> {
    let mut bytes = [0; N];
    file.read_at(at, &mut bytes).map_err(ParseError::Io)?;
    Ok(bytes)
}

fn parse_layout(file: &(impl ReadAt + ?Sized), length: u64) -> Result<Layout, ParseError> {
    if length < 12 {
        return Err(Fault::NotWav.into());
    }
    let head: [u8; 12] = read(file, 0)?;
    if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
        return Err(Fault::NotWav.into());
    }
    let (mut format, mut data, mut facts) = (None, None, None);
    let mut at = 12;
    for _ in 0..MAX_CHUNKS {
        if length - at < 8 {
            break;
        }
        let head: [u8; 8] = read(file, at)?;
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let body = at + 8;
        let whole = length - body >= u64::from(size);
        match &head[..4] {
            b"fmt " if !whole || size > MAX_FORMAT_BYTES => return Err(Fault::Cut("format").into()),
            b"fmt " => format = Some(parse_format(file, body, size)?),
            b"data" if !whole => return Err(Fault::Cut("audio").into()),
            b"data" => data = data.or(Some((body, u64::from(size)))),
            id if id == FACTS_ID && !whole => return Err(Fault::Cut("facts").into()),
            id if id == FACTS_ID => facts = facts.or(Some((body, u64::from(size)))),
            _ => {}
        }
        at = body.saturating_add(u64::from(size)).saturating_add(u64::from(size % 2));
        if at > length {
            break;
        }
    }
    let Format { codec, tracks, rate_hz } = format.ok_or(Fault::Missing("format"))?;
    let (data_at, data_bytes) = data.ok_or(Fault::Missing("audio"))?;
    let (facts_at, facts_bytes) = facts.ok_or(Fault::Missing("facts"))?;
    let layout = Layout { codec, tracks, rate_hz, data_at, data_bytes, facts_at, facts_bytes };
    if data_bytes == 0 {
        return Err(Fault::Empty.into());
    }
    if data_bytes % layout.frame_bytes() as u64 != 0 {
        return Err(Fault::Cut("audio").into());
    }
    Ok(layout)
}

fn parse_format(file: &(impl ReadAt + ?Sized), at: u64, size: u32) -> Result<Format, ParseError> {
    if size < 16 {
        return Err(Fault::Cut("format").into());
    }
    let bytes: [u8; 16] = read(file, at)?;
    let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let (tag, tracks, bits) = (word(0), word(2), word(14));
    let codec = match (tag, bits) {
        (TAG_PCM, 16) => Codec::Linear,
        (TAG_ALAW, 8) => Codec::ALaw,
        (TAG_MULAW, 8) => Codec::MuLaw,
        _ => return Err(Fault::Format(format!("format {tag} of {bits} bits")).into()),
    };
    if !(1..=2).contains(&tracks) {
        return Err(Fault::Format(format!("{tracks} tracks")).into());
    }
    let rate_hz = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    Ok(Format { codec, tracks, rate_hz })
}

fn parse_facts(file: &(impl ReadAt + ?Sized), layout: &Layout) -> Result<Facts, ParseError> {
    if layout.facts_bytes < FACTS_HEAD as u64 || layout.facts_bytes > MAX_FACTS_BYTES {
        return Err(Fault::Cut("facts").into());
    }
    let mut bytes = vec![0; layout.facts_bytes as usize];
    file.read_at(layout.facts_at, &mut bytes).map_err(ParseError::Io)?;
    let (sum, json) = bytes.split_at(FACTS_HEAD);
    if sum != crc32fast::hash(json).to_le_bytes() {
        return Err(Fault::FactsChecksum.into());
    }
    Ok(serde_json::from_slice(json).map_err(|error| Fault::Facts(error.to_string()))?)
}

fn agree(layout: &Layout, facts: &Facts) -> Result<(), Fault> {
    let check = |what, facts: &dyn std::fmt::Debug, file: &dyn std::fmt::Debug| {
        let (facts, file) = (format!("{facts:?}"), format!("{file:?}"));
        if facts == file { Ok(()) } else { Err(Fault::Disagree { what, facts, file }) }
    };
    check("codec", &facts.codec, &Some(layout.codec))?;
    check("tracks", &facts.tracks, &layout.tracks)?;
    check("samples a second", &facts.rate_hz, &layout.rate_hz)?;
    check("samples", &facts.samples, &layout.samples())
}
