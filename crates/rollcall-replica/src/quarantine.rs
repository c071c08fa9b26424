//! Trying again what is kept apart (`protocol.md` 4.7, R7), once for each version of the program and whenever somebody asks.
//! At the aggregator it goes through gate and permission as when it came; a node only finds out whether its gate would
//! take it now, and has the next session fetch it.

use std::collections::HashSet;

use rollcall_core::id::DocumentId;
use rollcall_doc::gate;
use rollcall_store::quarantine::QuarantineRow;
use rollcall_store::{Hash, Role, Writer};
use rollcall_sync::message::{Batch, ChangeEntry, DocumentChanges, Outcome};

use crate::error::Error;
use crate::peer::PeerContext;
use crate::replica::{PROGRAM, Replica};
use crate::take_up::UpRefused;

/// What a further attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// It is in its document now.
    Taken,
    /// The gate would take it; the next session fetches it.
    Fetched,
    /// It stays apart, with the code of why.
    Refused(String),
}

impl Replica {
    /// Rows that another version of the program tried last.
    ///
    /// # Errors
    /// The store's.
    pub fn quarantine_untried(&self, limit: usize) -> Result<Vec<QuarantineRow>, Error> {
        self.read(|reader| Ok(reader.quarantine_untried(PROGRAM, limit)?))
    }

    /// Documents of which this gate has just refused one of the changes given.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn refused_of(&self, documents: &[DocumentChanges]) -> Result<Vec<DocumentId>, Error> {
        self.read(|reader| {
            let apart = reader.documents_quarantined()?;
            let mut refused = Vec::new();
            for document in documents
                .iter()
                .filter(|document| apart.contains(&document.document_id))
            {
                let kept = reader.quarantine_of(document.document_id)?;
                let is_kept = |bytes: &[u8]| {
                    let mut open = kept.iter().filter(|row| row.released_ms.is_none());
                    open.any(|row| row.refused.bytes == bytes)
                };
                if document.changes.iter().any(|change| is_kept(&change.bytes)) {
                    refused.push(document.document_id);
                }
            }
            Ok(refused)
        })
    }

    /// Tries a row once more. `peer` is who sent it, at the aggregator.
    ///
    /// # Errors
    /// The store's.
    pub fn retry_quarantined(
        &self,
        row: &QuarantineRow,
        peer: Option<&PeerContext>,
        now_ms: i64,
    ) -> Result<Retried, Error> {
        let retried = match (self.store().identity().role, peer) {
            (Role::Aggregator, Some(peer)) => self.retry_here(row, peer, now_ms)?,
            (Role::Aggregator, None) => Retried::Refused("PEER_UNKNOWN".to_owned()),
            (Role::Node, _) => self.try_gate(row)?,
        };
        let (id, refused) = (row.quarantine_id, matches!(retried, Retried::Refused(_)));
        let note = if retried == Retried::Fetched {
            "the next session fetches it"
        } else {
            ""
        };
        let work = move |writer: &mut Writer| {
            writer.note_tried(id, PROGRAM)?;
            let open = writer
                .quarantine_row(id)?
                .is_some_and(|row| row.released_ms.is_none());
            if open && !refused {
                writer.settle_quarantine(id, "taken", note, now_ms)?;
            }
            Ok(())
        };
        self.store().write("retry quarantine", work).wait()?;
        Ok(retried)
    }

    fn retry_here(&self, row: &QuarantineRow, peer: &PeerContext, now_ms: i64) -> Result<Retried, Error> {
        let batch = Batch {
            from: 0,
            to: 0,
            end_chain: [0; 32],
            signature: Vec::new(),
            documents: vec![DocumentChanges {
                document_id: row.refused.document_id,
                kind: row.refused.kind,
                scopes: Vec::new(),
                changes: vec![ChangeEntry {
                    position: 0,
                    committed_at_ms: 0,
                    bytes: row.refused.bytes.clone(),
                }],
            }],
            drained: false,
        };
        let ack = match self.take_up(peer, &batch, now_ms) {
            Ok(ack) => ack,
            Err(UpRefused::Replica(error)) => return Err(error),
            Err(refused) => return Ok(Retried::Refused(refused.code())),
        };
        Ok(
            match ack.outcomes.into_iter().next().map(|outcome| outcome.outcome) {
                Some(Outcome::Applied | Outcome::Duplicate) => Retried::Taken,
                Some(Outcome::Pending) => Retried::Refused("DEPENDENCY_MISSING".to_owned()),
                Some(Outcome::Forked) => Retried::Refused("FORKED".to_owned()),
                Some(Outcome::Quarantined(code) | Outcome::Rejected(code)) => Retried::Refused(code),
                None => Retried::Refused(row.refused.code.clone()),
            },
        )
    }

    fn try_gate(&self, row: &QuarantineRow) -> Result<Retried, Error> {
        let refused = &row.refused;
        let held = self.held(refused.document_id, refused.kind)?;
        let known: HashSet<Hash> = held.changes.iter().map(|change| change.hash).collect();
        let admission = gate::admit(&held.document, &known, &[&refused.bytes]);
        Ok(match admission.refused.first() {
            Some(refused) => Retried::Refused(refused.code.to_owned()),
            None if admission.duplicates > 0 => Retried::Taken,
            None => Retried::Fetched,
        })
    }

    /// Sets a row aside for good, with the reason; what was sent stays on record.
    ///
    /// # Errors
    /// `NoDocument` where there is no such open row; the store's.
    pub fn discard_quarantined(
        &self,
        quarantine_id: u64,
        account: &str,
        reason: &str,
        now_ms: i64,
    ) -> Result<(), Error> {
        let note = format!("{account}: {reason}");
        let detail = format!("quarantine {quarantine_id}: {reason}");
        let account = account.to_owned();
        let work = move |writer: &mut Writer| {
            writer.settle_quarantine(quarantine_id, "discarded", &note, now_ms)?;
            writer.append_audit(&rollcall_store::audit::AuditEntry {
                at_ms: now_ms,
                account,
                action: "discarded".to_owned(),
                detail,
            })?;
            Ok(())
        };
        match self.store().write("discard quarantined", work).wait() {
            Err(rollcall_store::Error::Missing(_)) => Err(Error::NoDocument(format!(
                "kept apart under number {quarantine_id}"
            ))),
            other => Ok(other?),
        }
    }
}
