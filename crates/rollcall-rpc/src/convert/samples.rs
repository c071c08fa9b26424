//! One of every message, for tests and the fuzz target; the same in every run.

use rollcall_core::id::{DocumentId, DocumentKind, FederationId, LogEpoch, StoreId};
use rollcall_sync::message::{
    Ack, Batch, ChangeEntry, ClientFrame, Cursor, DocumentChanges, DocumentOutcome, Hello, HelloAck, Outcome,
    PartialReceipt, Receipt, RepairReason, ScopeGrant, ScopeReceipt, ServerFrame, SetSum, Verdict,
};

/// Bytes that do not compress, the same in every run.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.next().to_le_bytes()[0];
        }
        bytes
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 ^ (self.0 >> 33)) >> 17
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).expect("64 bits") % limit
    }

    pub(super) fn document(&mut self, changes: usize, length: usize) -> DocumentChanges {
        let all = scopes();
        let change = |noise: &mut Self| ChangeEntry {
            position: noise.next() % 100_000,
            committed_at_ms: 1_790_000_000_000 + noise.below(1_000_000_000) as i64,
            bytes: (0..length).map(|_| noise.bytes::<1>()[0]).collect(),
        };
        DocumentChanges {
            document_id: DocumentId(self.bytes()),
            kind: DocumentKind::ALL[self.below(7)],
            scopes: all.into_iter().take(self.below(3)).collect(),
            changes: (0..changes).map(|_| change(self)).collect(),
        }
    }

    pub(crate) fn batch(&mut self, documents: usize, changes: usize, length: usize) -> Batch {
        Batch {
            from: 17,
            to: 17 + documents as u64,
            end_chain: self.bytes(),
            signature: self.bytes::<64>().to_vec(),
            documents: (0..documents).map(|_| self.document(changes, length)).collect(),
            drained: documents.is_multiple_of(2),
        }
    }
}

pub(crate) fn scopes() -> Vec<FederationId> {
    ["330106", "330000/education", "100000"]
        .map(|text| text.parse().expect("a federation"))
        .to_vec()
}

pub(crate) fn hello() -> Hello {
    let mut noise = Noise::new(1);
    Hello {
        protocol: 1,
        version: "0.1.0".into(),
        session_id: noise.bytes(),
        store_id: StoreId(noise.bytes()),
        log_epoch: LogEpoch(noise.bytes()),
        boot_id: noise.bytes(),
        origin_end: Cursor {
            position: 4711,
            chain: noise.bytes(),
        },
        acknowledged: Cursor {
            position: 4700,
            chain: noise.bytes(),
        },
        known_peer: Some((StoreId(noise.bytes()), LogEpoch(noise.bytes()))),
        down_position: 1_000_000,
        scopes_hash: noise.bytes(),
        set: SetSum {
            count: 30_000,
            sum: noise.bytes(),
        },
        receipt_hash: noise.bytes(),
        takes_place: true,
        grants_hash: noise.bytes(),
        live: true,
        partial_receipts: true,
        digest_first: true,
        cluster_epoch: 1_790_000_000_000,
    }
}

pub(crate) fn hello_ack() -> HelloAck {
    let mut noise = Noise::new(2);
    HelloAck {
        store_id: StoreId(noise.bytes()),
        log_epoch: LogEpoch(noise.bytes()),
        verdict: Verdict::InSync,
        cursor: Cursor {
            position: 4711,
            chain: noise.bytes(),
        },
        position: 1_000_000,
        time_ms: 1_795_000_000_000,
        scopes: vec![],
        set: SetSum {
            count: 30_000,
            sum: noise.bytes(),
        },
        receipt_hash: noise.bytes(),
        rebuilding: true,
        live: true,
        cluster_epoch: 1_790_000_000_000,
        wants_proof: true,
    }
}

pub(super) fn receipt() -> Receipt {
    let mut noise = Noise::new(3);
    Receipt {
        store_id: StoreId(noise.bytes()),
        log_epoch: LogEpoch(noise.bytes()),
        position: u64::MAX,
        time_ms: -1,
        origin_store: StoreId(noise.bytes()),
        origin_epoch: LogEpoch(noise.bytes()),
        origin: Cursor::default(),
        scopes: scopes()
            .into_iter()
            .map(|scope| ScopeReceipt {
                scope,
                documents: 5,
                root: noise.bytes(),
            })
            .collect(),
        quarantined: vec![DocumentId(noise.bytes()), DocumentId(noise.bytes())],
        documents: 12,
        rebuilding: true,
        cluster_epoch: 11,
        signature: noise.bytes::<64>().to_vec(),
    }
}

