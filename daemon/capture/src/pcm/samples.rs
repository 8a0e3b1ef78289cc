//! Samples as a sound card gives them: one track's bytes behind another's, or all tracks of a moment side by side; 16 or
//! 32 bits, or A-law. Here they become tracks of linear samples.

use signal::g711;

/// How a card writes a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 16 bit, little-endian: taken as it is.
    Linear16,
    /// G.711 A-law, as E1 timeslots carry it: expanded by its table.
    ALaw,
    /// 32 bit, little-endian, of which the upper 16 are kept.
    Linear32,
}

impl Encoding {
    /// Bytes of a sample.
    pub fn bytes(self) -> usize {
        match self {
            Self::Linear16 => 2,
            Self::ALaw => 1,
            Self::Linear32 => 4,
        }
    }
}

/// Room for frames as they come; allocated once.
#[derive(Debug)]
pub struct Frames {
    bytes: Vec<u8>,
    encoding: Encoding,
    /// Tracks side by side in the card's frames; more than are kept, perhaps.
    channels: usize,
    /// One track's samples of `capacity` frames behind another's, instead of side by side.
    apart: bool,
    /// Frames that there is room for.
    capacity: usize,
}

impl Frames {
    pub fn new(encoding: Encoding, channels: usize, apart: bool, capacity: usize) -> Self {
        let bytes = vec![0; capacity * channels * encoding.bytes()];
        Self { bytes, encoding, channels, apart, capacity }
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether each track lies by itself.
    pub fn is_apart(&self) -> bool {
        self.apart
    }

    /// Where frames `from..to` lie, when tracks are side by side.
    pub fn side_by_side(&mut self, from: usize, to: usize) -> &mut [u8] {
        let frame = self.channels * self.encoding.bytes();
        &mut self.bytes[from * frame..to * frame]
    }

    /// Where each track's frames `from..to` lie, when each lies by itself, one after another.
    pub fn each_apart(&mut self, from: usize, to: usize) -> impl Iterator<Item = &mut [u8]> {
        let bytes = self.encoding.bytes();
        self.bytes
            .chunks_exact_mut(self.capacity * bytes)
            .map(move |track| &mut track[from * bytes..to * bytes])
    }

    /// The first frames as linear 16 bit, track-major: as many tracks of `count` samples as `out` has room for.
    pub fn to_linear(&self, count: usize, out: &mut [i16]) {
        match self.encoding {
            Encoding::Linear16 => self.convert(count, out, i16::from_le_bytes),
            Encoding::ALaw => self.convert(count, out, |[byte]| g711::alaw_to_linear(byte)),
            Encoding::Linear32 => self.convert(count, out, |bytes| upper_half(i32::from_le_bytes(bytes))),
        }
    }

    /// The same for the filter: full scale is ±32768, and nothing of 32 bits is thrown away yet.
    pub fn to_float(&self, count: usize, out: &mut [f32]) {
        match self.encoding {
            Encoding::Linear16 => self.convert(count, out, |bytes| f32::from(i16::from_le_bytes(bytes))),
            Encoding::ALaw => self.convert(count, out, |[byte]| f32::from(g711::alaw_to_linear(byte))),
            Encoding::Linear32 => {
                self.convert(count, out, |bytes| i32::from_le_bytes(bytes) as f32 / 65_536.0)
            }
        }
    }

    fn convert<const BYTES: usize, T>(&self, count: usize, out: &mut [T], linear: impl Fn([u8; BYTES]) -> T) {
        let (first, next) = if self.apart { (self.capacity, 1) } else { (1, self.channels) };
        let (samples, _) = self.bytes.as_chunks::<BYTES>();
        for (track, out) in out.chunks_exact_mut(count).take(self.channels).enumerate() {
            let samples = samples[track * first..].iter().step_by(next);
            for (out, bytes) in out.iter_mut().zip(samples) {
                *out = linear(*bytes);
            }
        }
    }
}

/// The nearest 16-bit sample.
fn upper_half(sample: i32) -> i16 {
    (sample.saturating_add(0x8000) >> 16) as i16
}

/// The nearest 16-bit samples of what a filter made; what is louder than full scale is cut.
pub fn round(from: &[f32], to: &mut [i16]) {
    for (to, from) in to.iter_mut().zip(from) {
        // A float becomes the nearest integer there is: no wrap.
        *to = from.round_ties_even() as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracks_are_told_apart_however_they_lie() {
        let side_by_side: Vec<u8> =
            [1_i16, 10, 100, 2, 20, 200].iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut frames = Frames::new(Encoding::Linear16, 3, false, 4);
        frames.side_by_side(0, 1).copy_from_slice(&side_by_side[..6]);
        frames.side_by_side(1, 2).copy_from_slice(&side_by_side[6..]);
        let mut two_tracks = [0; 4];
        frames.to_linear(2, &mut two_tracks);
        assert_eq!(two_tracks, [1, 2, 10, 20]);

        let mut frames = Frames::new(Encoding::Linear16, 3, true, 4);
        for (from, samples) in [(0, [1_i16, 10, 100]), (1, [2, 20, 200])] {
            for (track, sample) in frames.each_apart(from, from + 1).zip(samples) {
                track.copy_from_slice(&sample.to_le_bytes());
            }
        }
        frames.to_linear(2, &mut two_tracks);
        assert_eq!(two_tracks, [1, 2, 10, 20]);
        let mut floats = [0.0; 6];
        frames.to_float(2, &mut floats);
        assert_eq!(floats, [1.0, 2.0, 10.0, 20.0, 100.0, 200.0]);
    }

    #[test]
    fn every_kind_of_sample_becomes_the_nearest_linear_one() {
        let mut frames = Frames::new(Encoding::ALaw, 1, false, 256);
        for (frame, byte) in frames.side_by_side(0, 256).iter_mut().zip(0..=255) {
            *frame = byte;
        }
        let mut linear = [0; 256];
        frames.to_linear(256, &mut linear);
        assert_eq!(linear, g711::ALAW_TO_LINEAR);

        let samples = [i32::MIN, -0x1_8001, -0x8001, -0x8000, 0x7fff, 0x8000, 0x1234_0000, i32::MAX];
        let mut frames = Frames::new(Encoding::Linear32, 1, false, samples.len());
        for (to, from) in frames.side_by_side(0, 8).chunks_exact_mut(4).zip(samples) {
            to.copy_from_slice(&from.to_le_bytes());
        }
        let mut linear = [0; 8];
        frames.to_linear(8, &mut linear);
        assert_eq!(linear, [i16::MIN, -2, -1, 0, 0, 1, 0x1234, i16::MAX]);
        let mut floats = [0.0; 8];
        frames.to_float(8, &mut floats);
        assert_eq!((floats[0], floats[3], floats[6]), (-32_768.0, -0.5, 4660.0));
    }

    #[test]
    fn what_a_filter_overshoots_is_cut_at_full_scale() {
        let mut rounded = [0; 5];
        round(&[40_000.0, -40_000.0, 1.4, -1.6, f32::NAN], &mut rounded);
        assert_eq!(rounded, [i16::MAX, i16::MIN, 1, -2, 0]);
    }
}
