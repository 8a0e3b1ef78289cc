//! Listening live to a port: a ring between the sample path, which never waits, and a page, which polls.

use rtrb::{Consumer, Producer, RingBuffer};

/// Half a second: a page that reads later than that loses the oldest, and the delay stays bounded.
const RING_SAMPLES: usize = 4000;

/// The page's end. Dropping it ends the listening.
#[derive(Debug)]
pub struct Listener {
    ring: Consumer<i16>,
}

impl Listener {
    /// Takes what has arrived, at most `out.len()` samples (16 bit, 8000 Hz, both sides mixed); returns how many.
    /// Poll it every 20–60 ms.
    pub fn read(&mut self, out: &mut [i16]) -> usize {
        let wanted = out.len().min(self.ring.slots());
        let Ok(chunk) = self.ring.read_chunk(wanted) else { return 0 };
        for (slot, sample) in out.iter_mut().zip(chunk) {
            *slot = sample;
        }
        wanted
    }

    /// The station has stopped; nothing more will come.
    pub fn is_ended(&self) -> bool {
        self.ring.is_abandoned() && self.ring.is_empty()
    }
}

/// The sample path's end.
#[derive(Debug)]
pub(crate) struct Tap {
    ring: Producer<i16>,
}

impl Tap {
    pub(crate) fn pair() -> (Self, Listener) {
        let (producer, consumer) = RingBuffer::new(RING_SAMPLES);
        (Self { ring: producer }, Listener { ring: consumer })
    }

    /// Passes samples on as far as there is room; `false` when the listener has gone.
    pub(crate) fn push(&mut self, samples: impl Iterator<Item = i16>) -> bool {
        for sample in samples {
            if self.ring.push(sample).is_err() {
                break;
            }
        }
        !self.ring.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_listener_costs_the_sample_path_nothing_and_a_gone_one_is_noticed() {
        let (mut tap, mut listener) = Tap::pair();
        assert!(tap.push((0..10_000).map(|n| n as i16)));
        let mut out = [0; RING_SAMPLES + 1];
        assert_eq!(listener.read(&mut out), RING_SAMPLES);
        assert_eq!(out[..3], [0, 1, 2]);
        assert!(!listener.is_ended());
        drop(listener);
        assert!(!tap.push(std::iter::once(1)));
    }
}
