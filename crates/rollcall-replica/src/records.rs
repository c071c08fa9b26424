//! Documents as sets: all of a kind, those this process writes for itself, signatures kept as evidence.

use std::collections::HashMap;

use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::record::Record;
use rollcall_store::enrolment::EnrolmentRow;
use rollcall_store::receipt::{BatchEvidence, LINK_BYTES};
use rollcall_store::{Hash, Reader};
use rollcall_sync::fingerprint::{change_hash, origin_chain};
use rollcall_sync::keys::Verify;
use rollcall_sync::message::Batch;

use crate::edit::Editing;
use crate::error::Error;
use crate::prepare::commit_local;
use crate::replica::{Replica, hex};

/// Documents read at a time.
const PAGE: usize = 1000;

impl Replica {
    /// Ids of every document of a kind.
    ///
    /// # Errors
    /// The store's.
    pub fn documents_of(&self, kind: DocumentKind) -> Result<Vec<DocumentId>, Error> {
        let (mut after, mut ids) = (None, Vec::new());
        loop {
            let page = self.read(|reader| Ok(reader.documents(after, PAGE)?))?;
            let Some(last) = page.last() else { return Ok(ids) };
            after = Some(last.document_id);
            ids.extend(
                page.iter()
                    .filter(|row| row.kind == kind)
                    .map(|row| row.document_id),
            );
        }
    }

    /// Writes records as this process's own, one transaction for all: the directory and settings of the aggregator.
    /// How many were new or changed.
    ///
    /// # Errors
    /// `Problems` where a record cannot be written; nothing is written then.
    pub fn own_records(
        &self,
        records: impl IntoIterator<Item = Record>,
        author: &str,
        now_ms: i64,
    ) -> Result<usize, Error> {
        let by = Editing {
            author: author.to_owned(),
            reason: String::new(),
            now_ms,
            heads: None,
        };
        let mut commits = Vec::new();
        for record in records {
            let id = record
                .document_id()
                .ok_or_else(|| Error::NoDocument(String::new()))?;
            let held = self.held(id, record.kind())?;
            let edits = held.document.plan(&record).map_err(Error::Problems)?;
            if let Some((document, change)) = self.write_edits(&held.document, &edits, &by)? {
                commits.push(commit_local(&held, &document, &[change], self.origin(), now_ms));
            }
        }
        let count = commits.len();
        let work = move |writer: &mut rollcall_store::Writer| {
            commits
                .iter()
                .try_for_each(|commit| writer.commit_document(commit).map(drop))
        };
        self.store().write("own records", work).wait()?;
        Ok(count)
    }

    /// What of the evidence of nodes' logs does not hold, place and message: chains followed from the first change to the
    /// cursor, every change of them held or kept apart, signatures over their ends.
    ///
    /// # Errors
    /// The store's.
    pub fn evidence_faults(&self, keys: &dyn Verify) -> Result<Vec<(String, String)>, Error> {
        self.read(|reader| {
            let mut faults = Vec::new();
            let peers: Vec<EnrolmentRow> = reader.enrolments()?;
            for cursor in reader.peer_cursors()? {
                let kept = reader.evidence(cursor.origin_store, cursor.log_epoch)?;
                let end = kept
                    .iter()
                    .find(|evidence| evidence.to_position == cursor.cursor.position);
                if cursor.cursor.position > 0
                    && end.map(|evidence| evidence.end_chain) != Some(cursor.cursor.chain)
                {
                    let place = format!("cursor of {} at {}", cursor.origin_store, cursor.cursor.position);
                    faults.push((place, "the chain is not the one that the node signed".to_owned()));
                }
                faults.extend(chain_faults(reader, &kept)?);
                for evidence in kept {
                    let batch = Batch {
                        from: 0,
                        to: evidence.to_position,
                        end_chain: evidence.end_chain,
                        signature: evidence.signature.clone(),
                        documents: Vec::new(),
                        drained: false,
                    };
                    let place = format!("batch {} to {}", evidence.origin_store, evidence.to_position);
                    let (store, epoch) = (evidence.origin_store, evidence.log_epoch);
                    if !keys.is_batch_signed(&evidence.signing_key, store, epoch, &batch) {
                        faults.push((
                            place,
                            "the kept signature is not that of the node's key".to_owned(),
                        ));
                    } else if !peers.iter().any(|peer| peer.signing_key == evidence.signing_key) {
                        faults.push((place, "the key that signed it belongs to no peer".to_owned()));
                    }
                }
            }
            Ok(faults)
        })
    }
}

/// Follows the chain of one spell of a node's log over the changes that its batches were signed over.
fn chain_faults(reader: &Reader, kept: &[BatchEvidence]) -> Result<Vec<(String, String)>, Error> {
    let mut faults = Vec::new();
    let mut chains: HashMap<u64, Hash> = HashMap::from([(0, [0; 32])]);
    for evidence in kept {
        let count = (evidence.links.len() / LINK_BYTES) as u64;
        let from = evidence.to_position.checked_sub(count);
        let place = format!("log of {} up to {}", evidence.origin_store, evidence.to_position);
        let Some((from, mut chain)) = from.and_then(|from| Some((from, *chains.get(&from)?))) else {
            faults.push((
                place,
                "the changes before this batch are not on record".to_owned(),
            ));
            continue;
        };
        for (position, link) in (from + 1..).zip(evidence.links.chunks_exact(LINK_BYTES)) {
            let (id, hash) = link.split_at(DocumentId::LEN);
            let (Some(id), Ok(hash)) = (DocumentId::from_slice(id), <Hash>::try_from(hash)) else {
                continue;
            };
            chain = origin_chain(&chain, id, &hash);
            chains.insert(position, chain);
            if !is_held(reader, id, &hash)? {
                let message = format!(
                    "change {} of document {id} is neither held nor kept apart",
                    hex(&hash)
                );
                faults.push((format!("log of {} at {position}", evidence.origin_store), message));
            }
        }
        if chain != evidence.end_chain || !evidence.links.len().is_multiple_of(LINK_BYTES) {
            let message = "the changes on record do not make the chain that the node signed";
            faults.push((place, message.to_owned()));
        }
    }
    Ok(faults)
}

fn is_held(reader: &Reader, id: DocumentId, hash: &Hash) -> Result<bool, Error> {
    Ok(reader.change_position(id, hash)?.is_some()
        || reader.pending_changes(id)?.iter().any(|waiting| waiting.hash == *hash)
        // Of what has no sound frame only the bytes are kept.
        || reader
            .quarantine_of(id)?
            .iter()
            .any(|row| change_hash(&row.refused.bytes) == *hash))
}
