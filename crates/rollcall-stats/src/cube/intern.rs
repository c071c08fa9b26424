//! Equal things once: each distinct value gets a small number. Numbers depend on the order of arrival and never
//! reach an answer; whatever is shown is sorted by the values themselves. Distinct values are few, some thousands
//! among millions, so the hash is the fast one, seeded by process, and not the one that ids of strangers get in `index`.

use std::hash::Hash;

use hashbrown::HashMap;

/// Values and their numbers.
#[derive(Debug, Clone)]
pub(crate) struct Interned<T> {
    values: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    pub(crate) fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = u32::try_from(self.values.len()).expect("fewer distinct values than memory holds");
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }

    pub(crate) fn contains(&self, value: &T) -> bool {
        self.numbers.contains_key(value)
    }

    pub(crate) fn value(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    pub(crate) fn values(&self) -> &[T] {
        &self.values
    }
}
