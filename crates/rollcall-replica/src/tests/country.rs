//! An aggregator and two nodes of one federation, each with a store of its own and nothing between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_core::id::{ActorId, DocumentId, FederationId, LogEpoch, StoreId};
use rollcall_core::record::Record;
use rollcall_doc::{Document, EditBy};
use rollcall_store::cursor::{Cursor, Grant, Upstream};
use rollcall_store::{CreateOptions, Hash, Role, Store, Writer};
use rollcall_sync::fingerprint::change_hash;
use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::message::{Ack, Batch, ChangeEntry, DocumentChanges, Receipt};
use serde_json::Value;
use tempfile::TempDir;

use crate::Replica;
use crate::edit::Editing;
use crate::grants::{Access, Enrolled};
use crate::peer::PeerContext;
use crate::replica::{Random, Settings};

/// The clock of every test, Unix milliseconds.
pub(super) const NOW: i64 = 1_735_660_800_000;
/// What both nodes are enrolled for.
pub(super) const OWN: &str = "330106";
/// What both nodes believe that they may write, and the aggregator knows better.
pub(super) const FOREIGN: &str = "330200";
/// The aggregator's key.
pub(super) const CENTRE_KEY: &[u8] = b"the centre's key";

/// The aggregator and its nodes.
pub(crate) struct Country {
    pub(crate) centre: Replica,
    nodes: [Replica; 2],
    _folder: TempDir,
}

/// Counts instead of drawing: the same bytes in every run, and never the same twice.
struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            part.copy_from_slice(&number[..part.len()]);
        }
    }
}

