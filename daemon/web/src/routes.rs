//! The one table of routes: method, path, who may, handler. The router is built from it, `openapi.json` is tested
//! against it, and nothing is reachable that does not stand here.

use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Router, response::IntoResponse};
use catalog::Right;
use hyper::Method;

use crate::api::{
    accounts, alarms, audio, audit, box_settings, channels, clock, commands, contact_export, contact_import,
    contacts, departments, device_import, device_list, device_listen, device_ports, devices, download,
    export, found, home, listen, live, mail, meta, network, platform_link, ports, pull, recordings, releases,
    session, units, uplink,
};
use crate::app::App;
use crate::guard::{Access, guard};
use crate::headers;
use crate::pages;
use crate::problem::Problem;
use crate::role::{Role, elsewhere};

/// Where the interface lives.
pub const BASE: &str = "/api/v1";

/// One route of the interface.
pub struct Route {
    pub method: Method,
    /// Under [`BASE`], as `openapi.json` writes it.
    pub path: &'static str,
    /// The roles of a box in which it exists.
    pub roles: &'static [Role],
    pub access: Access,
    handler: MethodRouter<App>,
}

const BOTH: &[Role] = &[Role::Station, Role::Platform];
const STATION: &[Role] = &[Role::Station];
const PLATFORM: &[Role] = &[Role::Platform];

fn route<H, T>(
    method: Method,
    path: &'static str,
    roles: &'static [Role],
    access: Access,
    handler: H,
) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    let handler = on(filter(&method), handler);
    Route { method, path, roles, access, handler }
}

fn filter(method: &Method) -> MethodFilter {
    match *method {
        Method::POST => MethodFilter::POST,
        Method::PATCH => MethodFilter::PATCH,
        Method::DELETE => MethodFilter::DELETE,
        Method::HEAD => MethodFilter::HEAD,
        _ => MethodFilter::GET,
    }
}

