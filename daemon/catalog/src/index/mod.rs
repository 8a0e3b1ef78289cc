//! The catalog: an SQLite index of the journal. One connection applies entries, others search.

pub mod allowed;
pub mod apply;
pub mod book;
pub mod combo;
pub mod contacts;
pub mod dump;
pub mod history;
pub mod lists;
#[cfg(test)]
pub mod made;
pub mod merge;
pub mod numbers;
pub mod people;
pub mod places;
pub mod plan;
pub mod rows;
pub mod schema;
pub mod search;
pub mod sight;
pub mod sn;
pub mod sources;
pub mod stations;
pub mod statistics;
pub mod tallies;

/// Reads a column that holds one of an enumeration's names.
pub fn named<T>(row: &rusqlite::Row<'_>, at: usize, from_name: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let value = row.get_ref(at)?;
    let name = value.as_str()?;
    from_name(name).ok_or_else(|| {
        let unknown = format!("`{name}` is no name of this release");
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, unknown.into())
    })
}
