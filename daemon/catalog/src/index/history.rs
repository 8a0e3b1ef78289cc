//! Lists of alarms and of the audit trail, newest first: by journal sequence, which no clock can disturb.

use std::collections::BTreeSet;

use line::Severity;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Row, params_from_iter};

use crate::alarm::{Acknowledged, AlarmCategory, AlarmCode, AlarmRow, Params};
use crate::audit::{AuditEntry, AuditResult, AuditRow};
use crate::index::apply::{signed, unsigned};
use crate::index::named;
use crate::query::{AlarmQuery, AlarmState, AuditQuery, Cursor, Page, PageRequest};
use crate::scope::Scope;

/// A person who may see no more stations than these has their rows looked for by station.
const FEW_STATIONS: usize = 64;

/// Conditions joined by AND, with their values.
#[derive(Default)]
struct Where {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Where {
    fn and(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    /// `condition` with `?` for the value.
    fn with(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let numbered = condition.replace('?', &format!("?{}", self.values.len()));
        self.conditions.push(numbered);
    }

    fn with_some(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.with(condition, value);
        }
    }

    /// No values at all is no condition.
    fn one_of(&mut self, column: &str, values: Vec<Value>) {
        if !values.is_empty() {
            self.among(column, values);
        }
    }

    fn among(&mut self, column: &str, values: Vec<Value>) {
        let begin = self.values.len() + 1;
        let marks: Vec<String> = (begin..begin + values.len()).map(|at| format!("?{at}")).collect();
        self.values.extend(values);
        self.conditions.push(format!("{column} IN ({})", marks.join(", ")));
    }

    /// Rows that the person may see who is set as the one that looks (`sight`).
    fn scope(&mut self, (table, time): (&str, &str), own: &str, scope: &Scope) {
        if scope.is_everything() {
            return;
        }
        // Few stations: their rows are gone through by themselves. Many: the newest rows of all.
        if table == "alarm"
            && let Some(serials) = scope.stations()
        {
            let few: BTreeSet<String> = serials.take(FEW_STATIONS + 1).map(str::to_owned).collect();
            if few.len() <= FEW_STATIONS {
                self.alarms_of(own, &few);
            }
        }
        let department = if table == "audit" { "department" } else { "NULL" };
        let mut serial = format!("(SELECT serial FROM station WHERE id = {table}.station)");
        if table == "alarm" {
            serial = format!("coalesce({serial}, CASE WHEN {} THEN thing END)", told_by_platform());
        }
        self.conditions.push(format!("may_see('{table}', {serial}, port, {time}, {department})"));
    }

    /// Alarms of these stations, and those that their platform raises about them.
    fn alarms_of(&mut self, own: &str, serials: &BTreeSet<String>) {
        self.stations(own, serials);
        let Some(raised_there) = self.conditions.pop() else { return };
        let begin = self.values.len() + 1;
        let marks: Vec<String> = (begin..begin + serials.len()).map(|at| format!("?{at}")).collect();
        self.values.extend(serials.iter().cloned().map(Value::from));
        let about = format!("({} AND thing IN ({}))", told_by_platform(), marks.join(", "));
        self.conditions.push(format!("({raised_there} OR {about})"));
    }

    /// Rows of these stations; this box's own have none.
    fn stations(&mut self, own: &str, serials: &BTreeSet<String>) {
        let begin = self.values.len() + 1;
        let marks: Vec<String> = (begin..begin + serials.len()).map(|at| format!("?{at}")).collect();
        self.values.extend(serials.iter().cloned().map(Value::from));
        let ours = if serials.contains(own) { "station IS NULL OR " } else { "" };
        let among = marks.join(", ");
        self.conditions
            .push(format!("({ours}station IN (SELECT id FROM station WHERE serial IN ({among})))"));
    }

    fn text(&self) -> String {
        if self.conditions.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", self.conditions.join(" AND "))
        }
    }

