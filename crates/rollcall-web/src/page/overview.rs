//! The national overview: the headline against its target, the provinces with their completeness, the subsidies.
//! Owns the view; also serves a province or prefecture, whose rows are then its parts.

use askama::Template;
use rollcall_core::date::Day;
use serde::Deserialize;

use crate::figure::{Completeness, Figure, FigureLine, Share, Target};
use crate::layout::{Badge, Frame, Tone};
use crate::locale::Locale;
use crate::trend::Trend;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "overview.html")]
pub struct Overview {
    /// What stands around it.
    pub frame: Frame,
    /// Name of the area the figures are for: 全国, 浙江省.
    pub area: String,
    /// The establishment rate.
    pub headline: Figure,
    /// Identified, strict, group A, group B, membership: each a pair.
    pub lines: Vec<FigureLine>,
    /// Every target of the campaign, by date.
    pub targets: Vec<Target>,
    /// The day asked for; stands in the form.
    pub as_of: Day,
    /// The log position asked for; `None` for the present one.
    pub known_at: Option<u64>,
    /// What needs a look: double claims, conflicts and the like; may be empty.
    pub notes: Vec<OverviewNote>,
    /// The headline at the month ends before.
    pub trend: Trend,
    /// One row per part of the area, remainder rows included, so that they add up to `total`.
    pub areas: Vec<AreaRow>,
    /// In which order they stand.
    pub order: AreaOrder,
    /// The same page in the order of the areas, and in that of their rates.
    pub order_hrefs: (String, String),
    /// The whole.
    pub total: AreaRow,
    /// How many organisations stand at each stage, in the order of the work.
    pub stages: Vec<StageRow>,
    /// One row per kind of subsidy.
    pub subsidies: Vec<SubsidyRow>,
    /// The sum of them.
    pub subsidy_total: SubsidyRow,
    /// The federations' own money and where it is.
    pub funds: FundSums,
    /// First and last day of the subsidies' period.
    pub period: (Day, Day),
}

impl Overview {
    /// The rows that are tiles of the map: provinces by their code.
    pub fn tiles(&self) -> impl Iterator<Item = (&str, &AreaRow)> {
        self.areas
            .iter()
            .filter_map(|row| Some((row.code.as_deref()?.strip_suffix("0000")?, row)))
    }

    /// The largest number of a stage, for the bars.
    pub fn stage_max(&self) -> u64 {
        self.stages
            .iter()
            .map(|stage| stage.organisations)
            .max()
            .unwrap_or(0)
    }
}

/// Order of the table of areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AreaOrder {
    /// As the divisions are listed.
    #[default]
    Area,
    /// The highest rate first; without data last.
    Rate,
}

impl AreaOrder {
    /// Orders rows that stand by area, on exact integers. Remainder rows stay behind the areas.
    pub fn sort(self, rows: &mut [AreaRow]) {
        if self == Self::Rate {
            rows.sort_by(|one, other| {
                let place = |row: &AreaRow| (row.code.is_none(), row.rate.denominator == 0);
                let product =
                    |one: Share, other: Share| u128::from(one.numerator) * u128::from(other.denominator);
                place(one)
                    .cmp(&place(other))
                    .then_with(|| product(other.rate, one.rate).cmp(&product(one.rate, other.rate)))
            });
        }
    }
}

/// One area of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaRow {
    /// Division code; `None` for a remainder row such as "province direct" and for the total.
    pub code: Option<String>,
    /// Its name.
    pub name: String,
    /// Where it is taken apart.
    pub href: Option<String>,
    /// Organisations in scope and registered.
    pub in_scope: u64,
    /// Covered among eligible.
    pub rate: Share,
    /// Whether the target of the day is met, judged on exact integers; `None` without a target or without data.
    pub met: Option<bool>,
    /// Organisations with an open conflict that touches the figure.
    pub open_conflicts: u64,
    /// Whose answers it holds; `None` where it is not known any more.
    pub completeness: Option<Completeness>,
}

