//! The way to the server for a number of messages: one connection as long as it holds, and one failure for all when
//! there is none.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use catalog::Catalog;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::{Address, address::AddressError};

use crate::book::InForce;
use crate::service::Host;
use crate::settings::MailSettings;
use crate::smtp::{Failure, Post, Reason};
use crate::text::{Text, Writer};

/// Messages of one moment are told apart by this.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Who writes, with the names of stations as they are now.
pub(crate) fn writer(catalog: &Catalog, host: &dyn Host, settings: &MailSettings) -> Writer {
    // Without a list of names, serial numbers do.
    let stations: HashMap<String, String> = catalog
        .devices()
        .map(|devices| devices.into_iter().map(|device| (device.serial, device.name)).collect())
        .unwrap_or_default();
    Writer {
        language: settings.language(),
        zone: host.zone(),
        name: host.name(),
        serial: host.serial(),
        stations,
        now_us: host.now_us(),
    }
}

/// Opened when the first message needs it.
pub(crate) struct Way {
    in_force: InForce,
    answer_within: Duration,
    post: Option<Post>,
    /// There is no way now: nothing more is tried.
    none: Option<Failure>,
}

impl Way {
    pub fn new(in_force: InForce, answer_within: Duration) -> Self {
        Self { in_force, answer_within, post: None, none: None }
    }

    /// # Errors
    /// Why the server did not take it.
    pub async fn send(&mut self, to: &str, text: &Text, host: &dyn Host) -> Result<(), Failure> {
        if let Some(failure) = &self.none {
            return Err(failure.clone());
        }
        let sender = &self.in_force.settings.sender;
        let (from, to, message) = message(sender, to, text, host).map_err(|error| Failure {
            reason: Reason::MessageRefused,
            permanent: true,
            detail: error,
        })?;
        let mut post = match self.post.take() {
            Some(post) => post,
            None => match Post::open(&self.in_force, self.answer_within).await {
                Ok(post) => post,
                Err(failure) => {
                    self.none = Some(failure.clone());
                    return Err(failure);
                }
            },
        };
        let sent = post.send(&from, &to, &message).await;
        if !post.is_broken() {
            self.post = Some(post);
        }
        sent
    }

    pub async fn close(self) {
        if let Some(post) = self.post {
            post.close().await;
        }
    }
}

/// Sender, recipient, and the message as it goes over the wire.
fn message(
    sender: &str,
    to: &str,
    text: &Text,
    host: &dyn Host,
) -> Result<(Address, Address, Vec<u8>), String> {
    let wrong = |error: AddressError| error.to_string();
    let from: Address = sender.parse().map_err(wrong)?;
    let to: Address = to.parse().map_err(wrong)?;
    let now_us = host.now_us();
    let count = COUNT.fetch_add(1, Relaxed);
    let id = format!("<{}.{now_us}.{count}@{}>", host.serial(), from.domain());
    let date = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(now_us).unwrap_or_default());
    let mut message = Message::builder()
        .from(Mailbox::new(Some(host.name()), from.clone()))
        .to(Mailbox::new(None, to.clone()))
        .subject(&text.subject)
        .header(ContentType::TEXT_PLAIN)
        .date(date)
        .message_id(Some(id))
        .body(text.body.clone())
        .map_err(|error| error.to_string())?;
    // RFC 3834: nobody's absence note answers it.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    message.headers_mut().insert_raw(HeaderValue::new(automatic, "auto-generated".into()));
    Ok((from, to, message.formatted()))
}
