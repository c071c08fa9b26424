//! Taking an import back: its changes are answered by new ones, nothing is deleted (`design.md` 7).
//! New documents are closed as mistaken, fields get their former values, unless somebody edited them since.

use std::collections::BTreeMap;

use rollcall_core::date::Day;
use rollcall_core::id::DocumentId;
use rollcall_core::problem::Problem;
use rollcall_doc::{Document, Edit, FieldEdit};
use serde_json::Value;

use crate::edit::Editing;
use crate::error::Error;
use crate::import::Made;
use crate::replica::Replica;

/// What became of the documents of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Undone {
    /// Put back to what they said before.
    pub reverted: u64,
    /// New ones that nobody edited since, closed as mistaken.
    pub closed: u64,
    /// Left alone: edited since, or a ledger, which is answered by reversals only.
    pub left: u64,
}

impl Replica {
    /// Takes an import back, once.
    ///
    /// # Errors
    /// `NoDocument` where there is no such import; the store's where it was taken back already.
    pub fn undo_import(&self, import_id: &str, by: &Editing) -> Result<Undone, Error> {
        let row = self
            .read(|reader| Ok(reader.import(import_id)?))?
            .ok_or_else(|| Error::NoDocument(format!("import {import_id}")))?;
        if row.undone_ms.is_some() {
            return Err(Error::AlreadyDone(format!("undoing import {import_id}")));
        }
        let (id, now_ms) = (import_id.to_owned(), by.now_ms);
        self.store()
            .write("undo import", move |writer| {
                writer.mark_import_undone(&id, now_ms)
            })
            .wait()?;
        let made: Vec<Made> = postcard::from_bytes(&row.undo).unwrap_or_default();
        let mut by_document: BTreeMap<DocumentId, Vec<Made>> = BTreeMap::new();
        for made in made {
            by_document.entry(made.document_id).or_default().push(made);
        }
        let mut undone = Undone::default();
        for (id, made) in by_document {
            let new = made.iter().any(|made| made.new);
            let saved = self.edit(id, by, |document| {
                if new {
                    close(document, &made, by)
                } else {
                    revert(document, &made, by)
                }
            });
            match saved {
                Ok(Some(_)) if new => undone.closed += 1,
                Ok(Some(_)) => undone.reverted += 1,
                Ok(None) | Err(Error::Problems(_)) => undone.left += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(undone)
    }
}

/// A document that somebody has worked on since is theirs as well: it stays.
fn close(document: &Document, made: &[Made], by: &Editing) -> Result<Vec<Edit>, Vec<Problem>> {
    let history = document.history();
    let known = |change| made.iter().any(|made| made.change == change);
    if history.iter().any(|entry| !known(entry.change)) {
        return Ok(Vec::new());
    }
    document.set("mistaken", &by.reason)
}

fn revert(document: &Document, made: &[Made], by: &Editing) -> Result<Vec<Edit>, Vec<Problem>> {
    let history = document.history();
    let mut edits = Vec::new();
    for entry in history
        .iter()
        .filter(|entry| made.iter().any(|made| made.change == entry.change))
    {
        for edit in &entry.edits {
            let later = history
                .iter()
                .skip_while(|other| other.change != entry.change)
                .skip(1)
                .any(|other| other.edits.iter().any(|again| again.field == edit.field));
            if !later {
                edits.extend(put_back(document, edit, by)?);
            }
        }
    }
    Ok(edits)
}

fn put_back(document: &Document, edit: &FieldEdit, by: &Editing) -> Result<Vec<Edit>, Vec<Problem>> {
    match &edit.old {
        Some(Value::String(text)) => document.set(&edit.field, text),
        Some(other) => document.set(&edit.field, &other.to_string()),
        None if edit.field.contains('/') && !edit.field.starts_with("amendments/") => {
            let withdrawn = serde_json::json!({ "at": Day::of_unix_ms(by.now_ms), "reason": by.reason });
            document
                .set(&format!("{}/withdrawn", edit.field), &withdrawn.to_string())
                .or_else(|_| document.set(&edit.field, ""))
        }
        None => document.set(&edit.field, ""),
    }
}
