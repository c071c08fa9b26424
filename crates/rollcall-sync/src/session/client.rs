//! The node's end of a session (`protocol.md` 4.3, 4.5): Hello and first batches in one flight, then acks,
//! the aggregator's own log, a receipt that is checked against what is held; repair by digest where it differs, and before
//! any receipt where a cursor was lost ([`Verdict::Repair`]).
//! A live session stays open after that: every edit of either end goes over at once and is proven again.
//! Owns the order of things; the runner carries out its effects and reports back as events.

mod effect;
mod event;
mod proof;

use std::collections::VecDeque;

use rollcall_core::id::DocumentId;

use crate::limits::{APART_MAX, BATCHES_IN_FLIGHT_MAX};
use crate::message::{
    Batch, ClientFrame, Cursor, Hello, HelloAck, Receipt, RepairReason, ServerFrame, SetSum, Verdict,
};
use crate::session::server::{RECEIPT_AHEAD, REPLACED, REPLACED_MESSAGE};

pub use effect::{ClientEffect, SessionEnd};
pub use event::{ClientEvent, ReceiptCheck};

/// What a session owes after a verdict of repair, before it can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// To compare digests, once the own log is with the aggregator.
    Repair,
    /// To ask for a receipt, once everything that was lacking is sent.
    Receipt,
}

/// Code of a refusal that makes the node start a new spell of its log.
pub const CHAIN_MISMATCH: &str = "CHAIN_MISMATCH";

/// The state machine.
#[derive(Debug)]
pub struct ClientSession {
    hello: Hello,
    effects: VecDeque<ClientEffect>,
    answered: bool,
    ended: bool,
    repair: Option<RepairReason>,
    repairs: u32,
    /// Receipts in a row that state less than the own log holds, with nothing to send in between.
    behind: u32,
    owed: Option<Owed>,
    changed: bool,
    up_next: Cursor,
    up_loading: bool,
    up_drained: bool,
    ignore_acks_until: Option<u64>,
    in_flight: usize,
    storing: usize,
    applying: usize,
    receipt: Option<Box<Receipt>>,
    checking: bool,
    /// Documents that the receipt which is checked claims nothing about.
    doubtful: Vec<DocumentId>,
    /// Whether such documents were compared change by change: once a session.
    doubtful_compared: bool,
    round_trips: u32,
    heard_since_send: bool,
    live: bool,
    settled: bool,
    comparing: Option<SetSum>,
    asked: bool,
    sums_differ: bool,
    closing: bool,
    leaving: Option<(String, String)>,
    /// The aggregator is one that another one has taken the place of; only its last word is waited for.
    refusing: bool,
    /// Documents that the gate here refused: each receipt of this session is asked to leave them out.
    apart: Vec<DocumentId>,
}

impl ClientSession {
    /// Opens with the Hello and, where there is anything to send, the first batches behind it.
    pub fn new(hello: Hello) -> Self {
        let mut session = Self {
            up_next: hello.acknowledged,
            // Without a cursor of its own it waits for the aggregator's.
            up_drained: hello.digest_first || hello.origin_end.position <= hello.acknowledged.position,
            effects: VecDeque::new(),
            answered: false,
            ended: false,
            repair: None,
            repairs: 0,
            behind: 0,
            owed: None,
            changed: false,
            up_loading: false,
            ignore_acks_until: None,
            in_flight: 0,
            storing: 0,
            applying: 0,
            receipt: None,
            checking: false,
            doubtful: Vec::new(),
            doubtful_compared: false,
            round_trips: 1,
            heard_since_send: false,
            live: false,
            settled: false,
            comparing: None,
            asked: false,
            sums_differ: false,
            closing: false,
            leaving: None,
            refusing: false,
            apart: Vec::new(),
            hello,
        };
        session
            .effects
            .push_back(ClientEffect::Send(ClientFrame::Hello(Box::new(
                session.hello.clone(),
            ))));
        session.load_more();
        session
    }

    /// Flights there and back so far; unary calls are counted by the runner.
    pub fn round_trips(&self) -> u32 {
        self.round_trips
    }

    /// Whether the session is over.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether the other end owes an answer, so that its silence means that it is gone.
    pub fn is_waiting(&self) -> bool {
        !self.settled || self.asked
    }

    /// Next effect to carry out.
    pub fn poll_effect(&mut self) -> Option<ClientEffect> {
        self.effects.pop_front()
    }

    /// Takes what came in. Events that make no sense in this phase end the session.
    pub fn handle_event(&mut self, event: ClientEvent) {
        if self.ended {
            return;
        }
        self.take(event);
        if !self.ended {
            self.do_what_is_owed();
        }
    }

