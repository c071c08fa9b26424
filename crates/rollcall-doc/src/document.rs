//! One document: made, loaded from its changes, read and edited.
//! Owns the Automerge value; nothing else in the project sees one. What stands in it is read by `read`, `facts`,
//! `conflict` and `history`, what shall be written is planned by `record_edit` and `field_edit`.

use std::panic::catch_unwind;
use std::sync::OnceLock;

use automerge::{Automerge, AutomergeError, Change, ChangeHash, ReadDoc};
use rollcall_core::fact::Facts;
use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use sha2::{Digest, Sha256};

use crate::compose::compose;
use crate::conflict::{self, Conflict};
use crate::content::Content;
use crate::edit::Edit;
use crate::error::Error;
use crate::gate;
use crate::gate::frame::{self, CHANGE_BYTES_MAX};
use crate::gate::walker::{self, DEPENDENCIES_MAX, OPERATIONS_MAX};
use crate::genesis::Genesis;
use crate::handover::Handovers;
use crate::history::{self, HistoryEntry};
use crate::mention::{self, Mentions};
use crate::saved_form::SavedForm;
use crate::{actor, facts, field_edit, genesis, read, record_edit};

/// One document with its whole history.
#[derive(Debug, Clone)]
pub struct Document {
    kind: DocumentKind,
    id: DocumentId,
    /// Made when it is first needed: a document that only waits for its first changes is made with them.
    /// In a box, because it is large and documents are handed on.
    automerge: OnceLock<Box<Automerge>>,
    /// What stands in it, read when it is first asked for.
    content: OnceLock<Content>,
}

/// On whose behalf an edit is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditBy {
    /// Actor of this process start and account.
    pub actor: ActorId,
    /// Account, such as `330106/7`.
    pub author: String,
    /// Why; may be empty.
    pub reason: String,
    /// When, by the caller's clock.
    pub time_ms: i64,
    /// The state that the form showed; `None` is the present one.
    pub heads: Option<Vec<[u8; 32]>>,
}

/// A change made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalChange {
    /// Its name.
    pub hash: [u8; 32],
    /// Who made it.
    pub actor: ActorId,
    /// Its number among the actor's changes.
    pub seq: u64,
    /// Raw bytes, one plain chunk.
    pub bytes: Vec<u8>,
    /// What it names.
    pub mentions: Mentions,
}

impl Document {
    /// A document that holds nothing yet but its genesis change.
    pub fn create(kind: DocumentKind, id: DocumentId) -> Self {
        Self {
            kind,
            id,
            automerge: OnceLock::new(),
            content: OnceLock::new(),
        }
    }

    /// A document from its own stored changes, in stored order; the genesis change is made here.
    ///
    /// # Errors
    /// `ChangeDamaged`, `Apply` or `HistoryIncomplete` where the bytes are not what was stored.
    pub fn load<'a>(
        kind: DocumentKind,
        id: DocumentId,
        changes: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, Error> {
        let changes: Vec<&[u8]> = changes.into_iter().collect();
        if changes.is_empty() {
            return Ok(Self::create(kind, id));
        }
        if let Some(document) = saved(kind, id, &changes) {
            return Ok(document);
        }
        let mut all = vec![genesis::change(kind, id)];
        for (index, bytes) in changes.into_iter().enumerate() {
            let framed = frame::open(bytes).map_err(|_| Error::ChangeDamaged { index })?;
            let change = Change::try_from(bytes).map_err(|_| Error::ChangeDamaged { index })?;
            if framed.hash != change.hash().0 {
                return Err(Error::ChangeDamaged { index });
            }
            all.push(change);
        }
        let mut automerge = Automerge::new();
        automerge.apply_changes(all).map_err(Error::Apply)?;
        let missing = automerge.get_missing_deps(&[]).len();
        if missing > 0 {
            return Err(Error::HistoryIncomplete { missing });
        }
        Ok(Self::from_automerge(kind, id, automerge))
    }

    /// What it is about.
    pub fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// Its name.
    pub fn id(&self) -> DocumentId {
        self.id
    }

