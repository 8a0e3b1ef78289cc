//! Where a country's tone probes lie, and what a burst sounded like by what they caught.
//!
//! A probe measures the power at one frequency over a window of 20 ms, which a tone `d` Hz beside it reaches with
//! sinc²(d · 20 ms): half of it 22 Hz away, nothing 50 Hz away. So two probes around a single frequency catch all
//! of ±25 Hz and tell where within it the tone lies, and the shares of all probes together tell what a burst is made of:
//! a sound fits if some frequency within its tolerance explains them, with no energy left over.

use std::f32::consts::PI;

use crate::Tone;
use crate::hop::LOW_RATE_HZ;
use crate::tone_table::{Country, Sound, SupervisoryTone};

/// Probes a lane has.
pub const PROBES: usize = 4;
/// Length of the probes' window in seconds: [`crate::hop::WINDOW_HOPS`] hops.
const WINDOW_S: f32 = 0.020;
/// A single frequency gets two probes, this far to both sides.
const SPREAD_HZ: f32 = 13.0;
/// Two frequencies closer than this share their probes.
const CLOSE_HZ: f32 = 60.0;
/// Grid on which a tone's frequency is looked for.
const GRID_HZ: f32 = 2.5;
/// Beyond the table's tolerance: the error of the grid and of noise.
const MARGIN_HZ: f32 = 6.0;
/// Largest part of a sound that may remain unexplained.
const MOST_UNEXPLAINED: f32 = 0.24;
/// The same for a modulated tone, whose side frequencies the model leaves out.
const MOST_UNEXPLAINED_MODULATED: f32 = 0.5;
/// Only a burst as long as this (ms) is looked for under speech: shorter ones are too common there.
const LEAST_MS_UNDER_SPEECH: u16 = 300;
/// Two tones that belong together differ by less than 10 dB.
const LEAST_SHARE: f32 = 0.09;

/// The frequencies a country's probes measure; 0 for a probe that is not needed.
pub fn probe_hertz(country: &Country) -> [f32; PROBES] {
    let mut wanted: Vec<f32> = Vec::new();
    for tone in country.tones {
        let (low, high) = tone.sound.hertz();
        wanted.extend([Some(low), high].into_iter().flatten());
    }
    wanted.sort_by(f32::total_cmp);
    wanted.dedup();
    if wanted.len() * 2 <= PROBES && wanted.windows(2).all(|pair| pair[1] - pair[0] >= CLOSE_HZ) {
        wanted = wanted.iter().flat_map(|hertz| [hertz - SPREAD_HZ, hertz + SPREAD_HZ]).collect();
    }
    let mut probes = [0.0; PROBES];
    for (probe, hertz) in probes.iter_mut().zip(&wanted) {
        *probe = *hertz;
    }
    probes
}

/// The probes that hear the second family of a country's sounds: those that share no probe with the first, as China's
/// 950 Hz and 450 Hz. A burst is of one family, so that the 941 Hz of a digit does not keep up the dial tone it ends.
pub fn second_family(country: &Country) -> [bool; PROBES] {
    let probes = probe_hertz(country);
    let mut first = [true, false, false, false];
    for tone in country.tones.iter().cycle().take(country.tones.len() * PROBES) {
        let (low, high) = tone.sound.hertz();
        let near = |probe: f32, hertz: f32| (probe - hertz).abs() < CLOSE_HZ;
        let hears = probes.map(|probe| near(probe, low) || high.is_some_and(|high| near(probe, high)));
        if first.iter().zip(hears).any(|(&first, hears)| first && hears) {
            first = std::array::from_fn(|probe| first[probe] || hears[probe]);
        }
    }
    std::array::from_fn(|probe| probes[probe] != 0.0 && !first[probe])
}

/// What a country's probes would catch of its tones: the models that bursts are compared with.
#[derive(Clone, Debug)]
pub struct Fit {
    sounds: Vec<SoundModel>,
}

