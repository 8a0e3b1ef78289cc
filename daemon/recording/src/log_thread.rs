//! The thread between queue and capture log: every period it takes what waits, writes it, and syncs once. What it could
//! not write it keeps, and tries again. Only what is durable reaches `Opens`, and from there the finisher.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::capture_log::{CaptureLog, Place};
use crate::frame::{Entry, Kind, MAX_PAYLOAD_BYTES, to_json};
use crate::health::{Health, Source};
use crate::opens::{Open, Opens};
use crate::queue::{Chunk, Item, Queue, Taken};

/// From one sync to the next. Under a second by what a sync may take, so that a power cut costs a second at most.
pub(crate) const PERIOD: Duration = Duration::from_millis(800);
/// In `finishing`: what a former run left in the log, as long as it has not been read. No recording has this number.
pub(crate) const BACKLOG: u64 = 0;
const RETRY: Duration = Duration::from_millis(500);

pub(crate) struct LogThread {
    pub queue: Arc<Queue>,
    pub log: CaptureLog,
    pub opens: Opens,
    /// For each recording with the finisher, the oldest generation it has frames in.
    pub finishing: HashMap<u64, u64>,
    /// Dropped when no more recordings will come.
    pub finisher: Option<Sender<Open>>,
    pub health: Arc<Health>,
    pub period: Duration,
    /// The segment in which the beginnings of all open recordings stand.
    pub told_generation: u64,
}

/// An audio frame: whose, from where on, and which items of the batch it is made of.
struct AudioFrame {
    number: u64,
    first: u64,
    bytes: u32,
    place: Place,
}

impl LogThread {
    pub fn run(mut self) {
        let mut batch = self.queue.empty_batch();
        let mut chunks = Vec::new();
        self.tend();
        loop {
            let taken = self.queue.take(self.period, &mut batch);
            if !batch.is_empty() && !self.make_durable(&mut batch, &mut chunks) {
                return;
            }
            self.queue.give_back(&mut chunks);
            self.tend();
            match taken {
                Taken::More => {}
                Taken::NoMoreAudio => self.finisher = None,
                Taken::Closed => return self.close(),
            }
        }
    }

    /// Writes and syncs a batch, as often as it takes, and then takes it in. False: given up, as the recorder closes.
    fn make_durable(&mut self, batch: &mut Vec<Item>, chunks: &mut Vec<Box<Chunk>>) -> bool {
        self.health.writing(true);
        let (places, audio) = loop {
            match self.write(batch) {
                Ok(written) => break written,
                Err(error) => {
                    self.log.forget_uncommitted();
                    self.health.write_failed(Source::LogWrite, &error, "writing the capture log");
                    if !self.health.pause(RETRY) {
                        return false;
                    }
                }
            }
        };
        self.health.writing(false);
        self.health.ends(Source::LogWrite);
        self.take_in(batch, chunks, &places, audio);
        true
    }

    /// Writes all items: starts first, then audio (what belongs together as one frame), then the rest.
    fn write(&mut self, batch: &[Item]) -> io::Result<(Vec<Option<Place>>, Vec<AudioFrame>)> {
        let mut places = vec![None; batch.len()];
        let generation = self.log.generation();
        if generation != self.told_generation {
            self.tell_beginnings()?;
        }
        for (item, place) in batch.iter().zip(&mut places) {
            if let Item::Begin { number, start } = item {
                *place = Some(self.log.append(Kind::Begin, *number, 0, &[&to_json(start)?])?);
            }
        }
        let audio = self.write_audio(batch)?;
        for (item, place) in batch.iter().zip(&mut places) {
            let (kind, number, position, payload) = match item {
                Item::Begin { .. } | Item::Audio { .. } | Item::BacklogRead { .. } => continue,
                Item::Gap { number, first, samples } => {
                    (Kind::Gap, *number, *first, samples.to_le_bytes().to_vec())
                }
                Item::Mark { number, at, kind } => (Kind::Mark, *number, *at, to_json(kind)?),
                Item::Known { number, known } => (Kind::Known, *number, 0, to_json(known)?),
                Item::End { number, stop } => (Kind::End, *number, 0, to_json(stop)?),
                Item::WithoutAudio { number, record } => (Kind::WithoutAudio, *number, 0, to_json(record)?),
                Item::Claim { number, sequence, path, .. } => {
                    (Kind::Claim, *number, *sequence, to_json(path)?)
                }
                Item::Done { number } => (Kind::Done, *number, 0, Vec::new()),
            };
            *place = Some(self.log.append(kind, number, position, &[&payload])?);
        }
        self.log.commit()?;
        self.told_generation = generation;
        Ok((places, audio))
    }

