//! The capture log: all open audio of the box in one sequence of preallocated segments, so that one fdatasync makes it
//! durable however many calls are open.
//!
//! Segments are used in the order of their generations, as a ring: what is old is recycled oldest first, and only when
//! neither it nor anything older holds a recording that is not in the journal yet. The frame that says a recording is
//! done is therefore never gone before the recording's other frames.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

use crate::durable;
use crate::frame::{Frame, Kind, MAX_PAYLOAD_BYTES};
use crate::log_scan::Found;
use crate::steps::{Step, Steps};

pub(crate) const SEGMENT_HEAD_BYTES: usize = 64;
pub(crate) const MAGIC: &[u8; 8] = b"HKLNCLOG";
pub(crate) const FORMAT: u16 = 1;
pub(crate) const CHECKSUM_AT: usize = 12;
pub(crate) const PREFIX: &str = "segment-";
/// Smallest segment in which every frame has room.
pub(crate) const MIN_SEGMENT_BYTES: u64 = 2 * MAX_PAYLOAD_BYTES as u64;

/// One use of a segment's file.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    pub file: Arc<File>,
    pub generation: u64,
}

/// Where a frame begins.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub segment: Arc<SegmentFile>,
    pub offset: u32,
}

/// A segment's file, and how much of it this use has filled.
#[derive(Debug)]
pub(crate) struct Segment {
    pub shared: Arc<SegmentFile>,
    pub path: PathBuf,
    pub capacity: u64,
    pub used: u64,
}

/// How large segments are, and how many wait unused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub segment_bytes: u64,
    /// As many are kept ready, so that a full disk does not stop the log at once; twice as many at most.
    pub spare_segments: usize,
}

pub(crate) struct CaptureLog {
    folder: PathBuf,
    sizes: Sizes,
    power_safe: bool,
    steps: Steps,
    /// Oldest first; the last one is being written.
    live: VecDeque<Segment>,
    /// Oldest first.
    free: VecDeque<Segment>,
    next_generation: u64,
    next_file: u64,
    /// The last live segment cannot be trusted with more: the next frame begins a new one.
    roll: bool,
    /// Frames for the last live segment that have yet to be written, from its `used` on.
    buffer: Vec<u8>,
    unsynced: Vec<Arc<SegmentFile>>,
}

impl CaptureLog {
    /// Continues the log in `folder` as it was found there.
    pub fn new(folder: PathBuf, sizes: Sizes, power_safe: bool, steps: Steps, found: Found) -> Self {
        let Found { live, free, next_generation, next_file } = found;
        let sizes = Sizes { segment_bytes: sizes.segment_bytes.max(MIN_SEGMENT_BYTES), ..sizes };
        let (buffer, unsynced) = (Vec::new(), Vec::new());
        Self {
            folder,
            sizes,
            power_safe,
            steps,
            live,
            free,
            next_generation,
            next_file,
            roll: true,
            buffer,
            unsynced,
        }
    }

