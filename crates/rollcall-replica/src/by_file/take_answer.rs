//! An answer at the node: acknowledgements, the aggregator's log through the gate, the receipt. What is held already is
//! passed over, so that answers may come twice or late; one that something newer has overtaken is refused as a whole.

use rollcall_store::successor::Mark;
use rollcall_sync::batch_file::{DownHead, DownPart};
use rollcall_sync::message::{Ack, Batch, Cursor, Outcome, Receipt, RepairReason, Verdict};
use rollcall_sync::session::client::{ReceiptCheck, SessionEnd};

use super::FileRefused;
use crate::error::Error;
use crate::replica::Replica;
use crate::runner::client::answers;
use crate::runner::link::NodeKeys;
use crate::take_down::Taken;

/// An answer on its way in.
pub struct TakingAnswer<'a> {
    replica: &'a Replica,
    head: DownHead,
    now_ms: i64,
    /// The log here has another chain: it begins anew, and nothing of this answer is taken.
    parted: bool,
    /// Nothing newer has come from the aggregator before.
    is_latest: bool,
    /// How far the acknowledgements were followed.
    acks_to: Cursor,
    /// How far the own log is acknowledged.
    acknowledged: u64,
    /// How far the aggregator's log is held.
    down: u64,
    stage: Stage,
    receipt: Option<Receipt>,
    pushed: Taken,
    pulled: Taken,
}

/// What has come; it does not go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Acks,
    Log,
    Receipt,
}

/// What an answer came to.
#[derive(Debug, Clone)]
pub struct AnswerTaken {
    /// The file that it answered.
    pub file_id: [u8; 16],
    /// Changes and documents that were acknowledged now.
    pub pushed: Taken,
    /// Changes and documents that came.
    pub pulled: Taken,
    /// How it ended.
    pub end: AnswerEnd,
}

/// How an answer ended.
#[derive(Debug, Clone)]
pub enum AnswerEnd {
    /// Its receipt holds for everything that is not still waiting; it is kept.
    Proven {
        /// The receipt.
        receipt: Box<Receipt>,
        /// Both ends had been found to differ before.
        repaired: bool,
    },
    /// Everything in it is taken, and a further file is needed before anything is proven.
    Again(Again),
}

/// Why a further file is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// The aggregator was restored: it asks for the whole log.
    EpochChanged,
    /// The aggregator lost how far it held the log.
    NoCursor,
    /// This node was put back from a copy: its log has begun anew.
    ChainMismatch,
    /// Both ends differ: the next file holds everything.
    DigestMismatch,
    /// The aggregator lacks part of what was exported.
    Incomplete,
    /// Edits made since do not let it be checked.
    NewerEdits,
    /// What is held is proven by a newer receipt already.
    Overtaken,
}

