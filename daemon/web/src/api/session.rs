//! Login, logout, and what a person may change of their own account.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::State;
use catalog::{Account, AuditEntry, AuditResult};
use hyper::header::{self, HeaderValue};
use serde_json::{Map, Value, json};

use super::{Answer, done, json_answer};
use crate::app::App;
use crate::fields::{Fields, Given};
use crate::guard::Peer;
use crate::password::{self, MIN_LENGTH};
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::session::{Caller, IDLE, cookie, no_cookie};
use crate::time;
use crate::trail::Trail;
use crate::words::Language;

pub async fn login(State(app): State<App>, Peer(ip): Peer, mut fields: Fields) -> Answer {
    let name = fields.required_text("name", 1..=64)?;
    let password = fields.required_text("password", 1..=password::MAX_LENGTH)?;
    fields.finish()?;
    // A task of its own: a client that hangs up cannot keep its failure out of the audit trail.
    tokio::spawn(async move { checked_login(&app, ip, name, password).await })
        .await
        .map_err(Problem::internal)?
}

async fn checked_login(app: &App, ip: IpAddr, name: String, password: String) -> Answer {
    let attempt = app.throttle.begin(&name, ip, Instant::now()).map_err(Problem::login_locked)?;
    let known = match app.blocking(move |app| Ok(app.catalog().account(&name)?)).await {
        Ok(row) => row.map(|row| row.account),
        Err(problem) => {
            app.throttle.abandon(attempt);
            return Err(problem);
        }
    };
    let kept =
        known.as_ref().filter(|account| !account.disabled).map(|account| account.password_hash.clone());
    let right = match app.hasher.verify(password, kept).await {
        Ok(right) => right,
        Err(busy) => {
            app.throttle.abandon(attempt);
            return Err(busy);
        }
    };
    match known {
        Some(account) if right => {
            match app.blocking(move |app| open_session(app, &account, ip)).await {
                Ok(Some((caller, token))) => {
                    app.throttle.succeed(attempt);
                    let mut response = json_answer(&session_json(app, &caller));
                    set_cookie(&mut response, &cookie(&token));
                    Ok(response)
                }
                // What was right a moment ago is not any more: the account has been disabled, removed, or given another
                // password.
                Ok(None) => Err(failed()),
                Err(problem) => {
                    app.throttle.abandon(attempt);
                    Err(problem)
                }
            }
        }
        known => {
            let locks = attempt.locks;
            app.blocking(move |app| {
                // What was typed as a name is kept only if it is one: people type passwords there.
                let mut entry =
                    session_entry(known.as_ref(), ip, "login", AuditResult::Refused, Some(Code::LoginFailed));
                entry.params.insert("account_known".into(), known.is_some().into());
                entry.params.insert("locked".into(), locks.into());
                Ok(app.catalog().audit(entry)?)
            })
            .await?;
            Err(failed())
        }
    }
}

/// Opens a session, if the account still is what its password was judged by: nobody changes it between this look and
/// the session, and whoever changes it later ends the session. Blocks.
fn open_session(app: &App, judged: &Account, ip: IpAddr) -> Result<Option<(Caller, String)>, Problem> {
    let _one_at_a_time = app.one_at_a_time();
    let now = app.catalog().account(&judged.name)?.map(|row| row.account);
    let same = |now: &Account| !now.disabled && now.password_hash == judged.password_hash;
    let Some(account) = now.filter(same) else {
        let refused = Some(Code::LoginFailed);
        app.catalog().audit(session_entry(Some(judged), ip, "login", AuditResult::Refused, refused))?;
        return Ok(None);
    };
    app.catalog().audit(session_entry(Some(&account), ip, "login", AuditResult::Ok, None))?;
    let (key, token) = app.sessions.open(account, Instant::now());
    let caller = app.sessions.caller(key, ip, Instant::now());
    Ok(caller.map(|caller| (caller, token)))
}

fn failed() -> Problem {
    Problem::new(Code::LoginFailed, "Name or password is wrong.")
}

fn session_entry(
    account: Option<&Account>,
    ip: IpAddr,
    operation: &str,
    result: AuditResult,
    detail: Option<Code>,
) -> AuditEntry {
    AuditEntry {
        account: account.map(|account| account.name.clone()),
        display_name: account.map(|account| account.display_name.clone()),
        ip: Some(ip.to_string()),
        item: "session".into(),
        port: None,
        operation: operation.into(),
        params: Map::new(),
        result,
        detail: detail.map(|code| code.name().into()),
        department: account.and_then(|account| account.department.clone()),
    }
}

