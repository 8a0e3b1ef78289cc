//! Frames: how messages, offers and audio lie one behind the other on the connection. The bytes are described in this
//! room's README.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::UplinkError;

/// Bytes in front of each payload.
pub const HEADER_BYTES: usize = 8;
/// Longest piece of a file in one frame; on a slow line they are shorter.
pub const MAX_AUDIO_BYTES: usize = 256 * 1024;
/// Longest payload of a side that has been admitted: an entry of the journal (at most 20 MiB) and its header.
pub const MAX_PAYLOAD_BYTES: usize = 21 * 1024 * 1024;
/// Longest payload before that.
pub const MAX_GREETING_BYTES: usize = 256 * 1024;

/// What one frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// JSON, see `message`.
    Message(Bytes),
    Offer(Offer),
    /// A piece of an item's file.
    Audio {
        item: u64,
        offset: u64,
        bytes: Bytes,
    },
    /// Of a port that is listened to: 16-bit little-endian samples, 8000 Hz, mono.
    LiveAudio {
        listener: u64,
        bytes: Bytes,
    },
    /// A piece of the bundle that a command of the platform's is about.
    Bundle {
        command: u64,
        offset: u64,
        bytes: Bytes,
    },
    /// A kind of a newer release, which is passed over.
    Unknown(u8),
}

/// An entry of the station's journal, its bytes exactly as they stand there, so that seals made of them hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub head: OfferHead,
    pub payload: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferHead {
    /// Sequence number of the entry in the station's journal; names the item on this connection.
    pub item: u64,
    /// When it was written, microseconds of UTC since 1970 by the station's clock.
    pub written_us: i64,
    /// Version of the payload's layout.
    pub layout: u16,
    /// The recording's file, if the entry has one.
    pub audio: Option<AudioHead>,
    /// Why a recording's file cannot be sent, where that is known already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// All entries from this one on and before `item` stay at the station for good (its accounts, what it notes of its
    /// platform): the platform waits for none of them, and keeps what has come as one span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers_from: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioHead {
    pub bytes: u64,
    /// Of the whole file, 64 hexadecimal digits.
    pub sha256: String,
}

const MESSAGE: u8 = 1;
const OFFER: u8 = 2;
const AUDIO: u8 = 3;
const LIVE_AUDIO: u8 = 4;
const BUNDLE: u8 = 5;

impl Frame {
    /// Appends the frame's bytes.
    ///
    /// # Errors
    /// A payload longer than the other side takes.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), UplinkError> {
        let begin = out.len();
        out.put_bytes(0, HEADER_BYTES);
        let kind = match self {
            Self::Message(json) => {
                out.put_slice(json);
                MESSAGE
            }
            Self::Offer(offer) => {
                let head =
                    serde_json::to_vec(&offer.head).map_err(|e| UplinkError::Unsendable(e.to_string()))?;
                out.put_u32_le(head.len() as u32);
                out.put_slice(&head);
                out.put_slice(&offer.payload);
                OFFER
            }
            Self::Audio { item, offset, bytes } => {
                out.put_u64_le(*item);
                out.put_u64_le(*offset);
                out.put_slice(bytes);
                AUDIO
            }
            Self::LiveAudio { listener, bytes } => {
                out.put_u64_le(*listener);
                out.put_slice(bytes);
                LIVE_AUDIO
            }
            Self::Bundle { command, offset, bytes } => {
                out.put_u64_le(*command);
                out.put_u64_le(*offset);
                out.put_slice(bytes);
                BUNDLE
            }
            Self::Unknown(kind) => *kind,
        };
        let length = out.len() - begin - HEADER_BYTES;
        if length > MAX_PAYLOAD_BYTES {
            out.truncate(begin);
            return Err(UplinkError::Unsendable(format!("a frame of {length} bytes is too long")));
        }
        out[begin..begin + 4].copy_from_slice(&(length as u32).to_le_bytes());
        out[begin + 4] = kind;
        Ok(())
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// Bytes that no release sends.
    pub fn decode(kind: u8, mut payload: Bytes) -> Result<Self, UplinkError> {
        let short = |what| UplinkError::Nonsense(format!("{what} that ends too early"));
        Ok(match kind {
            MESSAGE => Self::Message(payload),
            OFFER => {
                let head_bytes = payload.try_get_u32_le().map_err(|_| short("an offer"))? as usize;
                if head_bytes > payload.len() {
                    return Err(short("an offer"));
                }
                let head = payload.split_to(head_bytes);
                let head = serde_json::from_slice(&head).map_err(|error| {
                    UplinkError::Nonsense(format!("an offer whose head cannot be read: {error}"))
                })?;
                Self::Offer(Offer { head, payload })
            }
            AUDIO => {
                let item = payload.try_get_u64_le().map_err(|_| short("audio"))?;
                let offset = payload.try_get_u64_le().map_err(|_| short("audio"))?;
                Self::Audio { item, offset, bytes: payload }
            }
            LIVE_AUDIO => {
                let listener = payload.try_get_u64_le().map_err(|_| short("live audio"))?;
                Self::LiveAudio { listener, bytes: payload }
            }
            BUNDLE => {
                let command = payload.try_get_u64_le().map_err(|_| short("a piece of a bundle"))?;
                let offset = payload.try_get_u64_le().map_err(|_| short("a piece of a bundle"))?;
                Self::Bundle { command, offset, bytes: payload }
            }
            other => Self::Unknown(other),
        })
    }
}

