//! Entries that the platform has asked for once more, and how many of them it has by now.

use std::collections::{BTreeMap, VecDeque};

use uplink::order::Lane;

use catalog::Place;

/// An entry and where it lies in the journal.
pub(super) type Placed = (u64, Place);

pub(super) struct Again {
    pub command: u64,
    lane: Lane,
    todo: VecDeque<Placed>,
    under_way: BTreeMap<u64, Place>,
    /// Acknowledged, or not to be read any more.
    pub done: u64,
    pub total: u64,
    /// Of them, those whose entry cannot be read.
    pub unreadable: u64,
    /// Of them, those that the platform will not have.
    pub refused: u64,
}

impl Again {
    pub(super) fn new(command: u64, lane: Lane, entries: Vec<Placed>) -> Self {
        let total = entries.len() as u64;
        let todo = entries.into();
        Self { command, lane, todo, under_way: BTreeMap::new(), done: 0, total, unreadable: 0, refused: 0 }
    }

    /// The next one for `lane`; it is under way from now on.
    pub(super) fn take(&mut self, lane: Lane) -> Option<Placed> {
        let (item, place) = if lane == self.lane { self.todo.pop_front()? } else { return None };
        self.under_way.insert(item, place);
        Some((item, place))
    }

    pub(super) fn acknowledged(&mut self, item: u64) {
        if self.under_way.remove(&item).is_some() {
            self.done += 1;
        }
    }

    pub(super) fn cannot_be_read(&mut self, item: u64) {
        self.acknowledged(item);
        self.unreadable += 1;
    }

    pub(super) fn refused(&mut self, item: u64) {
        if self.under_way.contains_key(&item) {
            self.acknowledged(item);
            self.refused += 1;
        }
    }

    /// What is under way is to be sent from the beginning.
    pub(super) fn begin_again(&mut self) {
        for waiting in std::mem::take(&mut self.under_way).into_iter().rev() {
            self.todo.push_front(waiting);
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.done == self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_counted_once_however_often_it_is_sent() {
        let place = |offset| Place { segment: 1, offset };
        let mut again = Again::new(7, Lane::Backlog, (1..=4).map(|item| (item, place(item))).collect());
        assert_eq!(again.take(Lane::Fresh), None);
        assert_eq!(again.take(Lane::Backlog), Some((1, place(1))));
        assert_eq!(again.take(Lane::Backlog), Some((2, place(2))));
        again.acknowledged(2);
        again.acknowledged(2);
        again.acknowledged(9);
        again.begin_again();
        let rest: Vec<u64> = std::iter::from_fn(|| again.take(Lane::Backlog)).map(|(item, _)| item).collect();
        assert_eq!((rest, again.done, again.is_done()), (vec![1, 3, 4], 1, false));
        again.acknowledged(1);
        again.refused(3);
        again.refused(3);
        again.cannot_be_read(4);
        assert_eq!((again.done, again.unreadable, again.refused, again.is_done()), (4, 1, 1, true));
    }
}
