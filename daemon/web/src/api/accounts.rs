//! Accounts. Nobody can give, take or take over what they do not have, and somebody can always manage accounts.

use axum::extract::{Path, State};
use catalog::{Account, AccountRow, Right};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{Answer, created, done, expected_names, json_answer};
use crate::app::App;
use crate::fields::{Fields, Given};
use crate::password;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::role::Role;
use crate::scope::{check_department, manages, scope_of};
use crate::session::Caller;
use crate::time;
use crate::trail::Trail;
use crate::words::Language;

fn account_json(row: &AccountRow, zone: Tz) -> Value {
    let account = &row.account;
    json!({
        "name": account.name,
        "display_name": account.display_name,
        "rights": account.known_rights().iter().map(|right| right.name()).collect::<Vec<_>>(),
        "disabled": account.disabled,
        "language": account.language.as_deref().and_then(Language::from_name).map(Language::name),
        "must_change_password": account.must_change,
        "created_at": time::in_zone(row.created_us, zone),
        "department": account.department,
        "last_login_at": row.last_login_us.map(|us| time::in_zone(us, zone)),
    })
}

/// What the audit trail may know of an account.
fn trail_json(account: &Account) -> Value {
    json!({
        "display_name": account.display_name,
        "department": account.department,
        "rights": account.rights,
        "disabled": account.disabled,
    })
}

pub async fn list_accounts(State(app): State<App>, caller: Caller, query: Query) -> Answer {
    query.finish()?;
    app.blocking(move |app| {
        let scope = scope_of(app, &caller)?;
        let mut rows = app.catalog().accounts()?;
        rows.retain(|row| manages(&scope, row.account.department.as_deref()));
        let items: Vec<Value> = rows.iter().map(|row| account_json(row, app.zone())).collect();
        Ok(json_answer(&json!({ "items": items })))
    })
    .await
}

fn rights_of(fields: &mut Fields) -> Result<Option<Vec<Right>>, Problem> {
    let expected = format!("a list without repeats: {}", expected_names(Right::ALL, Right::name));
    fields.maybe("rights", &expected, |value| {
        let names = value.as_array()?;
        let mut rights =
            names.iter().map(|name| Right::from_name(name.as_str()?)).collect::<Option<Vec<_>>>()?;
        rights.sort_unstable();
        rights.dedup();
        (rights.len() == names.len()).then_some(rights)
    })
}

/// Nobody gives or takes a right that they lack.
fn check_rights<'a>(caller: &Caller, rights: impl IntoIterator<Item = &'a Right>) -> Result<(), Problem> {
    match rights.into_iter().find(|right| !caller.has(**right)) {
        None => Ok(()),
        Some(right) => {
            let right = right.name();
            let title = format!("You cannot give, take or take over the right `{right}`, which you lack.");
            Err(Problem::new(Code::RightNotYours, title).with("right", right))
        }
    }
}

/// `department` of a request: only a platform has any.
fn department_of(app: &App, fields: &mut Fields) -> Result<Given<String>, Problem> {
    match app.served.role() {
        Role::Platform => fields.nullable_text("department", 1..=64),
        Role::Station => Ok(Given::Absent),
    }
}

/// Somebody must be left who can manage accounts, on a platform those of the whole tree.
fn manages_all(account: &Account) -> bool {
    account.has(Right::Accounts) && !account.disabled && account.department.is_none()
}

fn check_one_left(app: &App, changed: &str, still_manages: bool) -> Result<(), Problem> {
    let manages = manages_all;
    let others =
        app.catalog().accounts()?.iter().any(|row| row.account.name != changed && manages(&row.account));
    if still_manages || others {
        return Ok(());
    }
    let title =
        format!("{changed} is the last account that can manage accounts: give another that right first.");
    Err(Problem::new(Code::AccountProtected, title)
        .with("name", changed)
        .with("reason", "last_with_accounts"))
}

/// A name that can be said, typed and put into an address.
fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    let plain = name.chars().all(|c| c.is_alphanumeric() || "._-@".contains(c));
    // Not `.` or `..`: clients take those out of an address.
    (1..=64).contains(&length) && plain && name.contains(char::is_alphanumeric)
}

pub async fn create_account(State(app): State<App>, caller: Caller, mut fields: Fields) -> Answer {
    let expected = "1 to 64 letters, digits, or . _ - @";
    let name = fields
        .required("name", expected, |value| value.as_str().filter(|name| is_name(name)).map(str::to_owned))?;
    let display_name = fields.text("display_name", 0..=64)?.unwrap_or_default();
    let rights = rights_of(&mut fields)?.ok_or_else(|| Problem::field_missing("rights"))?;
    let disabled = fields.flag("disabled")?.unwrap_or(false);
    let department = match department_of(&app, &mut fields)? {
        Given::Absent => caller.department.clone(),
        Given::Null => None,
        Given::Value(name) => Some(name),
    };
    let password = fields.required("password", "text", |value| value.as_str().map(str::to_owned))?;
    fields.finish()?;
    check_rights(&caller, &rights)?;
    password::check_new("password", &password, &name)?;
    let password_hash = app.hasher.hash(password).await?;
    let row = app
        .blocking(move |app| {
            let _one_at_a_time = app.one_at_a_time();
            check_department(app, &scope_of(app, &caller)?, department.as_deref())?;
            if app.catalog().account(&name)?.is_some() {
                let title = format!("There is already an account {name}.");
                return Err(Problem::new(Code::AccountExists, title).with("name", name));
            }
            let rights = rights.iter().map(|right| right.name().to_owned()).collect();
            let account = Account {
                name: name.clone(),
                display_name,
                password_hash,
                rights,
                must_change: true,
                disabled,
                language: None,
                department,
            };
            let trail = Trail::of(&caller, "account", "create").with("name", name.as_str());
            let trail = trail.with("after", trail_json(&account));
            trail.ended(app.catalog(), app.catalog().set_account(account).map_err(Problem::from))?;
            found(app, &caller, &name)
        })
        .await?;
    Ok(created(&account_json(&row, app.zone())))
}

