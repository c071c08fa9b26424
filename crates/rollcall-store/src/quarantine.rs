//! Changes that are held but not in their document: waiting for a dependency, or refused and kept apart.
//! Nothing refused is thrown away; heads and digests know nothing of either.

use rollcall_core::id::{DocumentId, DocumentKind, LogEpoch, StoreId};
use rusqlite::params;
use sha2::{Digest, Sha256};

use crate::Hash;
use crate::error::Error;
use crate::sqlite::{Reader, RowExt, Writer, hashes_of, to_i64};

/// A change that waits for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingChange {
    /// Of which document, which may not exist yet.
    pub document_id: DocumentId,
    /// Of which kind.
    pub kind: DocumentKind,
    /// Of the chunk.
    pub hash: Hash,
    /// What it waits for.
    pub missing: Vec<Hash>,
    /// Who sent it.
    pub origin_store: StoreId,
    /// Spell of that store's log.
    pub origin_epoch: LogEpoch,
    /// The aggregator's position where it came from there; else 0.
    pub position: u64,
    /// Commit time of that position; else 0.
    pub committed_at_ms: i64,
    /// When it arrived.
    pub first_seen_ms: i64,
    /// Plain change chunk.
    pub bytes: Vec<u8>,
}

/// A change to be kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Of which document, as it was sent.
    pub document_id: DocumentId,
    /// Of which kind, as it was sent.
    pub kind: DocumentKind,
    /// Of the chunk, as if its frame were sound; `None` in rows of versions that did not ask.
    pub hash: Option<Hash>,
    /// What came.
    pub bytes: Vec<u8>,
    /// Code of `reliability.md` 4.
    pub code: String,
    /// Plain sentence.
    pub message: String,
    /// Who sent it.
    pub origin_store: StoreId,
    /// Version of this program.
    pub program: String,
}

/// A change that was kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// Its number here.
    pub quarantine_id: u64,
    /// What and why.
    pub refused: Refused,
    /// How often it was tried.
    pub attempts: u64,
    /// When it first came.
    pub first_seen_ms: i64,
    /// When it was taken after all or set aside for good.
    pub released_ms: Option<i64>,
    /// How it ended: empty while it is open, `taken`, `rescued` or `discarded`.
    pub outcome: String,
    /// Why it was discarded, or what it was written again as.
    pub note: String,
}

macro_rules! select_quarantine {
    ($rest:literal) => {
        concat!(
            "SELECT quarantine_id, document_id, kind, hash, bytes, code, message, origin_store, program, attempts, ",
            "first_seen_ms, released_ms, outcome, note FROM quarantine ",
            $rest
        )
    };
}

fn quarantine_row(row: &rusqlite::Row<'_>) -> Result<QuarantineRow, Error> {
    let hash = row.get_ref(3).map_err(crate::error::engine)?.as_blob_or_null();
    let hash = hash.map_err(|_| Error::Damaged("a quarantined hash"))?;
    Ok(QuarantineRow {
        quarantine_id: row.u64(0)?,
        refused: Refused {
            document_id: row.document_id(1)?,
            kind: row.kind(2)?,
            hash: hash
                .map(|hash| hash.try_into().map_err(|_| Error::Damaged("a quarantined hash")))
                .transpose()?,
            bytes: row.blob(4)?.to_vec(),
            code: row.text(5)?,
            message: row.text(6)?,
            origin_store: row.store_id(7)?,
            program: row.text(8)?,
        },
        attempts: row.u64(9)?,
        first_seen_ms: row.i64(10)?,
        released_ms: row.i64_or_none(11)?,
        outcome: row.text(12)?,
        note: row.text(13)?,
    })
}

impl Reader {
    /// The changes of a document that wait, in order of arrival.
    pub fn pending_changes(&self, document_id: DocumentId) -> Result<Vec<PendingChange>, Error> {
        self.all(
            "SELECT document_id, kind, hash, missing, origin_store, origin_epoch, position, committed_at_ms, \
             first_seen_ms, bytes FROM pending_change WHERE document_id = ?1 ORDER BY pending_id",
            [document_id.as_bytes()],
            |row| {
                Ok(PendingChange {
                    document_id: row.document_id(0)?,
                    kind: row.kind(1)?,
                    hash: row.hash(2)?,
                    missing: hashes_of(row.blob(3)?)?,
                    origin_store: row.store_id(4)?,
                    origin_epoch: row.log_epoch(5)?,
                    position: row.u64(6)?,
                    committed_at_ms: row.i64(7)?,
                    first_seen_ms: row.i64(8)?,
                    bytes: row.blob(9)?.to_vec(),
                })
            },
        )
    }

