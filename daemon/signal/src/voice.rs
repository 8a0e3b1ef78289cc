//! Voice activity: when somebody speaks, with the first and the last sample of it.
//!
//! What is loud is not yet voice. Tones, digits, data, hum and noise keep their level from one moment to the next; a
//! voice does not. So a stretch of loudness becomes voice when its level has been lively for long enough: that is
//! said late, but with the sample at which the loudness began. Loud means above the lane's threshold and well above
//! its noise floor, which follows the quiet moments quickly and steady noise slowly.
//!
//! All of it is arithmetic over the lanes, 200 times a second; only starts and stops leave the common path.

use crate::Detection;
use crate::dbm0::power_from_dbm0;
use crate::hop::{HOP_SAMPLES, Hop, WINDOW_HOPS};
use crate::lanes::{LaneMask, Lanes, lanes_of};
use crate::units::SampleIndex;

/// A lane's threshold unless it is set.
pub const VOICE_ABOVE_DBM0: f32 = -38.0;
/// Loud is so many times the noise floor (8 dB).
const ABOVE_FLOOR: f32 = 6.3;
/// The floor is taken to be at most this, and at least so low that it does not move the threshold.
const FLOOR_MOST_DBM0: f32 = -20.0;
/// Each hop the floor goes this part of the way down to a quieter level,
const FLOOR_FALL: f32 = 0.2;
/// rises by this factor under what may be voice (1 dB a second),
const FLOOR_RISE: f32 = 1.001_15;
/// and by this one under what is loud and steady (60 dB a second).
const FLOOR_RISE_STEADY: f32 = 1.071_5;
/// Hops of loudness after which the floor may rise quickly.
const STEADY_AFTER_HOPS: f32 = 40.0;

/// A stretch of loudness goes on through so much quiet: a low voice is silent for some ms between its pulses.
const PITCH_HOPS: f32 = 2.0;
/// Quiet that separates one stretch of loudness from the next, at the beginning as at the end of voice: 350 ms.
const APART_HOPS: f32 = 70.0;
/// A steady tone of this length (80 ms) is a tone, and not a moment of a vowel; one that beats needs 200 ms.
const TONE_HOPS: f32 = 16.0;
const BEATING_TONE_HOPS: f32 = 40.0;
/// Hops by which a tone, or a digit, is noticed late.
const TONE_LATE_HOPS: f32 = 3.0;
const SIGNAL_LATE_HOPS: f32 = 13.0;
/// The change of the window's energy, relative and squared, counts at most this much a hop.
const MOST_CHANGE: f32 = 0.1;
/// The memory for lively hops: half a second.
const FORGET: f32 = 0.01;
/// Loudness is voice after so many hops of it,
const VOICE_AFTER_HOPS: f32 = 14.0;
/// if their changes sum up to this much,
const LEAST_LIVELINESS: f32 = 0.25;
/// and to this much for each (noise has 0.006, a tone nothing).
const LEAST_CHANGE: f32 = 0.015;
/// Voice goes on while the changes of the last 150 ms are, in the mean, above this.
const STILL_LIVELY: f32 = 0.008;
/// A stretch of loudness begins a little livelier than that: it must show that it is steady.
const FIRST_LIVELINESS: f32 = 0.0095;
const LIVELY_WEIGHT: f32 = 1.0 / 30.0;
/// A voice may keep its level for 200 ms,
const HELD_VOWEL_HOPS: f32 = 40.0;
/// and fades to 4 dB below the threshold before it counts as quiet: the end of a word is often little but its pitch,
/// of which some goes with the hum.
const FADING: f32 = 0.4;
/// Of a low voice nothing but the pitch may be left where it begins and ends, and that goes with the hum. What is
/// loud with its hum, next to a voice, is voice for so long (60 ms), if it stands out from the hum of quiet moments,
const PITCH_ALONE_HOPS: f32 = 12.0;
/// whose mean goes this part of the way to each hop (a quarter of a second), once it has been quiet for as long.
const HUM_FOLLOW: f32 = 0.02;
/// Voice has ended when there was none for as long.
const HANGOVER_HOPS: f32 = APART_HOPS;
/// Counters stop here, so that they stay exact and never overflow.
const MOST_HOPS: f32 = 1e6;

