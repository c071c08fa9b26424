//! Sessions that stay open: rounds after the first receipt, news, gathered receipts, comparison, and the end.

use rollcall_core::id::{DocumentId, DocumentKind, LogEpoch, StoreId};

use super::client::{ClientEffect, ClientEvent, ClientSession, ReceiptCheck, SessionEnd};
use super::server::{PeerState, ServerEffect, ServerEvent, ServerSession};
use crate::limits::DRAIN_MS;
use crate::message::{
    Ack, Batch, ClientFrame, Cursor, DocumentChanges, Hello, HelloAck, Receipt, RepairReason, ServerFrame,
    SetSum, Verdict,
};

const CENTRE: (StoreId, LogEpoch) = (StoreId([2; 16]), LogEpoch([2; 8]));
const HELD: SetSum = SetSum {
    count: 3,
    sum: [3; 32],
};
const GRANTS: [u8; 8] = [5; 8];

fn cursor(position: u64) -> Cursor {
    Cursor {
        position,
        chain: [position as u8; 32],
    }
}

pub(super) fn hello() -> Hello {
    Hello {
        protocol: crate::limits::PROTOCOL_VERSION,
        version: "test".to_owned(),
        session_id: [9; 16],
        store_id: StoreId([1; 16]),
        log_epoch: LogEpoch([1; 8]),
        boot_id: [0; 16],
        origin_end: cursor(3),
        acknowledged: cursor(3),
        known_peer: Some(CENTRE),
        down_position: 4,
        scopes_hash: [0; 32],
        set: HELD,
        receipt_hash: [4; 32],
        takes_place: false,
        grants_hash: GRANTS,
        live: true,
        partial_receipts: false,
        digest_first: false,
        cluster_epoch: 0,
    }
}

pub(super) fn state() -> PeerState {
    PeerState {
        store_id: CENTRE.0,
        log_epoch: CENTRE.1,
        cursor: Some(cursor(3)),
        position: 4,
        down_fits: true,
        down_waiting: false,
        grants: vec![crate::message::ScopeGrant {
            scope: rollcall_core::id::FederationId::national(),
            write: true,
        }],
        set: HELD,
        receipt_hash: [4; 32],
        grants_hash: GRANTS,
        cluster_epoch: 0,
        replaced: false,
        receipt_unknown: false,
        rebuilding: false,
        fenced: false,
    }
}

fn ack(live: bool) -> ServerFrame {
    ServerFrame::HelloAck(Box::new(HelloAck {
        store_id: CENTRE.0,
        log_epoch: CENTRE.1,
        verdict: Verdict::InSync,
        cursor: cursor(3),
        position: 4,
        time_ms: 7,
        scopes: Vec::new(),
        set: HELD,
        receipt_hash: [4; 32],
        rebuilding: false,
        live,
        cluster_epoch: 0,
        wants_proof: false,
    }))
}

pub(super) fn batch(from: u64, to: u64, documents: usize) -> Batch {
    let document = DocumentChanges {
        document_id: DocumentId([to as u8; 16]),
        kind: DocumentKind::Organisation,
        scopes: Vec::new(),
        changes: Vec::new(),
    };
    Batch {
        from,
        to,
        end_chain: cursor(to).chain,
        signature: Vec::new(),
        documents: vec![document; documents],
        drained: true,
    }
}

pub(super) fn receipt(position: u64) -> Receipt {
    Receipt {
        store_id: CENTRE.0,
        log_epoch: CENTRE.1,
        position,
        time_ms: 7,
        origin_store: StoreId([1; 16]),
        origin_epoch: LogEpoch([1; 8]),
        origin: cursor(3),
        scopes: Vec::new(),
        quarantined: Vec::new(),
        documents: 0,
        rebuilding: false,
        cluster_epoch: 11,
        signature: vec![1],
    }
}

/// A node's session past its first round.
pub(super) fn settled() -> ClientSession {
    let mut session = ClientSession::new(hello());
    assert!(matches!(
        session.poll_effect(),
        Some(ClientEffect::Send(ClientFrame::Hello(_)))
    ));
    session.handle_event(ClientEvent::Frame(ack(true)));
    assert!(matches!(session.poll_effect(), Some(ClientEffect::AdoptPeer(_))));
    assert_eq!(
        session.poll_effect(),
        Some(ClientEffect::Settled(SessionEnd::InSync))
    );
    assert!(!session.is_waiting() && !session.is_ended());
    session
}

pub(super) fn next(session: &mut ClientSession, event: ClientEvent) -> Option<ClientEffect> {
    session.handle_event(event);
    session.poll_effect()
}

