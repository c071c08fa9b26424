//! What lists and search show of a document, read from its facts. Only nodes keep rows of it (decision 23).

use rollcall_core::fact::{Agreed, DatedFact, Facts};
use rollcall_core::id::{DocumentId, FederationId};

use crate::error::Error;
use crate::replica::Replica;

/// The columns of a list that do not depend on a date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) code: Option<String>,
    pub(crate) name: String,
    pub(crate) search: String,
    pub(crate) home: Option<FederationId>,
    pub(crate) conflicts: u32,
}

/// What people call a document by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Called {
    /// Its valid credit code.
    pub code: Option<String>,
    /// Its name, or what stands for one where its kind has none.
    pub name: String,
}

impl Replica {
    /// What a document is called, at either end; `None` where it is not held, or its facts are of another program
    /// version and not rebuilt yet.
    ///
    /// # Errors
    /// The store's.
    pub fn called(&self, id: DocumentId) -> Result<Option<Called>, Error> {
        match self.facts(id) {
            Ok(facts) => {
                let Listed { code, name, .. } = read(&facts);
                Ok(Some(Called { code, name }))
            }
            Err(Error::NoDocument(_) | Error::Facts(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Reads them.
pub(crate) fn read(facts: &Facts) -> Listed {
    let mut listed = match facts {
        Facts::Organisation(facts) => Listed {
            code: facts.code.map(|code| code.to_string()),
            name: latest(&facts.names).cloned().unwrap_or_default(),
            search: facts
                .names
                .iter()
                .map(|name| name.value.as_str())
                .collect::<Vec<_>>()
                .join("\n"),
            home: latest(&facts.responsible).cloned(),
            conflicts: facts.open_conflicts,
        },
        Facts::Union(facts) => Listed {
            code: facts.code.map(|code| code.to_string()),
            name: first(&facts.name).unwrap_or_default(),
            search: facts.record_id.clone().unwrap_or_default(),
            home: first(&facts.higher_union),
            conflicts: facts.open_conflicts,
        },
        Facts::Fund(facts) => Listed {
            name: facts.record_id.clone().unwrap_or_default(),
            home: first(&facts.federation),
            conflicts: facts.open_conflicts,
            ..Listed::default()
        },
        Facts::Subsidy(facts) => Listed {
            name: facts.record_id.clone().unwrap_or_default(),
            home: first(&facts.federation),
            conflicts: facts.open_conflicts,
            ..Listed::default()
        },
        Facts::SameAs(facts) => Listed {
            name: format!("{} = {}", facts.a, facts.b),
            conflicts: facts.open_conflicts,
            ..Listed::default()
        },
        Facts::Federation(facts) => Listed {
            name: facts.name.clone(),
            home: Some(facts.id.clone()),
            ..Listed::default()
        },
        Facts::Campaign(_) => Listed {
            home: Some(FederationId::national()),
            ..Listed::default()
        },
    };
    for part in [listed.name.clone(), listed.code.clone().unwrap_or_default()] {
        listed.search.push('\n');
        listed.search.push_str(&part);
    }
    listed.search = listed.search.to_lowercase();
    listed
}

fn latest<T>(entries: &[DatedFact<T>]) -> Option<&T> {
    entries
        .iter()
        .max_by_key(|entry| entry.from)
        .map(|entry| &entry.value)
}

fn first<T: Clone>(values: &Agreed<T>) -> Option<T> {
    values.first().cloned()
}
