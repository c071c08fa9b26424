//! The state of a grassroots union at a date (`domain.md` 6, edge rules 1, 4 and 6).
//! Owns when it is established, when its term ends and how far its founding has come; whom it covers is `coverage`.

use crate::date::Day;
use crate::fact::{UnionEventFact, UnionFacts};
use crate::term::{Stage, UnionEvent};

/// What a union is at the end of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnionState {
    /// The result was approved and it is neither suspended nor dissolved.
    pub established: bool,
    /// Day of the latest approval that established it.
    pub established_on: Option<Day>,
    /// Its term has ended by more than the months of grace.
    pub overdue: bool,
    /// Its term cannot be computed: not overdue, but counted.
    pub term_unknown: bool,
    /// Last day of the present term, extensions worked in.
    pub term_end: Option<Day>,
    /// No longer exists.
    pub dissolved: bool,
    /// It has its legal-person certificate.
    pub legal_person: bool,
    /// How far it came; `None` before the application.
    pub stage: Option<Stage>,
}

/// The day an event counts from: an ending from the first day it could be, everything else from the last.
pub fn effective_day(event: &UnionEventFact) -> Day {
    match event.event {
        UnionEvent::Suspended | UnionEvent::Dissolved => event.on.first_day(),
        UnionEvent::Applied
        | UnionEvent::FoundingApproved
        | UnionEvent::Elected
        | UnionEvent::ResultApproved
        | UnionEvent::Established
        | UnionEvent::Resumed
        | UnionEvent::TermExtended
        | UnionEvent::LegalPerson => event.on.last_day(),
    }
}

/// The state at the end of day `on`.
pub fn state_at(facts: &UnionFacts, on: Day, grace_months: u32) -> UnionState {
    let latest = |wanted: UnionEvent| {
        let days = facts
            .events
            .iter()
            .filter(|event| event.event == wanted)
            .map(effective_day);
        days.filter(|day| *day <= on).max()
    };
    let established_on = latest(UnionEvent::Established);
    let dissolved = latest(UnionEvent::Dissolved).is_some();
    // On one day an ending beats a starting, but a resumption beats a suspension.
    let suspended = latest(UnionEvent::Suspended)
        .is_some_and(|since| latest(UnionEvent::Resumed).is_none_or(|resumed| resumed < since));
    let legal_person = latest(UnionEvent::LegalPerson).is_some();
    let term_end = term_end_at(facts, on);
    let stage = if dissolved {
        Some(Stage::Ended)
    } else if legal_person && established_on.is_some() {
        Some(Stage::LegalPerson)
    } else if established_on.is_some() {
        Some(Stage::Established)
    } else {
        [
            (UnionEvent::Elected, Stage::Elected),
            (UnionEvent::FoundingApproved, Stage::FoundingApproved),
            (UnionEvent::Applied, Stage::Applied),
        ]
        .into_iter()
        .find_map(|(event, stage)| latest(event).map(|_| stage))
    };
    UnionState {
        established: established_on.is_some() && !dissolved && !suspended,
        established_on,
        overdue: term_end.is_some_and(|end| end.plus_months(grace_months.min(1200) as i32) < on),
        term_unknown: established_on.is_some() && term_end.is_none(),
        term_end,
        dissolved,
        legal_person,
        stage,
    }
}

/// Last day of the term that runs at `on`: of the latest election whose result is approved by then, from the
/// election date (without one, the first approval of its cycle), 3 or 5 years less one day; an extension moves it. The
/// years are those of the election, else those of the approvals.
fn term_end_at(facts: &UnionFacts, on: Day) -> Option<Day> {
    let known = |event: &&UnionEventFact| effective_day(event) <= on;
    let of = |cycle: u32, wanted: fn(UnionEvent) -> bool| {
        let events = facts.events.iter().filter(known);
        events.filter(move |event| event.cycle == cycle && wanted(event.event))
    };
    let is_approval = |event| matches!(event, UnionEvent::Established | UnionEvent::ResultApproved);
    let is_election = |event| event == UnionEvent::Elected;
    let terms = facts
        .events
        .iter()
        .filter(known)
        .filter(|event| is_approval(event.event))
        .map(|approval| {
            let cycle = approval.cycle;
            let election = of(cycle, is_election).map(effective_day).max();
            let start = election.or_else(|| of(cycle, is_approval).map(effective_day).min());
            let start = start.unwrap_or_else(|| effective_day(approval));
            let elected = of(cycle, is_election).filter(|event| effective_day(event) == start);
            let years = elected.filter_map(|event| event.term_years).max();
            let years = years.or_else(|| of(cycle, is_approval).filter_map(|event| event.term_years).max());
            (start, cycle, years)
        });
    let (start, cycle, years) = terms.max()?;
    let end = start.plus_years(years?.min(100) as i32).previous();
    let months = |event: &UnionEventFact| Some(end.plus_months(event.months?.min(1200) as i32));
    let extended = facts
        .events
        .iter()
        .filter(|event| event.event == UnionEvent::TermExtended && event.cycle == cycle)
        .filter(known)
        .filter_map(|event| event.until.or_else(|| months(event)))
        .max();
    Some(extended.map_or(end, |until| until.max(end)))
}

