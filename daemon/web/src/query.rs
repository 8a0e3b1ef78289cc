//! Reads the parameters behind `?` one by one, so that every mistake names its parameter; an unknown parameter is
//! refused, because a misspelt filter would find everything.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use axum::extract::FromRequestParts;
use hyper::http::request::Parts;

use crate::fields::is_text;
use crate::problem::Problem;

/// The parameters that have not been read yet.
#[derive(Clone, Debug, Default)]
pub struct Query {
    values: BTreeMap<String, Vec<String>>,
}

impl Query {
    pub fn parse(text: &str) -> Self {
        let mut values = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            values.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Self { values }
    }

    /// Reads a parameter that may stand once; `expected` completes "must be …".
    pub fn one<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        match self.values.remove(name).as_deref() {
            None => Ok(None),
            Some([value]) => parse(value).map(Some).ok_or_else(|| Problem::field_invalid(name, expected)),
            Some(_) => Err(Problem::field_invalid(name, "given once")),
        }
    }

    pub fn required<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Problem> {
        self.one(name, expected, parse)?.ok_or_else(|| Problem::field_missing(name))
    }

    /// Reads a parameter that may be repeated.
    pub fn many<T, C: FromIterator<T>>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<C, Problem> {
        let values = self.values.remove(name).unwrap_or_default();
        values
            .iter()
            .map(|value| parse(value))
            .collect::<Option<C>>()
            .ok_or_else(|| Problem::field_invalid(name, expected))
    }

    pub fn text(&mut self, name: &str, characters: RangeInclusive<usize>) -> Result<Option<String>, Problem> {
        let expected = format!("text of {} to {} characters", characters.start(), characters.end());
        self.one(name, &expected, |value| is_text(value, &characters).then(|| value.to_owned()))
    }

    pub fn whole(&mut self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Problem> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.one(name, &expected, |value| whole_of(value).filter(|number| range.contains(number)))
    }

    /// Seconds, with a fraction if need be, as milliseconds.
    pub fn seconds_as_ms(&mut self, name: &str) -> Result<Option<u64>, Problem> {
        self.one(name, "seconds from 0 to 1000000000", |value| {
            let seconds: f64 = value.parse().ok()?;
            (0.0..=1e9).contains(&seconds).then(|| (seconds * 1000.0).round() as u64)
        })
    }

    /// A moment by RFC 3339, as microseconds of UTC.
    pub fn time_us(&mut self, name: &str) -> Result<Option<i64>, Problem> {
        self.one(name, "a time such as 2026-03-01T08:00:00+08:00", |value| {
            chrono::DateTime::parse_from_rfc3339(value).ok().map(|time| time.timestamp_micros())
        })
    }

    /// # Errors
    /// `field_unknown` for a parameter that was never asked for.
    pub fn finish(self) -> Result<(), Problem> {
        match self.values.keys().next() {
            Some(name) => Err(Problem::field_unknown(name)),
            None => Ok(()),
        }
    }
}

/// A number of digits only: no sign, no blank.
pub fn whole_of(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;
    use proptest::prelude::*;

    fn refused<T: std::fmt::Debug>(result: Result<T, Problem>) -> (Code, String) {
        let problem = result.expect_err("refused");
        (problem.code, problem.params["field"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn numbers_times_and_repeats_are_read() {
        let mut query =
            Query::parse("limit=20&port=1&port=7&from=2026-03-01T08:00:00%2B08:00&min_duration_s=1.5");
        assert_eq!(query.whole("limit", 1..=200).expect("read"), Some(20));
        assert_eq!(query.many::<u64, Vec<_>>("port", "a port", whole_of).expect("read"), [1, 7]);
        assert_eq!(query.time_us("from").expect("read"), Some(1_772_323_200_000_000));
        assert_eq!(query.seconds_as_ms("min_duration_s").expect("read"), Some(1500));
        assert_eq!(query.time_us("to").expect("read"), None);
        query.finish().expect("nothing left");
    }

    #[test]
    fn each_mistake_names_its_parameter() {
        for wrong in [
            "limit=0",
            "limit=201",
            "limit=-1",
            "limit=",
            "limit=%2B5",
            "limit=1&limit=2",
            "limit=99999999999999999999",
        ] {
            let result = Query::parse(wrong).whole("limit", 1..=200);
            assert_eq!(refused(result), (Code::FieldInvalid, "limit".into()), "{wrong}");
        }
        for wrong in ["from=", "from=yesterday", "from=2026-03-01", "from=2026-13-01T00:00:00Z"] {
            assert_eq!(
                refused(Query::parse(wrong).time_us("from")),
                (Code::FieldInvalid, "from".into()),
                "{wrong}"
            );
        }
        for wrong in ["s=-1", "s=NaN", "s=inf", "s=1e99", "s=x"] {
            assert_eq!(
                refused(Query::parse(wrong).seconds_as_ms("s")),
                (Code::FieldInvalid, "s".into()),
                "{wrong}"
            );
        }
        assert_eq!(refused(Query::parse("colour=red").finish()), (Code::FieldUnknown, "colour".into()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let mut query = Query::parse(&text);
            let _ = query.whole("a", 0..=9);
            let _ = query.time_us("b");
            let _ = query.seconds_as_ms("c");
            let _ = query.finish();
        }
    }
}
