//! Facts and lists dropped and read from the documents again; and checking what is stored against itself.

use rollcall_core::id::DocumentId;
use rollcall_store::verify::Fault;
use rollcall_store::{Role, Writer};

use crate::codec;
use crate::error::Error;
use crate::parallel;
use crate::prepare::{Held, facts_by_position, listing};
use crate::replica::Replica;

/// Documents read at a time.
const PAGE: usize = 500;

/// What became of the documents.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// Read anew.
    pub documents: u64,
    /// Why others could not be read, each.
    pub unread: Vec<Error>,
}

impl Replica {
    /// Reads facts of every document, and at a node the lists, anew. Those of a document that cannot be read stay as they
    /// are, so that no figure goes with it.
    ///
    /// # Errors
    /// The store's.
    pub fn rebuild(&self, now_ms: i64) -> Result<Rebuilt, Error> {
        let (mut after, mut rebuilt) = (None, Rebuilt::default());
        let lists = self.store().identity().role == Role::Node;
        loop {
            let page = self.read(|reader| Ok(reader.documents(after, PAGE)?))?;
            let Some(last) = page.last() else {
                return Ok(rebuilt);
            };
            after = Some(last.document_id);
            let rows = parallel::map(page, |row| {
                let held = self.held(row.document_id, row.kind)?;
                let facts = all_facts(&held)?;
                let shown = lists.then(|| listing(&held.document.facts().0, now_ms));
                Ok((row.document_id, row.kind, facts, shown))
            });
            let (read, unread): (Vec<_>, Vec<_>) = rows.into_iter().partition(Result::is_ok);
            let rows: Vec<_> = read.into_iter().flatten().collect();
            rebuilt.documents += rows.len() as u64;
            rebuilt.unread.extend(unread.into_iter().filter_map(Result::err));
            let work = move |writer: &mut Writer| {
                for (id, kind, facts, shown) in &rows {
                    writer.drop_facts(*id)?;
                    writer.save_facts(*id, facts)?;
                    if let Some(shown) = shown {
                        writer.drop_listing(*id)?;
                        writer.save_listing(*id, *kind, shown)?;
                    }
                }
                Ok(())
            };
            self.store().write("rebuild facts", work).wait()?;
        }
    }

    /// Checks chains, sums and hashes in the store, and that each document's digest and facts are what its changes make.
    ///
    /// # Errors
    /// The store's.
    pub fn verify(&self) -> Result<Vec<Fault>, Error> {
        let mut faults = self.read(|reader| Ok(reader.verify()?))?;
        let mut after = None;
        loop {
            let page = self.read(|reader| Ok(reader.documents(after, PAGE)?))?;
            let Some(last) = page.last() else {
                return Ok(faults);
            };
            after = Some(last.document_id);
            let found = parallel::map(page, |row| self.verify_document(row.document_id, row.digest));
            faults.extend(found.into_iter().flatten());
        }
    }

    fn verify_document(&self, id: DocumentId, digest: [u8; 32]) -> Option<Fault> {
        let fault = |kind, message: String| {
            Some(Fault {
                kind,
                place: id.to_string(),
                message,
            })
        };
        let document = match self.document(id) {
            Ok(document) => document,
            Err(error) => return fault(rollcall_store::verify::FaultKind::Document, error.to_string()),
        };
        if document.digest() != digest {
            let message = "The stored digest is not that of the stored changes.".to_owned();
            return fault(rollcall_store::verify::FaultKind::Document, message);
        }
        let stored = self.read(|reader| Ok(reader.facts_of(id)?)).ok()?;
        let current = stored.last().map(|(_, facts)| facts.clone());
        if current.as_deref() != Some(codec::encode(&document.facts().0).as_slice()) {
            let message = "The stored facts are not those of the document; run rebuild.".to_owned();
            return fault(rollcall_store::verify::FaultKind::Document, message);
        }
        None
    }
}

fn all_facts(held: &Held) -> Result<Vec<rollcall_store::fact::FactRow>, Error> {
    let all: Vec<(u64, &[u8])> = held
        .changes
        .iter()
        .map(|change| (change.position, change.bytes.as_slice()))
        .collect();
    let wanted = all.iter().map(|(position, _)| *position).collect();
    facts_by_position(&held.document, &held.document.facts().0, &all, &wanted)
}
