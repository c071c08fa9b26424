//! What must hold: at every frame, after every step, and once everything has healed (`reliability.md` 3.1).
//! Computed from rows and from what was said, apart from the code that is tested; only `verify` is asked as well.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::date::Day;
use rollcall_core::figure::Dimension;
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_replica::Replica;
use rollcall_replica::projection::Projection;
use rollcall_stats::{FiguresQuery, Heard};
use rollcall_store::fact::FactRow;
use rollcall_store::{Hash, Reader};
use rollcall_sync::fingerprint::change_hash;
use rollcall_sync::message::{Ack, Batch, ClientFrame, Outcome, Receipt, ServerFrame};
use sha2::{Digest, Sha256};

use crate::frame::short;
use crate::office::Changes;
use crate::world::{Failure, World};

/// One document as a store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    digest: Hash,
    /// Position and commit time of each change.
    changes: BTreeMap<Hash, (u64, i64)>,
    scopes: BTreeSet<FederationId>,
    facts: Vec<FactRow>,
}

fn ask<T>(
    replica: &Replica,
    question: impl FnOnce(&Reader) -> Result<T, rollcall_store::Error>,
) -> Result<T, Failure> {
    replica
        .store()
        .read(question)
        .map_err(|error| Failure::store(&error))
}

fn standing(replica: &Replica) -> Result<BTreeMap<DocumentId, Standing>, Failure> {
    ask(replica, |reader| {
        let mut all = BTreeMap::new();
        for row in reader.documents(None, 100_000)? {
            let id = row.document_id;
            let changes = reader.changes(id)?;
            all.insert(
                id,
                Standing {
                    digest: row.digest,
                    changes: changes
                        .iter()
                        .map(|change| (change.hash, (change.position, change.committed_at_ms)))
                        .collect(),
                    scopes: reader.scopes_of(id)?.into_iter().collect(),
                    facts: reader.facts_of(id)?,
                },
            );
        }
        Ok(all)
    })
}

/// Changes that are kept apart, or wait for one that is. What was only damaged on the way must have come again.
fn apart(replica: &Replica) -> Result<Changes, Failure> {
    ask(replica, |reader| {
        let mut apart: Changes = reader
            .quarantine_all(100_000)?
            .into_iter()
            .filter(|row| row.refused.code != "ENVELOPE_DAMAGED")
            .filter_map(|row| Some((row.refused.document_id, row.refused.hash?)))
            .collect();
        for id in reader.documents_pending()? {
            apart.extend(
                reader
                    .pending_changes(id)?
                    .into_iter()
                    .map(|change| (id, change.hash)),
            );
        }
        Ok(apart)
    })
}

/// Whether a change stands that says it writes this one again: of a branch that lost its number, what came after the
/// fork never needs to have been sent itself (`protocol.md` R4).
fn is_written_again(replica: &Replica, id: DocumentId, hash: &Hash) -> bool {
    let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    replica.document(id).is_ok_and(|document| {
        let mut history = document.history().into_iter();
        history.any(|entry| entry.reason.starts_with(&format!("fork rescue {name}")))
    })
}

