//! Findings about money: V33 to V36 of `domain.md` 12.

use std::collections::BTreeMap;

use rollcall_core::amount::Fen;
use rollcall_core::date::Day;
use rollcall_core::fact::SubsidyEntryFact;
use rollcall_core::id::DocumentId;
use rollcall_core::subsidy::{CaseSums, case_sums, fund_closing, standing_entries};
use rollcall_core::term::SubsidyEntryKind;

use super::Findings;
use crate::Cube;

impl Cube {
    pub(super) fn check_money(&self, as_of: Day, findings: &mut Findings) {
        for (duplicate, stands) in self.duplicates(as_of) {
            findings.add(
                "V33",
                duplicate,
                Some(stands),
                "DUPLICATE: a second fixed subsidy for one rule, union and period",
            );
        }
        let mut by_fund: BTreeMap<DocumentId, CaseSums> = BTreeMap::new();
        for (id, case) in self.subsidies.iter() {
            let sums = case_sums(&case.entries, Day::MIN, as_of, as_of);
            if sums.disbursed > sums.approved {
                findings.add("V36", id, None, "the payments exceed the approval");
            }
            if let Some(fund) = case.fund.first() {
                let known = by_fund.entry(*fund).or_default();
                known.approved = known.approved.plus(sums.approved);
                known.recovered = known.recovered.plus(sums.recovered);
            }
            if let Some(entry) = same_person(&case.entries, as_of) {
                findings.add(
                    "V35",
                    id,
                    None,
                    format!("{} was entered by the person of the step before", entry.id),
                );
            }
            let Some(union) = case.payee_union.first() else {
                continue;
            };
            let Some(number) = self.unions.holders(*union).next() else {
                continue;
            };
            let row = self.union_row(number);
            let paid = standing_entries(&case.entries, as_of)
                .filter(|entry| entry.entry == SubsidyEntryKind::Disbursed);
            for payment in paid {
                if row
                    .state_at(payment.on)
                    .is_none_or(|segment| !segment.state.established)
                {
                    findings.add(
                        "V34",
                        id,
                        Some(*union),
                        format!("paid on {} to a union not established", payment.on),
                    );
                }
            }
        }
        for (fund, mut sums) in by_fund {
            let Some(facts) = self.funds.get(&fund) else {
                continue;
            };
            // What is promised must be there, paid or not.
            sums.disbursed = sums.approved;
            if fund_closing(&facts.entries, sums, as_of) < Fen::ZERO {
                findings.add("V36", fund, None, "the approvals exceed the fund");
            }
        }
    }
}

/// The first step entered by the person of the step before it (four eyes).
fn same_person(entries: &[SubsidyEntryFact], as_of: Day) -> Option<&SubsidyEntryFact> {
    let of =
        |kind: SubsidyEntryKind| standing_entries(entries, as_of).filter(move |entry| entry.entry == kind);
    [
        (SubsidyEntryKind::Applied, SubsidyEntryKind::Approved),
        (SubsidyEntryKind::Approved, SubsidyEntryKind::Disbursed),
    ]
    .into_iter()
    .find_map(|(first, second)| {
        let persons: Vec<&String> = of(first).filter_map(|entry| entry.by.as_ref()).collect();
        of(second).find(|entry| entry.by.as_ref().is_some_and(|person| persons.contains(&person)))
    })
}
