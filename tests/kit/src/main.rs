//! `kit`, the command line of the test kit. Exit status: 0 well, 1 a limit was missed, 2 bad use or bad input.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use hookline_test_kit::compare::compare;
use hookline_test_kit::line_tap::{self, Player, SoftwareTap, Unit};
use hookline_test_kit::{accuracy, event, scenario, speed};
use lexopt::prelude::*;

const USAGE: &str = "\
kit scenario --out DIR [--seed N] [--ports P] [--seconds S]   a random mix of lines and calls, with truth.jsonl
kit demo OUT                                                  the 16-port demo of scripts/run
kit compare SCENARIO REPLAY                                   judges REPLAY/events.jsonl by SCENARIO/truth.jsonl
kit accuracy --hookline PROGRAM --work DIR [--short] [SECTION...]   the accuracy table
kit speed --hookline PROGRAM --work DIR [--ports P] [--seconds S] [--runs N]   detection speed beside spandsp's
kit line-tap --serial S --scenario DIR [--lines N] [--fast-ppm X] [--fifo-ms N] [--once]   a line tap in software, plugged in here (root, vhci-hcd)
kit peer SCENARIO [--without-adsi]                            spandsp's receivers over a scenario's audio";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("kit: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = lexopt::Parser::from_env();
    match args.next()? {
        Some(Value(name)) if name == "scenario" => make_scenario(args),
        Some(Value(name)) if name == "demo" => {
            let out: PathBuf = args.value()?.into();
            no_more(args)?;
            scenario::demo(&out)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Value(name)) if name == "compare" => {
            let (scenario, replay): (PathBuf, PathBuf) = (args.value()?.into(), args.value()?.into());
            no_more(args)?;
            let truth = event::read(&scenario.join("truth.jsonl"))?;
            let report = compare(&truth, &event::read(&replay.join("events.jsonl"))?);
            write!(io::stdout(), "{report}")?;
            Ok(if report.passes() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        Some(Value(name)) if name == "accuracy" => measure_accuracy(args),
        Some(Value(name)) if name == "speed" => measure_speed(args),
        Some(Value(name)) if name == "line-tap" => run_line_tap(args),
        Some(Value(name)) if name == "peer" => run_peer(args),
        Some(Long("help") | Short('h')) => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(format!("name what to do:\n{USAGE}").into()),
    }
}

fn no_more(mut args: lexopt::Parser) -> Result<(), lexopt::Error> {
    args.next()?.map_or(Ok(()), |extra| Err(extra.unexpected()))
}

fn make_scenario(mut args: lexopt::Parser) -> Result<ExitCode, Box<dyn Error>> {
    let (mut seed, mut ports, mut seconds, mut out) = (1, 14, 300.0, None);
    while let Some(arg) = args.next()? {
        match arg {
            Long("seed") => seed = args.value()?.parse()?,
            Long("ports") => ports = args.value()?.parse()?,
            Long("seconds") => seconds = args.value()?.parse()?,
            Long("out") => out = Some(PathBuf::from(args.value()?)),
            other => return Err(other.unexpected().into()),
        }
    }
    let out = out.ok_or("--out DIR is missing")?;
    scenario::mixed(&out, seed, ports, seconds)?;
    Ok(ExitCode::SUCCESS)
}

fn measure_accuracy(mut args: lexopt::Parser) -> Result<ExitCode, Box<dyn Error>> {
    let (mut hookline, mut work, mut short, mut sections) = (None, None, false, Vec::new());
    while let Some(arg) = args.next()? {
        match arg {
            Long("hookline") => hookline = Some(PathBuf::from(args.value()?)),
            Long("work") => work = Some(PathBuf::from(args.value()?)),
            Long("short") => short = true,
            Value(section) => sections.push(section.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let bench = accuracy::Bench {
        hookline: hookline.ok_or("--hookline PROGRAM is missing")?,
        work: work.ok_or("--work DIR is missing")?,
        short,
    };
    if sections.is_empty() {
        sections = accuracy::SECTIONS.map(String::from).to_vec();
    }
    let mut passed = true;
    for name in &sections {
        let section = accuracy::run(&bench, name)?;
        passed &= accuracy::print(name, &section);
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn measure_speed(mut args: lexopt::Parser) -> Result<ExitCode, Box<dyn Error>> {
    let (mut hookline, mut work, mut ports, mut length_s, mut runs) = (None, None, 64, 600.0, 3);
    while let Some(arg) = args.next()? {
        match arg {
            Long("hookline") => hookline = Some(PathBuf::from(args.value()?)),
            Long("work") => work = Some(PathBuf::from(args.value()?)),
            Long("ports") => ports = args.value()?.parse()?,
            Long("seconds") => length_s = args.value()?.parse()?,
            Long("runs") => runs = args.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    let passed = speed::detection(&speed::SpeedBench {
        hookline: hookline.ok_or("--hookline PROGRAM is missing")?,
        kit: std::env::current_exe()?,
        work: work.ok_or("--work DIR is missing")?,
        ports,
        length_s,
        runs,
    })?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn run_peer(mut args: lexopt::Parser) -> Result<ExitCode, Box<dyn Error>> {
    let (mut scenario, mut with_adsi) = (None, true);
    while let Some(arg) = args.next()? {
        match arg {
            Long("without-adsi") => with_adsi = false,
            Value(folder) if scenario.is_none() => scenario = Some(PathBuf::from(folder)),
            other => return Err(other.unexpected().into()),
        }
    }
    let heard = speed::peer(&scenario.ok_or("SCENARIO is missing")?, with_adsi)?;
    println!("heard {heard} channel-seconds");
    Ok(ExitCode::SUCCESS)
}

fn run_line_tap(mut args: lexopt::Parser) -> Result<ExitCode, Box<dyn Error>> {
    let (mut serial, mut scenario, mut lines, mut once) = (None, None, None, false);
    let mut unit = Unit::new("", 0);
    while let Some(arg) = args.next()? {
        match arg {
            Long("serial") => serial = Some(args.value()?.string()?),
            Long("scenario") => scenario = Some(PathBuf::from(args.value()?)),
            Long("lines") => lines = Some(args.value()?.parse()?),
            Long("fast-ppm") => unit.fast_ppm = args.value()?.parse()?,
            Long("fifo-ms") => unit.fifo_ms = args.value()?.parse()?,
            Long("once") => once = true,
            other => return Err(other.unexpected().into()),
        }
    }
    unit.serial = serial.ok_or("--serial S is missing")?;
    let player = Player::load(&scenario.ok_or("--scenario DIR is missing")?, once)?;
    unit.lines = lines.unwrap_or(player.channels().clamp(4, 32) as u8);
    if !(4..=32).contains(&unit.lines) || !unit.fast_ppm.is_finite() || unit.fast_ppm.abs() > 10_000.0 {
        return Err("a line tap has 4 to 32 lines, and a crystal that is off by 10,000 ppm at most".into());
    }
    let named = format!("line tap {} of {} lines", unit.serial, unit.lines);
    let mut tap = SoftwareTap::new(unit, player);
    tap.plug_in()?;
    println!("{named} is plugged in; type 'unplug', 'plug', or what shall go wrong: {}", line_tap::WORDS);
    for line in io::stdin().lock().lines() {
        match line?.trim() {
            "" => {}
            "unplug" => tap.unplug(),
            "plug" => tap.plug_in()?,
            words => match words.parse() {
                Ok(fault) if tap.fault(fault) => {}
                Ok(_) => println!("{named} is not plugged in"),
                Err(problem) => println!("{problem}"),
            },
        }
    }
    // Nobody types any more: it stays until this program is ended.
    loop {
        std::thread::park();
    }
}
