//! Names of all organisations in order, kept in memory beside the cube: what the cube finds is ordered, searched and
//! paged here, so that no list page reads the store's list whole. Owns no truth; follows the store by its revision.

use std::collections::{BTreeSet, HashMap};

use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_store::listing::{ListingOrder, ListingQuery, ListingRow};
use rollcall_store::{Error, Store};

/// The index.
pub struct NameIndex {
    revision: u64,
    entries: HashMap<DocumentId, Entry>,
    order: BTreeSet<(Box<str>, DocumentId)>,
}

struct Entry {
    name: Box<str>,
    search: Box<str>,
    conflicts: u32,
}

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct NameQuery {
    /// What the cube found, sorted; `None` for everything.
    pub members: Option<Vec<DocumentId>>,
    /// Words, each of which must occur in the search text; folded.
    pub text: String,
    /// With open conflicts only.
    pub with_conflicts: bool,
    /// Rows to skip.
    pub offset: usize,
    /// Rows to give.
    pub limit: usize,
}

impl NameIndex {
    /// Reads every organisation's row once.
    ///
    /// # Errors
    /// The store's.
    pub fn build(store: &Store) -> Result<Self, Error> {
        let query = ListingQuery {
            kind: Some(DocumentKind::Organisation),
            order: ListingOrder::Name,
            limit: usize::try_from(u32::MAX).unwrap_or(usize::MAX),
            ..ListingQuery::default()
        };
        let (revision, rows) =
            store.read(|reader| Ok((reader.facts_revision()?, reader.listings(&query)?.rows)))?;
        let mut index = Self {
            revision,
            entries: HashMap::with_capacity(rows.len()),
            order: BTreeSet::new(),
        };
        for row in rows {
            index.put(row);
        }
        Ok(index)
    }

    /// Takes in what has changed since, by this process or another.
    ///
    /// # Errors
    /// The store's.
    pub fn follow(&mut self, store: &Store) -> Result<(), Error> {
        let before = self.revision;
        let (revision, rows) = store.read(|reader| {
            let mut changed = Vec::new();
            let revision = reader.facts_since(before, |fact| {
                if fact.kind == DocumentKind::Organisation {
                    changed.push(fact.document_id);
                }
                Ok(())
            })?;
            Ok((revision, reader.listings_of(&changed)?))
        })?;
        self.revision = revision;
        for row in rows {
            self.put(row);
        }
        Ok(())
    }

    fn put(&mut self, row: ListingRow) {
        let name: Box<str> = row.listing.name.into();
        let entry = Entry {
            name: name.clone(),
            search: row.listing.search.into(),
            conflicts: row.listing.conflicts,
        };
        if let Some(before) = self.entries.insert(row.document_id, entry) {
            self.order.remove(&(before.name, row.document_id));
        }
        self.order.insert((name, row.document_id));
    }

    /// The documents of one page in order of name, and how many there are without paging.
    pub fn page(&self, query: &NameQuery) -> (Vec<DocumentId>, u64) {
        let words: Vec<&str> = query.text.split_whitespace().collect();
        let fits = |id: &DocumentId| {
            let Some(entry) = self.entries.get(id) else {
                return false;
            };
            query
                .members
                .as_ref()
                .is_none_or(|members| members.binary_search(id).is_ok())
                && (!query.with_conflicts || entry.conflicts > 0)
                && words.iter().all(|word| entry.search.contains(word))
        };
        let (mut page, mut total) = (Vec::with_capacity(query.limit), 0);
        for id in self.order.iter().map(|(_, id)| id).filter(|id| fits(id)) {
            if total >= query.offset && page.len() < query.limit {
                page.push(*id);
            }
            total += 1;
        }
        (page, total as u64)
    }
}
