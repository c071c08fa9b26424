//! Bringing in a list: upload, dry run, commit.
//! Owns the views; every row read is sorted into exactly one of five, and the page shows that the sum is right.

use askama::Template;

use crate::layout::{Badge, Frame, Tone};

/// The page with the upload form.
#[derive(Debug, Clone, Template)]
#[template(path = "import.html")]
pub struct ImportUpload {
    /// What stands around it.
    pub frame: Frame,
    /// Where the file is posted to, as multipart with `file`, `as`, `encoding`, `sheet`.
    pub action: String,
    /// Bytes a file may have.
    pub size_bytes_max: u64,
    /// Encodings to choose from besides "found out": `utf-8`, `gb18030`.
    pub encodings: Vec<&'static str>,
    /// What was chosen before, after a refusal.
    pub chosen: ImportChoice,
    /// Why the file was refused, in the reader's language.
    pub problem: Option<String>,
    /// Imports made before, newest first.
    pub imports: Vec<ImportRow>,
}

/// How a file is to be read, as it was chosen in the form; empty where it is to be found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportChoice {
    /// What it holds.
    pub read_as: String,
    /// Its encoding.
    pub encoding: String,
    /// The sheet.
    pub sheet: String,
}

/// An import made before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRow {
    /// Its result.
    pub href: String,
    /// Name of the file.
    pub file_name: String,
    /// When, formatted.
    pub at: String,
    /// Who.
    pub author: String,
    /// How its rows were sorted.
    pub counts: ImportCounts,
    /// Taken back later.
    pub undone: bool,
    /// Where it is taken back by post; `None` where it cannot be.
    pub undo_action: Option<String>,
}

/// How the rows of a file were sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportCounts {
    /// Rows read.
    pub rows_read: u64,
    /// Not known before.
    pub new: u64,
    /// Known, with something different.
    pub updated: u64,
    /// Known, with nothing different.
    pub unchanged: u64,
    /// The same as an earlier row of the file.
    pub duplicate: u64,
    /// Not taken, with a reason each.
    pub refused: u64,
}

impl ImportCounts {
    /// Whether every row read was sorted.
    pub fn adds_up(&self) -> bool {
        self.rows_read == self.new + self.updated + self.unchanged + self.duplicate + self.refused
    }

    /// Rows that a commit would write.
    pub fn writes(&self) -> u64 {
        self.new + self.updated
    }
}

/// The result of a dry run or of a commit.
#[derive(Debug, Clone, Template)]
#[template(path = "import_plan.html")]
pub struct ImportPlan {
    /// What stands around it.
    pub frame: Frame,
    /// Name of the file.
    pub file_name: String,
    /// SHA-256 of the file, hex.
    pub file_sha256: String,
    /// Why it was not carried out, in the reader's language.
    pub problem: Option<String>,
    /// Encoding it was read in.
    pub encoding: String,
    /// What it was read as: `organisations`, `unions`, `subsidies`, `records`.
    pub read_as: &'static str,
    /// Dry run, done, or taken back.
    pub state: ImportState,
    /// How its rows were sorted.
    pub counts: ImportCounts,
    /// Rows by scope: group or code of the reason, such as `A` or `OUT_FOR_PROFIT`.
    pub scope: Vec<(String, u64)>,
    /// Which column was read as which field; `None` for a column that is not used.
    pub columns: Vec<(String, Option<&'static str>)>,
    /// What the reader should know about the whole file, in the reader's language.
    pub warnings: Vec<String>,
    /// What is wrong with rows; the first ones only.
    pub problems: Vec<ImportProblem>,
    /// How many there are in all.
    pub problems_total: u64,
    /// Where the refused rows can be had as a workbook; `None` where there are none.
    pub rejects_href: Option<String>,
    /// Where it is carried out by post; `None` after a commit or when there is nothing to write.
    pub commit_action: Option<String>,
    /// Where it is dropped or taken back by post.
    pub undo_action: Option<String>,
}

impl ImportPlan {
    /// Its state in words.
    pub fn badge(&self) -> Badge {
        let text = self.frame.term("import_state", self.state.name());
        let tone = match self.state {
            ImportState::DryRun => Tone::Waiting,
            ImportState::Committed => Tone::Good,
            ImportState::Undone => Tone::Plain,
        };
        Badge::new(tone, text)
    }
}

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportState {
    /// Nothing is written.
    DryRun,
    /// Written, as one act.
    Committed,
    /// Written and taken back.
    Undone,
}

impl ImportState {
    /// The name its text hangs on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DryRun => "dry_run",
            Self::Committed => "committed",
            Self::Undone => "undone",
        }
    }
}

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportProblem {
    /// Row in the file, as a spreadsheet counts.
    pub row: u64,
    /// Head of the column; empty for the whole row.
    pub column: String,
    /// Stable code.
    pub code: String,
    /// The sentence with the remedy.
    pub message: String,
    /// How bad.
    pub tone: Tone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_are_rows_sorted() {
        let counts = ImportCounts {
            rows_read: 15,
            new: 5,
            updated: 4,
            unchanged: 3,
            duplicate: 2,
            refused: 1,
        };
        assert!(counts.adds_up());
        assert!(
            !ImportCounts {
                rows_read: 16,
                ..counts
            }
            .adds_up()
        );
        assert_eq!(counts.writes(), 9);
    }
}
