//! The aggregator's end of a session: verdict on the Hello, batches taken in order, its own log sent,
//! a receipt over one snapshot once both directions are drained. A live session goes on: news for the node are sent
//! as they come, and one receipt answers everything that happened within a short while.
//! Owns the order of things; gate, store and signature are the runner's.

use std::collections::VecDeque;

use crate::limits::{BATCHES_IN_FLIGHT_MAX, DRAIN_MS, PROTOCOL_VERSION};
use crate::message::{
    Ack, Batch, ClientFrame, Cursor, Hello, HelloAck, Receipt, RepairReason, ScopeGrant, ServerFrame, SetSum,
    Verdict,
};
use rollcall_core::id::{LogEpoch, StoreId};

/// What the store knows of a peer, read in one snapshot.
#[derive(Debug, Clone)]
pub struct PeerState {
    /// This aggregator's store.
    pub store_id: StoreId,
    /// Spell of its log.
    pub log_epoch: LogEpoch,
    /// How far the peer's log is held; `None` where nothing of it was ever received.
    pub cursor: Option<Cursor>,
    /// Last committed position.
    pub position: u64,
    /// Whether the peer's scopes had the chains it states at the position it states.
    pub down_fits: bool,
    /// Whether the peer's scopes have anything after the position it states that is not its own.
    pub down_waiting: bool,
    /// Scopes of the peer.
    pub grants: Vec<ScopeGrant>,
    /// Sum over the peer's scopes.
    pub set: SetSum,
    /// Hash of the last receipt given to it, zero if none.
    pub receipt_hash: [u8; 32],
    /// This aggregator was restored and has not heard everybody since.
    pub rebuilding: bool,
    /// Two stores work with this peer's certificate; see [`CLONED`].
    pub fenced: bool,
    /// Hash over `grants`.
    pub grants_hash: [u8; 8],
    /// Its cluster epoch.
    pub cluster_epoch: u64,
    /// Another aggregator has taken its place; see [`REPLACED`].
    pub replaced: bool,
    /// The node names a receipt of this spell of the log that was never given here.
    pub receipt_unknown: bool,
}

/// What a receipt that a node showed has proven, and led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    /// Nothing.
    Nothing,
    /// Another aggregator has taken the place of this one, which takes nothing any more.
    Replaced,
    /// This one's file was put back: its log has begun a new spell.
    Rewound,
}

/// Code that nodes are sent away with by an aggregator that another one has taken the place of (`protocol.md` L8), and that
/// a node ends a session with which finds itself talking to one.
pub const REPLACED: &str = "AGGREGATOR_REPLACED";
pub(super) const REPLACED_MESSAGE: &str = "Another aggregator, restored later, has taken the place of this one. Nothing is \
    taken or sent here any more.";
/// Code that makes a node begin its session again: the aggregator's log lacks what it once signed, and has begun a new
/// spell (`reliability.md` 2.4).
pub const RECEIPT_AHEAD: &str = "RECEIPT_AHEAD";

/// Code that a fenced peer is sent away with, once what it brought is taken (`protocol.md` 4.7, R5).
pub const CLONED: &str = "CLONED";
/// What it is told.
pub const CLONED_MESSAGE: &str = "Two nodes work with this certificate: the store was copied. What this one sent has been \
    taken and nothing is lost, but neither is sent anything until one of them runs enrol with a new token.";

