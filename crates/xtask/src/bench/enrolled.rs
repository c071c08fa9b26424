//! Nodes that exist for the aggregator alone: each with a certificate, a signing key and a store id of its own, enrolled
//! by the aggregator that runs. Owns enrolling many at once; what they send is `prepared`'s and `storm`'s.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rollcall_command::clock::{now_ms, random};
use rollcall_core::id::{FederationId, StoreId};
use rollcall_replica::runner::link::NodeKeys;
use rollcall_rpc::authority::CertificateRequest;
use rollcall_rpc::signing::Ed25519;
use rollcall_rpc::{Client, ClientConfig, Enrolment, EnrolmentToken, SigningKey, Timeouts, VerifyingKey};
use rollcall_store::Store;
use rollcall_store::enrolment::{Jurisdiction, TokenRow};
use rollcall_sync::message::ScopeGrant;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::loopback::Centre;

/// Enrolments under way at a time; one address may have 64 connections without a certificate.
const ENROLLING: usize = 16;
/// How long the tokens can be used, milliseconds.
const TOKEN_MS: i64 = 86_400_000;

/// A node as the aggregator knows it.
pub(crate) struct Enrolled {
    /// How to reach the aggregator, and as whom.
    pub(crate) config: ClientConfig,
    /// Signs its batches.
    pub(crate) signing_key: Arc<SigningKey>,
    /// Checks the aggregator's receipts.
    pub(crate) receipt_key: VerifyingKey,
    /// Its store.
    pub(crate) store_id: StoreId,
    /// What it writes.
    pub(crate) federation: FederationId,
    /// Every scope it was granted.
    pub(crate) scopes: Vec<ScopeGrant>,
}

impl Enrolled {
    /// Its keys as sessions want them.
    pub(crate) fn keys(&self) -> NodeKeys {
        NodeKeys {
            sign: Arc::clone(&self.signing_key) as _,
            verify: Arc::new(Ed25519),
            receipt_key: self.receipt_key.0.to_vec(),
        }
    }
}

/// Enrols a node of each of these federations, in their order.
pub(crate) fn enrol(
    runtime: &Runtime,
    centre: &Centre,
    federations: &[FederationId],
) -> Result<Vec<Enrolled>> {
    let tokens = tokens(centre, federations)?;
    let url: Arc<str> = format!("https://{}", centre.sync_addr()).into();
    runtime.block_on(async {
        let places = Arc::new(Semaphore::new(ENROLLING));
        let mut enrolling = JoinSet::new();
        for (index, token) in tokens.into_iter().enumerate() {
            let (places, url) = (Arc::clone(&places), Arc::clone(&url));
            enrolling.spawn(async move {
                let _place = places.acquire().await?;
                anyhow::Ok((index, enrol_one(&url, &token).await?))
            });
        }
        let mut enrolled = Vec::with_capacity(federations.len());
        while let Some(one) = enrolling.join_next().await {
            enrolled.push(one.context("run an enrolment")??);
        }
        enrolled.sort_by_key(|(index, _)| *index);
        Ok(enrolled.into_iter().map(|(_, enrolled)| enrolled).collect())
    })
}

async fn enrol_one(url: &str, token: &EnrolmentToken) -> Result<Enrolled> {
    let store_id = StoreId(random());
    let signing_key = SigningKey::generate().context("make a signing key")?;
    let request = CertificateRequest::generate().context("make a TLS key")?;
    let enrolment = Enrolment {
        token,
        csr_der: &request.csr_der,
        signing_key: &signing_key,
        store_id,
        node_name: None,
    };
    let answer = Client::enrol(url, &enrolment, None, Timeouts::default())
        .await
        .context("enrol a node")?;
    Ok(Enrolled {
        config: ClientConfig {
            url: url.to_owned(),
            authority_pem: answer.authority_pem,
            certificate_pem: answer.certificate_pem,
            key_pem: request.key_pem,
            server_name: None,
            timeouts: Timeouts::default(),
        },
        signing_key: Arc::new(signing_key),
        receipt_key: answer.receipt_key,
        store_id,
        federation: answer.federation,
        scopes: answer.scopes,
    })
}

/// A token for each federation, written into the aggregator's store in one go: the command makes one at a time.
fn tokens(centre: &Centre, federations: &[FederationId]) -> Result<Vec<EnrolmentToken>> {
    let first = federations.first().context("name a federation")?;
    let made: EnrolmentToken = centre
        .token(first.as_str(), &[])?
        .parse()
        .context("read a token")?;
    let mut tokens = Vec::with_capacity(federations.len());
    let mut rows = Vec::with_capacity(federations.len());
    for federation in federations {
        let token = EnrolmentToken::generate(made.ca_fingerprint).context("make a token")?;
        rows.push(TokenRow {
            relay: false,
            token_hash: token.secret_hash(),
            jurisdiction: Jurisdiction {
                federation: federation.clone(),
                also: Vec::new(),
                replicas: Vec::new(),
                node_name: String::new(),
            },
            expires_ms: now_ms() + TOKEN_MS,
            used_ms: None,
        });
        tokens.push(token);
    }
    let store = Store::open(&centre.data.join("store.db")).context("open the aggregator's store")?;
    let count = rows.len();
    let saved = store
        .write("save tokens", move |writer| {
            rows.iter().try_for_each(|row| writer.save_token(row))?;
            Ok(rows.len())
        })
        .wait()
        .context("save the tokens")?;
    ensure!(saved == count, "not every token was saved");
    Ok(tokens)
}
