//! Findings about the events of one union's document: V18 to V20 of `domain.md` 12.

use std::collections::BTreeSet;

use rollcall_core::date::Day;
use rollcall_core::fact::{UnionEventFact, UnionFacts};
use rollcall_core::id::DocumentId;
use rollcall_core::term::UnionEvent;
use rollcall_core::union::effective_day;

use super::Findings;

/// V18 to V20 within one union's document.
pub(super) fn check_union_events(id: DocumentId, facts: &UnionFacts, as_of: Day, findings: &mut Findings) {
    let known: Vec<&UnionEventFact> = facts
        .events
        .iter()
        .filter(|event| effective_day(event) <= as_of)
        .collect();
    let of = |kind: UnionEvent, cycle: u32| {
        known
            .iter()
            .copied()
            .filter(move |event| event.event == kind && event.cycle == cycle)
    };
    for established in known
        .iter()
        .filter(|event| event.event == UnionEvent::Established)
    {
        if !established.has_number || (facts.higher_union.is_empty() && established.approved_by.is_none()) {
            findings.add(
                "V18",
                id,
                None,
                "established without an approval number or an approving federation",
            );
        }
    }
    let cycles: BTreeSet<u32> = known.iter().map(|event| event.cycle).collect();
    let order = [
        (
            UnionEvent::Applied,
            UnionEvent::FoundingApproved,
            "approved before the application",
        ),
        (
            UnionEvent::FoundingApproved,
            UnionEvent::Elected,
            "elected before the founding was approved",
        ),
        (
            UnionEvent::Elected,
            UnionEvent::Established,
            "established before the election",
        ),
        (
            UnionEvent::Elected,
            UnionEvent::ResultApproved,
            "the result approved before the election",
        ),
    ];
    for cycle in cycles {
        for (first, second, message) in order {
            let earliest = of(second, cycle).map(|event| event.on.last_day()).min();
            let latest = of(first, cycle).map(|event| event.on.first_day()).max();
            if let (Some(earliest), Some(latest)) = (earliest, latest)
                && earliest < latest
            {
                findings.add("V19", id, None, message);
            }
        }
    }
    for event in &known {
        if let Some(years) = event.term_years.filter(|years| !matches!(years, 3 | 5)) {
            findings.add("V20", id, None, format!("a term of {years} years; it is 3 or 5"));
        }
    }
    let has = |kind: UnionEvent| known.iter().any(|event| event.event == kind);
    let ended = has(UnionEvent::Dissolved);
    if has(UnionEvent::Established) && !ended && known.iter().all(|event| event.term_years.is_none()) {
        findings.add("V20", id, None, "the term is not recorded");
    }
}
