//! How one organisation counts on one day: the only place where scope, exclusion, coverage and open conflicts come
//! together (`domain.md` 5 and 6). Everything that shows a figure or a list reads what is computed here.
//! The single rules are in `rollcall-core`; the choice between conflicting values is tried in full.

mod registration;

use rollcall_core::campaign::Settings;
use rollcall_core::coverage::{Coverage, LinkStanding, Reach, cover_of, exclusion_at, link_at, organiser_at};
use rollcall_core::date::Day;
use rollcall_core::dated::{count_at, holding_at, is_disputed_at, is_status_disputed_at};
use rollcall_core::fact::{CountFact, DatedFact, Disputed, DisputedEntries, ExclusionFact, LinkFact};
use rollcall_core::federation::default_responsible;
use rollcall_core::id::{DocumentId, FederationId};
use rollcall_core::organisation::{kind_of_prefix, level_of_code, level_of_division};
use rollcall_core::scope::{OutReason, Scope, classify};
use rollcall_core::stage::stage_at;
use rollcall_core::term::{Category, Kind, Level, Stage, UnionForm};
use rollcall_core::union::UnionState;

use crate::cube::profile::{Profile, Size, Standing};
use crate::cube::stored::StoredOrganisation;
use crate::picks::{COMBINATIONS_MAX, Picks};

use registration::{Registration, differ};

/// One organisation, the entries of all its documents united.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subject {
    registrations: Vec<Registration>,
    kind: Vec<Kind>,
    category: Vec<DatedFact<Category>>,
    category_by_name: Vec<DatedFact<Category>>,
    accounting_firm: bool,
    location: Vec<DatedFact<u32>>,
    responsible: Vec<DatedFact<FederationId>>,
    pub(crate) counts: Vec<CountFact>,
    pub(crate) exclusions: Vec<ExclusionFact>,
    pub(crate) coverage: Vec<LinkFact>,
    organisers: Vec<(Day, Option<Day>)>,
    stages: Vec<(Stage, Day)>,
    disputed: DisputedEntries,
    /// A field of one of its documents holds several values, or its documents differ on an agreed value.
    unsettled: bool,
    /// Every id it goes by.
    pub(crate) aliases: Vec<DocumentId>,
}

/// A union as an organisation meets it on a day.
#[derive(Debug, Clone)]
pub(crate) struct UnionView {
    /// Document under which it counts.
    pub(crate) lead: DocumentId,
    /// Its form, or several in conflict; never empty.
    pub(crate) forms: Vec<UnionForm>,
    /// Which organisation it names is in conflict.
    pub(crate) organisation_disputed: bool,
    /// Its state, or several where an event is disputed; never empty.
    pub(crate) states: Vec<UnionState>,
}

/// What an organisation needs to know of unions.
pub(crate) trait Unions {
    /// Unions whose documents name one of these ids as their organisation, each once.
    fn naming(&self, organisation: &[DocumentId], on: Day) -> Vec<UnionView>;
    /// The union that a link names; `None` where it is not held.
    fn linked(&self, union: DocumentId, on: Day) -> Option<UnionView>;
}

/// One way in which the organisation may count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Outcome {
    pub(crate) responsible: FederationId,
    pub(crate) profile: Profile,
    /// Covering unions, sorted; only where it is in scope.
    pub(crate) cover: Vec<DocumentId>,
    pub(crate) workers: u32,
    pub(crate) members: u32,
}

/// All ways in which the organisation may count on a day, distinct, by content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub(crate) options: Vec<Outcome>,
    /// More combinations than were tried.
    pub(crate) all: bool,
}

impl Subject {
    /// Unites the documents of one organisation, the leading one first. Those closed as mistakes must be left out.
    pub(crate) fn unite(documents: impl Iterator<Item = (DocumentId, StoredOrganisation)>) -> Self {
        let mut subject = Self::default();
        for (id, document) in documents {
            subject.aliases.extend(document.aliases(id));
            let facts = document.facts;
            subject.unsettled |= facts.open_conflicts > 0;
            subject.accounting_firm |= document.accounting_firm;
            subject.kind.extend(facts.kind);
            subject.category.extend(facts.category);
            subject.category_by_name.extend(document.category_by_name);
            subject.location.extend(facts.location);
            subject.responsible.extend(facts.responsible);
            subject.counts.extend(facts.counts);
            subject.exclusions.extend(facts.exclusions);
            subject.coverage.extend(facts.coverage);
            subject.organisers.extend(facts.organisers);
            subject.stages.extend(facts.stages);
            subject.disputed.responsible.extend(facts.disputed.responsible);
            subject.disputed.exclusions.extend(facts.disputed.exclusions);
            subject.disputed.coverage.extend(facts.disputed.coverage);
            subject.disputed.organisers.extend(facts.disputed.organisers);
            let same = subject
                .registrations
                .iter_mut()
                .find(|known| known.code == facts.code);
            let registration = match same {
                Some(known) => {
                    subject.unsettled |= differ(&known.registered_on, &facts.registered_on);
                    known
                }
                None => {
                    subject.registrations.push(Registration {
                        code: facts.code,
                        ..Registration::default()
                    });
                    subject.registrations.last_mut().expect("just pushed")
                }
            };
            for date in facts.registered_on {
                if !registration.registered_on.contains(&date) {
                    registration.registered_on.push(date);
                }
            }
            registration.status.extend(facts.status);
            registration.authority.extend(facts.authority);
        }
        subject.settle_registrations();
        subject.aliases.sort_unstable();
        subject.aliases.dedup();
        subject
    }

