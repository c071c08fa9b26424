//! Documents as sets: all of a kind, those this process writes for itself, signatures kept as evidence.

use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::record::Record;
use rollcall_store::enrolment::EnrolmentRow;
use rollcall_sync::keys::Verify;
use rollcall_sync::message::Batch;

use crate::edit::Editing;
use crate::error::Error;
use crate::prepare::commit_local;
use crate::replica::Replica;

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

    /// Kept batch signatures that are not the node's: place and message.
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
