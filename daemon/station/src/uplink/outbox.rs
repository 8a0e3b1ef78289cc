//! What the platform has not acknowledged. The journal and its `Synchronised` entries are the truth; the queue on the
//! disk is a window on them, made good at each start. Every call is made by the uplink's own threads.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::entry::Synchronised;
use catalog::{Body, Catalog, Ranges, RawEntry};
use recording::DataDir;
use uplink::message::RefusedItem;
use uplink::order::Lane;
use uplink::station_end::Item;

use super::again::{Again, Placed};
use super::follower::{Follower, Seen, failed};
use super::hashes::Hashes;
use super::item::{Sound, Way, item_of, sound_of, way_of};
use super::put_off::PutOff;
use super::queue::{Half, MOST_IN_LANE, Queue, Waiting};

/// Acknowledgements are written together, at most so often: each writing is an entry, too. What a power cut takes of them
/// is offered again.
const WRITE_EVERY: Duration = Duration::from_secs(60);
/// Entries written while the connection was away for no longer than this are still fresh.
const FRESH_KEPT: Duration = Duration::from_secs(60);
/// Entries looked at in one step.
const STEP: usize = 256;
/// Items given at once: the files among them are read and hashed meanwhile, and the network waits.
const AT_ONCE: usize = 8;
const BYTES_AT_ONCE: u64 = 2 * 1024 * 1024;

pub(super) struct Outbox {
    catalog: Catalog,
    data: Arc<DataDir>,
    queue: Queue,
    /// Entries that the platform has, and those that stay here.
    done: Ranges,
    /// Those of `done` that the journal does not know yet.
    unwritten: Ranges,
    /// The platform has said something that is not written yet.
    write_due: bool,
    written_at: Instant,
    /// Fills the queue.
    tail: Follower,
    /// Looks for alarms behind a queue that is full.
    ahead: Follower,
    /// Entries from here on are fresh: they do not go through the queue.
    fresh_from: u64,
    fresh: Follower,
    /// Read from `fresh`, and not given yet.
    at_hand: VecDeque<Seen>,
    /// Where to go on in each half of the queue.
    cursors: [u64; 2],
    /// On this connection, and not acknowledged.
    given: BTreeSet<u64>,
    again: Vec<Again>,
    /// Given, and not ready to be sent: their files cannot be read yet.
    put_off: PutOff,
    hashes: Hashes,
    /// The platform has refused something on this connection.
    has_refused: bool,
    connected_until: Option<Instant>,
}

/// An entry to be sent, and from which one on what is before it stays here.
pub(super) type ToSend = (RawEntry, Option<u64>);

impl Outbox {
    /// Opens the queue in `folder` and holds it against the journal: what it lacks is looked for again, what it should
    /// not hold is taken out.
    ///
    /// # Errors
    /// The disk's, or a catalog that does not answer yet.
    pub(super) fn open(folder: PathBuf, catalog: Catalog, data: Arc<DataDir>) -> io::Result<Self> {
        let done = catalog.synchronised().map_err(failed)?;
        let mut queue = Queue::open(&folder)?;
        let last = catalog.health().journal_sequence;
        let next = reconcile(&mut queue, &done, last)?;
        Ok(Self {
            tail: Follower::at(&catalog, next),
            ahead: Follower::at(&catalog, next),
            fresh_from: last + 1,
            fresh: Follower::at(&catalog, last + 1),
            catalog,
            data,
            queue,
            done,
            unwritten: Ranges::default(),
            write_due: false,
            written_at: Instant::now(),
            at_hand: VecDeque::new(),
            cursors: [0; 2],
            given: BTreeSet::new(),
            again: Vec::new(),
            put_off: PutOff::default(),
            hashes: Hashes::new(),
            has_refused: false,
            connected_until: None,
        })
    }

    /// Before a connection: looks through what the journal has, so that older alarms go before newer ones. What is
    /// written from now on is fresh.
    pub(super) fn connection_begins(&mut self) -> io::Result<()> {
        if self.connected_until.is_none_or(|until| until.elapsed() > FRESH_KEPT) {
            self.fresh_from = self.last() + 1;
        }
        while self.follow()? {}
        Ok(())
    }

    /// Behind a connection: what was acknowledged stands in the journal, if the disk takes it.
    pub(super) fn connection_ended(&mut self) {
        self.connected_until = Some(Instant::now());
        self.write();
    }

    /// Entries that the platform has not acknowledged, as far as is known now.
    pub(super) fn waiting(&self) -> u64 {
        self.last().saturating_sub(self.done.count())
    }

    /// Sends entries again, acknowledged or not, and counts them for this command.
    pub(super) fn send_again(&mut self, command: u64, lane: Lane, entries: Vec<Placed>) {
        self.again.push(Again::new(command, lane, entries));
    }

    /// How far `send_again` has come for a command.
    pub(super) fn again(&self, command: u64) -> Option<&Again> {
        self.again.iter().find(|again| again.command == command)
    }

