//! Checking a store against itself: every number that is kept up step by step is computed again from its rows.
//! Faults are named, never repaired here. Whether changes give the heads they should is for those who read documents.

use std::collections::BTreeMap;

use rollcall_core::id::{DocumentId, FederationId};
use sha2::{Digest, Sha256};

use crate::Hash;
use crate::commit::next_origin;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::scope::{SetSum, next_chain};
use crate::sqlite::{Reader, RowExt, hashes_of, integrity_check, to_i64};
use crate::store::Role;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// The engine finds its file damaged.
    File,
    /// Bytes of a change do not give its hash.
    Change,
    /// A document's digest is not that of its heads, or its counts are not those of its changes.
    Document,
    /// A scope's count or sum is not that of its documents.
    ScopeSum,
    /// A scope's chain does not follow.
    ScopeChain,
    /// The aggregator's log has a gap, runs backwards or ends elsewhere than its counter.
    Log,
    /// The node's own log does not follow.
    OriginChain,
    /// The audit trail has a gap or does not follow.
    AuditChain,
    /// A receipt's bytes have changed.
    Receipt,
    /// Bytes in quarantine have changed.
    Quarantine,
    /// A document's current facts are not those of its last position.
    Facts,
    /// A stored value cannot be what was written.
    Value,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Where: a document, scope, position or number.
    pub place: String,
    /// A plain sentence.
    pub message: String,
}

/// Collects faults.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, kind: FaultKind, place: impl ToString, message: impl Into<String>) {
        self.0.push(Fault {
            kind,
            place: place.to_string(),
            message: message.into(),
        });
    }

    /// Runs one check; a value it cannot even read is a fault of its own and ends only that check.
    fn check(
        &mut self,
        place: &str,
        check: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match check(self) {
            Err(Error::Damaged(what)) => {
                self.add(FaultKind::Value, place, format!("{what} cannot be read"));
                Ok(())
            }
            Err(Error::Corrupt(findings)) => {
                findings
                    .into_iter()
                    .for_each(|finding| self.add(FaultKind::File, place, finding));
                Ok(())
            }
            other => other,
        }
    }
}

/// Hash of a change chunk: SHA-256 from its type byte on (offset 8, after magic and checksum).
fn chunk_hash(bytes: &[u8]) -> Option<Hash> {
    let body = bytes.get(8..)?;
    let hash: Hash = Sha256::digest(body).into();
    (hash[..4] == bytes[4..8]).then_some(hash)
}

/// Digest of a document: SHA-256("rc1" ‖ id ‖ n ‖ sorted heads).
fn document_digest(document_id: DocumentId, heads: &[Hash]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"rc1");
    hasher.update(document_id.as_bytes());
    hasher.update(u32::try_from(heads.len()).unwrap_or(u32::MAX).to_le_bytes());
    hasher.update(heads.as_flattened());
    hasher.finalize().into()
}

impl Reader {
    /// Checks everything in this snapshot that can be computed again from rows. Empty: nothing is wrong.
    pub fn verify(&self) -> Result<Vec<Fault>, Error> {
        let mut faults = Faults::default();
        faults.check("database file", |_| integrity_check(self.db()))?;
        faults.check("changes", |faults| self.verify_changes(faults))?;
        faults.check("documents", |faults| self.verify_documents(faults))?;
        faults.check("scopes", |faults| self.verify_scopes(faults))?;
        faults.check("scope logs", |faults| self.verify_scope_chains(faults))?;
        match self.identity().role {
            Role::Aggregator => faults.check("log", |faults| self.verify_log(faults))?,
            Role::Node => faults.check("own log", |faults| self.verify_origin(faults))?,
        }
        faults.check("audit", |faults| self.verify_audit(faults))?;
        faults.check("receipts", |faults| self.verify_kept_bytes(faults))?;
        faults.check("facts", |faults| self.verify_facts(faults))?;
        Ok(faults.0)
    }

    fn verify_changes(&self, faults: &mut Faults) -> Result<(), Error> {
        self.each("SELECT document_id, hash, bytes FROM change", [], |row| {
            if chunk_hash(row.blob(2)?) != Some(row.hash(1)?) {
                faults.add(
                    FaultKind::Change,
                    row.document_id(0)?,
                    format!("the bytes of change {} have changed", hex(&row.hash(1)?)),
                );
            }
            Ok(())
        })
    }

