//! Every search against the plain rule: a record is found if and only if it fits each filter, newest first, on
//! whatever pages; counts and statistics agree with what is found; a catalog made again is the same to the byte.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;

use chrono_tz::Asia::Shanghai;
use common::{SERIAL, export, facts, file_name, id, open, settle};
use hookline_catalog::entry::{Annotation, Body, Deletion, Record};
use hookline_catalog::{
    AudioFilter, CallTotals, Catalog, Change, Contact, DeletedFilter, DeletionReason, Grade, Grant, GroupBy,
    Only, PageRequest, RecordQuery, RecordRow, Scope,
};
use line::{CallType, StartMode, StopMode};
use proptest::prelude::*;
use proptest::sample::select;
use recording::{Codec, RecordId};

const NUMBERS: &[&str] = &[
    "8001",
    "8002",
    "13800138000",
    "13912345678",
    "01066668888",
    "+8613800138000",
    "*57#",
    "7001",
    "100%_x",
    "匿名",
    "12345678901234567",
];

/// Who records; the third has nothing.
const STATIONS: &[&str] = &[SERIAL, "HKLN-00000000000007", "HKLN-00000000000008"];

/// One made record and what is said about it.
#[derive(Clone, Debug)]
struct Made {
    station: &'static str,
    minute: i64,
    port: u16,
    call_type: CallType,
    modes: (StartMode, StopMode),
    seconds: u64,
    numbers: (Option<&'static str>, Option<&'static str>),
    offset_s: i32,
    changes: Vec<Change>,
    deleted: bool,
}

impl Made {
    fn id(&self, sequence: u64) -> RecordId {
        RecordId { serial: self.station.into(), sequence }
    }
}

fn made() -> impl Strategy<Value = Made> {
    let number = || prop::option::weighted(0.9, select(NUMBERS));
    let change = prop_oneof![
        select(Grade::ALL).prop_map(Change::Grade),
        prop::option::of(1u8..=10).prop_map(Change::Score),
        prop::option::of(select(vec!["call back", "50%_off", "紧急"]))
            .prop_map(|text| Change::Note(text.map(str::to_owned))),
        (0u64..9000, select(vec!["Fire", "traffic", "a%b"]))
            .prop_map(|(sample, text)| Change::TagAdd { sample, text: text.into() }),
        (1u64..60).prop_map(|tag| Change::TagRemove { tag }),
        Just(Change::Play),
    ];
    (
        (0i64..200, 1u16..5, select(CallType::ALL), select(StartMode::ALL), select(StopMode::ALL)),
        select(vec![0u64, 1, 4, 5, 14, 59, 60, 61, 700, 3600, 4000]),
        (number(), number()),
        select(vec![28_800, -18_000]),
        prop::collection::vec(change, 0..4),
        (prop::bool::weighted(0.15), select(&STATIONS[..2])),
    )
        .prop_map(
            |(
                (minute, port, call_type, start, stop),
                seconds,
                numbers,
                offset_s,
                changes,
                (deleted, station),
            )| Made {
                station,
                minute,
                port,
                call_type,
                modes: (start, stop),
                seconds,
                numbers,
                offset_s,
                changes,
                deleted,
            },
        )
}

fn record(sequence: u64, made: &Made) -> Body {
    let mut facts = facts(sequence);
    facts.id = made.id(sequence);
    facts.start.utc_us = common::BEGIN_US + made.minute * 60_000_000;
    facts.start.offset_s = made.offset_s;
    facts.port = made.port;
    facts.call_type = made.call_type;
    (facts.start_mode, facts.stop_mode) = made.modes;
    facts.call_id = format!("call-{}", made.minute);
    facts.codec = (made.seconds > 0).then_some(Codec::ALaw);
    facts.samples = if made.seconds > 0 { made.seconds * 8000 + 16_000 } else { 0 };
    facts.pre_roll_samples = if made.seconds > 0 { 16_000 } else { 0 };
    facts.line_number = made.numbers.0.map(str::to_owned);
    facts.peer_number = made.numbers.1.map(str::to_owned);
    let file = file_name(&facts);
    Body::Record(Record { facts, file })
}

/// Records, what is said of them (some of it before they are there), contacts.
fn bodies(all: &[Made]) -> Vec<Body> {
    let contact = |number: &str, name: &str| {
        Body::ContactSet(Contact { number: number.into(), name: name.into(), ..Contact::default() })
    };
    let mut bodies = vec![contact("13912345678", "Harbour Office"), contact("匿名", "Unknown Person")];
    for (made, sequence) in all.iter().zip(1..) {
        let mut about: Vec<Body> = Vec::new();
        for change in &made.changes {
            about.push(Body::Annotation(Annotation {
                record: made.id(sequence),
                account: Some("officer".into()),
                change: change.clone(),
            }));
        }
        if made.deleted {
            let reason = DeletionReason::Retention;
            about.push(Body::Deletion(Deletion { record: made.id(sequence), account: None, reason }));
        }
        if made.minute % 7 == 0 {
            bodies.append(&mut about);
        }
        bodies.push(record(sequence, made));
        bodies.append(&mut about);
    }
    bodies
}

