//! Live audio for people who listen at the platform. What the network cannot take at once is left out: who listens hears
//! what is said now.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tokio::sync::mpsc;
use uplink::station_end::Said;

use crate::listen::Listener;

/// 60 ms at 8000 Hz.
const MESSAGE_SAMPLES: usize = 480;

/// Who listens, by the platform's number.
#[derive(Default)]
pub(super) struct Listeners {
    listening: BTreeMap<u64, Listening>,
    /// Asked for, and not there yet.
    expected: BTreeSet<u64>,
}

struct Listening {
    port: Listener,
    samples: Vec<i16>,
}

impl Listeners {
    pub(super) fn is_empty(&self) -> bool {
        self.listening.is_empty()
    }

    /// Somebody wants to listen, on this connection.
    pub(super) fn expect(&mut self, listener: u64) {
        self.expected.insert(listener);
    }

    /// `false`: nobody wants that any more; the port is let go.
    pub(super) fn add(&mut self, listener: u64, port: Listener) -> bool {
        let wanted = self.expected.remove(&listener);
        if wanted {
            self.listening.insert(listener, Listening { port, samples: Vec::with_capacity(MESSAGE_SAMPLES) });
        }
        wanted
    }

    /// Nobody listens any more, or will.
    pub(super) fn remove(&mut self, listener: u64) {
        self.expected.remove(&listener);
        self.listening.remove(&listener);
    }

    /// The connection has ended: nobody of it listens, now or when it is ready.
    pub(super) fn clear(&mut self) {
        self.expected.clear();
        self.listening.clear();
    }

    /// Sends what has been heard since, as far as there is room. To be called every 20 ms.
    pub(super) fn pass_on(&mut self, said: &mpsc::Sender<Said>) {
        for (listener, listening) in &mut self.listening {
            loop {
                let begun = listening.samples.len();
                listening.samples.resize(MESSAGE_SAMPLES, 0);
                let count = listening.port.read(&mut listening.samples[begun..]);
                listening.samples.truncate(begun + count);
                if listening.samples.len() < MESSAGE_SAMPLES {
                    break;
                }
                let bytes: Bytes = listening.samples.drain(..).flat_map(i16::to_le_bytes).collect();
                // Full: the connection is slower than speech, and this piece would be heard late.
                let _ = said.try_send(Said::LiveAudio { listener: *listener, bytes });
            }
        }
        self.listening.retain(|_, listening| !listening.port.is_ended());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::Tap;

    #[test]
    fn pieces_of_sixty_milliseconds_go_up_and_late_ones_are_left_out() {
        let (mut tap, port) = Tap::pair();
        let mut listeners = Listeners::default();
        listeners.expect(7);
        assert!(listeners.add(7, port));
        let (said_in, mut said) = mpsc::channel(2);
        assert!(tap.push(0..500));
        listeners.pass_on(&said_in);
        let Ok(Said::LiveAudio { listener: 7, bytes }) = said.try_recv() else { panic!("audio") };
        assert_eq!((bytes.len(), &bytes[..6]), (960, &[0, 0, 1, 0, 2, 0][..]));
        assert!(said.try_recv().is_err(), "20 samples wait for more");
        assert!(tap.push(500..3500));
        listeners.pass_on(&said_in);
        let Ok(Said::LiveAudio { bytes, .. }) = said.try_recv() else { panic!("audio") };
        assert_eq!(&bytes[..2], 480_i16.to_le_bytes());
        assert!(said.try_recv().is_ok() && said.try_recv().is_err(), "there was room for two");
        assert!(!listeners.is_empty());
        drop(tap);
        listeners.pass_on(&said_in);
        assert!(listeners.is_empty(), "the station has stopped");
    }

    #[test]
    fn who_has_gone_before_it_was_ready_is_not_listened_for() {
        let mut listeners = Listeners::default();
        let ways: [fn(&mut Listeners); 2] = [|listeners| listeners.remove(7), Listeners::clear];
        for gone in ways {
            listeners.expect(7);
            gone(&mut listeners);
            let (mut tap, port) = Tap::pair();
            assert!(!listeners.add(7, port) && listeners.is_empty());
            assert!(!tap.push(0..1), "the port has been let go");
        }
    }
}
