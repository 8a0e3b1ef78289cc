//! Tests the storage invariants of `README.md`, exactly those and by their numbers, on a data folder. It changes
//! nothing, and needs neither the lock nor a journal of any particular kind: the caller says what the journal has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::damaged::reason_beside;
use crate::data_dir::{CAPTURE_LOG, DAMAGED, RECORDINGS};
use crate::facts::{Facts, MarkKind};
use crate::log_scan;
use crate::names;
use crate::peaks;
use crate::reader::Reader;
use crate::recover;
use crate::survey::{Item, ItemKind, survey};

/// What the journal says of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Journalled {
    pub facts: Facts,
    /// As in `Finished`.
    pub path: Option<String>,
    /// The journal has its deletion.
    pub deleted: bool,
}

/// How much to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Names, heads and facts.
    Facts,
    /// All audio too, against its checksum.
    Audio,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number in `README.md`.
    pub invariant: u8,
    /// Which file or record.
    pub thing: String,
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "invariant {} does not hold for {}: {}", self.invariant, self.thing, self.detail)
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub recordings: usize,
    /// Calls in the capture log that are no records yet: open, or cut by the last stop.
    pub unfinished: usize,
    pub damaged: usize,
    pub violations: Vec<Violation>,
}

impl Report {
    fn add(&mut self, invariant: u8, thing: impl Into<String>, detail: impl fmt::Display) {
        self.violations.push(Violation { invariant, thing: thing.into(), detail: detail.to_string() });
    }
}

/// Checks the data folder at `data`, on which no recorder should be running: what is being finished at this moment would
/// be found half done.
pub fn check(data: &Path, journal: impl IntoIterator<Item = Journalled>, depth: Depth) -> io::Result<Report> {
    let mut report = Report::default();
    let journal = read_journal(journal, &mut report);
    let unfinished = check_log(data, journal.len() as u64 + 1, &mut report)?;
    let mut seen = BTreeMap::new();
    for item in survey(data) {
        let Item { path, kind } = item?;
        check_mode(data, &path, &mut report)?;
        match kind {
            ItemKind::Recording => check_recording(data, &path, depth, &mut seen, &mut report),
            ItemKind::Peaks if data.join(&path).with_extension("wav").exists() => {}
            ItemKind::Peaks => report.add(8, path, "there is no recording it belongs to"),
            ItemKind::Temporary | ItemKind::Other => {
                if !unfinished.contains(&path) {
                    report.add(8, path, "it does not belong here");
                }
            }
        }
    }
    compare(&journal, &seen, &unfinished, &mut report);
    check_damaged(data, &mut report)?;
    Ok(report)
}

fn read_journal(journal: impl IntoIterator<Item = Journalled>, report: &mut Report) -> Vec<Journalled> {
    let journal: Vec<_> = journal.into_iter().collect();
    for (record, expected) in journal.iter().zip(1..) {
        let sequence = record.facts.id.sequence;
        if sequence != expected {
            report.add(6, format!("record {sequence}"), format!("record {expected} should stand here"));
        }
        if record.path.is_some() != (record.facts.samples > 0) {
            report.add(
                2,
                format!("record {sequence}"),
                "it has a file without audio, or audio without a file",
            );
        }
    }
    journal
}

/// Gives the paths that unfinished recordings have claimed, and those of their temporary files.
fn check_log(data: &Path, next_sequence: u64, report: &mut Report) -> io::Result<BTreeSet<String>> {
    let (_, backlog) = log_scan::find(&data.join(CAPTURE_LOG))?;
    let opens = recover::read(&backlog);
    if opens.strays() > 0 {
        report.add(10, CAPTURE_LOG, format!("the beginnings of {} recordings are damaged", opens.strays()));
    }
    let (unfinished, _) = recover::sort_out(opens, next_sequence);
    report.unfinished = unfinished.len();
    let claims = unfinished.iter().flat_map(|open| &open.claims).filter_map(|claim| claim.path.as_ref());
    let with_temporary = claims.flat_map(|path| {
        let temporary = crate::durable::temporary_name(Path::new(path));
        [path.clone(), temporary.to_string_lossy().into_owned()]
    });
    Ok(with_temporary.collect())
}

