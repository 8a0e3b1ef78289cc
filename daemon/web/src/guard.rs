//! Stands before every route: is somebody logged in, may they, and did their own page ask?

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use catalog::Right;
use hyper::Method;
use hyper::http::request::Parts;

use crate::app::App;
use crate::body::{FORM, media_type};
use crate::problem::{Code, Problem};
use crate::session::{CSRF_HEADER, Caller, cookie_of};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Open,
    /// The token of the platform, which the handler checks.
    Token,
    /// To be logged in, even with a first password that must still be changed.
    Entering,
    /// To be logged in.
    Session,
    /// To be logged in with an account that has this right.
    Right(Right),
    /// As `Right`, but the CSRF token may also be a field of a form, which the handler checks: a browser saves only
    /// what a form asked for.
    RightByForm(Right),
}

impl Access {
    /// `x-right` of the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "none",
            Self::Token => "token",
            Self::Entering | Self::Session => "session",
            Self::Right(right) | Self::RightByForm(right) => right.name(),
        }
    }

    pub fn right(self) -> Option<Right> {
        match self {
            Self::Right(right) | Self::RightByForm(right) => Some(right),
            Self::Open | Self::Token | Self::Entering | Self::Session => None,
        }
    }
}

/// Where a request came from; set by the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().copied().ok_or_else(|| Problem::internal("a request without a peer address"))
    }
}

/// Who is logged in; set by [`guard`] on every route but open ones.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(not_logged_in)
    }
}

pub fn not_logged_in() -> Problem {
    let title = "You are not logged in, or the session has ended: log in again.";
    Problem::new(Code::NotLoggedIn, title)
}

pub async fn guard(State((app, access)): State<(App, Access)>, mut request: Request, next: Next) -> Response {
    if !matches!(access, Access::Open | Access::Token) {
        match admit(&app, access, &request) {
            Ok(caller) => request.extensions_mut().insert(caller),
            Err(problem) => return problem.into_response(),
        };
    }
    if !changes_something(request.method()) {
        return next.run(request).await;
    }
    // A task of its own: a client that hangs up cannot stop half-way what has begun to be carried out, nor keep a
    // failed login out of the audit trail. A body that is cut off is an error like any other, and changes nothing.
    let carried_out = tokio::spawn(next.run(request)).await;
    carried_out.unwrap_or_else(|error| Problem::internal(error).into_response())
}

fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

fn admit(app: &App, access: Access, request: &Request) -> Result<Caller, Problem> {
    let Some(Peer(ip)) = request.extensions().get().copied() else {
        return Err(Problem::internal("a request without a peer address"));
    };
    let caller = cookie_of(request.headers())
        .and_then(|token| app.sessions.find(token, ip, Instant::now()))
        .ok_or_else(not_logged_in)?;
    if caller.must_change_password && access != Access::Entering {
        let title = "Change the first password before anything else.";
        return Err(Problem::new(Code::PasswordChangeRequired, title));
    }
    if let Some(right) = access.right()
        && !caller.has(right)
    {
        return Err(right_missing(right));
    }
    let form = matches!(access, Access::RightByForm(_)) && media_type(request.headers()) == FORM;
    if changes_something(request.method()) && !form {
        let token = request.headers().get(CSRF_HEADER).and_then(|value| value.to_str().ok());
        check_csrf(&caller, token.unwrap_or_default())?;
    }
    Ok(caller)
}

pub fn right_missing(right: Right) -> Problem {
    let right = right.name();
    Problem::new(Code::RightMissing, format!("Your account lacks the right `{right}`.")).with("right", right)
}

/// # Errors
/// `csrf_wrong`.
pub fn check_csrf(caller: &Caller, token: &str) -> Result<(), Problem> {
    if caller.csrf_is(token) {
        return Ok(());
    }
    let title = "The header X-Hookline-CSRF is missing or wrong: get the token from GET /session.";
    Err(Problem::new(Code::CsrfWrong, title))
}