/// Hears voice in all lanes.
#[derive(Clone, Debug)]
pub struct VoiceDetector {
    /// Energy of a hop at each lane's threshold.
    threshold: Lanes,
    /// Energy of a hop of the background noise.
    floor: Lanes,
    floor_most: f32,
    /// Energy of a quiet hop with its hum.
    hum: Lanes,
    /// Hops in a row that were loud with their hum only.
    pitch_run: Lanes,
    window_before: Lanes,
    /// Hops of loudness, and of quiet, in a row.
    loud_run: Lanes,
    quiet_run: Lanes,
    /// Hops of tone in a row.
    tone_run: Lanes,
    /// Hops since this stretch of loudness began.
    since_first: Lanes,
    /// Loud hops that were looked at, and their changes.
    hops: Lanes,
    changes: Lanes,
    /// Mean change of late.
    liveliness: Lanes,
    /// Hops since the last lively one, and since the last one with voice.
    since_lively: Lanes,
    since_voice: Lanes,
    speaking: LaneMask,
}

impl Default for VoiceDetector {
    fn default() -> Self {
        Self {
            threshold: Lanes::splat(hop_energy(VOICE_ABOVE_DBM0)),
            floor: Lanes::ZERO,
            floor_most: hop_energy(FLOOR_MOST_DBM0),
            hum: Lanes::ZERO,
            pitch_run: Lanes::ZERO,
            window_before: Lanes::ZERO,
            loud_run: Lanes::ZERO,
            quiet_run: Lanes::splat(APART_HOPS),
            tone_run: Lanes::ZERO,
            since_first: Lanes::ZERO,
            hops: Lanes::ZERO,
            changes: Lanes::ZERO,
            liveliness: Lanes::ZERO,
            since_lively: Lanes::splat(HELD_VOWEL_HOPS),
            since_voice: Lanes::splat(HANGOVER_HOPS),
            speaking: 0,
        }
    }
}

fn hop_energy(dbm0: f32) -> f32 {
    power_from_dbm0(dbm0) * HOP_SAMPLES as f32
}

/// 1 where `a` is above `b`, 0 elsewhere.
#[inline(always)]
fn above(a: Lanes, b: Lanes) -> Lanes {
    a.zip(b, |a, b| if a > b { 1.0 } else { 0.0 })
}

/// `a` where `mask` is 1, `b` where it is 0.
#[inline(always)]
fn choose(mask: Lanes, a: Lanes, b: Lanes) -> Lanes {
    let mut out = b;
    for lane in 0..crate::LANES {
        out.0[lane] = if mask.0[lane] > 0.5 { a.0[lane] } else { b.0[lane] };
    }
    out
}

impl VoiceDetector {
    /// Voice in a lane is louder than this from now on.
    pub fn set_threshold_dbm0(&mut self, lane: usize, dbm0: f32) {
        self.threshold[lane] = hop_energy(dbm0);
    }

