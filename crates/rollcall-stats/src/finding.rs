//! What someone should look at: the rules of `domain.md` 12 that need more than one document, or a date.
//! A finding never refuses anything, because the other document may simply not have arrived yet (edge rule 0).

mod event;
mod money;

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::coverage::{Form, LinkStanding, exclusion_at, link_at};
use rollcall_core::date::Day;
use rollcall_core::dated::{count_at, holding_at};
use rollcall_core::fact::CountFact;
use rollcall_core::figure::Dimension;
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_core::term::{ExclusionReason, UnionEvent, UnionForm};
use rollcall_core::union::effective_day;
use serde::Serialize;

use crate::completeness::Heard;
use crate::cube::profile::Standing;
use crate::cube::{UNCOUNTED, forms_of};
use crate::detail::Seen;
use crate::{Cube, FiguresQuery};

use event::check_union_events;

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Rule, `V14` and so on.
    pub rule: &'static str,
    /// Document it is about.
    pub document: DocumentId,
    /// The other document, where two are involved.
    pub other: Option<DocumentId>,
    /// A plain sentence.
    pub message: String,
}

/// Members from which an own committee is due (T2), workers from which V15 asks.
const COMMITTEE_FROM: u32 = 25;
/// Workers from which a chair is full-time (T6).
const FULL_TIME_FROM: u32 = 200;
/// Days before the end of a term in which V21 reminds.
const REMINDER_DAYS: i32 = 90;

#[derive(Default)]
struct Findings(BTreeSet<Finding>);

impl Findings {
    fn add(
        &mut self,
        rule: &'static str,
        document: DocumentId,
        other: Option<DocumentId>,
        message: impl Into<String>,
    ) {
        self.0.insert(Finding {
            rule,
            document,
            other,
            message: message.into(),
        });
    }
}

impl Cube {
    /// Everything to look at as of a day, in order of rule and document.
    pub fn findings(&self, as_of: Day) -> Vec<Finding> {
        let mut findings = Findings::default();
        let mut units: BTreeMap<DocumentId, u64> = BTreeMap::new();
        let mut names: BTreeMap<(u64, u32), Vec<DocumentId>> = BTreeMap::new();
        for number in 0..self.organisations.len() as u32 {
            let id = self.organisations.id(number);
            let stored = self.stored_organisation(number);
            for link in stored
                .facts
                .coverage
                .iter()
                .filter(|link| link.until.is_some_and(|until| until < link.from))
            {
                findings.add(
                    "V25",
                    id,
                    Some(link.union),
                    "a coverage link ends before it starts",
                );
            }
            for exclusion in stored
                .facts
                .exclusions
                .iter()
                .filter(|exclusion| !exclusion.has_evidence)
            {
                let reason = exclusion.reason.name();
                findings.add("V29", id, None, format!("the exclusion {reason} has no evidence"));
            }
            let Some(seen) = self.seen(number, as_of) else {
                continue;
            };
            if seen.lead != number {
                let lead = self.stored_organisation(seen.lead);
                if stored.facts.code.is_some()
                    && stored.facts.code == lead.facts.code
                    && stored.name != lead.name
                {
                    let other = Some(self.organisations.id(seen.lead));
                    findings.add("V28", id, other, "two records of one code have different names");
                }
                continue;
            }
            if let (Some(name), Some(_)) = (stored.name, stored.facts.code) {
                let location = holding_at(&stored.facts.location, as_of).first().copied();
                names.entry((name, location.unwrap_or(0))).or_default().push(id);
            }
            self.check_organisation(id, &seen, as_of, &mut findings, &mut units);
        }
        for same in names.into_values().filter(|same| same.len() > 1) {
            for id in &same[1..] {
                findings.add(
                    "V28",
                    *id,
                    Some(same[0]),
                    "the same name with another code in one county",
                );
            }
        }
        for number in 0..self.unions.len() as u32 {
            self.check_union(number, as_of, &units, &mut findings);
        }
        self.check_areas(as_of, &mut findings);
        self.check_money(as_of, &mut findings);
        findings.0.into_iter().collect()
    }

