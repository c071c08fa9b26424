//! A node of the storm: a small store of its own, the product's sessions over mutual TLS, and a list of what it was told is
//! held. The store is open only while a session runs, so that thousands fit into one process.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rollcall_command::clock::{now_ms, random};
use rollcall_core::date::Day;
use rollcall_core::id::{DocumentId, LogEpoch};
use rollcall_core::record::{CountEntry, OrganisationRecord, Record};
use rollcall_core::term::Source;
use rollcall_node::link::ClientLink;
use rollcall_replica::Replica;
use rollcall_replica::runner::client::sync_once;
use rollcall_rpc::{Client, Traffic};
use rollcall_store::cursor::Grant;
use rollcall_store::{CreateOptions, Hash, Role, Store, UNSENT};
use rollcall_sync::session::client::SessionEnd;

use crate::bench::enrolled::Enrolled;

/// Rows of a log read at a time.
const PAGE: usize = 1_000;

/// A node.
pub(super) struct Node {
    enrolled: Enrolled,
    path: PathBuf,
    /// Every change that an ack was stored for, with the position that it named.
    pub(super) promised: Vec<Promise>,
    /// End of what was looked through for promises in the own log.
    looked: u64,
}

/// A change that the aggregator has acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promise {
    pub(super) document_id: DocumentId,
    pub(super) hash: Hash,
    /// The aggregator's.
    pub(super) position: u64,
}

/// What one call came to.
pub(super) struct Attempt {
    pub(super) end: Ended,
    pub(super) traffic: Traffic,
    pub(super) round_trips: u32,
    /// From the call to its end.
    pub(super) took: Duration,
}

/// How a call ended.
pub(super) enum Ended {
    /// Both ends are proven equal.
    Proven,
    /// To be tried again; the wait that was asked for, milliseconds, if any, and why.
    Again(Option<u64>, String),
}

/// What the nodes edit before a storm: the address, which counts nowhere, and last the headcount of a month, which
/// bands of size and membership rates rest on.
pub(super) struct Edits {
    /// Every so many documents.
    pub(super) every: usize,
    /// Addresses that each of them has, one after the other.
    pub(super) moves: &'static [&'static str],
    pub(super) counted_on: Day,
    /// Workers and members more than the register says.
    pub(super) joined: u32,
}

impl Node {
    /// Makes its store and enters its register.
    pub(super) fn make(
        enrolled: Enrolled,
        folder: &Path,
        organisations: Vec<OrganisationRecord>,
    ) -> Result<Self> {
        let node = Self {
            path: folder.join(format!("{}.db", enrolled.federation.as_str().replace('/', "_"))),
            promised: Vec::new(),
            looked: 0,
            enrolled,
        };
        let options = CreateOptions {
            role: Role::Node,
            store_id: node.enrolled.store_id,
            log_epoch: LogEpoch(random()),
            name: node.enrolled.federation.to_string(),
        };
        let store = Store::create(&node.path, &options).context("make a node's store")?;
        let grants: Vec<Grant> = node
            .enrolled
            .scopes
            .iter()
            .map(|grant| Grant {
                scope: grant.scope.clone(),
                write: grant.write,
            })
            .collect();
        store
            .write("save grants", move |writer| writer.save_grants(&grants))
            .wait()
            .context("keep the scopes")?;
        node.enter(&Replica::new(store), organisations)?;
        Ok(node)
    }

    /// Edits every `every`th organisation as often as stated, each time in a transaction of its own.
    pub(super) fn edit(&self, organisations: Vec<OrganisationRecord>, edits: &Edits) -> Result<usize> {
        let replica = Replica::new(Store::open(&self.path).context("open a node's store")?);
        let mut edited = 0;
        let chosen: Vec<OrganisationRecord> = organisations.into_iter().step_by(edits.every).collect();
        for address in edits.moves {
            let records = chosen.iter().cloned().map(|mut organisation| {
                organisation.address = Some((*address).to_owned());
                organisation
            });
            edited += self.enter(&replica, records)?;
        }
        let records = chosen.into_iter().map(|mut organisation| {
            let before =
                |count: fn(&CountEntry) -> Option<u32>| organisation.counts.iter().rev().find_map(count);
            let workers = before(|count| count.workers).unwrap_or_default() + edits.joined;
            let members = before(|count| count.members).map(|members| members + edits.joined);
            organisation.address = None;
            organisation.counts = vec![CountEntry {
                on: edits.counted_on,
                source: Source::SelfReport,
                workers: Some(workers),
                members,
                female_members: None,
                withdrawn: None,
            }];
            organisation
        });
        edited += self.enter(&replica, records)?;
        Ok(edited)
    }

