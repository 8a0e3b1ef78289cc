//! Sample buffers: levels, mixing, cutting speech to where the voice is. 16-bit linear, 8000 Hz.

pub const RATE_HZ: usize = 8000;

/// A full-scale sine is 3.14 dBm0 (ITU-T G.711, A-law).
#[allow(clippy::approx_constant, reason = "a level in decibels that happens to look like pi")]
pub const FULL_SCALE_SINE_DBM0: f64 = 3.14;

/// Samples in `seconds`, rounded.
pub fn samples(seconds: f64) -> usize {
    (seconds.max(0.0) * RATE_HZ as f64).round() as usize
}

pub fn seconds(samples: usize) -> f64 {
    samples as f64 / RATE_HZ as f64
}

/// Mean power; −120 dBm0 for silence.
pub fn level_dbm0(audio: &[i16]) -> f64 {
    let sum: f64 = audio.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    let power = sum / audio.len().max(1) as f64 / (32768.0f64.powi(2) / 2.0);
    (10.0 * power.log10() + FULL_SCALE_SINE_DBM0).max(-120.0)
}

pub fn amplify(audio: &mut [i16], db: f64) {
    let factor = 10f64.powf(db / 20.0);
    for sample in audio {
        *sample = (f64::from(*sample) * factor).round().clamp(-32768.0, 32767.0) as i16;
    }
}

/// Adds `added` to `onto` from its sample `at` on, clipping at full scale; what reaches over the end is left out.
pub fn mix(onto: &mut [i16], at: usize, added: &[i16]) {
    for (sample, &more) in onto.iter_mut().skip(at).zip(added) {
        *sample = sample.saturating_add(more);
    }
}

/// 10 ms, the grain at which voice is looked for.
const FRAME: usize = 80;

/// Frames at a clip's edge of which nearly all must be loud: a lone plosive behind a pause is no end of a voice.
const EDGE_FRAMES: usize = 5;

/// The part from the first to the last 50 ms of sustained voice above `floor_dbm0`, whose first and last 10 ms are
/// above it too; empty when there is none.
pub fn cut_to_voice(audio: &[i16], floor_dbm0: f64) -> &[i16] {
    let loud: Vec<bool> = audio.chunks(FRAME).map(|frame| level_dbm0(frame) > floor_dbm0).collect();
    let sustained = |edge: &[bool]| edge.iter().filter(|&&loud| loud).count() + 1 >= EDGE_FRAMES;
    let first = loud.windows(EDGE_FRAMES).position(|edge| edge[0] && sustained(edge));
    let last = loud.windows(EDGE_FRAMES).rposition(|edge| edge[EDGE_FRAMES - 1] && sustained(edge));
    match (first, last) {
        (Some(first), Some(last)) => &audio[first * FRAME..((last + EDGE_FRAMES) * FRAME).min(audio.len())],
        _ => &[],
    }
}

/// Mean power of the frames within 20 dB of the loudest: the level of the talking, without its pauses.
pub fn active_level_dbm0(audio: &[i16]) -> f64 {
    let levels: Vec<f64> = audio.chunks(FRAME).map(level_dbm0).collect();
    let loudest = levels.iter().copied().fold(-120.0, f64::max);
    let active: Vec<f64> = levels.into_iter().filter(|&level| level > loudest - 20.0).collect();
    let power: f64 = active.iter().map(|level| 10f64.powf(level / 10.0)).sum();
    10.0 * (power / active.len().max(1) as f64).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spandsp::two_tones;

    #[test]
    fn levels_and_gain_agree_with_the_sender() {
        let mut audio = two_tones(1000.0, -10.0, 0.0, -99.0, 8000);
        assert!((level_dbm0(&audio) + 10.0).abs() < 0.1);
        amplify(&mut audio, -6.0);
        assert!((level_dbm0(&audio) + 16.0).abs() < 0.1);
        assert_eq!(level_dbm0(&[]), -120.0);
    }

    #[test]
    fn mixing_clips_and_stays_inside() {
        let mut audio = vec![30_000; 4];
        mix(&mut audio, 2, &[10_000; 10]);
        assert_eq!(audio, [30_000, 30_000, i16::MAX, i16::MAX]);
        mix(&mut audio, 9, &[1; 3]);
    }

    #[test]
    fn silence_around_a_voice_is_cut_off() {
        let mut audio = vec![0; 800];
        audio.extend(two_tones(500.0, -15.0, 0.0, -99.0, 1600));
        audio.extend([0; 4000]);
        assert_eq!(cut_to_voice(&audio, -40.0).len(), 1600);
        assert!(cut_to_voice(&[0; 500], -40.0).is_empty());
        assert!(cut_to_voice(&[], -40.0).is_empty());
    }

    #[test]
    fn a_lone_click_is_no_voice() {
        let mut audio = two_tones(500.0, -15.0, 0.0, -99.0, 1600);
        audio.extend([0; 1600]);
        audio.extend(two_tones(500.0, -15.0, 0.0, -99.0, 160));
        audio.extend([0; 800]);
        assert_eq!(cut_to_voice(&audio, -40.0).len(), 1600);
    }

    #[test]
    fn talking_has_a_level_of_its_own() {
        let mut audio = vec![0; 800];
        audio.extend(two_tones(500.0, -15.0, 0.0, -99.0, 1600));
        assert!((active_level_dbm0(&audio) + 15.0).abs() < 0.2);
    }
}
