//! The first account of a new box. Its password is random, told once, and must be changed at the first login: no two
//! boxes leave with the same one.

use catalog::{Account, Catalog, Right};

use crate::error::WebError;
use crate::password;
use crate::random;

/// The login name of the first account.
pub const FIRST_ACCOUNT: &str = "admin";

/// To be shown to whoever starts the box for the first time, and kept nowhere.
#[derive(Clone)]
pub struct FirstPassword {
    pub account: String,
    pub password: String,
}

/// The password stays out of logs.
impl std::fmt::Debug for FirstPassword {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("FirstPassword").field("account", &self.account).finish_non_exhaustive()
    }
}

/// Makes the first account if there is none yet, with every right; `None` when there are accounts already. Blocks.
///
/// # Errors
/// When the catalog cannot be read or written.
pub fn ensure_first_account(catalog: &Catalog) -> Result<Option<FirstPassword>, WebError> {
    let failed = |source| WebError::FirstAccount { source };
    if !catalog.accounts().map_err(failed)?.is_empty() {
        return Ok(None);
    }
    let password = random::password();
    let account = Account {
        name: FIRST_ACCOUNT.into(),
        display_name: String::new(),
        password_hash: password::hash(&password).map_err(WebError::Hash)?,
        rights: Right::ALL.iter().map(|right| right.name().to_owned()).collect(),
        must_change: true,
        disabled: false,
        language: None,
    };
    catalog.set_account(account).map_err(failed)?;
    Ok(Some(FirstPassword { account: FIRST_ACCOUNT.into(), password }))
}
