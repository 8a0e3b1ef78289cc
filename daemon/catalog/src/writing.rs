//! What is written: the journal first, safe on disk, then the catalog.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use recording::{Facts, RecordId};

use crate::account::Account;
use crate::alarm::{AlarmKey, AlarmRow, Params};
use crate::audit::AuditEntry;
use crate::catalog::{Catalog, Receipt};
use crate::contact::Contact;
use crate::entry::{AlarmAcknowledged, Annotation, Body, Change, Name, Record};
use crate::error::Error;
use crate::index::{contacts, history, people, rows};
use crate::record::{Grade, Tag, record_id_text};
use crate::scope::Only;

/// How long a call waits for the catalog to show what the journal has.
pub(crate) const CATALOG_MOMENT: Duration = Duration::from_secs(2);

impl Catalog {
    /// Writes entries, in order and together: all of them or none. Returns when they are safe on disk and, unless the
    /// catalog is slow or fails, queries show them. What they say is not checked: the calls below do that.
    ///
    /// # Errors
    /// `DiskFull`, `Io`: none of them was written. `EntryTooLong`: one is longer than 20 MiB.
    pub fn append(&self, bodies: Vec<Body>) -> Result<Receipt, Error> {
        let grades = bodies
            .iter()
            .any(|body| matches!(body, Body::Annotation(Annotation { change: Change::Grade(_), .. })));
        // A deletion that is being judged goes by the grade that it has read.
        let _nobody_deletes = grades.then(|| self.inner.grading());
        self.inner.store.append(bodies, true)
    }

    /// As `append`, but returns as soon as they are safe on disk, and waits for nobody: not for grades of records that
    /// can be deleted already.
    pub fn append_durable(&self, bodies: Vec<Body>) -> Result<Receipt, Error> {
        self.inner.store.append(bodies, false)
    }

    /// The number of this box's next record: one above the last in the journal, 1 in an empty one. It is the same until
    /// a record is written, so that no number is ever left out.
    pub fn next_sequence(&self) -> u64 {
        self.inner.store.shared.records.load(Ordering::Acquire).saturating_add(1)
    }

    /// Writes down a finished record; on return it is safe on disk. The same facts a second time write nothing.
    ///
    /// # Errors
    /// `RecordExists`: the number is taken by a record with other facts.
    pub fn add_record(&self, facts: Facts, file: Option<String>, grade: Option<Grade>) -> Result<(), Error> {
        let shared = &self.inner.store.shared;
        let ours = facts.id.serial == self.inner.serial;
        let perhaps_there = !ours || facts.id.sequence <= shared.records.load(Ordering::Acquire);
        if perhaps_there && let Some(known) = self.known_facts(&facts.id) {
            if known == facts {
                return Ok(());
            }
            return Err(Error::RecordExists(record_id_text(&facts.id).to_string()));
        }
        let record = facts.id.clone();
        let mut bodies = vec![Body::Record(Record { facts, file })];
        // Together with the record: a grade that a rule gives is never lost, nor late.
        bodies.extend(grade.map(|grade| {
            Body::Annotation(Annotation { record, account: None, change: Change::Grade(grade) })
        }));
        self.append_durable(bodies).map(drop)
    }

    /// # Errors
    /// `NoRecord`, `BadScore`, `NoTag`, and those of `append`.
    pub fn annotate(&self, id: &RecordId, account: Option<&str>, change: Change) -> Result<Receipt, Error> {
        self.must_exist(id)?;
        match &change {
            Change::Score(Some(score)) if !(1..=10).contains(score) => return Err(Error::BadScore(*score)),
            Change::TagRemove { tag } if !self.has_tag(id, *tag)? => {
                return Err(Error::NoTag { record: record_id_text(id).to_string(), tag: *tag });
            }
            _ => {}
        }
        let account = account.map(str::to_owned);
        self.append(vec![Body::Annotation(Annotation { record: id.clone(), account, change })])
    }

    /// Puts a tag on a record.
    ///
    /// # Errors
    /// `NoRecord`, and those of `append`.
    pub fn add_tag(
        &self,
        id: &RecordId,
        account: Option<&str>,
        sample: u64,
        text: &str,
    ) -> Result<Tag, Error> {
        let change = Change::TagAdd { sample, text: text.to_owned() };
        let receipt = self.annotate(id, account, change)?;
        Ok(Tag {
            id: receipt.first,
            sample,
            text: text.to_owned(),
            account: account.map(str::to_owned),
            utc_us: receipt.utc_us,
        })
    }

