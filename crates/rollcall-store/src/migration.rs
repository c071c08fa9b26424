//! Versions of the tables: numbered files in `migrations/`, applied in order, each in one transaction with its number.
//! A file that has been released is never changed; a newer store is refused, never guessed at.

use rusqlite::Connection;

use crate::error::{Error, engine};

/// Every version's statements, in order; the first makes version 1.
const MIGRATIONS: [&str; 5] = [
    include_str!("../migrations/0001_log.sql"),
    include_str!("../migrations/0002_office.sql"),
    include_str!("../migrations/0003_recovery.sql"),
    include_str!("../migrations/0004_batch_file.sql"),
    include_str!("../migrations/0005_lists.sql"),
];

/// The version this program writes.
pub(crate) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Brings an existing store to [`VERSION`].
pub(crate) fn migrate(db: &Connection) -> Result<(), Error> {
    if version(db)? >= VERSION {
        return Ok(());
    }
    db.execute_batch("BEGIN IMMEDIATE").map_err(engine)?;
    // Read again: another process may have been faster.
    let applied = version(db)
        .and_then(|from| apply(db, from))
        .and_then(|()| db.execute_batch("COMMIT").map_err(engine));
    if applied.is_err() && !db.is_autocommit() {
        db.execute_batch("ROLLBACK").map_err(engine)?;
    }
    applied
}

/// Applies what follows version `from`, within the caller's transaction.
pub(crate) fn apply(db: &Connection, from: u32) -> Result<(), Error> {
    apply_until(db, from, VERSION)
}

fn apply_until(db: &Connection, from: u32, until: u32) -> Result<(), Error> {
    for (number, statements) in (1..=until).zip(MIGRATIONS).skip(from as usize) {
        db.execute_batch(statements).map_err(engine)?;
        db.execute_batch(&format!("PRAGMA user_version = {number}"))
            .map_err(engine)?;
        tracing::info!(version = number, "store migrated");
    }
    Ok(())
}

fn version(db: &Connection) -> Result<u32, Error> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(engine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::{APPLICATION_ID, Use, connect};
    use crate::testing::{Draft, Fixture};
    use crate::{Role, Store};

    /// A store as the program of an earlier version would have left it.
    fn store_of_version(path: &std::path::Path, until: u32) {
        std::fs::write(path, []).expect("an empty file");
        let db = connect(path, Use::Write).expect("connect");
        db.execute_batch(&format!("BEGIN; PRAGMA application_id = {APPLICATION_ID};"))
            .expect("begin");
        apply_until(&db, 0, until).expect("apply");
        let rows: [(&str, &[u8]); 4] = [
            ("store_id", &[7; 16]),
            ("log_epoch", &[2; 8]),
            ("role", b"aggregator"),
            ("name", b"old"),
        ];
        for row in rows {
            db.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", row)
                .expect("insert");
        }
        db.execute_batch("COMMIT").expect("commit");
    }

    #[test]
    fn every_earlier_version_is_brought_to_the_present_one() {
        let present = schema(&Fixture::new(Role::Aggregator).store);
        for until in 1..=VERSION {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("store.db");
            store_of_version(&path, until);
            let store = Store::open(&path).expect("open");
            assert_eq!(schema(&store), present, "from version {until}");
            let commit = Draft::new(1).edit(&[330106]);
            store
                .write("commit", move |writer| writer.commit_document(&commit))
                .wait()
                .expect("commit");
            assert_eq!(store.read(|reader| reader.verify()).expect("verify"), []);
            assert_eq!(store.identity().name, "old");
        }
    }

    #[test]
    fn lists_that_an_earlier_program_wrote_go_at_the_aggregator_only() {
        for (role, left) in [("aggregator", 0), ("node", 1)] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("store.db");
            store_of_version(&path, 4);
            let db = connect(&path, Use::Write).expect("connect");
            db.execute(
                "UPDATE meta SET value = CAST(?1 AS BLOB) WHERE key = 'role'",
                [role],
            )
            .expect("update");
            db.execute_batch(
                "INSERT INTO listing (document_id, kind, name, search, conflicts, updated_at_ms, position, columns) \
                 VALUES (zeroblob(16), 1, 'a', 'a', 0, 7, 1, '{}')",
            )
            .expect("insert");
            migrate(&db).expect("migrated");
            let count = db.query_row("SELECT count(*) FROM listing", [], |row| row.get::<_, i64>(0));
            assert_eq!(count.expect("count"), left, "{role}");
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_the_store_at_its_version() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        store_of_version(&path, 1);
        let db = connect(&path, Use::Write).expect("connect");
        db.execute_batch("CREATE TABLE lease (in_the_way INTEGER)")
            .expect("create");
        assert!(migrate(&db).is_err());
        assert_eq!(version(&db).expect("version"), 1);
        let receipts = "SELECT count(*) FROM sqlite_schema WHERE name = 'receipt'";
        assert_eq!(
            db.query_row(receipts, [], |row| row.get::<_, i64>(0))
                .expect("count"),
            0
        );
    }

    fn schema(store: &Store) -> Vec<String> {
        let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
        let all = store.read(|reader| reader.all(sql, [], |row| row.get(0).map_err(engine)));
        all.expect("schema")
    }
}
