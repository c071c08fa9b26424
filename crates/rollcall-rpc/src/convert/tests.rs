//! Every message comes back as it was; nothing that is not one gets through.

use prost::Message;
use rollcall_core::id::{DocumentId, DocumentKind, LogEpoch, StoreId};
use rollcall_sync::limits::{BATCH_DOCUMENTS_MAX, BATCH_RAW_BYTES_MAX, BATCH_WIRE_BYTES_MAX};
use rollcall_sync::message::{
    Ack, Batch, ChangeEntry, ClientFrame, DigestAnswer, DigestEntry, DigestRequest, DocumentChanges,
    DocumentOutcome, Hello, HelloAck, Outcome, Receipt, RepairReason, ResolveAnswer, ResolveRequest,
    ScopeGrant, ScopeReceipt, ServerFrame, Verdict,
};

use super::*;

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

    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 ^ (self.0 >> 33)) >> 17
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).expect("64 bits") % limit
    }

    fn document(&mut self, changes: usize, length: usize) -> DocumentChanges {
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

    fn batch(&mut self, documents: usize, changes: usize, length: usize) -> Batch {
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

fn scopes() -> Vec<FederationId> {
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
    }
}

fn receipt() -> Receipt {
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
        signature: noise.bytes::<64>().to_vec(),
    }
}

