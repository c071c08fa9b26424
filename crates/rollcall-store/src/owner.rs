//! Whose a store is, read from its file without opening it: before a backup takes the place of a store both are asked, and
//! the keys beside them (`reliability.md` 4, row 85). A store remembers the public key of the keys it is used with, since
//! on an empty disk nothing else says whose backup belongs there.

use std::path::Path;

use rollcall_core::id::{FederationId, StoreId};
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, engine};
use crate::sqlite::{Reader, RowExt, Writer};
use crate::store::{Identity, Role};

/// Name of the row with the public key.
pub(crate) const SIGNING_KEY: &str = "signing_key";

/// Whose a store is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// What it is.
    pub identity: Identity,
    /// Ed25519 public key of the keys it is used with; `None` until it was opened beside them.
    pub signing_key: Option<Vec<u8>>,
    /// Federations that it writes; empty at an aggregator.
    pub writes: Vec<FederationId>,
}

impl Owner {
    /// Reads it from a file, which stays as it is.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(engine)?;
        let mut reader = Reader::new(db, Identity::default());
        reader.refresh_identity()?;
        let grants = reader.grants()?.into_iter().filter(|grant| grant.write);
        Ok(Self {
            identity: reader.identity().clone(),
            signing_key: reader.signing_key()?,
            writes: grants.map(|grant| grant.scope).collect(),
        })
    }

    /// That of the store at `path`; `None` where there is none, or it cannot be read any more, which must not keep anybody
    /// from putting a sound one there.
    pub(crate) fn in_place(path: &Path) -> Option<Self> {
        if !path.exists() {
            return None;
        }
        let read = Self::read(path).and_then(|owner| {
            let is_store = owner.identity.store_id != StoreId::default();
            is_store.then_some(owner).ok_or(Error::Damaged("the store id"))
        });
        read.map_err(|error| {
            tracing::warn!("the store that is replaced does not say whose it is: {error}");
        })
        .ok()
    }
}

/// Where a backup is to be put: what lies there beside the store says whose it must be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Of which program.
    pub role: Role,
    /// The federation of the node's configuration, where there is one.
    pub federation: Option<FederationId>,
    /// Ed25519 public key of the keys there, where there are any.
    pub signing_key: Option<Vec<u8>>,
    /// The keys of the backup's store are gone and those here take their place: it may be another store of the same
    /// federation, which is enrolled anew afterwards.
    pub takes_over: bool,
}

/// Why a backup does not belong in a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It is the other program's.
    #[error("this is a backup of the {}, and here belongs one of the {}", .backup.name(), .here.name())]
    Role {
        /// The backup's.
        backup: Role,
        /// That of the place.
        here: Role,
    },
    /// It is of a node of another federation.
    #[error("this is a backup of a node of {}, and this is the node of {here}; restore a backup that was made here", list(.backup))]
    Federation {
        /// The backup's.
        backup: Vec<FederationId>,
        /// That of the place.
        here: FederationId,
    },
    /// The store that it would replace is another one.
    #[error(
        "this is a backup of the store {backup}, and here is the store {here}; restore a backup that was made here"
    )]
    Store {
        /// The backup's.
        backup: StoreId,
        /// That of the place.
        here: StoreId,
    },
    /// There is no store to be replaced, and the keys are not those of the backup's.
    #[error(
        "this is a backup of the store {backup}, which was used with other keys than those here; restore a backup of \
         the machine that the keys are from"
    )]
    Keys {
        /// The backup's.
        backup: StoreId,
    },
}

impl Misfit {
    /// Whether [`Place::takes_over`] would let it in.
    pub fn may_be_taken_over(&self) -> bool {
        match self {
            Self::Store { .. } | Self::Keys { .. } => true,
            Self::Role { .. } | Self::Federation { .. } => false,
        }
    }
}

fn list(federations: &[FederationId]) -> String {
    let names: Vec<&str> = federations.iter().map(FederationId::as_str).collect();
    names.join(", ")
}

