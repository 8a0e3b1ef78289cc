//! The whole catalog as text, in a fixed order: equal catalogs give equal bytes. One line a row, members by tabs,
//! special characters as JSON writes them. Password hashes stay out: their SHA-256 stands for them.

use std::io::Write;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use sha2::{Digest, Sha256};

/// Heading, and the query whose columns make the lines.
const PARTS: &[(&str, &str)] = &[
    (
        "record serial sequence call_id segment port port_name start_us offset_s clock_quality duration_ms pre_roll_ms \
         start_mode stop_mode call_type line_number peer_number peer_name withheld tracks codec file file_missing \
         unavailable entry grade score note plays deleted_us deleted_by deleted_why",
        "SELECT st.serial, r.sequence, r.call_id, r.segment, p.port, r.port_name, r.start_us, c.offset_s,
             r.clock_quality, s.duration_ms, r.pre_roll_ms, c.start_mode, c.stop_mode, c.call_type, ln.text, pn.text,
             r.peer_name, r.withheld, r.tracks, r.codec, r.file, r.file_missing, r.unavailable, r.entry, c.grade, a.score, a.note,
             coalesce(a.plays, 0), d.utc_us, d.account, d.reason
         FROM record r JOIN skim s ON s.key = r.key JOIN combo c ON c.id = s.combo JOIN station st ON st.id = r.station
         JOIN place p ON p.id = s.place
         LEFT JOIN number ln ON ln.id = s.line LEFT JOIN number pn ON pn.id = s.peer
         LEFT JOIN annotation a ON a.key = r.key LEFT JOIN deletion d ON d.key = r.key
         ORDER BY st.serial, r.sequence",
    ),
    (
        "tag id serial sequence sample text account utc_us station_entry",
        "SELECT t.id, st.serial, r.sequence, t.sample, t.text, t.account, t.utc_us, t.station_entry
         FROM tag t JOIN record r ON r.key = t.key JOIN station st ON st.id = r.station ORDER BY t.id",
    ),
    (
        "early entry serial sequence utc_us body station_entry",
        "SELECT entry, serial, sequence, utc_us, body, station_entry FROM early ORDER BY entry",
    ),
    (
        "alarm id code category severity port thing params raised_us last_raised_us cleared_us count acknowledged_us \
         acknowledged_by acknowledged_note station station_entry reported_us",
        "SELECT a.id, code, category, severity, port, thing, params, raised_us, last_raised_us, cleared_us, count,
             acknowledged_us, acknowledged_by, acknowledged_note, st.serial, station_entry, reported_us
         FROM alarm a LEFT JOIN station st ON st.id = a.station ORDER BY a.id",
    ),
    (
        "audit id utc_us account display_name ip item port operation params result detail department station",
        "SELECT a.id, utc_us, account, display_name, ip, item, port, operation, params, result, detail, department,
             st.serial
         FROM audit a LEFT JOIN station st ON st.id = a.station ORDER BY a.id",
    ),
    (
        "account name display_name rights must_change disabled language department created_us last_login_us password_sha256",
        "SELECT name, display_name, rights, must_change, disabled, language, department, created_us, last_login_us,
             password_hash
         FROM account ORDER BY name",
    ),
    (
        "contact number name department note extension outside_number position email station port newer",
        "SELECT number, name, department, note, extension, outside_number, position, email, station, port, newer
         FROM contact ORDER BY number",
    ),
    ("device serial body", "SELECT serial, body FROM device ORDER BY serial"),
    ("former_device serial body", "SELECT serial, body FROM former_device ORDER BY serial"),
    ("department name body", "SELECT name, body FROM department ORDER BY name"),
    (
        "synchronised serial first last",
        "SELECT st.serial, y.first, y.last FROM synchronised y LEFT JOIN station st ON st.id = y.station
         ORDER BY st.serial, y.first",
    ),
    (
        "print serial entry written_us crc",
        "SELECT st.serial, p.entry, p.written_us, p.crc FROM print p JOIN station st ON st.id = p.station
         ORDER BY st.serial, p.entry",
    ),
    // What the tables of the search say, summed up, so that a wrong count or a lost tail shows as well.
    (
        "count serial port offset_s call_type start_mode stop_mode grade audio deleted length_class records",
        "SELECT st.serial, p.port, c.offset_s, c.call_type, c.start_mode, c.stop_mode, c.grade, c.audio, c.deleted,
             c.length_class, n.records
         FROM combo_count n JOIN combo c ON c.id = n.combo JOIN place p ON p.id = n.place
         JOIN station st ON st.id = p.station
         WHERE n.records <> 0 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
    ),
    (
        "place serial port records first_us last_us",
        "SELECT st.serial, p.port, p.records, p.first_key >> 12, p.last_key >> 12
         FROM place p JOIN station st ON st.id = p.station ORDER BY 1, 2",
    ),
    (
        "tally quarters span serial port deleted incoming_answered incoming_missed outgoing_answered \
         outgoing_unanswered unknown incoming_answered_ms incoming_missed_ms outgoing_answered_ms \
         outgoing_unanswered_ms unknown_ms",
        "SELECT t.quarters, t.span, st.serial, p.port, t.deleted, t.incoming_answered, t.incoming_missed,
             t.outgoing_answered, t.outgoing_unanswered, t.unknown, t.incoming_answered_ms, t.incoming_missed_ms,
             t.outgoing_answered_ms, t.outgoing_unanswered_ms, t.unknown_ms
         FROM tally t LEFT JOIN place p ON p.id = t.place LEFT JOIN station st ON st.id = p.station
         WHERE t.incoming_answered + t.incoming_missed + t.outgoing_answered + t.outgoing_unanswered + t.unknown <> 0
         ORDER BY 1, 2, 3, 4, 5",
    ),
    ("line_number text", "SELECT n.text FROM line_number l JOIN number n ON n.id = l.number ORDER BY 1"),
    (
        "number text tails",
        "SELECT n.text, count(t.tail) FROM number n LEFT JOIN number_tail t ON t.number = n.id
         GROUP BY n.id ORDER BY n.text",
    ),
];

/// What stopped a dump.
#[derive(Debug)]
pub enum DumpError {
    Sql(rusqlite::Error),
    Write(std::io::Error),
}

impl From<rusqlite::Error> for DumpError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<std::io::Error> for DumpError {
    fn from(error: std::io::Error) -> Self {
        Self::Write(error)
    }
}

pub fn dump(connection: &Connection, out: &mut dyn Write) -> Result<(), DumpError> {
    for (heading, sql) in PARTS {
        writeln!(out, "# {heading}")?;
        let hashed = heading.ends_with("password_sha256");
        let mut statement = connection.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mut line = String::new();
            for column in 0..columns {
                if column > 0 {
                    line.push('\t');
                }
                let last = column + 1 == columns;
                line.push_str(&cell(row, column, hashed && last)?);
            }
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn cell(row: &Row<'_>, column: usize, hashed: bool) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Blob(bytes) => hex(bytes),
        ValueRef::Text(bytes) if hashed => hex(&Sha256::digest(bytes)),
        ValueRef::Text(bytes) => serde_json::Value::from(String::from_utf8_lossy(bytes)).to_string(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
