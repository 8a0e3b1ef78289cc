//! What a station sends next: fresh items before the backlog, down to the piece of a file. Pure; it knows items by
//! their numbers and neither disk nor network.

use std::collections::{BTreeMap, VecDeque};

/// Fresh: since this box last had a connection. Backlog: everything before, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    Fresh,
    Backlog,
}

/// Items of one lane that are under way at once. A platform keeps a group of them with one write to its disk.
pub const WINDOW: usize = 64;

/// A piece of an item's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub item: u64,
    pub offset: u64,
    pub bytes: usize,
}

/// The items under way on one connection.
#[derive(Debug, Default)]
pub struct Order {
    offered: BTreeMap<u64, Offered>,
    fresh: Uploads,
    backlog: Uploads,
}

#[derive(Debug)]
struct Offered {
    lane: Lane,
    /// Of its file; 0 without one.
    bytes: u64,
}

/// Files that the platform has asked for, in that order, each with the first byte it still lacks.
type Uploads = VecDeque<(u64, u64)>;

/// The platform asked for something that was not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {from} of item {item}, which was not offered")]
pub struct NotOffered {
    pub item: u64,
    pub from: u64,
}

impl Order {
    /// How many more items of `lane` may be offered now.
    pub fn room(&self, lane: Lane) -> usize {
        WINDOW.saturating_sub(self.offered.values().filter(|offered| offered.lane == lane).count())
    }

    /// An item goes out, with a file of `bytes` or without one (0).
    pub fn offered(&mut self, item: u64, lane: Lane, bytes: u64) {
        self.offered.insert(item, Offered { lane, bytes });
    }

    /// The platform asks for the item's file from byte `from` on; asked again, it begins there again.
    ///
    /// # Errors
    /// An item, or a byte of it, that was not offered.
    pub fn wanted(&mut self, item: u64, from: u64) -> Result<(), NotOffered> {
        match self.offered.get(&item) {
            Some(offered) if from < offered.bytes => {
                let lane = offered.lane;
                let uploads = self.uploads(lane);
                uploads.retain(|(other, _)| *other != item);
                uploads.push_back((item, from));
                Ok(())
            }
            _ => Err(NotOffered { item, from }),
        }
    }

    /// The next piece to send, of at most `most_bytes` (1 and more); none of the backlog while that is held.
    pub fn next_piece(&mut self, most_bytes: usize, backlog_held: bool) -> Option<Piece> {
        let lane = match (self.fresh.is_empty(), self.backlog.is_empty() || backlog_held) {
            (false, _) => Lane::Fresh,
            (true, false) => Lane::Backlog,
            (true, true) => return None,
        };
        let (item, offset) = *self.uploads(lane).front()?;
        let rest = self.offered.get(&item).map_or(0, |offered| offered.bytes.saturating_sub(offset));
        let bytes = rest.min(most_bytes.max(1) as u64);
        match self.uploads(lane).front_mut() {
            Some(front) if bytes < rest => front.1 += bytes,
            _ => drop(self.uploads(lane).pop_front()),
        }
        Some(Piece { item, offset, bytes: bytes as usize })
    }

    /// Nothing more of this item's file can be sent.
    pub fn give_up(&mut self, item: u64) {
        self.fresh.retain(|(other, _)| *other != item);
        self.backlog.retain(|(other, _)| *other != item);
    }

    /// The item is safe on the platform, or refused by it. `false`: it was not under way.
    pub fn answered(&mut self, item: u64) -> bool {
        self.give_up(item);
        self.offered.remove(&item).is_some()
    }

    /// Nothing is under way any more; all of it is to be offered again.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn is_empty(&self) -> bool {
        self.offered.is_empty()
    }

    fn uploads(&mut self, lane: Lane) -> &mut Uploads {
        match lane {
            Lane::Fresh => &mut self.fresh,
            Lane::Backlog => &mut self.backlog,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIECE: u64 = 1000;
    const MOST: usize = PIECE as usize;

    #[test]
    fn a_fresh_recording_overtakes_a_long_one_of_the_backlog() {
        let mut order = Order::default();
        order.offered(1, Lane::Backlog, 3 * PIECE);
        order.wanted(1, 0).expect("offered");
        assert_eq!(order.next_piece(MOST, false), Some(Piece { item: 1, offset: 0, bytes: PIECE as usize }));
        order.offered(9, Lane::Fresh, 10);
        order.wanted(9, 4).expect("offered");
        assert_eq!(order.next_piece(MOST, false), Some(Piece { item: 9, offset: 4, bytes: 6 }));
        assert_eq!(order.next_piece(MOST, true), None, "the backlog is held");
        assert_eq!(
            order.next_piece(MOST, false),
            Some(Piece { item: 1, offset: PIECE, bytes: PIECE as usize })
        );
        assert!(order.answered(1) && !order.answered(1));
        assert_eq!(order.next_piece(MOST, false), None);
    }

    #[test]
    fn only_what_was_offered_can_be_asked_for() {
        let mut order = Order::default();
        order.offered(1, Lane::Fresh, 0);
        order.offered(2, Lane::Fresh, 5);
        for (item, from) in [(1, 0), (2, 5), (3, 0), (2, u64::MAX)] {
            assert_eq!(order.wanted(item, from), Err(NotOffered { item, from }));
        }
    }

    #[test]
    fn a_window_has_room_again_when_items_are_acknowledged() {
        let mut order = Order::default();
        (0..WINDOW as u64).for_each(|item| order.offered(item, Lane::Backlog, 1));
        assert_eq!((order.room(Lane::Backlog), order.room(Lane::Fresh)), (0, WINDOW));
        order.answered(0);
        assert_eq!(order.room(Lane::Backlog), 1);
        order.clear();
        assert_eq!(order.room(Lane::Backlog), WINDOW);
    }

    proptest! {
        /// Whatever is asked for when, each file's pieces come in order, without a hole, up to its end.
        #[test]
        fn pieces_join_up(sizes in prop::collection::vec(1..4 * PIECE, 1..20), asks in prop::collection::vec((0usize..20, any::<bool>()), 0..60)) {
            let mut order = Order::default();
            let mut sent = vec![None; sizes.len()];
            for (item, bytes) in sizes.iter().enumerate() {
                let lane = if item % 3 == 0 { Lane::Fresh } else { Lane::Backlog };
                order.offered(item as u64, lane, *bytes);
            }
            let take = |order: &mut Order, sent: &mut Vec<Option<u64>>| {
                let Some(piece) = order.next_piece(MOST, false) else { return false };
                let at = &mut sent[piece.item as usize];
                assert_eq!(at.unwrap_or(0), piece.offset);
                *at = Some(piece.offset + piece.bytes as u64);
                true
            };
            for (item, and_send) in asks {
                if item < sizes.len() && sent[item].is_none() {
                    order.wanted(item as u64, 0).expect("offered");
                }
                if and_send {
                    take(&mut order, &mut sent);
                }
            }
            while take(&mut order, &mut sent) {}
            for (item, bytes) in sizes.iter().enumerate() {
                prop_assert!(sent[item].is_none_or(|end| end == *bytes));
            }
        }
    }
}
