//! Answers to questions for figures, shaped like the JSON of `cli.md` Figures.
//! Owns keys and their order; the numbers are computed in `rollcall-stats`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::amount::Fen;
use crate::campaign::Settings;
use crate::date::Day;
use crate::ratio::Ratio;

/// By what a table of establishment figures may be split or filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Province of the responsible federation.
    Province,
    /// Its prefecture.
    Prefecture,
    /// Its county.
    County,
    /// The responsible federation itself.
    Federation,
    /// Kind, by the code's prefix.
    Kind,
    /// Category.
    Category,
    /// Group A, then group B.
    Group,
    /// Registration level.
    Level,
    /// How it is covered.
    Form,
    /// Stage of founding.
    Stage,
    /// Band of the number of workers.
    Size,
}

impl Dimension {
    /// Every dimension.
    pub const ALL: [Self; 11] = [
        Self::Province,
        Self::Prefecture,
        Self::County,
        Self::Federation,
        Self::Kind,
        Self::Category,
        Self::Group,
        Self::Level,
        Self::Form,
        Self::Stage,
        Self::Size,
    ];

    /// The name on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::Prefecture => "prefecture",
            Self::County => "county",
            Self::Federation => "federation",
            Self::Kind => "kind",
            Self::Category => "category",
            Self::Group => "group",
            Self::Level => "level",
            Self::Form => "form",
            Self::Stage => "stage",
            Self::Size => "size",
        }
    }

    /// The dimension of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }

    /// Whether it depends on the responsible federation alone.
    pub const fn is_place(self) -> bool {
        matches!(
            self,
            Self::Province | Self::Prefecture | Self::County | Self::Federation
        )
    }
}

/// Key of a row: each dimension asked for with its value, `None` for the remainder row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RowKey(pub Vec<(Dimension, Option<Cow<'static, str>>)>);

impl RowKey {
    /// The value of a dimension, if it is part of the key and no remainder.
    pub fn value(&self, dimension: Dimension) -> Option<&str> {
        self.0
            .iter()
            .find(|(of, _)| *of == dimension)
            .and_then(|(_, value)| value.as_deref())
    }
}

impl Serialize for RowKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(dimension, value)| (dimension.name(), value)))
    }
}

/// A rate, which shows its percentage wherever it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Counted at the least favourable where conflicts are open.
    pub ratio: Ratio,
}

impl Rate {
    /// Two decimals, half up; `None`: no data.
    pub fn percent(&self) -> Option<String> {
        self.ratio.percent_half_up()
    }
}

impl From<Ratio> for Rate {
    fn from(ratio: Ratio) -> Self {
        Self { ratio }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rate = serializer.serialize_struct("Rate", 3)?;
        rate.serialize_field("numerator", &self.ratio.numerator)?;
        rate.serialize_field("denominator", &self.ratio.denominator)?;
        rate.serialize_field("percent", &self.percent())?;
        rate.end()
    }
}

/// A rate and the least and most it can be, whichever way open conflicts are settled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BoundedRate {
    /// The figure, which is its own low bound.
    #[serde(flatten)]
    pub rate: Rate,
    /// The least.
    pub low: Ratio,
    /// The most.
    pub high: Ratio,
}

impl BoundedRate {
    /// From both bounds.
    pub fn new(low: Ratio, high: Ratio) -> Self {
        Self {
            rate: low.into(),
            low,
            high,
        }
    }
}

/// Members over workers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct MembershipRate {
    /// Members over workers of the units counted.
    #[serde(flatten)]
    pub rate: Rate,
    /// Covered units left out because their members are not known.
    pub units_unknown: u64,
}

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

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FiguresRow {
    /// Which.
    pub key: RowKey,
    /// Its name for a reader.
    pub name: String,
    /// Date of the row, in a series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Day>,
    /// The numbers.
    #[serde(flatten)]
    pub figures: Figures,
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
    pub rows: Vec<FiguresRow>,
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

/// By what a table of subsidies may be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubsidyDimension {
    /// Kind of the subsidy.
    Kind,
    /// Province of the payer.
    Province,
    /// The payer.
    Federation,
    /// Province of the payee.
    PayeeArea,
    /// Month of the booking.
    Month,
    /// State of the case at the end of the period.
    State,
}

impl SubsidyDimension {
    /// Every dimension.
    pub const ALL: [Self; 6] = [
        Self::Kind,
        Self::Province,
        Self::Federation,
        Self::PayeeArea,
        Self::Month,
        Self::State,
    ];

