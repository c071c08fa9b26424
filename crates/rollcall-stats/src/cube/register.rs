//! Documents of one kind by number, and the names they go by. Owns which document an id means; several documents
//! may answer to one id (a record made before the code was known), and then they are one thing.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use rollcall_core::id::DocumentId;

use super::arena::Arena;
use super::block::grow;
use super::index::Index;

/// Documents of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Register {
    ids: Vec<DocumentId>,
    hasher: RandomState,
    /// Numbers by id.
    numbers: HashTable<u32>,
    packed: Arena,
    /// Names other than the documents' own ids.
    aliases: Index,
}

impl Register {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn find(&self, id: DocumentId) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        self.numbers
            .find(hash, |number| self.ids[*number as usize] == id)
            .copied()
    }

    pub(crate) fn id(&self, number: u32) -> DocumentId {
        self.ids[number as usize]
    }

    pub(crate) fn packed(&self, number: u32) -> &[u8] {
        self.packed.get(number)
    }

    /// The number of a document, new if it is.
    pub(crate) fn number(&mut self, id: DocumentId) -> u32 {
        if let Some(number) = self.find(id) {
            return number;
        }
        let number = u32::try_from(self.ids.len()).expect("fewer documents than memory holds");
        grow(&mut self.ids, 1);
        self.ids.push(id);
        let (hasher, ids) = (&self.hasher, &self.ids);
        self.numbers.insert_unique(hasher.hash_one(id), number, |number| {
            hasher.hash_one(ids[*number as usize])
        });
        number
    }

    pub(crate) fn replace(&mut self, number: u32, packed: &[u8]) {
        self.packed.put(number, packed);
    }

    /// Lets a document go by these names besides its own id.
    pub(crate) fn add_aliases(&mut self, number: u32, aliases: &[DocumentId]) {
        let own = self.id(number);
        for alias in aliases.iter().filter(|alias| **alias != own) {
            self.aliases.add(*alias, number);
        }
    }

    pub(crate) fn remove_aliases(&mut self, number: u32, aliases: &[DocumentId]) {
        for alias in aliases {
            self.aliases.remove(alias, number);
        }
    }

    /// Every document that an id may mean, each once.
    pub(crate) fn holders(&self, id: DocumentId) -> impl Iterator<Item = u32> + '_ {
        let own = self.find(id);
        let others = self.aliases.get(&id).iter().copied();
        own.into_iter()
            .chain(others.filter(move |other| Some(*other) != own))
    }
}
