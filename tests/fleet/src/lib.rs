//! A fleet of simulated stations that speak the real protocol to a platform, and a judge of what arrived there.

pub mod call;
pub mod enrol;
pub mod fill;
pub mod judge;
pub mod load;
pub mod outbox;
pub mod station;
pub mod upload;

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    #[error(transparent)]
    Uplink(#[from] uplink::UplinkError),
    #[error(transparent)]
    Key(#[from] uplink::key::KeyError),
    #[error("{0}")]
    Limit(String),
}

/// Names a file in an I/O error.
pub(crate) fn io_at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> FleetError {
    let path = path.into();
    move |source| FleetError::Io { path, source }
}

/// The serial number of a simulated station.
pub fn serial(number: usize) -> String {
    format!("HKLN-9{number:013}")
}
