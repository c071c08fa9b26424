//! A session's batches on their way into the store, at either end, while the next ones are judged.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use rollcall_core::id::DocumentId;
use rollcall_store::Pending;
use rollcall_sync::message::Batch;

/// A batch that was handed to the store.
pub(super) struct Committing<T> {
    /// What it comes to, once it is durable.
    pub(super) pending: Pending<T>,
    pub(super) batch: Arc<Batch>,
}

/// Whether a batch has a document of one that is being committed: it is judged on what that makes of it.
pub(super) fn shares_a_document<T>(committing: &VecDeque<Committing<T>>, batch: &Batch) -> bool {
    let documents = batch.documents.iter();
    let own: HashSet<DocumentId> = documents.map(|document| document.document_id).collect();
    committing.iter().any(|other| {
        let mut documents = other.batch.documents.iter();
        documents.any(|document| own.contains(&document.document_id))
    })
}
