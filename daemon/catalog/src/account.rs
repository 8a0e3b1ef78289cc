//! People who log in, and their rights.

use serde::{Deserialize, Serialize};

line::names! {
    /// What an account may do; each route of the API asks for one.
    Right {
        Live = "live", Listen = "listen", Download = "download", Annotate = "annotate", Delete = "delete",
        Alarms = "alarms", Settings = "settings", Audit = "audit", Accounts = "accounts", System = "system",
    }
}

/// An account as the journal keeps it: whole, so that the last entry of a name is all there is to know.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Login name; unique without regard to the case of its letters.
    pub name: String,
    #[serde(default)]
    pub display_name: String,
    /// PHC string (`$argon2id$…`).
    pub password_hash: String,
    /// Names of rights; a name that this release does not know is kept and grants nothing.
    #[serde(default)]
    pub rights: Vec<String>,
    /// The password must be changed before anything else is allowed.
    #[serde(default)]
    pub must_change: bool,
    #[serde(default)]
    pub disabled: bool,
    /// Language of the pages (`zh-CN`, `zh-TW`, `en`), if the person chose one.
    #[serde(default)]
    pub language: Option<String>,
    /// On a platform: it sees and manages this department and those below it; `None`: the whole tree.
    #[serde(default)]
    pub department: Option<String>,
}

impl Account {
    pub fn has(&self, right: Right) -> bool {
        self.rights.iter().any(|name| name == right.name())
    }

    /// Rights that this release knows.
    pub fn known_rights(&self) -> Vec<Right> {
        self.rights.iter().filter_map(|name| Right::from_name(name)).collect()
    }
}

/// The password hash stays out of logs.
impl std::fmt::Debug for Account {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Account")
            .field("name", &self.name)
            .field("display_name", &self.display_name)
            .field("rights", &self.rights)
            .field("must_change", &self.must_change)
            .field("disabled", &self.disabled)
            .field("language", &self.language)
            .field("department", &self.department)
            .finish_non_exhaustive()
    }
}

/// An account as the catalog shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    pub account: Account,
    pub created_us: i64,
    /// The last `login` in the audit trail that went well.
    pub last_login_us: Option<i64>,
}
