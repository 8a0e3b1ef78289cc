//! The last 64 ms of all lanes, cut into hops of 4 ms: what DTMF and caller ID measure for every lane at once, and
//! what they look at again, lane by lane, when something was found.

use crate::lanes::Lanes;

/// Samples of a hop: 4 ms.
pub(crate) const HOP: usize = 32;
/// Samples kept.
pub(crate) const KEPT: usize = 512;

#[derive(Clone, Debug)]
pub(crate) struct Recent {
    samples: Box<[Lanes; KEPT]>,
    /// Where the current hop begins; just before it lies the newest whole hop.
    at: usize,
    /// Samples of the current hop that are there.
    filled: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { samples: Box::new([Lanes::ZERO; KEPT]), at: 0, filled: 0 }
    }
}

impl Recent {
    /// Samples that the current hop still lacks; never 0.
    #[inline(always)]
    pub(crate) fn missing(&self) -> usize {
        HOP - self.filled
    }

    /// Takes samples, no more than are missing. `true`: the hop is whole.
    #[inline(always)]
    pub(crate) fn push(&mut self, samples: &[Lanes]) -> bool {
        let into = self.at + self.filled;
        self.samples[into..into + samples.len()].copy_from_slice(samples);
        self.filled += samples.len();
        let whole = self.filled == HOP;
        if whole {
            self.filled = 0;
            self.at = (self.at + HOP) % KEPT;
        }
        whole
    }

    /// The newest whole hop.
    #[inline(always)]
    pub(crate) fn hop(&self) -> &[Lanes; HOP] {
        // Hops never wrap around: `KEPT` is a multiple of `HOP`.
        let (hops, _) = self.samples.as_chunks();
        &hops[(self.at + KEPT - HOP) % KEPT / HOP]
    }

    /// The newest `count` samples of a lane, at most [`KEPT`], oldest first; of whole hops only.
    pub(crate) fn newest(&self, lane: usize, count: usize) -> impl Iterator<Item = f32> {
        (KEPT - count.min(KEPT)..KEPT).map(move |i| self.samples[(self.at + i) % KEPT][lane])
    }
}
