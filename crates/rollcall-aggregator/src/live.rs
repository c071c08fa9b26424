//! Sessions that are open, and the one place that tells them: what is new in the scopes they hold, and when their
//! certificate or access no longer holds.
//!
//! One look at the store for all sessions together, after a commit of this process and now and then for those of
//! others; a session is woken only by scopes it reads. An idle one costs its entry here and nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_core::id::{FederationId, LogEpoch};
use rollcall_replica::Replica;
use rollcall_replica::grants::{at_or_above, lies_below};
use rollcall_replica::peer::PeerContext;
use rollcall_replica::runner::standing::{Leave, Told};
use rollcall_rpc::{PeerIdentity, Refusal};
use rollcall_sync::session::server::REPLACED;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::enrolment::Enrolled;

/// How often it looks for what other processes have committed.
const LOOK: Duration = Duration::from_millis(250);
/// Time between two looks at a store that is written all the time.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// How often every session's standing is looked up whether or not anything was seen to change: a peer may have been
/// revoked while its session began.
const REVIEW: Duration = Duration::from_secs(30);

/// The open sessions. Clones share them.
#[derive(Clone, Default)]
pub struct Live {
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    last_number: u64,
    sessions: HashMap<u64, Session>,
    /// Sessions by each federation they write or have replicas of.
    by_root: HashMap<FederationId, HashSet<u64>>,
}

struct Session {
    identity: PeerIdentity,
    peer: PeerContext,
    tell: watch::Sender<Told>,
}

impl Session {
    fn roots(&self) -> impl Iterator<Item = &FederationId> {
        let enrolled = &self.peer.access.enrolled;
        enrolled.write.union(&enrolled.replicas)
    }

    fn leave(&self, code: &str, message: impl Into<String>, drain: bool) {
        let leave = Leave {
            code: code.to_owned(),
            message: message.into(),
            drain,
        };
        self.tell.send_modify(|told| told.leave = Some(leave));
    }
}

/// How a peer stands at this moment.
pub struct PeerStanding {
    /// What it may do.
    pub peer: PeerContext,
    /// Two stores work with its certificate.
    pub fenced: bool,
}

/// A session's entry; leaves the list when it is dropped.
pub struct Entry {
    open: Arc<Mutex<Open>>,
    number: u64,
}

impl Entry {
    /// Asks this session to end once what is under way is answered.
    pub fn drain(&self, code: &str, message: &str) {
        if let Some(session) = lock(&self.open).sessions.get(&self.number) {
            session.leave(code, message, true);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        let Some(session) = open.sessions.remove(&self.number) else {
            return;
        };
        for root in session.roots() {
            if let Some(numbers) = open.by_root.get_mut(root) {
                numbers.remove(&self.number);
                if numbers.is_empty() {
                    open.by_root.remove(root);
                }
            }
        }
    }
}

fn lock(open: &Mutex<Open>) -> std::sync::MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// A new session, and what it is told.
    pub fn enter(&self, identity: PeerIdentity, peer: PeerContext) -> (Entry, watch::Receiver<Told>) {
        let (tell, told) = watch::channel(Told::default());
        let session = Session { identity, peer, tell };
        let mut open = lock(&self.open);
        open.last_number += 1;
        let number = open.last_number;
        for root in session.roots() {
            open.by_root.entry(root.clone()).or_default().insert(number);
        }
        open.sessions.insert(number, session);
        let entry = Entry {
            open: Arc::clone(&self.open),
            number,
        };
        (entry, told)
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        lock(&self.open).sessions.len()
    }

    /// Tells whoever reads one of these scopes that the log has grown to a position; how many were told.
    pub fn announce(&self, position: u64, scopes: &[FederationId]) -> usize {
        let open = lock(&self.open);
        let mut told = HashSet::new();
        for scope in scopes {
            let numbers = at_or_above(scope)
                .into_iter()
                .filter_map(|root| open.by_root.get(&root));
            for number in numbers.flatten() {
                let Some(session) = open.sessions.get(number) else {
                    continue;
                };
                if session.peer.access.may_read(scope) && told.insert(*number) {
                    session.tell.send_modify(|told| told.position = position);
                }
            }
        }
        told.len()
    }