    /// What commands wait for, for an outbox that takes the place of this one.
    pub(super) fn take_again(&mut self) -> Vec<Again> {
        self.again.iter_mut().for_each(Again::begin_again);
        std::mem::take(&mut self.again)
    }

    pub(super) fn go_on_with(&mut self, again: Vec<Again>) {
        self.again.extend(again);
    }

    pub(super) fn forget_again(&mut self, command: u64) {
        self.again.retain(|again| again.command != command);
    }

    pub(super) fn next(&mut self, lane: Lane, limit: usize) -> io::Result<Vec<Item>> {
        self.write_if_due();
        let (mut items, mut bytes) = (Vec::new(), 0);
        while items.len() < limit.min(AT_ONCE) && bytes < BYTES_AT_ONCE {
            let Some((entry, covers_from)) = self.next_entry(lane)? else { break };
            self.given.insert(entry.sequence);
            let sound = match sound_of(&entry, &self.data, &mut self.hashes) {
                Ok(Sound::Later) => {
                    self.put_off.until_read(lane, (entry, covers_from));
                    continue;
                }
                Ok(sound) => sound,
                Err(error) => match self.put_off.failed(lane, (entry.clone(), covers_from), &error) {
                    Some(sound) => sound,
                    None => continue,
                },
            };
            let item = item_of(entry, covers_from, sound);
            bytes += item.payload.len() as u64 + item.file.as_ref().map_or(0, |file| file.head.bytes);
            items.push(item);
        }
        Ok(items)
    }

    /// It stays here, and is not given again on this connection.
    pub(super) fn refused(&mut self, RefusedItem { item, code }: RefusedItem) {
        self.again.iter_mut().for_each(|again| again.refused(item));
        if !std::mem::replace(&mut self.has_refused, true) {
            eprintln!(
                "the platform does not take entry {item} of the journal ({code:?}), and perhaps others: they stay"
            );
        }
    }

    pub(super) fn acknowledged(&mut self, items: &[u64]) -> io::Result<()> {
        for item in items {
            self.given.remove(item);
            self.again.iter_mut().for_each(|again| again.acknowledged(*item));
            if !self.done.contains(*item) {
                self.settle(*item, *item);
                self.write_due = true;
            }
            self.queue.remove(*item)?;
        }
        self.write_if_due();
        Ok(())
    }

    pub(super) fn begin_again(&mut self) {
        self.given.clear();
        self.cursors = [0; 2];
        self.at_hand.clear();
        self.put_off.clear();
        self.has_refused = false;
        self.fresh = Follower::at(&self.catalog, self.fresh_from);
        self.again.iter_mut().for_each(Again::begin_again);
    }

    pub(super) fn write_if_due(&mut self) {
        if self.written_at.elapsed() >= WRITE_EVERY {
            self.write();
        }
    }

    /// Says in the journal what the platform has. A disk that takes nothing is asked again later.
    fn write(&mut self) {
        if !self.write_due {
            return;
        }
        self.written_at = Instant::now();
        let ranges = self.unwritten.iter().collect();
        if self.catalog.append_durable(vec![Body::Synchronised(Synchronised { ranges })]).is_ok() {
            self.write_due = false;
            self.unwritten = Ranges::default();
        }
    }

    /// Last entry that is safe in the journal.
    fn last(&self) -> u64 {
        self.catalog.health().journal_sequence
    }

    fn settle(&mut self, first: u64, last: u64) {
        self.done.insert_range(first, last);
        self.unwritten.insert_range(first, last);
    }

    fn next_entry(&mut self, lane: Lane) -> io::Result<Option<ToSend>> {
        if let Some(due) = self.put_off.due(lane, Instant::now()) {
            return Ok(Some(due));
        }
        if self.put_off.is_full() {
            return Ok(None);
        }
        if let Some(entry) = self.next_again(lane)? {
            return Ok(Some((entry, None)));
        }
        match lane {
            // A clearing must not overtake its raising: nothing fresh goes before the older alarms.
            Lane::Fresh => match self.next_of(Half::Urgent)? {
                None if self.ahead.next_sequence() >= self.fresh_from => self.next_fresh(),
                None => {
                    self.follow()?;
                    self.next_of(Half::Urgent)
                }
                entry => Ok(entry),
            },
            Lane::Backlog => match self.next_of(Half::Rest)? {
                None => {
                    self.follow()?;
                    self.next_of(Half::Rest)
                }
                entry => Ok(entry),
            },
        }
    }

    fn next_again(&mut self, lane: Lane) -> io::Result<Option<RawEntry>> {
        for at in 0..self.again.len() {
            while let Some((item, place)) = self.again[at].take(lane) {
                if self.given.contains(&item) {
                    continue;
                }
                match self.read((item, place))? {
                    Some(entry) => return Ok(Some(entry)),
                    None => self.again[at].cannot_be_read(item),
                }
            }
        }
        Ok(None)
    }