    /// Every day on which it may begin to count in another way, but for what happens to its unions.
    pub(crate) fn breakpoints(&self, days: &mut Vec<Day>) {
        for registration in &self.registrations {
            days.extend(registration.registered_on.iter().map(|date| date.last_day()));
            days.extend(registration.status.iter().map(|entry| entry.from));
            days.extend(registration.authority.iter().map(|entry| entry.from));
        }
        days.extend(
            self.category
                .iter()
                .chain(&self.category_by_name)
                .map(|entry| entry.from),
        );
        days.extend(self.location.iter().map(|entry| entry.from));
        let disputed = &self.disputed;
        days.extend(
            self.responsible
                .iter()
                .chain(others(&disputed.responsible))
                .map(|entry| entry.from),
        );
        days.extend(self.counts.iter().map(|count| count.on));
        for exclusion in self.exclusions.iter().chain(others(&disputed.exclusions)) {
            days.extend(
                [Some(exclusion.from), exclusion.approved_on, exclusion.refused_on]
                    .into_iter()
                    .flatten(),
            );
            days.extend(exclusion.until.map(Day::next));
        }
        for link in self.links() {
            days.extend(
                [Some(link.from), link.consent_on, link.until.map(Day::next)]
                    .into_iter()
                    .flatten(),
            );
        }
        for (elected, ended) in self.organisers.iter().chain(others(&disputed.organisers)) {
            days.extend([Some(*elected), *ended].into_iter().flatten());
        }
        days.extend(self.stages.iter().map(|(_, day)| *day));
    }

    /// Its coverage links in every reading of them.
    pub(crate) fn links(&self) -> impl Iterator<Item = &LinkFact> {
        self.coverage.iter().chain(others(&self.disputed.coverage))
    }

    /// All the ways in which it may count at the end of day `on`.
    pub(crate) fn outcomes(&self, on: Day, settings: &Settings, unions: &impl Unions) -> Outcomes {
        let mut picks = Picks::default();
        let mut options = vec![self.outcome(on, settings, unions, &mut picks)];
        let mut tried = 1;
        while picks.advance() {
            if tried == COMBINATIONS_MAX {
                options.sort_unstable();
                options.dedup();
                let all = options.iter().any(|outcome| outcome.profile.in_scope());
                return Outcomes { options, all };
            }
            options.push(self.outcome(on, settings, unions, &mut picks));
            tried += 1;
        }
        options.sort_unstable();
        options.dedup();
        Outcomes { options, all: false }
    }

