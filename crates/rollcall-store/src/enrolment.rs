//! Tokens and enrolled peers at the aggregator (`reliability.md` 2.3). A token is used up in the very transaction that
//! records what it was given for. Making certificates and checking proofs is the caller's.

use rollcall_core::id::{FederationId, StoreId};
use rusqlite::params;

use crate::Hash;
use crate::error::{Error, TokenFault};
use crate::sqlite::{Reader, RowExt, Writer, to_i64};

/// Counter behind [`Reader::enrolments_revision`].
const REVISION: &str = "enrolments_revision";

/// What an enrolment allows: the same in the token and in the peer that used it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jurisdiction {
    /// The scope it writes.
    pub federation: FederationId,
    /// Further scopes it writes, for federations without a node.
    pub also: Vec<FederationId>,
    /// Federations whose scopes, and all below, it reads.
    pub replicas: Vec<FederationId>,
    /// Name of the node.
    pub node_name: String,
}

/// A one-time token; the secret itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// SHA-256 of the secret.
    pub token_hash: Hash,
    /// What it is for.
    pub jurisdiction: Jurisdiction,
    /// Until when.
    pub expires_ms: i64,
    /// When it was used.
    pub used_ms: Option<i64>,
    /// Whether its node may carry files of others.
    pub relay: bool,
}

/// A peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentRow {
    /// Its name in certificates.
    pub peer_id: String,
    /// What it may do.
    pub jurisdiction: Jurisdiction,
    /// Its store.
    pub store_id: StoreId,
    /// Serial number of its certificate.
    pub certificate_serial: String,
    /// The certificate.
    pub certificate_pem: String,
    /// Ed25519 public key that signs its batches.
    pub signing_key: Vec<u8>,
    /// When it was enrolled.
    pub enrolled_ms: i64,
    /// End of its certificate.
    pub not_after_ms: i64,
    /// When it was revoked, and why.
    pub revoked: Option<(i64, String)>,
    /// When it was last heard of; 0 if never.
    pub last_heard_ms: i64,
    /// Program version it said last.
    pub version: String,
    /// The aggregator's position it holds everything up to.
    pub position: u64,
    /// Since when two stores work with its certificate.
    pub fenced_ms: Option<i64>,
}

fn token_row(row: &rusqlite::Row<'_>) -> Result<TokenRow, Error> {
    Ok(TokenRow {
        token_hash: row.hash(0)?,
        jurisdiction: Jurisdiction {
            federation: row.federation(1)?,
            also: row.federations(2)?,
            replicas: row.federations(3)?,
            node_name: row.text(4)?,
        },
        expires_ms: row.i64(5)?,
        used_ms: row.i64_or_none(6)?,
        relay: row.bool(7)?,
    })
}

macro_rules! select_enrolment {
    ($rest:literal) => {
        concat!(
            "SELECT peer_id, federation, also, replicas, node_name, store_id, certificate_serial, certificate_pem, ",
            "signing_key, enrolled_ms, not_after_ms, revoked_ms, revoked_reason, last_heard_ms, version, position, fenced_ms ",
            "FROM enrolment ",
            $rest
        )
    };
}

fn enrolment_row(row: &rusqlite::Row<'_>) -> Result<EnrolmentRow, Error> {
    let reason = row.text(12)?;
    Ok(EnrolmentRow {
        peer_id: row.text(0)?,
        jurisdiction: Jurisdiction {
            federation: row.federation(1)?,
            also: row.federations(2)?,
            replicas: row.federations(3)?,
            node_name: row.text(4)?,
        },
        store_id: row.store_id(5)?,
        certificate_serial: row.text(6)?,
        certificate_pem: row.text(7)?,
        signing_key: row.blob(8)?.to_vec(),
        enrolled_ms: row.i64(9)?,
        not_after_ms: row.i64(10)?,
        revoked: row.i64_or_none(11)?.map(|at_ms| (at_ms, reason)),
        last_heard_ms: row.i64(13)?,
        version: row.text(14)?,
        position: row.u64(15)?,
        fenced_ms: row.i64_or_none(16)?,
    })
}

fn json(federations: &[FederationId]) -> String {
    serde_json::to_string(federations).expect("a list of texts has a JSON form")
}

