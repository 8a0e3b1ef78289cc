//! Pages of records: the keys of one page, how many match in all, and the rows.

use std::ops::ControlFlow;

use rusqlite::{Connection, Result};

use crate::index::book::Book;
use crate::index::plan::known_count;
use crate::index::rows;
use crate::index::search::Filter;
use crate::index::sources::walk;
use crate::query::{Cursor, Page, PageRequest, RecordQuery};
use crate::record::RecordRow;
use crate::scope::Scope;

/// Rows in order of time that are looked at for the count's sake, about 1 ms: whoever searches waits for the page, and
/// reads "more than 300" as well as a number.
const COUNTING_WORK: u64 = 2_500;
/// Records that the way is chosen for when it is to count as well.
const COUNTED_ROWS: u64 = 500;

pub fn records(
    sql: &Connection,
    book: &Book,
    scope: &Scope,
    query: &RecordQuery,
    page: PageRequest,
) -> Result<Page<RecordRow>> {
    let Some(mut filter) = Filter::of(sql, book, scope, query)? else {
        let total = (page.count_up_to > 0).then_some(0);
        return Ok(Page { total, ..Page::empty() });
    };
    let limit = page.held_limit();
    let most = u64::from(page.count_up_to);
    let mut total = if most > 0 { known_count(&filter, most)? } else { None };
    let count_rows = most > 0 && total.is_none();
    // Counting begins at the newest record, wherever the page does.
    let after = page.after.map_or(i64::MAX, |cursor| cursor.0);
    if !count_rows {
        filter.before = filter.before.min(after);
    }

    let mut keys = Vec::with_capacity(limit + 1);
    let (mut counted, mut all_counted) = (0, true);
    // What has to be looked at row by row is counted only as far as it is cheap.
    let page_rows = limit as u64 + 1;
    let wanted = if count_rows && !filter.looks_at_rows() {
        page_rows.max(COUNTED_ROWS.min(most + 1))
    } else {
        page_rows
    };
    walk(&filter, wanted, &mut |row, work| {
        counted += 1;
        if row.key < after && keys.len() <= limit {
            keys.push(row.key);
        }
        let page_full = keys.len() > limit;
        let count_on = count_rows && counted <= most && work < COUNTING_WORK;
        if page_full && !count_on {
            all_counted = false;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    if count_rows {
        total = Some(counted);
    }

    let more = keys.len() > limit;
    keys.truncate(limit);
    let next = keys.last().filter(|_| more).map(|key| Cursor(*key));
    Ok(Page {
        items: rows::fetch(sql, &keys, scope.contacts())?,
        next,
        total: total.map(|total| total.min(most)),
        total_is_least: count_rows && !all_counted || total.is_some_and(|total| total > most),
    })
}
