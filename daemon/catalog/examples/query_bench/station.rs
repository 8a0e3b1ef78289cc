//! One station: 64 ports, a record every half minute, everybody sees everything.

use std::time::Instant;

use catalog::{AudioFilter, Catalog, DeletedFilter, Error, Grade, RecordQuery, Scope};
use hookline_catalog as catalog;
use line::{CallType, StopMode};

use crate::made::{Dice, World, contacts, settle};
use crate::measure::Times;

const PORTS: u16 = 64;
const RUNS: usize = 200;
const FLOOR_MS: f64 = 20.0;

pub fn world(records: u64) -> World {
    World { records, stations: 1, ports: PORTS, step_us: 31_000_000, silent: 0 }
}

/// Values for one run of a query, taken from a record that exists.
struct Values {
    port: u16,
    peer: String,
    /// Any four digits.
    digits: String,
    day: (i64, i64),
    month: (i64, i64),
    call_type: CallType,
    sn: String,
    number: u64,
}

impl Values {
    fn draw(dice: &mut Dice, world: &World) -> Self {
        let sample = loop {
            let sample = world.facts(1 + dice.below(world.records));
            if sample.peer_number.is_some() {
                break sample;
            }
        };
        let start = sample.start.utc_us;
        let day = 86_400_000_000;
        Self {
            port: sample.port,
            peer: sample.peer_number.clone().unwrap_or_default(),
            digits: format!("{:04}", dice.below(10_000)),
            day: (start - start % day, start - start % day + day),
            month: (start, start + 30 * day),
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

/// Name, number of filters, and what sets them.
const MIX: &[(&str, usize, Make)] = &[
    ("everything", 0, |_, _| {}),
    ("port", 1, |v, q| q.ports = [v.port].into()),
    ("call type", 1, |v, q| q.call_types = [v.call_type].into()),
    ("last four of a number", 1, |v, q| q.number = Some(v.last_four())),
    ("last four of a peer number", 1, |v, q| q.peer_number = Some(v.last_four())),
    ("any four digits", 1, |v, q| q.number = Some(v.digits.clone())),
    ("three digits", 1, |v, q| q.number = Some(v.digits[1..].to_owned())),
    ("two digits", 1, |v, q| q.number = Some(v.digits[2..].to_owned())),
    ("one digit", 1, |v, q| q.number = Some(v.digits[3..].to_owned())),
    ("whole number", 1, |v, q| q.number = Some(v.peer.clone())),
    ("number nobody has", 1, |v, q| q.number = Some(format!("99{}99", v.digits))),
    ("common prefix 138", 1, |_, q| q.number = Some("138".into())),
    ("line number", 1, |v, q| q.line_number = Some(format!("{}", 8000 + v.port))),
    ("caller's last four", 1, |v, q| q.caller = Some(v.last_four())),
    ("one day", 1, |v, q| (q.from_us, q.to_us) = (Some(v.day.0), Some(v.day.1))),
    ("permanent", 1, |_, q| q.grades = [Grade::Permanent].into()),
    ("stopped by power loss", 1, |_, q| q.stop_modes = [StopMode::PowerLoss].into()),
    ("longer than 50 minutes", 1, |_, q| q.min_duration_ms = Some(3_000_000)),
    ("score 9 or 10", 1, |_, q| q.min_score = Some(9)),
    ("tag", 1, |v, q| q.tag = Some(format!("matter {}", v.number % 40))),
    ("text of note or contact", 1, |v, q| q.text = Some(format!("{:02}", v.number % 100))),
    ("a whole SN", 1, |v, q| q.sn = Some(v.sn.clone())),
    ("SN of an hour", 1, |v, q| q.sn = Some(v.sn[..11].to_owned())),
    ("without audio", 1, |_, q| q.audio = AudioFilter::Without),
    ("deleted", 1, |_, q| q.deleted = DeletedFilter::Yes),
    ("port + call type", 2, |v, q| {
        q.ports = [v.port].into();
        q.call_types = [v.call_type].into();
    }),
    ("port + last four", 2, |v, q| {
        q.ports = [v.port].into();
        q.number = Some(v.last_four());
    }),
    ("call type + any four digits", 2, |v, q| {
        q.call_types = [v.call_type].into();
        q.number = Some(v.digits.clone());
    }),
    ("day + last four", 2, |v, q| {
        (q.from_us, q.to_us) = (Some(v.day.0), Some(v.day.1));
        q.number = Some(v.last_four());
    }),
    ("month + call type", 2, |v, q| {
        (q.from_us, q.to_us) = (Some(v.month.0), Some(v.month.1));
        q.call_types = [v.call_type].into();
    }),
    ("three digits + permanent", 2, |v, q| {
        q.number = Some(v.digits[1..].to_owned());
        q.grades = [Grade::Permanent].into();
    }),
    ("port + 1 to 2 minutes", 2, |v, q| {
        q.ports = [v.port].into();
        (q.min_duration_ms, q.max_duration_ms) = (Some(61_000), Some(119_000));
    }),
    ("missed and stopped by silence, longer than 0", 3, |_, q| {
        q.call_types = [CallType::IncomingMissed].into();
        q.stop_modes = [StopMode::Silence].into();
        q.min_duration_ms = Some(1);
    }),
    ("another port's line number", 2, |v, q| {
        q.ports = [v.port].into();
        q.line_number = Some(format!("{}", 8000 + v.port % PORTS + 1));
    }),
    ("tag + port", 2, |v, q| {
        q.tag = Some(format!("matter {}", v.number % 40));
        q.ports = [v.port].into();
    }),
    ("port + call type + last four", 3, |v, q| {
        q.ports = [v.port].into();
        q.call_types = [v.call_type].into();
        q.number = Some(v.last_four());
    }),
    ("month + port + call type", 3, |v, q| {
        (q.from_us, q.to_us) = (Some(v.month.0), Some(v.month.1));
        q.ports = [v.port].into();
        q.call_types = [v.call_type].into();
    }),
    ("port + call type + three digits", 3, |v, q| {
        q.ports = [v.port].into();
        q.call_types = [v.call_type].into();
        q.number = Some(v.digits[1..].to_owned());
    }),
    ("day + port + two digits", 3, |v, q| {
        (q.from_us, q.to_us) = (Some(v.day.0), Some(v.day.1));
        q.ports = [v.port].into();
        q.number = Some(v.digits[2..].to_owned());
    }),
    ("138 + permanent + over 10 minutes", 3, |_, q| {
        q.number = Some("138".into());
        q.grades = [Grade::Permanent].into();
        q.min_duration_ms = Some(600_000);
    }),
    ("a port that is not there + call type", 2, |v, q| {
        q.ports = [999].into();
        q.call_types = [v.call_type].into();
    }),
];

/// Puts the records into journal and catalog, as a station does.
pub fn fill(catalog: &Catalog, world: &World) -> Result<(), Error> {
    let begin = Instant::now();
    let mut bodies = Vec::new();
    for number in 1..=world.records {
        bodies.append(&mut world.entries(number));
        if bodies.len() >= 1000 || number == world.records {
            catalog.append_durable(std::mem::take(&mut bodies))?;
        }
    }
    catalog.append_durable(contacts().collect())?;
    let journal = begin.elapsed().as_secs_f64();
    settle(catalog);
    let all = begin.elapsed().as_secs_f64();
    println!("filled {} records: journal {journal:.1} s, catalog {all:.1} s", world.records);
    Ok(())
}

/// `false`: the 99th percentile is above the floor.
pub fn measure(catalog: &Catalog, world: &World) -> Result<bool, Error> {
    let mut dice = Dice(4711);
    let mut all = Times::default();
    println!(
        "{:<46} {:>7} {:>8} {:>8} {:>8} {:>12} {:>9}",
        "query", "filters", "p50 ms", "p99 ms", "max ms", "CPU p99 ms", "found"
    );
    for (name, filters, make) in MIX {
        let mut times = Times::default();
        for _ in 0..RUNS {
            let mut query = RecordQuery::default();
            make(&Values::draw(&mut dice, world), &mut query);
            times.first_page(catalog, &Scope::everything(), &query)?;
        }
        all.extend(&times);
        let found = times.found as f64 / RUNS as f64;
        let [p50, p99, max, work] = times.quantiles();
        println!("{name:<46} {filters:>7} {p50:>8.2} {p99:>8.2} {max:>8.2} {work:>12.2} {found:>9.1}");
    }
    let [p50, p99, max, work] = all.quantiles();
    println!("{:<46} {:>7} {p50:>8.2} {p99:>8.2} {max:>8.2} {work:>12.2}", "the whole mix", "");
    let holds = p99 < FLOOR_MS;
    println!(
        "floor: p99 under {FLOOR_MS} ms over {} records: {}",
        world.records,
        if holds { "holds" } else { "FAILS" }
    );
    Ok(holds)
}
