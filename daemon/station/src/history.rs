//! The last seconds of a channel: pre-roll, and what a decision that comes late still needs. All audio that is
//! recorded is taken from here, so that a start in the past and a start now are the same thing.

use signal::SampleIndex;

/// A ring of each track's newest samples, made once.
#[derive(Debug)]
pub struct History {
    tracks: Vec<Vec<i16>>,
    /// Samples of each.
    capacity: usize,
    /// One behind the newest sample.
    end: SampleIndex,
    /// The oldest sample that was ever pushed since the last jump.
    begin: SampleIndex,
}

impl History {
    /// Keeps at least `samples` of each of `tracks` tracks; input begins at `first`.
    pub fn new(tracks: usize, samples: u64, first: SampleIndex) -> Self {
        let capacity = samples.max(1) as usize;
        Self { tracks: vec![vec![0; capacity]; tracks], capacity, end: first, begin: first }
    }

    pub fn tracks(&self) -> usize {
        self.tracks.len()
    }

    /// Where a sample lies in its ring.
    fn offset(&self, at: SampleIndex) -> usize {
        (at.0 % self.capacity as u64) as usize
    }

    /// One behind the newest sample.
    pub fn end(&self) -> SampleIndex {
        self.end
    }

    /// The oldest sample that is still here.
    pub fn begin(&self) -> SampleIndex {
        self.begin.max(self.end.minus(self.capacity as u64))
    }

    /// Appends a block, track after track, whose first sample is `first`. Where samples are missing in between, what
    /// lies before them is forgotten: it would be joined to what it does not touch.
    pub fn push(&mut self, first: SampleIndex, samples: &[i16]) {
        if first != self.end {
            (self.begin, self.end) = (first, first);
        }
        let length = samples.len() / self.tracks.len().max(1);
        let at = self.offset(self.end);
        for (ring, block) in self.tracks.iter_mut().zip(samples.chunks_exact(length.max(1))) {
            let head = length.min(self.capacity - at);
            ring[at..at + head].copy_from_slice(&block[..head]);
            ring[..length - head].copy_from_slice(&block[head..]);
        }
        self.end = self.end.plus(length as u64);
    }

    /// The same samples in a ring that keeps more of those to come.
    pub fn grown_to(&self, samples: u64) -> Self {
        let mut grown = Self::new(self.tracks.len(), samples.max(self.capacity as u64), self.begin());
        self.read(self.begin(), self.end, |at, pieces| grown.push(at, &pieces[..self.tracks.len()].concat()));
        grown
    }

    /// Hands out samples `from..to`, as far as they are here, in at most two pieces: their first sample and a slice of
    /// each track (the second one empty on a mono channel).
    pub fn read(&self, from: SampleIndex, to: SampleIndex, mut each: impl FnMut(SampleIndex, [&[i16]; 2])) {
        let mut at = from.max(self.begin());
        let to = to.min(self.end);
        while at < to {
            let offset = self.offset(at);
            let length = (to.since(at) as usize).min(self.capacity - offset);
            let piece =
                |track: usize| self.tracks.get(track).map_or(&[][..], |ring| &ring[offset..offset + length]);
            each(at, [piece(0), piece(1)]);
            at = at.plus(length as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(history: &History, from: u64, to: u64) -> (Vec<i16>, Vec<i16>) {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        history.read(SampleIndex(from), SampleIndex(to), |_, [a, b]| {
            near.extend_from_slice(a);
            far.extend_from_slice(b);
        });
        (near, far)
    }

    #[test]
    fn keeps_the_newest_samples_of_both_tracks_across_the_seam() {
        let mut history = History::new(2, 105, SampleIndex(0));
        for block in 0..30_i16 {
            let near: Vec<i16> = (0..10).map(|n| block * 10 + n).collect();
            let far: Vec<i16> = near.iter().map(|n| -n).collect();
            history.push(SampleIndex(block as u64 * 10), &[near, far].concat());
        }
        assert_eq!((history.begin().0, history.end().0), (300 - 105, 300));
        let (near, far) = collect(&history, 200, 290);
        assert_eq!(near, (200..290).collect::<Vec<i16>>());
        assert_eq!(far, (200..290).map(|n: i16| -n).collect::<Vec<i16>>());
        assert_eq!(collect(&history, 0, 1000).0, (195..300).collect::<Vec<i16>>());
        assert_eq!(collect(&history, 300, 400).0, Vec::<i16>::new());
    }

    #[test]
    fn a_grown_ring_has_the_same_samples_and_keeps_more() {
        let mut history = History::new(2, 100, SampleIndex(0));
        for block in 0..30_i16 {
            history.push(SampleIndex(block as u64 * 10), &[[block; 10], [-block; 10]].concat());
        }
        let mut grown = history.grown_to(1000);
        assert_eq!(collect(&grown, 0, 1000), collect(&history, 0, 1000));
        grown.push(SampleIndex(300), &[7; 800]);
        assert_eq!(grown.begin(), history.begin());
        assert_eq!(collect(&grown, 290, 301).0, [[29; 10].as_slice(), &[7]].concat());
    }

    #[test]
    fn samples_on_both_sides_of_a_hole_are_never_joined() {
        let mut history = History::new(1, 100, SampleIndex(0));
        history.push(SampleIndex(0), &[1; 10]);
        history.push(SampleIndex(50), &[2; 10]);
        assert_eq!(collect(&history, 0, 100).0, [2; 10]);
    }
}
