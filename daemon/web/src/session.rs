//! Who is logged in. Sessions live in memory only: a restart of the box logs everybody out, and a stolen data folder
//! holds none. Kept is the hash of the cookie, never the cookie.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use catalog::{Account, Right};
use hyper::header::{self, HeaderMap};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use crate::random;

/// A session ends after this long without a request. An open live page counts as one: the duty officer watches all night.
pub const IDLE: Duration = Duration::from_secs(30 * 60);
/// It ends then however busy it is: a shift and its handing over.
pub const ABSOLUTE: Duration = Duration::from_secs(16 * 3600);
/// More logins of one account end its oldest session.
const MOST_PER_ACCOUNT: usize = 20;

pub const COOKIE: &str = "__Host-hookline";
pub const CSRF_HEADER: &str = "x-hookline-csrf";

/// Names a session without being able to use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey([u8; 32]);

/// What a request knows of who sends it.
#[derive(Clone, Debug)]
pub struct Caller {
    pub key: SessionKey,
    pub account: String,
    pub display_name: String,
    pub rights: Vec<Right>,
    /// Whose things the account sees and manages, with those of departments below; `None`: everything.
    pub department: Option<String>,
    pub language: Option<String>,
    pub must_change_password: bool,
    pub csrf: String,
    pub ip: IpAddr,
    /// Time until the session ends however busy it is.
    pub left: Duration,
}

impl Caller {
    pub fn has(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    /// Compares in constant time.
    pub fn csrf_is(&self, token: &str) -> bool {
        self.csrf.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

#[derive(Debug)]
struct Session {
    account: Account,
    csrf: String,
    opened: Instant,
    used: Instant,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.opened) >= ABSOLUTE || now.duration_since(self.used) >= IDLE
    }
}

#[derive(Debug, Default)]
pub struct Sessions {
    open: Mutex<HashMap<SessionKey, Session>>,
    changed: watch::Sender<()>,
}

impl Sessions {
    /// Opens a session; returns its key and the cookie's value, which is kept nowhere.
    pub fn open(&self, account: Account, now: Instant) -> (SessionKey, String) {
        let token = random::hex::<32>();
        let key = key_of(&token);
        let mut open = self.lock();
        open.retain(|_, session| !session.is_over(now));
        let mut of_account: Vec<(Instant, SessionKey)> = open
            .iter()
            .filter(|(_, session)| session.account.name == account.name)
            .map(|(key, session)| (session.used, *key))
            .collect();
        of_account.sort_unstable_by_key(|(used, _)| *used);
        for (_, oldest) in of_account.iter().rev().skip(MOST_PER_ACCOUNT - 1) {
            open.remove(oldest);
        }
        open.insert(key, Session { account, csrf: random::hex::<32>(), opened: now, used: now });
        (key, token)
    }

    /// The session of a cookie; counts as a use of it.
    pub fn find(&self, token: &str, ip: IpAddr, now: Instant) -> Option<Caller> {
        self.caller(key_of(token), ip, now)
    }

    /// The session of a key, as it is now; counts as a use of it.
    pub fn caller(&self, key: SessionKey, ip: IpAddr, now: Instant) -> Option<Caller> {
        let mut open = self.lock();
        let session = open.get_mut(&key)?;
        if session.is_over(now) {
            open.remove(&key);
            return None;
        }
        session.used = now;
        Some(Caller {
            key,
            account: session.account.name.clone(),
            display_name: session.account.display_name.clone(),
            rights: session.account.known_rights(),
            department: session.account.department.clone(),
            language: session.account.language.clone(),
            must_change_password: session.account.must_change,
            csrf: session.csrf.clone(),
            ip,
            left: ABSOLUTE.saturating_sub(now.duration_since(session.opened)),
        })
    }

    pub fn close(&self, key: SessionKey) {
        self.lock().remove(&key);
        self.changed.send_replace(());
    }