    /// The name on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Province => "province",
            Self::Federation => "federation",
            Self::PayeeArea => "payee_area",
            Self::Month => "month",
            Self::State => "state",
        }
    }

    /// The dimension of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }
}

/// Subsidy totals of one row (`domain.md` 7).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SubsidyFigures {
    /// Federations' own money.
    pub set_aside_fen: Fen,
    /// From federations above.
    pub received_fen: Fen,
    /// To federations below.
    pub passed_down_fen: Fen,
    /// Passed down or returned, and not yet received at the other side.
    pub in_transit_fen: Fen,
    /// Promised, by approval date, less what was cancelled or reversed by the period's end.
    pub approved_fen: Fen,
    /// Every payment made, duplicates included.
    pub disbursed_fen: Fen,
    /// Paid back.
    pub recovered_fen: Fen,
    /// The part of the payments that went to duplicates.
    pub duplicate_fen: Fen,
    /// Paid, less recovered, less duplicates not yet recovered: paid less recovered over cases that are no duplicates.
    pub net_fen: Fen,
    /// Promised and not yet paid, at the period's end, of all years.
    pub outstanding_fen: Fen,
    /// The part of the payments that went to federations.
    pub to_federations_fen: Fen,
    /// Cases of which something was booked in the period or is outstanding at its end.
    pub cases: u64,
    /// Distinct payees of payments of the period that stand at its end.
    pub payees: u64,
}

/// One row of subsidies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubsidiesRow {
    /// Dimension and value; empty for a table that is not split.
    #[serde(serialize_with = "subsidy_key")]
    pub key: Option<(SubsidyDimension, Option<String>)>,
    /// Its name for a reader.
    pub name: String,
    /// The numbers.
    #[serde(flatten)]
    pub figures: SubsidyFigures,
}

fn subsidy_key<S: Serializer>(
    key: &Option<(SubsidyDimension, Option<String>)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(usize::from(key.is_some())))?;
    if let Some((dimension, value)) = key {
        map.serialize_entry(dimension.name(), value)?;
    }
    map.end()
}

/// The whole answer on subsidies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SubsidiesAnswer {
    /// First day of the period; `None`: from the beginning.
    pub from: Option<Day>,
    /// Last day of the period; `None`: to the end.
    pub to: Option<Day>,
    /// What it knows; filled in by the caller.
    pub known_at: Option<KnownAt>,
    /// The dimension of the rows.
    #[serde(serialize_with = "subsidy_names")]
    pub by: Option<SubsidyDimension>,
    /// Rows in stable order.
    pub rows: Vec<SubsidiesRow>,
    /// All rows together.
    pub total: SubsidyFigures,
    /// Transfers between federations that the other side has not booked, pair by pair.
    pub in_transit: Vec<Transit>,
}

fn subsidy_names<S: Serializer>(by: &Option<SubsidyDimension>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(by.iter().map(|dimension| dimension.name()))
}

/// One transfer that one side has booked and the other has not, or not in full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Transit {
    /// Id shared by both sides; `None` where none was given.
    pub transfer: Option<String>,
    /// Giver, where it has booked or the taker names it.
    pub from: Option<String>,
    /// Taker.
    pub to: Option<String>,
    /// Given less taken.
    pub amount_fen: Fen,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_rate_reads_like_the_contract() {
        let rate = BoundedRate::new(Ratio::new(6, 7), Ratio::new(7, 7));
        let json = serde_json::to_string(&rate).expect("plain data");
        assert_eq!(
            json,
            r#"{"numerator":6,"denominator":7,"percent":"85.71","low":{"numerator":6,"denominator":7},"high":{"numerator":7,"denominator":7}}"#
        );
        let none = serde_json::to_string(&Rate::from(Ratio::default())).expect("plain data");
        assert_eq!(none, r#"{"numerator":0,"denominator":0,"percent":null}"#);
    }

    #[test]
    fn a_remainder_row_has_a_null_key() {
        let key = RowKey(vec![
            (Dimension::Province, Some("330000".into())),
            (Dimension::Prefecture, None),
        ]);
        assert_eq!(
            serde_json::to_string(&key).expect("plain data"),
            r#"{"province":"330000","prefecture":null}"#
        );
    }

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(
            utc_text(1_735_870_269_123).as_deref(),
            Some("2025-01-03T02:11:09Z")
        );
    }

    #[test]
    fn amounts_beyond_64_bits_stay_integers() {
        let amount = Fen(i128::from(i64::MAX) * 4);
        assert_eq!(
            serde_json::to_string(&amount).expect("plain data"),
            "36893488147419103228"
        );
    }
}
