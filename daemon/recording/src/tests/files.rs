//! Finished files: read by us and by a reader that is not ours, whatever a stranger put into them; peaks, deletion,
//! mending; and each invariant broken by hand is found by `check`.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use super::kit::*;
use crate::capture_log::{CaptureLog, Sizes};
use crate::check::{Depth, Journalled, check};
use crate::facts::{Codec, Facts, Mark, MarkKind};
use crate::frame::Kind;
use crate::log_scan;
use crate::open::OpenStart;
use crate::reader::{Reader, Select};
use crate::steps::Steps;
use crate::wav;
use crate::{DataDir, delete, mend, peaks};

/// A data folder with one recording a codec and number of tracks, 12,345 samples each.
fn recorded() -> (tempfile::TempDir, Vec<(Facts, PathBuf)>, Vec<Journalled>) {
    let data = data_folder();
    let (recorder, service, journal) = run(data.path(), tuning());
    for (number, codec) in [Codec::ALaw, Codec::MuLaw, Codec::Linear].into_iter().enumerate() {
        for tracks in [1, 2] {
            let name = format!("{number}-{tracks}");
            let open = recorder.begin(OpenStart { codec, tracks, ..call(&name, number as u16 + 1, 0) });
            let (near, far) = (samples(1, 0, 12_345), samples(2, 0, 12_345));
            recorder.audio(open, signal::SampleIndex(0), &[&near, &far]);
            recorder.end(open, stop(12_345));
        }
    }
    close(service);
    let files =
        journal.records().into_iter().map(|(facts, path)| (facts, data.path().join(path.unwrap()))).collect();
    (data, files, journal.journalled())
}

fn read(reader: &Reader, select: Select, from: u64, count: usize) -> Vec<i16> {
    let mut out = vec![0; count];
    let got = reader.read(select, from, &mut out).unwrap();
    out.truncate(got);
    out
}

/// What symphonia decodes, track by track.
fn symphonia(path: &Path) -> Vec<Vec<i16>> {
    let stream = MediaSourceStream::new(
        Box::new(std::fs::File::open(path).unwrap()),
        MediaSourceStreamOptions::default(),
    );
    let mut hint = Hint::new();
    hint.with_extension("wav");
    let mut format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .unwrap();
    let track = format.default_track(TrackType::Audio).unwrap();
    let parameters = track.codec_params.as_ref().unwrap().audio().unwrap().clone();
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(&parameters, &AudioDecoderOptions::default())
        .unwrap();
    let mut tracks: Vec<Vec<i16>> = Vec::new();
    while let Some(packet) = format.next_packet().unwrap() {
        let audio = decoder.decode(&packet).unwrap();
        let mut planes: Vec<Vec<i16>> = Vec::new();
        audio.copy_to_vecs_planar(&mut planes);
        tracks.resize(planes.len(), Vec::new());
        tracks.iter_mut().zip(planes).for_each(|(track, plane)| track.extend(plane));
    }
    tracks
}

#[test]
fn a_stranger_reads_our_files_as_we_do() {
    let (_data, files, _) = recorded();
    for (facts, path) in files {
        let reader = Reader::open(&path).unwrap();
        let theirs = symphonia(&path);
        assert_eq!(theirs.len(), usize::from(facts.tracks));
        for (track, theirs) in theirs.iter().enumerate() {
            let ours = read(&reader, Select::Track(track as u16), 0, 20_000);
            assert_eq!(ours.len(), 12_345);
            assert!(&ours == theirs, "{:?} track {track}", facts.codec);
        }
    }
}

#[test]
fn reading_from_anywhere_gives_what_reading_all_gives() {
    let (_data, files, _) = recorded();
    for (facts, path) in files {
        let reader = Reader::open(&path).unwrap();
        for select in [Select::Mix, Select::Track(facts.tracks - 1)] {
            let all = read(&reader, select, 0, 12_345);
            for (from, count) in [(0, 1), (79, 161), (12_344, 5), (12_345, 5), (u64::MAX, 5), (1, 12_000)] {
                let expected = all.iter().copied().skip(from.min(99_999) as usize).take(count);
                assert!(read(&reader, select, from, count).into_iter().eq(expected), "{select:?} {from}");
            }
        }
        let mix = read(&reader, Select::Mix, 0, 12_345);
        let near = read(&reader, Select::Track(0), 0, 12_345);
        let sum = |index: usize| match facts.tracks {
            1 => near[index],
            _ => near[index].saturating_add(read(&reader, Select::Track(1), index as u64, 1)[0]),
        };
        assert!([0, 777, 12_344].into_iter().all(|index| mix[index] == sum(index)));
    }
}

