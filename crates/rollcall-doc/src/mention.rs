//! What one change names: federations (scopes), other documents, names for its own document; and what it does about who
//! keeps that. Owns the rule; it is a function of the change's own operations and the kind of document, so that both ends
//! compute the same membership of scopes from the same changes.

use std::collections::BTreeSet;

use rollcall_core::id::{ActorId, DocumentId, DocumentKind, FederationId};

use crate::gate::walker::PlainChange;
use crate::handover::{HANDOVERS, Written};
use crate::members::Members;
use crate::scalar::ScalarRef;
use crate::{place, schema};

/// What changes name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Federations in whose scopes the document is at home.
    pub homes: BTreeSet<FederationId>,
    /// Those of them that it is claimed for; the others are takers that handovers name.
    pub claims: BTreeSet<FederationId>,
    /// Documents that it names, by derived id, and that visit those scopes.
    pub names: BTreeSet<DocumentId>,
    /// Derived ids under which this document can be named.
    pub aliases: BTreeSet<DocumentId>,
    /// What is written about who keeps the document.
    pub written: Written,
}

impl Mentions {
    /// Adds what another change names.
    pub fn extend(&mut self, other: Mentions) {
        self.homes.extend(other.homes);
        self.claims.extend(other.claims);
        self.names.extend(other.names);
        self.aliases.extend(other.aliases);
        self.written.extend(other.written);
    }

    fn home(&mut self, text: Option<&str>) {
        let home = text.and_then(|text| text.parse::<FederationId>().ok());
        self.claims.extend(home.clone());
        self.homes.extend(home);
    }

    fn name(&mut self, kind: DocumentKind, text: Option<&str>) {
        let text = text.filter(|text| !text.is_empty());
        self.names
            .extend(text.map(|text| DocumentId::from_reference(kind, text)));
    }
}

/// What a decoded change of a document of this kind names.
pub(crate) fn of_change(kind: DocumentKind, genesis: ActorId, change: &PlainChange<'_>) -> Mentions {
    let mut mentions = Mentions::default();
    if kind == DocumentKind::Campaign {
        mentions.home(Some(FederationId::national().as_str()));
    }
    let mut same_as = DocumentKind::Organisation;
    let mut same = Vec::new();
    for operation in &change.operations {
        let Some(place) = place::of_operation(kind, genesis, change, operation) else {
            continue;
        };
        let text = match operation.value {
            ScalarRef::Text(text) => Some(text),
            ScalarRef::Integer(_) | ScalarRef::Flag(_) | ScalarRef::Null => None,
        };
        let container = place
            .container
            .map(|position| schema::of(kind).containers[position].name);
        mentions.written.note(container, place.key, text);
        match (kind, container, place.key) {
            (DocumentKind::SameAs, None, "a" | "b") => same.extend(text),
            (DocumentKind::SameAs, None, "of") => {
                let named = DocumentKind::ALL
                    .into_iter()
                    .find(|kind| Some(kind.name()) == text);
                same_as = named.unwrap_or(same_as);
            }
            (DocumentKind::Federation, None, "code") => {
                mentions.home(text);
                mentions
                    .aliases
                    .extend(text.map(|text| DocumentId::from_reference(kind, text)));
            }
            (DocumentKind::Federation, None, "parent")
            | (DocumentKind::Union, None, "higher_union")
            | (DocumentKind::Fund | DocumentKind::Subsidy | DocumentKind::SameAs, None, "federation") => {
                mentions.home(text);
            }
            (_, None, "id" | "code") => {
                let text = text.filter(|text| !text.is_empty());
                mentions
                    .aliases
                    .extend(text.map(|text| DocumentId::from_reference(kind, text)));
            }
            (DocumentKind::Organisation, None, "successor") | (DocumentKind::Union, None, "organisation") => {
                mentions.name(DocumentKind::Organisation, text);
            }
            (DocumentKind::Subsidy, None, "payee_union") => mentions.name(DocumentKind::Union, text),
            (DocumentKind::Organisation, Some("responsible"), _) => match members(text) {
                Some(members) => mentions.home(members.text("value").or(text)),
                None => mentions.home(text),
            },
            (DocumentKind::Organisation, Some(HANDOVERS), _) => {
                let members = members(text);
                let taker = members.as_ref().and_then(|members| members.text("to"));
                mentions
                    .homes
                    .extend(taker.and_then(|to| to.parse::<FederationId>().ok()));
            }
            (DocumentKind::Organisation, Some("coverage"), _) => {
                let members = members(text);
                mentions.name(
                    DocumentKind::Union,
                    members.as_ref().and_then(|members| members.text("union")),
                );
            }
            _ => {}
        }
    }
    for text in same {
        mentions.name(same_as, Some(text));
    }
    mentions
}

fn members(text: Option<&str>) -> Option<Members<'_>> {
    Members::read(text.filter(|text| text.starts_with('{'))?)
}
