//! What a station has made ready for the network: heartbeats and answers go before recordings, recordings and live audio
//! share the line, and how long anything waits is known by how fast the line takes it.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use crate::error::UplinkError;
use crate::frame::{Frame, MAX_AUDIO_BYTES};

/// Shortest piece of a file: on a slow line everything else waits for one.
pub(crate) const LEAST_PIECE_BYTES: usize = 16 * 1024;
/// A piece is what the line takes in this part of a second, so that a fast one is not asked thousands of times.
const PIECES_A_SECOND: u64 = 8;
/// How fast a line is held to be before anything is known of it.
const FIRST_BYTES_PER_S: u64 = 512 * 1024;
/// How long a line is looked at to know its speed.
const LOOK: Duration = Duration::from_millis(250);
/// What is taken all at once tells something of the line if it is at least so much.
const ENOUGH_BYTES: u64 = 64 * 1024;
/// Live audio, and messages, that wait here: what comes then waits where it can be left out.
const LIVE_BYTES: usize = 16 * 1024;
const FIRST_BYTES: usize = 64 * 1024;

/// Frames on their way out, each of them whole before the next begins.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Before everything else.
    first: Frames,
    live: Frames,
    /// Offers and pieces of files, in their order.
    items: Frames,
    /// The frames that are being written.
    writing: BytesMut,
    unflushed: bool,
    speed: Speed,
}

impl Outgoing {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            first: Frames::default(),
            live: Frames::default(),
            items: Frames::default(),
            writing: BytesMut::new(),
            unflushed: false,
            speed: Speed { bytes_per_s: FIRST_BYTES_PER_S, since: now, bytes: 0 },
        }
    }

    /// Goes before all that is not being written yet.
    pub(crate) fn put_first(&mut self, frame: &Frame) -> Result<(), UplinkError> {
        self.first.put(frame)
    }

    pub(crate) fn put_live(&mut self, frame: &Frame) -> Result<(), UplinkError> {
        self.live.put(frame)
    }

    pub(crate) fn put_item(&mut self, frame: &Frame) -> Result<(), UplinkError> {
        self.items.put(frame)
    }

    /// There is room for messages and live audio. Without it they wait outside, where memory is bounded.
    pub(crate) fn has_room(&self) -> bool {
        self.live.bytes.len() < LIVE_BYTES && self.first.bytes.len() < FIRST_BYTES
    }

    /// The network has more to do than it can in a moment: nothing of a file is to be read now.
    pub(crate) fn is_full(&self) -> bool {
        self.items.bytes.len() >= 2 * self.piece_bytes()
    }

    /// Nothing is left to be written.
    pub(crate) fn is_done(&self) -> bool {
        self.is_empty() && !self.unflushed
    }

    /// How long a piece of a file may be on this line.
    pub(crate) fn piece_bytes(&self) -> usize {
        let piece = usize::try_from(self.speed.bytes_per_s / PIECES_A_SECOND).unwrap_or(MAX_AUDIO_BYTES);
        piece.clamp(LEAST_PIECE_BYTES, MAX_AUDIO_BYTES)
    }

    fn is_empty(&self) -> bool {
        let waiting = [&self.first.bytes, &self.live.bytes, &self.items.bytes, &self.writing];
        waiting.into_iter().all(BytesMut::is_empty)
    }

    /// One step of writing. Given up in the middle, nothing is lost or sent twice.
    ///
    /// # Errors
    /// The connection's.
    pub(crate) async fn write(&mut self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        if self.writing.is_empty() {
            let share = self.piece_bytes();
            self.first.take(usize::MAX, &mut self.writing);
            self.live.take(share, &mut self.writing);
            self.items.take(share, &mut self.writing);
            self.speed.begins(Instant::now());
        }
        if self.writing.is_empty() {
            writer.flush().await?;
            self.unflushed = false;
            return Ok(());
        }
        self.unflushed = true;
        match writer.write_buf(&mut self.writing).await? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            count => {
                self.speed.took(count, self.is_empty(), Instant::now());
                Ok(())
            }
        }
    }
}

/// Frames one behind the other, and where each ends.
#[derive(Debug, Default)]
struct Frames {
    bytes: BytesMut,
    lengths: VecDeque<usize>,
}

impl Frames {
    fn put(&mut self, frame: &Frame) -> Result<(), UplinkError> {
        let before = self.bytes.len();
        frame.encode(&mut self.bytes)?;
        self.lengths.push_back(self.bytes.len() - before);
        Ok(())
    }

    /// Moves whole frames, until they are at least `share` bytes, behind what is in `into`.
    fn take(&mut self, share: usize, into: &mut BytesMut) {
        let mut count = 0;
        while count < share
            && let Some(length) = self.lengths.pop_front()
        {
            count += length;
        }
        let taken = self.bytes.split_to(count);
        if into.is_empty() {
            *into = taken;
        } else {
            into.extend_from_slice(&taken);
        }
    }
}

/// How fast the line takes what there is for it; while there is nothing, nothing is learnt.
#[derive(Debug)]
struct Speed {
    bytes_per_s: u64,
    since: Instant,
    bytes: u64,
}

impl Speed {
    fn begins(&mut self, now: Instant) {
        if self.bytes == 0 {
            self.since = now;
        }
    }

