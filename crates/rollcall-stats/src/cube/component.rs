//! Which documents are one thing: those that answer to a common id, always; those joined by same-as, from its
//! first day through its last. Owns the grouping, how long it stays as it is, and which document leads.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::Day;
use rollcall_core::id::{DocumentId, DocumentKind};

use super::{Cube, Register};

/// Documents that are one thing on some day, by number, with the days of the joins between them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Component {
    /// Sorted by document id.
    pub(crate) members: Vec<u32>,
    /// Joins between two positions of `members`, with first and last day.
    joins: Vec<(usize, usize, Day, Day)>,
}

impl Component {
    /// One document that is one with no other.
    pub(crate) fn alone(number: u32) -> Self {
        Self {
            members: vec![number],
            joins: Vec::new(),
        }
    }

    /// All days, in stretches in which the grouping stays as it is.
    pub(crate) fn stretches(&self) -> Vec<Stretch> {
        let mut turns = vec![Day::MIN];
        for (_, _, from, until) in &self.joins {
            turns.extend([*from, until.next()]);
        }
        turns.sort_unstable();
        turns.dedup();
        let ends = turns.iter().skip(1).copied().map(Some).chain([None]);
        let stretches = turns.iter().zip(ends);
        stretches
            .map(|(from, end)| Stretch { from: *from, end })
            .collect()
    }

    /// The members in groups that are one thing each on a day, by position; each group keeps the members' order.
    pub(crate) fn groups_at(&self, on: Day) -> Vec<Vec<usize>> {
        let mut group_of: Vec<usize> = (0..self.members.len()).collect();
        for (one, other, from, until) in &self.joins {
            if *from <= on && on <= *until {
                let (low, high) = (
                    group_of[*one].min(group_of[*other]),
                    group_of[*one].max(group_of[*other]),
                );
                for group in group_of.iter_mut().filter(|group| **group == high) {
                    *group = low;
                }
            }
        }
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); self.members.len()];
        for (position, group) in group_of.into_iter().enumerate() {
            groups[group].push(position);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }
}

/// Days in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The first.
    pub(crate) from: Day,
    /// The first one after it; none: it has no end.
    end: Option<Day>,
}

impl Stretch {
    /// The first day, and those of the given ones that are in the stretch: ascending, each once.
    pub(crate) fn days(self, mut days: Vec<Day>) -> Vec<Day> {
        days.push(self.from);
        days.retain(|day| *day >= self.from && self.end.is_none_or(|end| *day < end));
        days.sort_unstable();
        days.dedup();
        days
    }
}

/// The order in which documents that are one thing lead: the one whose id is derived from its own code, then by id.
pub(super) fn rank(kind: DocumentKind, id: DocumentId, code: Option<&CreditCode>) -> (bool, DocumentId) {
    let derived = code.is_some_and(|code| DocumentId::derive(kind, code.as_str()) == id);
    (!derived, id)
}

impl Cube {
    /// Everything that is one thing with a document on some day.
    pub(crate) fn component(
        &self,
        register: &Register,
        start: u32,
        aliases_of: impl Fn(u32) -> Vec<DocumentId>,
    ) -> Component {
        let mut members = vec![start];
        let mut joined = Vec::new();
        let mut index = 0;
        while let Some(&member) = members.get(index) {
            index += 1;
            for alias in aliases_of(member) {
                let mut meet = |other: u32, from: Day, until: Day| {
                    if other != member {
                        joined.push((member, other, from, until));
                        if !members.contains(&other) {
                            members.push(other);
                        }
                    }
                };
                for other in register.holders(alias) {
                    meet(other, Day::MIN, Day::MAX);
                }
                for same_as in self.same_as_by_end.get(&alias).into_iter().flatten() {
                    let Some(facts) = self.same_as.get(same_as).filter(|facts| !facts.withdrawn) else {
                        continue;
                    };
                    let end = if facts.a == alias { facts.b } else { facts.a };
                    for other in register.holders(end) {
                        meet(other, facts.from, facts.until.unwrap_or(Day::MAX));
                    }
                }
            }
        }
        members.sort_unstable_by_key(|member| register.id(*member));
        let position = |number: u32| members.iter().position(|member| *member == number).unwrap_or(0);
        let joins = joined
            .into_iter()
            .map(|(one, other, from, until)| (position(one), position(other), from, until))
            .collect();
        Component { members, joins }
    }
}