    fn check_organisation(
        &self,
        id: DocumentId,
        seen: &Seen,
        as_of: Day,
        findings: &mut Findings,
        units: &mut BTreeMap<DocumentId, u64>,
    ) {
        let (subject, outcome) = (&seen.subject, seen.shown());
        let profile = &outcome.profile;
        let ended = subject.ended_until(as_of) == Some(as_of);
        if !ended {
            let linked: BTreeSet<DocumentId> = subject
                .coverage
                .iter()
                .filter(|link| link_at(link, as_of) == LinkStanding::Holds)
                .map(|link| self.union_lead(link.union, as_of))
                .collect();
            for union in linked {
                *units.entry(union).or_default() += 1;
            }
        }
        let counted = |wanted: fn(&CountFact) -> Option<u32>| {
            count_at(&subject.counts, as_of, |count| wanted(count).is_some()).and_then(wanted)
        };
        let workers = counted(|count| count.workers);
        let members = counted(|count| count.members);
        let standing = exclusion_at(&subject.exclusions, as_of);
        if let Some(reason) = standing.excluded.filter(|_| profile.in_scope()) {
            if profile.covered() {
                findings.add(
                    "V30",
                    id,
                    outcome.cover.first().copied(),
                    "excluded, but covered: covered wins",
                );
            } else if reason == ExclusionReason::NoWorkers && workers.is_some_and(|workers| workers > 0) {
                findings.add("V30", id, None, "excluded as without workers, but it has some");
            }
        }
        let own = self.own_unions(subject, as_of);
        if own.len() > 1 && !ended {
            findings.add("V26", id, Some(own[1]), "two current own unions");
        }
        if !matches!(profile.standing, Standing::In { .. }) {
            return;
        }
        let only_listed = matches!(profile.form, Form::Joint | Form::Federation | Form::Organiser)
            || (profile.form == Form::None && subject.has_organiser(as_of));
        if only_listed && members.is_some_and(|members| members >= COMMITTEE_FROM) {
            findings.add(
                "V14",
                id,
                None,
                "25 members or more: a committee of its own is due",
            );
        }
        let deadline = subject
            .registered_since()
            .map(|since| since.plus_months(self.settings().deadline_months as i32));
        if profile.eligible()
            && !profile.covered()
            && workers.is_some_and(|workers| workers >= COMMITTEE_FROM)
            && deadline.is_none_or(|deadline| deadline < as_of)
        {
            findings.add(
                "V15",
                id,
                None,
                "25 workers or more, not covered, and the deadline has passed",
            );
        }
        for union in own {
            let Some(number) = self.unions.find(union) else {
                continue;
            };
            let facts = self.stored_union(number).facts;
            if members.is_some_and(|members| members < 3) {
                findings.add("V16", union, Some(id), "an own union with fewer than 3 members");
            }
            if workers.is_some_and(|workers| workers >= FULL_TIME_FROM) && facts.full_time_chair != [true] {
                findings.add(
                    "V22",
                    union,
                    Some(id),
                    "200 workers or more without a full-time chair",
                );
            }
            let women = counted(|count| count.female_members);
            if women.is_some_and(|women| women >= self.settings().womens_committee_from)
                && facts.womens_committee != [true]
            {
                findings.add(
                    "V23",
                    union,
                    Some(id),
                    "many female members without a women workers' committee",
                );
            }
        }
    }

    /// Established own unions of an organisation, each under the document by which it counts.
    fn own_unions(&self, subject: &crate::establishment::Subject, as_of: Day) -> Vec<DocumentId> {
        let numbers = subject
            .aliases
            .iter()
            .flat_map(|alias| self.naming_by_organisation.get(alias));
        let mut own: Vec<DocumentId> = numbers
            .filter_map(|number| self.union_row(*number).state_at(as_of).copied())
            .filter(|segment| segment.state.established && is_own(segment.forms))
            .map(|segment| self.unions.id(segment.lead))
            .collect();
        own.sort_unstable();
        own.dedup();
        own
    }