impl Replica {
    /// Begins with an answer whose signature was checked and which can be read to its end.
    ///
    /// # Errors
    /// `Old`; the store's. Nothing was changed then.
    pub fn begin_taking_answer(&self, head: DownHead, now_ms: i64) -> Result<TakingAnswer<'_>, FileRefused> {
        let own = self.origin();
        let sender = (head.ack.store_id, head.ack.log_epoch);
        let (upstream, fits) = self.read(|reader| {
            let chain_at = |cursor: &Cursor| reader.origin_chain_at(cursor.position);
            let fits = chain_at(&head.ack.cursor)? == Some(head.ack.cursor.chain)
                && chain_at(&head.acks_from)? == Some(head.acks_from.chain);
            Ok((reader.upstream()?, fits))
        })?;
        let known = upstream
            .as_ref()
            .map(|upstream| (upstream.store_id, upstream.log_epoch));
        let same = upstream.as_ref().filter(|_| known == Some(sender));
        let overtaken = known.is_some() && same.is_none() && head.known_peer != known;
        let mut acknowledged = same.map_or(0, |upstream| upstream.acknowledged.position);
        let down = same.map_or(0, |upstream| upstream.down_position);
        let gap = head.refusal.is_none() && head.down_from > down;
        if head.node != (own.store, own.epoch) || overtaken || (gap && fits) {
            return Err(FileRefused::Old);
        }
        let (parted, is_latest) = (!fits, head.ack.position >= down);
        if parted {
            self.begin_whole_log()?;
            self.mark_differing(true)?;
        } else if is_latest {
            self.adopt_peer(&head.ack, false, now_ms)?;
            let lost = head.ack.verdict == Verdict::Repair(RepairReason::NoCursor);
            if lost && head.ack.cursor.position < acknowledged {
                self.take_back_acknowledged(&head.ack.cursor)?;
                acknowledged = head.ack.cursor.position;
            }
        }
        Ok(TakingAnswer {
            replica: self,
            now_ms,
            parted,
            is_latest,
            acks_to: head.acks_from,
            acknowledged,
            down,
            stage: Stage::Acks,
            receipt: None,
            pushed: Taken::default(),
            pulled: Taken::default(),
            head,
        })
    }

    fn mark_differing(&self, differing: bool) -> Result<(), Error> {
        let work = move |writer: &mut rollcall_store::Writer| writer.set_mark(Mark::Differs, differing);
        Ok(self.store().write("mark differing", work).wait()?)
    }

    /// The aggregator holds less of the own log than it once said: what follows waits again.
    fn take_back_acknowledged(&self, cursor: &Cursor) -> Result<(), Error> {
        let acknowledged = rollcall_store::cursor::Cursor {
            position: cursor.position,
            chain: cursor.chain,
        };
        let work = move |writer: &mut rollcall_store::Writer| match writer.upstream()? {
            Some(upstream) => writer.save_upstream(&rollcall_store::cursor::Upstream {
                acknowledged,
                ..upstream
            }),
            None => Ok(()),
        };
        Ok(self.store().write("take back acknowledged", work).wait()?)
    }
}

