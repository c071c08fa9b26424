//! Repair in a node's session: digests compared, what either end lacks fetched or named (`protocol.md` 4.7).

use std::collections::{BTreeSet, VecDeque};

use rollcall_core::id::DocumentId;
use rollcall_sync::message::{DocumentChanges, ResolveRequest};
use rollcall_sync::session::client::ClientEvent;

use super::Run;
use crate::error::Error;
use crate::runner::blocking;
use crate::runner::link::Link;

/// What resolving documents came to.
#[derive(Default)]
struct Resolved {
    /// Changes of others that are lacking at the aggregator, in batches that fit.
    lacking: Vec<Vec<DocumentChanges>>,
    /// Documents of which the gate here refused what came.
    apart: Vec<DocumentId>,
    /// Own changes that are lacking there stand in the log once more.
    resent: bool,
    /// How many changes came.
    taken: u64,
    /// Documents of which either end lacked something.
    differing: BTreeSet<DocumentId>,
}

impl<L: Link> Run<'_, '_, L> {
    pub(super) async fn repair(&mut self, now_ms: i64) -> Result<(), Error> {
        let replica = self.replica.clone();
        let request = blocking(move || replica.digest_request()).await?;
        self.further_round_trips += 1;
        let answer = match self.link.digest(&request).await {
            Ok(answer) => answer,
            Err(error) => return self.lost(&error),
        };
        let replica = self.replica.clone();
        let requests = blocking(move || replica.resolve_requests(&request, &answer)).await?;
        let differing: usize = requests.iter().map(|request| request.documents.len()).sum();
        let resolved = match self.resolve(requests, now_ms).await? {
            Ok(resolved) => resolved,
            Err(error) => return self.lost(&error),
        };
        let replica = self.replica.clone();
        blocking(move || {
            if differing > 0 {
                replica.note_repair(differing as u64, now_ms)?;
            }
            replica.note_compared()
        })
        .await?;
        self.repaired(resolved);
        Ok(())
    }

    /// Compares documents that the receipt claims nothing about, change by change.
    pub(super) async fn compare_doubtful(
        &mut self,
        documents: Vec<DocumentId>,
        now_ms: i64,
    ) -> Result<(), Error> {
        let replica = self.replica.clone();
        let requests = blocking(move || replica.requests_for(documents)).await?;
        let resolved = match self.resolve(requests, now_ms).await? {
            Ok(resolved) => resolved,
            Err(error) => return self.lost(&error),
        };
        if resolved.lacking.is_empty() && !resolved.resent && resolved.taken == 0 {
            self.session.handle_event(ClientEvent::DoubtfulAgree);
            return Ok(());
        }
        let (replica, differing) = (self.replica.clone(), resolved.differing.len() as u64);
        blocking(move || replica.note_repair(differing, now_ms)).await?;
        self.repaired(resolved);
        Ok(())
    }

    /// Asks by the hashes of changes; takes what is lacking here, and has what is lacking there sent.
    async fn resolve(
        &mut self,
        requests: Vec<ResolveRequest>,
        now_ms: i64,
    ) -> Result<Result<Resolved, L::Error>, Error> {
        let mut requests = VecDeque::from(requests);
        let mut resolved = Resolved::default();
        while let Some(request) = requests.pop_front() {
            self.further_round_trips += 1;
            let answer = match self.link.resolve(&request).await {
                Ok(answer) => answer,
                Err(error) => return Ok(Err(error)),
            };
            let replica = self.replica.clone();
            let held = request.documents.clone();
            // What did not fit into the answer is asked for again, as long as each answer brings something.
            let answered: Vec<_> = answer
                .changes
                .iter()
                .map(|document| document.document_id)
                .chain(answer.wanted.iter().map(|(id, _)| *id))
                .collect();
            let left: Vec<_> = request
                .documents
                .into_iter()
                .filter(|(id, _)| !answered.contains(id))
                .collect();
            if !left.is_empty() && !answered.is_empty() {
                requests.push_front(ResolveRequest { documents: left });
            }
            let come = answer
                .changes
                .iter()
                .filter(|document| !document.changes.is_empty());
            resolved
                .differing
                .extend(come.map(|document| document.document_id));
            let wanted = answer.wanted.iter().filter(|(_, hashes)| !hashes.is_empty());
            resolved.differing.extend(wanted.map(|(id, _)| *id));
            let (taken, (lacking, resent), refused) = blocking(move || {
                let taken = replica.take_resolved(&held, &answer, now_ms)?;
                let refused = replica.refused_of(&answer.changes)?;
                Ok::<_, Error>((taken, replica.send_wanted(&answer.wanted, now_ms)?, refused))
            })
            .await?;
            self.report.pulled.changes += taken.changes;
            self.report.pulled.documents += taken.documents;
            self.report.pulled.quarantined += taken.quarantined;
            resolved.lacking.extend(lacking);
            resolved.resent |= resent;
            resolved.apart.extend(refused);
            resolved.taken += taken.changes;
        }
        Ok(Ok(resolved))
    }

    fn repaired(&mut self, resolved: Resolved) {
        let Resolved {
            lacking,
            apart,
            resent,
            ..
        } = resolved;
        self.session.handle_event(ClientEvent::Repaired {
            lacking,
            apart,
            resent,
        });
    }

    fn lost(&mut self, error: &L::Error) -> Result<(), Error> {
        tracing::info!(code = L::code(error), "repair was cut: {error}");
        self.session.handle_event(ClientEvent::LinkLost);
        Ok(())
    }
}