    /// Adds a frame; it is durable after the next `commit`. After an error the whole batch must be added again.
    pub fn append(&mut self, kind: Kind, number: u64, position: u64, payload: &[&[u8]]) -> io::Result<Place> {
        let length: usize = payload.iter().map(|part| part.len()).sum();
        if length > MAX_PAYLOAD_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a frame of the capture log is too long",
            ));
        }
        let bytes = Frame::bytes(length) as u64;
        let room = self.live.back().map_or(0, |last| last.capacity - last.used - self.buffer.len() as u64);
        if self.roll || room < bytes {
            self.begin_segment()?;
        }
        let Some(last) = self.live.back() else { return Err(io::ErrorKind::NotFound.into()) };
        let segment = last.shared.clone();
        let offset = last.used as u32 + self.buffer.len() as u32;
        Frame::write(&mut self.buffer, segment.generation, kind, number, position, payload);
        Ok(Place { segment, offset })
    }

    /// Makes every frame added so far durable.
    pub fn commit(&mut self) -> io::Result<()> {
        self.write_buffer()?;
        if self.unsynced.is_empty() {
            return Ok(());
        }
        self.steps.reached(Step::LogSync)?;
        for segment in &self.unsynced {
            if self.power_safe {
                segment.file.sync_data()?;
            }
        }
        self.unsynced.clear();
        self.steps.reached(Step::LogSynced)
    }

    /// After an error: what was added since the last commit is forgotten, and goes to a new segment when it is added
    /// again. A page that could not be synced is not trusted, as the kernel may have dropped it.
    pub fn forget_uncommitted(&mut self) {
        self.buffer.clear();
        self.unsynced.clear();
        self.roll = true;
    }

    /// Recycles segments below generation `floor`, and keeps as many ready as it should. Errors are those of making new
    /// ones: the log works on with what it has.
    pub fn tend(&mut self, floor: u64) -> io::Result<()> {
        while self.live.len() > 1 && self.live.front().is_some_and(|oldest| oldest.shared.generation < floor)
        {
            self.free.extend(self.live.pop_front());
        }
        while self.free.len() > 2 * self.sizes.spare_segments {
            if let Some(oldest) = self.free.pop_front() {
                durable::remove_if_there(&oldest.path)?;
                self.sync_folder()?;
            }
        }
        while self.free.len() < self.sizes.spare_segments {
            let segment = self.create_segment()?;
            self.free.push_back(segment);
        }
        Ok(())
    }

    /// The generation that the next frame can have at the least.
    pub fn generation(&self) -> u64 {
        self.live.back().map_or(self.next_generation, |last| last.shared.generation)
    }

    /// Declares everything in the log done with, so that the next start has nothing to read. Only for a log in which
    /// every recording is done.
    pub fn clear(&mut self) -> io::Result<()> {
        self.commit()?;
        self.free.extend(self.live.drain(..));
        self.begin_segment()?;
        self.commit()
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        let Some(last) = self.live.back_mut() else { return Ok(()) };
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.steps.reached(Step::LogWrite)?;
        last.shared.file.write_all_at(&self.buffer, last.used)?;
        last.used += self.buffer.len() as u64;
        self.buffer.clear();
        if !self.unsynced.iter().any(|segment| Arc::ptr_eq(segment, &last.shared)) {
            self.unsynced.push(last.shared.clone());
        }
        self.steps.reached(Step::LogWritten)
    }

    /// Takes the oldest free segment, or a new one, for the frames to come. The one before is synced first: of two
    /// recycled segments, the later one is never overwritten before the earlier one has its new head on the disk.
    fn begin_segment(&mut self) -> io::Result<()> {
        self.commit()?;
        let segment = loop {
            match self.free.pop_front() {
                // Cut by whatever repaired the file system.
                Some(segment) if segment.capacity < MIN_SEGMENT_BYTES => {
                    durable::remove_if_there(&segment.path)?;
                }
                Some(segment) => break segment,
                None => break self.create_segment()?,
            }
        };
        let generation = self.next_generation;
        self.next_generation += 1;
        let oldest = self.live.front().map_or(generation, |oldest| oldest.shared.generation);
        self.buffer.extend(segment_head(generation, oldest));
        let shared = Arc::new(SegmentFile { file: segment.shared.file.clone(), generation });
        self.live.push_back(Segment { shared, used: 0, ..segment });
        self.roll = false;
        Ok(())
    }

    fn create_segment(&mut self) -> io::Result<Segment> {
        self.steps.reached(Step::NewSegment)?;
        let path = self.folder.join(format!("{PREFIX}{:08}", self.next_file));
        self.next_file += 1;
        let file = durable::create_new(&path)?;
        let made = preallocate(&file, self.sizes.segment_bytes)
            .and_then(|()| if self.power_safe { file.sync_all() } else { Ok(()) })
            .and_then(|()| self.sync_folder());
        if let Err(error) = made {
            // Half a segment would take the room that something else needs.
            let _ = durable::remove_if_there(&path);
            return Err(error);
        }
        let shared = Arc::new(SegmentFile { file: Arc::new(file), generation: 0 });
        Ok(Segment { shared, path, capacity: self.sizes.segment_bytes, used: 0 })
    }

    fn sync_folder(&self) -> io::Result<()> {
        if self.power_safe { durable::sync_folder(&self.folder) } else { Ok(()) }
    }
}

/// Takes `bytes` of disk for a file now, so that writing into it cannot fail for want of room.
pub(crate) fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    let length = i64::try_from(bytes).map_err(io::Error::other)?;
    match fallocate(file.as_fd(), FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(()),
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
            let zeros = vec![0; 64 << 10];
            let mut at = 0;
            while at < bytes {
                let count = (bytes - at).min(zeros.len() as u64);
                file.write_all_at(&zeros[..count as usize], at)?;
                at += count;
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn segment_head(generation: u64, oldest: u64) -> [u8; SEGMENT_HEAD_BYTES] {
    let mut head = [0; SEGMENT_HEAD_BYTES];
    head[..8].copy_from_slice(MAGIC);
    head[8..10].copy_from_slice(&FORMAT.to_le_bytes());
    head[10..12].copy_from_slice(&(SEGMENT_HEAD_BYTES as u16).to_le_bytes());
    head[16..24].copy_from_slice(&generation.to_le_bytes());
    head[24..32].copy_from_slice(&oldest.to_le_bytes());
    let sum = crc32fast::hash(&head);
    head[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
    head
}
