//! A call is found, heard, annotated, taken away and deleted, as the pages do it.

mod house;

use http_body_util::Full;
use std::io::Read;

use house::House;
use hyper::Method;
use hyper::header::{self, HeaderName};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const RANGE: HeaderName = header::RANGE;

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id_of(recording: &Value) -> String {
    recording["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_found_by_its_filters() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let recording = house.a_recording(&mut admin).await;
    let id = id_of(&recording);
    assert!(
        recording["duration_s"].as_f64().is_some_and(|seconds| (1.4..1.6).contains(&seconds)),
        "{recording}"
    );
    let detail = admin.get(&format!("/recordings/{id}")).await.expect(200);
    assert_eq!(detail["call_id"], recording["call_id"]);
    assert!(detail["file_bytes"].as_u64().is_some_and(|bytes| bytes > 10_000), "{detail}");

    let start = recording["start"].as_str().expect("a start").replace('+', "%2B");
    let (port, line) = (&recording["port"], recording["line_number"].as_str().expect("a number"));
    for (filter, found) in [
        (format!("port={port}"), true),
        ("port=3".into(), false),
        (format!("from={start}"), true),
        (format!("to={start}"), false),
        (format!("number={}", &line[2..]), true),
        (format!("line_number={line}"), true),
        ("peer_number=8".into(), false),
        ("start_mode=voltage&stop_mode=on_hook".into(), true),
        ("stop_mode=silence&stop_mode=on_hook".into(), true),
        ("stop_mode=silence".into(), false),
        ("min_duration_s=1&max_duration_s=2".into(), true),
        ("min_duration_s=5".into(), false),
        ("grade=normal".into(), true),
        ("grade=permanent".into(), false),
        ("audio=without".into(), false),
        ("deleted=yes".into(), false),
        (format!("call_id={}", recording["call_id"].as_str().expect("an id")), true),
    ] {
        let list = admin.get(&format!("/recordings?{filter}&limit=200")).await.expect(200);
        let items = list["items"].as_array().expect("a list");
        assert_eq!(items.iter().any(|item| item["id"] == id.as_str()), found, "{filter}");
    }
    let recall = admin.get(&format!("/ports/{port}/recordings?limit=5")).await.expect(200);
    assert!(recall["items"].as_array().is_some_and(|items| items.iter().all(|item| &item["port"] == port)));

    let statistics = admin.get("/recordings/statistics?by=port").await.expect(200);
    let total = &statistics["totals"]["total"];
    assert!(total["count"].as_u64().is_some_and(|count| count >= 1), "{statistics}");
    for by in ["hour", "day", "month"] {
        admin.get(&format!("/recordings/statistics?by={by}")).await.expect(200);
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_one_another_without_gap_or_repeat() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    house.a_recording(&mut admin).await;
    for _ in 0..200 {
        if admin.get("/recordings?limit=1").await.expect(200)["total"].as_u64() >= Some(4) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let whole = admin.get("/recordings?limit=4").await.expect(200);
    let (mut ids, mut after) = (Vec::new(), whole["items"][0]["id"].clone());
    let mut address = "/recordings?limit=1".to_owned();
    // New calls go on arriving in front; they must not move what follows.
    let first = admin.get(&address).await.expect(200);
    if first["items"][0]["id"] != after {
        after = first["items"][0]["id"].clone();
    }
    let mut page = first;
    while ids.len() < 4 {
        ids.push(id_of(&page["items"][0]));
        let Some(next) = page["next"].as_str() else { break };
        address = format!("/recordings?limit=1&after={next}");
        page = admin.get(&address).await.expect(200);
        assert_eq!(page["total"], Value::Null);
    }
    assert_eq!(json!(ids[0]), after);
    let mut different = ids.clone();
    different.dedup();
    assert_eq!(different.len(), ids.len());
    assert!(ids.len() >= 4, "{ids:?}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audio_is_heard_whole_and_in_parts() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    house.a_recording(&mut admin).await;
    let list = admin.get("/recordings?audio=with&port=2").await.expect(200);
    let recording = match list["items"].get(0) {
        Some(recording) => recording.clone(),
        None => house.a_recording(&mut admin).await,
    };
    let id = id_of(&recording);
    for mix in ["mono", "tracks"] {
        let address = format!("/recordings/{id}/audio?mix={mix}");
        let whole = admin.get(&address).await;
        assert_eq!((whole.status, whole.header(header::CONTENT_TYPE)), (200, "audio/wav"));
        let length = whole.body.len();
        assert_eq!(whole.header(header::CONTENT_LENGTH), length.to_string());
        assert_eq!(&whole.body[..4], b"RIFF");
        let riff = u32::from_le_bytes(whole.body[4..8].try_into().expect("4 bytes"));
        assert_eq!(riff as usize + 8, length);
        // What a player has kept is never heard again without a trace: it must ask, and gets it anew.
        assert_eq!(whole.header(header::CACHE_CONTROL), "no-store");
        let etag = whole.header(header::ETAG).to_owned();
        let again = admin.get_with(Method::GET, &address, header::IF_NONE_MATCH, &etag).await;
        assert_eq!((again.status, again.body.len()), (200, length));
        let head = admin.bare(Method::HEAD, &address).await;
        assert_eq!((head.status, head.header(header::CONTENT_LENGTH)), (200, length.to_string().as_str()));
        let samples = whole.body[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        assert!(samples.map(i16::unsigned_abs).max() > Some(4000), "there is a tone in it");
        for (range, from, to) in [
            ("bytes=0-".to_owned(), 0, length),
            ("bytes=0-0".into(), 0, 1),
            ("bytes=43-46".into(), 43, 47),
            (format!("bytes=45-{}", length + 100), 45, length),
            ("bytes=-7".into(), length - 7, length),
            ("bytes=10000-10001".into(), 10_000, 10_002),
        ] {
            let part = admin.get_with(Method::GET, &address, RANGE, &range).await;
            assert_eq!(part.status, 206, "{range}");
            assert_eq!(part.header(header::CONTENT_RANGE), format!("bytes {from}-{}/{length}", to - 1));
            assert_eq!(part.body, whole.body.slice(from..to), "{range}");
        }
        let outside = admin.get_with(Method::GET, &address, RANGE, &format!("bytes={length}-")).await;
        outside.refused(416, "range_not_satisfiable");
        assert_eq!(outside.header(header::CONTENT_RANGE), format!("bytes */{length}"));
    }
    let plays = admin.get(&format!("/recordings/{id}")).await.expect(200)["play_count"].clone();
    assert_eq!(plays, 1, "one session that asks again within seconds plays once");
    let peaks = admin.get(&format!("/recordings/{id}/peaks")).await.expect(200);
    assert_eq!(
        peaks["tracks"].as_array().map(Vec::len),
        recording["tracks"].as_u64().map(|tracks| tracks as usize)
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_away_can_be_checked() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    house.a_recording(&mut admin).await;
    let list = admin.get("/recordings?audio=with").await.expect(200);
    let ids: Vec<String> = list["items"].as_array().expect("a list").iter().map(id_of).collect();

    let file = admin.get(&format!("/recordings/{}/file", ids[0])).await;
    assert_eq!(file.status, 200);
    let disposition = file.header(header::CONTENT_DISPOSITION).to_owned();
    assert!(
        disposition.starts_with("attachment; filename=\"") && disposition.contains(".wav"),
        "{disposition}"
    );
    let downloads = "/audit?operation=download&item=recording";
    let before = admin.get(downloads).await.expect(200)["total"].as_u64();
    let (address, etag) = (format!("/recordings/{}/file", ids[0]), file.header(header::ETAG).to_owned());
    let again = admin.get_with(Method::GET, &address, header::IF_NONE_MATCH, &etag).await;
    assert_eq!((again.status, again.header(header::CACHE_CONTROL)), (200, "no-store"));
    let after = admin.get(downloads).await.expect(200)["total"].as_u64();
    assert_eq!(after, before.map(|count| count + 1), "each download is written down");

    let zip = admin.post("/recordings/download?lang=zh-CN", json!({ "ids": ids })).await;
    assert_eq!((zip.status, zip.header(header::CONTENT_TYPE)), (200, "application/zip"));
    check_zip(&zip.body, &ids, &file.body);

    // The same as a form, as browsers send it to save the answer.
    let form: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(ids.iter().map(|id| ("ids", id.as_str())))
        .append_pair("csrf", admin.csrf.as_deref().expect("a token"))
        .finish();
    let send = async |form: String| {
        let mut request = admin.request(Method::POST, "/recordings/download?lang=zh-CN");
        request.headers_mut().expect("headers").remove("x-hookline-csrf");
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        admin.send(request.body(Full::from(form)).expect("a request")).await
    };
    let answer = send(form.clone()).await;
    assert_eq!(answer.status, 200);
    check_zip(&answer.body, &ids, &file.body);
    send(format!("ids={}", ids[0])).await.refused(403, "csrf_wrong");
    send(format!("{form}&ids=nonsense")).await.refused(422, "field_invalid");
    admin
        .post("/recordings/download", json!({ "ids": ["HKLN-00000000000000:99"] }))
        .await
        .refused(404, "not_found");
    house.close().await;
}

fn check_zip(bytes: &[u8], ids: &[String], first_file: &[u8]) {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("a ZIP");
    let mut text = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).expect(name).read_to_end(&mut bytes).expect("read");
        bytes
    };
    let csv = String::from_utf8(text("manifest.csv")).expect("UTF-8");
    assert!(csv.starts_with("\u{feff}文件,"), "{csv}");
    assert_eq!(csv.lines().count(), ids.len() + 1);
    let manifest: Value = serde_json::from_slice(&text("manifest.json")).expect("JSON");
    let recordings = manifest["recordings"].as_array().expect("a list").clone();
    assert_eq!(recordings.len(), ids.len());
    let mut names: Vec<&str> = recordings.iter().filter_map(|one| one["file"].as_str()).collect();
    for recording in &recordings {
        let bytes = text(recording["file"].as_str().expect("a file"));
        assert_eq!(recording["file_sha256"], sha256(&bytes).as_str());
        assert_eq!(recording["bytes"], bytes.len());
        if recording["id"] == ids[0].as_str() {
            assert_eq!(bytes, first_file);
        }
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ids.len(), "equal names got a suffix");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_become_files_in_the_readers_language() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let recording = house.a_recording(&mut admin).await;
    let id = id_of(&recording);
    admin.patch(&format!("/recordings/{id}"), json!({ "note": "=cmd|'/c calc'!A1" })).await.expect(200);
    for (language, heading, word) in
        [("zh-CN", "通话类型", "挂机停止"), ("zh-TW", "通話類型", "掛斷停止"), ("en", "Call type", "On-hook")]
    {
        let csv = admin
            .get(&format!("/recordings/export?format=csv&lang={language}&port={}", recording["port"]))
            .await;
        let text = String::from_utf8(csv.body.to_vec()).expect("UTF-8");
        assert_eq!(csv.status, 200);
        assert!(text.starts_with('\u{feff}') && text.contains(heading) && text.contains(word), "{text}");
        assert!(text.contains("'=cmd") && !text.contains(",=cmd"), "{text}");
    }
    let chosen =
        admin.get(&format!("/recordings/export?format=csv&ids={id}&ids=HKLN-00000000000000:7")).await;
    assert_eq!(String::from_utf8_lossy(&chosen.body).lines().count(), 2);
    let xlsx = admin.get(&format!("/recordings/export?format=xlsx&lang=zh-CN&ids={id}")).await;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&xlsx.body[..])).expect("a workbook");
    let mut sheet = String::new();
    archive.by_name("xl/worksheets/sheet1.xml").expect("a sheet").read_to_string(&mut sheet).expect("read");
    assert!(sheet.contains("挂机停止") && !sheet.contains("<f>"), "{sheet}");
    for format in ["csv", "xlsx"] {
        assert_eq!(admin.get(&format!("/audit/export?format={format}&lang=zh-TW")).await.status, 200);
    }
    admin.get("/recordings/export?format=pdf").await.refused(422, "field_invalid");
    admin.get("/recordings/export").await.refused(422, "field_missing");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_add_what_they_know() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let recording = house.a_recording(&mut admin).await;
    let address = format!("/recordings/{}", id_of(&recording));
    let changed = admin
        .patch(&address, json!({ "grade": "important", "score": 9, "note": "听不清" }))
        .await
        .expect(200);
    assert_eq!(
        (&changed["grade"], &changed["score"], &changed["note"]),
        (&json!("important"), &json!(9), &json!("听不清"))
    );
    let changed = admin.patch(&address, json!({ "score": null, "note": null })).await.expect(200);
    assert_eq!(
        (&changed["grade"], &changed["score"], &changed["note"]),
        (&json!("important"), &json!(null), &json!(null))
    );
    for (wrong, field) in [
        (json!({ "score": 11 }), "score"),
        (json!({ "score": 0 }), "score"),
        (json!({ "score": 1.5 }), "score"),
        (json!({ "grade": "golden" }), "grade"),
        (json!({ "grade": null }), "grade"),
        (json!({ "note": "x".repeat(2001) }), "note"),
        (json!({}), "grade"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let refused = admin.patch(&address, wrong.clone()).await;
        assert_eq!(refused.expect(422)["params"]["field"], field, "{wrong}");
    }
    let tag =
        admin.post(&format!("{address}/tags"), json!({ "sample": 4000, "text": "地址" })).await.expect(201);
    let far = admin.post(&format!("{address}/tags"), json!({ "sample": 4_000_000, "text": "x" })).await;
    assert_eq!(far.refused(422, "field_invalid")["field"], "sample");
    let texts = admin.get("/tags").await.expect(200);
    assert_eq!(texts["items"], json!([{ "text": "地址", "count": 1 }]));
    let list = admin.get("/recordings?tag=%E5%9C%B0%E5%9D%80").await.expect(200);
    assert_eq!(list["items"][0]["tags"][0]["id"], tag["id"]);
    let tag_address = format!("{address}/tags/{}", tag["id"].as_str().expect("an id"));
    admin.bare(Method::DELETE, &tag_address).await.expect(204);
    admin.bare(Method::DELETE, &tag_address).await.refused(404, "not_found");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_asks_for_the_count_and_spares_what_is_permanent() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    house.a_recording(&mut admin).await;
    for _ in 0..200 {
        if admin.get("/recordings?limit=1").await.expect(200)["total"].as_u64() >= Some(2) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let list = admin.get("/recordings?audio=with").await.expect(200);
    let ids: Vec<String> = list["items"].as_array().expect("a list").iter().map(id_of).take(2).collect();
    let graded =
        admin.post("/recordings/grade", json!({ "ids": [ids[0]], "grade": "permanent" })).await.expect(200);
    assert_eq!(graded, json!({ "changed": 1, "refused": [] }));
    let unsure = admin.post("/recordings/delete", json!({ "ids": ids, "count": 3 })).await;
    assert_eq!(unsure.refused(409, "count_mismatch"), json!({ "count": 3, "ids": 2 }));
    let answer = admin.post("/recordings/delete", json!({ "ids": ids, "count": 2 })).await.expect(200);
    assert_eq!(answer["changed"], 1);
    assert_eq!(answer["refused"], json!([{ "id": ids[0], "code": "recording_permanent" }]));
    admin.get(&format!("/recordings/{}/audio", ids[1])).await.refused(410, "recording_deleted");
    admin.get(&format!("/recordings/{}/file", ids[1])).await.refused(410, "recording_deleted");
    let detail = admin.get(&format!("/recordings/{}", ids[1])).await.expect(200);
    assert_eq!(
        (&detail["deleted"]["account"], &detail["deleted"]["reason"]),
        (&json!("admin"), &json!("person"))
    );
    assert_eq!(admin.get(&format!("/recordings/{}/audio", ids[0])).await.status, 200);
    let deleted = admin.get("/recordings?deleted=yes").await.expect(200);
    assert_eq!(deleted["items"].as_array().map(Vec::len), Some(1));
    let entries = |result: &str| format!("/audit?operation=delete&item=recording&result={result}");
    let done = admin.get(&entries("ok")).await.expect(200);
    assert_eq!((&done["total"], &done["items"][0]["parameters"]["id"]), (&json!(1), &json!(ids[1])));
    let refused = admin.get(&entries("refused")).await.expect(200);
    assert_eq!((&refused["total"], &refused["items"][0]["parameters"]["id"]), (&json!(1), &json!(ids[0])));
    assert_eq!(refused["items"][0]["detail"], "recording_permanent");
    let many: Vec<String> = (1..=1001).map(|number| format!("HKLN-00000000000000:{number}")).collect();
    let refused = admin.post("/recordings/delete", json!({ "ids": many, "count": 1001 })).await;
    assert_eq!(refused.refused(422, "field_invalid")["field"], "ids");
    let address = format!("/recordings/export?format=csv&ids={}", many.join("&ids="));
    assert_eq!(admin.get(&address).await.refused(422, "field_invalid")["field"], "ids");
    house.close().await;
}
