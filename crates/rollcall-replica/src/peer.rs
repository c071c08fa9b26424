//! What the aggregator knows of a peer, and notes of it while a session runs.

use std::collections::BTreeSet;

use rollcall_core::id::{FederationId, LogEpoch, StoreId};
use rollcall_store::audit::AuditEntry;
use rollcall_store::receipt::ReceiptRow;
use rollcall_store::{Hash, Reader};
use rollcall_sync::fingerprint::{grants_hash, scopes_hash};
use rollcall_sync::limits::PENDING_MS_MAX;
use rollcall_sync::message::{Cursor, Hello, Receipt, ScopeGrant, SetSum};
use rollcall_sync::session::server::PeerState;

use crate::error::Error;
use crate::grants::Access;
use crate::replica::{PROGRAM, Replica};
use crate::send_down::{has_news, peer_scopes};

/// The peer a batch comes from.
#[derive(Clone)]
pub struct PeerContext {
    /// Name in the enrolment.
    pub peer_id: String,
    /// Its store.
    pub store_id: StoreId,
    /// Spell of its log.
    pub log_epoch: LogEpoch,
    /// Its Ed25519 public key.
    pub signing_key: Vec<u8>,
    /// What it may write and read.
    pub access: Access,
    /// Stores that worked with the same signing key before: what their actors wrote, this one may go on with.
    pub former_stores: Vec<StoreId>,
}

impl Replica {
    pub(crate) fn peer_cursor(&self, peer: &PeerContext) -> Result<Cursor, Error> {
        self.read(|reader| {
            let row = reader.peer_cursor(peer.store_id, peer.log_epoch)?;
            Ok(row.map_or(Cursor::default(), |row| Cursor {
                position: row.cursor.position,
                chain: row.cursor.chain,
            }))
        })
    }

    /// What is known of a peer, in one snapshot; notes that it was heard.
    ///
    /// # Errors
    /// The store's.
    pub fn peer_state(&self, peer: &PeerContext, hello: &Hello, now_ms: i64) -> Result<PeerState, Error> {
        let state = self.read(|reader| {
            let identity = reader.identity().clone();
            let scopes = peer_scopes(reader, peer)?;
            let known = hello.known_peer == Some((identity.store_id, identity.log_epoch));
            let position = reader.position()?;
            let down_fits = known
                && hello.down_position <= position
                && scopes_hash_at(reader, &scopes, hello.down_position)? == hello.scopes_hash;
            let set = reader.set_sum(&scopes)?;
            let rebuilding = reader.is_recovering()?;
            let unheard = reader.is_missing(&peer.peer_id)?;
            // One that was given while the aggregator was rebuilt says so, and holds no longer than that; nor does one of a
            // recovery before count in this one.
            let receipt = reader.last_receipt(peer.store_id)?.filter(|receipt| {
                receipt.set == set
                    && !unheard
                    && Receipt::from_bytes(&receipt.bytes).is_some_and(|given| given.rebuilding == rebuilding)
            });
            let enrolment = reader.enrolment(&peer.peer_id)?;
            let row = reader.peer_cursor(peer.store_id, peer.log_epoch)?;
            let grants = grants_of(peer, &scopes);
            Ok(PeerState {
                grants_hash: grants_hash(grants.iter().map(|grant| (&grant.scope, grant.write))),
                store_id: identity.store_id,
                log_epoch: identity.log_epoch,
                cursor: row.map(|row| Cursor {
                    position: row.cursor.position,
                    chain: row.cursor.chain,
                }),
                position,
                down_fits,
                down_waiting: !down_fits || has_news(reader, peer, &scopes, hello.down_position)?,
                grants,
                set: SetSum {
                    count: set.count,
                    sum: set.sum,
                },
                receipt_hash: receipt.map(|receipt| receipt.hash).unwrap_or_default(),
                rebuilding,
                fenced: enrolment.is_some_and(|row| row.fenced_ms.is_some()),
                cluster_epoch: reader.cluster_epoch()?,
                replaced: reader.replaced_by()?.is_some(),
                // Receipts are kept before they are sent, so one that is not here was signed by a store that had gone on.
                receipt_unknown: known
                    && hello.receipt_hash != [0; 32]
                    && reader.receipt(&hello.receipt_hash)?.is_none(),
            })
        })?;
        let (peer, version) = (peer.clone(), hello.version.clone());
        let held = hello.down_position;
        let work = move |writer: &mut rollcall_store::Writer| {
            writer.expire_pending(now_ms - PENDING_MS_MAX, PROGRAM, now_ms)?;
            writer.save_peer_heard(peer.store_id, peer.log_epoch, now_ms, &version, &peer.peer_id)?;
            writer.save_enrolment_heard(&peer.peer_id, now_ms, &version, held)
        };
        // Only a note: nothing waits for it, and a session that ends now has lost nothing.
        drop(self.store().write("note peer", work));
        Ok(state)
    }

