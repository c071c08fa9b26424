//! Batches and acknowledgements: documents, changes and outcomes in columns (`protocol.md` 4.4).

use rollcall_core::id::DocumentKind;
use rollcall_sync::limits::{BATCH_DOCUMENTS_MAX, BATCH_RAW_BYTES_MAX, BATCH_WIRE_BYTES_MAX};
use rollcall_sync::message::{Ack, Batch, ChangeEntry, DocumentChanges, DocumentOutcome, Outcome};

use super::column::{self, Pieces, PositionColumns, ScopeColumns, count};
use super::packed::{BATCH_BODY_BYTES_MAX, pack, unpack};
use super::{
    Wire, cursor_from_wire, cursor_to_wire, hash_from_wire, hash_to_wire, required, signature_from_wire,
};
use crate::error::RpcError;
use crate::pb::sync as pb;

/// Most changes in one message: a change has 64 bytes at the very least, most of them hashes.
const CHANGES_MAX: usize = BATCH_RAW_BYTES_MAX / 64;

pub(super) fn documents_to_wire(documents: &[DocumentChanges]) -> pb::Documents {
    let mut scopes = ScopeColumns::default();
    let mut positions = PositionColumns::default();
    let mut wire = pb::Documents {
        document_ids: column::ids_to_wire(documents.iter().map(|document| &document.document_id)),
        kinds: documents.iter().map(|document| document.kind.number()).collect(),
        ..pb::Documents::default()
    };
    for document in documents {
        scopes.push(&document.scopes);
        wire.change_counts.push(count(document.changes.len()));
        for change in &document.changes {
            wire.change_lengths.push(count(change.bytes.len()));
            positions.push((change.position, change.committed_at_ms));
            wire.changes.extend_from_slice(&change.bytes);
        }
    }
    let (scopes, positions) = (scopes.finish(), positions.finish());
    wire.scope_names = scopes.names;
    wire.scope_counts = scopes.counts;
    wire.scopes = scopes.indexes;
    wire.position_deltas = positions.positions;
    wire.time_deltas = positions.times;
    wire
}

pub(super) fn documents_from_wire(wire: pb::Documents, max: usize) -> Result<Vec<DocumentChanges>, RpcError> {
    let ids = column::ids_from_wire(&wire.document_ids, max)?;
    if wire.kinds.len() != ids.len() {
        return Err(RpcError::Malformed { field: "kinds" });
    }
    if wire.change_lengths.len() > CHANGES_MAX {
        return Err(RpcError::TooLarge {
            what: "changes",
            bytes: wire.change_lengths.len(),
            limit: CHANGES_MAX,
        });
    }
    let scopes = ScopeColumns {
        names: wire.scope_names,
        counts: wire.scope_counts,
        indexes: wire.scopes,
    };
    let scopes = scopes.read(ids.len())?;
    let positions =
        PositionColumns::new(wire.position_deltas, wire.time_deltas).read(wire.change_lengths.len())?;

    let mut rest = wire.changes.as_slice();
    let mut changes = Vec::with_capacity(wire.change_lengths.len());
    for (length, (position, committed_at_ms)) in wire.change_lengths.iter().zip(positions) {
        let length = usize::try_from(*length).unwrap_or(usize::MAX);
        let Some((bytes, after)) = rest.split_at_checked(length).filter(|_| length > 0) else {
            return Err(RpcError::Malformed {
                field: "change lengths",
            });
        };
        changes.push(ChangeEntry {
            position,
            committed_at_ms,
            bytes: bytes.to_vec(),
        });
        rest = after;
    }
    if !rest.is_empty() {
        return Err(RpcError::Malformed { field: "changes" });
    }

    let mut changes = Pieces::new(changes, "change counts");
    let counts = column::counts_from_wire(wire.change_counts, ids.len(), "change counts")?;
    let mut documents = Vec::with_capacity(ids.len());
    for (((document_id, kind), scopes), count) in ids.into_iter().zip(wire.kinds).zip(scopes).zip(counts) {
        let kind = required(DocumentKind::from_number(kind), "kind")?;
        documents.push(DocumentChanges {
            document_id,
            kind,
            scopes,
            changes: changes.take(count)?,
        });
    }
    changes.finish()?;
    Ok(documents)
}

/// A batch that could be split must be.
fn limit_wire(bytes: usize, documents: usize) -> Result<(), RpcError> {
    if bytes > BATCH_WIRE_BYTES_MAX && documents > 1 {
        return Err(RpcError::TooLarge {
            what: "batch on the wire",
            bytes,
            limit: BATCH_WIRE_BYTES_MAX,
        });
    }
    Ok(())
}

impl Wire for Batch {
    type Pb = pb::Batch;

    fn to_wire(&self) -> Result<pb::Batch, RpcError> {
        limit_documents(self.documents.len())?;
        let documents = pack(&documents_to_wire(&self.documents), "batch", BATCH_BODY_BYTES_MAX)?;
        let body_bytes = documents.as_ref().map_or(0, |documents| documents.body.len());
        limit_wire(body_bytes, self.documents.len())?;
        Ok(pb::Batch {
            from: self.from,
            to: self.to,
            end_chain: hash_to_wire(&self.end_chain),
            signature: self.signature.clone(),
            documents,
            drained: self.drained,
        })
    }