impl Place {
    /// Whether the backup belongs here: it is of this program and federation, and of the store that is here, or where none
    /// is or it cannot be read, of these keys.
    pub(crate) fn check(&self, backup: &Owner, held: Option<&Owner>) -> Result<(), Misfit> {
        if backup.identity.role != self.role {
            return Err(Misfit::Role {
                backup: backup.identity.role,
                here: self.role,
            });
        }
        if let Some(here) = &self.federation
            && !backup.writes.is_empty()
            && !backup.writes.contains(here)
        {
            return Err(Misfit::Federation {
                backup: backup.writes.clone(),
                here: here.clone(),
            });
        }
        if self.takes_over {
            return Ok(());
        }
        let store_id = backup.identity.store_id;
        match (held, &backup.signing_key, &self.signing_key) {
            (Some(held), ..) if held.identity.store_id != store_id => Err(Misfit::Store {
                backup: store_id,
                here: held.identity.store_id,
            }),
            (None, Some(used), Some(here)) if used != here => Err(Misfit::Keys { backup: store_id }),
            _ => Ok(()),
        }
    }
}

impl Reader {
    /// Ed25519 public key of the keys that this store is used with, once it was noted.
    pub fn signing_key(&self) -> Result<Option<Vec<u8>>, Error> {
        self.one("SELECT value FROM meta WHERE key = ?1", [SIGNING_KEY], |row| {
            Ok(row.blob(0)?.to_vec())
        })
    }
}

impl Writer {
    /// Notes the Ed25519 public key of the keys that this store is used with.
    pub fn set_signing_key(&mut self, key: &[u8]) -> Result<(), Error> {
        self.run(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
            (SIGNING_KEY, key),
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::federation;

    fn owner(store: u8, role: Role, key: Option<u8>, writes: &[u32]) -> Owner {
        Owner {
            identity: Identity {
                store_id: StoreId([store; 16]),
                role,
                ..Identity::default()
            },
            signing_key: key.map(|key| vec![key; 32]),
            writes: writes.iter().map(|code| federation(*code)).collect(),
        }
    }

    #[test]
    fn a_backup_belongs_where_its_store_is_or_else_its_keys() {
        let node = |store, key, county| owner(store, Role::Node, key, &[county]);
        let backup = node(1, Some(5), 330106);
        let place = Place {
            role: Role::Node,
            federation: Some(federation(330106)),
            signing_key: Some(vec![5; 32]),
            takes_over: false,
        };
        let other_keys = Place {
            signing_key: Some(vec![6; 32]),
            ..place.clone()
        };
        let taking_over = Place {
            takes_over: true,
            ..other_keys.clone()
        };
        let elsewhere = Place {
            federation: Some(federation(330105)),
            ..taking_over.clone()
        };
        let national = Place {
            role: Role::Aggregator,
            ..Place::default()
        };
        let held = node(1, Some(5), 330106);
        let other = node(2, Some(6), 330106);
        let role = Misfit::Role {
            backup: Role::Node,
            here: Role::Aggregator,
        };
        let federation = Misfit::Federation {
            backup: vec![federation(330106)],
            here: federation(330105),
        };
        let store = Misfit::Store {
            backup: StoreId([1; 16]),
            here: StoreId([2; 16]),
        };
        let keys = Misfit::Keys {
            backup: StoreId([1; 16]),
        };
        for (place, held, expected) in [
            (&place, Some(&held), Ok(())),
            (&place, None, Ok(())),
            (&Place::default(), None, Ok(())),
            (&other_keys, Some(&held), Ok(())),
            (&other_keys, None, Err(keys)),
            (&place, Some(&other), Err(store)),
            (&taking_over, Some(&other), Ok(())),
            (&taking_over, None, Ok(())),
            (&elsewhere, None, Err(federation)),
            (&national, None, Err(role)),
        ] {
            assert_eq!(place.check(&backup, held), expected, "{place:?} {held:?}");
        }
        // A backup from before stores knew their keys is told by its federation alone.
        let unsigned = node(1, None, 330106);
        assert_eq!(other_keys.check(&unsigned, None), Ok(()));
    }
}