#[test]
fn a_batch_is_said_to_be_held_only_after_its_commit() {
    let mut session = settled();
    let came = ClientEvent::Frame(ServerFrame::Batch(Box::new(batch(4, 6, 1))));
    let apply = next(&mut session, came);
    assert!(matches!(apply, Some(ClientEffect::ApplyDown(_))), "{apply:?}");
    assert_eq!(session.poll_effect(), None, "until then nothing is said");
    let set = SetSum::default();
    let applied = next(&mut session, ClientEvent::DownApplied { position: 6, set });
    let said = ClientFrame::Applied { position: 6, set };
    assert_eq!(applied, Some(ClientEffect::Send(said)));
}

#[test]
fn a_session_with_an_aggregator_that_knows_no_open_ones_ends_as_ever() {
    let mut session = ClientSession::new(hello());
    session.poll_effect();
    session.handle_event(ClientEvent::Frame(ack(false)));
    session.poll_effect();
    assert_eq!(
        session.poll_effect(),
        Some(ClientEffect::Finish(SessionEnd::InSync))
    );
}

#[test]
fn an_edit_of_an_open_session_is_sent_acknowledged_and_proven() {
    let mut session = settled();
    assert_eq!(
        next(&mut session, ClientEvent::Edited),
        Some(ClientEffect::LoadUp(cursor(3)))
    );
    // Another process looked sooner: there is nothing to send, and nothing is said.
    assert_eq!(
        next(&mut session, ClientEvent::UpLoaded(Box::new(batch(3, 3, 0)))),
        None
    );
    assert!(!session.is_waiting());
    next(&mut session, ClientEvent::Edited);
    let sent = next(&mut session, ClientEvent::UpLoaded(Box::new(batch(3, 4, 1))));
    assert!(matches!(sent, Some(ClientEffect::Send(ClientFrame::Batch(batch))) if batch.to == 4));
    assert!(session.is_waiting(), "an ack and a receipt are owed");
    let ack = Ack {
        cursor: cursor(4),
        outcomes: Vec::new(),
    };
    let stored = next(&mut session, ClientEvent::Frame(ServerFrame::Ack(Box::new(ack))));
    assert!(matches!(stored, Some(ClientEffect::StoreAck(_))));
    assert_eq!(next(&mut session, ClientEvent::AckStored), None);
    next(
        &mut session,
        ClientEvent::Frame(ServerFrame::Batch(Box::new(batch(4, 5, 0)))),
    );
    let applied = next(
        &mut session,
        ClientEvent::DownApplied {
            position: 5,
            set: HELD,
        },
    );
    assert!(matches!(
        applied,
        Some(ClientEffect::Send(ClientFrame::Applied { position: 5, .. }))
    ));
    let check = next(
        &mut session,
        ClientEvent::Frame(ServerFrame::Receipt(Box::new(receipt(5)))),
    );
    assert!(matches!(check, Some(ClientEffect::CheckReceipt(_))));
    let proven = next(&mut session, ClientEvent::ReceiptChecked(ReceiptCheck::Equal));
    assert_eq!(proven, Some(ClientEffect::Settled(SessionEnd::CaughtUp)));
    assert!(!session.is_waiting());
}

