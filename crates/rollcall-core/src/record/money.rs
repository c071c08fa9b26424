//! Special funds and subsidy cases as records, with their ledgers.

use serde::{Deserialize, Serialize};

use super::Withdrawn;
use crate::date::PartialDate;
use crate::id::FederationId;
use crate::term::{FundEntryKind, Source, SubsidyEntryKind, SubsidyKind};

record! {
    /// A federation's special fund of one year.
    FundRecord {
        /// Own name of the record.
        #[serde(default)]
        id: Option<String>,
        /// Whose.
        federation: FederationId,
        /// Calendar year.
        year: i32,
        /// Ledger.
        #[serde(default)]
        entries: Vec<FundEntry>,
    }
}

entry! {
    /// One movement of a fund.
    FundEntry {
        /// Which.
        entry: FundEntryKind,
        /// Booking date.
        on: PartialDate,
        /// Fen, above 0.
        amount_fen: i64,
        /// The other federation of a transfer.
        #[serde(default)]
        counterparty: Option<FederationId>,
        /// Id shared by both sides of a transfer.
        #[serde(default)]
        transfer: Option<String>,
        /// The entry that a reversal cancels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
    }
}

record! {
    /// One subsidy case.
    SubsidyRecord {
        /// Own name of the record.
        #[serde(default)]
        id: Option<String>,
        /// The payer.
        federation: FederationId,
        /// Who gets it: a union.
        #[serde(default)]
        payee_union: Option<String>,
        /// Who gets it: a federation.
        #[serde(default)]
        payee_federation: Option<FederationId>,
        /// Which kind.
        kind: SubsidyKind,
        /// Rule of a fixed subsidy.
        #[serde(default)]
        rule: Option<String>,
        /// Period of a fixed subsidy.
        #[serde(default)]
        period: Option<String>,
        /// The fund it is paid from.
        #[serde(default)]
        fund: Option<String>,
        /// Heads of the facts it was computed from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        basis: Option<String>,
        /// Ledger.
        #[serde(default)]
        entries: Vec<SubsidyEntry>,
    }
}

entry! {
    /// One step or payment of a case.
    SubsidyEntry {
        /// Which.
        entry: SubsidyEntryKind,
        /// Approval or booking date.
        on: PartialDate,
        /// Fen, above 0 where money moves.
        #[serde(default)]
        amount_fen: i64,
        /// The entry that a reversal cancels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// Reason of a rejection, cancellation or reversal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
}
