//! The two calls of a repair: digests of buckets, then changes that either end lacks.

use rollcall_core::id::DocumentId;
use rollcall_sync::limits::DIGEST_BUCKETS;
use rollcall_sync::message::{DigestAnswer, DigestEntry, DigestRequest, Hash, ResolveAnswer, ResolveRequest};

use super::column::{self, Pieces, PositionColumns, count};
use super::documents::{documents_from_wire, documents_to_wire};
use super::packed::{ANSWER_RAW_BYTES_MAX, REQUEST_RAW_BYTES_MAX, pack, unpack};
use super::{Wire, scope_from_wire};
use crate::error::RpcError;
use crate::pb::sync as pb;

/// Positions in an answer: one for each hash of a request.
const PLACED_MAX: usize = REQUEST_RAW_BYTES_MAX / size_of::<Hash>();

impl Wire for DigestRequest {
    type Pb = pb::DigestRequest;

    fn to_wire(&self) -> Result<pb::DigestRequest, RpcError> {
        let scopes = self.scopes.iter().map(|(scope, sums)| {
            limit_buckets(sums.len())?;
            Ok(pb::BucketSums {
                scope: scope.to_string(),
                sums: sums.concat(),
            })
        });
        let sums = pb::ScopeSums {
            scopes: scopes.collect::<Result<_, RpcError>>()?,
        };
        Ok(pb::DigestRequest {
            sums: pack(&sums, "digest request", REQUEST_RAW_BYTES_MAX)?,
            short: self.short,
        })
    }

    fn from_wire(wire: pb::DigestRequest) -> Result<Self, RpcError> {
        let sums: pb::ScopeSums = unpack(wire.sums, "digest request", REQUEST_RAW_BYTES_MAX)?;
        let scopes = sums.scopes.into_iter().map(|bucket| {
            Ok((
                scope_from_wire(&bucket.scope)?,
                column::split(&bucket.sums, "bucket sums", DIGEST_BUCKETS)?,
            ))
        });
        Ok(Self {
            scopes: scopes.collect::<Result<_, RpcError>>()?,
            short: wire.short,
        })
    }
}

fn limit_buckets(buckets: usize) -> Result<(), RpcError> {
    if buckets > DIGEST_BUCKETS {
        return Err(RpcError::TooLarge {
            what: "bucket sums",
            bytes: buckets,
            limit: DIGEST_BUCKETS,
        });
    }
    Ok(())
}

impl Wire for DigestAnswer {
    type Pb = pb::DigestAnswer;

    fn to_wire(&self) -> Result<pb::DigestAnswer, RpcError> {
        let buckets = self.buckets.iter().map(|(scope, numbers)| {
            limit_buckets(numbers.len())?;
            Ok(pb::Buckets {
                scope: scope.to_string(),
                numbers: numbers.clone(),
            })
        });
        let runs = self
            .entries
            .chunk_by(|one, next| one.scope == next.scope)
            .filter_map(|run| {
                run.first().map(|first| pb::Entries {
                    scope: first.scope.to_string(),
                    document_ids: column::ids_to_wire(run.iter().map(|entry| &entry.document_id)),
                    digests: if self.short {
                        Vec::new()
                    } else {
                        run.iter().flat_map(|entry| entry.digest).collect()
                    },
                    digest_heads: if self.short {
                        run.iter().flat_map(|entry| head_of(&entry.digest)).collect()
                    } else {
                        Vec::new()
                    },
                })
            });
        let differences = pb::Differences {
            buckets: buckets.collect::<Result<_, RpcError>>()?,
            entries: runs.collect(),
        };
        let differences = pack(&differences, "digest answer", ANSWER_RAW_BYTES_MAX)?;
        Ok(pb::DigestAnswer {
            position: self.position,
            differences,
        })
    }

    fn from_wire(wire: pb::DigestAnswer) -> Result<Self, RpcError> {
        let differences: pb::Differences = unpack(wire.differences, "digest answer", ANSWER_RAW_BYTES_MAX)?;
        let buckets = differences.buckets.into_iter().map(|bucket| {
            limit_buckets(bucket.numbers.len())?;
            Ok((scope_from_wire(&bucket.scope)?, bucket.numbers))
        });
        let mut entries = Vec::new();
        let mut short = None;
        for run in differences.entries {
            let scope = scope_from_wire(&run.scope)?;
            let ids = column::ids_from_wire(&run.document_ids, usize::MAX)?;
            if ids.is_empty() {
                return Err(RpcError::Malformed {
                    field: "document ids",
                });
            }
            // All of one answer are whole, or all are heads: what is compared must be of one kind.
            let heads_only = run.digests.is_empty();
            if *short.get_or_insert(heads_only) != heads_only {
                return Err(RpcError::Malformed { field: "digests" });
            }
            let digests = if heads_only {
                let heads: Vec<[u8; 8]> = column::split(&run.digest_heads, "digests", usize::MAX)?;
                heads.into_iter().map(whole_of).collect()
            } else {
                column::hashes_from_wire(&run.digests)?
            };
            if digests.len() != ids.len() {
                return Err(RpcError::Malformed { field: "digests" });
            }
            let run = ids.into_iter().zip(digests);
            entries.extend(run.map(|(document_id, digest)| DigestEntry {
                scope: scope.clone(),
                document_id,
                digest,
            }));
        }
        Ok(Self {
            position: wire.position,
            buckets: buckets.collect::<Result<_, RpcError>>()?,
            entries,
            short: short.unwrap_or(false),
        })
    }
}