/// Every route of the interface.
#[rustfmt::skip] // a table
pub fn table() -> Vec<Route> {
    use Access::{Entering, Open, Right as R, RightByForm, Session, Token};
    use Right::{Accounts, Alarms, Annotate, Audit, Delete, Download, Listen, Live, Settings, System};
    let (get, head, post, patch, delete) = (Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE);
    vec![
        route(post.clone(), "/login", BOTH, Open, session::login),
        route(post.clone(), "/logout", BOTH, Entering, session::logout),
        route(get.clone(), "/session", BOTH, Entering, session::get_session),
        route(patch.clone(), "/session", BOTH, Entering, session::change_session),
        route(post.clone(), "/password", BOTH, Entering, session::change_password),
        route(get.clone(), "/box", BOTH, Session, meta::get_box),

        route(get.clone(), "/ports", STATION, R(Live), ports::list_ports),
        route(get.clone(), "/ports/{port}/recordings", STATION, R(Listen), ports::recall),
        route(post.clone(), "/ports/{port}/record", STATION, R(Settings), ports::record),
        route(post.clone(), "/ports/{port}/calibration", STATION, R(Settings), ports::calibrate),
        route(get.clone(), "/live", BOTH, R(Live), live::live),
        route(get.clone(), "/ports/{port}/listen", STATION, R(Listen), listen::listen_live),

        route(get.clone(), "/recordings", BOTH, R(Listen), recordings::list_recordings),
        route(get.clone(), "/recordings/export", BOTH, R(Listen), export::export_recordings),
        route(get.clone(), "/recordings/statistics", BOTH, R(Listen), recordings::recording_statistics),
        route(post.clone(), "/recordings/grade", BOTH, R(Annotate), recordings::grade_recordings),
        route(post.clone(), "/recordings/delete", BOTH, R(Delete), recordings::delete_recordings),
        route(post.clone(), "/recordings/download", BOTH, RightByForm(Download), download::download_recordings),
        route(get.clone(), "/recordings/found", BOTH, R(Listen), found::count_found),
        route(post.clone(), "/recordings/found/delete", BOTH, R(Delete), found::delete_found),
        route(post.clone(), "/recordings/found/download", BOTH, RightByForm(Download), found::download_found),
        route(get.clone(), "/jobs", BOTH, Session, found::list_jobs),
        route(get.clone(), "/jobs/{id}", BOTH, Session, found::get_job),
        route(post.clone(), "/jobs/{id}/cancel", BOTH, Session, found::cancel_job),
        route(post.clone(), "/recordings/{id}/fetch", PLATFORM, R(Listen), commands::fetch_recording),
        route(get.clone(), "/recordings/{id}", BOTH, R(Listen), recordings::get_recording),
        route(patch.clone(), "/recordings/{id}", BOTH, R(Annotate), recordings::annotate_recording),
        route(get.clone(), "/recordings/{id}/audio", BOTH, R(Listen), audio::recording_audio),
        route(head.clone(), "/recordings/{id}/audio", BOTH, R(Listen), audio::recording_audio),
        route(get.clone(), "/recordings/{id}/file", BOTH, R(Download), audio::recording_file),
        route(head, "/recordings/{id}/file", BOTH, R(Download), audio::recording_file),
        route(get.clone(), "/recordings/{id}/peaks", BOTH, R(Listen), audio::recording_peaks),
        route(post.clone(), "/recordings/{id}/tags", BOTH, R(Annotate), recordings::add_tag),
        route(delete.clone(), "/recordings/{id}/tags/{tag}", BOTH, R(Annotate), recordings::remove_tag),
        route(get.clone(), "/tags", BOTH, R(Annotate), recordings::list_tag_texts),

        route(get.clone(), "/home", PLATFORM, R(Live), home::get_home),
        route(get.clone(), "/vitals", PLATFORM, R(Live), home::get_vitals),
        route(get.clone(), "/devices", PLATFORM, R(Live), device_list::list_devices),
        route(post.clone(), "/devices", PLATFORM, R(Settings), devices::add_device),
        route(get.clone(), "/devices/import", PLATFORM, R(Settings), device_import::import_template),
        route(post.clone(), "/devices/import", PLATFORM, R(Settings), device_import::import_devices),
        route(get.clone(), "/devices/waiting", PLATFORM, R(Settings), device_list::list_waiting),
        route(post.clone(), "/devices/commands", PLATFORM, R(Settings), commands::command_devices),
        route(get.clone(), "/devices/{serial}", PLATFORM, R(Live), devices::get_device),
        route(patch.clone(), "/devices/{serial}", PLATFORM, R(Settings), devices::change_device),
        route(delete.clone(), "/devices/{serial}", PLATFORM, R(Settings), devices::remove_device),
        route(post.clone(), "/devices/{serial}/key", PLATFORM, R(Settings), devices::replace_key),
        route(get.clone(), "/devices/{serial}/pull", PLATFORM, R(Live), pull::get_pull),
        route(patch.clone(), "/devices/{serial}/pull", PLATFORM, R(Settings), pull::change_pull),
        route(delete.clone(), "/devices/{serial}/pull", PLATFORM, R(Settings), pull::remove_pull),
        route(post.clone(), "/devices/{serial}/pull/fetch", PLATFORM, R(Settings), pull::fetch_now),
        route(get.clone(), "/devices/{serial}/ports", PLATFORM, R(Live), device_ports::list_device_ports),
        route(patch.clone(), "/devices/{serial}/ports", PLATFORM, R(Settings), device_ports::change_device_ports),
        route(get.clone(), "/devices/{serial}/ports/{port}/listen", PLATFORM, R(Listen), device_listen::listen_device),
        route(get.clone(), "/commands", PLATFORM, R(Live), commands::list_commands),
        route(get.clone(), "/commands/{id}", PLATFORM, R(Live), commands::get_command),
        route(post.clone(), "/commands/{id}/cancel", PLATFORM, R(Settings), commands::cancel_command),
        route(get.clone(), "/releases", PLATFORM, R(System), releases::list_releases),
        route(post.clone(), "/releases", PLATFORM, R(System), releases::add_release),
        route(delete.clone(), "/releases/{sha256}", PLATFORM, R(System), releases::remove_release),
        route(get.clone(), "/departments", PLATFORM, R(Live), departments::list_departments),
        route(post.clone(), "/departments", PLATFORM, R(Accounts), departments::create_department),
        route(patch.clone(), "/departments/{name}", PLATFORM, R(Accounts), departments::change_department),
        route(delete.clone(), "/departments/{name}", PLATFORM, R(Accounts), departments::remove_department),
        route(get.clone(), "/settings/server", PLATFORM, R(System), home::get_platform_settings),
        route(patch.clone(), "/settings/server", PLATFORM, R(System), home::change_platform_settings),

        route(get.clone(), "/alarms", BOTH, R(Live), alarms::list_alarms),
        route(post.clone(), "/alarms/{id}/acknowledge", BOTH, R(Alarms), alarms::acknowledge_alarm),

        route(get.clone(), "/channels", STATION, R(Settings), channels::list_channels),
        route(patch.clone(), "/channels", STATION, R(Settings), channels::change_channels),
        route(post.clone(), "/channels/undo", STATION, R(Settings), channels::undo_channels),
        route(post.clone(), "/channels/volts/reset", STATION, R(Settings), channels::reset_volts),

        route(get.clone(), "/settings/box", STATION, R(Settings), box_settings::get_box_settings),
        route(patch.clone(), "/settings/box", STATION, R(Settings), box_settings::change_box_settings),

        route(get.clone(), "/uplink", STATION, Token, uplink::take_uplink),
        route(get.clone(), "/uplink/token", STATION, R(Settings), uplink::get_token),
        route(post.clone(), "/uplink/token", STATION, R(Settings), uplink::make_token),
        route(delete.clone(), "/uplink/token", STATION, R(Settings), uplink::remove_token),
        route(get.clone(), "/units", STATION, R(Settings), units::list_units),
        route(patch.clone(), "/units", STATION, R(Settings), units::change_units),
        route(get.clone(), "/units/found", STATION, R(Settings), units::find_units),
        route(post.clone(), "/units/apply", STATION, R(Settings), units::apply_units),
        route(get.clone(), "/settings/platform", STATION, R(Settings), platform_link::get_platform_link),
        route(patch.clone(), "/settings/platform", STATION, R(Settings), platform_link::change_platform_link),
        route(get.clone(), "/settings/clock", BOTH, R(System), clock::get_clock),
        route(patch.clone(), "/settings/clock", BOTH, R(System), clock::change_clock),
        route(post.clone(), "/settings/clock/set", BOTH, R(System), clock::set_clock),
        route(post.clone(), "/settings/clock/step", BOTH, R(System), clock::step_clock),
        route(get.clone(), "/settings/mail", BOTH, R(System), mail::get_mail),
        route(patch.clone(), "/settings/mail", BOTH, R(System), mail::change_mail),
        route(post.clone(), "/settings/mail/test", BOTH, R(System), mail::test_mail),

        route(get.clone(), "/settings/network", BOTH, R(System), network::get_network),
        route(patch.clone(), "/settings/network", BOTH, R(System), network::change_network),
        route(post.clone(), "/settings/network/confirm", BOTH, R(System), network::confirm_network),
        route(post.clone(), "/settings/network/revert", BOTH, R(System), network::revert_network),

        route(get.clone(), "/audit", BOTH, R(Audit), audit::list_audit),
        route(get.clone(), "/audit/export", BOTH, R(Audit), export::export_audit),

        route(get.clone(), "/accounts", BOTH, R(Accounts), accounts::list_accounts),
        route(post.clone(), "/accounts", BOTH, R(Accounts), accounts::create_account),
        route(patch.clone(), "/accounts/{name}", BOTH, R(Accounts), accounts::change_account),
        route(delete.clone(), "/accounts/{name}", BOTH, R(Accounts), accounts::delete_account),

        route(get.clone(), "/contacts", BOTH, R(Live), contacts::list_contacts),
        route(get.clone(), "/contacts/export", BOTH, R(Live), contact_export::export_contacts),
        route(get.clone(), "/contacts/import", BOTH, R(Settings), contact_import::contact_template),
        route(post.clone(), "/contacts/import", BOTH, R(Settings), contact_import::import_contacts),
        route(post, "/contacts", BOTH, R(Settings), contacts::create_contact),
        route(patch, "/contacts/{number}", BOTH, R(Settings), contacts::change_contact),
        route(delete, "/contacts/{number}", BOTH, R(Settings), contacts::delete_contact),

        route(get.clone(), "/openapi.json", BOTH, Open, meta::get_openapi),
        route(get, "/health", BOTH, Open, meta::get_health),
    ]
}

