//! A receipt that is older than the last edits: a file is days on its way, and an office does not stop for it. What the
//! documents were without the changes that the aggregator cannot have is worked out, and compared with the receipt.

use std::collections::{BTreeSet, HashMap, HashSet};

use rollcall_core::id::DocumentId;
use rollcall_sync::fingerprint::scope_root;
use rollcall_sync::message::{Receipt, ScopeReceipt};

use crate::error::Error;
use crate::prepare::open;
use crate::replica::Replica;
use rollcall_store::{Hash, Reader};

/// Rows of the log read in one go.
const ROWS_MAX: usize = 2_000;

impl Replica {
    /// Whether everything held here, but for the changes of the own log behind the receipt, is what the receipt is about.
    /// The signature has been checked. Says no where one of those changes brought a document into a further scope.
    pub(super) fn is_proven_without_later_edits(&self, receipt: &Receipt) -> Result<bool, Error> {
        self.read(|reader| {
            let Some(earlier) = earlier_digests(reader, receipt.origin.position)? else {
                return Ok(false);
            };
            let apart: BTreeSet<DocumentId> = receipt.quarantined.iter().copied().collect();
            let mut scopes = Vec::new();
            let mut documents: HashSet<DocumentId> = HashSet::new();
            for grant in reader.grants()? {
                let mut entries: Vec<(DocumentId, Hash)> = Vec::new();
                for (id, digest) in reader.scope_entries(&grant.scope)? {
                    let digest = match earlier.get(&id) {
                        Some(earlier) => *earlier,
                        None => Some(digest),
                    };
                    if let Some(digest) = digest.filter(|_| !apart.contains(&id)) {
                        entries.push((id, digest));
                    }
                }
                let (root, count) = scope_root(entries.iter().map(|(id, digest)| (id, digest)));
                if count > 0 {
                    documents.extend(entries.iter().map(|(id, _)| *id));
                    scopes.push(ScopeReceipt {
                        scope: grant.scope,
                        documents: count,
                        root,
                    });
                }
            }
            scopes.sort();
            Ok(scopes == receipt.scopes && documents.len() as u64 == receipt.documents)
        })
    }
}

/// Digests of the documents that the own log has changed behind a position, without those changes; none for a document
/// that did not exist. `None` where other changes build upon them.
fn earlier_digests(
    reader: &Reader,
    position: u64,
) -> Result<Option<HashMap<DocumentId, Option<Hash>>>, Error> {
    let mut later: HashMap<DocumentId, HashSet<Hash>> = HashMap::new();
    let mut after = position;
    loop {
        let rows = reader.origin_rows(after, ROWS_MAX)?;
        let Some(last) = rows.last() else { break };
        after = last.cursor.position;
        for row in rows {
            later.entry(row.document_id).or_default().insert(row.hash);
        }
    }
    let mut digests = HashMap::with_capacity(later.len());
    for (id, later) in later {
        let Some((row, mut changes)) = reader.load(id)? else {
            continue;
        };
        changes.retain(|change| !later.contains(&change.hash));
        let digest = if changes.is_empty() {
            None
        } else {
            match open(id, row.kind, changes.iter()) {
                Ok(document) => Some(document.digest()),
                Err(_) => return Ok(None),
            }
        };
        digests.insert(id, digest);
    }
    Ok(Some(digests))
}
