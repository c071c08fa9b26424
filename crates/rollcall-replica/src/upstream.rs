//! What a node knows of the aggregator, and notes of it while a session runs.

use rollcall_store::cursor::{Grant, Upstream};
use rollcall_store::receipt::ReceiptRow;
use rollcall_store::successor::Mark;
use rollcall_sync::fingerprint::grants_hash;
use rollcall_sync::limits::{PENDING_MS_MAX, PROTOCOL_VERSION};
use rollcall_sync::message::{Cursor, Hello, HelloAck, Receipt, SetSum, Verdict};
use rollcall_sync::session::client::SessionEnd;
use rollcall_sync::session::server::CLONED;

use crate::error::Error;
use crate::replica::{PROGRAM, Replica};

impl Replica {
    /// Where this node stands.
    ///
    /// # Errors
    /// The store's.
    pub fn hello(&self, version: &str) -> Result<Hello, Error> {
        let (boot_id, session_id) = (self.boot_id(), self.random());
        self.read(|reader| {
            let identity = reader.identity();
            let upstream = reader.upstream()?;
            let end = reader.origin_end()?;
            let set = reader.granted_sum()?;
            let acknowledged = upstream
                .as_ref()
                .map(|upstream| upstream.acknowledged)
                .unwrap_or_default();
            let down_position = upstream.as_ref().map_or(0, |upstream| upstream.down_position);
            Ok(Hello {
                protocol: PROTOCOL_VERSION,
                version: version.to_owned(),
                session_id,
                store_id: identity.store_id,
                log_epoch: identity.log_epoch,
                boot_id,
                origin_end: Cursor {
                    position: end.position,
                    chain: end.chain,
                },
                acknowledged: Cursor {
                    position: acknowledged.position,
                    chain: acknowledged.chain,
                },
                known_peer: upstream
                    .as_ref()
                    .map(|upstream| (upstream.store_id, upstream.log_epoch)),
                down_position,
                scopes_hash: upstream
                    .as_ref()
                    .map(|upstream| upstream.scopes_hash)
                    .unwrap_or_default(),
                set: SetSum {
                    count: set.count,
                    sum: set.sum,
                },
                receipt_hash: upstream.map(|upstream| upstream.receipt_hash).unwrap_or_default(),
                takes_place: reader.is_marked(Mark::TakesPlace)?,
                grants_hash: {
                    let grants = reader.grants()?;
                    grants_hash(grants.iter().map(|grant| (&grant.scope, grant.write)))
                },
                live: false,
                partial_receipts: true,
                cluster_epoch: reader.cluster_epoch()?,
                digest_first: reader.is_marked(Mark::DigestOwed)?
                    || (down_position == 0 && reader.has_positions()?),
            })
        })
    }

    /// Notes who answered. After a verdict of repair in a session (`compares`) digests are owed; files carry both logs instead.
    pub(crate) fn adopt_peer(&self, ack: &HelloAck, compares: bool, now_ms: i64) -> Result<(), Error> {
        let ack = ack.clone();
        let work = move |writer: &mut rollcall_store::Writer| {
            writer.set_mark(Mark::TakesPlace, false)?;
            writer.set_mark(Mark::Rebuilding, ack.rebuilding)?;
            if compares && matches!(ack.verdict, Verdict::Repair(_)) {
                writer.set_mark(Mark::DigestOwed, true)?;
            }
            writer.expire_pending(now_ms - PENDING_MS_MAX, PROGRAM, now_ms)?;
            let known = writer.upstream()?;
            let same = known
                .as_ref()
                .is_some_and(|known| known.store_id == ack.store_id && known.log_epoch == ack.log_epoch);
            // Another aggregator counts for itself.
            let met = match &known {
                Some(known) if known.store_id == ack.store_id => {
                    writer.cluster_epoch()?.max(ack.cluster_epoch)
                }
                Some(_) | None => ack.cluster_epoch,
            };
            if writer.cluster_epoch()? != met {
                writer.set_cluster_epoch(met)?;
            }
            if let Some(mut known) = known.filter(|known| same && known.down_position > ack.position) {
                // Its log ends before what is known of it: whatever comes next is where the cursor goes.
                (known.down_position, known.scopes_hash) = (0, [0; 32]);
                writer.save_upstream(&known)?;
            }
            if !same {
                // What it holds of this node's log it holds under whatever name, if the chain is this node's.
                let held = rollcall_store::cursor::Cursor {
                    position: ack.cursor.position,
                    chain: ack.cursor.chain,
                };
                let is_own = compares && writer.origin_chain_at(held.position)? == Some(held.chain);
                writer.save_upstream(&Upstream {
                    store_id: ack.store_id,
                    log_epoch: ack.log_epoch,
                    down_position: 0,
                    scopes_hash: [0; 32],
                    acknowledged: if is_own { held } else { Default::default() },
                    receipt_hash: [0; 32],
                    last_heard_ms: now_ms,
                })?;
            }
            if !ack.scopes.is_empty() {
                let grants: Vec<Grant> = ack
                    .scopes
                    .iter()
                    .map(|grant| Grant {
                        scope: grant.scope.clone(),
                        write: grant.write,
                    })
                    .collect();
                if writer.grants()? != grants {
                    writer.save_grants(&grants)?;
                }
            }
            Ok(())
        };
        Ok(self.store().write("adopt peer", work).wait()?)
    }

