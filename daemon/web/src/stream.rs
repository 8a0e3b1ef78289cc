//! Answers that are made while they are sent: each piece in a blocking task, the next one only when the client has
//! taken the one before. Memory stays bounded, and a slow client holds no thread.

use axum::body::{Body, Bytes};
use http_body_util::channel::Channel;

use crate::app::App;
use crate::problem::Problem;
use crate::turns::Place;

/// Pieces that lie ready; with the one being made and the one being sent this is all an answer holds.
const READY: usize = 1;

/// Something that gives a file piece by piece. An empty piece is the end.
pub trait Pieces: Send + 'static {
    /// Blocks.
    ///
    /// # Errors
    /// The answer is broken off, so that the client does not take half for whole.
    fn next(&mut self) -> Result<Bytes, Problem>;
}

/// A body of pieces, each made in a common turn.
pub fn body(app: &App, pieces: impl Pieces) -> Body {
    sent(app, pieces, None)
}

/// A body of pieces that are made apart from all others; `place` is given back when the last one has been taken or
/// the client has gone.
pub fn export(app: &App, pieces: impl Pieces, place: Place) -> Body {
    sent(app, pieces, Some(place))
}

fn sent(app: &App, mut pieces: impl Pieces, place: Option<Place>) -> Body {
    let (mut sender, channel) = Channel::<Bytes, std::io::Error>::new(READY);
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            let make = move |_: &App| {
                let piece = pieces.next()?;
                Ok((pieces, piece))
            };
            let made = match &place {
                Some(_) => app.apart((), make).await,
                None => app.blocking(make).await,
            };
            match made {
                Ok((_, piece)) if piece.is_empty() => break,
                Ok((rest, piece)) => {
                    pieces = rest;
                    if sender.send_data(piece).await.is_err() {
                        break;
                    }
                }
                Err(problem) => {
                    sender.abort(std::io::Error::other(problem.title));
                    break;
                }
            }
        }
    });
    Body::new(channel)
}
