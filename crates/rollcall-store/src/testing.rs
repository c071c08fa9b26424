//! What the tests of this crate share: stores in temporary folders, documents made of counted chunks.

use std::path::PathBuf;

use rollcall_core::id::{ActorId, DocumentId, DocumentKind, FederationId, LogEpoch, StoreId};
use sha2::{Digest, Sha256};

use crate::commit::{CommitOutcome, DocumentCommit, NewChange};
use crate::{CreateOptions, Error, Hash, Role, Store, UNSENT};

/// A store in a folder that goes away with it.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) folder: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new(role: Role) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::create(&folder.path().join("store.db"), &options(role)).expect("a new store");
        Self { store, folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    /// Commits one document on its own.
    pub(crate) fn commit(&self, commit: DocumentCommit) -> Result<CommitOutcome, Error> {
        self.store
            .write("test commit", move |writer| writer.commit_document(&commit))
            .wait()
    }

    /// Changes the file behind the store's back, and reports what verify finds.
    pub(crate) fn sabotage(&self, sql: &str) -> Vec<crate::verify::FaultKind> {
        let sql = sql.to_owned();
        let run = self.store.write("sabotage", move |writer| {
            assert_eq!(writer.run(&sql, [])?, 1, "one row changed by {sql}");
            Ok(())
        });
        run.wait().expect("sabotage");
        self.faults()
    }

    pub(crate) fn faults(&self) -> Vec<crate::verify::FaultKind> {
        let faults = self.store.read(|reader| reader.verify()).expect("verify");
        faults.into_iter().map(|fault| fault.kind).collect()
    }
}

pub(crate) fn options(role: Role) -> CreateOptions {
    CreateOptions {
        role,
        store_id: StoreId([if role == Role::Node { 7 } else { 1 }; 16]),
        log_epoch: LogEpoch([2; 8]),
        name: "test".to_owned(),
    }
}

pub(crate) fn id(n: u32) -> DocumentId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(n.to_be_bytes())[..16]);
    DocumentId(bytes)
}

pub(crate) fn federation(code: u32) -> FederationId {
    FederationId::of_division(code)
}

/// A chunk with the frame of a change and its hash.
pub(crate) fn chunk(content: &[u8]) -> (Hash, Vec<u8>) {
    let mut body = vec![1];
    let mut length = content.len();
    while length >= 0x80 {
        body.push((length as u8 & 0x7f) | 0x80);
        length >>= 7;
    }
    body.push(length as u8);
    body.extend_from_slice(content);
    let hash: Hash = Sha256::digest(&body).into();
    let mut bytes = vec![0x85, 0x6f, 0x4a, 0x83];
    bytes.extend_from_slice(&hash[..4]);
    bytes.extend_from_slice(&body);
    (hash, bytes)
}

/// A document as its writer sees it; each edit replaces its heads.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) document_id: DocumentId,
    pub(crate) digest: Option<Hash>,
    edits: u64,
}

impl Draft {
    pub(crate) fn new(n: u32) -> Self {
        Self {
            document_id: id(n),
            digest: None,
            edits: 0,
        }
    }

    /// A commit of one more change of `size` bytes.
    pub(crate) fn edit_sized(&mut self, homes: &[u32], size: usize) -> DocumentCommit {
        self.edits += 1;
        let mut content = self.document_id.0.to_vec();
        content.extend_from_slice(&self.edits.to_be_bytes());
        content.resize(size.max(content.len()), 0x61);
        let (hash, bytes) = chunk(&content);
        let mut hasher = Sha256::new();
        hasher.update(b"rc1");
        hasher.update(self.document_id.0);
        hasher.update(1u32.to_le_bytes());
        hasher.update(hash);
        let digest: Hash = hasher.finalize().into();
        DocumentCommit {
            document_id: self.document_id,
            kind: DocumentKind::Organisation,
            expected_digest: self.digest.replace(digest),
            heads: vec![hash],
            digest,
            new_changes: vec![NewChange {
                hash,
                actor: ActorId([9; 16]),
                seq: self.edits,
                bytes,
                position: 0,
                committed_at_ms: 0,
                origin_store: StoreId([7; 16]),
                origin_epoch: LogEpoch([2; 8]),
            }],
            homes: homes.iter().map(|code| federation(*code)).collect(),
            names: Default::default(),
            aliases: Default::default(),
            facts: vec![(UNSENT, self.edits.to_be_bytes().to_vec())],
            listing: None,
            scopes_given: Vec::new(),
            now_ms: 1_000 + self.edits as i64,
        }
    }

    pub(crate) fn edit(&mut self, homes: &[u32]) -> DocumentCommit {
        self.edit_sized(homes, 40)
    }
}

/// Prints a measurement.
pub(crate) fn tell(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").expect("standard error is open");
}
