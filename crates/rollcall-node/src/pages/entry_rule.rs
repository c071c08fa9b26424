//! The rules of `domain.md` 12 that refuse an entry as it is made on a page: V11 to V13, V18 to V20, V25, V29, through
//! `money_rule` V32 to V36, and through `handover_rule` who hands over to whom. Owns what a new entry may say beside what
//! stands; only what the edit itself brings is judged.

use rollcall_core::date::Day;
use rollcall_core::fact::{Facts, OrganisationFacts, UnionEventFact, UnionFacts};
use rollcall_core::id::ActorId;
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use rollcall_core::term::UnionEvent;
use rollcall_doc::{Document, Edit, EditBy};
use rollcall_replica::edit::Editing;
use rollcall_replica::{Error, Replica};

use super::{handover_rule, money_rule};

/// From this day on an establishment without its approval is refused, before it only pointed out (V18).
const APPROVAL_NEEDED_FROM: (i32, u8, u8) = (2023, 5, 1);

/// Nothing was registered before (V11).
const REGISTERED_FROM: (i32, u8, u8) = (1949, 1, 1);

/// What these edits would bring that must not be entered.
pub(super) fn check(
    replica: &Replica,
    document: &Document,
    edits: &[Edit],
    by: &Editing,
) -> Result<Vec<Problem>, Error> {
    let after = match applied(document, edits, by) {
        Ok(after) => after,
        Err(problem) => return Ok(vec![problem]),
    };
    let today = Day::of_unix_ms(by.now_ms);
    Ok(match (document.facts().0, after.facts().0) {
        (Facts::Organisation(facts), Facts::Organisation(facts_after)) => {
            let mut problems = check_organisation(&facts, &facts_after, today);
            if let (Record::Organisation(before), Record::Organisation(after)) =
                (document.record().0, after.record().0)
            {
                problems.extend(handover_rule::check(&before, &after, today));
            }
            problems
        }
        (Facts::Union(before), Facts::Union(after)) => check_union(&before, &after, today),
        (Facts::Subsidy(before), Facts::Subsidy(after)) => {
            money_rule::check(replica, document.id(), &before, &after)?
        }
        _ => Vec::new(),
    })
}

/// The document as these edits would leave it.
///
/// # Errors
/// What the document itself refuses.
pub(super) fn applied(document: &Document, edits: &[Edit], by: &Editing) -> Result<Document, Problem> {
    let mut after = document.clone();
    let trying = EditBy {
        actor: ActorId([0; 16]),
        author: by.author.clone(),
        reason: by.reason.clone(),
        time_ms: by.now_ms,
        heads: None,
    };
    match after.apply_edits(edits, &trying) {
        Ok(_) => Ok(after),
        Err(error) => Err(Problem::error("SCHEMA", "", error.to_string())),
    }
}

fn check_organisation(before: &OrganisationFacts, after: &OrganisationFacts, today: Day) -> Vec<Problem> {
    let mut problems = Vec::new();
    for link in after
        .coverage
        .iter()
        .filter(|link| !before.coverage.contains(link))
    {
        if link.until.is_some_and(|until| until < link.from) {
            problems.push(Problem::error("V25", "until", "The link ends before it starts."));
        }
    }
    for exclusion in &after.exclusions {
        if !exclusion.has_evidence && !before.exclusions.contains(exclusion) {
            problems.push(Problem::error(
                "V29",
                "evidence",
                "The exclusion has no evidence.",
            ));
        }
        let ends_early = exclusion.until.is_some_and(|until| until < exclusion.from);
        if ends_early && !before.exclusions.contains(exclusion) {
            problems.push(Problem::error(
                "DATE_IMPLAUSIBLE",
                "until",
                "It ends before it starts.",
            ));
        }
    }
    let (year, month, day) = REGISTERED_FROM;
    let earliest = Day::from_ymd(year, month, day).unwrap_or(Day::MIN);
    for on in after
        .registered_on
        .iter()
        .filter(|on| !before.registered_on.contains(on))
    {
        if on.first_day() > today || on.last_day() < earliest {
            let message = format!("{on} is in the future or before {year}.");
            problems.push(Problem::error("V11", "registered_on", message));
        }
    }
    let registered = after.registered_on.iter().map(|on| on.first_day()).min();
    for count in after.counts.iter().filter(|count| !before.counts.contains(count)) {
        let too_many = |part: Option<u32>, whole: Option<u32>| matches!((part, whole), (Some(part), Some(whole)) if part > whole);
        if too_many(count.members, count.workers) {
            problems.push(Problem::error(
                "V12",
                "members",
                "There are more members than workers.",
            ));
        }
        if too_many(count.female_members, count.members) {
            let message = "There are more female members than members.";
            problems.push(Problem::error("COUNT_IMPLAUSIBLE", "female_members", message));
        }
        if count.on > today || registered.is_some_and(|registered| count.on < registered) {
            let message = format!("{} is in the future or before the registration.", count.on);
            problems.push(Problem::error("V13", "on", message));
        }
    }
    problems
}