    /// The hashes of its latest changes, ascending: the identity of its state.
    pub fn heads(&self) -> Vec<[u8; 32]> {
        match self.automerge.get() {
            Some(automerge) => automerge.get_heads().into_iter().map(|head| head.0).collect(),
            None => vec![Genesis::of(self.kind, self.id).hash],
        }
    }

    /// `dh` of `protocol.md` 4.2: SHA-256 over "rc1", id, number of heads and heads.
    pub fn digest(&self) -> [u8; 32] {
        let heads = self.heads();
        let mut hasher = Sha256::new();
        hasher.update(b"rc1");
        hasher.update(self.id.0);
        hasher.update((heads.len() as u32).to_le_bytes());
        for head in heads {
            hasher.update(head);
        }
        hasher.finalize().into()
    }

    /// Everything as a record; importing it again changes nothing. Never fails on content.
    pub fn record(&self) -> (Record, Vec<Problem>) {
        read::record(self.content())
    }

    /// What it states, ready for figures. Never fails on content.
    pub fn facts(&self) -> (Facts, Vec<Problem>) {
        facts::facts(self.content())
    }

    /// Fields with several values that wait for somebody to decide.
    pub fn conflicts(&self) -> Vec<Conflict> {
        conflict::conflicts(self.content(), self.automerge())
    }

    /// The handovers that it states.
    pub fn handovers(&self) -> Handovers {
        Handovers::read(self.content())
    }

    /// The whole document in Automerge's own file format, which its libraries for other languages open too.
    pub fn to_automerge_file(&self) -> Vec<u8> {
        self.automerge().save()
    }

    /// Who changed what and why, in causal order, without the genesis change.
    pub fn history(&self) -> Vec<HistoryEntry> {
        history::history(self.kind, self.id, self.automerge())
    }

    /// What importing this record would change; empty where nothing. Absent fields change nothing.
    ///
    /// # Errors
    /// Problems, where the record cannot be written: nothing of it should be.
    pub fn plan(&self, record: &Record) -> Result<Vec<Edit>, Vec<Problem>> {
        record_edit::plan(self.content(), record)
    }

    /// What `FIELD=VALUE` of the command line would change: `address`, `name@2024-01-01`, `coverage/c1/until`.
    ///
    /// # Errors
    /// A problem where there is no such field or the value is none of its kind.
    pub fn set(&self, field: &str, value: &str) -> Result<Vec<Edit>, Vec<Problem>> {
        field_edit::set(self.content(), field, value)
    }

    /// Chooses one of the values of a conflict: it is written again, over all others.
    ///
    /// # Errors
    /// A problem where there is no such conflict or value.
    pub fn settle(&self, field: &str, value_id: &str) -> Result<Vec<Edit>, Vec<Problem>> {
        field_edit::settle(self.content(), field, value_id)
    }

    /// Writes edits as one change; `None` if nothing would change.
    ///
    /// # Errors
    /// `ActorBehind` and `ActorTaken` ask for a fresh actor; the document is unchanged then.
    pub fn apply_edits(&mut self, edits: &[Edit], by: &EditBy) -> Result<Option<LocalChange>, Error> {
        let size: usize = edits.iter().map(Edit::size_bytes).sum();
        // Half of the limit leaves room for what edits replace and for the frame.
        if edits.len() as u64 > OPERATIONS_MAX || size + by.reason.len() > CHANGE_BYTES_MAX / 2 {
            return Err(Error::EditTooBig);
        }
        let heads = self.heads_for(by)?;
        let Some(change) = compose(self.automerge(), (self.kind, self.id), &heads, edits, by)? else {
            return Ok(None);
        };
        let bytes = change.raw_bytes().to_vec();
        let decoded = frame::open(&bytes).and_then(|frame| walker::walk(frame.body));
        // All that our own gate can find wrong with our own change is its size.
        let decoded = decoded.map_err(|_| Error::EditTooBig)?;
        let (hash, seq) = (change.hash().0, decoded.seq);
        let mentions = mention::of_change(self.kind, genesis::actor(self.id), &decoded);
        self.content.take();
        let automerge = self.automerge.get_mut().expect("composing has just read it");
        automerge.apply_changes([change]).map_err(Error::Edit)?;
        Ok(Some(LocalChange {
            hash,
            actor: by.actor,
            seq,
            bytes,
            mentions,
        }))
    }

