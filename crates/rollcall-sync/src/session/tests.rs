//! A node and an aggregator, both modelled as lists of changes, run to the end of a session.

use std::collections::BTreeSet;

use rollcall_core::id::{DocumentId, DocumentKind, FederationId, LogEpoch, StoreId};

use super::client::{ClientEffect, ClientEvent, ClientSession, ReceiptCheck, SessionEnd};
use super::server::{PeerState, Proven, ServerEffect, ServerEvent, ServerSession};
use crate::fingerprint::{change_hash, origin_chain};
use crate::message::{
    Ack, Batch, ChangeEntry, Cursor, DocumentChanges, DocumentOutcome, Hash, Hello, Outcome, Receipt,
    RepairReason, SetSum, Verdict,
};

const NODE: StoreId = StoreId([1; 16]);
const CENTRE: StoreId = StoreId([2; 16]);

/// One document a change, so that a set of changes is all there is to know.
#[derive(Default, Clone)]
struct World {
    node: BTreeSet<u64>,
    node_log: Vec<u64>,
    node_acked: Cursor,
    node_down: u64,
    node_receipt: Hash,
    centre_log: Vec<(u64, bool)>,
    centre_cursor: Option<Cursor>,
    centre_receipt: Hash,
    lose_acks: bool,
    fenced: bool,
    batch: usize,
}

fn document(change: u64) -> DocumentId {
    DocumentId::derive(DocumentKind::Organisation, &change.to_string())
}

fn sum(changes: impl Iterator<Item = u64>) -> SetSum {
    let mut sum = SetSum::default();
    for change in changes {
        sum.add(&change_hash(document(change).as_bytes()));
    }
    sum
}

impl World {
    fn chain_at(&self, position: u64) -> Option<Hash> {
        let changes = self.node_log.get(..usize::try_from(position).ok()?)?;
        Some(changes.iter().fold([0; 32], |chain, change| {
            origin_chain(&chain, document(*change), &change_hash(&change.to_be_bytes()))
        }))
    }

    fn edit(&mut self, change: u64) {
        self.node.insert(change);
        self.node_log.push(change);
    }

    fn load_up(&self, after: Cursor) -> ClientEvent {
        if self.chain_at(after.position) != Some(after.chain) {
            return ClientEvent::UpMismatch;
        }
        let from = after.position as usize;
        let to = (from + self.batch.max(1)).min(self.node_log.len());
        let documents = (from..to)
            .map(|index| DocumentChanges {
                document_id: document(self.node_log[index]),
                kind: DocumentKind::Organisation,
                scopes: Vec::new(),
                changes: vec![ChangeEntry {
                    position: index as u64 + 1,
                    committed_at_ms: 0,
                    bytes: self.node_log[index].to_be_bytes().to_vec(),
                }],
            })
            .collect();
        ClientEvent::UpLoaded(Box::new(Batch {
            from: after.position,
            to: to as u64,
            end_chain: self.chain_at(to as u64).expect("within the log"),
            signature: Vec::new(),
            documents,
            drained: to == self.node_log.len(),
        }))
    }

    fn apply_up(&mut self, batch: &Batch) -> Ack {
        let mut outcomes = Vec::new();
        for document in &batch.documents {
            let change = u64::from_be_bytes(document.changes[0].bytes[..8].try_into().expect("8 bytes"));
            let held = self.centre_log.iter().position(|(held, _)| *held == change);
            let outcome = if held.is_some() {
                Outcome::Duplicate
            } else {
                Outcome::Applied
            };
            let position = held.unwrap_or_else(|| {
                self.centre_log.push((change, true));
                self.centre_log.len() - 1
            });
            outcomes.push(DocumentOutcome {
                document_id: document.document_id,
                outcome,
                positions: vec![(position as u64 + 1, 7)],
                scopes: Vec::new(),
            });
        }
        if batch.to > self.centre_cursor.unwrap_or_default().position {
            self.centre_cursor = Some(Cursor {
                position: batch.to,
                chain: batch.end_chain,
            });
        }
        Ack {
            cursor: self.centre_cursor.unwrap_or_default(),
            outcomes,
        }
    }

