//! Takes a request's body: bounded in size and time, and whole or not at all. A request that is cut off changes nothing.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::header;
use hyper::{HeaderMap, Version};
use tokio::time::{Instant, timeout, timeout_at};

use crate::fields::Fields;
use crate::problem::{Code, Problem};

/// Largest body: 5000 ids of recordings with room to spare.
pub const LIMIT_BYTES: usize = 1024 * 1024;
/// A body must have arrived by then; of a long one, something more.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// A long one must have arrived by then: 2 GiB over 2.5 Mbit/s.
const LONG_ARRIVES_WITHIN: Duration = Duration::from_secs(2 * 3600);
/// What is taken of a body that has been refused.
const PASSED_OVER_BYTES: usize = 64 << 20;
const PASSED_OVER_WITHIN: Duration = Duration::from_secs(10);

pub const JSON: &str = "application/json";
/// A file as it is.
pub const BYTES: &str = "application/octet-stream";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// The media type of a body, without its parameters, in lower case.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// # Errors
/// `body_too_large`, `request_timeout`, `request_incomplete`.
pub async fn whole(body: Body) -> Result<Bytes, Problem> {
    let collected = timeout(ARRIVES_WITHIN, Limited::new(body, LIMIT_BYTES).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let title = format!("The body is larger than {LIMIT_BYTES} bytes.");
            Err(Problem::new(Code::BodyTooLarge, title).with("limit_bytes", LIMIT_BYTES))
        }
        Ok(Err(_)) => Err(incomplete()),
        Err(_) => Err(too_slow(ARRIVES_WITHIN)),
    }
}

/// A long body, piece by piece as it arrives, so that nothing has to hold it whole.
pub struct Arriving {
    body: Body,
    until: Instant,
}

impl Arriving {
    pub fn new(body: Body) -> Self {
        Self { body, until: Instant::now() + LONG_ARRIVES_WITHIN }
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// `request_timeout`, `request_incomplete`.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let (until, limit) = match Instant::now() + ARRIVES_WITHIN {
                next if next < self.until => (next, ARRIVES_WITHIN),
                _ => (self.until, LONG_ARRIVES_WITHIN),
            };
            match timeout_at(until, self.body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Ok(Some(bytes)),
                    // Trailers, and frames without anything in them.
                    _ => {}
                },
                Ok(Some(Err(_))) => return Err(incomplete()),
                Err(_) => return Err(too_slow(limit)),
            }
        }
    }
}

/// A client of HTTP/1 writes all of its body before it looks for an answer, and a connection that is closed on it has lost
/// the answer. So what it still writes is taken and passed over for a while; HTTP/2 has a word for it.
pub fn pass_over(version: Version, body: Arriving) {
    if version < Version::HTTP_2 {
        tokio::spawn(timeout(PASSED_OVER_WITHIN, passed_over(body)));
    }
}

async fn passed_over(mut body: Arriving) {
    let mut bytes = 0;
    while let Ok(Some(piece)) = body.next().await
        && bytes < PASSED_OVER_BYTES
    {
        bytes += piece.len();
    }
}

fn incomplete() -> Problem {
    let title = "The request ended before its body was whole; nothing was changed.";
    Problem::new(Code::RequestIncomplete, title)
}

fn too_slow(limit: Duration) -> Problem {
    let limit_s = limit.as_secs();
    let title = format!("The request took longer than {limit_s} s to arrive.");
    Problem::new(Code::RequestTimeout, title).with("limit_s", limit_s)
}

pub fn wrong_media_type(expected: &str) -> Problem {
    Problem::new(Code::MediaTypeWrong, format!("Send the body as {expected}.")).with("expected", expected)
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if media_type(request.headers()) != JSON {
            return Err(wrong_media_type(JSON));
        }
        Self::parse(&whole(request.into_body()).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn a_large_body_is_refused_and_a_small_one_taken() {
        let large = whole(Body::from(vec![b' '; LIMIT_BYTES + 1])).await.expect_err("refused");
        assert_eq!(large.code, Code::BodyTooLarge);
        assert_eq!(whole(Body::from(vec![b' '; LIMIT_BYTES])).await.expect("taken").len(), LIMIT_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_body_comes_piece_by_piece_for_as_long_as_it_goes_on() {
        use http_body_util::channel::Channel;
        let (mut sender, channel) = Channel::<Bytes, std::io::Error>::new(1);
        let mut arriving = Arriving::new(Body::new(channel));
        let sending = tokio::spawn(async move {
            for piece in ["a", "", "b"] {
                tokio::time::sleep(ARRIVES_WITHIN / 3).await;
                sender.send_data(Bytes::from(piece)).await.expect("taken");
            }
            sender
        });
        assert_eq!(arriving.next().await, Ok(Some(Bytes::from("a"))));
        assert_eq!(arriving.next().await, Ok(Some(Bytes::from("b"))));
        // It stays open, and nothing comes any more.
        let sender = sending.await.expect("no panic");
        assert_eq!(arriving.next().await.expect_err("too slow").code, Code::RequestTimeout);
        sender.abort(std::io::Error::other("gone"));
        assert_eq!(arriving.next().await.expect_err("cut off").code, Code::RequestIncomplete);
    }

    proptest! {
        #[test]
        fn any_content_type_has_a_media_type(value in "[ -~]{0,40}") {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().expect("visible characters"));
            let found = media_type(&headers);
            prop_assert!(!found.contains(';'));
        }
    }
}