pub async fn logout(State(app): State<App>, caller: Caller) -> Answer {
    app.sessions.close(caller.key);
    app.blocking(move |app| Trail::of(&caller, "session", "logout").ok(app.catalog())).await?;
    let mut response = done();
    set_cookie(&mut response, &no_cookie());
    Ok(response)
}

pub async fn get_session(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    Ok(json_answer(&session_json(&app, &caller)))
}

pub async fn change_session(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let names = super::expected_names(Language::ALL, Language::name);
    let language = fields.optional("language", &names, |value| Language::from_name(value.as_str()?))?;
    fields.finish()?;
    let language = match language {
        Given::Absent => return Err(Problem::field_missing("language")),
        Given::Null => None,
        Given::Value(language) => Some(language.name().to_owned()),
    };
    let account = caller.account.clone();
    let set = move |account: &mut Account| {
        account.language = language;
        Ok(())
    };
    app.blocking(move |app| app.change_account(&account, set)).await?;
    answer_now(&app, &caller)
}

pub async fn change_password(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let old = fields.required_text("old", 1..=password::MAX_LENGTH)?;
    let new = fields.required("new", "text", |value| value.as_str().map(str::to_owned))?;
    fields.finish()?;
    password::check_new("new", &new, &caller.account)?;
    if new == old {
        let title = "The new password is the old one: choose another.";
        return Err(password::refused("new", "same_as_old", title));
    }
    checked_change(&app, caller, old, new).await
}

async fn checked_change(app: &App, caller: Caller, old: String, new: String) -> Answer {
    let attempt =
        app.throttle.begin(&caller.account, caller.ip, Instant::now()).map_err(Problem::login_locked)?;
    let name = caller.account.clone();
    let result = async {
        let row = app.blocking(move |app| Ok(app.catalog().account(&name)?)).await?;
        let judged = row.map(|row| row.account.password_hash);
        let right = app.hasher.verify(old, judged.clone()).await?;
        // Hashed before it is known whether it is needed: both answers take the same time.
        Ok((judged.filter(|_| right), app.hasher.hash(new).await?))
    };
    let (right, hash) = match result.await {
        Ok(found) => found,
        Err(problem) => {
            app.throttle.abandon(attempt);
            return Err(problem);
        }
    };
    let trail = Trail::of(&caller, "account", "change_password").with("name", caller.account.as_str());
    let Some(judged) = right else {
        let title = "The old password is wrong.";
        let problem = Problem::new(Code::OldPasswordWrong, title).with("field", "old");
        let refusal = problem.clone();
        return app
            .blocking(move |app| trail.ended(app.catalog(), Err::<(), _>(refusal)))
            .await
            .and(Err(problem));
    };
    app.throttle.succeed(attempt);
    let who = caller.clone();
    app.blocking(move |app| {
        let changed = app.change_account(&who.account, |account| {
            // Somebody else may have disabled the account meanwhile, or given it another password.
            if account.disabled || account.password_hash != judged {
                return Err(crate::guard::not_logged_in());
            }
            account.password_hash = hash;
            account.must_change = false;
            // Whoever else was logged in with the old password is not any more.
            app.sessions.close_all(&who.account, Some(who.key));
            Ok(())
        });
        trail.ended(app.catalog(), changed)
    })
    .await?;
    answer_now(app, &caller)
}

/// The session as it is after a change.
fn answer_now(app: &App, caller: &Caller) -> Answer {
    let caller = app.sessions.caller(caller.key, caller.ip, Instant::now());
    Ok(json_answer(&session_json(app, &caller.ok_or_else(crate::guard::not_logged_in)?)))
}

fn session_json(app: &App, caller: &Caller) -> Value {
    let ends_us = time::now_us().saturating_add(caller.left.as_micros() as i64);
    json!({
        "account": caller.account,
        "display_name": caller.display_name,
        "department": caller.department,
        "rights": caller.rights.iter().map(|right| right.name()).collect::<Vec<_>>(),
        "language": caller.language.as_deref().and_then(Language::from_name).map(Language::name),
        "csrf": caller.csrf,
        "must_change_password": caller.must_change_password,
        "password_min_length": MIN_LENGTH,
        "expires_at": time::in_zone(ends_us, app.zone()),
        "idle_timeout_s": IDLE.as_secs(),
    })
}

fn set_cookie(response: &mut axum::response::Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}
