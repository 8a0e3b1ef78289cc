//! The last 64 ms of all lanes, cut into hops of 4 ms: what DTMF and caller ID measure for every lane at once, and
//! what they look at again, lane by lane, when something was found.

use crate::lanes::Lanes;
use crate::units::SampleIndex;

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
    /// Takes samples of any number and calls `each` with every hop that becomes whole and the sample behind it.
    #[inline(always)]
    pub(crate) fn process(
        &mut self,
        frame: &[Lanes],
        first: SampleIndex,
        each: &mut impl FnMut(&Self, &[Lanes; HOP], SampleIndex),
    ) {
        let mut done = 0;
        while done < frame.len() {
            let take = (HOP - self.filled).min(frame.len() - done);
            let into = self.at + self.filled;
            self.samples[into..into + take].copy_from_slice(&frame[done..done + take]);
            self.filled += take;
            done += take;
            if self.filled == HOP {
                let whole = self.at;
                self.filled = 0;
                self.at = (self.at + HOP) % KEPT;
                // `KEPT` is a multiple of `HOP`: a hop never wraps around.
                if let Some(hop) = self.samples[whole..].first_chunk() {
                    each(self, hop, first.plus(done as u64));
                }
            }
        }
    }

    /// The newest `count` samples of a lane, at most [`KEPT`], oldest first; of whole hops only.
    pub(crate) fn newest(&self, lane: usize, count: usize) -> impl Iterator<Item = f32> {
        (KEPT - count.min(KEPT)..KEPT).map(move |i| self.samples[(self.at + i) % KEPT][lane])
    }
}
