//! Nodes that are refused because nobody here knows them, though this aggregator's own authority made their certificate:
//! after a restore, whoever was enrolled after the backup. What they hold is missing from the figures until they are
//! enrolled again, so the audit trail notes them and `recovery show` names them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use rollcall_command::accounts::audit;
use rollcall_rpc::PeerIdentity;
use rollcall_store::{Error, Reader, Store};

/// Code of their refusal.
pub const PEER_UNKNOWN: &str = "PEER_UNKNOWN";
const NOTED: &str = "peer_unknown";
const ENROLLED: &str = "enrolled";
/// Certificates that are remembered as noted; of more than these none is noted until one of them is a day old.
const NOTED_MAX: usize = 1_000;
/// One that calls again and again is noted again after so long, milliseconds: a day.
const NOTE_AGAIN_MS: i64 = 24 * 60 * 60 * 1_000;
/// Entries of the audit trail about enrolments and refusals that are looked through for them, the newest.
const AUDIT_LOOKED_MAX: usize = 10_000;

/// Which of them were noted, and when. In memory: after a start each is noted once more.
#[derive(Debug, Default)]
pub struct UnknownPeers {
    noted: Mutex<HashMap<String, i64>>,
}

impl UnknownPeers {
    /// Notes in the audit trail that a peer was refused; not again within a day.
    pub fn note(&self, store: &Store, identity: &PeerIdentity, now_ms: i64) {
        if !self.is_due(&identity.serial, now_ms) {
            return;
        }
        tracing::warn!(
            peer.id = identity.name,
            "refused: its certificate is of this authority, but it is not on record here"
        );
        if let Err(error) = audit(store, "system", NOTED, &identity.name, now_ms) {
            tracing::warn!("a refused peer could not be noted: {error}");
        }
    }

    fn is_due(&self, serial: &str, now_ms: i64) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.retain(|_, at_ms| now_ms.saturating_sub(*at_ms) < NOTE_AGAIN_MS);
        if noted.contains_key(serial) || noted.len() >= NOTED_MAX {
            return false;
        }
        noted.insert(serial.to_owned(), now_ms);
        true
    }
}

/// A peer that was refused and has not been enrolled again since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPeer {
    /// Its name in its certificate.
    pub name: String,
    /// When it was first noted, Unix milliseconds.
    pub first_ms: i64,
    /// When it was last noted.
    pub last_ms: i64,
}

/// Those that were refused, by name. Once a node of the same federation has been enrolled, only those that are refused
/// after that.
///
/// # Errors
/// The store's.
pub fn unknown_peers(reader: &Reader) -> Result<Vec<UnknownPeer>, Error> {
    let mut enrolled_later: HashSet<String> = HashSet::new();
    let mut unknown: BTreeMap<String, UnknownPeer> = BTreeMap::new();
    for row in reader.audit_of([ENROLLED, NOTED], AUDIT_LOOKED_MAX)? {
        let (at_ms, name) = (row.entry.at_ms, row.entry.detail);
        if row.entry.action == ENROLLED {
            enrolled_later.insert(federation_of(&name).to_owned());
        } else if let Some(known) = unknown.get_mut(&name) {
            known.first_ms = at_ms;
        } else if !enrolled_later.contains(federation_of(&name)) && reader.enrolment(&name)?.is_none() {
            let peer = UnknownPeer {
                name: name.clone(),
                first_ms: at_ms,
                last_ms: at_ms,
            };
            unknown.insert(name, peer);
        }
    }
    Ok(unknown.into_values().collect())
}

/// Names are given at the enrolment: the federation and random digits.
fn federation_of(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(federation, _)| federation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_noted_once_a_day_and_no_more_than_so_many() {
        let peers = UnknownPeers::default();
        assert!(peers.is_due("a", 0) && !peers.is_due("a", 1));
        assert!(peers.is_due("a", NOTE_AGAIN_MS), "a day later");
        for number in 1..NOTED_MAX {
            assert!(peers.is_due(&number.to_string(), NOTE_AGAIN_MS));
        }
        assert!(!peers.is_due("one more", NOTE_AGAIN_MS));
        assert!(peers.is_due("one more", 2 * NOTE_AGAIN_MS));
    }
}