    fn receipt(&self) -> Receipt {
        Receipt {
            store_id: CENTRE,
            log_epoch: LogEpoch([0; 8]),
            position: self.centre_log.len() as u64,
            time_ms: 7,
            origin_store: NODE,
            origin_epoch: LogEpoch([0; 8]),
            origin: self.centre_cursor.unwrap_or_default(),
            scopes: Vec::new(),
            quarantined: Vec::new(),
            documents: 0,
            rebuilding: false,
            cluster_epoch: 11,
            signature: vec![1],
        }
    }

    fn centre_set(&self) -> SetSum {
        sum(self.centre_log.iter().map(|(change, _)| *change))
    }

    fn run(&mut self) -> (SessionEnd, u32) {
        let origin_end = self.node_log.len() as u64;
        let hello = Hello {
            protocol: crate::limits::PROTOCOL_VERSION,
            version: "test".to_owned(),
            session_id: [0; 16],
            store_id: NODE,
            log_epoch: LogEpoch([0; 8]),
            boot_id: [0; 16],
            origin_end: Cursor {
                position: origin_end,
                chain: self.chain_at(origin_end).expect("the end"),
            },
            acknowledged: self.node_acked,
            known_peer: (self.node_down > 0).then_some((CENTRE, LogEpoch([0; 8]))),
            down_position: self.node_down,
            scopes_hash: [0; 32],
            set: sum(self.node.iter().copied()),
            receipt_hash: self.node_receipt,
            takes_place: false,
            grants_hash: [0; 8],
            live: false,
            partial_receipts: false,
            digest_first: false,
            cluster_epoch: 0,
        };
        let mut client = ClientSession::new(hello);
        let mut server = ServerSession::new();
        let mut end = None;
        for _ in 0..10_000 {
            if let Some(effect) = client.poll_effect() {
                match effect {
                    ClientEffect::Send(frame) => server.handle_event(ServerEvent::Frame(frame)),
                    ClientEffect::LoadUp(after) => client.handle_event(self.load_up(after)),
                    ClientEffect::AdoptPeer(_) | ClientEffect::ForgetSent => {}
                    ClientEffect::LoadSet
                    | ClientEffect::Recount
                    | ClientEffect::Settled(_)
                    | ClientEffect::Prove(_) => unreachable!("no live session, nothing to prove"),
                    ClientEffect::StoreAck(ack) => {
                        if self.lose_acks {
                            client.handle_event(ClientEvent::LinkLost);
                        } else {
                            self.node_acked = ack.cursor;
                            client.handle_event(ClientEvent::AckStored);
                        }
                    }
                    ClientEffect::ApplyDown(batch) => {
                        for document in &batch.documents {
                            let bytes = document.changes[0].bytes[..8].try_into().expect("8 bytes");
                            self.node.insert(u64::from_be_bytes(bytes));
                        }
                        self.node_down = batch.to;
                        let set = sum(self.node.iter().copied());
                        client.handle_event(ClientEvent::DownApplied {
                            position: batch.to,
                            set,
                        });
                    }
                    ClientEffect::CheckReceipt(receipt) => {
                        let equal = self.centre_set() == sum(self.node.iter().copied());
                        if equal {
                            self.node_receipt = [receipt.position as u8; 32];
                            self.centre_receipt = self.node_receipt;
                        }
                        let check = if equal {
                            ReceiptCheck::Equal
                        } else {
                            ReceiptCheck::Different
                        };
                        client.handle_event(ClientEvent::ReceiptChecked(check));
                    }
                    ClientEffect::Repair => {
                        self.node
                            .extend(self.centre_log.iter().map(|(change, _)| *change));
                        client.handle_event(ClientEvent::Repaired {
                            lacking: Vec::new(),
                            apart: Vec::new(),
                            resent: false,
                        });
                    }
                    ClientEffect::CompareDoubtful(_) => unreachable!("nothing is kept apart here"),
                    ClientEffect::RotateEpoch => self.node_acked = Cursor::default(),
                    ClientEffect::Finish(how) => {
                        end = Some(how);
                        break;
                    }
                }
            } else if let Some(effect) = server.poll_effect() {
                match effect {
                    ServerEffect::Send(frame) => client.handle_event(ClientEvent::Frame(frame)),
                    ServerEffect::LoadPeer(hello) => {
                        let position = self.centre_log.len() as u64;
                        let waiting = self
                            .centre_log
                            .iter()
                            .skip(hello.down_position as usize)
                            .any(|(_, own)| !own);
                        let state = PeerState {
                            store_id: CENTRE,
                            log_epoch: LogEpoch([0; 8]),
                            cursor: self.centre_cursor,
                            position,
                            down_fits: hello.down_position <= position,
                            down_waiting: waiting,
                            grants: vec![crate::message::ScopeGrant {
                                scope: FederationId::national(),
                                write: true,
                            }],
                            set: self.centre_set(),
                            receipt_hash: self.centre_receipt,
                            rebuilding: false,
                            fenced: self.fenced,
                            grants_hash: [0; 8],
                            cluster_epoch: 0,
                            replaced: false,
                            receipt_unknown: false,
                        };
                        server.handle_event(ServerEvent::PeerLoaded {
                            state: Box::new(state),
                            time_ms: 7,
                        });
                    }
                    ServerEffect::ApplyUp(batch) => {
                        let ack = Box::new(self.apply_up(&batch));
                        server.handle_event(ServerEvent::UpApplied {
                            ack,
                            drained: batch.drained,
                        });
                    }
                    ServerEffect::LoadDown { after, receipt } => {
                        let documents =
                            self.centre_log
                                .iter()
                                .skip(after as usize)
                                .take(3)
                                .map(|(change, _)| {
                                    let bytes = change.to_be_bytes().to_vec();
                                    DocumentChanges {
                                        document_id: document(*change),
                                        kind: DocumentKind::Organisation,
                                        scopes: Vec::new(),
                                        changes: vec![ChangeEntry {
                                            position: 1,
                                            committed_at_ms: 7,
                                            bytes,
                                        }],
                                    }
                                });
                        let documents: Vec<_> = documents.collect();
                        let to = after + documents.len() as u64;
                        let drained = to == self.centre_log.len() as u64;
                        let batch = Batch {
                            from: after,
                            to,
                            end_chain: [0; 32],
                            signature: Vec::new(),
                            documents,
                            drained,
                        };
                        let receipt = (receipt && drained).then(|| Box::new(self.receipt()));
                        server.handle_event(ServerEvent::DownLoaded {
                            batch: Box::new(batch),
                            receipt,
                        });
                    }
                    ServerEffect::Gather | ServerEffect::LoadSet | ServerEffect::ReviewProof(_) => {
                        unreachable!("no live session, nothing to prove")
                    }
                    ServerEffect::Finish => {}
                }
            } else {
                break;
            }
        }
        (end.expect("the session ends"), client.round_trips())
    }
}

