//! Answers to questions for figures, shaped like the JSON of `cli.md` Figures.
//! Owns keys and their order; the numbers are computed in `rollcall-stats`. Dimensions, rates, the table of rows and
//! subsidies have files of their own.

mod counts;
mod dimension;
mod rate;
mod subsidies;
mod table;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::campaign::Settings;
use crate::date::Day;

pub use counts::{RowCounts, Share, ShareBounds};
pub use dimension::{Dimension, RowKey};
pub use rate::{BoundedRate, MembershipRate, Rate};
pub use subsidies::{SubsidiesAnswer, SubsidiesRow, SubsidyDimension, SubsidyFigures, Transit};
pub use table::{FiguresRow, FiguresTable, PlacePart, ProfilePart, Rows, TableRow, Text};

/// Unions by form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct UnionCounts {
    /// Of one employer.
    pub own: u64,
    /// Of two or more.
    pub joint: u64,
    /// Regional and industry federations.
    pub federation: u64,
}

/// Whose answer a figure rests on (edge rule 13).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Completeness {
    /// Federations that should answer.
    pub scopes_expected: u64,
    /// Of them, heard after the as-of date.
    pub scopes_heard: u64,
    /// Of them, without an enrolled writer.
    pub scopes_without_node: u64,
    /// Organisations in scope whose federation has not been heard.
    pub organisations_unheard: u64,
    /// When the longest silent of those ever heard was last heard.
    #[serde(serialize_with = "utc")]
    pub oldest_heard: Option<i64>,
}

fn utc<S: Serializer>(unix_ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match unix_ms.and_then(utc_text) {
        Some(text) => serializer.serialize_some(&text),
        None => serializer.serialize_none(),
    }
}

/// A moment as `2025-01-03T02:11:09Z`.
pub fn utc_text(unix_ms: i64) -> Option<String> {
    let moment = time::OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1000)).ok()?;
    let (date, time) = (moment.date(), moment.time());
    Some(format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    ))
}

/// Up to which position of the aggregator's log an answer knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownAt {
    /// Position.
    pub position: u64,
    /// When it was committed, RFC 3339.
    pub time: Option<String>,
    /// Own edits worked in that have no receipt yet.
    pub unsent: u64,
}

/// The switches in force, as a figure states them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingsInForce {
    /// Version of the campaign's document; 0: defaults.
    pub campaign: u32,
    /// Organisers cover.
    pub organiser_counts: bool,
    /// Clinics are hospitals.
    pub clinics_are_hospitals: bool,
    /// Nurseries are in scope.
    pub nurseries_in_scope: bool,
    /// Months of grace in the strict rate.
    pub grace_months: u32,
}

impl From<&Settings> for SettingsInForce {
    fn from(settings: &Settings) -> Self {
        Self {
            campaign: settings.campaign,
            organiser_counts: settings.organiser_counts,
            clinics_are_hospitals: settings.clinics_are_hospitals,
            nurseries_in_scope: settings.nurseries_in_scope,
            grace_months: settings.grace_months,
        }
    }
}

/// The figures of one row or of the total.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Figures {
    /// Organisations in scope and registered.
    pub in_scope: u64,
    /// Of them, not excluded.
    pub eligible: u64,
    /// Of those, covered.
    pub covered: u64,
    /// The headline.
    pub establishment_rate: BoundedRate,
    /// On all identified organisations.
    pub identified_rate: BoundedRate,
    /// Without overdue terms.
    pub strict_rate: BoundedRate,
    /// Over the covered.
    pub membership_rate: MembershipRate,
    /// Over all eligible.
    pub membership_rate_all: MembershipRate,
    /// By reason.
    pub excluded: BTreeMap<&'static str, u64>,
    /// Organisations with an exclusion that is only proposed.
    pub exclusions_pending: u64,
    /// By reason, those held included: with `in_scope` every record of the row once.
    pub out_of_scope: BTreeMap<&'static str, u64>,
    /// Held for clarification: no valid code, `NO_CODE` in `out_of_scope`.
    pub held: u64,
    /// In scope with unknown registration date.
    pub date_unknown: u64,
    /// Links of organisations in scope to unions that are not held here.
    pub unresolved_links: u64,
    /// Covered eligible units that the strict rate counts only because the term of a union is unknown.
    pub term_unknown: u64,
    /// Distinct unions that cover eligible organisations of the row.
    pub unions: UnionCounts,
    /// Every established union of the row's area; `None` where rows or filters go by something else than places, which
    /// a union does not have.
    pub unions_all: Option<UnionCounts>,
    /// Organisations that may be of the row and about which something waits for a decision: a field of their documents
    /// with several values, sources that differ about the day, or more than one way to count.
    pub open_conflicts: u64,
    /// The registration authority's own number, where one is recorded.
    pub frame: Option<u64>,
    /// Whose answers these are.
    pub completeness: Completeness,
}

/// The total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FiguresTotal {
    /// Group B in full, with those that are in A too.
    pub group_b_all: Rate,
    /// The numbers.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A target and whether it was met on its date. After the last target its line is checked at every month end up to the
/// as-of date (edge rule 12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetVerdict {
    /// Its date.
    pub date: Day,
    /// Percent.
    pub percent: u32,
    /// Covered on its date; `None` where the date is after the as-of date.
    pub numerator: Option<u64>,
    /// Eligible on its date.
    pub denominator: Option<u64>,
    /// Whether it is met; `None` without data or before its date.
    pub met: Option<bool>,
    /// For the low bound.
    pub low_met: Option<bool>,
    /// For the high bound.
    pub high_met: Option<bool>,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FiguresAnswer {
    /// The day it describes.
    pub as_of: Day,
    /// What it knows; filled in by the caller.
    pub known_at: Option<KnownAt>,
    /// Switches in force.
    pub settings: SettingsInForce,
    /// Dimensions of the rows.
    #[serde(serialize_with = "names")]
    pub by: Vec<Dimension>,
    /// Rows in stable order.
    pub rows: FiguresTable,
    /// All rows together.
    pub total: FiguresTotal,
    /// Targets, each on its own date.
    pub targets: Vec<TargetVerdict>,
    /// Present while an aggregator that was restored has not heard everybody; filled in by the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebuilding: Option<Rebuilding>,
}

/// An aggregator that was restored: what came after the backup may be missing from its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rebuilding {
    /// The backup reaches to this moment, RFC 3339.
    pub since: Option<String>,
    /// Peers that have not been heard since.
    pub missing: u64,
}

fn names<S: Serializer>(by: &[Dimension], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(by.iter().map(|dimension| dimension.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(
            utc_text(1_735_870_269_123).as_deref(),
            Some("2025-01-03T02:11:09Z")
        );
    }
}