/// The interface and the pages.
pub fn router(app: &App) -> Router {
    let mut interface = Router::new();
    for route in table() {
        let guarded = if route.roles.contains(&app.served.role()) {
            route.handler.layer(from_fn_with_state((app.clone(), route.access), guard))
        } else {
            on(filter(&route.method), elsewhere)
        };
        interface = interface.route(&format!("{BASE}{}", route.path), guarded);
    }
    interface
        .fallback(pages::serve)
        .method_not_allowed_fallback(async |request: Request| {
            Problem::method_not_allowed(request.method()).into_response()
        })
        .layer(from_fn(headers::secure))
        .with_state(app.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeMap;

    /// The contract names the same routes with the same rights, and nothing else.
    #[test]
    fn the_contract_and_the_table_are_the_same() {
        let document: Value = serde_json::from_str(meta::OPENAPI).expect("JSON");
        let mut contract = BTreeMap::new();
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let right = operation["x-right"].as_str().expect("a right").to_owned();
                let roles = operation["x-role"].as_array().expect("roles");
                let roles: Vec<String> =
                    roles.iter().map(|role| role.as_str().expect("a role").to_owned()).collect();
                contract.insert((path.clone(), method.to_uppercase()), (right, roles));
            }
        }
        let table: BTreeMap<_, _> = table()
            .iter()
            .map(|route| {
                let roles: Vec<String> = route.roles.iter().map(|role| role.name().to_owned()).collect();
                let key = (route.path.to_owned(), route.method.to_string());
                (key, (route.access.name().to_owned(), roles))
            })
            .collect();
        assert_eq!(table, contract);
    }

    /// How many recordings a request may name is one number, here and in the contract.
    #[test]
    fn the_contract_says_how_many_ids_a_request_may_name() {
        fn lists_of_ids(value: &Value, found: &mut Vec<Value>) {
            match value {
                Value::Object(members) => {
                    for (name, member) in members {
                        let list = member.get("schema").unwrap_or(member);
                        if name == "ids" && list["type"] == "array" {
                            found.push(list["maxItems"].clone());
                        }
                        lists_of_ids(member, found);
                    }
                }
                Value::Array(values) => values.iter().for_each(|value| lists_of_ids(value, found)),
                _ => {}
            }
        }
        let document: Value = serde_json::from_str(meta::OPENAPI).expect("JSON");
        let mut found = Vec::new();
        lists_of_ids(&document["components"], &mut found);
        assert_eq!(found, vec![Value::from(recordings::MOST_IDS); 5]);
    }

    #[test]
    fn every_error_code_is_in_the_contract_with_its_status_and_an_example() {
        use crate::problem::Code;
        let document: Value = serde_json::from_str(meta::OPENAPI).expect("JSON");
        let named: Vec<&str> = document["components"]["schemas"]["ErrorCode"]["enum"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let ours: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(ours.len(), named.len());
        let responses = document["components"]["responses"].as_object().expect("responses");
        for code in Code::ALL {
            assert!(named.contains(&code.name()), "{}", code.name());
            let example = responses
                .values()
                .find_map(|response| {
                    response["content"]["application/problem+json"]["examples"].get(code.name())
                })
                .unwrap_or_else(|| panic!("no example of {}", code.name()));
            assert_eq!(example["value"]["status"], code.status().as_u16(), "{}", code.name());
        }
    }
}