fn fragment() -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(
        0.15,
        prop_oneof![
            select(NUMBERS).prop_map(str::to_owned),
            select(vec!["1", "38", "138", "8000", "0013", "%", "_", "名", "9999", "", "345678901234"])
                .prop_map(str::to_owned),
            "[0-9]{1,4}",
        ],
    )
}

fn some<T: Clone + Ord + std::fmt::Debug + 'static>(of: &'static [T]) -> impl Strategy<Value = BTreeSet<T>> {
    prop_oneof![5 => Just(BTreeSet::new()), 1 => prop::collection::btree_set(select(of), 1..3)]
}

fn query() -> impl Strategy<Value = RecordQuery> {
    let minute =
        || prop::option::weighted(0.2, (0i64..200).prop_map(|minute| common::BEGIN_US + minute * 60_000_000));
    let ms = || prop::option::weighted(0.15, select(vec![0u64, 1, 4_000, 5_000, 59_000, 60_000, 3_600_000]));
    let score = || prop::option::weighted(0.1, 0u8..12);
    let text = |of: Vec<&'static str>| prop::option::weighted(0.1, select(of).prop_map(str::to_owned));
    (
        (
            minute(),
            minute(),
            prop_oneof![3 => Just(BTreeSet::new()), 1 => prop::collection::btree_set(1u16..7, 1..3)],
            prop_oneof![
                4 => Just(BTreeSet::new()),
                1 => prop::collection::btree_set(select(STATIONS).prop_map(str::to_owned), 1..3),
            ],
        ),
        (fragment(), fragment(), fragment(), fragment(), fragment()),
        (some(CallType::ALL), some(StartMode::ALL), some(StopMode::ALL), some(Grade::ALL)),
        (ms(), ms(), score(), score()),
        (
            text(vec!["fire", "a%", "%", "nothing"]),
            text(vec!["office", "BACK", "%_", "急", "nobody"]),
            text(vec!["call-7", "call-70"]),
        ),
        text(vec![
            "2026",
            "20260301",
            "20260301_08",
            "20260228_19",
            "20260301_081500_000",
            "2027",
            "x",
            "202603011",
        ]),
        (
            select(vec![AudioFilter::All, AudioFilter::All, AudioFilter::With, AudioFilter::Without]),
            select(vec![DeletedFilter::No, DeletedFilter::No, DeletedFilter::Yes, DeletedFilter::All]),
        ),
    )
        .prop_map(|(place, numbers, kinds, ranges, texts, sn, (audio, deleted))| RecordQuery {
            from_us: place.0,
            to_us: place.1,
            stations: place.3,
            ports: place.2,
            number: numbers.0,
            line_number: numbers.1,
            peer_number: numbers.2,
            caller: numbers.3,
            callee: numbers.4,
            sn,
            call_types: kinds.0,
            start_modes: kinds.1,
            stop_modes: kinds.2,
            grades: kinds.3,
            min_duration_ms: ranges.0,
            max_duration_ms: ranges.1,
            min_score: ranges.2,
            max_score: ranges.3,
            tag: texts.0,
            text: texts.1,
            call_id: texts.2,
            audio,
            deleted,
            through_entry: None,
        })
}