fn head_of(digest: &Hash) -> [u8; 8] {
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    head
}

fn whole_of(head: [u8; 8]) -> Hash {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&head);
    digest
}

fn hash_lists_to_wire(lists: &[(DocumentId, Vec<Hash>)]) -> pb::HashLists {
    pb::HashLists {
        document_ids: column::ids_to_wire(lists.iter().map(|(id, _)| id)),
        counts: lists.iter().map(|(_, hashes)| count(hashes.len())).collect(),
        hashes: lists
            .iter()
            .flat_map(|(_, hashes)| hashes.as_flattened())
            .copied()
            .collect(),
    }
}

fn hash_lists_from_wire(wire: pb::HashLists) -> Result<Vec<(DocumentId, Vec<Hash>)>, RpcError> {
    let ids = column::ids_from_wire(&wire.document_ids, usize::MAX)?;
    let mut hashes = Pieces::new(column::hashes_from_wire(&wire.hashes)?, "hash counts");
    let lists = column::counts_from_wire(wire.counts, ids.len(), "hash counts")?
        .into_iter()
        .zip(ids)
        .map(|(count, id)| Ok((id, hashes.take(count)?)))
        .collect::<Result<_, RpcError>>()?;
    hashes.finish()?;
    Ok(lists)
}

/// Position and commit time of each change of a document.
type Placed = Vec<(u64, i64)>;

fn placements_to_wire(placed: &[(DocumentId, Placed)]) -> pb::Placements {
    let mut positions = PositionColumns::default();
    placed
        .iter()
        .flat_map(|(_, positions)| positions)
        .for_each(|position| positions.push(*position));
    let positions = positions.finish();
    pb::Placements {
        document_ids: column::ids_to_wire(placed.iter().map(|(id, _)| id)),
        counts: placed
            .iter()
            .map(|(_, positions)| count(positions.len()))
            .collect(),
        position_deltas: positions.positions,
        time_deltas: positions.times,
    }
}

fn placements_from_wire(wire: pb::Placements) -> Result<Vec<(DocumentId, Placed)>, RpcError> {
    let ids = column::ids_from_wire(&wire.document_ids, usize::MAX)?;
    let counts = column::counts_from_wire(wire.counts, ids.len(), "position counts")?;
    let changes = counts
        .iter()
        .fold(0usize, |sum, count| sum.saturating_add(*count));
    if changes > PLACED_MAX {
        return Err(RpcError::TooLarge {
            what: "positions",
            bytes: changes,
            limit: PLACED_MAX,
        });
    }
    let positions = PositionColumns::new(wire.position_deltas, wire.time_deltas).read(changes)?;
    let mut positions = Pieces::new(positions, "positions");
    let placed = ids
        .into_iter()
        .zip(counts)
        .map(|(id, count)| Ok((id, positions.take(count)?)))
        .collect::<Result<_, RpcError>>()?;
    positions.finish()?;
    Ok(placed)
}

impl Wire for ResolveRequest {
    type Pb = pb::ResolveRequest;

    fn to_wire(&self) -> Result<pb::ResolveRequest, RpcError> {
        let held = pack(
            &hash_lists_to_wire(&self.documents),
            "resolve request",
            REQUEST_RAW_BYTES_MAX,
        )?;
        Ok(pb::ResolveRequest { held })
    }

    fn from_wire(wire: pb::ResolveRequest) -> Result<Self, RpcError> {
        let held = unpack(wire.held, "resolve request", REQUEST_RAW_BYTES_MAX)?;
        Ok(Self {
            documents: hash_lists_from_wire(held)?,
        })
    }
}

impl Wire for ResolveAnswer {
    type Pb = pb::ResolveAnswer;

    fn to_wire(&self) -> Result<pb::ResolveAnswer, RpcError> {
        Ok(pb::ResolveAnswer {
            changes: pack(
                &documents_to_wire(&self.changes),
                "resolve answer",
                ANSWER_RAW_BYTES_MAX,
            )?,
            wanted: pack(
                &hash_lists_to_wire(&self.wanted),
                "resolve answer",
                ANSWER_RAW_BYTES_MAX,
            )?,
            placed: pack(
                &placements_to_wire(&self.placed),
                "resolve answer",
                ANSWER_RAW_BYTES_MAX,
            )?,
        })
    }

    fn from_wire(wire: pb::ResolveAnswer) -> Result<Self, RpcError> {
        let changes = unpack(wire.changes, "resolve answer", ANSWER_RAW_BYTES_MAX)?;
        let wanted = unpack(wire.wanted, "resolve answer", ANSWER_RAW_BYTES_MAX)?;
        let placed = unpack(wire.placed, "resolve answer", ANSWER_RAW_BYTES_MAX)?;
        Ok(Self {
            changes: documents_from_wire(changes, usize::MAX)?,
            wanted: hash_lists_from_wire(wanted)?,
            placed: placements_from_wire(placed)?,
        })
    }
}