    /// Ends every session: what it began with no longer holds.
    pub fn end_all(&self, code: &str, message: &str) {
        for session in lock(&self.open).sessions.values() {
            session.leave(code, message, true);
        }
    }

    /// Ends the sessions of whoever is no longer enrolled as they were when theirs began, and tells those of copied
    /// nodes.
    pub fn review(&self, mut now: impl FnMut(&PeerIdentity) -> Result<PeerStanding, Refusal>) {
        for session in lock(&self.open).sessions.values() {
            match now(&session.identity) {
                Err(refusal) => session.leave(&refusal.code, refusal.message, false),
                Ok(now) if now.fenced => session.tell.send_modify(|told| told.fenced = true),
                Ok(now) if has_other_access(&session.peer, &now.peer) => {
                    let message = "What this node may read or write has changed; it connects again.";
                    session.leave("ACCESS_CHANGED", message, true);
                }
                Ok(_) => {}
            }
        }
    }
}

/// Whether a peer's access differs where it matters to that peer: writers elsewhere come and go.
fn has_other_access(before: &PeerContext, after: &PeerContext) -> bool {
    let (before, after) = (&before.access, &after.access);
    before.enrolled != after.enrolled
        || before.writers.symmetric_difference(&after.writers).any(|writer| {
            before
                .enrolled
                .write
                .iter()
                .any(|above| lies_below(above, writer))
        })
}

/// Follows the store and tells the sessions, until `shutdown`.
pub async fn follow(live: Live, replica: Replica, enrolled: Arc<Enrolled>, shutdown: CancellationToken) {
    let mut commits = replica.store().commits();
    let mut seen = Seen::default();
    let mut reviewed = Instant::now();
    loop {
        if reviewed.elapsed() >= REVIEW {
            (seen.enrolments, reviewed) = (None, Instant::now());
        }
        let (live, replica, enrolled) = (live.clone(), replica.clone(), Arc::clone(&enrolled));
        let looked = tokio::task::spawn_blocking(move || look(&live, &replica, &enrolled, seen)).await;
        match looked {
            Ok(Ok(now)) => seen = now,
            Ok(Err(error)) => tracing::warn!("open sessions could not be told: {error}"),
            Err(error) => tracing::error!("telling open sessions broke off: {error}"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
            Ok(()) = commits.changed() => {}
        }
    }
}

/// How far the store was followed.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    position: u64,
    /// None where standings are to be looked up in any case.
    enrolments: Option<u64>,
    /// Spell of the log, and whether another aggregator has taken the place of this one; none before the first look.
    log: Option<(LogEpoch, bool)>,
}

fn look(
    live: &Live,
    replica: &Replica,
    enrolled: &Enrolled,
    seen: Seen,
) -> Result<Seen, rollcall_store::Error> {
    replica.store().read(|reader| {
        let now = Seen {
            position: reader.position()?,
            enrolments: Some(reader.enrolments_revision()?),
            log: Some((reader.identity().log_epoch, reader.replaced_by()?.is_some())),
        };
        match now.log {
            Some((_, true)) => live.end_all(REPLACED, "Another aggregator has taken the place of this one."),
            log if seen.log.is_some() && seen.log != log => {
                live.end_all(
                    "LOG_ANEW",
                    "The aggregator's log begins a new spell; the node connects again.",
                );
            }
            Some(_) | None => {}
        }
        if now.position != seen.position {
            live.announce(now.position, &reader.scopes_since(seen.position)?);
        }
        if now.enrolments != seen.enrolments {
            let peers = enrolled.all(reader)?;
            live.review(|identity| {
                Ok(PeerStanding {
                    peer: peers.peer(identity)?,
                    fenced: peers.is_fenced(identity),
                })
            });
        }
        Ok(now)
    })
}

#[cfg(test)]
mod tests;