    /// The documents that have waiting changes. Sorted.
    pub fn documents_pending(&self) -> Result<Vec<DocumentId>, Error> {
        self.all(
            "SELECT DISTINCT document_id FROM pending_change ORDER BY 1",
            [],
            |row| row.document_id(0),
        )
    }

    /// What is kept apart and not released, oldest first.
    pub fn quarantine(&self, limit: usize) -> Result<Vec<QuarantineRow>, Error> {
        self.all(
            select_quarantine!("WHERE released_ms IS NULL ORDER BY quarantine_id LIMIT ?1"),
            [to_i64(limit as u64)],
            quarantine_row,
        )
    }

    /// Everything that was ever kept apart, the newest first.
    pub fn quarantine_all(&self, limit: usize) -> Result<Vec<QuarantineRow>, Error> {
        self.all(
            select_quarantine!("ORDER BY quarantine_id DESC LIMIT ?1"),
            [to_i64(limit as u64)],
            quarantine_row,
        )
    }

    /// One row.
    pub fn quarantine_row(&self, quarantine_id: u64) -> Result<Option<QuarantineRow>, Error> {
        self.one(
            select_quarantine!("WHERE quarantine_id = ?1"),
            [to_i64(quarantine_id)],
            quarantine_row,
        )
    }

    /// What is kept apart of one document, released rows too.
    pub fn quarantine_of(&self, document_id: DocumentId) -> Result<Vec<QuarantineRow>, Error> {
        self.all(
            select_quarantine!("WHERE document_id = ?1 ORDER BY quarantine_id"),
            [document_id.as_bytes()],
            quarantine_row,
        )
    }

    /// The documents with something kept apart and not released. Sorted.
    pub fn documents_quarantined(&self) -> Result<Vec<DocumentId>, Error> {
        self.all(
            "SELECT DISTINCT document_id FROM quarantine WHERE released_ms IS NULL ORDER BY 1",
            [],
            |row| row.document_id(0),
        )
    }

    /// The same without those whose changes were only damaged on the way: what a receipt claims nothing about. Damage says
    /// nothing about a document, and a receipt that was silent about it would hide that the change itself has not come.
    pub fn documents_in_doubt(&self) -> Result<Vec<DocumentId>, Error> {
        self.all(
            "SELECT DISTINCT document_id FROM quarantine WHERE released_ms IS NULL AND code <> 'ENVELOPE_DAMAGED' \
             ORDER BY 1",
            [],
            |row| row.document_id(0),
        )
    }

    /// The documents in doubt by something that a store sent: open, or discarded, which the sender may still hold. Sorted.
    pub fn documents_in_doubt_of(&self, origin_store: StoreId) -> Result<Vec<DocumentId>, Error> {
        self.all(
            "SELECT DISTINCT q.document_id FROM quarantine_sender s JOIN quarantine q USING (quarantine_id) \
             WHERE s.origin_store = ?1 AND q.code <> 'ENVELOPE_DAMAGED' \
             AND (q.released_ms IS NULL OR q.outcome = 'discarded') ORDER BY 1",
            [origin_store.as_bytes()],
            |row| row.document_id(0),
        )
    }

