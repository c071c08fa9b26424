//! What a node's end of a session asks for, and how it ends.
//! Owns the list; `client` decides the order, the runner of `rollcall-replica` carries it out and reports back as events.
//! Nothing is asked for after `Finish`.

use rollcall_core::id::DocumentId;

use crate::message::{Ack, Batch, ClientFrame, Cursor, Hash, HelloAck, Receipt, RepairReason};

/// What must go out.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientEffect {
    /// To the aggregator.
    Send(ClientFrame),
    /// Load the next batch of the own log after this cursor (check the chain there).
    LoadUp(Cursor),
    /// Remember who answered and the scopes granted.
    AdoptPeer(Box<HelloAck>),
    /// Store positions and cursor of this ack, and release the batch it answers.
    StoreAck(Box<Ack>),
    /// The batches sent so far stay without an answer: the log is wanted from another cursor.
    ForgetSent,
    /// Gate and commit.
    ApplyDown(Box<Batch>),
    /// Check against the rows and keep.
    CheckReceipt(Box<Receipt>),
    /// Compare digests through the unary calls.
    Repair,
    /// Compare the changes of these documents, which the receipt claims nothing about, through the unary calls.
    CompareDoubtful(Vec<DocumentId>),
    /// Start a new spell of the own log: what was written stays, positions start anew (`protocol.md` R1).
    RotateEpoch,
    /// The sums differ though the documents do not: count them again.
    Recount,
    /// Sum up what is held here, to compare it with this sum of the aggregator's.
    LoadSet,
    /// Load the receipt with this hash.
    Prove(Hash),
    /// Both ends are proven equal, as a session that does not stay open would have ended; this one stays.
    Settled(SessionEnd),
    /// The session is over.
    Finish(SessionEnd),
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// Nothing had changed.
    InSync,
    /// Changes went over; both ends proven equal.
    CaughtUp,
    /// After a repair; both ends proven equal.
    Repaired(RepairReason),
    /// Begin again with a fresh Hello.
    Restart(RepairReason),
    /// The aggregator is busy.
    Busy {
        /// Milliseconds to wait.
        retry_after_ms: u64,
    },
    /// The aggregator refused, or its receipt is bad.
    Refused {
        /// Stable code.
        code: String,
        /// Plain sentence.
        message: String,
    },
    /// A live session that this end closed.
    Closed,
    /// The aggregator asked to come back later or elsewhere: it stops, or the session is old.
    GoneAway {
        /// Stable code.
        code: String,
        /// Plain sentence.
        message: String,
    },
    /// Still different after all repairs.
    Diverged,
    /// The connection was lost; what was acknowledged stays.
    LinkLost,
}
