//! Documents that are large (`protocol.md` 1.18): a warning long before nothing more is taken of them.

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

/// Every large document, by id.
///
/// # Errors
/// The store's.
pub fn large_documents(reader: &Reader) -> Result<Vec<Large>, Error> {
    let rows = reader
        .documents_from_bytes(DOCUMENT_BYTES_WARN as u64)?
        .into_iter();
    rows.map(|row| {
        let listed = reader.listing(row.document_id)?;
        Ok(Large {
            document: row.document_id.to_string(),
            name: listed.map(|row| row.listing.name).unwrap_or_default(),
            bytes: row.bytes_total,
        })
    })
    .collect()
}
