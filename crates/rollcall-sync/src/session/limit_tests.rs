//! Limits of a session, each reached from either end.

use rollcall_core::id::DocumentId;

use super::client::{ClientEffect, ClientEvent, ClientSession, ReceiptCheck, SessionEnd};
use super::live_tests::{answer, batch, hello, next, receipt, state};
use super::server::{ServerEffect, ServerEvent, ServerSession};
use crate::limits::{BATCHES_IN_FLIGHT_MAX, PROTOCOL_VERSION, RECEIPTS_BEHIND_MAX, REPAIRS_MAX};
use crate::message::{
    Ack, Batch, ClientFrame, Cursor, Hello, HelloAck, Receipt, RepairReason, ServerFrame, Verdict,
};

/// A node with a long log, one position a batch.
fn long_hello() -> Hello {
    Hello {
        acknowledged: Cursor::default(),
        origin_end: Cursor {
            position: 100,
            chain: [100; 32],
        },
        live: false,
        ..hello()
    }
}

fn piece(from: u64) -> Batch {
    Batch {
        drained: false,
        ..batch(from, from + 1, 1)
    }
}

/// Lets a node send until it waits for an answer; how many batches that were.
fn send_all(session: &mut ClientSession, mut position: u64) -> usize {
    let mut sent = 0;
    while let Some(effect) = session.poll_effect() {
        if matches!(effect, ClientEffect::LoadUp(_)) {
            session.handle_event(ClientEvent::UpLoaded(Box::new(piece(position))));
            position += 1;
        } else if matches!(effect, ClientEffect::Send(ClientFrame::Batch(_))) {
            sent += 1;
        }
    }
    sent
}

#[test]
fn a_node_sends_no_more_batches_than_may_be_unanswered() {
    let mut session = ClientSession::new(long_hello());
    assert_eq!(send_all(&mut session, 0), BATCHES_IN_FLIGHT_MAX);
    session.handle_event(ClientEvent::Frame(ServerFrame::HelloAck(Box::new(HelloAck {
        store_id: state().store_id,
        log_epoch: state().log_epoch,
        verdict: Verdict::CatchUp,
        cursor: Cursor::default(),
        position: 4,
        time_ms: 7,
        scopes: Vec::new(),
        set: state().set,
        receipt_hash: [0; 32],
        rebuilding: false,
        live: false,
        cluster_epoch: 0,
        wants_proof: false,
    }))));
    let ack = Ack {
        cursor: Cursor::default(),
        outcomes: Vec::new(),
    };
    session.handle_event(ClientEvent::Frame(ServerFrame::Ack(Box::new(ack))));
    let sent = send_all(&mut session, BATCHES_IN_FLIGHT_MAX as u64);
    assert_eq!(sent, 1, "one answer, one more");
}

#[test]
fn an_aggregator_takes_no_more_before_its_verdict_than_may_be_unanswered() {
    let mut session = ServerSession::new();
    answer(
        &mut session,
        ServerEvent::Frame(ClientFrame::Hello(Box::new(long_hello()))),
    );
    for position in 0..BATCHES_IN_FLIGHT_MAX as u64 {
        let early = ServerEvent::Frame(ClientFrame::Batch(Box::new(piece(position))));
        assert!(answer(&mut session, early).is_empty());
    }
    let beyond = ServerEvent::Frame(ClientFrame::Batch(Box::new(piece(BATCHES_IN_FLIGHT_MAX as u64))));
    let refused = answer(&mut session, beyond);
    assert!(matches!(
        &refused[..],
        [ServerEffect::Send(ServerFrame::Goaway { code, drain_ms: 0, .. }), ServerEffect::Finish] if code == "PROTOCOL_ORDER"
    ));
}

#[test]
fn an_aggregator_sends_no_more_batches_than_may_be_unanswered() {
    let mut session = ServerSession::new();
    session.handle_event(ServerEvent::Frame(ClientFrame::Hello(Box::new(hello()))));
    let state = super::server::PeerState {
        down_waiting: true,
        ..state()
    };
    let mut effects = answer(
        &mut session,
        ServerEvent::PeerLoaded {
            state: Box::new(state),
            time_ms: 7,
        },
    );
    let (mut sent, mut position) = (0, 4);
    while let Some(effect) = effects.pop() {
        if matches!(effect, ServerEffect::LoadDown { .. }) {
            let batch = Box::new(piece(position));
            position += 1;
            effects.extend(answer(
                &mut session,
                ServerEvent::DownLoaded { batch, receipt: None },
            ));
        } else if matches!(effect, ServerEffect::Send(ServerFrame::Batch(_))) {
            sent += 1;
        }
    }
    assert_eq!(sent, BATCHES_IN_FLIGHT_MAX);
}

#[test]
fn a_difference_that_outlives_all_repairs_ends_the_session() {
    let mut session = super::live_tests::settled();
    for _ in 0..REPAIRS_MAX {
        next(
            &mut session,
            ClientEvent::Frame(ServerFrame::Receipt(Box::new(receipt(5)))),
        );
        let repair = next(&mut session, ClientEvent::ReceiptChecked(ReceiptCheck::Different));
        assert_eq!(repair, Some(ClientEffect::Repair));
        next(
            &mut session,
            ClientEvent::Repaired {
                lacking: Vec::new(),
                apart: Vec::new(),
                resent: false,
            },
        );
    }
    next(
        &mut session,
        ClientEvent::Frame(ServerFrame::Receipt(Box::new(receipt(5)))),
    );
    let end = next(&mut session, ClientEvent::ReceiptChecked(ReceiptCheck::Different));
    assert_eq!(end, Some(ClientEffect::Finish(SessionEnd::Diverged)));
}

