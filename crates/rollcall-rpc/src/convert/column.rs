//! Lists in columns: ids side by side, counts, differences from one number to the next, scopes named once.
//! Each reader takes exactly as much as the counts say and refuses what is over.

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_sync::message::Hash;

use super::scope_from_wire;
use crate::error::RpcError;

/// Ids of 16 bytes side by side.
pub(super) fn ids_to_wire<'a>(ids: impl IntoIterator<Item = &'a DocumentId>) -> Vec<u8> {
    ids.into_iter().flat_map(|id| id.0).collect()
}

pub(super) fn ids_from_wire(bytes: &[u8], max: usize) -> Result<Vec<DocumentId>, RpcError> {
    Ok(split(bytes, "document ids", max)?
        .into_iter()
        .map(DocumentId)
        .collect())
}

pub(super) fn hashes_from_wire(bytes: &[u8]) -> Result<Vec<Hash>, RpcError> {
    split(bytes, "hashes", usize::MAX)
}

/// Pieces of `N` bytes, `max` at the most.
pub(super) fn split<const N: usize>(
    bytes: &[u8],
    field: &'static str,
    max: usize,
) -> Result<Vec<[u8; N]>, RpcError> {
    let (pieces, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(RpcError::Malformed { field });
    }
    if pieces.len() > max {
        return Err(RpcError::TooLarge {
            what: field,
            bytes: pieces.len(),
            limit: max,
        });
    }
    Ok(pieces.to_vec())
}

/// A length as it travels. Lists are below the message limit, so it always fits.
pub(super) fn count(length: usize) -> u32 {
    u32::try_from(length).expect("lists are bounded by the message limit of a megabyte")
}

/// A column of one number per document; left out where all are zero.
pub(super) fn counts_from_wire(
    counts: Vec<u32>,
    documents: usize,
    field: &'static str,
) -> Result<Vec<usize>, RpcError> {
    if counts.is_empty() {
        return Ok(vec![0; documents]);
    }
    if counts.len() != documents {
        return Err(RpcError::Malformed { field });
    }
    Ok(counts
        .into_iter()
        .map(|count| usize::try_from(count).unwrap_or(usize::MAX))
        .collect())
}

/// Hands out a column piece by piece.
pub(super) struct Pieces<T> {
    items: std::vec::IntoIter<T>,
    field: &'static str,
}

impl<T> Pieces<T> {
    pub(super) fn new(items: Vec<T>, field: &'static str) -> Self {
        Self {
            items: items.into_iter(),
            field,
        }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<Vec<T>, RpcError> {
        if count > self.items.len() {
            return Err(RpcError::Malformed { field: self.field });
        }
        Ok(self.items.by_ref().take(count).collect())
    }

    /// Nothing may be left over.
    pub(super) fn finish(self) -> Result<(), RpcError> {
        if self.items.len() == 0 {
            Ok(())
        } else {
            Err(RpcError::Malformed { field: self.field })
        }
    }
}

/// Scopes of each document, each scope named once.
#[derive(Default)]
pub(super) struct ScopeColumns {
    pub(super) names: Vec<String>,
    pub(super) counts: Vec<u32>,
    pub(super) indexes: Vec<u32>,
}

impl ScopeColumns {
    pub(super) fn push(&mut self, scopes: &[FederationId]) {
        self.counts.push(count(scopes.len()));
        for scope in scopes {
            // A peer has a hundred scopes at the most and neighbours share them, so looking back is quick.
            let index = self
                .names
                .iter()
                .rposition(|name| name == scope.as_str())
                .unwrap_or_else(|| {
                    self.names.push(scope.as_str().to_owned());
                    self.names.len() - 1
                });
            self.indexes.push(count(index));
        }
    }

    /// Leaves the counts out where no document has a scope.
    pub(super) fn finish(mut self) -> Self {
        if self.indexes.is_empty() {
            self.counts.clear();
        }
        self
    }

    pub(super) fn read(self, documents: usize) -> Result<Vec<Vec<FederationId>>, RpcError> {
        let names = self
            .names
            .iter()
            .map(|name| scope_from_wire(name))
            .collect::<Result<Vec<_>, _>>()?;
        let scopes = self
            .indexes
            .into_iter()
            .map(|index| {
                usize::try_from(index)
                    .ok()
                    .and_then(|index| names.get(index))
                    .cloned()
            })
            .collect::<Option<Vec<_>>>()
            .ok_or(RpcError::Malformed { field: "scopes" })?;
        let mut scopes = Pieces::new(scopes, "scopes");
        let lists = counts_from_wire(self.counts, documents, "scope counts")?
            .into_iter()
            .map(|count| scopes.take(count))
            .collect::<Result<Vec<_>, _>>()?;
        scopes.finish()?;
        Ok(lists)
    }
}

/// Positions with their commit times, each as the difference from the one before.
#[derive(Default)]
pub(super) struct PositionColumns {
    pub(super) positions: Vec<i64>,
    pub(super) times: Vec<i64>,
    last: (u64, i64),
}

impl PositionColumns {
    pub(super) fn new(positions: Vec<i64>, times: Vec<i64>) -> Self {
        Self {
            positions,
            times,
            last: (0, 0),
        }
    }

    pub(super) fn push(&mut self, (position, time): (u64, i64)) {
        self.positions
            .push(position.wrapping_sub(self.last.0).cast_signed());
        self.times.push(time.wrapping_sub(self.last.1));
        self.last = (position, time);
    }

    /// Leaves a column out where all its numbers are zero.
    pub(super) fn finish(mut self) -> Self {
        for column in [&mut self.positions, &mut self.times] {
            if column.iter().all(|delta| *delta == 0) {
                column.clear();
            }
        }
        self
    }

    pub(super) fn read(self, changes: usize) -> Result<Vec<(u64, i64)>, RpcError> {
        let column = |deltas: Vec<i64>| match deltas.len() {
            0 => Ok(vec![0; changes]),
            length if length == changes => Ok(deltas),
            _ => Err(RpcError::Malformed { field: "positions" }),
        };
        let mut last = (0u64, 0i64);
        Ok(column(self.positions)?
            .into_iter()
            .zip(column(self.times)?)
            .map(|(position, time)| {
                last = (
                    last.0.wrapping_add(position.cast_unsigned()),
                    last.1.wrapping_add(time),
                );
                last
            })
            .collect())
    }
}