impl TakingAnswer<'_> {
    /// Takes a part behind the head; durable on return.
    ///
    /// # Errors
    /// `Order`; the store's. What was taken before stays.
    pub fn take(&mut self, part: DownPart) -> Result<(), FileRefused> {
        let stage = match &part {
            DownPart::Head(_) => return Err(FileRefused::Order),
            DownPart::Ack(_) => Stage::Acks,
            DownPart::Batch(_) => Stage::Log,
            DownPart::Receipt(_) => Stage::Receipt,
        };
        if stage < self.stage || self.receipt.is_some() {
            return Err(FileRefused::Order);
        }
        self.stage = stage;
        if self.parted {
            return Ok(());
        }
        match part {
            DownPart::Head(_) => Err(FileRefused::Order),
            DownPart::Ack(ack) => self.take_ack(&ack),
            DownPart::Batch(batch) => Ok(self.take_batch(&batch)?),
            DownPart::Receipt(receipt) => {
                self.receipt = Some(*receipt);
                Ok(())
            }
        }
    }

    fn take_ack(&mut self, ack: &Ack) -> Result<(), FileRefused> {
        let from = std::mem::replace(&mut self.acks_to, ack.cursor);
        if ack.cursor.position <= self.acknowledged {
            return Ok(());
        }
        let piece = self.replica.load_piece(&from, &ack.cursor)?;
        let Some(piece) = piece.filter(|piece| answers(ack, piece)) else {
            return Err(FileRefused::Order);
        };
        self.replica.take_ack(&piece, ack, self.now_ms)?;
        for (document, outcome) in piece.documents.iter().zip(&ack.outcomes) {
            self.pushed.documents += 1;
            self.pushed.changes += document.changes.len() as u64;
            self.pushed.quarantined += u64::from(matches!(
                outcome.outcome,
                Outcome::Forked | Outcome::Quarantined(_) | Outcome::Rejected(_)
            ));
        }
        Ok(())
    }

    fn take_batch(&mut self, batch: &Batch) -> Result<(), Error> {
        let taken = if batch.to > self.down {
            self.down = batch.to;
            self.replica.take_down(batch, self.now_ms)?.0
        } else if self.head.down_from == 0 {
            // Everything was asked for: what is held already stays, what is lacking comes.
            self.replica.take_documents(&batch.documents, None, self.now_ms)?
        } else {
            return Ok(());
        };
        self.pulled.changes += taken.changes;
        self.pulled.documents += taken.documents;
        self.pulled.quarantined += taken.quarantined;
        Ok(())
    }

    /// Checks the receipt, and keeps it where it proves both ends equal.
    ///
    /// # Errors
    /// `Said` where the aggregator fenced this node (`CLONED`), the receipt is not its own (`BAD_RECEIPT`), or both ends
    /// still differ though everything went over (`DIVERGED`); the store's.
    pub fn finish(self, keys: &NodeKeys) -> Result<AnswerTaken, FileRefused> {
        let end = self.end(keys)?;
        Ok(AnswerTaken {
            file_id: self.head.file_id,
            pushed: self.pushed,
            pulled: self.pulled,
            end,
        })
    }

    fn end(&self, keys: &NodeKeys) -> Result<AnswerEnd, FileRefused> {
        if self.parted {
            return Ok(AnswerEnd::Again(Again::ChainMismatch));
        }
        if let Some((code, message)) = self.head.refusal.clone() {
            let (said, text) = (code.clone(), message.clone());
            self.replica.note_fence(&SessionEnd::Refused {
                code: said,
                message: text,
            })?;
            return Err(FileRefused::Said { code, message });
        }
        if self.is_latest {
            self.replica.note_fence(&SessionEnd::CaughtUp)?;
        }
        let Some(receipt) = &self.receipt else {
            return Ok(AnswerEnd::Again(match self.head.ack.verdict {
                Verdict::Repair(RepairReason::EpochChanged) => Again::EpochChanged,
                Verdict::Repair(_) => Again::NoCursor,
                Verdict::InSync | Verdict::CatchUp => Again::Incomplete,
            }));
        };
        let last = self
            .replica
            .read(|reader| Ok(reader.last_receipt(receipt.origin_store)?))?;
        let last = last.and_then(|row| Receipt::from_bytes(&row.bytes));
        let overtaken = last.is_some_and(|last| {
            last.log_epoch == receipt.log_epoch
                && last.origin_epoch == receipt.origin_epoch
                && (last.position, last.origin.position) > (receipt.position, receipt.origin.position)
        });
        if overtaken {
            return Ok(AnswerEnd::Again(Again::Overtaken));
        }
        let check =
            self.replica
                .check_receipt_in_session(receipt, &keys.receipt_key, keys.verify.as_ref())?;
        let proven = match check {
            ReceiptCheck::Equal => true,
            ReceiptCheck::NewerEdits => self.replica.is_proven_without_later_edits(receipt)?,
            ReceiptCheck::Different => false,
            ReceiptCheck::Bad => {
                return Err(FileRefused::Said {
                    code: "BAD_RECEIPT".to_owned(),
                    message: "The receipt is not signed by the aggregator this node is enrolled with."
                        .to_owned(),
                });
            }
        };
        if proven {
            let repaired = self.replica.read(|reader| Ok(reader.is_marked(Mark::Differs)?))?;
            self.replica.keep_receipt(receipt)?;
            let hash = receipt.hash();
            let work = move |writer: &mut rollcall_store::Writer| writer.note_receipt_by_file(&hash);
            let noted = self.replica.store().write("note receipt by file", work).wait();
            noted.map_err(Error::from)?;
            return Ok(AnswerEnd::Proven {
                receipt: Box::new(receipt.clone()),
                repaired,
            });
        }
        self.replica.mark_differing(true)?;
        if check == ReceiptCheck::NewerEdits {
            return Ok(AnswerEnd::Again(Again::NewerEdits));
        }
        if self.head.whole {
            return Err(FileRefused::Said {
                code: "DIVERGED".to_owned(),
                message: "Both ends still differ though everything went over; nothing was lost. Run verify here and \
                          at the aggregator."
                    .to_owned(),
            });
        }
        Ok(AnswerEnd::Again(Again::DigestMismatch))
    }
}

impl Again {
    /// The name that scripts see.
    pub fn name(self) -> &'static str {
        match self {
            Self::EpochChanged => "epoch_changed",
            Self::NoCursor => "no_cursor",
            Self::ChainMismatch => "chain_mismatch",
            Self::DigestMismatch => "digest_mismatch",
            Self::Incomplete => "incomplete",
            Self::NewerEdits => "newer_edits",
            Self::Overtaken => "overtaken",
        }
    }
}
