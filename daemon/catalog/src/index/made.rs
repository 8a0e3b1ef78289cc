//! Made records and scopes for the tests of searches and statistics.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use line::{CallType, StartMode, StopMode};
use proptest::prelude::*;
use proptest::sample::select;
use recording::{ClockQuality, Facts, Instant, RecordId};

use crate::entry::{Body, Deletion, Record};
use crate::{Catalog, DeletionReason, Grant, Only, Options, Scope};

const BEGIN_US: i64 = 1_772_323_200_000_000;
const MINUTE_US: i64 = 60_000_000;
const DAYS: i64 = 70;

/// Station, port, minute and call type; samples; whether it is deleted.
pub type Made = ((u16, u16, i64, usize), u64, bool);

pub fn made() -> impl Strategy<Value = Made> {
    ((1u16..4, 1u16..4, 0..DAYS * 1440, 0..CallType::ALL.len()), 0u64..100_000, prop::bool::weighted(0.2))
}

/// A catalog with these records.
pub fn catalog(all: &[Made]) -> (tempfile::TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let (catalog, _) = Catalog::open(folder.path(), Options::new("S1")).unwrap();
    let mut bodies = Vec::new();
    for ((made, samples, deleted), sequence) in all.iter().zip(1..) {
        let facts = record(sequence, *made, *samples);
        let record = facts.id.clone();
        bodies.push(Body::Record(Record { facts, file: None }));
        if *deleted {
            let reason = DeletionReason::Loop;
            bodies.push(Body::Deletion(Deletion { record, account: None, reason }));
        }
    }
    catalog.append(bodies).unwrap();
    (folder, catalog)
}

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

pub fn time() -> impl Strategy<Value = Option<i64>> {
    prop::option::of((-10..DAYS * 96 + 10).prop_flat_map(|quarter| {
        // On a quarter of an hour, on a day, and in between.
        select(vec![quarter * 15, quarter / 96 * 1440, quarter / 32 * 480, quarter * 15 + 7])
            .prop_map(|minute| BEGIN_US + minute * MINUTE_US)
    }))
}

pub fn scope() -> impl Strategy<Value = Scope> {
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
