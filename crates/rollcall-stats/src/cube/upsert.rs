//! Taking in the facts of one document and computing anew whatever they reach: the organisations that are one with
//! it, those that a union covers, the unions that end with an organisation. Facts replace what the document
//! stated before; nothing is kept of the order of arrival.

use std::collections::BTreeSet;

use rollcall_core::coverage::outlives;
use rollcall_core::date::Day;
use rollcall_core::fact::{Facts, OrganisationFacts, SameAsFacts, UnionFacts};
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_core::term::UnionForm;
use rollcall_core::union::{self, UnionState};

use super::Cube;
use super::component::Component;
use super::register::forget;
use super::segment::{NONE, Profile, Reading, Readings, SET, Segment, Standing};
use super::stored::{Packed, StoredOrganisation, StoredUnion};
use super::union_row::{UnionRow, UnionSegment, UnionsOfCube, form_bits, forms_of};
use crate::establishment::{Outcome, Outcomes, Subject};
use crate::picks::COMBINATIONS_MAX;

impl Cube {
    /// Takes in what a document states, in place of what it stated before.
    pub fn upsert(&mut self, id: DocumentId, facts: Facts) {
        match facts {
            Facts::Organisation(facts) => self.upsert_organisation(id, *facts),
            Facts::Union(facts) => self.upsert_union(id, *facts),
            Facts::SameAs(facts) => self.upsert_same_as(id, facts),
            Facts::Fund(facts) => {
                self.funds.insert(id, facts);
            }
            Facts::Subsidy(facts) => {
                self.subsidies.insert(id, *facts);
            }
            Facts::Federation(facts) => {
                if let Some(before) = self.federations.insert(id, facts.clone()) {
                    self.directory.remove(&before);
                }
                self.directory.insert(facts);
                self.located
                    .get_mut()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .clear();
            }
            Facts::Campaign(facts) => {
                self.campaigns.insert(id, facts);
                let newest = self
                    .campaigns
                    .iter()
                    .max_by_key(|(id, facts)| (facts.version, **id));
                let settings = newest.map(|(_, facts)| self.settings_default.with(facts));
                if let Some(settings) = settings.filter(|settings| *settings != self.settings) {
                    self.settings = settings;
                    self.recompute_all();
                }
            }
        }
    }

    pub(crate) fn stored_organisation(&self, number: u32) -> StoredOrganisation {
        self.organisations.packed(number).unpack()
    }

    pub(crate) fn stored_union(&self, number: u32) -> StoredUnion {
        self.unions.packed(number).unpack()
    }

    pub(crate) fn organisation_component(&self, number: u32) -> Component {
        self.component(&self.organisations, number, |number| {
            self.stored_organisation(number)
                .aliases(self.organisations.id(number))
        })
    }

    pub(crate) fn union_component(&self, number: u32) -> Component {
        self.component(&self.unions, number, |number| {
            self.stored_union(number).aliases(self.unions.id(number))
        })
    }

    fn upsert_organisation(&mut self, id: DocumentId, facts: OrganisationFacts) {
        let mut reached = BTreeSet::new();
        let mut named = BTreeSet::from([id]);
        let number = match self.organisations.find(id) {
            Some(number) => {
                reached.extend(self.organisation_component(number).members);
                let before = self.stored_organisation(number);
                let aliases = before.aliases(id);
                for union in before.linked_unions() {
                    forget(&mut self.linked_by_union, &union, number);
                }
                self.organisations.remove_aliases(number, &aliases);
                named.extend(aliases);
                number
            }
            None => self.organisations.number(id),
        };
        let stored = StoredOrganisation::new(facts);
        let aliases = stored.aliases(id);
        for union in stored.linked_unions() {
            self.linked_by_union.entry(union).or_default().push(number);
        }
        self.organisations.add_aliases(number, &aliases);
        self.organisations.replace(number, Packed::pack(&stored));
        named.extend(aliases);
        reached.extend(self.organisation_component(number).members);
        self.recompute_organisations(&reached);
        self.recompute_counts_of_unions_naming(&reached, named);
    }