    fn from_wire(wire: pb::Batch) -> Result<Self, RpcError> {
        let body_bytes = wire
            .documents
            .as_ref()
            .map_or(0, |documents| documents.body.len());
        let columns = unpack(wire.documents, "batch", BATCH_BODY_BYTES_MAX)?;
        let documents = documents_from_wire(columns, BATCH_DOCUMENTS_MAX)?;
        limit_wire(body_bytes, documents.len())?;
        Ok(Self {
            from: wire.from,
            to: wire.to,
            end_chain: hash_from_wire(&wire.end_chain, "end chain")?,
            signature: signature_from_wire(wire.signature)?,
            documents,
            drained: wire.drained,
        })
    }
}

fn limit_documents(documents: usize) -> Result<(), RpcError> {
    if documents > BATCH_DOCUMENTS_MAX {
        return Err(RpcError::TooLarge {
            what: "documents",
            bytes: documents,
            limit: BATCH_DOCUMENTS_MAX,
        });
    }
    Ok(())
}

impl Wire for Ack {
    type Pb = pb::Ack;

    fn to_wire(&self) -> Result<pb::Ack, RpcError> {
        limit_documents(self.outcomes.len())?;
        let outcomes = pack(&outcomes_to_wire(&self.outcomes), "ack", BATCH_BODY_BYTES_MAX)?;
        Ok(pb::Ack {
            cursor: Some(cursor_to_wire(&self.cursor)),
            outcomes,
        })
    }

    fn from_wire(wire: pb::Ack) -> Result<Self, RpcError> {
        let cursor = cursor_from_wire(required(wire.cursor, "cursor")?)?;
        let outcomes = outcomes_from_wire(unpack(wire.outcomes, "ack", BATCH_BODY_BYTES_MAX)?)?;
        Ok(Self { cursor, outcomes })
    }
}

fn outcomes_to_wire(outcomes: &[DocumentOutcome]) -> pb::Outcomes {
    let mut scopes = ScopeColumns::default();
    let mut positions = PositionColumns::default();
    let mut wire = pb::Outcomes {
        document_ids: column::ids_to_wire(outcomes.iter().map(|outcome| &outcome.document_id)),
        ..pb::Outcomes::default()
    };
    for outcome in outcomes {
        let (number, code) = match &outcome.outcome {
            Outcome::Applied => (1, None),
            Outcome::Duplicate => (2, None),
            Outcome::Pending => (3, None),
            Outcome::Forked => (4, None),
            Outcome::Quarantined(code) => (5, Some(code)),
            Outcome::Rejected(code) => (6, Some(code)),
        };
        wire.outcomes.push(number);
        wire.codes.extend(code.cloned());
        scopes.push(&outcome.scopes);
        wire.position_counts.push(count(outcome.positions.len()));
        outcome
            .positions
            .iter()
            .for_each(|position| positions.push(*position));
    }
    let (scopes, positions) = (scopes.finish(), positions.finish());
    wire.scope_names = scopes.names;
    wire.scope_counts = scopes.counts;
    wire.scopes = scopes.indexes;
    wire.position_deltas = positions.positions;
    wire.time_deltas = positions.times;
    wire
}

fn outcomes_from_wire(wire: pb::Outcomes) -> Result<Vec<DocumentOutcome>, RpcError> {
    let ids = column::ids_from_wire(&wire.document_ids, BATCH_DOCUMENTS_MAX)?;
    if wire.outcomes.len() != ids.len() {
        return Err(RpcError::Malformed { field: "outcomes" });
    }
    let scopes = ScopeColumns {
        names: wire.scope_names,
        counts: wire.scope_counts,
        indexes: wire.scopes,
    };
    let scopes = scopes.read(ids.len())?;
    let counts = column::counts_from_wire(wire.position_counts, ids.len(), "position counts")?;
    let changes = counts
        .iter()
        .fold(0usize, |sum, count| sum.saturating_add(*count));
    if changes > CHANGES_MAX {
        return Err(RpcError::TooLarge {
            what: "positions",
            bytes: changes,
            limit: CHANGES_MAX,
        });
    }
    let positions = PositionColumns::new(wire.position_deltas, wire.time_deltas).read(changes)?;
    let mut positions = Pieces::new(positions, "positions");
    let mut codes = wire.codes.into_iter();
    let mut code = || required(codes.next(), "outcome codes");

    let mut outcomes = Vec::with_capacity(ids.len());
    for (((document_id, number), scopes), count) in ids.into_iter().zip(wire.outcomes).zip(scopes).zip(counts)
    {
        let outcome = match number {
            1 => Outcome::Applied,
            2 => Outcome::Duplicate,
            3 => Outcome::Pending,
            4 => Outcome::Forked,
            5 => Outcome::Quarantined(code()?),
            6 => Outcome::Rejected(code()?),
            _ => return Err(RpcError::Malformed { field: "outcome" }),
        };
        outcomes.push(DocumentOutcome {
            document_id,
            outcome,
            positions: positions.take(count)?,
            scopes,
        });
    }
    positions.finish()?;
    if codes.next().is_some() {
        return Err(RpcError::Malformed {
            field: "outcome codes",
        });
    }
    Ok(outcomes)
}