/// What came in.
#[derive(Debug)]
pub enum ServerEvent {
    /// A frame from the node.
    Frame(ClientFrame),
    /// Answer to `LoadPeer`.
    PeerLoaded {
        /// What is known.
        state: Box<PeerState>,
        /// Clock, Unix milliseconds.
        time_ms: i64,
    },
    /// A batch is durable.
    UpApplied {
        /// The answer.
        ack: Box<Ack>,
        /// It was the last for now.
        drained: bool,
    },
    /// A batch does not continue the log that is held, or its signature is wrong.
    UpRefused {
        /// Stable code.
        code: String,
        /// Plain sentence.
        message: String,
    },
    /// Answer to `LoadDown`; the receipt comes with the batch that drains the log, from the same snapshot.
    DownLoaded {
        /// A piece of the log.
        batch: Box<Batch>,
        /// Statement over the peer's scopes.
        receipt: Option<Box<Receipt>>,
    },
    /// Two stores turned out to work with this peer's certificate.
    Fenced,
    /// Answer to `ReviewProof`.
    Reviewed(Proven),
    /// The log has grown to this position, and scopes of the peer with it (live sessions).
    News {
        /// Last position.
        position: u64,
    },
    /// The while after `Gather` is over.
    Gathered,
    /// Answer to `LoadSet`.
    SetLoaded(SetSum),
    /// A live session is to end once what is under way is answered.
    Drain {
        /// Stable code.
        code: String,
        /// Plain sentence.
        message: String,
    },
    /// The session is to end at once.
    Cut {
        /// Stable code.
        code: String,
        /// Plain sentence.
        message: String,
    },
    /// The node sends no more.
    ClientClosed,
}

/// What must go out.
#[derive(Debug, PartialEq, Eq)]
pub enum ServerEffect {
    /// To the node.
    Send(ServerFrame),
    /// Read what is known of the peer.
    LoadPeer(Box<Hello>),
    /// Gate, commit, answer.
    ApplyUp(Box<Batch>),
    /// Load the log of the peer's scopes after this position; with a receipt if that drains it and `receipt` says so.
    LoadDown {
        /// Position before the first.
        after: u64,
        /// Whether a receipt is due.
        receipt: bool,
    },
    /// Let a short while pass, so that one receipt answers several changes.
    Gather,
    /// Sum up what the peer's scopes hold.
    LoadSet,
    /// See what this receipt proves, and act on it.
    ReviewProof(Box<Receipt>),
    /// The session is over.
    Finish,
}

/// The state machine.
#[derive(Debug)]
pub struct ServerSession {
    effects: VecDeque<ServerEffect>,
    hello: Option<Box<Hello>>,
    greeted: bool,
    ended: bool,
    up_expected: Option<u64>,
    early: VecDeque<Box<Batch>>,
    applying: usize,
    up_drained: bool,
    down_position: u64,
    down_loading: bool,
    down_drained: bool,
    down_in_flight: usize,
    receipt_due: bool,
    /// The node compares digests first: a receipt before it asks for one would speak of what it has not handed in.
    receipt_withheld: bool,
    /// A proof was asked for and has not come.
    proof_wanted: bool,
    /// The node has met an aggregator that was restored later.
    outdated: bool,
    fenced: bool,
    live: bool,
    proven: bool,
    gathering: bool,
    draining: bool,
}

impl Default for ServerSession {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerSession {
    /// Waits for a Hello.
    pub fn new() -> Self {
        Self {
            effects: VecDeque::new(),
            hello: None,
            greeted: false,
            ended: false,
            up_expected: None,
            early: VecDeque::new(),
            applying: 0,
            up_drained: false,
            down_position: 0,
            down_loading: false,
            down_drained: false,
            down_in_flight: 0,
            receipt_due: true,
            receipt_withheld: false,
            proof_wanted: false,
            outdated: false,
            fenced: false,
            live: false,
            proven: false,
            gathering: false,
            draining: false,
        }
    }

    /// Whether the session stays open after its receipt.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Whether both ends have been proven equal once in this session.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether the node owes an answer, so that its silence means that it is gone.
    pub fn is_waiting(&self) -> bool {
        !self.proven || self.down_in_flight > 0
    }

    /// Whether the session is over.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Next effect to carry out.
    pub fn poll_effect(&mut self) -> Option<ServerEffect> {
        self.effects.pop_front()
    }