fn check_union(before: &UnionFacts, after: &UnionFacts, today: Day) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (year, month, day) = APPROVAL_NEEDED_FROM;
    let needed_from = Day::from_ymd(year, month, day).unwrap_or(Day::MIN);
    for event in after.events.iter().filter(|event| !before.events.contains(event)) {
        let approved = event.has_number && (!after.higher_union.is_empty() || event.approved_by.is_some());
        if event.event == UnionEvent::Established && !approved && event.on.last_day() >= needed_from {
            let message = "It was established without an approval number or an approving federation.";
            problems.push(Problem::error("V18", "number", message));
        }
        if event.term_years.is_some_and(|years| !matches!(years, 3 | 5)) {
            problems.push(Problem::error("V20", "term_years", "A term is 3 or 5 years."));
        }
        if out_of_order(event, &after.events) {
            let message = "Application, founding approval, election and result follow one another.";
            problems.push(Problem::error("V19", "on", message));
        }
        if event.on.first_day() > today {
            let message = format!("{} is in the future.", event.on);
            problems.push(Problem::error("DATE_IMPLAUSIBLE", "on", message));
        }
        if before_founding(event, &after.events) {
            let message = format!("{} is before the union was established.", event.on);
            problems.push(Problem::error("DATE_IMPLAUSIBLE", "on", message));
        }
    }
    problems
}

/// Whether an event of a union that is established lies before the establishment, or the establishment after such an event:
/// dates do not run backwards (`domain.md` 8). Of dates known to the month or year only those that cannot be right count.
fn before_founding(event: &UnionEventFact, events: &[UnionEventFact]) -> bool {
    let established = events
        .iter()
        .filter(|other| other.event == UnionEvent::Established);
    let Some(founding) = established.min_by_key(|other| (other.cycle, other.on.first_day())) else {
        return false;
    };
    let follows = |other: &UnionEventFact| match other.event {
        UnionEvent::Suspended
        | UnionEvent::Resumed
        | UnionEvent::TermExtended
        | UnionEvent::Dissolved
        | UnionEvent::LegalPerson => true,
        UnionEvent::Applied
        | UnionEvent::FoundingApproved
        | UnionEvent::Elected
        | UnionEvent::ResultApproved
        | UnionEvent::Established => other.cycle > founding.cycle,
    };
    let lies_before = |other: &UnionEventFact| other.on.last_day() < founding.on.first_day();
    if event == founding {
        events.iter().any(|other| follows(other) && lies_before(other))
    } else {
        follows(event) && lies_before(event)
    }
}

/// Whether an event stands before one that it follows, or after one that follows it, within its cycle (V19). Equal
/// dates are allowed; of dates known to the month or year only those that cannot be right count.
fn out_of_order(event: &UnionEventFact, events: &[UnionEventFact]) -> bool {
    let rank = |event: UnionEvent| match event {
        UnionEvent::Applied => Some(0),
        UnionEvent::FoundingApproved => Some(1),
        UnionEvent::Elected => Some(2),
        UnionEvent::ResultApproved | UnionEvent::Established => Some(3),
        UnionEvent::Suspended
        | UnionEvent::Resumed
        | UnionEvent::TermExtended
        | UnionEvent::Dissolved
        | UnionEvent::LegalPerson => None,
    };
    let Some(own) = rank(event.event) else {
        return false;
    };
    events
        .iter()
        .filter(|other| other.cycle == event.cycle)
        .filter_map(|other| Some((rank(other.event)?, other.on)))
        .any(|(other, on)| {
            (own > other && event.on.last_day() < on.first_day())
                || (own < other && event.on.first_day() > on.last_day())
        })
}

#[cfg(test)]
mod tests {
    use rollcall_core::fact::{CountFact, ExclusionFact};
    use rollcall_core::term::{ExclusionReason, Source};

    use super::*;

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    fn event(event: UnionEvent, on: &str, number: bool, term_years: Option<u32>) -> UnionEventFact {
        UnionEventFact {
            event,
            on: on.parse().expect("a date"),
            cycle: 0,
            has_number: number,
            approved_by: None,
            term_years,
            until: None,
            months: None,
        }
    }

    fn codes(problems: &[Problem]) -> Vec<&str> {
        problems.iter().map(|problem| problem.code.as_str()).collect()
    }

