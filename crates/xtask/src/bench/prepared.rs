//! A node that has everything it will send ready before the clock starts: chained, signed batches in memory, no store.
//! It runs the product's own sessions and checks the receipts against what it sent; it never reads what others write.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rollcall_command::clock::random;
use rollcall_core::id::{DocumentId, FederationId, LogEpoch, StoreId};
use rollcall_core::record::OrganisationRecord;
use rollcall_doc::Document;
use rollcall_rpc::{Client, Traffic};
use rollcall_sync::backoff::delay_ms;
use rollcall_sync::fingerprint::{grants_hash, scope_root};
use rollcall_sync::limits::PROTOCOL_VERSION;
use rollcall_sync::message::{Ack, ClientFrame, Cursor, Hash, Hello, Outcome, Receipt, SetSum};
use rollcall_sync::session::client::{ClientEffect, ClientEvent, ClientSession, ReceiptCheck, SessionEnd};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::enrolled::Enrolled;
use super::prepared_log::{Log, Writer};

/// Attempts that a node makes before it gives up.
const ATTEMPTS_MAX: u32 = 12;

/// The node.
pub(crate) struct Prepared {
    enrolled: Enrolled,
    epoch: LogEpoch,
    boot_id: [u8; 16],
    /// What is sent in the session to come, and in those after it.
    now: Log,
    later: VecDeque<Log>,
    acknowledged: Cursor,
    aggregator: Option<(StoreId, LogEpoch)>,
    grants: Vec<(FederationId, bool)>,
    /// How far the aggregator's log is known, and the hash over the scopes there.
    down: (u64, Hash),
    receipt_hash: Hash,
    digests: HashMap<DocumentId, Hash>,
    scopes: BTreeMap<FederationId, BTreeSet<DocumentId>>,
}

/// What a session came to.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// From the first call to the receipt, every attempt and the waits between them included.
    pub(crate) took: Duration,
    /// Of the last attempt, after the handshake.
    pub(crate) round_trips: u32,
    /// Of all attempts.
    pub(crate) traffic: Traffic,
    /// How often it called.
    pub(crate) attempts: u32,
    /// How it ended.
    pub(crate) end: SessionEnd,
}

impl Prepared {
    /// Makes the documents of these records and the batches that carry them; where `edited` is set also those of a session
    /// after that, with another address for each of them.
    pub(crate) fn make(enrolled: Enrolled, records: Vec<OrganisationRecord>, edited: bool) -> Result<Self> {
        let epoch = LogEpoch(random());
        let mut writer = Writer::new(&enrolled, epoch);
        for record in records {
            writer.found(record, edited.then_some("文三路9号"))?;
        }
        let (mut now, later) = writer.finish();
        let grants = enrolled.scopes.iter();
        Ok(Self {
            epoch,
            boot_id: random(),
            digests: std::mem::take(&mut now.digests),
            now,
            later: later.into(),
            acknowledged: Cursor::default(),
            aggregator: None,
            grants: grants.map(|grant| (grant.scope.clone(), grant.write)).collect(),
            down: (0, [0; 32]),
            receipt_hash: [0; 32],
            scopes: BTreeMap::new(),
            enrolled,
        })
    }

    /// Goes on to what the next session sends; whether there is anything.
    pub(crate) fn turn_over(&mut self) -> bool {
        let Some(log) = self.later.pop_front() else {
            return false;
        };
        self.digests.extend(&log.digests);
        self.now = log;
        true
    }

    /// Loads every document of the session to come, once.
    pub(crate) fn load_each(&self) -> Result<()> {
        for document in self.now.batches.values().flat_map(|batch| &batch.documents) {
            let changes = document.changes.iter().map(|change| change.bytes.as_ref());
            Document::load(document.kind, document.document_id, changes).context("load a document")?;
        }
        Ok(())
    }

    /// How many documents it has made.
    pub(crate) fn documents(&self) -> usize {
        self.digests.len()
    }

