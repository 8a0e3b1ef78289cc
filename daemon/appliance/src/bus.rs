//! The system bus (D-Bus). Each request connects anew: the bus may be started again, and requests are rare.

use std::time::Duration;

use zbus::connection::Builder;
use zbus::{Connection, DBusError, fdo};

use crate::error::ApplianceError;

/// The bus is on this machine: who has not let us in by then hangs.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Bus {
    address: Option<String>,
}

/// Why a call brought no answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Nobody does it: no such service, or it has gone, or it hangs.
    Nobody(String),
    /// The service is there, and older than this method.
    NoSuchMethod,
    /// The service said no, in these words.
    Said(String),
}

impl Bus {
    /// `None`: the system's.
    pub(crate) fn at(address: Option<String>) -> Self {
        Self { address }
    }

    /// `answer_within`: of each call on this connection.
    pub(crate) async fn connect(&self, answer_within: Duration) -> Result<Connection, ApplianceError> {
        let builder = match &self.address {
            Some(address) => Builder::address(address.as_str()),
            None => Builder::system(),
        };
        let connecting = builder.method_timeout(answer_within).build();
        match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(ApplianceError::NoBus { reason: error.to_string() }),
            Err(_) => {
                let reason = format!("it did not answer within {} s", CONNECT_WITHIN.as_secs());
                Err(ApplianceError::NoBus { reason })
            }
        }
    }
}

impl From<zbus::Error> for CallError {
    fn from(error: zbus::Error) -> Self {
        match error {
            zbus::Error::MethodError(name, words, _) => Self::Said(words.unwrap_or_else(|| name.to_string())),
            zbus::Error::FDO(error) => Self::from(*error),
            other => Self::Nobody(other.to_string()),
        }
    }
}

impl From<fdo::Error> for CallError {
    fn from(error: fdo::Error) -> Self {
        let words = || error.description().map_or_else(|| error.name().to_string(), str::to_owned);
        match error {
            fdo::Error::ZBus(error) => Self::from(error),
            fdo::Error::UnknownMethod(_) => Self::NoSuchMethod,
            fdo::Error::Failed(_)
            | fdo::Error::AccessDenied(_)
            | fdo::Error::InteractiveAuthorizationRequired(_)
            | fdo::Error::InvalidArgs(_)
            | fdo::Error::LimitsExceeded(_)
            | fdo::Error::NotSupported(_)
            | fdo::Error::FileNotFound(_) => Self::Said(words()),
            _ => Self::Nobody(words()),
        }
    }
}

impl CallError {
    /// As a failure of `service`; what the service itself says is for `said` to make a failure of.
    pub(crate) fn of(
        self,
        service: &'static str,
        said: impl FnOnce(String) -> ApplianceError,
    ) -> ApplianceError {
        match self {
            Self::Nobody(reason) => ApplianceError::NoService { service, reason },
            Self::NoSuchMethod => {
                let reason = "its release is too old for this".to_owned();
                ApplianceError::NoService { service, reason }
            }
            Self::Said(words) => said(words),
        }
    }
}
