//! G.711 companding both ways, as recordings keep it and E1 timeslots carry it. The bytes are those on the line:
//! A-law with its even bits inverted, µ-law with all bits inverted. Linear samples are 16 bit, full scale ±32768.

/// A-law byte of digital silence (positive zero).
pub const ALAW_SILENCE: u8 = 0xd5;
/// µ-law byte of digital silence (positive zero).
pub const ULAW_SILENCE: u8 = 0xff;

/// The quantised value of each A-law byte (ITU-T G.711 table 1, times 8 for 16 bit).
pub static ALAW_TO_LINEAR: [i16; 256] = alaw_table();
/// The quantised value of each µ-law byte (ITU-T G.711 table 2, times 4 for 16 bit).
pub static ULAW_TO_LINEAR: [i16; 256] = ulaw_table();

const ALAW_EVEN_BITS: u8 = 0x55;
/// Added before µ-law's segments so that each begins at a power of two (33 in the 14-bit numbers of G.711).
const ULAW_BIAS: i32 = 33 << 2;
const ULAW_CLIP: i32 = 0x7fff;

const fn alaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let code = byte as u8 ^ ALAW_EVEN_BITS;
        let segment = (code >> 4) & 7;
        let step = (code & 0x0f) as i32;
        let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 0x108) << (segment - 1) };
        table[byte] = if code & 0x80 != 0 { magnitude as i16 } else { -magnitude as i16 };
        byte += 1;
    }
    table
}

const fn ulaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let code = !(byte as u8);
        let segment = (code >> 4) & 7;
        let step = (code & 0x0f) as i32;
        let magnitude = (((step << 3) + ULAW_BIAS) << segment) - ULAW_BIAS;
        table[byte] = if code & 0x80 != 0 { -magnitude as i16 } else { magnitude as i16 };
        byte += 1;
    }
    table
}

#[inline]
pub fn alaw_to_linear(byte: u8) -> i16 {
    ALAW_TO_LINEAR[usize::from(byte)]
}

#[inline]
pub fn ulaw_to_linear(byte: u8) -> i16 {
    ULAW_TO_LINEAR[usize::from(byte)]
}

/// The A-law byte whose decision interval holds `sample`.
#[inline]
pub fn linear_to_alaw(sample: i16) -> u8 {
    let magnitude = magnitude(sample);
    let code = if magnitude < 256 { magnitude >> 4 } else { segment_and_step(magnitude) };
    (sign(sample) | code as u8) ^ ALAW_EVEN_BITS
}

/// The µ-law byte whose decision interval holds `sample`.
#[inline]
pub fn linear_to_ulaw(sample: i16) -> u8 {
    let code = segment_and_step((magnitude(sample) + ULAW_BIAS).min(ULAW_CLIP));
    sign(sample) | (!code as u8 & 0x7f)
}

#[inline]
fn sign(sample: i16) -> u8 {
    if sample >= 0 { 0x80 } else { 0 }
}

/// One's complement: the intervals of both signs mirror each other about -0.5.
#[inline]
fn magnitude(sample: i16) -> i32 {
    i32::from(sample ^ (sample >> 15))
}

/// Segment (three bits) and step (four) of a magnitude from 128 on: G.711's code is a floating-point number, so that
/// these are the exponent of the magnitude as a float and the first bits behind its point. Unlike counting leading
/// zeros, that is done for many samples at once by every CPU.
#[inline]
fn segment_and_step(magnitude: i32) -> i32 {
    const MANTISSA_BITS: u32 = 23;
    const EXPONENT_OF_128: i32 = 127 + 7;
    ((magnitude as f32).to_bits() >> (MANTISSA_BITS - 4)) as i32 - (EXPONENT_OF_128 << 4)
}

/// Decodes as many bytes as both slices have room for.
pub fn alaw_slice_to_linear(bytes: &[u8], samples: &mut [i16]) {
    for (sample, &byte) in samples.iter_mut().zip(bytes) {
        *sample = alaw_to_linear(byte);
    }
}

/// Decodes as many bytes as both slices have room for.
pub fn ulaw_slice_to_linear(bytes: &[u8], samples: &mut [i16]) {
    for (sample, &byte) in samples.iter_mut().zip(bytes) {
        *sample = ulaw_to_linear(byte);
    }
}

/// Encodes as many samples as both slices have room for.
pub fn linear_slice_to_alaw(samples: &[i16], bytes: &mut [u8]) {
    for (byte, &sample) in bytes.iter_mut().zip(samples) {
        *byte = linear_to_alaw(sample);
    }
}