    fn upsert_union(&mut self, id: DocumentId, facts: UnionFacts) {
        let mut reached = BTreeSet::new();
        let mut organisations = BTreeSet::new();
        let number = match self.unions.find(id) {
            Some(number) => {
                self.reach_of_unions(
                    &self.union_component(number).members,
                    &mut reached,
                    &mut organisations,
                );
                let before = self.stored_union(number);
                for organisation in &before.facts.organisation {
                    forget(&mut self.naming_by_organisation, organisation, number);
                }
                self.unions.remove_aliases(number, &before.aliases(id));
                number
            }
            None => {
                let number = self.unions.number(id);
                self.union_rows.push(UnionRow::default());
                self.union_forms.push(0);
                number
            }
        };
        let stored = StoredUnion::new(facts);
        for organisation in &stored.facts.organisation {
            self.naming_by_organisation
                .entry(*organisation)
                .or_default()
                .push(number);
        }
        self.unions.add_aliases(number, &stored.aliases(id));
        self.unions.replace(number, Packed::pack(&stored));
        self.reach_of_unions(
            &self.union_component(number).members,
            &mut reached,
            &mut organisations,
        );
        self.recompute_unions(&reached);
        self.recompute_organisations(&organisations);
    }

    fn upsert_same_as(&mut self, id: DocumentId, facts: SameAsFacts) {
        let before = self.same_as.get(&id).cloned();
        let ends: BTreeSet<DocumentId> = before
            .iter()
            .chain([&facts])
            .flat_map(|facts| [facts.a, facts.b])
            .collect();
        let (mut unions, mut organisations) = (BTreeSet::new(), BTreeSet::new());
        let mut named = BTreeSet::new();
        self.reach_of_ends(&ends, &mut unions, &mut organisations, &mut named);
        if let Some(before) = before {
            for end in [before.a, before.b] {
                if let Some(known) = self.same_as_by_end.get_mut(&end) {
                    known.retain(|known| *known != id);
                }
            }
        }
        for end in BTreeSet::from([facts.a, facts.b]) {
            self.same_as_by_end.entry(end).or_default().push(id);
        }
        self.same_as.insert(id, facts);
        self.reach_of_ends(&ends, &mut unions, &mut organisations, &mut named);
        self.recompute_unions(&unions);
        self.recompute_organisations(&organisations);
        self.recompute_counts_of_unions_naming(&organisations, named);
    }

    fn reach_of_ends(
        &self,
        ends: &BTreeSet<DocumentId>,
        unions: &mut BTreeSet<u32>,
        organisations: &mut BTreeSet<u32>,
        named: &mut BTreeSet<DocumentId>,
    ) {
        for end in ends {
            named.insert(*end);
            for number in self.unions.holders(*end) {
                self.reach_of_unions(&self.union_component(number).members, unions, organisations);
            }
            for number in self.organisations.holders(*end) {
                organisations.extend(self.organisation_component(number).members);
            }
        }
    }

    /// The unions themselves, and every organisation that links to them or that they name.
    fn reach_of_unions(
        &self,
        members: &[u32],
        unions: &mut BTreeSet<u32>,
        organisations: &mut BTreeSet<u32>,
    ) {
        for number in members {
            unions.insert(*number);
            let stored = self.stored_union(*number);
            for alias in stored.aliases(self.unions.id(*number)) {
                for organisation in self.linked_by_union.get(&alias).into_iter().flatten() {
                    organisations.extend(self.organisation_component(*organisation).members);
                }
            }
            for named in &stored.facts.organisation {
                for organisation in self.organisations.holders(*named) {
                    organisations.extend(self.organisation_component(organisation).members);
                }
            }
        }
    }

    fn recompute_all(&mut self) {
        let unions: BTreeSet<u32> = (0..self.unions.len() as u32).collect();
        self.recompute_unions(&unions);
        let organisations: BTreeSet<u32> = (0..self.organisations.len() as u32).collect();
        self.recompute_organisations(&organisations);
    }

    fn recompute_unions(&mut self, numbers: &BTreeSet<u32>) {
        let mut left = numbers.clone();
        while let Some(number) = left.pop_first() {
            let component = self.union_component(number);
            for member in &component.members {
                left.remove(member);
            }
            self.recompute_union_states(&component);
            for member in &component.members {
                self.recompute_union_counts(*member);
            }
        }
    }

