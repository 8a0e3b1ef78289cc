//! Sets of entry numbers that are mostly without holes, as the spans that they make.

use std::collections::BTreeMap;

/// Whole numbers from 1, held as spans that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Last number of each span, by its first.
    spans: BTreeMap<u64, u64>,
}

impl Ranges {
    pub fn contains(&self, number: u64) -> bool {
        self.spans.range(..=number).next_back().is_some_and(|(_, last)| *last >= number)
    }

    pub fn insert(&mut self, number: u64) {
        self.insert_range(number, number);
    }

    /// Both ends included; nothing happens if `last` lies before `first`.
    pub fn insert_range(&mut self, first: u64, last: u64) {
        if last < first {
            return;
        }
        let (mut first, mut last) = (first, last);
        // All spans that touch the new one become part of it.
        while let Some((&begin, &end)) = self.spans.range(..=last.saturating_add(1)).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            (first, last) = (first.min(begin), last.max(end));
            self.spans.remove(&begin);
        }
        self.spans.insert(first, last);
    }

    /// Spans in order, both ends included.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.spans.iter().map(|(first, last)| (*first, *last))
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// How many numbers are in it.
    pub fn count(&self) -> u64 {
        self.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// The first number from 1 on that is not in it.
    pub fn first_missing(&self) -> u64 {
        self.iter().next().map_or(1, |(first, last)| if first <= 1 { last + 1 } else { 1 })
    }
}

impl FromIterator<(u64, u64)> for Ranges {
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(spans: I) -> Self {
        let mut ranges = Self::default();
        spans.into_iter().for_each(|(first, last)| ranges.insert_range(first, last));
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_holds_what_was_put_in_as_few_spans(spans in prop::collection::vec((1u64..60, 0u64..9), 0..20)) {
            let ranges: Ranges = spans.iter().map(|(first, more)| (*first, first + more)).collect();
            let model: BTreeSet<u64> = spans.iter().flat_map(|(first, more)| *first..=first + more).collect();
            for number in 0..80 {
                prop_assert_eq!(ranges.contains(number), model.contains(&number), "{}", number);
            }
            prop_assert_eq!(ranges.count(), model.len() as u64);
            prop_assert_eq!(ranges.first_missing(), (1..).find(|number| !model.contains(number)).unwrap_or(0));
            let held: Vec<_> = ranges.iter().collect();
            prop_assert!(held.windows(2).all(|two| two[0].1 + 1 < two[1].0), "{:?}", held);
        }
    }

    #[test]
    fn a_span_that_ends_before_it_begins_is_nothing() {
        let mut ranges = Ranges::default();
        ranges.insert_range(5, 4);
        assert!(ranges.is_empty());
        ranges.insert_range(u64::MAX - 1, u64::MAX);
        assert!(ranges.contains(u64::MAX) && !ranges.contains(1));
    }
}
