//! The end of a node's session: the receipt, what its check leads to, and what is owed before one is asked for.
//! Owns how often a difference is repaired and a receipt may lag behind; frames and batches are left to `client`.
//! A session ends as equal only through `ReceiptCheck::Equal`, or `InSync` without a receipt.

use crate::limits::{RECEIPTS_BEHIND_MAX, REPAIRS_MAX};
use crate::message::{ClientFrame, RepairReason};

use super::{ClientEffect, ClientSession, Owed, ReceiptCheck, SessionEnd};

impl ClientSession {
    /// After a verdict of repair: digests once everything that was sent is answered, the receipt once everything is sent.
    pub(super) fn do_what_is_owed(&mut self) {
        let sent = self.up_drained && !self.up_loading;
        let answered = self.in_flight == 0 && self.storing == 0 && self.applying == 0;
        match self.owed {
            Some(Owed::Repair) if sent && answered => {
                self.owed = None;
                self.effects.push_back(ClientEffect::Repair);
            }
            Some(Owed::Receipt) if sent => {
                self.owed = None;
                self.want_receipt();
            }
            Some(Owed::Repair | Owed::Receipt) | None => {}
        }
    }

    pub(super) fn handle_check(&mut self, check: ReceiptCheck) {
        self.checking = false;
        match check {
            // What is kept apart of a document says nothing about its other changes: one of them may not have come.
            ReceiptCheck::Equal if !self.doubtful.is_empty() && !self.doubtful_compared => {
                self.doubtful_compared = true;
                let doubtful = std::mem::take(&mut self.doubtful);
                self.effects.push_back(ClientEffect::CompareDoubtful(doubtful));
            }
            ReceiptCheck::Equal if self.sums_differ && !self.changed => {
                self.sums_differ = false;
                // What the gate here refused is why the sums differ; they are right.
                if self.repair.is_none() && self.apart.is_empty() {
                    self.effects.push_back(ClientEffect::Recount);
                }
                self.handle_check(ReceiptCheck::Equal);
            }
            ReceiptCheck::Equal => self.settle(match (self.repair, self.changed) {
                (Some(reason), _) => SessionEnd::Repaired(reason),
                (None, true) => SessionEnd::CaughtUp,
                (None, false) => SessionEnd::InSync,
            }),
            ReceiptCheck::NewerEdits if self.behind < RECEIPTS_BEHIND_MAX => {
                // What is on its way was not there yet when the receipt was made.
                if self.in_flight == 0 && !self.up_loading {
                    self.behind += 1;
                }
                self.up_drained = false;
                self.load_more();
            }
            // Everything was sent and answered, and yet it is not held there: one more round would be like the last.
            ReceiptCheck::NewerEdits => self.handle_check(ReceiptCheck::Different),
            ReceiptCheck::Different if self.repairs < REPAIRS_MAX => {
                self.repairs += 1;
                self.repair.get_or_insert(RepairReason::DigestMismatch);
                self.effects.push_back(ClientEffect::Repair);
            }
            ReceiptCheck::Different => self.finish(SessionEnd::Diverged),
            ReceiptCheck::Bad => self.finish(SessionEnd::Refused {
                code: "BAD_RECEIPT".to_owned(),
                message: "The receipt is not signed by the aggregator this node is enrolled with.".to_owned(),
            }),
        }
    }

    pub(super) fn check_receipt(&mut self) {
        if self.storing > 0 || self.applying > 0 || self.checking {
            return;
        }
        if let Some(receipt) = self.receipt.take() {
            self.checking = true;
            self.doubtful.clone_from(&receipt.quarantined);
            self.effects.push_back(ClientEffect::CheckReceipt(receipt));
        }
    }

    pub(super) fn want_receipt(&mut self) {
        let apart = self.apart.clone();
        self.send(ClientFrame::WantReceipt { apart });
    }
}
