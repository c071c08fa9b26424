//! Whether this node may write a document (`protocol.md` 1.9): the same rule the aggregator applies, asked before saving.

use std::collections::BTreeSet;

use rollcall_core::id::FederationId;
use rollcall_doc::Mentions;

use crate::error::Error;
use crate::grants::lies_below;
use crate::prepare::Held;
use crate::replica::Replica;

impl Replica {
    /// Scopes this node writes.
    ///
    /// # Errors
    /// The store's.
    pub fn scopes_written(&self) -> Result<BTreeSet<FederationId>, Error> {
        self.read(|reader| {
            let grants = reader.grants()?;
            Ok(grants
                .into_iter()
                .filter(|grant| grant.write)
                .map(|grant| grant.scope)
                .collect())
        })
    }

    /// Whether one of these homes is kept here: granted, or below a granted scope (whether a federation below has a node
    /// of its own is known at the aggregator, which then refuses).
    pub fn keeps<'a>(
        written: &BTreeSet<FederationId>,
        homes: impl IntoIterator<Item = &'a FederationId>,
    ) -> bool {
        homes
            .into_iter()
            .any(|home| written.contains(home) || written.iter().any(|above| lies_below(above, home)))
    }

    pub(crate) fn check_may_write(&self, held: &Held, mentions: &Mentions) -> Result<(), Error> {
        let id = held.document.id();
        let (written, homes) = self.read(|reader| {
            let grants = reader.grants()?;
            let written: BTreeSet<FederationId> = grants
                .into_iter()
                .filter(|grant| grant.write)
                .map(|grant| grant.scope)
                .collect();
            let homes = if held.row.is_some() {
                reader.homes_of(id)?
            } else {
                Vec::new()
            };
            Ok((written, homes))
        })?;
        if Self::keeps(&written, &homes) || Self::keeps(&written, &mentions.homes) {
            Ok(())
        } else {
            Err(Error::Foreign(id))
        }
    }
}
