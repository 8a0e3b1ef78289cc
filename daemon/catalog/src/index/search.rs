//! Finds the keys of records that a query asks for, newest first.
//!
//! A query is turned into a `Filter` that can judge one narrow row of `skim`; then the way is chosen that has to look
//! at the fewest rows (`sources`). What is known beforehand makes the choice: how many records each combination has,
//! and which numbers contain a fragment. A query of which one member matches nothing ends here, without a look at
//! any record.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use line::CallType;
use rusqlite::{Connection, Result, params};

use crate::index::allowed::{Allowed, AllowedCombos, asks_for};
use crate::index::apply::{key_from_us, unsigned, us_from_key};
use crate::index::book::Book;
use crate::index::combo::{self, Overlap};
use crate::index::contacts::{self, Names};
use crate::index::numbers::{self, Fragment};
use crate::index::places::PlaceSet;
use crate::index::sn::local_span_of_sn;
use crate::query::RecordQuery;
use crate::record::sn_of;
use crate::scope::{Only, Scope};

/// A fragment that stands in more numbers than this, and than this part of all, is only looked for in the numbers of
/// each record.
const FEW_NUMBERS: i64 = 1_500;
const FEW_OF_NUMBERS: i64 = 1_000;
/// Scores are 1 to 10.
const HIGHEST_SCORE: u8 = 10;
/// The tails that begin with parameter 1.
pub const TAILS_WITH: &str = "tail >= ?1 AND tail < ?1 || char(1114111)";

/// The narrow row that every filter can be judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skim {
    pub key: i64,
    pub place: i64,
    pub combo: i64,
    pub duration_ms: i64,
    pub line: Option<i64>,
    pub peer: Option<i64>,
}

/// A query, ready to judge rows.
pub struct Filter<'c> {
    sql: &'c Connection,
    pub book: &'c Book,
    /// Keys from, and before.
    pub from: i64,
    pub before: i64,
    pub combos: AllowedCombos,
    /// Records of all combinations, asked for or not; and those of them that are deleted.
    pub all_records: u64,
    pub deleted_records: u64,
    /// `None`: every place.
    pub places: Option<PlaceSet>,
    min_duration_ms: Option<u64>,
    max_duration_ms: Option<u64>,
    pub numbers: Vec<NumberTest>,
    /// Each a set of keys from an index of its own; a record has to be in all of them.
    pub keys: Vec<HashSet<i64>>,
    pub text: Option<TextTest>,
    sn: Option<String>,
    through_entry: Option<u64>,
}

/// A fragment of a number on one side.
pub struct NumberTest {
    pub side: Side,
    pub fragment: Fragment,
    /// The numbers that contain it, if they are few.
    pub few: Option<Vec<i64>>,
    /// Numbers that are not plain, looked at before.
    seen: RefCell<HashMap<i64, bool>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Either,
    Line,
    Peer,
    Caller,
    Callee,
}

impl NumberTest {
    fn fits(&self, sql: &Connection, number: i64) -> Result<bool> {
        if number > 0 {
            return Ok(self.fragment.is_in_packed(number));
        }
        if let Some(fits) = self.seen.borrow().get(&number) {
            return Ok(*fits);
        }
        let fits = self.fragment.is_in(sql, number)?;
        self.seen.borrow_mut().insert(number, fits);
        Ok(fits)
    }
}

/// Records with the text in their note, or a contact of that name on either side.
pub struct TextTest {
    pub keys: HashSet<i64>,
    pub numbers: HashSet<i64>,
}