    /// Takes what came in.
    pub fn handle_event(&mut self, event: ServerEvent) {
        if self.ended {
            return;
        }
        match event {
            ServerEvent::Frame(frame) => self.handle_frame(frame),
            ServerEvent::PeerLoaded { state, time_ms } => self.handle_peer(*state, time_ms),
            ServerEvent::UpApplied { ack, drained } => {
                self.applying = self.applying.saturating_sub(1);
                self.up_drained |= drained;
                self.down_drained = false;
                self.effects.push_back(ServerEffect::Send(ServerFrame::Ack(ack)));
                self.owe_receipt();
                self.load_down();
                self.go_away_if_fenced();
            }
            ServerEvent::UpRefused { code, message } => self.go_away(&code, &message),
            ServerEvent::DownLoaded { batch, receipt } => self.handle_down(*batch, receipt),
            ServerEvent::Fenced => {
                self.fenced = true;
                self.go_away_if_fenced();
            }
            ServerEvent::Reviewed(Proven::Rewound) => self.go_away(
                RECEIPT_AHEAD,
                "The aggregator's data was put back to an earlier state; the node connects again and both are compared.",
            ),
            ServerEvent::Reviewed(Proven::Replaced) => self.go_away(REPLACED, REPLACED_MESSAGE),
            ServerEvent::Reviewed(Proven::Nothing) => {
                if self.outdated {
                    // It would not go on anyway.
                    self.go_away(REPLACED, REPLACED_MESSAGE);
                }
            }
            ServerEvent::News { position } => {
                if self.live && position > self.down_position {
                    self.down_drained = false;
                    self.load_down();
                }
            }
            ServerEvent::Gathered => {
                self.gathering = false;
                self.load_down();
            }
            ServerEvent::SetLoaded(set) => {
                self.effects
                    .push_back(ServerEffect::Send(ServerFrame::Compared { set }));
            }
            ServerEvent::Drain { code, message } => {
                if self.live && !self.draining {
                    self.draining = true;
                    self.effects.push_back(ServerEffect::Send(ServerFrame::Goaway {
                        code,
                        message,
                        drain_ms: DRAIN_MS,
                    }));
                }
            }
            ServerEvent::Cut { code, message } => self.go_away(&code, &message),
            ServerEvent::ClientClosed => {
                self.ended = true;
                self.effects.push_back(ServerEffect::Finish);
            }
        }
    }

    fn handle_frame(&mut self, frame: ClientFrame) {
        match frame {
            ClientFrame::Hello(hello) if self.hello.is_none() => {
                if hello.protocol == PROTOCOL_VERSION {
                    self.hello = Some(hello.clone());
                    self.effects.push_back(ServerEffect::LoadPeer(hello));
                } else {
                    self.go_away(
                        "ENVELOPE_NEWER",
                        "This aggregator speaks another protocol version; update the older side.",
                    );
                }
            }
            ClientFrame::Batch(batch) if self.greeted => self.take_batch(batch),
            ClientFrame::Batch(batch) if self.hello.is_some() && self.early.len() < BATCHES_IN_FLIGHT_MAX => {
                self.early.push_back(batch);
            }
            // A node holds no position that was not sent; whoever says so is not believed anything else.
            ClientFrame::Applied { position, .. } if self.greeted && position <= self.down_position => {
                self.down_in_flight = self.down_in_flight.saturating_sub(1);
                self.load_down();
            }
            ClientFrame::WantReceipt { .. } if self.greeted => {
                self.receipt_due = true;
                self.receipt_withheld = false;
                self.gathering = false;
                self.down_drained = false;
                self.up_drained = true;
                self.load_down();
                self.go_away_if_fenced();
            }
            ClientFrame::Compare if self.greeted => self.effects.push_back(ServerEffect::LoadSet),
            ClientFrame::Proof(receipt) if self.proof_wanted => {
                self.proof_wanted = false;
                self.effects.push_back(ServerEffect::ReviewProof(receipt));
            }
            ClientFrame::Hello(_)
            | ClientFrame::Compare
            | ClientFrame::Proof(_)
            | ClientFrame::Batch(_)
            | ClientFrame::Applied { .. }
            | ClientFrame::WantReceipt { .. } => {
                self.go_away(
                    "PROTOCOL_ORDER",
                    "The frame makes no sense at this point of the session.",
                );
            }
        }
    }

