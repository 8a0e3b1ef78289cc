//! Which alarms stand, so that raising one twice is one alarm, and a flood of raisings is not a flood of entries.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::alarm::{AlarmCode, AlarmKey, AlarmRow, Params, REASON};
use crate::entry::{AlarmCleared, AlarmRaised, Body};

/// Repeats of a standing alarm are written down together, at most this often.
const REPEATS_WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// But one for another reason is what people have to read now.
const REASONS_WRITTEN_EVERY: Duration = Duration::from_secs(1);

/// Alarms that stand. Not filled in while the catalog is being made again: raisings and clearings are then all written,
/// and the catalog sorts them out.
#[derive(Default)]
pub struct AlarmBook {
    standing: Mutex<Option<HashMap<AlarmKey, Standing>>>,
}

pub struct Standing {
    /// Raisings that are not written yet.
    repeats: u64,
    params: Params,
    written: Instant,
}

/// The book, held while an alarm changes: two raisings of one alarm are one behind the other.
pub struct Open<'a>(MutexGuard<'a, Option<HashMap<AlarmKey, Standing>>>);

impl AlarmBook {
    pub fn open(&self) -> Open<'_> {
        Open(self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Open<'_> {
    pub fn is_filled(&self) -> bool {
        self.0.is_some()
    }

    /// Fills the book from the catalog's current alarms. Those of a newer release cannot be raised by this one.
    pub fn fill(&mut self, current: &[AlarmRow]) {
        let standing = current.iter().filter_map(|alarm| {
            let code = AlarmCode::from_name(&alarm.code)?;
            let key = AlarmKey { code, port: alarm.port, thing: alarm.thing.clone() };
            Some((key, Standing { repeats: 0, params: alarm.params.clone(), written: Instant::now() }))
        });
        *self.0 = Some(standing.collect());
    }

    /// The entry to write for a raising, if one is to be written now.
    pub fn raise(&mut self, key: &AlarmKey, params: &Params, now: Instant) -> Option<Body> {
        let Some(book) = &mut *self.0 else { return Some(raised(key, params.clone(), 1)) };
        let Some(standing) = book.get_mut(key) else { return Some(raised(key, params.clone(), 1)) };
        standing.repeats += 1;
        let same_reason = standing.params.get(REASON) == params.get(REASON);
        standing.params.clone_from(params);
        let every = if same_reason { REPEATS_WRITTEN_EVERY } else { REASONS_WRITTEN_EVERY };
        let due = now.duration_since(standing.written) >= every;
        due.then(|| raised(key, standing.params.clone(), standing.repeats))
    }

    /// The entry that `raise` gave is on disk.
    pub fn raised(&mut self, key: &AlarmKey, params: Params, now: Instant) {
        if let Some(book) = &mut *self.0 {
            book.insert(key.clone(), Standing { repeats: 0, params, written: now });
        }
    }

    /// The entries to write for a clearing; none if the alarm does not stand.
    pub fn clear(&self, key: &AlarmKey) -> Vec<Body> {
        let cleared = Body::AlarmCleared(AlarmCleared {
            code: key.code.name().to_owned(),
            port: key.port,
            thing: key.thing.clone(),
        });
        let Some(book) = &*self.0 else { return vec![cleared] };
        match book.get(key) {
            None => Vec::new(),
            Some(standing) if standing.repeats > 0 => {
                vec![raised(key, standing.params.clone(), standing.repeats), cleared]
            }
            Some(_) => vec![cleared],
        }
    }

    /// The entries that `clear` gave are on disk.
    pub fn cleared(&mut self, key: &AlarmKey) {
        if let Some(book) = &mut *self.0 {
            book.remove(key);
        }
    }
}

fn raised(key: &AlarmKey, params: Params, times: u64) -> Body {
    Body::AlarmRaised(AlarmRaised {
        code: key.code.name().to_owned(),
        category: key.code.category(),
        severity: key.code.severity(),
        port: key.port,
        thing: key.thing.clone(),
        params,
        times,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(body: Option<Body>) -> Option<u64> {
        body.map(|body| match body {
            Body::AlarmRaised(raised) => raised.times,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn repeats_are_written_together_once_a_minute_and_none_is_lost() {
        let book = AlarmBook::default();
        let mut book = book.open();
        book.fill(&[]);
        let key = AlarmKey::of_box(AlarmCode::CpuHigh);
        let begin = Instant::now();
        let mut written = 0;
        for second in 0..200 {
            let now = begin + Duration::from_secs(second);
            if let Some(more) = times(book.raise(&key, &Params::new(), now)) {
                book.raised(&key, Params::new(), now);
                assert_eq!(second % 60, 0, "second {second}");
                written += more;
            }
        }
        let last = book.clear(&key);
        assert_eq!(last.len(), 2, "the repeats, and the clearing");
        written += times(last.into_iter().next()).unwrap();
        assert_eq!(written, 200);
    }

    #[test]
    fn another_reason_is_written_at_once() {
        let book = AlarmBook::default();
        let mut book = book.open();
        book.fill(&[]);
        let key = AlarmKey::of_thing(AlarmCode::SynchronisationFailed, "A");
        let why = |reason: &str| Params::from_iter([(REASON.to_owned(), reason.into())]);
        let begin = Instant::now();
        assert_eq!(times(book.raise(&key, &why("another certificate"), begin)), Some(1));
        book.raised(&key, why("another certificate"), begin);
        let soon = begin + Duration::from_secs(2);
        assert_eq!(times(book.raise(&key, &why("another certificate"), soon)), None);
        assert_eq!(times(book.raise(&key, &why("token wrong"), soon)), Some(2), "with the repeat before");
    }

    #[test]
    fn a_raising_that_could_not_be_written_is_raised_again() {
        let book = AlarmBook::default();
        let mut book = book.open();
        book.fill(&[]);
        let key = AlarmKey::of_box(AlarmCode::DiskFull);
        assert_eq!(times(book.raise(&key, &Params::new(), Instant::now())), Some(1));
        assert_eq!(
            times(book.raise(&key, &Params::new(), Instant::now())),
            Some(1),
            "the first was not told as written"
        );
        assert!(book.clear(&key).is_empty());
    }

    #[test]
    fn without_a_catalog_everything_is_written() {
        let book = AlarmBook::default();
        let mut book = book.open();
        let key = AlarmKey::of_box(AlarmCode::DiskFull);
        for _ in 0..2 {
            assert_eq!(times(book.raise(&key, &Params::new(), Instant::now())), Some(1));
            book.raised(&key, Params::new(), Instant::now());
        }
        assert_eq!(book.clear(&key).len(), 1);
    }
}
