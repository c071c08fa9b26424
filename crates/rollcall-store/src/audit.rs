//! Who did what: rows without gaps, each chained to the one before, so that none can be changed or lost unseen.

use rusqlite::params;
use sha2::{Digest, Sha256};

use crate::Hash;
use crate::error::Error;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};

/// Something somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at_ms: i64,
    /// Who: an account id, or the name of a job.
    pub account: String,
    /// What: a verb and its object, stable.
    pub action: String,
    /// Which one, in what way; no content of documents, nothing that names a person.
    pub detail: String,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// 1, 2, 3 ...
    pub seq: u64,
    /// What happened.
    pub entry: AuditEntry,
    /// Chain after it.
    pub chain: Hash,
}

pub(crate) fn audit_row(row: &rusqlite::Row<'_>) -> Result<AuditRow, Error> {
    Ok(AuditRow {
        seq: row.u64(0)?,
        entry: AuditEntry {
            at_ms: row.i64(1)?,
            account: row.text(2)?,
            action: row.text(3)?,
            detail: row.text(4)?,
        },
        chain: row.hash(5)?,
    })
}

/// SHA-256(chain before ‖ seq ‖ time ‖ each text with its length).
pub(crate) fn next_chain(chain: &Hash, seq: u64, entry: &AuditEntry) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(chain);
    hasher.update(seq.to_be_bytes());
    hasher.update(entry.at_ms.to_be_bytes());
    for text in [&entry.account, &entry.action, &entry.detail] {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().into()
}

impl Reader {
    /// Entries before a number, newest first; `None` begins with the newest.
    pub fn audit(&self, before: Option<u64>, limit: usize) -> Result<Vec<AuditRow>, Error> {
        self.all(
            "SELECT seq, at_ms, account, action, detail, chain FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
            (before.map_or(i64::MAX, to_i64), to_i64(limit as u64)),
            audit_row,
        )
    }

    /// Entries of two sorts, newest first.
    pub fn audit_of(&self, actions: [&str; 2], limit: usize) -> Result<Vec<AuditRow>, Error> {
        self.all(
            "SELECT seq, at_ms, account, action, detail, chain FROM audit WHERE action IN (?1, ?2) \
             ORDER BY seq DESC LIMIT ?3",
            (actions[0], actions[1], to_i64(limit as u64)),
            audit_row,
        )
    }
}

impl Writer {
    /// Adds an entry; its number.
    pub fn append_audit(&mut self, entry: &AuditEntry) -> Result<u64, Error> {
        let (seq, chain) = self
            .audit(None, 1)?
            .first()
            .map_or((1, Hash::default()), |last| (last.seq + 1, last.chain));
        self.run(
            "INSERT INTO audit (seq, at_ms, account, action, detail, chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                to_i64(seq),
                entry.at_ms,
                entry.account,
                entry.action,
                entry.detail,
                next_chain(&chain, seq, entry)
            ],
        )?;
        Ok(seq)
    }
}

#[cfg(test)]
mod tests;