/// The account an address names, if it is of the caller's department or one below.
fn found(app: &App, caller: &Caller, name: &str) -> Result<AccountRow, Problem> {
    let scope = scope_of(app, caller)?;
    let row = app.catalog().account(name)?;
    row.filter(|row| manages(&scope, row.account.department.as_deref()))
        .ok_or_else(|| Problem::not_found("account", name))
}

pub async fn change_account(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    mut fields: Fields,
) -> Answer {
    let display_name = fields.text("display_name", 0..=64)?;
    let rights = rights_of(&mut fields)?;
    let disabled = fields.flag("disabled")?;
    let department = department_of(&app, &mut fields)?;
    let password = fields.maybe("password", "text", |value| value.as_str().map(str::to_owned))?;
    fields.finish()?;
    let nothing = display_name.is_none() && rights.is_none() && disabled.is_none() && password.is_none();
    if nothing && department == Given::Absent {
        return Err(Problem::field_missing("display_name"));
    }
    let password_hash = match password {
        Some(password) => {
            password::check_new("password", &password, &name)?;
            Some(app.hasher.hash(password).await?)
        }
        None => None,
    };
    let row = app
        .blocking(move |app| {
            let _one_at_a_time = app.one_at_a_time();
            let mut row = found(app, &caller, &name)?;
            let before = row.account.clone();
            let account = &mut row.account;
            if let Some(display_name) = display_name {
                account.display_name = display_name;
            }
            if let Some(rights) = &rights {
                // Rights of a newer release stay: this one cannot judge them.
                let unknown = before.rights.iter().filter(|name| Right::from_name(name).is_none()).cloned();
                account.rights = rights.iter().map(|right| right.name().to_owned()).chain(unknown).collect();
            }
            account.disabled = disabled.unwrap_or(before.disabled);
            match department {
                Given::Absent => {}
                Given::Null => account.department = None,
                Given::Value(name) => account.department = Some(name),
            }
            let new_password = password_hash.is_some();
            if let Some(hash) = password_hash {
                account.password_hash = hash;
                account.must_change = true;
            }
            let trail = Trail::of(&caller, "account", "change").with("name", before.name.as_str());
            let trail = trail.with("before", trail_json(&before)).with("after", trail_json(account));
            let trail = trail.with("new_password", new_password);
            let allowed = may_change(app, &caller, &before, account);
            let changed = allowed.and_then(|()| Ok(app.catalog().set_account(account.clone())?));
            trail.ended(app.catalog(), changed)?;
            let moved = account.department != before.department;
            if account.rights != before.rights || account.disabled || new_password || moved {
                app.sessions.close_all(&before.name, None);
            } else {
                app.sessions.update(account);
            }
            Ok(row)
        })
        .await?;
    Ok(json_answer(&account_json(&row, app.zone())))
}

fn may_change(app: &App, caller: &Caller, before: &Account, after: &Account) -> Result<(), Problem> {
    // A new password is a way into the account: also what it keeps must be the caller's own.
    check_rights(caller, &before.known_rights())?;
    check_rights(caller, &after.known_rights())?;
    if after.department != before.department {
        check_department(app, &scope_of(app, caller)?, after.department.as_deref())?;
    }
    check_one_left(app, &before.name, manages_all(after))
}

pub async fn delete_account(State(app): State<App>, caller: Caller, Path(name): Path<String>) -> Answer {
    app.blocking(move |app| {
        let _one_at_a_time = app.one_at_a_time();
        let row = found(app, &caller, &name)?;
        let name = row.account.name.clone();
        let allowed = if name == caller.account {
            let title = "Nobody can remove their own account: let somebody else do it.";
            Err(Problem::new(Code::AccountProtected, title).with("name", name.as_str()).with("reason", "own"))
        } else {
            check_rights(&caller, &row.account.known_rights())
                .and_then(|()| check_one_left(app, &name, false))
        };
        let trail = Trail::of(&caller, "account", "delete").with("name", name.as_str());
        let trail = trail.with("before", trail_json(&row.account));
        let removed = allowed.and_then(|()| Ok(app.catalog().remove_account(&name)?));
        trail.ended(app.catalog(), removed)?;
        app.sessions.close_all(&name, None);
        Ok(())
    })
    .await?;
    Ok(done())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_can_be_typed_and_put_into_an_address() {
        for good in ["anna", "A.b-c_d@e", "值班员1"] {
            assert!(is_name(good), "{good}");
        }
        for wrong in ["", ".", "..", "a b", "a/b", "a\0", "..\\", &"x".repeat(65), "a\nb"] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_never_holds_a_separator(name in any::<String>()) {
            prop_assert!(!is_name(&name) || !name.contains(['/', '\\', ' ', '\n', '\0', '<', '"']));
        }
    }
}
