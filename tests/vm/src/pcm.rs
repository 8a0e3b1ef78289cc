//! The real sound-card driver on the kernel's loopback card: what aplay plays on one side comes out at the other, at the
//! pace of a clock.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use capture::{BLOCK_SAMPLES, Driver, Intake, LossCause, UnitClock, UnitNews, clock, feed, pcm};

use crate::{Test, allocations};

pub const TESTS: &[Test] = &[
    ("pcm: 32 channels for ten seconds, bit for bit", every_bit_of_32_channels),
    ("pcm: a card that gives 32 bits only", thirty_two_bits),
    ("pcm: a card that runs at 48 kHz only", resampled),
    ("pcm: no allocation between blocks", no_allocation),
    ("pcm: a clock that is 100 ppm fast", drift),
    ("pcm: a buffer that was overrun", overrun),
    ("pcm: a card behind a plug-in that is overrun", overrun_behind_a_plug_in),
    ("pcm: a card that is in use", in_use),
    ("pcm: unplugged and plugged in again", unplugged),
    ("pcm: what can be chosen", list),
];

/// Everything takes a while without KVM.
const PATIENCE: Duration = Duration::from_secs(30);

/// The loopback card's side that is played to; the driver has the other one.
fn played_side(subdevice: u32) -> String {
    format!("hw:CARD=Loopback,DEV=0,SUBDEV={subdevice}")
}

fn recorded_side(subdevice: u32) -> String {
    format!("hw:CARD=Loopback,DEV=1,SUBDEV={subdevice}")
}

/// Sample `at` of a track: noise that is never 0, so that it begins where silence ends.
fn pattern(track: usize, at: usize) -> i16 {
    let mut mixed = (at as u32).wrapping_mul(0x9E37_79B9) ^ (track as u32).wrapping_mul(0x85EB_CA6B);
    mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2C1B_3C6D);
    (mixed >> 16) as i16 | 1
}

/// What plays a file to the card; ends with this.
struct Player(Child);

impl Player {
    fn of(subdevice: u32, format: &str, rate_hz: u32, tracks: usize, bytes: &[u8]) -> Self {
        let file = format!("/tmp/played-{subdevice}.raw");
        fs::write(&file, bytes).expect("there is room");
        let rate = rate_hz.to_string();
        let tracks = tracks.to_string();
        let device = played_side(subdevice);
        let arguments = ["-q", "-D", &device, "-t", "raw", "-f", format, "-r", &rate, "-c", &tracks];
        let player = Command::new("aplay").args(arguments).arg("--buffer-time=2000000").arg(&file).spawn();
        Self(player.expect("alsa-utils are installed"))
    }

