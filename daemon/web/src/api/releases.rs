//! Upgrade bundles that the platform keeps for its stations (PF-16): the list, one brought by a person, one removed.
//! Stations are given one by a command (`commands`).

use axum::extract::{Path, Request, State};
use hyper::{HeaderMap, header};
use platform::{MOST_RELEASE_BYTES, MOST_RELEASES, PlatformError, Release, ReleaseError, Upload, is_sha256};
use serde_json::{Value, json};

use super::{Answer, created, done, json_answer};
use crate::app::App;
use crate::body::{self, Arriving, media_type};
use crate::problem::{Code, Problem};
use crate::query::{Query, whole_of};
use crate::scope::check_whole;
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;
use crate::turns::Place;

/// How a release is named in addresses and commands.
pub const SHA256: &str = "the SHA-256 of a release, 64 hexadecimal digits in lower case";
const NAME: &str = "1 to 64 letters, digits and .+-_";
/// Bytes that are written together; the first ones are looked at as soon as they come.
const PIECE_BYTES: usize = 1 << 20;

pub fn sha256_of(value: Value) -> Option<String> {
    let Value::String(text) = value else { return None };
    is_sha256(&text).then_some(text)
}

fn release_json(app: &App, release: &Release) -> Value {
    json!({
        "name": release.name,
        "bytes": release.bytes,
        "sha256": release.sha256,
        "added_at": time::in_zone(release.added_us, app.zone()),
        "account": release.account,
    })
}

pub async fn list_releases(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    let releases = app.platform()?.releases().list();
    let items: Vec<Value> = releases.iter().map(|release| release_json(&app, release)).collect();
    Ok(json_answer(&json!({ "items": items, "most": MOST_RELEASES })))
}

pub async fn add_release(State(app): State<App>, caller: Caller, query: Query, request: Request) -> Answer {
    // Whoever hangs up in the middle ends the request, and not what has to be put away and written down.
    let adding = tokio::spawn(async move {
        let (head, body) = request.into_parts();
        let mut body = Arriving::new(body);
        let added = add(&app, &caller, query, &head.headers, &mut body).await;
        if added.is_err() {
            body::pass_over(head.version, body);
        }
        added
    });
    adding.await.unwrap_or_else(|error| Err(Problem::internal(error)))
}

async fn add(
    app: &App,
    caller: &Caller,
    mut query: Query,
    headers: &HeaderMap,
    body: &mut Arriving,
) -> Answer {
    check_whole(caller)?;
    let name = query.required("name", NAME, |text| Some(text.to_owned()))?;
    query.finish()?;
    if media_type(headers) != body::BYTES {
        return Err(body::wrong_media_type(body::BYTES));
    }
    let place = app.turns.upload()?;
    let trail = Trail::of(caller, "upgrade", "add_release").with("name", name.as_str());
    let begin = {
        let (length, account) = (length_of(headers), caller.account.clone());
        move |app: &App| Ok(app.platform()?.releases().begin(&name, length, &account)?)
    };
    let taken = match app.apart((), begin).await {
        Ok(upload) => take(app, place, upload, body).await,
        Err(problem) => Err(problem),
    };
    app.blocking(move |app| {
        let trail = match &taken {
            Ok(release) => trail.with("bytes", release.bytes).with("sha256", release.sha256.as_str()),
            Err(_) => trail,
        };
        let release = trail.ended(app.catalog(), taken)?;
        Ok(created(&release_json(app, &release)))
    })
    .await
}

fn length_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok().and_then(whole_of)
}

/// Writes the body to the disk as it comes; what ends before it is whole leaves nothing.
async fn take(app: &App, place: Place, mut upload: Upload, body: &mut Arriving) -> Result<Release, Problem> {
    let (mut piece, mut enough) = (Vec::new(), 1);
    loop {
        match body.next().await {
            Ok(Some(bytes)) => piece.extend_from_slice(&bytes),
            Ok(None) => break,
            Err(problem) => {
                // Taking away what has come waits for the disk as well.
                app.apart(upload, |_| Ok(())).await?;
                return Err(problem);
            }
        }
        if piece.len() >= enough {
            let written = std::mem::take(&mut piece);
            let write = move |_: &App| {
                upload.take(&written)?;
                Ok(upload)
            };
            upload = app.apart((), write).await?;
            enough = PIECE_BYTES;
        }
    }
    let finish = move |app: &App| {
        upload.take(&piece)?;
        Ok(upload.finish(app.platform()?.now_us())?)
    };
    app.apart(place, finish).await
}

pub async fn remove_release(
    State(app): State<App>,
    caller: Caller,
    Path(sha256): Path<String>,
    query: Query,
) -> Answer {
    query.finish()?;
    app.blocking(move |app| {
        let platform = app.platform()?;
        let release = platform
            .releases()
            .get(&sha256)
            .ok_or_else(|| Problem::from(ReleaseError::NotThere(sha256.clone())))?;
        check_whole(&caller)?;
        let trail = Trail::of(&caller, "upgrade", "remove_release");
        let trail = trail.with("name", release.name).with("sha256", sha256.as_str());
        let removed = platform.remove_release(&sha256).map_err(Problem::from);
        trail.ended(app.catalog(), removed)?;
        Ok(done())
    })
    .await
}

impl From<ReleaseError> for Problem {
    fn from(error: ReleaseError) -> Self {
        let sentence = error.to_string();
        match error {
            ReleaseError::NameInvalid(_) => Self::field_invalid("name", NAME),
            ReleaseError::NameTaken(name) => Self::new(Code::ReleaseNameTaken, sentence).with("name", name),
            ReleaseError::Exists(name) => Self::new(Code::ReleaseExists, sentence).with("name", name),
            ReleaseError::TooMany => Self::new(Code::TooManyReleases, sentence).with("most", MOST_RELEASES),
            ReleaseError::TooLarge => {
                let problem = Self::new(Code::BodyTooLarge, sentence);
                problem.with("limit_bytes", MOST_RELEASE_BYTES).with("reason", "bundle")
            }
            ReleaseError::NotABundle => Self::new(Code::NotABundle, sentence),
            ReleaseError::NoRoom => Self::new(Code::NoRoom, sentence),
            ReleaseError::NotThere(sha256) => Self::not_found("release", sha256),
            ReleaseError::InUse(name) => Self::new(Code::ReleaseInUse, sentence).with("name", name),
            ReleaseError::Disk { .. } => Self::storage("releases", PlatformError::from(error)),
        }
    }
}
