//! Writes down who did what (PF-09): begun before an action, ended with how it went.

use catalog::{AuditEntry, AuditResult, Body, Catalog};
use serde_json::{Map, Value};

use crate::problem::{Code, Problem};
use crate::session::Caller;

/// An entry of the audit trail that still lacks its end.
#[derive(Clone, Debug)]
#[must_use]
pub struct Trail {
    entry: AuditEntry,
}

impl Trail {
    /// `item`: kind of thing acted on; `operation`: stable code.
    pub fn of(caller: &Caller, item: &str, operation: &str) -> Self {
        Self {
            entry: AuditEntry {
                account: Some(caller.account.clone()),
                display_name: Some(caller.display_name.clone()),
                ip: Some(caller.ip.to_string()),
                item: item.into(),
                port: None,
                operation: operation.into(),
                params: Map::new(),
                result: AuditResult::Ok,
                detail: None,
                department: caller.department.clone(),
            },
        }
    }

    pub fn port(mut self, port: u16) -> Self {
        self.entry.port = Some(port);
        self
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.entry.params.insert(name.to_owned(), value.into());
        self
    }

    /// The entry of an action that went well, to be written together with others.
    pub fn body(self) -> Body {
        Body::Audit(self.entry)
    }

    /// As `body`, for those who write audit entries only.
    pub fn entry(self) -> AuditEntry {
        self.entry
    }

    /// The entry of an action that was refused, to be written together with others.
    pub fn refused(mut self, code: Code) -> AuditEntry {
        (self.entry.result, self.entry.detail) = (AuditResult::Refused, Some(code.name().into()));
        self.entry
    }

    /// Writes that it went well.
    pub fn ok(self, catalog: &Catalog) -> Result<(), Problem> {
        Ok(catalog.audit(self.entry)?)
    }

    /// Writes how it ended and hands the result on. An action that cannot be written down counts as failed.
    pub fn ended<T>(mut self, catalog: &Catalog, result: Result<T, Problem>) -> Result<T, Problem> {
        if let Err(problem) = &result {
            let ours = problem.code.status().is_server_error();
            self.entry.result = if ours { AuditResult::Failed } else { AuditResult::Refused };
            self.entry.detail = Some(problem.code.name().into());
        }
        catalog.audit(self.entry)?;
        result
    }
}
