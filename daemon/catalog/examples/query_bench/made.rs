//! Made records: the same in every run.

use std::time::Duration;

use catalog::entry::{Annotation, Body, Deletion, Record};
use catalog::{Catalog, Change, Contact, DeletionReason, Grade};
use hookline_catalog as catalog;
use line::{CallType, StartMode, StopMode};
use recording::{ClockQuality, Codec, Facts, Instant as Moment, RecordId};

/// 2026-01-01T00:00:00Z
pub const BEGIN_US: i64 = 1_767_225_600_000_000;
pub const DAY_US: i64 = 86_400_000_000;

/// Who records, and how close together.
pub struct World {
    pub records: u64,
    pub stations: u64,
    /// Of each station.
    pub ports: u16,
    /// Between two records of all.
    pub step_us: i64,
    /// So many of the last stations record only in the first half of the time.
    pub silent: u64,
}

/// SplitMix64: the same records and queries in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One of the values, by weight.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let mut at = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in choices {
            if at < *weight {
                return *value;
            }
            at -= weight;
        }
        choices[0].1
    }
}

/// Numbers as a duty room sees them: extensions, a pool of regular callers, and every third one never seen before.
pub fn peer_number(dice: &mut Dice) -> String {
    let mobile = |value: u64| {
        let prefix = ["138", "139", "135", "150", "186", "177"][(value % 6) as usize];
        format!("{prefix}{:08}", value / 6 % 100_000_000)
    };
    match dice.below(10) {
        0 => format!("{}", 7000 + dice.below(900)),
        1 | 2 => format!("0106{:07}", Dice(dice.below(30_000)).next() % 10_000_000),
        3..=6 => mobile(Dice(dice.below(120_000)).next()),
        _ => mobile(dice.next()),
    }
}

impl World {
    /// The record of this number, counted from 1.
    pub fn facts(&self, number: u64) -> Facts {
        let mut dice = Dice(number);
        let port = 1 + dice.below(u64::from(self.ports)) as u16;
        let call_type = dice.weighted(&[
            (45, CallType::IncomingAnswered),
            (15, CallType::IncomingMissed),
            (30, CallType::OutgoingAnswered),
            (8, CallType::OutgoingUnanswered),
            (2, CallType::Unknown),
        ]);
        let audio = call_type != CallType::IncomingMissed;
        let start_mode =
            dice.weighted(&[(90, StartMode::Voltage), (8, StartMode::Voice), (2, StartMode::Manual)]);
        let stop_mode = match start_mode {
            StartMode::Voice => StopMode::Silence,
            StartMode::Manual => StopMode::Manual,
            _ => dice.weighted(&[
                (960, StopMode::OnHook),
                (30, StopMode::Length),
                (9, StopMode::LineLost),
                (1, StopMode::PowerLoss),
            ]),
        };
        // Most calls are short, some are very long.
        let seconds = 3
            + dice.below(40)
            + if dice.below(4) == 0 { dice.below(600) } else { 0 }
            + if dice.below(200) == 0 { dice.below(3600) } else { 0 };
        let pre_roll_samples = if audio { 16_000 } else { 0 };
        let samples = if audio { seconds * 8000 + u64::from(pre_roll_samples) } else { 0 };
        let half = number > self.records / 2;
        let station = Dice(!number).below(if half { self.stations - self.silent } else { self.stations });
        Facts {
            version: 1,
            id: RecordId { serial: self.serial(station), sequence: number },
            call_id: format!("{station:03}-{number:08}"),
            segment: 0,
            port,
            port_name: format!("M [{port:02}]"),
            start: Moment {
                utc_us: BEGIN_US + number as i64 * self.step_us + dice.below(30_000_000) as i64,
                offset_s: 28_800,
                boot_id: "9b1c0c62-0000-4000-8000-000000000001".into(),
                monotonic_us: number as i64 * self.step_us,
                quality: ClockQuality::Synchronised,
            },
            rate_hz: 8000,
            tracks: 1,
            codec: audio.then_some(Codec::ALaw),
            samples,
            pre_roll_samples,
            start_mode,
            stop_mode,
            call_type,
            line_number: Some(self.line_number(station, port)),
            peer_number: (dice.below(20) > 0).then(|| peer_number(&mut dice)),
            peer_name: None,
            withheld: false,
            marks: Vec::new(),
            audio_sha256: audio.then(|| format!("{number:064x}")),
        }
    }

    pub fn serial(&self, station: u64) -> String {
        format!("HKLN-{:014}", 1_121_571_897_162 + station)
    }

    pub fn line_number(&self, station: u64, port: u16) -> String {
        if self.stations == 1 { format!("{}", 8000 + port) } else { format!("8{station:03}{port:02}") }
    }

    /// Behind the last record.
    pub fn end_us(&self) -> i64 {
        BEGIN_US + (self.records as i64 + 1) * self.step_us + 30_000_000
    }

    /// What people add: a hundredth of the records are graded, some are scored, tagged, noted; the oldest 2 % are deleted.
    fn additions(&self, record: RecordId, into: &mut Vec<Body>) {
        let mut dice = Dice(record.sequence ^ 0xA5A5);
        let old = record.sequence < self.records / 50;
        let mut add = |change| {
            into.push(Body::Annotation(Annotation {
                record: record.clone(),
                account: Some("officer".into()),
                change,
            }));
        };
        if dice.below(100) == 0 {
            add(Change::Grade(if dice.below(5) == 0 { Grade::Permanent } else { Grade::Important }));
        }
        if dice.below(50) == 0 {
            add(Change::Score(Some(1 + dice.below(10) as u8)));
        }
        if dice.below(500) == 0 {
            add(Change::TagAdd { sample: 8000, text: format!("matter {}", dice.below(40)) });
        }
        if dice.below(500) == 0 {
            add(Change::Note(Some(format!("seen by room {}", dice.below(300)))));
        }
        if old {
            into.push(Body::Deletion(Deletion { record, account: None, reason: DeletionReason::Loop }));
        }
    }
}

impl World {
    /// What is said of a record, itself first.
    pub fn entries(&self, number: u64) -> Vec<Body> {
        let facts = self.facts(number);
        let id = facts.id.clone();
        let file = facts.codec.map(|_| format!("recordings/2026/01/01/{number:08}.wav"));
        let mut bodies = vec![Body::Record(Record { facts, file })];
        self.additions(id, &mut bodies);
        bodies
    }
}

pub fn contacts() -> impl Iterator<Item = Body> {
    (0..2000).map(|index| {
        Body::ContactSet(Contact {
            number: peer_number(&mut Dice(index)),
            name: format!("Contact {index:04}"),
            ..Contact::default()
        })
    })
}

pub fn settle(catalog: &Catalog) {
    while !catalog.wait_until_current(Duration::from_secs(600)) {
        if let Some(why) = catalog.health().failing {
            eprintln!("the catalog fails: {why}");
        }
    }
}
