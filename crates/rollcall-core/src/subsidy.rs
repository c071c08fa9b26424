//! Ledger rules of subsidies and funds (`domain.md` 7): what each entry moves and when, reversals worked in, the
//! state of a case at a date, and the balance of a fund. Entries are never changed; every movement counts on the
//! day of the entry that makes it, so a closed year stays as it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::Fen;
use crate::date::Day;
use crate::fact::{FundEntryFact, SubsidyEntryFact};
use crate::term::{FundEntryKind, SubsidyEntryKind};

/// Where a case stands at a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SubsidyState {
    /// Nothing has happened yet.
    Budgeted,
    /// Asked for.
    Applied,
    /// Promised.
    Approved,
    /// Paid, at least in part.
    Disbursed,
    /// Accepted and accounted for.
    Settled,
    /// Paid back in full.
    Recovered,
    /// Refused.
    Rejected,
    /// Dropped.
    Cancelled,
}

impl SubsidyState {
    /// The name in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Budgeted => "BUDGETED",
            Self::Applied => "APPLIED",
            Self::Approved => "APPROVED",
            Self::Disbursed => "DISBURSED",
            Self::Settled => "SETTLED",
            Self::Recovered => "RECOVERED",
            Self::Rejected => "REJECTED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// A column of a case that a movement changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseColumn {
    /// Promised, less cancellations and reversals.
    Approved,
    /// Paid.
    Disbursed,
    /// Paid back.
    Recovered,
}

/// A signed change of a column on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement<C> {
    /// The day it counts on.
    pub on: Day,
    /// What it changes.
    pub column: C,
    /// Signed.
    pub amount: Fen,
}

/// The movements of a case in order of day. A reversal takes back the whole amount of the entry it names, once.
/// A cancellation takes back its amount, or, without one, all that is approved by then.
pub fn case_movements(entries: &[SubsidyEntryFact]) -> Vec<Movement<CaseColumn>> {
    let mut sorted: Vec<&SubsidyEntryFact> = entries.iter().collect();
    sorted.sort_by_key(|entry| (entry.on, entry.entry, &entry.id));
    let mut reversed: Vec<&str> = Vec::new();
    let mut approved = Fen::ZERO;
    let mut movements = Vec::new();
    for entry in sorted {
        let amount = Fen::from(entry.amount_fen);
        let (column, amount) = match entry.entry {
            SubsidyEntryKind::Approved => (CaseColumn::Approved, amount),
            SubsidyEntryKind::Disbursed => (CaseColumn::Disbursed, amount),
            SubsidyEntryKind::Recovered => (CaseColumn::Recovered, amount),
            SubsidyEntryKind::Cancelled => {
                let taken = if amount == Fen::ZERO { approved } else { amount };
                (CaseColumn::Approved, Fen::ZERO.minus(taken))
            }
            SubsidyEntryKind::Reversal => {
                let Some(target) = entries.iter().find(|known| Some(&known.id) == entry.of.as_ref()) else {
                    continue;
                };
                if reversed.contains(&target.id.as_str()) {
                    continue;
                }
                let column = match target.entry {
                    SubsidyEntryKind::Approved => CaseColumn::Approved,
                    SubsidyEntryKind::Disbursed => CaseColumn::Disbursed,
                    SubsidyEntryKind::Recovered => CaseColumn::Recovered,
                    SubsidyEntryKind::Applied
                    | SubsidyEntryKind::Settled
                    | SubsidyEntryKind::Rejected
                    | SubsidyEntryKind::Cancelled
                    | SubsidyEntryKind::Reversal => continue,
                };
                reversed.push(&target.id);
                (column, Fen::ZERO.minus(Fen::from(target.amount_fen)))
            }
            SubsidyEntryKind::Applied | SubsidyEntryKind::Settled | SubsidyEntryKind::Rejected => continue,
        };
        if column == CaseColumn::Approved {
            approved = approved.plus(amount);
        }
        movements.push(Movement {
            on: entry.on,
            column,
            amount,
        });
    }
    movements
}

/// What a case's columns come to over some days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaseSums {
    /// Promised.
    pub approved: Fen,
    /// Paid.
    pub disbursed: Fen,
    /// Paid back.
    pub recovered: Fen,
}

/// Sums of the movements from one day through another.
pub fn case_sums(movements: &[Movement<CaseColumn>], from: Day, to: Day) -> CaseSums {
    let mut sums = CaseSums::default();
    for movement in movements
        .iter()
        .filter(|movement| from <= movement.on && movement.on <= to)
    {
        let column = match movement.column {
            CaseColumn::Approved => &mut sums.approved,
            CaseColumn::Disbursed => &mut sums.disbursed,
            CaseColumn::Recovered => &mut sums.recovered,
        };
        *column = column.plus(movement.amount);
    }
    sums
}

