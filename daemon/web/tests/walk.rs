//! Every route of the contract as every kind of user: what belongs to another department is not there, whichever way it
//! is asked for. A route that is new here has to say what of another department it could be asked for.

mod house;

use std::collections::BTreeMap;

use house::organisation::{EVERY_RIGHT, NORTH, Organisation, SOUTH, SOUTHERN, Things};
use house::{Answer, Client, House, NEW_PASSWORD, contract};
use http_body_util::Full;
use hyper::{Method, header};
use serde_json::{Value, json};

/// A route of the contract.
struct Operation {
    method: Method,
    path: String,
    id: String,
    right: String,
    roles: Vec<String>,
    has_body: bool,
}

impl Operation {
    fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn needs_right(&self) -> bool {
        !["none", "session", "token"].contains(&self.right.as_str())
    }

    fn is_of(&self, role: &str) -> bool {
        self.roles.iter().any(|one| one == role)
    }
}

fn operations() -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in contract::document()["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("operations") {
            let text = |name: &str| operation[name].as_str().expect("text").to_owned();
            let roles = operation["x-role"].as_array().expect("roles").iter();
            operations.push(Operation {
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                id: text("operationId"),
                right: text("x-right"),
                roles: roles.map(|role| role.as_str().expect("a role").to_owned()).collect(),
                has_body: operation["requestBody"].is_object(),
            });
        }
    }
    assert!(operations.len() > 80, "{} routes", operations.len());
    operations
}

