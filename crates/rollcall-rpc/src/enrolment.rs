//! What a node asks for to be enrolled and what it gets, with their form on the wire.
//! Checks what can be checked without a store: lengths, the proof, and that the answer fits the token.

use std::net::SocketAddr;

use rollcall_core::id::{FederationId, StoreId};
use rollcall_sync::message::ScopeGrant;

use crate::convert::{fixed, scope_from_wire};
use crate::error::RpcError;
use crate::pb::enrol as pb;
use crate::peer_identity::{CertificateFacts, PeerIdentity};
use crate::seal_key::Recipient;
use crate::signing::{SigningKey, VerifyingKey};
use crate::tls::fingerprint;
use crate::token::EnrolmentToken;

/// What a node brings to be enrolled.
#[derive(Debug)]
pub struct Enrolment<'a> {
    /// From the administrator.
    pub token: &'a EnrolmentToken,
    /// From `CertificateRequest`.
    pub csr_der: &'a [u8],
    /// Will sign the node's batches.
    pub signing_key: &'a SigningKey,
    /// The node's store.
    pub store_id: StoreId,
    /// Name the node believes it has.
    pub node_name: Option<&'a str>,
}

impl Enrolment<'_> {
    pub(crate) fn to_wire(&self) -> pb::EnrolRequest {
        pb::EnrolRequest {
            secret: self.token.secret.to_vec(),
            csr: self.csr_der.to_vec(),
            signing_key: self.signing_key.verifying_key().0.to_vec(),
            store_id: self.store_id.as_bytes().to_vec(),
            proof: self
                .signing_key
                .prove_enrolment(&self.token.secret, self.csr_der, self.store_id),
            node_name: self.node_name.unwrap_or_default().to_owned(),
        }
    }
}

/// What the aggregator is asked. The proof has been checked.
#[derive(Debug, Clone)]
pub struct EnrolRequest {
    /// The token's secret; look it up by `token::secret_hash`.
    pub secret: [u8; 16],
    /// PKCS#10, for `Authority::issue_client`.
    pub csr_der: Vec<u8>,
    /// Key that will sign the node's batches.
    pub signing_key: VerifyingKey,
    /// The node's store.
    pub store_id: StoreId,
    /// Ed25519 by `signing_key` over secret, request and store: evidence to keep.
    pub proof: Vec<u8>,
    /// Name the node believes it has.
    pub node_name: Option<String>,
    /// Where the request comes from.
    pub remote: SocketAddr,
    /// The certificate the node has already, if it showed one.
    pub peer: Option<PeerIdentity>,
}

impl EnrolRequest {
    pub(crate) fn from_wire(
        wire: pb::EnrolRequest,
        remote: SocketAddr,
        peer: Option<PeerIdentity>,
    ) -> Result<Self, RpcError> {
        let request = Self {
            secret: fixed(&wire.secret, "token secret")?,
            csr_der: wire.csr,
            signing_key: VerifyingKey(fixed(&wire.signing_key, "signing key")?),
            store_id: StoreId(fixed(&wire.store_id, "store id")?),
            proof: wire.proof,
            node_name: Some(wire.node_name).filter(|name| !name.is_empty()),
            remote,
            peer,
        };
        let Self {
            secret,
            csr_der,
            store_id,
            proof,
            ..
        } = &request;
        request
            .signing_key
            .verify_enrolment(secret, csr_der, *store_id, proof)?;
        Ok(request)
    }
}

/// What an enrolled node gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolAnswer {
    /// Name the aggregator knows the node by.
    pub name: String,
    /// The node's certificate, PEM.
    pub certificate_pem: String,
    /// The authority's root, PEM.
    pub authority_pem: String,
    /// Key that signs the aggregator's receipts.
    pub receipt_key: VerifyingKey,
    /// Whom the node seals its batch files for; none where the aggregator is older than that.
    pub batch_key: Option<Recipient>,
    /// The federation the node belongs to.
    pub federation: FederationId,
    /// Scopes it may write or hold as replicas.
    pub scopes: Vec<ScopeGrant>,
}

impl EnrolAnswer {
    pub(crate) fn into_wire(self) -> pb::EnrolAnswer {
        let grant = |grant: ScopeGrant| pb::Grant {
            scope: grant.scope.to_string(),
            write: grant.write,
        };
        pb::EnrolAnswer {
            name: self.name,
            certificate: self.certificate_pem,
            authority: self.authority_pem,
            receipt_key: self.receipt_key.0.to_vec(),
            batch_key: self.batch_key.map(|key| key.0.to_vec()).unwrap_or_default(),
            federation: self.federation.to_string(),
            scopes: self.scopes.into_iter().map(grant).collect(),
        }
    }

    /// The answer to this enrolment: from the token's authority and for the key of the request.
    pub(crate) fn from_wire(wire: pb::EnrolAnswer, asked: &Enrolment<'_>) -> Result<Self, RpcError> {
        let grant = |grant: pb::Grant| {
            Ok(ScopeGrant {
                scope: scope_from_wire(&grant.scope)?,
                write: grant.write,
            })
        };
        if fingerprint(&wire.authority)? != asked.token.ca_fingerprint {
            return Err(RpcError::CaMismatch);
        }
        if CertificateFacts::read_pem(&wire.certificate)?.public_key
            != crate::authority::request_key(asked.csr_der)?
        {
            return Err(RpcError::Malformed {
                field: "certificate for another key",
            });
        }
        Ok(Self {
            name: wire.name,
            certificate_pem: wire.certificate,
            authority_pem: wire.authority,
            receipt_key: VerifyingKey(fixed(&wire.receipt_key, "receipt key")?),
            batch_key: match wire.batch_key.as_slice() {
                [] => None,
                key => Some(Recipient(fixed(key, "batch key")?)),
            },
            federation: scope_from_wire(&wire.federation)?,
            scopes: wire
                .scopes
                .into_iter()
                .map(grant)
                .collect::<Result<_, RpcError>>()?,
        })
    }
}