    fn take(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Frame(frame) => self.handle_frame(frame),
            ClientEvent::UpLoaded(batch) => self.handle_up_loaded(*batch),
            ClientEvent::UpMismatch => self.begin_new_spell(),
            ClientEvent::AckStored => {
                self.storing = self.storing.saturating_sub(1);
                self.check_receipt();
                self.leave_if_quiet();
            }
            ClientEvent::DownApplied { position, set } => {
                self.applying = self.applying.saturating_sub(1);
                self.effects
                    .push_back(ClientEffect::Send(ClientFrame::Applied { position, set }));
                self.check_receipt();
                self.leave_if_quiet();
            }
            ClientEvent::ReceiptChecked(check) => self.handle_check(check),
            ClientEvent::Repaired {
                lacking,
                apart,
                resent,
            } => {
                for documents in lacking {
                    let batch = Batch {
                        from: 0,
                        to: 0,
                        end_chain: [0; 32],
                        signature: Vec::new(),
                        documents,
                        drained: false,
                    };
                    self.in_flight += 1;
                    self.send(ClientFrame::Batch(Box::new(batch)));
                }
                self.repair.get_or_insert(RepairReason::DigestMismatch);
                self.apart.extend(apart);
                self.apart.sort_unstable();
                self.apart.dedup();
                self.apart.truncate(APART_MAX);
                self.owed = Some(Owed::Receipt);
                if resent {
                    self.up_drained = false;
                    self.load_more();
                }
            }
            ClientEvent::DoubtfulAgree => self.handle_check(ReceiptCheck::Equal),
            ClientEvent::Edited => {
                if self.answered && self.live {
                    self.up_drained = false;
                    self.load_more();
                }
            }
            ClientEvent::CompareDue => {
                if self.settled && !self.asked && self.leaving.is_none() {
                    self.asked = true;
                    self.effects.push_back(ClientEffect::Send(ClientFrame::Compare));
                }
            }
            ClientEvent::ProofLoaded(receipt) => match receipt {
                Some(receipt) => self.send(ClientFrame::Proof(receipt)),
                None if self.refusing => self.refuse(),
                None => {}
            },
            ClientEvent::SetLoaded(set) => {
                let theirs = self.comparing.take();
                if self.settled && theirs.is_some_and(|theirs| theirs != set) {
                    // Either something is on its way, or they do differ: the receipt will tell.
                    self.settled = false;
                    self.sums_differ = true;
                    self.want_receipt();
                }
            }
            ClientEvent::Close => {
                self.closing = true;
                if self.settled {
                    self.finish(SessionEnd::Closed);
                }
            }
            ClientEvent::LinkLost if self.refusing => self.refuse(),
            ClientEvent::LinkLost => self.finish(SessionEnd::LinkLost),
        }
    }

    fn handle_frame(&mut self, frame: ServerFrame) {
        self.heard_since_send = true;
        if self.refusing {
            if matches!(frame, ServerFrame::Goaway { .. }) {
                self.refuse();
            }
            return;
        }
        match frame {
            ServerFrame::HelloAck(ack) if !self.answered => {
                self.answered = true;
                self.handle_hello_ack(&ack);
            }
            ServerFrame::Ack(ack) if self.answered => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.changed = true;
                self.storing += 1;
                self.effects.push_back(ClientEffect::StoreAck(ack));
                self.load_more();
            }
            ServerFrame::Batch(batch) if self.answered => {
                self.changed |= !batch.documents.is_empty();
                self.settled = false;
                self.applying += 1;
                self.effects.push_back(ClientEffect::ApplyDown(batch));
            }
            ServerFrame::Receipt(receipt) if self.answered => {
                self.receipt = Some(receipt);
                self.check_receipt();
            }
            ServerFrame::Busy { retry_after_ms } => self.finish(SessionEnd::Busy { retry_after_ms }),
            ServerFrame::Goaway { code, .. } if code == CHAIN_MISMATCH => {
                self.repair = Some(RepairReason::ChainMismatch);
                self.begin_new_spell();
            }
            ServerFrame::Goaway { code, .. } if code == RECEIPT_AHEAD => {
                self.finish(SessionEnd::Restart(RepairReason::EpochChanged));
            }
            ServerFrame::Goaway {
                code,
                message,
                drain_ms: 0,
            } => self.finish(SessionEnd::Refused { code, message }),
            ServerFrame::Goaway { code, message, .. } => {
                self.leaving = Some((code, message));
                self.leave_if_quiet();
            }
            ServerFrame::Compared { set } if self.asked => {
                self.asked = false;
                self.comparing = Some(set);
                self.effects.push_back(ClientEffect::LoadSet);
            }
            ServerFrame::HelloAck(_)
            | ServerFrame::Compared { .. }
            | ServerFrame::PartialReceipt(_)
            | ServerFrame::Ack(_)
            | ServerFrame::Batch(_)
            | ServerFrame::Receipt(_) => {
                self.finish(SessionEnd::Refused {
                    code: "PROTOCOL_ORDER".to_owned(),
                    message: "The aggregator answered out of order; nothing was taken.".to_owned(),
                });
            }
        }
    }

    fn handle_hello_ack(&mut self, ack: &HelloAck) {
        let known = self
            .hello
            .known_peer
            .is_some_and(|(store_id, _)| store_id == ack.store_id);
        self.refusing = known && ack.cluster_epoch < self.hello.cluster_epoch;
        if self.refusing || ack.wants_proof {
            self.effects
                .push_back(ClientEffect::Prove(self.hello.receipt_hash));
        }
        if self.refusing {
            return;
        }
        self.effects
            .push_back(ClientEffect::AdoptPeer(Box::new(ack.clone())));
        self.live = ack.live && self.hello.live;
        match ack.verdict {
            Verdict::InSync if ack.set == self.hello.set && ack.receipt_hash == self.hello.receipt_hash => {
                self.settle(SessionEnd::InSync);
            }
            Verdict::InSync => self.want_receipt(),
            Verdict::CatchUp => {}
            Verdict::Repair(reason) => {
                self.repair = Some(reason);
                self.owed = Some(Owed::Repair);
                if ack.cursor == self.hello.acknowledged && !self.hello.digest_first {
                    return;
                }
                self.in_flight = 0;
                self.effects.push_back(ClientEffect::ForgetSent);
                if ack.cursor.position > self.hello.origin_end.position {
                    self.repair = Some(RepairReason::ReceiverAhead);
                    self.begin_new_spell();
                    return;
                }
                if ack.cursor.position == 0 && self.hello.acknowledged.position > 0 {
                    // Nothing is known there of this spell: a new one begins with what was never acknowledged, and the
                    // digest tells what else is lacking.
                    self.begin_new_spell();
                    return;
                }
                self.ignore_acks_until = Some(ack.cursor.position);
                self.up_next = ack.cursor;
                self.up_drained = false;
                self.load_more();
            }
        }
    }

    /// Ends the session with an aggregator that was replaced.
    fn refuse(&mut self) {
        self.finish(SessionEnd::Refused {
            code: REPLACED.to_owned(),
            message: REPLACED_MESSAGE.to_owned(),
        });
    }

    /// The own log is numbered anew, and the session begins again.
    fn begin_new_spell(&mut self) {
        let reason = self.repair.unwrap_or(RepairReason::ChainMismatch);
        self.effects.push_back(ClientEffect::RotateEpoch);
        self.finish(SessionEnd::Restart(reason));
    }

    fn handle_up_loaded(&mut self, batch: Batch) {
        self.up_loading = false;
        if let Some(from) = self.ignore_acks_until {
            if batch.from != from {
                // Loaded before the verdict asked for another cursor.
                self.load_more();
                return;
            }
            self.ignore_acks_until = None;
        }
        if batch.to > self.up_next.position {
            self.behind = 0;
        }
        self.up_next = Cursor {
            position: batch.to,
            chain: batch.end_chain,
        };
        self.up_drained = batch.drained;
        if self.settled && batch.documents.is_empty() {
            return;
        }
        self.settled = false;
        self.in_flight += 1;
        self.send(ClientFrame::Batch(Box::new(batch)));
        self.load_more();
    }

    fn load_more(&mut self) {
        let wanted = !self.up_drained && self.leaving.is_none();
        if wanted && !self.up_loading && self.in_flight < BATCHES_IN_FLIGHT_MAX {
            self.up_loading = true;
            self.effects.push_back(ClientEffect::LoadUp(self.up_next));
        }
    }

    fn send(&mut self, frame: ClientFrame) {
        if self.heard_since_send {
            self.round_trips += 1;
            self.heard_since_send = false;
        }
        self.effects.push_back(ClientEffect::Send(frame));
    }

    /// Both ends are equal: the end of a session, or of a round of one that stays open.
    fn settle(&mut self, end: SessionEnd) {
        if !self.live {
            self.finish(end);
            return;
        }
        (self.repair, self.repairs, self.behind, self.changed) = (None, 0, 0, false);
        self.sums_differ = false;
        // An edit of this moment is on its way already; its receipt settles again.
        self.settled = self.in_flight == 0 && self.storing == 0 && self.applying == 0;
        self.effects.push_back(ClientEffect::Settled(end));
        if self.closing && self.settled {
            self.finish(SessionEnd::Closed);
        }
        self.leave_if_quiet();
    }

    /// Ends the session where the aggregator asked for it and nothing is under way.
    fn leave_if_quiet(&mut self) {
        let quiet = self.in_flight == 0 && self.storing == 0 && self.applying == 0;
        if quiet && let Some((code, message)) = self.leaving.take() {
            self.finish(SessionEnd::GoneAway { code, message });
        }
    }

    fn finish(&mut self, end: SessionEnd) {
        self.ended = true;
        self.effects.push_back(ClientEffect::Finish(end));
    }
}
