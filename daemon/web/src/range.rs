//! Byte ranges (RFC 9110 clause 14): which part of a file a player asks for.

use std::ops::Range;

use hyper::header::{self, HeaderMap};

use crate::problem::{Code, Problem};

/// What of `length` bytes a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// 200: everything. Also for what we need not understand: other units, several ranges, a stale `If-Range`.
    All,
    /// 206.
    Part(Range<u64>),
}

/// # Errors
/// `range_not_satisfiable` when the range begins behind the end.
pub fn wanted(headers: &HeaderMap, etag: &str, length: u64) -> Result<Wanted, Problem> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let stale = text(header::IF_RANGE).is_some_and(|known| known != etag);
    let Some(range) = text(header::RANGE).filter(|_| !stale).and_then(parse) else { return Ok(Wanted::All) };
    let (start, end) = match range {
        Asked::From(start) => (start, length),
        Asked::Between(start, last) => (start, last.saturating_add(1).min(length)),
        Asked::Last(count) => (length.saturating_sub(count), length),
    };
    if start >= end {
        let title = format!("The range lies outside the {length} bytes there are.");
        return Err(Problem::new(Code::RangeNotSatisfiable, title).with("bytes", length));
    }
    Ok(Wanted::Part(start..end))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    From(u64),
    /// Both included.
    Between(u64, u64),
    Last(u64),
}

fn parse(text: &str) -> Option<Asked> {
    let number = crate::query::whole_of;
    let (unit, ranges) = text.split_once('=')?;
    let (start, end) = ranges.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match (start.trim(), end.trim()) {
        ("", last) => Some(Asked::Last(number(last)?)),
        (start, "") => Some(Asked::From(number(start)?)),
        (start, end) => {
            let (start, end) = (number(start)?, number(end)?);
            (start <= end).then_some(Asked::Between(start, end))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask(range: &str) -> Result<Wanted, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().expect("a header"));
        wanted(&headers, "\"tag\"", 100)
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (range, part) in [
            ("bytes=0-", 0..100),
            ("bytes=0-0", 0..1),
            ("bytes=10-19", 10..20),
            ("bytes=90-1000", 90..100),
            ("bytes=-10", 90..100),
            ("bytes=-1000", 0..100),
            ("Bytes= 5 - 6 ", 5..7),
        ] {
            assert_eq!(ask(range).expect(range), Wanted::Part(part), "{range}");
        }
        for all in ["items=0-1", "bytes=0-1,5-6", "bytes=5-4", "bytes", "bytes=a-b", "bytes=-", "bytes=--5"] {
            assert_eq!(ask(all).expect(all), Wanted::All, "{all}");
        }
        for outside in ["bytes=100-", "bytes=200-300", "bytes=-0"] {
            assert_eq!(ask(outside).expect_err(outside).code, Code::RangeNotSatisfiable, "{outside}");
        }
    }

    #[test]
    fn a_part_of_something_older_is_not_given() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=0-9".parse().expect("a header"));
        headers.insert(header::IF_RANGE, "\"other\"".parse().expect("a header"));
        assert_eq!(wanted(&headers, "\"tag\"", 100).expect("all"), Wanted::All);
        headers.insert(header::IF_RANGE, "\"tag\"".parse().expect("a header"));
        assert_eq!(wanted(&headers, "\"tag\"", 100).expect("a part"), Wanted::Part(0..10));
    }

    proptest! {
        #[test]
        fn a_part_always_lies_within(range in "(bytes=)?[0-9,a-]{0,24}", length in 0u64..1000) {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().expect("a header"));
            if let Ok(Wanted::Part(part)) = wanted(&headers, "", length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }
    }
}
