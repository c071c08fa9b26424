//! What a store finds out about itself while it runs: sums counted again from the rows, and what was repaired.
//! Owns the counting and the notes; when to count, and what a repair is, is decided above.

use rollcall_core::id::FederationId;

use crate::error::Error;
use crate::scope::SetSum;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};

const REPAIRS: &str = "repairs_count";
const REPAIRED_DOCUMENTS: &str = "repaired_documents";
const REPAIRED_MS: &str = "repaired_ms";
const RECOUNTED_MS: &str = "recounted_ms";
const CORRECTED_SCOPES: &str = "corrected_scopes";

/// Notes on repairs and recounts, since the store was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SelfCheck {
    /// Repairs by digest that found documents to differ.
    pub repairs: u64,
    /// Documents that differed then.
    pub repaired_documents: u64,
    /// When the last of them was, Unix milliseconds; 0 if never.
    pub repaired_ms: i64,
    /// When every scope was last counted from its rows, Unix milliseconds; 0 if never.
    pub recounted_ms: i64,
    /// Scopes whose sum was not that of their rows.
    pub corrected_scopes: u64,
}

impl Reader {
    /// The notes.
    pub fn self_check(&self) -> Result<SelfCheck, Error> {
        Ok(SelfCheck {
            repairs: self.counter(REPAIRS)?.unsigned_abs(),
            repaired_documents: self.counter(REPAIRED_DOCUMENTS)?.unsigned_abs(),
            repaired_ms: self.counter(REPAIRED_MS)?,
            recounted_ms: self.counter(RECOUNTED_MS)?,
            corrected_scopes: self.counter(CORRECTED_SCOPES)?.unsigned_abs(),
        })
    }

    /// Every scope that has documents by their rows. Sorted.
    pub fn scopes_by_rows(&self) -> Result<Vec<FederationId>, Error> {
        self.all(
            "SELECT DISTINCT scope FROM scope_document ORDER BY scope",
            [],
            |row| row.federation(0),
        )
    }

    /// Sum of a scope by the rows of its documents, whatever is noted.
    pub fn recount(&self, scope: &FederationId) -> Result<SetSum, Error> {
        let mut set = SetSum::default();
        for (_, digest) in self.scope_entries(scope)? {
            set.add(&digest);
        }
        Ok(set)
    }
}

impl Writer {
    /// Counts a scope again and notes its sum; `true` if it was another one.
    pub fn correct_scope(&mut self, scope: &FederationId) -> Result<bool, Error> {
        let counted = self.recount(scope)?;
        let corrected = self.with_scope(scope, |numbers| {
            let noted = (numbers.documents_count, numbers.digest_sum);
            if noted == (counted.count, counted.sum) {
                return false;
            }
            (numbers.documents_count, numbers.digest_sum) = (counted.count, counted.sum);
            numbers.dirty = true;
            true
        })?;
        if corrected {
            self.set_counter(CORRECTED_SCOPES, self.counter(CORRECTED_SCOPES)? + 1);
        }
        Ok(corrected)
    }

    /// Notes that every scope has been counted again.
    pub fn note_recount(&mut self, now_ms: i64) -> Result<(), Error> {
        self.set_counter(RECOUNTED_MS, now_ms);
        Ok(())
    }

    /// Notes a repair that found so many documents to differ.
    pub fn note_repair(&mut self, documents: u64, now_ms: i64) -> Result<(), Error> {
        self.set_counter(REPAIRS, self.counter(REPAIRS)? + 1);
        self.set_counter(
            REPAIRED_DOCUMENTS,
            self.counter(REPAIRED_DOCUMENTS)? + to_i64(documents),
        );
        self.set_counter(REPAIRED_MS, now_ms);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
