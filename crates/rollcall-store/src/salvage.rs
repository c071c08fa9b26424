//! What can still be read of a damaged node's store (`protocol.md` 4.7, R8): who it was, its accounts, and the changes
//! that no aggregator has. Row by row, so that one damaged page costs the rows on it and no others.

use std::path::Path;

use rollcall_core::id::{DocumentId, DocumentKind, StoreId};
use rusqlite::Connection;
use sha2::{Digest, Sha256};

use crate::Hash;
use crate::account::AccountRow;
use crate::error::{Error, engine};
use crate::sqlite::{RowExt, connect_plain};
use crate::store::beside;

/// What was read of a store.
#[derive(Debug, Default)]
pub struct Salvage {
    /// Its id, if that can be read.
    pub store_id: Option<StoreId>,
    /// Its name for people.
    pub name: Option<String>,
    /// Accounts that can be read.
    pub accounts: Vec<AccountRow>,
    /// Changes without a position whose bytes are whole, in the order in which they were made.
    pub unsent: Vec<UnsentChange>,
    /// Rows that cannot be read, or whose bytes are not those of their hash.
    pub unreadable: u64,
}

/// A change that the aggregator has not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsentChange {
    /// Of which document.
    pub document_id: DocumentId,
    /// Of which kind.
    pub kind: DocumentKind,
    /// What lists called it; empty where that cannot be read.
    pub name: String,
    /// Of the chunk.
    pub hash: Hash,
    /// Plain change chunk.
    pub bytes: Vec<u8>,
}

/// Reads what can be read. Waits for nobody: the store must not be in use.
///
/// # Errors
/// `FileMissing`, `InUse`, or a file that is no database at all.
pub fn salvage(path: &Path) -> Result<Salvage, Error> {
    if !path.is_file() {
        return Err(Error::FileMissing(path.to_owned()));
    }
    let lock_path = beside(path, ".lock");
    let lock = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|error| Error::io("lock", &lock_path, error))?;
    lock.try_lock().map_err(|_| Error::InUse(path.to_owned()))?;
    let mut salvage = Salvage::default();
    let Ok(db) = connect_plain(path) else {
        return Ok(salvage);
    };
    salvage.store_id = meta(&db, "store_id").and_then(|id| StoreId::from_slice(&id));
    salvage.name = meta(&db, "name").and_then(|name| String::from_utf8(name).ok());
    salvage.read_accounts(&db);
    salvage.read_unsent(&db);
    Ok(salvage)
}

fn meta(db: &Connection, key: &str) -> Option<Vec<u8>> {
    db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .ok()
}

impl Salvage {
    fn read_accounts(&mut self, db: &Connection) {
        let sql =
            "SELECT account_id, name, password_hash, role, must_change, disabled, created_ms FROM account";
        let Ok(mut statement) = db.prepare(sql) else {
            return;
        };
        let Ok(mut rows) = statement.query([]) else { return };
        while let Ok(Some(row)) = rows.next() {
            match crate::account::account_row(row) {
                Ok(account) => self.accounts.push(account),
                Err(_) => self.unreadable += 1,
            }
        }
    }

    fn read_unsent(&mut self, db: &Connection) {
        let last: i64 = db
            .query_row("SELECT max(change_id) FROM change", [], |row| row.get(0))
            .unwrap_or(0);
        for change_id in 1..=last {
            match unsent_change(db, change_id) {
                Ok(Some(change)) => self.unsent.push(change),
                Ok(None) => {}
                Err(_) => self.unreadable += 1,
            }
        }
    }
}

/// A change by its number; nothing where there is none or it has a position.
fn unsent_change(db: &Connection, change_id: i64) -> Result<Option<UnsentChange>, Error> {
    let sql = "SELECT document_id, hash, position, bytes FROM change WHERE change_id = ?1";
    let mut statement = db.prepare_cached(sql).map_err(engine)?;
    let mut rows = statement.query([change_id]).map_err(engine)?;
    let Some(row) = rows.next().map_err(engine)? else {
        return Ok(None);
    };
    if row.u64(2)? > 0 {
        return Ok(None);
    }
    let (document_id, hash, bytes) = (row.document_id(0)?, row.hash(1)?, row.blob(3)?.to_vec());
    let body = bytes.get(8..).ok_or(Error::Damaged("a change"))?;
    if Hash::from(Sha256::digest(body)) != hash {
        return Err(Error::Damaged("a change"));
    }
    let mut statement = db
        .prepare_cached("SELECT kind FROM document WHERE document_id = ?1")
        .map_err(engine)?;
    let mut rows = statement.query([document_id.as_bytes()]).map_err(engine)?;
    let kind = rows
        .next()
        .map_err(engine)?
        .ok_or(Error::Damaged("a document"))?
        .kind(0)?;
    let name = db
        .query_row(
            "SELECT name FROM listing WHERE document_id = ?1",
            [document_id.as_bytes()],
            |row| row.get(0),
        )
        .unwrap_or_default();
    Ok(Some(UnsentChange {
        document_id,
        kind,
        name,
        hash,
        bytes,
    }))
}

#[cfg(test)]
mod tests;
