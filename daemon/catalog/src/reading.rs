//! What is asked: each call reads one consistent view of the catalog, on a connection of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;

use chrono_tz::Tz;
use line::Severity;
use recording::{Facts, RecordId};

use crate::account::AccountRow;
use crate::alarm::AlarmRow;
use crate::audit::AuditRow;
use crate::catalog::Catalog;
use crate::contact::Contact;
use crate::device::{Department, Device};
use crate::entry::{Body, EntryPrint};
use crate::error::Error;
use crate::index::contacts::Names;
use crate::index::dump::{DumpError, dump};
use crate::index::rows::{self, Located};
use crate::index::search::Filter;
use crate::index::{contacts, history, lists, people, sources, stations, statistics};
use crate::journal::{self, JournalTail, Place, RawEntry};
use crate::pool::Looker;
use crate::query::{
    AlarmCounts, AlarmQuery, AuditQuery, ContactQuery, GroupBy, Page, PageRequest, RecordQuery, Statistics,
    TagText,
};
use crate::ranges::Ranges;
use crate::record::{RecordDetail, RecordRow};
use crate::scope::Scope;

/// Rows that an export fetches at a time.
const EXPORT_ROWS: usize = 500;

impl Catalog {
    /// One page of records, newest first.
    pub fn records(
        &self,
        scope: &Scope,
        query: &RecordQuery,
        page: PageRequest,
    ) -> Result<Page<RecordRow>, Error> {
        self.inner.pool.search("list records", |sql, book| lists::records(sql, book, scope, query, page))
    }