    /// One session, tried again as a node would where the aggregator is busy or out of reach.
    pub(crate) async fn sync(&mut self) -> Result<Sent> {
        let begun = Instant::now();
        let mut traffic = Traffic::default();
        for attempt in 1..=ATTEMPTS_MAX {
            let (stated_ms, fault) = match Client::connect(&self.enrolled.config).await {
                Ok(client) => {
                    let run = self.run(&client).await;
                    let carried = client.close().await;
                    traffic.bytes_sent += carried.bytes_sent;
                    traffic.bytes_received += carried.bytes_received;
                    let (end, round_trips) = run?;
                    match end {
                        SessionEnd::InSync | SessionEnd::CaughtUp => {
                            return Ok(Sent {
                                took: begun.elapsed(),
                                round_trips,
                                traffic,
                                attempts: attempt,
                                end,
                            });
                        }
                        SessionEnd::Busy { retry_after_ms } => (Some(retry_after_ms), "busy".to_owned()),
                        SessionEnd::LinkLost => (None, "the connection was lost".to_owned()),
                        end => bail!("a session ended as {end:?}"),
                    }
                }
                Err(error) => (None, error.to_string()),
            };
            if attempt == ATTEMPTS_MAX {
                bail!("the aggregator was called {attempt} times: {fault}");
            }
            let wait_ms = delay_ms(attempt, u64::from_be_bytes(random()), stated_ms);
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
        bail!("no attempt was made")
    }

    async fn run(&mut self, client: &Client) -> Result<(SessionEnd, u32)> {
        let (frames, mut answers) = client.exchange();
        let mut session = ClientSession::new(self.hello());
        loop {
            while let Some(effect) = session.poll_effect() {
                if let ClientEffect::Finish(end) = effect {
                    return Ok((end, session.round_trips()));
                }
                if let Some(event) = self.carry_out(effect, &frames).await? {
                    session.handle_event(event);
                }
            }
            session.handle_event(match answers.recv().await {
                Some(Ok(frame)) => ClientEvent::Frame(frame),
                Some(Err(error)) if !error.is_transient() => return Err(error).context("hold a session"),
                Some(Err(_)) | None => ClientEvent::LinkLost,
            });
        }
    }

    async fn carry_out(
        &mut self,
        effect: ClientEffect,
        frames: &mpsc::Sender<ClientFrame>,
    ) -> Result<Option<ClientEvent>> {
        Ok(match effect {
            ClientEffect::Send(frame) => {
                // Where the link takes no more, the reason waits among the answers.
                let _ = frames.send(frame).await;
                None
            }
            ClientEffect::LoadUp(after) => Some(match self.now.batches.get(&after.position) {
                Some(batch) => ClientEvent::UpLoaded(Box::new(batch.clone())),
                None => ClientEvent::UpMismatch,
            }),
            ClientEffect::AdoptPeer(ack) => {
                self.aggregator = Some((ack.store_id, ack.log_epoch));
                if !ack.scopes.is_empty() {
                    let grants = ack.scopes.iter();
                    self.grants = grants.map(|grant| (grant.scope.clone(), grant.write)).collect();
                }
                None
            }
            ClientEffect::StoreAck(ack) => {
                self.take(&ack)?;
                Some(ClientEvent::AckStored)
            }
            ClientEffect::ApplyDown(batch) => {
                ensure!(
                    batch.documents.is_empty(),
                    "the aggregator sends {} documents to a node that keeps none of others",
                    batch.documents.len()
                );
                self.down = (batch.to, batch.end_chain);
                Some(ClientEvent::DownApplied {
                    position: batch.to,
                    set: self.set(),
                })
            }
            ClientEffect::CheckReceipt(receipt) => Some(ClientEvent::ReceiptChecked(self.check(&receipt))),
            ClientEffect::ForgetSent => None,
            ClientEffect::Repair
            | ClientEffect::CompareDoubtful(_)
            | ClientEffect::RotateEpoch
            | ClientEffect::Recount
            | ClientEffect::LoadSet
            | ClientEffect::Prove(_)
            | ClientEffect::Settled(_)
            | ClientEffect::Finish(_) => {
                bail!("the aggregator holds something else than what was sent: {effect:?}")
            }
        })
    }

    fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            session_id: random(),
            store_id: self.enrolled.store_id,
            log_epoch: self.epoch,
            boot_id: self.boot_id,
            origin_end: self.now.end,
            acknowledged: self.acknowledged,
            known_peer: self.aggregator,
            down_position: self.down.0,
            scopes_hash: self.down.1,
            set: self.set(),
            receipt_hash: self.receipt_hash,
            takes_place: false,
            grants_hash: grants_hash(self.grants.iter().map(|(scope, write)| (scope, *write))),
            live: false,
            partial_receipts: false,
            digest_first: false,
            cluster_epoch: 0,
        }
    }

    /// Sum over what it holds, each document once in every scope.
    fn set(&self) -> SetSum {
        let mut set = SetSum::default();
        for id in self.scopes.values().flatten() {
            if let Some(digest) = self.digests.get(id) {
                set.add(digest);
            }
        }
        set
    }

    /// Takes the answer to a batch; it is durable at the aggregator now and needed no more.
    fn take(&mut self, ack: &Ack) -> Result<()> {
        for outcome in &ack.outcomes {
            ensure!(
                matches!(outcome.outcome, Outcome::Applied | Outcome::Duplicate),
                "document {} was not taken: {:?}",
                outcome.document_id,
                outcome.outcome
            );
            for scope in &outcome.scopes {
                self.scopes
                    .entry(scope.clone())
                    .or_default()
                    .insert(outcome.document_id);
            }
        }
        self.acknowledged = ack.cursor;
        self.now.batches.retain(|_, batch| batch.to > ack.cursor.position);
        Ok(())
    }

    /// Checks a receipt as a node does: signature, how far its log is held, every document of every scope.
    fn check(&mut self, receipt: &Receipt) -> ReceiptCheck {
        if self.enrolled.receipt_key.verify_receipt(receipt).is_err()
            || receipt.origin_store != self.enrolled.store_id
        {
            return ReceiptCheck::Bad;
        }
        let equal = receipt.scopes.iter().all(|scope| {
            let held = self.scopes.get(&scope.scope).into_iter().flatten();
            let entries = held.filter_map(|id| Some((id, self.digests.get(id)?)));
            scope_root(entries) == (scope.root, scope.documents)
        });
        if !equal || receipt.origin != self.now.end {
            return ReceiptCheck::Different;
        }
        self.receipt_hash = receipt.hash();
        ReceiptCheck::Equal
    }
}

/// Lets every node run a session, so many at a time; the nodes come back in their order, each with what came of it.
pub(crate) fn sync_all(
    runtime: &Runtime,
    nodes: Vec<Prepared>,
    at_a_time: usize,
) -> Result<Vec<(Prepared, Sent)>> {
    runtime.block_on(async {
        let places = Arc::new(Semaphore::new(at_a_time));
        let mut running = JoinSet::new();
        for (index, mut node) in nodes.into_iter().enumerate() {
            let places = Arc::clone(&places);
            running.spawn(async move {
                let _place = places.acquire().await?;
                let sent = node.sync().await;
                let federation = &node.enrolled.federation;
                let sent = sent.with_context(|| format!("sync the node of {federation}"))?;
                anyhow::Ok((index, node, sent))
            });
        }
        let mut done = Vec::new();
        while let Some(ended) = running.join_next().await {
            done.push(ended.context("run a session")??);
        }
        done.sort_by_key(|(index, ..)| *index);
        Ok(done.into_iter().map(|(_, node, sent)| (node, sent)).collect())
    })
}