fn check_mode(data: &Path, path: &str, report: &mut Report) -> io::Result<()> {
    let mode = std::fs::symlink_metadata(data.join(path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        report.add(11, path, format!("its mode is {mode:03o}: others than its owner have a right to it"));
    }
    Ok(())
}

fn check_recording(
    data: &Path,
    path: &str,
    depth: Depth,
    seen: &mut BTreeMap<u64, (String, Facts)>,
    report: &mut Report,
) {
    report.recordings += 1;
    let file = data.join(path);
    let reader = match Reader::open(&file) {
        Ok(reader) => reader,
        Err(error) => return report.add(1, path, error),
    };
    let facts = reader.facts();
    let sequence = facts.id.sequence;
    if names::recording(&facts.start, facts.port, sequence) != path {
        report.add(
            4,
            path,
            format!("its facts call it {}", names::recording(&facts.start, facts.port, sequence)),
        );
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    if names::sequence(name).is_none() {
        report.add(4, path, "its name has no sequence number");
    }
    let gaps = facts.marks.iter().filter_map(|mark| match mark.kind {
        MarkKind::Gap { samples } => Some((mark.sample, samples)),
        _ => None,
    });
    for (at, samples) in gaps {
        if at.saturating_add(samples) > facts.samples {
            report.add(9, path, format!("a gap at sample {at} reaches over the end"));
        }
    }
    if depth == Depth::Audio {
        if let Err(error) = reader.verify_audio() {
            report.add(3, path, error);
        }
        check_peaks(&file, path, &reader, report);
    }
    if let Some((other, _)) = seen.insert(sequence, (path.into(), facts.clone())) {
        report.add(5, path, format!("{other} is record {sequence} too"));
    }
}

/// Peaks that are damaged are no violation: they are made again. Whole ones must be those of their recording.
fn check_peaks(file: &Path, path: &str, reader: &Reader, report: &mut Report) {
    if let Some(kept) = peaks::kept(file, reader)
        && peaks::make(reader).is_ok_and(|made| made != kept)
    {
        report.add(12, path, "its waveform is another recording's");
    }
}

/// Journal against files, both ways.
fn compare(
    journal: &[Journalled],
    seen: &BTreeMap<u64, (String, Facts)>,
    unfinished: &BTreeSet<String>,
    report: &mut Report,
) {
    for record in journal {
        let sequence = record.facts.id.sequence;
        let thing = || format!("record {sequence}");
        match (&record.path, seen.get(&sequence)) {
            (Some(path), None) if !record.deleted => report.add(7, thing(), format!("{path} is missing")),
            (_, Some((path, _))) if record.deleted => {
                report.add(7, thing(), format!("{path} is deleted, and there"))
            }
            (None, Some((path, _))) => {
                report.add(7, thing(), format!("it has no audio, and {path} is there"))
            }
            (Some(path), Some((found, facts))) => {
                if path != found {
                    report.add(7, thing(), format!("the journal calls it {path}, and it is {found}"));
                }
                if *facts != record.facts {
                    report.add(3, thing(), "the facts in the journal are not those in the file");
                }
            }
            (_, None) => {}
        }
    }
    let known: BTreeSet<u64> = journal.iter().map(|record| record.facts.id.sequence).collect();
    for (sequence, (path, _)) in seen {
        if !known.contains(sequence) && !unfinished.contains(path) {
            report.add(7, path.clone(), format!("the journal has no record {sequence}"));
        }
    }
}

fn check_damaged(data: &Path, report: &mut Report) -> io::Result<()> {
    let folder = data.join(RECORDINGS).join(DAMAGED);
    if !folder.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".reason.txt") {
            continue;
        }
        report.damaged += 1;
        if !reason_beside(&path).exists() {
            report.add(8, path.to_string_lossy(), "there is no reason beside it");
        }
    }
    Ok(())
}
