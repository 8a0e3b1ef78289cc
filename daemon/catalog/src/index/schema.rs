//! The tables of the catalog. They hold nothing that the journal does not say: another schema version simply means
//! that they are filled again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::Error;

/// Counts up with every change of the tables or of what they are filled with.
pub const SCHEMA_VERSION: i32 = 5;
/// "HKLC": tells our files from anybody's.
const APPLICATION_ID: i32 = 0x484B_4C43;

/// `skim` is one narrow row for each record with everything a filter can ask about; its key is the record's start in
/// microseconds with twelve bits behind it for those that start together, so that key order is the order of lists,
/// in the table and in each index. `combo` names each combination of members with few values once, `place` each port
/// of each station. `tally` holds sums of calls over spans of time, see `tallies`.
const TABLES: &str = "
CREATE TABLE applied (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL, crc INTEGER NOT NULL,
    -- Rows of number, for the searches' guesses.
    numbers INTEGER NOT NULL,
    -- The last entry that changed a device or a department.
    organisation INTEGER NOT NULL
) STRICT;

CREATE TABLE station (id INTEGER PRIMARY KEY, serial TEXT NOT NULL UNIQUE) STRICT;
-- A port of a station, with the first and last key of its records.
CREATE TABLE place (
    id INTEGER PRIMARY KEY,
    station INTEGER NOT NULL, port INTEGER NOT NULL,
    records INTEGER NOT NULL DEFAULT 0, first_key INTEGER NOT NULL, last_key INTEGER NOT NULL,
    UNIQUE (station, port)
) STRICT;

