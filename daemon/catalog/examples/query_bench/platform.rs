//! A platform: 300 stations of 16 ports, a year of records, seen as a whole and by departments.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use catalog::journal::{Journal, encode};
use catalog::{
    AudioFilter, Catalog, DeletedFilter, Error, Grade, Grant, GroupBy, Only, Options, RecordQuery, Scope,
};
use chrono_tz::Asia::Shanghai;
use hookline_catalog as catalog;
use line::{CallType, StopMode};

use crate::made::{BEGIN_US, DAY_US, Dice, World, contacts, settle};
use crate::measure::Times;

const STATIONS: u64 = 300;
/// Stations that record nothing any more.
const SILENT: u64 = 20;
const PORTS: u16 = 16;
/// Of each query in each scope.
const RUNS: usize = 60;
const FLOOR_MS: f64 = 50.0;
const MONTH_FLOOR_MS: f64 = 2_000.0;

pub fn world(records: u64) -> World {
    let step_us = (365 * DAY_US / records.min(i64::MAX as u64) as i64).max(1);
    World { records, stations: STATIONS, ports: PORTS, step_us, silent: SILENT }
}

/// Records that are written before the catalog is brought up to them.
const FILLED_AT_ONCE: u64 = 500_000;
const GROUP_ENTRIES: usize = 5_000;