/// The entries up to a day that no reversal up to that day has cancelled.
pub fn standing_entries(entries: &[SubsidyEntryFact], on: Day) -> impl Iterator<Item = &SubsidyEntryFact> {
    let cancelled: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.entry == SubsidyEntryKind::Reversal && entry.on <= on)
        .filter_map(|entry| entry.of.as_deref())
        .collect();
    entries.iter().filter(move |entry| {
        entry.on <= on && entry.entry != SubsidyEntryKind::Reversal && !cancelled.contains(&entry.id.as_str())
    })
}

/// The state of a case at the end of a day.
pub fn state_at(entries: &[SubsidyEntryFact], on: Day) -> SubsidyState {
    let has = |kind| standing_entries(entries, on).any(|entry| entry.entry == kind);
    let sums = case_sums(&case_movements(entries), Day::MIN, on);
    if has(SubsidyEntryKind::Cancelled) {
        SubsidyState::Cancelled
    } else if has(SubsidyEntryKind::Rejected) {
        SubsidyState::Rejected
    } else if sums.disbursed > Fen::ZERO && sums.recovered >= sums.disbursed {
        SubsidyState::Recovered
    } else if has(SubsidyEntryKind::Settled) {
        SubsidyState::Settled
    } else if has(SubsidyEntryKind::Disbursed) {
        SubsidyState::Disbursed
    } else if has(SubsidyEntryKind::Approved) {
        SubsidyState::Approved
    } else if has(SubsidyEntryKind::Applied) {
        SubsidyState::Applied
    } else {
        SubsidyState::Budgeted
    }
}

/// Approved and not yet paid at the end of a day, never below 0; nothing for a cancelled case.
pub fn outstanding_at(entries: &[SubsidyEntryFact], on: Day) -> Fen {
    if state_at(entries, on) == SubsidyState::Cancelled {
        return Fen::ZERO;
    }
    let sums = case_sums(&case_movements(entries), Day::MIN, on);
    sums.approved.minus(sums.disbursed).at_least_zero()
}

/// The day on which a case claims its (rule, union, period), at the end of `on`: its first approval that stands.
/// `None` for cases that are cancelled, rejected or fully reversed, which are never duplicates.
pub fn claims_since(entries: &[SubsidyEntryFact], on: Day) -> Option<Day> {
    if matches!(
        state_at(entries, on),
        SubsidyState::Cancelled | SubsidyState::Rejected
    ) {
        return None;
    }
    let first = |kind| {
        standing_entries(entries, on)
            .filter(|entry| entry.entry == kind)
            .map(|entry| entry.on)
            .min()
    };
    first(SubsidyEntryKind::Approved).or_else(|| first(SubsidyEntryKind::Disbursed))
}

/// The movements of a fund: each kind of entry is its own column, a reversal takes back the entry it names, once.
pub fn fund_movements(entries: &[FundEntryFact]) -> Vec<(Movement<FundEntryKind>, &FundEntryFact)> {
    let mut sorted: Vec<&FundEntryFact> = entries.iter().collect();
    sorted.sort_by_key(|entry| (entry.on, entry.entry, &entry.id));
    let mut reversed: Vec<&str> = Vec::new();
    let mut movements = Vec::new();
    for entry in sorted {
        if entry.entry != FundEntryKind::Reversal {
            let amount = Fen::from(entry.amount_fen);
            movements.push((
                Movement {
                    on: entry.on,
                    column: entry.entry,
                    amount,
                },
                entry,
            ));
            continue;
        }
        let target = entries
            .iter()
            .find(|known| Some(&known.id) == entry.of.as_ref() && known.entry != FundEntryKind::Reversal);
        if let Some(target) = target.filter(|target| !reversed.contains(&target.id.as_str())) {
            reversed.push(&target.id);
            let amount = Fen::ZERO.minus(Fen::from(target.amount_fen));
            movements.push((
                Movement {
                    on: entry.on,
                    column: target.entry,
                    amount,
                },
                target,
            ));
        }
    }
    movements
}

