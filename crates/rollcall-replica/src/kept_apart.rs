//! Keeping apart what the gate did not take, the same at both ends: changes that wait for another, and refused ones.

use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_doc::gate;
use rollcall_store::Writer;
use rollcall_store::quarantine::{PendingChange, Refused};
use rollcall_sync::fingerprint::change_hash;

use crate::prepare::Origin;
use crate::replica::PROGRAM;

/// Keeps what waits for another change, and what the gate refused.
pub(crate) fn keep_rest(
    writer: &mut Writer,
    (document_id, kind): (DocumentId, DocumentKind),
    pending: &[gate::PendingChange],
    refused: &[gate::RefusedChange],
    origin: Origin,
    now_ms: i64,
) -> Result<(), rollcall_store::Error> {
    for pending in pending {
        let change = PendingChange {
            document_id,
            kind,
            hash: pending.hash,
            missing: pending.missing.clone(),
            origin_store: origin.store,
            origin_epoch: origin.epoch,
            position: 0,
            committed_at_ms: 0,
            first_seen_ms: now_ms,
            bytes: pending.bytes.clone(),
        };
        writer.save_pending(&change)?;
    }
    for refused in refused {
        writer.save_quarantine(
            &Refused {
                document_id,
                kind,
                hash: Some(refused.hash.unwrap_or_else(|| change_hash(&refused.bytes))),
                bytes: refused.bytes.clone(),
                code: refused.code.to_owned(),
                message: refused.message.clone(),
                origin_store: origin.store,
                program: PROGRAM.to_owned(),
            },
            now_ms,
        )?;
    }
    Ok(())
}
