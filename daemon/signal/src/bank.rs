//! All detectors of up to [`LANES`] tracks behind one call, compiled for each instruction set and chosen once at run
//! time. The choice changes the speed only: no variant contracts multiplications and additions, so all of them hear
//! the same to the bit.

use crate::caller_id_dtmf::DtmfCallerId;
use crate::detection::Detection;
use crate::dtmf::DtmfDetector;
use crate::fsk::FskDetector;
use crate::hop::Hops;
use crate::lanes::{LANES, LaneMask, Lanes};
use crate::level::LevelMeter;
use crate::recent::Recent;
use crate::tone::ToneDetector;
use crate::tone_table::{china, country};
use crate::units::SampleIndex;
use crate::voice::VoiceDetector;

/// What a track's detectors are told about it.
#[derive(Clone, Debug, PartialEq)]
pub struct BankConfig {
    /// Two letters, ISO 3166-1: chooses the tone table; China's where there is none for it.
    pub country: String,
    /// Voice begins above this level.
    pub voice_above_dbm0: f32,
}

/// Samples of each track that are turned into lanes at a time; small, so that they stay in the first-level cache.
const CHUNK: usize = 160;

/// The detectors of up to [`LANES`] tracks.
#[derive(Clone, Debug)]
pub struct Bank {
    tracks: usize,
    instructions: Instructions,
    frame: Box<[Lanes; CHUNK]>,
    detectors: Box<Detectors>,
    armed: LaneMask,
    always_armed: bool,
}

#[derive(Clone, Debug, Default)]
struct Detectors {
    recent: Recent,
    dtmf: DtmfDetector,
    fsk: FskDetector,
    dtmf_caller_id: [DtmfCallerId; LANES],
    hops: Hops,
    meter: LevelMeter,
    tones: ToneDetector,
    voice: VoiceDetector,
}

impl Bank {
    /// One track for each of `configs`, of which those beyond [`LANES`] are left out: a user with more tracks keeps
    /// several banks.
    pub fn new(configs: &[BankConfig]) -> Self {
        Self::with_instructions(configs, Instructions::best())
    }

    fn with_instructions(configs: &[BankConfig], instructions: Instructions) -> Self {
        let tracks = configs.len().min(LANES);
        let mut bank = Self {
            tracks,
            instructions,
            frame: Box::new([Lanes::ZERO; CHUNK]),
            detectors: Box::default(),
            armed: 0,
            always_armed: false,
        };
        for (track, config) in configs.iter().enumerate().take(tracks) {
            bank.configure(track, config);
        }
        bank
    }

    /// New settings for a track, from the next sample on.
    pub fn configure(&mut self, track: usize, config: &BankConfig) {
        if track < self.tracks {
            self.detectors.tones.set_country(track, country(&config.country).unwrap_or(china()));
            self.detectors.voice.set_threshold_dbm0(track, config.voice_above_dbm0);
        }
    }

    /// Listens for caller ID (by FSK and by DTMF) on a track from the next sample on, or no longer. The digits of a
    /// DTMF caller ID are told as digits too, as they come.
    pub fn arm_caller_id(&mut self, track: usize, armed: bool) {
        if track < self.tracks {
            self.armed = self.armed & !(1 << track) | LaneMask::from(armed) << track;
            if !armed && !self.always_armed {
                self.detectors.dtmf_caller_id[track].reset();
            }
        }
    }

    /// Listens for caller ID on all tracks at all times, whatever `arm_caller_id` says.
    pub fn arm_caller_id_always(&mut self, always: bool) {
        self.always_armed = always;
    }

    /// Level of a track, averaged over about 50 ms.
    pub fn level_dbm0(&self, track: usize) -> f32 {
        self.detectors.meter.rms_dbm0(track.min(LANES - 1))
    }