    /// Whether this change of a document waits here, or came from this store and is kept apart or was discarded: whoever
    /// has it need not send it again. One that waits for nothing any more is wanted again (`protocol.md` R6): what it
    /// waited for came from another store, and only its own sender can hand it in. So is one that lost its number: its
    /// sender writes it again once it has heard (R4). And so is one that was damaged on the way.
    pub fn has_apart(
        &self,
        document_id: DocumentId,
        hash: &Hash,
        origin_store: StoreId,
    ) -> Result<bool, Error> {
        let waits_for = self.one(
            "SELECT missing FROM pending_change WHERE document_id = ?1 AND hash = ?2",
            (document_id.as_bytes(), hash),
            |row| hashes_of(row.blob(0)?),
        )?;
        for missing in waits_for.iter().flatten() {
            if self.change_position(document_id, missing)?.is_none() {
                return Ok(true);
            }
        }
        let found = self.one(
            "SELECT 1 FROM quarantine q JOIN quarantine_sender s USING (quarantine_id) \
             WHERE q.document_id = ?1 AND q.hash = ?2 AND s.origin_store = ?3 AND q.code <> 'ENVELOPE_DAMAGED' \
             AND (q.outcome = 'discarded' OR (q.released_ms IS NULL AND q.code <> 'FORKED')) LIMIT 1",
            (document_id.as_bytes(), hash, origin_store.as_bytes()),
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// Whether anything is kept apart and not released. Asked once a transaction: mostly nothing is.
    fn is_anything_kept_apart(&self) -> Result<bool, Error> {
        if let Some(known) = self.staged().borrow().kept_apart {
            return Ok(known);
        }
        let found = self.one(
            "SELECT 1 FROM quarantine WHERE released_ms IS NULL LIMIT 1",
            [],
            |_| Ok(()),
        )?;
        self.staged().borrow_mut().kept_apart = Some(found.is_some());
        Ok(found.is_some())
    }

    /// How much that a store sent is kept apart here or waits: changes and bytes.
    pub fn kept_apart_of(&self, origin_store: StoreId) -> Result<(u64, u64), Error> {
        let sum = self.one(
            "SELECT count(*), coalesce(sum(size), 0) FROM (\
             SELECT length(bytes) AS size FROM quarantine WHERE released_ms IS NULL AND origin_store = ?1 \
             UNION ALL SELECT length(bytes) FROM pending_change WHERE origin_store = ?1)",
            [origin_store.as_bytes()],
            |row| Ok((row.u64(0)?, row.u64(1)?)),
        )?;
        Ok(sum.unwrap_or_default())
    }

    /// What another version of this program tried last: worth one more attempt.
    pub fn quarantine_untried(&self, program: &str, limit: usize) -> Result<Vec<QuarantineRow>, Error> {
        self.all(
            select_quarantine!("WHERE released_ms IS NULL AND program <> ?1 ORDER BY quarantine_id LIMIT ?2"),
            (program, to_i64(limit as u64)),
            quarantine_row,
        )
    }
}

impl Writer {
    /// Keeps a change until what it depends on arrives. The same again changes nothing.
    pub fn save_pending(&mut self, change: &PendingChange) -> Result<(), Error> {
        self.run(
            "INSERT INTO pending_change (document_id, kind, hash, missing, origin_store, origin_epoch, position, \
             committed_at_ms, first_seen_ms, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
             ON CONFLICT (document_id, hash) DO UPDATE SET missing = ?4",
            params![
                change.document_id.as_bytes(),
                change.kind.number(),
                change.hash,
                change.missing.as_flattened(),
                change.origin_store.as_bytes(),
                change.origin_epoch.as_bytes(),
                to_i64(change.position),
                change.committed_at_ms,
                change.first_seen_ms,
                change.bytes
            ],
        )?;
        Ok(())
    }

    /// Takes a waiting change out: it has been committed or quarantined in this transaction.
    pub fn remove_pending(&mut self, document_id: DocumentId, hash: &Hash) -> Result<(), Error> {
        self.run(
            "DELETE FROM pending_change WHERE document_id = ?1 AND hash = ?2",
            (document_id.as_bytes(), hash),
        )?;
        Ok(())
    }

    /// Moves what has waited since before `before_ms` into quarantine: what it depends on does not come. How many.
    pub fn expire_pending(&mut self, before_ms: i64, program: &str, now_ms: i64) -> Result<u64, Error> {
        let documents = self.all(
            "SELECT DISTINCT document_id FROM pending_change WHERE first_seen_ms < ?1",
            [before_ms],
            |row| row.document_id(0),
        )?;
        let mut count = 0;
        for document_id in documents {
            for change in self.pending_changes(document_id)? {
                if change.first_seen_ms < before_ms {
                    self.give_up_pending(&change, program, now_ms)?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    /// Moves one waiting change into quarantine.
    pub fn give_up_pending(
        &mut self,
        change: &PendingChange,
        program: &str,
        now_ms: i64,
    ) -> Result<u64, Error> {
        let kept = self.save_quarantine(
            &Refused {
                document_id: change.document_id,
                kind: change.kind,
                hash: Some(change.hash),
                bytes: change.bytes.clone(),
                code: DEPENDENCY_MISSING.to_owned(),
                message: "A change that this one follows has not come.".to_owned(),
                origin_store: change.origin_store,
                program: program.to_owned(),
            },
            now_ms,
        )?;
        self.remove_pending(change.document_id, &change.hash)?;
        Ok(kept)
    }

    /// Closes what a store's change was kept apart as, now that the store has written it again: in quarantine, or
    /// waiting for another that is.
    pub fn close_rescued(
        &mut self,
        document_id: DocumentId,
        hash: &Hash,
        origin_store: StoreId,
        note: &str,
        now_ms: i64,
    ) -> Result<(), Error> {
        let waiting = self.pending_changes(document_id)?;
        for change in waiting.iter().filter(|change| change.hash == *hash) {
            self.give_up_pending(change, "", now_ms)?;
        }
        self.run(
            "UPDATE quarantine SET released_ms = ?4, outcome = 'rescued', note = ?5 WHERE document_id = ?1 \
             AND hash = ?2 AND origin_store = ?3 AND released_ms IS NULL",
            params![
                document_id.as_bytes(),
                hash,
                origin_store.as_bytes(),
                now_ms,
                note
            ],
        )?;
        Ok(())
    }

    /// Keeps a refused change apart; the same bytes again count as a further attempt, by whoever sent them last: so the
    /// receipt that follows names the document to each who holds it. Gives its number.
    pub fn save_quarantine(&mut self, refused: &Refused, now_ms: i64) -> Result<u64, Error> {
        let content_hash: Hash = Sha256::digest(&refused.bytes).into();
        let id = self.one(
            "INSERT INTO quarantine (document_id, content_hash, hash, kind, code, message, origin_store, attempts, \
             first_seen_ms, program, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?10) \
             ON CONFLICT (document_id, content_hash) DO UPDATE SET code = ?5, message = ?6, origin_store = ?7, \
             attempts = attempts + 1, program = ?9 RETURNING quarantine_id",
            params![
                refused.document_id.as_bytes(),
                content_hash,
                refused.hash,
                refused.kind.number(),
                refused.code,
                refused.message,
                refused.origin_store.as_bytes(),
                now_ms,
                refused.program,
                refused.bytes
            ],
            |row| row.u64(0),
        )?;
        let id = id.ok_or(Error::Damaged("a quarantine number"))?;
        self.staged().borrow_mut().kept_apart = Some(true);
        self.run(
            "INSERT INTO quarantine_sender (quarantine_id, origin_store) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            (to_i64(id), refused.origin_store.as_bytes()),
        )?;
        Ok(id)
    }

    /// Releases what was kept apart of a document and has been taken since, from somebody who may write it. Not what a
    /// node holds itself on a branch that lost its number elsewhere: that waits to be written again.
    pub fn release_taken(&mut self, document_id: DocumentId, now_ms: i64) -> Result<(), Error> {
        if !self.is_anything_kept_apart()? {
            return Ok(());
        }
        self.run(
            "UPDATE quarantine SET released_ms = ?2, outcome = 'taken' WHERE document_id = ?1 AND released_ms IS NULL \
             AND hash IN (SELECT hash FROM change WHERE document_id = ?1) \
             AND NOT (code = 'FORKED' AND origin_store = (SELECT value FROM meta WHERE key = 'store_id'))",
            (document_id.as_bytes(), now_ms),
        )?;
        Ok(())
    }

    /// Ends a row's quarantine: `taken`, `rescued` or `discarded`, with what there is to say about it. The row stays.
    pub fn settle_quarantine(
        &mut self,
        quarantine_id: u64,
        outcome: &str,
        note: &str,
        now_ms: i64,
    ) -> Result<(), Error> {
        let changed = self.run(
            "UPDATE quarantine SET released_ms = ?2, outcome = ?3, note = ?4 \
             WHERE quarantine_id = ?1 AND released_ms IS NULL",
            params![to_i64(quarantine_id), now_ms, outcome, note],
        )?;
        if changed == 0 {
            Err(Error::Missing("open row of quarantine"))
        } else {
            Ok(())
        }
    }

    /// Notes that this version of the program has tried a row once more.
    pub fn note_tried(&mut self, quarantine_id: u64, program: &str) -> Result<(), Error> {
        self.run(
            "UPDATE quarantine SET program = ?2, attempts = attempts + 1 WHERE quarantine_id = ?1",
            (to_i64(quarantine_id), program),
        )?;
        Ok(())
    }
}

/// Code of a change that waited too long, or of too many that wait.
pub const DEPENDENCY_MISSING: &str = "DEPENDENCY_MISSING";

#[cfg(test)]
mod tests;
