//! The rules of `domain.md` 7 and 12 that stand before money moves: V32 to V36 for entries that a person makes here.
//! A payment that the bank has booked is never refused: what is odd about it is told before it is saved, and a finding of the
//! cube afterwards.

use rollcall_core::amount::Fen;
use rollcall_core::date::Day;
use rollcall_core::fact::{Facts, FundFacts, SubsidyEntryFact, SubsidyFacts};
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_core::problem::Problem;
use rollcall_core::subsidy::{self, CaseSums, case_sums, claims_since, fund_closing, standing_entries};
use rollcall_core::term::{SubsidyEntryKind, SubsidyKind};
use rollcall_core::union::state_at;
use rollcall_replica::{Error, Replica};
use rollcall_stats::Cube;
use rollcall_store::listing::ListingQuery;

/// What is wrong with the entries that a case has after an edit and had not before.
pub(super) fn check(
    replica: &Replica,
    id: DocumentId,
    before: &SubsidyFacts,
    after: &SubsidyFacts,
) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    for entry in &after.entries {
        if before.entries.iter().all(|known| known.id != entry.id) {
            check_entry(replica, id, after, entry, &mut problems)?;
        }
    }
    Ok(problems)
}

/// What someone should look at in a case as it stands, payments that are booked included.
pub(super) fn findings(
    replica: &Replica,
    id: DocumentId,
    case: &SubsidyFacts,
) -> Result<Vec<Problem>, Error> {
    use SubsidyEntryKind::{Applied, Approved, Disbursed};
    let mut problems = Vec::new();
    let sums = case_sums(&case.entries, Day::MIN, Day::MAX, Day::MAX);
    if sums.disbursed > sums.approved {
        problems.push(Problem::alert("V36", "", "The payments exceed the approval."));
    }
    let standing: Vec<&SubsidyEntryFact> = standing_entries(&case.entries, Day::MAX).collect();
    let by_one_person = |first: SubsidyEntryKind, second: SubsidyEntryKind| {
        standing
            .iter()
            .filter(|entry| entry.entry == second)
            .any(|entry| {
                let same = |known: &&&SubsidyEntryFact| known.by.is_some() && known.by == entry.by;
                standing
                    .iter()
                    .filter(|known| known.entry == first)
                    .any(|known| same(&known))
            })
    };
    if by_one_person(Applied, Approved) || by_one_person(Approved, Disbursed) {
        problems.push(Problem::alert(
            "V35",
            "",
            "Two steps were entered by one account.",
        ));
    }
    if let Some(union) = case.payee_union.first() {
        for payment in standing.iter().filter(|entry| entry.entry == Disbursed) {
            if established(replica, *union, payment.on)? == Some(false) {
                let message = format!("Paid on {} to a union that was not established.", payment.on);
                problems.push(Problem::alert("V34", "", message));
            }
        }
        if let Some(since) = claims_since(&case.entries, Day::MAX)
            && is_claimed(replica, id, case, *union, since)?
        {
            let message = "There is another fixed subsidy for this rule, union and period.";
            problems.push(Problem::alert("V33", "", message));
        }
    }
    Ok(problems)
}

/// What is odd about a case after an edit and was not before, or about what the edit pays on top. All of it may be what the
/// bank has booked, so it is told and not refused (V33, V34, V36).
pub(super) fn odd_payments(
    replica: &Replica,
    id: DocumentId,
    before: &SubsidyFacts,
    after: &SubsidyFacts,
) -> Result<Vec<Problem>, Error> {
    let paid = |case: &SubsidyFacts| case_sums(&case.entries, Day::MIN, Day::MAX, Day::MAX).disbursed;
    let known = findings(replica, id, before)?;
    let pays_on = paid(after) > paid(before);
    let is_news = |problem: &Problem| {
        !known.contains(problem) || (pays_on && matches!(problem.code.as_str(), "V33" | "V36"))
    };
    let mut odd = findings(replica, id, after)?;
    odd.retain(is_news);
    for problem in &mut odd {
        let field = if problem.code == "V34" { "on" } else { "amount_fen" };
        problem.place = field.to_owned();
    }
    Ok(odd)
}

/// Whether an edit of a fund lets more go out of it than is in it, what its cases are promised included.
pub(super) fn short_of(
    replica: &Replica,
    id: DocumentId,
    before: &FundFacts,
    after: &FundFacts,
) -> Result<Option<Problem>, Error> {
    let mut sums = CaseSums::default();
    if let Some(federation) = after.federation.first() {
        let mut named = replica.store().read(|reader| reader.mentions(id))?.aliases;
        named.push(id);
        sums = subsidy::paid_from(
            &other_cases(replica, federation, id)?,
            &named,
            federation,
            Day::MAX,
        );
    }
    sums.disbursed = sums.disbursed.max(sums.approved);
    let left = |fund: &FundFacts| fund_closing(&fund.entries, sums, Day::MAX);
    let short = left(after) < Fen::ZERO && left(after) < left(before);
    Ok(short.then(|| {
        Problem::alert(
            "FUND_SHORT",
            "amount_fen",
            "More goes out of the fund than is in it.",
        )
    }))
}

