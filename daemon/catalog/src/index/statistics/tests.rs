//! The kept sums against the records themselves.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use chrono_tz::Tz;
use line::{CallType, StartMode, StopMode};
use proptest::prelude::*;
use proptest::sample::select;
use recording::{ClockQuality, Facts, Instant, RecordId};

use super::{Sums, add_records, add_sums, is_of_sums};
use crate::entry::{Body, Deletion, Record};
use crate::index::search::Filter;
use crate::{
    AudioFilter, Catalog, DeletedFilter, DeletionReason, Grant, GroupBy, Only, Options, RecordQuery, Scope,
};

const BEGIN_US: i64 = 1_772_323_200_000_000;
const MINUTE_US: i64 = 60_000_000;
const DAYS: i64 = 70;
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

fn record(sequence: u64, (station, port, minute, kind): (u16, u16, i64, usize), samples: u64) -> Facts {
    Facts {
        version: 1,
        id: RecordId { serial: format!("S{station}"), sequence },
        call_id: String::new(),
        segment: 0,
        port,
        port_name: String::new(),
        start: Instant {
            utc_us: BEGIN_US + minute * MINUTE_US + samples as i64,
            offset_s: 28_800,
            boot_id: String::new(),
            monotonic_us: 0,
            quality: ClockQuality::Synchronised,
        },
        rate_hz: 8000,
        tracks: 1,
        codec: None,
        samples,
        pre_roll_samples: 0,
        start_mode: StartMode::Voltage,
        stop_mode: StopMode::OnHook,
        call_type: CallType::ALL[kind],
        line_number: None,
        peer_number: None,
        peer_name: None,
        withheld: false,
        marks: Vec::new(),
        audio_sha256: None,
    }
}

fn time() -> impl Strategy<Value = Option<i64>> {
    prop::option::of((-10..DAYS * 96 + 10).prop_flat_map(|quarter| {
        // On a quarter of an hour, on a day, and in between.
        select(vec![quarter * 15, quarter / 96 * 1440, quarter / 32 * 480, quarter * 15 + 7])
            .prop_map(|minute| BEGIN_US + minute * MINUTE_US)
    }))
}

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

fn scope() -> impl Strategy<Value = Scope> {
    let grant = (1u16..4, prop::option::of(1u16..4), time(), time()).prop_map(|(station, port, from, to)| {
        let ports = port.map_or(Only::All, |port| Only::These([port].into()));
        let (from_us, to_us) = (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
        Grant { ports, from_us, to_us, ..Grant::of_station(format!("S{station}")) }
    });
    prop_oneof![
        1 => Just(Scope::everything()),
        2 => prop::collection::vec(grant, 1..5).prop_map(|grants| Scope::of(grants, Only::All)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sums_say_what_the_records_say(
        all in prop::collection::vec(
            ((1u16..4, 1u16..4, 0..DAYS * 1440, 0..CallType::ALL.len()), 0u64..100_000, prop::bool::weighted(0.2)), 1..300),
        questions in prop::collection::vec((query(), scope(), select(&ZONES[..])), 12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, _) = Catalog::open(folder.path(), Options::new("S1")).unwrap();
        let mut bodies = Vec::new();
        for ((made, samples, deleted), sequence) in all.iter().zip(1..) {
            let facts = record(sequence, *made, *samples);
            let id = facts.id.clone();
            bodies.push(Body::Record(Record { facts, file: None }));
            if *deleted {
                let reason = DeletionReason::Loop;
                bodies.push(Body::Deletion(Deletion { record: id, account: None, reason }));
            }
        }
        catalog.append(bodies).unwrap();
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
