//! The first account of a new box. Its password is random, told at each start until somebody has logged in and changed
//! it: no two boxes leave with the same one.

use catalog::{Account, Catalog, Right};

use crate::error::WebError;
use crate::password;
use crate::random;

/// The login name of the first account.
pub const FIRST_ACCOUNT: &str = "admin";

/// To be shown to whoever starts the box, and kept nowhere.
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

/// Makes the first account, with every right, if there is none yet, or gives it another password if nobody has used
/// the one before: it was told once, and perhaps seen by nobody. `None` when the box has its people. Blocks.
///
/// # Errors
/// When the catalog cannot be read or written.
pub fn ensure_first_account(catalog: &Catalog) -> Result<Option<FirstPassword>, WebError> {
    let failed = |source| WebError::FirstAccount { source };
    let accounts = match catalog.accounts() {
        Ok(accounts) => accounts,
        // The catalog is being made again from a long journal, or is damaged and will be: such a box has its people,
        // and goes on recording.
        Err(error) => {
            eprintln!("accounts cannot be read now: {error}");
            return Ok(None);
        }
    };
    let unused = |first: &Account| first.name == FIRST_ACCOUNT && first.must_change;
    match accounts.as_slice() {
        [] => {}
        [first] if unused(&first.account) => {}
        _ => return Ok(None),
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
        department: None,
    };
    catalog.set_account(account).map_err(failed)?;
    Ok(Some(FirstPassword { account: FIRST_ACCOUNT.into(), password }))
}

/// Whether the password that was told at the start is still the first account's: nobody has changed it yet. One that
/// cannot be looked up counts on. Blocks.
pub fn first_password_counts(catalog: &Catalog) -> bool {
    catalog.accounts().map_or(true, |accounts| {
        accounts.iter().any(|known| known.account.name == FIRST_ACCOUNT && known.account.must_change)
    })
}
