//! Contacts from a CSV file: every line is judged by itself, the report says what would become of it, and nothing is
//! written unless all of them are right.

use std::collections::{BTreeMap, HashSet};

use axum::extract::{Request, State};
use axum::response::Response;
use catalog::{Body, Contact};
use serde_json::{Value, json};

use super::contact_export::COLUMNS;
use super::{Answer, json_answer};
use crate::app::App;
use crate::contacts::{Asked, Judge, contact_trail, port_asked};
use crate::csv_file::{self, CsvFile, CsvLine};
use crate::fields::Given;
use crate::problem::{Code, Problem};
use crate::query::{Query, whole_of};
use crate::role::Role;
use crate::session::Caller;
use crate::trail::Trail;
use crate::words::{Language, TableWords};

/// What a line does.
enum Deed {
    Added(Box<Contact>),
    /// As it was, and as it is to be.
    Changed(Box<(Contact, Contact)>),
    Unchanged,
}

struct Line {
    /// Of the file.
    line: u64,
    number: String,
    name: String,
    deed: Result<Deed, Problem>,
}

/// The columns that a file of this box can have.
fn columns(role: Role) -> impl Iterator<Item = &'static str> {
    let stations = ["station", "serial"].into_iter().filter(move |_| role == Role::Platform);
    stations.chain(COLUMNS.iter().map(|(name, _)| *name))
}

pub async fn contact_template(State(app): State<App>, query: Query) -> Answer {
    query.finish()?;
    // The name of a station is there to be read, not to be set.
    let names = columns(app.served.role()).filter(|name| *name != "station");
    Ok(csv_file::template("contacts.csv", names))
}

pub async fn import_contacts(
    State(app): State<App>,
    caller: Caller,
    mut query: Query,
    request: Request,
) -> Answer {
    let check = query.one("check", "true or false", |text| text.parse::<bool>().ok())?.unwrap_or(false);
    query.finish()?;
    let bytes = csv_file::whole(request).await?;
    app.blocking(move |app| import(app, &caller, &bytes, check)).await
}

/// Blocks.
fn import(app: &App, caller: &Caller, bytes: &[u8], check: bool) -> Result<Response, Problem> {
    let _one_at_a_time = app.one_at_a_time();
    let lines = judged(app, caller, bytes)?;
    let count = |wanted: &str| lines.iter().filter(|line| result_of(line) == wanted).count();
    let (added, changed, unchanged, refused) =
        (count("added"), count("changed"), count("unchanged"), count("refused"));
    if !check {
        let trail = Trail::of(caller, "contact", "import");
        let trail = trail.with("added", added).with("changed", changed).with("unchanged", unchanged);
        if refused > 0 {
            let entry = trail.with("refused", refused).refused(Code::FieldInvalid);
            app.catalog().audit(entry)?;
        } else {
            let mut bodies = vec![trail.body()];
            bodies.extend(lines.iter().flat_map(|line| written(caller, line)));
            app.catalog().append(bodies)?;
        }
    }
    Ok(json_answer(&json!({
        "check": check,
        "applied": !check && refused == 0,
        "added": added,
        "changed": changed,
        "unchanged": unchanged,
        "refused": refused,
        "rows": lines.iter().map(row_json).collect::<Vec<_>>(),
    })))
}

/// What a line writes: the contact, and its own entry of the audit trail as if it had been typed in.
fn written(caller: &Caller, line: &Line) -> Vec<Body> {
    let trail = |operation: &str| Trail::of(caller, "contact", operation).with("import", true);
    match &line.deed {
        Ok(Deed::Added(contact)) => {
            let trail = trail("create").with("after", contact_trail(contact));
            vec![Body::ContactSet(contact.as_ref().clone()), trail.body()]
        }
        Ok(Deed::Changed(both)) => {
            let (before, after) = both.as_ref();
            let trail = trail("change").with("before", contact_trail(before));
            let trail = trail.with("after", contact_trail(after));
            vec![Body::ContactSet(after.clone()), trail.body()]
        }
        Ok(Deed::Unchanged) | Err(_) => Vec::new(),
    }
}

