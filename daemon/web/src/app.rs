//! What every request handler has at hand: the box, who is logged in, and a bounded way to do blocking work.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use appliance::ApplianceError;
use catalog::{Account, AccountRow, Catalog};
use chrono_tz::Tz;
use platform::Fingerprint;
use tokio::sync::Notify;

use crate::fleet::Standing;
use crate::jobs::Jobs;
use crate::password::Hasher;
use crate::plays::Plays;
use crate::problem::{Code, Problem};
use crate::role::Served;
use crate::session::Sessions;
use crate::throttle::Throttle;
use crate::turns::{self, Turns};

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

pub struct Shared {
    pub served: Served,
    pub sessions: Sessions,
    pub throttle: Throttle,
    pub hasher: Hasher,
    pub plays: Plays,
    pub turns: Turns,
    pub standing: Standing,
    pub jobs: Jobs,
    /// Folder on the data disk for what grows while it is made; empty at every start.
    pub temporary: PathBuf,
    /// Of the certificate of these pages.
    pub certificate: Fingerprint,
    /// Told when a change of the network has begun.
    pub network_changes: Notify,
    people: Mutex<()>,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    pub fn new(served: Served, hasher: Hasher, temporary: PathBuf, certificate: Fingerprint) -> Self {
        Self(Arc::new(Shared {
            served,
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            hasher,
            plays: Plays::default(),
            turns: Turns::default(),
            standing: Standing::default(),
            jobs: Jobs::default(),
            temporary,
            certificate,
            network_changes: Notify::new(),
            people: Mutex::new(()),
        }))
    }

    pub fn catalog(&self) -> &Catalog {
        self.served.catalog()
    }

    pub fn zone(&self) -> Tz {
        self.served.zone()
    }

    /// Runs what waits for the disk. Once begun it goes on to its end, also when the client has gone.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.turns.common().await?;
        let app = self.clone();
        turns::run(turn, move || work(&app)).await
    }

    /// As `blocking`, for whoever has a place in a lane of their own; `held` is let go when the work has ended.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn apart<T: Send + 'static>(
        &self,
        held: impl Send + 'static,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.clone();
        turns::run(held, move || work(&app)).await
    }
}

impl From<ApplianceError> for Problem {
    fn from(error: ApplianceError) -> Self {
        let (sentence, detail) = (error.to_string(), error.detail());
        let code = match error.code() {
            "not_available" => Code::ApplianceAbsent,
            "clock_failed" => Code::ClockFailed,
            "no_time" => Code::NoTime,
            "network_invalid" => Code::NetworkInvalid,
            "network_change_waits" => Code::NetworkChangeWaits,
            "network_change_over" => Code::NetworkChangeOver,
            code => {
                return Self::new(Code::ApplianceFailed, sentence.as_str())
                    .with("code", code)
                    .with("reason", sentence);
            }
        };
        let problem = Self::new(code, sentence);
        detail.into_iter().fold(problem, |problem, (name, value)| problem.with(&name, value))
    }
}

impl From<catalog::Error> for Problem {
    fn from(error: catalog::Error) -> Self {
        use catalog::Error;
        match error {
            Error::NoRecord(id) => Self::not_found("recording", id),
            Error::NoTag { tag, .. } => Self::not_found("tag", tag),
            Error::NoAlarm(id) => Self::not_found("alarm", id),
            Error::NoAccount(name) => Self::not_found("account", name),
            Error::NoContact(number) => Self::not_found("contact", number),
            Error::Behind => Self::busy(5),
            Error::BadScore(_) => Self::field_invalid("score", "a whole number from 1 to 10"),
            other => Self::storage(other.code(), other),
        }
    }
}

impl App {
    /// Held while an account or contact is read, judged and written: they are written whole, and two changes at once
    /// must not undo each other.
    pub fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes an account as it stands now, in the catalog and in its open sessions. Blocks.
    ///
    /// # Errors
    /// `not_found` when it has been removed meanwhile; those of `change`, and nothing is changed.
    pub fn change_account(
        &self,
        name: &str,
        change: impl FnOnce(&mut Account) -> Result<(), Problem>,
    ) -> Result<AccountRow, Problem> {
        let _one_at_a_time = self.one_at_a_time();
        let mut row = self.catalog().account(name)?.ok_or_else(|| Problem::not_found("account", name))?;
        change(&mut row.account)?;
        self.catalog().set_account(row.account.clone())?;
        self.sessions.update(&row.account);
        Ok(row)
    }
}