    fn outcome(&self, on: Day, settings: &Settings, unions: &impl Unions, picks: &mut Picks) -> Outcome {
        let holding = self.registration_at(on, picks);
        let registration = holding.registration;
        let code = registration.and_then(|registration| registration.code);
        let recorded_authority =
            registration.and_then(|registration| picks.one(&holding_at(&registration.authority, on)));
        let authority = recorded_authority.or(code.map(|code| code.division()));
        let level = match (recorded_authority, code) {
            (Some(authority), _) => level_of_division(authority),
            (None, Some(code)) => level_of_code(&code),
            (None, None) => Level::County,
        };
        let category = [&self.category, &self.category_by_name]
            .into_iter()
            .find_map(|entries| picks.one(&holding_at(entries, on)))
            .or_else(|| picks.one(&earliest(&self.category)))
            .or_else(|| picks.one(&earliest(&self.category_by_name)))
            .unwrap_or(Category::Other);
        let category = if category == Category::Clinic && settings.clinics_are_hospitals {
            Category::Hospital
        } else {
            category
        };
        let responsible = picks.entries(&self.responsible, &self.disputed.responsible);
        let responsible = picks.one(&holding_at(&responsible, on)).unwrap_or_else(|| {
            let location = picks
                .one(&holding_at(&self.location, on))
                .or_else(|| picks.one(&earliest(&self.location)));
            default_responsible(level, authority, location)
        });
        let standing = match classify(code.as_ref(), category, level, self.accounting_firm, settings) {
            Scope::Out(reason) => Standing::Out(reason),
            Scope::In { .. } if !holding.registered => Standing::Out(OutReason::NotRegistered),
            Scope::In { a, b } => Standing::In { a, b },
        };
        let in_scope = matches!(standing, Standing::In { .. });

        let mut cover = Vec::new();
        let mut coverage = Coverage::NONE;
        let mut met: Vec<UnionState> = Vec::new();
        let mut meet = |lead: DocumentId, state: UnionState, form: UnionForm, reach: Reach| {
            if let Some(by) = cover_of(form, reach, &state) {
                coverage = coverage.and(by);
                cover.push(lead);
            }
            met.push(state);
        };
        for view in unions.naming(&self.aliases, on) {
            let form = picks.one(&view.forms).unwrap_or(UnionForm::Own);
            let names = !view.organisation_disputed || picks.pick(2) == 1;
            if names
                && form == UnionForm::Own
                && let Some(state) = picks.one(&view.states)
            {
                meet(
                    view.lead,
                    state,
                    form,
                    Reach::Names {
                        ended_until: holding.ended_until,
                    },
                );
            }
        }
        let mut unresolved_links = 0_u8;
        let links = picks.entries(&self.coverage, &self.disputed.coverage);
        for link in links
            .iter()
            .filter(|link| link_at(link, on) == LinkStanding::Holds)
        {
            match unions.linked(link.union, on) {
                None => unresolved_links = unresolved_links.saturating_add(1),
                Some(view) => {
                    let form = picks.one(&view.forms).unwrap_or(UnionForm::Joint);
                    if form != UnionForm::Own
                        && let Some(state) = picks.one(&view.states)
                    {
                        meet(view.lead, state, form, Reach::Link);
                    }
                }
            }
        }
        cover.sort_unstable();
        cover.dedup();
        let organisers = picks.entries(&self.organisers, &self.disputed.organisers);
        if settings.organiser_counts && organiser_at(&organisers, on) {
            coverage = coverage.and(Coverage::ORGANISER);
        }
        if !in_scope {
            unresolved_links = 0;
        }

        let exclusions = picks.entries(&self.exclusions, &self.disputed.exclusions);
        let exclusion = exclusion_at(&exclusions, on);
        let excluded = exclusion.excluded.filter(|_| in_scope && !coverage.covers());
        let workers =
            count_at(&self.counts, on, |count| count.workers.is_some()).and_then(|count| count.workers);
        let both = count_at(&self.counts, on, |count| {
            count.workers.is_some() && count.members.is_some()
        })
        .and_then(|count| Some((count.workers?, count.members?)));
        let (counted_workers, counted_members) = match (in_scope && excluded.is_none(), coverage.covers()) {
            (false, _) => (0, 0),
            (true, true) => both.unwrap_or((0, 0)),
            (true, false) => (workers.unwrap_or(0), 0),
        };
        let kind = code.and_then(|code| kind_of_prefix(code.prefix()));
        Outcome {
            responsible,
            profile: Profile {
                standing,
                kind: kind.or(self.kind.first().copied()).unwrap_or(Kind::Other),
                category,
                level,
                form: coverage.form,
                strict: in_scope && coverage.strict,
                term_unknown: in_scope && coverage.term_unknown(),
                excluded,
                pending: in_scope && exclusion.pending && excluded.is_none(),
                stage: stage_at(&self.stages, &met, holding.ended, on),
                size: Size::of(workers),
                members_known: in_scope && coverage.covers() && both.is_some(),
                date_unknown: in_scope && holding.date_unknown,
                unresolved_links,
                in_conflict: self.in_conflict(on),
            },
            cover: if in_scope { cover } else { Vec::new() },
            workers: counted_workers,
            members: counted_members,
        }
    }

    /// Whether something about it waits for a decision: a field of its documents with several values, whatever the
    /// day, or different values stated for the day by different sources.
    fn in_conflict(&self, on: Day) -> bool {
        self.unsettled
            || is_disputed_at(&self.category, on)
            || is_disputed_at(&self.category_by_name, on)
            || is_disputed_at(&self.location, on)
            || is_disputed_at(&self.responsible, on)
            || self.registrations.iter().any(|registration| {
                is_status_disputed_at(&registration.status, on) || is_disputed_at(&registration.authority, on)
            })
    }

    /// Whether an organiser serves.
    pub(crate) fn has_organiser(&self, on: Day) -> bool {
        organiser_at(&self.organisers, on)
    }
}

/// What the disputed entries may be besides the reading that is shown.
fn others<T>(disputed: &[Disputed<T>]) -> impl Iterator<Item = &T> {
    disputed
        .iter()
        .flat_map(|disputed| disputed.others.iter().flatten())
}

/// The values of the first entry: what is taken before anything is known to hold.
fn earliest<T: Ord + Clone>(entries: &[DatedFact<T>]) -> Vec<T> {
    entries
        .iter()
        .map(|entry| entry.from)
        .min()
        .map_or_else(Vec::new, |first| holding_at(entries, first))
}
