//! A document without one of its branches (`protocol.md` 4.7, R4): its changes leave the document and are archived in
//! quarantine, all or nothing. Which branch, and what it is written again as, is for those who read documents.

use rollcall_core::id::DocumentId;

use crate::Hash;
use crate::error::Error;
use crate::fact::FactRow;
use crate::quarantine::Refused;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};

/// A branch to archive, and the document without it.
#[derive(Debug, Clone, PartialEq)]
pub struct BranchArchive {
    /// Which document.
    pub document_id: DocumentId,
    /// Digest that this was prepared for.
    pub expected_digest: Hash,
    /// The branch, each change after those it depends on.
    pub branch: Vec<Hash>,
    /// Heads without it, sorted.
    pub heads: Vec<Hash>,
    /// Digest without it.
    pub digest: Hash,
    /// Facts without it, of every position that is left.
    pub facts: Vec<FactRow>,
    /// Stable code of why.
    pub code: String,
    /// Plain sentence.
    pub message: String,
    /// What it was written again as.
    pub note: String,
    /// Version of this program.
    pub program: String,
    /// Now, Unix milliseconds.
    pub now_ms: i64,
}

impl Reader {
    /// Bytes of a change that is kept apart, open or archived.
    pub fn kept_change(&self, document_id: DocumentId, hash: &Hash) -> Result<Option<Vec<u8>>, Error> {
        self.one(
            "SELECT bytes FROM quarantine WHERE document_id = ?1 AND hash = ?2",
            (document_id.as_bytes(), hash),
            |row| Ok(row.blob(0)?.to_vec()),
        )
    }
}

impl Writer {
    /// Takes a branch out of its document. [`Error::Stale`] if the document is not what this was prepared for.
    pub fn archive_branch(&mut self, archive: &BranchArchive) -> Result<(), Error> {
        let id = archive.document_id;
        let held = self.document(id)?.ok_or(Error::NoDocument(id))?;
        if held.digest != archive.expected_digest {
            return Err(Error::Stale(id));
        }
        for hash in &archive.branch {
            let change = self
                .change(id, hash)?
                .ok_or(Error::Missing("change of the branch"))?;
            let kept = self.save_quarantine(
                &Refused {
                    document_id: id,
                    kind: held.kind,
                    hash: Some(*hash),
                    bytes: change.bytes,
                    code: archive.code.clone(),
                    message: archive.message.clone(),
                    origin_store: change.origin_store,
                    program: archive.program.clone(),
                },
                archive.now_ms,
            )?;
            self.settle_quarantine(kept, "rescued", &archive.note, archive.now_ms)?;
            self.run(
                "DELETE FROM change WHERE document_id = ?1 AND hash = ?2",
                (id.as_bytes(), hash),
            )?;
        }
        let left = self.all(
            "SELECT change_id, length(bytes) FROM change WHERE document_id = ?1 ORDER BY ordinal",
            [id.as_bytes()],
            |row| Ok((row.i64(0)?, row.u64(1)?)),
        )?;
        for (ordinal, (change_id, _)) in left.iter().enumerate() {
            self.run(
                "UPDATE change SET ordinal = ?2 WHERE change_id = ?1",
                (change_id, to_i64(ordinal as u64)),
            )?;
        }
        self.run(
            "UPDATE document SET heads = ?2, digest = ?3, changes_count = ?4, bytes_total = ?5 WHERE document_id = ?1",
            rusqlite::params![
                id.as_bytes(),
                archive.heads.as_flattened(),
                archive.digest,
                to_i64(left.len() as u64),
                to_i64(left.iter().map(|(_, bytes)| bytes).sum()),
            ],
        )?;
        for scope in self.scopes_of(id)? {
            self.swap_digest(&scope, &held.digest, &archive.digest)?;
        }
        self.run("DELETE FROM fact WHERE document_id = ?1", [id.as_bytes()])?;
        self.save_facts(id, &archive.facts)
    }
}

#[cfg(test)]
mod tests;
