//! Pairs what happened with what was said: the cheapest alignment of two lists in the order of time.

/// One thing of either list: when, and what makes it this thing and not another (a digit, a tone's name).
#[derive(Clone, Debug, PartialEq)]
pub struct Mark<'a> {
    pub t: f64,
    pub key: &'a str,
    /// May be missing at no cost.
    pub optional: bool,
}

/// Indices into (truth, got); every index occurs once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alignment {
    pub pairs: Vec<(usize, usize)>,
    pub misses: Vec<usize>,
    pub extras: Vec<usize>,
}

/// A pair of different keys is worse than a good pair and better than a miss with an extra: it reads as "wrong".
const OTHER_KEY: f64 = 0.7;
const GAP: f64 = 1.0;

/// Both lists must be in the order of `t`. Things further apart than `window_s` are never a pair.
pub fn align(truth: &[Mark], got: &[Mark], window_s: f64) -> Alignment {
    let cost = |i: usize, j: usize| {
        let apart = (truth[i].t - got[j].t).abs() / window_s;
        let key = if truth[i].key == got[j].key { 0.0 } else { OTHER_KEY };
        if apart > 1.0 { f64::INFINITY } else { apart + key }
    };
    let skip = |i: usize| if truth[i].optional { 0.0 } else { GAP };
    let width = got.len() + 1;
    // best[i * width + j]: the cheapest way through the first i of truth and the first j of got.
    let mut best = vec![f64::INFINITY; (truth.len() + 1) * width];
    best[0] = 0.0;
    for i in 0..=truth.len() {
        for j in 0..=got.len() {
            let mut least = best[i * width + j];
            if i > 0 {
                least = least.min(best[(i - 1) * width + j] + skip(i - 1));
            }
            if j > 0 {
                least = least.min(best[i * width + j - 1] + GAP);
            }
            if i > 0 && j > 0 {
                least = least.min(best[(i - 1) * width + j - 1] + cost(i - 1, j - 1));
            }
            best[i * width + j] = least;
        }
    }
    let mut found = Alignment::default();
    let (mut i, mut j) = (truth.len(), got.len());
    while i > 0 || j > 0 {
        let here = best[i * width + j];
        if i > 0 && j > 0 && best[(i - 1) * width + j - 1] + cost(i - 1, j - 1) <= here {
            (i, j) = (i - 1, j - 1);
            found.pairs.push((i, j));
        } else if i > 0 && best[(i - 1) * width + j] + skip(i - 1) <= here {
            i -= 1;
            found.misses.push(i);
        } else {
            j -= 1;
            found.extras.push(j);
        }
    }
    found.pairs.reverse();
    found.misses.reverse();
    found.extras.reverse();
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks<'a>(list: &[(f64, &'a str)]) -> Vec<Mark<'a>> {
        list.iter().map(|&(t, key)| Mark { t, key, optional: false }).collect()
    }

    #[test]
    fn a_missing_digit_does_not_shift_the_rest() {
        let truth = marks(&[(0.0, "1"), (0.1, "2"), (0.2, "3"), (0.3, "3")]);
        let got = marks(&[(0.01, "1"), (0.21, "3"), (0.31, "3"), (9.0, "7")]);
        let found = align(&truth, &got, 0.3);
        assert_eq!(
            found,
            Alignment { pairs: vec![(0, 0), (2, 1), (3, 2)], misses: vec![1], extras: vec![3] }
        );
    }

    #[test]
    fn a_wrong_key_at_the_right_time_is_a_pair() {
        let found = align(&marks(&[(1.0, "busy")]), &marks(&[(1.01, "congestion")]), 3.0);
        assert_eq!(found.pairs, [(0, 0)]);
    }

    #[test]
    fn what_is_optional_takes_what_is_there() {
        let truth = [Mark { t: 1.0, key: "", optional: true }, Mark { t: 5.0, key: "", optional: false }];
        assert_eq!(align(&truth, &marks(&[(1.0, ""), (5.0, "")]), 1.0).pairs.len(), 2);
        let found = align(&truth, &marks(&[(5.0, "")]), 1.0);
        assert_eq!((found.pairs, found.misses), (vec![(1, 0)], vec![0]));
    }

    proptest! {
        #[test]
        fn every_index_occurs_once(
            truth in proptest::collection::vec(0.0..20.0f64, 0..20),
            got in proptest::collection::vec(0.0..20.0f64, 0..20),
        ) {
            let sorted = |mut list: Vec<f64>| { list.sort_by(f64::total_cmp); list };
            let (truth, got) = (sorted(truth), sorted(got));
            let mark = |list: &[f64]| list.iter().map(|&t| Mark { t, key: "", optional: false }).collect::<Vec<_>>();
            let found = align(&mark(&truth), &mark(&got), 1.0);
            let mut left: Vec<_> = found.pairs.iter().map(|pair| pair.0).chain(found.misses.clone()).collect();
            let mut right: Vec<_> = found.pairs.iter().map(|pair| pair.1).chain(found.extras.clone()).collect();
            left.sort_unstable();
            right.sort_unstable();
            prop_assert_eq!(left, (0..truth.len()).collect::<Vec<_>>());
            prop_assert_eq!(right, (0..got.len()).collect::<Vec<_>>());
            prop_assert!(found.pairs.iter().all(|&(i, j)| (truth[i] - got[j]).abs() <= 1.0));
        }
    }
}
