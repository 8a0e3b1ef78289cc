//! Contacts: the list, and the names that stand beside numbers and ports.
//!
//! A contact is found by its number. Its extension and its outside number stand for it as well, as long as nobody else
//! has them: extensions repeat from station to station, and a wrong name is worse than none. What somebody may not
//! read is not there for any of this.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, Result, Row, named_params, params};

use crate::contact::{Contact, ContactPort};
use crate::index::apply::unsigned;
use crate::query::{ContactQuery, Cursor, Page, PageRequest};
use crate::scope::Only;

const COLUMNS: &str =
    "number, name, department, note, extension, outside_number, position, email, station, port, newer";

/// A contact of no department is everybody's.
pub fn may_read(departments: &Only<String>, department: &str) -> bool {
    match departments {
        Only::All => true,
        Only::These(names) => department.is_empty() || names.contains(department),
    }
}

/// Contacts by number. The list is short: its cursor counts what was shown. Who filters by a port has to see it now.
pub fn list(
    connection: &Connection,
    departments: &Only<String>,
    query: &ContactQuery,
    page: PageRequest,
    now_us: i64,
) -> Result<Page<Contact>> {
    // Absent: all of them.
    let readable = match departments {
        Only::All => None,
        Only::These(names) => Some(serde_json::json!(names).to_string()),
    };
    let asked = query.departments.as_ref().map(|names| serde_json::json!(names).to_string());
    let members =
        ["number", "name", "department", "note", "extension", "outside_number", "position", "email"];
    let fragments = members
        .map(|member| format!("AND (:{member} IS NULL OR instr(lower({member}), lower(:{member})) > 0)"));
    let fits = format!(
        "(:readable IS NULL OR department = '' OR department IN (SELECT value FROM json_each(:readable)))
         AND (:asked IS NULL OR department IN (SELECT value FROM json_each(:asked)))
         AND (:text IS NULL OR instr(lower(concat_ws(char(10), {})), lower(:text)) > 0)
         {}
         AND (:station IS NULL OR station = :station) AND (:port IS NULL OR port = :port)
         AND (:station IS NULL AND :port IS NULL OR may_see('contact', station, port, :now_us, NULL))",
        members.join(", "),
        fragments.join("\n")
    );
    let values = named_params! {
        ":readable": readable, ":asked": asked, ":text": query.text, ":number": query.number, ":name": query.name,
        ":department": query.department, ":note": query.note, ":extension": query.extension,
        ":outside_number": query.outside_number, ":position": query.position, ":email": query.email,
        ":station": query.station, ":port": query.port, ":now_us": now_us,
    };
    let total: Option<u64> = if page.count_up_to > 0 {
        let sql = format!("SELECT count(*) FROM contact WHERE {fits}");
        Some(connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0).map(unsigned))?)
    } else {
        None
    };
    let (limit, shown) = (page.held_limit(), page.after.map_or(0, |cursor| cursor.0.max(0)));
    let sql = format!(
        "SELECT {COLUMNS} FROM contact WHERE {fits} ORDER BY number LIMIT {} OFFSET {shown}",
        limit + 1
    );
    let mut find = connection.prepare(&sql)?;
    let mut items = find.query_map(values, contact_row)?.collect::<Result<Vec<_>>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = more.then(|| Cursor(shown.saturating_add(limit as i64)));
    let most = u64::from(page.count_up_to);
    Ok(Page {
        items,
        next,
        total: total.map(|total| total.min(most)),
        total_is_least: total.is_some_and(|total| total > most),
    })
}

pub fn contact(connection: &Connection, number: &str) -> Result<Option<Contact>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM contact WHERE number = ?1"))?
        .query_row([number], contact_row)
        .optional()
}

/// Writes a contact over the one of its number.
pub fn set(connection: &Connection, contact: &Contact) -> Result<()> {
    let newer = if contact.newer.is_empty() {
        None
    } else {
        Some(serde_json::Value::Object(contact.newer.clone()).to_string())
    };
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO contact ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        ))?
        .execute(params![
            contact.number,
            contact.name,
            contact.department,
            contact.note,
            contact.extension,
            contact.outside_number,
            contact.position,
            contact.email,
            contact.port.as_ref().map(|at| &at.station),
            contact.port.as_ref().map(|at| at.port),
            newer,
        ])
        .map(drop)
}

