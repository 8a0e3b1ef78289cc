//! Where a finished recording lies: `recordings/YYYY/MM/DD/YYYYMMDD_hhmmss_mmm-pPPP-SSSSSSSS.wav`. The first part is
//! the SN that the pages show: the local time of the start condition.

use chrono::{DateTime, FixedOffset};

use crate::data_dir::RECORDINGS;
use crate::facts::Instant;

/// The SN of a recording: local start time to the millisecond. Times outside the years 0–9999 give year 0.
pub fn sn(start: &Instant) -> String {
    local(start).format("%Y%m%d_%H%M%S_%3f").to_string()
}

/// Path from the data folder, with `/`.
pub(crate) fn recording(start: &Instant, port: u16, sequence: u64) -> String {
    let day = local(start).format("%Y/%m/%d");
    format!("{RECORDINGS}/{day}/{}-p{port:03}-{sequence:08}.wav", sn(start))
}

/// Path of a station's recording on a platform, from the data folder, with `/`: as at the station, below a folder of its
/// serial number, which must be one.
pub fn of_station(serial: &str, start: &Instant, port: u16, sequence: u64) -> String {
    let path = recording(start, port, sequence);
    let below = path.strip_prefix(RECORDINGS).unwrap_or(&path);
    format!("{RECORDINGS}/{serial}{below}")
}

/// The sequence number in a recording's file name.
pub(crate) fn sequence(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wav")?.rsplit_once('-')?.1;
    (digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn local(start: &Instant) -> DateTime<FixedOffset> {
    let offset = FixedOffset::east_opt(start.offset_s);
    let utc = DateTime::from_timestamp_micros(start.utc_us);
    let local = utc.zip(offset).map(|(utc, offset)| utc.with_timezone(&offset));
    let known = local.filter(|local| (0..=9999).contains(&chrono::Datelike::year(local)));
    known.unwrap_or_else(|| {
        // Year 0: a clock this wrong must not cost the recording its name.
        DateTime::from_timestamp_micros(-62_167_219_200_000_000).unwrap_or_default().fixed_offset()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::ClockQuality;
    use proptest::prelude::*;

    fn at(utc_us: i64, offset_s: i32) -> Instant {
        Instant {
            utc_us,
            offset_s,
            boot_id: String::new(),
            monotonic_us: 0,
            quality: ClockQuality::Unchecked,
        }
    }

    #[test]
    fn a_name_is_in_local_time() {
        let start = at(1_772_323_212_345_678, 8 * 3600);
        assert_eq!(sn(&start), "20260301_080012_345");
        assert_eq!(recording(&start, 7, 42), "recordings/2026/03/01/20260301_080012_345-p007-00000042.wav");
        assert_eq!(sn(&at(i64::MAX, 0)), "00000101_000000_000");
        assert_eq!(
            of_station("HKLN-01121571897162", &start, 7, 42),
            "recordings/HKLN-01121571897162/2026/03/01/20260301_080012_345-p007-00000042.wav"
        );
    }

    proptest! {
        #[test]
        fn any_time_gives_a_name_that_carries_its_sequence(utc_us: i64, offset_s: i32, port: u16, number: u64) {
            let path = recording(&at(utc_us, offset_s), port, number);
            let name = path.rsplit('/').next().unwrap();
            prop_assert_eq!(sequence(name), Some(number));
            prop_assert_eq!(path.split('/').count(), 5);
        }

        #[test]
        fn any_text_is_a_name_or_none(text in "\\PC{0,40}") {
            let _ = sequence(&text);
        }
    }
}
