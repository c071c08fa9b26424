//! Roots of scopes, which receipts state, and the rows they are made of. A process reads every row of a scope once; after
//! that the rows of documents that have changed, as long as all of them together add up to the scope's own sum.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_store::scope::SetSum;
use rollcall_store::{Hash, Reader};
use rollcall_sync::fingerprint::scope_root;
use rollcall_sync::message::ScopeReceipt;

use crate::error::Error;

/// Changed documents up to which rows are read one by one; beyond it all of them are.
const CHANGED_MAX: usize = 1_000;

/// A scope as it was read from its rows.
#[derive(Clone)]
pub(crate) struct ReadScope {
    /// What a receipt says of it.
    pub(crate) receipt: ScopeReceipt,
    /// Its documents with their digests, ascending.
    pub(crate) entries: Arc<[(DocumentId, Hash)]>,
}

impl ReadScope {
    /// Reads every row, and leaves out the documents kept apart; gives the sum over all rows, too.
    pub(crate) fn read(
        reader: &Reader,
        scope: &FederationId,
        apart: &BTreeSet<DocumentId>,
    ) -> Result<(Self, SetSum), Error> {
        let mut counted = SetSum::default();
        let entries = reader
            .scope_entries(scope)?
            .into_iter()
            .inspect(|(_, digest)| counted.add(digest))
            .filter(|(id, _)| !apart.contains(id));
        Ok((Self::of(scope, entries.collect()), counted))
    }

    fn of(scope: &FederationId, entries: Arc<[(DocumentId, Hash)]>) -> Self {
        let (root, documents) = scope_root(entries.iter().map(|(id, digest)| (id, digest)));
        let receipt = ScopeReceipt {
            scope: scope.clone(),
            documents,
            root,
        };
        Self { receipt, entries }
    }

    /// The same with these documents as they are now, and the sum over all of it.
    fn with(&self, changed: BTreeMap<DocumentId, Hash>) -> (Self, SetSum) {
        let mut entries = Vec::with_capacity(self.entries.len() + changed.len());
        let mut changed = changed.into_iter().peekable();
        for (id, digest) in self.entries.iter() {
            entries.extend(std::iter::from_fn(|| changed.next_if(|(new, _)| new < id)));
            let digest = changed
                .next_if(|(new, _)| new == id)
                .map_or(*digest, |(_, new)| new);
            entries.push((*id, digest));
        }
        entries.extend(changed);
        let mut counted = SetSum::default();
        entries.iter().for_each(|(_, digest)| counted.add(digest));
        (Self::of(&self.receipt.scope, entries.into()), counted)
    }
}

/// A scope of which every row was read at some time.
#[derive(Clone)]
struct Known {
    /// The sum that it had.
    set: SetSum,
    /// The last change that had arrived.
    arrival: u64,
    read: ReadScope,
}

/// The scopes that a process has read. What is kept is about every row of a scope.
#[derive(Default)]
pub(crate) struct Roots(Mutex<HashMap<FederationId, Known>>);

impl Roots {
    /// A scope as its rows are now.
    pub(crate) fn read(&self, reader: &Reader, scope: &FederationId) -> Result<ReadScope, Error> {
        let set = reader.scope(scope)?.set;
        let known = self.lock().get(scope).cloned();
        if let Some(known) = known.as_ref().filter(|known| known.set == set) {
            return Ok(known.read.clone());
        }
        let arrival = reader.last_arrival()?;
        let brought_up = match &known {
            Some(known) => bring_up(reader, known)?.filter(|(_, counted)| *counted == set),
            None => None,
        };
        let (read, counted) = match brought_up {
            Some(brought_up) => brought_up,
            None => ReadScope::read(reader, scope, &BTreeSet::new())?,
        };
        // A sum that is not that of the rows would let the root outlive them.
        if counted == set {
            let read = read.clone();
            self.lock().insert(scope.clone(), Known { set, arrival, read });
        }
        Ok(read)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<FederationId, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the rows of documents that changes have arrived of; `None` where there are too many.
fn bring_up(reader: &Reader, known: &Known) -> Result<Option<(ReadScope, SetSum)>, Error> {
    let arrived = reader.documents_arrived_after(known.arrival, CHANGED_MAX + 1)?;
    if arrived.len() > CHANGED_MAX {
        return Ok(None);
    }
    let mut changed = BTreeMap::new();
    for id in arrived {
        if let Some(digest) = reader.scope_entry(&known.read.receipt.scope, id)? {
            changed.insert(id, digest);
        }
    }
    Ok(Some(known.read.with(changed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u8, digest: u8) -> (DocumentId, Hash) {
        (DocumentId([id; 16]), [digest; 32])
    }

    #[test]
    fn a_scope_brought_up_to_date_is_the_scope_read_anew() {
        let scope = FederationId::national();
        let before = ReadScope::of(&scope, [entry(2, 1), entry(4, 1), entry(6, 1)].into());
        let changed = [entry(1, 9), entry(4, 9), entry(5, 9), entry(7, 9)];
        let (now, counted) = before.with(changed.into());
        let after = [
            entry(1, 9),
            entry(2, 1),
            entry(4, 9),
            entry(5, 9),
            entry(6, 1),
            entry(7, 9),
        ];
        assert_eq!(now.entries[..], after);
        assert_eq!(now.receipt, ReadScope::of(&scope, after.into()).receipt);
        let mut sum = SetSum::default();
        after.iter().for_each(|(_, digest)| sum.add(digest));
        assert_eq!(counted, sum);
        assert_ne!(before.receipt.root, now.receipt.root);
    }
}
