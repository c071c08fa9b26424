//! Documents of one kind by number, and the names they go by. Owns which document an id means; several documents
//! may answer to one id (a record made before the code was known), and then they are one thing.

use std::collections::HashMap;

use rollcall_core::id::DocumentId;

use super::stored::Packed;

/// Documents of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Register {
    ids: Vec<DocumentId>,
    numbers: HashMap<DocumentId, u32>,
    packed: Vec<Packed>,
    /// Names other than the documents' own ids.
    aliases: HashMap<DocumentId, Vec<u32>>,
}

impl Register {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn find(&self, id: DocumentId) -> Option<u32> {
        self.numbers.get(&id).copied()
    }

    pub(crate) fn id(&self, number: u32) -> DocumentId {
        self.ids[number as usize]
    }

    pub(crate) fn packed(&self, number: u32) -> &Packed {
        &self.packed[number as usize]
    }

    /// The number of a document, new if it is.
    pub(crate) fn number(&mut self, id: DocumentId) -> u32 {
        if let Some(number) = self.find(id) {
            return number;
        }
        let number = u32::try_from(self.ids.len()).expect("fewer documents than memory holds");
        self.ids.push(id);
        self.packed.push(Packed::default());
        self.numbers.insert(id, number);
        number
    }

    pub(crate) fn replace(&mut self, number: u32, packed: Packed) {
        self.packed[number as usize] = packed;
    }

    /// Lets a document go by these names besides its own id.
    pub(crate) fn add_aliases(&mut self, number: u32, aliases: &[DocumentId]) {
        let own = self.id(number);
        for alias in aliases.iter().filter(|alias| **alias != own) {
            self.aliases.entry(*alias).or_default().push(number);
        }
    }

    pub(crate) fn remove_aliases(&mut self, number: u32, aliases: &[DocumentId]) {
        for alias in aliases {
            forget(&mut self.aliases, alias, number);
        }
    }

    /// Every document that an id may mean, each once.
    pub(crate) fn holders(&self, id: DocumentId) -> impl Iterator<Item = u32> + '_ {
        let own = self.find(id);
        let others = self
            .aliases
            .get(&id)
            .into_iter()
            .flatten()
            .copied()
            .filter(move |other| Some(*other) != own);
        own.into_iter().chain(others)
    }
}

/// Takes one number out of an index of lists.
pub(crate) fn forget(index: &mut HashMap<DocumentId, Vec<u32>>, key: &DocumentId, number: u32) {
    if let Some(numbers) = index.get_mut(key) {
        if let Some(position) = numbers.iter().position(|known| *known == number) {
            numbers.swap_remove(position);
        }
        if numbers.is_empty() {
            index.remove(key);
        }
    }
}
