//! Which peer may write what: tokens made and consumed, certificates issued, access looked up for every call.
//! The jurisdiction is what the token said; nothing a node claims widens it (`reliability.md` 2.2, 2.3).

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_command::clock::{now_ms, random};
use rollcall_core::id::{FederationId, LogEpoch, StoreId};
use rollcall_replica::grants::Access;
use rollcall_replica::peer::PeerContext;
use rollcall_rpc::enrolment::{EnrolAnswer, EnrolRequest};
use rollcall_rpc::peer_identity::CertificateFacts;
use rollcall_rpc::{
    Authority, EnrolError, EnrolService, PeerIdentity, Recipient, Refusal, RefusalKind, VerifyingKey,
};
use rollcall_store::enrolment::{EnrolmentRow, Jurisdiction};
use rollcall_store::{Error, Reader, Store, TokenFault, Writer};
use rollcall_sync::message::ScopeGrant;

use crate::unknown_peer::PEER_UNKNOWN;

/// Letters of a node's name that are kept.
const NAME_LETTERS_MAX: usize = 64;
/// Wrong tries from one address before it has to wait.
const TRIES_MAX: u32 = 5;
/// How long it then waits, milliseconds.
const BLOCKED_MS: i64 = 15 * 60 * 1000;

/// Answers enrolments.
pub struct Enrolments {
    store: Store,
    authority: Authority,
    receipt_key: VerifyingKey,
    batch_key: Recipient,
    tries: Mutex<HashMap<IpAddr, (u32, i64)>>,
}

impl Enrolments {
    /// Over this store, with this authority; its nodes learn both keys.
    pub fn new(store: Store, authority: Authority, receipt_key: VerifyingKey, batch_key: Recipient) -> Self {
        Self {
            store,
            authority,
            receipt_key,
            batch_key,
            tries: Mutex::default(),
        }
    }

    fn check_tries(&self, address: IpAddr, now_ms: i64) -> Result<(), EnrolError> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.retain(|_, (_, last_ms)| now_ms - *last_ms < BLOCKED_MS);
        match tries.get(&address) {
            Some((count, last_ms)) if *count >= TRIES_MAX => {
                let wait = u64::try_from(BLOCKED_MS - (now_ms - last_ms)).unwrap_or(0);
                Err(EnrolError::Blocked { retry_after_ms: wait })
            }
            _ => Ok(()),
        }
    }

    fn note_try(&self, address: IpAddr, now_ms: i64) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = tries.entry(address).or_insert((0, now_ms));
        *entry = (entry.0 + 1, now_ms);
    }

    fn enrol_now(&self, request: &EnrolRequest) -> Result<EnrolAnswer, EnrolError> {
        let now_ms = now_ms();
        let address = request.remote.ip();
        self.check_tries(address, now_ms)?;
        let token_hash = rollcall_rpc::token::secret_hash(&request.secret);
        let found = self.store.read(|reader| match reader.replaced_by()? {
            Some(_) => Ok(None),
            None => reader.usable_token(&token_hash, now_ms).map(Some),
        });
        let token = found.map_err(|error| {
            if matches!(error, Error::Token(_)) {
                self.note_try(address, now_ms);
            }
            token_error(error)
        })?;
        // Whoever is enrolled here would write for nobody.
        let token = token.ok_or(EnrolError::Replaced)?;
        let named = &token.jurisdiction.node_name;
        if !named.is_empty() && request.node_name.as_ref().is_some_and(|name| name != named) {
            self.note_try(address, now_ms);
            return Err(EnrolError::TokenName);
        }
        let tail: String = random::<4>().iter().map(|byte| format!("{byte:02x}")).collect();
        let peer_id = format!(
            "{}-{tail}",
            token.jurisdiction.federation.as_str().replace('/', "-")
        );
        let certificate_pem = if token.relay {
            self.authority.issue_relay(&request.csr_der, &peer_id, now_ms)?
        } else {
            self.authority.issue_client(&request.csr_der, &peer_id, now_ms)?
        };
        let facts = CertificateFacts::read_pem(&certificate_pem)?;
        let row = EnrolmentRow {
            peer_id: peer_id.clone(),
            jurisdiction: Jurisdiction {
                node_name: name_of(&token.jurisdiction, request.node_name.as_deref()),
                ..token.jurisdiction.clone()
            },
            store_id: request.store_id,
            certificate_serial: facts.serial,
            certificate_pem: certificate_pem.clone(),
            signing_key: request.signing_key.0.to_vec(),
            enrolled_ms: now_ms,
            not_after_ms: facts.not_after_ms,
            revoked: None,
            last_heard_ms: 0,
            version: String::new(),
            position: 0,
            fenced_ms: None,
        };
        let work = move |writer: &mut Writer| {
            writer.enrol(&token_hash, &row, now_ms)?;
            // One of two copies has an enrolment of its own now.
            for peer in writer.end_fence(&row.signing_key)? {
                writer.append_audit(&rollcall_store::audit::AuditEntry {
                    at_ms: now_ms,
                    account: "system".to_owned(),
                    action: "unfenced".to_owned(),
                    detail: format!("{peer}: its copy is {} now", row.peer_id),
                })?;
            }
            writer.append_audit(&rollcall_store::audit::AuditEntry {
                at_ms: now_ms,
                account: "system".to_owned(),
                action: "enrolled".to_owned(),
                detail: row.peer_id.clone(),
            })?;
            Ok(())
        };
        self.store.write("enrol", work).wait().map_err(token_error)?;
        tracing::info!(peer.id = peer_id, "enrolled");
        let jurisdiction = token.jurisdiction;
        let mut scopes: Vec<ScopeGrant> = std::iter::once(&jurisdiction.federation)
            .chain(&jurisdiction.also)
            .map(|scope| ScopeGrant {
                scope: scope.clone(),
                write: true,
            })
            .collect();
        scopes.extend(
            jurisdiction
                .replicas
                .iter()
                .filter(|replica| {
                    **replica != jurisdiction.federation && !jurisdiction.also.contains(replica)
                })
                .map(|scope| ScopeGrant {
                    scope: scope.clone(),
                    write: false,
                }),
        );
        scopes.sort_by(|one, other| one.scope.cmp(&other.scope));
        Ok(EnrolAnswer {
            name: peer_id,
            certificate_pem,
            authority_pem: self.authority.certificate_pem().to_owned(),
            receipt_key: self.receipt_key,
            batch_key: Some(self.batch_key),
            federation: jurisdiction.federation,
            scopes,
        })
    }
}