    /// `tones` is 1 for lanes in which a supervisory tone sounds, 0 for others; `signals` are the lanes in which a
    /// DTMF digit or caller-ID data has been recognised and still goes on.
    #[inline(always)]
    pub fn hop(
        &mut self,
        hop: &Hop,
        tones: Lanes,
        signals: LaneMask,
        out: &mut impl FnMut(usize, Detection),
    ) {
        let one = Lanes::splat(1.0);
        let window = hop.window_energy;
        let threshold = self.threshold.max(self.floor * ABOVE_FLOOR);
        let loud = above(hop.energy_above_hum, threshold);
        let first = loud * above(self.quiet_run, Lanes::splat(APART_HOPS - 0.5));
        self.since_first =
            choose(first, self.pitch_run, (self.since_first + one).min(Lanes::splat(MOST_HOPS)));
        self.hops = choose(first, Lanes::ZERO, self.hops);
        self.changes = choose(first, Lanes::ZERO, self.changes);
        self.liveliness = choose(first, Lanes::splat(FIRST_LIVELINESS), self.liveliness);
        self.tone_run = (self.tone_run + one).min(Lanes::splat(MOST_HOPS)) * tones;
        let lively = above(self.liveliness, Lanes::splat(STILL_LIVELY));
        let tone_hops = choose(lively, Lanes::splat(BEATING_TONE_HOPS), Lanes::splat(TONE_HOPS));
        let tone = above(self.tone_run, tone_hops - Lanes::splat(0.5));
        self.quiet_run = choose(loud, Lanes::ZERO, (self.quiet_run + one).min(Lanes::splat(MOST_HOPS)));
        let pitch = self.follow_pitch(hop.energy, loud);
        let going_on = above(Lanes::splat(PITCH_HOPS + 0.5), self.quiet_run);
        self.loud_run = (self.loud_run + one).min(Lanes::splat(MOST_HOPS)) * going_on;
        self.quiet_run = choose(tone, Lanes::splat(APART_HOPS), self.quiet_run);

        // Changes count only where the whole window and the one before it are loud: edges make a change of anything.
        let whole = above(self.loud_run, Lanes::splat(WINDOW_HOPS as f32 + 0.5)) * loud;
        let looked_at = whole * (one - tones);
        let change = window - self.window_before;
        self.window_before = window;
        let relative =
            (change * change).zip(window, |change, window| change / (window * window).max(f32::MIN_POSITIVE));
        let relative = relative.min(Lanes::splat(MOST_CHANGE));
        self.hops = (self.hops + looked_at) * (1.0 - FORGET);
        self.changes = (self.changes + relative * looked_at) * (1.0 - FORGET);
        self.liveliness += (relative - self.liveliness) * whole * LIVELY_WEIGHT;
        self.follow_noise(window * (1.0 / WINDOW_HOPS as f32), tones);

        let lively = above(self.liveliness, Lanes::splat(STILL_LIVELY)) * loud;
        self.since_lively =
            choose(lively, Lanes::ZERO, (self.since_lively + one).min(Lanes::splat(MOST_HOPS)));
        let fading = above(hop.energy_above_hum, threshold * FADING) + pitch;
        let voice = fading.min(one) * above(Lanes::splat(HELD_VOWEL_HOPS), self.since_lively) * (one - tone);
        self.since_voice = choose(voice, Lanes::ZERO, (self.since_voice + one).min(Lanes::splat(MOST_HOPS)));
        self.since_voice =
            choose(tone, self.since_voice.max(self.tone_run + TONE_LATE_HOPS), self.since_voice);
        for lane in lanes_of(signals) {
            self.set_signal(lane);
        }

        let needed = (self.hops * LEAST_CHANGE).max(Lanes::splat(LEAST_LIVELINESS));
        let enough = above(self.changes, needed) * looked_at;
        let starting = (enough * self.hops).above(Lanes::splat(VOICE_AFTER_HOPS)) & !self.speaking;
        let stopping = self.since_voice.above(Lanes::splat(HANGOVER_HOPS - 0.5)) & self.speaking;
        for lane in lanes_of(starting) {
            self.speaking |= 1 << lane;
            self.since_voice[lane] = 0.0;
            out(lane, Detection::VoiceStart { at: self.back(hop.end, self.since_first[lane] + 1.0) });
        }
        for lane in lanes_of(stopping) {
            self.speaking &= !(1 << lane);
            out(lane, Detection::VoiceStop { at: self.back(hop.end, self.since_voice[lane]).minus(1) });
        }
    }

    /// 1 for lanes in which this hop, behind a voice, may be its pitch alone; counts such hops before one as well.
    #[inline(always)]
    fn follow_pitch(&mut self, energy: Lanes, loud: Lanes) -> Lanes {
        let one = Lanes::splat(1.0);
        let behind = above(Lanes::splat(PITCH_ALONE_HOPS + 0.5), self.quiet_run);
        let stands_out = above(energy, self.threshold.max(self.hum * ABOVE_FLOOR));
        self.pitch_run =
            (self.pitch_run + one).min(Lanes::splat(PITCH_ALONE_HOPS)) * stands_out * (one - loud);
        self.hum += (energy - self.hum) * (one - behind) * HUM_FOLLOW;
        stands_out * behind
    }

