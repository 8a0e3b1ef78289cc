//! The contacts as a file, which `contact_import` takes back.

use axum::extract::{RawQuery, State};
use catalog::{Contact, ContactQuery, Scope};

use super::Answer;
use super::export::{Format, Rows, Walk, file, language_of, station_cells};
use crate::app::App;
use crate::contacts::{Filters, sees_port};
use crate::problem::Problem;
use crate::query::Query;
use crate::role::Role;
use crate::session::Caller;
use crate::table::Cell;
use crate::time;
use crate::view::View;

/// With their widths in a spreadsheet.
pub const COLUMNS: [(&str, f64); 9] = [
    ("port", 8.0),
    ("number", 18.0),
    ("name", 16.0),
    ("department", 16.0),
    ("extension", 14.0),
    ("outside_number", 18.0),
    ("position", 14.0),
    ("email", 24.0),
    ("note", 30.0),
];

struct ContactRows {
    scope: Scope,
    view: View,
    query: ContactQuery,
    walk: Walk,
}

impl Rows for ContactRows {
    fn next(&mut self, app: &App) -> Result<Vec<Vec<Cell>>, Problem> {
        let rows = self.walk.next(|page| app.catalog().contacts(&self.scope, &self.query, page))?;
        Ok(rows.iter().map(|contact| self.cells(app, contact)).collect())
    }
}

impl ContactRows {
    fn cells(&self, app: &App, contact: &Contact) -> Vec<Cell> {
        let port = contact.port.as_ref().filter(|_| sees_port(&self.scope, contact, time::now_us()));
        let mut cells = match (port, app.served.role()) {
            (Some(at), _) => station_cells(app, &self.view, &at.station),
            (None, Role::Platform) => vec![Cell::Empty, Cell::Empty],
            (None, Role::Station) => Vec::new(),
        };
        cells.push(port.map_or(Cell::Empty, |at| Cell::Number(f64::from(at.port))));
        let texts = [
            &contact.number,
            &contact.name,
            &contact.department,
            &contact.extension,
            &contact.outside_number,
            &contact.position,
            &contact.email,
            &contact.note,
        ];
        cells
            .extend(texts.into_iter().map(|text| Cell::optional(Some(text).filter(|text| !text.is_empty()))));
        cells
    }
}

pub async fn export_contacts(
    State(app): State<App>,
    caller: Caller,
    RawQuery(asked): RawQuery,
    mut query: Query,
) -> Answer {
    let format = Format::of(&mut query)?;
    let language = language_of(&mut query, &caller)?;
    let filters = Filters::of(&mut query)?;
    query.finish()?;
    let who = caller.clone();
    let find = move |app: &App| {
        let (scope, query) = filters.asked_by(app, &who)?;
        let view = View::within(app, scope.clone());
        Ok(ContactRows { scope, view, query, walk: Walk::default() })
    };
    let rows = app.blocking(find).await?;
    file(app, caller, "contact", format, language, &COLUMNS, rows, asked).await
}
