//! A node's own log as batches: signed, chained, grouped by document; and taking the acks that answer them.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_store::Reader;
use rollcall_store::change::OriginRow;
use rollcall_store::cursor::{AcknowledgedChange, Acknowledgement};
use rollcall_store::document::DocumentState;
use rollcall_store::quarantine::Refused;
use rollcall_sync::fingerprint::change_hash;
use rollcall_sync::keys::Sign;
use rollcall_sync::limits::{BATCH_DOCUMENTS_MAX, BATCH_RAW_BYTES_TARGET};
use rollcall_sync::message::{Ack, Batch, ChangeEntry, Cursor, DocumentChanges, Outcome};

use crate::error::Error;
use crate::prepare::{Held, Origin, facts_by_position};
use crate::replica::{PROGRAM, Replica};
use crate::rescue::FORKED;

/// Rows of the log looked at for one batch.
const ROWS_MAX: usize = 4 * BATCH_DOCUMENTS_MAX;

/// Changes of a log by document, in the order in which the documents first come.
#[derive(Default)]
struct Gathered {
    documents: BTreeMap<DocumentId, DocumentChanges>,
    order: Vec<DocumentId>,
    bytes: usize,
}

impl Gathered {
    fn push(&mut self, reader: &Reader, row: &OriginRow, change: Vec<u8>) -> Result<(), Error> {
        let id = row.document_id;
        self.bytes += change.len();
        let entry = ChangeEntry {
            position: row.cursor.position,
            committed_at_ms: 0,
            bytes: change,
        };
        if let Some(document) = self.documents.get_mut(&id) {
            document.changes.push(entry);
            return Ok(());
        }
        let held = reader.document(id)?;
        let kind = held.ok_or_else(|| Error::NoDocument(id.to_string()))?.kind;
        self.order.push(id);
        let document = DocumentChanges {
            document_id: id,
            kind,
            scopes: Vec::new(),
            changes: vec![entry],
        };
        self.documents.insert(id, document);
        Ok(())
    }

    fn into_documents(mut self) -> Vec<DocumentChanges> {
        let order = std::mem::take(&mut self.order);
        order.iter().filter_map(|id| self.documents.remove(id)).collect()
    }
}

/// The change behind a row of the log. What was written again since is out of its document, but still in this log.
fn change_of(reader: &Reader, row: &OriginRow) -> Result<Vec<u8>, Error> {
    let held = match reader.change(row.document_id, &row.hash)? {
        Some(change) => Some(change.bytes),
        None => reader.kept_change(row.document_id, &row.hash)?,
    };
    held.ok_or_else(|| Error::NoDocument(row.document_id.to_string()))
}

impl Replica {
    /// The next batch of the own log after a cursor; `None` where the log has another chain there, or ends before.
    ///
    /// # Errors
    /// The store's.
    pub fn load_up(&self, after: &Cursor, keys: &dyn Sign) -> Result<Option<Batch>, Error> {
        let origin = self.origin();
        self.read(|reader| {
            if reader.origin_chain_at(after.position)? != Some(after.chain) {
                return Ok(None);
            }
            // One more than may go says whether anything comes after them.
            let mut rows = reader.origin_rows(after.position, ROWS_MAX + 1)?;
            let mut drained = rows.len() <= ROWS_MAX;
            rows.truncate(ROWS_MAX);
            let mut gathered = Gathered::default();
            let mut to = Cursor {
                position: after.position,
                chain: after.chain,
            };
            for row in rows {
                let change = change_of(reader, &row)?;
                let new = !gathered.documents.contains_key(&row.document_id);
                let full = gathered.bytes + change.len() > BATCH_RAW_BYTES_TARGET;
                let many = new && gathered.order.len() == self.batch_documents_max();
                if !gathered.order.is_empty() && (full || many) {
                    drained = false;
                    break;
                }
                gathered.push(reader, &row, change)?;
                to = Cursor {
                    position: row.cursor.position,
                    chain: row.cursor.chain,
                };
            }
            let mut batch = Batch {
                from: after.position,
                to: to.position,
                end_chain: to.chain,
                signature: Vec::new(),
                documents: gathered.into_documents(),
                drained,
            };
            keys.sign_batch(origin.store, origin.epoch, &mut batch);
            Ok(Some(batch))
        })
    }