/// The shared service, on threads that may block.
pub struct EnrolHandler(pub Arc<Enrolments>);

impl EnrolService for EnrolHandler {
    async fn enrol(&self, request: EnrolRequest) -> Result<EnrolAnswer, EnrolError> {
        let enrolments = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || enrolments.enrol_now(&request))
            .await
            .map_err(|error| EnrolError::Store(Box::new(error)))?
    }
}

/// The node's name for people: the token's, or else what the node calls itself.
fn name_of(jurisdiction: &Jurisdiction, said: Option<&str>) -> String {
    if !jurisdiction.node_name.is_empty() {
        return jurisdiction.node_name.clone();
    }
    let said = said.unwrap_or_default().trim().chars();
    said.filter(|letter| !letter.is_control())
        .take(NAME_LETTERS_MAX)
        .collect()
}

fn token_error(error: Error) -> EnrolError {
    match error {
        Error::Token(TokenFault::Unknown) => EnrolError::TokenUnknown,
        Error::Token(TokenFault::Used) => EnrolError::TokenUsed,
        Error::Token(TokenFault::Expired) => EnrolError::TokenExpired,
        other => EnrolError::Store(Box::new(other)),
    }
}

/// Which peers there are and what each may do. What concerns all of them is one list that they share.
#[derive(Default)]
pub struct Enrolled {
    known: Mutex<Option<(u64, Arc<Known>)>>,
}

/// What is known of all peers together, as of one revision of the enrolments.
struct Known {
    /// Scopes that have a writer of their own.
    writers: Arc<BTreeSet<FederationId>>,
    /// Stores by the signing key that they were enrolled with, revoked ones too.
    stores: HashMap<Vec<u8>, Vec<StoreId>>,
}

