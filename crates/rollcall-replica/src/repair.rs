//! Repair by digest (`protocol.md` 4.7, R3): which documents differ, then which changes each side lacks.
//! The aggregator answers from one snapshot each time; the node drives.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_store::cursor::AcknowledgedChange;
use rollcall_store::{Hash, Reader};
use rollcall_sync::fingerprint::{bucket_of, bucket_sums, buckets_for, placed_digest};
use rollcall_sync::limits::{BATCH_DOCUMENTS_MAX, BATCH_RAW_BYTES_TARGET, DIGEST_BUCKETS};
use rollcall_sync::message::{
    ChangeEntry, DigestAnswer, DigestEntry, DigestRequest, DocumentChanges, ResolveAnswer, ResolveRequest,
};

use crate::error::Error;
use crate::peer::PeerContext;
use crate::replica::Replica;
use crate::send_down::peer_scopes;
use crate::take_down::Taken;

/// An answer with changes closes here, bytes of changes: what is left out is asked for again.
const ANSWER_BYTES_TARGET: usize = 512 * 1024;

impl Replica {
    /// The node's digest of every scope it is granted.
    ///
    /// # Errors
    /// The store's.
    pub fn digest_request(&self) -> Result<DigestRequest, Error> {
        self.read(|reader| {
            let mut scopes = Vec::new();
            for grant in reader.grants()? {
                let entries = placed_entries(reader, &grant.scope)?;
                let buckets = buckets_for(entries.len() as u64);
                scopes.push((grant.scope, sums(&entries, buckets)));
            }
            Ok(DigestRequest { scopes, short: true })
        })
    }

    /// The aggregator's answer: every document of the buckets that differ, in the peer's scopes.
    ///
    /// # Errors
    /// The store's.
    pub fn digest_answer(&self, peer: &PeerContext, request: &DigestRequest) -> Result<DigestAnswer, Error> {
        self.read(|reader| {
            let mut answer = DigestAnswer {
                position: reader.position()?,
                buckets: Vec::new(),
                entries: Vec::new(),
                short: request.short,
            };
            let stated: BTreeMap<&FederationId, &Vec<[u8; 8]>> =
                request.scopes.iter().map(|(scope, sums)| (scope, sums)).collect();
            let mut scopes: BTreeSet<FederationId> = peer_scopes(reader, peer)?.into_iter().collect();
            scopes.extend(
                stated
                    .keys()
                    .filter(|scope| peer.access.may_read(scope))
                    .map(|scope| (*scope).clone()),
            );
            for scope in scopes {
                let entries = placed_entries(reader, &scope)?;
                let theirs = stated.get(&scope).map_or(&[][..], |sums| sums.as_slice());
                let buckets = theirs.len().clamp(1, DIGEST_BUCKETS).next_power_of_two();
                let own = sums(&entries, buckets);
                let differing: Vec<u32> = (0..buckets)
                    .filter(|index| theirs.get(*index) != own.get(*index))
                    .map(|index| index as u32)
                    .collect();
                let wanted: HashSet<usize> = differing.iter().map(|index| *index as usize).collect();
                for (document_id, digest) in entries {
                    if wanted.contains(&bucket_of(document_id, buckets)) {
                        answer.entries.push(DigestEntry {
                            scope: scope.clone(),
                            document_id,
                            digest,
                        });
                    }
                }
                answer.buckets.push((scope, differing));
            }
            Ok(answer)
        })
    }

    /// Documents that differ by the aggregator's answer, with the hashes of all their changes here; in requests that fit.
    ///
    /// # Errors
    /// The store's.
    pub fn resolve_requests(
        &self,
        request: &DigestRequest,
        answer: &DigestAnswer,
    ) -> Result<Vec<ResolveRequest>, Error> {
        self.read(|reader| {
            let theirs: HashSet<(&FederationId, DocumentId)> = answer
                .entries
                .iter()
                .map(|entry| (&entry.scope, entry.document_id))
                .collect();
            let mut held: BTreeMap<FederationId, BTreeMap<DocumentId, Hash>> = BTreeMap::new();
            for (scope, _) in &answer.buckets {
                let entries = placed_entries(reader, scope)?;
                held.insert(scope.clone(), entries.into_iter().collect());
            }
            let mut differing: BTreeSet<DocumentId> = BTreeSet::new();
            for entry in &answer.entries {
                let digest = held
                    .get(&entry.scope)
                    .and_then(|held| held.get(&entry.document_id));
                if !digest.is_some_and(|digest| entry.is_of(digest)) {
                    differing.insert(entry.document_id);
                }
            }
            let counts: BTreeMap<&FederationId, usize> = request
                .scopes
                .iter()
                .map(|(scope, sums)| (scope, sums.len()))
                .collect();
            for (scope, buckets) in &answer.buckets {
                let wanted: HashSet<usize> = buckets.iter().map(|index| *index as usize).collect();
                let count = counts.get(scope).copied().unwrap_or(1);
                for document_id in held.get(scope).into_iter().flat_map(BTreeMap::keys) {
                    if wanted.contains(&bucket_of(*document_id, count))
                        && !theirs.contains(&(scope, *document_id))
                    {
                        differing.insert(*document_id);
                    }
                }
            }
            requests_for(reader, differing)
        })
    }