/// A pure tone and the share of its energy that each probe catches.
#[derive(Clone, Copy, Debug)]
struct PureTone {
    hertz: f32,
    caught: [f32; PROBES],
}

#[derive(Clone, Debug)]
struct SoundModel {
    /// The tones of the table that sound like this, a bit for each.
    tones: u8,
    most_unexplained: f32,
    /// The first of the two probes that hear this sound and no other, if it has such.
    pair: Option<usize>,
    /// Those of `tones` that are sent while people talk, and can be told from speech.
    under_speech: u8,
    /// Of the table; the lower one of two.
    hertz: f32,
    /// The frequency, or the lower one of two, wherever within its tolerance.
    low: Vec<PureTone>,
    /// The higher one of two.
    high: Vec<PureTone>,
}

/// What a burst sounded like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fitted {
    /// Bit `i`: it may be tone `i` of the country's table.
    pub tones: u8,
    /// The frequency of the best fit; of two tones the lower one as it should be, because one probe cannot tell on
    /// which side of it a tone lies.
    pub hertz: f32,
}

impl Fit {
    pub fn new(country: &Country) -> Self {
        let probes = probe_hertz(country);
        let reach = country.tolerance_hz + MARGIN_HZ;
        let steps = (reach / GRID_HZ).ceil() as i32;
        let around = |hertz: f32| {
            let offs = (-steps..=steps).map(|step| hertz + step as f32 * GRID_HZ);
            offs.map(|hertz| PureTone { hertz, caught: caught(probes, hertz) }).collect()
        };
        let mut sounds: Vec<SoundModel> = Vec::new();
        for (index, tone) in country.tones.iter().enumerate() {
            let alike = country.tones.iter().enumerate().filter(|(_, other)| other.sound == tone.sound);
            let tones = alike.fold(0u8, |bits, (other, _)| bits | 1 << other);
            if tones.trailing_zeros() as usize == index {
                let (low, high) = tone.sound.hertz();
                let most_unexplained = match tone.sound {
                    Sound::Modulated(_) => MOST_UNEXPLAINED_MODULATED,
                    Sound::One(_) | Sound::Two(..) => MOST_UNEXPLAINED,
                };
                let high = high.map_or(Vec::new(), around);
                let pair = probes.windows(2).position(|pair| {
                    (pair[0] - low + SPREAD_HZ).abs() < 1.0 && (pair[1] - low - SPREAD_HZ).abs() < 1.0
                });
                let spoken_over = country
                    .tones
                    .iter()
                    .enumerate()
                    .filter(|(other, of)| tones & (1 << other) != 0 && is_sent_while_people_talk(of));
                let under_speech = spoken_over.fold(0u8, |bits, (other, _)| bits | 1 << other);
                sounds.push(SoundModel {
                    tones,
                    most_unexplained,
                    pair,
                    under_speech,
                    hertz: low,
                    low: around(low),
                    high,
                });
            }
        }
        Self { sounds }
    }

    /// Which tones explain the shares of a burst's energy that the probes caught.
    pub fn sounds(&self, shares: [f32; PROBES]) -> Fitted {
        let mut fitted = Fitted { tones: 0, hertz: 0.0 };
        let mut closest = f32::INFINITY;
        for sound in &self.sounds {
            let (unexplained, hertz) = sound.unexplained(shares);
            if unexplained <= sound.most_unexplained {
                fitted.tones |= sound.tones;
                if unexplained < closest {
                    closest = unexplained;
                    fitted.hertz = hertz;
                }
            }
        }
        fitted
    }