impl Known {
    fn read(reader: &Reader) -> Result<Self, Error> {
        let mut writers = BTreeSet::new();
        let mut stores: HashMap<Vec<u8>, Vec<StoreId>> = HashMap::new();
        for peer in reader.enrolments()? {
            stores.entry(peer.signing_key).or_default().push(peer.store_id);
            if peer.revoked.is_none() {
                writers.insert(peer.jurisdiction.federation);
                writers.extend(peer.jurisdiction.also);
            }
        }
        Ok(Self {
            writers: Arc::new(writers),
            stores,
        })
    }

    fn context(&self, row: EnrolmentRow) -> PeerContext {
        let stores = self.stores.get(&row.signing_key).into_iter().flatten();
        PeerContext {
            former_stores: stores.copied().filter(|store| *store != row.store_id).collect(),
            peer_id: row.peer_id,
            store_id: row.store_id,
            log_epoch: LogEpoch::default(),
            signing_key: row.signing_key,
            access: Access {
                enrolled: enrolled(&row.jurisdiction),
                writers: Arc::clone(&self.writers),
            },
        }
    }
}

/// Every peer, as of one snapshot.
pub struct Peers {
    rows: HashMap<String, EnrolmentRow>,
    known: Arc<Known>,
}

impl Peers {
    /// The peer behind a certificate.
    ///
    /// # Errors
    /// A refusal for a certificate that is not on record or has been revoked.
    pub fn peer(&self, identity: &PeerIdentity) -> Result<PeerContext, Refusal> {
        let row = admitted(self.rows.get(&identity.serial).cloned())?;
        Ok(self.known.context(row))
    }

    /// Whether two stores work with this certificate.
    pub fn is_fenced(&self, identity: &PeerIdentity) -> bool {
        let row = self.rows.get(&identity.serial);
        row.is_some_and(|row| row.fenced_ms.is_some())
    }
}

impl Enrolled {
    /// The peer behind a certificate, with what it may do at this moment.
    ///
    /// # Errors
    /// The store's; a refusal for a certificate that is not on record or has been revoked.
    pub fn peer(
        &self,
        reader: &Reader,
        identity: &PeerIdentity,
    ) -> Result<Result<PeerContext, Refusal>, Error> {
        let row = reader.enrolment_by_serial(&identity.serial)?;
        let known = self.known(reader)?;
        Ok(admitted(row).map(|row| known.context(row)))
    }

    /// Every peer at once.
    ///
    /// # Errors
    /// The store's.
    pub fn all(&self, reader: &Reader) -> Result<Peers, Error> {
        let rows = reader.enrolments()?;
        Ok(Peers {
            rows: rows
                .into_iter()
                .map(|row| (row.certificate_serial.clone(), row))
                .collect(),
            known: self.known(reader)?,
        })
    }

    fn known(&self, reader: &Reader) -> Result<Arc<Known>, Error> {
        let revision = reader.enrolments_revision()?;
        let mut cached = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = cached.as_ref().filter(|(of, _)| *of == revision) {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(Known::read(reader)?);
        *cached = Some((revision, Arc::clone(&known)));
        Ok(known)
    }
}

/// What a peer may do at this moment, revoked or not.
///
/// # Errors
/// The store's.
pub fn context_of(reader: &Reader, row: EnrolmentRow) -> Result<PeerContext, Error> {
    Ok(Known::read(reader)?.context(row))
}

/// The row of a peer that may be answered.
fn admitted(row: Option<EnrolmentRow>) -> Result<EnrolmentRow, Refusal> {
    let Some(row) = row else {
        let message = "This certificate is not on record here; enrol the node again.";
        return Err(Refusal::new(RefusalKind::Unauthenticated, PEER_UNKNOWN, message));
    };
    match &row.revoked {
        Some((_, reason)) => Err(Refusal::new(
            RefusalKind::Unauthenticated,
            "KEY_REVOKED",
            format!("This node has been revoked: {reason}."),
        )),
        None => Ok(row),
    }
}

fn enrolled(jurisdiction: &Jurisdiction) -> rollcall_replica::grants::Enrolled {
    rollcall_replica::grants::Enrolled {
        write: std::iter::once(&jurisdiction.federation)
            .chain(&jurisdiction.also)
            .cloned()
            .collect(),
        replicas: jurisdiction.replicas.iter().cloned().collect(),
    }
}