/// Ends of names that say what kind of area it is; the longest first.
const AREA_ENDINGS: [&str; 6] = ["维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "省", "市"];

impl AreaRow {
    /// The name without its ending, for a tile: 浙江, 内蒙古.
    pub fn short_name(&self) -> &str {
        AREA_ENDINGS
            .iter()
            .find_map(|ending| self.name.strip_suffix(ending))
            .unwrap_or(&self.name)
    }

    /// Whether its scopes were heard, in words.
    pub fn heard_badge(&self, locale: &Locale) -> Badge {
        let Some(completeness) = self.completeness else {
            return Badge::new(Tone::Plain, "—");
        };
        let count = |scopes: u64| locale.number(scopes);
        let (heard, expected) = (completeness.scopes_heard, completeness.scopes_expected);
        let heard = format!("{}\u{a0}/\u{a0}{}", count(heard), count(expected));
        let tone = match completeness {
            Completeness {
                scopes_expected: 0, ..
            } => return Badge::new(Tone::Plain, locale.text("figure.no_data")),
            completeness if completeness.is_complete() => Tone::Good,
            Completeness { scopes_heard: 0, .. } => Tone::Attention,
            _ => Tone::Waiting,
        };
        Badge::new(tone, heard)
    }
}

/// Something to look at, with the list behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverviewNote {
    /// How pressing.
    pub tone: Tone,
    /// The sentence, in the reader's language.
    pub text: String,
    /// The list.
    pub href: String,
}

/// One step of founding a union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageRow {
    /// Name of the stage, such as `elected`.
    pub stage: &'static str,
    /// Organisations that stand there.
    pub organisations: u64,
    /// The list behind it, where there is one.
    pub href: Option<String>,
}

impl StageRow {
    /// Length of its bar in percent of the longest.
    pub fn bar(&self, longest: &u64) -> String {
        Share::new(self.organisations, *longest).bar()
    }
}

/// Sums of one kind of subsidy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubsidyRow {
    /// Name of the kind, such as `fixed_subsidy`; empty for the total.
    pub kind: &'static str,
    /// Cases.
    pub cases: u64,
    /// Distinct payees.
    pub payees: u64,
    /// Promised, fen.
    pub approved_fen: i128,
    /// Every payment made, duplicates included, fen.
    pub disbursed_fen: i128,
    /// Paid back, fen.
    pub recovered_fen: i128,
    /// Paid twice for one thing, fen.
    pub duplicate_fen: i128,
    /// Disbursed less recovered and less duplicates not yet recovered, fen.
    pub net_fen: i128,
    /// Promised and not yet paid, fen.
    pub outstanding_fen: i128,
}

/// The federations' special funds over the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FundSums {
    /// The federations' own money, fen.
    pub set_aside_fen: i128,
    /// Handed to federations below, fen.
    pub passed_down_fen: i128,
    /// Come in from federations above, fen.
    pub received_fen: i128,
    /// Handed on and not yet recorded as received, fen.
    pub in_transit_fen: i128,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, heard: u64, expected: u64) -> AreaRow {
        AreaRow {
            code: None,
            name: name.to_owned(),
            href: None,
            in_scope: 0,
            rate: Share::default(),
            met: None,
            open_conflicts: 0,
            completeness: Some(Completeness {
                scopes_heard: heard,
                scopes_expected: expected,
                ..Completeness::default()
            }),
        }
    }

    #[test]
    fn heard_badge_has_a_tone_for_all_some_and_none() {
        let cases = [
            ((17, 17), Tone::Good, "17\u{a0}/\u{a0}17"),
            ((2882, 3209), Tone::Waiting, "2,882\u{a0}/\u{a0}3,209"),
            ((0, 122), Tone::Attention, "0\u{a0}/\u{a0}122"),
            ((0, 0), Tone::Plain, "no data"),
        ];
        for ((heard, expected), tone, text) in cases {
            assert_eq!(
                row("x", heard, expected).heard_badge(&Locale::English),
                Badge::new(tone, text)
            );
        }
    }

    #[test]
    fn ranking_is_exact_and_leaves_remainders_behind() {
        let place = |code: Option<&str>, numerator, denominator| AreaRow {
            code: code.map(str::to_owned),
            rate: Share::new(numerator, denominator),
            ..row("x", 0, 0)
        };
        let mut rows = vec![
            place(Some("1"), 84_996, 100_000),
            place(Some("2"), 0, 0),
            place(Some("3"), 85, 100),
            place(None, 9, 9),
            place(Some("4"), 0, 5),
        ];
        let before = rows.clone();
        AreaOrder::Area.sort(&mut rows);
        assert_eq!(rows, before);
        AreaOrder::Rate.sort(&mut rows);
        let codes: Vec<_> = rows
            .iter()
            .map(|row| row.code.as_deref().unwrap_or("-"))
            .collect();
        assert_eq!(codes, ["3", "1", "4", "2", "-"]);
    }

    #[test]
    fn tile_shows_the_name_without_its_ending() {
        let cases = [
            ("浙江省", "浙江"),
            ("北京市", "北京"),
            ("广西壮族自治区", "广西"),
            ("内蒙古自治区", "内蒙古"),
            ("直管", "直管"),
        ];
        for (name, short) in cases {
            assert_eq!(row(name, 0, 0).short_name(), short);
        }
    }
}
