//! A node's file: where it stands, its log after what was acknowledged, or everything it has.

use std::collections::BTreeSet;

use rollcall_core::id::DocumentId;
use rollcall_store::successor::Mark;
use rollcall_sync::batch_file::UpHead;
use rollcall_sync::keys::Sign;
use rollcall_sync::limits::{APART_MAX, BATCH_RAW_BYTES_TARGET};
use rollcall_sync::message::{Batch, ChangeEntry, Cursor, DocumentChanges};

use crate::error::Error;
use crate::replica::Replica;

/// Documents looked at in one snapshot.
const ROWS_MAX: usize = 200;

/// Who writes a file.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// Version of the program.
    pub version: &'a str,
    /// Serial number of the certificate it is enrolled with.
    pub certificate: &'a str,
    /// X25519 public key that the answer is to be sealed for.
    pub answer_to: [u8; 32],
}

/// The batches of a file, one at a time.
pub struct Sending<'a> {
    replica: &'a Replica,
    keys: &'a dyn Sign,
    next: Next,
    whole: bool,
}

/// What comes next.
enum Next {
    /// The own log after this.
    Log(Cursor),
    /// What the own log does not hold, in documents after this one.
    Beside(Option<DocumentId>),
    /// Nothing.
    End,
}

impl Replica {
    /// The head of a file that is written now. It is whole where that is asked for, or where the last answer left both ends
    /// different. A log whose chain is not the one that was acknowledged begins a new spell, as in a session.
    ///
    /// # Errors
    /// The store's.
    pub fn file_head(&self, by: &Writer<'_>, whole: bool, now_ms: i64) -> Result<UpHead, Error> {
        let parted = self.read(|reader| {
            let acknowledged = reader.upstream()?.map(|upstream| upstream.acknowledged);
            let acknowledged = acknowledged.unwrap_or_default();
            Ok(reader.origin_chain_at(acknowledged.position)? != Some(acknowledged.chain))
        })?;
        if parted {
            self.rotate_epoch()?;
        }
        let (differs, mut apart) =
            self.read(|reader| Ok((reader.is_marked(Mark::Differs)?, reader.documents_in_doubt()?)))?;
        apart.truncate(APART_MAX);
        let whole = whole || differs;
        let hello = self.hello(by.version)?;
        let from = if whole {
            Cursor::default()
        } else {
            hello.acknowledged
        };
        Ok(UpHead {
            file_id: self.random(),
            made_ms: now_ms,
            certificate: by.certificate.to_owned(),
            answer_to: by.answer_to,
            whole,
            from,
            apart,
            hello,
        })
    }

    /// The batches that belong behind a head.
    pub fn send_by_file<'a>(&'a self, head: &UpHead, keys: &'a dyn Sign) -> Sending<'a> {
        Sending {
            replica: self,
            keys,
            next: Next::Log(head.from),
            whole: head.whole,
        }
    }
}

impl Sending<'_> {
    /// The next batch; none at the end. What is written meanwhile goes along.
    ///
    /// # Errors
    /// `LogReplaced` where the log began a new spell meanwhile; the store's.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Error> {
        loop {
            let batch = match self.next {
                Next::Log(after) => {
                    let batch = self.replica.load_up(&after, self.keys)?;
                    let batch = batch.ok_or(Error::LogReplaced)?;
                    self.next = match (batch.drained, self.whole) {
                        (false, _) => Next::Log(Cursor {
                            position: batch.to,
                            chain: batch.end_chain,
                        }),
                        (true, true) => Next::Beside(None),
                        (true, false) => Next::End,
                    };
                    batch
                }
                Next::Beside(after) => {
                    let (documents, last) = self.beside(after)?;
                    self.next = match last {
                        Some(last) => Next::Beside(Some(last)),
                        None => Next::End,
                    };
                    Batch {
                        from: 0,
                        to: 0,
                        end_chain: [0; 32],
                        signature: Vec::new(),
                        documents,
                        drained: false,
                    }
                }
                Next::End => return Ok(None),
            };
            if !batch.documents.is_empty() {
                return Ok(Some(batch));
            }
        }
    }

    /// Changes in the scopes this node writes that its log does not hold: what came from above, and what it wrote before
    /// it was another store. With the last document looked at; none at the end.
    fn beside(&self, after: Option<DocumentId>) -> Result<(Vec<DocumentChanges>, Option<DocumentId>), Error> {
        self.replica.read(|reader| {
            let grants = reader.grants()?;
            let written: BTreeSet<_> = grants
                .into_iter()
                .filter(|grant| grant.write)
                .map(|grant| grant.scope)
                .collect();
            let (mut documents, mut bytes, mut last) = (Vec::new(), 0, None);
            for row in reader.documents(after, ROWS_MAX)? {
                let id = row.document_id;
                let scopes = reader.scopes_of(id)?;
                let changes: Vec<ChangeEntry> = if scopes.iter().any(|scope| written.contains(scope)) {
                    let changes = reader.changes(id)?.into_iter();
                    let beside = changes.filter(|change| change.origin_position == 0);
                    let entry = |bytes| ChangeEntry {
                        position: 0,
                        committed_at_ms: 0,
                        bytes,
                    };
                    beside.map(|change| entry(change.bytes)).collect()
                } else {
                    Vec::new()
                };
                let size: usize = changes.iter().map(|change| change.bytes.len()).sum();
                if !documents.is_empty() && bytes + size > BATCH_RAW_BYTES_TARGET {
                    return Ok((documents, last));
                }
                (bytes, last) = (bytes + size, Some(id));
                if !changes.is_empty() {
                    documents.push(DocumentChanges {
                        document_id: id,
                        kind: row.kind,
                        scopes: Vec::new(),
                        changes,
                    });
                }
            }
            Ok((documents, last))
        })
    }
}