impl Reader {
    /// Every token, the last to expire first.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, Error> {
        self.all(
            "SELECT token_hash, federation, also, replicas, node_name, expires_ms, used_ms, relay FROM token \
             ORDER BY expires_ms DESC, token_hash",
            [],
            token_row,
        )
    }

    /// The token of this hash, if it may still be used.
    pub fn usable_token(&self, token_hash: &Hash, now_ms: i64) -> Result<TokenRow, Error> {
        let token = self.one(
            "SELECT token_hash, federation, also, replicas, node_name, expires_ms, used_ms, relay FROM token \
             WHERE token_hash = ?1",
            [token_hash],
            token_row,
        )?;
        match token {
            None => Err(Error::Token(TokenFault::Unknown)),
            Some(token) if token.used_ms.is_some() => Err(Error::Token(TokenFault::Used)),
            Some(token) if token.expires_ms <= now_ms => Err(Error::Token(TokenFault::Expired)),
            Some(token) => Ok(token),
        }
    }

    /// Every peer, revoked ones too, by federation and name.
    pub fn enrolments(&self) -> Result<Vec<EnrolmentRow>, Error> {
        self.all(
            select_enrolment!("ORDER BY federation, peer_id"),
            [],
            enrolment_row,
        )
    }

    /// The scopes that peers write, revoked ones left out, each with when its peer was last heard of, 0 if never. A scope
    /// of several peers comes several times.
    pub fn scopes_heard(&self) -> Result<Vec<(FederationId, i64)>, Error> {
        let peers = self.all(
            "SELECT federation, also, last_heard_ms FROM enrolment WHERE revoked_ms IS NULL",
            [],
            |row| Ok((row.federation(0)?, row.federations(1)?, row.i64(2)?)),
        )?;
        let scopes = peers.into_iter().flat_map(|(federation, also, heard_ms)| {
            let writes = std::iter::once(federation).chain(also);
            writes.map(move |scope| (scope, heard_ms))
        });
        Ok(scopes.collect())
    }

    /// Grows whenever a peer is enrolled, changed, fenced or revoked.
    pub fn enrolments_revision(&self) -> Result<u64, Error> {
        Ok(self.counter(REVISION)?.unsigned_abs())
    }

    /// One peer.
    pub fn enrolment(&self, peer_id: &str) -> Result<Option<EnrolmentRow>, Error> {
        self.one(select_enrolment!("WHERE peer_id = ?1"), [peer_id], enrolment_row)
    }

    /// The peer whose present certificate has this serial number.
    pub fn enrolment_by_serial(&self, serial: &str) -> Result<Option<EnrolmentRow>, Error> {
        self.one(
            select_enrolment!("WHERE certificate_serial = ?1"),
            [serial],
            enrolment_row,
        )
    }
}

impl Writer {
    /// Keeps a new token.
    pub fn save_token(&mut self, token: &TokenRow) -> Result<(), Error> {
        let kind = &token.jurisdiction;
        self.run(
            "INSERT INTO token (token_hash, federation, also, replicas, node_name, expires_ms, used_ms, relay) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                token.token_hash,
                kind.federation.as_str(),
                json(&kind.also),
                json(&kind.replicas),
                kind.node_name,
                token.expires_ms,
                token.used_ms,
                token.relay
            ],
        )?;
        Ok(())
    }

    /// Uses up a token and records the peer that it was given for, both or neither.
    pub fn enrol(&mut self, token_hash: &Hash, peer: &EnrolmentRow, now_ms: i64) -> Result<(), Error> {
        self.usable_token(token_hash, now_ms)?;
        self.run(
            "UPDATE token SET used_ms = ?2 WHERE token_hash = ?1",
            (token_hash, now_ms),
        )?;
        if self.enrolment(&peer.peer_id)?.is_some() {
            return Err(Error::Exists("peer"));
        }
        self.save_enrolment(peer)
    }

    /// Records a peer as it now is: after a renewal, or one that needs no token.
    pub fn save_enrolment(&mut self, peer: &EnrolmentRow) -> Result<(), Error> {
        let kind = &peer.jurisdiction;
        let (revoked_ms, reason) = match &peer.revoked {
            Some((at_ms, reason)) => (Some(*at_ms), reason.as_str()),
            None => (None, ""),
        };
        self.run(
            "INSERT OR REPLACE INTO enrolment (peer_id, federation, also, replicas, node_name, store_id, \
             certificate_serial, certificate_pem, signing_key, enrolled_ms, not_after_ms, revoked_ms, \
             revoked_reason, last_heard_ms, version, position, fenced_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
            params![
                peer.peer_id,
                kind.federation.as_str(),
                json(&kind.also),
                json(&kind.replicas),
                kind.node_name,
                peer.store_id.as_bytes(),
                peer.certificate_serial,
                peer.certificate_pem,
                peer.signing_key,
                peer.enrolled_ms,
                peer.not_after_ms,
                revoked_ms,
                reason,
                peer.last_heard_ms,
                peer.version,
                to_i64(peer.position),
                peer.fenced_ms
            ],
        )?;
        self.note_enrolments_changed()
    }

    /// Revokes a peer; the first reason stays.
    pub fn revoke_enrolment(&mut self, peer_id: &str, reason: &str, now_ms: i64) -> Result<(), Error> {
        if self.enrolment(peer_id)?.is_none() {
            return Err(Error::Missing("peer"));
        }
        self.run(
            "UPDATE enrolment SET revoked_ms = ?2, revoked_reason = ?3 WHERE peer_id = ?1 AND revoked_ms IS NULL",
            (peer_id, now_ms, reason),
        )?;
        self.note_enrolments_changed()
    }

    /// Gives a peer another store: the one it had is lost and this one takes its place.
    pub fn replace_store(&mut self, peer_id: &str, store_id: StoreId) -> Result<(), Error> {
        let changed = self.run(
            "UPDATE enrolment SET store_id = ?2 WHERE peer_id = ?1",
            (peer_id, store_id.as_bytes()),
        )?;
        if changed == 0 {
            return Err(Error::Missing("peer"));
        }
        self.note_enrolments_changed()
    }

    /// Lets whoever keeps what was read of the enrolments know that it is old.
    pub(crate) fn note_enrolments_changed(&mut self) -> Result<(), Error> {
        self.set_counter(REVISION, self.counter(REVISION)? + 1);
        Ok(())
    }

    /// Notes that a peer was heard of and up to where it holds the log.
    pub fn save_enrolment_heard(
        &mut self,
        peer_id: &str,
        heard_ms: i64,
        version: &str,
        position: u64,
    ) -> Result<(), Error> {
        let changed = self.run(
            "UPDATE enrolment SET last_heard_ms = max(last_heard_ms, ?2), version = ?3, position = ?4 \
             WHERE peer_id = ?1",
            (peer_id, heard_ms, version, to_i64(position)),
        )?;
        if changed == 0 {
            Err(Error::Missing("peer"))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
