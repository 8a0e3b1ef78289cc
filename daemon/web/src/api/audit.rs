//! The audit trail, as a list. Its export stands with the other files in `export`.

use axum::extract::State;
use catalog::AuditRow;
use serde_json::{Value, json};

use super::{Answer, json_answer, page_json, page_request};
use crate::app::App;
use crate::filters::audit_query;
use crate::query::Query;
use crate::scope::{Part, scope_in};
use crate::session::Caller;
use crate::time;
use crate::view::View;

fn audit_json(row: &AuditRow, view: &View) -> Value {
    let station = view.station(row.station.as_deref());
    json!({
        "id": row.id.to_string(),
        "time": time::in_zone(row.utc_us, view.zone),
        "account": row.entry.account,
        "display_name": row.entry.display_name,
        "ip": row.entry.ip,
        "item": row.entry.item,
        "port": row.entry.port,
        "operation": row.entry.operation,
        "parameters": row.entry.params,
        "result": row.entry.result.name(),
        "detail": row.entry.detail,
        "station": station,
        "station_name": view.station_name(station),
        "department": row.entry.department,
    })
}

pub async fn list_audit(State(app): State<App>, caller: Caller, mut query: Query) -> Answer {
    let page = page_request(&mut query)?;
    let mut filters = audit_query(&mut query)?;
    let part = Part::of(&mut query)?;
    filters.stations = part.stations.clone();
    query.finish()?;
    app.blocking(move |app| {
        let scope = scope_in(app, &caller, &part)?;
        let (page, view) = (app.catalog().audit_trail(&scope, &filters, page)?, View::of(app, &caller)?);
        Ok(json_answer(&page_json(&page, |row| audit_json(row, &view))))
    })
    .await
}
