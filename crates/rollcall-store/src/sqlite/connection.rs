//! Opening a connection: the settings every one of them must have (`reliability.md` 5.2).

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, engine};

/// "RCL1": says that a file is a Rollcall store.
pub(crate) const APPLICATION_ID: i32 = 0x5243_4c31;

/// First SQLite without the WAL-reset bug, with margin.
const ENGINE_VERSION_MIN: i32 = 3_053_000;
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_millis(5_000);
const STATEMENTS_CACHED: usize = 256;
// Small: the system's own page cache holds the file, and a server's memory must not grow with its readers.
const WRITER_CACHE_KIB: i64 = 16_384;
const READER_CACHE_KIB: i64 = 2_048;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// The writer thread's.
    Write,
    /// A snapshot's: refuses to write.
    Read,
}

/// Opens the file with every setting of a live store.
pub(crate) fn connect(path: &Path, purpose: Use) -> Result<Connection, Error> {
    let db = connect_plain(path)?;
    if db.is_readonly(rusqlite::MAIN_DB).map_err(engine)? {
        return Err(Error::ReadOnly);
    }
    let mode: String = db
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(engine)?;
    if mode != "wal" {
        return Err(Error::ReadOnly);
    }
    let cache_kib = if purpose == Use::Write {
        WRITER_CACHE_KIB
    } else {
        READER_CACHE_KIB
    };
    db.execute_batch(&format!(
        // The writer folds the write-ahead log by itself.
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1; \
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY; \
         PRAGMA cache_size = -{cache_kib}; PRAGMA query_only = {};",
        u8::from(purpose == Use::Read)
    ))
    .map_err(engine)?;
    Ok(db)
}

/// Opens an existing file with the settings that do not touch it.
pub(crate) fn connect_plain(path: &Path) -> Result<Connection, Error> {
    assert!(
        rusqlite::version_number() >= ENGINE_VERSION_MIN,
        "the bundled engine is at least 3.53"
    );
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(engine)?;
    db.busy_timeout(BUSY_TIMEOUT).map_err(engine)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        // Plans do not depend on bound values; without this statements are parsed again with every other value.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    ] {
        db.set_db_config(setting, on).map_err(engine)?;
    }
    db.execute_batch("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;")
        .map_err(engine)?;
    Ok(db)
}

/// The engine's own check of the file: pages, trees, constraints.
pub(crate) fn quick_check(db: &Connection) -> Result<(), Error> {
    check(db, "PRAGMA quick_check(20)")
}

/// The same, and that each index has exactly the rows of its table; takes several times as long.
pub(crate) fn integrity_check(db: &Connection) -> Result<(), Error> {
    check(db, "PRAGMA integrity_check(20)")
}

fn check(db: &Connection, pragma: &str) -> Result<(), Error> {
    let mut statement = db.prepare(pragma).map_err(engine)?;
    let findings = statement
        .query_map([], |row| row.get::<_, String>(0))
        .map_err(engine)?;
    let findings: Vec<String> = findings.collect::<Result<_, _>>().map_err(engine)?;
    if findings == ["ok"] {
        Ok(())
    } else {
        Err(Error::Corrupt(findings))
    }
}
