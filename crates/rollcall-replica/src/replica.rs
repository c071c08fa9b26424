//! A replica: the documents one process holds, its store, its actors.
//! Owns opening things; editing, syncing, importing are modules of their own over it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_core::fact::Facts;
use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use rollcall_doc::Document;
use rollcall_store::Store;
use rollcall_sync::limits::BATCH_DOCUMENTS_MAX;

use crate::codec;
use crate::error::Error;
use crate::prepare::{Held, Origin, open};
use crate::roots::Roots;

/// Version of this program, as quarantine notes it.
pub(crate) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The documents one process holds. Clones share it.
#[derive(Clone)]
pub struct Replica {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    boot_id: [u8; 16],
    actors: Mutex<BTreeMap<String, ActorId>>,
    settings: Settings,
    roots: Roots,
}

/// Where random bytes come from.
pub trait Random: Send + Sync {
    /// Fills all of them.
    fn fill(&self, bytes: &mut [u8]);
}

/// What a replica is told from outside.
#[derive(Clone)]
pub struct Settings {
    /// The system's randomness, or that of a seed in simulations.
    pub random: Arc<dyn Random>,
    /// Most documents in a batch sent from here; at most [`BATCH_DOCUMENTS_MAX`].
    pub batch_documents_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            random: Arc::new(System),
            batch_documents_max: BATCH_DOCUMENTS_MAX,
        }
    }
}

struct System;

impl Random for System {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system gives random bytes");
    }
}

impl Replica {
    /// A replica over an open store.
    pub fn new(store: Store) -> Self {
        Self::with(store, Settings::default())
    }

    /// A replica with settings of its own.
    pub fn with(store: Store, settings: Settings) -> Self {
        let mut boot_id = [0; 16];
        settings.random.fill(&mut boot_id);
        Self {
            inner: Arc::new(Inner {
                store,
                boot_id,
                actors: Mutex::default(),
                settings,
                roots: Roots::default(),
            }),
        }
    }

    /// Most documents in a batch sent from here.
    pub(crate) fn batch_documents_max(&self) -> usize {
        self.inner.settings.batch_documents_max.min(BATCH_DOCUMENTS_MAX)
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.inner.settings.random.fill(&mut bytes);
        bytes
    }

    /// Roots of scopes read so far.
    pub(crate) fn roots(&self) -> &Roots {
        &self.inner.roots
    }

    /// Its store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Random per process start.
    pub fn boot_id(&self) -> [u8; 16] {
        self.inner.boot_id
    }

    /// One document with everything in it.
    ///
    /// # Errors
    /// `NoDocument` where it is not held.
    pub fn document(&self, id: DocumentId) -> Result<Document, Error> {
        self.read(|reader| match reader.load(id)? {
            Some((row, changes)) => open(id, row.kind, changes.iter()),
            None => Err(Error::NoDocument(id.to_string())),
        })
    }

    /// The facts of a document as they are now, read from where they are stored rather than from the document.
    ///
    /// # Errors
    /// `NoDocument` where it is not held; `Facts` where they are of another program version.
    pub fn facts(&self, id: DocumentId) -> Result<Facts, Error> {
        self.read(|reader| match reader.facts_of(id)?.last() {
            Some((_, bytes)) => codec::decode(id, bytes),
            None => Err(Error::NoDocument(id.to_string())),
        })
    }

    /// The document that a person means: credit code, record id or document id; the first kind of `kinds` that fits.
    ///
    /// # Errors
    /// `NoDocument` where none is held.
    pub fn find(&self, reference: &str, kinds: &[DocumentKind]) -> Result<DocumentId, Error> {
        self.read(|reader| {
            for kind in kinds {
                let named = DocumentId::from_reference(*kind, reference);
                let held = reader
                    .resolve(named)?
                    .into_iter()
                    .find_map(|id| match reader.document(id) {
                        Ok(Some(row)) if row.kind == *kind => Some(Ok(id)),
                        Ok(_) => None,
                        Err(error) => Some(Err(error)),
                    });
                if let Some(id) = held {
                    return Ok(id?);
                }
            }
            Err(Error::NoDocument(reference.to_owned()))
        })
    }

    /// What a document says, as a record, with what is odd about it.
    ///
    /// # Errors
    /// `NoDocument` where it is not held.
    pub fn record(&self, id: DocumentId) -> Result<(Record, Vec<Problem>), Error> {
        Ok(self.document(id)?.record())
    }

    /// Reads one snapshot.
    pub(crate) fn read<T>(
        &self,
        f: impl FnOnce(&rollcall_store::Reader) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut refused = None;
        let result = self.inner.store.read(|reader| match f(reader) {
            Ok(value) => Ok(Some(value)),
            Err(Error::Store(error)) => Err(error),
            Err(error) => {
                refused = Some(error);
                Ok(None)
            }
        })?;
        match (result, refused) {
            (Some(value), _) => Ok(value),
            (None, Some(error)) => Err(error),
            (None, None) => unreachable!("a closure gives a value or an error"),
        }
    }

    /// The actor that stands for an account in this process (`protocol.md` 1.10).
    pub(crate) fn actor(&self, account: &str) -> ActorId {
        let mut actors = self.inner.actors.lock().unwrap_or_else(PoisonError::into_inner);
        *actors
            .entry(account.to_owned())
            .or_insert_with(|| ActorId(self.random()))
    }

    /// Forgets every actor: another process turned out to write under the same ones.
    pub(crate) fn forget_actors(&self) {
        self.inner
            .actors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// A fresh actor for an account whose last one is ahead of what a form showed.
    pub(crate) fn renew_actor(&self, account: &str) -> ActorId {
        let actor = ActorId(self.random());
        self.inner
            .actors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account.to_owned(), actor);
        actor
    }

    /// This store as the origin of changes.
    pub(crate) fn origin(&self) -> Origin {
        let identity = self.inner.store.identity();
        Origin {
            store: identity.store_id,
            epoch: identity.log_epoch,
        }
    }

    /// A document as held, or begun.
    pub(crate) fn held(&self, id: DocumentId, kind: DocumentKind) -> Result<Held, Error> {
        self.read(|reader| Held::load(reader, id, kind))
    }
}
