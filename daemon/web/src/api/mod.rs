//! The handlers of `/api/v1`, a file a subject. Which route asks which right stands in `routes` alone.

pub mod accounts;
pub mod alarms;
pub mod audio;
pub mod audit;
pub mod box_settings;
pub mod channels;
pub mod clock;
pub mod commands;
pub mod contact_export;
pub mod contact_import;
pub mod contacts;
pub mod departments;
pub mod device_fields;
pub mod device_import;
pub mod device_list;
pub mod device_listen;
pub mod device_live;
pub mod device_ports;
pub mod device_spans;
pub mod devices;
pub mod download;
pub mod export;
pub mod found;
pub mod home;
pub mod listen;
pub mod live;
pub mod mail;
pub mod meta;
pub mod network;
pub mod platform_link;
pub mod ports;
pub mod pull;
pub mod recordings;
pub mod releases;
pub mod session;
pub mod units;
pub mod uplink;

use axum::response::{IntoResponse, Response};
use catalog::{Cursor, Page, PageRequest};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::query::Query;

/// What a handler answers.
pub type Answer = Result<Response, Problem>;

pub fn json_answer(value: &Value) -> Response {
    let mut response = value.to_string().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub fn created(value: &Value) -> Response {
    let mut response = json_answer(value);
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// 204.
pub fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// `limit` and `after`. Only the first page is counted.
pub fn page_request(query: &mut Query) -> Result<PageRequest, Problem> {
    let limit = query.whole("limit", 1..=200)?.unwrap_or(50) as u32;
    let after =
        query.one("after", "the `next` of a page of this list", |text| text.parse::<Cursor>().ok())?;
    let count_up_to = if after.is_none() { 10_000 } else { 0 };
    Ok(PageRequest { after, limit, count_up_to })
}

pub fn page_json<T>(page: &Page<T>, item: impl Fn(&T) -> Value) -> Value {
    json!({
        "items": page.items.iter().map(item).collect::<Vec<_>>(),
        "next": page.next.map(|cursor| cursor.to_string()),
        "total": page.total,
        "total_is_least": page.total_is_least,
    })
}

/// One of a fixed set of names, for `Query` and `Fields`.
pub fn expected_names<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> String {
    let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
    format!("one of {}", names.join(", "))
}