    fn enter(
        &self,
        replica: &Replica,
        organisations: impl IntoIterator<Item = OrganisationRecord>,
    ) -> Result<usize> {
        let author = format!("{}/1", self.enrolled.federation);
        let records = organisations
            .into_iter()
            .map(|organisation| Record::Organisation(Box::new(organisation)));
        replica
            .own_records(records, &author, now_ms())
            .context("enter records at a node")
    }

    /// Calls once, and notes what was acknowledged whichever way it ended.
    pub(super) async fn call(&mut self) -> Result<Attempt> {
        let begun = Instant::now();
        let path = self.path.clone();
        let replica = tokio::task::spawn_blocking(move || Store::open(&path).map(Replica::new))
            .await?
            .context("open a node's store")?;
        let called = self.session(&replica).await;
        let took = begun.elapsed();
        let (position, looked) = (self.looked, replica.clone());
        // The store closes with the last one that holds it, there where that may take its time.
        drop(replica);
        let (promised, looked) = tokio::task::spawn_blocking(move || promised(&looked, position)).await??;
        self.promised.extend(promised);
        self.looked = looked;
        Ok(Attempt { took, ..called? })
    }

    async fn session(&self, replica: &Replica) -> Result<Attempt> {
        let client = match Client::connect(&self.enrolled.config).await {
            Ok(client) => client,
            Err(error) => {
                return Ok(Attempt {
                    end: Ended::Again(None, error.code().to_owned()),
                    traffic: Traffic::default(),
                    round_trips: 0,
                    took: Duration::ZERO,
                });
            }
        };
        let mut link = ClientLink(client);
        let keys = self.enrolled.keys();
        let report = sync_once(replica, &mut link, &keys, env!("CARGO_PKG_VERSION"), now_ms).await;
        let traffic = link.0.close().await;
        let report = report.context("hold a session")?;
        let end = match report.end {
            Some(SessionEnd::InSync | SessionEnd::CaughtUp | SessionEnd::Repaired(_)) => Ended::Proven,
            Some(SessionEnd::Busy { retry_after_ms }) => {
                Ended::Again(Some(retry_after_ms), "BUSY".to_owned())
            }
            Some(SessionEnd::Refused { code, .. } | SessionEnd::GoneAway { code, .. }) => {
                Ended::Again(None, code)
            }
            Some(SessionEnd::LinkLost) | None => Ended::Again(None, "LINK_LOST".to_owned()),
            Some(SessionEnd::Diverged) => Ended::Again(None, "DIVERGED".to_owned()),
            Some(SessionEnd::Restart(reason)) => Ended::Again(None, format!("{reason:?}")),
            Some(SessionEnd::Closed) => Ended::Again(None, "CLOSED".to_owned()),
        };
        Ok(Attempt {
            end,
            traffic,
            round_trips: report.round_trips,
            took: Duration::ZERO,
        })
    }
}

/// What of the own log after a position has been acknowledged, and up to where.
fn promised(replica: &Replica, after: u64) -> Result<(Vec<Promise>, u64)> {
    let (mut promised, mut looked) = (Vec::new(), after);
    replica
        .store()
        .read(|reader| {
            loop {
                let rows = reader.origin_rows(looked, PAGE)?;
                if rows.is_empty() {
                    return Ok(());
                }
                for row in rows {
                    let held = reader.change_position(row.document_id, &row.hash)?;
                    let Some((position, _)) = held.filter(|(position, _)| (1..UNSENT).contains(position))
                    else {
                        return Ok(());
                    };
                    promised.push(Promise {
                        document_id: row.document_id,
                        hash: row.hash,
                        position,
                    });
                    looked = row.cursor.position;
                }
            }
        })
        .context("read what was acknowledged")?;
    Ok((promised, looked))
}

/// What came of one node, over all its calls.
#[derive(Default)]
pub(super) struct Done {
    /// From its first call to its proof, waits between calls included.
    pub(super) took: Duration,
    /// The longest call of these.
    pub(super) longest: Duration,
    pub(super) traffic: Traffic,
    pub(super) round_trips: u32,
    /// Why it had to call again, once for each time.
    pub(super) again: Vec<String>,
    pub(super) proven: bool,
}

impl Done {
    /// Adds a call.
    pub(super) fn add(&mut self, begun: Instant, attempt: &Attempt) {
        self.took = begun.elapsed();
        self.longest = self.longest.max(attempt.took);
        self.traffic.bytes_sent += attempt.traffic.bytes_sent;
        self.traffic.bytes_received += attempt.traffic.bytes_received;
        self.round_trips = attempt.round_trips;
        match &attempt.end {
            Ended::Proven => self.proven = true,
            Ended::Again(_, why) => self.again.push(why.clone()),
        }
    }
}