fn ack() -> Ack {
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

fn client_frames() -> Vec<ClientFrame> {
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
        ClientFrame::WantReceipt,
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

fn server_frames() -> Vec<ServerFrame> {
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
        ServerFrame::Busy { retry_after_ms: 1500 },
        ServerFrame::Goaway {
            code: "ENVELOPE_NEWER".into(),
            message: "update this node".into(),
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

/// There and back, through the bytes.
fn check<W>(message: &W)
where
    W: Wire<Pb: Message + Default> + PartialEq + std::fmt::Debug,
{
    let bytes = sized(message.to_wire().expect("fits"))
        .expect("fits")
        .encode_to_vec();
    let back = W::from_wire(W::Pb::decode(bytes.as_slice()).expect("decodes")).expect("is well-formed");
    assert_eq!(back, *message);
}

#[test]
fn every_message_comes_back_as_it_was() {
    client_frames().iter().for_each(check);
    server_frames().iter().for_each(check);
    check(&hello());
    check(&hello_ack());

    let mut noise = Noise::new(7);
    let sums = |noise: &mut Noise, count| (0..count).map(|_| noise.bytes()).collect::<Vec<[u8; 8]>>();
    check(&DigestRequest { scopes: vec![] });
    check(&DigestRequest {
        scopes: vec![(FederationId::national(), vec![[0; 8]; 2048])],
    });
    check(&DigestRequest {
        scopes: scopes()
            .into_iter()
            .map(|scope| (scope, sums(&mut noise, 2048)))
            .collect(),
    });

    let order = [0, 0, 1, 0, 2, 2].map(|index| scopes()[index].clone());
    let entries = order.map(|scope| DigestEntry {
        scope,
        document_id: DocumentId(noise.bytes()),
        digest: noise.bytes(),
    });
    check(&DigestAnswer {
        position: 5,
        buckets: vec![],
        entries: vec![],
    });
    check(&DigestAnswer {
        position: 5,
        buckets: vec![
            (scopes()[1].clone(), vec![0, 2047]),
            (scopes()[0].clone(), vec![]),
        ],
        entries: entries.to_vec(),
    });

    let lists = |noise: &mut Noise| {
        let list = |noise: &mut Noise, count| (DocumentId(noise.bytes()), vec![noise.bytes(); count]);
        vec![list(noise, 0), list(noise, 3), list(noise, 1)]
    };
    check(&ResolveRequest { documents: vec![] });
    check(&ResolveRequest {
        documents: lists(&mut noise),
    });
    let changes = (0..700).map(|_| noise.document(1, 66)).collect();
    check(&ResolveAnswer {
        changes,
        wanted: lists(&mut noise),
    });
}

#[test]
fn hello_and_its_answer_stay_small() {
    let mut settled = hello();
    settled.acknowledged = settled.origin_end;
    let hello = settled.to_wire().expect("fits").encoded_len();
    let answer = hello_ack().to_wire().expect("fits").encoded_len();
    assert!(hello <= 250, "Hello takes {hello} bytes");
    assert!(answer <= 200, "HelloAck takes {answer} bytes");
}

#[test]
fn an_edit_and_its_ack_cost_little_beside_the_change() {
    let mut noise = Noise::new(8);
    let mut batch = noise.batch(1, 1, 120);
    batch.documents[0].changes[0].position = 0;
    batch.documents[0].changes[0].committed_at_ms = 0;
    batch.documents[0].scopes.clear();
    let up = batch.to_wire().expect("fits").encoded_len();
    assert!(
        up - 120 - 96 <= 50,
        "{up} bytes for a change of 120, a chain and a signature"
    );
    let outcome = DocumentOutcome {
        document_id: batch.documents[0].document_id,
        outcome: Outcome::Applied,
        positions: vec![(1_000_000, 1_795_000_000_000)],
        scopes: vec![scopes()[0].clone()],
    };
    let ack = Ack {
        cursor: Cursor {
            position: 5,
            chain: [5; 32],
        },
        outcomes: vec![outcome],
    };
    let down = ack.to_wire().expect("fits").encoded_len();
    assert!(down <= 100, "Ack takes {down} bytes");
}

#[test]
fn limits_hold_when_sending_and_when_receiving() {
    let mut noise = Noise::new(9);
    let too_many = noise.batch(BATCH_DOCUMENTS_MAX + 1, 1, 66);
    let too_wide = noise.batch(2, 1, BATCH_WIRE_BYTES_MAX / 2 + 50);
    let too_long = noise.batch(5, 1, BATCH_RAW_BYTES_MAX / 4);
    for batch in [too_many.clone(), too_wide.clone(), too_long] {
        assert!(matches!(batch.to_wire(), Err(RpcError::TooLarge { .. })));
    }
    for batch in [too_many, too_wide] {
        let documents = packed::pack(
            &documents::documents_to_wire(&batch.documents),
            "test",
            usize::MAX,
        );
        let wire = pb::Batch {
            documents: documents.expect("packs"),
            ..Batch {
                documents: vec![],
                ..batch
            }
            .to_wire()
            .expect("fits")
        };
        assert!(matches!(Batch::from_wire(wire), Err(RpcError::TooLarge { .. })));
    }
}

#[test]
fn malformed_parts_are_refused_by_name() {
    let good = || hello().to_wire().expect("fits");
    let table: [(&str, fn(&mut pb::Hello)); 10] = [
        ("session id", |h| h.session_id.truncate(15)),
        ("store id", |h| h.store_id.push(0)),
        ("log epoch", |h| h.log_epoch.clear()),
        ("boot id", |h| h.boot_id.clear()),
        ("origin end", |h| h.origin_end = None),
        ("known peer", |h| h.known_peer.truncate(23)),
        ("known peer", |h| h.known_peer.truncate(3)),
        ("scopes hash", |h| h.scopes_hash.truncate(31)),
        ("set", |h| h.set = None),
        ("receipt hash", |h| h.receipt_hash.push(1)),
    ];
    for (name, spoil) in table {
        let mut wire = good();
        spoil(&mut wire);
        match Hello::from_wire(wire) {
            Err(RpcError::Malformed { field }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    for verdict in [0, 8, -1] {
        let wire = pb::HelloAck {
            verdict,
            ..hello_ack().to_wire().expect("fits")
        };
        assert!(HelloAck::from_wire(wire).is_err(), "verdict {verdict}");
    }
    assert!(ClientFrame::from_wire(pb::ClientFrame { frame: None }).is_err());
    assert!(ServerFrame::from_wire(pb::ServerFrame { frame: None }).is_err());
}

#[test]
fn columns_that_do_not_fit_each_other_are_refused() {
    let documents = Noise::new(10).batch(3, 2, 70).documents;
    let good = || documents::documents_to_wire(&documents);
    assert!(documents::documents_from_wire(good(), 3).is_ok());
    assert!(
        documents::documents_from_wire(good(), 2).is_err(),
        "more documents than allowed"
    );
    let table: [(&str, fn(&mut pb::Documents)); 14] = [
        ("half an id", |d| d.document_ids.truncate(40)),
        ("an id too many", |d| d.document_ids.extend([0; 16])),
        ("a kind too few", |d| d.kinds.truncate(2)),
        ("no such kind", |d| d.kinds[0] = 8),
        ("a count too few", |d| d.change_counts.truncate(2)),
        ("a change short", |d| d.change_counts[0] = 3),
        ("a change over", |d| d.change_counts[0] = 1),
        ("an empty change", |d| d.change_lengths[0] = 0),
        ("a length beyond the end", |d| d.change_lengths[5] = 71),
        ("a length of four gigabytes", |d| d.change_lengths[0] = u32::MAX),
        ("bytes left over", |d| d.changes.push(0)),
        ("a position too few", |d| d.position_deltas.truncate(5)),
        ("no such scope", |d| {
            d.scope_counts = vec![1, 0, 0];
            d.scopes = vec![9];
        }),
        ("a scope that is none", |d| {
            d.scope_names = vec!["Zhejiang".into()]
        }),
    ];
    for (name, spoil) in table {
        let mut wire = good();
        spoil(&mut wire);
        assert!(documents::documents_from_wire(wire, 500).is_err(), "{name}");
    }
}

#[test]
fn damaged_frames_never_panic() {
    let mut noise = Noise::new(11);
    let frames: Vec<_> = client_frames()
        .iter()
        .map(|frame| frame.to_wire().expect("fits").encode_to_vec())
        .collect();
    for _ in 0..4000 {
        let mut bytes = frames[noise.below(frames.len() - 3)].clone();
        for _ in 0..=noise.below(3) {
            let index = noise.below(bytes.len().max(1));
            if let Some(byte) = bytes.get_mut(index) {
                *byte = noise.bytes::<1>()[0];
            }
        }
        bytes.truncate(bytes.len() - noise.below(2).min(bytes.len()));
        if let Ok(wire) = pb::ClientFrame::decode(bytes.as_slice()) {
            // Either an error or a frame; what matters is that it returns.
            let _ = ClientFrame::from_wire(wire);
        }
    }
}
