//! Unions computed anew: the states each goes through, and where and as what it counts among all.
//! Owns how several documents of one union are read as one; the state itself is a rule of `rollcall-core`.

use std::collections::BTreeSet;

use rollcall_core::coverage::outlives;
use rollcall_core::date::Day;
use rollcall_core::fact::UnionFacts;
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_core::term::UnionForm;
use rollcall_core::union::{self, UnionState};

use super::component::{Component, rank};
use super::organisation_state::push;
use super::segment::{NONE, Reading, Segment};
use super::stored::StoredUnion;
use super::union_row::{UnionRow, UnionSegment, form_bits, forms_of};
use super::{Cube, UNCOUNTED};
use crate::establishment::Subject;
use crate::picks::COMBINATIONS_MAX;

impl Cube {
    pub(super) fn recompute_unions(&mut self, numbers: &BTreeSet<u32>) {
        let mut left = numbers.clone();
        while let Some(number) = left.pop_first() {
            let component = self.union_component(number);
            for member in &component.members {
                left.remove(member);
            }
            let rows = self.union_rows(&component);
            for (member, row) in component.members.iter().zip(&rows) {
                self.union_forms[*member as usize] = row.states.last().map_or(0, |last| last.forms);
                self.recompute_union_counts(*member, row);
            }
            if component.members.len() > 1 {
                self.united_unions
                    .extend(component.members.iter().copied().zip(rows));
            } else {
                self.united_unions.remove(&number);
            }
        }
    }

    /// The states of unions that are one thing on some day, document by document.
    pub(crate) fn union_rows(&self, component: &Component) -> Vec<UnionRow> {
        let stored: Vec<StoredUnion> = component
            .members
            .iter()
            .map(|number| self.stored_union(*number))
            .collect();
        let grace = self.settings.grace_months;
        let mut states: Vec<Vec<UnionSegment>> = vec![Vec::new(); stored.len()];
        let mut disputed: Vec<Vec<(Day, Box<[UnionState]>)>> = vec![Vec::new(); stored.len()];
        for stretch in component.stretches() {
            for group in component.groups_at(stretch.from) {
                let lead = self.union_leader(&group, component, &stored);
                let facts = unite(group.iter().map(|position| &stored[*position].facts));
                let readings = readings(&facts);
                // An extension may come from another document than the term, so the days are those of the united events.
                let days = readings
                    .iter()
                    .flat_map(|reading| union::breakpoints(reading, grace));
                for day in stretch.days(days.collect()) {
                    let segment = UnionSegment {
                        from: day,
                        lead,
                        forms: form_bits(&facts.form),
                        state: union::state_at(&facts, day, grace),
                    };
                    let others: BTreeSet<UnionState> = readings
                        .iter()
                        .skip(1)
                        .map(|reading| union::state_at(reading, day, grace))
                        .filter(|state| *state != segment.state)
                        .collect();
                    let others: Box<[UnionState]> = others.into_iter().collect();
                    for position in &group {
                        let known = &mut states[*position];
                        if known
                            .last()
                            .is_none_or(|last| UnionSegment { from: day, ..*last } != segment)
                        {
                            known.push(segment);
                        }
                        let known = &mut disputed[*position];
                        if known.last().map_or(&[][..], |(_, last)| last) != &*others {
                            known.push((day, others.clone()));
                        }
                    }
                }
            }
        }
        let rows = states.into_iter().zip(disputed).zip(&stored);
        rows.map(|((states, disputed), stored)| UnionRow {
            states: states.into_boxed_slice(),
            disputed: disputed.into_boxed_slice(),
            organisation_disputed: stored.facts.organisation.len() > 1,
        })
        .collect()
    }

    /// The document under which a group counts, by number; the group by position in the component.
    fn union_leader(&self, group: &[usize], component: &Component, stored: &[StoredUnion]) -> u32 {
        if let [only] = group {
            return component.members[*only];
        }
        let leader = group.iter().min_by_key(|position| {
            let id = self.unions.id(component.members[**position]);
            let code = stored[**position].facts.code.as_ref();
            rank(DocumentKind::Union, id, code)
        });
        component.members[*leader.expect("a group is not empty")]
    }

    /// Where and as what a union counts: an own union only until its organisation ends (T5).
    fn recompute_union_counts(&mut self, number: u32, row: &UnionRow) {
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
            .map(|employer| {
                let members = self.organisation_component(employer).members;
                self.subject_of(&members)
                    .map_or_else(Subject::default, |(_, subject)| subject)
            })
            .collect();
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
            let profile = if counts_here { form as u32 } else { UNCOUNTED };
            let reading = Reading {
                place,
                profile,
                cover: NONE,
                workers: 0,
                members: 0,
            };
            push(&mut column, Segment { from: day.0, reading });
        }
        self.union_segments.replace(number, &column, |_| false);
    }

    pub(super) fn recompute_counts_of_unions_naming(
        &mut self,
        organisations: &BTreeSet<u32>,
        mut named: BTreeSet<DocumentId>,
    ) {
        if organisations.len() > 1 {
            for number in organisations {
                named.extend(self.organisation_aliases(*number));
            }
        }
        let numbers: BTreeSet<u32> = named
            .iter()
            .flat_map(|alias| self.naming_by_organisation.get(alias))
            .copied()
            .collect();
        for number in numbers {
            let row = self.union_row(number).into_owned();
            self.recompute_union_counts(number, &row);
        }
    }
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
