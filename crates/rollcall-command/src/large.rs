//! Documents that are large (`protocol.md` 1.18): a warning long before nothing more is taken of them.

use rollcall_replica::Replica;
use rollcall_store::document::DocumentRow;
use rollcall_store::{Error, Reader};
use rollcall_sync::limits::{DOCUMENT_BYTES_MAX, DOCUMENT_BYTES_WARN};
use serde::Serialize;

/// A large document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Large {
    /// Which.
    pub document: String,
    /// What lists call it; empty where they do not.
    pub name: String,
    /// Bytes of its changes.
    pub bytes: u64,
}

/// Whether a document of so many bytes is shown as large.
pub fn is_large(bytes: u64) -> bool {
    bytes >= DOCUMENT_BYTES_WARN as u64
}

/// How large a document is, in a sentence.
pub fn sentence(bytes: u64) -> String {
    let kib = |bytes: u64| bytes.div_ceil(1024);
    format!(
        "The changes of this record take {} KiB; from {} KiB on no more are taken.",
        kib(bytes),
        kib(DOCUMENT_BYTES_MAX as u64)
    )
}

/// Every large document, by id. One whose name cannot be read is listed without.
///
/// # Errors
/// The store's.
pub fn large_documents(replica: &Replica) -> Result<Vec<Large>, Error> {
    let rows = replica.store().read(large_rows)?.into_iter();
    let large = rows.map(|row| Large {
        document: row.document_id.to_string(),
        name: replica
            .called(row.document_id)
            .ok()
            .flatten()
            .unwrap_or_default()
            .name,
        bytes: row.bytes_total,
    });
    Ok(large.collect())
}

/// Rows of the large documents, by id.
///
/// # Errors
/// The store's.
pub fn large_rows(reader: &Reader) -> Result<Vec<DocumentRow>, Error> {
    reader.documents_from_bytes(DOCUMENT_BYTES_WARN as u64)
}