/// Writes the journal in pieces, lets the catalog follow, and forgets each piece then: ten million records would fill
/// ten gigabytes with it. The indexes of searches are made at the end, which is much less work.
pub fn fill(folder: &Path, options: &Options, world: &World) -> Result<(), Error> {
    let begin = Instant::now();
    let journal_folder = folder.join("journal");
    drop(Catalog::open(folder, options.clone())?);
    let unmade = |source| Error::Index { step: "be filled", source };
    let sql = rusqlite::Connection::open(folder.join("catalog.sqlite")).map_err(unmade)?;
    let indexes: Vec<(String, String)> = sql
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'skim'")
        .and_then(|mut find| find.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(unmade)?;
    for (name, _) in &indexes {
        sql.execute_batch(&format!("DROP INDEX {name}")).map_err(unmade)?;
    }
    drop(sql);
    for first in (1..=world.records).step_by(FILLED_AT_ONCE as usize) {
        let last = world.records.min(first + FILLED_AT_ONCE - 1);
        let (mut journal, _) = Journal::open(&journal_folder, &options.serial)?;
        let mut payloads = Vec::new();
        for number in first..=last {
            payloads.extend(world.entries(number).iter().map(encode).collect::<Result<Vec<_>, _>>()?);
            if number == world.records {
                payloads.extend(contacts().map(|body| encode(&body)).collect::<Result<Vec<_>, _>>()?);
            }
            if payloads.len() >= GROUP_ENTRIES || number == last {
                let group: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
                journal.append(BEGIN_US, &group)?;
                payloads.clear();
            }
        }
        drop(journal);
        let (catalog, _) = Catalog::open(folder, options.clone())?;
        settle(&catalog);
        drop(catalog);
        forget_journal(&journal_folder).map_err(|source| Error::Rebuild { why: source.to_string() })?;
        println!("filled {last} of {} records in {:.0} s", world.records, begin.elapsed().as_secs_f64());
    }
    let sql = rusqlite::Connection::open(folder.join("catalog.sqlite")).map_err(unmade)?;
    for (_, made_by) in &indexes {
        sql.execute_batch(made_by).map_err(unmade)?;
    }
    println!("made the indexes, {:.0} s in all", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Removes the segments of a journal but the last.
fn forget_journal(folder: &Path) -> std::io::Result<()> {
    let files = fs::read_dir(folder)?.map(|file| file.map(|file| file.path()));
    let mut segments = files.collect::<std::io::Result<Vec<_>>>()?;
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "journal"));
    segments.sort();
    segments.pop();
    segments.iter().try_for_each(fs::remove_file)
}

/// Who looks.
fn scopes(world: &World) -> Vec<(&'static str, Scope)> {
    let end = world.end_us();
    let stations = |from: u64, to: u64| (from..to).map(|station| Grant::of_station(world.serial(station)));
    // Of twenty stations one came ten days ago, one went then, and one lent its first ports for a while.
    let department = stations(40, 60).enumerate().map(|(index, grant)| match index {
        0 => Grant { from_us: end - 10 * DAY_US, ..grant },
        1 => Grant { to_us: end - 10 * DAY_US, ..grant },
        2 => Grant { except: (1..=4).collect(), ..grant },
        _ => grant,
    });
    let all = Only::All;
    vec![
        ("everything", Scope::everything()),
        ("20 stations", Scope::of(department, all.clone())),
        ("140 stations", Scope::of(stations(10, 150), all.clone())),
        ("20 that fell silent", Scope::of(stations(STATIONS - SILENT, STATIONS), all)),
    ]
}

/// Values for one run of a query, taken from a record that exists.
struct Values {
    station: String,
    stations: BTreeSet<String>,
    port: u16,
    peer: String,
    line: String,
    /// Any four digits.
    digits: String,
    /// Thirty days: mostly the last ones.
    month: (i64, i64),
    day: (i64, i64),
    call_type: CallType,
    sn: String,
    number: u64,
}

impl Values {
    fn draw(dice: &mut Dice, world: &World) -> Self {
        let end = world.end_us();
        let from = match dice.below(4) {
            0 => BEGIN_US + dice.below((end - BEGIN_US - 30 * DAY_US).max(1) as u64) as i64,
            _ => end - 30 * DAY_US,
        };
        let month = (from, from + 30 * DAY_US);
        // A record of that time, or nearly.
        let first = ((from - BEGIN_US) / world.step_us).max(0) as u64;
        let inside = (30 * DAY_US / world.step_us).max(1) as u64;
        let sample = loop {
            let sample = world.facts((1 + first + dice.below(inside)).min(world.records));
            if sample.peer_number.is_some() {
                break sample;
            }
        };
        let start = sample.start.utc_us;
        let begin = start - start.rem_euclid(DAY_US) - 8 * DAY_US / 24;
        Self {
            station: sample.id.serial,
            stations: (0..8).map(|_| world.serial(dice.below(STATIONS))).collect(),
            port: sample.port,
            peer: sample.peer_number.unwrap_or_default(),
            line: sample.line_number.unwrap_or_default(),
            digits: format!("{:04}", dice.below(10_000)),
            month,
            day: (begin, begin + DAY_US),
            call_type: sample.call_type,
            sn: catalog::sn_of(start, sample.start.offset_s),
            number: dice.next(),
        }
    }

    fn last_four(&self) -> String {
        self.peer[self.peer.len() - 4..].to_owned()
    }
}

type Make = fn(&Values, &mut RecordQuery);

fn ever(query: &mut RecordQuery) {
    (query.from_us, query.to_us) = (None, None);
}

fn in_day(values: &Values, query: &mut RecordQuery) {
    (query.from_us, query.to_us) = (Some(values.day.0), Some(values.day.1));
}

/// Name, number of filters, and what sets them; thirty days are set before.
const MIX: &[(&str, usize, Make)] = &[
    ("thirty days", 1, |_, _| {}),
    ("ever", 0, |_, q| ever(q)),
    ("one day", 1, in_day),
    ("station", 2, |v, q| q.stations = [v.station.clone()].into()),
    ("station, ever", 1, |v, q| {
        ever(q);
        q.stations = [v.station.clone()].into();
    }),
    ("port of a station", 3, |v, q| {
        q.stations = [v.station.clone()].into();
        q.ports = [v.port].into();
    }),
    ("eight stations", 2, |v, q| q.stations = v.stations.clone()),
    ("port number of every station", 2, |v, q| q.ports = [v.port].into()),
    ("call type", 2, |v, q| q.call_types = [v.call_type].into()),
    ("permanent", 2, |_, q| q.grades = [Grade::Permanent].into()),
    ("stopped by power loss", 2, |_, q| q.stop_modes = [StopMode::PowerLoss].into()),
    ("longer than 50 minutes", 2, |_, q| q.min_duration_ms = Some(3_000_000)),
    ("without audio", 2, |_, q| q.audio = AudioFilter::Without),
    ("deleted", 2, |_, q| q.deleted = DeletedFilter::Yes),
    ("deleted, ever", 1, |_, q| {
        ever(q);
        q.deleted = DeletedFilter::Yes;
    }),
    ("last four of a number", 2, |v, q| q.number = Some(v.last_four())),
    ("last four of a number, ever", 1, |v, q| {
        ever(q);
        q.number = Some(v.last_four());
    }),
    ("any four digits", 2, |v, q| q.number = Some(v.digits.clone())),
    ("any four digits, ever", 1, |v, q| {
        ever(q);
        q.number = Some(v.digits.clone());
    }),
    ("three digits", 2, |v, q| q.number = Some(v.digits[1..].to_owned())),
    ("two digits", 2, |v, q| q.number = Some(v.digits[2..].to_owned())),
    ("whole number", 2, |v, q| q.number = Some(v.peer.clone())),
    ("whole number, ever", 1, |v, q| {
        ever(q);
        q.number = Some(v.peer.clone());
    }),
    ("number nobody has", 2, |v, q| q.number = Some(format!("99{}99", v.digits))),
    ("common prefix 138", 2, |_, q| q.number = Some("138".into())),
    ("line number", 2, |v, q| q.line_number = Some(v.line.clone())),
    ("caller's last four", 2, |v, q| q.caller = Some(v.last_four())),
    ("score 9 or 10", 2, |_, q| q.min_score = Some(9)),
    ("tag", 2, |v, q| q.tag = Some(format!("matter {}", v.number % 40))),
    ("text of note or contact", 2, |v, q| q.text = Some(format!("{:02}", v.number % 100))),
    ("a whole SN", 1, |v, q| {
        ever(q);
        q.sn = Some(v.sn.clone());
    }),
    ("station + call type", 3, |v, q| {
        q.stations = [v.station.clone()].into();
        q.call_types = [v.call_type].into();
    }),
    ("station + last four", 3, |v, q| {
        q.stations = [v.station.clone()].into();
        q.number = Some(v.last_four());
    }),
    ("station + three digits", 3, |v, q| {
        q.stations = [v.station.clone()].into();
        q.number = Some(v.digits[1..].to_owned());
    }),
    ("station + permanent, ever", 2, |v, q| {
        ever(q);
        q.stations = [v.station.clone()].into();
        q.grades = [Grade::Permanent].into();
    }),
    ("eight stations + one day", 2, |v, q| {
        in_day(v, q);
        q.stations = v.stations.clone();
    }),
    ("eight stations + any four digits", 3, |v, q| {
        q.stations = v.stations.clone();
        q.number = Some(v.digits.clone());
    }),
    ("one day + any four digits", 2, |v, q| {
        in_day(v, q);
        q.number = Some(v.digits.clone());
    }),
    ("call type + any four digits", 3, |v, q| {
        q.call_types = [v.call_type].into();
        q.number = Some(v.digits.clone());
    }),
    ("permanent + three digits", 3, |v, q| {
        q.grades = [Grade::Permanent].into();
        q.number = Some(v.digits[1..].to_owned());
    }),
    ("138 + permanent + over 10 minutes, ever", 3, |_, q| {
        ever(q);
        q.number = Some("138".into());
        q.grades = [Grade::Permanent].into();
        q.min_duration_ms = Some(600_000);
    }),
    ("missed and longer than 0", 3, |_, q| {
        q.call_types = [CallType::IncomingMissed].into();
        q.min_duration_ms = Some(1);
    }),
    ("another station's line number", 3, |v, q| {
        q.stations = v.stations.clone();
        q.line_number = Some(v.line.clone());
    }),
    ("a station that is not there", 2, |_, q| q.stations = ["HKLN-00000000000000".to_owned()].into()),
    ("a port that is not there + call type", 3, |v, q| {
        q.ports = [99].into();
        q.call_types = [v.call_type].into();
    }),
    ("a time before all + any four digits", 2, |v, q| {
        (q.from_us, q.to_us) = (Some(BEGIN_US - 60 * DAY_US), Some(BEGIN_US - 30 * DAY_US));
        q.number = Some(v.digits.clone());
    }),
];

/// `false`: a floor is missed.
pub fn measure(catalog: &Catalog, world: &World) -> Result<bool, Error> {
    let scopes = scopes(world);
    let pages = measure_pages(catalog, world, &scopes)?;
    Ok(measure_months(catalog, world, &scopes)? && pages)
}

fn measure_pages(catalog: &Catalog, world: &World, scopes: &[(&str, Scope)]) -> Result<bool, Error> {
    let mut dice = Dice(4711);
    let mut all = Times::default();
    print!("{:<44} {:>7}", "first page: p50 / p99 ms, as seen by", "filters");
    scopes.iter().for_each(|(name, _)| print!(" {name:>19}"));
    println!(" {:>10}", "CPU p99 ms");
    let mut of_scopes: Vec<Times> = scopes.iter().map(|_| Times::default()).collect();
    for (name, filters, make) in MIX {
        let mut of_query = Times::default();
        print!("{name:<44} {filters:>7}");
        for ((_, scope), of_scope) in scopes.iter().zip(&mut of_scopes) {
            let mut times = Times::default();
            for _ in 0..RUNS {
                let values = Values::draw(&mut dice, world);
                let (from_us, to_us) = (Some(values.month.0), Some(values.month.1));
                let mut query = RecordQuery { from_us, to_us, ..RecordQuery::default() };
                make(&values, &mut query);
                times.first_page(catalog, scope, &query)?;
            }
            of_query.extend(&times);
            of_scope.extend(&times);
            let [p50, p99, ..] = times.quantiles();
            print!(" {:>19}", format!("{p50:.2} / {p99:.2}"));
        }
        let [.., work] = of_query.quantiles();
        println!(" {work:>10.2}");
        all.extend(&of_query);
    }
    print!("{:<44} {:>7}", "the whole mix", "");
    for of_scope in &mut of_scopes {
        let [p50, p99, ..] = of_scope.quantiles();
        print!(" {:>19}", format!("{p50:.2} / {p99:.2}"));
    }
    let [p50, p99, max, work] = all.quantiles();
    println!(" {work:>10.2}");
    let (runs, holds) = (all.runs(), p99 < FLOOR_MS);
    println!("all {runs}: p50 {p50:.2} ms, p99 {p99:.2} ms, slowest {max:.2} ms");
    let verdict = if holds { "holds" } else { "FAILS" };
    println!("floor: p99 under {FLOOR_MS} ms over {} records: {verdict}\n", world.records);
    Ok(holds)
}

fn measure_months(catalog: &Catalog, world: &World, scopes: &[(&str, Scope)]) -> Result<bool, Error> {
    let end = world.end_us();
    let month = RecordQuery { from_us: Some(end - 30 * DAY_US), to_us: Some(end), ..RecordQuery::default() };
    // Of a local month, which begins at a whole hour.
    let hour = DAY_US / 24;
    let from = (end - 30 * DAY_US) / hour * hour;
    let whole_hours = RecordQuery { from_us: Some(from), to_us: Some(from + 30 * DAY_US), ..month.clone() };
    let answered = RecordQuery { call_types: [CallType::IncomingAnswered].into(), ..whole_hours.clone() };
    let with_audio = RecordQuery { audio: AudioFilter::With, ..whole_hours.clone() };
    let queries = [
        ("a month", &whole_hours),
        ("thirty days to now", &month),
        ("a month, one call type", &answered),
        ("a month, with audio (counted)", &with_audio),
    ];
    let groups = [
        ("hour", GroupBy::Hour),
        ("day", GroupBy::Day),
        ("month", GroupBy::Month),
        ("port", GroupBy::Port),
        ("station", GroupBy::Station),
        ("station and port", GroupBy::StationPort),
    ];
    print!("{:<30} {:>18}", "statistics: slowest of 5, ms", "by");
    scopes.iter().for_each(|(name, _)| print!(" {name:>19}"));
    println!();
    let mut slowest: f64 = 0.0;
    for (name, query) in queries {
        for (group, by) in groups {
            print!("{name:<30} {group:>18}");
            for (_, scope) in scopes {
                let mut times = Times::default();
                for _ in 0..5 {
                    times.time(|| catalog.statistics(scope, query, by, Shanghai))?;
                }
                let [_, _, max, _] = times.quantiles();
                slowest = slowest.max(max);
                print!(" {max:>19.1}");
            }
            println!();
        }
    }
    let holds = slowest < MONTH_FLOOR_MS;
    let verdict = if holds { "holds" } else { "FAILS" };
    println!("floor: each under {MONTH_FLOOR_MS} ms over {} records: {verdict}", world.records);
    Ok(holds)
}
