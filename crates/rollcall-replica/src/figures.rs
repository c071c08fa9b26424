//! What every answer carries beside the numbers: knowledge date, completeness, edits not yet sent (`cli.md` Figures).

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::date::Day;
use rollcall_core::figure::{KnownAt, Rebuilding, utc_text};
use rollcall_core::id::FederationId;
use rollcall_stats::Heard;
use rollcall_store::{Reader, Role};

use crate::error::Error;
use crate::replica::Replica;

/// A knowledge date as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Everything held, unsent edits included.
    Now,
    /// Up to a position of the aggregator.
    Position(u64),
    /// Up to a moment, Unix milliseconds.
    Time(i64),
    /// Up to the end of a day, China Standard Time.
    Day(Day),
}

impl Replica {
    /// The position behind a knowledge date; `None` for the present with unsent edits.
    ///
    /// # Errors
    /// The store's.
    pub fn position_of(&self, knowledge: Knowledge) -> Result<Option<u64>, Error> {
        let end_of = |day: Day| (i64::from(day.0) + 1) * 86_400_000 - 8 * 3_600_000 - 1;
        self.read(|reader| {
            Ok(match knowledge {
                Knowledge::Now => None,
                Knowledge::Position(position) => Some(position),
                Knowledge::Time(time_ms) => Some(reader.position_by(time_ms)?),
                Knowledge::Day(day) => Some(reader.position_by(end_of(day))?),
            })
        })
    }

    /// Where the log ends, as far as it is held here.
    ///
    /// # Errors
    /// The store's.
    pub fn position(&self) -> Result<u64, Error> {
        self.read(position)
    }

    /// The knowledge date of an answer: a position, and whether edits that have none are worked in as well.
    ///
    /// # Errors
    /// The store's.
    pub fn known_at(&self, position: u64, with_unsent: bool) -> Result<KnownAt, Error> {
        self.read(|reader| {
            let counts = with_unsent && reader.identity().role == Role::Node;
            Ok(KnownAt {
                position,
                time: reader.time_of(position)?.and_then(utc_text),
                unsent: if counts { reader.changes_unsent()? } else { 0 },
            })
        })
    }

    /// Whether what came after a backup may be missing here.
    ///
    /// # Errors
    /// The store's.
    pub fn rebuilding(&self) -> Result<Option<Rebuilding>, Error> {
        self.read(|reader| {
            Ok(reader.recovery()?.map(|recovery| Rebuilding {
                since: Some(recovery.reaches_ms)
                    .filter(|reaches_ms| *reaches_ms > 0)
                    .and_then(utc_text),
                missing: recovery.missing().count() as u64,
            }))
        })
    }

    /// Who has been heard, when: the input of completeness, asked on the day `today`. At a node what it knows is its own
    /// sync.
    ///
    /// # Errors
    /// The store's.
    pub fn heard(&self, today: Day) -> Result<Heard, Error> {
        self.read(|reader| {
            let mut enrolled: BTreeSet<FederationId> = BTreeSet::new();
            let mut last_heard_ms: BTreeMap<FederationId, i64> = BTreeMap::new();
            match reader.identity().role {
                Role::Aggregator => {
                    for (scope, heard_ms) in reader.scopes_heard()? {
                        if heard_ms > 0 {
                            let heard = last_heard_ms.entry(scope.clone()).or_default();
                            *heard = (*heard).max(heard_ms);
                        }
                        enrolled.insert(scope);
                    }
                }
                Role::Node => {
                    let heard = reader.upstream()?.map(|upstream| upstream.last_heard_ms);
                    for grant in reader.grants()? {
                        if let Some(heard) = heard {
                            last_heard_ms.insert(grant.scope.clone(), heard);
                        }
                        enrolled.insert(grant.scope);
                    }
                }
            }
            Ok(Heard {
                enrolled,
                last_heard_ms,
                today: Some(today),
            })
        })
    }
}

/// Where the log ends in a snapshot.
pub(crate) fn position(reader: &Reader) -> Result<u64, Error> {
    Ok(match reader.identity().role {
        Role::Aggregator => reader.position()?,
        Role::Node => reader.upstream()?.map_or(0, |upstream| upstream.down_position),
    })
}