/// The address with this department's things in it. A parameter that is new has to say what it names.
fn address_of(path: &str, things: &Things) -> String {
    let parts = path.split('/').enumerate().map(|(place, part)| {
        let kind = path.split('/').nth(1).unwrap_or_default();
        match (part, kind) {
            ("{id}", "recordings") => things.recording.clone(),
            ("{id}", "alarms") => things.alarm.clone(),
            ("{id}", "commands") => things.command.clone(),
            // Jobs are an account's own; there is none of this number, and none of another's could be had.
            ("{id}", "jobs") => "1".to_owned(),
            // Releases are everybody's; there is none of this sum.
            ("{sha256}", "releases") => "ab".repeat(32),
            ("{tag}", _) => things.tag.clone(),
            ("{serial}", _) => things.serial.to_owned(),
            ("{port}", _) => "1".to_owned(),
            ("{number}", "contacts") => things.contact.to_owned(),
            ("{name}", "accounts") => things.account.to_owned(),
            ("{name}", "departments") => things.department.replace(' ', "%20"),
            (fixed, _) if !fixed.starts_with('{') => fixed.to_owned(),
            (unknown, _) => panic!("{path}: what of another department stands in {unknown} (part {place})?"),
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// A body with which the route gets as far as looking for the thing that its address names.
fn body_for(operation: &Operation) -> Value {
    match operation.id.as_str() {
        "annotate_recording" => json!({ "note": "x" }),
        "add_tag" => json!({ "sample": 1, "text": "x" }),
        "acknowledge_alarm" => json!({}),
        "change_account" => json!({ "display_name": "x" }),
        "change_contact" => json!({ "name": "x" }),
        "change_department" => json!({ "prefix": "X" }),
        "change_device" => json!({ "name": "x" }),
        "change_device_ports" => json!({ "ports": [1], "department": "North" }),
        "change_pull" => json!({ "every_hours": 2 }),
        "replace_key" => json!({ "fingerprint": "ab".repeat(32), "confirm": SOUTH }),
        other => panic!("{other}: which body gets as far as looking for the thing in the address?"),
    }
}

/// Asks for all that there is of another department: no entry has come behind this one.
fn found(operation: &Operation, filter: &str, of: &str) -> String {
    format!("{}?through={}&{filter}={of}", operation.path, u32::MAX)
}

/// What a route without parameters in its path could be asked of another department in its body or query: each must be
/// refused as if the thing were not there.
fn foreign_requests(operation: &Operation, of: &Things) -> Vec<(String, Value, Expected)> {
    use Expected::{Everything, NotFound, Nothing};
    let same = |body: Value, expected: Expected| vec![(operation.path.clone(), body, expected)];
    let ids = json!([of.recording]);
    match operation.id.as_str() {
        "grade_recordings" => same(json!({ "ids": ids, "grade": "important" }), Nothing),
        "delete_recordings" => same(json!({ "ids": ids, "count": 1 }), Nothing),
        "download_recordings" => same(json!({ "ids": ids }), NotFound),
        "delete_found" => vec![
            (found(operation, "station", of.serial), json!({ "count": 2 }), Expected::Mismatch),
            (found(operation, "department", of.department), json!({ "count": 2 }), NotFound),
        ],
        "download_found" => vec![
            (found(operation, "department", of.department), json!({}), NotFound),
            (found(operation, "station", of.serial), json!({}), Everything),
        ],
        "command_devices" => {
            same(json!({ "serials": [of.serial], "command": { "what": "set_contacts" } }), NotFound)
        }
        "create_account" => {
            let account = json!({ "name": "mole", "rights": [], "password": NEW_PASSWORD, "department": of.department });
            same(account, NotFound)
        }
        "create_contact" => {
            same(json!({ "number": "99", "name": "x", "department": of.department }), NotFound)
        }
        "create_department" => {
            same(json!({ "name": "x", "prefix": "XX", "parent": of.department }), NotFound)
        }
        "add_device" => {
            let device =
                json!({ "serial": "HKLN-9", "department": of.department, "fingerprint": "ab".repeat(32) });
            same(device, NotFound)
        }
        // These name nothing of another department: oneself, a file that is judged line by line, the platform.
        "login" | "logout" | "change_session" | "change_password" | "import_devices" | "import_contacts" => {
            Vec::new()
        }
        "add_release" => same(json!({}), Expected::NotYours),
        "change_platform_settings" => same(json!({ "settings": { "name": "x" } }), Expected::NotYours),
        "change_mail" => same(json!({ "settings": { "switched_on": true } }), Expected::WholeTree),
        "change_clock" => same(json!({ "settings": { "on": false } }), Expected::WholeTree),
        "set_clock" => same(json!({ "time": "2026-11-23T00:00:00Z" }), Expected::WholeTree),
        "step_clock" => same(json!({}), Expected::WholeTree),
        "test_mail" => same(json!({ "text": "x" }), Expected::WholeTree),
        "change_network" => same(json!({ "settings": { "interfaces": [] } }), Expected::WholeTree),
        "confirm_network" | "revert_network" => same(json!({ "id": 1 }), Expected::WholeTree),
        other => panic!("{other}: what of another department can its body name?"),
    }
}

/// How another department's thing is answered where the address does not name it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    /// 404, as for what is not there.
    NotFound,
    /// The same answer as for ids that are not there, and nothing is done.
    Nothing,
    /// 409: the query finds none.
    Mismatch,
    /// 403 `department_not_yours`.
    NotYours,
    /// 403 `right_missing`: that right counts for those who see the whole tree only.
    WholeTree,
    /// An answer in which nothing of theirs stands.
    Everything,
}

async fn ask(client: &Client, method: &Method, path: &str, body: Option<Value>) -> Answer {
    match body {
        Some(body) => client.with_body(method.clone(), path, body).await,
        None => client.bare(method.clone(), path).await,
    }
}

/// Status, code and kind of thing: what a client could tell a thing by.
fn seen(answer: &Answer) -> (u16, Value, Value) {
    let problem = answer.json();
    (answer.status, problem["code"].clone(), problem["params"]["what"].clone())
}

fn absent() -> Things {
    Things {
        department: "Nowhere",
        serial: "HKLN-00000000000009",
        account: "nobody",
        contact: "5550009",
        recording: "HKLN-00000000000009:1".into(),
        silent: "HKLN-00000000000009:2".into(),
        tag: "999999".into(),
        alarm: "999999".into(),
        command: "999999".into(),
    }
}

/// A word of South in an answer to somebody else. What they typed themselves stands in their own audit trail.
fn reveals(answer: &Answer, own_account: &str) -> Option<&'static str> {
    let mut list = answer.json();
    let text = match list["items"].as_array_mut() {
        Some(items) => {
            items.retain(|item| item["operation"].is_null() || item["account"] != own_account);
            list.to_string()
        }
        None => {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let others = text.lines().filter(|line| !line.contains(&format!(",{own_account},")));
            others.collect::<Vec<_>>().join("\n")
        }
    };
    SOUTHERN.into_iter().find(|word| text.contains(word))
}

/// Routes whose address names a thing, as somebody to whom it does not belong.
async fn walk_addresses(client: &Client, theirs: &Things, who: &str) -> usize {
    let mut walked = 0;
    for operation in operations().iter().filter(|one| one.is_of("platform") && one.path.contains('{')) {
        let body = operation.has_body.then(|| body_for(operation));
        let (path, nowhere) = (address_of(&operation.path, theirs), address_of(&operation.path, &absent()));
        let asked = ask(client, &operation.method, &path, body.clone()).await;
        let what = format!("{who}: {}", operation.what());
        assert_eq!(asked.status, 404, "{what}: {}", String::from_utf8_lossy(&asked.body));
        let missing = ask(client, &operation.method, &nowhere, body).await;
        assert_eq!(seen(&asked), seen(&missing), "{what} can be told from what is not there");
        walked += 1;
    }
    walked
}

/// Routes that list, count, export or take something in their body or query.
async fn walk_lists(client: &Client, theirs: &Things, who: &str) -> usize {
    let mut walked = 0;
    for operation in operations().iter().filter(|one| one.is_of("platform") && !one.path.contains('{')) {
        let what = format!("{who}: {}", operation.what());
        if operation.method == Method::GET {
            for query in queries_of(operation, theirs) {
                let answer =
                    ask(client, &operation.method, &format!("{}{query}", operation.path), None).await;
                let fine = [200, 404, 403, 426].contains(&answer.status);
                assert!(fine, "{what}{query}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
                if answer.status == 200 && operation.id != "get_openapi" {
                    assert_eq!(reveals(&answer, "northerner"), None, "{what}{query}");
                }
                walked += 1;
            }
            continue;
        }
        for (path, body, expected) in foreign_requests(operation, theirs) {
            let answer = ask(client, &operation.method, &path, Some(body)).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            match expected {
                Expected::NotFound => assert_eq!(answer.status, 404, "{what}: {text}"),
                Expected::Mismatch => assert_eq!(answer.refused(409, "count_mismatch")["found"], 0, "{what}"),
                Expected::NotYours => drop(answer.refused(403, "department_not_yours")),
                Expected::WholeTree => drop(answer.refused(403, "right_missing")),
                Expected::Nothing => {
                    assert_eq!(
                        (answer.status, &answer.json()["changed"]),
                        (200, &json!(0)),
                        "{what}: {text}"
                    );
                    assert_eq!(answer.json()["refused"][0]["code"], "not_found", "{what}");
                }
                Expected::Everything => {
                    assert_eq!(
                        (answer.status, reveals(&answer, "northerner")),
                        (200, None),
                        "{what}: {text}"
                    );
                }
            }
            walked += 1;
        }
    }
    walked
}

/// Without a filter, and with each filter by which another department could be named.
fn queries_of(operation: &Operation, theirs: &Things) -> Vec<String> {
    let required = match operation.id.as_str() {
        "export_recordings" | "export_audit" | "export_contacts" => "format=csv&",
        "recording_statistics" => "by=station&",
        _ => "",
    };
    let parameters = contract::document()["paths"][&operation.path]["get"]["parameters"].clone();
    let names: Vec<String> = parameters.as_array().into_iter().flatten().map(name_of).collect();
    let mut queries = vec![format!("?{required}")];
    for name in names {
        match name.as_str() {
            "station" | "serial" | "device" => queries.push(format!("?{required}{name}={}", theirs.serial)),
            "department" => queries.push(format!("?{required}{name}={}", theirs.department)),
            "ids" => queries.push(format!("?{required}{name}={}", theirs.recording)),
            _ => {}
        }
    }
    // Whose number it is, where the number itself is no secret: it stands in the answers.
    if ["list_recordings", "export_recordings", "count_found", "recording_statistics"]
        .contains(&operation.id.as_str())
    {
        queries.push(format!("?{required}text=Sudbury"));
    }
    if operation.id == "recording_statistics" {
        queries.extend(["station_port", "department", "day"].map(|by| format!("?by={by}")));
    }
    queries.into_iter().map(|query| query.trim_end_matches(['?', '&']).to_owned()).collect()
}

fn name_of(parameter: &Value) -> String {
    let name = parameter["$ref"].as_str().expect("a reference").rsplit('/').next().expect("a name");
    contract::document()["components"]["parameters"][name]["name"].as_str().expect("a name").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_another_department_is_not_there() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [mut north, north1, mut south] = organisation.furnish(&mut admin).await;
    let northern = organisation.fill(&mut north, NORTH).await;
    let southern = organisation.fill(&mut south, SOUTH).await;
    let addresses = walk_addresses(&north, &southern, "beside").await;
    let lists = walk_lists(&north, &southern, "beside").await;
    assert!(addresses > 25 && lists > 45, "{addresses} addresses, {lists} lists");
    walk_addresses(&north1, &northern, "below").await;
    walk_addresses(&south, &northern, "beside, the other way").await;

    // Nothing of all that has been done.
    let recording = south.get(&format!("/recordings/{}", southern.recording)).await.expect(200);
    assert_eq!(
        (&recording["note"], &recording["grade"], &recording["deleted"]),
        (&json!(null), &json!("normal"), &json!(null))
    );
    assert_eq!(recording["tags"].as_array().map(Vec::len), Some(1));
    assert_eq!(south.get(&format!("/devices/{SOUTH}")).await.expect(200)["name"], "Sudbury");

    // To whom it belongs, and to those above, it is there.
    for client in [&south, &admin] {
        for path in ["/recordings/{id}", "/devices/{serial}", "/devices/{serial}/ports", "/commands/{id}"] {
            client.get(&address_of(path, &southern)).await.expect(200);
        }
        let list = client.get(&format!("/recordings?station={SOUTH}")).await.expect(200);
        assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
        let audit = client.get(&format!("/audit?station={SOUTH}")).await.expect(200);
        assert_eq!(audit["items"].as_array().map(Vec::len), Some(1), "{audit}");
    }
    organisation.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_wants_a_login_its_right_and_a_password_of_ones_own() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [mut north, ..] = organisation.furnish(&mut admin).await;
    let northern = organisation.fill(&mut north, NORTH).await;
    let nobody = organisation.serving.client();
    let mut without = BTreeMap::new();
    for right in EVERY_RIGHT {
        let others: Vec<&str> = EVERY_RIGHT.into_iter().filter(|one| *one != right).collect();
        let account = json!({ "name": format!("no_{right}"), "rights": others, "department": "North" });
        without.insert(right, organisation.serving.person_with(&mut admin, account).await);
    }
    let account = json!({ "name": "new", "rights": EVERY_RIGHT, "password": "first words of all", "department": "North" });
    admin.post("/accounts", account).await.expect(201);
    let mut new = organisation.serving.client();
    new.login("new", "first words of all").await.expect(200);
    let disabled =
        organisation.serving.person_with(&mut admin, json!({ "name": "gone", "rights": EVERY_RIGHT })).await;
    admin.patch("/accounts/gone", json!({ "disabled": true })).await.expect(200);

    for operation in operations().iter().filter(|one| one.is_of("platform") && one.right != "none") {
        let path = address_of(&operation.path, &northern);
        let what = operation.what();
        for client in [&nobody, &disabled] {
            assert_eq!(ask(client, &operation.method, &path, None).await.status, 401, "{what}");
        }
        if !["/session", "/logout", "/password"].contains(&operation.path.as_str()) {
            let answer = ask(&new, &operation.method, &path, None).await;
            assert_eq!(answer.status, 403, "{what}");
            if operation.method != Method::HEAD {
                answer.refused(403, "password_change_required");
            }
        }
        if operation.needs_right() {
            let client = &without[operation.right.as_str()];
            let answer = ask(client, &operation.method, &path, None).await;
            assert_eq!(answer.status, 403, "{what}");
            if operation.method != Method::HEAD {
                assert_eq!(answer.refused(403, "right_missing")["right"], operation.right, "{what}");
            }
        }
    }
    organisation.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_of_the_other_role_is_not_there() {
    let (house, organisation) = (House::open().await, Organisation::open().await);
    let (station, platform) = (house.admin().await, organisation.serving.admin().await);
    let mut walked = 0;
    for operation in operations() {
        for (client, role) in [(&station, "station"), (&platform, "platform")] {
            if operation.is_of(role) {
                continue;
            }
            let request = client.request(operation.method.clone(), &address_of(&operation.path, &absent()));
            let request = request.header(header::CONTENT_TYPE, "application/json");
            let answer = client.send(request.body(Full::default()).expect("a request")).await;
            assert_eq!(answer.refused(404, "not_found")["what"], "route", "{role}: {}", operation.what());
            walked += 1;
        }
    }
    assert!(walked > 30, "{walked} routes");
    organisation.close().await;
    house.close().await;
}