    fn check_union(
        &self,
        number: u32,
        as_of: Day,
        units: &BTreeMap<DocumentId, u64>,
        findings: &mut Findings,
    ) {
        let id = self.unions.id(number);
        let facts = self.stored_union(number).facts;
        check_union_events(id, &facts, as_of, findings);
        let higher = facts.higher_union.first();
        for event in facts.events.iter().filter(|event| effective_day(event) <= as_of) {
            let approver = event.approved_by.as_ref();
            if let (UnionEvent::Established | UnionEvent::FoundingApproved, Some(approver), Some(higher)) =
                (event.event, approver, higher)
                && !self.directory().is_within(approver, higher, effective_day(event))
            {
                let message = format!("approved by {approver}, which is not above it");
                findings.add("V18", id, None, message);
            }
        }
        if facts
            .code
            .is_some_and(|code| !matches!(code.prefix(), "81" | "89"))
        {
            findings.add("V24", id, None, "the code of a union begins with 81 or 89");
        }
        let row = self.union_row(number);
        let Some(segment) = row.state_at(as_of).filter(|segment| segment.lead == number) else {
            return;
        };
        let employer = facts
            .organisation
            .first()
            .and_then(|named| self.organisations.holders(*named).next());
        let seen = employer.and_then(|employer| self.seen(employer, as_of));
        let employer_id = seen.as_ref().map(|seen| self.organisations.id(seen.lead));
        let own = is_own(segment.forms);
        if let (true, Some(seen)) = (own, &seen) {
            let ended = seen.subject.ended_until(as_of) == Some(as_of);
            if ended && segment.state.established_on.is_some() && !segment.state.dissolved {
                findings.add(
                    "V27",
                    id,
                    employer_id,
                    "the employer has ended and the union has not",
                );
            }
        }
        if self
            .union_segments
            .at(number, as_of.0)
            .is_none_or(|segment| segment.reading.profile == UNCOUNTED)
        {
            return;
        }
        // Own unions of employers outside the campaign are kept, and nobody is asked about them.
        let of_campaign = !own || seen.is_none_or(|seen| seen.shown().profile.in_scope());
        if let Some(end) = segment.state.term_end.filter(|_| of_campaign) {
            if end < as_of {
                findings.add("V21", id, employer_id, format!("the term ended on {end}"));
            } else if end.0.saturating_sub(as_of.0) < REMINDER_DAYS {
                findings.add("V21", id, employer_id, format!("the term ends on {end}"));
            }
        }
        if forms_of(segment.forms).contains(&UnionForm::Joint) {
            let other = facts
                .other_units
                .iter()
                .filter(|(day, _)| *day <= as_of)
                .max_by_key(|(day, count)| (*day, *count));
            let count =
                units.get(&id).copied().unwrap_or(0) + other.map_or(0, |(_, count)| u64::from(*count));
            if count < 2 {
                findings.add(
                    "V17",
                    id,
                    None,
                    format!("a joint union with {count} current units"),
                );
            }
        }
    }

    /// V31 by province: excluded over in scope, now and a month before.
    fn check_areas(&self, as_of: Day, findings: &mut Findings) {
        let shares = |on: Day| {
            let query = FiguresQuery {
                by: vec![Dimension::Province],
                ..FiguresQuery::at(on)
            };
            let answer = self.figures(&query, &Heard::default()).ok()?;
            let rows = answer.rows.iter().filter_map(|row| {
                let province: FederationId = row.key.value(Dimension::Province)?.parse().ok()?;
                let excluded: u64 = row.figures.excluded.values().sum();
                Some((province, (u128::from(excluded), u128::from(row.figures.in_scope))))
            });
            Some(rows.collect::<BTreeMap<_, _>>())
        };
        let (Some(before), Some(now)) = (shares(as_of.plus_months(-1)), shares(as_of)) else {
            return;
        };
        for (province, (excluded, in_scope)) in now {
            let (excluded_before, in_scope_before) = before.get(&province).copied().unwrap_or_default();
            if in_scope == 0 || in_scope_before == 0 {
                continue;
            }
            // excluded / in_scope - before > 2 / 100, without a division; a smaller scope alone is no rise.
            let risen = 100 * excluded * in_scope_before;
            let line = 100 * excluded_before * in_scope + 2 * in_scope * in_scope_before;
            if excluded > excluded_before && risen > line {
                let document = DocumentId::derive(DocumentKind::Federation, province.as_str());
                let message =
                    format!("exclusions in {province} rose from {excluded_before} to {excluded} in a month");
                findings.add("V31", document, None, message);
            }
        }
    }
}

fn is_own(forms: u8) -> bool {
    let forms = forms_of(forms);
    forms.is_empty() || forms.contains(&UnionForm::Own)
}