    /// Which tones a burst may be that speech covers, by how its two probes share what they caught: speech adds
    /// energy everywhere else.
    pub fn sounds_under_speech(&self, shares: [f32; PROBES]) -> Fitted {
        for sound in &self.sounds {
            if let Some(pair) = sound.pair
                && sound.under_speech != 0
            {
                let balance = |caught: [f32; PROBES]| {
                    caught[pair] / (caught[pair] + caught[pair + 1]).max(f32::MIN_POSITIVE)
                };
                let unlike = |low: &&PureTone| (balance(low.caught) - balance(shares)).abs();
                let closest = sound.low.iter().min_by(|a, b| unlike(a).total_cmp(&unlike(b)));
                return Fitted { tones: sound.under_speech, hertz: closest.map_or(0.0, |low| low.hertz) };
            }
        }
        Fitted { tones: 0, hertz: 0.0 }
    }
}

/// Call waiting, if its bursts are long and its silence is longer than speech stays at one pitch and level.
fn is_sent_while_people_talk(tone: &SupervisoryTone) -> bool {
    let [step] = tone.cadence else { return false };
    tone.tone == Tone::CallWaiting
        && matches!(tone.sound, Sound::One(_))
        && step.on_ms >= LEAST_MS_UNDER_SPEECH
}

impl SoundModel {
    /// The smallest part of `shares` that the sound leaves unexplained, and its frequency then.
    fn unexplained(&self, shares: [f32; PROBES]) -> (f32, f32) {
        let mut best = (f32::INFINITY, 0.0);
        let mut consider = |unexplained: f32, hertz: f32| {
            if unexplained < best.0 {
                best = (unexplained, hertz);
            }
        };
        for low in &self.low {
            if self.high.is_empty() {
                consider(distance(shares, low.caught), low.hertz);
            }
            for high in &self.high {
                if let Some(model) = mixture(shares, low.caught, high.caught) {
                    consider(distance(shares, model), self.hertz);
                }
            }
        }
        best
    }
}

/// The mixture of two tones that comes closest to `shares` by least squares, if both have part in it.
fn mixture(shares: [f32; PROBES], low: [f32; PROBES], high: [f32; PROBES]) -> Option<[f32; PROBES]> {
    let (mut over, mut under) = (0.0, 0.0);
    for probe in 0..PROBES {
        let apart = low[probe] - high[probe];
        over += (shares[probe] - high[probe]) * apart;
        under += apart * apart;
    }
    let share = over / under.max(f32::MIN_POSITIVE);
    let mixed = std::array::from_fn(|probe| share * low[probe] + (1.0 - share) * high[probe]);
    (LEAST_SHARE..=1.0 - LEAST_SHARE).contains(&share).then_some(mixed)
}

/// The share of a pure tone of `hertz` that each probe catches, its image above half the low rate included.
fn caught(probes: [f32; PROBES], hertz: f32) -> [f32; PROBES] {
    let image = LOW_RATE_HZ as f32 - hertz;
    let reach = |hertz: f32, probe: f32| sinc((hertz - probe) * WINDOW_S).powi(2);
    probes.map(|probe| if probe == 0.0 { 0.0 } else { reach(hertz, probe) + reach(image, probe) })
}

/// How much of what was caught, or should have been, is not in the other, relative to what should.
fn distance(shares: [f32; PROBES], model: [f32; PROBES]) -> f32 {
    let apart: f32 = shares.iter().zip(model).map(|(share, model)| (share - model).abs()).sum();
    apart / model.iter().sum::<f32>().max(f32::MIN_POSITIVE)
}