    fn took(&mut self, count: usize, all: bool, now: Instant) {
        self.bytes += count as u64;
        let elapsed = now.duration_since(self.since);
        if if all { self.bytes >= ENOUGH_BYTES } else { elapsed >= LOOK } {
            self.bytes_per_s = (self.bytes as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
        }
        if all || elapsed >= LOOK {
            (self.since, self.bytes) = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    fn piece(item: u64, bytes: usize) -> Frame {
        Frame::Audio { item, offset: 0, bytes: Bytes::from(vec![item as u8; bytes]) }
    }

    async fn all_of(outgoing: &mut Outgoing) -> Vec<u8> {
        let mut out = Vec::new();
        while !outgoing.is_done() {
            outgoing.write(&mut out).await.expect("memory takes everything");
        }
        out
    }

    #[tokio::test]
    async fn a_heartbeat_waits_for_the_frames_that_are_being_written_only() {
        let mut outgoing = Outgoing::new(Instant::now());
        for item in 0..4 {
            outgoing.put_item(&piece(item, 200_000)).expect("put");
        }
        let (mut near, mut far) = tokio::io::duplex(1000);
        outgoing.write(&mut near).await.expect("written");
        let heartbeat = Frame::Message(Bytes::from_static(b"{}"));
        outgoing.put_first(&heartbeat).expect("put");
        let reading = tokio::spawn(async move {
            let mut items = Vec::new();
            while let Ok(Some(frame)) = crate::frame::read(&mut far, 1 << 20).await {
                items.push(match frame {
                    Frame::Audio { item, .. } => Some(item),
                    _ => None,
                });
            }
            items
        });
        while !outgoing.is_done() {
            outgoing.write(&mut near).await.expect("written");
        }
        drop(near);
        assert_eq!(reading.await.expect("read"), [Some(0), None, Some(1), Some(2), Some(3)]);
    }

    #[tokio::test]
    async fn live_audio_and_recordings_share_a_line_and_neither_grows_without_a_bound() {
        let mut outgoing = Outgoing::new(Instant::now());
        let live = Frame::LiveAudio { listener: 1, bytes: Bytes::from(vec![0; 960]) };
        let (mut count, mut pieces) = (0, 0);
        let (mut near, mut far) = tokio::io::duplex(LEAST_PIECE_BYTES);
        // More live audio than the line takes, for as long as a hundred pieces take.
        while pieces < 100 {
            while outgoing.has_room() {
                outgoing.put_live(&live).expect("put");
                count += 1;
            }
            while !outgoing.is_full() {
                outgoing.put_item(&piece(2, outgoing.piece_bytes())).expect("put");
                pieces += 1;
            }
            assert!(outgoing.live.bytes.len() < LIVE_BYTES + 2000);
            outgoing.write(&mut near).await.expect("written");
            let mut taken = vec![0; 8000];
            assert!(far.read(&mut taken).await.expect("read") > 0);
        }
        assert!(count > 500, "{count} pieces of live audio went beside 100 of recordings");
    }

    #[test]
    fn pieces_are_as_long_as_the_line_is_fast() {
        let begin = Instant::now();
        let mut outgoing = Outgoing::new(begin);
        let mut now = begin;
        for (bytes_per_s, piece) in
            [(8_000, LEAST_PIECE_BYTES), (1 << 20, 1 << 17), (1 << 30, MAX_AUDIO_BYTES)]
        {
            for _ in 0..20 {
                now += Duration::from_millis(100);
                outgoing.speed.took(bytes_per_s / 10, false, now);
            }
            let found = outgoing.piece_bytes();
            assert!(found.abs_diff(piece) <= piece / 50, "{bytes_per_s} bytes a second: {found}");
        }
        for _ in 0..100 {
            now += Duration::from_secs(1);
            outgoing.speed.took(100, true, now);
        }
        assert_eq!(outgoing.piece_bytes(), MAX_AUDIO_BYTES, "a line that has little to do is no slow one");
    }

    proptest! {
        #[test]
        fn whatever_goes_when_no_frame_is_cut(puts in prop::collection::vec((0u8..3, 0usize..40_000), 1..40), steps: u8) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                let mut outgoing = Outgoing::new(Instant::now());
                let mut out = Vec::new();
                for (at, (lane, bytes)) in puts.iter().enumerate() {
                    let frame = piece(at as u64, *bytes);
                    match lane {
                        0 => outgoing.put_first(&frame).expect("put"),
                        1 => outgoing.put_live(&frame).expect("put"),
                        _ => outgoing.put_item(&frame).expect("put"),
                    }
                    if (at as u8).wrapping_mul(31) < steps {
                        outgoing.write(&mut out).await.expect("written");
                    }
                }
                out.extend(all_of(&mut outgoing).await);
                let (mut rest, mut seen) = (out.as_slice(), vec![false; puts.len()]);
                let mut last = [None; 3];
                while let Some(frame) = crate::frame::read(&mut rest, 1 << 20).await.expect("whole") {
                    let Frame::Audio { item, bytes, .. } = frame else { panic!("audio") };
                    let (lane, length) = puts[item as usize];
                    assert_eq!(bytes.len(), length);
                    assert!(last[lane as usize] < Some(item), "each lane keeps its order");
                    last[lane as usize] = Some(item);
                    seen[item as usize] = true;
                }
                assert!(seen.iter().all(|seen| *seen));
            });
        }
    }
}
