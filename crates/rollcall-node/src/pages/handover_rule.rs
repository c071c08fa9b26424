//! What a handover that is entered on a page may say (`protocol.md` 1.3, `domain.md` 6 rule 5): one at a time, to
//! somebody else, signed on days that have come and in their order. Who may sign is asked by `rollcall-replica`.

use rollcall_core::date::{Day, PartialDate};
use rollcall_core::id::FederationId;
use rollcall_core::problem::Problem;
use rollcall_core::record::{Dated, HandoverEntry, OrganisationRecord};

/// What is wrong with the handovers that are new in `after`, or that say something else than before.
pub(super) fn check(before: &OrganisationRecord, after: &OrganisationRecord, today: Day) -> Vec<Problem> {
    let mut problems = Vec::new();
    for handover in standing(after) {
        let known = standing(before).find(|known| known.id == handover.id);
        if known == Some(handover) {
            continue;
        }
        if known.is_none() {
            problems.extend(check_offer(before, handover, today));
        }
        let Some(accepted_on) = handover.accepted_on else {
            continue;
        };
        if accepted_on.first_day() > today || accepted_on.last_day() < handover.on.first_day() {
            let message = "The acceptance is in the future or before the handover.";
            problems.push(Problem::error("DATE_IMPLAUSIBLE", "accepted_on", message));
        }
    }
    problems
}

fn check_offer(before: &OrganisationRecord, handover: &HandoverEntry, today: Day) -> Vec<Problem> {
    let mut problems = Vec::new();
    if handover.on.first_day() > today {
        let message = "The handover is in the future.";
        problems.push(Problem::error("DATE_IMPLAUSIBLE", "on", message));
    }
    if keeper(before) == Some(&handover.to) {
        let message = "It is responsible already.";
        problems.push(Problem::error("HANDOVER_TO_KEEPER", "to", message));
    }
    if let Some(open) = standing(before).find(|known| known.accepted_on.is_none()) {
        let message = format!("A handover to {} waits for its acceptance.", open.to);
        problems.push(Problem::error("HANDOVER_WAITS", "to", message));
    }
    problems
}

/// Handovers that were not taken back.
fn standing(record: &OrganisationRecord) -> impl Iterator<Item = &HandoverEntry> {
    record.handovers.iter().filter(|entry| entry.withdrawn.is_none())
}

/// Handovers with both signatures, with the day from which each takes effect.
pub(super) fn complete(record: &OrganisationRecord) -> impl Iterator<Item = (&HandoverEntry, PartialDate)> {
    standing(record).filter_map(|entry| Some((entry, entry.accepted_on?)))
}

/// Who is responsible last.
fn keeper(record: &OrganisationRecord) -> Option<&FederationId> {
    let named: Vec<(Option<Day>, &FederationId)> = match &record.responsible {
        None => Vec::new(),
        Some(Dated::Scalar(federation)) => vec![(None, federation)],
        Some(Dated::List(entries)) => entries
            .iter()
            .filter(|entry| entry.withdrawn.is_none())
            .map(|entry| (entry.from.map(PartialDate::last_day), &entry.value))
            .collect(),
    };
    let taken = complete(record).map(|(entry, on)| (Some(on.last_day()), &entry.to));
    let last = named.into_iter().chain(taken).max_by_key(|(from, _)| *from);
    last.map(|(_, federation)| federation)
}

#[cfg(test)]
mod tests {
    use rollcall_core::record::Record;

    use super::*;

    fn organisation(handovers: &str) -> OrganisationRecord {
        let text = format!(
            r#"{{"type":"organisation","id":"x","name":"一所学校","responsible":"330106","handovers":[{handovers}]}}"#
        );
        match serde_json::from_str(&text).expect("a record") {
            Record::Organisation(record) => *record,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_handover_is_one_at_a_time_to_another_and_signed_in_order() {
        let today: Day = "2026-11-28".parse().expect("a day");
        let offered = r#"{"id":"h1","to":"330105","on":"2026-11-20"}"#;
        let signed =
            |on: &str| format!(r#"{{"id":"h1","to":"330105","on":"2026-11-20","accepted_on":"{on}"}}"#);
        let taken = signed("2026-11-21");
        let withdrawn =
            r#"{"id":"h1","to":"330105","on":"2026-11-20","withdrawn":{"at":"2026-11-21","reason":"错"}}"#;
        let second = r#"{"id":"h2","to":"330108","on":"2026-11-22"}"#;
        for (before, after, expected) in [
            ("", offered.to_owned(), vec![]),
            (
                "",
                r#"{"id":"h1","to":"330106","on":"2026-11-20"}"#.to_owned(),
                vec!["HANDOVER_TO_KEEPER"],
            ),
            (
                "",
                r#"{"id":"h1","to":"330105","on":"2026-12-20"}"#.to_owned(),
                vec!["DATE_IMPLAUSIBLE"],
            ),
            (offered, format!("{offered},{second}"), vec!["HANDOVER_WAITS"]),
            (withdrawn, format!("{withdrawn},{second}"), vec![]),
            (taken.as_str(), format!("{taken},{second}"), vec![]),
            (
                taken.as_str(),
                format!(r#"{taken},{{"id":"h3","to":"330105","on":"2026-11-23"}}"#),
                vec!["HANDOVER_TO_KEEPER"],
            ),
            (offered, taken.clone(), vec![]),
            (offered, signed("2026-11-19"), vec!["DATE_IMPLAUSIBLE"]),
            (offered, signed("2031-01-01"), vec!["DATE_IMPLAUSIBLE"]),
            (offered, signed("2026-11"), vec![]),
            ("", signed("2020"), vec!["DATE_IMPLAUSIBLE"]),
        ] {
            let problems = check(&organisation(before), &organisation(&after), today);
            let codes: Vec<&str> = problems.iter().map(|problem| problem.code.as_str()).collect();
            assert_eq!(codes, expected, "{before} -> {after}");
        }
    }
}
