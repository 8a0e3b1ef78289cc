//! Journal entries about alarms, accounts and the audit trail.

use rusqlite::{Result, params};

use super::{Origin, Work, signed};
use crate::audit::AuditResult;
use crate::entry::{AlarmAcknowledged, AlarmRaised, Body, Entry};

impl Work<'_> {
    pub fn alarm_raised(&self, entry: &Entry, raised: &AlarmRaised, origin: Origin) -> Result<()> {
        let params = serde_json::Value::Object(raised.params.clone()).to_string();
        let again = self
            .sql
            .prepare_cached(
                "UPDATE alarm SET last_raised_us = ?1, count = count + ?2, params = ?3, severity = ?4
                 WHERE cleared_us IS NULL AND code = ?5 AND port IS ?6 AND thing IS ?7 AND station IS ?8",
            )?
            .execute(params![
                entry.utc_us,
                signed(raised.times),
                params,
                raised.severity.name(),
                raised.code,
                raised.port,
                raised.thing,
                origin.station
            ])?;
        if again > 0 {
            return Ok(());
        }
        self.run(
            "INSERT INTO alarm (id, code, category, severity, port, thing, params, raised_us, last_raised_us, count, station,
                 station_entry, reported_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11, ?12)",
            params![
                signed(entry.sequence),
                raised.code,
                raised.category.name(),
                raised.severity.name(),
                raised.port,
                raised.thing,
                params,
                entry.utc_us,
                signed(raised.times),
                origin.station,
                origin.entry,
                origin.reported_us.unwrap_or(entry.utc_us)
            ],
        )
    }

    /// An alarm is named by the number of the entry that raised it, at the box that says so.
    pub fn alarm_acknowledged(&self, entry: &Entry, seen: &AlarmAcknowledged, origin: Origin) -> Result<()> {
        let which = match origin.station {
            None => "id = ?4 AND ?5 IS NULL",
            Some(_) => "station_entry = ?4 AND station = ?5",
        };
        self.run(
            &format!(
                "UPDATE alarm SET acknowledged_us = ?1, acknowledged_by = ?2, acknowledged_note = ?3 WHERE {which}"
            ),
            params![entry.utc_us, seen.account, seen.note, signed(seen.alarm), origin.station],
        )
    }

    pub fn account_entry(&self, entry: &Entry, origin: Origin) -> Result<()> {
        match &entry.body {
            Body::AccountSet(account) => self.run(
                "INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?9, ?8, NULL) ON CONFLICT (name) DO UPDATE SET
                 name = excluded.name, display_name = excluded.display_name, password_hash = excluded.password_hash,
                 rights = excluded.rights, must_change = excluded.must_change, disabled = excluded.disabled,
                 language = excluded.language, department = excluded.department",
                params![
                    account.name,
                    account.display_name,
                    account.password_hash,
                    account.rights.join(" "),
                    account.must_change,
                    account.disabled,
                    account.language,
                    entry.utc_us,
                    account.department
                ],
            ),
            Body::AccountRemoved(name) => self.run("DELETE FROM account WHERE name = ?1", [&name.name]),
            Body::Audit(audit) => {
                let params = serde_json::Value::Object(audit.params.clone()).to_string();
                self.run(
                    "INSERT INTO audit VALUES (?1, ?12, ?2, ?3, ?4, ?13, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                    params![
                        signed(entry.sequence),
                        entry.utc_us,
                        audit.account,
                        audit.display_name,
                        audit.ip,
                        audit.item,
                        audit.port,
                        audit.operation,
                        params,
                        audit.result.name(),
                        audit.detail,
                        origin.station,
                        audit.department
                    ],
                )?;
                let here = origin.station.is_none();
                if here && audit.operation == "login" && audit.result == AuditResult::Ok {
                    let sql = "UPDATE account SET last_login_us = ?1 WHERE name = ?2";
                    return self.run(sql, params![entry.utc_us, audit.account]);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
