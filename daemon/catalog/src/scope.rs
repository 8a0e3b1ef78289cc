//! What a person may see. Every query takes one; on a fresh station it is everything.

use std::collections::BTreeSet;

/// Stations and ports that a query is held to, both joined by AND.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Serial numbers.
    pub stations: Only<String>,
    pub ports: Only<u16>,
}

/// Everything, or these and no others (none of them: nothing at all).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Only<T> {
    All,
    These(BTreeSet<T>),
}

impl Scope {
    /// No limit.
    pub fn everything() -> Self {
        Self { stations: Only::All, ports: Only::All }
    }

    /// These ports of every station.
    pub fn ports(ports: impl IntoIterator<Item = u16>) -> Self {
        Self { stations: Only::All, ports: Only::These(ports.into_iter().collect()) }
    }
}

impl<T: Ord> Only<T> {
    pub fn allows(&self, thing: &T) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(thing),
        }
    }
}
