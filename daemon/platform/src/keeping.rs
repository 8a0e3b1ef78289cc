//! Puts what has come from a station on the disk and into the journal, so that it exists once whenever the power is cut.
//!
//! A file lies under two names until its entry is in the journal: that of its part, and that of the recording. Cut off
//! before the entry, the part is still there: the station offers the item again, and not a byte has to come twice. Cut
//! off behind it, the part is a leftover. `clear_up` finds both by the parts alone, without a look at a million files.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use catalog::entry::FromStation;
use catalog::{Body, Scope};
use recording::{DataDir, Reader, RecordId};
use upkeep::identity::is_serial;
use uplink::frame::Offer;
use uplink::message::{Held, HeldCode, ItemRefusal, RefusedItem};
use uplink::platform_end::{Arrived, ArrivedAudio};

use crate::care::Notice;
use crate::platform::Inner;

/// Where parts grow, one folder a station.
const ARRIVING: &str = "arriving";
/// Parts that are synchronised at the same time: the file system writes its own journal once for them.
const SYNCED_TOGETHER: usize = 8;

pub(crate) fn parts_folder(data: &DataDir, serial: &str) -> PathBuf {
    data.path().join(ARRIVING).join(serial)
}

/// Why something cannot be kept.
pub(crate) enum Failed {
    Disk(io::Error),
    Journal(catalog::Error),
    /// No station of any release sends it.
    Impossible(String),
}