    /// Takes samples of all tracks, track-major: all samples of track 0, then as many of track 1, and so on. `first`
    /// is the first one of each; it follows the samples before without a gap. Any length serves and none changes
    /// what is heard. `out` gets the track and what was heard on it.
    pub fn process(&mut self, samples: &[i16], first: SampleIndex, out: &mut impl FnMut(usize, Detection)) {
        let length = samples.len() / self.tracks.max(1);
        if length == 0 {
            return;
        }
        match self.instructions {
            Instructions::Baseline => self.process_with(samples, length, first, out),
            // SAFETY: `Instructions::best` and the tests choose these only where the CPU has them.
            #[cfg(target_arch = "x86_64")]
            Instructions::V2 => unsafe { self.process_v2(samples, length, first, out) },
            #[cfg(target_arch = "x86_64")]
            Instructions::V3 => unsafe { self.process_v3(samples, length, first, out) },
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "sse4.2")]
    fn process_v2(
        &mut self,
        samples: &[i16],
        length: usize,
        first: SampleIndex,
        out: &mut impl FnMut(usize, Detection),
    ) {
        self.process_with(samples, length, first, out);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn process_v3(
        &mut self,
        samples: &[i16],
        length: usize,
        first: SampleIndex,
        out: &mut impl FnMut(usize, Detection),
    ) {
        self.process_with(samples, length, first, out);
    }

    #[inline(always)]
    fn process_with(
        &mut self,
        samples: &[i16],
        length: usize,
        first: SampleIndex,
        out: &mut impl FnMut(usize, Detection),
    ) {
        let armed = if self.always_armed { LaneMask::MAX } else { self.armed };
        for start in (0..length).step_by(CHUNK) {
            let size = CHUNK.min(length - start);
            let frame = &mut self.frame[..size];
            side_by_side(samples, self.tracks, length, start, frame);
            self.detectors.process(frame, first.plus(start as u64), armed, out);
        }
    }
}

impl Detectors {
    #[inline(always)]
    fn process(
        &mut self,
        frame: &[Lanes],
        first: SampleIndex,
        armed: LaneMask,
        out: &mut impl FnMut(usize, Detection),
    ) {
        // To the next end of a hop of either kind, so that what voice is told about digits does not depend on the
        // frames. No detector is called from a closure: those are not compiled for the chosen instruction set.
        let (mut rest, mut at) = (frame, first);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.recent.missing().min(self.hops.missing()).min(rest.len()));
            let behind = at.plus(now.len() as u64);
            if self.recent.push(now) {
                self.signals(behind, armed, out);
            }
            let mut whole = None;
            self.hops.process(now, at, &mut |hop| whole = Some(hop.clone()));
            if let Some(hop) = &whole {
                self.meter.hop(hop);
                self.tones.hop(hop, out);
                self.voice.hop(hop, self.tones.sounding(), self.dtmf.sounding() | self.fsk.sounding(), out);
            }
            at = behind;
            rest = later;
        }
    }

    /// Digits and caller ID in the newest hop; `now` is the sample behind it.
    #[inline(always)]
    fn signals(&mut self, now: SampleIndex, armed: LaneMask, out: &mut impl FnMut(usize, Detection)) {
        let readers = &mut self.dtmf_caller_id;
        self.dtmf.hop(&self.recent, now, &mut |lane, detection| {
            let caller_id = match detection {
                Detection::Digit { at, digit, samples } if armed & (1 << lane) != 0 => {
                    readers[lane].digit(at, samples, digit)
                }
                _ => None,
            };
            out(lane, detection);
            if let Some((at, caller_id)) = caller_id {
                out(lane, Detection::CallerId { at, caller_id });
            }
        });
        self.fsk.hop(&self.recent, now, armed, out);
    }
}

/// Turns samples from `start` on into lanes, in squares that fit into registers; each of `tracks` has `length` samples.
#[inline(always)]
fn side_by_side(samples: &[i16], tracks: usize, length: usize, start: usize, frame: &mut [Lanes]) {
    const SQUARE: usize = 8;
    let mut rows = [[0.0; SQUARE]; LANES];
    let (squares, tail) = frame.as_chunks_mut::<SQUARE>();
    let mut at = start;
    for square in squares {
        for (lane, row) in rows.iter_mut().enumerate().take(tracks) {
            for (value, &sample) in row.iter_mut().zip(&samples[lane * length + at..][..SQUARE]) {
                *value = f32::from(sample);
            }
        }
        for (n, lanes) in square.iter_mut().enumerate() {
            for (lane, row) in rows.iter().enumerate() {
                lanes[lane] = row[n];
            }
        }
        at += SQUARE;
    }
    for (n, lanes) in tail.iter_mut().enumerate() {
        for lane in 0..tracks {
            lanes[lane] = f32::from(samples[lane * length + at + n]);
        }
    }
}

/// Instruction sets that the detectors are compiled for. On aarch64 NEON is part of the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    Baseline,
    /// x86-64-v2: SSE4.2.
    #[cfg(target_arch = "x86_64")]
    V2,
    /// x86-64-v3: AVX2.
    #[cfg(target_arch = "x86_64")]
    V3,
}

impl Instructions {
    fn best() -> Self {
        Self::available().last().unwrap_or(Self::Baseline)
    }