    #[test]
    fn an_organisation_is_judged_by_what_the_edit_brings() {
        let count = |on: &str, workers, members, female_members| CountFact {
            on: day(on),
            source: Source::Check,
            workers,
            members,
            female_members,
        };
        let exclusion = ExclusionFact {
            reason: ExclusionReason::Dormant,
            from: day("2024-05-01"),
            until: Some(day("2024-04-01")),
            approved_on: None,
            refused_on: None,
            has_evidence: false,
        };
        let before = OrganisationFacts {
            registered_on: vec!["2020-01".parse().expect("a month")],
            counts: vec![count("2023-12-31", Some(1), Some(9), None)],
            ..OrganisationFacts::default()
        };
        let today = day("2025-01-03");
        assert!(
            check_organisation(&before, &before, today).is_empty(),
            "what stood is not judged"
        );
        for (new, code) in [
            (count("2024-12-31", Some(3), Some(4), None), "V12"),
            (count("2024-12-31", None, Some(4), Some(5)), "COUNT_IMPLAUSIBLE"),
            (count("2025-01-04", Some(3), None, None), "V13"),
            (count("2019-12-31", Some(3), None, None), "V13"),
        ] {
            let mut after = before.clone();
            after.counts.push(new);
            assert_eq!(
                codes(&check_organisation(&before, &after, today)),
                [code],
                "{new:?}"
            );
        }
        for (on, expected) in [
            ("2025-01-04", vec!["V11"]),
            ("1948", vec!["V11"]),
            ("2025-01", vec![]),
        ] {
            let mut after = before.clone();
            after.registered_on = vec![on.parse().expect("a date")];
            assert_eq!(
                codes(&check_organisation(&before, &after, today)),
                expected,
                "{on}"
            );
        }
        let mut after = before.clone();
        after.counts.push(count("2024-12-31", Some(4), Some(4), Some(4)));
        assert!(check_organisation(&before, &after, today).is_empty());
        after.exclusions.push(exclusion);
        let problems = check_organisation(&before, &after, today);
        assert_eq!(codes(&problems), ["V29", "DATE_IMPLAUSIBLE"]);
    }

    #[test]
    fn a_union_is_established_with_a_number_in_order_for_three_or_five_years() {
        let today = day("2025-01-03");
        let before = UnionFacts {
            higher_union: vec!["330106".parse().expect("a federation")],
            events: vec![event(UnionEvent::Elected, "2024-03-01", false, Some(5))],
            ..UnionFacts::default()
        };
        for (new, expected) in [
            (event(UnionEvent::Established, "2024-03-10", true, None), vec![]),
            (event(UnionEvent::Established, "2024-03", true, None), vec![]),
            (
                event(UnionEvent::Established, "2024-03-10", false, None),
                vec!["V18"],
            ),
            (
                event(UnionEvent::Established, "2024-02-29", true, None),
                vec!["V19"],
            ),
            (event(UnionEvent::Applied, "2024-03-02", false, None), vec!["V19"]),
            (
                event(UnionEvent::Established, "2024-03-10", true, Some(4)),
                vec!["V20"],
            ),
            (event(UnionEvent::Dissolved, "2020-01-01", false, None), vec![]),
            (
                event(UnionEvent::Established, "2025-01-04", true, None),
                vec!["DATE_IMPLAUSIBLE"],
            ),
            (event(UnionEvent::Established, "2025-01", true, None), vec![]),
        ] {
            let mut after = before.clone();
            after.events.push(new.clone());
            assert_eq!(codes(&check_union(&before, &after, today)), expected, "{new:?}");
        }
        let old = event(UnionEvent::Established, "2020-03-10", false, None);
        let after = UnionFacts {
            events: vec![old],
            ..UnionFacts::default()
        };
        assert!(
            check_union(&UnionFacts::default(), &after, today).is_empty(),
            "before May 2023 it is a warning"
        );
    }

    #[test]
    fn what_follows_the_establishment_is_not_dated_before_it() {
        let today = day("2025-01-03");
        let cycle = |cycle: u32, event: UnionEventFact| UnionEventFact { cycle, ..event };
        let established = event(UnionEvent::Established, "2024-03-10", true, None);
        for (new, refused) in [
            (event(UnionEvent::Suspended, "2024-03-09", false, None), true),
            (event(UnionEvent::Dissolved, "2023", false, None), true),
            (event(UnionEvent::LegalPerson, "2024-03-10", false, None), false),
            (event(UnionEvent::TermExtended, "2024-03", false, None), false),
            (
                cycle(1, event(UnionEvent::Elected, "2024-02-01", false, None)),
                true,
            ),
            (
                cycle(1, event(UnionEvent::Elected, "2024-12-01", false, None)),
                false,
            ),
        ] {
            let codes_with = |before: &[&UnionEventFact], added: &UnionEventFact| {
                let facts = |events: Vec<UnionEventFact>| UnionFacts {
                    higher_union: vec!["330106".parse().expect("a federation")],
                    events,
                    ..UnionFacts::default()
                };
                let known: Vec<UnionEventFact> = before.iter().map(|event| (*event).clone()).collect();
                let all = known.iter().chain([added]).cloned().collect();
                codes(&check_union(&facts(known), &facts(all), today)).join(" ")
            };
            let expected = if refused { "DATE_IMPLAUSIBLE" } else { "" };
            assert_eq!(codes_with(&[&established], &new), expected, "{new:?}");
            assert_eq!(codes_with(&[&new], &established), expected, "after {new:?}");
        }
    }
}