/// Why something of a station was not kept. Nothing is lost: the station has it.
pub(crate) enum NotKept {
    /// It will never be kept as it is, for this reason, while everything else can be.
    Refused(String),
    /// It may be later.
    Held(Held),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl Inner {
    /// On return all of them are safe, but for those that are refused. A group with one of these is kept one by one.
    ///
    /// # Errors
    /// What the station is told; nothing of it may be held to be kept.
    pub(crate) fn keep(&self, serial: &str, arrived: Vec<Arrived>) -> Result<Vec<RefusedItem>, Held> {
        match self.keep_group(serial, arrived.clone()) {
            Ok(()) => return Ok(Vec::new()),
            Err(NotKept::Refused(_)) => {}
            Err(NotKept::Held(held)) => return Err(held),
        }
        let mut refused = Vec::new();
        for one in arrived {
            let item = one.offer.head.item;
            match self.keep_group(serial, vec![one]) {
                Ok(()) => {}
                Err(NotKept::Refused(why)) => {
                    self.stations.refused(serial, item, &why);
                    refused.push(RefusedItem { item, code: ItemRefusal::Unkeepable });
                }
                Err(NotKept::Held(held)) => return Err(held),
            }
        }
        Ok(refused)
    }

    fn keep_group(&self, serial: &str, arrived: Vec<Arrived>) -> Result<(), NotKept> {
        // An entry goes into a file that is there: it says nothing of a disk that takes no new ones.
        let with_files = arrived.iter().any(|one| matches!(one.audio, ArrivedAudio::Part(_)));
        self.try_keep(serial, arrived).map_err(|failed| self.not_kept(failed))?;
        if with_files {
            self.room.worked();
        }
        Ok(())
    }

    /// Whether something of a station may be kept later, or never as it is.
    pub(crate) fn not_kept(&self, failed: Failed) -> NotKept {
        NotKept::Held(match failed {
            Failed::Disk(error) | Failed::Journal(catalog::Error::Io { source: error, .. }) => {
                self.room.failed(&error)
            }
            Failed::Journal(catalog::Error::DiskFull { .. }) => {
                self.room.failed(&io::ErrorKind::StorageFull.into())
            }
            // Lists are out of date, and an alarm of its own says so; it goes on by itself.
            Failed::Journal(
                catalog::Error::Behind | catalog::Error::NotReady { .. } | catalog::Error::Index { .. },
            ) => self.room.held(HeldCode::Overloaded),
            Failed::Journal(error) => return NotKept::Refused(error.to_string()),
            Failed::Impossible(why) => return NotKept::Refused(why),
        })
    }

    fn try_keep(&self, serial: &str, arrived: Vec<Arrived>) -> Result<(), Failed> {
        let arrived = self.still_lacking(serial, arrived)?;
        let parts: Vec<PathBuf> = arrived
            .iter()
            .filter_map(|one| match &one.audio {
                ArrivedAudio::Part(part) => Some(part.clone()),
                _ => None,
            })
            .collect();
        sync_all(&parts)?;
        let mut folders = BTreeSet::new();
        let mut files = Vec::new();
        let mut bodies = Vec::with_capacity(arrived.len());
        let (mut records, mut again) = (Vec::new(), Vec::new());
        for Arrived { offer, audio } in &arrived {
            let mut entry = from_station(serial, offer)?;
            match audio {
                ArrivedAudio::None => {}
                ArrivedAudio::Unavailable(reason) => {
                    entry.unavailable = Some(reason.chars().take(500).collect())
                }
                ArrivedAudio::Part(part) => {
                    let file = link(&self.data, part, &place(serial, offer, &entry))?;
                    folders.extend(file.parent().map(Path::to_owned));
                    let relative = file.strip_prefix(self.data.path()).unwrap_or(&file);
                    entry.file = Some(relative.to_string_lossy().into_owned());
                    files.push(file);
                }
            }
            if let Some(Body::Record(record)) = entry.body() {
                if self.stations.has(serial, offer.head.item) {
                    again.push(record.facts.id.clone());
                }
                records.push(record.facts.id);
            }
            bodies.push(Body::FromStation(entry));
        }
        folders.iter().try_for_each(|folder| recording::sync_folder(folder))?;
        if !bodies.is_empty() {
            self.catalog.append_durable(bodies).map_err(Failed::Journal)?;
        }
        let now_us = self.clock.now_us();
        self.stations.kept(serial, arrived.iter().map(|one| span(&one.offer)), &records, now_us);
        for part in &parts {
            // One that stays is cleared up at the next start.
            let _ = std::fs::remove_file(part);
        }
        self.make_peaks(files);
        if again.iter().any(|record| self.is_deleted(record)) {
            // While its file was coming: that one goes with the others.
            self.notify(Notice::DeletionUnfinished);
        }
        Ok(())
    }

    fn is_deleted(&self, record: &RecordId) -> bool {
        let known = self.catalog.record(&Scope::everything(), record);
        known.is_ok_and(|known| known.is_some_and(|known| known.row.deleted.is_some()))
    }
}

/// The item, and what before it stays at the station.
fn span(offer: &Offer) -> (u64, u64) {
    let item = offer.head.item;
    (offer.head.covers_from.map_or(item, |from| from.clamp(1, item.max(1))), item)
}

fn from_station(serial: &str, offer: &Offer) -> Result<FromStation, Failed> {
    let item = offer.head.item;
    let payload = String::from_utf8(offer.payload.to_vec())
        .map_err(|_| Failed::Impossible(format!("entry {item} of {serial} is no text")))?;
    Ok(FromStation {
        serial: serial.to_owned(),
        entry: item,
        written_us: offer.head.written_us,
        layout: offer.head.layout,
        payload,
        file: None,
        unavailable: None,
        covers_from: offer.head.covers_from,
    })
}

/// Where the file of an entry lies: by its facts, as at the station; one whose entry cannot be read by this release has
/// a name all the same.
fn place(serial: &str, offer: &Offer, entry: &FromStation) -> String {
    match entry.body() {
        Some(Body::Record(record)) => {
            let facts = &record.facts;
            recording::of_station(serial, &facts.start, facts.port, facts.id.sequence)
        }
        _ => unread(serial, offer.head.item),
    }
}

fn unread(serial: &str, item: u64) -> String {
    format!("recordings/{serial}/unread/{item:020}.wav")
}

/// Gives the part its second name. Nothing that lies there is ever replaced: a recording whose name is taken has its
/// item's number behind it.
fn link(data: &DataDir, part: &Path, relative: &str) -> Result<PathBuf, Failed> {
    let wrong = || Failed::Impossible(format!("{relative} is no name for a recording"));
    let path = data.recording(relative).ok_or_else(wrong)?;
    if let Some(folder) = path.parent() {
        recording::create_folders(folder)?;
    }
    if try_link(part, &path)? {
        return Ok(path);
    }
    let item = item_of(part).ok_or_else(wrong)?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let other = path.with_file_name(format!("{stem}-e{item}.wav"));
    if try_link(part, &other)? {
        Ok(other)
    } else {
        // The disk is well: what lies there is nobody's, and is looked for by `hookline check`.
        Err(Failed::Impossible(format!("{} is there already, without a record", other.display())))
    }
}

/// `false`: another file has that name.
fn try_link(part: &Path, path: &Path) -> io::Result<bool> {
    match std::fs::hard_link(part, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => same_file(part, path),
        Err(error) => Err(error),
    }
}

fn same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (std::fs::metadata(one)?, std::fs::metadata(other)?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// The item whose part this is, by its name: `ITEM-SHA256.part`.
fn item_of(part: &Path) -> Option<u64> {
    part.file_name()?.to_str()?.strip_suffix(".part")?.split_once('-')?.0.parse().ok()
}

/// Makes the bytes of all of them safe.
fn sync_all(parts: &[PathBuf]) -> io::Result<()> {
    let sync = |part: &PathBuf| File::open(part)?.sync_all();
    if parts.len() < 2 {
        return parts.iter().try_for_each(sync);
    }
    std::thread::scope(|scope| {
        let share = parts.len().div_ceil(SYNCED_TOGETHER);
        let threads: Vec<_> =
            parts.chunks(share).map(|some| scope.spawn(move || some.iter().try_for_each(sync))).collect();
        let ended = |thread: std::thread::ScopedJoinHandle<'_, io::Result<()>>| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread failed")))
        };
        threads.into_iter().map(ended).collect::<Vec<_>>().into_iter().collect()
    })
}

/// Puts right what the last stop left: parts whose entry is in the journal go, and those of stations that nobody `expects`
/// any more; of the others the second name. Gives sentences on what could not be done.
pub(crate) fn clear_up(
    data: &DataDir,
    expects: impl Fn(&str) -> bool,
    has: impl Fn(&str, u64) -> bool,
) -> Vec<String> {
    let mut sentences = Vec::new();
    let folder = data.path().join(ARRIVING);
    let Ok(stations) = std::fs::read_dir(&folder) else { return sentences };
    for station in stations.flatten() {
        let Some(serial) = station.file_name().to_str().filter(|name| is_serial(name)).map(str::to_owned)
        else {
            continue;
        };
        let Ok(parts) = std::fs::read_dir(station.path()) else { continue };
        for part in parts.flatten().map(|part| part.path()) {
            let Some(item) = item_of(&part) else { continue };
            let unlinked = if has(&serial, item) { Ok(()) } else { unlink(data, &serial, item, &part) };
            let goes = has(&serial, item) || !expects(&serial);
            let done = unlinked.and_then(|()| if goes { std::fs::remove_file(&part) } else { Ok(()) });
            if let Err(error) = done {
                sentences.push(format!("{}: {error}", part.display()));
            }
        }
    }
    sentences
}

/// Whether a recording's file is a part as well: its entry was not written yet.
pub(crate) fn has_part(data: &DataDir, relative: &str) -> bool {
    data.recording(relative).is_some_and(|path| std::fs::metadata(path).is_ok_and(|file| file.nlink() > 1))
}

/// Takes away the name that a part was given as a recording, whose entry was never written.
fn unlink(data: &DataDir, serial: &str, item: u64, part: &Path) -> io::Result<()> {
    if std::fs::metadata(part)?.nlink() < 2 {
        return Ok(());
    }
    let by_facts = Reader::open(part).ok().map(|reader| {
        let facts = reader.facts();
        recording::of_station(serial, &facts.start, facts.port, facts.id.sequence)
    });
    let mut names: HashSet<PathBuf> = HashSet::new();
    for relative in by_facts.into_iter().chain([unread(serial, item)]) {
        let Some(path) = data.recording(&relative) else { continue };
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        names.insert(path.with_file_name(format!("{stem}-e{item}.wav")));
        names.insert(path);
    }
    for name in names {
        if name.exists() && same_file(part, &name)? {
            std::fs::remove_file(&name)?;
            if let Some(folder) = name.parent() {
                recording::sync_folder(folder)?;
            }
        }
    }
    Ok(())
}