    /// Reads one page of `columns` of `table`, and counts if asked to.
    fn page<T>(
        mut self,
        connection: &Connection,
        (table, columns): (&str, &str),
        page: PageRequest,
        read: fn(&Row<'_>) -> Result<T>,
        id: fn(&T) -> u64,
    ) -> Result<Page<T>> {
        let mut total = None;
        if page.count_up_to > 0 {
            let most = u64::from(page.count_up_to);
            let sql =
                format!("SELECT count(*) FROM (SELECT 1 FROM {table} {} LIMIT {})", self.text(), most + 1);
            let counted: u64 = connection
                .prepare_cached(&sql)?
                .query_row(params_from_iter(&self.values), |row| row.get(0).map(unsigned))?;
            total = Some((counted.min(most), counted > most));
        }
        if let Some(Cursor(after)) = page.after {
            self.with("id < ?", after);
        }
        let limit = page.held_limit();
        let sql =
            format!("SELECT {columns} FROM {table} {} ORDER BY id DESC LIMIT {}", self.text(), limit + 1);
        let mut find = connection.prepare_cached(&sql)?;
        let mut items = find.query_map(params_from_iter(&self.values), read)?.collect::<Result<Vec<T>>>()?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|item| Cursor(signed(id(item))));
        let (total, total_is_least) = total.map_or((None, false), |(total, least)| (Some(total), least));
        Ok(Page { items, next, total, total_is_least })
    }
}

/// An alarm that this box raises about a station; its thing is the serial number.
fn told_by_platform() -> String {
    let codes = AlarmCode::ALL.iter().filter(|code| code.is_about_a_station());
    let names: Vec<String> = codes.map(|code| format!("'{}'", code.name())).collect();
    format!("(station IS NULL AND code IN ({}))", names.join(", "))
}

const ALARM_COLUMNS: &str =
    "id, code, category, severity, port, thing, params, raised_us, last_raised_us, cleared_us,
     count, acknowledged_us, acknowledged_by, acknowledged_note, reported_us,
     (SELECT serial FROM station WHERE id = alarm.station)";

pub fn alarms(
    connection: &Connection,
    own: &str,
    scope: &Scope,
    query: &AlarmQuery,
    page: PageRequest,
) -> Result<Page<AlarmRow>> {
    let mut when = Where::default();
    when.scope(("alarm", "raised_us"), own, scope);
    if !query.stations.is_empty() {
        when.alarms_of(own, &query.stations);
    }
    match query.state {
        AlarmState::Current => when.and("cleared_us IS NULL"),
        AlarmState::History => when.and("cleared_us IS NOT NULL"),
        AlarmState::All => {}
    }
    when.with_some("raised_us >= ?", query.from_us);
    when.with_some("raised_us < ?", query.to_us);
    when.one_of("code", query.codes.iter().cloned().map(Value::from).collect());
    when.one_of("category", query.categories.iter().map(|one| Value::from(one.name().to_owned())).collect());
    when.one_of("severity", query.severities.iter().map(|one| Value::from(one.name().to_owned())).collect());
    when.one_of("port", query.ports.iter().map(|port| Value::from(i64::from(*port))).collect());
    match query.acknowledged {
        Some(true) => when.and("acknowledged_us IS NOT NULL"),
        Some(false) => when.and("acknowledged_us IS NULL"),
        None => {}
    }
    when.page(connection, ("alarm", ALARM_COLUMNS), page, alarm_row, |alarm| alarm.id)
}

