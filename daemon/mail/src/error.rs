//! What can go wrong with e-mail before anything is sent; why a sending failed is a [`Failure`](crate::Failure).

use upkeep::kept::KeptError;

#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// A setting that cannot be.
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    /// The settings file cannot be read or written.
    #[error(transparent)]
    File(#[from] KeptError),
    /// A test message is on its way already.
    #[error("a test message is being sent: wait until it has arrived or failed")]
    TestRunning,
}