impl<'c> Filter<'c> {
    /// `None`: nothing can match.
    pub fn of(
        sql: &'c Connection,
        book: &'c Book,
        scope: &Scope,
        query: &RecordQuery,
    ) -> Result<Option<Self>> {
        let inside = (query.from_us.map_or(0, key_from_us), query.to_us.map_or(i64::MAX, key_from_us));
        let mut filter = Self {
            sql,
            book,
            from: inside.0,
            before: inside.1,
            combos: AllowedCombos::default(),
            all_records: 0,
            deleted_records: 0,
            places: PlaceSet::of(book, scope, query, inside),
            min_duration_ms: query.min_duration_ms,
            max_duration_ms: query.max_duration_ms,
            numbers: Vec::new(),
            keys: Vec::new(),
            text: None,
            sn: fragment(&query.sn).map(str::to_owned),
            through_entry: query.through_entry,
        };
        filter.load_combos(query)?;
        let mut possible = filter.from < filter.before
            && filter.combos.values().next().is_some()
            && filter.places.as_ref().is_none_or(|places| !places.members().is_empty());
        if let Some(sn) = &filter.sn {
            possible &= filter.narrow_to_sn(&sn.clone());
        }
        Ok(if possible && filter.load_numbers(query)? && filter.load_keys(query, scope)? {
            Some(filter)
        } else {
            None
        })
    }

    fn load_combos(&mut self, query: &RecordQuery) -> Result<()> {
        let mut find = self.sql.prepare_cached("SELECT id, records FROM combo WHERE records > 0")?;
        let mut rows = find.query([])?;
        while let Some(row) = rows.next()? {
            let (id, records): (i64, u64) = (row.get(0)?, unsigned(row.get(1)?));
            let Some(combo) = self.book.combo(id) else { continue };
            self.all_records += records;
            self.deleted_records += if combo.deleted { records } else { 0 };
            let length = combo::overlap(combo.length_class, query.min_duration_ms, query.max_duration_ms);
            if length != Overlap::None && asks_for(query, combo) {
                let part_length = length == Overlap::Part;
                self.combos.insert(id, Allowed { combo: *combo, records, part_length });
            }
        }
        Ok(())
    }

    /// Holds the keys to the time that a recording number, or its beginning, can mean in the offsets that occur.
    fn narrow_to_sn(&mut self, sn: &str) -> bool {
        let Some((first_us, last_us)) = local_span_of_sn(sn) else { return false };
        let offsets: BTreeSet<i32> = self.combos.values().map(|allowed| allowed.combo.offset_s).collect();
        let (Some(west), Some(east)) = (offsets.first(), offsets.last()) else { return false };
        self.from = self.from.max(key_from_us(first_us - i64::from(*east) * 1_000_000));
        self.before = self.before.min(key_from_us(last_us - i64::from(*west) * 1_000_000));
        self.from < self.before
    }

    /// `false`: a fragment stands in no number.
    fn load_numbers(&mut self, query: &RecordQuery) -> Result<bool> {
        let asked = [
            (Side::Line, &query.line_number),
            (Side::Peer, &query.peer_number),
            (Side::Caller, &query.caller),
            (Side::Callee, &query.callee),
            (Side::Either, &query.number),
        ];
        for (side, text) in asked {
            let Some(text) = fragment(text) else { continue };
            let fragment = Fragment::new(text);
            let few = self.numbers_with(&fragment, FEW_NUMBERS.max(self.all_numbers()? / FEW_OF_NUMBERS))?;
            if few.as_ref().is_some_and(Vec::is_empty) {
                return Ok(false);
            }
            self.numbers.push(NumberTest { side, fragment, few, seen: RefCell::default() });
        }
        Ok(true)
    }

    /// `None`: there are too many to list.
    fn numbers_with(&self, fragment: &Fragment, few: i64) -> Result<Option<Vec<i64>>> {
        let begin = numbers::beginning(&fragment.text);
        let sql = format!("SELECT number FROM number_tail WHERE {TAILS_WITH} LIMIT ?2");
        let mut find = self.sql.prepare_cached(&sql)?;
        let mut ids: Vec<i64> =
            find.query_map(params![begin, few], |row| row.get(0))?.collect::<Result<_>>()?;
        if ids.len() as i64 == few {
            return Ok(None);
        }
        ids.sort_unstable();
        ids.dedup();
        if begin.len() < fragment.text.len() {
            let mut whole = Vec::new();
            for id in ids {
                if fragment.is_in(self.sql, id)? {
                    whole.push(id);
                }
            }
            ids = whole;
        }
        Ok(Some(ids))
    }

