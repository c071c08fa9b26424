//! Unions by day: per document the states it goes through.
//! Owns how links and names reach a union's state; the state itself is a rule of `rollcall-core`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rollcall_core::date::Day;
use rollcall_core::id::DocumentId;
use rollcall_core::term::UnionForm;
use rollcall_core::union::UnionState;

use super::Cube;
use super::component::Component;
use crate::establishment::{Subject, UnionView, Unions};

/// A union's state from a day on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnionSegment {
    pub(crate) from: Day,
    /// Number of the document under which it counts.
    pub(crate) lead: u32,
    /// Bit 0 own, 1 joint, 2 federation.
    pub(crate) forms: u8,
    pub(crate) state: UnionState,
}

/// One union document's columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnionRow {
    pub(crate) states: Box<[UnionSegment]>,
    /// What its state may be besides, from a day on, where events are disputed.
    pub(crate) disputed: Box<[(Day, Box<[UnionState]>)]>,
    /// Which organisation it names is in conflict.
    pub(crate) organisation_disputed: bool,
}

pub(crate) fn form_bits(forms: &[UnionForm]) -> u8 {
    forms.iter().fold(0, |bits, form| bits | 1 << (*form as u8))
}

pub(crate) fn forms_of(bits: u8) -> Vec<UnionForm> {
    UnionForm::ALL
        .iter()
        .copied()
        .filter(|form| bits & (1 << (*form as u8)) != 0)
        .collect()
}

impl UnionRow {
    pub(crate) fn state_at(&self, on: Day) -> Option<&UnionSegment> {
        self.states.iter().rev().find(|segment| segment.from <= on)
    }

    /// Days on which its state may change.
    pub(crate) fn breakpoints(&self, days: &mut Vec<Day>) {
        days.extend(self.states.iter().map(|segment| segment.from));
        days.extend(self.disputed.iter().map(|(from, _)| *from));
    }

    /// The state that is shown first, then what it may be besides.
    fn states_at(&self, shown: UnionState, on: Day) -> Vec<UnionState> {
        let disputed = self.disputed.iter().rev().find(|(from, _)| *from <= on);
        let others = disputed
            .into_iter()
            .flat_map(|(_, others)| others.iter().copied());
        std::iter::once(shown).chain(others).collect()
    }

    /// Whether it is established in every reading of its events.
    pub(crate) fn is_established_at(&self, shown: &UnionSegment, on: Day) -> bool {
        self.states_at(shown.state, on)
            .iter()
            .all(|state| state.established)
    }

    fn view_at(&self, cube: &Cube, on: Day) -> Option<UnionView> {
        self.state_at(on).map(|segment| UnionView {
            lead: cube.unions.id(segment.lead),
            forms: forms_of(segment.forms),
            organisation_disputed: self.organisation_disputed,
            states: self.states_at(segment.state, on),
        })
    }
}

/// The unions of one organisation as it meets them.
pub(crate) struct UnionsOfCube<'a> {
    cube: &'a Cube,
    rows: BTreeMap<u32, Cow<'a, UnionRow>>,
}

impl<'a> UnionsOfCube<'a> {
    /// The unions that name an organisation or that a link of its names.
    pub(crate) fn of(cube: &'a Cube, subject: &Subject) -> Self {
        let naming = subject
            .aliases
            .iter()
            .flat_map(|alias| cube.naming_by_organisation.get(alias));
        let linked = subject.links().filter_map(|link| cube.first_union(link.union));
        let numbers = naming.copied().chain(linked);
        Self {
            cube,
            rows: numbers.map(|number| (number, cube.union_row(number))).collect(),
        }
    }

    /// Days on which the state of one of them may change.
    pub(crate) fn breakpoints(&self, days: &mut Vec<Day>) {
        self.rows.values().for_each(|row| row.breakpoints(days));
    }

    fn view_at(&self, number: u32, on: Day) -> Option<UnionView> {
        self.rows.get(&number)?.view_at(self.cube, on)
    }
}

impl Unions for UnionsOfCube<'_> {
    fn naming(&self, organisation: &[DocumentId], on: Day) -> Vec<UnionView> {
        let numbers = organisation
            .iter()
            .flat_map(|alias| self.cube.naming_by_organisation.get(alias));
        let mut views: Vec<UnionView> = numbers.filter_map(|number| self.view_at(*number, on)).collect();
        views.sort_unstable_by_key(|view| view.lead);
        views.dedup_by_key(|view| view.lead);
        views
    }

    fn linked(&self, union: DocumentId, on: Day) -> Option<UnionView> {
        self.view_at(self.cube.first_union(union)?, on)
    }
}

impl Cube {
    /// The document that an id of a union means: of several the first, as they are one.
    pub(crate) fn first_union(&self, union: DocumentId) -> Option<u32> {
        let holders = self.unions.holders(union);
        holders.min_by_key(|number| self.unions.id(*number))
    }

    /// A union document's states: kept where they come from several documents, else read out of its own.
    pub(crate) fn union_row(&self, number: u32) -> Cow<'_, UnionRow> {
        match self.united_unions.get(&number) {
            Some(row) => Cow::Borrowed(row),
            None => Cow::Owned(self.union_rows(&Component::alone(number)).swap_remove(0)),
        }
    }

    /// The document under which a union counts at a date.
    pub(crate) fn union_lead(&self, union: DocumentId, on: Day) -> DocumentId {
        let first = self.first_union(union);
        let lead = first.map(|number| match self.united_unions.get(&number) {
            Some(row) => row.state_at(on).map_or(number, |segment| segment.lead),
            None => number,
        });
        lead.map_or(union, |lead| self.unions.id(lead))
    }
}
