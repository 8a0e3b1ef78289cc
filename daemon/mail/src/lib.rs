//! E-mail push (PF-12): alarms as they come and go, a summary every day, a test when somebody asks for one. Off until
//! configured. See `README.md`.
//!
//! ```text
//! Mail::start(MailConfig { data, catalog, host, tuning }) -> io::Result<Mail> ; stop()
//! now() -> MailNow                settings, whether there is a secret, how each address fares, the test
//! change(&patch)                  members of the settings, `secret` among them
//! test(text)                      to all addresses that are set, switched on or not
//! ```

mod book;
mod delivery;
mod error;
mod events;
mod progress;
mod rounds;
mod service;
mod settings;
mod smtp;
mod summary;
mod tests_sent;
mod text;
mod words;

pub use error::MailError;
pub use progress::{Kind, Last};
pub use service::{Host, Mail, MailConfig, MailNow, RecipientNow, TestNow, TestState, Tuning};
pub use settings::{MOST_COLLECT_S, MOST_RECIPIENTS, MailSettings, Secret, Security};
pub use smtp::{Failure, Reason};
