//! Contacts over the interface: every member, files out and in, and the departments they belong to.

mod house;

use catalog::{Body, Contact, ContactPort};
use house::organisation::{NORTH, Organisation, SOUTH, facts};
use house::{Answer, Client, House};
use http_body_util::Full;
use hyper::{Method, header};
use serde_json::{Value, json};

async fn import(client: &Client, query: &str, text: &str) -> Answer {
    let request = client.request(Method::POST, &format!("/contacts/import{query}"));
    let request = request.header(header::CONTENT_TYPE, "text/csv").body(Full::from(text.to_owned()));
    client.send(request.expect("a request")).await
}

async fn export(client: &Client, query: &str) -> String {
    let answer = client.get(&format!("/contacts/export?format=csv{query}")).await;
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body.to_vec()).expect("UTF-8")
}

fn numbers(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().expect("a list");
    items.iter().map(|one| one["number"].as_str().expect("a number")).collect()
}

/// Line, result and code (`-` without one) of each row.
fn results(report: &Value) -> Vec<(u64, &str, &str)> {
    let rows = report["rows"].as_array().expect("rows").iter();
    rows.map(|row| {
        let (line, result) = (row["line"].as_u64(), row["result"].as_str());
        (line.expect("a line"), result.expect("a result"), row["code"].as_str().unwrap_or("-"))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_has_numbers_a_position_an_address_and_a_port() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    let serial = admin.get("/box").await.expect(200)["serial"].clone();
    let contact = json!({
        "number": "88056612", "name": "张警官", "department": "指挥中心", "extension": "801",
        "outside_number": "13818886666", "position": "接警员", "email": "zhang@example.org", "port": 1, "note": "夜班",
    });
    let made = admin.post("/contacts", contact.clone()).await.expect(201);
    assert_eq!((&made["station"], &made["port"]), (&serial, &json!(1)));
    assert_eq!(admin.get("/ports").await.expect(200)["items"][0]["port_contact"], "张警官");
    for filter in [
        "text=%E6%8E%A5%E8%AD%A6",
        "number=8805",
        "name=%E5%BC%A0",
        "department=%E6%8C%87",
        "extension=80",
        "outside_number=1381888",
        "position=%E6%8E%A5",
        "email=ZHANG%40",
        "note=%E5%A4%9C",
        "port=1",
    ] {
        let found = admin.get(&format!("/contacts?{filter}")).await.expect(200);
        assert_eq!(numbers(&found), ["88056612"], "{filter}");
    }
    let none = admin.get("/contacts?port=2").await.expect(200);
    assert!(numbers(&none).is_empty());
    for (patch, field) in [
        (json!({ "email": "nobody" }), "email"),
        (json!({ "extension": "8 1" }), "extension"),
        (json!({ "outside_number": "x" }), "outside_number"),
        (json!({ "position": "x".repeat(65) }), "position"),
        (json!({ "port": 0 }), "port"),
        (json!({ "port": 70_000 }), "port"),
        (json!({ "station": "HKLN-OTHER", "port": 1 }), "station"),
    ] {
        let refused = admin.patch("/contacts/88056612", patch).await.refused(422, "field_invalid");
        assert_eq!(refused["field"], field);
    }
    admin.patch("/contacts/88056612", json!({ "station": serial })).await.refused(422, "field_missing");
    admin.patch("/contacts/88056612", json!({ "port": 999 })).await.refused(404, "not_found");
    let changed =
        admin.patch("/contacts/88056612", json!({ "port": null, "position": "" })).await.expect(200);
    assert_eq!(
        (&changed["station"], &changed["port"], &changed["position"]),
        (&json!(null), &json!(null), &json!(""))
    );
    assert_eq!(changed["email"], "zhang@example.org");
    let trail = admin.get("/audit?item=contact&operation=change").await.expect(200);
    assert_eq!(trail["items"][0]["parameters"]["before"]["port"], 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_taken_whole_or_not_at_all_and_comes_out_as_it_went_in() {
    let house = House::open().await;
    let mut admin = house.admin().await;
    admin.post("/contacts", json!({ "number": "110", "name": "Police", "note": "old" })).await.expect(201);
    let template = admin.get("/contacts/import").await;
    let heading = String::from_utf8_lossy(&template.body).into_owned();
    assert_eq!(
        heading,
        "\u{feff}port,number,name,department,extension,outside_number,position,email,note\r\n"
    );

    let bad = "\u{feff}号码,姓名,邮箱,录音端口\r\n110,Police,duty@example.org,2\r\n8001,,,\r\n,nobody,,\r\n8002,Amy,nowhere,\r\n\
               8003,Bo,,999\r\n8003,Bo,,\r\n8004,short\r\n8005,good,,\r\n";
    for query in ["?check=true", ""] {
        let report = import(&admin, query, bad).await.expect(200);
        let expected = [
            (2, "changed", "-"),
            (3, "refused", "field_invalid"),
            (4, "refused", "field_missing"),
            (5, "refused", "field_invalid"),
            (6, "refused", "not_found"),
            (7, "refused", "field_invalid"),
            (8, "refused", "field_invalid"),
            (9, "added", "-"),
        ];
        assert_eq!(results(&report), expected, "{report:#}");
        assert_eq!((&report["applied"], &report["refused"]), (&json!(false), &json!(6)));
        assert_eq!(report["rows"][3]["params"]["field"], "email");
    }
    assert_eq!(numbers(&admin.get("/contacts").await.expect(200)), ["110"], "nothing of it was written");
    let trail = admin.get("/audit?item=contact&operation=import").await.expect(200);
    let items = trail["items"].as_array().expect("a list");
    assert_eq!(items.len(), 1, "looking leaves no trace, trying does");
    assert_eq!((&items[0]["result"], &items[0]["parameters"]["refused"]), (&json!("refused"), &json!(6)));

    let good = "Number,Name,E-mail,Port,Outside number\r\n110,Police,duty@example.org,2,'+8613800138000\r\n\
                8001,\"Amy, desk\",,,\r\n,,,,\r\n";
    let check = import(&admin, "?check=true", good).await.expect(200);
    assert_eq!(
        (&check["applied"], &check["added"], &check["changed"]),
        (&json!(false), &json!(1), &json!(1))
    );
    let report = import(&admin, "", good).await.expect(200);
    assert_eq!(
        (&report["applied"], &report["added"], &report["changed"]),
        (&json!(true), &json!(1), &json!(1))
    );
    let list = admin.get("/contacts").await.expect(200);
    assert_eq!(numbers(&list), ["110", "8001"]);
    let police = &list["items"][0];
    assert_eq!((&police["note"], &police["port"]), (&json!("old"), &json!(2)), "what has no column stays");
    assert_eq!(police["outside_number"], "+8613800138000");
    assert_eq!(list["items"][1]["name"], "Amy, desk");
    let trail = admin.get("/audit?item=contact").await.expect(200);
    let operations: Vec<&str> = trail["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["operation"].as_str().expect("text"))
        .collect();
    assert_eq!(operations, ["create", "change", "import", "import", "create"]);
    assert_eq!(trail["items"][0]["parameters"]["import"], true);

    for lang in ["zh-CN", "zh-TW", "en"] {
        let file = export(&admin, &format!("&lang={lang}")).await;
        assert!(file.starts_with('\u{feff}') && file.contains(",'+8613800138000,"), "{file}");
        let again = import(&admin, "", &file).await.expect(200);
        assert_eq!(
            (&again["unchanged"], &again["changed"], &again["added"]),
            (&json!(2), &json!(0), &json!(0)),
            "{lang}"
        );
    }
    assert_eq!(export(&admin, "&lang=en&name=amy").await.lines().count(), 2);
    let sheet = admin.get("/contacts/export?format=xlsx").await;
    assert!(sheet.status == 200 && sheet.body.starts_with(b"PK"));
    let exported = admin.get("/audit?item=contact&operation=export").await.expect(200);
    assert_eq!(exported["total"], 5);

    for (text, code) in [
        ("name\nx", "field_missing"),
        ("number,colour\n1,red", "field_unknown"),
        ("number,number\n1,1", "field_invalid"),
        ("number,号码\n1,1", "field_invalid"),
        ("number,serial\n1,x", "field_unknown"),
    ] {
        import(&admin, "", text).await.refused(422, code);
    }
    let many = format!("number,name\n{}", "1,x\n".repeat(10_001));
    import(&admin, "?check=true", &many).await.refused(422, "field_invalid");
    let reader = house.person(&mut admin, "reader", &["live"]).await;
    assert_eq!(import(&reader, "", good).await.refused(403, "right_missing")["right"], "settings");
    assert!(export(&reader, "").await.contains("Police"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_contacts_come_at_once() {
    let house = House::open().await;
    let admin = house.admin().await;
    let lines: String =
        (0..10_000).map(|index| format!("{},Person {index},{}\n", 70_000_000 + index, index % 90)).collect();
    let report = import(&admin, "", &format!("number,name,extension\n{lines}")).await.expect(200);
    assert_eq!((&report["applied"], &report["added"]), (&json!(true), &json!(10_000)));
    let list = admin.get("/contacts?text=person%209999").await.expect(200);
    assert_eq!(numbers(&list), ["70009999"]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_of_another_department_stay_with_it() {
    let organisation = Organisation::open().await;
    let mut admin = organisation.serving.admin().await;
    let [mut north, north1, mut south] = organisation.furnish(&mut admin).await;
    let southern = json!({ "number": "5550002", "name": "Sudbury desk", "department": "South", "station": SOUTH, "port": 1 });
    let made = south.post("/contacts", southern).await.expect(201);
    assert_eq!((&made["station"], &made["station_name"]), (&json!(SOUTH), &json!("Sudbury")));

    // A call in the north with a number whose name is the south's.
    let record = catalog::entry::Record { facts: facts(NORTH, 1, 1, "5550002"), file: None };
    organisation.arrives(NORTH, &Body::Record(record), None, None);
    organisation.platform.catalog().wait_until_current(std::time::Duration::from_secs(5));
    for (client, found) in [(&north, 0), (&north1, 0), (&admin, 1)] {
        let list = client.get("/recordings?text=sudbury").await.expect(200);
        assert_eq!(list["items"].as_array().map(Vec::len), Some(found));
        let counted = client.get("/recordings/found?text=sudbury").await.expect(200);
        assert_eq!(counted["count"], found);
    }
    let list = north.get("/recordings").await.expect(200);
    assert_eq!(
        (&list["items"][0]["peer_number"], &list["items"][0]["peer_contact"]),
        (&json!("5550002"), &json!(null))
    );
    // Who looks at one department goes on reading the names of all that they may read.
    let part = admin.get("/recordings?department=North&text=sudbury").await.expect(200);
    assert_eq!(part["items"][0]["peer_contact"], "Sudbury desk");

    // Everybody's contact at a port of the south: its name is everybody's, where it sits is not.
    let port = Some(ContactPort { station: SOUTH.into(), port: 1 });
    let shared = Contact { number: "7".into(), name: "shared".into(), port, ..Contact::default() };
    organisation.platform.catalog().set_contact(shared).expect("written");
    let list = north.get("/contacts").await.expect(200);
    assert_eq!(numbers(&list), ["7"]);
    assert_eq!((&list["items"][0]["station"], &list["items"][0]["port"]), (&json!(null), &json!(null)));
    assert!(numbers(&north.get("/contacts?port=1").await.expect(200)).is_empty());
    assert!(numbers(&north.get(&format!("/contacts?station={SOUTH}")).await.expect(200)).is_empty());
    assert_eq!(
        numbers(&south.get(&format!("/contacts?station={SOUTH}")).await.expect(200)),
        ["5550002", "7"]
    );
    north.get("/contacts?department=South").await.refused(404, "not_found");
    assert_eq!(numbers(&admin.get("/contacts?department=South").await.expect(200)), ["5550002"]);
    assert!(!export(&north, "").await.contains(SOUTH));
    assert!(export(&south, "").await.contains(SOUTH));

    // Ports of others cannot be given away, nor contacts of others taken.
    let body = json!({ "number": "8", "name": "x", "department": "North", "station": SOUTH, "port": 1 });
    assert_eq!(north.post("/contacts", body).await.refused(404, "not_found")["what"], "device");
    let file = format!(
        "number,name,department,serial,port\n8,x,North,{NORTH},1\n5550002,mine,North,,\n7,mine,,,\n9,x,South,,\n\
         10,x,,,\n11,x,North,{SOUTH},1\n12,x,North,,1\n"
    );
    let report = import(&north, "", &file).await.expect(200);
    let codes: Vec<&str> = results(&report).into_iter().map(|(_, _, code)| code).collect();
    let expected = [
        "-",
        "contact_exists",
        "department_not_yours",
        "not_found",
        "department_not_yours",
        "not_found",
        "field_missing",
    ];
    assert_eq!(codes, expected);
    assert_eq!(report["applied"], false);
    assert_eq!(numbers(&admin.get("/contacts").await.expect(200)), ["5550002", "7"]);
    let own = format!("number,name,department,serial,port\n8,North desk,North 1,{NORTH},1\n");
    assert_eq!(import(&north, "", &own).await.expect(200)["added"], 1);
    assert_eq!(north1.get("/contacts?number=8").await.expect(200)["items"][0]["name"], "North desk");
    assert_eq!(north.get("/recordings").await.expect(200)["items"][0]["port_contact"], "North desk");

    // What somebody does not see of a contact stays when they change the rest.
    let port = Some(ContactPort { station: SOUTH.into(), port: 2 });
    let moved = Contact {
        number: "20".into(),
        name: "moved".into(),
        department: "North".into(),
        port,
        ..Contact::default()
    };
    organisation.platform.catalog().set_contact(moved).expect("written");
    north
        .patch("/contacts/20", json!({ "position": "clerk", "station": null, "port": null }))
        .await
        .expect(200);
    let seen = admin.get("/contacts?number=20").await.expect(200);
    assert_eq!((&seen["items"][0]["position"], &seen["items"][0]["port"]), (&json!("clerk"), &json!(2)));
    organisation.close().await;
}
