//! From a number to the organisations behind it, and how one organisation counts and why.
//! Owns lists and the single view; both rest on the same columns and rules as the figures.

use rollcall_core::coverage::Form;
use rollcall_core::date::Day;
use rollcall_core::dated::count_at;
use rollcall_core::figure::RowKey;
use rollcall_core::id::{DocumentId, FederationId};
use rollcall_core::scope::OutReason;
use rollcall_core::term::{Category, ExclusionReason, Kind, Level, Stage};
use serde::Serialize;

use crate::Error;
use crate::completeness::HeardPlaces;
use crate::cube::profile::{Profile, Standing};
use crate::cube::segment::SET;
use crate::cube::{Cube, UnionsOfCube};
use crate::establishment::{Outcome, Outcomes, Subject};
use crate::layout::{Layout, Span};
use crate::query::FiguresQuery;
use crate::sums::{Judged, favour};

/// The organisations behind a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// In scope and registered.
    InScope,
    /// Of them, not excluded.
    Eligible,
    /// Of those, covered.
    Covered,
    /// Eligible and not covered.
    Uncovered,
    /// In scope and excluded, for any reason.
    Excluded,
    /// In scope and excluded for this reason.
    ExcludedFor(ExclusionReason),
    /// Not in scope, for this reason.
    Out(OutReason),
}

/// How one organisation counts on a day, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrganisationStatus {
    /// The day.
    pub as_of: Day,
    /// Document under which it counts, where that is another one; `None` for its own.
    pub counted_under: Option<DocumentId>,
    /// Closed as a mistake: in no figure.
    pub mistaken: bool,
    /// Responsible federation.
    pub responsible: FederationId,
    /// In scope and registered.
    pub in_scope: bool,
    /// In group A.
    pub group_a: bool,
    /// In group B.
    pub group_b: bool,
    /// Why it is out.
    pub out: Option<OutReason>,
    /// Kind by prefix.
    pub kind: Kind,
    /// Category that holds.
    pub category: Category,
    /// Registration level.
    pub level: Level,
    /// In scope and not excluded.
    pub eligible: bool,
    /// Approved exclusion that counts.
    pub excluded: Option<ExclusionReason>,
    /// An exclusion is proposed.
    pub exclusion_pending: bool,
    /// Covered.
    pub covered: bool,
    /// How.
    pub form: Form,
    /// Covered also without overdue terms.
    pub strict: bool,
    /// Established unions that cover it.
    pub unions: Vec<DocumentId>,
    /// Stage of founding.
    pub stage: Stage,
    /// Latest number of workers.
    pub workers: Option<u32>,
    /// Latest number of members.
    pub members: Option<u32>,
    /// Links to unions that are not held here.
    pub unresolved_links: u8,
    /// The term of a covering union is unknown.
    pub term_unknown: bool,
    /// The registration date is unknown.
    pub date_unknown: bool,
    /// Something about it waits for a decision: a field with several values, or sources that differ about the day.
    pub in_conflict: bool,
    /// Open conflicts let it count in more than one way; shown is the least favourable.
    pub disputed: bool,
}

/// An organisation on a day: the documents that are it, together, and all the ways in which it may count.
pub(crate) struct Seen {
    pub(crate) subject: Subject,
    pub(crate) outcomes: Outcomes,
    /// Document under which it counts.
    pub(crate) lead: u32,
}

impl Seen {
    /// The outcome that figures show.
    pub(crate) fn shown(&self) -> &Outcome {
        let options = &self.outcomes.options;
        let order = |outcome: &&Outcome| {
            (
                favour(&outcome.profile, outcome.cover.len()),
                outcome.cover.clone(),
            )
        };
        let shown = options.iter().min_by_key(order);
        shown.unwrap_or(&options[0])
    }
}

impl Cube {
    /// The organisation that a document belongs to on a day; `None` where all its documents are mistakes.
    pub(crate) fn seen(&self, number: u32, on: Day) -> Option<Seen> {
        let component = self.organisation_component(number);
        let group = component
            .groups_at(on)
            .into_iter()
            .map(|group| {
                group
                    .into_iter()
                    .map(|position| component.members[position])
                    .collect::<Vec<u32>>()
            })
            .find(|group| group.contains(&number))?;
        let (lead, subject) = self.subject_of(&group)?;
        let outcomes = subject.outcomes(on, self.settings(), &UnionsOfCube::of(self, &subject));
        Some(Seen {
            subject,
            outcomes,
            lead,
        })
    }

