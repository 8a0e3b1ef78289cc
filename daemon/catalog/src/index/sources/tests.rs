//! Every way leads to the same rows, taken alone or after another that was given up.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::ops::ControlFlow;

use line::CallType;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Walked, go};
use crate::index::made::{catalog, made, scope, time};
use crate::index::plan::{ListOf, Way, lists_of_few_places};
use crate::index::search::Filter;
use crate::{DeletedFilter, RecordQuery};

/// By number, since a way is used up as it is gone.
fn way(filter: &Filter<'_>, number: usize) -> Way {
    match number {
        0 => Way::Lists(filter.combos.ids().map(ListOf::Combo).collect()),
        1 if filter.places.is_some() => Way::Places,
        2 => match lists_of_few_places(filter).unwrap() {
            Some((lists, _)) => Way::Lists(lists),
            None => Way::Time,
        },
        3 if filter.combos.values().all(|allowed| allowed.combo.deleted) => Way::Deleted,
        _ => Way::Time,
    }
}

/// Keys that are found `first` the one way, so many rows at most, then the other.
fn found(filter: &Filter<'_>, first: Option<(usize, u64)>, last: usize) -> Vec<i64> {
    let mut keys = Vec::new();
    let mut judge = |row: &super::Skim, _| {
        if filter.takes(row)? {
            keys.push(row.key);
        }
        Ok(ControlFlow::Continue(()))
    };
    let begin = Walked { before: filter.before, work: 0 };
    let so_far = match first {
        None => Some(begin),
        Some((number, most)) => go(filter, way(filter, number), begin, (10, most), &mut judge).unwrap(),
    };
    if let Some(so_far) = so_far {
        go(filter, way(filter, last), so_far, (10, u64::MAX), &mut judge).unwrap();
    }
    keys
}

fn query() -> impl Strategy<Value = RecordQuery> {
    (
        (time(), time()),
        prop::collection::btree_set(select(CallType::ALL), 0..3),
        select(vec![DeletedFilter::No, DeletedFilter::Yes, DeletedFilter::All]),
        prop::option::weighted(0.3, 0u64..12_000),
    )
        .prop_map(|((from_us, to_us), call_types, deleted, min_duration_ms)| RecordQuery {
            from_us,
            to_us,
            call_types,
            deleted,
            min_duration_ms,
            ..RecordQuery::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_way_finds_the_same(
        all in prop::collection::vec(made(), 1..200),
        questions in prop::collection::vec((query(), scope(), 0usize..5, 1u64..150, 0usize..5), 20),
    ) {
        let (_folder, catalog) = catalog(&all);
        for (query, scope, first, most, last) in &questions {
            catalog.inner.pool.search("be tested", |sql, book| {
                let Some(filter) = Filter::of(sql, book, scope, query)? else { return Ok(()) };
                let plain = found(&filter, None, 4);
                assert!(plain.is_sorted_by(|one, next| one > next));
                assert_eq!(found(&filter, None, *last), plain, "{query:?} way {last}");
                assert_eq!(
                    found(&filter, Some((*first, *most)), *last), plain, "{query:?} way {first} for {most}, then {last}"
                );
                Ok(())
            }).unwrap();
        }
    }
}
