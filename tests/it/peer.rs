//! A peer with good keys and bad intentions: says what it likes, chained and signed as it should be.

use rollcall_core::id::{ActorId, LogEpoch, StoreId};
use rollcall_core::record::Record;
use rollcall_doc::{Document, EditBy};
use rollcall_rpc::authority::read_private;
use rollcall_rpc::{Client, ClientConfig, RpcError, SigningKey, Timeouts};
use rollcall_sync::fingerprint::{change_hash, origin_chain};
use rollcall_sync::limits::PROTOCOL_VERSION;
use rollcall_sync::message::{
    Batch, ChangeEntry, ClientFrame, Cursor, DocumentChanges, Hello, Outcome, ServerFrame, SetSum,
};
use tokio::sync::mpsc;

use crate::harness::{Aggregator, Node, database};

/// A change as its author makes it.
pub(crate) fn written(record: &serde_json::Value) -> DocumentChanges {
    let record: Record = serde_json::from_value(record.clone()).expect("a record");
    let id = record.document_id().expect("a key");
    written_on(
        Document::create(record.kind(), id),
        &record,
        ActorId(id.0),
        "330106/7",
    )
}

/// A change that carries a document on to what a record says, by any actor.
pub(crate) fn written_on(
    mut document: Document,
    record: &Record,
    actor: ActorId,
    author: &str,
) -> DocumentChanges {
    let edits = document.plan(record).expect("a plan");
    let by = EditBy {
        actor,
        author: author.to_owned(),
        reason: "hostile".to_owned(),
        time_ms: 1_700_000_000_000,
        heads: None,
    };
    let change = document
        .apply_edits(&edits, &by)
        .expect("an edit")
        .expect("a change");
    DocumentChanges {
        document_id: document.id(),
        kind: document.kind(),
        scopes: Vec::new(),
        changes: vec![ChangeEntry {
            position: 0,
            committed_at_ms: 0,
            bytes: change.bytes,
        }],
    }
}

/// A session, until it is dropped.
pub(crate) struct Held {
    _session: (
        Client,
        mpsc::Sender<ClientFrame>,
        mpsc::Receiver<Result<ServerFrame, RpcError>>,
    ),
    _runtime: tokio::runtime::Runtime,
}

/// A peer with good keys and bad intentions.
pub(crate) struct Hostile {
    pub(crate) config: ClientConfig,
    pub(crate) key: SigningKey,
    pub(crate) store: StoreId,
    pub(crate) epoch: LogEpoch,
}

impl Hostile {
    /// With the keys that a node keeps in its folder.
    pub(crate) fn with_keys_of(node: &Node, aggregator: &Aggregator) -> Self {
        let read = |name: &str| {
            read_private(&node.data().join("keys").join(name))
                .or_else(|_| std::fs::read(node.data().join("keys").join(name)))
                .expect("a key file")
        };
        let text = |name: &str| String::from_utf8(read(name)).expect("text");
        let database = database(&node.store());
        let meta = |key: &str| -> Vec<u8> {
            database
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
                .expect("meta")
        };
        Self {
            config: ClientConfig {
                url: aggregator.url(),
                authority_pem: text("authority.pem"),
                certificate_pem: text("certificate.pem"),
                key_pem: text("tls-key.pem"),
                server_name: None,
                timeouts: Timeouts::default(),
            },
            key: SigningKey::from_pkcs8(&read("signing.pk8")).expect("a key"),
            store: StoreId::from_slice(&meta("store_id")).expect("an id"),
            epoch: LogEpoch::from_slice(&meta("log_epoch")).expect("an epoch"),
        }
    }

    /// The first batch of a log, chained and signed as it should be.
    pub(crate) fn batch(&self, documents: Vec<DocumentChanges>) -> Batch {
        self.batch_after(Cursor::default(), documents)
    }

