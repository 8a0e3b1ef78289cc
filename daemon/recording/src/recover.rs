//! After a start: which of the recordings in the capture log are records already, and in what order the others become
//! records. The rest of recovery is the finisher's everyday work.

use crate::frame::Entry;
use crate::log_scan::Backlog;
use crate::opens::{Open, Opens};

/// What a start found in the capture log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Calls that were open or not yet finished: each becomes a record now.
    pub to_finish: usize,
    /// Calls that were in the journal already.
    pub already_finished: usize,
    /// Recordings of which a damaged log no longer says what they are: their audio is lost, and should be told.
    pub strays: usize,
}

/// Reads what the log holds of recordings that are no records yet.
pub(crate) fn read(backlog: &Backlog) -> Opens {
    let mut opens = Opens::default();
    backlog.read(|frame, place| {
        if let Some(entry) = Entry::of(&frame) {
            opens.apply(frame.number, entry, &place);
        }
    });
    opens
}

/// The recordings that have to be finished, in the order in which that must happen, and those that are done.
pub(crate) fn sort_out(mut opens: Opens, next_sequence: u64) -> (Vec<Open>, Vec<Open>) {
    let all = opens.take_all();
    // The journal numbers its records without a hole, and a number is claimed in the log before it is journalled: what
    // claimed a journalled number last is the record of that number.
    let (done, mut to_finish): (Vec<_>, Vec<_>) = all.into_iter().partition(|open| {
        open.claims.iter().any(|claim| {
            claim.sequence < next_sequence && opens.claimant(claim.sequence) == Some(open.number)
        })
    });
    // A file that has its name already has its number too: it goes first. Then those that had ended.
    to_finish.sort_by_key(|open| {
        let claimed = open.claims.last().map_or(u64::MAX, |claim| claim.sequence);
        (claimed, open.stop.is_none(), open.number)
    });
    (to_finish, done)
}