/// Encodes as many samples as both slices have room for.
pub fn linear_slice_to_ulaw(samples: &[i16], bytes: &mut [u8]) {
    for (byte, &sample) in bytes.iter_mut().zip(samples) {
        *byte = linear_to_ulaw(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_points_of_the_tables() {
        assert_eq!(alaw_to_linear(ALAW_SILENCE), 8);
        assert_eq!(alaw_to_linear(0x55), -8);
        assert_eq!((alaw_to_linear(0xaa), alaw_to_linear(0x2a)), (32256, -32256));
        assert_eq!(ulaw_to_linear(ULAW_SILENCE), 0);
        assert_eq!((ulaw_to_linear(0x80), ulaw_to_linear(0x00)), (32124, -32124));
        assert_eq!((linear_to_alaw(0), linear_to_ulaw(0)), (ALAW_SILENCE, ULAW_SILENCE));
    }

    #[test]
    fn a_digital_milliwatt_is_zero_dbm0() {
        // ITU-T G.711 tables 5 and 6: eight bytes of a 1 kHz sine at 0 dBm0, 3.14 and 3.17 dB under full scale.
        let alaw = [0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4].map(alaw_to_linear);
        let ulaw = [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e].map(ulaw_to_linear);
        for (bytes, hundredths) in [(alaw, 314), (ulaw, 317)] {
            let power = bytes.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / 8.0;
            let dbm0 = 10.0 * (power / (32768.0f64.powi(2) / 2.0)).log10() + f64::from(hundredths) / 100.0;
            assert!(dbm0.abs() < 0.1, "{dbm0}");
        }
    }

    #[test]
    fn every_byte_survives_the_way_there_and_back() {
        for byte in 0..=255u8 {
            assert_eq!(linear_to_alaw(alaw_to_linear(byte)), byte);
            // µ-law has two zeros; negative zero comes back as the positive one.
            let expected = if byte == 0x7f { ULAW_SILENCE } else { byte };
            assert_eq!(linear_to_ulaw(ulaw_to_linear(byte)), expected);
        }
    }

    #[test]
    fn every_sample_stays_in_its_decision_interval() {
        // Intervals double from segment to segment: 16 of them lie between two powers of two.
        let half_step = |magnitude: i32| 1 << (magnitude.max(256).ilog2() - 5);
        for sample in i16::MIN..=i16::MAX {
            let magnitude = if sample >= 0 { i32::from(sample) } else { i32::from(!sample) };
            let alaw_error = (i32::from(alaw_to_linear(linear_to_alaw(sample))) - i32::from(sample)).abs();
            assert!(alaw_error <= half_step(magnitude), "{sample}: A-law is off by {alaw_error}");
            let ulaw_error = (i32::from(ulaw_to_linear(linear_to_ulaw(sample))) - i32::from(sample)).abs();
            let biased = magnitude + ULAW_BIAS;
            let allowed =
                if biased > ULAW_CLIP { biased - ULAW_CLIP + 512 } else { half_step(biased).max(4) };
            assert!(ulaw_error <= allowed, "{sample}: µ-law is off by {ulaw_error}");
        }
    }

    #[test]
    fn louder_samples_never_get_quieter_bytes() {
        let mut previous = (i16::MIN, i16::MIN);
        for sample in i16::MIN..=i16::MAX {
            let coded = (alaw_to_linear(linear_to_alaw(sample)), ulaw_to_linear(linear_to_ulaw(sample)));
            assert!(coded.0 >= previous.0 && coded.1 >= previous.1, "at {sample}");
            previous = coded;
        }
    }

    #[test]
    fn slices_of_unequal_length_stop_at_the_shorter() {
        let mut bytes = [0u8; 4];
        linear_slice_to_alaw(&[0, 0], &mut bytes);
        assert_eq!(bytes, [ALAW_SILENCE, ALAW_SILENCE, 0, 0]);
        linear_slice_to_ulaw(&[0; 9], &mut bytes);
        assert_eq!(bytes, [ULAW_SILENCE; 4]);
        let mut samples = [1i16; 3];
        ulaw_slice_to_linear(&bytes[..2], &mut samples);
        assert_eq!(samples, [0, 0, 1]);
        alaw_slice_to_linear(&[ALAW_SILENCE], &mut samples);
        assert_eq!(samples, [8, 0, 1]);
    }
}
