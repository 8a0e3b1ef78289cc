//! A-law by spandsp (ITU-T G.711, even bits inverted).

use super::ffi;

pub fn alaw_encode(linear: &[i16]) -> Vec<u8> {
    let mut alaw = vec![0; linear.len()];
    // SAFETY: both buffers hold `linear.len()` samples.
    unsafe { ffi::kit_alaw_encode(linear.as_ptr(), alaw.as_mut_ptr(), linear.len()) };
    alaw
}

pub fn alaw_decode(alaw: &[u8]) -> Vec<i16> {
    let mut linear = vec![0; alaw.len()];
    // SAFETY: both buffers hold `alaw.len()` samples.
    unsafe { ffi::kit_alaw_decode(alaw.as_ptr(), linear.as_mut_ptr(), alaw.len()) };
    linear
}
