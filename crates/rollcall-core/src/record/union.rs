//! A grassroots union as a record, its events and units outside the register.

use serde::{Deserialize, Serialize};

use super::Withdrawn;
use crate::date::PartialDate;
use crate::id::FederationId;
use crate::term::{Source, UnionEvent, UnionForm};

record! {
    /// A grassroots union.
    #[derive(Default)]
    UnionRecord {
        /// Own name of the record.
        #[serde(default)]
        id: Option<String>,
        /// Credit code, prefix 81 or 89.
        #[serde(default)]
        code: Option<String>,
        /// Name.
        #[serde(default)]
        name: Option<String>,
        /// Form.
        #[serde(default)]
        form: Option<UnionForm>,
        /// The federation that approves it.
        #[serde(default)]
        higher_union: Option<FederationId>,
        /// The employer of an own union: code, record id or document id.
        #[serde(default)]
        organisation: Option<String>,
        /// Level of the area of a village, zone or township union.
        #[serde(default)]
        area_level: Option<String>,
        /// Why the record was closed as a mistake; it is in no figure from then on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mistaken: Option<String>,
        /// Whether the chair is full-time (T6).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full_time_chair: Option<bool>,
        /// Whether there is a women workers' committee (T15).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        womens_committee: Option<bool>,
        /// Units outside the register, by date.
        #[serde(default)]
        other_units: Vec<OtherUnitsEntry>,
        /// What happened to it.
        #[serde(default)]
        events: Vec<UnionEventEntry>,
    }
}

entry! {
    /// How many units outside the register it covers.
    OtherUnitsEntry {
        /// Date of the figure.
        on: PartialDate,
        /// How many.
        count: u32,
    }
}

entry! {
    /// Something that happened to a union.
    UnionEventEntry {
        /// What.
        event: UnionEvent,
        /// When.
        on: PartialDate,
        /// 0 the founding, 1 the first re-election and so on.
        #[serde(default)]
        cycle: u32,
        /// Number of the approval.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<String>,
        /// Approving federation where it is not the higher union.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<FederationId>,
        /// Term of the committee, years.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        term_years: Option<u32>,
        /// New last day of an extended term.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<PartialDate>,
        /// Months by which a term is extended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        months: Option<u32>,
    }
}
