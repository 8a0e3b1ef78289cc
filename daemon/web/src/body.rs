//! Takes a request's body: bounded in size and time, and whole or not at all. A request that is cut off changes nothing.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::HeaderMap;
use hyper::header;

use crate::fields::Fields;
use crate::problem::{Code, Problem};

/// Largest body: 5000 ids of recordings with room to spare.
pub const LIMIT_BYTES: usize = 1024 * 1024;
/// A body must have arrived by then.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

pub const JSON: &str = "application/json";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// The media type of a body, without its parameters, in lower case.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// # Errors
/// `body_too_large`, `request_timeout`, `request_incomplete`.
pub async fn whole(body: Body) -> Result<Bytes, Problem> {
    let collected = tokio::time::timeout(ARRIVES_WITHIN, Limited::new(body, LIMIT_BYTES).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let title = format!("The body is larger than {LIMIT_BYTES} bytes.");
            Err(Problem::new(Code::BodyTooLarge, title).with("limit_bytes", LIMIT_BYTES))
        }
        Ok(Err(_)) => {
            let title = "The request ended before its body was whole; nothing was changed.";
            Err(Problem::new(Code::RequestIncomplete, title))
        }
        Err(_) => {
            let limit_s = ARRIVES_WITHIN.as_secs();
            let title = format!("The request took longer than {limit_s} s to arrive.");
            Err(Problem::new(Code::RequestTimeout, title).with("limit_s", limit_s))
        }
    }
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