    fn handle_peer(&mut self, state: PeerState, time_ms: i64) {
        let Some(hello) = self.hello.clone() else { return };
        if state.replaced {
            self.go_away(REPLACED, REPLACED_MESSAGE);
            return;
        }
        self.greeted = true;
        self.outdated = hello.cluster_epoch > state.cluster_epoch;
        self.proof_wanted = self.outdated || state.receipt_unknown;
        let held = state.cursor.unwrap_or_default();
        self.fenced = state.fenced;
        let verdict = match verdict(&hello, &state) {
            Verdict::InSync if self.fenced => Verdict::CatchUp,
            other => other,
        };
        // Where the node's own note of its acknowledgements says nothing, its log goes on from what is held here, and the
        // digest tells both ends what differs, positions included.
        let repairs = matches!(verdict, Verdict::Repair(_));
        let unknown = hello.digest_first || verdict == Verdict::Repair(RepairReason::EpochChanged);
        // A log held further than the node knows: an ack was lost. Taking it again from where the node stands gives
        // the positions once more; the chain must meet the held cursor on the way.
        let resent = !unknown
            && hello.acknowledged.position < held.position
            && held.position <= hello.origin_end.position;
        let start = if resent { hello.acknowledged } else { held };
        let chains_agree =
            unknown || resent || hello.acknowledged.position != held.position || hello.acknowledged == held;
        self.up_expected = chains_agree.then_some(start.position);
        // What the digest is about reaches at least to the position of this moment.
        let fits = state.down_fits && hello.down_position > 0;
        self.down_position = match (fits, repairs) {
            (true, _) => hello.down_position,
            (false, true) => state.position,
            (false, false) => 0,
        };
        self.receipt_withheld = repairs;
        self.up_drained = hello.origin_end.position <= start.position;
        self.live = hello.live;
        let says_grants = hello.grants_hash != [0; 8];
        let name_grants = if says_grants {
            hello.grants_hash != state.grants_hash
        } else {
            verdict != Verdict::InSync
        };
        let ack = HelloAck {
            store_id: state.store_id,
            log_epoch: state.log_epoch,
            verdict,
            cursor: start,
            position: state.position,
            time_ms,
            scopes: if name_grants { state.grants } else { Vec::new() },
            set: state.set,
            receipt_hash: state.receipt_hash,
            rebuilding: state.rebuilding,
            live: self.live,
            cluster_epoch: state.cluster_epoch,
            wants_proof: self.proof_wanted,
        };
        self.effects
            .push_back(ServerEffect::Send(ServerFrame::HelloAck(Box::new(ack))));
        match verdict {
            Verdict::InSync => {
                self.down_drained = true;
                self.receipt_due = false;
                self.proven = true;
            }
            Verdict::CatchUp | Verdict::Repair(_) => {
                while let Some(batch) = self.early.pop_front() {
                    self.take_batch(batch);
                }
                self.load_down();
                self.go_away_if_fenced();
            }
        }
    }

    /// Takes a batch that continues the log or is loose (repair); one that does not was sent before the verdict.
    fn take_batch(&mut self, batch: Box<Batch>) {
        if batch.to == 0 {
            self.applying += 1;
            self.effects.push_back(ServerEffect::ApplyUp(batch));
        } else if self.up_expected == Some(batch.from) {
            self.up_expected = Some(batch.to);
            self.up_drained = false;
            self.applying += 1;
            self.effects.push_back(ServerEffect::ApplyUp(batch));
        }
    }

