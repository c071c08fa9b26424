//! Saving an edit: from the heads the form showed, with author and reason, one commit (`design.md` 3, L30).

use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_doc::{Document, Edit, EditBy, LocalChange};

use crate::error::Error;
use crate::prepare::commit_local;
use crate::replica::Replica;

/// Who edits, why, when, and what they saw.
#[derive(Debug, Clone)]
pub struct Editing {
    /// Account id, such as `330106/7`.
    pub author: String,
    /// Short reason; kept in the history.
    pub reason: String,
    /// The clock, Unix milliseconds.
    pub now_ms: i64,
    /// Heads the form showed; `None`: the present ones.
    pub heads: Option<Vec<[u8; 32]>>,
}

/// How often an edit is tried again when the document moves under it.
const TRIES: usize = 5;

impl Replica {
    /// Plans edits on the document as it is and saves them; `None` where nothing would change.
    ///
    /// # Errors
    /// `Problems` where the plan refuses; `NoDocument` where there is none; as for [`Replica::edit_or_create`].
    pub fn edit(
        &self,
        id: DocumentId,
        by: &Editing,
        plan: impl Fn(&Document) -> Result<Vec<Edit>, Vec<Problem>>,
    ) -> Result<Option<[u8; 32]>, Error> {
        let kind = self
            .read(|reader| Ok(reader.document(id)?))?
            .map(|row| row.kind)
            .ok_or_else(|| Error::NoDocument(id.to_string()))?;
        self.edit_or_create(id, kind, by, plan)
    }

    /// The same, beginning the document where it is not held.
    ///
    /// # Errors
    /// `Problems` where the plan refuses; `Foreign` where it is kept by somebody else, `HandoverOpen` where it still is.
    pub fn edit_or_create(
        &self,
        id: DocumentId,
        kind: DocumentKind,
        by: &Editing,
        plan: impl Fn(&Document) -> Result<Vec<Edit>, Vec<Problem>>,
    ) -> Result<Option<[u8; 32]>, Error> {
        for _ in 0..TRIES {
            let held = self.held(id, kind)?;
            let edits = plan(&held.document).map_err(Error::Problems)?;
            let Some((document, change)) = self.write_edits(&held.document, &edits, by)? else {
                return Ok(None);
            };
            let hash = change.hash;
            let changes = [change];
            self.check_may_write(&held, &changes)?;
            let commit = commit_local(&held, &document, &changes, self.origin(), by.now_ms);
            match self
                .store()
                .write("save edit", move |writer| writer.commit_document(&commit))
                .wait()
            {
                Ok(_) => return Ok(Some(hash)),
                Err(rollcall_store::Error::Stale(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Busy(id))
    }

    /// Writes edits into a copy of the document; `None` where nothing would change.
    pub(crate) fn write_edits(
        &self,
        before: &Document,
        edits: &[Edit],
        by: &Editing,
    ) -> Result<Option<(Document, LocalChange)>, Error> {
        if edits.is_empty() {
            return Ok(None);
        }
        let id = before.id();
        let mut how = EditBy {
            actor: self.actor(&by.author),
            author: by.author.clone(),
            reason: by.reason.clone(),
            time_ms: by.now_ms,
            heads: by.heads.clone(),
        };
        let mut document = before.clone();
        let written = match document.apply_edits(edits, &how) {
            Err(rollcall_doc::Error::ActorBehind(_) | rollcall_doc::Error::ActorTaken(_)) => {
                how.actor = self.renew_actor(&by.author);
                document = before.clone();
                document.apply_edits(edits, &how)
            }
            Err(rollcall_doc::Error::HeadsUnknown) => {
                // The form showed a branch that was written again since.
                let shown = how.heads.take().unwrap_or_default();
                how.heads = Some(before.moved_heads(&shown).ok_or(Error::Busy(id))?);
                how.actor = self.renew_actor(&by.author);
                document = before.clone();
                document.apply_edits(edits, &how)
            }
            other => other,
        };
        let change = written.map_err(|source| Error::Document {
            id,
            source: Box::new(source),
        })?;
        Ok(change.map(|change| (document, change)))
    }
}
