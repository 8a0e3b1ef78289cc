//! The audit trail, as a list. Its export stands with the other files in `export`.

use axum::extract::State;
use catalog::AuditRow;
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{Answer, json_answer, page_json, page_request, scope_of};
use crate::app::App;
use crate::filters::audit_query;
use crate::query::Query;
use crate::session::Caller;
use crate::time;

fn audit_json(row: &AuditRow, zone: Tz) -> Value {
    json!({
        "id": row.id.to_string(),
        "time": time::in_zone(row.utc_us, zone),
        "account": row.entry.account,
        "display_name": row.entry.display_name,
        "ip": row.entry.ip,
        "item": row.entry.item,
        "port": row.entry.port,
        "operation": row.entry.operation,
        "parameters": row.entry.params,
        "result": row.entry.result.name(),
        "detail": row.entry.detail,
    })
}

pub async fn list_audit(State(app): State<App>, caller: Caller, mut query: Query) -> Answer {
    let page = page_request(&mut query)?;
    let filters = audit_query(&mut query)?;
    query.finish()?;
    let page =
        app.blocking(move |app| Ok(app.catalog().audit_trail(&scope_of(&caller), &filters, page)?)).await?;
    Ok(json_answer(&page_json(&page, |row| audit_json(row, app.zone()))))
}
