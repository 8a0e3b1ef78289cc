//! Passwords: what makes a good one, how it is kept (argon2id, RFC 9106), and how many are looked at at the same time.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::problem::{Code, Problem};
use crate::random;

/// Characters.
pub const MIN_LENGTH: usize = 10;
pub const MAX_LENGTH: usize = 256;
/// Fewer different characters than this are no password.
const LEAST_DIFFERENT: usize = 5;

/// Cost of one look: 12 MiB, 3 passes, one lane (a choice of the OWASP Password Storage Cheat Sheet).
const MEMORY_KIB: u32 = 12 * 1024;
const PASSES: u32 = 3;
/// Looked at side by side: recording has the processor, and 12 MiB is what this may take of the memory.
const AT_ONCE: usize = 1;
/// Waiting for their turn: some seconds; more are sent away at once.
const MOST_WAITING: usize = 20;

/// Hashes passwords, few at a time.
#[derive(Clone, Debug)]
pub struct Hasher {
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// Compared against when there is no such account, so that the answer takes the same time.
    nobody: Arc<str>,
}

impl Hasher {
    /// # Errors
    /// Only if the cost parameters were refused.
    pub fn new() -> Result<Self, argon2::password_hash::Error> {
        Ok(Self {
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
            running: Arc::new(Semaphore::new(AT_ONCE)),
            nobody: hash(&random::hex::<16>())?.into(),
        })
    }

    /// Whether `password` is the one behind `kept`; as slow and never true without `kept`.
    ///
    /// # Errors
    /// `busy` when too many wait already.
    pub async fn verify(&self, password: String, kept: Option<String>) -> Result<bool, Problem> {
        let nobody = self.nobody.clone();
        self.run(move || {
            let right = verify(&password, kept.as_deref().unwrap_or(&nobody));
            right && kept.is_some()
        })
        .await
    }

    /// The PHC string to keep.
    ///
    /// # Errors
    /// `busy` when too many wait already.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        self.run(move || hash(&password)).await?.map_err(Problem::internal)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _place = self.waiting.try_acquire().map_err(|_| Problem::busy(5))?;
        let turn = self.running.clone().acquire_owned().await.map_err(Problem::internal)?;
        // The turn goes along: a client that leaves does not make room for another while its password is looked at.
        let task = spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        task.await.map_err(Problem::internal)
    }
}

fn argon2() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string of a password with a fresh salt. Blocks for some tens of milliseconds.
pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    let salt = random::bytes::<16>();
    Ok(argon2()?.hash_password_with_salt(password.as_bytes(), &salt)?.to_string())
}

fn verify(password: &str, kept: &str) -> bool {
    // The cost comes from the kept string, so that a later release may raise it.
    Argon2::default().verify_password(password.as_bytes(), kept).is_ok()
}

/// # Errors
/// `password_refused` with the reason.
pub fn check_new(field: &str, password: &str, account: &str) -> Result<(), Problem> {
    let length = password.chars().count();
    let different = password.chars().collect::<std::collections::BTreeSet<_>>().len();
    let lower = password.to_lowercase();
    let (reason, title) = if length < MIN_LENGTH {
        ("too_short", format!("The new password is too short: at least {MIN_LENGTH} characters."))
    } else if length > MAX_LENGTH {
        ("too_long", format!("The new password is too long: at most {MAX_LENGTH} characters."))
    } else if lower.contains(&account.to_lowercase()) {
        ("contains_name", "The new password contains the name of the account: choose another.".to_owned())
    } else if different < LEAST_DIFFERENT || is_run(&lower) || lower.contains("password") {
        ("too_simple", "The new password is too simple: choose one that is hard to guess.".to_owned())
    } else {
        return Ok(());
    };
    Err(refused(field, reason, &title))
}

pub fn refused(field: &str, reason: &str, title: &str) -> Problem {
    Problem::new(Code::PasswordRefused, title)
        .with("field", field)
        .with("reason", reason)
        .with("min_length", MIN_LENGTH)
        .with("max_length", MAX_LENGTH)
}

/// Characters that only count up or down (`0123456789`, `abcdefghij`), or stand so on a keyboard.
fn is_run(lower: &str) -> bool {
    const KEYBOARD: [&str; 3] = ["qwertyuiopasdfghjklzxcvbnm", "1234567890", "0987654321"];
    let codes: Vec<i64> = lower.chars().map(|c| i64::from(u32::from(c))).collect();
    let counts = |step: i64| codes.windows(2).all(|pair| pair[1] - pair[0] == step);
    counts(1) || counts(-1) || KEYBOARD.iter().any(|row| row.contains(lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_password_is_recognised_and_no_other() {
        let kept = hash("correct horse").expect("hashed");
        assert!(kept.starts_with("$argon2id$v=19$m=12288,t=3,p=1$"), "{kept}");
        assert!(verify("correct horse", &kept));
        assert!(!verify("correct horsf", &kept));
        assert!(!verify("correct horse", "$argon2id$nonsense"));
        assert!(!verify("", ""));
        assert_ne!(kept, hash("correct horse").expect("hashed"), "a salt of its own");
    }

    #[tokio::test]
    async fn nobody_has_no_password_and_a_crowd_is_sent_away() {
        let hasher = Hasher::new().expect("a hasher");
        assert!(!hasher.verify("x".into(), None).await.expect("looked at"));
        let crowd: Vec<_> = (0..200)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.verify("x".into(), None).await })
            })
            .collect();
        let (mut looked_at, mut sent_away) = (0, 0);
        for one in crowd {
            match one.await.expect("no panic") {
                Ok(right) => {
                    assert!(!right);
                    looked_at += 1;
                }
                Err(problem) => {
                    assert_eq!(problem.code, Code::Busy);
                    sent_away += 1;
                }
            }
        }
        assert!(looked_at >= MOST_WAITING && sent_away > 0, "{looked_at} looked at, {sent_away} sent away");
        assert!(!hasher.verify("x".into(), None).await.expect("room again"));
    }

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        for (password, reason) in [
            ("short", "too_short"),
            ("录音录音录音录", "too_short"),
            ("admin-2026-x", "contains_name"),
            ("aaaaaaaaaaaa", "too_simple"),
            ("0123456789", "too_simple"),
            ("1234567890", "too_simple"),
            ("qwertyuiop", "too_simple"),
            ("Password2026", "too_simple"),
        ] {
            let problem = check_new("new", password, "admin").expect_err(password);
            assert_eq!(
                (problem.code, &problem.params["reason"]),
                (Code::PasswordRefused, &reason.into()),
                "{password}"
            );
        }
        assert!(check_new("new", &"x1y2z".repeat(60), "admin").is_err());
        for good in ["correct horse battery", "录音设备的新密码真的很长", &random::password()] {
            check_new("new", good, "admin").expect(good);
        }
    }
}