fn contact_row(row: &Row<'_>) -> Result<Contact> {
    let at: (Option<String>, Option<u16>) = (row.get(8)?, row.get(9)?);
    let newer: Option<String> = row.get(10)?;
    Ok(Contact {
        number: row.get(0)?,
        name: row.get(1)?,
        department: row.get(2)?,
        note: row.get(3)?,
        extension: row.get(4)?,
        outside_number: row.get(5)?,
        position: row.get(6)?,
        email: row.get(7)?,
        port: at.0.zip(at.1).map(|(station, port)| ContactPort { station, port }),
        // It was JSON when it was put there.
        newer: newer.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
    })
}

/// The users of a station's ports, where there is but one that may be read.
pub fn users_of(
    connection: &Connection,
    departments: &Only<String>,
    station: &str,
) -> Result<BTreeMap<u16, String>> {
    let mut find =
        connection.prepare_cached("SELECT port, name, department FROM contact WHERE station = ?1")?;
    let mut rows = find.query([station])?;
    let mut users = BTreeMap::<u16, Option<String>>::new();
    while let Some(row) = rows.next()? {
        if may_read(departments, row.get_ref(2)?.as_str()?) {
            let name: String = row.get(1)?;
            users.entry(row.get(0)?).and_modify(|only| *only = None).or_insert(Some(name));
        }
    }
    Ok(users.into_iter().filter_map(|(port, only)| Some((port, only?))).collect())
}

/// The names that somebody reads beside numbers and ports. Each is looked up once.
pub struct Names<'a> {
    sql: &'a Connection,
    /// Whose contacts may be read.
    departments: &'a Only<String>,
    of_numbers: HashMap<String, Option<String>>,
    of_ports: HashMap<(String, u16), Option<String>>,
}

impl<'a> Names<'a> {
    pub fn new(sql: &'a Connection, departments: &'a Only<String>) -> Self {
        Self { sql, departments, of_numbers: HashMap::new(), of_ports: HashMap::new() }
    }

    pub fn of_number(&mut self, number: &str) -> Result<Option<String>> {
        if let Some(name) = self.of_numbers.get(number) {
            return Ok(name.clone());
        }
        let own = "SELECT name, department FROM contact WHERE number = ?1";
        let others = "SELECT name, department FROM contact WHERE extension = ?1 AND extension <> ''
             UNION ALL
             SELECT name, department FROM contact
             WHERE outside_number = ?1 AND outside_number <> '' AND extension <> ?1";
        let name = match self.only_one(own, params![number])? {
            Some(name) => Some(name),
            None => self.only_one(others, params![number])?,
        };
        self.of_numbers.insert(number.to_owned(), name.clone());
        Ok(name)
    }

    /// The user of a port.
    pub fn of_port(&mut self, station: &str, port: u16) -> Result<Option<String>> {
        let key = (station.to_owned(), port);
        if let Some(name) = self.of_ports.get(&key) {
            return Ok(name.clone());
        }
        let users = "SELECT name, department FROM contact WHERE station = ?1 AND port = ?2";
        let name = self.only_one(users, params![station, port])?;
        self.of_ports.insert(key, name.clone());
        Ok(name)
    }

    /// The name that is found, if it is the only one that may be read.
    fn only_one(&self, sql: &str, params: impl rusqlite::Params) -> Result<Option<String>> {
        let mut find = self.sql.prepare_cached(sql)?;
        let mut rows = find.query(params)?;
        let mut only = None;
        while let Some(row) = rows.next()? {
            if may_read(self.departments, row.get_ref(1)?.as_str()?) {
                if only.is_some() {
                    return Ok(None);
                }
                only = Some(row.get(0)?);
            }
        }
        Ok(only)
    }
}