    /// The piece of the own log from a cursor to another, as a batch that is not signed; `None` where the log has another
    /// chain at either, or the piece is longer than any batch.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn load_piece(&self, from: &Cursor, to: &Cursor) -> Result<Option<Batch>, Error> {
        self.read(|reader| {
            let chain_at = |cursor: &Cursor| reader.origin_chain_at(cursor.position);
            let length = usize::try_from(to.position.saturating_sub(from.position)).unwrap_or(usize::MAX);
            if length > ROWS_MAX || chain_at(from)? != Some(from.chain) || chain_at(to)? != Some(to.chain) {
                return Ok(None);
            }
            let mut gathered = Gathered::default();
            for row in reader.origin_rows(from.position, length)? {
                let change = change_of(reader, &row)?;
                gathered.push(reader, &row, change)?;
            }
            Ok(Some(Batch {
                from: from.position,
                to: to.position,
                end_chain: to.chain,
                signature: Vec::new(),
                documents: gathered.into_documents(),
                drained: false,
            }))
        })
    }

    /// Stores the answer to a batch: positions, scopes, cursor; facts move to their positions.
    ///
    /// # Errors
    /// The store's; nothing is stored then.
    pub fn take_ack(&self, batch: &Batch, ack: &Ack, now_ms: i64) -> Result<(), Error> {
        let mut answer = Acknowledgement {
            cursor: rollcall_store::cursor::Cursor {
                position: ack.cursor.position,
                chain: ack.cursor.chain,
            },
            heard_ms: now_ms,
            ..Acknowledgement::default()
        };
        for (document, outcome) in batch.documents.iter().zip(&ack.outcomes) {
            for (change, (position, committed_at_ms)) in document.changes.iter().zip(&outcome.positions) {
                if *position > 0 {
                    answer.changes.push(AcknowledgedChange {
                        document_id: document.document_id,
                        hash: change_hash(&change.bytes),
                        position: *position,
                        committed_at_ms: *committed_at_ms,
                    });
                }
            }
            if !outcome.scopes.is_empty() {
                answer.scopes.push((document.document_id, outcome.scopes.clone()));
            }
        }
        let forked = forked(batch, ack, self.origin());
        let rescue = !forked.is_empty();
        let granted: BTreeSet<_> = ack
            .outcomes
            .iter()
            .flat_map(|outcome| outcome.scopes.iter().cloned())
            .collect();
        let outcome = self
            .store()
            .write("take ack", move |writer| {
                grant_new(writer, &granted)?;
                for refused in &forked {
                    writer.save_quarantine(refused, now_ms)?;
                    writer.set_document_state(refused.document_id, DocumentState::Forked)?;
                }
                writer.acknowledge(&answer)
            })
            .wait()?;
        self.read_facts_anew(outcome.facts_wanted)?;
        if rescue {
            self.rescue_forked(now_ms)?;
        }
        Ok(())
    }

    /// Reads the facts of documents anew at each position their changes carry.
    pub(crate) fn read_facts_anew(&self, documents: Vec<DocumentId>) -> Result<(), Error> {
        for id in documents {
            let Some(kind) = self.read(|reader| Ok(reader.document(id)?))?.map(|row| row.kind) else {
                continue;
            };
            let held: Held = self.held(id, kind)?;
            let all: Vec<(u64, &[u8])> = held
                .changes
                .iter()
                .map(|change| (change.position, change.bytes.as_slice()))
                .collect();
            let wanted = all.iter().map(|(position, _)| *position).collect();
            let now = held.document.facts().0;
            let facts = facts_by_position(&held.document, &now, &all, &wanted)?;
            self.store()
                .write("read facts anew", move |writer| writer.save_facts(id, &facts))
                .wait()?;
        }
        Ok(())
    }
}

/// The changes of a batch that lost their actor's number elsewhere, or follow one that did.
fn forked(batch: &Batch, ack: &Ack, origin: Origin) -> Vec<Refused> {
    let mut forked = Vec::new();
    for (document, outcome) in batch.documents.iter().zip(&ack.outcomes) {
        if outcome.outcome != Outcome::Forked {
            continue;
        }
        for (change, (position, _)) in document.changes.iter().zip(&outcome.positions) {
            if *position == 0 {
                forked.push(Refused {
                    document_id: document.document_id,
                    kind: document.kind,
                    hash: Some(change_hash(&change.bytes)),
                    bytes: change.bytes.clone(),
                    code: FORKED.to_owned(),
                    message: "The aggregator holds another change of the same actor and number.".to_owned(),
                    origin_store: origin.store,
                    program: PROGRAM.to_owned(),
                });
            }
        }
    }
    forked
}

/// Scopes that the aggregator names beside a document are held from then on: they may be younger than its greeting.
pub(crate) fn grant_new(
    writer: &mut rollcall_store::Writer,
    named: &BTreeSet<FederationId>,
) -> Result<(), rollcall_store::Error> {
    let mut grants = writer.grants()?;
    let known: BTreeSet<_> = grants.iter().map(|grant| grant.scope.clone()).collect();
    let new = named.difference(&known).cloned();
    grants.extend(new.map(|scope| rollcall_store::cursor::Grant { scope, write: false }));
    if grants.len() > known.len() {
        writer.save_grants(&grants)
    } else {
        Ok(())
    }
}
