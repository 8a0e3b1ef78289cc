//! The real libasound without a sound card: its null device and files in place of samples. What needs a card that runs by
//! a clock (times, overruns, unplugging) is tested on the kernel's loopback card.

use std::sync::LazyLock;
use std::sync::mpsc::channel;

use alsa::pcm::Access;

use super::card::{ALL, Card, Choices};
use super::samples::Encoding;
use super::stream::{Seen, Stream};
use super::*;
use crate::{BLOCK_SAMPLES, Intake, LossCause, feed};

static CONFIGURED: LazyLock<()> = LazyLock::new(|| {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/pcm/tests/asound.conf");
    // SAFETY: libasound is the only one to read the environment from C in this test binary, and every test comes through
    // here before it calls it; Rust's own readers are behind a lock.
    unsafe { std::env::set_var("ALSA_CONFIG_PATH", file) };
});

fn open(device: &str, tracks: u16, choices: &Choices) -> Result<Card, UnitFault> {
    LazyLock::force(&CONFIGURED);
    Card::open(device, tracks, choices)
}

fn fault(device: &str, tracks: u16, choices: &Choices) -> UnitFault {
    open(device, tracks, choices).err().unwrap_or_else(|| panic!("{device} opens"))
}

/// A file of bytes, and the device that plays it.
fn played(kind: &str, bytes: &[u8]) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    let device = format!("{kind}:{}", file.path().display());
    (file, device)
}

