//! What the taker of a handover that is not complete may write: its acceptance and nothing else (`protocol.md` 1.9).
//! Owns who keeps a document while changes to it come one after the other: a node asks before it saves, the aggregator
//! when changes come in. The rule itself is `rollcall_sync::permission`.

use std::collections::{BTreeSet, HashSet};

use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_doc::gate::RefusedChange;
use rollcall_doc::handover::Handovers;
use rollcall_doc::{Document, Mentions};
use rollcall_store::{Hash, Reader};
use rollcall_sync::message::DocumentChanges;
use rollcall_sync::permission::{Denied, Write, may_write};

use crate::error::Error;
use crate::grants::related;
use crate::peer::PeerContext;
use crate::prepare::{Prepared, Reading, open};

/// Who keeps a document.
pub(crate) struct Keeping {
    kind: DocumentKind,
    homes: BTreeSet<FederationId>,
    handovers: Handovers,
}

impl Keeping {
    /// Of a document that is at home in these federations.
    pub(crate) fn of(document: &Document, homes: impl IntoIterator<Item = FederationId>) -> Self {
        Self {
            kind: document.kind(),
            homes: homes.into_iter().collect(),
            handovers: document.handovers(),
        }
    }

    /// Whether it is at home with a writer of these scopes, and only as the taker of a handover that is not complete.
    pub(crate) fn is_offered(&self, writes: impl Fn(&FederationId) -> bool) -> bool {
        let bound = self.handovers.bound();
        let mut own = self.homes.iter().filter(|home| writes(home)).peekable();
        own.peek().is_some() && own.all(|home| bound.contains(home))
    }

    /// Handovers that a writer of these scopes may sign, by entry.
    pub(crate) fn open_to(&self, writes: impl Fn(&FederationId) -> bool) -> BTreeSet<String> {
        self.handovers.open_to(writes).map(str::to_owned).collect()
    }

    /// Whether this node may make the next change. What is offered to it is accepted, not claimed.
    pub(crate) fn follow_here(
        &mut self,
        writes: impl Fn(&FederationId) -> bool,
        mentions: &Mentions,
    ) -> Result<(), Denied> {
        let none = BTreeSet::new();
        let claims = if self.is_offered(&writes) {
            &none
        } else {
            &mentions.claims
        };
        self.follow(writes, mentions, claims)
    }

    /// Whether a writer of these scopes may make the next change, which claims the document for these federations; what it
    /// makes of handovers and homes holds for those after it. Areas are not asked about.
    fn follow(
        &mut self,
        writes: impl Fn(&FederationId) -> bool,
        mentions: &Mentions,
        claims: &BTreeSet<FederationId>,
    ) -> Result<(), Denied> {
        let write = Write {
            kind: self.kind,
            homes_before: &self.homes,
            takers: &self.handovers.bound(),
            accepted_by: &self.handovers.accepted_by(&mentions.written),
            homes_named: claims,
            places: &[],
        };
        may_write(writes, &write, |_, _| true)?;
        self.handovers.follow(mentions);
        self.homes.extend(mentions.homes.iter().cloned());
        Ok(())
    }
}

/// A document's part of a batch without what its sender may not write because it was only named as the taker of it; as
/// it is where that is not so, which costs no more than a look at the handovers.
pub(crate) fn keep_to_acceptance(
    reader: &Reader,
    peer: &PeerContext,
    incoming: &DocumentChanges,
    prepared: Prepared,
    homes: &BTreeSet<FederationId>,
) -> Result<Prepared, Error> {
    let beyond = beyond_acceptance(peer, &prepared, homes)?;
    if beyond.is_empty() {
        return Ok(prepared);
    }
    let (refused, left) = incoming
        .changes
        .iter()
        .cloned()
        .zip(&prepared.hashes)
        .partition::<Vec<_>, _>(|(_, hash)| beyond.contains(*hash));
    let left = DocumentChanges {
        changes: left.into_iter().map(|(change, _)| change).collect(),
        ..incoming.clone()
    };
    // What waits is tried again with the next changes that come.
    let mut again = Prepared::admit(reader, &left, &[], peer.store_id, Reading::Always)?;
    let refused = refused.into_iter().map(|(change, hash)| RefusedChange {
        hash: Some(*hash),
        bytes: change.bytes,
        code: Denied::ForeignJurisdiction.code(),
        message: "The handover to the sender is not complete: until then it may write its acceptance and nothing else."
            .to_owned(),
        forked: false,
    });
    again.admission.refused.extend(refused);
    again.hashes = prepared.hashes;
    Ok(again)
}

/// The accepted changes that their sender may not write because the document was only handed over to it.
fn beyond_acceptance(
    peer: &PeerContext,
    prepared: &Prepared,
    homes: &BTreeSet<FederationId>,
) -> Result<HashSet<Hash>, Error> {
    let none = Ok(HashSet::new());
    let writes = |scope: &FederationId| peer.access.may_write(scope);
    let Some(document) = &prepared.admission.document else {
        return none;
    };
    let mut own = homes.iter().filter(|home| writes(home)).peekable();
    if own.peek().is_none() {
        return none;
    }
    let mut handovers = document.handovers();
    if !own.all(|home| handovers.names(home)) {
        return none;
    }
    // Whoever stands in an entry once stands there for good, but who keeps it may be another by the new changes.
    if prepared.mentions.written.keepers {
        handovers = open(prepared.id, prepared.kind, &prepared.changes)?.handovers();
    }
    let whole = Write {
        kind: prepared.kind,
        homes_before: homes,
        takers: &handovers.bound(),
        accepted_by: &BTreeSet::new(),
        homes_named: &prepared.mentions.claims,
        places: &prepared.places(),
    };
    let mut keeping = Keeping {
        kind: prepared.kind,
        homes: homes.clone(),
        handovers: handovers.clone(),
    };
    let accepted = &prepared.admission.accepted;
    // In their order: a handover that one of them completes is complete for those after it.
    let mut in_order = accepted.iter().map(|change| &change.mentions);
    if may_write(writes, &whole, related).is_ok()
        || in_order.all(|mentions| keeping.follow(writes, mentions, &BTreeSet::new()).is_ok())
    {
        return none;
    }
    // What else was written may rest on what is refused, so that nothing but the acceptances is sure to be in order.
    let signs = |mentions: &Mentions| {
        let takers = handovers.accepted_by(&mentions.written);
        !takers.is_empty() && takers.iter().all(writes)
    };
    let beyond = accepted.iter().filter(|change| !signs(&change.mentions));
    Ok(beyond.map(|change| change.hash).collect())
}

/// What this node may write of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// Anything.
    All,
    /// The acceptance of these handovers, by entry, and nothing else.
    Acceptance(BTreeSet<String>),
    /// Nothing: it is kept by others.
    Nothing,
}

impl Right {
    /// The same as an error where not everything may be written.
    ///
    /// # Errors
    /// `HandoverOpen` or `Foreign`.
    pub fn to_all(&self, id: DocumentId) -> Result<(), Error> {
        match self {
            Self::All => Ok(()),
            Self::Acceptance(_) => Err(Error::HandoverOpen(id)),
            Self::Nothing => Err(Error::Foreign(id)),
        }
    }
}