    /// Notes that digests were compared and everything that differed is here: the cursor moves again.
    pub(crate) fn note_compared(&self) -> Result<(), Error> {
        let work = |writer: &mut rollcall_store::Writer| writer.set_mark(Mark::DigestOwed, false);
        Ok(self.store().write("note compared", work).wait()?)
    }

    /// How far the aggregator's log is held for good.
    pub(crate) fn down_position(&self) -> Result<u64, Error> {
        self.read(|reader| Ok(reader.upstream()?.map_or(0, |upstream| upstream.down_position)))
    }

    /// A receipt that was kept.
    pub(crate) fn receipt(&self, hash: &rollcall_store::Hash) -> Result<Option<Receipt>, Error> {
        let row = self.read(|reader| Ok(reader.receipt(hash)?))?;
        Ok(row.and_then(|row| Receipt::from_bytes(&row.bytes)))
    }

    /// Notes that the aggregator was heard.
    pub(crate) fn note_heard(&self, now_ms: i64) -> Result<(), Error> {
        let work = move |writer: &mut rollcall_store::Writer| {
            let Some(mut upstream) = writer.upstream()? else {
                return Ok(());
            };
            upstream.last_heard_ms = now_ms;
            writer.save_upstream(&upstream)
        };
        Ok(self.store().write("note heard", work).wait()?)
    }

    pub(crate) fn keep_receipt(&self, receipt: &Receipt) -> Result<(), Error> {
        let set = self.set_sum()?;
        let row = ReceiptRow {
            hash: receipt.hash(),
            origin_store: receipt.origin_store,
            position: receipt.position,
            time_ms: receipt.time_ms,
            set: rollcall_store::scope::SetSum {
                count: set.count,
                sum: set.sum,
            },
            bytes: receipt.to_bytes(),
            verified: true,
        };
        let rebuilding = receipt.rebuilding;
        let work = move |writer: &mut rollcall_store::Writer| {
            writer.set_mark(Mark::Rebuilding, rebuilding)?;
            writer.set_mark(Mark::Differs, false)?;
            writer.save_receipt(&row)?;
            if let Some(mut upstream) = writer.upstream()? {
                upstream.receipt_hash = row.hash;
                writer.save_upstream(&upstream)?;
            }
            Ok(())
        };
        Ok(self.store().write("keep receipt", work).wait()?)
    }

    /// Remembers whether the aggregator says that this store was copied.
    pub(crate) fn note_fence(&self, end: &SessionEnd) -> Result<(), Error> {
        let fenced = match end {
            SessionEnd::Refused { code, .. } if code == CLONED => true,
            SessionEnd::InSync | SessionEnd::CaughtUp | SessionEnd::Repaired(_) => false,
            _ => return Ok(()),
        };
        if self.read(|reader| Ok(reader.is_marked(Mark::Fenced)?))? == fenced {
            return Ok(());
        }
        let work = move |writer: &mut rollcall_store::Writer| writer.set_mark(Mark::Fenced, fenced);
        Ok(self.store().write("note fence", work).wait()?)
    }

    /// Begins a new spell of the own log, with what has no position yet.
    pub(crate) fn rotate_epoch(&self) -> Result<(), Error> {
        let epoch = rollcall_core::id::LogEpoch(self.random());
        let work = move |writer: &mut rollcall_store::Writer| writer.rotate_log_epoch(epoch);
        self.store().write("rotate log epoch", work).wait()?;
        Ok(())
    }

    /// Begins a new spell of the own log that holds every own change once more, for a file, which cannot compare.
    pub(crate) fn begin_whole_log(&self) -> Result<(), Error> {
        let epoch = rollcall_core::id::LogEpoch(self.random());
        let work = move |writer: &mut rollcall_store::Writer| writer.begin_whole_log(epoch);
        self.store().write("begin whole log", work).wait()?;
        Ok(())
    }
}