/// Every day on which the state may change, in no order.
pub fn breakpoints(facts: &UnionFacts, grace_months: u32) -> Vec<Day> {
    let mut days: Vec<Day> = facts.events.iter().map(effective_day).collect();
    for index in 0..days.len() {
        // The term changes only with events, so its end as of each of them is every end it ever has.
        if let Some(end) = term_end_at(facts, days[index]) {
            days.push(end.plus_months(grace_months.min(1200) as i32).next());
        }
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event: UnionEvent, on: &str, cycle: u32, term_years: Option<u32>) -> UnionEventFact {
        UnionEventFact {
            event,
            on: on.parse().expect("a date"),
            cycle,
            has_number: true,
            approved_by: None,
            term_years,
            until: None,
            months: None,
        }
    }

    fn state(events: &[UnionEventFact], on: &str) -> UnionState {
        let facts = UnionFacts {
            events: events.to_vec(),
            ..UnionFacts::default()
        };
        state_at(&facts, on.parse().expect("a day"), 0)
    }

    #[test]
    fn only_the_approved_result_establishes() {
        use UnionEvent::{Applied, Elected, Established, FoundingApproved};
        let events = [
            event(Applied, "2023-12-01", 0, None),
            event(FoundingApproved, "2023-12-20", 0, None),
            event(Elected, "2024-01-12", 0, Some(5)),
            event(Established, "2024-01-15", 0, None),
        ];
        for (on, established, stage) in [
            ("2023-11-30", false, None),
            ("2023-12-19", false, Some(Stage::Applied)),
            ("2023-12-31", false, Some(Stage::FoundingApproved)),
            ("2024-01-14", false, Some(Stage::Elected)),
            ("2024-01-15", true, Some(Stage::Established)),
        ] {
            let state = state(&events, on);
            assert_eq!((state.established, state.stage), (established, stage), "{on}");
        }
        assert_eq!(state(&events, "2024-12-31").term_end, "2029-01-11".parse().ok());
    }

    #[test]
    fn endings_count_on_their_day_and_a_resumption_beats_a_suspension() {
        use UnionEvent::{Dissolved, Established, Resumed, Suspended};
        let events = [
            event(Established, "2023-03", 0, Some(3)),
            event(Suspended, "2023-06", 0, None),
            event(Resumed, "2023-08-01", 0, None),
            event(Suspended, "2023-09-01", 0, None),
            event(Resumed, "2023-09-01", 0, None),
            event(Dissolved, "2024", 0, None),
        ];
        for (on, established) in [
            ("2023-03-30", false),
            ("2023-03-31", true),
            ("2023-05-31", true),
            ("2023-06-01", false),
            ("2023-07-31", false),
            ("2023-08-01", true),
            ("2023-09-01", true),
            ("2023-12-31", true),
            ("2024-01-01", false),
        ] {
            assert_eq!(state(&events, on).established, established, "{on}");
        }
    }

    #[test]
    fn terms_run_from_the_latest_approved_election_and_may_be_extended() {
        use UnionEvent::{Elected, Established, ResultApproved, TermExtended};
        let mut events = vec![event(Established, "2019-05-10", 0, Some(3))];
        assert!(!state(&events, "2022-05-09").overdue);
        assert!(state(&events, "2022-05-10").overdue);
        events.push(UnionEventFact {
            until: "2022-09-09".parse().ok(),
            ..event(TermExtended, "2022-05-01", 0, None)
        });
        assert!(!state(&events, "2022-09-09").overdue);
        assert!(state(&events, "2022-09-10").overdue);
        let by_months = UnionEventFact {
            months: Some(4),
            until: None,
            ..events[1].clone()
        };
        assert_eq!(
            state(&[events[0].clone(), by_months], "2022-06-01").term_end,
            "2022-09-09".parse().ok()
        );
        events.push(event(Elected, "2022-10-01", 1, Some(5)));
        assert!(
            state(&events, "2022-10-20").overdue,
            "the result is not approved yet"
        );
        events.push(event(ResultApproved, "2022-10-15", 1, None));
        assert_eq!(state(&events, "2022-10-20").term_end, "2027-09-30".parse().ok());
        let days = breakpoints(
            &UnionFacts {
                events,
                ..UnionFacts::default()
            },
            0,
        );
        for day in ["2022-05-10", "2022-09-10", "2027-10-01"] {
            assert!(days.contains(&day.parse().expect("a day")), "{day}");
        }
    }

    #[test]
    fn the_approvals_of_one_cycle_are_one_term() {
        use UnionEvent::{Established, ResultApproved};
        let events = [
            event(ResultApproved, "2019-12-16", 0, Some(3)),
            event(Established, "2019-12", 0, None),
        ];
        let term_end = |on| state(&events, on).term_end;
        assert_eq!(term_end("2019-12-20"), "2022-12-15".parse().ok());
        assert_eq!(term_end("2020-01-01"), "2022-12-15".parse().ok());
    }

    #[test]
    fn an_unknown_term_is_counted_and_not_overdue() {
        let state = state(
            &[event(UnionEvent::Established, "2001-01-01", 0, None)],
            "2024-12-31",
        );
        assert!(state.established && state.term_unknown && !state.overdue);
    }
}
