//! Recording files hold what was on the line: every file of a replay is laid beside the scenario's own audio, from the
//! pre-roll's first sample to the last one, and the segments of a long call without one lost sample between them.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::{Bench, MeasureError, Row, Section, Verdict, folder};
use crate::audio::samples;
use crate::event::Event;
use crate::replay::{detect, replay};
use crate::scenario;
use crate::wav;

/// Most that a kept sample may differ: half a step of A-law at its level, and a little for another rounding.
fn may_differ(sample: i16) -> i32 {
    20 + i32::from(sample).abs() / 24
}

/// Where in the line's audio a file was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    at: usize,
    length: usize,
    /// Samples that are not the line's.
    differing: usize,
}

/// Samples around the expected place in which a file is looked for: 50 ms.
const SEARCH: usize = 400;

/// Lays the loudest 100 ms of the file on the line's audio where they fit best, within `SEARCH` of `expected`.
fn find(line: &[i16], file: &[i16], expected: usize) -> Found {
    let probe_length = 800.min(file.len());
    let loudness = |at: usize| file[at..at + probe_length].iter().map(|&s| i64::from(s).abs()).sum::<i64>();
    let probe = (0..=file.len() - probe_length).step_by(400).max_by_key(|&at| loudness(at)).unwrap_or(0);
    let distance = |start: usize| -> Option<i64> {
        let beside = line.get(start + probe..start + probe + probe_length)?;
        Some(beside.iter().zip(&file[probe..]).map(|(&a, &b)| (i64::from(a) - i64::from(b)).abs()).sum())
    };
    let starts = expected.saturating_sub(SEARCH)..=expected + SEARCH;
    let at = starts.filter_map(|start| Some((distance(start)?, start.abs_diff(expected), start))).min();
    let at = at.map_or(expected, |(_, _, start)| start);
    let beside = line.get(at..).unwrap_or_default();
    let differ = |(&a, &b): (&i16, &i16)| (i32::from(a) - i32::from(b)).abs() > may_differ(a);
    let differing = beside.iter().zip(file).filter(|&pair| differ(pair)).count()
        + file.len().saturating_sub(beside.len());
    Found { at, length: file.len(), differing }
}

#[derive(Default)]
struct Tally {
    files: usize,
    missing: Vec<String>,
    /// Found elsewhere than `start` and `pre_roll_s` say.
    worst_offset: usize,
    wrong_length: Vec<String>,
    differing: Vec<String>,
    tracks: Vec<String>,
    /// Segment pairs of one call that do not meet.
    apart: Vec<String>,
    segments: usize,
}

fn check(scenario: &Path, out: &Path, events: &[Event]) -> Result<Tally, MeasureError> {
    let mut tally = Tally::default();
    let mut lines: HashMap<u16, Vec<Vec<i16>>> = HashMap::new();
    // The segment before: its call and where it ended on the line.
    let mut ends: HashMap<(u16, String), usize> = HashMap::new();
    for stop in events.iter().filter(|event| event.event == "record_stop") {
        let Some(name) = stop.text("file") else {
            if stop.number("seconds").is_some_and(|length| length > 0.0) && is_recorded(events, stop) {
                tally.missing.push(format!("port {} at {:.3}: file is null", stop.port, stop.t));
            }
            continue;
        };
        let path = resolve(out, name);
        let tracks = match wav::read(&path) {
            Ok(tracks) => tracks,
            Err(error) => {
                tally.missing.push(error.to_string());
                continue;
            }
        };
        tally.files += 1;
        let line = match lines.entry(stop.port) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                new.insert(wav::read(&scenario.join(format!("port{:02}.wav", stop.port)))?)
            }
        };
        if tracks.len() != line.len() || tracks[0].is_empty() {
            tally.tracks.push(format!("{name}: {} tracks, the line has {}", tracks.len(), line.len()));
            continue;
        }
        let number = |member| stop.number(member).unwrap_or(0.0);
        let (start, pre_roll) = (samples(number("start")), samples(number("pre_roll_s")));
        let expected = start.saturating_sub(pre_roll);
        let length = start - expected + samples(number("seconds"));
        for (track, (line, file)) in line.iter().zip(&tracks).enumerate() {
            let found = find(line, file, expected);
            tally.worst_offset = tally.worst_offset.max(found.at.abs_diff(expected));
            // `start`, `seconds` and `pre_roll_s` are rounded to milliseconds each. A voice-started recording may hold the
            // silence that ended it.
            let longest = length + if stop.text("mode") == Some("silence") { samples(6.0) } else { 24 };
            if file.len() + 24 < length || file.len() > longest {
                tally.wrong_length.push(format!("{name}: {} samples instead of {length}", file.len()));
            }
            // A speaker's edge may fall on a code boundary; one sample in a thousand is rounding, not another audio.
            if found.differing * 1000 > file.len() {
                tally.differing.push(format!("{name}: {} of {} samples differ", found.differing, file.len()));
            }
            if track > 0 {
                continue;
            }
            let call = (stop.port, stop.text("call_id").unwrap_or_default().to_string());
            if let Some(end) = ends.insert(call, found.at + found.length) {
                tally.segments += 1;
                if end != found.at + pre_roll {
                    let gap = (found.at + pre_roll) as i64 - end as i64;
                    tally.apart.push(format!("{name}: {gap} samples after the segment before it"));
                }
            }
        }
    }
    Ok(tally)
}