    /// Asks about these documents by the hashes of all their changes here; in requests that fit.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn requests_for(&self, documents: Vec<DocumentId>) -> Result<Vec<ResolveRequest>, Error> {
        self.read(|reader| requests_for(reader, documents))
    }

    /// The aggregator's answer to hashes: what the node lacks, and what is wanted of it. Documents beyond what fits
    /// are left for a further request. A change that is kept apart is not wanted, but where only the sender can mend it and
    /// may not have heard of it.
    ///
    /// # Errors
    /// The store's.
    pub fn resolve_answer(
        &self,
        peer: &PeerContext,
        request: &ResolveRequest,
    ) -> Result<ResolveAnswer, Error> {
        self.read(|reader| {
            let mut answer = ResolveAnswer {
                changes: Vec::new(),
                wanted: Vec::new(),
                placed: Vec::new(),
            };
            let mut bytes = 0;
            for (id, theirs) in &request.documents {
                if bytes > ANSWER_BYTES_TARGET {
                    break;
                }
                bytes += resolve_one(reader, peer, *id, theirs, &mut answer)?;
            }
            Ok(answer)
        })
    }

    /// Takes what a resolve answer brings: changes, and the positions of those that both ends hold. `held` is the request
    /// that it answers.
    ///
    /// # Errors
    /// The store's; what was taken until then stays.
    pub(crate) fn take_resolved(
        &self,
        held: &[(DocumentId, Vec<Hash>)],
        answer: &ResolveAnswer,
        now_ms: i64,
    ) -> Result<Taken, Error> {
        let taken = self.take_documents(&answer.changes, None, now_ms)?;
        let held: BTreeMap<&DocumentId, &Vec<Hash>> = held.iter().map(|(id, hashes)| (id, hashes)).collect();
        let mut placed = Vec::new();
        for (id, positions) in &answer.placed {
            let hashes = held.get(id).map_or(&[][..], |hashes| hashes.as_slice());
            let stands = hashes
                .iter()
                .zip(positions)
                .filter(|(_, (position, _))| *position > 0);
            placed.extend(
                stands.map(|(hash, (position, committed_at_ms))| AcknowledgedChange {
                    document_id: *id,
                    hash: *hash,
                    position: *position,
                    committed_at_ms: *committed_at_ms,
                }),
            );
        }
        if !placed.is_empty() {
            self.take_positions(placed, now_ms)?;
        }
        Ok(taken)
    }

    /// Splits what the aggregator lacks: this node's own changes go into its own log once more, so that they travel
    /// signed; those of others are given back in batches that fit. Whether anything went into the log.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn send_wanted(
        &self,
        wanted: &[(DocumentId, Vec<Hash>)],
        now_ms: i64,
    ) -> Result<(Vec<Vec<DocumentChanges>>, bool), Error> {
        let own = self.store().identity().store_id;
        let (mut again, mut others) = (Vec::new(), Vec::new());
        self.read(|reader| {
            let acknowledged = reader
                .upstream()?
                .map_or(0, |upstream| upstream.acknowledged.position);
            for (id, hashes) in wanted {
                let mut foreign = Vec::new();
                for hash in hashes {
                    match reader.change(*id, hash)? {
                        // What lies behind the acknowledged part of the log is on its way.
                        Some(change)
                            if change.origin_store == own && change.origin_position > acknowledged => {}
                        Some(change) if change.origin_store == own => again.push((*id, *hash)),
                        Some(_) => foreign.push(*hash),
                        None => {}
                    }
                }
                if !foreign.is_empty() {
                    others.push((*id, foreign));
                }
            }
            Ok(())
        })?;
        let resent = !again.is_empty();
        if resent {
            let work = move |writer: &mut rollcall_store::Writer| writer.append_again(&again, now_ms);
            self.store().write("send again", work).wait()?;
        }
        Ok((self.loose_batches(&others)?, resent))
    }

    /// Changes in batches that fit.
    fn loose_batches(&self, wanted: &[(DocumentId, Vec<Hash>)]) -> Result<Vec<Vec<DocumentChanges>>, Error> {
        self.read(|reader| {
            let (mut batches, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
            for (id, hashes) in wanted {
                let Some((row, changes)) = reader.load(*id)? else {
                    continue;
                };
                let wanted: HashSet<&Hash> = hashes.iter().collect();
                let changes: Vec<ChangeEntry> = changes
                    .into_iter()
                    .filter(|change| wanted.contains(&change.hash))
                    .map(|change| ChangeEntry {
                        position: 0,
                        committed_at_ms: 0,
                        bytes: change.bytes,
                    })
                    .collect();
                let size: usize = changes.iter().map(|change| change.bytes.len()).sum();
                let full = bytes + size > BATCH_RAW_BYTES_TARGET || batch.len() == BATCH_DOCUMENTS_MAX;
                if full && !batch.is_empty() {
                    batches.push(std::mem::take(&mut batch));
                    bytes = 0;
                }
                bytes += size;
                batch.push(DocumentChanges {
                    document_id: *id,
                    kind: row.kind,
                    scopes: Vec::new(),
                    changes,
                });
            }
            if !batch.is_empty() {
                batches.push(batch);
            }
            Ok(batches)
        })
    }
}