    /// How an organisation counts on a day; `None` where the document is not held or is no organisation.
    pub fn organisation(&self, id: DocumentId, as_of: Day) -> Option<OrganisationStatus> {
        let number = self.organisations.holders(id).next()?;
        let mistaken = self.stored_organisation(number).facts.mistaken;
        let Some(seen) = self.seen(number, as_of) else {
            return Some(OrganisationStatus::of_mistake(as_of));
        };
        let Outcome {
            responsible,
            profile,
            cover,
            ..
        } = seen.shown().clone();
        let (group_a, group_b, out) = match profile.standing {
            Standing::In { a, b } => (a, b, None),
            Standing::Out(reason) => (false, false, Some(reason)),
            Standing::Absent => (false, false, None),
        };
        let counts = &seen.subject.counts;
        let workers =
            count_at(counts, as_of, |count| count.workers.is_some()).and_then(|count| count.workers);
        let members =
            count_at(counts, as_of, |count| count.members.is_some()).and_then(|count| count.members);
        Some(OrganisationStatus {
            as_of,
            counted_under: (seen.lead != number).then(|| self.organisations.id(seen.lead)),
            mistaken,
            responsible,
            in_scope: profile.in_scope(),
            group_a,
            group_b,
            out,
            kind: profile.kind,
            category: profile.category,
            level: profile.level,
            eligible: profile.eligible(),
            excluded: profile.excluded,
            exclusion_pending: profile.pending,
            covered: profile.covered(),
            form: profile.form,
            strict: profile.strict,
            unions: cover,
            stage: profile.stage,
            workers,
            members,
            unresolved_links: profile.unresolved_links,
            term_unknown: profile.term_unknown,
            date_unknown: profile.date_unknown,
            in_conflict: profile.in_conflict,
            disputed: seen.outcomes.all || seen.outcomes.options.len() > 1,
        })
    }

    /// The documents of the organisations that are in one of several sets of a row, in order of id, by one pass over
    /// all. An empty key means the total.
    ///
    /// # Errors
    /// As for the question itself.
    pub fn members(
        &self,
        query: &FiguresQuery,
        row: &RowKey,
        sets: &[Set],
    ) -> Result<Vec<DocumentId>, Error> {
        query.check()?;
        let located = self.located(query.boundaries.unwrap_or(query.as_of));
        let by: Vec<_> = row.0.iter().map(|(dimension, _)| *dimension).collect();
        let span = Span {
            dates: vec![query.as_of],
            located,
            silent: Vec::new(),
        };
        let layout = Layout::new(self, query, &by, &span, &HeardPlaces::default());
        let wanted: Vec<bool> = (0..layout.plan.rows())
            .map(|number| layout.key_of_row(self, number as u32) == *row)
            .collect();
        let belongs = |reading: &_| layout.row(reading).is_some_and(|row| wanted[row as usize]);
        let in_sets: Vec<bool> = self
            .profiles
            .values()
            .iter()
            .map(|profile| sets.iter().any(|set| set.holds(profile)))
            .collect();
        let mut found = Vec::new();
        for number in 0..self.segments.len() {
            let Some(segment) = self.segments.at(number, query.as_of.0) else {
                continue;
            };
            let holds = if segment.reading.profile & SET == 0 {
                in_sets[segment.reading.profile as usize] && belongs(&segment.reading)
            } else {
                let readings = self.readings.value(segment.reading.profile & !SET);
                let judged = Judged::new(self, readings, belongs);
                sets.iter().any(|set| set.holds_judged(self, &judged))
            };
            if holds {
                found.push(self.organisations.id(number));
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

impl Set {
    fn holds(self, profile: &Profile) -> bool {
        match self {
            Self::InScope => profile.in_scope(),
            Self::Eligible => profile.eligible(),
            Self::Covered => profile.eligible() && profile.covered(),
            Self::Uncovered => profile.eligible() && !profile.covered(),
            Self::Excluded => profile.in_scope() && profile.excluded.is_some(),
            Self::ExcludedFor(reason) => profile.in_scope() && profile.excluded == Some(reason),
            Self::Out(reason) => profile.standing == Standing::Out(reason),
        }
    }
}

impl Set {
    /// Where conflicts are open, the pairs that the figures count decide.
    fn holds_judged(self, cube: &Cube, judged: &Judged) -> bool {
        let (eligible, covered) = judged.establishment.low();
        match self {
            Self::InScope => judged.identified.low().0,
            Self::Eligible => eligible,
            Self::Covered => covered,
            Self::Uncovered => eligible && !covered,
            Self::Excluded | Self::ExcludedFor(_) | Self::Out(_) => judged
                .shown
                .is_some_and(|reading| self.holds(cube.profiles.value(reading.profile))),
        }
    }
}

impl OrganisationStatus {
    fn of_mistake(as_of: Day) -> Self {
        Self {
            as_of,
            counted_under: None,
            mistaken: true,
            responsible: FederationId::national(),
            in_scope: false,
            group_a: false,
            group_b: false,
            out: None,
            kind: Kind::Other,
            category: Category::Other,
            level: Level::County,
            eligible: false,
            excluded: None,
            exclusion_pending: false,
            covered: false,
            form: Form::None,
            strict: false,
            unions: Vec::new(),
            stage: Stage::Ended,
            workers: None,
            members: None,
            unresolved_links: 0,
            term_unknown: false,
            date_unknown: false,
            in_conflict: false,
            disputed: false,
        }
    }
}
