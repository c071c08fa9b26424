//! What a node's receipt proves to an aggregator that does not know it: that its own file lacks what it once signed, or that
//! another aggregator has taken its place (`protocol.md` 4.7 R2, L8; `reliability.md` 2.4). Only a receipt with this
//! aggregator's own signature proves anything; a node's word alone changes nothing here.

use rollcall_core::id::LogEpoch;
use rollcall_store::audit::AuditEntry;
use rollcall_sync::keys::Verify;
use rollcall_sync::message::Receipt;
use rollcall_sync::session::server::Proven;

use crate::error::Error;
use crate::replica::Replica;

impl Replica {
    /// Looks at a receipt that a node brought as a proof, and acts on it: a replaced aggregator fences itself, one whose
    /// file was put back begins a new spell of its log and a recovery. Durable on return.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn review_proof(
        &self,
        receipt: &Receipt,
        public_key: &[u8],
        keys: &dyn Verify,
        now_ms: i64,
    ) -> Result<Proven, Error> {
        let identity = self.store().identity();
        if receipt.store_id != identity.store_id || !keys.is_receipt_signed(public_key, receipt) {
            return Ok(Proven::Nothing);
        }
        let (hash, spell) = (receipt.hash(), receipt.log_epoch);
        let (position, cluster_epoch) = (receipt.position, receipt.cluster_epoch);
        let anew = LogEpoch(self.random());
        let work = move |writer: &mut rollcall_store::Writer| {
            let own = writer.cluster_epoch()?;
            let (proven, action) = if cluster_epoch > own {
                writer.note_replaced(cluster_epoch)?;
                (Proven::Replaced, "replaced")
            } else if cluster_epoch == own
                && writer.identity().log_epoch == spell
                && writer.receipt(&hash)?.is_none()
            {
                writer.begin_anew(anew, u64::try_from(now_ms).unwrap_or(0))?;
                (Proven::Rewound, "rewound")
            } else {
                return Ok(Proven::Nothing);
            };
            writer.append_audit(&AuditEntry {
                at_ms: now_ms,
                account: "system".to_owned(),
                action: action.to_owned(),
                detail: format!("by a receipt at {position}, cluster epoch {cluster_epoch}"),
            })?;
            Ok(proven)
        };
        let proven = self.store().write("review proof", work).wait()?;
        match proven {
            Proven::Replaced => {
                tracing::error!(
                    cluster_epoch,
                    "another aggregator has taken the place of this one; it takes nothing more"
                );
            }
            Proven::Rewound => tracing::error!(
                position,
                "a node holds a receipt that this store does not know: its file was put back; rebuilding from the nodes"
            ),
            Proven::Nothing => {}
        }
        Ok(proven)
    }
}