    fn pattern(subdevice: u32, tracks: usize, frames: usize) -> Self {
        let samples = (0..frames).flat_map(|at| (0..tracks).map(move |track| pattern(track, at)));
        let bytes: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
        Self::of(subdevice, "S16_LE", 8000, tracks, &bytes)
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A station's end of a driver.
struct Rig {
    intake: Intake,
    clock: Arc<UnitClock>,
    news: Receiver<UnitNews>,
    tracks: usize,
    _driver: Driver,
}

/// 10 ms: where they begin, what is missing before them, and the samples of each track.
struct Seen {
    first: u64,
    lost: u64,
    samples: Vec<i16>,
}

impl Seen {
    /// Where the pattern begins in this block.
    fn beginning(&self) -> Option<usize> {
        self.samples[..BLOCK_SAMPLES].iter().position(|sample| *sample != 0)
    }

    /// Whether every track is the pattern, which is at `at` with the first sample.
    fn is_pattern(&self, at: usize) -> bool {
        self.samples.chunks_exact(BLOCK_SAMPLES).enumerate().all(|(track, samples)| {
            samples.iter().zip(at..).all(|(sample, at)| *sample == pattern(track, at))
        })
    }
}

impl Rig {
    fn start(device: &str, tracks: u16) -> Self {
        let (feed, intake) = feed(tracks.into(), tracks.into(), clock::monotonic_us());
        let clock = feed.clock();
        let (tell, news) = channel();
        let driver = pcm::start(device, tracks, feed, tell).expect("there are threads");
        Self { intake, clock, news, tracks: tracks.into(), _driver: driver }
    }

    /// The next news; blocks go by meanwhile.
    fn news(&mut self) -> UnitNews {
        let until = Instant::now() + PATIENCE;
        loop {
            while self.intake.next(|_| ()).is_some() {}
            match self.news.recv_timeout(Duration::from_millis(20)) {
                Ok(news) => return news,
                Err(RecvTimeoutError::Timeout) => assert!(Instant::now() < until, "no news came"),
                Err(RecvTimeoutError::Disconnected) => panic!("the driver has ended"),
            }
        }
    }

    fn present(&mut self) {
        let news = self.news();
        let UnitNews::Present(unit) = &news else { panic!("{news:?}") };
        assert_eq!((unit.model.as_str(), usize::from(unit.lines)), ("Loopback", self.tracks));
    }

    /// The sentence of the absence that is told next, which has this code.
    fn absent(&mut self, code: &str) -> String {
        match self.news() {
            UnitNews::Absent(fault) if fault.code == code => fault.sentence,
            other => panic!("{code} was due: {other:?}"),
        }
    }

    fn block(&mut self) -> Seen {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = self.intake.next(|block| Seen {
                first: block.first.0,
                lost: block.lost_samples,
                samples: block.samples.clone(),
            });
            if let Some(seen) = seen {
                return seen;
            }
            assert!(Instant::now() < until, "no block came");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for the pattern; the index of its first sample.
    fn beginning(&mut self) -> u64 {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = self.block();
            if let Some(at) = seen.beginning() {
                // What lies before it is silence on every track; what lies behind it is compared with the next blocks.
                return seen.first + at as u64;
            }
            assert!(Instant::now() < until, "nothing was played");
        }
    }
}

fn every_bit_of_32_channels() {
    let mut rig = Rig::start(&recorded_side(0), 32);
    rig.present();
    let _player = Player::pattern(0, 32, 90_000);
    let begin = rig.beginning();
    for number in 1..=1000 {
        let seen = rig.block();
        assert_eq!(seen.lost, 0, "before block {number}");
        assert!(seen.is_pattern((seen.first - begin) as usize), "block {number} is not what was played");
    }
    assert_eq!(rig.clock.lost_samples(), 0);
    assert!(rig.news.try_recv().is_err(), "nothing else to tell");
}

fn thirty_two_bits() {
    // The card has the format of the side that was opened first.
    let samples = (0..60_000).flat_map(|at| (0..8).map(move |track| i32::from(pattern(track, at)) << 16));
    let bytes: Vec<u8> = samples.flat_map(i32::to_le_bytes).collect();
    let _player = Player::of(1, "S32_LE", 8000, 8, &bytes);
    thread::sleep(Duration::from_millis(500));
    let mut rig = Rig::start(&recorded_side(1), 8);
    rig.present();
    // The player was there before: looked for is where in the pattern a block begins.
    let seen = rig.block();
    let at = (0..60_000).find(|at| seen.is_pattern(*at)).expect("a block of what is played");
    for _ in 0..200 {
        let next = rig.block();
        let behind = (next.first - seen.first) as usize;
        assert!(next.is_pattern(at + behind), "{behind} behind {at}");
    }
}

fn resampled() {
    let sine = |at: u32| ((f64::from(at) / 48.0 * std::f64::consts::TAU).sin() * 1e4).round() as i16;
    let bytes: Vec<u8> = (0..600_000).flat_map(|at| [sine(at); 2]).flat_map(i16::to_le_bytes).collect();
    let _player = Player::of(2, "S16_LE", 48_000, 2, &bytes);
    thread::sleep(Duration::from_millis(500));
    let mut rig = Rig::start(&recorded_side(2), 2);
    rig.present();
    for _ in 0..20 {
        rig.block();
    }
    let (mut sines, mut cosines, mut power) = (0.0, 0.0, 0.0);
    for _ in 0..200 {
        let seen = rig.block();
        assert_eq!(seen.samples[..BLOCK_SAMPLES], seen.samples[BLOCK_SAMPLES..]);
        for (sample, at) in seen.samples[..BLOCK_SAMPLES].iter().zip(seen.first..) {
            // 1000 Hz: eight samples a turn.
            let (sin, cos) = ((at % 8) as f64 / 8.0 * std::f64::consts::TAU).sin_cos();
            let sample = f64::from(*sample);
            (sines, cosines, power) = (sines + sample * sin, cosines + sample * cos, power + sample * sample);
        }
    }
    let count = 200.0 * BLOCK_SAMPLES as f64;
    let level = (sines * 2.0 / count).powi(2) + (cosines * 2.0 / count).powi(2);
    let noise_db = 10.0 * ((power / count - level / 2.0) / (level / 2.0)).log10();
    println!("    1000 Hz arrives as {:.1}, noise {noise_db:.1} dB", level.sqrt());
    assert!((level.sqrt() - 1e4).abs() < 2.0 && noise_db < -80.0);
}

fn no_allocation() {
    let mut rig = Rig::start(&recorded_side(3), 16);
    rig.present();
    for _ in 0..100 {
        while rig.intake.next(|_| ()).is_none() {
            thread::sleep(Duration::from_millis(2));
        }
    }
    let count = allocations::of_thread("pcm", || {
        for _ in 0..300 {
            while rig.intake.next(|_| ()).is_none() {
                thread::sleep(Duration::from_millis(2));
            }
        }
    });
    assert_eq!(count, 0, "in 3 s");
}

/// Sets how fast the loopback card runs, in parts per million above its clock.
fn run_fast(ppm: u32) {
    // The control tells how long a second is.
    let shift = (100_000 - ppm / 10).to_string();
    let control = "iface=PCM,name='PCM Rate Shift 100000',device=1,subdevice=4";
    let status = Command::new("amixer").args(["-q", "-c", "Loopback", "cset", control, &shift]).status();
    assert!(status.expect("alsa-utils are installed").success());
}

fn drift() {
    run_fast(100);
    let mut rig = Rig::start(&recorded_side(4), 2);
    rig.present();
    for _ in 0..3800 {
        rig.block();
    }
    let fast = rig.clock.fast_ppm();
    println!("    measured: {fast:.1} ppm");
    assert!((fast - 100.0).abs() < 15.0, "{fast} ppm");
    run_fast(0);
}

/// The whole process stands still for so long, its real-time thread too.
fn stand_still(seconds: u32) {
    let script = format!("kill -STOP {0}; sleep {seconds}; kill -CONT {0}", std::process::id());
    let mut helper = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn().expect("a shell");
    let _ = helper.wait();
}

fn overrun() {
    overrun_of(&recorded_side(5), 5);
}

fn overrun_behind_a_plug_in() {
    overrun_of("plug:'hw:CARD=Loopback,DEV=1,SUBDEV=6'", 6);
}

fn overrun_of(device: &str, subdevice: u32) {
    let mut rig = Rig::start(device, 4);
    rig.present();
    let _player = Player::pattern(subdevice, 4, 120_000);
    let begin = rig.beginning();
    for _ in 0..100 {
        assert!({
            let seen = rig.block();
            seen.is_pattern((seen.first - begin) as usize)
        });
    }
    stand_still(3);
    let mut lost = 0;
    for _ in 0..300 {
        let seen = rig.block();
        lost += seen.lost;
        let at = (seen.first - begin) as usize;
        assert!(seen.is_pattern(at), "{at} samples behind the beginning, {lost} lost");
    }
    println!("    {lost} samples lost of 3 s");
    // A buffer of a second is kept of the three, but for some blocks.
    assert!((12_000..24_000).contains(&lost), "{lost}");
    assert_eq!(rig.clock.lost_samples(), lost);
    assert_eq!(rig.news(), UnitNews::Lost { samples: lost, cause: LossCause::Overrun });
}

fn in_use() {
    let device = recorded_side(7);
    let mut other = Command::new("arecord")
        .args(["-q", "-D", &device, "-f", "S16_LE", "-r", "8000", "-c", "2", "/dev/null"])
        .spawn()
        .expect("alsa-utils are installed");
    thread::sleep(Duration::from_secs(2));
    let mut rig = Rig::start(&device, 2);
    let said = rig.absent("busy");
    assert!(said.contains(&device) && said.contains("used by another program"), "{said}");
    let _ = other.kill();
    let _ = other.wait();
    rig.present();
    // It has 32 channels, and is told so.
    let said = Rig::start(&recorded_side(6), 40).absent("wrong_unit");
    assert!(said.contains("has 32 channels, 40 are set"), "{said}");
}

fn unplugged() {
    let driver = Path::new("/sys/bus/platform/drivers/snd_aloop");
    let mut rig = Rig::start(&recorded_side(0), 2);
    rig.present();
    let before = rig.block().first;
    fs::write(driver.join("unbind"), "snd_aloop.0").expect("the card goes");
    let said = rig.absent("unplugged");
    assert!(said.contains("was unplugged: plug it in again"), "{said}");
    thread::sleep(Duration::from_millis(2500));
    assert!(rig.news.try_recv().is_err(), "an absence is told once");
    let away = clock::monotonic_us();
    fs::write(driver.join("bind"), "snd_aloop.0").expect("the card comes");
    rig.present();
    let back = clock::monotonic_us();
    let mut seen = rig.block();
    let mut missing = seen.lost;
    while rig.intake.waiting() > 0 {
        seen = rig.block();
        missing += seen.lost;
    }
    println!("    {missing} samples missing, back within {} ms", (back - away) / 1000);
    assert!(seen.first > before + 20_000, "time went on without it");
    assert_eq!(rig.clock.lost_samples(), 0, "an absence is no loss of a card that is there");
}

fn list() {
    let _player = Player::pattern(0, 2, 80_000);
    let found = pcm::found().expect("a list");
    let devices: Vec<&str> = found.iter().map(|card| card.device.as_str()).collect();
    assert_eq!(devices, ["hw:CARD=Loopback,DEV=0", "hw:CARD=Loopback,DEV=1"]);
    let card = &found[1];
    assert_eq!((card.name.as_str(), card.in_use, card.channels), ("Loopback, Loopback PCM", false, Some(32)));
    assert_eq!(card.rates_hz, [8000, 16_000, 32_000, 48_000, 44_100]);
}
