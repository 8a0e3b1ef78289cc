//! The platform asks a station that cannot dial: it comes through the station's pages, and what they hand over is the
//! stream of the next connection, in the place of any that there is.

use tokio::io::{AsyncRead, AsyncWrite};

/// Whatever leads to the platform.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A platform that waits on the line.
pub(super) struct Asked {
    pub stream: Box<dyn Stream>,
    /// Where it came from.
    pub address: String,
}