/// The plain rule.
fn fits(row: &RecordRow, query: &RecordQuery, scope: &Scope) -> bool {
    fn asked(text: &Option<String>) -> Option<&str> {
        text.as_deref().filter(|text| !text.is_empty())
    }
    let has = |number: Option<&str>, fragment: &str| number.is_some_and(|number| number.contains(fragment));
    let (line, peer) = (row.line_number.as_deref(), row.peer_number.as_deref());
    let by_direction = |fragment: &Option<String>, side: Option<&str>| match asked(fragment) {
        None => true,
        Some(text) if row.call_type == CallType::Unknown => has(line, text) || has(peer, text),
        Some(text) => has(side, text),
    };
    let one_of = |empty: bool, contains: bool| empty || contains;
    let lower = |text: &str| text.to_ascii_lowercase();
    scope.allows_record(&row.id.serial, row.port, row.start_us)
        && one_of(query.stations.is_empty(), query.stations.contains(&row.id.serial))
        && query.from_us.is_none_or(|from| row.start_us >= from)
        && query.to_us.is_none_or(|to| row.start_us < to)
        && one_of(query.ports.is_empty(), query.ports.contains(&row.port))
        && asked(&query.number).is_none_or(|text| has(line, text) || has(peer, text))
        && asked(&query.line_number).is_none_or(|text| has(line, text))
        && asked(&query.peer_number).is_none_or(|text| has(peer, text))
        && by_direction(&query.caller, row.caller())
        && by_direction(&query.callee, row.callee())
        && asked(&query.sn).is_none_or(|sn| row.sn().starts_with(sn))
        && one_of(query.call_types.is_empty(), query.call_types.contains(&row.call_type))
        && one_of(query.start_modes.is_empty(), query.start_modes.contains(&row.start_mode))
        && one_of(query.stop_modes.is_empty(), query.stop_modes.contains(&row.stop_mode))
        && one_of(query.grades.is_empty(), query.grades.contains(&row.grade))
        && query.min_duration_ms.is_none_or(|ms| row.duration_ms >= ms)
        && query.max_duration_ms.is_none_or(|ms| row.duration_ms <= ms)
        && query.min_score.is_none_or(|min| row.score.is_some_and(|score| score >= min))
        && query.max_score.is_none_or(|max| row.score.is_some_and(|score| score <= max))
        && asked(&query.tag)
            .is_none_or(|text| row.tags.iter().any(|tag| lower(&tag.text).contains(&lower(text))))
        && asked(&query.text).is_none_or(|text| {
            let texts = [&row.note, &row.line_contact, &row.peer_contact];
            texts.into_iter().flatten().any(|one| lower(one).contains(&lower(text)))
        })
        && asked(&query.call_id).is_none_or(|call| row.call_id == call)
        && match query.audio {
            AudioFilter::All => true,
            AudioFilter::With => row.has_audio(),
            AudioFilter::Without => !row.has_audio(),
        }
        && match query.deleted {
            DeletedFilter::All => true,
            DeletedFilter::Yes => row.deleted.is_some(),
            DeletedFilter::No => row.deleted.is_none(),
        }
}

