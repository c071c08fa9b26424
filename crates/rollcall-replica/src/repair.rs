//! Repair by digest (`protocol.md` 4.7, R3): which documents differ, then which changes each side lacks.
//! The aggregator answers from one snapshot each time; the node drives.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_store::{Hash, Reader};
use rollcall_sync::fingerprint::{bucket_of, bucket_sums, buckets_for};
use rollcall_sync::limits::{BATCH_DOCUMENTS_MAX, BATCH_RAW_BYTES_TARGET, DIGEST_BUCKETS};
use rollcall_sync::message::{
    ChangeEntry, DigestAnswer, DigestEntry, DigestRequest, DocumentChanges, ResolveAnswer, ResolveRequest,
};

use crate::error::Error;
use crate::peer::PeerContext;
use crate::replica::Replica;
use crate::send_down::peer_scopes;

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
                let entries = reader.scope_entries(&grant.scope)?;
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
                let entries = reader.scope_entries(&scope)?;
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
            let mut differing: BTreeSet<DocumentId> = BTreeSet::new();
            for entry in &answer.entries {
                let held = reader.document(entry.document_id)?.map(|row| row.digest);
                if !held.is_some_and(|held| entry.is_of(&held))
                    || !reader.is_in_scope(entry.document_id, &entry.scope)?
                {
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
                for (document_id, _) in reader.scope_entries(scope)? {
                    if wanted.contains(&bucket_of(document_id, count))
                        && !theirs.contains(&(scope, document_id))
                    {
                        differing.insert(document_id);
                    }
                }
            }
            let mut documents = Vec::new();
            for id in differing {
                documents.push((id, reader.change_hashes(id)?));
            }
            Ok(in_requests(documents))
        })
    }

    /// The aggregator's answer to hashes: what the node lacks, and what is wanted of it. Documents beyond what fits
    /// are left for a further request.
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

    /// The node's changes that the aggregator lacks, in batches that fit.
    ///
    /// # Errors
    /// The store's.
    pub fn wanted_changes(
        &self,
        wanted: &[(DocumentId, Vec<Hash>)],
    ) -> Result<Vec<Vec<DocumentChanges>>, Error> {
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
        answer.wanted.push((id, theirs.to_vec()));
        return Ok(0);
    };
    let mut scopes = reader.scopes_of(id)?;
    scopes.retain(|scope| peer.access.may_read(scope));
    if scopes.is_empty() {
        return Ok(0);
    }
    let own: HashSet<Hash> = changes.iter().map(|change| change.hash).collect();
    let wanted: Vec<Hash> = theirs
        .iter()
        .filter(|hash| !own.contains(*hash))
        .copied()
        .collect();
    if !wanted.is_empty() {
        answer.wanted.push((id, wanted));
    }
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

fn sums(entries: &[(DocumentId, Hash)], buckets: usize) -> Vec<[u8; 8]> {
    bucket_sums(entries.iter().map(|(id, digest)| (id, digest)), buckets)
}

/// Splits documents so that each request stays well within a message.
fn in_requests(documents: Vec<(DocumentId, Vec<Hash>)>) -> Vec<ResolveRequest> {
    const HASHES_MAX: usize = 8_000;
    let mut requests = Vec::new();
    let (mut part, mut hashes) = (Vec::new(), 0);
    for document in documents {
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
    requests
}
