//! Whether a line tap's packet follows the one before: by its sequence number, which counts packets, and its sample
//! counter, which counts what was on the line. Together they tell a packet that was lost on the way from samples that the
//! unit had no room for.

use super::wire::Header;
use crate::{BLOCK_SAMPLES, LossCause};

/// More than this is not lost but miscounted: a minute.
const LONGEST_GAP_SAMPLES: u64 = 60 * signal::RATE_HZ as u64;

/// What a packet is behind those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The first one since the start.
    First,
    /// The one that was due.
    Next,
    /// Its samples follow, its number does not.
    Misnumbered,
    /// So many samples of each line are missing before it.
    Gap { samples: u64, cause: LossCause },
    /// It was there before, or comes too late: to be passed over.
    Repeated,
    /// The unit has lost its count; nothing can be made of what follows.
    Lost,
}

/// The next packet's number and sample.
#[derive(Clone, Copy, Debug, Default)]
pub struct Order {
    next: Option<(u32, u64)>,
}

impl Order {
    /// Where the next packet stands.
    pub fn step(&mut self, header: &Header) -> Step {
        let step = self.judge(header);
        if !matches!(step, Step::Repeated | Step::Lost) {
            self.next = Some((
                header.sequence.wrapping_add(1),
                header.first_sample.saturating_add(BLOCK_SAMPLES as u64),
            ));
        }
        step
    }

    fn judge(&self, header: &Header) -> Step {
        let Some((sequence, first_sample)) = self.next else { return Step::First };
        // Half of the circle lies ahead, half behind.
        let ahead = header.sequence.wrapping_sub(sequence) as i32;
        match header.first_sample.checked_sub(first_sample) {
            Some(0) if ahead == 0 => Step::Next,
            Some(0) => Step::Misnumbered,
            Some(samples) if ahead >= 0 && samples <= LONGEST_GAP_SAMPLES => {
                let cause =
                    if ahead == 0 || header.overflow { LossCause::UnitOverflow } else { LossCause::Packet };
                Step::Gap { samples, cause }
            }
            None if ahead < 0 => Step::Repeated,
            _ => Step::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(sequence: u32, first_sample: u64) -> Header {
        Header { sequence, first_sample, waited_us: 0, waiting: 0, overflow: false }
    }

    fn begun(sequence: u32, first_sample: u64) -> Order {
        let mut order = Order::default();
        assert_eq!(order.step(&header(sequence, first_sample)), Step::First);
        order
    }

    #[test]
    fn packets_in_order_follow_around_the_end_of_the_numbers() {
        let mut order = begun(u32::MAX - 1, 800);
        assert_eq!(order.step(&header(u32::MAX, 880)), Step::Next);
        assert_eq!(order.step(&header(0, 960)), Step::Next);
        assert_eq!(order.step(&header(u32::MAX, 880)), Step::Repeated);
        assert_eq!(order.step(&header(1, 1040)), Step::Next);
    }

    #[test]
    fn a_lost_packet_and_a_full_unit_are_told_apart() {
        let mut order = begun(5, 0);
        let lost = Step::Gap { samples: 160, cause: LossCause::Packet };
        assert_eq!(order.step(&header(8, 240)), lost);
        let full = Step::Gap { samples: 8000, cause: LossCause::UnitOverflow };
        assert_eq!(order.step(&header(9, 8320)), full);
        assert_eq!(order.step(&Header { overflow: true, ..header(11, 16_400) }), full);
        assert_eq!(order.step(&header(12, 16_480)), Step::Next);
    }

    #[test]
    fn numbers_that_do_not_fit_the_samples_are_noticed() {
        let mut order = begun(5, 800);
        assert_eq!(order.step(&header(9, 880)), Step::Misnumbered);
        assert_eq!(order.step(&header(10, 960)), Step::Next);
        assert_eq!(order.step(&header(11, 0)), Step::Lost, "samples back, number on");
        assert_eq!(order.step(&header(3, 1040 + 80)), Step::Lost, "number back, samples on");
        assert_eq!(order.step(&header(11, 1040 + LONGEST_GAP_SAMPLES + 1)), Step::Lost);
        assert_eq!(order.step(&header(11, 1040)), Step::Next, "what was passed over moves nothing");
    }

    proptest! {
        /// Whatever is dropped or repeated on the way, samples and gaps add up to what the unit took.
        #[test]
        fn samples_and_gaps_add_up(fate in proptest::collection::vec(0_u8..4, 1..300)) {
            let mut order = begun(u32::MAX - 100, 0);
            let (mut counted, mut last) = (80, 0);
            for (index, fate) in fate.iter().enumerate() {
                let number = index as u32 + 1;
                let packet = header((u32::MAX - 100).wrapping_add(number), u64::from(number) * 80);
                let times = match fate { 0 => 0, 1 => 2, _ => 1 };
                for _ in 0..times {
                    counted += match order.step(&packet) {
                        Step::Next => 80,
                        Step::Gap { samples, cause: LossCause::Packet } => 80 + samples,
                        Step::Repeated => 0,
                        other => return Err(TestCaseError::fail(format!("{other:?}"))),
                    };
                    last = packet.first_sample;
                }
            }
            prop_assert_eq!(counted, last + 80);
        }

        #[test]
        fn any_counters_are_judged(packets in proptest::collection::vec((any::<u32>(), any::<u64>()), 1..50)) {
            let mut order = Order::default();
            for (sequence, first_sample) in packets {
                let _ = order.step(&header(sequence, first_sample));
            }
        }
    }
}
