//! What of an offer is here already. A station whose journal has begun anew (a new disk, an older image) uses its numbers
//! a second time: what it offers is compared with what is kept, so that nothing is acknowledged that is not kept, and
//! nothing is kept that no page would show.

use std::collections::HashMap;
use std::fs;

use catalog::{Body, EntryPrint, Scope};
use recording::Facts;
use uplink::frame::Offer;
use uplink::platform_end::{Arrived, ArrivedAudio, Lacks};

use crate::care::CATALOG_MOMENT;
use crate::keeping::{Failed, NotKept};
use crate::platform::Inner;

/// A longer payload is not read by the threads that serve connections.
const SHORT_PAYLOAD_BYTES: usize = 64 * 1024;

/// What the platform has of an offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Here {
    /// This very entry.
    entry: bool,
    /// A record with these facts, under this number or another one.
    record: bool,
    /// The record's file, or a reason not to want it any more.
    file: bool,
}

/// The facts of a record that a station offers as its own.
fn facts_of(serial: &str, offer: &Offer) -> Option<Facts> {
    match Body::from_payload(offer.head.layout, &offer.payload) {
        Ok(Body::Record(record)) if record.facts.id.serial == serial => Some(record.facts),
        _ => None,
    }
}

impl Inner {
    /// `false`: nothing of it can be here. Answers from memory.
    pub(crate) fn is_perhaps_known(&self, serial: &str, offer: &Offer) -> bool {
        let record = || {
            let facts = facts_of(serial, offer)?;
            Some(self.stations.perhaps_has_record(serial, facts.id.sequence))
        };
        self.stations.has(serial, offer.head.item)
            || offer.payload.len() > SHORT_PAYLOAD_BYTES
            || record().unwrap_or(false)
    }

    /// What is lacking of an offer of which something may be here. Waits for the disk.
    ///
    /// # Errors
    /// What the station is told; it keeps what it has.
    pub(crate) fn lacks_of_known(
        &self,
        serial: &str,
        offer: &Offer,
        with_audio: bool,
    ) -> Result<Lacks, NotKept> {
        let known = self.known(serial, offer, facts_of(serial, offer).as_ref());
        let known = known.map_err(|failed| self.not_kept(failed))?;
        let wants_audio = with_audio && !known.file;
        if known.entry && !(known.record && wants_audio) {
            return Ok(Lacks::Nothing);
        }
        self.room.check(offer.payload.len() as u64).map_err(NotKept::Held)?;
        Ok(if wants_audio { Lacks::EntryAndAudio } else { Lacks::EntryOnly })
    }

    /// Of what has arrived, that which is not here by now, each thing once.
    ///
    /// # Errors
    /// `Impossible`: one is another one than what is here under its number.
    pub(crate) fn still_lacking(&self, serial: &str, arrived: Vec<Arrived>) -> Result<Vec<Arrived>, Failed> {
        let mut records: HashMap<u64, Facts> = HashMap::new();
        let mut lacking = Vec::with_capacity(arrived.len());
        for mut one in arrived {
            let facts = facts_of(serial, &one.offer);
            let known = self.known(serial, &one.offer, facts.as_ref())?;
            let mut has_file = known.file;
            if let Some(facts) = facts {
                match records.get(&facts.id.sequence) {
                    Some(other) if *other != facts => return Err(other_facts(&one.offer, &facts)),
                    Some(_) => has_file = true,
                    None => drop(records.insert(facts.id.sequence, facts)),
                }
            }
            if let ArrivedAudio::Part(part) = &one.audio
                && has_file
            {
                // A second file would have no record. One that stays is cleared up at the next start.
                let _ = fs::remove_file(part);
                one.audio = ArrivedAudio::None;
            }
            if !known.entry || matches!(one.audio, ArrivedAudio::Part(_)) {
                lacking.push(one);
            }
        }
        Ok(lacking)
    }

    fn known(&self, serial: &str, offer: &Offer, facts: Option<&Facts>) -> Result<Here, Failed> {
        let item = offer.head.item;
        let numbered = self.stations.has(serial, item);
        let facts = facts.filter(|facts| self.stations.perhaps_has_record(serial, facts.id.sequence));
        let fresh = facts.is_some_and(|facts| self.stations.kept_record(serial, facts.id.sequence));
        // What the journal has and the catalog does not show yet must not be taken for absent.
        if (numbered || fresh) && !self.catalog.wait_until_current(CATALOG_MOMENT) {
            return Err(Failed::Journal(catalog::Error::Behind));
        }
        let mut known = Here::default();
        if numbered && let Some(print) = self.catalog.entry_print(serial, item).map_err(Failed::Journal)? {
            if print != EntryPrint::of(offer.head.written_us, &offer.payload) {
                return Err(Failed::Impossible(format!(
                    "entry {item} is another one than before: the station's journal has begun anew; give it another \
                     serial number"
                )));
            }
            known.entry = true;
        }
        let Some(facts) = facts else { return Ok(known) };
        let record = self.catalog.record(&Scope::everything(), &facts.id).map_err(Failed::Journal)?;
        let Some(record) = record else { return Ok(known) };
        if record.facts != *facts {
            return Err(other_facts(offer, facts));
        }
        known.record = true;
        known.file = record.row.deleted.is_some() || self.has_file(&record.row);
        Ok(known)
    }

    /// The disk says so, and not only the catalog: a file may have been lost.
    pub(crate) fn has_file(&self, row: &catalog::RecordRow) -> bool {
        let path =
            row.file.as_deref().filter(|_| !row.file_missing).and_then(|file| self.data.recording(file));
        // One that cannot be looked for now is not known to be lost.
        path.is_some_and(|path| path.try_exists().unwrap_or(true))
    }
}

fn other_facts(offer: &Offer, facts: &Facts) -> Failed {
    Failed::Impossible(format!(
        "entry {} is record {} with other facts than before: the station's journal has begun anew; give it another \
         serial number",
        offer.head.item, facts.id.sequence
    ))
}
