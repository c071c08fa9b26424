//! Facts as the cube keeps them: only what figures and findings need. Owns what is kept and the names a document goes
//! by; how it is written is `pack`.

use std::collections::BTreeSet;

use rollcall_core::date::Day;
use rollcall_core::dated::holding_at;
use rollcall_core::fact::{DatedFact, DisputedEntries, OrganisationFacts, UnionFacts};
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::organisation::{category_of_name, is_accounting_firm};
use rollcall_core::term::Category;

use super::pack::pack_fields;

/// An organisation's facts without its names, of which only the categories they give and a fingerprint are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct StoredOrganisation {
    pub(crate) facts: OrganisationFacts,
    pub(crate) category_by_name: Vec<DatedFact<Category>>,
    pub(crate) accounting_firm: bool,
    /// Fingerprint of the latest name, spaces left out.
    pub(crate) name: Option<u64>,
}

pack_fields!(StoredOrganisation { facts; category_by_name, accounting_firm, name; });
pack_fields!(OrganisationFacts {
    ;
    code, record_id, kind, category, registered_on, status, authority, location, responsible, counts, exclusions,
    coverage, organisers, disputed, stages, successor, mistaken, open_conflicts;
    names, operating, contacts, checks
});
pack_fields!(DisputedEntries { ; responsible, exclusions, coverage, organisers; });

impl StoredOrganisation {
    pub(crate) fn new(mut facts: OrganisationFacts) -> Self {
        let names = std::mem::take(&mut facts.names);
        let category_by_name = names
            .iter()
            .map(|name| DatedFact {
                from: name.from,
                source: name.source,
                value: category_of_name(&name.value),
            })
            .collect();
        let latest = holding_at(&names, Day::MAX);
        facts.contacts.clear();
        facts.checks.clear();
        facts.operating.clear();
        Self {
            category_by_name,
            accounting_firm: latest.iter().any(|name| is_accounting_firm(name)),
            name: latest.first().map(|name| fingerprint(name)),
            facts,
        }
    }

    /// The unions that its coverage links name, in any reading of them.
    pub(crate) fn linked_unions(&self) -> BTreeSet<DocumentId> {
        let disputed = self.facts.disputed.coverage.iter();
        let others = disputed.flat_map(|disputed| disputed.others.iter().flatten());
        let links = self.facts.coverage.iter().chain(others);
        links.map(|link| link.union).collect()
    }

    pub(crate) fn aliases(&self, id: DocumentId) -> Vec<DocumentId> {
        let code = self.facts.code.as_ref().map(|code| code.as_str());
        aliases(
            DocumentKind::Organisation,
            id,
            code,
            self.facts.record_id.as_deref(),
        )
    }
}

/// A union's facts without its name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct StoredUnion {
    pub(crate) facts: UnionFacts,
    /// Fingerprint of the name, spaces left out.
    pub(crate) name: Option<u64>,
}

pack_fields!(StoredUnion { facts; name; });
pack_fields!(UnionFacts {
    ;
    code, record_id, form, higher_union, organisation, full_time_chair, womens_committee, mistaken, other_units,
    events, disputed_events, open_conflicts;
    name
});

impl StoredUnion {
    pub(crate) fn new(mut facts: UnionFacts) -> Self {
        let name = std::mem::take(&mut facts.name)
            .first()
            .map(|name| fingerprint(name));
        Self { facts, name }
    }

    pub(crate) fn aliases(&self, id: DocumentId) -> Vec<DocumentId> {
        let code = self.facts.code.as_ref().map(|code| code.as_str());
        aliases(DocumentKind::Union, id, code, self.facts.record_id.as_deref())
    }
}

/// Every id under which a document may be named: its own first, then those of its code and of its record id.
fn aliases(
    kind: DocumentKind,
    id: DocumentId,
    code: Option<&str>,
    record_id: Option<&str>,
) -> Vec<DocumentId> {
    let mut ids = vec![id];
    for key in [code, record_id].into_iter().flatten() {
        let alias = DocumentId::derive(kind, key);
        if !ids.contains(&alias) {
            ids.push(alias);
        }
    }
    ids
}

/// FNV-1a over the characters of a name that are not spaces; the same everywhere.
fn fingerprint(name: &str) -> u64 {
    let bytes = name.bytes().filter(|byte| !byte.is_ascii_whitespace());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cube::pack::Pack;

    #[test]
    fn unpacking_gives_back_what_was_packed() {
        let stored = StoredOrganisation::new(OrganisationFacts {
            code: "52330106XXXX000357".parse().ok(),
            registered_on: vec!["2015-01".parse().expect("a date")],
            names: vec![DatedFact {
                from: Day::MIN,
                source: rollcall_core::term::Source::Registry,
                value: "春天幼儿园".to_owned(),
            }],
            responsible: vec![DatedFact {
                from: Day(16_436),
                source: rollcall_core::term::Source::Registry,
                value: "330106".parse().expect("a federation"),
            }],
            ..OrganisationFacts::default()
        });
        assert_eq!(stored.category_by_name[0].value, Category::Kindergarten);
        assert_eq!(StoredOrganisation::unpack(&stored.pack()), stored);
    }
}
