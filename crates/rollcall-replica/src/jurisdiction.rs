//! Whether this node may write a document (`protocol.md` 1.9): the same rule the aggregator applies, asked before saving.

use std::collections::BTreeSet;

use rollcall_core::id::FederationId;
use rollcall_doc::{Document, LocalChange};

use crate::error::Error;
use crate::grants::lies_below;
use crate::handover::{Keeping, Right};
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

    /// What this node may write of a document that it holds.
    ///
    /// # Errors
    /// The store's.
    pub fn right(&self, document: &Document) -> Result<Right, Error> {
        let written = self.scopes_written()?;
        let homes = self.read(|reader| Ok(reader.homes_of(document.id())?))?;
        let kept = |home: &FederationId| Self::keeps(&written, [home]);
        if !homes.iter().any(kept) {
            return Ok(Right::Nothing);
        }
        let keeping = Keeping::of(document, homes);
        Ok(if keeping.is_offered(kept) {
            Right::Acceptance(keeping.open_to(kept))
        } else {
            Right::All
        })
    }

    /// Whether changes to a document may be saved, one after the other.
    ///
    /// # Errors
    /// `HandoverOpen` or `Foreign` where one may not; the store's.
    pub(crate) fn check_may_write(&self, held: &Held, changes: &[LocalChange]) -> Result<(), Error> {
        let id = held.document.id();
        let written = self.scopes_written()?;
        let homes = match held.row {
            Some(_) => self.read(|reader| Ok(reader.homes_of(id)?))?,
            None => Vec::new(),
        };
        let mut keeping = Keeping::of(&held.document, homes);
        let kept = |home: &FederationId| Self::keeps(&written, [home]);
        for change in changes {
            let offered = keeping.is_offered(kept);
            match keeping.follow_here(kept, &change.mentions) {
                Ok(()) => {}
                Err(_) if offered => return Err(Error::HandoverOpen(id)),
                Err(_) => return Err(Error::Foreign(id)),
            }
        }
        Ok(())
    }
}
