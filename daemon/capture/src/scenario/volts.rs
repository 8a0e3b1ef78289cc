//! Voltage files: `seconds,volts,ring_volts`, a row holds until the next.

use std::path::Path;

use signal::SampleIndex;

use super::ScenarioError;
use crate::{LineStatus, StatusChange};

const HEADER: [&str; 3] = ["seconds", "volts", "ring_volts"];

/// A line on hook with 48 V and no ring: what holds where nothing else is said.
const IDLE: LineStatus = LineStatus { volts: 48.0, ring_volts: 0.0 };

/// The status of a channel without a voltage file.
pub fn idle() -> Vec<StatusChange> {
    vec![StatusChange { channel: 0, at: SampleIndex(0), status: IDLE }]
}

pub fn read(path: &Path) -> Result<Vec<StatusChange>, ScenarioError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| {
            ScenarioError::new(path, format!("cannot be read ({error}); expected a file of voltages"))
        })?;
    let mut changes = idle();
    let mut record = csv::StringRecord::new();
    let mut row = 0;
    loop {
        row += 1;
        let wrong = |expected: &str| ScenarioError::at(path, format!("row {row}"), expected);
        let more = reader
            .read_record(&mut record)
            .map_err(|_| wrong("is not text, expected seconds,volts,ring_volts"))?;
        if row == 1 {
            if !more || !record.iter().eq(HEADER) {
                return Err(wrong("expected the header seconds,volts,ring_volts"));
            }
            continue;
        }
        if !more {
            return Ok(changes);
        }
        let change = change(&record).ok_or_else(|| {
            wrong("expected three numbers: seconds (0 to 1e7), volts (-1000 to 1000), ring_volts (0 to 1000)")
        })?;
        match changes.last_mut() {
            Some(last) if change.at < last.at => {
                return Err(wrong("goes back in time, expected seconds not smaller than in the row before"));
            }
            Some(last) if change.at == last.at => *last = change,
            _ => changes.push(change),
        }
    }
}

fn change(record: &csv::StringRecord) -> Option<StatusChange> {
    if record.len() != 3 {
        return None;
    }
    let number = |index: usize, least: f64, most: f64| -> Option<f64> {
        let value: f64 = record.get(index)?.parse().ok()?;
        (least..=most).contains(&value).then_some(value)
    };
    let (seconds, volts, ring_volts) = (number(0, 0.0, 1e7)?, number(1, -1e3, 1e3)?, number(2, 0.0, 1e3)?);
    Some(StatusChange {
        channel: 0,
        at: SampleIndex::from_seconds(seconds),
        status: LineStatus { volts: volts as f32, ring_volts: ring_volts as f32 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &[u8]) -> Result<Vec<StatusChange>, ScenarioError> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("port01.volts.csv");
        std::fs::write(&path, text).expect("written");
        read(&path)
    }

    #[test]
    fn a_row_holds_from_its_time_on() {
        let changes =
            read_text(b"seconds,volts,ring_volts\n0,-48.5,0\n1.25, 8 ,0\n1.25,9,0\n3,48,75\n").expect("read");
        let seen: Vec<_> = changes.iter().map(|c| (c.at.0, c.status.volts, c.status.ring_volts)).collect();
        assert_eq!(seen, [(0, -48.5, 0.0), (10_000, 9.0, 0.0), (24_000, 48.0, 75.0)]);
        assert_eq!(read_text(b"seconds,volts,ring_volts\n").expect("read"), idle());
    }

    #[test]
    fn a_malformed_row_is_named() {
        for (text, row) in [
            ("", "row 1"),
            ("time,volts\n0,1\n", "row 1"),
            ("seconds,volts,ring_volts\n0,48,0\n1,48\n", "row 3"),
            ("seconds,volts,ring_volts\n0,48,0,7\n", "row 2"),
            ("seconds,volts,ring_volts\n0,high,0\n", "row 2"),
            ("seconds,volts,ring_volts\n-1,48,0\n", "row 2"),
            ("seconds,volts,ring_volts\n0,NaN,0\n", "row 2"),
            ("seconds,volts,ring_volts\n0,inf,0\n", "row 2"),
            ("seconds,volts,ring_volts\n2,48,0\n1,48,0\n", "row 3"),
        ] {
            let error = read_text(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(row) && error.contains("expected") && !error.contains('\n'), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = read_text(&bytes);
            let mut text = b"seconds,volts,ring_volts\n".to_vec();
            text.extend(bytes);
            if let Ok(changes) = read_text(&text) {
                assert!(changes.windows(2).all(|pair| pair[0].at < pair[1].at));
            }
        }
    }
}