    fn recompute_union_states(&mut self, component: &Component) {
        let stored: Vec<StoredUnion> = component
            .members
            .iter()
            .map(|number| self.stored_union(*number))
            .collect();
        let grace = self.settings.grace_months;
        let mut days = vec![Day::MIN];
        component.breakpoints(&mut days);
        // With events united, only the days of events and the ends of terms matter; an extension may come from
        // another document, so that breakpoints are taken from the united events.
        let everything = unite(stored.iter().map(|stored| &stored.facts));
        for facts in stored.iter().map(|stored| &stored.facts).chain([&everything]) {
            for reading in readings(facts) {
                days.extend(union::breakpoints(&reading, grace));
            }
        }
        days.sort_unstable();
        days.dedup();
        let mut states: Vec<Vec<UnionSegment>> = vec![Vec::new(); stored.len()];
        let mut disputed: Vec<Vec<(Day, Box<[UnionState]>)>> = vec![Vec::new(); stored.len()];
        for day in days {
            for group in component.groups_at(day) {
                let ids: Vec<(bool, DocumentId)> = group
                    .iter()
                    .map(|position| {
                        let id = self.unions.id(component.members[*position]);
                        (
                            !is_derived(DocumentKind::Union, id, stored[*position].facts.code.as_ref()),
                            id,
                        )
                    })
                    .collect();
                let leader = (0..group.len()).min_by_key(|index| ids[*index]).unwrap_or(0);
                let facts = unite(group.iter().map(|position| &stored[*position].facts));
                let segment = UnionSegment {
                    from: day,
                    lead: component.members[group[leader]],
                    forms: form_bits(&facts.form),
                    state: union::state_at(&facts, day, grace),
                };
                let others: BTreeSet<UnionState> = readings(&facts)
                    .iter()
                    .skip(1)
                    .map(|reading| union::state_at(reading, day, grace))
                    .filter(|state| *state != segment.state)
                    .collect();
                let others: Box<[UnionState]> = others.into_iter().collect();
                for position in group {
                    let known = &mut states[position];
                    if known
                        .last()
                        .is_none_or(|last| UnionSegment { from: day, ..*last } != segment)
                    {
                        known.push(segment);
                    }
                    let known = &mut disputed[position];
                    if known.last().map_or(&[][..], |(_, last)| last) != &*others {
                        known.push((day, others.clone()));
                    }
                }
            }
        }
        let members = component.members.iter().zip(states).zip(disputed);
        for (((number, states), disputed), stored) in members.zip(&stored) {
            let row = &mut self.union_rows[*number as usize];
            row.states = states.into_boxed_slice();
            row.disputed = disputed.into_boxed_slice();
            row.organisation_disputed = stored.facts.organisation.len() > 1;
            self.union_forms[*number as usize] = row.states.last().map_or(0, |last| last.forms);
        }
    }

    /// Where and as what a union counts: an own union only until its organisation ends (T5).
    fn recompute_union_counts(&mut self, number: u32) {
        let facts = self.stored_union(number).facts;
        let place = facts
            .higher_union
            .first()
            .cloned()
            .unwrap_or_else(FederationId::national);
        let place = self.places.number(place);
        let employers: Vec<Subject> = facts
            .organisation
            .iter()
            .filter_map(|organisation| self.organisations.holders(*organisation).next())
            .map(|employer| self.subject_of(&self.organisation_component(employer).members))
            .collect();
        let row = &self.union_rows[number as usize];
        let mut days: Vec<Day> = Vec::new();
        row.breakpoints(&mut days);
        for employer in &employers {
            employer.breakpoints(&mut days);
        }
        days.sort_unstable();
        days.dedup();
        let mut column: Vec<Segment> = Vec::new();
        for day in days {
            let Some(segment) = row.state_at(day) else {
                continue;
            };
            let form = forms_of(segment.forms).first().copied().unwrap_or({
                if facts.organisation.is_empty() {
                    UnionForm::Joint
                } else {
                    UnionForm::Own
                }
            });
            let ended = form == UnionForm::Own
                && !employers.is_empty()
                && employers
                    .iter()
                    .all(|employer| !outlives(&segment.state, employer.ended_until(day)));
            // Where an event is disputed it counts only if it is established in every reading.
            let established = row.is_established_at(segment, day);
            let counts_here = segment.lead == number && established && !ended;
            let profile = if counts_here { form as u32 } else { NONE };
            let reading = Reading {
                place,
                profile,
                cover: NONE,
                workers: 0,
                members: 0,
            };
            push(&mut column, Segment { from: day.0, reading });
        }
        self.union_segments.replace(number, &column);
    }