#[test]
fn peaks_are_kept_made_again_and_right() {
    let (_data, files, _) = recorded();
    for (facts, path) in files {
        let kept = peaks::load(&path).unwrap();
        assert_eq!((kept.samples_per_peak, kept.tracks.len()), (80, usize::from(facts.tracks)));
        let reader = Reader::open(&path).unwrap();
        for (number, track) in kept.tracks.iter().enumerate() {
            let heard = read(&reader, Select::Track(number as u16), 0, 12_345);
            assert_eq!(track.len(), 2 * 155);
            for (pair, block) in track.chunks_exact(2).zip(heard.chunks(80)) {
                let expected = [block.iter().min().unwrap() >> 8, block.iter().max().unwrap() >> 8];
                assert_eq!([i16::from(pair[0]), i16::from(pair[1])], expected);
            }
        }
        let beside = path.with_extension("peaks");
        let bytes = std::fs::read(&beside).unwrap();
        for spoiled in
            [&bytes[..bytes.len() - 1], &bytes[..20], b"", &[&bytes[..40], &[9], &bytes[41..]].concat()]
        {
            std::fs::write(&beside, spoiled).unwrap();
            assert_eq!(peaks::load(&path).unwrap(), kept);
            assert_eq!(std::fs::read(&beside).unwrap(), bytes);
        }
        std::fs::remove_file(&beside).unwrap();
        assert_eq!(peaks::load(&path).unwrap(), kept);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_recording_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400), riff: bool) {
        let bytes = if riff { [b"RIFF\0\0\0\0WAVE", &bytes[..]].concat() } else { bytes };
        let _ = wav::parse(&bytes[..], bytes.len() as u64);
    }

    #[test]
    fn a_spoiled_recording_is_read_or_refused(at: prop::sample::Index, value: u8, cut: prop::sample::Index, two: bool) {
        static FILES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let whole = FILES.get_or_init(|| recorded().1.iter().map(|(_, path)| std::fs::read(path).unwrap()).collect());
        let mut bytes = whole[usize::from(two)].clone();
        // Heads and facts, not the audio, are what can be misread.
        let from = at.index(200);
        let at = if from < 100 { from } else { bytes.len() - from };
        bytes[at] = value;
        if at % 3 == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok((layout, facts)) = wav::parse(&bytes[..], bytes.len() as u64) {
            prop_assert_eq!(layout.samples(), facts.samples);
            prop_assert!(layout.data_at + layout.data_bytes <= bytes.len() as u64);
        }
    }
}

#[test]
fn a_deletion_can_be_repeated_and_touches_nothing_else() {
    let (data, files, mut journal) = recorded();
    let held = DataDir::open(data.path()).unwrap();
    let relative = journal[2].path.clone().unwrap();
    assert!(delete(&held, &relative).unwrap());
    assert!(!delete(&held, &relative).unwrap());
    assert!(!files[2].1.exists() && !files[2].1.with_extension("peaks").exists());
    assert!(delete(&held, "recordings/../version").is_err() && data.path().join("version").exists());
    journal[2].deleted = true;
    assert_eq!(check(data.path(), journal, Depth::Audio).unwrap().violations, []);
}

