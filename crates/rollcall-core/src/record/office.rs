//! What offices above write: same-as, the directory of federations, the campaign.

use serde::{Deserialize, Serialize};

use super::Withdrawn;
use crate::date::PartialDate;
use crate::id::{DocumentKind, FederationId};
use crate::term::{Level, Source};

record! {
    /// Two documents that are one thing since a date.
    SameAsRecord {
        /// One: code, record id or document id.
        a: String,
        /// The other.
        b: String,
        /// What they are; organisations unless said.
        #[serde(default = "organisation", skip_serializing_if = "is_organisation")]
        of: DocumentKind,
        /// Since when.
        #[serde(default)]
        from: Option<PartialDate>,
        /// Last day.
        #[serde(default)]
        until: Option<PartialDate>,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
        /// Taken back: both stand alone again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        withdrawn: Option<Withdrawn>,
        /// Federation that says so; the writer's unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        federation: Option<FederationId>,
    }
}

fn organisation() -> DocumentKind {
    DocumentKind::Organisation
}

fn is_organisation(kind: &DocumentKind) -> bool {
    *kind == DocumentKind::Organisation
}

record! {
    /// A federation in the directory; each version of it valid from a date to a date.
    FederationRecord {
        /// Division code and line.
        code: FederationId,
        /// Industrial line.
        #[serde(default)]
        line: Option<String>,
        /// Name.
        name: String,
        /// Level.
        level: Level,
        /// Federation above.
        #[serde(default)]
        parent: Option<FederationId>,
        /// First day.
        #[serde(default)]
        from: Option<PartialDate>,
        /// Last day.
        #[serde(default)]
        until: Option<PartialDate>,
        /// Expected to report even without organisations.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        active: Option<bool>,
    }
}

record! {
    /// The campaign's switches, deadlines and targets; what is not given keeps its default.
    CampaignRecord {
        /// Own name of the record.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Version, counted up by the national office.
        #[serde(default)]
        version: Option<u32>,
        /// Whether an organiser alone covers.
        #[serde(default)]
        organiser_counts: Option<bool>,
        /// Whether clinics count as hospitals.
        #[serde(default)]
        clinics_are_hospitals: Option<bool>,
        /// Whether day nurseries are in scope.
        #[serde(default)]
        nurseries_in_scope: Option<bool>,
        /// Months a term may be overdue in the strict rate.
        #[serde(default)]
        grace_months: Option<u32>,
        /// Months a new unit has until V15 asks (T17).
        #[serde(default)]
        deadline_months: Option<u32>,
        /// Female members from which a committee is due (T15).
        #[serde(default)]
        womens_committee_from: Option<u32>,
        /// Targets.
        #[serde(default)]
        targets: Vec<TargetEntry>,
    }
}

entry! {
    /// A target.
    TargetEntry {
        /// Its date.
        on: PartialDate,
        /// Percent of the eligible.
        percent: u32,
    }
}