/// A receipt that claims nothing about one document, checked to be equal otherwise.
fn doubtful(session: &mut ClientSession, id: DocumentId) -> Option<ClientEffect> {
    let receipt = Receipt {
        quarantined: vec![id],
        ..receipt(5)
    };
    next(
        session,
        ClientEvent::Frame(ServerFrame::Receipt(Box::new(receipt))),
    );
    next(session, ClientEvent::ReceiptChecked(ReceiptCheck::Equal))
}

#[test]
fn what_a_receipt_claims_nothing_about_is_compared_once_a_session() {
    let id = DocumentId([1; 16]);
    let mut agreeing = super::live_tests::settled();
    let compare = doubtful(&mut agreeing, id);
    assert_eq!(compare, Some(ClientEffect::CompareDoubtful(vec![id])));
    let end = next(&mut agreeing, ClientEvent::DoubtfulAgree);
    assert_eq!(end, Some(ClientEffect::Settled(SessionEnd::InSync)));

    // What was lacking is proven by a receipt of its own, which does not lead to another comparison.
    let mut session = super::live_tests::settled();
    doubtful(&mut session, id);
    let repaired = ClientEvent::Repaired {
        lacking: Vec::new(),
        apart: Vec::new(),
        resent: false,
    };
    let wanted = next(&mut session, repaired);
    assert_eq!(
        wanted,
        Some(ClientEffect::Send(ClientFrame::WantReceipt { apart: Vec::new() }))
    );
    let end = SessionEnd::Repaired(RepairReason::DigestMismatch);
    assert_eq!(doubtful(&mut session, id), Some(ClientEffect::Settled(end)));
}

/// One round with an aggregator that answers what it is sent and states in its receipt that it does not hold it.
fn round_behind(session: &mut ClientSession, from: u64, to: u64) -> Option<ClientEffect> {
    next(
        session,
        ClientEvent::Frame(ServerFrame::Receipt(Box::new(receipt(5)))),
    );
    let mut effect = next(session, ClientEvent::ReceiptChecked(ReceiptCheck::NewerEdits));
    if matches!(effect, Some(ClientEffect::LoadUp(_))) {
        let loaded = ClientEvent::UpLoaded(Box::new(batch(from, to, usize::from(to > from))));
        let sent = next(session, loaded);
        assert!(matches!(sent, Some(ClientEffect::Send(ClientFrame::Batch(_)))));
        let ack = Ack {
            cursor: Cursor::default(),
            outcomes: Vec::new(),
        };
        effect = next(session, ClientEvent::Frame(ServerFrame::Ack(Box::new(ack))));
        next(session, ClientEvent::AckStored);
    }
    effect
}

#[test]
fn an_aggregator_that_never_holds_what_it_answered_does_not_keep_a_node_for_ever() {
    let mut session = super::live_tests::settled();
    let sent = round_behind(&mut session, 3, 4);
    assert!(matches!(sent, Some(ClientEffect::StoreAck(_))), "{sent:?}");
    let (mut repairs, mut rounds) = (0, 0);
    loop {
        rounds += 1;
        match round_behind(&mut session, 4, 4) {
            Some(ClientEffect::Repair) => {
                repairs += 1;
                let repaired = ClientEvent::Repaired {
                    lacking: Vec::new(),
                    apart: Vec::new(),
                    resent: false,
                };
                next(&mut session, repaired);
            }
            Some(ClientEffect::Finish(end)) => {
                assert_eq!(end, SessionEnd::Diverged);
                break;
            }
            other => assert!(matches!(other, Some(ClientEffect::StoreAck(_))), "{other:?}"),
        }
        assert!(rounds < 100, "the session goes on");
    }
    assert_eq!(
        (repairs, rounds),
        (REPAIRS_MAX, RECEIPTS_BEHIND_MAX + REPAIRS_MAX + 1)
    );
}

#[test]
fn a_node_that_is_written_to_all_the_while_goes_on_sending() {
    let mut session = super::live_tests::settled();
    for position in 3..3 + 10 * u64::from(RECEIPTS_BEHIND_MAX) {
        let effect = round_behind(&mut session, position, position + 1);
        assert!(matches!(effect, Some(ClientEffect::StoreAck(_))), "{effect:?}");
    }
}

#[test]
fn another_protocol_version_is_refused_by_name() {
    for protocol in [PROTOCOL_VERSION + 1, 0] {
        let mut session = ServerSession::new();
        let hello = Hello { protocol, ..hello() };
        let refused = answer(
            &mut session,
            ServerEvent::Frame(ClientFrame::Hello(Box::new(hello))),
        );
        assert!(matches!(
            &refused[..],
            [ServerEffect::Send(ServerFrame::Goaway { code, .. }), ServerEffect::Finish] if code == "ENVELOPE_NEWER"
        ));
    }
}