fn sinc(x: f32) -> f32 {
    if x.abs() < 1e-4 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone_table::{COUNTRIES, china, country};

    fn tones(country: &'static Country, shares: [f32; PROBES]) -> Vec<Tone> {
        let fitted = Fit::new(country).sounds(shares).tones;
        let named = country.tones.iter().enumerate().filter(|(index, _)| fitted & (1 << index) != 0);
        named.map(|(_, tone)| tone.tone).collect()
    }

    #[test]
    fn a_single_frequency_gets_two_probes() {
        assert_eq!(probe_hertz(china()), [437.0, 463.0, 937.0, 963.0]);
        assert_eq!(country("us").map(probe_hertz), Some([350.0, 440.0, 480.0, 620.0]));
    }

    #[test]
    fn only_the_chinese_howler_is_a_family_of_its_own() {
        for country in COUNTRIES {
            let expected = if country.code == "cn" { [false, false, true, true] } else { [false; PROBES] };
            assert_eq!(second_family(country), expected, "{}", country.code);
        }
    }

    #[test]
    fn no_country_needs_more_probes_than_there_are() {
        for country in COUNTRIES {
            for tone in country.tones {
                let (low, high) = tone.sound.hertz();
                for hertz in [Some(low), high].into_iter().flatten() {
                    let probes = probe_hertz(country);
                    assert!(probes.iter().any(|p| (p - hertz).abs() < 14.0), "{}: {hertz}", country.code);
                }
            }
        }
    }

    #[test]
    fn every_sound_is_found_within_its_tolerance_and_not_far_outside() {
        for country in COUNTRIES {
            let (fit, probes) = (Fit::new(country), probe_hertz(country));
            for (index, tone) in country.tones.iter().enumerate() {
                let Sound::One(hertz) = tone.sound else { continue };
                for off in [-1.0, -0.5, 0.0, 0.5, 1.0] {
                    let tone_hertz = hertz + off * country.tolerance_hz;
                    let fitted = fit.sounds(caught(probes, tone_hertz));
                    assert!(fitted.tones & (1 << index) != 0, "{} {tone_hertz}", country.code);
                    assert!((fitted.hertz - tone_hertz).abs() < 4.0, "{} {tone_hertz}", country.code);
                }
                for off in [-60.0, 60.0] {
                    let heard = fit.sounds(caught(probes, hertz + off)).tones;
                    assert_eq!(heard & (1 << index), 0, "{} {hertz} {off}", country.code);
                }
            }
        }
    }

    #[test]
    fn a_dtmf_digit_with_950_hz_in_it_is_no_howler() {
        let probes = probe_hertz(china());
        let half = caught(probes, 941.0).map(|share| share * 0.5);
        assert_eq!(tones(china(), half), []);
        assert_eq!(tones(china(), caught(probes, 941.0)), [Tone::Howler]);
        assert_eq!(tones(china(), [0.0; PROBES]), []);
    }

    #[test]
    fn only_call_waiting_is_looked_for_under_speech() {
        let cn = Fit::new(china()).sounds_under_speech(caught(probe_hertz(china()), 460.0).map(|c| 0.3 * c));
        assert_eq!(china().tones[cn.tones.trailing_zeros() as usize].tone, Tone::CallWaiting);
        assert_eq!(cn.tones.count_ones(), 1);
        assert!((cn.hertz - 460.0).abs() < 3.0, "{cn:?}");
        for code in ["us", "gb", "de", "it"] {
            let country = country(code).unwrap_or(china());
            assert_eq!(Fit::new(country).sounds_under_speech([1.0; PROBES]).tones, 0, "{code}");
        }
    }

    #[test]
    fn two_frequencies_are_told_from_one() {
        let us = country("us").unwrap_or(china());
        let probes = probe_hertz(us);
        let both = |a: f32, b: f32, share: f32| {
            let (a, b) = (caught(probes, a), caught(probes, b));
            std::array::from_fn(|i| share * a[i] + (1.0 - share) * b[i])
        };
        // One tone in the middle catches as much of both probes; only the beat tells them apart (see `tone`).
        assert_eq!(tones(us, both(440.0, 480.0, 0.5)), [Tone::Ringback, Tone::CallWaiting]);
        assert_eq!(tones(us, both(480.0, 620.0, 0.7)), [Tone::Busy, Tone::Congestion]);
        assert_eq!(tones(us, both(350.0, 440.0, 0.4)), [Tone::Dial, Tone::SpecialDial]);
        assert_eq!(tones(us, caught(probes, 440.0)), [Tone::CallWaiting]);
    }
}