fn little_endian(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn noise(samples: usize) -> Vec<i16> {
    let mut random = fastrand::Rng::with_seed(11);
    std::iter::repeat_with(|| random.i16(..)).take(samples).collect()
}

/// The first `blocks` blocks of a card: each track's samples, one after another.
fn recorded(card: &Card, tracks: u16, blocks: usize) -> Vec<Vec<i16>> {
    let (mut to, mut from) = feed(tracks.into(), tracks.into(), 0);
    let mut stream = Stream::start(card, tracks).expect("starts");
    let mut recorded = vec![Vec::new(); tracks.into()];
    while recorded[0].len() < blocks * BLOCK_SAMPLES {
        stream.step(&mut to).expect("gives samples");
        drain(&mut from, &mut recorded);
    }
    for track in &mut recorded {
        track.truncate(blocks * BLOCK_SAMPLES);
    }
    recorded
}

fn drain(from: &mut Intake, recorded: &mut [Vec<i16>]) {
    while from
        .next(|block| {
            for (track, samples) in recorded.iter_mut().zip(block.samples.chunks_exact(BLOCK_SAMPLES)) {
                track.extend_from_slice(samples);
            }
        })
        .is_some()
    {}
}

/// Samples of all tracks side by side, each track by itself.
fn apart(samples: &[i16], channels: usize, tracks: usize) -> Vec<Vec<i16>> {
    (0..tracks).map(|track| samples.iter().skip(track).step_by(channels).copied().collect()).collect()
}

#[test]
fn eight_kilohertz_are_taken_as_they_are_on_every_track() {
    for tracks in [1, 2, 32, 64] {
        let samples = noise(300 * BLOCK_SAMPLES * tracks as usize);
        let (_file, device) = played("played", &little_endian(&samples));
        let card = open(&device, tracks, &ALL).expect("opens");
        assert_eq!((card.rate_hz, card.encoding, card.apart), (8000, Encoding::Linear16, false));
        assert_eq!((card.channels, card.buffer_frames), (tracks.into(), 8000));
        let seen = recorded(&card, tracks, 300);
        assert!(seen == apart(&samples, tracks.into(), tracks.into()), "{tracks} tracks differ");
    }
}

#[test]
fn a_card_that_keeps_its_tracks_apart_gives_the_same() {
    const APART: Choices = Choices { accesses: &[Access::RWNonInterleaved], ..ALL };
    let samples = noise(200 * BLOCK_SAMPLES * 5);
    let (_file, device) = played("played", &little_endian(&samples));
    let card = open(&device, 5, &APART).expect("opens");
    assert!(card.apart);
    assert!(recorded(&card, 5, 200) == apart(&samples, 5, 5));
}

#[test]
fn alaw_of_a_card_is_expanded_by_the_table_of_g711() {
    // What stands in the table goes through libasound's own coder, which stands in between, as it is.
    let mut samples = noise(100 * BLOCK_SAMPLES * 3);
    for sample in &mut samples {
        *sample = signal::g711::ALAW_TO_LINEAR[usize::from(*sample as u8)];
    }
    let (_file, device) = played("alaw", &little_endian(&samples));
    let card = open(&device, 3, &ALL).expect("opens");
    assert_eq!((card.rate_hz, card.encoding), (8000, Encoding::ALaw));
    assert!(recorded(&card, 3, 100) == apart(&samples, 3, 3));
}

#[test]
fn thirty_two_bits_keep_their_upper_half() {
    const LONG: Choices = Choices { encodings: &[Encoding::Linear32], ..ALL };
    let samples = noise(100 * BLOCK_SAMPLES * 2);
    let bytes: Vec<u8> = samples.iter().flat_map(|s| (i32::from(*s) << 16).to_le_bytes()).collect();
    let (_file, device) = played("played", &bytes);
    let card = open(&device, 2, &LONG).expect("opens");
    assert!(recorded(&card, 2, 100) == apart(&samples, 2, 2));
}

#[test]
fn other_rates_arrive_as_eight_kilohertz() {
    const CHOICES: [Choices; 4] = [
        Choices { rates_hz: &[16_000], ..ALL },
        Choices { rates_hz: &[32_000], ..ALL },
        Choices { rates_hz: &[44_100], ..ALL },
        Choices { rates_hz: &[48_000], ..ALL },
    ];
    for choices in &CHOICES {
        let rate_hz = choices.rates_hz[0];
        // 1000 Hz on the first track, 1500 Hz on the second.
        let sine =
            |n: u32, hz: f64| (f64::from(n) / f64::from(rate_hz) * hz * std::f64::consts::TAU).sin() * 1e4;
        let samples: Vec<i16> =
            (0..2 * rate_hz).flat_map(|n| [1000.0, 1500.0].map(|hz| sine(n, hz).round() as i16)).collect();
        let (_file, device) = played("played", &little_endian(&samples));
        let card = open(&device, 2, choices).expect("opens");
        assert_eq!(card.rate_hz, rate_hz);
        for (track, hz) in recorded(&card, 2, 150).into_iter().zip([1000.0, 1500.0]) {
            // One second, once the filter is full: whole turns of both sines.
            let (mut sines, mut cosines, mut power) = (0.0, 0.0, 0.0);
            for (n, sample) in track[2400..10_400].iter().enumerate() {
                let (sin, cos) = (n as f64 / 8000.0 * hz * std::f64::consts::TAU).sin_cos();
                let sample = f64::from(*sample);
                (sines, cosines) = (sines + sample * sin / 4000.0, cosines + sample * cos / 4000.0);
                power += sample * sample / 8000.0;
            }
            let level = sines * sines + cosines * cosines;
            let noise_db = 10.0 * ((power - level / 2.0) / (level / 2.0)).log10();
            assert!((level.sqrt() - 1e4).abs() < 2.0, "{rate_hz} Hz: {hz} Hz arrives as {}", level.sqrt());
            // Two roundings to 16 bit are all that is left: -87 dB of this sine.
            assert!(noise_db < -84.0, "{rate_hz} Hz: {hz} Hz has a noise of {noise_db} dB");
        }
    }
}

#[test]
fn a_block_on_its_way_costs_no_allocation() {
    const SLOW: Choices = Choices { rates_hz: &[44_100], ..ALL };
    for choices in [&ALL, &SLOW] {
        let card = open("null", 8, choices).expect("opens");
        let (mut to, mut from) = feed(8, 8, 0);
        let mut stream = Stream::start(&card, 8).expect("starts");
        stream.step(&mut to).expect("gives samples");
        let mut blocks = 0;
        let counted = allocation_counter::measure(|| {
            for _ in 0..20 {
                if let Ok(Seen::Blocks(seen)) = stream.step(&mut to) {
                    blocks += seen;
                }
                while from.next(|_| ()).is_some() {}
            }
        });
        assert!(blocks > 1000, "{blocks} blocks");
        assert_eq!(counted.count_total, 0, "at {} Hz", card.rate_hz);
    }
}

#[test]
fn what_the_sample_path_does_not_take_is_told_once_it_does() {
    let card = open("null", 1, &ALL).expect("opens");
    let (mut to, mut from) = feed(1, 1, 0);
    let mut stream = Stream::start(&card, 1).expect("starts");
    let mut lost = 0;
    // The null device gives a second at each step; two lie in between at most.
    for _ in 0..5 {
        if let Seen::Lost(samples, cause) = stream.step(&mut to).expect("gives samples") {
            assert_eq!(cause, LossCause::BoxLate);
            lost += samples;
        }
    }
    while from.next(|_| ()).is_some() {}
    if let Seen::Lost(samples, _) = stream.step(&mut to).expect("gives samples") {
        lost += samples;
    }
    assert!(lost >= 16_000, "{lost} samples told as lost");
    assert_eq!(lost, to.clock().lost_samples());
}

#[test]
fn each_card_that_cannot_be_used_says_why_and_what_to_do() {
    const NO_RATE: Choices = Choices { rates_hz: &[], ..ALL };
    const NO_ACCESS: Choices = Choices { accesses: &[], ..ALL };
    for (device, tracks, choices, code, parts) in [
        ("nothing", 1, &ALL, "not_found", &["\"nothing\"", "plug it in"][..]),
        ("hw:CARD=Nothing,DEV=0", 1, &ALL, "not_found", &["hw:CARD=Nothing", "choose another"]),
        ("hw:\0", 1, &ALL, "not_found", &["no name"]),
        ("", 1, &ALL, "not_found", &["plug it in"]),
        ("floats", 1, &ALL, "wrong_unit", &["floats", "A-law", "plug:'floats'"]),
        ("null", 1, &NO_RATE, "wrong_unit", &["kHz", "choose another"]),
        ("null", 1, &NO_ACCESS, "wrong_unit", &["cannot be read as it is", "plug:'null'"]),
        ("pair", 5, &ALL, "wrong_unit", &["has 4 channels, 5 are set", "fewer lines"]),
    ] {
        let fault = fault(device, tracks, choices);
        assert_eq!(fault.code, code, "{device}: {fault}");
        assert!(parts.iter().all(|part| fault.sentence.contains(part)), "{fault}");
        assert!(!fault.sentence.contains('\n'), "{fault}");
    }
}

#[test]
fn fewer_tracks_than_a_card_has_channels_are_its_first() {
    let card = open("pair", 3, &ALL).expect("opens");
    assert_eq!((card.channels, card.identity().lines), (4, 4));
    assert_eq!(recorded(&card, 3, 10), vec![vec![0; 10 * BLOCK_SAMPLES]; 3]);
    // What a fault's sentence advises opens, and ALSA does not change the rate on the way.
    let card = open("plug:'floats'", 1, &ALL).expect("opens");
    assert_eq!((card.rate_hz, card.encoding), (8000, Encoding::Linear16));
}

#[test]
fn a_driver_tells_once_what_is_wrong_and_ends_soon() {
    LazyLock::force(&CONFIGURED);
    let (news, told) = channel();
    let driver = start("hw:CARD=Nothing,DEV=0", 2, feed(2, 1, 0).0, news).expect("starts");
    let first = told.recv_timeout(Duration::from_secs(5)).expect("news");
    assert!(matches!(first, UnitNews::Absent(UnitFault { code: "not_found", .. })), "{first:?}");
    // It looks again meanwhile, and has nothing new to say.
    assert!(told.recv_timeout(Duration::from_millis(2500)).is_err());
    let began = std::time::Instant::now();
    drop(driver);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_driver_gives_blocks_until_it_is_dropped() {
    LazyLock::force(&CONFIGURED);
    let (news, told) = channel();
    let (to, mut from) = feed(2, 1, 0);
    let driver = start("null", 2, to, news).expect("starts");
    let first = told.recv_timeout(Duration::from_secs(5)).expect("news");
    assert!(matches!(first, UnitNews::Present(ref unit) if unit.lines == 2 && !unit.has_volts), "{first:?}");
    drop(driver);
    assert!(from.next(|block| assert_eq!(block.samples, [0; 2 * BLOCK_SAMPLES])).is_some());
}

#[test]
fn impossible_numbers_of_tracks_are_refused_at_once() {
    for tracks in [0, MOST_TRACKS + 1] {
        let (news, _told) = channel();
        let error = start("null", tracks, feed(1, 1, 0).0, news).expect_err("refused");
        assert!(error.to_string().contains("set 1 to 64"), "{error}");
    }
}

#[test]
fn cards_are_listed_on_a_box_without_any_too() {
    LazyLock::force(&CONFIGURED);
    let found = found().expect("a list");
    assert!(
        found.iter().all(|card| card.device.starts_with("hw:CARD=") && !card.name.is_empty()),
        "{found:?}"
    );
}