    /// Sum over what a peer's scopes hold.
    pub(crate) fn set_sum_of(&self, peer: &PeerContext) -> Result<SetSum, Error> {
        self.read(|reader| {
            let set = reader.set_sum(&peer_scopes(reader, peer)?)?;
            Ok(SetSum {
                count: set.count,
                sum: set.sum,
            })
        })
    }

    /// Keeps a receipt that is given to a peer. `heard` says that it covers everything the peer has, which ends a recovery
    /// once it holds for all of them.
    pub(crate) fn keep_given_receipt(
        &self,
        peer: &PeerContext,
        receipt: &Receipt,
        heard: bool,
    ) -> Result<(), Error> {
        let scopes = self.read(|reader| peer_scopes(reader, peer))?;
        let set = self.read(|reader| Ok(reader.set_sum(&scopes)?))?;
        let row = ReceiptRow {
            hash: receipt.hash(),
            origin_store: receipt.origin_store,
            position: receipt.position,
            time_ms: receipt.time_ms,
            set,
            bytes: receipt.to_bytes(),
            verified: true,
        };
        let (peer_id, now_ms) = (peer.peer_id.clone(), receipt.time_ms);
        let work = move |writer: &mut rollcall_store::Writer| {
            writer.save_receipt(&row)?;
            if heard {
                writer.note_recovered(&peer_id, now_ms)
            } else {
                Ok(false)
            }
        };
        if self.store().write("keep receipt", work).wait()? {
            tracing::warn!("everybody has been heard since the restore: the aggregator is whole again");
        }
        Ok(())
    }

    /// Notes that a peer has followed the log up to a position; whether its store turned out to be copied.
    pub(crate) fn note_alive(&self, peer: &PeerContext, position: u64, now_ms: i64) -> Result<bool, Error> {
        let last = self.read(|reader| Ok(reader.last_turn(peer.store_id)?))?;
        if last.is_some_and(|(epoch, known)| epoch == peer.log_epoch || position <= known) {
            return Ok(false);
        }
        let peer = peer.clone();
        let work = move |writer: &mut rollcall_store::Writer| {
            let copied = writer.note_turn(peer.store_id, peer.log_epoch, position)?;
            if copied {
                tracing::warn!(
                    peer.id = peer.peer_id,
                    "two stores work with one certificate; fenced"
                );
                writer.fence_enrolment(&peer.peer_id, now_ms)?;
                writer.append_audit(&AuditEntry {
                    at_ms: now_ms,
                    account: "system".to_owned(),
                    action: "fenced".to_owned(),
                    detail: peer.peer_id.clone(),
                })?;
            }
            Ok(copied)
        };
        Ok(self.store().write("note turn", work).wait()?)
    }

    /// Gives a peer the store that takes the place of the one it lost.
    pub(crate) fn replace_store(&self, peer_id: &str, store_id: StoreId) -> Result<(), Error> {
        tracing::info!(peer.id = peer_id, store = %store_id, "a new store takes the place of the one that is lost");
        let peer_id = peer_id.to_owned();
        let work = move |writer: &mut rollcall_store::Writer| writer.replace_store(&peer_id, store_id);
        Ok(self.store().write("replace store", work).wait()?)
    }
}

/// What a peer may read or write, of the scopes that exist and those it is to write. Sorted.
pub(crate) fn grants_of(peer: &PeerContext, scopes: &[FederationId]) -> Vec<ScopeGrant> {
    let mut named: BTreeSet<FederationId> = scopes.iter().cloned().collect();
    named.extend(peer.access.enrolled.write.iter().cloned());
    let grant = |scope| ScopeGrant {
        write: peer.access.may_write(&scope),
        scope,
    };
    named.into_iter().map(grant).collect()
}

/// Hash over the peer's scopes that had anything by a position, and their chains there.
pub(crate) fn scopes_hash_at(reader: &Reader, scopes: &[FederationId], position: u64) -> Result<Hash, Error> {
    let mut chains = Vec::new();
    for scope in scopes {
        let chain = reader.scope_chain_at(scope, position)?;
        if chain != [0; 32] {
            chains.push((scope.clone(), chain));
        }
    }
    chains.sort();
    Ok(scopes_hash(chains.iter().map(|(scope, chain)| (scope, chain))))
}
