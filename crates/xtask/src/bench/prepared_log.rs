//! A log written without a store: documents made from records, their changes chained and signed in batches.
//! Owns what a node's store and `send_up` do otherwise; the bytes are the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context, Result};
use rollcall_command::clock::{now_ms, random};
use rollcall_core::id::{ActorId, DocumentId, DocumentKind, LogEpoch, StoreId};
use rollcall_core::problem::Problem;
use rollcall_core::record::{OrganisationRecord, Record};
use rollcall_doc::{Document, Edit, EditBy};
use rollcall_rpc::SigningKey;
use rollcall_sync::fingerprint::origin_chain;
use rollcall_sync::limits::{BATCH_DOCUMENTS_MAX, BATCH_RAW_BYTES_TARGET};
use rollcall_sync::message::{Batch, ChangeEntry, Cursor, DocumentChanges, Hash};

use super::enrolled::Enrolled;

/// A piece of a log.
pub(super) struct Log {
    /// By the position before their first change.
    pub(super) batches: BTreeMap<u64, Batch>,
    /// Where it ends.
    pub(super) end: Cursor,
    /// What the documents in it are once it is sent.
    pub(super) digests: HashMap<DocumentId, Hash>,
}

/// Writes logs: one that founds documents, and one that edits them.
pub(super) struct Writer {
    store: StoreId,
    epoch: LogEpoch,
    key: Arc<SigningKey>,
    by: EditBy,
    founded: Vec<Written>,
    edited: Vec<Written>,
}

struct Written {
    id: DocumentId,
    kind: DocumentKind,
    hash: Hash,
    bytes: Vec<u8>,
    digest: Hash,
}

impl Writer {
    /// As this node, in a new spell of its log.
    pub(super) fn new(enrolled: &Enrolled, epoch: LogEpoch) -> Self {
        Self {
            store: enrolled.store_id,
            epoch,
            key: Arc::clone(&enrolled.signing_key),
            by: EditBy {
                actor: ActorId(random()),
                author: format!("{}/1", enrolled.federation),
                reason: String::new(),
                time_ms: now_ms(),
                heads: None,
            },
            founded: Vec::new(),
            edited: Vec::new(),
        }
    }

    /// Makes the document of an organisation, and edits it where it shall have another address later.
    pub(super) fn found(&mut self, record: OrganisationRecord, address: Option<&str>) -> Result<()> {
        let record = Record::Organisation(Box::new(record));
        let id = record.document_id().context("find the organisation's code")?;
        let mut document = Document::create(record.kind(), id);
        let edits = document.plan(&record).map_err(refused)?;
        let written = self.write(&mut document, &edits)?;
        self.founded.push(written);
        if let Some(address) = address {
            let edits = document.set("address", address).map_err(refused)?;
            let written = self.write(&mut document, &edits)?;
            self.edited.push(written);
        }
        Ok(())
    }

    /// The logs, in the order in which they are to be sent.
    pub(super) fn finish(self) -> (Log, Vec<Log>) {
        let Self {
            store,
            epoch,
            key,
            founded,
            edited,
            ..
        } = self;
        let sign = |batch: &mut Batch| key.sign_batch(store, epoch, batch);
        let now = log(Cursor::default(), founded, &sign);
        let later = if edited.is_empty() {
            Vec::new()
        } else {
            vec![log(now.end, edited, &sign)]
        };
        (now, later)
    }

    fn write(&self, document: &mut Document, edits: &[Edit]) -> Result<Written> {
        let change = document
            .apply_edits(edits, &self.by)
            .context("write a change")?
            .context("find anything to write")?;
        Ok(Written {
            id: document.id(),
            kind: document.kind(),
            hash: change.hash,
            bytes: change.bytes,
            digest: document.digest(),
        })
    }
}

fn refused(problems: Vec<Problem>) -> anyhow::Error {
    anyhow::anyhow!("a record cannot be written: {problems:?}")
}

/// Chains changes, one of each document, and closes batches as a node does.
fn log(from: Cursor, written: Vec<Written>, sign: &impl Fn(&mut Batch)) -> Log {
    let mut log = Log {
        batches: BTreeMap::new(),
        end: from,
        digests: HashMap::with_capacity(written.len()),
    };
    let (mut begin, mut documents, mut bytes) = (from, Vec::new(), 0);
    let close = |log: &mut Log, begin: Cursor, documents: Vec<DocumentChanges>, drained| {
        let mut batch = Batch {
            from: begin.position,
            to: log.end.position,
            end_chain: log.end.chain,
            signature: Vec::new(),
            documents,
            drained,
        };
        sign(&mut batch);
        log.batches.insert(begin.position, batch);
    };
    for Written {
        id,
        kind,
        hash,
        bytes: change,
        digest,
    } in written
    {
        let full = documents.len() == BATCH_DOCUMENTS_MAX || bytes + change.len() > BATCH_RAW_BYTES_TARGET;
        if full && !documents.is_empty() {
            close(&mut log, begin, std::mem::take(&mut documents), false);
            (begin, bytes) = (log.end, 0);
        }
        bytes += change.len();
        log.digests.insert(id, digest);
        log.end = Cursor {
            position: log.end.position + 1,
            chain: origin_chain(&log.end.chain, id, &hash),
        };
        documents.push(DocumentChanges {
            document_id: id,
            kind,
            scopes: Vec::new(),
            changes: vec![ChangeEntry {
                position: log.end.position,
                committed_at_ms: 0,
                bytes: change,
            }],
        });
    }
    close(&mut log, begin, documents, true);
    log
}
