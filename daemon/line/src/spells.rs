//! Spells of voice within a call, as far back as they can still decide whether it was answered.

use arrayvec::ArrayVec;
use signal::SampleIndex;

/// Spells kept. Until a call is answered few are heard; when there are more, the oldest two count as one.
const KEPT: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spell {
    start: SampleIndex,
    /// `None` while it goes on.
    end: Option<SampleIndex>,
}

/// Voice from the far side (or, on one track, from either).
#[derive(Clone, Debug, Default)]
pub(crate) struct Spells(ArrayVec<Spell, KEPT>);

impl Spells {
    pub(crate) fn start(&mut self, at: SampleIndex) {
        if self.0.last().is_some_and(|spell| spell.end.is_none()) {
            return;
        }
        if self.0.is_full() {
            let oldest = self.0.remove(0);
            self.0[0].start = oldest.start;
        }
        self.0.push(Spell { start: at, end: None });
    }

    pub(crate) fn stop(&mut self, at: SampleIndex) {
        if let Some(spell) = self.0.last_mut()
            && spell.end.is_none()
        {
            spell.end = Some(at.max(spell.start));
        }
    }

    /// Voice between `from` and `to`: where it was first heard, and how many samples of it there were.
    pub(crate) fn between(&self, from: SampleIndex, to: SampleIndex) -> Option<(SampleIndex, u64)> {
        let mut first = None;
        let mut total = 0;
        for spell in &self.0 {
            let start = spell.start.max(from);
            let heard = spell.end.unwrap_or(to).min(to).since(start);
            if heard > 0 {
                first.get_or_insert(start);
                total += heard;
            }
        }
        first.map(|first| (first, total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_overlaps() {
        let mut spells = Spells::default();
        for (start, stop) in [(100, 200), (300, 350)] {
            spells.start(SampleIndex(start));
            spells.stop(SampleIndex(stop));
        }
        spells.start(SampleIndex(500));
        let between = |from, to| spells.between(SampleIndex(from), SampleIndex(to));
        assert_eq!(between(0, 1000), Some((SampleIndex(100), 100 + 50 + 500)));
        assert_eq!(between(150, 320), Some((SampleIndex(150), 50 + 20)));
        assert_eq!(between(200, 300), None);
        assert_eq!(between(600, 700), Some((SampleIndex(600), 100)));
    }

    #[test]
    fn many_spells_keep_the_first_and_the_last() {
        let mut spells = Spells::default();
        for n in 1..100 {
            spells.start(SampleIndex(n * 100));
            spells.stop(SampleIndex(n * 100 + 50));
        }
        let (first, _) = spells.between(SampleIndex(0), SampleIndex(100_000)).expect("voice");
        assert_eq!(first, SampleIndex(100));
        assert_eq!(spells.between(SampleIndex(9900), SampleIndex(100_000)), Some((SampleIndex(9900), 50)));
    }
}