    #[inline(always)]
    fn follow_noise(&mut self, level: Lanes, tones: Lanes) {
        let steady = above(self.loud_run, Lanes::splat(STEADY_AFTER_HOPS))
            * above(Lanes::splat(STILL_LIVELY), self.liveliness)
            * (Lanes::splat(1.0) - tones);
        let up = self.floor * choose(steady, Lanes::splat(FLOOR_RISE_STEADY), Lanes::splat(FLOOR_RISE));
        let down = self.floor + (level - self.floor) * FLOOR_FALL;
        let floor = choose(above(level, self.floor), up.min(level), down);
        self.floor = floor.max(self.threshold * (1.0 / ABOVE_FLOOR)).min(Lanes::splat(self.floor_most));
    }

    /// A digit or data: what was loud until now was no voice.
    fn set_signal(&mut self, lane: usize) {
        self.quiet_run[lane] = APART_HOPS;
        self.hops[lane] = 0.0;
        self.changes[lane] = 0.0;
        self.liveliness[lane] = 0.0;
        self.since_lively[lane] = HELD_VOWEL_HOPS;
        self.since_voice[lane] = self.since_voice[lane].max(SIGNAL_LATE_HOPS);
    }

    fn back(&self, end: SampleIndex, hops: f32) -> SampleIndex {
        end.minus(hops as u64 * HOP_SAMPLES as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LANES;
    use crate::dbm0::sine_peak_from_dbm0;
    use crate::hop::{Hops, same_in_all_lanes};
    use proptest::prelude::*;

    /// Vowel-like: harmonics of 140 Hz whose level moves with syllables. Begins and ends in full.
    fn babble(dbm0: f32, samples: usize) -> Vec<i16> {
        let peak = sine_peak_from_dbm0(dbm0);
        let voice = |n: usize| {
            let t = n as f32 / 8000.0;
            let tone = |harmonic: f32| (std::f32::consts::TAU * 140.0 * harmonic * t).sin() / harmonic.sqrt();
            let syllable = 0.55 + 0.45 * (std::f32::consts::TAU * 5.0 * t).cos();
            peak * syllable * (2..9).map(|harmonic| tone(harmonic as f32)).sum::<f32>() / 2.0
        };
        (0..samples).map(|n| voice(n) as i16).collect()
    }

    fn hear(audio: &[i16], cuts: &[usize], signals: LaneMask) -> Vec<Detection> {
        let frames = same_in_all_lanes(audio);
        let (mut hops, mut voice, mut out) = (Hops::default(), VoiceDetector::default(), Vec::new());
        let mut at = 0;
        let mut cuts = cuts.iter().cycle();
        while at < frames.len() {
            let size = cuts.next().map_or(frames.len(), |&cut| cut).min(frames.len() - at);
            hops.process(&frames[at..at + size], SampleIndex(at as u64), &mut |hop| {
                voice.hop(hop, Lanes::ZERO, signals, &mut |lane, what| {
                    if lane == LANES - 1 {
                        out.push(what);
                    }
                });
            });
            at += size;
        }
        out
    }

    fn with_silence(before: usize, audio: Vec<i16>, behind: usize) -> Vec<i16> {
        let mut all = vec![0; before];
        all.extend(audio);
        all.resize(all.len() + behind, 0);
        all
    }

    #[test]
    fn a_word_has_its_edges() {
        let audio = with_silence(8000, babble(-20.0, 8000), 8000);
        let [Detection::VoiceStart { at: start }, Detection::VoiceStop { at: stop }] =
            hear(&audio, &[80], 0)[..]
        else {
            panic!("one voice")
        };
        assert!(start.0.abs_diff(8000) <= 80, "{start:?}");
        assert!(stop.0.abs_diff(15_999) <= 80, "{stop:?}");
    }

    /// A sine without an edge of its own inside: whole half-waves.
    fn low_sine(hertz: f32, dbm0: f32, samples: usize) -> Vec<i16> {
        let (peak, step) = (sine_peak_from_dbm0(dbm0), std::f32::consts::TAU * hertz / 8000.0);
        (0..samples).map(|n| (peak * (step * n as f32).sin()) as i16).collect()
    }

    #[test]
    fn a_low_voice_begins_and_ends_with_its_pitch() {
        let mut audio = with_silence(8000, low_sine(80.0, -28.0, 200), 0);
        audio.extend(babble(-20.0, 8000));
        audio.extend(low_sine(80.0, -28.0, 320));
        let end = audio.len() as u64;
        let [Detection::VoiceStart { at: start }, Detection::VoiceStop { at: stop }] =
            hear(&with_silence(0, audio, 8000), &[80], 0)[..]
        else {
            panic!("one voice")
        };
        assert!(start.0.abs_diff(8000) <= 80, "{start:?}");
        assert!(stop.0.abs_diff(end - 1) <= 80, "{stop:?} for {end}");
    }

    #[test]
    fn hum_does_not_prolong_a_voice() {
        let mut audio = low_sine(50.0, -30.0, 32_000);
        for (sample, voice) in audio[16_000..24_000].iter_mut().zip(babble(-16.0, 8000)) {
            *sample += voice;
        }
        let [Detection::VoiceStart { at: start }, Detection::VoiceStop { at: stop }] =
            hear(&audio, &[80], 0)[..]
        else {
            panic!("one voice")
        };
        assert!(start.0.abs_diff(16_000) <= 80 && stop.0.abs_diff(23_999) <= 80, "{start:?} {stop:?}");
    }

    #[test]
    fn gaps_between_words_are_bridged_and_longer_ones_are_not() {
        for (gap_ms, voices) in [(300, 1), (500, 2)] {
            let mut audio = with_silence(800, babble(-20.0, 4800), gap_ms * 8);
            audio.extend(with_silence(0, babble(-20.0, 4800), 8000));
            assert_eq!(hear(&audio, &[80], 0).len(), 2 * voices, "{gap_ms} ms");
        }
    }

    #[test]
    fn the_threshold_holds_and_is_each_lanes_own() {
        assert!(hear(&with_silence(800, babble(-50.0, 8000), 8000), &[80], 0).is_empty());
        let frames = same_in_all_lanes(&with_silence(800, babble(-45.0, 8000), 8000));
        let (mut hops, mut voice, mut lanes) = (Hops::default(), VoiceDetector::default(), Vec::new());
        voice.set_threshold_dbm0(5, -60.0);
        hops.process(&frames, SampleIndex(0), &mut |hop| {
            voice.hop(hop, Lanes::ZERO, 0, &mut |lane, _| lanes.push(lane));
        });
        assert_eq!(lanes, [5, 5]);
    }

    #[test]
    fn what_is_known_as_a_signal_is_no_voice() {
        let audio = with_silence(800, babble(-20.0, 8000), 8000);
        assert!(hear(&audio, &[80], 1 << (LANES - 1)).is_empty());
        assert_eq!(hear(&audio, &[80], 1).len(), 2);
    }

    proptest! {
        #[test]
        fn voice_does_not_depend_on_the_frames_and_alternates(
            parts in prop::collection::vec((-60.0f32..0.0, 100usize..6000, 100usize..6000), 0..6),
            noise in prop::collection::vec(any::<i16>(), 0..4000),
            cuts in prop::collection::vec(1usize..500, 1..6),
        ) {
            let mut audio = noise;
            for (dbm0, on, off) in parts {
                audio.extend(with_silence(0, babble(dbm0, on), off));
            }
            let heard = hear(&audio, &cuts, 0);
            prop_assert_eq!(&heard, &hear(&audio, &[usize::MAX], 0));
            let mut last = 0;
            for (n, what) in heard.iter().enumerate() {
                let at = match what {
                    Detection::VoiceStart { at } if n % 2 == 0 => at.0,
                    Detection::VoiceStop { at } if n % 2 == 1 => at.0,
                    other => panic!("{other:?}"),
                };
                prop_assert!(at >= last && at < audio.len() as u64);
                last = at;
            }
        }
    }
}
