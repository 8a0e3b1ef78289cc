//! Who may do what: no route without login, none without its right, nothing that another page asked for.

mod house;

use hookline_web::Role;
use hookline_web::routes::{Route, table};
use house::{Client, House, NEW_PASSWORD};
use http_body_util::Full;
use hyper::Method;
use hyper::header;
use serde_json::json;

/// An address of a route, with something in its parameters.
fn address(path: &str) -> String {
    path.replace("{port}", "1")
        .replace("{id}", "HKLN-00000000000000:1")
        .replace("{tag}", "1")
        .replace("{name}", "x")
        .replace("{number}", "110")
}

/// Those that a station has.
fn routes() -> impl Iterator<Item = Route> {
    table().into_iter().filter(|route| route.roles.contains(&Role::Station))
}

async fn ask(client: &Client, method: &Method, path: &str) -> house::Answer {
    client.bare(method.clone(), &address(path)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_wants_a_login_and_its_right() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let nobody = house.client();
    let without = house.person(&mut admin, "nothing", &[]).await;
    let mut walked = 0;
    for route in routes() {
        if route.access.name() == "none" {
            continue;
        }
        walked += 1;
        let what = format!("{} {}", route.method, route.path);
        assert_eq!(ask(&nobody, &route.method, route.path).await.status, 401, "{what}");
        let Some(right) = route.access.right() else { continue };
        let refused = ask(&without, &route.method, route.path).await;
        assert_eq!(refused.status, 403, "{what}");
        if route.method != Method::HEAD {
            assert_eq!(refused.refused(403, "right_missing")["right"], right.name(), "{what}");
        }
        let changes = !matches!(route.method, Method::GET | Method::HEAD);
        if changes {
            // With the right, but without the token: another site's page could have sent it.
            let csrf = admin.csrf.take();
            ask(&admin, &route.method, route.path).await.refused(403, "csrf_wrong");
            admin.csrf = Some("0".repeat(64));
            ask(&admin, &route.method, route.path).await.refused(403, "csrf_wrong");
            admin.csrf = csrf;
        }
    }
    assert!(walked > 40, "{walked} routes");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_opens_its_routes_and_no_others() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    for right in
        ["live", "listen", "download", "annotate", "delete", "alarms", "settings", "audit", "accounts"]
    {
        let person = house.person(&mut admin, right, &[right]).await;
        for route in routes() {
            let Some(needed) = route.access.right() else { continue };
            let answer = ask(&person, &route.method, route.path).await;
            let missing = answer.status == 403 && answer.json()["code"] == "right_missing";
            let head_missing = route.method == Method::HEAD && answer.status == 403;
            assert_eq!(
                missing || head_missing,
                needed.name() != right,
                "{right}: {} {}",
                route.method,
                route.path
            );
        }
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_password_must_be_changed_before_anything_else() {
    let house = House::open().await;
    let mut client = house.client();
    client.login("admin", "not the password").await.refused(401, "login_failed");
    client.login("nobody", "not the password").await.refused(401, "login_failed");
    let session = client.login("ADMIN", &house.first_password).await.expect(200);
    assert_eq!((&session["account"], &session["must_change_password"]), (&json!("admin"), &json!(true)));
    for route in routes() {
        if matches!(route.access.name(), "none" | "token")
            || ["/session", "/logout", "/password"].contains(&route.path)
        {
            continue;
        }
        let answer = ask(&client, &route.method, route.path).await;
        assert_eq!(answer.status, 403, "{} {}", route.method, route.path);
        if route.method != Method::HEAD {
            answer.refused(403, "password_change_required");
        }
    }
    let change = |old: &str, new: &str| json!({ "old": old, "new": new });
    let refused = client.post("/password", change(&house.first_password, "short")).await;
    assert_eq!(refused.refused(422, "password_refused")["reason"], "too_short");
    let same = client.post("/password", change(&house.first_password, &house.first_password)).await;
    assert_eq!(same.refused(422, "password_refused")["reason"], "same_as_old");
    client
        .post("/password", change("not the password", NEW_PASSWORD))
        .await
        .refused(403, "old_password_wrong");
    client.post("/password", change(&house.first_password, NEW_PASSWORD)).await.expect(200);
    client.get("/box").await.expect(200);
    house.client().login("admin", &house.first_password).await.refused(401, "login_failed");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_with_logout_with_a_new_password_and_with_its_account() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let mut other = house.client();
    let answer = other.login("admin", NEW_PASSWORD).await;
    let cookie = answer.header(header::SET_COOKIE).to_owned();
    for part in ["__Host-hookline=", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    other.patch("/session", json!({ "language": "zh-TW" })).await.expect(200);
    assert_eq!(other.get("/session").await.expect(200)["language"], "zh-TW");
    other.bare(Method::POST, "/logout").await.expect(204);
    other.get("/session").await.refused(401, "not_logged_in");
    admin.get("/session").await.expect(200);

    other.login("admin", NEW_PASSWORD).await.expect(200);
    let again = json!({ "old": NEW_PASSWORD, "new": "another correct horse" });
    admin.post("/password", again).await.expect(200);
    other.get("/session").await.refused(401, "not_logged_in");

    let person = house.person(&mut admin, "anna", &["live"]).await;
    person.get("/ports").await.expect(200);
    admin.patch("/accounts/anna", json!({ "rights": ["listen"] })).await.expect(200);
    person.get("/ports").await.refused(401, "not_logged_in");
    let mut person = house.client();
    person.login("anna", NEW_PASSWORD).await.expect(200);
    admin.patch("/accounts/anna", json!({ "disabled": true })).await.expect(200);
    person.get("/session").await.refused(401, "not_logged_in");
    person.login("anna", NEW_PASSWORD).await.refused(401, "login_failed");
    house.close().await;
}

/// The password is right, but by the time it has been looked at the account is disabled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_outlives_the_account_it_was_opened_for() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    house.person(&mut admin, "anna", &["live"]).await;
    let mut logins = Vec::new();
    for _ in 0..4 {
        let mut client = house.client();
        logins.push(tokio::spawn(async move {
            let status = client.login("anna", NEW_PASSWORD).await.status;
            (client, status)
        }));
    }
    // One password is looked at after the other: most of these wait for theirs when the account goes.
    tokio::time::sleep(std::time::Duration::from_millis(15)).await;
    admin.patch("/accounts/anna", json!({ "disabled": true })).await.expect(200);
    for login in logins {
        let (client, status) = login.await.expect("no panic");
        assert!([200, 401].contains(&status), "{status}");
        client.get("/session").await.refused(401, "not_logged_in");
    }
    house.close().await;
}

/// Somebody gives the account another password while its owner changes the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_was_taken_away_cannot_be_changed_any_more() {
    const GIVEN: &str = "words that were given";
    let house = House::open().await;
    let mut admin = house.admin().await;
    let mut person = house.person(&mut admin, "anna", &["live"]).await;
    let own = tokio::spawn(async move {
        let change = json!({ "old": NEW_PASSWORD, "new": "words of my own choice" });
        person.post("/password", change).await.status
    });
    admin.patch("/accounts/anna", json!({ "password": GIVEN })).await.expect(200);
    let status = own.await.expect("no panic");
    assert!([200, 401, 403].contains(&status), "{status}");
    // Whichever came first: what the manager of accounts gave is what counts.
    house.client().login("anna", GIVEN).await.expect(200);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gains_rights_and_somebody_can_always_manage_accounts() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let mut clerk = house.person(&mut admin, "clerk", &["accounts", "live"]).await;
    let account =
        |name: &str, rights: &[&str]| json!({ "name": name, "rights": rights, "password": NEW_PASSWORD });
    let refused = clerk.post("/accounts", account("mole", &["live", "delete"])).await;
    assert_eq!(refused.refused(403, "right_not_yours")["right"], "delete");
    clerk
        .patch("/accounts/clerk", json!({ "rights": ["accounts", "live", "audit"] }))
        .await
        .refused(403, "right_not_yours");
    clerk
        .patch("/accounts/admin", json!({ "password": "a way into the account" }))
        .await
        .refused(403, "right_not_yours");
    clerk.bare(Method::DELETE, "/accounts/admin").await.refused(403, "right_not_yours");
    clerk.bare(Method::DELETE, "/accounts/clerk").await.refused(409, "account_protected");
    clerk.post("/accounts", account("CLERK", &["live"])).await.refused(409, "account_exists");
    clerk.post("/accounts", account("a/b", &["live"])).await.refused(422, "field_invalid");
    clerk.post("/accounts", account("helper", &["live", "live"])).await.refused(422, "field_invalid");
    clerk.post("/accounts", account("helper", &["live"])).await.expect(201);
    clerk.bare(Method::DELETE, "/accounts/helper").await.expect(204);
    clerk.bare(Method::DELETE, "/accounts/helper").await.refused(404, "not_found");
    admin.bare(Method::DELETE, "/accounts/clerk").await.expect(204);
    let last = admin.patch("/accounts/admin", json!({ "rights": ["live"] })).await;
    assert_eq!(last.refused(409, "account_protected")["reason"], "last_with_accounts");
    let list = admin.get("/accounts").await.expect(200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    assert!(!list.to_string().contains("argon2"), "no hash leaves the box");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_slowed_down_and_written_down() {
    let house = House::open().await;
    let admin = house.admin().await;
    let mut guesser = house.client();
    let mut locked = None;
    for n in 0..10 {
        let answer = guesser.login("admin", &format!("guess number {n}")).await;
        if answer.status == 429 {
            assert!(answer.header(header::RETRY_AFTER).parse::<u64>().is_ok_and(|seconds| seconds > 0));
            locked = Some(n);
            break;
        }
        answer.refused(401, "login_failed");
    }
    assert_eq!(locked, Some(5));
    guesser.login("admin", NEW_PASSWORD).await.refused(429, "login_locked");
    admin.get("/box").await.expect(200);
    let trail = admin.get("/audit?operation=login&result=refused").await.expect(200);
    let entries = trail["items"].as_array().expect("a list");
    assert_eq!(entries.len(), 5);
    assert_eq!(entries[0]["parameters"]["locked"], true);
    assert!(!trail.to_string().contains("guess number"), "no password in the trail");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_login_tries_do_not_starve_the_box() {
    let house = House::open().await;
    let admin = house.admin().await;
    let started = std::time::Instant::now();
    let mut tasks = Vec::new();
    for worker in 0..8 {
        let guesser = house.client();
        tasks.push(tokio::spawn(async move { guess(&guesser, worker, 1250).await }));
    }
    let mut slowest_ms = 0;
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        let asked = std::time::Instant::now();
        admin.get("/box").await.expect(200);
        slowest_ms = slowest_ms.max(asked.elapsed().as_millis());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mut looked_at = 0;
    for task in tasks {
        looked_at += task.await.expect("no panic");
    }
    println!(
        "10000 tries in {:.1} s, {looked_at} passwords looked at, slowest answer to others {slowest_ms} ms",
        started.elapsed().as_secs_f32()
    );
    assert!(looked_at <= 40, "{looked_at} passwords were looked at");
    assert!(slowest_ms < 3000, "somebody else waited {slowest_ms} ms");
    house.close().await;
}

/// Tries over one connection; returns how many were answered 401: a password was looked at.
async fn guess(client: &Client, worker: usize, tries: usize) -> usize {
    use http_body_util::BodyExt;
    use hyper_util::rt::TokioIo;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(client.connect().await));
    let (mut sender, connection) = handshake.await.expect("HTTP");
    tokio::spawn(connection);
    let mut looked_at = 0;
    for n in 0..tries {
        let body =
            json!({ "name": format!("account{}", n % 50), "password": format!("{worker} {n}") }).to_string();
        let request = client.request(Method::POST, "/login").header(header::CONTENT_TYPE, "application/json");
        sender.ready().await.expect("ready");
        let response = sender
            .send_request(request.body(Full::<axum::body::Bytes>::from(body)).expect("a request"))
            .await
            .expect("an answer");
        match response.status().as_u16() {
            401 => looked_at += 1,
            429 | 503 => {}
            other => panic!("{other}"),
        }
        response.into_body().collect().await.expect("a body");
    }
    looked_at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_opens_for_own_pages_only() {
    let house = House::open().await;
    let admin = house.admin().await;
    let own = format!("https://{}", house.address);
    assert!(admin.socket("/live", Some(&own)).await.is_ok());
    assert_eq!(admin.socket("/live", Some("https://elsewhere.example")).await.err(), Some(403));
    assert_eq!(house.client().socket("/live", None).await.err(), Some(401));
    admin.get("/live").await.refused(426, "websocket_expected");
    admin.get("/ports/1/listen").await.refused(426, "websocket_expected");
    house.close().await;
}
