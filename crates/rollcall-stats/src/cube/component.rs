//! Which documents are one thing: those that answer to a common id, always; those joined by same-as, from its
//! first day through its last. Owns the grouping and which document leads.

use rollcall_core::date::Day;
use rollcall_core::id::DocumentId;

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

    /// Days on which the grouping changes.
    pub(crate) fn breakpoints(&self, days: &mut Vec<Day>) {
        for (_, _, from, until) in &self.joins {
            days.extend([*from, until.next()]);
        }
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