fn is_recorded(events: &[Event], stop: &Event) -> bool {
    events.iter().any(|event| event.event == "record_start" && event.text("call_id") == stop.text("call_id"))
}

/// `file` as the data folder has it.
fn resolve(out: &Path, name: &str) -> PathBuf {
    let direct = out.join(name);
    if direct.exists() { direct } else { out.join("recordings").join(name) }
}

/// WAV files below the data folder, and those of at most a header.
fn wav_files(folder: &Path) -> (BTreeSet<PathBuf>, usize) {
    let (mut found, mut empty, mut open) = (BTreeSet::new(), 0, vec![folder.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wav") {
                empty += usize::from(entry.metadata().is_ok_and(|facts| facts.len() <= 64));
                found.insert(path);
            }
        }
    }
    (found, empty)
}

fn row(condition: &str, floor: &str, ours: String, well: bool) -> Row {
    let verdict = if well { Verdict::Aim } else { Verdict::Failed };
    Row {
        condition: condition.into(), floor: floor.into(), aim: "–".into(), ours, peer: "–".into(), verdict
    }
}

pub fn run(bench: &Bench) -> Result<Section, MeasureError> {
    let scenario = folder(bench, "files");
    scenario::mixed(&scenario, 77, 14, if bench.short { 240.0 } else { 600.0 })?;
    let out = scenario.join("data");
    let (events, _) = replay(&bench.hookline, &scenario, &out, &[])?;
    let tally = check(&scenario, &out, &events)?;
    let named: BTreeSet<PathBuf> = events
        .iter()
        .filter(|event| event.event == "record_stop")
        .filter_map(|event| event.text("file"))
        .map(|name| resolve(&out, name))
        .collect();
    let (on_disk, empty) = wav_files(&out);

    let without_file = |events: Vec<Event>| -> Vec<Event> {
        events
            .into_iter()
            .map(|mut event| {
                event.members.insert("file".into(), serde_json::Value::Null);
                event.members.remove("call_id");
                event
            })
            .collect()
    };
    let alone = detect(&bench.hookline, &scenario, &["--threads", "1"])?.0;
    let same = without_file(alone) == without_file(events);

    let offset_ms = tally.worst_offset as f64 / 8.0;
    let orphans = on_disk.difference(&named).count();
    let rows = vec![
        row(
            "recordings with a readable file",
            "all",
            format!("{}, {} missing", tally.files, tally.missing.len()),
            tally.missing.is_empty() && tally.files > 0,
        ),
        row(
            "audio lies where start and pre-roll say",
            "≤ 1 ms",
            format!("worst {offset_ms:.2} ms"),
            offset_ms <= 1.0,
        ),
        row(
            "length is pre-roll and seconds",
            "all",
            format!("{} wrong", tally.wrong_length.len()),
            tally.wrong_length.is_empty(),
        ),
        row(
            "audio and tracks are the line's",
            "all",
            format!("{} other", tally.differing.len() + tally.tracks.len()),
            tally.differing.is_empty() && tally.tracks.is_empty(),
        ),
        row(
            "segments meet without a lost sample",
            "all",
            format!("{} joints, {} apart", tally.segments, tally.apart.len()),
            tally.apart.is_empty() && tally.segments > 0,
        ),
        row(
            "files that no event names; empty files",
            "0; 0",
            format!("{orphans}; {empty}"),
            orphans + empty == 0,
        ),
        row("one thread without writing says the same", "yes", if same { "yes" } else { "no" }.into(), same),
    ];
    let complaints = [tally.missing, tally.wrong_length, tally.differing, tally.tracks, tally.apart];
    let mut notes: Vec<String> =
        complaints.iter().flat_map(|list| list.iter().take(5)).map(|line| format!("- {line}")).collect();
    notes.push(
        "A replay that writes, 14 ports of every kind; kept as the product does by default (A-law).".into(),
    );
    Ok(Section { rows, notes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spandsp::{Noise, g711};

    fn line() -> Vec<i16> {
        let mut line = vec![0; 40_000];
        Noise::new(3, -20.0).unwrap().add_to(&mut line);
        line
    }

    #[test]
    fn a_kept_piece_is_found_where_it_was() {
        let line = line();
        let kept = g711::alaw_decode(&g711::alaw_encode(&line[10_000..18_000]));
        assert_eq!(find(&line, &kept, 10_000), Found { at: 10_000, length: 8000, differing: 0 });
        assert_eq!(find(&line, &kept, 9_900).at, 10_000);
        assert!(find(&line, &kept, 20_000).differing > 7000, "elsewhere is other audio");
    }

    #[test]
    fn a_piece_with_a_hole_differs() {
        let line = line();
        let mut kept = line[10_000..14_000].to_vec();
        kept.extend(&line[14_100..18_000]);
        assert!(find(&line, &kept, 10_000).differing > 3000);
    }

    #[test]
    fn a_piece_over_the_end_is_counted() {
        let line = line();
        let mut kept = line[39_000..].to_vec();
        kept.extend([0; 500]);
        assert_eq!(find(&line, &kept, 39_000).differing, 500);
    }
}