/// A key whose public half seals: who holds it is trusted to.
pub(super) struct Key(pub(super) &'static [u8]);

fn seal(key: &[u8], statement: &[&[u8]]) -> Vec<u8> {
    change_hash(&[&[0; 8], key, &statement.concat()].concat()).to_vec()
}

fn batch_seal(key: &[u8], store_id: StoreId, log_epoch: LogEpoch, batch: &Batch) -> Vec<u8> {
    let to = batch.to.to_be_bytes();
    seal(
        key,
        &[store_id.as_bytes(), log_epoch.as_bytes(), &to, &batch.end_chain],
    )
}

impl Sign for Key {
    fn sign_batch(&self, store_id: StoreId, log_epoch: LogEpoch, batch: &mut Batch) {
        batch.signature = batch_seal(self.0, store_id, log_epoch, batch);
    }

    fn sign_receipt(&self, receipt: &mut Receipt) {
        receipt.signature = seal(self.0, &[&receipt.hash()]);
    }
}

/// Checks the seals of any key.
pub(super) struct Seals;

impl Verify for Seals {
    fn is_batch_signed(&self, key: &[u8], store_id: StoreId, log_epoch: LogEpoch, batch: &Batch) -> bool {
        batch_seal(key, store_id, log_epoch, batch) == batch.signature
    }

    fn is_receipt_signed(&self, key: &[u8], receipt: &Receipt) -> bool {
        seal(key, &[&receipt.hash()]) == receipt.signature
    }
}

/// Documents outside the order of any log.
pub(super) fn loose(documents: Vec<DocumentChanges>) -> Batch {
    Batch {
        from: 0,
        to: 0,
        end_chain: [0; 32],
        signature: Vec::new(),
        documents,
        drained: false,
    }
}

/// A new document as its first change, written at no node.
pub(super) fn first_change(record: Value) -> DocumentChanges {
    let record: Record = serde_json::from_value(record).expect("a record");
    let document_id = record.document_id().expect("a key");
    let mut document = Document::create(record.kind(), document_id);
    let edits = document.plan(&record).expect("a plan");
    let by = EditBy {
        actor: ActorId([7; 16]),
        author: format!("{OWN}/7"),
        reason: String::new(),
        time_ms: NOW,
        heads: None,
    };
    let change = document.apply_edits(&edits, &by).expect("an edit");
    DocumentChanges {
        document_id,
        kind: record.kind(),
        scopes: Vec::new(),
        changes: vec![ChangeEntry {
            position: 0,
            committed_at_ms: 0,
            bytes: change.expect("a change").bytes,
        }],
    }
}

pub(super) fn federation(code: &str) -> FederationId {
    code.parse().expect("a federation")
}

impl Country {
    /// Makes the stores; batches of the aggregator hold at most so many documents.
    pub(crate) fn new(batch_documents_max: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let replica = |number: u8, role: Role| {
            let options = CreateOptions {
                role,
                store_id: StoreId([number; 16]),
                log_epoch: LogEpoch([number; 8]),
                name: format!("office {number}"),
            };
            let path = folder.path().join(format!("{number}.db"));
            let settings = Settings {
                random: Arc::new(Counting(AtomicU64::new(u64::from(number) << 32))),
                batch_documents_max,
            };
            Replica::with(Store::create(&path, &options).expect("a store"), settings)
        };
        let centre = replica(9, Role::Aggregator);
        let upstream = Upstream {
            store_id: centre.store().identity().store_id,
            log_epoch: centre.store().identity().log_epoch,
            down_position: 0,
            scopes_hash: Hash::default(),
            acknowledged: Cursor::default(),
            receipt_hash: Hash::default(),
            last_heard_ms: NOW,
        };
        let nodes = [1, 2].map(|number| {
            let node = replica(number, Role::Node);
            let upstream = upstream.clone();
            let grants: Vec<Grant> = [OWN, FOREIGN]
                .map(|code| Grant {
                    scope: federation(code),
                    write: true,
                })
                .into();
            let work = move |writer: &mut Writer| {
                writer.save_upstream(&upstream)?;
                writer.save_grants(&grants)
            };
            node.store().write("first contact", work).wait().expect("saved");
            node
        });
        Self {
            centre,
            nodes,
            _folder: folder,
        }
    }

    /// One of the nodes, 0 or 1.
    pub(super) fn node(&self, number: usize) -> &Replica {
        &self.nodes[number]
    }

    /// A node as the aggregator knows it.
    pub(super) fn peer(&self, number: usize) -> PeerContext {
        let identity = self.nodes[number].store().identity();
        PeerContext {
            peer_id: identity.name,
            store_id: identity.store_id,
            log_epoch: identity.log_epoch,
            signing_key: key(number).0.to_vec(),
            access: Access {
                enrolled: Enrolled {
                    write: [federation(OWN)].into(),
                    replicas: Default::default(),
                },
                writers: Arc::new([federation(OWN)].into()),
            },
            former_stores: Vec::new(),
        }
    }

    /// A clerk of a node saves what a record says; which document.
    pub(super) fn edit(&self, number: usize, record: Value) -> DocumentId {
        let record: Record = serde_json::from_value(record).expect("a record");
        let id = record.document_id().expect("a key");
        let by = Editing {
            author: format!("{OWN}/{number}"),
            reason: String::new(),
            now_ms: NOW,
            heads: None,
        };
        let saved = self
            .node(number)
            .edit_or_create(id, record.kind(), &by, |document| document.plan(&record));
        assert!(saved.expect("saved").is_some(), "the record says something new");
        id
    }

    /// The next batch of a node's log.
    pub(super) fn batch_up(&self, number: usize) -> Batch {
        let node = self.node(number);
        let upstream = node.store().read(|reader| reader.upstream()).expect("read");
        let acknowledged = upstream.expect("it has met the aggregator").acknowledged;
        let after = rollcall_sync::message::Cursor {
            position: acknowledged.position,
            chain: acknowledged.chain,
        };
        let batch = node.load_up(&after, &key(number)).expect("read");
        batch.expect("the log goes on from there")
    }

    /// Everything that a node has goes up and is acknowledged; what was sent with what was answered.
    pub(super) fn up(&self, number: usize) -> Vec<(Batch, Ack)> {
        let mut answered: Vec<(Batch, Ack)> = Vec::new();
        loop {
            let batch = self.batch_up(number);
            if let Some((before, _)) = answered.last() {
                assert_eq!(batch.from, before.to, "it goes on where it was answered");
            }
            let ack = self
                .centre
                .take_up(&self.peer(number), &batch, NOW)
                .expect("taken");
            self.node(number).take_ack(&batch, &ack, NOW).expect("stored");
            let drained = batch.drained;
            answered.push((batch, ack));
            if drained {
                return answered;
            }
        }
    }

    /// The next batch for a node after a position, with the receipt that comes with it.
    pub(super) fn batch_down(&self, number: usize, after: u64) -> (Batch, Option<Receipt>) {
        self.centre
            .load_down(&self.peer(number), after, Some(&[]), &Key(CENTRE_KEY), NOW)
            .expect("read")
    }

    /// How far a node holds the aggregator's log.
    pub(super) fn down_position(&self, number: usize) -> u64 {
        let upstream = self.node(number).store().read(|reader| reader.upstream());
        upstream.expect("read").expect("known").down_position
    }

    /// Everything that there is for a node comes down; the receipt at the end of it.
    pub(super) fn down(&self, number: usize) -> Receipt {
        loop {
            let (batch, receipt) = self.batch_down(number, self.down_position(number));
            self.node(number).take_down(&batch, NOW).expect("taken");
            if let Some(receipt) = receipt {
                return receipt;
            }
        }
    }
}

/// The signing key of a node.
pub(super) fn key(number: usize) -> Key {
    Key([b"the first node's key", b"the other node's key"][number])
}
