//! How fast is the first page? Fills a data folder with made records, through journal and catalog as a station does,
//! asks a named mix of queries with changing values, and prints the times of each, and beside them the time the
//! processor worked on it (on a busy machine the clock runs on while others compute).
//!
//!     cargo run --release -p hookline-catalog --example query_bench -- [RECORDS] [FOLDER]
//!
//! Without FOLDER a temporary one is made and removed. A FOLDER filled before is used as it is. Exit status 1: the
//! 99th percentile over the mix is above the floor.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use catalog::entry::{Annotation, Body, Deletion, Record};
use catalog::{
    AudioFilter, Catalog, Change, Contact, DeletedFilter, DeletionReason, Error, Grade, Options, PageRequest,
    RecordQuery, Scope,
};
use hookline_catalog as catalog;
use line::{CallType, StartMode, StopMode};
use recording::{ClockQuality, Codec, Facts, Instant as Moment, RecordId};

const SERIAL: &str = "HKLN-01121571897162";
const PORTS: u64 = 64;
/// 2026-01-01T00:00:00Z; a record every half minute from then on.
const BEGIN_US: i64 = 1_767_225_600_000_000;
const STEP_US: i64 = 31_000_000;
const RUNS: usize = 200;
const FLOOR: Duration = Duration::from_millis(20);

/// SplitMix64: the same records and queries in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One of the values, by weight.
    fn weighted<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
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
fn peer_number(dice: &mut Dice) -> String {
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

fn facts(sequence: u64) -> Facts {
    let mut dice = Dice(sequence);
    let port = 1 + dice.below(PORTS) as u16;
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
    Facts {
        version: 1,
        id: RecordId { serial: SERIAL.into(), sequence },
        call_id: format!("{SERIAL}-{sequence:08}"),
        segment: 0,
        port,
        port_name: format!("M [{port:02}]"),
        start: Moment {
            utc_us: BEGIN_US + sequence as i64 * STEP_US + dice.below(30_000_000) as i64,
            offset_s: 28_800,
            boot_id: "9b1c0c62-0000-4000-8000-000000000001".into(),
            monotonic_us: sequence as i64 * STEP_US,
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
        line_number: Some(format!("{}", 8000 + port)),
        peer_number: (dice.below(20) > 0).then(|| peer_number(&mut dice)),
        peer_name: None,
        withheld: false,
        marks: Vec::new(),
        audio_sha256: audio.then(|| format!("{sequence:064x}")),
    }
}

/// What people add: a hundredth of the records are graded, some are scored, tagged, noted; the oldest 2 % are deleted.
fn additions(sequence: u64, records: u64, into: &mut Vec<Body>) {
    let mut dice = Dice(sequence ^ 0xA5A5);
    let record = RecordId { serial: SERIAL.into(), sequence };
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
    if sequence < records / 50 {
        into.push(Body::Deletion(Deletion { record, account: None, reason: DeletionReason::Loop }));
    }
}

fn fill(catalog: &Catalog, records: u64) -> Result<(), Error> {
    let begin = Instant::now();
    let mut bodies = Vec::new();
    for sequence in 1..=records {
        let facts = facts(sequence);
        let file = facts.codec.map(|_| format!("recordings/2026/01/01/{sequence:08}.wav"));
        bodies.push(Body::Record(Record { facts, file }));
        additions(sequence, records, &mut bodies);
        if bodies.len() >= 1000 || sequence == records {
            catalog.append_durable(std::mem::take(&mut bodies))?;
        }
    }
    for index in 0..2000 {
        let number = peer_number(&mut Dice(index));
        catalog.append_durable(vec![Body::ContactSet(Contact {
            number,
            name: format!("Contact {index:04}"),
            department: String::new(),
            note: String::new(),
        })])?;
    }
    let journal = begin.elapsed();
    while !catalog.wait_until_current(Duration::from_secs(600)) {
        if let Some(why) = catalog.health().failing {
            eprintln!("the catalog fails: {why}");
        }
    }
    println!(
        "filled {records} records: journal {:.1} s, catalog {:.1} s",
        journal.as_secs_f64(),
        begin.elapsed().as_secs_f64()
    );
    Ok(())
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
    fn draw(dice: &mut Dice, records: u64) -> Self {
        let sample = loop {
            let sample = facts(1 + dice.below(records));
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
        q.line_number = Some(format!("{}", 8000 + v.port % PORTS as u16 + 1));
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

fn measure(catalog: &Catalog, records: u64) -> Result<bool, Error> {
    let mut dice = Dice(4711);
    let mut all = Vec::new();
    let mut all_work = Vec::new();
    println!(
        "{:<46} {:>7} {:>8} {:>8} {:>8} {:>12} {:>9}",
        "query", "filters", "p50 ms", "p99 ms", "max ms", "CPU p99 ms", "found"
    );
    for (name, filters, make) in MIX {
        let mut times = Vec::with_capacity(RUNS);
        let mut work = Vec::with_capacity(RUNS);
        let mut found = 0;
        for _ in 0..RUNS {
            let mut query = RecordQuery::default();
            make(&Values::draw(&mut dice, records), &mut query);
            let (begin, begin_work) = (Instant::now(), processor_time());
            let page = catalog.records(&Scope::everything(), &query, PageRequest::default())?;
            times.push(begin.elapsed());
            work.push(processor_time().saturating_sub(begin_work));
            found += page.total.unwrap_or(0);
        }
        all.extend_from_slice(&times);
        all_work.extend_from_slice(&work);
        let [p50, p99, max] = quantiles(&mut times);
        let [_, work, _] = quantiles(&mut work);
        let found = found as f64 / RUNS as f64;
        println!("{name:<46} {filters:>7} {p50:>8.2} {p99:>8.2} {max:>8.2} {work:>12.2} {found:>9.1}");
    }
    let [p50, p99, max] = quantiles(&mut all);
    let [_, work, _] = quantiles(&mut all_work);
    println!("{:<46} {:>7} {p50:>8.2} {p99:>8.2} {max:>8.2} {work:>12.2}", "the whole mix", "");
    let holds = p99 < FLOOR.as_secs_f64() * 1000.0;
    println!(
        "floor: p99 under {} ms over {records} records: {}",
        FLOOR.as_millis(),
        if holds { "holds" } else { "FAILS" }
    );
    Ok(holds)
}

/// What the processor has worked for this thread.
fn processor_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    nix::time::clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

/// Median, 99th percentile and longest, in milliseconds.
fn quantiles(times: &mut [Duration]) -> [f64; 3] {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1000.0;
    [at(0.5), at(0.99), at(1.0)]
}

fn run(folder: &Path, records: u64) -> Result<bool, Error> {
    let (catalog, report) = Catalog::open(folder, Options::new(SERIAL))?;
    report.damage.iter().for_each(|sentence| eprintln!("{sentence}"));
    let there = catalog.next_sequence() - 1;
    if there == 0 {
        fill(&catalog, records)?;
    }
    catalog.wait_until_current(Duration::from_secs(600));
    measure(&catalog, if there == 0 { records } else { there })
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let records = match arguments.next().map(|text| text.parse()) {
        None => 1_000_000,
        Some(Ok(records)) if records > 0 => records,
        Some(_) => {
            eprintln!("RECORDS must be a whole number above 0, such as 1000000");
            return ExitCode::from(2);
        }
    };
    let outcome = match arguments.next() {
        Some(folder) => run(Path::new(&folder), records),
        None => match tempfile::tempdir() {
            Ok(folder) => run(folder.path(), records),
            Err(error) => {
                eprintln!("cannot make a temporary folder: {error}");
                return ExitCode::from(2);
            }
        },
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