    fn recompute_counts_of_unions_naming(
        &mut self,
        organisations: &BTreeSet<u32>,
        mut named: BTreeSet<DocumentId>,
    ) {
        if organisations.len() > 1 {
            for number in organisations {
                named.extend(
                    self.stored_organisation(*number)
                        .aliases(self.organisations.id(*number)),
                );
            }
        }
        let numbers: BTreeSet<u32> = named
            .iter()
            .filter_map(|alias| self.naming_by_organisation.get(alias))
            .flatten()
            .copied()
            .collect();
        for number in numbers {
            self.recompute_union_counts(number);
        }
    }

    /// The organisation that these documents are together, mistakes left out.
    pub(crate) fn subject_of(&self, members: &[u32]) -> Subject {
        let mut documents: Vec<(DocumentId, StoredOrganisation)> = members
            .iter()
            .map(|number| (self.organisations.id(*number), self.stored_organisation(*number)))
            .collect();
        documents.retain(|(_, stored)| !stored.facts.mistaken);
        documents.sort_by_key(|(id, stored)| {
            (
                !is_derived(DocumentKind::Organisation, *id, stored.facts.code.as_ref()),
                *id,
            )
        });
        Subject::unite(documents)
    }

    fn recompute_organisations(&mut self, numbers: &BTreeSet<u32>) {
        let mut left = numbers.clone();
        while let Some(number) = left.pop_first() {
            let component = self.organisation_component(number);
            for member in &component.members {
                left.remove(member);
            }
            self.recompute_organisation(&component);
        }
    }

    fn recompute_organisation(&mut self, component: &Component) {
        let mut turns = vec![Day::MIN];
        component.breakpoints(&mut turns);
        turns.sort_unstable();
        turns.dedup();
        let mut columns: Vec<Vec<Segment>> = vec![Vec::new(); component.members.len()];
        let absent = self.absent_reading();
        for (index, turn) in turns.iter().enumerate() {
            let end = turns.get(index + 1).copied();
            for group in component.groups_at(*turn) {
                let members: Vec<u32> = group
                    .iter()
                    .map(|position| component.members[*position])
                    .collect();
                let lead = self.leader(&members);
                let readings = match lead {
                    None => Vec::new(),
                    Some(_) => self.readings_between(&self.subject_of(&members), *turn, end),
                };
                for (position, member) in group.into_iter().zip(members) {
                    let column = &mut columns[position];
                    if Some(member) != lead {
                        push(
                            column,
                            Segment {
                                from: turn.0,
                                reading: absent,
                            },
                        );
                        continue;
                    }
                    for (from, outcomes) in &readings {
                        let reading = self.reading(outcomes);
                        push(
                            column,
                            Segment {
                                from: from.0,
                                reading,
                            },
                        );
                    }
                }
            }
        }
        for (number, column) in component.members.iter().zip(columns) {
            self.segments.replace(*number, &column);
        }
    }

    /// The document under which a group counts; none where all are mistakes.
    pub(crate) fn leader(&self, members: &[u32]) -> Option<u32> {
        let facts = members
            .iter()
            .map(|number| (*number, self.stored_organisation(*number).facts));
        facts
            .filter(|(_, facts)| !facts.mistaken)
            .min_by_key(|(number, facts)| {
                let id = self.organisations.id(*number);
                (
                    !is_derived(DocumentKind::Organisation, id, facts.code.as_ref()),
                    id,
                )
            })
            .map(|(number, _)| number)
    }

