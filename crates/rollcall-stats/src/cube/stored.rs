//! Facts as the cube keeps them: only what figures and findings need. Owns what is kept and the names a document goes
//! by; how it is written is `pack`.

use std::collections::BTreeSet;

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::Day;
use rollcall_core::dated::holding_at;
use rollcall_core::fact::{DatedFact, DisputedEntries, OrganisationFacts, UnionFacts};
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::organisation::{category_of_name, is_accounting_firm};
use rollcall_core::term::Category;

use super::bytes::Reader;
use super::pack::{Pack, pack_fields};

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

/// What gives a document its names, read alone. Both kinds write it first.
pub(crate) struct Names {
    code: Option<CreditCode>,
    record_id: Option<String>,
}

impl Names {
    /// Of a packed organisation or union.
    pub(crate) fn of(packed: &[u8]) -> Self {
        let from = &mut Reader::new(packed);
        let said = from.number();
        Self {
            code: if said & 1 == 1 { Pack::take(from) } else { None },
            record_id: if said & 2 == 2 { Pack::take(from) } else { None },
        }
    }

    /// Every id under which the document may be named, its own first.
    pub(crate) fn aliases(&self, kind: DocumentKind, id: DocumentId) -> Vec<DocumentId> {
        let code = self.code.as_ref().map(|code| code.as_str());
        aliases(kind, id, code, self.record_id.as_deref())
    }
}

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

    #[test]
    fn the_names_read_alone_are_those_of_the_whole() {
        let code: CreditCode = "52330106XXXX000357".parse().expect("a code");
        let id = DocumentId([7; 16]);
        for (code, record_id) in [
            (None, None),
            (Some(code), None),
            (None, Some("东城-17".to_owned())),
            (Some(code), Some("东城-17".to_owned())),
        ] {
            let organisation = StoredOrganisation::new(OrganisationFacts {
                code,
                record_id: record_id.clone(),
                mistaken: true,
                ..OrganisationFacts::default()
            });
            let union = StoredUnion::new(UnionFacts {
                code,
                record_id,
                full_time_chair: vec![true],
                ..UnionFacts::default()
            });
            let alone = |packed: &[u8], kind| Names::of(packed).aliases(kind, id);
            assert_eq!(
                alone(&organisation.pack(), DocumentKind::Organisation),
                organisation.aliases(id)
            );
            assert_eq!(alone(&union.pack(), DocumentKind::Union), union.aliases(id));
        }
    }
}
