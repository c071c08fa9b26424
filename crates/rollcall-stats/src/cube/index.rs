//! Which documents are listed under an id. Owns nothing but the lists; mostly there is one, which needs none.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rollcall_core::id::DocumentId;

use super::segment::SET;

/// Numbers by id. Ids come from other federations, so that the hash is keyed at random.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    hasher: RandomState,
    /// The number listed, or with [`SET`] the place of several.
    table: HashTable<(DocumentId, u32)>,
    lists: Vec<Vec<u32>>,
    free: Vec<u32>,
}

impl Index {
    pub(crate) fn get(&self, id: &DocumentId) -> &[u32] {
        let found = self
            .table
            .find(self.hasher.hash_one(id), |(known, _)| known == id);
        match found {
            None => &[],
            Some((_, number)) if number & SET != 0 => &self.lists[(number & !SET) as usize],
            Some((_, number)) => std::slice::from_ref(number),
        }
    }

    pub(crate) fn add(&mut self, id: DocumentId, number: u32) {
        let hasher = &self.hasher;
        let entry = self.table.entry(
            hasher.hash_one(id),
            |(known, _)| *known == id,
            |(known, _)| hasher.hash_one(known),
        );
        let mut entry = match entry {
            Entry::Vacant(entry) => {
                entry.insert((id, number));
                return;
            }
            Entry::Occupied(entry) => entry,
        };
        let known = &mut entry.get_mut().1;
        if *known & SET != 0 {
            self.lists[(*known & !SET) as usize].push(number);
            return;
        }
        let list = vec![*known, number];
        let place = match self.free.pop() {
            Some(place) => {
                self.lists[place as usize] = list;
                place
            }
            None => {
                self.lists.push(list);
                self.lists.len() as u32 - 1
            }
        };
        *known = place | SET;
    }

    /// Takes one number out of the list of an id.
    pub(crate) fn remove(&mut self, id: &DocumentId, number: u32) {
        let found = self
            .table
            .find_entry(self.hasher.hash_one(id), |(known, _)| known == id);
        let Ok(mut entry) = found else { return };
        let known = &mut entry.get_mut().1;
        if *known & SET == 0 {
            if *known == number {
                entry.remove();
            }
            return;
        }
        let place = *known & !SET;
        let list = &mut self.lists[place as usize];
        if let Some(position) = list.iter().position(|listed| *listed == number) {
            list.swap_remove(position);
        }
        if let [only] = list[..] {
            *known = only;
            *list = Vec::new();
            self.free.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_grow_shrink_and_vanish() {
        let mut index = Index::default();
        let ids = [DocumentId([1; 16]), DocumentId([2; 16])];
        for number in 0..5 {
            index.add(ids[0], number);
        }
        index.add(ids[1], 9);
        index.remove(&ids[0], 3);
        index.remove(&ids[0], 77);
        let listed = |index: &Index, id| {
            let mut listed = index.get(id).to_vec();
            listed.sort_unstable();
            listed
        };
        assert_eq!(listed(&index, &ids[0]), [0, 1, 2, 4]);
        for number in [0, 1, 2] {
            index.remove(&ids[0], number);
        }
        assert_eq!((index.get(&ids[0]), index.get(&ids[1])), (&[4][..], &[9][..]));
        index.add(ids[1], 8);
        assert_eq!(listed(&index, &ids[1]), [8, 9]);
        index.remove(&ids[0], 4);
        assert_eq!(index.get(&ids[0]), &[] as &[u32]);
        assert_eq!(index.lists.len(), 1);
    }
}
