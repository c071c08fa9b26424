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

    /// Takes in a case in place of what it was.
    pub(crate) fn replace(&mut self, id: DocumentId, facts: &SubsidyFacts) {
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(id).or_insert(next);
        self.packed.put(number, &facts.pack());
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (DocumentId, SubsidyFacts)> {
        let cases = self.numbers.iter();
        cases.map(|(id, number)| (*id, SubsidyFacts::unpack(self.packed.get(*number))))
    }
}