/// Reads the next frame, of at most `longest` bytes; `None` when the other side has closed between two frames.
///
/// # Errors
/// A broken connection, a frame that is too long, bytes that no release sends.
pub async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    longest: usize,
) -> Result<Option<Frame>, UplinkError> {
    let mut header = [0; HEADER_BYTES];
    if stream.read(&mut header[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut header[1..]).await?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
    if length > longest {
        return Err(UplinkError::Nonsense(format!(
            "a frame of {length} bytes, at most {longest} are allowed"
        )));
    }
    // The length is what somebody says: memory is taken as the bytes come.
    let mut payload = BytesMut::with_capacity(length.min(2 * MAX_AUDIO_BYTES));
    let mut rest = stream.take(length as u64);
    while payload.len() < length {
        if rest.read_buf(&mut payload).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
    }
    Frame::decode(header[4], payload.freeze()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer(payload: &'static [u8]) -> Frame {
        let audio = Some(AudioHead { bytes: 480_000, sha256: "ab".repeat(32) });
        let head =
            OfferHead { item: 7, written_us: -1, layout: 1, audio, unavailable: None, covers_from: Some(5) };
        Frame::Offer(Offer { head, payload: Bytes::from_static(payload) })
    }

    async fn read_all(mut bytes: &[u8], longest: usize) -> Result<Vec<Frame>, UplinkError> {
        let mut frames = Vec::new();
        while let Some(frame) = read(&mut bytes, longest).await? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[tokio::test]
    async fn frames_come_out_as_they_went_in() {
        let frames = vec![
            Frame::Message(Bytes::from_static(b"{}")),
            offer(b"{\"kind\":\"record\",  \"body\":1}"),
            Frame::Audio { item: 7, offset: 1 << 40, bytes: Bytes::from(vec![0xd5; MAX_AUDIO_BYTES]) },
            Frame::LiveAudio { listener: 3, bytes: Bytes::new() },
            Frame::Bundle { command: 9, offset: 1 << 40, bytes: Bytes::from_static(b"hsqs") },
            Frame::Unknown(200),
        ];
        let mut bytes = BytesMut::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes).expect("encoded"));
        assert_eq!(read_all(&bytes, MAX_PAYLOAD_BYTES).await.expect("read"), frames);
        for cut in 1..=HEADER_BYTES + 2 {
            let error = read_all(&bytes[..cut], MAX_PAYLOAD_BYTES).await;
            assert_eq!(error.is_ok(), cut == HEADER_BYTES + 2, "cut after {cut}");
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused_before_it_is_read() {
        let mut bytes = BytesMut::new();
        Frame::Message(Bytes::from(vec![b' '; MAX_GREETING_BYTES + 1])).encode(&mut bytes).expect("encoded");
        let error = read_all(&bytes[..HEADER_BYTES], MAX_GREETING_BYTES).await.expect_err("refused");
        assert!(matches!(error, UplinkError::Nonsense(_)), "{error}");
        let mut out = BytesMut::new();
        let longest = Frame::Message(Bytes::from(vec![0; MAX_PAYLOAD_BYTES + 1]));
        assert!(longest.encode(&mut out).is_err() && out.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_frames_or_are_refused(kind: u8, payload: Vec<u8>) {
            if let Ok(frame) = Frame::decode(kind, Bytes::from(payload)) {
                let mut bytes = BytesMut::new();
                frame.encode(&mut bytes).expect("what was read can be written");
                if !matches!(frame, Frame::Unknown(_)) {
                    let again = Frame::decode(kind, bytes.split_off(HEADER_BYTES).freeze());
                    prop_assert_eq!(again.expect("read again"), frame);
                }
            }
        }
    }
}