/// What is left of a fund at the end of a day: opening, set aside, received and returned in, less passed down, spent
/// and returned out, less `paid` and plus `recovered` of the cases paid from it (rule 1).
pub fn fund_closing(entries: &[FundEntryFact], cases: CaseSums, on: Day) -> Fen {
    let mut columns: BTreeMap<FundEntryKind, Fen> = BTreeMap::new();
    for (movement, _) in fund_movements(entries) {
        if movement.on <= on {
            let column = columns.entry(movement.column).or_default();
            *column = column.plus(movement.amount);
        }
    }
    let of = |kind| columns.get(&kind).copied().unwrap_or_default();
    let came = [
        FundEntryKind::Opening,
        FundEntryKind::SetAside,
        FundEntryKind::Received,
        FundEntryKind::ReturnedIn,
    ];
    let went = [
        FundEntryKind::PassedDown,
        FundEntryKind::Spent,
        FundEntryKind::ReturnedOut,
    ];
    let came: Fen = came.into_iter().map(of).sum();
    let went: Fen = went.into_iter().map(of).sum();
    came.plus(cases.recovered).minus(went).minus(cases.disbursed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use SubsidyEntryKind::{Applied, Approved, Cancelled, Disbursed, Recovered, Rejected, Reversal};

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    fn entry(
        id: &str,
        entry: SubsidyEntryKind,
        on: &str,
        amount_fen: i64,
        of: Option<&str>,
    ) -> SubsidyEntryFact {
        SubsidyEntryFact {
            id: id.to_owned(),
            entry,
            on: day(on),
            amount_fen,
            by: None,
            of: of.map(str::to_owned),
        }
    }

    #[test]
    fn each_movement_counts_on_its_own_day() {
        let entries = [
            entry("p1", Applied, "2023-11-01", 500, None),
            entry("p2", Approved, "2023-11-05", 500, None),
            entry("p3", Disbursed, "2023-12-20", 300, None),
            entry("p4", Disbursed, "2024-01-10", 200, None),
            entry("p5", Reversal, "2024-02-01", 0, Some("p3")),
            entry("p6", Reversal, "2024-02-02", 0, Some("p3")),
            entry("p7", Recovered, "2024-03-01", 50, None),
        ];
        let movements = case_movements(&entries);
        let sums = |from, to| {
            let sums = case_sums(&movements, day(from), day(to));
            (sums.approved.0, sums.disbursed.0, sums.recovered.0)
        };
        assert_eq!(sums("2023-01-01", "2023-12-31"), (500, 300, 0));
        assert_eq!(sums("2024-01-01", "2024-12-31"), (0, -100, 50));
        assert_eq!(outstanding_at(&entries, day("2023-12-31")).0, 200);
        assert_eq!(outstanding_at(&entries, day("2024-12-31")).0, 300);
    }

    #[test]
    fn an_entry_and_its_reversal_leave_the_total_unchanged() {
        let entries = [
            entry("a", Approved, "2023-11-05", i64::MAX, None),
            entry("b", Reversal, "2023-11-05", 1, Some("a")),
        ];
        assert_eq!(
            case_sums(&case_movements(&entries), Day::MIN, Day::MAX),
            CaseSums::default()
        );
        assert_eq!(claims_since(&entries, Day::MAX), None);
    }

    #[test]
    fn a_case_is_in_one_state_at_a_date() {
        let mut entries = vec![entry("1", Applied, "2023-01-01", 0, None)];
        assert_eq!(state_at(&entries, day("2022-12-31")), SubsidyState::Budgeted);
        assert_eq!(state_at(&entries, day("2023-01-01")), SubsidyState::Applied);
        entries.push(entry("2", Approved, "2023-02-01", 100, None));
        entries.push(entry("3", Disbursed, "2023-03-01", 100, None));
        assert_eq!(state_at(&entries, day("2023-02-28")), SubsidyState::Approved);
        assert_eq!(state_at(&entries, day("2023-03-01")), SubsidyState::Disbursed);
        entries.push(entry("4", Recovered, "2023-04-01", 100, None));
        assert_eq!(state_at(&entries, day("2023-04-01")), SubsidyState::Recovered);
        let rejected = [entry("1", Rejected, "2023-01-01", 0, None)];
        assert_eq!(state_at(&rejected, Day::MAX), SubsidyState::Rejected);
    }

    #[test]
    fn a_cancellation_takes_back_what_was_approved() {
        let entries = [
            entry("2", Approved, "2023-02-01", 100, None),
            entry("3", Cancelled, "2023-03-01", 0, None),
        ];
        assert_eq!(
            case_sums(&case_movements(&entries), Day::MIN, Day::MAX).approved,
            Fen::ZERO
        );
        assert_eq!(outstanding_at(&entries, day("2023-02-28")).0, 100);
        assert_eq!(outstanding_at(&entries, day("2023-03-01")).0, 0);
        assert_eq!(claims_since(&entries, day("2023-02-28")), Some(day("2023-02-01")));
        assert_eq!(claims_since(&entries, day("2023-03-01")), None);
    }

    #[test]
    fn a_fund_closes_with_what_came_less_what_went() {
        let fund = |id: &str, entry, amount_fen, of: Option<&str>| FundEntryFact {
            id: id.to_owned(),
            entry,
            on: day("2023-06-01"),
            amount_fen,
            counterparty: None,
            transfer: None,
            of: of.map(str::to_owned),
        };
        let entries = [
            fund("1", FundEntryKind::Opening, 10, None),
            fund("2", FundEntryKind::SetAside, 1000, None),
            fund("3", FundEntryKind::PassedDown, 300, None),
            fund("4", FundEntryKind::PassedDown, 200, None),
            fund("5", FundEntryKind::Reversal, 0, Some("4")),
            fund("6", FundEntryKind::Spent, 100, None),
        ];
        let cases = CaseSums {
            approved: Fen(400),
            disbursed: Fen(400),
            recovered: Fen(50),
        };
        assert_eq!(fund_closing(&entries, cases, day("2023-12-31")), Fen(260));
    }
}