    /// Says again at the head of a new segment what is being recorded: damage to one spot of the log then costs no
    /// recording its identity.
    fn tell_beginnings(&mut self) -> io::Result<()> {
        for (number, start, known) in self.opens.beginnings() {
            self.log.append(Kind::Begin, number, 0, &[&to_json(start)?])?;
            self.log.append(Kind::Known, number, 0, &[&to_json(known)?])?;
        }
        Ok(())
    }

    fn write_audio(&mut self, batch: &[Item]) -> io::Result<Vec<AudioFrame>> {
        let mut of_each: BTreeMap<u64, Vec<&Chunk>> = BTreeMap::new();
        for item in batch {
            if let Item::Audio { number, chunk } = item {
                of_each.entry(*number).or_default().push(chunk);
            }
        }
        let mut frames = Vec::new();
        for (number, chunks) in of_each {
            let mut rest = &chunks[..];
            while let Some(head) = rest.first() {
                let (mut count, mut bytes) = (1, head.len);
                let mut next = head.end();
                while let Some(chunk) = rest.get(count)
                    && chunk.first == next
                    && bytes + chunk.len <= MAX_PAYLOAD_BYTES
                {
                    bytes += chunk.len;
                    next = chunk.end();
                    count += 1;
                }
                let parts: Vec<&[u8]> = rest[..count].iter().map(|chunk| chunk.kept()).collect();
                let place = self.log.append(Kind::Audio, number, head.first, &parts)?;
                frames.push(AudioFrame { number, first: head.first, bytes: bytes as u32, place });
                rest = &rest[count..];
            }
        }
        Ok(frames)
    }

    /// All of the batch is on the disk now.
    fn take_in(
        &mut self,
        batch: &mut Vec<Item>,
        chunks: &mut Vec<Box<Chunk>>,
        places: &[Option<Place>],
        audio: Vec<AudioFrame>,
    ) {
        let mut ended = Vec::new();
        let mut later = Vec::with_capacity(batch.len());
        for (item, place) in batch.drain(..).zip(places) {
            match (item, place) {
                (Item::Audio { chunk, .. }, _) => chunks.push(chunk),
                (Item::Begin { number, start }, Some(place)) => {
                    self.opens.apply(number, Entry::Begin(start), place);
                }
                (Item::BacklogRead { finishing }, _) => {
                    self.finishing.remove(&BACKLOG);
                    self.finishing.extend(finishing);
                }
                (item, Some(place)) => later.push((item, place)),
                (_, None) => {}
            }
        }
        for AudioFrame { number, first, bytes, place } in audio {
            self.opens.apply(number, Entry::Audio { first, bytes }, &place);
        }
        for (item, place) in later {
            let (number, entry) = match item {
                Item::Gap { number, first, samples } => (number, Entry::Gap { first, samples }),
                Item::Mark { number, at, kind } => (number, Entry::Mark { at, kind }),
                Item::Known { number, known } => (number, Entry::Known(known)),
                Item::End { number, stop } => {
                    ended.push(number);
                    (number, Entry::End(stop))
                }
                Item::WithoutAudio { number, record } => {
                    ended.push(number);
                    (number, Entry::WithoutAudio(record))
                }
                Item::Claim { durable, .. } => {
                    // The finisher may have given up waiting: then nobody needs the answer.
                    let _ = durable.send(());
                    continue;
                }
                Item::Done { number } => {
                    self.finishing.remove(&number);
                    self.opens.forget(number);
                    continue;
                }
                Item::Begin { .. } | Item::Audio { .. } | Item::BacklogRead { .. } => continue,
            };
            self.opens.apply(number, entry, place);
        }
        for open in ended.into_iter().filter_map(|number| self.opens.take_ended(number)) {
            self.finishing.insert(open.number, open.first_generation);
            if let Some(finisher) = &self.finisher {
                // A finisher that is gone leaves the recording in the log, for the next start.
                let _ = finisher.send(open);
            }
        }
    }

    fn close(&mut self) {
        if self.opens.is_empty() && self.finishing.is_empty() {
            // If it fails, the next start reads the log, and finds everything done.
            let _ = self.log.clear();
        }
    }

    fn tend(&mut self) {
        let floor = self.finishing.values().copied().chain(self.opens.first_generation()).min();
        match self.log.tend(floor.unwrap_or_else(|| self.log.generation())) {
            Ok(()) => self.health.ends(Source::LogRoom),
            Err(error) => self.health.write_failed(Source::LogRoom, &error, "making room in the capture log"),
        }
    }
}