fn everything(catalog: &Catalog) -> Vec<RecordRow> {
    let mut rows = Vec::new();
    let query = RecordQuery { deleted: DeletedFilter::All, ..RecordQuery::default() };
    catalog
        .each_record(&Scope::everything(), &query, &mut |row| {
            rows.push(row);
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

fn scopes() -> [Scope; 5] {
    let minute = |minute: i64| common::BEGIN_US + minute * 60_000_000;
    let grant =
        |serial: &str, ports, from_us, to_us| Grant { ports, from_us, to_us, ..Grant::of_station(serial) };
    let of_one = |serial: &str| [Grant::of_station(serial)];
    [
        Scope::everything(),
        Scope::ports([1, 2]),
        Scope::of(of_one(SERIAL), Only::All),
        Scope::of(of_one("ANOTHER"), Only::All),
        Scope::of(
            [
                grant(STATIONS[0], Only::These([1, 3].into()), minute(40), minute(120)),
                grant(STATIONS[0], Only::These([3].into()), minute(100), i64::MAX),
                grant(STATIONS[1], Only::All, i64::MIN, minute(60)),
            ],
            Only::These(BTreeSet::new()),
        ),
    ]
}

const GROUPS: [GroupBy; 6] =
    [GroupBy::Hour, GroupBy::Day, GroupBy::Month, GroupBy::Port, GroupBy::Station, GroupBy::StationPort];

fn check_query(catalog: &Catalog, all: &[RecordRow], query: &RecordQuery, scope: &Scope, limit: u32) {
    let expected: Vec<&RecordRow> = all.iter().filter(|row| fits(row, query, scope)).collect();
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = catalog.records(scope, query, PageRequest { after, limit, count_up_to: 5 }).unwrap();
        assert!(page.items.len() <= limit as usize);
        assert_eq!(page.total, Some(expected.len().min(5) as u64), "{query:?}");
        assert_eq!(page.total_is_least, expected.len() > 5, "{query:?}");
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(
        found.iter().eq(expected.iter().copied()),
        "{query:?} in {scope:?}\nfound {found:#?}\nexpected {expected:#?}"
    );
    for by in GROUPS {
        let statistics = catalog.statistics(scope, query, by, Shanghai).unwrap();
        assert_eq!(statistics.totals.total().count, expected.len() as u64, "the types add up");
        let ms: u64 = expected.iter().map(|row| row.duration_ms).sum();
        assert_eq!(statistics.totals.total().duration_ms, ms);
        let rows: u64 =
            statistics.rows.iter().map(|(_, totals): &(String, CallTotals)| totals.total().count).sum();
        assert_eq!(rows, expected.len() as u64, "the groups add up");
        let in_order = statistics.rows.windows(2).all(|two| match by {
            GroupBy::Port => two[0].0.parse::<u16>().unwrap() < two[1].0.parse().unwrap(),
            _ => two[0].0 < two[1].0,
        });
        assert!(in_order, "{:?}", statistics.rows);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_search_finds_what_fits_and_nothing_else(
        all in prop::collection::vec(made(), 1..80),
        queries in prop::collection::vec((query(), 1u32..12, 0usize..5), 40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, _) = open(folder.path());
        catalog.append(bodies(&all)).unwrap();
        let rows = everything(&catalog);
        prop_assert_eq!(rows.len(), all.len());
        prop_assert!(rows.windows(2).all(|two| two[0].start_us >= two[1].start_us), "newest first");
        for (query, limit, scope) in &queries {
            check_query(&catalog, &rows, query, &scopes()[*scope], *limit);
        }
    }

    #[test]
    fn kept_live_or_made_again_the_catalog_is_the_same(
        all in prop::collection::vec(made(), 1..60), groups in prop::collection::vec(1usize..9, 60),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut catalog, _) = open(folder.path());
        let mut bodies = bodies(&all);
        for (index, group) in groups.iter().enumerate() {
            let rest = bodies.split_off((*group).min(bodies.len()));
            catalog.append(bodies).unwrap();
            bodies = rest;
            if index % 20 == 7 {
                drop(catalog);
                catalog = open(folder.path()).0;
            }
        }
        catalog.append(bodies).unwrap();
        let live = export(&catalog);
        drop(catalog);
        fs::remove_file(folder.path().join("catalog.sqlite")).unwrap();
        let (catalog, _) = open(folder.path());
        prop_assert_eq!(export(&catalog), live);
    }
}

#[test]
fn what_is_added_or_taken_away_between_pages_moves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    (1..=30).for_each(|sequence| common::add(&catalog, facts(sequence)));
    settle(&catalog);
    let page = |after| {
        let request = PageRequest { after, limit: 10, count_up_to: 0 };
        catalog.records(&Scope::everything(), &RecordQuery::default(), request).unwrap()
    };
    let first = page(None);
    common::add(&catalog, facts(31));
    settle(&catalog);
    common::delete(&catalog, 25, Some("officer"), DeletionReason::Person).unwrap();
    let cursor = first.next.unwrap().to_string().parse().unwrap();
    let second: Vec<u64> = page(Some(cursor)).items.iter().map(|row| row.id.sequence).collect();
    assert_eq!(second, (11..=20).rev().collect::<Vec<_>>());
    for text in ["", "0", "zz", "00000000000000000000", "+000000000000001"] {
        assert!(text.parse::<hookline_catalog::Cursor>().is_err(), "{text}");
    }
}

#[test]
fn a_record_tells_everything_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    for sequence in 1..=3 {
        let facts = recording::Facts { call_id: "one call".into(), port: sequence as u16, ..facts(sequence) };
        catalog.add_record(facts, Some(format!("recordings/{sequence}.wav")), None).unwrap();
    }
    settle(&catalog);
    let scope = Scope::ports([1, 2]);
    let detail = catalog.record(&scope, &id(2)).unwrap().unwrap();
    assert_eq!(detail.facts.call_id, "one call");
    assert_eq!(detail.row.duration_ms, 30_000);
    assert_eq!(detail.row.pre_roll_ms, 2_000);
    assert_eq!(detail.row.caller(), Some("13800138000"));
    assert_eq!(detail.row.sn(), "20260301_080200_000");
    assert_eq!(detail.same_call, [id(1)], "port 3 lies outside the scope");
    assert_eq!(catalog.record(&scope, &id(3)).unwrap(), None);
    assert_eq!(catalog.record(&scope, &id(9)).unwrap(), None);
    assert_eq!(catalog.recent(&Scope::everything(), 3, 10).unwrap().len(), 1);
    assert!(catalog.recent(&scope, 3, 10).unwrap().is_empty());
}

#[test]
fn what_was_counted_can_be_asked_for_again_without_what_came_since() {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = open(folder.path());
    (1..=300).for_each(|sequence| common::add(&catalog, facts(sequence)));
    settle(&catalog);
    let through = catalog.health().indexed_sequence;
    (301..=400).for_each(|sequence| common::add(&catalog, facts(sequence)));
    settle(&catalog);
    let everything = Scope::everything();
    let then = RecordQuery { through_entry: Some(through), ..RecordQuery::default() };
    let statistics = catalog.statistics(&everything, &then, GroupBy::Month, Shanghai).unwrap();
    assert_eq!(statistics.totals.total().count, 300);
    let request = PageRequest { after: None, limit: 1000, count_up_to: 1000 };
    let page = catalog.records(&everything, &then, request).unwrap();
    assert_eq!((page.total, page.items[0].id.sequence, page.items.len()), (Some(300), 300, 300));
    let now = RecordQuery { through_entry: Some(u64::MAX), ..RecordQuery::default() };
    assert_eq!(catalog.records(&everything, &now, request).unwrap().items.len(), 400);
}
