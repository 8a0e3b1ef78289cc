//! Deletions of what a query found that a stop of the box cut off: the trail lacks their end, and gets it at the next
//! start. What they had deleted by then stands in the trail record by record.

use std::collections::HashMap;

use catalog::{AuditEntry, AuditQuery, AuditResult, Catalog, Error, PageRequest, Scope};

/// Deletions that are looked back at; there are far fewer between two starts.
const LOOK_BACK: u32 = 200;

/// Writes down the end of each that this box, of the serial number `own`, has begun and not ended: what stations have
/// begun is theirs to end. Blocks.
///
/// # Errors
/// When the trail cannot be read or written.
pub fn end_what_was_cut(catalog: &Catalog, own: &str) -> Result<(), Error> {
    let query = AuditQuery {
        operation: Some("delete_found".into()),
        stations: [own.to_owned()].into(),
        ..AuditQuery::default()
    };
    let page = PageRequest { after: None, limit: LOOK_BACK, count_up_to: 0 };
    let newest_first = catalog.audit_trail(&Scope::everything(), &query, page)?.items;
    let cut = without_end(newest_first.into_iter().map(|row| row.entry));
    cut.into_iter().try_for_each(|entry| catalog.audit(entry))
}

/// The ends that are lacking. Numbers of jobs begin anew with each start: an end belongs to the last beginning before it.
fn without_end(newest_first: impl Iterator<Item = AuditEntry>) -> Vec<AuditEntry> {
    let mut ends = HashMap::<u64, u32>::new();
    let mut cut = Vec::new();
    for mut entry in newest_first {
        let Some(job) = entry.params.get("job").and_then(serde_json::Value::as_u64) else { continue };
        let open = ends.entry(job).or_default();
        if entry.params.contains_key("state") {
            *open += 1;
        } else if *open > 0 {
            *open -= 1;
        } else {
            entry.params.insert("state".into(), "failed".into());
            (entry.result, entry.detail) = (AuditResult::Failed, Some("cut_off".into()));
            cut.push(entry);
        }
    }
    cut.reverse();
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn entry(params: Value) -> AuditEntry {
        serde_json::from_value(json!({
            "account": "anna", "ip": "192.0.2.1", "item": "recording", "operation": "delete_found",
            "params": params, "result": "ok",
        }))
        .expect("an entry")
    }

    #[test]
    fn only_what_has_no_end_gets_one_and_only_once() {
        let oldest_first = [
            entry(json!({"job": 1, "count": 5})),
            entry(json!({"job": 1, "count": 5, "state": "done"})),
            entry(json!({"count": 9})),
            entry(json!({"job": 2, "count": 6})),
            // The next start.
            entry(json!({"job": 1, "count": 7})),
            entry(json!({"job": 3, "count": 8})),
            entry(json!({"job": 3, "count": 8, "state": "cancelled"})),
        ];
        let cut = without_end(oldest_first.iter().rev().cloned());
        let told: Vec<_> = cut.iter().map(|entry| (&entry.params["job"], &entry.params["count"])).collect();
        assert_eq!(told, [(&json!(2), &json!(6)), (&json!(1), &json!(7))]);
        assert!(cut.iter().all(|entry| entry.result == AuditResult::Failed && entry.account.is_some()));
        let after = oldest_first.into_iter().chain(cut).collect::<Vec<_>>();
        assert!(without_end(after.into_iter().rev()).is_empty());
    }
}
