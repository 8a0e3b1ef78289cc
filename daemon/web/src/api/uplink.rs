//! `/uplink`: the way in for a platform whose station cannot dial out (MG-06). It shows its token, and from there on the
//! connection is the uplink's: with keys of both sides inside, as if the station had dialled.

use std::net::IpAddr;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use catalog::{AuditEntry, AuditResult};
use hyper::header::{AUTHORIZATION, CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{StatusCode, Version};
use hyper_util::rt::TokioIo;
use serde_json::{Map, json};

use super::{Answer, done, json_answer};
use crate::app::App;
use crate::guard::Peer;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;

const PROTOCOL: &str = "hookline-uplink";
const SCHEME: &str = "Bearer ";
/// Wrong tokens count as wrong logins of an account that nobody can have.
const NOBODY: &str = "";

pub async fn take_uplink(State(app): State<App>, Peer(ip): Peer, mut request: Request) -> Answer {
    let token = token_of(request.headers()).unwrap_or_default().to_owned();
    let wanted = wants_uplink(&request);
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    // A task of its own: who hangs up cannot keep a wrong token out of the audit trail.
    tokio::spawn(async move {
        check_token(&app, ip, token).await?;
        let upgrade = upgrade.filter(|_| wanted).ok_or_else(not_uplink)?;
        let station = app.station()?.clone();
        app.blocking(move |app| Ok(app.catalog().audit(entry(ip, AuditResult::Ok, None))?)).await?;
        tokio::spawn(async move {
            // One that has hung up meanwhile comes again.
            if let Ok(stream) = upgrade.await {
                station.be_asked(TokioIo::new(stream), ip.to_string());
            }
        });
        Ok(switching())
    })
    .await
    .map_err(Problem::internal)?
}

fn token_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix(SCHEME)
}

/// Only HTTP/1.1 hands a connection over.
fn wants_uplink(request: &Request) -> bool {
    let protocol = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok());
    request.version() == Version::HTTP_11 && protocol == Some(PROTOCOL)
}

fn switching() -> Response {
    let mut response = (StatusCode::SWITCHING_PROTOCOLS, Body::empty()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
    response
}

fn not_uplink() -> Problem {
    let title = "This address is for platforms: it speaks `Upgrade: hookline-uplink` over HTTP/1.1 only.";
    Problem::new(Code::UplinkExpected, title)
}

/// As a login: counted before it is looked at, and taken back when it was right.
async fn check_token(app: &App, ip: IpAddr, token: String) -> Result<(), Problem> {
    let attempt = app.throttle.begin(NOBODY, ip, Instant::now()).map_err(Problem::login_locked)?;
    if app.station()?.is_pull_token(&token) {
        app.throttle.succeed(attempt);
        return Ok(());
    }
    let locks = attempt.locks;
    app.blocking(move |app| {
        let mut entry = entry(ip, AuditResult::Refused, Some(Code::TokenWrong));
        entry.params = Map::from_iter([("locked".to_owned(), json!(locks))]);
        Ok(app.catalog().audit(entry)?)
    })
    .await?;
    let title =
        "The security code is wrong, or there is none: make one on the station's page about the platform.";
    Err(Problem::new(Code::TokenWrong, title))
}

fn entry(ip: IpAddr, result: AuditResult, code: Option<Code>) -> AuditEntry {
    AuditEntry {
        account: None,
        display_name: None,
        department: None,
        ip: Some(ip.to_string()),
        item: "platform".into(),
        port: None,
        operation: "asked".into(),
        params: Map::new(),
        result,
        detail: code.map(|code| code.name().into()),
    }
}

pub async fn get_token(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    let now = app.station()?.platform_link();
    let at = |us: i64| time::in_zone(us, app.zone());
    Ok(json_answer(&json!({
        "made": now.token_made_us.map(at),
        "last_asked": now.last_asked_us.map(at),
        "certificate": app.certificate.to_string(),
    })))
}

/// Makes the token, in the place of the former one. Shown this once.
pub async fn make_token(State(app): State<App>, caller: Caller) -> Answer {
    app.blocking(move |app| {
        let made = app.station()?.make_pull_token().map_err(Problem::from);
        let token = Trail::of(&caller, "platform", "make_token").ended(app.catalog(), made)?;
        Ok(json_answer(&json!({ "token": token })))
    })
    .await
}

pub async fn remove_token(State(app): State<App>, caller: Caller) -> Answer {
    app.blocking(move |app| {
        let removed = app.station()?.remove_pull_token().map_err(Problem::from);
        let trail = Trail::of(&caller, "platform", "remove_token");
        match removed {
            Ok(true) => trail.ok(app.catalog()),
            Ok(false) => Err(Problem::not_found("token", "of the platform")),
            Err(problem) => trail.ended(app.catalog(), Err(problem)),
        }
    })
    .await?;
    Ok(done())
}
