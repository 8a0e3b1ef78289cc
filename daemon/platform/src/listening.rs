//! Listening to a port of a station through the platform. The station sends a port once, however many listen; it is
//! asked to stop when the last has gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::lock;

/// Ports that are listened to at once, and listeners of one of them.
const MOST_PORTS: usize = 256;
const MOST_LISTENERS: usize = 64;
/// Pieces of audio that wait for a listener; one who is slower loses some.
const WAITING_PIECES: usize = 64;

/// All ports that are listened to.
#[derive(Default)]
pub(crate) struct Listening {
    ports: Mutex<HashMap<u64, Port>>,
}

struct Port {
    serial: String,
    port: u16,
    outs: Vec<mpsc::Sender<Bytes>>,
    why_ended: Arc<OnceLock<String>>,
}

/// Audio of a port from now on; dropped, it ends.
pub struct PortAudio {
    audio: mpsc::Receiver<Bytes>,
    why_ended: Arc<OnceLock<String>>,
    /// Tells that a listener has gone.
    _left: Leaving,
}

impl PortAudio {
    /// The next piece: 16-bit little-endian samples, 8000 Hz, mono. `None`: the station or its connection has ended it.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.audio.recv().await
    }

    /// Why it has ended, once `next` has said so: `connection_lost`, `too_late`, or a code of the station's.
    pub fn why_ended(&self) -> &str {
        self.why_ended.get().map_or("connection_lost", String::as_str)
    }
}

/// Runs when a listener goes.
struct Leaving(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(left) = self.0.take() {
            left();
        }
    }
}

/// What has to be done for a new listener.
pub(crate) enum Joined {
    /// The station sends already.
    One(PortAudio),
    /// It is to be asked under this number.
    First(PortAudio, u64),
    TooMany,
}

impl Listening {
    /// A listener more. `number` gives a number to a port that nobody has listened to; `left` is told when this
    /// listener has gone.
    pub fn join(
        &self,
        serial: &str,
        port: u16,
        number: impl FnOnce() -> u64,
        left: impl FnOnce(u64) + Send + Sync + 'static,
    ) -> Joined {
        let (out, audio) = mpsc::channel(WAITING_PIECES);
        let mut ports = lock(&self.ports);
        let no_room = ports.len() >= MOST_PORTS;
        let known = ports.iter_mut().find(|(_, one)| one.serial == serial && one.port == port);
        let stream = |listener, why_ended| PortAudio {
            audio,
            why_ended,
            _left: Leaving(Some(Box::new(move || left(listener)))),
        };
        match known {
            Some((_, one)) if one.outs.len() >= MOST_LISTENERS => Joined::TooMany,
            Some((listener, one)) => {
                one.outs.push(out);
                Joined::One(stream(*listener, one.why_ended.clone()))
            }
            None if no_room => Joined::TooMany,
            None => {
                let (listener, why_ended) = (number(), Arc::new(OnceLock::new()));
                let (serial, outs) = (serial.to_owned(), vec![out]);
                ports.insert(listener, Port { serial, port, outs, why_ended: why_ended.clone() });
                Joined::First(stream(listener, why_ended), listener)
            }
        }
    }

    /// Audio has come.
    pub fn heard(&self, serial: &str, listener: u64, audio: &Bytes) {
        if let Some(port) = lock(&self.ports).get_mut(&listener).filter(|port| port.serial == serial) {
            for out in &port.outs {
                // Without room the piece is lost to this listener; one that has gone says so itself.
                let _ = out.try_send(audio.clone());
            }
        }
    }

    /// A listener has gone. The station to be told, if it was the last one.
    pub fn left(&self, listener: u64) -> Option<String> {
        let mut ports = lock(&self.ports);
        let port = ports.get_mut(&listener)?;
        port.outs.retain(|out| !out.is_closed());
        if !port.outs.is_empty() {
            return None;
        }
        ports.remove(&listener).map(|port| port.serial)
    }

    /// Ends all listening to a port: the station cannot, or takes too long.
    pub fn failed(&self, serial: &str, listener: u64, code: &str) {
        let mut ports = lock(&self.ports);
        if ports.get(&listener).is_some_and(|port| port.serial == serial)
            && let Some(port) = ports.remove(&listener)
        {
            let _ = port.why_ended.set(code.to_owned());
        }
    }

    /// The station's connection has ended, and with it all listening to its ports.
    pub fn lost(&self, serial: &str) {
        lock(&self.ports).retain(|_, port| port.serial != serial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_asked_for_once_and_stopped_with_the_last_listener() {
        let listening = Arc::new(Listening::default());
        let told = Arc::new(Mutex::new(Vec::new()));
        let join = |serial: &str, port| {
            let (listening_too, told) = (listening.clone(), told.clone());
            listening.join(
                serial,
                port,
                || 7 + u64::from(port),
                move |listener| {
                    told.lock().expect("a lock").extend(listening_too.left(listener));
                },
            )
        };
        let Joined::First(mut first, 10) = join("A", 3) else { panic!("the first") };
        let Joined::One(mut second) = join("A", 3) else { panic!("another") };
        let Joined::First(mut elsewhere, 11) = join("A", 4) else { panic!("another port") };
        let piece = Bytes::from_static(b"\x01\x00");
        listening.heard("B", 10, &piece);
        listening.heard("A", 10, &piece);
        assert_eq!((first.next().await, second.next().await), (Some(piece.clone()), Some(piece.clone())));
        drop(first);
        assert!(told.lock().expect("a lock").is_empty(), "somebody listens still");
        // One that does not read loses pieces and holds up nobody.
        (0..3 * WAITING_PIECES).for_each(|_| listening.heard("A", 10, &piece));
        drop(second);
        assert_eq!(*told.lock().expect("a lock"), ["A"]);
        listening.failed("B", 11, "no_port");
        listening.failed("A", 11, "no_port");
        assert_eq!((elsewhere.next().await, elsewhere.why_ended()), (None, "no_port"));
        let Joined::First(mut lost, _) = join("A", 3) else { panic!("from the beginning") };
        listening.lost("A");
        assert_eq!((lost.next().await, lost.why_ended()), (None, "connection_lost"));
    }
}
