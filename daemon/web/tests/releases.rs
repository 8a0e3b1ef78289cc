//! Upgrade bundles: brought as they are, listed, given to stations, removed; refused with one sentence, and by whom.

mod house;

use std::time::Duration;

use catalog::AuditResult;
use house::organisation::{EVERY_RIGHT, NORTH, Organisation, SOUTH};
use house::{Answer, Client};
use http_body_util::Full;
use hyper::{Method, header};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

const BYTES: &str = "application/octet-stream";

/// Longer than what is written together.
fn bundle(seed: u8) -> Vec<u8> {
    let mut content = vec![seed; 3 << 20];
    content[..4].copy_from_slice(b"hsqs");
    content
}

async fn bring(client: &Client, query: &str, media_type: &str, content: Vec<u8>) -> Answer {
    let request = client.request(Method::POST, &format!("/releases{query}"));
    let request = request.header(header::CONTENT_TYPE, media_type).body(Full::from(content));
    client.send(request.expect("a request")).await
}

async fn command(client: &Client, serials: &[&str], command: Value) -> Answer {
    let body = json!({ "serials": serials, "command": command });
    client.with_body(Method::POST, "/devices/commands", body).await
}

/// How each attempt stands in the audit trail, the newest first.
async fn trail(client: &Client, operation: &str) -> Vec<(Value, Value, Value)> {
    let list = client.get(&format!("/audit?item=upgrade&operation={operation}")).await.expect(200);
    let row = |row: &Value| (row["parameters"]["name"].clone(), row["result"].clone(), row["detail"].clone());
    list["items"].as_array().expect("a list").iter().map(row).collect()
}