    /// Tells whenever sessions were ended or changed, so that what is still open for one can end with it.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Ends the sessions of an account but `except`.
    pub fn close_all(&self, account: &str, except: Option<SessionKey>) {
        self.lock().retain(|key, session| session.account.name != account || Some(*key) == except);
        self.changed.send_replace(());
    }

    /// The account has changed: its open sessions know it from now on.
    pub fn update(&self, account: &Account) {
        for session in self.lock().values_mut().filter(|session| session.account.name == account.name) {
            session.account = account.clone();
        }
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(token: &str) -> SessionKey {
    SessionKey(Sha256::digest(token.as_bytes()).into())
}

/// The session cookie of a request.
pub fn cookie_of(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

/// The value of `Set-Cookie` that hands a session out.
pub fn cookie(token: &str) -> String {
    format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict")
}

/// The value of `Set-Cookie` that takes it back.
pub fn no_cookie() -> String {
    format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn account(name: &str) -> Account {
        Account {
            name: name.into(),
            display_name: String::new(),
            password_hash: "secret".into(),
            rights: vec!["live".into(), "of_a_later_release".into()],
            must_change: false,
            disabled: false,
            language: None,
            department: None,
        }
    }

    #[test]
    fn a_session_ends_when_idle_and_when_old() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let (_, token) = sessions.open(account("anna"), start);
        let nearly_idle = IDLE - Duration::from_secs(1);
        let mut now = start;
        while now + nearly_idle < start + ABSOLUTE {
            now += nearly_idle;
            let caller = sessions.find(&token, HERE, now).expect("in use");
            assert_eq!(caller.rights, [Right::Live]);
        }
        assert!(sessions.find(&token, HERE, start + ABSOLUTE).is_none());
        let (_, token) = sessions.open(account("anna"), start);
        assert!(sessions.find(&token, HERE, start + IDLE).is_none());
        assert!(sessions.find(&token, HERE, start).is_none(), "ended for good");
    }

    #[test]
    fn only_the_token_itself_opens_a_session() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let (key, token) = sessions.open(account("anna"), now);
        assert_eq!(token.len(), 64);
        assert!(sessions.find("", HERE, now).is_none());
        assert!(sessions.find(&token[..63], HERE, now).is_none());
        assert!(sessions.find(&random::to_hex(&key.0), HERE, now).is_none());
        assert!(!format!("{sessions:?}").contains(&token));
    }

    #[test]
    fn closing_all_spares_the_one_that_asked_and_other_accounts() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let (mine, my_token) = sessions.open(account("anna"), now);
        let (_, other_token) = sessions.open(account("anna"), now);
        let (_, bert_token) = sessions.open(account("bert"), now);
        sessions.close_all("anna", Some(mine));
        assert!(sessions.find(&my_token, HERE, now).is_some());
        assert!(sessions.find(&other_token, HERE, now).is_none());
        assert!(sessions.find(&bert_token, HERE, now).is_some());
    }

    #[test]
    fn an_account_has_a_bounded_number_of_sessions() {
        let (sessions, start) = (Sessions::default(), Instant::now());
        let tokens: Vec<String> = (0..MOST_PER_ACCOUNT as u64 + 5)
            .map(|n| sessions.open(account("anna"), start + Duration::from_millis(n)).1)
            .collect();
        let now = start + Duration::from_secs(1);
        let alive: Vec<bool> = tokens.iter().map(|token| sessions.find(token, HERE, now).is_some()).collect();
        assert!(alive[..5].iter().all(|alive| !alive) && alive[5..].iter().all(|alive| *alive));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=b; __Host-hookline=xyz; c".parse().expect("a header"));
        assert_eq!(cookie_of(&headers), Some("xyz"));
        headers.insert(header::COOKIE, "hookline=xyz".parse().expect("a header"));
        assert_eq!(cookie_of(&headers), None);
    }
}
