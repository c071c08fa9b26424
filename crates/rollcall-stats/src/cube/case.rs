//! Subsidy cases by document, packed like the other documents.

use std::collections::BTreeMap;

use rollcall_core::fact::SubsidyFacts;
use rollcall_core::id::DocumentId;

use super::arena::Arena;
use super::pack::Pack;

/// Cases in order of id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cases {
    numbers: BTreeMap<DocumentId, u32>,
    packed: Arena,
}

impl Cases {
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Takes in a case in place of what it was; whether it is another.
    pub(crate) fn replace(&mut self, id: DocumentId, facts: &SubsidyFacts) -> bool {
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(id).or_insert(next);
        let packed = facts.pack();
        let changed = *self.packed.get(number) != *packed;
        if changed {
            self.packed.put(number, &packed);
        }
        changed
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (DocumentId, SubsidyFacts)> {
        let cases = self.numbers.iter();
        cases.map(|(id, number)| (*id, SubsidyFacts::unpack(self.packed.get(*number))))
    }
}
