//! Telephone numbers as integers. A number of up to 15 characters of `0`–`9`, `*`, `#`, `+` is its own row number, four
//! bits a character, so that a search judges a fragment without looking the number up. Any other text gets a negative
//! row number as it comes.

use rusqlite::{Connection, OptionalExtension, Result, params};

/// Characters of a number's end that `number_tail` keeps.
pub const TAIL_CHARACTERS: usize = 8;

const ALPHABET: &[u8; 13] = b"0123456789*#+";
const PACKED_CHARACTERS: usize = 15;

/// The integer of a plain number; `None` for any other text.
pub fn pack(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > PACKED_CHARACTERS {
        return None;
    }
    text.bytes().try_fold(0, |packed, byte| {
        let symbol = ALPHABET.iter().position(|&one| one == byte)?;
        Some(packed << 4 | (symbol as i64 + 1))
    })
}

/// The number that an integer stands for; `None` if it is a row of its own.
pub fn unpack(packed: i64) -> Option<String> {
    if packed <= 0 || packed >> (4 * PACKED_CHARACTERS) != 0 {
        return None;
    }
    let nibbles = (0..PACKED_CHARACTERS).rev().map(|place| (packed >> (4 * place) & 0xF) as usize);
    nibbles
        .skip_while(|&nibble| nibble == 0)
        .map(|nibble| Some(char::from(*ALPHABET.get(nibble.checked_sub(1)?)?)))
        .collect()
}

/// A fragment to look for, ready for plain numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub text: String,
    /// Integer and bits; `None`: no plain number contains it.
    packed: Option<(i64, u32)>,
}

impl Fragment {
    pub fn new(text: &str) -> Self {
        let packed = pack(text).map(|packed| (packed, 4 * text.len() as u32));
        Self { text: text.to_owned(), packed }
    }

    /// Whether the plain number `number` (a positive integer of `pack`) contains it.
    pub fn is_in_packed(&self, number: i64) -> bool {
        let Some((fragment, bits)) = self.packed else { return false };
        let mask = (1i64 << bits) - 1;
        let mut rest = number;
        while rest >= fragment {
            if rest & mask == fragment {
                return true;
            }
            rest >>= 4;
        }
        false
    }

    /// Whether the number of a row contains it.
    pub fn is_in(&self, sql: &Connection, number: i64) -> Result<bool> {
        if number > 0 {
            return Ok(self.is_in_packed(number));
        }
        let text = text_of(sql, number)?;
        Ok(text.is_some_and(|text| text.contains(&self.text)))
    }
}

/// The text of a row of `number`.
pub fn text_of(sql: &Connection, number: i64) -> Result<Option<String>> {
    match unpack(number) {
        Some(text) => Ok(Some(text)),
        None => sql
            .prepare_cached("SELECT text FROM number WHERE id = ?1")?
            .query_row([number], |row| row.get(0))
            .optional(),
    }
}

/// The row of a number that occurs; `None`: it occurs nowhere.
pub fn find(sql: &Connection, text: &str) -> Result<Option<i64>> {
    let sql_text = match pack(text) {
        Some(packed) => {
            let mut known = sql.prepare_cached("SELECT 1 FROM number WHERE id = ?1")?;
            return Ok(known.exists([packed])?.then_some(packed));
        }
        None => "SELECT id FROM number WHERE id < 0 AND text = ?1",
    };
    sql.prepare_cached(sql_text)?.query_row([text], |row| row.get(0)).optional()
}

/// The row of a number, made if it is new.
pub fn take_in(sql: &Connection, text: &str) -> Result<i64> {
    if let Some(id) = find(sql, text)? {
        return Ok(id);
    }
    let id = match pack(text) {
        Some(packed) => packed,
        None => {
            let lowest = "SELECT coalesce(min(id), 0) FROM number WHERE id < 0";
            sql.prepare_cached(lowest)?.query_row([], |row| row.get::<_, i64>(0))? - 1
        }
    };
    sql.prepare_cached("INSERT INTO number (id, text) VALUES (?1, ?2)")?.execute(params![id, text])?;
    sql.prepare_cached("UPDATE applied SET numbers = numbers + 1")?.execute([])?;
    let mut insert = sql.prepare_cached("INSERT OR IGNORE INTO number_tail VALUES (?1, ?2)")?;
    for (begin, _) in text.char_indices() {
        insert.execute(params![beginning(&text[begin..]), id])?;
    }
    Ok(id)
}

/// As much of a text as `number_tail` keeps.
pub fn beginning(text: &str) -> &str {
    text.char_indices().nth(TAIL_CHARACTERS).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_plain_number_is_not_packed() {
        for text in ["", "anonymous", "1234567890123456", "12 34", "１２３", "%", "_"] {
            assert_eq!(pack(text), None, "{text}");
        }
        assert_eq!(pack("0"), Some(1));
        assert_eq!(pack("+861"), Some(0xD972));
    }

    proptest! {
        #[test]
        fn packing_keeps_the_number(text in "[0-9*#+]{1,15}") {
            let packed = pack(&text).unwrap();
            prop_assert!(packed > 0);
            prop_assert_eq!(unpack(packed), Some(text));
        }

        #[test]
        fn any_integer_is_a_number_or_none(packed: i64) {
            if let Some(text) = unpack(packed) {
                prop_assert_eq!(pack(&text), Some(packed));
            }
        }

        #[test]
        fn a_fragment_is_found_exactly_where_it_is(number in "[0-3*]{1,15}", fragment in "[0-3*]{1,4}") {
            let found = Fragment::new(&fragment).is_in_packed(pack(&number).unwrap());
            prop_assert_eq!(found, number.contains(&fragment));
        }
    }
}