    /// All records that match, newest first, as they are read: for exports. `each` may break off.
    pub fn each_record(
        &self,
        scope: &Scope,
        query: &RecordQuery,
        each: &mut dyn FnMut(RecordRow) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.inner.pool.search("list records", |sql, book| {
            let Some(filter) = Filter::of(sql, book, scope, query)? else { return Ok(()) };
            let mut keys = Vec::new();
            sources::walk(&filter, u64::MAX, &mut |row, _| {
                keys.push(row.key);
                ControlFlow::Continue(())
            })?;
            for keys in keys.chunks(EXPORT_ROWS) {
                for row in rows::fetch(sql, keys, scope.contacts())? {
                    if each(row).is_break() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    /// Rows of these records, in the order of `ids`; those that do not exist or lie outside the scope are left out.
    pub fn records_by_id(&self, scope: &Scope, ids: &[RecordId]) -> Result<Vec<RecordRow>, Error> {
        self.inner.pool.read("read records", |sql| {
            let mut keys = Vec::with_capacity(ids.len());
            for id in ids {
                keys.extend(
                    rows::locate(sql, id)?.filter(|found| allows(scope, id, found)).map(|found| found.key),
                );
            }
            rows::fetch(sql, &keys, scope.contacts())
        })
    }

    /// Everything about one record; `None` if there is none or it lies outside the scope.
    ///
    /// # Errors
    /// `EntryUnreadable`: its entry in the journal is damaged.
    pub fn record(&self, scope: &Scope, id: &RecordId) -> Result<Option<RecordDetail>, Error> {
        let found = self.inner.pool.read("read a record", |sql| {
            let Some(found) = rows::locate(sql, id)?.filter(|found| allows(scope, id, found)) else {
                return Ok(None);
            };
            let Some(row) = rows::fetch(sql, &[found.key], scope.contacts())?.pop() else { return Ok(None) };
            let same_call = rows::of_call(sql, &found.call_id)?;
            Ok(Some((found, row, same_call)))
        })?;
        let Some((found, row, same_call)) = found else { return Ok(None) };
        let facts = self.facts_at(&found)?;
        let others = same_call.into_iter().filter(|(other, port, start_us)| {
            other != id && scope.allows_record(&other.serial, *port, *start_us)
        });
        Ok(Some(RecordDetail { row, facts, same_call: others.map(|(other, ..)| other).collect() }))
    }

    pub(crate) fn facts_at(&self, found: &Located) -> Result<Facts, Error> {
        match journal::read_entry(&self.inner.journal_folder, found.place, found.entry)?.body {
            Body::Record(record) => Ok(record.facts),
            Body::FromStation(from) => match from.body() {
                Some(Body::Record(record)) => Ok(record.facts),
                _ => Err(Error::EntryUnreadable { sequence: found.entry }),
            },
            _ => Err(Error::EntryUnreadable { sequence: found.entry }),
        }
    }

    /// Instant recall: the last records of a port that are not deleted, newest first.
    pub fn recent(&self, scope: &Scope, port: u16, count: u32) -> Result<Vec<RecordRow>, Error> {
        let query = RecordQuery { ports: [port].into(), ..RecordQuery::default() };
        let page = PageRequest { after: None, limit: count, count_up_to: 0 };
        self.records(scope, &query, page).map(|page| page.items)
    }

    /// Counts and lengths of all that the query finds; hours, days and months are those of `zone`.
    pub fn statistics(
        &self,
        scope: &Scope,
        query: &RecordQuery,
        by: GroupBy,
        zone: Tz,
    ) -> Result<Statistics, Error> {
        self.inner.pool.search("count records", |sql, book| match Filter::of(sql, book, scope, query)? {
            Some(filter) => statistics::statistics(filter, query, by, zone),
            None => Ok(Statistics::default()),
        })
    }

    /// Tag texts used before on records of the scope, the most used first.
    pub fn tag_texts(&self, scope: &Scope, limit: u32) -> Result<Vec<TagText>, Error> {
        self.inner.pool.search("list tags", |sql, book| people::tag_texts(sql, book, scope, limit))
    }

    /// One page of alarms, newest first.
    pub fn alarms(
        &self,
        scope: &Scope,
        query: &AlarmQuery,
        page: PageRequest,
    ) -> Result<Page<AlarmRow>, Error> {
        let read = |sql: &_| history::alarms(sql, &self.inner.serial, scope, query, page);
        self.inner.pool.look("list alarms", self.looker(scope), read)
    }

    /// By its id; `None` if there is none or it lies outside the scope.
    pub fn alarm(&self, scope: &Scope, id: u64) -> Result<Option<AlarmRow>, Error> {
        let read = |sql: &_| history::alarm_in_scope(sql, &self.inner.serial, scope, id);
        self.inner.pool.look("read an alarm", self.looker(scope), read)
    }

    fn looker<'a>(&'a self, scope: &'a Scope) -> Looker<'a> {
        Looker { scope, own: &self.inner.serial, now_us: (self.inner.clock)() }
    }

    /// How many alarms stand, by severity.
    pub fn alarm_counts(&self, scope: &Scope) -> Result<AlarmCounts, Error> {
        let mut counts = AlarmCounts::default();
        let read = |sql: &_| history::current_by_severity(sql, &self.inner.serial, scope);
        for (severity, count) in self.inner.pool.look("count alarms", self.looker(scope), read)? {
            match severity {
                Severity::Notice => counts.notice = count,
                Severity::Minor => counts.minor = count,
                Severity::Critical => counts.critical = count,
            }
        }
        Ok(counts)
    }

    /// One page of the audit trail, newest first.
    pub fn audit_trail(
        &self,
        scope: &Scope,
        query: &AuditQuery,
        page: PageRequest,
    ) -> Result<Page<AuditRow>, Error> {
        let read = |sql: &_| history::audit_trail(sql, &self.inner.serial, scope, query, page);
        self.inner.pool.look("read the audit trail", self.looker(scope), read)
    }

    /// By name.
    pub fn accounts(&self) -> Result<Vec<AccountRow>, Error> {
        self.inner.pool.read("list accounts", people::accounts)
    }

    /// Without regard to the case of letters.
    pub fn account(&self, name: &str) -> Result<Option<AccountRow>, Error> {
        self.inner.pool.read("read an account", |sql| people::account(sql, name))
    }

    /// By number. A contact of a department is shown to those who may read that department's, one of none to all.
    pub fn contacts(
        &self,
        scope: &Scope,
        query: &ContactQuery,
        page: PageRequest,
    ) -> Result<Page<Contact>, Error> {
        let looker = self.looker(scope);
        let read = |sql: &_| contacts::list(sql, scope.contacts(), query, page, looker.now_us);
        self.inner.pool.look("list contacts", looker, read)
    }

    /// Whosever it is.
    pub fn contact(&self, number: &str) -> Result<Option<Contact>, Error> {
        self.inner.pool.read("read a contact", |sql| contacts::contact(sql, number))
    }

    /// The name that stands beside a number, as in the lists of records.
    pub fn name_of_number(&self, scope: &Scope, number: &str) -> Result<Option<String>, Error> {
        let read = |sql: &_| Names::new(sql, scope.contacts()).of_number(number);
        self.inner.pool.read("read the name of a number", read)
    }

    /// The names of the users of a station's ports, as in the lists of records.
    pub fn names_of_ports(&self, scope: &Scope, station: &str) -> Result<BTreeMap<u16, String>, Error> {
        let read = |sql: &_| contacts::users_of(sql, scope.contacts(), station);
        self.inner.pool.read("read the users of ports", read)
    }

    /// Stations that this platform knows, by serial number.
    pub fn devices(&self) -> Result<Vec<Device>, Error> {
        self.inner.pool.read("list stations", stations::devices)
    }

    pub fn device(&self, serial: &str) -> Result<Option<Device>, Error> {
        self.inner.pool.read("read a station", |sql| stations::device(sql, serial))
    }

    /// A station that is registered no longer, as it was when it was removed last.
    pub fn former_device(&self, serial: &str) -> Result<Option<Device>, Error> {
        self.inner.pool.read("read a former station", |sql| stations::former_device(sql, serial))
    }

    /// By name.
    pub fn departments(&self) -> Result<Vec<Department>, Error> {
        self.inner.pool.read("list departments", stations::departments)
    }

    /// On a platform: entries of a station's journal that it has.
    pub fn arrived(&self, serial: &str) -> Result<Ranges, Error> {
        self.inner.pool.read("read what has come from a station", |sql| stations::arrived(sql, serial))
    }

    /// On a platform: what tells the entry of a station that it has under this number from others. `None`: it has none.
    pub fn entry_print(&self, serial: &str, entry: u64) -> Result<Option<EntryPrint>, Error> {
        self.inner
            .pool
            .read("look for an entry of a station", |sql| stations::entry_print(sql, serial, entry))
    }

    /// On a platform: the highest number of a station's records that it has; 0: none.
    pub fn highest_record(&self, serial: &str) -> Result<u64, Error> {
        self.inner.pool.read("look for a station's records", |sql| stations::highest_record(sql, serial))
    }

    /// On a station: entries of its journal that its platform has.
    pub fn synchronised(&self) -> Result<Ranges, Error> {
        let read = |sql: &_| stations::synchronised(sql, stations::THIS_BOX);
        self.inner.pool.read("read what the platform has", read)
    }

    /// Follows the journal from an entry on, as it stands.
    pub fn journal_tail(&self, from: u64) -> JournalTail {
        JournalTail::new(self.inner.journal_folder.clone(), self.inner.store.shared.clone(), from)
    }

    /// One entry as it stands at its place.
    ///
    /// # Errors
    /// `EntryUnreadable`: it is damaged, or another one.
    pub fn raw_entry(&self, place: Place, sequence: u64) -> Result<RawEntry, Error> {
        journal::read_raw(&self.inner.journal_folder, place, sequence)
    }

    /// Writes everything the catalog knows as text, in a fixed order: equal catalogs give equal bytes.
    ///
    /// # Errors
    /// `Io` when `out` fails.
    pub fn export(&self, out: &mut dyn Write) -> Result<(), Error> {
        let outcome = self.inner.pool.read("be exported", |sql| match dump(sql, out) {
            Ok(()) => Ok(Ok(())),
            Err(DumpError::Write(error)) => Ok(Err(error)),
            Err(DumpError::Sql(error)) => Err(error),
        })?;
        outcome.map_err(Error::io("write the export of", "catalog.sqlite"))
    }
}

fn allows(scope: &Scope, id: &RecordId, found: &Located) -> bool {
    scope.allows_record(&id.serial, found.port, found.start_us())
}