    fn readings_between(&self, subject: &Subject, from: Day, end: Option<Day>) -> Vec<(Day, Outcomes)> {
        let mut days = vec![from];
        subject.breakpoints(&mut days);
        let unions = UnionsOfCube(self);
        for alias in &subject.aliases {
            for number in self.naming_by_organisation.get(alias).into_iter().flatten() {
                self.union_rows[*number as usize].breakpoints(&mut days);
            }
        }
        for link in subject.links() {
            for number in self.unions.holders(link.union) {
                self.union_rows[number as usize].breakpoints(&mut days);
            }
        }
        days.sort_unstable();
        days.dedup();
        days.retain(|day| *day >= from && end.is_none_or(|end| *day < end));
        days.into_iter()
            .map(|day| (day, subject.outcomes(day, &self.settings, &unions)))
            .collect()
    }

    fn absent_reading(&mut self) -> Reading {
        let profile = Profile {
            standing: Standing::Absent,
            kind: rollcall_core::term::Kind::Other,
            category: rollcall_core::term::Category::Other,
            level: rollcall_core::term::Level::County,
            form: rollcall_core::coverage::Form::None,
            strict: false,
            term_unknown: false,
            excluded: None,
            pending: false,
            stage: rollcall_core::term::Stage::Identified,
            size: super::segment::Size::Unknown,
            members_known: false,
            date_unknown: false,
            unresolved_links: 0,
            in_conflict: false,
        };
        Reading {
            place: self.places.number(FederationId::national()),
            profile: self.profiles.number(profile),
            cover: NONE,
            workers: 0,
            members: 0,
        }
    }

    fn reading(&mut self, outcomes: &Outcomes) -> Reading {
        let options: Vec<Reading> = outcomes
            .options
            .iter()
            .map(|outcome| self.reading_of(outcome))
            .collect();
        match options[..] {
            [only] if !outcomes.all => only,
            _ => {
                let set = Readings {
                    options: options.into_boxed_slice(),
                    all: outcomes.all,
                };
                let number = self.readings.number(set);
                Reading {
                    place: NONE,
                    profile: number | SET,
                    cover: NONE,
                    workers: 0,
                    members: 0,
                }
            }
        }
    }

    fn reading_of(&mut self, outcome: &Outcome) -> Reading {
        let numbers: Box<[u32]> = outcome
            .cover
            .iter()
            .filter_map(|union| self.unions.find(*union))
            .collect();
        let cover = match numbers[..] {
            [] => NONE,
            [only] => only,
            _ => self.covers.number(numbers) | SET,
        };
        Reading {
            place: self.places.number(outcome.responsible.clone()),
            profile: self.profiles.number(outcome.profile),
            cover,
            workers: outcome.workers,
            members: outcome.members,
        }
    }
}

/// Adds a segment unless it says the same as the last.
fn push(column: &mut Vec<Segment>, segment: Segment) {
    if column.last().is_none_or(|last| last.reading != segment.reading) {
        column.push(segment);
    }
}

/// Whether an id is derived from the document's own code: such a document leads.
fn is_derived(
    kind: DocumentKind,
    id: DocumentId,
    code: Option<&rollcall_core::credit_code::CreditCode>,
) -> bool {
    code.is_some_and(|code| DocumentId::derive(kind, code.as_str()) == id)
}

/// One union's facts, the events of all its documents united.
fn unite<'a>(documents: impl Iterator<Item = &'a UnionFacts>) -> UnionFacts {
    let mut united = UnionFacts::default();
    for facts in documents {
        united.form.extend(facts.form.iter().copied());
        united.events.extend(facts.events.iter().cloned());
        united
            .disputed_events
            .extend(facts.disputed_events.iter().cloned());
    }
    united.form.sort_unstable();
    united.form.dedup();
    united
}

/// A union's facts in every reading of its disputed events, the one shown first.
fn readings(facts: &UnionFacts) -> Vec<UnionFacts> {
    let mut readings = vec![facts.clone()];
    for disputed in &facts.disputed_events {
        let others = readings.clone();
        for reading in 1..disputed.readings() {
            if readings.len() >= COMBINATIONS_MAX {
                break;
            }
            readings.extend(others.iter().cloned().map(|mut facts| {
                disputed.put(&mut facts.events, reading);
                facts
            }));
        }
    }
    readings
}
