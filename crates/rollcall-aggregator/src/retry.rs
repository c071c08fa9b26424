//! Trying again what is kept apart, as the peer that sent it: on command, and once for each version of the program.

use anyhow::Context;
use rollcall_command::clock::now_ms;
use rollcall_command::upkeep::refused_replica;
use rollcall_replica::Replica;
use rollcall_replica::quarantine::Retried;
use rollcall_store::quarantine::QuarantineRow;

use crate::enrolment::context_of;

/// Rows tried when the program starts; what is left is tried at the next start.
const ROWS_MAX: usize = 1_000;

/// Tries one row.
///
/// # Errors
/// The store's.
pub fn retry(replica: &Replica, row: &QuarantineRow) -> anyhow::Result<Retried> {
    let peer = replica
        .store()
        .read(|reader| {
            let mut peers = reader.enrolments()?.into_iter();
            match peers.find(|peer| peer.store_id == row.refused.origin_store) {
                Some(peer) => context_of(reader, peer).map(Some),
                None => Ok(None),
            }
        })
        .context("read who sent it")?;
    Ok(replica
        .retry_quarantined(row, peer.as_ref(), now_ms())
        .map_err(|error| refused_replica(&error))?)
}

/// Tries what another version of the program tried last.
///
/// # Errors
/// The store's.
pub fn retry_untried(replica: &Replica) -> anyhow::Result<()> {
    for row in replica
        .quarantine_untried(ROWS_MAX)
        .context("read the quarantine")?
    {
        let retried = retry(replica, &row)?;
        tracing::info!(
            number = row.quarantine_id,
            "tried again by this version: {retried:?}"
        );
    }
    Ok(())
}