    fn verify_documents(&self, faults: &mut Faults) -> Result<(), Error> {
        let sql = "SELECT d.document_id, d.heads, d.digest, d.changes_count, d.bytes_total, \
                   (SELECT count(*) FROM change c WHERE c.document_id = d.document_id), \
                   (SELECT coalesce(sum(length(c.bytes)), 0) FROM change c WHERE c.document_id = d.document_id) \
                   FROM document d";
        self.each(sql, [], |row| {
            let document_id = row.document_id(0)?;
            let heads = hashes_of(row.blob(1)?)?;
            if !heads.is_sorted() || document_digest(document_id, &heads) != row.hash(2)? {
                faults.add(
                    FaultKind::Document,
                    document_id,
                    "the digest is not that of the heads",
                );
            }
            if row.u64(3)? != row.u64(5)? || row.u64(4)? != row.u64(6)? {
                faults.add(
                    FaultKind::Document,
                    document_id,
                    "count or size is not that of the changes",
                );
            }
            Ok(())
        })?;
        let sql = "SELECT DISTINCT document_id FROM change c \
                   WHERE NOT EXISTS (SELECT 1 FROM document d WHERE d.document_id = c.document_id)";
        self.each(sql, [], |row| {
            faults.add(
                FaultKind::Document,
                row.document_id(0)?,
                "there are changes of a document without a row",
            );
            Ok(())
        })
    }

    fn verify_scopes(&self, faults: &mut Faults) -> Result<(), Error> {
        let mut sums: BTreeMap<FederationId, SetSum> = BTreeMap::new();
        let sql = "SELECT m.scope, d.digest FROM scope_document m \
                   LEFT JOIN document d ON d.document_id = m.document_id";
        self.each(sql, [], |row| {
            sums.entry(row.federation(0)?).or_default().add(&row.hash(1)?);
            Ok(())
        })?;
        for row in self.scopes()? {
            let computed = sums.remove(&row.scope).unwrap_or_default();
            if computed.count != row.set.count {
                let message = format!("holds {} documents, {} are noted", computed.count, row.set.count);
                faults.add(FaultKind::ScopeSum, &row.scope, message);
            } else if computed.sum != row.set.sum {
                faults.add(
                    FaultKind::ScopeSum,
                    &row.scope,
                    "the sum is not that of the documents",
                );
            }
        }
        for scope in sums.keys() {
            faults.add(FaultKind::ScopeSum, scope, "has documents but no sum");
        }
        Ok(())
    }

    fn verify_scope_chains(&self, faults: &mut Faults) -> Result<(), Error> {
        let ends: BTreeMap<FederationId, (u64, Hash)> = self
            .scopes()?
            .into_iter()
            .map(|row| (row.scope, (row.last_position, row.chain)))
            .collect();
        for (scope, end) in ends {
            let (mut chain, mut last) = (Hash::default(), 0);
            let mut follows = true;
            let sql = "SELECT position, document_id, chain FROM scope_log WHERE scope = ?1 \
                       ORDER BY position, document_id";
            self.each(sql, [scope.as_str()], |row| {
                last = row.u64(0)?;
                let document_id = row.document_id(1)?;
                chain = next_chain(&chain, last, document_id, &self.hashes_at(document_id, last)?);
                if follows && chain != row.hash(2)? {
                    follows = false;
                    let message = format!("the chain does not follow at position {last}");
                    faults.add(FaultKind::ScopeChain, &scope, message);
                }
                Ok(())
            })?;
            if follows && (last, chain) != end {
                faults.add(FaultKind::ScopeChain, &scope, "the log ends elsewhere than noted");
            }
        }
        Ok(())
    }

    /// Hashes of the changes that a document got at a position, in the order they were chained.
    fn hashes_at(&self, document_id: DocumentId, position: u64) -> Result<Vec<Hash>, Error> {
        self.all(
            "SELECT hash FROM change WHERE document_id = ?1 AND position = ?2 ORDER BY ordinal",
            (document_id.as_bytes(), to_i64(position)),
            |row| row.hash(0),
        )
    }

