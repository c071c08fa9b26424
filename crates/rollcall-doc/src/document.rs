//! One document: made, loaded from its changes, read and edited.
//! Owns the Automerge value; nothing else in the project sees one. What stands in it is read by `read`, `facts`,
//! `conflict` and `history`, what shall be written is planned by `record_edit` and `field_edit`.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Author, Automerge, Change, ChangeHash, ObjId, PatchLog, ROOT, ReadDoc, Value};
use rollcall_core::fact::Facts;
use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use sha2::{Digest, Sha256};

use crate::conflict::{self, Conflict};
use crate::content::Content;
use crate::edit::Edit;
use crate::error::Error;
use crate::gate::frame::{self, CHANGE_BYTES_MAX};
use crate::gate::walker::{self, OPERATIONS_MAX, TIME_MAX};
use crate::history::{self, HistoryEntry};
use crate::mention::{self, Mentions};
use crate::scalar::Scalar;
use crate::{actor, facts, field_edit, genesis, read, record_edit};

/// One document with its whole history.
#[derive(Debug, Clone)]
pub struct Document {
    kind: DocumentKind,
    id: DocumentId,
    automerge: Automerge,
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
        let mut automerge = Automerge::new();
        automerge.apply_changes([genesis::change(kind, id)]).expect("the genesis change depends on nothing");
        Self { kind, id, automerge }
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
        let mut all = vec![genesis::change(kind, id)];
        for (index, bytes) in changes.into_iter().enumerate() {
            let framed = frame::open(bytes).map_err(|_| Error::ChangeDamaged { index })?;
            let change = Change::try_from(bytes).map_err(|_| Error::ChangeDamaged { index })?;
            debug_assert_eq!(framed.hash, change.hash().0, "both ends name a change alike");
            all.push(change);
        }
        let mut automerge = Automerge::new();
        automerge.apply_changes(all).map_err(Error::Apply)?;
        let missing = automerge.get_missing_deps(&[]).len();
        if missing > 0 {
            return Err(Error::HistoryIncomplete { missing });
        }
        Ok(Self { kind, id, automerge })
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
        self.automerge.get_heads().into_iter().map(|head| head.0).collect()
    }

    /// `dh` of `protocol.md` 4.2: SHA-256 over "rc1", id, number of heads and heads.
    pub fn digest(&self) -> [u8; 32] {
        let heads = self.automerge.get_heads();
        let mut hasher = Sha256::new();
        hasher.update(b"rc1");
        hasher.update(self.id.0);
        hasher.update((heads.len() as u32).to_le_bytes());
        for head in heads {
            hasher.update(head.0);
        }
        hasher.finalize().into()
    }

    /// Everything as a record; importing it again changes nothing. Never fails on content.
    pub fn record(&self) -> (Record, Vec<Problem>) {
        read::record(&self.content())
    }

    /// What it states, ready for figures. Never fails on content.
    pub fn facts(&self) -> (Facts, Vec<Problem>) {
        facts::facts(&self.content())
    }

    /// Fields with several values that wait for somebody to decide.
    pub fn conflicts(&self) -> Vec<Conflict> {
        conflict::conflicts(&self.content(), &self.automerge)
    }

    /// Who changed what and why, in causal order, without the genesis change.
    pub fn history(&self) -> Vec<HistoryEntry> {
        history::history(self.kind, self.id, &self.automerge)
    }

    /// What importing this record would change; empty where nothing. Absent fields change nothing.
    ///
    /// # Errors
    /// Problems, where the record cannot be written: nothing of it should be.
    pub fn plan(&self, record: &Record) -> Result<Vec<Edit>, Vec<Problem>> {
        record_edit::plan(&self.content(), record)
    }

    /// What `FIELD=VALUE` of the command line would change: `address`, `name@2024-01-01`, `coverage/c1/until`.
    ///
    /// # Errors
    /// A problem where there is no such field or the value is none of its kind.
    pub fn set(&self, field: &str, value: &str) -> Result<Vec<Edit>, Vec<Problem>> {
        field_edit::set(&self.content(), field, value)
    }

    /// Chooses one of the values of a conflict: it is written again, over all others.
    ///
    /// # Errors
    /// A problem where there is no such conflict or value.
    pub fn settle(&self, field: &str, value_id: &str) -> Result<Vec<Edit>, Vec<Problem>> {
        field_edit::settle(&self.content(), field, value_id)
    }

    /// Writes edits as one change; `None` if nothing would change.
    ///
    /// # Errors
    /// `ActorBehind` and `ActorTaken` ask for a fresh actor; the document is unchanged then.
    pub fn apply_edits(&mut self, edits: &[Edit], by: &EditBy) -> Result<Option<LocalChange>, Error> {
        let size: usize = edits.iter().map(Edit::size_bytes).sum();
        // An edit over a conflict may take two operations; half of the limits leave room for the frame.
        if edits.len() as u64 > OPERATIONS_MAX / 2 || size + by.reason.len() > CHANGE_BYTES_MAX / 2 {
            return Err(Error::EditTooBig);
        }
        let heads = self.heads_for(by)?;
        self.automerge.set_author(Some(Author::from(by.author.as_bytes().to_vec())));
        self.automerge.set_actor(actor::to_automerge(by.actor));
        let id = self.id;
        let mut tx = self
            .automerge
            .transaction_at(PatchLog::inactive(), &heads)
            .expect("an inactive patch log belongs to every document");
        for edit in edits {
            let object = edit.place.container.map_or(ROOT, |position| genesis::container(id, position));
            write(&mut tx, &object, edit).map_err(Error::Edit)?;
        }
        let mut options = CommitOptions::default().with_time((by.time_ms / 1000).clamp(0, TIME_MAX));
        if !by.reason.is_empty() {
            options.set_message(by.reason.as_str());
        }
        let (Some(hash), _) = tx.commit_with(options) else { return Ok(None) };
        let change = self.automerge.get_change_by_hash(&hash).expect("the change was just made");
        let decoded = frame::open(change.raw_bytes()).and_then(|frame| walker::walk(frame.body));
        let decoded = decoded.expect("our own changes pass our own gate");
        Ok(Some(LocalChange {
            hash: hash.0,
            actor: by.actor,
            seq: decoded.seq,
            bytes: change.raw_bytes().to_vec(),
            mentions: mention::of_change(self.kind, genesis::actor(self.id), &decoded),
        }))
    }

    /// The heads to edit at, after checking that actor and author fit the history.
    fn heads_for(&self, by: &EditBy) -> Result<Vec<ChangeHash>, Error> {
        if !actor::is_author(by.author.as_bytes()) {
            return Err(Error::AuthorMissing);
        }
        let own = actor::to_automerge(by.actor);
        if self.automerge.get_author_for_actor(&own).is_some_and(|known| known.as_bytes() != by.author.as_bytes())
            || by.actor == genesis::actor(self.id)
        {
            return Err(Error::ActorTaken(by.actor));
        }
        let Some(shown) = &by.heads else { return Ok(self.automerge.get_heads()) };
        let heads: Vec<ChangeHash> = shown.iter().copied().map(ChangeHash).collect();
        if heads.is_empty() || heads.iter().any(|head| self.automerge.get_change_meta_by_hash(head).is_none()) {
            return Err(Error::HeadsUnknown);
        }
        if self.automerge.get_changes_meta(&heads).iter().any(|later| *later.actor == own) {
            return Err(Error::ActorBehind(by.actor));
        }
        Ok(heads)
    }

    /// What stands in it now.
    pub(crate) fn content(&self) -> Content {
        Content::read(self.kind, self.id, &self.automerge)
    }

    /// The Automerge value, for the gate.
    pub(crate) fn automerge(&self) -> &Automerge {
        &self.automerge
    }

    /// A document around an Automerge value that the gate has tried.
    pub(crate) fn from_automerge(kind: DocumentKind, id: DocumentId, automerge: Automerge) -> Self {
        Self { kind, id, automerge }
    }
}

/// Sets one value. Where several different ones stand and the wanted one already wins, Automerge would delete the
/// others instead of setting it; an operation in between keeps every operation a `set`.
fn write<T: Transactable>(tx: &mut T, object: &ObjId, edit: &Edit) -> Result<(), automerge::AutomergeError> {
    let key = edit.place.key.as_str();
    let standing: Vec<Scalar> = tx
        .get_all(object, key)?
        .into_iter()
        .filter_map(|(value, _)| match value {
            Value::Scalar(value) => Scalar::from_owned(&value),
            Value::Object(_) => None,
        })
        .collect();
    if !standing.is_empty() && standing.iter().all(|value| *value == edit.value) {
        return Ok(());
    }
    if standing.last() == Some(&edit.value)
        && let Some(between) = standing.iter().find(|value| **value != edit.value)
    {
        tx.put(object, key, between.to_automerge())?;
    }
    tx.put(object, key, edit.value.to_automerge())
}