    fn handle_down(&mut self, batch: Batch, receipt: Option<Box<Receipt>>) {
        self.down_loading = false;
        self.down_position = batch.to.max(self.down_position);
        self.down_drained = batch.drained;
        let is_empty = batch.documents.is_empty();
        if self.proven && is_empty && receipt.is_none() {
            // Its own changes, or a position that another session will tell of.
            self.load_down();
            return;
        }
        self.down_in_flight += 1;
        self.effects
            .push_back(ServerEffect::Send(ServerFrame::Batch(Box::new(batch))));
        if !is_empty {
            self.owe_receipt();
        }
        if let Some(receipt) = receipt {
            if self.applying == 0 {
                self.receipt_due = false;
                self.proven = true;
                self.effects
                    .push_back(ServerEffect::Send(ServerFrame::Receipt(receipt)));
            } else {
                self.down_drained = false;
            }
        }
        self.load_down();
    }

    /// A receipt is due; in a live session after a while, with whatever else happens until then.
    fn owe_receipt(&mut self) {
        if self.live && self.proven && !self.receipt_due {
            self.gathering = true;
            self.effects.push_back(ServerEffect::Gather);
        }
        self.receipt_due = true;
    }

    fn load_down(&mut self) {
        let receipt = self.up_drained
            && self.applying == 0
            && self.receipt_due
            && !self.receipt_withheld
            && !self.gathering;
        let wanted = !self.draining && (!self.down_drained || receipt);
        if wanted
            && !self.fenced
            && !self.down_loading
            && self.down_in_flight < BATCHES_IN_FLIGHT_MAX
            && (receipt || !self.busy_up())
        {
            self.down_loading = true;
            self.effects.push_back(ServerEffect::LoadDown {
                after: self.down_position,
                receipt,
            });
        }
    }

    /// While the node still sends, its own log is not chased position by position.
    fn busy_up(&self) -> bool {
        self.applying > 0 || !self.up_drained
    }

    /// A fenced peer is told so once everything that it has is taken.
    fn go_away_if_fenced(&mut self) {
        if self.fenced && self.greeted && self.up_drained && self.applying == 0 && !self.ended {
            self.go_away(CLONED, CLONED_MESSAGE);
        }
    }

    fn go_away(&mut self, code: &str, message: &str) {
        self.ended = true;
        let frame = ServerFrame::Goaway {
            code: code.to_owned(),
            message: message.to_owned(),
            drain_ms: 0,
        };
        self.effects.push_back(ServerEffect::Send(frame));
        self.effects.push_back(ServerEffect::Finish);
    }
}

fn verdict(hello: &Hello, state: &PeerState) -> Verdict {
    let cursor = state.cursor.unwrap_or_default();
    if hello
        .known_peer
        .is_some_and(|known| known != (state.store_id, state.log_epoch))
    {
        return Verdict::Repair(RepairReason::EpochChanged);
    }
    if hello.digest_first {
        return Verdict::Repair(RepairReason::NoCursor);
    }
    if cursor.position > hello.origin_end.position {
        return Verdict::Repair(RepairReason::ReceiverAhead);
    }
    if cursor.position < hello.acknowledged.position {
        return Verdict::Repair(RepairReason::NoCursor);
    }
    if cursor.position == hello.acknowledged.position && cursor != hello.acknowledged {
        return Verdict::Repair(RepairReason::ChainMismatch);
    }
    if !state.down_fits && hello.down_position > 0 {
        return Verdict::Repair(RepairReason::ChainMismatch);
    }
    if state.receipt_unknown {
        return Verdict::Repair(RepairReason::ChainMismatch);
    }
    let nothing_up = hello.origin_end == cursor && hello.acknowledged == cursor;
    // Where no receipt says what is held now, as after a link that was lost before it, one is due.
    let receipted = state.receipt_hash != [0; 32];
    if nothing_up && !state.down_waiting && state.set == hello.set && hello.down_position > 0 && receipted {
        Verdict::InSync
    } else {
        Verdict::CatchUp
    }
}
