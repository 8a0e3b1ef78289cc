//! One connection to the mail server, step by step, so that what failed can be said: the connection, the certificate,
//! the login, the sender, one recipient, or the message. No step waits longer than its limit.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, response::Response};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::book::InForce;
use crate::settings::{Secret, Security};

/// What is kept of a server's own words.
const LONGEST_DETAIL: usize = 200;

line::names! {
    /// Why a message could not be sent.
    Reason {
        /// No connection: name, address, port, or the network between.
        Unreachable = "unreachable",
        /// It accepted the connection and then said nothing for too long.
        TimedOut = "timed_out",
        /// It closed the connection in the middle.
        Closed = "closed",
        /// What answers there does not speak SMTP.
        NoMailServer = "no_mail_server",
        /// STARTTLS was asked for, and the server does not offer it.
        NoTls = "no_tls",
        /// TLS could not be agreed on.
        TlsFailed = "tls_failed",
        /// The server's certificate is not one for its name by an authority that is trusted here.
        CertificateRefused = "certificate_refused",
        /// It offers no way to log in over this connection.
        NoLogin = "no_login",
        LoginRefused = "login_refused",
        SenderRefused = "sender_refused",
        RecipientRefused = "recipient_refused",
        MessageRefused = "message_refused",
    }
}

/// Why a message did not go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub reason: Reason,
    /// The server refused this message for this recipient for good (5xx): it is not sent again.
    pub permanent: bool,
    /// The server's own words, or those of the system, or what was missing; one line without the secret.
    pub detail: String,
}

/// An open connection that is logged in.
pub struct Post {
    connection: AsyncSmtpConnection,
    answer_within: Duration,
    secret: Option<Secret>,
    /// Somebody left in the middle: what comes next would not be understood.
    broken: bool,
}

/// What a server is greeted with: boxes have no name of their own in the DNS.
fn our_name() -> ClientId {
    ClientId::default()
}

impl Post {
    /// Connects, makes the connection safe as set, and logs in if there is a secret.
    ///
    /// # Errors
    /// Why not; never `permanent`, because a setting or the server has to change, not the message.
    pub async fn open(now: &InForce, answer_within: Duration) -> Result<Self, Failure> {
        Self::reach(now, answer_within).await.map_err(|failure| Failure { permanent: false, ..failure })
    }

    async fn reach(now: &InForce, answer_within: Duration) -> Result<Self, Failure> {
        let settings = &now.settings;
        let tls = match settings.security {
            Security::None => None,
            Security::Tls | Security::StartTls => Some(tls_parameters(now)?),
        };
        let (at_once, later) = match settings.security {
            Security::StartTls => (None, tls),
            Security::Tls | Security::None => (tls, None),
        };
        let server = (settings.server.as_str(), settings.port);
        let name = our_name();
        let connect = AsyncSmtpConnection::connect_tokio1(server, None, &name, at_once, None);
        let connection = limited(connect, answer_within, Reason::Unreachable).await?;
        let mut post = Self { connection, answer_within, secret: now.secret.clone(), broken: false };
        if let Some(tls) = later {
            post.start_tls(tls).await?;
        }
        if let Some(secret) = &now.secret {
            let account = settings.account.as_ref().unwrap_or(&settings.sender);
            post.log_in(Credentials::new(account.clone(), secret.reveal().to_owned())).await?;
        }
        Ok(post)
    }

    async fn start_tls(&mut self, tls: TlsParameters) -> Result<(), Failure> {
        if !self.connection.can_starttls() {
            return Err(failure(Reason::NoTls, false, "STARTTLS"));
        }
        let name = our_name();
        let upgraded = self.connection.starttls(tls, &name);
        limited(upgraded, self.answer_within, Reason::TlsFailed).await
    }

    async fn log_in(&mut self, credentials: Credentials) -> Result<(), Failure> {
        let ways = [Mechanism::Plain, Mechanism::Login];
        if self.connection.server_info().get_auth_mechanism(&ways).is_none() {
            return Err(failure(Reason::NoLogin, false, "PLAIN, LOGIN"));
        }
        let login = self.connection.auth(&ways, &credentials);
        let outcome = limited(login, self.answer_within, Reason::LoginRefused).await;
        outcome.map(drop).map_err(|failure| self.without_secret(failure))
    }