fn world(edits: std::ops::Range<u64>) -> World {
    let mut world = World {
        batch: 4,
        ..World::default()
    };
    edits.for_each(|change| world.edit(change));
    world
}

#[test]
fn first_sync_catches_up_in_one_round_trip_and_then_nothing_changed() {
    let mut world = world(0..30);
    assert_eq!(world.run().0, SessionEnd::CaughtUp);
    assert_eq!(world.centre_log.len(), 30);
    assert_eq!(world.run(), (SessionEnd::InSync, 1));
    world.edit(99);
    assert_eq!(world.run(), (SessionEnd::CaughtUp, 1));
    assert_eq!(world.run(), (SessionEnd::InSync, 1));
}

#[test]
fn changes_of_others_come_down_while_own_go_up() {
    let mut world = world(0..5);
    world.centre_log.extend((100..120).map(|change| (change, false)));
    assert_eq!(world.run().0, SessionEnd::CaughtUp);
    assert_eq!(world.node.len(), 25);
    assert_eq!(world.node_down, 25);
    assert_eq!(world.run(), (SessionEnd::InSync, 1));
}

#[test]
fn a_lost_ack_is_answered_by_taking_the_batch_again() {
    let mut world = world(0..3);
    world.lose_acks = true;
    assert_eq!(world.run().0, SessionEnd::LinkLost);
    assert_eq!(world.node_acked, Cursor::default());
    world.lose_acks = false;
    assert_eq!(world.run().0, SessionEnd::CaughtUp);
    assert_eq!(world.centre_log.len(), 3);
    assert_eq!(world.node_acked.position, 3, "it hears what became of them");
    assert_eq!(world.run(), (SessionEnd::InSync, 1));
}