#[test]
fn mending_finds_what_the_journal_lacks_and_keeps_apart_what_is_broken() {
    let (data, files, journal) = recorded();
    let held = DataDir::open(data.path()).unwrap();
    let day = files[0].1.parent().unwrap();
    std::fs::write(day.join(".x.wav.tmp"), "half").unwrap();
    std::fs::write(day.join("orphan.peaks"), "x").unwrap();
    std::fs::write(&files[3].1, "RIFF?").unwrap();
    let deleted = journal[1].path.clone().unwrap();
    // The journal ends after record 4, and says that record 2 is deleted.
    let mended = mend(&held, 5, [deleted.clone()]).unwrap();
    let found: Vec<_> = mended.unjournalled.iter().map(|record| record.facts.id.sequence).collect();
    assert_eq!(found, [5, 6]);
    assert_eq!(mended.unjournalled[0].path, journal[4].path);
    assert_eq!((mended.moved_away.len(), mended.removed.len()), (2, 2), "{mended:?}");
    assert!(mended.removed.contains(&deleted));
    let second = mend(&held, 7, [deleted]).unwrap();
    assert_eq!(second, crate::Mended::default());
}

/// Breaks a whole folder by hand, and expects exactly this invariant to be named.
fn broken(number: u8, spoil: impl FnOnce(&Path, &[(Facts, PathBuf)], &mut Vec<Journalled>)) {
    let (data, files, mut journal) = recorded();
    assert_eq!(check(data.path(), journal.clone(), Depth::Audio).unwrap().violations, []);
    spoil(data.path(), &files, &mut journal);
    let report = check(data.path(), journal, Depth::Audio).unwrap();
    let numbers: std::collections::BTreeSet<u8> =
        report.violations.iter().map(|found| found.invariant).collect();
    assert!(numbers.contains(&number), "{number} not in {:?}", report.violations);
}

#[test]
fn check_finds_each_broken_invariant() {
    broken(1, |_, files, _| std::fs::write(&files[0].1, "RIFF").unwrap());
    broken(2, |_, _, journal| journal[0].path = None);
    broken(3, |_, files, _| {
        let mut bytes = std::fs::read(&files[1].1).unwrap();
        bytes[5000] ^= 1;
        std::fs::write(&files[1].1, bytes).unwrap();
    });
    broken(3, |_, _, journal| journal[1].facts.port_name = "another".into());
    broken(4, |_, files, _| {
        std::fs::rename(&files[0].1, files[0].1.with_file_name("x-00000001.wav")).unwrap()
    });
    broken(5, |_, files, _| {
        assert!(std::fs::copy(&files[0].1, files[0].1.with_file_name("y-00000001.wav")).unwrap() > 0)
    });
    broken(6, |_, _, journal| drop(journal.remove(2)));
    broken(7, |_, files, _| std::fs::remove_file(&files[4].1).unwrap());
    broken(7, |_, _, journal| drop(journal.pop()));
    broken(7, |_, _, journal| journal[3].deleted = true);
    broken(8, |_, files, _| std::fs::write(files[0].1.with_file_name(".z.wav.tmp"), "").unwrap());
    broken(8, |_, files, _| std::fs::write(files[0].1.with_file_name("z.peaks"), "").unwrap());
    broken(9, |_, files, journal| {
        let mut facts = files[4].0.clone();
        facts.marks.push(Mark { sample: 12_000, kind: MarkKind::Gap { samples: 346 } });
        let bytes = std::fs::read(&files[4].1).unwrap();
        let audio = 44 + facts.samples as usize * 2;
        let tail = wav::tail(facts.samples * 2, &facts).unwrap();
        std::fs::write(&files[4].1, [&bytes[..audio], &tail].concat()).unwrap();
        journal[4].facts = facts;
    });
    broken(10, |data, _, _| {
        let folder = data.join("capture-log");
        let sizes = Sizes { segment_bytes: 0, spare_segments: 0 };
        let (found, _) = log_scan::find(&folder).unwrap();
        let mut log = CaptureLog::new(folder, sizes, false, Steps::default(), found);
        log.append(Kind::Audio, 77, 0, &[b"whose"]).unwrap();
        log.commit().unwrap();
    });
    broken(11, |_, files, _| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&files[0].1, std::fs::Permissions::from_mode(0o644)).unwrap();
    });
    broken(12, |_, files, _| {
        let kept = std::fs::read(files[0].1.with_extension("peaks")).unwrap();
        let mut other = kept.clone();
        other[40] ^= 1;
        let sum = crc32fast::hash(&other[16..]);
        other[12..16].copy_from_slice(&sum.to_le_bytes());
        std::fs::write(files[0].1.with_extension("peaks"), other).unwrap();
    });
}
