//! What comes in on a connection, read by a task of its own: waiting for the next frame can be given up without losing a
//! byte, and every byte is known as a sign of life when it comes, not when its frame is whole.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::UplinkError;
use crate::frame::{self, Frame};

/// Frames that wait while the last one is worked on: few, so that who sends too much is slowed down by it.
const LISTENED: usize = 2;

/// Frames of a connection, as they come.
#[derive(Debug)]
pub struct Listening {
    frames: mpsc::Receiver<Result<Option<Frame>, UplinkError>>,
    heard: Heard,
    task: JoinHandle<()>,
}

/// When the last byte came.
#[derive(Clone, Debug)]
struct Heard {
    began: Instant,
    /// Milliseconds after `began`.
    at_ms: Arc<AtomicU64>,
}

/// A stream that notes when bytes come.
struct Noting<S> {
    stream: S,
    heard: Heard,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if into.filled().len() > before {
            self.heard.at_ms.store(self.heard.began.elapsed().as_millis() as u64, Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads frames of at most `longest` bytes from now on, until the value is dropped.
pub fn listen(stream: impl AsyncRead + Unpin + Send + 'static, longest: usize) -> Listening {
    let (to, frames) = mpsc::channel(LISTENED);
    let heard = Heard { began: Instant::now(), at_ms: Arc::default() };
    let mut stream = Noting { stream, heard: heard.clone() };
    let task = tokio::spawn(async move {
        loop {
            let frame = frame::read(&mut stream, longest).await;
            let go_on = matches!(frame, Ok(Some(_)));
            if to.send(frame).await.is_err() || !go_on {
                return;
            }
        }
    });
    Listening { frames, heard, task }
}

impl Listening {
    /// The next frame; `None` when the other side has closed.
    ///
    /// # Errors
    /// As `frame::read`; after the first one there is nothing more to come.
    pub async fn next(&mut self) -> Result<Option<Frame>, UplinkError> {
        self.frames.recv().await.unwrap_or(Ok(None))
    }

    /// When the last byte came; before the first, when listening began.
    pub fn heard_at(&self) -> Instant {
        self.heard.began + Duration::from_millis(self.heard.at_ms.load(Relaxed))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test(start_paused = true)]
    async fn each_byte_is_a_sign_of_life_long_before_its_frame_is_whole() {
        let (here, mut there) = tokio::io::duplex(64);
        let mut listening = listen(here, 1000);
        there.write_all(&[9, 0, 0, 0, 1]).await.expect("written");
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let heard = listening.heard_at().elapsed();
            assert!(heard <= Duration::from_secs(11), "{heard:?}");
            there.write_all(b"x").await.expect("written");
        }
        let whole = Frame::Message(bytes::Bytes::from_static(b"xxxxxxxxx"));
        assert_eq!(listening.next().await.expect("read"), Some(whole));
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert!(listening.heard_at().elapsed() > Duration::from_secs(20), "nothing came since");
    }
}