    /// The heads to edit at, after checking that actor and author fit the history.
    fn heads_for(&self, by: &EditBy) -> Result<Vec<ChangeHash>, Error> {
        if !actor::is_author(by.author.as_bytes()) {
            return Err(Error::AuthorMissing);
        }
        let own = actor::to_automerge(by.actor);
        let automerge = self.automerge();
        if automerge
            .get_author_for_actor(&own)
            .is_some_and(|known| known.as_bytes() != by.author.as_bytes())
            || by.actor == genesis::actor(self.id)
        {
            return Err(Error::ActorTaken(by.actor));
        }
        let mut heads: Vec<ChangeHash> = match &by.heads {
            Some(shown) => shown.iter().copied().map(ChangeHash).collect(),
            None => automerge.get_heads(),
        };
        // A change may follow so many and no more; the heads left out are joined by the changes after it.
        heads.truncate(DEPENDENCIES_MAX as usize);
        if heads.is_empty()
            || heads
                .iter()
                .any(|head| automerge.get_change_meta_by_hash(head).is_none())
        {
            return Err(Error::HeadsUnknown);
        }
        if automerge
            .get_changes_meta(&heads)
            .iter()
            .any(|later| *later.actor == own)
        {
            return Err(Error::ActorBehind(by.actor));
        }
        Ok(heads)
    }

    /// What stands in it now.
    pub(crate) fn content(&self) -> &Content {
        self.content
            .get_or_init(|| Content::read(self.kind, self.id, self.automerge()))
    }

    /// Whether nothing has been needed of it yet: it holds its genesis change only.
    pub(crate) fn is_blank(&self) -> bool {
        self.automerge.get().is_none()
    }

    /// The Automerge value.
    pub(crate) fn automerge(&self) -> &Automerge {
        self.automerge.get_or_init(|| {
            let mut automerge = Automerge::new();
            let genesis = genesis::change(self.kind, self.id);
            automerge
                .apply_changes([genesis])
                .expect("the genesis change depends on nothing");
            Box::new(automerge)
        })
    }

    /// A copy with further changes applied, for the gate's trial. Heads are the caller's to compare.
    pub(crate) fn with_changes(&self, mut changes: Vec<Change>) -> Result<Self, AutomergeError> {
        let mut automerge = match self.automerge.get() {
            Some(automerge) => Automerge::clone(automerge),
            None => {
                changes.insert(0, genesis::change(self.kind, self.id));
                Automerge::new()
            }
        };
        automerge.apply_changes(changes)?;
        Ok(Self::from_automerge(self.kind, self.id, automerge))
    }

    /// A document around an Automerge value that the gate has tried.
    pub(crate) fn from_automerge(kind: DocumentKind, id: DocumentId, automerge: Automerge) -> Self {
        Self {
            kind,
            id,
            automerge: OnceLock::from(Box::new(automerge)),
            content: OnceLock::new(),
        }
    }

    /// The document that changes make, loaded in its saved form: Automerge has made each change anew out of it and come to
    /// the heads stated, so what stands in it is what the changes' operations say. `None` where it finds something else.
    pub(crate) fn from_saved(form: &SavedForm<'_>) -> Option<Self> {
        let bytes = form.bytes();
        // Whatever the library makes of this form, the changes can still be applied.
        let automerge = catch_unwind(|| Automerge::load(&bytes)).ok()?.ok()?;
        let document = Self {
            kind: form.genesis().kind,
            id: form.genesis().id,
            automerge: OnceLock::from(Box::new(automerge)),
            content: OnceLock::from(form.content()),
        };
        document.heads().iter().eq(form.heads()).then_some(document)
    }
}

/// The document that stored changes make, by its saved form; `None` where it has none, and the changes are applied.
fn saved(kind: DocumentKind, id: DocumentId, changes: &[&[u8]]) -> Option<Document> {
    let walked = gate::walk_stored(changes)?;
    let named = walked.iter().map(|checked| checked.named()).collect();
    Document::from_saved(&SavedForm::of(Genesis::of(kind, id), named)?)
}