#[test]
fn an_aggregator_restored_from_an_old_backup_gets_the_rest_again() {
    let mut world = world(0..6);
    world.run();
    let old = world.clone();
    world.edit(50);
    world.run();
    world.centre_log = old.centre_log;
    world.centre_cursor = old.centre_cursor;
    assert_eq!(world.run().0, SessionEnd::Repaired(RepairReason::NoCursor));
    assert_eq!(world.centre_log.len(), 7);
}

#[test]
fn a_node_restored_from_an_old_backup_starts_a_new_spell_of_its_log() {
    let mut world = world(0..6);
    world.run();
    let old = world.clone();
    world.edit(50);
    world.run();
    world.node_log = old.node_log;
    world.node = old.node;
    world.node_acked = old.node_acked;
    world.node_down = old.node_down;
    assert_eq!(world.run().0, SessionEnd::Restart(RepairReason::ReceiverAhead));
}

#[test]
fn a_set_that_differs_after_draining_is_repaired_by_digest() {
    let mut world = world(0..6);
    world.run();
    world.node.remove(&3);
    assert_eq!(world.run().0, SessionEnd::Repaired(RepairReason::DigestMismatch));
    assert!(world.node.contains(&3));
}

#[test]
fn frames_out_of_order_end_the_session_with_a_reason() {
    let mut server = ServerSession::new();
    server.handle_event(ServerEvent::Frame(crate::message::ClientFrame::WantReceipt {
        apart: Vec::new(),
    }));
    assert!(matches!(
        server.poll_effect(),
        Some(ServerEffect::Send(crate::message::ServerFrame::Goaway { code, .. })) if code == "PROTOCOL_ORDER"
    ));
    assert!(server.is_ended());
}

