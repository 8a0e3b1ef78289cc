//! The kept format: linear samples to the bytes of a `data` chunk and back. Two tracks lie interleaved, as WAV has it.

use signal::g711;

use crate::facts::Codec;

impl Codec {
    /// Bytes of one sample of one track.
    pub const fn sample_bytes(self) -> usize {
        match self {
            Self::ALaw | Self::MuLaw => 1,
            Self::Linear => 2,
        }
    }

    /// Encodes samples `from..from + count` of all tracks behind each other's samples into `out`, and gives the bytes
    /// written. `out` must hold `count * tracks.len() * sample_bytes()`.
    pub(crate) fn encode(self, tracks: &[&[i16]], from: usize, count: usize, out: &mut [u8]) -> usize {
        let width = self.sample_bytes();
        let frame = width * tracks.len();
        match (self, tracks) {
            (Self::ALaw, [only]) => {
                g711::linear_slice_to_alaw(&only[from..from + count], out);
                return count;
            }
            (Self::MuLaw, [only]) => {
                g711::linear_slice_to_ulaw(&only[from..from + count], out);
                return count;
            }
            _ => {}
        }
        for (track, samples) in tracks.iter().enumerate() {
            let frames = out[..count * frame].chunks_exact_mut(frame);
            for (sample, frame) in samples[from..from + count].iter().zip(frames) {
                let at = track * width;
                match self {
                    Self::ALaw => frame[at] = g711::linear_to_alaw(*sample),
                    Self::MuLaw => frame[at] = g711::linear_to_ulaw(*sample),
                    Self::Linear => frame[at..at + 2].copy_from_slice(&sample.to_le_bytes()),
                }
            }
        }
        count * frame
    }

    /// Sample `index` of `track` in kept bytes of `tracks` tracks.
    #[inline]
    pub(crate) fn decode_at(self, bytes: &[u8], tracks: usize, track: usize, index: usize) -> i16 {
        let at = (index * tracks + track) * self.sample_bytes();
        match self {
            Self::ALaw => g711::alaw_to_linear(bytes[at]),
            Self::MuLaw => g711::ulaw_to_linear(bytes[at]),
            Self::Linear => i16::from_le_bytes([bytes[at], bytes[at + 1]]),
        }
    }

    /// As many samples of `track` as `out` has room for, from kept bytes of `tracks` tracks that hold no fewer.
    pub(crate) fn decode(self, bytes: &[u8], tracks: usize, track: usize, out: &mut [i16]) {
        match (self, tracks) {
            (Self::ALaw, 1) => g711::alaw_slice_to_linear(bytes, out),
            (Self::MuLaw, 1) => g711::ulaw_slice_to_linear(bytes, out),
            _ => {
                for (index, sample) in out.iter_mut().enumerate() {
                    *sample = self.decode_at(bytes, tracks, track, index);
                }
            }
        }
    }

    /// Fills `out` with digital silence.
    pub(crate) fn silence(self, out: &mut [u8]) {
        out.fill(match self {
            Self::ALaw => g711::ALAW_SILENCE,
            Self::MuLaw => g711::ULAW_SILENCE,
            Self::Linear => 0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codec() -> impl Strategy<Value = Codec> {
        prop_oneof![Just(Codec::ALaw), Just(Codec::MuLaw), Just(Codec::Linear)]
    }

    /// Half the quantising step at that level, and what is over the highest level (ITU-T G.711 tables 1a and 2a).
    fn tolerance(codec: Codec, sample: i16) -> i32 {
        let level = i32::from(sample).abs();
        match codec {
            Codec::Linear => 0,
            Codec::ALaw => (level / 32).max(8) + (level - 32_256).max(0),
            Codec::MuLaw => (level + 132) / 32 + 1 + (level - 32_124).max(0),
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_within_half_a_step(
            codec in codec(),
            near in prop::collection::vec(any::<i16>(), 1..200),
            two in any::<bool>(),
        ) {
            let far: Vec<i16> = near.iter().map(|sample| sample.wrapping_mul(7)).collect();
            let tracks: Vec<&[i16]> = if two { vec![&near, &far] } else { vec![&near] };
            let mut bytes = vec![0; near.len() * tracks.len() * codec.sample_bytes()];
            prop_assert_eq!(codec.encode(&tracks, 0, near.len(), &mut bytes), bytes.len());
            for (number, track) in tracks.iter().enumerate() {
                let mut decoded = vec![0; track.len()];
                codec.decode(&bytes, tracks.len(), number, &mut decoded);
                for (index, sample) in track.iter().enumerate() {
                    let back = codec.decode_at(&bytes, tracks.len(), number, index);
                    let off = (i32::from(back) - i32::from(*sample)).abs();
                    prop_assert!(off <= tolerance(codec, *sample), "{} became {}", sample, back);
                    prop_assert_eq!(decoded[index], back);
                }
            }
        }

        #[test]
        fn a_decoded_byte_encodes_to_itself(byte: u8) {
            for codec in [Codec::ALaw, Codec::MuLaw] {
                let linear = codec.decode_at(&[byte], 1, 0, 0);
                let mut again = [0];
                codec.encode(&[&[linear]], 0, 1, &mut again);
                // µ-law has two codes for zero.
                prop_assert!(again[0] == byte || linear == 0);
            }
        }
    }

    #[test]
    fn silence_decodes_to_nearly_nothing() {
        for codec in [Codec::ALaw, Codec::MuLaw, Codec::Linear] {
            let mut bytes = [1; 2];
            codec.silence(&mut bytes);
            assert!(codec.decode_at(&bytes, 1, 0, 0).abs() <= 8);
        }
    }
}