    fn next_of(&mut self, half: Half) -> io::Result<Option<ToSend>> {
        loop {
            let first = self.queue.first(half, self.cursors[half as usize])?;
            let Some(Waiting { item, place, covers_from }) =
                first.filter(|first| first.item < self.fresh_from)
            else {
                return Ok(None);
            };
            self.cursors[half as usize] = item + 1;
            if self.given.contains(&item) || self.done.contains(item) {
                continue;
            }
            match self.read((item, place))? {
                Some(entry) if way_of(&entry) != Way::Stays => return Ok(Some((entry, Some(covers_from)))),
                // Left by another journal, or damaged since: there is nothing to send.
                _ => {
                    self.settle(item, item);
                    self.queue.remove(item)?;
                }
            }
        }
    }

    fn next_fresh(&mut self) -> io::Result<Option<ToSend>> {
        loop {
            if self.at_hand.is_empty() {
                let (seen, holes) = self.fresh.read(&self.done, AT_ONCE)?;
                holes.into_iter().for_each(|(first, last)| self.settle(first, last));
                self.at_hand.extend(seen);
            }
            let Some(Seen { entry, way, covers_from }) = self.at_hand.pop_front() else { return Ok(None) };
            let item = entry.sequence;
            if self.given.contains(&item) || self.done.contains(item) {
                continue;
            }
            match way {
                Way::Stays => self.settle(item, item),
                Way::Urgent | Way::Goes => return Ok(Some((entry, Some(covers_from)))),
            }
        }
    }

    /// The entry at its place; elsewhere, if the place is that of another day. `None`: it is damaged, or not there.
    ///
    /// # Errors
    /// The disk's: what cannot be read now is none the less there.
    fn read(&self, (item, place): Placed) -> io::Result<Option<RawEntry>> {
        match self.catalog.raw_entry(place, item) {
            Ok(entry) => return Ok(Some(entry)),
            Err(catalog::Error::EntryUnreadable { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
        let there = self.catalog.journal_tail(item).read(1).map_err(failed)?.into_iter().next();
        let found = there.filter(|entry| entry.sequence == item);
        if found.is_none() {
            eprintln!("entry {item} of the journal cannot be read, and so not be sent to the platform");
        }
        Ok(found)
    }

    /// Looks at some more of the journal: fills the queue, and looks for alarms behind one that is full. `false`: there
    /// is nothing more to look at, or no room for it.
    fn follow(&mut self) -> io::Result<bool> {
        let room = |queue: &Queue, half| MOST_IN_LANE.saturating_sub(queue.count(half));
        let most = room(&self.queue, Half::Rest).min(room(&self.queue, Half::Urgent)).min(STEP);
        if most > 0 {
            let before = self.tail.next_sequence();
            let (seen, holes) = self.tail.read(&self.done, most)?;
            let next = self.tail.next_sequence();
            if next == before {
                return Ok(false);
            }
            holes.into_iter().for_each(|(first, last)| self.settle(first, last));
            self.take_in(seen, next, |_| true)?;
            if self.ahead.next_sequence() < next {
                self.ahead = Follower::at(&self.catalog, next);
            }
            return Ok(true);
        }
        let most = room(&self.queue, Half::Urgent).min(STEP);
        if most == 0 {
            return Ok(false);
        }
        let (seen, _) = self.ahead.read(&self.done, most)?;
        let (next, more) = (self.queue.next()?, !seen.is_empty());
        self.take_in(seen, next, |half| half == Half::Urgent)?;
        Ok(more)
    }

    fn take_in(&mut self, seen: Vec<Seen>, next: u64, takes: impl Fn(Half) -> bool) -> io::Result<()> {
        let mut waiting = Vec::new();
        for Seen { entry, way, covers_from } in seen {
            let (item, place) = (entry.sequence, entry.place);
            if self.done.contains(item) {
                continue;
            }
            let half = match way {
                Way::Urgent => Half::Urgent,
                Way::Goes => Half::Rest,
                Way::Stays => {
                    self.settle(item, item);
                    continue;
                }
            };
            if takes(half) {
                waiting.push((half, Waiting { item, place, covers_from }));
            }
        }
        self.queue.add(&waiting, next)
    }
}

/// Takes out of the queue what does not belong there. Returns the entry from which on the journal is to be looked at.
fn reconcile(queue: &mut Queue, done: &Ranges, last: u64) -> io::Result<u64> {
    for half in [Half::Urgent, Half::Rest] {
        let mut cursor = 0;
        while let Some(Waiting { item, .. }) = queue.first(half, cursor)? {
            cursor = item.saturating_add(1);
            if item > last || done.contains(item) {
                queue.remove(item)?;
            }
        }
    }
    // All before `next` are done or in the queue; the first that is neither was lost with an older queue.
    let next = queue.next()?.min(last + 1);
    let mut waits = 1;
    let spans = done.iter().chain([(next, next)]);
    for (first, end) in spans {
        for item in waits..first.min(next) {
            if !queue.contains(item)? {
                return Ok(item);
            }
        }
        waits = end.saturating_add(1).max(waits);
    }
    Ok(next)
}
