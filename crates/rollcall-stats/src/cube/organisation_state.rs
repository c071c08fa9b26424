//! Organisations computed anew: which documents are one on which days, and the segments in which each counts.
//! Owns the way from outcomes to numbered readings; what an organisation comes to on a day is `establishment`.

use std::collections::BTreeSet;

use rollcall_core::date::Day;
use rollcall_core::id::{DocumentKind, FederationId};

use super::component::{Component, Stretch, rank};
use super::profile::Profile;
use super::segment::{NONE, Reading, Readings, SET, Segment};
use super::stored::StoredOrganisation;
use super::{Cube, UnionsOfCube};
use crate::establishment::{Outcome, Outcomes, Subject};

impl Cube {
    /// The organisation that these documents are together, mistakes left out, and the document under which it counts;
    /// none where all are mistakes.
    pub(crate) fn subject_of(&self, members: &[u32]) -> Option<(u32, Subject)> {
        let documents = members
            .iter()
            .map(|number| (*number, self.stored_organisation(*number)));
        let mut documents: Vec<(u32, StoredOrganisation)> =
            documents.filter(|(_, stored)| !stored.facts.mistaken).collect();
        documents.sort_by_cached_key(|(number, stored)| {
            let id = self.organisations.id(*number);
            rank(DocumentKind::Organisation, id, stored.facts.code.as_ref())
        });
        let leader = documents.first()?.0;
        let documents = documents.into_iter();
        let documents = documents.map(|(number, stored)| (self.organisations.id(number), stored));
        Some((leader, Subject::unite(documents)))
    }

    pub(super) fn recompute_organisations(&mut self, numbers: &BTreeSet<u32>) {
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
        let mut columns: Vec<Vec<Segment>> = vec![Vec::new(); component.members.len()];
        let absent = self.absent_reading();
        for stretch in component.stretches() {
            for group in component.groups_at(stretch.from) {
                let members: Vec<u32> = group
                    .iter()
                    .map(|position| component.members[*position])
                    .collect();
                let (lead, readings) = match self.subject_of(&members) {
                    None => (None, Vec::new()),
                    Some((lead, subject)) => (Some(lead), self.readings_within(&subject, stretch)),
                };
                for (position, member) in group.into_iter().zip(members) {
                    let column = &mut columns[position];
                    if Some(member) != lead {
                        push(
                            column,
                            Segment {
                                from: stretch.from.0,
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
            let profiles = &self.profiles;
            self.segments
                .replace(*number, &column, |profile| profiles.value(profile).in_scope());
        }
    }

    fn readings_within(&self, subject: &Subject, stretch: Stretch) -> Vec<(Day, Outcomes)> {
        let mut days = Vec::new();
        subject.breakpoints(&mut days);
        let unions = UnionsOfCube::of(self, subject);
        unions.breakpoints(&mut days);
        let days = stretch.days(days).into_iter();
        days.map(|day| (day, subject.outcomes(day, &self.settings, &unions)))
            .collect()
    }

    fn absent_reading(&mut self) -> Reading {
        Reading {
            place: self.places.number(FederationId::national()),
            profile: self.profiles.number(Profile::ABSENT),
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
pub(super) fn push(column: &mut Vec<Segment>, segment: Segment) {
    if column.last().is_none_or(|last| last.reading != segment.reading) {
        column.push(segment);
    }
}