#[test]
fn a_difference_found_by_comparing_is_repaired_within_the_session() {
    let mut session = settled();
    let compare = Some(ClientEffect::Send(ClientFrame::Compare));
    assert_eq!(next(&mut session, ClientEvent::CompareDue), compare);
    assert!(session.is_waiting());
    assert_eq!(
        next(&mut session, ClientEvent::CompareDue),
        None,
        "one question at a time"
    );
    let same = ServerFrame::Compared { set: HELD };
    assert_eq!(
        next(&mut session, ClientEvent::Frame(same)),
        Some(ClientEffect::LoadSet)
    );
    assert_eq!(next(&mut session, ClientEvent::SetLoaded(HELD)), None);
    assert!(!session.is_waiting(), "equal, and nothing further is said");

    assert_eq!(next(&mut session, ClientEvent::CompareDue), compare);
    let other = ServerFrame::Compared {
        set: SetSum {
            count: 4,
            sum: [4; 32],
        },
    };
    assert_eq!(
        next(&mut session, ClientEvent::Frame(other)),
        Some(ClientEffect::LoadSet)
    );
    let asked = next(&mut session, ClientEvent::SetLoaded(HELD));
    assert_eq!(
        asked,
        Some(ClientEffect::Send(ClientFrame::WantReceipt { apart: Vec::new() }))
    );
    next(
        &mut session,
        ClientEvent::Frame(ServerFrame::Receipt(Box::new(receipt(5)))),
    );
    let different = next(&mut session, ClientEvent::ReceiptChecked(ReceiptCheck::Different));
    assert_eq!(different, Some(ClientEffect::Repair));
    let refused = vec![DocumentId([9; 16])];
    let repaired = ClientEvent::Repaired {
        lacking: Vec::new(),
        apart: refused.clone(),
        resent: false,
    };
    let without = Some(ClientEffect::Send(ClientFrame::WantReceipt { apart: refused }));
    assert_eq!(next(&mut session, repaired), without);
    next(
        &mut session,
        ClientEvent::Frame(ServerFrame::Receipt(Box::new(receipt(5)))),
    );
    let proven = next(&mut session, ClientEvent::ReceiptChecked(ReceiptCheck::Equal));
    let end = SessionEnd::Repaired(RepairReason::DigestMismatch);
    assert_eq!(proven, Some(ClientEffect::Settled(end)));

    // The sums go on to differ by what was refused, which is no reason to repair or to count again.
    next(&mut session, ClientEvent::CompareDue);
    let other = ServerFrame::Compared {
        set: SetSum::default(),
    };
    next(&mut session, ClientEvent::Frame(other));
    assert_eq!(next(&mut session, ClientEvent::SetLoaded(HELD)), without);
    next(
        &mut session,
        ClientEvent::Frame(ServerFrame::Receipt(Box::new(receipt(5)))),
    );
    let proven = next(&mut session, ClientEvent::ReceiptChecked(ReceiptCheck::Equal));
    assert_eq!(proven, Some(ClientEffect::Settled(SessionEnd::InSync)));
}

#[test]
fn sums_that_differ_over_equal_documents_are_counted_again() {
    let mut session = settled();
    next(&mut session, ClientEvent::CompareDue);
    let other = ServerFrame::Compared {
        set: SetSum::default(),
    };
    next(&mut session, ClientEvent::Frame(other));
    next(&mut session, ClientEvent::SetLoaded(HELD));
    next(
        &mut session,
        ClientEvent::Frame(ServerFrame::Receipt(Box::new(receipt(5)))),
    );
    let recount = next(&mut session, ClientEvent::ReceiptChecked(ReceiptCheck::Equal));
    assert_eq!(recount, Some(ClientEffect::Recount));
    assert_eq!(
        session.poll_effect(),
        Some(ClientEffect::Settled(SessionEnd::InSync))
    );
}

#[test]
fn a_session_that_is_to_end_waits_for_what_is_under_way() {
    let closed = Some(ClientEffect::Finish(SessionEnd::Closed));
    assert_eq!(next(&mut settled(), ClientEvent::Close), closed);

    let goaway = || {
        ClientEvent::Frame(ServerFrame::Goaway {
            code: "STOPPING".to_owned(),
            message: "Later.".to_owned(),
            drain_ms: DRAIN_MS,
        })
    };
    let gone = Some(ClientEffect::Finish(SessionEnd::GoneAway {
        code: "STOPPING".to_owned(),
        message: "Later.".to_owned(),
    }));
    assert_eq!(next(&mut settled(), goaway()), gone);
    let mut session = settled();
    next(&mut session, ClientEvent::Edited);
    next(&mut session, ClientEvent::UpLoaded(Box::new(batch(3, 4, 1))));
    assert_eq!(next(&mut session, goaway()), None, "an ack is on its way");
    assert_eq!(
        next(&mut session, ClientEvent::Edited),
        None,
        "nothing more is begun"
    );
    let ack = Ack {
        cursor: cursor(4),
        outcomes: Vec::new(),
    };
    next(&mut session, ClientEvent::Frame(ServerFrame::Ack(Box::new(ack))));
    assert_eq!(next(&mut session, ClientEvent::AckStored), gone);
}

/// The aggregator's session past its first round.
fn proven() -> ServerSession {
    let mut session = ServerSession::new();
    session.handle_event(ServerEvent::Frame(ClientFrame::Hello(Box::new(hello()))));
    assert!(matches!(session.poll_effect(), Some(ServerEffect::LoadPeer(_))));
    session.handle_event(ServerEvent::PeerLoaded {
        state: Box::new(state()),
        time_ms: 7,
    });
    let Some(ServerEffect::Send(ServerFrame::HelloAck(ack))) = session.poll_effect() else {
        panic!("a verdict");
    };
    assert!(ack.live && ack.verdict == Verdict::InSync);
    assert!(!session.is_waiting());
    session
}

pub(super) fn answer(session: &mut ServerSession, event: ServerEvent) -> Vec<ServerEffect> {
    session.handle_event(event);
    std::iter::from_fn(|| session.poll_effect()).collect()
}

