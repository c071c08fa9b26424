//! What an import answers (`cli.md` Status, sync, import): the counts, the scope of every row, and what was odd.
//! Owns the JSON; adds `warnings_left_out` and `problems_left_out` where a list would grow beyond its limit.

use std::collections::BTreeMap;

use rollcall_core::problem::Problem;
use serde::Serialize;

use crate::limit::SUMMARY_PROBLEMS_MAX;
use crate::plan::Outcome;

/// One finding with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowProblem {
    /// Row number as a spreadsheet shows it; `None`: the file as a whole.
    pub row: Option<u64>,
    /// Head of the column; `None`: the row as a whole.
    pub column: Option<String>,
    /// Code of `domain.md` 12 or `reliability.md` 4.
    pub code: String,
    /// A plain sentence with the remedy.
    pub message: String,
}

/// The answer of `import --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportSummary {
    /// Name of the import, for undoing it.
    pub import_id: String,
    /// SHA-256 of the file.
    pub file_sha256: String,
    /// Encoding of the file.
    pub encoding: String,
    /// What the list was read as.
    #[serde(rename = "as")]
    pub read_as: String,
    /// Always the sum of the five below.
    pub rows_read: u64,
    /// Rows that make a document.
    pub new: u64,
    /// Rows that change one.
    pub updated: u64,
    /// Rows that say nothing new.
    pub unchanged: u64,
    /// Rows that repeat an earlier one.
    pub duplicate: u64,
    /// Rows set aside.
    pub refused: u64,
    /// Rows by scope, whatever becomes of them.
    pub scope: BTreeMap<String, u64>,
    /// What is odd and was carried on with.
    pub warnings: Vec<RowProblem>,
    /// Why rows were refused.
    pub problems: Vec<RowProblem>,
    /// Warnings beyond the limit.
    pub warnings_left_out: u64,
    /// Problems beyond the limit; the reject file has them all.
    pub problems_left_out: u64,
}

impl ImportSummary {
    /// A summary of no rows yet.
    pub fn begin(import_id: &str, file_sha256: &str, encoding: &str, read_as: &str) -> Self {
        Self {
            import_id: import_id.to_owned(),
            file_sha256: file_sha256.to_owned(),
            encoding: encoding.to_owned(),
            read_as: read_as.to_owned(),
            rows_read: 0,
            new: 0,
            updated: 0,
            unchanged: 0,
            duplicate: 0,
            refused: 0,
            scope: [("A".to_owned(), 0), ("B".to_owned(), 0)].into(),
            warnings: Vec::new(),
            problems: Vec::new(),
            warnings_left_out: 0,
            problems_left_out: 0,
        }
    }

    /// Adds a warning about a row, or about the file.
    pub fn warn(&mut self, row: Option<u64>, problem: &Problem) {
        push(&mut self.warnings, &mut self.warnings_left_out, row, problem);
    }

    /// Counts a row.
    pub fn count(&mut self, row: u64, scope: &str, outcome: &Outcome) {
        match self.scope.get_mut(scope) {
            Some(count) => *count += 1,
            None => {
                self.scope.insert(scope.to_owned(), 1);
            }
        }
        self.count_outcome(row, outcome);
    }

    /// Counts a row that has no scope, such as a subsidy's record.
    pub fn count_outcome(&mut self, row: u64, outcome: &Outcome) {
        self.rows_read += 1;
        match outcome {
            Outcome::New => self.new += 1,
            Outcome::Updated => self.updated += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Duplicate { of } => {
                self.duplicate += 1;
                let message = format!("The row says the same as row {of} and counts once.");
                self.warn(Some(row), &Problem::warning("DUPLICATE_SAME", "", message));
            }
            Outcome::Refused(problems) => {
                self.refused += 1;
                for problem in problems {
                    push(
                        &mut self.problems,
                        &mut self.problems_left_out,
                        Some(row),
                        problem,
                    );
                }
            }
        }
    }

    /// Moves a row that the dry run took for new or updated to the refused: the document could not be written.
    pub fn refuse_after_all(&mut self, row: u64, before: &Outcome, problem: &Problem) {
        match before {
            Outcome::New => self.new -= 1,
            Outcome::Updated => self.updated -= 1,
            Outcome::Unchanged | Outcome::Duplicate { .. } | Outcome::Refused(_) => return,
        }
        self.refused += 1;
        push(
            &mut self.problems,
            &mut self.problems_left_out,
            Some(row),
            problem,
        );
    }
}

fn push(list: &mut Vec<RowProblem>, left_out: &mut u64, row: Option<u64>, problem: &Problem) {
    if list.len() >= SUMMARY_PROBLEMS_MAX {
        *left_out += 1;
        return;
    }
    list.push(RowProblem {
        row,
        column: (!problem.place.is_empty()).then(|| problem.place.clone()),
        code: problem.code.clone(),
        message: problem.message.clone(),
    });
}