fn resolve_one(
    reader: &Reader,
    peer: &PeerContext,
    id: DocumentId,
    theirs: &[Hash],
    answer: &mut ResolveAnswer,
) -> Result<usize, Error> {
    let theirs_set: HashSet<&Hash> = theirs.iter().collect();
    let Some((row, changes)) = reader.load(id)? else {
        let mut wanted = Vec::new();
        for hash in theirs {
            if !reader.has_apart(id, hash, peer.store_id)? {
                wanted.push(*hash);
            }
        }
        answer.wanted.push((id, wanted));
        return Ok(0);
    };
    let own: HashMap<Hash, (u64, i64)> = changes
        .iter()
        .map(|change| (change.hash, (change.position, change.committed_at_ms)))
        .collect();
    let mut wanted = Vec::new();
    for hash in theirs {
        if !own.contains_key(hash) && !reader.has_apart(id, hash, peer.store_id)? {
            wanted.push(*hash);
        }
    }
    if !wanted.is_empty() {
        answer.wanted.push((id, wanted));
    }
    let mut scopes = reader.scopes_of(id)?;
    scopes.retain(|scope| peer.access.may_read(scope));
    if scopes.is_empty() {
        // What it holds may be what brings the document into its scopes.
        return Ok(0);
    }
    let placed = theirs
        .iter()
        .map(|hash| own.get(hash).copied().unwrap_or_default());
    answer.placed.push((id, placed.collect()));
    let lacking: Vec<ChangeEntry> = changes
        .into_iter()
        .filter(|change| !theirs_set.contains(&change.hash))
        .map(|change| ChangeEntry {
            position: change.position,
            committed_at_ms: change.committed_at_ms,
            bytes: change.bytes,
        })
        .collect();
    let size = lacking.iter().map(|change| change.bytes.len()).sum();
    answer.changes.push(DocumentChanges {
        document_id: id,
        kind: row.kind,
        scopes,
        changes: lacking,
    });
    Ok(size)
}

/// The documents of a scope with their placed digests, sorted by id.
fn placed_entries(reader: &Reader, scope: &FederationId) -> Result<Vec<(DocumentId, Hash)>, Error> {
    let placements = reader.scope_placements(scope)?;
    let mut left = placements.as_slice();
    let mut entries = reader.scope_entries(scope)?;
    for (id, digest) in &mut entries {
        // Both lists are sorted by document, and each change belongs to a document of the other.
        let until = left.partition_point(|placement| placement.document_id <= *id);
        let (own, rest) = left.split_at(until);
        left = rest;
        *digest = placed_digest(
            digest,
            own.iter()
                .map(|own| (&own.hash, (own.position, own.committed_at_ms))),
        );
    }
    Ok(entries)
}

fn sums(entries: &[(DocumentId, Hash)], buckets: usize) -> Vec<[u8; 8]> {
    bucket_sums(entries.iter().map(|(id, digest)| (id, digest)), buckets)
}

/// Splits documents so that each request stays well within a message.
fn requests_for(
    reader: &Reader,
    documents: impl IntoIterator<Item = DocumentId>,
) -> Result<Vec<ResolveRequest>, Error> {
    const HASHES_MAX: usize = 8_000;
    let mut requests = Vec::new();
    let (mut part, mut hashes) = (Vec::new(), 0);
    for id in documents {
        let document = (id, reader.change_hashes(id)?);
        let more = document.1.len() + 1;
        if !part.is_empty() && hashes + more > HASHES_MAX {
            requests.push(ResolveRequest {
                documents: std::mem::take(&mut part),
            });
            hashes = 0;
        }
        hashes += more;
        part.push(document);
    }
    if !part.is_empty() {
        requests.push(ResolveRequest { documents: part });
    }
    Ok(requests)
}