fn loaded(batch: Batch, receipt: Option<Receipt>) -> ServerEvent {
    ServerEvent::DownLoaded {
        batch: Box::new(batch),
        receipt: receipt.map(Box::new),
    }
}

#[test]
fn news_are_sent_at_once_and_one_receipt_answers_all_of_a_while() {
    let mut session = proven();
    assert!(
        answer(&mut session, ServerEvent::News { position: 4 }).is_empty(),
        "told already"
    );
    let load = |after, receipt| vec![ServerEffect::LoadDown { after, receipt }];
    assert_eq!(
        answer(&mut session, ServerEvent::News { position: 5 }),
        load(4, false)
    );
    assert!(
        answer(&mut session, loaded(batch(4, 5, 0), None)).is_empty(),
        "its own change"
    );
    assert_eq!(
        answer(&mut session, ServerEvent::News { position: 6 }),
        load(5, false)
    );
    let sent = answer(&mut session, loaded(batch(5, 6, 1), None));
    assert!(matches!(
        &sent[..],
        [ServerEffect::Send(ServerFrame::Batch(_)), ServerEffect::Gather]
    ));
    assert!(session.is_waiting());
    // An edit of the node within that while.
    answer(
        &mut session,
        ServerEvent::Frame(ClientFrame::Batch(Box::new(batch(3, 4, 1)))),
    );
    let ack = Box::new(Ack {
        cursor: cursor(4),
        outcomes: Vec::new(),
    });
    let acked = answer(&mut session, ServerEvent::UpApplied { ack, drained: true });
    assert!(matches!(
        &acked[..],
        [
            ServerEffect::Send(ServerFrame::Ack(_)),
            ServerEffect::LoadDown { receipt: false, .. }
        ]
    ));
    assert!(answer(&mut session, loaded(batch(6, 7, 0), None)).is_empty());
    assert_eq!(answer(&mut session, ServerEvent::Gathered), load(7, true));
    let receipt = answer(&mut session, loaded(batch(7, 7, 0), Some(receipt(7))));
    assert!(matches!(
        &receipt[..],
        [
            ServerEffect::Send(ServerFrame::Batch(_)),
            ServerEffect::Send(ServerFrame::Receipt(_))
        ]
    ));
}

#[test]
fn grants_are_named_where_they_differ_and_to_nodes_that_do_not_say() {
    for (grants_hash, changed, named) in [
        (GRANTS, false, false),
        (GRANTS, true, false),
        ([6; 8], false, true),
        ([6; 8], true, true),
        ([0; 8], false, false),
        ([0; 8], true, true),
    ] {
        let mut session = ServerSession::new();
        let hello = Hello {
            grants_hash,
            ..hello()
        };
        session.handle_event(ServerEvent::Frame(ClientFrame::Hello(Box::new(hello))));
        session.poll_effect();
        session.handle_event(ServerEvent::PeerLoaded {
            state: Box::new(PeerState {
                down_waiting: changed,
                ..state()
            }),
            time_ms: 7,
        });
        let Some(ServerEffect::Send(ServerFrame::HelloAck(ack))) = session.poll_effect() else {
            panic!("a verdict");
        };
        assert_eq!(ack.scopes.is_empty(), !named, "{grants_hash:?} {changed}");
    }
}

#[test]
fn an_open_session_is_drained_or_cut() {
    let mut session = proven();
    let drain = ServerEvent::Drain {
        code: "STOPPING".to_owned(),
        message: "Later.".to_owned(),
    };
    let sent = answer(&mut session, drain);
    assert!(matches!(
        &sent[..],
        [ServerEffect::Send(ServerFrame::Goaway {
            drain_ms: DRAIN_MS,
            ..
        })]
    ));
    let up = answer(
        &mut session,
        ServerEvent::Frame(ClientFrame::Batch(Box::new(batch(3, 4, 1)))),
    );
    assert!(
        matches!(&up[..], [ServerEffect::ApplyUp(_)]),
        "what was under way is still taken"
    );
    assert!(answer(&mut session, ServerEvent::News { position: 9 }).is_empty());
    assert_eq!(
        answer(&mut session, ServerEvent::ClientClosed),
        [ServerEffect::Finish]
    );

    let mut session = proven();
    let cut = ServerEvent::Cut {
        code: "KEY_REVOKED".to_owned(),
        message: "Lost.".to_owned(),
    };
    let sent = answer(&mut session, cut);
    assert!(matches!(
        &sent[..],
        [
            ServerEffect::Send(ServerFrame::Goaway { drain_ms: 0, .. }),
            ServerEffect::Finish
        ]
    ));
}