-- Plain numbers are their own id, see `numbers`; other texts have negative ones.
CREATE TABLE number (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX number_other ON number (text) WHERE id < 0;
-- Every end of every number, at most 8 characters of it: a fragment is the beginning of one of them.
CREATE TABLE number_tail (tail TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (tail, number)) STRICT, WITHOUT ROWID;
-- The numbers that are a line's own somewhere: few, beside all that ever called.
CREATE TABLE line_number (number INTEGER PRIMARY KEY) STRICT;

CREATE TABLE combo (
    id INTEGER PRIMARY KEY,
    offset_s INTEGER NOT NULL,
    call_type TEXT NOT NULL, start_mode TEXT NOT NULL, stop_mode TEXT NOT NULL, grade TEXT NOT NULL,
    audio INTEGER NOT NULL, deleted INTEGER NOT NULL, length_class INTEGER NOT NULL,
    records INTEGER NOT NULL DEFAULT 0,
    UNIQUE (offset_s, call_type, start_mode, stop_mode, grade, audio, deleted, length_class)
) STRICT;
CREATE TABLE combo_count (
    place INTEGER NOT NULL, combo INTEGER NOT NULL, records INTEGER NOT NULL, PRIMARY KEY (place, combo)
) STRICT, WITHOUT ROWID;

CREATE TABLE skim (
    key INTEGER PRIMARY KEY,
    place INTEGER NOT NULL, combo INTEGER NOT NULL, duration_ms INTEGER NOT NULL, line INTEGER, peer INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX skim_place ON skim (place, key, combo, duration_ms, line, peer);
CREATE INDEX skim_place_combo ON skim (place, combo, key, duration_ms, line, peer);
CREATE INDEX skim_combo ON skim (combo, key, place, duration_ms, line, peer);
CREATE INDEX skim_line ON skim (line, key, place, combo, duration_ms, peer) WHERE line IS NOT NULL;
CREATE INDEX skim_peer ON skim (peer, key, place, combo, duration_ms, line) WHERE peer IS NOT NULL;

-- Calls that start in span number `span` of so many quarters of an hour since 1970, and their milliseconds.
-- Place 0: all places together.
CREATE TABLE tally (
    quarters INTEGER NOT NULL, span INTEGER NOT NULL, place INTEGER NOT NULL, deleted INTEGER NOT NULL,
    incoming_answered INTEGER NOT NULL, incoming_missed INTEGER NOT NULL, outgoing_answered INTEGER NOT NULL,
    outgoing_unanswered INTEGER NOT NULL, unknown INTEGER NOT NULL,
    incoming_answered_ms INTEGER NOT NULL, incoming_missed_ms INTEGER NOT NULL, outgoing_answered_ms INTEGER NOT NULL,
    outgoing_unanswered_ms INTEGER NOT NULL, unknown_ms INTEGER NOT NULL,
    PRIMARY KEY (quarters, span, place, deleted)
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
    key INTEGER PRIMARY KEY,
    station INTEGER NOT NULL, sequence INTEGER NOT NULL,
    call_id TEXT NOT NULL, segment INTEGER NOT NULL, port_name TEXT NOT NULL,
    start_us INTEGER NOT NULL, clock_quality TEXT NOT NULL, pre_roll_ms INTEGER NOT NULL,
    peer_name TEXT, withheld INTEGER NOT NULL, tracks INTEGER NOT NULL, codec TEXT,
    file TEXT, file_missing INTEGER NOT NULL, unavailable TEXT,
    entry INTEGER NOT NULL, entry_segment INTEGER NOT NULL, entry_offset INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX record_id ON record (station, sequence);
CREATE INDEX record_call ON record (call_id);
-- What is said of records that the journal has not named yet: it waits for them.
CREATE TABLE early (
    entry INTEGER PRIMARY KEY, serial TEXT NOT NULL, sequence INTEGER NOT NULL, utc_us INTEGER NOT NULL,
    body TEXT NOT NULL, station_entry INTEGER
) STRICT;
CREATE INDEX early_record ON early (serial, sequence);

CREATE TABLE annotation (key INTEGER PRIMARY KEY, score INTEGER, note TEXT, plays INTEGER NOT NULL) STRICT;
CREATE INDEX annotation_score ON annotation (score, key) WHERE score IS NOT NULL;
CREATE INDEX annotation_note ON annotation (key) WHERE note IS NOT NULL;
CREATE TABLE deletion (key INTEGER PRIMARY KEY, utc_us INTEGER NOT NULL, account TEXT, reason TEXT NOT NULL) STRICT;
CREATE TABLE tag (
    id INTEGER PRIMARY KEY,
    key INTEGER NOT NULL, sample INTEGER NOT NULL, text TEXT NOT NULL, account TEXT, utc_us INTEGER NOT NULL,
    -- The number its entry has at the station, where it comes from there.
    station_entry INTEGER
) STRICT;
CREATE INDEX tag_key ON tag (key);
CREATE INDEX tag_text ON tag (text, key);

-- `station`: of the entry; null: this box itself.
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY, station INTEGER, station_entry INTEGER,
    code TEXT NOT NULL, category TEXT NOT NULL, severity TEXT NOT NULL, port INTEGER, thing TEXT,
    params TEXT NOT NULL, raised_us INTEGER NOT NULL, last_raised_us INTEGER NOT NULL, cleared_us INTEGER,
    reported_us INTEGER NOT NULL, count INTEGER NOT NULL, acknowledged_us INTEGER, acknowledged_by TEXT, acknowledged_note TEXT
) STRICT;
CREATE INDEX alarm_current ON alarm (code, station, port, thing) WHERE cleared_us IS NULL;
CREATE INDEX alarm_station ON alarm (station);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY, station INTEGER,
    utc_us INTEGER NOT NULL, account TEXT, display_name TEXT, department TEXT, ip TEXT, item TEXT NOT NULL, port INTEGER,
    operation TEXT NOT NULL, params TEXT NOT NULL, result TEXT NOT NULL, detail TEXT
) STRICT;
CREATE INDEX audit_account ON audit (account);
CREATE INDEX audit_operation ON audit (operation);
CREATE INDEX audit_station ON audit (station);

CREATE TABLE account (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    display_name TEXT NOT NULL, password_hash TEXT NOT NULL, rights TEXT NOT NULL,
    must_change INTEGER NOT NULL, disabled INTEGER NOT NULL, language TEXT, department TEXT,
    created_us INTEGER NOT NULL, last_login_us INTEGER
) STRICT;
-- `station`, `port`: whose user it is; `newer`: members of a newer release, as JSON.
CREATE TABLE contact (
    number TEXT PRIMARY KEY, name TEXT NOT NULL, department TEXT NOT NULL, note TEXT NOT NULL,
    extension TEXT NOT NULL, outside_number TEXT NOT NULL, position TEXT NOT NULL, email TEXT NOT NULL,
    station TEXT, port INTEGER, newer TEXT
) STRICT;
CREATE INDEX contact_extension ON contact (extension) WHERE extension <> '';
CREATE INDEX contact_outside_number ON contact (outside_number) WHERE outside_number <> '';
CREATE INDEX contact_port ON contact (station, port) WHERE station IS NOT NULL;

-- Whole, as JSON: there are few, and each is read whole.
CREATE TABLE device (serial TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
-- As they were when they were removed: to whom a time belonged counts when the serial number comes again.
CREATE TABLE former_device (serial TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE department (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
-- Entries that have gone from a station to its platform, as spans. On the station, `station` is 0; on the platform, its.
CREATE TABLE synchronised (
    station INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (station, first)
) STRICT, WITHOUT ROWID;
-- What tells each entry of a station from another one that has its number, see `EntryPrint`.
CREATE TABLE print (
    station INTEGER NOT NULL, entry INTEGER NOT NULL, written_us INTEGER NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (station, entry)
) STRICT, WITHOUT ROWID;

INSERT INTO applied VALUES (1, 0, 0, 0, 0, 0, 0);
";

/// The one connection that writes. Makes the tables in an empty file; `Ok(Err(why))` if the file is not a catalog of
/// this version and has to be made again.
pub fn open_writer(path: &Path) -> Result<Result<Connection, String>, Error> {
    keep_private(path)?;
    let connection = Connection::open(path).map_err(Error::index("be opened"))?;
    match prepare(&connection) {
        Ok(None) => Ok(Ok(connection)),
        Ok(Some(why)) => Ok(Err(why)),
        Err(error) if is_damage(&error) => Ok(Err(format!("it is damaged: {error}"))),
        Err(source) => Err(Error::Index { step: "be opened", source }),
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection.busy_timeout(Duration::from_secs(10))?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && (version, application) != (SCHEMA_VERSION, APPLICATION_ID) {
        return Ok(Some(format!("its tables have version {version}, this release has {SCHEMA_VERSION}")));
    }
    // The journal is what survives a power cut: the catalog may lose its last transactions, never its order.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    // Flash wears by what is written: gather 32 MiB of changes before pages are copied home.
    connection.pragma_update(None, "wal_autocheckpoint", 8192)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    set_cache(connection, WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    keep_plans(connection)?;
    if tables == 0 {
        connection.execute_batch(&format!(
            "BEGIN; {TABLES} PRAGMA user_version = {SCHEMA_VERSION}; PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
        ))?;
    }
    Ok(None)
}

/// A connection that reads.
pub fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "query_only", true)?;
    set_cache(&connection, READER_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// Statements are prepared once. Without the stability guarantee SQLite plans a statement anew each time another value
/// is bound to its LIMIT: tens of microseconds, hundreds of times in a search.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Memory for pages of the writing connection.
pub const WRITER_CACHE_KIB: i32 = 8 << 10;
/// The same while many entries are taken in at once: they land all over the indexes.
pub const CATCH_UP_CACHE_KIB: i32 = 96 << 10;
/// Memory for pages of each reading connection.
const READER_CACHE_KIB: i32 = 6 << 10;

pub fn set_cache(connection: &Connection, kib: i32) -> rusqlite::Result<()> {
    connection.pragma_update(None, "cache_size", -kib)
}

/// Removes the catalog's files, to be made again.
pub fn remove(path: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let file = PathBuf::from(name);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", file)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The catalog holds password hashes: only its owner reads it.
fn keep_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt;
    let made = fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
    made.map(drop).map_err(Error::io("create", path))
}

/// The file itself is broken, not the moment.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    #[test]
    fn a_statement_is_planned_once_whatever_its_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("catalog.sqlite");
        let writer = open_writer(&path).expect("opened").expect("a catalog");
        for connection in [&writer, &open_reader(&path).expect("opened")] {
            let mut find = connection
                .prepare("SELECT key FROM skim WHERE key < ?1 ORDER BY key DESC LIMIT ?2")
                .expect("prepared");
            for limit in 1..5 {
                let found = find.query_map([i64::MAX, limit], |row| row.get::<_, i64>(0)).expect("asked");
                assert_eq!(found.count(), 0);
            }
            assert_eq!(find.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
