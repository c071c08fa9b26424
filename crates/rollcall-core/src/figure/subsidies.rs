//! Answers to questions for subsidies (`domain.md` 7). Owns their shape; the totals are computed in `rollcall-stats`.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::amount::Fen;
use crate::date::Day;

use super::KnownAt;

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
    fn amounts_beyond_64_bits_stay_integers() {
        let amount = Fen(i128::from(i64::MAX) * 4);
        assert_eq!(
            serde_json::to_string(&amount).expect("plain data"),
            "36893488147419103228"
        );
    }
}