fn files(organisation: &Organisation) -> usize {
    let folder = organisation.platform.data_dir().path().join("releases");
    std::fs::read_dir(folder).expect("a folder").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_is_brought_given_to_stations_and_removed() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [north, ..] = organisation.furnish(&mut admin).await;
    assert_eq!(admin.get("/releases").await.expect(200), json!({ "items": [], "most": 20 }));
    let release = bring(&admin, "?name=0.2.0", BYTES, bundle(1)).await.expect(201);
    assert_eq!((&release["name"], &release["bytes"]), (&json!("0.2.0"), &json!(3 << 20)));
    assert_eq!(release["account"], "admin");
    let sha256 = release["sha256"].as_str().expect("text").to_owned();
    let kept = organisation.platform.releases().read(&sha256, 0, 4 << 20).expect("kept");
    assert_eq!(kept, bundle(1), "byte for byte");
    assert_eq!(north.get("/releases").await.expect(200)["items"], json!([release]));

    let asked = command(&north, &[NORTH], json!({ "what": "upgrade", "release": sha256, "restart": true }));
    let asked = asked.await.expect(202)["items"][0].clone();
    assert_eq!((&asked["what"], &asked["code"]), (&json!("upgrade"), &json!("device_offline")));
    assert_eq!((&asked["params"]["release"], &asked["params"]["restart"]), (&json!("0.2.0"), &json!(true)));
    let south = json!({ "what": "upgrade", "release": sha256 });
    command(&north, &[NORTH, SOUTH], south).await.refused(404, "not_found");
    let unknown = json!({ "what": "upgrade", "release": "ab".repeat(32) });
    assert_eq!(command(&north, &[NORTH], unknown).await.refused(404, "not_found")["what"], "release");
    assert!(organisation.platform.catalog().wait_until_current(Duration::from_secs(10)));
    let begun = admin.get("/audit?operation=command").await.expect(200);
    let params = &begun["items"][0]["parameters"];
    assert_eq!((&params["what"], &params["release"]), (&json!("upgrade"), &json!("0.2.0")));

    let path = format!("/releases/{sha256}");
    assert_eq!(admin.bare(Method::DELETE, &path).await.status, 204);
    admin.bare(Method::DELETE, &path).await.refused(404, "not_found");
    assert!(organisation.platform.catalog().wait_until_current(Duration::from_secs(10)));
    assert_eq!(
        (admin.get("/releases").await.expect(200)["items"].clone(), files(&organisation)),
        (json!([]), 0)
    );
    for operation in ["add_release", "remove_release"] {
        let ok = json!(AuditResult::Ok.name());
        assert_eq!(trail(&admin, operation).await, [(json!("0.2.0"), ok, Value::Null)]);
    }
    organisation.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_a_release_is_refused_and_leaves_nothing() {
    let organisation = Organisation::open().await;
    let admin = organisation.serving.admin().await;
    bring(&admin, "?name=one", BYTES, bundle(1)).await.expect(201);
    bring(&admin, "?name=two", BYTES, b"PK\x03\x04".to_vec()).await.refused(422, "not_a_bundle");
    bring(&admin, "?name=two", BYTES, Vec::new()).await.refused(422, "not_a_bundle");
    let same = bring(&admin, "?name=two", BYTES, bundle(1)).await.refused(409, "release_exists");
    assert_eq!(same["name"], "one");
    bring(&admin, "?name=one", BYTES, bundle(2)).await.refused(409, "release_name_taken");
    let wrong = bring(&admin, "?name=a%20b", BYTES, bundle(2)).await.refused(422, "field_invalid");
    assert_eq!(wrong["field"], "name");
    bring(&admin, "", BYTES, bundle(2)).await.refused(422, "field_missing");
    bring(&admin, "?name=two&colour=red", BYTES, bundle(2)).await.refused(422, "field_unknown");
    bring(&admin, "?name=two", "application/json", bundle(2)).await.refused(415, "media_type_wrong");
    // As long as it says, without a byte of it.
    let head = |length: u64| {
        let (cookie, csrf) = (admin.cookie.as_deref().expect("in"), admin.csrf.as_deref().expect("in"));
        format!(
            "POST /api/v1/releases?name=cut HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\n\
             x-hookline-csrf: {csrf}\r\ncontent-type: {BYTES}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let answer = raw(&admin, &[head((2 << 30) + 1).as_bytes()]).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains(r#""reason":"bundle""#), "{answer}");
    // Cut off in the middle.
    let mut connection = admin.connect().await;
    connection.write_all(head(3 << 20).as_bytes()).await.expect("sent");
    connection.write_all(&bundle(3)[..2 << 20]).await.expect("sent");
    drop(connection);
    let refused = async |code: &str| {
        let result = json!(AuditResult::Refused.name());
        let trail = trail(&admin, "add_release").await;
        trail.iter().filter(|(_, is, detail)| *is == result && detail == code).count()
    };
    for _ in 0..200 {
        if refused("request_incomplete").await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (code, count) in [("request_incomplete", 1), ("not_a_bundle", 2), ("release_exists", 1)] {
        assert_eq!(refused(code).await, count, "{code}");
    }
    assert_eq!(files(&organisation), 2, "the one that was taken");
    bring(&admin, "?name=cut", BYTES, bundle(3)).await.expect(201);
    organisation.close().await;
}

/// Sends bytes as they are; the answer as text.
async fn raw(client: &Client, pieces: &[&[u8]]) -> String {
    use tokio::io::AsyncReadExt;
    let mut connection = client.connect().await;
    for piece in pieces {
        connection.write_all(piece).await.expect("sent");
    }
    let (mut answer, mut some) = (Vec::new(), [0; 4096]);
    let reading = async {
        while let Ok(count) = connection.read(&mut some).await {
            if count == 0 {
                break;
            }
            answer.extend_from_slice(&some[..count]);
            if answer.windows(2).any(|two| two == b"}\n" || two == b"\"}") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("an answer in time");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_are_brought_and_removed_by_those_who_see_the_whole_tree() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [north, ..] = organisation.furnish(&mut admin).await;
    let others: Vec<&str> = EVERY_RIGHT.into_iter().filter(|right| *right != "system").collect();
    let operator = organisation.serving.person(&mut admin, "operator", &others).await;
    let release = bring(&admin, "?name=0.2.0", BYTES, bundle(1)).await.expect(201);
    let sha256 = release["sha256"].as_str().expect("text");
    let path = format!("/releases/{sha256}");

    bring(&north, "?name=mine", BYTES, bundle(2)).await.refused(403, "department_not_yours");
    north.bare(Method::DELETE, &path).await.refused(403, "department_not_yours");
    operator.get("/releases").await.refused(403, "right_missing");
    bring(&operator, "?name=mine", BYTES, b"hsqs".to_vec()).await.refused(403, "right_missing");
    operator.bare(Method::DELETE, &path).await.refused(403, "right_missing");
    let upgrade = json!({ "what": "upgrade", "release": sha256 });
    assert_eq!(command(&operator, &[NORTH], upgrade).await.refused(403, "right_missing")["right"], "system");
    assert_eq!(admin.get("/releases").await.expect(200)["items"], json!([release]));
    organisation.close().await;
}