impl World<'_> {
    /// A node's frame as it leaves: what it says is durable.
    pub(crate) fn check_up(&mut self, process: usize, frame: &ClientFrame) -> Result<(), Failure> {
        let ClientFrame::Applied { position, .. } = frame else {
            return Ok(());
        };
        let Some(replica) = self.offices[process].replica() else {
            return Ok(());
        };
        let held = ask(replica, |reader| {
            Ok(reader.upstream()?.map_or(0, |upstream| upstream.down_position))
        })?;
        if held < *position {
            let detail = format!(
                "{} says {position}, has committed {held}",
                self.offices[process].name
            );
            return Err(Failure::new("nothing is said before it is durable", detail));
        }
        Ok(())
    }

    /// The aggregator's frame as it leaves: what it acknowledges is durable or kept apart, what it sends may be read.
    pub(crate) fn check_down(&mut self, session: usize, frame: &ServerFrame) -> Result<(), Failure> {
        match frame {
            ServerFrame::Ack(ack) => match self.answered(session, ack) {
                Some(batch) => self.check_ack(ack, &batch),
                None => Err(Failure::new(
                    "an ack answers a batch",
                    format!("session {session}"),
                )),
            },
            ServerFrame::Batch(batch) => self.check_readable(self.office_of(session), batch),
            ServerFrame::Receipt(receipt) => self.check_receipt(self.office_of(session), receipt),
            ServerFrame::HelloAck(_)
            | ServerFrame::Busy { .. }
            | ServerFrame::Goaway { .. }
            | ServerFrame::Compared { .. }
            // Below the number of scopes from which a receipt is sent in part.
            | ServerFrame::PartialReceipt(_) => Ok(()),
        }
    }

    fn check_ack(&mut self, ack: &Ack, batch: &Batch) -> Result<(), Failure> {
        let Some(replica) = self.offices[0].replica().cloned() else {
            return Ok(());
        };
        for (document, outcome) in batch.documents.iter().zip(&ack.outcomes) {
            let id = document.document_id;
            for (change, (position, _)) in document.changes.iter().zip(&outcome.positions) {
                let hash = change_hash(&change.bytes);
                let (held, waiting, kept) = ask(&replica, |reader| {
                    let kept = reader.quarantine_of(id)?;
                    Ok((
                        reader.change_position(id, &hash)?.map(|(position, _)| position),
                        reader
                            .pending_changes(id)?
                            .iter()
                            .any(|waiting| waiting.hash == hash),
                        kept.iter().any(|row| row.refused.bytes == change.bytes),
                    ))
                })?;
                let place = || format!("{} {} {:?}", short(id.as_bytes()), short(&hash), outcome.outcome);
                if *position > 0 {
                    if held != Some(*position) {
                        return Err(Failure::new("nothing is said before it is durable", place()));
                    }
                    self.offices[0].promised.insert((id, hash));
                    self.log.count("acknowledged");
                } else if !(waiting || kept || held.is_some()) {
                    return Err(Failure::new("what is not taken is kept apart", place()));
                }
                match outcome.outcome {
                    Outcome::Rejected(_) => self.log.count("rejected"),
                    Outcome::Quarantined(_) => self.log.count("quarantined"),
                    Outcome::Forked if self.may_fork => self.log.count("forked"),
                    Outcome::Forked => {
                        return Err(Failure::new("no actor writes twice under one number", place()));
                    }
                    Outcome::Pending => self.log.count("pending"),
                    Outcome::Applied | Outcome::Duplicate => {}
                }
            }
        }
        Ok(())
    }

    fn check_readable(&self, process: usize, batch: &Batch) -> Result<(), Failure> {
        let Some(replica) = self.offices[0].replica() else {
            return Ok(());
        };
        for document in &batch.documents {
            let scopes = ask(replica, |reader| reader.scopes_of(document.document_id))?;
            if !scopes.iter().any(|scope| self.reads(process, scope)) {
                let detail = format!("{} to {}", document.document_id, self.offices[process].name);
                return Err(Failure::new("nobody is sent what they may not read", detail));
            }
        }
        Ok(())
    }

    /// Roots computed again, where the store is still at the position that the receipt is about.
    fn check_receipt(&mut self, process: usize, receipt: &Receipt) -> Result<(), Failure> {
        let Some(replica) = self.offices[0].replica() else {
            return Ok(());
        };
        if ask(replica, Reader::position)? != receipt.position {
            return Ok(());
        }
        let mut members: BTreeMap<FederationId, Vec<(DocumentId, Hash)>> = BTreeMap::new();
        let mut held = BTreeSet::new();
        for (id, document) in standing(replica)? {
            if receipt.quarantined.contains(&id) {
                continue;
            }
            for scope in document.scopes.iter().filter(|scope| self.reads(process, scope)) {
                held.insert(id);
                members
                    .entry(scope.clone())
                    .or_default()
                    .push((id, document.digest));
            }
        }
        let mut stated = receipt.scopes.iter();
        for (scope, documents) in members {
            let mut hasher = Sha256::new();
            for (id, digest) in &documents {
                hasher.update(id.as_bytes());
                hasher.update(digest);
            }
            let root: Hash = hasher.finalize().into();
            let fits = stated.next().is_some_and(|row| {
                row.scope == scope && row.documents == documents.len() as u64 && row.root == root
            });
            if !fits {
                return Err(Failure::new(
                    "a receipt states what is held",
                    format!("scope {scope}"),
                ));
            }
        }
        if stated.next().is_some() {
            return Err(Failure::new(
                "a receipt states what is held",
                "a scope that is not held",
            ));
        }
        if receipt.documents != held.len() as u64 {
            let detail = format!("{} documents, not {}", held.len(), receipt.documents);
            return Err(Failure::new("a receipt counts each document once", detail));
        }
        self.log.count("receipts recomputed");
        Ok(())
    }

    /// After every step: nothing promised is gone, no position runs backwards.
    pub(crate) fn check_always(&mut self) -> Result<(), Failure> {
        for office in &mut self.offices {
            if let Some((id, hash)) = office.lost().map_err(|error| Failure::store(&error))?.first() {
                let detail = format!("{} lost {} {}", office.name, short(id.as_bytes()), short(hash));
                return Err(Failure::new("nothing promised is lost", detail));
            }
            if office.enrolment.is_none()
                && let Some(replica) = office.replica()
            {
                let position = ask(replica, Reader::position)?;
                if position < office.position_seen {
                    let detail = format!("{} went from {} to {position}", office.name, office.position_seen);
                    return Err(Failure::new("positions only grow", detail));
                }
                office.position_seen = position;
            }
        }
        Ok(())
    }

    /// Every change that any process holds.
    pub(crate) fn wanted(&self) -> Result<Changes, Failure> {
        let mut wanted = Changes::new();
        for office in &self.offices {
            let Some(replica) = office.replica() else { continue };
            for (id, document) in standing(replica)? {
                wanted.extend(document.changes.into_keys().map(|hash| (id, hash)));
            }
        }
        Ok(wanted)
    }

    /// Once healed: stores are sound, nothing held before is gone, every node holds exactly what it may read, with the
    /// same changes, positions, facts and figures.
    pub(crate) fn check_end(&mut self, wanted: &Changes) -> Result<(), Failure> {
        self.check_always()?;
        for office in &self.offices {
            let Some(replica) = office.replica() else { continue };
            let faults = replica.verify().map_err(|error| Failure::store(&error))?;
            if let Some(fault) = faults.first() {
                let detail = format!("{}: {} {}", office.name, fault.place, fault.message);
                return Err(Failure::new("a store agrees with itself", detail));
            }
        }
        let Some(centre) = self.offices[0].replica().cloned() else {
            return Ok(());
        };
        let held = standing(&centre)?;
        let apart = apart(&centre)?;
        let own = DocumentId::derive(DocumentKind::Campaign, "campaign");
        for (id, hash) in wanted.iter().filter(|(id, _)| *id != own || !self.is_restored) {
            let there = held
                .get(id)
                .is_some_and(|document| document.changes.contains_key(hash));
            if !there && !apart.contains(&(*id, *hash)) && !is_written_again(&centre, *id, hash) {
                let detail = format!("{} {}", short(id.as_bytes()), short(hash));
                return Err(Failure::new(
                    "what any process held reaches the aggregator",
                    detail,
                ));
            }
        }
        if ask(&centre, Reader::is_recovering)? {
            return Err(Failure::new(
                "a recovery ends once everybody was heard",
                "it has not",
            ));
        }
        self.check_writers(&centre, &held)?;
        let doubtful: BTreeSet<DocumentId> =
            ask(&centre, Reader::documents_quarantined)?.into_iter().collect();
        for process in 1..self.offices.len() {
            self.check_node(process, &held, &doubtful)?;
        }
        if doubtful.is_empty() {
            self.check_figures(&centre)?;
        }
        let digests: Vec<String> = held
            .iter()
            .map(|(id, document)| format!("{}:{}", short(id.as_bytes()), short(&document.digest)))
            .collect();
        self.log.line(|| digests.join(" "));
        Ok(())
    }

    /// Every change came from a store whose office is at home in the document, or above an office that has no node; and
    /// every home is one that may claim it.
    fn check_writers(&self, centre: &Replica, held: &BTreeMap<DocumentId, Standing>) -> Result<(), Failure> {
        for id in held.keys() {
            let (homes, changes) = ask(centre, |reader| Ok((reader.homes_of(*id)?, reader.changes(*id)?)))?;
            let foreign = self.country.subject_of(*id).and_then(|subject| {
                let offices = self.country.enrolments.iter().enumerate();
                offices
                    .filter(|(office, _)| !self.country.may_claim(*office, subject))
                    .find(|(_, enrolment)| homes.contains(&enrolment.federation))
            });
            if let (Some((_, enrolment)), false) = (foreign, self.is_poisoned) {
                let detail = format!("{id} is at home in {}", enrolment.federation);
                return Err(Failure::new("only offices of the area claim an employer", detail));
            }
            for change in changes {
                let by = self.offices[1..]
                    .iter()
                    .find(|office| office.store_id == change.origin_store);
                let Some(enrolment) = by.and_then(|office| office.enrolment) else {
                    continue;
                };
                let access = self.country.access(enrolment);
                if !homes.iter().any(|home| access.may_write(home)) {
                    let detail = format!("{id} by {}", self.country.enrolments[enrolment].federation);
                    return Err(Failure::new("only homes write a document", detail));
                }
            }
        }
        Ok(())
    }

    fn check_node(
        &self,
        process: usize,
        centre: &BTreeMap<DocumentId, Standing>,
        doubtful: &BTreeSet<DocumentId>,
    ) -> Result<(), Failure> {
        let office = &self.offices[process];
        let Some(replica) = office.replica() else {
            return Ok(());
        };
        let mut own = standing(replica)?;
        let apart = apart(replica)?;
        for (id, document) in centre {
            let scopes: BTreeSet<_> = document
                .scopes
                .iter()
                .filter(|scope| self.reads(process, scope))
                .cloned()
                .collect();
            let mine = own.remove(id);
            if scopes.is_empty() {
                continue;
            }
            let place = |what: &str| format!("{} of {}: {what}", short(id.as_bytes()), office.name);
            if doubtful.contains(id) {
                // What is kept apart may be held here; what stands there must be.
                let lacking = document.changes.keys().find(|hash| {
                    let stands = mine.as_ref().is_some_and(|mine| mine.changes.contains_key(*hash));
                    !stands && !apart.contains(&(*id, **hash))
                });
                if let Some(hash) = lacking {
                    return Err(Failure::new(
                        "every node holds what it may read",
                        place(&format!("{} is missing", short(hash))),
                    ));
                }
                continue;
            }
            let Some(mine) = mine else {
                return Err(Failure::new(
                    "every node holds what it may read",
                    place("missing"),
                ));
            };
            if mine.digest != document.digest || !mine.changes.keys().eq(document.changes.keys()) {
                return Err(Failure::new(
                    "both ends hold the same changes",
                    place("heads differ"),
                ));
            }
            if mine.changes != document.changes {
                let odd = mine
                    .changes
                    .iter()
                    .find(|(hash, at)| document.changes.get(*hash) != Some(at));
                let detail = odd.map_or_else(String::new, |(hash, at)| {
                    format!("{} at {} for {}", short(hash), at.0, document.changes[hash].0)
                });
                return Err(Failure::new("both ends know the same positions", place(&detail)));
            }
            // A document also names homes that this node does not hold.
            let granted: BTreeSet<_> = mine
                .scopes
                .iter()
                .filter(|scope| self.reads(process, scope))
                .cloned()
                .collect();
            if granted != scopes {
                let detail = format!("{granted:?} for {scopes:?}");
                return Err(Failure::new("both ends know the same scopes", place(&detail)));
            }
            if mine.facts != document.facts {
                let at = |facts: &[FactRow]| facts.iter().map(|(position, _)| *position).collect::<Vec<_>>();
                let detail = format!("{:?} for {:?}", at(&mine.facts), at(&document.facts));
                return Err(Failure::new("both ends read the same facts", place(&detail)));
            }
        }
        for (id, document) in centre.iter().filter(|(id, _)| !doubtful.contains(id)) {
            let mine = ask(replica, |reader| reader.scopes_of(*id))?;
            let more = mine
                .iter()
                .find(|scope| self.reads(process, scope) && !document.scopes.contains(*scope));
            if let Some(scope) = more {
                let detail = format!("{} of {} in {scope}", short(id.as_bytes()), office.name);
                return Err(Failure::new("every node holds only what it may read", detail));
            }
        }
        let campaign = DocumentId::derive(DocumentKind::Campaign, "campaign");
        if self.is_restored {
            own.remove(&campaign);
        }
        match own.keys().find(|id| !doubtful.contains(id)) {
            Some(id) => Err(Failure::new(
                "every node holds only what it may read",
                format!("{} of {}", short(id.as_bytes()), office.name),
            )),
            None => Ok(()),
        }
    }

    /// Whether a document that the node does not hold names one that it holds: such a union changes the figures of an
    /// area whose office cannot see it (`protocol.md` 1.8 makes visitors of what is named, not of what names).
    fn is_named_from_outside(&self, centre: &Replica, node: &Replica) -> Result<bool, Failure> {
        let own: BTreeSet<DocumentId> = standing(node)?.into_keys().collect();
        ask(centre, |reader| {
            for row in reader.documents(None, 100_000)? {
                if own.contains(&row.document_id) {
                    continue;
                }
                for name in reader.mentions(row.document_id)?.names {
                    if reader.resolve(name)?.iter().any(|named| own.contains(named)) {
                        return Ok(true);
                    }
                }
            }
            Ok(false)
        })
    }

    /// Figures of each node's own area, asked of both ends.
    fn check_figures(&mut self, centre: &Replica) -> Result<(), Failure> {
        let failed = |error: rollcall_replica::Error| Failure::store(&error);
        let whole = Projection::build(centre).map_err(failed)?;
        for process in 1..self.offices.len() {
            let office = &self.offices[process];
            let (Some(replica), Some(enrolment)) = (office.replica(), office.enrolment) else {
                continue;
            };
            let enrolment = &self.country.enrolments[enrolment];
            let area = enrolment.replicas.first().unwrap_or(&enrolment.federation);
            let part = Projection::build(replica).map_err(failed)?;
            let mut query = FiguresQuery::at(Day::of_unix_ms(1_735_660_800_000));
            query.by = vec![Dimension::Federation, Dimension::Stage];
            query.area = Some(area.clone());
            let answer = |projection: &Projection| {
                projection
                    .cube()
                    .figures(&query, &Heard::default())
                    .map_err(|error| Failure::store(&error))
            };
            let (mine, theirs) = (answer(&part)?, answer(&whole)?);
            if self.is_named_from_outside(centre, replica)? {
                continue;
            }
            if mine.rows != theirs.rows || mine.total != theirs.total {
                let detail = format!("{} of {area}", office.name);
                return Err(Failure::new("both ends have the same figures", detail));
            }
            self.log.count("figures compared");
        }
        Ok(())
    }
}
