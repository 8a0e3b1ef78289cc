//! Reading the capture log: which segments there are, and the whole frames in those that count. A torn or garbled spot
//! costs what stood there and nothing behind it: every frame carries its own checksum and generation.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::capture_log::{
    CHECKSUM_AT, FORMAT, MAGIC, PREFIX, Place, SEGMENT_HEAD_BYTES, Segment, SegmentFile,
};
use crate::frame::{ALIGNMENT, Frame};

/// What a segment's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    generation: u64,
    /// Older segments were of no use any more when this one was begun.
    oldest: u64,
}

fn parse_head(bytes: &[u8]) -> Option<Head> {
    let mut head: [u8; SEGMENT_HEAD_BYTES] = *bytes.first_chunk()?;
    let sum = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
    head[CHECKSUM_AT..CHECKSUM_AT + 4].fill(0);
    let known = &head[..8] == MAGIC && head[8..10] == FORMAT.to_le_bytes() && crc32fast::hash(&head) == sum;
    let wide = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
    known.then(|| Head { generation: wide(16), oldest: wide(24) })
}

/// The segments on the disk, each list oldest first.
#[derive(Debug)]
pub(crate) struct Found {
    pub live: VecDeque<Segment>,
    pub free: VecDeque<Segment>,
    pub next_generation: u64,
    pub next_file: u64,
}

/// The segments that may hold recordings which are no records yet.
#[derive(Debug)]
pub(crate) struct Backlog {
    segments: Vec<BacklogSegment>,
    oldest: u64,
}

#[derive(Debug)]
struct BacklogSegment {
    shared: Arc<SegmentFile>,
    capacity: u64,
    has_head: bool,
}

/// Looks at the heads of all segments, which takes no time, and leaves the frames to be read.
pub(crate) fn find(folder: &Path) -> io::Result<(Found, Backlog)> {
    let mut segments = Vec::new();
    let mut next_file = 1;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u64>().ok());
        let Some(number) = number else { continue };
        next_file = next_file.max(number.saturating_add(1));
        let file = OpenOptions::new().read(true).write(true).open(entry.path())?;
        let capacity = file.metadata()?.len().min(u64::from(u32::MAX));
        let mut head = [0; SEGMENT_HEAD_BYTES];
        let head = file.read_exact_at(&mut head, 0).ok().and_then(|()| parse_head(&head));
        // Without a head (torn, or damaged) its frames say in which use it was.
        let generation = head.map_or_else(|| newest_frame(&file, capacity), |head| head.generation);
        let shared = Arc::new(SegmentFile { file: Arc::new(file), generation });
        segments.push((head, Segment { shared, path: entry.path(), capacity, used: capacity }));
    }
    let newest_head = segments.iter().filter_map(|(head, _)| *head).max_by_key(|head| head.generation);
    let oldest = newest_head.map_or(0, |head| head.oldest);
    segments.sort_by_key(|(_, segment)| segment.shared.generation);
    let newest = segments.last().map_or(0, |(_, segment)| segment.shared.generation);
    let (mut live, mut free, mut backlog) = (VecDeque::new(), VecDeque::new(), Vec::new());
    for (head, segment) in segments {
        let Segment { shared, capacity, .. } = &segment;
        if shared.generation == 0 || shared.generation < oldest {
            free.push_back(segment);
        } else {
            let (shared, capacity) = (shared.clone(), *capacity);
            backlog.push(BacklogSegment { shared, capacity, has_head: head.is_some() });
            live.push_back(segment);
        }
    }
    let found = Found { live, free, next_generation: newest.saturating_add(1), next_file };
    Ok((found, Backlog { segments: backlog, oldest }))
}

impl Backlog {
    /// Hands each whole frame to `each`, oldest segment first.
    pub fn read(&self, mut each: impl FnMut(Frame, Place)) {
        for BacklogSegment { shared, capacity, has_head } in &self.segments {
            let bytes = read_segment(&shared.file, *capacity);
            for (offset, frame) in Frames::new(&bytes) {
                let offset = offset as u32;
                if frame.generation == shared.generation {
                    each(frame, Place { segment: shared.clone(), offset });
                } else if !has_head && frame.generation >= self.oldest {
                    let segment = SegmentFile { file: shared.file.clone(), generation: frame.generation };
                    each(frame, Place { segment: Arc::new(segment), offset });
                }
            }
        }
    }

    /// The oldest generation that must not be recycled before it was read.
    pub fn first_generation(&self) -> Option<u64> {
        self.segments.first().map(|segment| segment.shared.generation)
    }
}

/// Reads the whole log in `folder`.
#[cfg(test)]
pub(crate) fn scan(folder: &Path, each: impl FnMut(Frame, Place)) -> io::Result<Found> {
    let (found, backlog) = find(folder)?;
    backlog.read(each);
    Ok(found)
}

/// 0: no frame.
fn newest_frame(file: &File, capacity: u64) -> u64 {
    Frames::new(&read_segment(file, capacity)).map(|(_, frame)| frame.generation).max().unwrap_or(0)
}

/// A segment's bytes, with zeros in place of what the disk does not give back.
fn read_segment(file: &File, capacity: u64) -> Vec<u8> {
    const PART_BYTES: usize = 64 << 10;
    let mut bytes = vec![0; usize::try_from(capacity).unwrap_or(0)];
    for (index, part) in bytes.chunks_mut(PART_BYTES).enumerate() {
        if file.read_exact_at(part, (index * PART_BYTES) as u64).is_err() {
            part.fill(0);
        }
    }
    bytes
}

/// The whole frames in a segment's bytes, whatever stands between them.
struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: SEGMENT_HEAD_BYTES }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = (usize, Frame<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(rest) = self.bytes.get(self.at..).filter(|rest| !rest.is_empty()) {
            let offset = self.at;
            match Frame::parse(rest) {
                Some(frame) => {
                    self.at += Frame::bytes(frame.payload.len());
                    return Some((offset, frame));
                }
                None => self.at += ALIGNMENT,
            }
        }
        None
    }
}