pub(super) fn ack() -> Ack {
    let mut noise = Noise::new(4);
    let outcomes = [
        (
            Outcome::Applied,
            vec![(10, 1_790_000_000_000), (10, 1_790_000_000_000), (0, 0), (11, 5)],
        ),
        (Outcome::Duplicate, vec![(u64::MAX, i64::MIN), (0, i64::MAX)]),
        (Outcome::Pending, vec![]),
        (Outcome::Forked, vec![(0, 0)]),
        (Outcome::Quarantined("POISON_CHANGE".into()), vec![(0, 0)]),
        (Outcome::Rejected("FOREIGN_JURISDICTION".into()), vec![]),
    ];
    let outcomes = outcomes
        .into_iter()
        .enumerate()
        .map(|(index, (outcome, positions))| DocumentOutcome {
            document_id: DocumentId(noise.bytes()),
            outcome,
            positions,
            scopes: scopes().into_iter().take(index % 4).collect(),
        });
    Ack {
        outcomes: outcomes.collect(),
        cursor: Cursor {
            position: 9,
            chain: [9; 32],
        },
    }
}

pub(crate) fn client_frames() -> Vec<ClientFrame> {
    let mut noise = Noise::new(5);
    let mut frames = vec![
        ClientFrame::Hello(Box::new(hello())),
        ClientFrame::Applied {
            position: 3,
            set: SetSum {
                count: 1,
                sum: noise.bytes(),
            },
        },
        ClientFrame::Applied {
            position: 0,
            set: SetSum::default(),
        },
        ClientFrame::WantReceipt { apart: vec![] },
        ClientFrame::WantReceipt {
            apart: vec![DocumentId([7; 16]), DocumentId([8; 16])],
        },
        ClientFrame::Compare,
        ClientFrame::Proof(Box::new(receipt())),
    ];
    let mut plain = hello();
    plain.known_peer = None;
    plain.acknowledged = plain.origin_end;
    plain.receipt_hash = [0; 32];
    plain.scopes_hash = [0; 32];
    plain.set = SetSum::default();
    frames.push(ClientFrame::Hello(Box::new(plain)));
    for (documents, changes, length) in [
        (0, 0, 0),
        (1, 1, 70),
        (3, 0, 0),
        (5, 4, 100),
        (500, 1, 90),
        (1, 1, 262_144),
    ] {
        frames.push(ClientFrame::Batch(Box::new(
            noise.batch(documents, changes, length),
        )));
    }
    let mut upward = noise.batch(2, 2, 80);
    for document in &mut upward.documents {
        document.scopes.clear();
        document
            .changes
            .iter_mut()
            .for_each(|change| (change.position, change.committed_at_ms) = (0, 0));
    }
    frames.push(ClientFrame::Batch(Box::new(upward)));
    // Emptier than the ratio allows, and still not refused.
    let mut empty = noise.batch(4, 1, 1);
    empty
        .documents
        .iter_mut()
        .flat_map(|d| &mut d.changes)
        .for_each(|change| change.bytes = vec![0; 250_000]);
    frames.push(ClientFrame::Batch(Box::new(empty)));
    frames
}

pub(crate) fn server_frames() -> Vec<ServerFrame> {
    let mut noise = Noise::new(6);
    let mut frames = vec![
        ServerFrame::Batch(Box::new(Batch {
            signature: vec![],
            end_chain: [0; 32],
            ..noise.batch(7, 3, 90)
        })),
        ServerFrame::Ack(Box::new(ack())),
        ServerFrame::Ack(Box::new(Ack {
            cursor: Cursor::default(),
            outcomes: vec![],
        })),
        ServerFrame::Receipt(Box::new(receipt())),
        ServerFrame::Receipt(Box::new(Receipt {
            scopes: vec![],
            quarantined: vec![],
            signature: vec![],
            ..receipt()
        })),
        ServerFrame::PartialReceipt(Box::new(PartialReceipt {
            based_on: [3; 32],
            differing: receipt(),
            gone: scopes(),
        })),
        ServerFrame::Busy { retry_after_ms: 1500 },
        ServerFrame::Goaway {
            code: "ENVELOPE_NEWER".into(),
            message: "update this node".into(),
            drain_ms: 0,
        },
        ServerFrame::Goaway {
            code: "STOPPING".into(),
            message: "come back in a moment".into(),
            drain_ms: 5_000,
        },
        ServerFrame::Compared {
            set: SetSum {
                count: 3,
                sum: [7; 32],
            },
        },
    ];
    let repairs = [
        RepairReason::NoCursor,
        RepairReason::EpochChanged,
        RepairReason::ChainMismatch,
        RepairReason::ReceiverAhead,
        RepairReason::DigestMismatch,
    ];
    let verdicts = repairs
        .map(Verdict::Repair)
        .into_iter()
        .chain([Verdict::InSync, Verdict::CatchUp]);
    for verdict in verdicts {
        let grants = scopes().into_iter().enumerate();
        let scopes = grants
            .map(|(index, scope)| ScopeGrant {
                scope,
                write: index == 0,
            })
            .collect();
        frames.push(ServerFrame::HelloAck(Box::new(HelloAck {
            verdict,
            scopes,
            ..hello_ack()
        })));
    }
    frames
}
