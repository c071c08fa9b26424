//! Documents as rows: heads, digest, sizes, state; and the names by which documents find each other.
//! Owns reading them; `commit` writes them.

use rollcall_core::id::{DocumentId, DocumentKind, FederationId};

use crate::Hash;
use crate::error::Error;
use crate::sqlite::{Reader, RowExt, Writer, hashes_of, to_i64};

/// How a document stands with the sync protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentState {
    /// Nothing to see.
    Clean,
    /// Two changes with one actor and number exist; one branch is kept apart.
    Forked,
    /// Some of its changes are in quarantine.
    Quarantined,
    /// An editor must look at it for another reason.
    Held,
}

impl DocumentState {
    const ALL: [Self; 4] = [Self::Clean, Self::Forked, Self::Quarantined, Self::Held];

    fn number(self) -> i64 {
        match self {
            Self::Clean => 0,
            Self::Forked => 1,
            Self::Quarantined => 2,
            Self::Held => 3,
        }
    }
}

/// One document, without its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// Which.
    pub document_id: DocumentId,
    /// Which kind.
    pub kind: DocumentKind,
    /// Sorted hashes of its latest changes.
    pub heads: Vec<Hash>,
    /// Digest over id and heads.
    pub digest: Hash,
    /// How many changes, genesis left out.
    pub changes_count: u64,
    /// Their bytes.
    pub bytes_total: u64,
    /// How it stands.
    pub state: DocumentState,
}

/// What all changes of a document mention.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MentionRows {
    /// Federations it is at home in.
    pub homes: Vec<FederationId>,
    /// Ids it names.
    pub names: Vec<DocumentId>,
    /// Ids it may be named by, besides its own.
    pub aliases: Vec<DocumentId>,
}

macro_rules! select_document {
    ($rest:literal) => {
        concat!(
            "SELECT document_id, kind, heads, digest, changes_count, bytes_total, state FROM document ",
            $rest
        )
    };
}

fn document_row(row: &rusqlite::Row<'_>) -> Result<DocumentRow, Error> {
    let state = row.i64(6)?;
    Ok(DocumentRow {
        document_id: row.document_id(0)?,
        kind: row.kind(1)?,
        heads: hashes_of(row.blob(2)?)?,
        digest: row.hash(3)?,
        changes_count: row.u64(4)?,
        bytes_total: row.u64(5)?,
        state: DocumentState::ALL
            .into_iter()
            .find(|known| known.number() == state)
            .ok_or(Error::Damaged("a document's state"))?,
    })
}

impl Reader {
    /// One document.
    pub fn document(&self, document_id: DocumentId) -> Result<Option<DocumentRow>, Error> {
        let sql = select_document!("WHERE document_id = ?1");
        self.one(sql, [document_id.as_bytes()], document_row)
    }

    /// The next documents by id, beginning after `after`.
    pub fn documents(&self, after: Option<DocumentId>, limit: usize) -> Result<Vec<DocumentRow>, Error> {
        let sql = select_document!("WHERE document_id > ?1 ORDER BY document_id LIMIT ?2");
        let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
        self.all(sql, (after, to_i64(limit as u64)), document_row)
    }

    /// The documents whose changes take so many bytes or more, by id.
    pub fn documents_from_bytes(&self, bytes: u64) -> Result<Vec<DocumentRow>, Error> {
        let sql = select_document!("WHERE bytes_total >= ?1 ORDER BY document_id");
        self.all(sql, [to_i64(bytes)], document_row)
    }

    /// The documents in another state than clean.
    pub fn documents_not_clean(&self) -> Result<Vec<DocumentRow>, Error> {
        let sql = select_document!("WHERE state <> 0 ORDER BY document_id");
        self.all(sql, [], document_row)
    }

    /// How many documents there are.
    pub fn documents_count(&self) -> Result<u64, Error> {
        self.number("SELECT count(*) FROM document", [])
    }

    /// How many documents of a kind there are.
    pub fn documents_count_of(&self, kind: DocumentKind) -> Result<u64, Error> {
        self.number("SELECT count(*) FROM document WHERE kind = ?1", [kind.number()])
    }

    /// The documents that answer to this id: the one whose own it is, and those that have it as an alias. Sorted.
    pub fn resolve(&self, named: DocumentId) -> Result<Vec<DocumentId>, Error> {
        let mut ids = self.all(
            "SELECT document_id FROM document WHERE document_id = ?1 \
             UNION ALL SELECT document_id FROM alias WHERE alias_id = ?1",
            [named.as_bytes()],
            |row| row.document_id(0),
        )?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// The documents that name this id. Sorted.
    pub fn namers(&self, named: DocumentId) -> Result<Vec<DocumentId>, Error> {
        self.all(
            "SELECT document_id FROM name WHERE named_id = ?1 ORDER BY 1",
            [named.as_bytes()],
            |row| row.document_id(0),
        )
    }

    /// Homes, names and aliases of a document.
    pub fn mentions(&self, document_id: DocumentId) -> Result<MentionRows, Error> {
        let id = document_id.as_bytes();
        Ok(MentionRows {
            homes: self.homes_of(document_id)?,
            names: self.all(
                "SELECT named_id FROM name WHERE document_id = ?1 ORDER BY 1",
                [id],
                |row| row.document_id(0),
            )?,
            aliases: self.all(
                "SELECT alias_id FROM alias WHERE document_id = ?1 ORDER BY 1",
                [id],
                |row| row.document_id(0),
            )?,
        })
    }

    /// Federations a document is at home in. Sorted.
    pub fn homes_of(&self, document_id: DocumentId) -> Result<Vec<FederationId>, Error> {
        self.all(
            "SELECT scope FROM scope_document WHERE document_id = ?1 AND home = 1 ORDER BY scope",
            [document_id.as_bytes()],
            |row| row.federation(0),
        )
    }
}

impl Writer {
    /// Marks how a document stands.
    pub fn set_document_state(&mut self, document_id: DocumentId, state: DocumentState) -> Result<(), Error> {
        let changed = self.run(
            "UPDATE document SET state = ?2 WHERE document_id = ?1",
            (document_id.as_bytes(), state.number()),
        )?;
        if changed == 0 {
            Err(Error::NoDocument(document_id))
        } else {
            Ok(())
        }
    }
}
