//! Imports of lists: what a file gave, and what takes it back. The import's own changes are ordinary commits.

use rusqlite::params;

use crate::Hash;
use crate::error::Error;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};

/// An import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRow {
    /// Its id.
    pub import_id: String,
    /// Of the file.
    pub file_sha256: Hash,
    /// Of the file, without its folder.
    pub file_name: String,
    /// Who did it.
    pub account: String,
    /// When.
    pub at_ms: i64,
    /// JSON as `import --json` printed it.
    pub summary: String,
    /// The caller's encoding of what takes it back.
    pub undo: Vec<u8>,
    /// When it was taken back.
    pub undone_ms: Option<i64>,
}

macro_rules! select_import {
    ($rest:literal) => {
        concat!(
            "SELECT import_id, file_sha256, file_name, account, at_ms, summary, undo, undone_ms FROM import ",
            $rest
        )
    };
}

fn import_row(row: &rusqlite::Row<'_>) -> Result<ImportRow, Error> {
    Ok(ImportRow {
        import_id: row.text(0)?,
        file_sha256: row.hash(1)?,
        file_name: row.text(2)?,
        account: row.text(3)?,
        at_ms: row.i64(4)?,
        summary: row.text(5)?,
        undo: row.blob(6)?.to_vec(),
        undone_ms: row.i64_or_none(7)?,
    })
}

impl Reader {
    /// One import.
    pub fn import(&self, import_id: &str) -> Result<Option<ImportRow>, Error> {
        self.one(select_import!("WHERE import_id = ?1"), [import_id], import_row)
    }

    /// Imports, newest first.
    pub fn imports(&self, limit: usize) -> Result<Vec<ImportRow>, Error> {
        self.all(
            select_import!("ORDER BY at_ms DESC, import_id LIMIT ?1"),
            [to_i64(limit as u64)],
            import_row,
        )
    }

    /// Imports of exactly this file that were not taken back, newest first.
    pub fn imports_of_file(&self, file_sha256: &Hash) -> Result<Vec<ImportRow>, Error> {
        self.all(
            select_import!("WHERE file_sha256 = ?1 AND undone_ms IS NULL ORDER BY at_ms DESC"),
            [file_sha256],
            import_row,
        )
    }
}

impl Writer {
    /// Records an import; writing it again under its id replaces summary and undo, for imports in several steps.
    pub fn save_import(&mut self, import: &ImportRow) -> Result<(), Error> {
        self.run(
            "INSERT INTO import (import_id, file_sha256, file_name, account, at_ms, summary, undo, undone_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
             ON CONFLICT (import_id) DO UPDATE SET summary = ?6, undo = ?7",
            params![
                import.import_id,
                import.file_sha256,
                import.file_name,
                import.account,
                import.at_ms,
                import.summary,
                import.undo,
                import.undone_ms
            ],
        )?;
        Ok(())
    }

    /// Records that an import was taken back; refused if it was already.
    pub fn mark_import_undone(&mut self, import_id: &str, now_ms: i64) -> Result<(), Error> {
        let changed = self.run(
            "UPDATE import SET undone_ms = ?2 WHERE import_id = ?1 AND undone_ms IS NULL",
            (import_id, now_ms),
        )?;
        if changed == 0 {
            Err(Error::Missing("import to take back"))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
