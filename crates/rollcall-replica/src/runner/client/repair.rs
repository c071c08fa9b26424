//! Repair in a node's session: digests compared, what either end lacks fetched or named (`protocol.md` 4.7).

use std::collections::VecDeque;

use rollcall_core::id::DocumentId;
use rollcall_sync::limits::APART_MAX;
use rollcall_sync::message::{DocumentChanges, ResolveRequest};
use rollcall_sync::session::client::ClientEvent;

use super::Run;
use crate::error::Error;
use crate::runner::blocking;
use crate::runner::link::Link;

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
        let mut requests: VecDeque<ResolveRequest> =
            blocking(move || replica.resolve_requests(&request, &answer))
                .await?
                .into();
        let differing: usize = requests.iter().map(|request| request.documents.len()).sum();
        let mut lacking: Vec<Vec<DocumentChanges>> = Vec::new();
        let mut apart: Vec<DocumentId> = Vec::new();
        let mut resent = false;
        while let Some(request) = requests.pop_front() {
            self.further_round_trips += 1;
            let answer = match self.link.resolve(&request).await {
                Ok(answer) => answer,
                Err(error) => return self.lost(&error),
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
            let (taken, (more, again), refused) = blocking(move || {
                let taken = replica.take_resolved(&held, &answer, now_ms)?;
                let refused = replica.refused_of(&answer.changes)?;
                Ok::<_, Error>((taken, replica.send_wanted(&answer.wanted, now_ms)?, refused))
            })
            .await?;
            self.report.pulled.changes += taken.changes;
            self.report.pulled.documents += taken.documents;
            self.report.pulled.quarantined += taken.quarantined;
            lacking.extend(more);
            resent |= again;
            apart.extend(refused);
        }
        let replica = self.replica.clone();
        blocking(move || {
            if differing > 0 {
                replica.note_repair(differing as u64, now_ms)?;
            }
            replica.note_compared()
        })
        .await?;
        apart.truncate(APART_MAX);
        self.session.handle_event(ClientEvent::Repaired {
            lacking,
            apart,
            resent,
        });
        Ok(())
    }

    fn lost(&mut self, error: &L::Error) -> Result<(), Error> {
        tracing::info!(code = L::code(error), "repair was cut: {error}");
        self.session.handle_event(ClientEvent::LinkLost);
        Ok(())
    }
}
