//! Accounts, and the tag texts that people used.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Result, Row};

use crate::account::{Account, AccountRow};
use crate::index::apply::unsigned;
use crate::index::book::Book;
use crate::index::places::PlaceSet;
use crate::query::{RecordQuery, TagText};
use crate::scope::Scope;

const ACCOUNT_COLUMNS: &str = "name, display_name, password_hash, rights, must_change, disabled, language, created_us, last_login_us, department";

pub fn accounts(connection: &Connection) -> Result<Vec<AccountRow>> {
    let sql = format!("SELECT {ACCOUNT_COLUMNS} FROM account ORDER BY name");
    connection.prepare_cached(&sql)?.query_map([], account_row)?.collect()
}

pub fn account(connection: &Connection, name: &str) -> Result<Option<AccountRow>> {
    let sql = format!("SELECT {ACCOUNT_COLUMNS} FROM account WHERE name = ?1");
    connection.prepare_cached(&sql)?.query_row([name], account_row).optional()
}

fn account_row(row: &Row<'_>) -> Result<AccountRow> {
    let rights: String = row.get(3)?;
    Ok(AccountRow {
        account: Account {
            name: row.get(0)?,
            display_name: row.get(1)?,
            password_hash: row.get(2)?,
            rights: rights.split_whitespace().map(str::to_owned).collect(),
            must_change: row.get(4)?,
            disabled: row.get(5)?,
            language: row.get(6)?,
            department: row.get(9)?,
        },
        created_us: row.get(7)?,
        last_login_us: row.get(8)?,
    })
}

/// Tag texts on records of the scope, the most used first.
pub fn tag_texts(connection: &Connection, book: &Book, scope: &Scope, limit: u32) -> Result<Vec<TagText>> {
    let Some(places) = PlaceSet::of(book, scope, &RecordQuery::default(), (0, i64::MAX)) else {
        return all_tag_texts(connection, limit);
    };
    let mut find = connection
        .prepare_cached("SELECT DISTINCT t.text, t.key, s.place FROM tag t JOIN skim s ON s.key = t.key")?;
    let mut rows = find.query([])?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        if places.takes(row.get(2)?, row.get(1)?) {
            *counts.entry(row.get(0)?).or_default() += 1;
        }
    }
    let mut texts: Vec<TagText> = counts.into_iter().map(|(text, count)| TagText { text, count }).collect();
    texts.sort_by_key(|text| Reverse(text.count));
    texts.truncate(limit as usize);
    Ok(texts)
}

fn all_tag_texts(connection: &Connection, limit: u32) -> Result<Vec<TagText>> {
    connection
        .prepare_cached(
            "SELECT text, count(DISTINCT key) AS uses FROM tag GROUP BY text ORDER BY uses DESC, text LIMIT ?1",
        )?
        .query_map([limit], |row| Ok(TagText { text: row.get(0)?, count: unsigned(row.get(1)?) }))?
        .collect()
}