    /// A batch that goes on from there.
    pub(crate) fn batch_after(&self, from: Cursor, mut documents: Vec<DocumentChanges>) -> Batch {
        let (mut position, mut chain) = (from.position, from.chain);
        for document in &mut documents {
            for change in &mut document.changes {
                position += 1;
                change.position = position;
                chain = origin_chain(&chain, document.document_id, &change_hash(&change.bytes));
            }
        }
        let mut batch = Batch {
            from: from.position,
            to: position,
            end_chain: chain,
            signature: Vec::new(),
            documents,
            drained: true,
        };
        self.key.sign_batch(self.store, self.epoch, &mut batch);
        batch
    }

    /// Says Hello, sends the batch, and gives the first answer to it.
    pub(crate) fn send(&self, batch: Batch) -> ServerFrame {
        let hello = self.hello(&batch);
        self.converse(hello, vec![batch]).pop().expect("an answer")
    }

    /// A session that says it has something to send and never does.
    pub(crate) fn hold(&self) -> Held {
        let nowhere = Cursor {
            position: 1,
            chain: [1; 32],
        };
        self.open(self.hello_at(nowhere))
    }

    /// A session that has nothing to send and stays open.
    pub(crate) fn stay(&self) -> Held {
        self.open(Hello {
            live: true,
            ..self.hello_at(Cursor::default())
        })
    }

    fn open(&self, hello: Hello) -> Held {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let session = runtime.block_on(async {
            let client = Client::connect(&self.config).await.expect("a connection");
            let (frames, mut answers) = client.exchange();
            frames
                .send(ClientFrame::Hello(Box::new(hello)))
                .await
                .expect("sent");
            let answer = answers.recv().await.expect("an answer").expect("no error");
            assert!(matches!(answer, ServerFrame::HelloAck(_)), "{answer:?}");
            (client, frames, answers)
        });
        Held {
            _session: session,
            _runtime: runtime,
        }
    }

    /// A Hello that fits this batch.
    pub(crate) fn hello(&self, batch: &Batch) -> Hello {
        self.hello_at(Cursor {
            position: batch.to,
            chain: batch.end_chain,
        })
    }

    fn hello_at(&self, origin_end: Cursor) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            version: "hostile".to_owned(),
            session_id: [7; 16],
            store_id: self.store,
            log_epoch: self.epoch,
            boot_id: [7; 16],
            origin_end,
            acknowledged: Cursor::default(),
            known_peer: None,
            down_position: 0,
            scopes_hash: [0; 32],
            set: SetSum::default(),
            receipt_hash: [0; 32],
            takes_place: false,
            grants_hash: [0; 8],
            live: false,
            partial_receipts: false,
            digest_first: false,
            cluster_epoch: 0,
        }
    }

    /// Says Hello, sends the batches one after the other, and gives the answer to each; the session's end is one too.
    pub(crate) fn converse(&self, hello: Hello, batches: Vec<Batch>) -> Vec<ServerFrame> {
        runtime().block_on(async {
            let client = Client::connect(&self.config).await.expect("a connection");
            let (frames, mut answers) = client.exchange();
            frames
                .send(ClientFrame::Hello(Box::new(hello)))
                .await
                .expect("sent");
            let mut answered = Vec::new();
            for batch in batches {
                if frames.send(ClientFrame::Batch(Box::new(batch))).await.is_err() {
                    break;
                }
                loop {
                    match answers.recv().await {
                        Some(Ok(
                            ServerFrame::HelloAck(_) | ServerFrame::Batch(_) | ServerFrame::Receipt(_),
                        )) => {}
                        Some(Ok(answer)) => break answered.push(answer),
                        Some(Err(error)) => {
                            return vec![ServerFrame::Goaway {
                                code: error.code().to_owned(),
                                message: error.to_string(),
                                drain_ms: 0,
                            }];
                        }
                        None => return answered,
                    }
                }
            }
            answered
        })
    }
}

/// A runtime on this thread.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// An outcome as a word, or its code.
pub(crate) fn code_of(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Duplicate => "duplicate",
        Outcome::Pending => "pending",
        Outcome::Forked => "forked",
        Outcome::Quarantined(code) | Outcome::Rejected(code) => code,
    }
}
