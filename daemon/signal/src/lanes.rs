//! Tracks side by side: one sample instant of sixteen tracks is one value, so that a loop over it becomes SIMD on
//! every target. Plain multiplications and additions only (no fused multiply-add): every CPU gets the same bits.
//!
//! **Scale.** A lane holds a sample in 16-bit units, ±32768 at full scale; `dbm0` turns powers of it into dBm0.
//!
//! **Detectors.** Every detector keeps the state of [`LANES`] tracks and takes them hop by hop (`recent`: 4 ms for DTMF
//! and caller ID, `hop`: 5 ms for levels, tones and voice) through a method like
//!
//! ```text
//! #[inline(always)]
//! pub fn hop(&mut self, hop: &Hop, out: &mut impl FnMut(usize, Detection));
//! ```
//!
//! `out` gets the lane and what was heard there. Nothing is allocated, and because hops are counted from the first
//! sample, what is heard does not depend on how samples are cut into blocks. `inline(always)` lets `bank` compile the
//! whole path once for each instruction set; a closure in between would be compiled for the baseline.

use std::ops::{Add, AddAssign, Index, IndexMut, Mul, MulAssign, Sub, SubAssign};

/// Tracks that are processed together: two AVX registers, four of SSE or NEON.
pub const LANES: usize = 16;

/// One value for each of [`LANES`] tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(align(64))]
pub struct Lanes(pub [f32; LANES]);

impl Lanes {
    pub const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    pub const fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    pub fn map(self, f: impl Fn(f32) -> f32) -> Self {
        let mut out = self;
        for value in &mut out.0 {
            *value = f(*value);
        }
        out
    }

    #[inline(always)]
    pub fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut out = self;
        for (value, other) in out.0.iter_mut().zip(other.0) {
            *value = f(*value, other);
        }
        out
    }

    #[inline(always)]
    pub fn abs(self) -> Self {
        self.map(f32::abs)
    }

    #[inline(always)]
    pub fn sqrt(self) -> Self {
        self.map(f32::sqrt)
    }

    /// The larger of each pair; neither may be NaN.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    /// The smaller of each pair; neither may be NaN.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    /// Lane `i` of the mask is set where `self` is above `other`.
    #[inline(always)]
    pub fn above(self, other: Self) -> LaneMask {
        let mut mask = 0;
        for lane in 0..LANES {
            mask |= LaneMask::from(self.0[lane] > other.0[lane]) << lane;
        }
        mask
    }
}

/// One bit for each lane, lane 0 the lowest.
pub type LaneMask = u16;

/// The lanes set in `mask`, lowest first.
#[inline(always)]
pub fn lanes_of(mut mask: LaneMask) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lane = mask.trailing_zeros() as usize;
        if mask == 0 {
            return None;
        }
        mask &= mask - 1;
        Some(lane)
    })
}

macro_rules! elementwise {
    ($($trait:ident $method:ident $assign_trait:ident $assign:ident $op:tt),*) => {$(
        impl $trait for Lanes {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, |a, b| a $op b)
            }
        }
        impl $trait<f32> for Lanes {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: f32) -> Self {
                self.map(|a| a $op other)
            }
        }
        impl $assign_trait for Lanes {
            #[inline(always)]
            fn $assign(&mut self, other: Self) {
                *self = *self $op other;
            }
        }
    )*};
}

elementwise!(Add add AddAssign add_assign +, Sub sub SubAssign sub_assign -, Mul mul MulAssign mul_assign *);

impl Index<usize> for Lanes {
    type Output = f32;
    #[inline(always)]
    fn index(&self, lane: usize) -> &f32 {
        &self.0[lane]
    }
}

impl IndexMut<usize> for Lanes {
    #[inline(always)]
    fn index_mut(&mut self, lane: usize) -> &mut f32 {
        &mut self.0[lane]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_go_lane_by_lane() {
        let ramp = Lanes(std::array::from_fn(|i| i as f32));
        assert_eq!((ramp * ramp - ramp + 1.0)[5], 21.0);
        assert_eq!(ramp.max(Lanes::splat(3.0))[2], 3.0);
        assert_eq!(ramp.min(Lanes::splat(3.0))[9], 3.0);
        assert_eq!((ramp * -1.0).abs().sqrt()[4], 2.0);
    }

    #[test]
    fn masks_name_the_lanes_above() {
        let ramp = Lanes(std::array::from_fn(|i| i as f32));
        let mask = ramp.above(Lanes::splat(12.5));
        assert_eq!(lanes_of(mask).collect::<Vec<_>>(), [13, 14, 15]);
        assert_eq!(lanes_of(0).count(), 0);
    }
}
