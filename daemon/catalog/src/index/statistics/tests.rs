//! The kept sums against the records themselves.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use chrono_tz::Tz;
use line::CallType;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Sums, add_records, add_sums, is_of_sums};
use crate::index::made::{catalog, made, scope, time};
use crate::index::search::Filter;
use crate::{AudioFilter, DeletedFilter, GroupBy, RecordQuery};

const GROUPS: [GroupBy; 6] =
    [GroupBy::Hour, GroupBy::Day, GroupBy::Month, GroupBy::Port, GroupBy::Station, GroupBy::StationPort];
/// Hours, halves and quarters of hours, a change of the clocks in the days of the test.
const ZONES: [Tz; 5] = [
    chrono_tz::UTC,
    chrono_tz::Asia::Shanghai,
    chrono_tz::Asia::Kolkata,
    chrono_tz::Asia::Kathmandu,
    chrono_tz::America::New_York,
];

fn query() -> impl Strategy<Value = RecordQuery> {
    (
        (time(), time()),
        prop::collection::btree_set(1u16..4, 0..2),
        prop::collection::btree_set(select(CallType::ALL), 0..3),
        select(vec![DeletedFilter::No, DeletedFilter::Yes, DeletedFilter::All]),
    )
        .prop_map(|((from_us, to_us), ports, call_types, deleted)| RecordQuery {
            from_us,
            to_us,
            ports,
            call_types,
            deleted,
            ..RecordQuery::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sums_say_what_the_records_say(
        all in prop::collection::vec(made(), 1..300),
        questions in prop::collection::vec((query(), scope(), select(&ZONES[..])), 12),
    ) {
        let (_folder, catalog) = catalog(&all);
        for (query, scope, zone) in &questions {
            prop_assert!(is_of_sums(query));
            catalog.inner.pool.search("be tested", |sql, book| {
                for by in GROUPS {
                    let Some(mut filter) = Filter::of(sql, book, scope, query)? else { continue };
                    let (mut records, mut sums) = (Sums::new(book, by, *zone), Sums::new(book, by, *zone));
                    add_records(&filter, &mut records)?;
                    add_sums(&mut filter, query, &mut sums)?;
                    assert_eq!(sums.statistics(), records.statistics(), "{query:?} {scope:?} {by:?} {zone}");
                }
                Ok(())
            }).unwrap();
        }
    }
}

#[test]
fn what_sums_do_not_know_is_counted_from_records() {
    assert!(is_of_sums(&RecordQuery::default()));
    let others = [
        RecordQuery { audio: AudioFilter::With, ..RecordQuery::default() },
        RecordQuery { min_duration_ms: Some(1), ..RecordQuery::default() },
        RecordQuery { number: Some("1".into()), ..RecordQuery::default() },
        RecordQuery { text: Some("1".into()), ..RecordQuery::default() },
    ];
    assert!(others.iter().all(|query| !is_of_sums(query)));
}
