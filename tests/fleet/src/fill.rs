//! Long lists for the data folder of a platform that does not run: what its pages look like after years.

use std::path::Path;

use catalog::entry::{AlarmRaised, FromStation, Record};
use catalog::{
    Account, AlarmCode, AuditEntry, AuditResult, Body, Catalog, Contact, Department, Device, Options, Params,
};

use crate::outbox::now_us;
use crate::{FleetError, call, io_at, serial};

/// Departments and accounts are fewer than what they look after.
const STATIONS_A_DEPARTMENT: usize = 20;
const CALL_S: u32 = 30;
const GROUP: usize = 500;

/// `rows` stations, each with one standing alarm and one recording without sound, as many contacts and operations, and a
/// department with an account for every twenty stations.
///
/// # Errors
/// A folder that no platform has made, or that one is using.
pub fn fill(data: &Path, rows: usize) -> Result<(), FleetError> {
    let path = data.join("identity/serial");
    let own = std::fs::read_to_string(&path).map_err(io_at(&path))?;
    let (catalog, _) = Catalog::open(data, Options::new(own.trim()))?;
    let departments = (0..rows.div_ceil(STATIONS_A_DEPARTMENT)).flat_map(department);
    let bodies: Vec<Body> = departments.chain((0..rows).flat_map(|number| row(number, rows))).collect();
    for group in bodies.chunks(GROUP) {
        catalog.append(group.to_vec())?;
    }
    Ok(())
}

fn department_name(number: usize) -> String {
    format!("第 {number} 分局")
}

/// Up to four capital letters, one for each number.
fn prefix(number: usize) -> String {
    let letter = |place: u32| char::from(b'A' + (number / 26_usize.pow(place) % 26) as u8);
    (0..4).rev().map(letter).collect()
}

/// The first one has the others below it.
fn department(number: usize) -> [Body; 2] {
    let department = Department {
        name: department_name(number),
        prefix: prefix(number),
        parent: (number > 0).then(|| department_name(0)),
        code: None,
    };
    let account = Account {
        name: format!("duty-{number}"),
        display_name: format!("值班 {number}"),
        // No password fits.
        password_hash: String::new(),
        rights: vec!["live".into(), "listen".into()],
        must_change: false,
        disabled: false,
        language: None,
        department: Some(department.name.clone()),
    };
    [Body::DepartmentSet(department), Body::AccountSet(account)]
}

fn row(number: usize, rows: usize) -> Vec<Body> {
    let (serial, before_s) = (serial(number), (rows - number) as i64 * 60);
    let end_us = now_us() - before_s * 1_000_000;
    let mut device = Device::new(serial.clone());
    device.name = format!("第 {number} 派出所");
    let contact = serde_json::json!({
        "number": format!("0512{number:08}"),
        "name": format!("{number} 号单位"),
        "department": department_name(number / STATIONS_A_DEPARTMENT),
    });
    let operation = AuditEntry {
        account: Some("admin".into()),
        display_name: None,
        department: None,
        ip: Some("192.0.2.7".into()),
        item: "device".into(),
        port: None,
        operation: "create".into(),
        params: Params::from_iter([("serial".to_owned(), serial.clone().into())]),
        result: AuditResult::Ok,
        detail: None,
    };
    let facts = call::facts(&serial, 1, 1 + (number % 16) as u16, end_us, CALL_S, &[]);
    let alarm = AlarmRaised {
        code: AlarmCode::LineLost.name().into(),
        category: AlarmCode::LineLost.category(),
        severity: AlarmCode::LineLost.severity(),
        port: Some(1),
        thing: None,
        params: Params::default(),
        times: 1,
    };
    let mut bodies = vec![Body::DeviceSet(device)];
    // Plain data, which is a contact.
    bodies.extend(serde_json::from_value::<Contact>(contact).map(Body::ContactSet));
    bodies.push(Body::Audit(operation));
    bodies.push(from_station(&serial, 1, end_us, &Body::Record(Record { facts, file: None })));
    bodies.push(from_station(&serial, 2, end_us, &Body::AlarmRaised(alarm)));
    bodies
}

fn from_station(serial: &str, entry: u64, written_us: i64, body: &Body) -> Body {
    Body::FromStation(FromStation {
        serial: serial.into(),
        entry,
        written_us,
        layout: 1,
        payload: String::from_utf8_lossy(&call::payload(body)).into_owned(),
        file: None,
        unavailable: None,
        covers_from: None,
    })
}