    /// Raises an alarm, or counts it once more if it stands already (repeats are written at most once a minute).
    /// Returns when it is safe on disk; lists show it a moment later.
    pub fn raise(&self, key: &AlarmKey, params: Params) -> Result<(), Error> {
        let mut book = self.open_book()?;
        let now = Instant::now();
        if let Some(body) = book.raise(key, &params, now) {
            self.append_durable(vec![body])?;
            book.raised(key, params, now);
        }
        Ok(())
    }

    /// Clears an alarm; nothing happens if it does not stand.
    pub fn clear(&self, key: &AlarmKey) -> Result<(), Error> {
        let mut book = self.open_book()?;
        let bodies = book.clear(key);
        if !bodies.is_empty() {
            self.append_durable(bodies)?;
            book.cleared(key);
        }
        Ok(())
    }

    /// The book of standing alarms, filled from the catalog as soon as that shows all that is on disk.
    fn open_book(&self) -> Result<crate::alarm_book::Open<'_>, Error> {
        let mut book = self.inner.alarms.open();
        let health = self.health();
        if !book.is_filled() && health.ready && health.indexed_sequence == health.journal_sequence {
            let current = self.inner.pool.read("read the current alarms", history::current_alarms)?;
            book.fill(&current);
        }
        Ok(book)
    }

    /// # Errors
    /// `NoAlarm`, and those of `append`.
    pub fn acknowledge(&self, alarm: u64, account: &str, note: Option<&str>) -> Result<AlarmRow, Error> {
        let find = || self.inner.pool.read("read an alarm", |sql| history::alarm(sql, alarm));
        find()?.ok_or(Error::NoAlarm(alarm))?;
        let body = AlarmAcknowledged { alarm, account: account.to_owned(), note: note.map(str::to_owned) };
        self.append(vec![Body::AlarmAcknowledged(body)])?;
        find()?.ok_or(Error::NoAlarm(alarm))
    }

    pub fn audit(&self, entry: AuditEntry) -> Result<(), Error> {
        self.append(vec![Body::Audit(entry)]).map(drop)
    }

    /// Makes an account, or changes the one of that name.
    pub fn set_account(&self, account: Account) -> Result<(), Error> {
        self.append(vec![Body::AccountSet(account)]).map(drop)
    }

    /// # Errors
    /// `NoAccount`, and those of `append`.
    pub fn remove_account(&self, name: &str) -> Result<(), Error> {
        let known = self.inner.pool.read("read an account", |sql| people::account(sql, name))?;
        let known = known.ok_or_else(|| Error::NoAccount(name.to_owned()))?;
        self.append(vec![Body::AccountRemoved(Name { name: known.account.name })]).map(drop)
    }

    /// Makes a contact, or changes the one of that number.
    pub fn set_contact(&self, contact: Contact) -> Result<(), Error> {
        self.append(vec![Body::ContactSet(contact)]).map(drop)
    }

    /// # Errors
    /// `NoContact`, and those of `append`.
    pub fn remove_contact(&self, number: &str) -> Result<(), Error> {
        let known = self.inner.pool.read("read a contact", |sql| contacts::contact(sql, number))?;
        let known = known.ok_or_else(|| Error::NoContact(number.to_owned()))?;
        self.append(vec![Body::ContactRemoved(Name { name: known.number })]).map(drop)
    }

    /// A record that has just been written may be known to the journal only: the catalog is given a moment to follow.
    fn must_exist(&self, id: &RecordId) -> Result<(), Error> {
        let find = || self.inner.pool.read("look for a record", |sql| rows::locate(sql, id));
        let mut found = find()?;
        if found.is_none() && self.wait_until_current(CATALOG_MOMENT) {
            found = find()?;
        }
        found.map(drop).ok_or_else(|| Error::NoRecord(record_id_text(id).to_string()))
    }

    fn has_tag(&self, id: &RecordId, tag: u64) -> Result<bool, Error> {
        self.inner.pool.read("look for a tag", |sql| {
            let Some(found) = rows::locate(sql, id)? else { return Ok(false) };
            let row = rows::fetch(sql, &[found.key], &Only::All)?.pop();
            Ok(row.is_some_and(|row| row.tags.iter().any(|one| one.id == tag)))
        })
    }

    /// The facts that the journal has of a record, as far as they can be told now: writing does not wait for a catalog
    /// that fails. Should the record stand in the journal all the same, its second entry is void.
    fn known_facts(&self, id: &RecordId) -> Option<Facts> {
        let found = self.inner.pool.read("look for a record", |sql| rows::locate(sql, id)).ok()??;
        self.facts_at(&found).ok()
    }
}