    /// What this CPU has, the best last.
    fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let more = [
            is_x86_feature_detected!("sse4.2").then_some(Self::V2),
            is_x86_feature_detected!("avx2").then_some(Self::V3),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let more: [Option<Self>; 0] = [];
        std::iter::once(Self::Baseline).chain(more.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CallerIdStandard;
    use crate::test_signals::{busy_track, fsk};
    use proptest::prelude::*;

    const CONFIG: fn() -> BankConfig = || BankConfig { country: "cn".into(), voice_above_dbm0: -38.0 };

    /// Runs `audio` (track-major) through a bank in blocks of the lengths `cuts`, over and over.
    fn hear(mut bank: Bank, audio: &[i16], cuts: &[usize]) -> Vec<(usize, Detection)> {
        bank.arm_caller_id_always(true);
        let length = audio.len() / bank.tracks;
        let (mut heard, mut at) = (Vec::new(), 0);
        for cut in cuts.iter().cycle() {
            let size = (*cut).min(length - at);
            let block: Vec<i16> =
                (0..bank.tracks).flat_map(|t| &audio[t * length + at..][..size]).copied().collect();
            bank.process(&block, SampleIndex(at as u64), &mut |track, detection| {
                heard.push((track, detection));
            });
            at += size;
            if at == length {
                break;
            }
        }
        // Tracks are independent: only the order within each counts.
        heard.sort_by_key(|(track, _)| *track);
        heard
    }

    #[test]
    fn every_instruction_set_hears_the_same() {
        let configs = vec![CONFIG(); LANES];
        let audio: Vec<i16> = (0..LANES as u32).flat_map(|lane| busy_track(lane, 16_000)).collect();
        let of = |instructions| hear(Bank::with_instructions(&configs, instructions), &audio, &[80]);
        let expected = of(Instructions::Baseline);
        assert!(expected.iter().any(|(_, detection)| matches!(detection, Detection::Digit { .. })));
        assert!(expected.iter().any(|(_, detection)| matches!(detection, Detection::CallerId { .. })));
        for instructions in Instructions::available() {
            assert_eq!(of(instructions), expected, "{instructions:?}");
        }
    }

    #[test]
    fn caller_id_is_told_where_it_is_armed() {
        let heard = |armed: bool, audio: &[i16]| {
            let mut bank = Bank::new(&[CONFIG()]);
            bank.arm_caller_id(0, armed);
            let mut heard = Vec::new();
            bank.process(audio, SampleIndex(0), &mut |_, detection| {
                if let Detection::CallerId { at, caller_id } = detection {
                    heard.push((at.0, caller_id.number.map(|n| n.to_string()), caller_id.standard));
                }
            });
            heard
        };
        for (mark_hz, space_hz, standard) in
            [(1200.0, 2200.0, CallerIdStandard::FskBell202), (1300.0, 2100.0, CallerIdStandard::FskV23)]
        {
            let mut audio = vec![0; 1000];
            audio.extend(fsk(b"\x02\x0513800", mark_hz, space_hz));
            audio.extend([0; 1000]);
            let of_armed = heard(true, &audio);
            assert_eq!(of_armed.len(), 1);
            assert_eq!((of_armed[0].1.as_deref(), of_armed[0].2), (Some("13800"), standard));
            assert!(of_armed[0].0.abs_diff(1000) < 16, "{}", of_armed[0].0);
            assert_eq!(heard(false, &audio), []);
        }
    }

    #[test]
    fn tracks_beyond_the_lanes_are_left_out() {
        let mut bank = Bank::new(&vec![CONFIG(); LANES + 3]);
        assert_eq!(bank.tracks, LANES);
        bank.arm_caller_id(LANES + 1, true);
        bank.process(&[0; 800], SampleIndex(0), &mut |_, _| panic!("silence"));
        Bank::new(&[]).process(&[0; 80], SampleIndex(0), &mut |_, _| panic!("no tracks"));
        assert!(bank.level_dbm0(LANES + 1) < -80.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn blocks_may_be_cut_anywhere(
            seeds in prop::collection::vec(any::<u32>(), 1..4),
            cuts in prop::collection::vec(1usize..400, 1..9),
        ) {
            let configs = vec![CONFIG(); seeds.len()];
            let audio: Vec<i16> = seeds.iter().flat_map(|&seed| busy_track(seed, 6000)).collect();
            prop_assert_eq!(hear(Bank::new(&configs), &audio, &cuts), hear(Bank::new(&configs), &audio, &[6000]));
        }

        #[test]
        fn random_samples_never_panic(
            samples in prop::collection::vec(any::<i16>(), 0..3000),
            tracks in 1usize..4,
            cuts in prop::collection::vec(1usize..700, 1..5),
        ) {
            let length = samples.len() / tracks;
            if length > 0 {
                hear(Bank::new(&vec![CONFIG(); tracks]), &samples[..length * tracks], &cuts);
            }
        }
    }
}
