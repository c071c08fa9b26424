//! A cube that follows the store: built from stored facts, then kept up by revision (`design.md` 5).
//! Owns nothing that cannot be built again.

use std::sync::{Mutex, PoisonError};

use rollcall_core::campaign::Settings;
use rollcall_stats::Cube;

use crate::codec;
use crate::error::Error;
use crate::replica::Replica;

/// A cube and how far it has followed.
pub struct Projection {
    cube: Cube,
    revision: u64,
}

impl Projection {
    /// Builds a cube of everything as it is now.
    ///
    /// # Errors
    /// The store's; `Facts` where stored facts are of another program version.
    pub fn build(replica: &Replica) -> Result<Self, Error> {
        replica.read(|reader| {
            let mut cube = Cube::new(Settings::default());
            let mut failed = None;
            let revision = reader.facts_revision()?;
            reader.facts_current(|fact| {
                match codec::decode(fact.document_id, fact.facts) {
                    Ok(facts) => cube.upsert(fact.document_id, facts),
                    Err(error) => failed = Some(error),
                }
                Ok(())
            })?;
            failed.map_or(Ok(Self { cube, revision }), Err)
        })
    }

    /// Builds a cube of everything as it was known at a position of the aggregator.
    ///
    /// # Errors
    /// The store's; `Facts` where stored facts are of another program version.
    pub fn build_at(replica: &Replica, position: u64) -> Result<Cube, Error> {
        replica.read(|reader| {
            let mut cube = Cube::new(Settings::default());
            let mut failed = None;
            reader.facts_at(position, |fact| {
                match codec::decode(fact.document_id, fact.facts) {
                    Ok(facts) => cube.upsert(fact.document_id, facts),
                    Err(error) => failed = Some(error),
                }
                Ok(())
            })?;
            failed.map_or(Ok(cube), Err)
        })
    }

    /// Takes in what has changed since, by this process or another; whether anything had.
    ///
    /// # Errors
    /// The store's.
    pub fn follow(&mut self, replica: &Replica) -> Result<bool, Error> {
        let before = self.revision;
        let cube = &mut self.cube;
        let mut failed = None;
        let revision = replica.read(|reader| {
            Ok(reader.facts_since(before, |fact| {
                match codec::decode(fact.document_id, fact.facts) {
                    Ok(facts) => cube.upsert(fact.document_id, facts),
                    Err(error) => failed = Some(error),
                }
                Ok(())
            })?)
        })?;
        self.revision = revision;
        failed.map_or(Ok(revision != before), Err)
    }

    /// The cube.
    pub fn cube(&self) -> &Cube {
        &self.cube
    }
}

/// A cube for everybody who asks: built by the first, brought up to date by each.
#[derive(Default)]
pub struct SharedProjection(Mutex<Option<Projection>>);

impl SharedProjection {
    /// Asks the cube as it is now. Blocks, as long as others ask as well.
    ///
    /// # Errors
    /// The store's; `Facts` where stored facts are of another program version.
    pub fn ask<T>(&self, replica: &Replica, question: impl FnOnce(&Cube) -> T) -> Result<T, Error> {
        let mut projection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let projection = match &mut *projection {
            Some(projection) => {
                projection.follow(replica)?;
                projection
            }
            none => none.insert(Projection::build(replica)?),
        };
        Ok(question(projection.cube()))
    }
}
