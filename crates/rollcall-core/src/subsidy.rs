//! Ledger rules of subsidies and funds (`domain.md` 7): what each entry moves and when, reversals worked in, the
//! state of a case at a date, and the balance of a fund. Entries are never changed; payments and what comes back count
//! on the day of their entry, approvals on the approval date, and nothing booked after a period changes what is said of
//! it: a closed year stays as it was.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::Fen;
use crate::date::Day;
use crate::fact::{FundEntryFact, SubsidyEntryFact, SubsidyFacts};
use crate::id::{DocumentId, FederationId};
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
enum CaseColumn {
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

/// What was paid and paid back, each on the day of its entry. A reversal takes back the whole amount of the entry it
/// names, once, on its own day.
fn case_movements(entries: &[SubsidyEntryFact]) -> Vec<Movement<CaseColumn>> {
    let mut reversed: Vec<&str> = Vec::new();
    let mut movements = Vec::new();
    let column_of = |entry: &SubsidyEntryFact| match entry.entry {
        SubsidyEntryKind::Disbursed => Some(CaseColumn::Disbursed),
        SubsidyEntryKind::Recovered => Some(CaseColumn::Recovered),
        SubsidyEntryKind::Applied
        | SubsidyEntryKind::Approved
        | SubsidyEntryKind::Settled
        | SubsidyEntryKind::Rejected
        | SubsidyEntryKind::Cancelled
        | SubsidyEntryKind::Reversal => None,
    };
    let mut sorted: Vec<&SubsidyEntryFact> = entries.iter().collect();
    sorted.sort_by_key(|entry| (entry.on, entry.entry, &entry.id));
    for entry in sorted {
        let (moved, sign) = match entry.entry {
            SubsidyEntryKind::Reversal => {
                let target = entries.iter().find(|known| Some(&known.id) == entry.of.as_ref());
                let Some(target) = target.filter(|target| !reversed.contains(&target.id.as_str())) else {
                    continue;
                };
                reversed.push(&target.id);
                (target, -1)
            }
            _ => (entry, 1),
        };
        if let Some(column) = column_of(moved) {
            let amount = Fen::from(moved.amount_fen);
            movements.push(Movement {
                on: entry.on,
                column,
                amount: if sign < 0 { Fen::ZERO.minus(amount) } else { amount },
            });
        }
    }
    movements
}

/// The approvals that stand at the end of a day, each on its approval date, less what was cancelled by then (rule 6). A
/// cancellation takes its amount, or all without one, off the latest approvals first.
fn approvals_at(entries: &[SubsidyEntryFact], on: Day) -> Vec<(Day, Fen)> {
    let mut approvals: Vec<(Day, Fen)> = Vec::new();
    let mut cancelled = Fen::ZERO;
    let mut all_cancelled = false;
    for entry in standing_entries(entries, on) {
        match entry.entry {
            SubsidyEntryKind::Approved => approvals.push((entry.on, Fen::from(entry.amount_fen))),
            SubsidyEntryKind::Cancelled if entry.amount_fen == 0 => all_cancelled = true,
            SubsidyEntryKind::Cancelled => cancelled = cancelled.plus(Fen::from(entry.amount_fen)),
            SubsidyEntryKind::Applied
            | SubsidyEntryKind::Disbursed
            | SubsidyEntryKind::Settled
            | SubsidyEntryKind::Recovered
            | SubsidyEntryKind::Rejected
            | SubsidyEntryKind::Reversal => {}
        }
    }
    approvals.sort_unstable();
    for (_, amount) in approvals.iter_mut().rev() {
        let taken = if all_cancelled {
            *amount
        } else {
            (*amount).min(cancelled)
        };
        *amount = amount.minus(taken);
        cancelled = cancelled.minus(taken).at_least_zero();
    }
    approvals
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

/// What a case comes to from one day through another, as it stands at the end of day `at`: approved by approval date,
/// paid and paid back by booking date.
pub fn case_sums(entries: &[SubsidyEntryFact], from: Day, to: Day, at: Day) -> CaseSums {
    let within = |on: Day| from <= on && on <= to;
    let mut sums = CaseSums::default();
    for (on, amount) in approvals_at(entries, at) {
        if within(on) {
            sums.approved = sums.approved.plus(amount);
        }
    }
    for movement in case_movements(entries) {
        if within(movement.on) {
            let column = match movement.column {
                CaseColumn::Disbursed => &mut sums.disbursed,
                CaseColumn::Recovered => &mut sums.recovered,
            };
            *column = column.plus(movement.amount);
        }
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
    let sums = case_sums(entries, Day::MIN, on, on);
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
    let sums = case_sums(entries, Day::MIN, on, on);
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

/// What the cases of a fund come to at the end of a day: of those given, the ones of its federation that name it by one of
/// its ids.
pub fn paid_from(
    cases: impl IntoIterator<Item: Borrow<SubsidyFacts>>,
    fund: &[DocumentId],
    federation: &FederationId,
    on: Day,
) -> CaseSums {
    let mut sums = CaseSums::default();
    for case in cases {
        let case: &SubsidyFacts = case.borrow();
        let names_it = case.fund.first().is_some_and(|named| fund.contains(named));
        if names_it && case.federation.first() == Some(federation) {
            let of_case = case_sums(&case.entries, Day::MIN, on, on);
            sums.approved = sums.approved.plus(of_case.approved);
            sums.disbursed = sums.disbursed.plus(of_case.disbursed);
            sums.recovered = sums.recovered.plus(of_case.recovered);
        }
    }
    sums
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
        let sums = |from, to| {
            let sums = case_sums(&entries, day(from), day(to), day(to));
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
            case_sums(&entries, Day::MIN, Day::MAX, Day::MAX),
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
            case_sums(&entries, Day::MIN, Day::MAX, Day::MAX).approved,
            Fen::ZERO
        );
        assert_eq!(outstanding_at(&entries, day("2023-02-28")).0, 100);
        assert_eq!(outstanding_at(&entries, day("2023-03-01")).0, 0);
        let february = |at: &str| {
            case_sums(&entries, day("2023-02-01"), day("2023-02-28"), day(at))
                .approved
                .0
        };
        assert_eq!((february("2023-02-28"), february("2023-03-01")), (100, 0));
        assert_eq!(claims_since(&entries, day("2023-02-28")), Some(day("2023-02-01")));
        assert_eq!(claims_since(&entries, day("2023-03-01")), None);
    }

    #[test]
    fn part_of_an_approval_may_be_cancelled_and_the_cancellation_reversed() {
        let mut entries = vec![
            entry("1", Approved, "2023-02-01", 100, None),
            entry("2", Approved, "2024-02-01", 50, None),
            entry("3", Cancelled, "2024-03-01", 70, None),
        ];
        let approved = |entries: &[SubsidyEntryFact], year: i32| {
            let (from, to) = (Day::from_ymd(year, 1, 1), Day::from_ymd(year, 12, 31));
            let sums = case_sums(entries, from.expect("a day"), to.expect("a day"), Day::MAX);
            sums.approved.0
        };
        assert_eq!((approved(&entries, 2023), approved(&entries, 2024)), (80, 0));
        entries.push(entry("4", Reversal, "2024-04-01", 70, Some("3")));
        assert_eq!((approved(&entries, 2023), approved(&entries, 2024)), (100, 50));
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