fn check_entry(
    replica: &Replica,
    id: DocumentId,
    case: &SubsidyFacts,
    entry: &SubsidyEntryFact,
    problems: &mut Vec<Problem>,
) -> Result<(), Error> {
    use SubsidyEntryKind::{Applied, Approved, Disbursed, Recovered};
    if matches!(entry.entry, Applied | Approved | Disbursed | Recovered) && entry.amount_fen <= 0 {
        problems.push(Problem::error("V32", "amount_fen", "The amount is missing."));
    }
    let step_before = match entry.entry {
        Approved => Some(Applied),
        Disbursed => Some(Approved),
        _ => None,
    };
    let same_person = |known: &SubsidyEntryFact| {
        Some(known.entry) == step_before && known.by.is_some() && known.by == entry.by
    };
    if standing_entries(&case.entries, Day::MAX).any(same_person) {
        let message = "The step before was entered by the same account; somebody else enters this one.";
        problems.push(Problem::error("V35", "entry", message));
    }
    if entry.entry != Approved {
        return Ok(());
    }
    if let Some(union) = case.payee_union.first() {
        let established = established(replica, *union, entry.on)?;
        if established == Some(false) {
            let message = format!("The union was not established on {}.", entry.on);
            problems.push(Problem::error("V34", "on", message));
        }
        if is_claimed(replica, id, case, *union, entry.on)? {
            let message = "There is a fixed subsidy for this rule, union and period already.";
            problems.push(Problem::error("V33", "entry", message));
        }
    }
    if let Some(fund) = case.fund.first()
        && exceeds(replica, id, case, *fund)?
    {
        let message = "The approvals exceed the fund.";
        problems.push(Problem::error("V36", "amount_fen", message));
    }
    Ok(())
}

/// Whether the payee was established on a day; `None` where it is not held here.
fn established(replica: &Replica, union: DocumentId, on: Day) -> Result<Option<bool>, Error> {
    let held = replica.store().read(|reader| reader.resolve(union))?;
    let mut answer = None;
    for id in held {
        if let Facts::Union(union) = replica.document(id)?.facts().0 {
            answer = Some(answer == Some(true) || state_at(&union, on, 0).established);
        }
    }
    Ok(answer)
}

/// Whether another case claims the rule, union and period of this one.
fn is_claimed(
    replica: &Replica,
    id: DocumentId,
    case: &SubsidyFacts,
    union: DocumentId,
    on: Day,
) -> Result<bool, Error> {
    if case.kind.first() != Some(&SubsidyKind::FixedSubsidy) {
        return Ok(false);
    }
    let others = replica.store().read(|reader| {
        let mut others = Vec::new();
        for named in reader.resolve(union)?.into_iter().chain([union]) {
            others.extend(reader.namers(named)?);
        }
        others.sort_unstable();
        others.dedup();
        others.retain(|other| *other != id);
        let mut cases = Vec::new();
        for other in others {
            if reader
                .document(other)?
                .is_some_and(|row| row.kind == DocumentKind::Subsidy)
            {
                cases.push(other);
            }
        }
        Ok(cases)
    })?;
    for other in others {
        if let Facts::Subsidy(other) = replica.document(other)?.facts().0
            && other.kind.first() == Some(&SubsidyKind::FixedSubsidy)
            && (other.rule.first(), other.period.first()) == (case.rule.first(), case.period.first())
            && claims_since(&other.entries, on).is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether what is promised from a fund, this case included, is more than what is in it.
fn exceeds(replica: &Replica, id: DocumentId, case: &SubsidyFacts, fund: DocumentId) -> Result<bool, Error> {
    let Some(facts) = fund_facts(replica, fund)? else {
        return Ok(false);
    };
    let mut sums = CaseSums::default();
    if let Some(federation) = case.federation.first() {
        let others = other_cases(replica, federation, id)?;
        sums = subsidy::paid_from(&others, &[fund], federation, Day::MAX);
    }
    let own = case_sums(&case.entries, Day::MIN, Day::MAX, Day::MAX);
    // What is promised must be there, paid or not.
    sums.approved = sums.approved.plus(own.approved);
    sums.recovered = sums.recovered.plus(own.recovered);
    sums.disbursed = sums.approved;
    Ok(fund_closing(&facts.entries, sums, Day::MAX) < Fen::ZERO)
}

/// What the cases of a fund come to at the end of a day. The payer is the fund's federation.
pub(super) fn paid_from(
    replica: &Replica,
    cube: &Cube,
    fund: DocumentId,
    federation: &FederationId,
    on: Day,
) -> Result<CaseSums, Error> {
    let mut named = replica.store().read(|reader| reader.mentions(fund))?.aliases;
    named.push(fund);
    let cases = cube.subsidy_cases().map(|(_, case)| case);
    Ok(subsidy::paid_from(cases, &named, federation, on))
}

/// The other cases of a federation.
fn other_cases(
    replica: &Replica,
    federation: &FederationId,
    but: DocumentId,
) -> Result<Vec<SubsidyFacts>, Error> {
    let query = ListingQuery {
        kind: Some(DocumentKind::Subsidy),
        limit: usize::try_from(u32::MAX).unwrap_or(usize::MAX),
        home: Some(federation.clone()),
        ..ListingQuery::default()
    };
    let mut cases = Vec::new();
    for row in replica.store().read(|reader| reader.listings(&query))?.rows {
        if row.document_id != but
            && let Facts::Subsidy(case) = replica.facts(row.document_id)?
        {
            cases.push(*case);
        }
    }
    Ok(cases)
}

/// What a fund's document states, where it is held.
fn fund_facts(replica: &Replica, fund: DocumentId) -> Result<Option<FundFacts>, Error> {
    for id in replica.store().read(|reader| reader.resolve(fund))? {
        if let Facts::Fund(facts) = replica.document(id)?.facts().0 {
            return Ok(Some(facts));
        }
    }
    Ok(None)
}