fn hello(acknowledged: u64, end: u64) -> Hello {
    let at = |position: u64| Cursor {
        position,
        chain: [position as u8; 32],
    };
    Hello {
        protocol: crate::limits::PROTOCOL_VERSION,
        version: "test".to_owned(),
        session_id: [9; 16],
        store_id: NODE,
        log_epoch: LogEpoch([1; 8]),
        boot_id: [0; 16],
        origin_end: at(end),
        acknowledged: at(acknowledged),
        known_peer: Some((CENTRE, LogEpoch([0; 8]))),
        down_position: 4,
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

/// What an aggregator answers to a Hello: its verdict, and what it does next.
fn greeted(hello: &Hello, state: PeerState) -> (crate::message::HelloAck, Vec<ServerEffect>, ServerSession) {
    let mut server = ServerSession::new();
    server.handle_event(ServerEvent::Frame(crate::message::ClientFrame::Hello(Box::new(
        hello.clone(),
    ))));
    server.handle_event(ServerEvent::PeerLoaded {
        state: Box::new(state),
        time_ms: 7,
    });
    let mut effects: Vec<ServerEffect> = std::iter::from_fn(|| server.poll_effect()).collect();
    assert!(matches!(effects.remove(0), ServerEffect::LoadPeer(_)));
    let ServerEffect::Send(crate::message::ServerFrame::HelloAck(ack)) = effects.remove(0) else {
        panic!("a verdict")
    };
    (*ack, effects, server)
}

/// An aggregator that holds a node's log up to a cursor and is at position 5.
fn state(cursor: Cursor) -> PeerState {
    PeerState {
        store_id: CENTRE,
        log_epoch: LogEpoch([0; 8]),
        cursor: Some(cursor),
        position: 5,
        down_fits: true,
        down_waiting: true,
        grants: Vec::new(),
        set: SetSum::default(),
        receipt_hash: [0; 32],
        rebuilding: false,
        fenced: false,
        grants_hash: [0; 8],
        cluster_epoch: 0,
        replaced: false,
        receipt_unknown: false,
    }
}

#[test]
fn who_holds_no_receipt_of_what_is_held_now_is_given_one() {
    let hello = hello(3, 3);
    for (receipt_hash, verdict) in [([1; 32], Verdict::InSync), ([0; 32], Verdict::CatchUp)] {
        let equal = PeerState {
            down_waiting: false,
            receipt_hash,
            ..state(hello.acknowledged)
        };
        let (ack, effects, _) = greeted(&hello, equal);
        assert_eq!(ack.verdict, verdict);
        let gives = |effect: &ServerEffect| matches!(effect, ServerEffect::LoadDown { receipt: true, .. });
        assert_eq!(effects.iter().any(gives), verdict == Verdict::CatchUp);
    }
}

fn effects_of(client: &mut ClientSession) -> Vec<ClientEffect> {
    std::iter::from_fn(|| client.poll_effect()).collect()
}

#[test]
fn after_a_restore_of_the_aggregator_digests_are_compared_and_neither_log_is_sent_again() {
    let hello = hello(3, 3);
    let restored = PeerState {
        log_epoch: LogEpoch([7; 8]),
        down_fits: false,
        ..state(hello.acknowledged)
    };
    let (ack, effects, mut server) = greeted(&hello, restored);
    assert_eq!(ack.verdict, Verdict::Repair(RepairReason::EpochChanged));
    assert_eq!(
        ack.cursor, hello.acknowledged,
        "the log goes on from where it is held"
    );
    let from_now = ServerEffect::LoadDown {
        after: 5,
        receipt: false,
    };
    assert_eq!(effects, [from_now], "and the other one from this moment");

    let mut client = ClientSession::new(hello);
    effects_of(&mut client);
    client.handle_event(ClientEvent::Frame(crate::message::ServerFrame::HelloAck(
        Box::new(ack),
    )));
    let effects = effects_of(&mut client);
    assert!(matches!(
        &effects[..],
        [ClientEffect::AdoptPeer(_), ClientEffect::Repair]
    ));
    client.handle_event(ClientEvent::Repaired {
        lacking: Vec::new(),
        apart: Vec::new(),
        resent: false,
    });
    let Some(ClientEffect::Send(wanted)) = client.poll_effect() else {
        panic!("a receipt is asked for")
    };
    server.handle_event(ServerEvent::DownLoaded {
        batch: Box::new(Batch {
            from: 5,
            to: 5,
            end_chain: [0; 32],
            signature: Vec::new(),
            documents: Vec::new(),
            drained: true,
        }),
        receipt: None,
    });
    server.handle_event(ServerEvent::Frame(wanted));
    let receipt_due = std::iter::from_fn(|| server.poll_effect())
        .any(|effect| matches!(effect, ServerEffect::LoadDown { receipt: true, .. }));
    assert!(receipt_due, "once the node has compared");
}

#[test]
fn a_node_that_lost_its_cursor_waits_for_the_aggregators_and_then_sends_only_what_follows() {
    let hello = Hello {
        known_peer: None,
        down_position: 0,
        digest_first: true,
        ..hello(0, 3)
    };
    let held = Cursor {
        position: 2,
        chain: [2; 32],
    };
    let (ack, effects, _) = greeted(&hello, state(held));
    assert_eq!(
        (ack.verdict, ack.cursor),
        (Verdict::Repair(RepairReason::NoCursor), held)
    );
    let from_now = |effect: &ServerEffect| matches!(effect, ServerEffect::LoadDown { after: 5, .. });
    assert!(effects.iter().all(from_now), "{effects:?}");

    let mut client = ClientSession::new(hello);
    assert_eq!(effects_of(&mut client).len(), 1, "Hello and no batch");
    client.handle_event(ClientEvent::Frame(crate::message::ServerFrame::HelloAck(
        Box::new(ack),
    )));
    assert!(effects_of(&mut client).contains(&ClientEffect::LoadUp(held)));
}

#[test]
fn a_spell_of_which_the_aggregator_knows_nothing_ends_and_a_new_one_begins() {
    let hello = hello(3, 3);
    let (ack, _, _) = greeted(&hello, state(Cursor::default()));
    let mut client = ClientSession::new(hello);
    effects_of(&mut client);
    client.handle_event(ClientEvent::Frame(crate::message::ServerFrame::HelloAck(
        Box::new(ack),
    )));
    let effects = effects_of(&mut client);
    let again = SessionEnd::Restart(RepairReason::NoCursor);
    assert!(
        effects.ends_with(&[ClientEffect::RotateEpoch, ClientEffect::Finish(again)]),
        "{effects:?}"
    );
}

#[test]
fn a_node_that_goes_on_behind_an_ack_it_never_got_compares_digests_before_a_receipt_counts() {
    // The Hello arrived with another end than it was sent with, so that the aggregator seems to be ahead.
    let hello = hello(0, 2);
    let held = Cursor {
        position: 1,
        chain: [1; 32],
    };
    let mut bent = hello.clone();
    bent.origin_end.position = 0;
    let (ack, _, _) = greeted(&bent, state(held));
    assert_eq!(ack.verdict, Verdict::Repair(RepairReason::ReceiverAhead));
    let mut client = ClientSession::new(hello);
    effects_of(&mut client);
    client.handle_event(ClientEvent::Frame(crate::message::ServerFrame::HelloAck(
        Box::new(ack),
    )));
    let piece = Batch {
        from: 1,
        to: 2,
        end_chain: [2; 32],
        signature: Vec::new(),
        documents: Vec::new(),
        drained: true,
    };
    client.handle_event(ClientEvent::UpLoaded(Box::new(Batch {
        from: 0,
        ..piece.clone()
    })));
    client.handle_event(ClientEvent::UpLoaded(Box::new(piece)));
    assert!(
        !effects_of(&mut client).contains(&ClientEffect::Repair),
        "not while a batch is unanswered"
    );
    let ack = Ack {
        cursor: Cursor {
            position: 2,
            chain: [2; 32],
        },
        outcomes: Vec::new(),
    };
    client.handle_event(ClientEvent::Frame(crate::message::ServerFrame::Ack(Box::new(
        ack,
    ))));
    client.handle_event(ClientEvent::AckStored);
    assert!(effects_of(&mut client).contains(&ClientEffect::Repair));
}

#[test]
fn a_fenced_node_is_heard_to_the_end_and_then_sent_away() {
    let mut world = World {
        fenced: true,
        ..World::default()
    };
    for change in 1..=5 {
        world.edit(change);
    }
    for _ in 0..2 {
        let (end, _) = world.run();
        assert!(
            matches!(&end, SessionEnd::Refused { code, .. } if code == super::server::CLONED),
            "{end:?}"
        );
        assert_eq!(world.centre_log.len(), 5, "what it brought is taken");
    }
    world.fenced = false;
    assert!(matches!(world.run().0, SessionEnd::CaughtUp | SessionEnd::InSync));
}

#[test]
fn what_the_gate_refuses_again_after_a_repair_is_left_out_of_the_receipt() {
    let mut client = ClientSession::new(hello(3, 3));
    while client.poll_effect().is_some() {}
    let apart = vec![document(7)];
    client.handle_event(ClientEvent::Repaired {
        lacking: Vec::new(),
        apart: apart.clone(),
        resent: false,
    });
    assert_eq!(
        client.poll_effect(),
        Some(ClientEffect::Send(crate::message::ClientFrame::WantReceipt {
            apart
        }))
    );
}

#[test]
fn a_node_shows_a_replaced_aggregator_its_receipt_and_adopts_nothing_of_it() {
    let hello = Hello {
        cluster_epoch: 9,
        receipt_hash: [4; 32],
        ..hello(3, 3)
    };
    let (ack, _, mut server) = greeted(&hello, state(hello.acknowledged));
    assert!(ack.wants_proof);
    let mut client = ClientSession::new(hello.clone());
    effects_of(&mut client);
    client.handle_event(ClientEvent::Frame(crate::message::ServerFrame::HelloAck(
        Box::new(ack.clone()),
    )));
    assert_eq!(effects_of(&mut client), [ClientEffect::Prove([4; 32])]);
    let receipt = Box::new(World::default().receipt());
    client.handle_event(ClientEvent::ProofLoaded(Some(receipt.clone())));
    let Some(ClientEffect::Send(proof)) = client.poll_effect() else {
        panic!("the receipt is shown")
    };
    while server.poll_effect().is_some() {}
    server.handle_event(ServerEvent::Frame(proof.clone()));
    assert_eq!(server.poll_effect(), Some(ServerEffect::ReviewProof(receipt)));
    // Whether it proves anything or not: the node does not go on.
    server.handle_event(ServerEvent::Reviewed(Proven::Nothing));
    let Some(ServerEffect::Send(last)) = server.poll_effect() else {
        panic!("a last word")
    };
    client.handle_event(ClientEvent::Frame(last));
    assert!(matches!(
        &effects_of(&mut client)[..],
        [ClientEffect::Finish(SessionEnd::Refused { code, .. })] if code == super::server::REPLACED
    ));

    let mut without = ClientSession::new(hello);
    effects_of(&mut without);
    without.handle_event(ClientEvent::Frame(crate::message::ServerFrame::HelloAck(
        Box::new(ack),
    )));
    effects_of(&mut without);
    without.handle_event(ClientEvent::ProofLoaded(None));
    assert!(
        without.is_ended(),
        "it has nothing to show and does not go on either"
    );
    let mut again = server;
    again.handle_event(ServerEvent::Frame(proof));
    assert!(again.is_ended());
}

#[test]
fn an_aggregator_whose_file_was_put_back_sends_the_node_back_to_begin_again() {
    let hello = hello(3, 3);
    let rewound = PeerState {
        receipt_unknown: true,
        ..state(hello.acknowledged)
    };
    let (ack, _, mut server) = greeted(&hello, rewound);
    assert!(ack.wants_proof);
    assert_eq!(
        ack.verdict,
        Verdict::Repair(RepairReason::ChainMismatch),
        "proven or not"
    );
    server.handle_event(ServerEvent::Reviewed(Proven::Rewound));
    let mut last = None;
    while let Some(effect) = server.poll_effect() {
        if let ServerEffect::Send(frame @ crate::message::ServerFrame::Goaway { .. }) = effect {
            last = Some(frame);
        }
    }
    let mut client = ClientSession::new(hello);
    client.handle_event(ClientEvent::Frame(crate::message::ServerFrame::HelloAck(
        Box::new(ack),
    )));
    client.handle_event(ClientEvent::Frame(last.expect("a last word")));
    let again = ClientEffect::Finish(SessionEnd::Restart(RepairReason::EpochChanged));
    assert!(effects_of(&mut client).contains(&again));
}

#[test]
fn a_replaced_aggregator_takes_nothing() {
    let hello = hello(0, 3);
    let mut server = ServerSession::new();
    server.handle_event(ServerEvent::Frame(crate::message::ClientFrame::Hello(Box::new(
        hello.clone(),
    ))));
    server.handle_event(ServerEvent::PeerLoaded {
        state: Box::new(PeerState {
            replaced: true,
            ..state(Cursor::default())
        }),
        time_ms: 7,
    });
    assert!(server.is_ended());
    let sent = std::iter::from_fn(|| server.poll_effect()).any(|effect| {
        matches!(effect, ServerEffect::Send(crate::message::ServerFrame::Goaway { code, .. }) if code == super::server::REPLACED)
    });
    assert!(sent);
}