pub fn alarm(connection: &Connection, id: u64) -> Result<Option<AlarmRow>> {
    let sql = format!("SELECT {ALARM_COLUMNS} FROM alarm WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([signed(id)], alarm_row).optional()
}

/// The same, if the person may see it.
pub fn alarm_in_scope(
    connection: &Connection,
    own: &str,
    scope: &Scope,
    id: u64,
) -> Result<Option<AlarmRow>> {
    let mut when = Where::default();
    when.scope(("alarm", "raised_us"), own, scope);
    when.with("id = ?", signed(id));
    let sql = format!("SELECT {ALARM_COLUMNS} FROM alarm {}", when.text());
    connection.prepare_cached(&sql)?.query_row(params_from_iter(&when.values), alarm_row).optional()
}

/// All current alarms of this box itself.
pub fn current_alarms(connection: &Connection) -> Result<Vec<AlarmRow>> {
    let sql =
        format!("SELECT {ALARM_COLUMNS} FROM alarm WHERE cleared_us IS NULL AND station IS NULL ORDER BY id");
    connection.prepare_cached(&sql)?.query_map([], alarm_row)?.collect()
}

/// How many alarms of each severity stand.
pub fn current_by_severity(
    connection: &Connection,
    own: &str,
    scope: &Scope,
) -> Result<Vec<(Severity, u64)>> {
    let mut when = Where::default();
    when.scope(("alarm", "raised_us"), own, scope);
    when.and("cleared_us IS NULL");
    let sql = format!("SELECT severity, count(*) FROM alarm {} GROUP BY severity", when.text());
    connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(&when.values), |row| {
            Ok((named(row, 0, Severity::from_name)?, unsigned(row.get(1)?)))
        })?
        .collect()
}

fn alarm_row(row: &Row<'_>) -> Result<AlarmRow> {
    let acknowledged_us: Option<i64> = row.get(11)?;
    Ok(AlarmRow {
        id: unsigned(row.get(0)?),
        station: row.get(15)?,
        code: row.get(1)?,
        category: named(row, 2, AlarmCategory::from_name)?,
        severity: named(row, 3, Severity::from_name)?,
        port: row.get(4)?,
        thing: row.get(5)?,
        params: object(row, 6)?,
        raised_us: row.get(7)?,
        last_raised_us: row.get(8)?,
        reported_us: row.get(14)?,
        cleared_us: row.get(9)?,
        count: unsigned(row.get(10)?),
        acknowledged: match acknowledged_us {
            None => None,
            Some(utc_us) => Some(Acknowledged { utc_us, account: row.get(12)?, note: row.get(13)? }),
        },
    })
}

pub fn audit_trail(
    connection: &Connection,
    own: &str,
    scope: &Scope,
    query: &AuditQuery,
    page: PageRequest,
) -> Result<Page<AuditRow>> {
    let mut when = Where::default();
    when.scope(("audit", "utc_us"), own, scope);
    if !query.stations.is_empty() {
        when.stations(own, &query.stations);
    }
    when.with_some("utc_us >= ?", query.from_us);
    when.with_some("utc_us < ?", query.to_us);
    when.with_some("account = ?", query.account.clone());
    when.with_some("item = ?", query.item.clone());
    when.with_some("port = ?", query.port.map(i64::from));
    when.with_some("operation = ?", query.operation.clone());
    when.with_some("result = ?", query.result.map(|result| result.name().to_owned()));
    when.with_some("instr(ip, ?) > 0", query.ip.clone());
    when.with_some(
        "instr(lower(concat_ws(char(10), account, display_name, ip, item, operation, params, detail)), lower(?)) > 0",
        query.text.clone().filter(|text| !text.is_empty()),
    );
    let columns =
        "id, utc_us, account, display_name, ip, item, port, operation, params, result, detail, department,
        (SELECT serial FROM station WHERE id = audit.station)";
    when.page(connection, ("audit", columns), page, audit_row, |row| row.id)
}

fn audit_row(row: &Row<'_>) -> Result<AuditRow> {
    Ok(AuditRow {
        id: unsigned(row.get(0)?),
        station: row.get(12)?,
        utc_us: row.get(1)?,
        entry: AuditEntry {
            account: row.get(2)?,
            display_name: row.get(3)?,
            department: row.get(11)?,
            ip: row.get(4)?,
            item: row.get(5)?,
            port: row.get(6)?,
            operation: row.get(7)?,
            params: object(row, 8)?,
            result: named(row, 9, AuditResult::from_name)?,
            detail: row.get(10)?,
        },
    })
}

fn object(row: &Row<'_>, at: usize) -> Result<Params> {
    let text = row.get_ref(at)?;
    Ok(serde_json::from_str(text.as_str()?).unwrap_or_default())
}
