//! Where the entries of this box's own records lie in its journal: what a station sends once more when it is asked to.

use recording::RecordId;
use rusqlite::params;

use crate::catalog::Catalog;
use crate::error::Error;
use crate::index::apply::{key_from_us, unsigned};
use crate::index::rows;
use crate::journal::Place;

impl Catalog {
    /// Sequence number and place of the entry of this box's record `sequence`, as far as the catalog shows it.
    pub fn record_entry(&self, sequence: u64) -> Result<Option<(u64, Place)>, Error> {
        let id = RecordId { serial: self.inner.serial.clone(), sequence };
        let found = self.inner.pool.read("look for a record", |sql| rows::locate(sql, &id))?;
        Ok(found.map(|found| (found.entry, found.place)))
    }

    /// The same of all of this box's records whose start lies from `from_us` on and before `to_us` (microseconds of UTC
    /// since 1970), deleted ones included, oldest first.
    pub fn record_entries(&self, from_us: i64, to_us: i64) -> Result<Vec<(u64, Place)>, Error> {
        self.inner.pool.read("list records", |sql| {
            sql.prepare_cached(
                "SELECT r.entry, r.entry_segment, r.entry_offset FROM record r JOIN station st ON st.id = r.station
                 WHERE st.serial = ?1 AND r.key >= ?2 AND r.key < ?3 ORDER BY r.key",
            )?
            .query_map(
                params![self.inner.serial, key_from_us(from_us), key_from_us(to_us)],
                |row| {
                    let number = |at| row.get(at).map(unsigned);
                    Ok((number(0)?, Place { segment: number(1)?, offset: number(2)? }))
                },
            )?
            .collect()
        })
    }
}