    /// `false`: a score, tag, text or call is nowhere.
    fn load_keys(&mut self, query: &RecordQuery, scope: &Scope) -> Result<bool> {
        let inside = (self.from, self.before);
        if query.min_score.is_some() || query.max_score.is_some() {
            let mut keys = HashSet::new();
            for score in query.min_score.unwrap_or(0)..=query.max_score.unwrap_or(HIGHEST_SCORE) {
                let of_score = "SELECT key FROM annotation WHERE score = ?1 AND key >= ?2 AND key < ?3";
                keys.extend(self.set(of_score, params![score, inside.0, inside.1])?);
            }
            self.keys.push(keys);
        }
        if let Some(tag) = fragment(&query.tag) {
            let keys = self.set(
                "WITH RECURSIVE leap (text) AS (
                     SELECT min(text) FROM tag
                     UNION ALL
                     SELECT (SELECT min(t.text) FROM tag t WHERE t.text > leap.text) FROM leap WHERE leap.text IS NOT NULL
                 )
                 SELECT t.key FROM leap CROSS JOIN tag t INDEXED BY tag_text ON t.text = leap.text
                 WHERE instr(lower(leap.text), lower(?1)) > 0 AND t.key >= ?2 AND t.key < ?3",
                params![tag, inside.0, inside.1],
            )?;
            self.keys.push(keys);
        }
        if let Some(call_id) = fragment(&query.call_id) {
            let keys = self.set("SELECT key FROM record WHERE call_id = ?1", [call_id])?;
            self.keys.push(keys);
        }
        if let Some(text) = fragment(&query.text) {
            let keys = self.set(
                "SELECT key FROM annotation INDEXED BY annotation_note
                 WHERE note IS NOT NULL AND key >= ?2 AND key < ?3 AND instr(lower(note), lower(?1)) > 0",
                params![text, inside.0, inside.1],
            )?;
            let numbers = self.numbers_of_contacts(text, scope.contacts())?;
            if keys.is_empty() && numbers.is_empty() {
                return Ok(false);
            }
            self.text = Some(TextTest { keys, numbers });
        }
        Ok(self.keys.iter().all(|keys| !keys.is_empty()))
    }

    /// Numbers beside which a name with this fragment stands for who may read the contacts of these departments: whom
    /// a number belongs to must not come out by searching what lists do not show.
    fn numbers_of_contacts(&self, name: &str, departments: &Only<String>) -> Result<HashSet<i64>> {
        let sql = "SELECT number, extension, outside_number, name, department FROM contact
             WHERE instr(lower(name), lower(?1)) > 0";
        let mut find = self.sql.prepare_cached(sql)?;
        let mut rows = find.query([name])?;
        let mut names = Names::new(self.sql, departments);
        let mut ids = HashSet::new();
        while let Some(row) = rows.next()? {
            if !contacts::may_read(departments, row.get_ref(4)?.as_str()?) {
                continue;
            }
            for column in 0..3 {
                let number = row.get_ref(column)?.as_str()?;
                let Some(id) = numbers::find(self.sql, number)? else { continue };
                if names.of_number(number)?.as_deref() == Some(row.get_ref(3)?.as_str()?) {
                    ids.insert(id);
                }
            }
        }
        Ok(ids)
    }

    fn set(&self, sql: &str, params: impl rusqlite::Params) -> Result<HashSet<i64>> {
        self.sql.prepare_cached(sql)?.query_map(params, |row| row.get(0))?.collect()
    }

    /// Numbers that occur in records.
    fn all_numbers(&self) -> Result<i64> {
        self.sql.prepare_cached("SELECT numbers FROM applied")?.query_row([], |row| row.get(0))
    }

    /// Whether anything beside place and combination has to be looked at in each row.
    pub fn looks_at_rows(&self) -> bool {
        self.sn.is_some()
            || self.through_entry.is_some()
            || self.text.is_some()
            || !self.numbers.is_empty()
            || !self.keys.is_empty()
            || self.combos.values().any(|allowed| allowed.part_length)
    }

    pub fn asks_for_place(&self, place: i64, key: i64) -> bool {
        self.places.as_ref().is_none_or(|places| places.takes(place, key))
    }

    /// Whether the record of this row is asked for.
    pub fn takes(&self, row: &Skim) -> Result<bool> {
        let Some(allowed) = self.combos.get(row.combo) else { return Ok(false) };
        if row.key < self.from || row.key >= self.before {
            return Ok(false);
        }
        if !self.asks_for_place(row.place, row.key) {
            return Ok(false);
        }
        if allowed.part_length {
            let ms = u64::try_from(row.duration_ms).unwrap_or(0);
            let inside = self.min_duration_ms.is_none_or(|min| ms >= min)
                && self.max_duration_ms.is_none_or(|max| ms <= max);
            if !inside {
                return Ok(false);
            }
        }
        if !self.keys.iter().all(|keys| keys.contains(&row.key)) {
            return Ok(false);
        }
        if let Some(text) = &self.text {
            let named = |number: Option<i64>| number.is_some_and(|number| text.numbers.contains(&number));
            if !(text.keys.contains(&row.key) || named(row.line) || named(row.peer)) {
                return Ok(false);
            }
        }
        for test in &self.numbers {
            if !self.number_fits(test, row, allowed.combo.call_type)? {
                return Ok(false);
            }
        }
        let named =
            |sn: &String| sn_of(us_from_key(row.key), allowed.combo.offset_s).starts_with(sn.as_str());
        Ok(self.sn.as_ref().is_none_or(named) && self.stood_then(row.key)?)
    }

    /// Whether the record was known when the query's last entry was written.
    fn stood_then(&self, key: i64) -> Result<bool> {
        let Some(through) = self.through_entry else { return Ok(true) };
        let mut find = self.sql.prepare_cached("SELECT entry FROM record WHERE key = ?1")?;
        find.query_row([key], |row| row.get(0).map(|entry| unsigned(entry) <= through))
    }

    fn number_fits(&self, test: &NumberTest, row: &Skim, call_type: CallType) -> Result<bool> {
        let (line, peer) = sides(test.side, call_type);
        for number in [row.line.filter(|_| line), row.peer.filter(|_| peer)].into_iter().flatten() {
            if test.fits(self.sql, number)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What share of the rows that place, combination and time let pass the rest of the query lets pass: a guess, from
    /// how many numbers there are and how many of them are asked for.
    pub fn guessed_share(&self) -> Result<f64> {
        let numbers = self.all_numbers()?.max(1) as f64;
        let mut share: f64 = 1.0;
        for test in &self.numbers {
            share *= test.few.as_ref().map_or(0.02, |few| (few.len() as f64 / numbers).min(1.0));
        }
        if let Some(text) = &self.text {
            let records = self.all_records.max(1) as f64;
            share *= (text.keys.len() as f64 / records + text.numbers.len() as f64 / numbers).min(1.0);
        }
        if self.combos.values().any(|allowed| allowed.part_length) {
            share *= 0.3;
        }
        Ok(share)
    }

    pub fn sql(&self) -> &'c Connection {
        self.sql
    }
}

/// Whether line and peer number are to be looked at, for a call of this type.
fn sides(side: Side, call_type: CallType) -> (bool, bool) {
    use CallType::{IncomingAnswered, IncomingMissed, OutgoingAnswered, OutgoingUnanswered, Unknown};
    match (side, call_type) {
        (Side::Either, _) | (Side::Caller | Side::Callee, Unknown) => (true, true),
        (Side::Line, _) => (true, false),
        (Side::Peer, _) => (false, true),
        (Side::Caller, IncomingAnswered | IncomingMissed) => (false, true),
        (Side::Caller, OutgoingAnswered | OutgoingUnanswered) => (true, false),
        (Side::Callee, IncomingAnswered | IncomingMissed) => (true, false),
        (Side::Callee, OutgoingAnswered | OutgoingUnanswered) => (false, true),
    }
}

/// An empty fragment is no filter.
fn fragment(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