    /// Gives the server one message for one recipient.
    ///
    /// # Errors
    /// Why not. The connection may be used on unless it [`is_broken`](Self::is_broken).
    pub async fn send(&mut self, from: &Address, to: &Address, message: &[u8]) -> Result<(), Failure> {
        let sent = self.transaction(from, to, message).await;
        if let Err(failure) = &sent {
            self.start_over(failure).await;
        }
        sent.map_err(|failure| self.without_secret(failure))
    }

    /// After a refusal: the server forgets this message. One that cannot do that is left.
    async fn start_over(&mut self, failure: &Failure) {
        let refused = [Reason::SenderRefused, Reason::RecipientRefused, Reason::MessageRefused]
            .contains(&failure.reason);
        self.broken = !refused || self.command(Rset, Reason::Closed).await.is_err();
    }

    async fn transaction(&mut self, from: &Address, to: &Address, message: &[u8]) -> Result<(), Failure> {
        let of_sender = |failure: Failure| Failure { permanent: false, ..failure };
        self.command(Mail::new(Some(from.clone()), Vec::new()), Reason::SenderRefused)
            .await
            .map_err(of_sender)?;
        self.command(Rcpt::new(to.clone(), Vec::new()), Reason::RecipientRefused).await?;
        self.command(Data, Reason::MessageRefused).await?;
        let sending = self.connection.message(message);
        limited(sending, self.answer_within, Reason::MessageRefused).await.map(drop)
    }

    async fn command(
        &mut self,
        command: impl std::fmt::Display,
        refused: Reason,
    ) -> Result<Response, Failure> {
        limited(self.connection.command(command), self.answer_within, refused).await
    }

    /// Nothing more can be sent over it.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Says goodbye; a server that does not answer is left.
    pub async fn close(mut self) {
        let _ = timeout(self.answer_within.min(Duration::from_secs(2)), self.connection.quit()).await;
    }

    fn without_secret(&self, mut failure: Failure) -> Failure {
        if let Some(secret) = &self.secret {
            failure.detail = failure.detail.replace(secret.reveal(), "…");
        }
        failure
    }
}

fn tls_parameters(now: &InForce) -> Result<TlsParameters, Failure> {
    let wrong = |error: Error| failure(Reason::TlsFailed, false, &words(&error));
    let mut builder = TlsParameters::builder(now.settings.server.clone());
    if let Some(pem) = &now.settings.ca_certificate {
        // All that the text holds.
        builder = builder.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(wrong)?);
    }
    builder.build_rustls().map_err(wrong)
}

fn failure(reason: Reason, permanent: bool, detail: &str) -> Failure {
    let line: String = detail.split_whitespace().collect::<Vec<_>>().join(" ");
    Failure { reason, permanent, detail: line.chars().take(LONGEST_DETAIL).collect() }
}

/// The answer of a step, or why there is none; `refused` is what a refusal of this step means.
async fn limited<T>(
    step: impl Future<Output = Result<T, Error>>,
    within: Duration,
    refused: Reason,
) -> Result<T, Failure> {
    match timeout(within, step).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(why(&error, refused)),
        Err(_) => Err(failure(Reason::TimedOut, false, &format!("{} s", within.as_secs_f32()))),
    }
}

fn why(error: &Error, refused: Reason) -> Failure {
    if error.status().is_some() {
        // A server may also refuse to talk at all, in its greeting.
        return failure(refused, error.is_permanent(), &words(error));
    }
    let of_tls = causes(error).find_map(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
        inner.and_then(|inner| inner.downcast_ref()).or_else(|| cause.downcast_ref::<rustls::Error>())
    });
    let io_kind = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let reason = match (of_tls, io_kind) {
        (Some(rustls::Error::InvalidCertificate(_)), _) => Reason::CertificateRefused,
        (Some(_), _) => Reason::TlsFailed,
        _ if error.is_tls() => Reason::TlsFailed,
        _ if error.is_response() && words(error).contains("incomplete") => Reason::Closed,
        _ if error.is_response() => Reason::NoMailServer,
        (None, Some(io::ErrorKind::InvalidData)) => Reason::NoMailServer,
        (
            None,
            Some(
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionAborted,
            ),
        ) => Reason::Closed,
        _ => Reason::Unreachable,
    };
    failure(reason, false, &words(error))
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

/// The innermost words: those of the server, the certificate's checker or the system.
fn words(error: &Error) -> String {
    let innermost = causes(error).last().map(ToString::to_string);
    match error.status() {
        Some(code) => format!("{code} {}", innermost.unwrap_or_default()),
        None => innermost.unwrap_or_else(|| error.to_string()),
    }
}