fn result_of(line: &Line) -> &'static str {
    match &line.deed {
        Ok(Deed::Added(_)) => "added",
        Ok(Deed::Changed(_)) => "changed",
        Ok(Deed::Unchanged) => "unchanged",
        Err(_) => "refused",
    }
}

fn row_json(line: &Line) -> Value {
    let problem = line.deed.as_ref().err();
    json!({
        "line": line.line,
        "number": line.number,
        "name": line.name,
        "result": result_of(line),
        "code": problem.map(|problem| problem.code.name()),
        "params": problem.map(|problem| &problem.params),
        "title": problem.map(|problem| problem.title.as_str()),
    })
}

/// Every line, judged as if it were typed in; a number may stand in one of them.
fn judged(app: &App, caller: &Caller, bytes: &[u8]) -> Result<Vec<Line>, Problem> {
    let known = headings(app.served.role());
    let file = CsvFile::read(bytes, |heading| known.get(heading).copied(), "number")?;
    let judge = Judge::of(app, caller)?;
    let mut seen = HashSet::new();
    let mut lines = Vec::with_capacity(file.lines().len());
    for line in file.lines() {
        let shown = |column: &str| -> String {
            file.value(line, column).unwrap_or_default().chars().take(64).collect()
        };
        let (number, name) = (shown("number"), shown("name"));
        let deed = if number.is_empty() || seen.insert(number.clone()) {
            deed_of(app, &judge, &file, line)
        } else {
            Err(Problem::field_invalid("number", "one that stands in the file once")
                .with("reason", "repeated"))
        };
        if let Err(problem) = &deed
            && problem.code.status().is_server_error()
        {
            return Err(problem.clone());
        }
        lines.push(Line { line: line.number, number, name, deed });
    }
    Ok(lines)
}

/// Columns by their names in the interface, and by the headings of our files in each language.
fn headings(role: Role) -> BTreeMap<String, &'static str> {
    let names = |column: &'static str| {
        let words = Language::ALL.iter().map(move |language| language.column(column).to_lowercase());
        words.chain([column.to_owned()]).map(move |name| (name, column))
    };
    columns(role).flat_map(names).collect()
}

fn deed_of(app: &App, judge: &Judge<'_>, file: &CsvFile, line: &CsvLine) -> Result<Deed, Problem> {
    file.check_length(line)?;
    let value = |column: &str| file.value(line, column);
    let text = |column: &str| value(column).map(str::to_owned);
    let number = text("number").filter(|number| !number.is_empty());
    let number = number.ok_or_else(|| Problem::field_missing("number"))?;
    let port = match value("port") {
        None => Given::Absent,
        Some("") => Given::Null,
        Some(port) => Given::Value(
            whole_of(port)
                .and_then(|port| u16::try_from(port).ok())
                .ok_or_else(|| Problem::field_invalid("port", "a port number from 1 to 65535"))?,
        ),
    };
    let station = match text("serial") {
        None => Given::Absent,
        Some(serial) if serial.is_empty() => Given::Null,
        Some(serial) => Given::Value(serial),
    };
    let asked = Asked {
        name: text("name"),
        department: text("department"),
        extension: text("extension"),
        outside_number: text("outside_number"),
        position: text("position"),
        email: text("email"),
        note: text("note"),
        port: port_asked(app, station, port)?,
    };
    let Some(before) = judge.known(&number)? else {
        return judge.made(number, None, asked).map(|made| Deed::Added(Box::new(made)));
    };
    if !judge.reads(&before) {
        return judge.made(number, Some(&before), asked).map(|made| Deed::Added(Box::new(made)));
    }
    judge.check_own(&before)?;
    let after = judge.changed(&before, asked)?;
    Ok(if after == before { Deed::Unchanged } else { Deed::Changed(Box::new((before, after))) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_language_is_read_and_no_heading_means_two_columns() {
        for role in [Role::Station, Role::Platform] {
            let known = headings(role);
            for column in columns(role) {
                assert_eq!(known.get(column), Some(&column));
                for language in Language::ALL {
                    let heading = language.column(column).to_lowercase();
                    assert_eq!(known.get(&heading), Some(&column), "{heading}");
                }
            }
        }
        assert_eq!(headings(Role::Station).get("serial"), None);
        assert_eq!(headings(Role::Platform).get("内部分机"), Some(&"extension"));
    }
}
