//! Writes into the audit trail that the box took a change of its network back by itself: nobody asked for that, so that no
//! request could write it. Whatever ended meanwhile, it is written once.

use std::time::Duration;

use appliance::{Ended, Outcome};
use catalog::{AuditEntry, AuditQuery, AuditResult, AuditRow, PageRequest, Scope};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::problem::Problem;

/// While a change is being tried.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// While the appliance process does not answer: it may start after this one.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A box without one is left alone from then on, until somebody changes something.
const MOST_UNANSWERED: usize = 24;

/// Looks at the start, and whenever a change has begun. Never ends.
pub async fn run(app: App) {
    loop {
        watch_one(&app).await;
        app.network_changes.notified().await;
    }
}

/// Until none is being tried.
async fn watch_one(app: &App) {
    let mut unanswered = 0;
    while unanswered < MOST_UNANSWERED {
        let pause = match app.blocking(note).await {
            Ok(true) => return,
            Ok(false) => {
                unanswered = 0;
                LOOK_EVERY
            }
            Err(_) => {
                unanswered += 1;
                ASK_AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Whether none is being tried any more; how the last one ended is written by then. Blocks.
fn note(app: &App) -> Result<bool, Problem> {
    let now = app.served.appliance().network()?;
    if now.trying.is_some() {
        return Ok(false);
    }
    if let Some(last) = &now.last
        && by_itself(last.outcome)
        && !is_written(app, last)?
    {
        app.catalog().audit(entry(last))?;
    }
    Ok(true)
}

fn by_itself(outcome: Outcome) -> bool {
    match outcome {
        Outcome::NotConfirmed | Outcome::Interrupted | Outcome::Failed => true,
        Outcome::Confirmed | Outcome::Reverted => false,
    }
}

fn is_written(app: &App, last: &Ended) -> Result<bool, Problem> {
    let query = AuditQuery {
        stations: [app.served.info().serial].into(),
        item: Some("network".into()),
        operation: Some("rolled_back".into()),
        ..AuditQuery::default()
    };
    let newest = PageRequest { after: None, limit: 1, count_up_to: 0 };
    let page = app.catalog().audit_trail(&Scope::everything(), &query, newest)?;
    // Changes are counted anew after a factory reset.
    let same = |row: &AuditRow| row.entry.params == params(last) && row.utc_us >= last.utc_us;
    Ok(page.items.first().is_some_and(same))
}

fn params(last: &Ended) -> Map<String, Value> {
    let params = json!({ "id": last.id, "outcome": last.outcome });
    params.as_object().cloned().unwrap_or_default()
}

fn entry(last: &Ended) -> AuditEntry {
    AuditEntry {
        account: None,
        display_name: None,
        ip: None,
        item: "network".into(),
        port: None,
        operation: "rolled_back".into(),
        params: params(last),
        result: AuditResult::Ok,
        detail: None,
        department: None,
    }
}