    fn verify_log(&self, faults: &mut Faults) -> Result<(), Error> {
        let (mut last, mut time) = (0, i64::MIN);
        let sql = "SELECT l.position, l.committed_at_ms, (SELECT count(*) FROM change c \
                   WHERE c.document_id = l.document_id AND c.position = l.position) FROM log l ORDER BY l.position";
        self.each(sql, [], |row| {
            let (position, at_ms) = (row.u64(0)?, row.i64(1)?);
            if at_ms < time {
                faults.add(FaultKind::Log, position, "the commit time runs backwards");
            }
            if row.u64(2)? == 0 {
                faults.add(FaultKind::Log, position, "the position has no changes");
            }
            (last, time) = (position, at_ms);
            Ok(())
        })?;
        if last > self.position()? {
            faults.add(
                FaultKind::Log,
                last,
                "the log goes on after the position noted as its end",
            );
        }
        let sql = "SELECT c.document_id, c.position FROM change c LEFT JOIN log l ON l.position = c.position \
                   AND l.document_id = c.document_id WHERE l.position IS NULL";
        self.each(sql, [], |row| {
            let message = format!(
                "a change has position {}, which is not its document's",
                row.u64(1)?
            );
            faults.add(FaultKind::Log, row.document_id(0)?, message);
            Ok(())
        })
    }

    fn verify_origin(&self, faults: &mut Faults) -> Result<(), Error> {
        let mut end = Cursor::default();
        let mut follows = true;
        let sql = "SELECT o.origin_position, o.document_id, o.hash, o.chain, c.change_id IS NOT NULL \
                   OR EXISTS (SELECT 1 FROM quarantine q WHERE q.document_id = o.document_id AND q.hash = o.hash) \
                   FROM origin o \
                   LEFT JOIN change c ON c.document_id = o.document_id AND c.hash = o.hash \
                   AND c.origin_position >= o.origin_position ORDER BY o.origin_position";
        self.each(sql, [], |row| {
            end = next_origin(&end, row.document_id(1)?, &row.hash(2)?);
            if follows && (end.position != row.u64(0)? || end.chain != row.hash(3)?) {
                follows = false;
                faults.add(
                    FaultKind::OriginChain,
                    row.u64(0)?,
                    "the chain of this node's own log does not follow",
                );
            }
            if !row.bool(4)? {
                faults.add(
                    FaultKind::OriginChain,
                    row.u64(0)?,
                    "the change behind this entry is missing",
                );
            }
            Ok(())
        })
    }

    fn verify_audit(&self, faults: &mut Faults) -> Result<(), Error> {
        let (mut seq, mut chain) = (0, Hash::default());
        let mut follows = true;
        let sql = "SELECT seq, at_ms, account, action, detail, chain FROM audit ORDER BY seq";
        self.each(sql, [], |row| {
            let row = crate::audit::audit_row(row)?;
            seq += 1;
            chain = crate::audit::next_chain(&chain, seq, &row.entry);
            if follows && (row.seq != seq || row.chain != chain) {
                follows = false;
                faults.add(FaultKind::AuditChain, row.seq, "the audit trail does not follow");
            }
            Ok(())
        })
    }

    fn verify_kept_bytes(&self, faults: &mut Faults) -> Result<(), Error> {
        self.each("SELECT hash, bytes, checksum FROM receipt", [], |row| {
            if Hash::from(Sha256::digest(row.blob(1)?)) != row.hash(2)? {
                faults.add(
                    FaultKind::Receipt,
                    hex(&row.hash(0)?),
                    "the bytes of the receipt have changed",
                );
            }
            Ok(())
        })?;
        self.each(
            "SELECT quarantine_id, bytes, content_hash FROM quarantine",
            [],
            |row| {
                if Hash::from(Sha256::digest(row.blob(1)?)) != row.hash(2)? {
                    faults.add(
                        FaultKind::Quarantine,
                        row.u64(0)?,
                        "the bytes kept apart have changed",
                    );
                }
                Ok(())
            },
        )
    }

    fn verify_facts(&self, faults: &mut Faults) -> Result<(), Error> {
        let sql = "SELECT document_id FROM fact GROUP BY document_id \
                   HAVING sum(current) <> 1 OR max(CASE current WHEN 1 THEN position END) <> max(position)";
        self.each(sql, [], |row| {
            faults.add(
                FaultKind::Facts,
                row.document_id(0)?,
                "the current facts are not the last",
            );
            Ok(())
        })
    }
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
