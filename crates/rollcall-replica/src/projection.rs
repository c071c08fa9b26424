//! A cube that follows the store: built from stored facts, then kept up by revision (`design.md` 5).
//! Owns nothing that cannot be built again.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rollcall_core::campaign::Settings;
use rollcall_stats::Cube;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::codec;
use crate::error::Error;
use crate::figures::position;
use crate::replica::Replica;
use crate::runner::blocking;

/// Facts that are taken in between two looks at the time.
const FACTS_AT_A_TIME: usize = 500;

/// A cube and how far it has followed.
pub struct Projection {
    cube: Cube,
    revision: u64,
    position: u64,
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
            let built = Self {
                cube,
                revision,
                position: position(reader)?,
            };
            failed.map_or(Ok(built), Err)
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

    /// Takes in a part of what has changed; whether that was all. Until it is, the cube is not as the store was at any
    /// moment: of a document that changed twice the earlier facts are gone.
    fn advance(&mut self, replica: &Replica) -> Result<bool, Error> {
        let (cube, before) = (&mut self.cube, self.revision);
        let (mut failed, mut taken) = (None, 0);
        let (revision, position) = replica.read(|reader| {
            let revision = reader.facts_since(before, Some(FACTS_AT_A_TIME), |fact| {
                taken += 1;
                match codec::decode(fact.document_id, fact.facts) {
                    Ok(facts) => cube.upsert(fact.document_id, facts),
                    Err(error) => failed = Some(error),
                }
                Ok(())
            })?;
            Ok((revision, position(reader)?))
        })?;
        // What could not be read is asked for again.
        failed.map_or(Ok(()), Err)?;
        (self.revision, self.position) = (revision, position);
        Ok(taken < FACTS_AT_A_TIME)
    }

    /// The cube.
    pub fn cube(&self) -> &Cube {
        &self.cube
    }

    /// The end of the aggregator's log in the snapshot that it followed to.
    pub fn position(&self) -> u64 {
        self.position
    }
}

/// A cube for everybody who asks: built by the first, brought up to date by each.
#[derive(Default)]
pub struct SharedProjection {
    held: Arc<Mutex<Option<Projection>>>,
    building: Building,
}

/// Since when the cube is being built, while it is.
#[derive(Clone, Default)]
struct Building(Arc<std::sync::Mutex<Option<Instant>>>);

impl Building {
    /// Until what is returned is dropped.
    fn begin(&self, since: Instant) -> Underway<'_> {
        self.set(Some(since));
        Underway(self)
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Whether it has taken so long already.
    fn has_taken(&self, long: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() >= long)
    }
}

/// The cube is being built; ends where it is built, fails or falls over.
struct Underway<'a>(&'a Building);

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

impl SharedProjection {
    /// Asks the cube as it is now. Blocks, as long as others ask as well; not from within a task.
    ///
    /// # Errors
    /// The store's; `Facts` where stored facts are of another program version.
    pub fn ask<T>(&self, replica: &Replica, question: impl FnOnce(&Projection) -> T) -> Result<T, Error> {
        let mut held = self.held.blocking_lock();
        loop {
            if let Some(projection) = advance(&mut held, &self.building, replica)? {
                return Ok(question(projection));
            }
        }
    }

    /// The same for somebody who does not wait longer than this for others who ask, and for what has come in since;
    /// `None` then, at once where it has been built for so long already. Whoever comes first builds it all the same.
    ///
    /// # Errors
    /// The store's; `Facts` where stored facts are of another program version.
    pub async fn ask_within<T: Send + 'static>(
        &self,
        patience: Duration,
        replica: &Replica,
        question: impl FnOnce(&Replica, &Projection) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        if self.building.has_taken(patience) {
            return Ok(None);
        }
        let until = Instant::now() + patience;
        let Ok(mut held) = timeout(patience, Arc::clone(&self.held).lock_owned()).await else {
            return Ok(None);
        };
        let (replica, building) = (replica.clone(), self.building.clone());
        blocking(move || {
            loop {
                if let Some(projection) = advance(&mut held, &building, &replica)? {
                    return question(&replica, projection).map(Some);
                }
                if Instant::now() >= until {
                    return Ok(None);
                }
            }
        })
        .await
    }

    /// Builds it, or takes in a part of what has changed; whether it is up to date. Blocks; not from within a task.
    ///
    /// # Errors
    /// The store's; `Facts` where stored facts are of another program version.
    pub fn advance(&self, replica: &Replica) -> Result<bool, Error> {
        let mut held = self.held.blocking_lock();
        Ok(advance(&mut held, &self.building, replica)?.is_some())
    }
}

/// Builds the cube, or takes in a part of what has changed; the cube where it is up to date then.
fn advance<'h>(
    held: &'h mut Option<Projection>,
    building: &Building,
    replica: &Replica,
) -> Result<Option<&'h Projection>, Error> {
    let Some(mut projection) = held.take() else {
        let _underway = building.begin(Instant::now());
        return Ok(Some(held.insert(Projection::build(replica)?)));
    };
    // Should it fall over in the middle of a document, it is gone, and the next one who asks builds another.
    let is_whole = projection.advance(replica);
    let projection = held.insert(projection);
    Ok(is_whole?.then_some(&*projection))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::country::Country;

    #[tokio::test]
    async fn who_comes_when_the_cube_has_long_been_built_does_not_wait_again() {
        let (country, shared) = (Country::new(1), SharedProjection::default());
        let ask = async |patience, for_at_most| {
            let asked = shared.ask_within(patience, &country.centre, |_, projection| {
                Ok(projection.position())
            });
            let answer = timeout(for_at_most, asked).await;
            answer.map(|answer| answer.expect("a store that can be read"))
        };
        let (patience, soon) = (Duration::from_secs(10), Duration::from_secs(5));
        let builder = shared.held.lock().await;
        let underway = shared.building.begin(Instant::now());
        let waits = ask(patience, Duration::from_millis(50)).await;
        assert!(waits.is_err(), "{waits:?}");
        drop(underway);
        let long_ago = Instant::now()
            .checked_sub(patience)
            .expect("the machine runs longer");
        let underway = shared.building.begin(long_ago);
        assert_eq!(ask(patience, soon).await, Ok(None));
        drop((underway, builder));
        assert_eq!(ask(patience, soon).await, Ok(Some(0)));
    }
}
