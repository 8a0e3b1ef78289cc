//! Whatever is sent: one clear answer, nothing lost, nothing crashed.

mod house;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use house::{Client, House};
use http_body_util::Full;
use hyper::header;
use hyper::{Method, Request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn raw(client: &Client, method: Method, path: &str, kind: &str, body: &[u8]) -> house::Answer {
    let request = client.request(method, path).header(header::CONTENT_TYPE, kind);
    client.send(request.body(Full::from(body.to_vec())).expect("a request")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mistake_is_told_by_name() {
    let house = House::open().await;
    let admin = house.admin().await;
    let json_kind = "application/json";
    let malformed = raw(&admin, Method::POST, "/contacts", json_kind, b"{\"number\": ").await;
    assert_eq!(malformed.refused(400, "json_malformed")["line"], 1);
    raw(&admin, Method::POST, "/contacts", json_kind, b"\xff\xfe").await.refused(400, "json_malformed");
    raw(&admin, Method::POST, "/contacts", json_kind, b"[]").await.refused(422, "field_invalid");
    raw(&admin, Method::POST, "/contacts", "text/plain", b"{}").await.refused(415, "media_type_wrong");
    raw(&admin, Method::POST, "/contacts", json_kind, &vec![b' '; 1024 * 1024 + 1])
        .await
        .refused(413, "body_too_large");
    let nested = "[".repeat(100_000);
    raw(&admin, Method::POST, "/contacts", json_kind, nested.as_bytes()).await.refused(400, "json_malformed");
    let unknown = json!({ "number": "1", "name": "x", "colour": "red" }).to_string();
    let refused = raw(&admin, Method::POST, "/contacts", json_kind, unknown.as_bytes()).await;
    assert_eq!(refused.refused(422, "field_unknown")["field"], "colour");
    for (address, field) in [
        ("/recordings?limit=0", "limit"),
        ("/recordings?limit=201", "limit"),
        ("/recordings?after=x", "after"),
        ("/recordings?from=yesterday", "from"),
        ("/recordings?colour=red", "colour"),
        ("/recordings?port=1&port=x", "port"),
        ("/recordings/statistics", "by"),
        ("/alarms?state=sometimes", "state"),
        ("/audit?result=maybe", "result"),
        ("/ports?x=y", "x"),
        ("/contacts?text=", "text"),
    ] {
        let refused = admin.get(address).await;
        assert_eq!(refused.expect(422)["params"]["field"], field, "{address}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_leads_out_of_the_recordings() {
    let house = House::open().await;
    let admin = house.admin().await;
    for id in [
        "..%2F..%2Fidentity%2Ftls-key.pem",
        "%2e%2e",
        "x",
        "HKLN-00000000000000:1",
        "HKLN:0",
        ":",
        "a:99999999999999999999",
        "%00:1",
    ] {
        for part in ["", "/audio", "/file", "/peaks"] {
            admin.get(&format!("/recordings/{id}{part}")).await.refused(404, "not_found");
        }
    }
    for path in [
        "/../../data/identity/tls-key.pem",
        "/%2e%2e/data/version",
        "/assets/..%2f..%2fversion",
        "//etc/passwd",
    ] {
        let request = Request::builder().uri(path).header(header::HOST, "localhost").body(Full::default());
        let answer = admin.send_unchecked(request.expect("a request")).await;
        assert!(!String::from_utf8_lossy(&answer.body).contains("PRIVATE KEY"), "{path}");
        assert!(
            answer.status == 404 || answer.header(header::CONTENT_TYPE).starts_with("text/html"),
            "{path}"
        );
    }
    admin.get("/nothing").await.refused(404, "route_not_found");
    admin.bare(Method::DELETE, "/box").await.refused(405, "method_not_allowed");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_off_request_changes_nothing() {
    let house = House::open().await;
    let admin = house.admin().await;
    let body = json!({ "number": "110", "name": "cut off" }).to_string();
    let head = post_contact(&admin, body.len());
    for cut in 0..body.len() {
        let mut connection = admin.connect().await;
        connection.write_all(head.as_bytes()).await.expect("sent");
        connection.write_all(&body.as_bytes()[..cut]).await.expect("sent");
        drop(connection);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(admin.get("/contacts").await.expect(200)["items"], json!([]));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_answer_nobody_awaits_is_carried_out_whole_or_not_at_all() {
    let house = House::open().await;
    let admin = house.admin().await;
    for wait_ms in [0, 1, 2, 5, 10, 20, 50, 1000] {
        let body = json!({ "number": wait_ms.to_string(), "name": "left" }).to_string();
        let mut connection = admin.connect().await;
        connection.write_all(post_contact(&admin, body.len()).as_bytes()).await.expect("sent");
        connection.write_all(body.as_bytes()).await.expect("sent");
        connection.flush().await.expect("sent");
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        drop(connection);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let numbers = |list: &Value, pointer: &str| -> BTreeSet<String> {
        let items = list["items"].as_array().expect("a list");
        items
            .iter()
            .map(|item| item.pointer(pointer).and_then(Value::as_str).expect("a number").to_owned())
            .collect()
    };
    let made = numbers(&admin.get("/contacts").await.expect(200), "/number");
    let trail = admin.get("/audit?item=contact&operation=create").await.expect(200);
    assert_eq!(made, numbers(&trail, "/parameters/after/number"));
    assert!(made.contains("1000"), "{made:?}");
    house.close().await;
}

fn post_contact(client: &Client, length: usize) -> String {
    format!(
        "POST /api/v1/contacts HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncookie: {}\r\nx-hookline-csrf: {}\r\ncontent-length: {length}\r\n\r\n",
        client.cookie.as_deref().expect("a cookie"),
        client.csrf.as_deref().expect("a token"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_silent_clients_are_dropped() {
    let house = House::open().await;
    let admin = house.admin().await;
    let started = Instant::now();
    let silent_tcp = TcpStream::connect(house.address).await.expect("connected");
    let silent_tls = admin.connect().await;
    let mut half_head = admin.connect().await;
    half_head.write_all(b"GET / HTTP/1.1\r\nhost: local").await.expect("sent");
    let ends = async |what: &str, mut stream: Box<dyn tokio::io::AsyncRead + Unpin + Send>| {
        let mut bytes = Vec::new();
        let ended = timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
        assert!(ended.is_ok(), "{what} was dropped in time");
    };
    tokio::join!(
        ends("a silent connection", Box::new(silent_tcp)),
        ends("a silent TLS connection", Box::new(silent_tls)),
        ends("half a head", Box::new(half_head)),
    );
    assert!(started.elapsed() < Duration::from_secs(40));
    admin.get("/box").await.expect(200);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_on_the_wire_harms_nobody() {
    let house = House::open().await;
    let admin = house.admin().await;
    for bytes in [&b"\x16\x03\x01\xff\xff"[..], b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\0", &[0xff; 4096]] {
        let mut plain = TcpStream::connect(house.address).await.expect("connected");
        let _ = plain.write_all(bytes).await;
        let mut tls = admin.connect().await;
        let _ = tls.write_all(bytes).await;
    }
    // A head without end is answered, or cut off while it is still being sent.
    let mut endless = admin.connect().await;
    let head = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx-long: {}\r\n\r\n", "x".repeat(200_000));
    let _ = endless.write_all(head.as_bytes()).await;
    let mut text = Vec::new();
    let _ = endless.read_to_end(&mut text).await;
    assert!(text.is_empty() || text.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&text));
    admin.get("/box").await.expect(200);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_redirection_carry_their_headers() {
    let house = House::open().await;
    let client = house.client();
    let get = async |path: &str| {
        let request = Request::builder().uri(path).header(header::HOST, "localhost").body(Full::default());
        client.send_unchecked(request.expect("a request")).await
    };
    for path in ["/", "/live", "/api/v1/health", "/api/v1/nothing"] {
        let answer = get(path).await;
        assert!(answer.header(header::CONTENT_SECURITY_POLICY).contains("frame-ancestors 'none'"), "{path}");
        assert!(answer.header(header::STRICT_TRANSPORT_SECURITY).contains("max-age="), "{path}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert!(!answer.header(header::CACHE_CONTROL).is_empty(), "{path}");
    }
    let document: serde_json::Value = get("/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");

    assert_eq!(client.http2("/api/v1/health").await, 200);
    assert_eq!(client.http2("/api/v1/box").await, 401);

    let mut plain = TcpStream::connect(house.http_address).await.expect("connected");
    let question = b"GET /recordings?port=1 HTTP/1.1\r\nhost: box.example:8080\r\nconnection: close\r\n\r\n";
    plain.write_all(question).await.expect("sent");
    let mut text = String::new();
    plain.read_to_string(&mut text).await.expect("an answer");
    let location = format!("location: https://box.example:{}/recordings?port=1\r\n", house.address.port());
    assert!(text.starts_with("HTTP/1.1 308 ") && text.contains(&location), "{text}");
    house.close().await;
}
