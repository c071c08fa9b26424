//! The dry run: sorts every row of a list into new, updated, unchanged, duplicate or refused, with reason and place.
//! Owns duplicates within the file and the sum (rows read = rows sorted, always); what is held already, and who may
//! write where, is asked from the caller. Rows are read again where they are needed, so that a plan stays small.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};

use rollcall_core::campaign::Settings;
use rollcall_core::date::Day;
use rollcall_core::id::DocumentId;
use rollcall_core::problem::{Problem, Severity};
use rollcall_core::record::{Dated, Record};

use crate::candidate::{CandidateRow, ReadRow, RowReader};
use crate::clean::normalise;
use crate::list::List;
use crate::summary::ImportSummary;

/// What the dry run needs to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSettings {
    /// Name of the import, for undoing it.
    pub import_id: String,
    /// The day of the import, China Standard Time.
    pub today: Day,
    /// Date of figures in a list that does not date them.
    pub counts_on: Option<Day>,
    /// Division of whoever reads the list: settles addresses that name only a district.
    pub area: Option<u32>,
    /// The campaign's switches, for the scope.
    pub campaign: Settings,
}

/// What the caller knows about the document of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// Not held yet.
    New,
    /// Held, and the row says nothing else.
    Unchanged,
    /// Held, and the row changes it.
    Updated,
    /// May not be written here, or contradicts what may not change.
    Refused(Problem),
}

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Makes a document.
    New,
    /// Changes one.
    Updated,
    /// Changes nothing.
    Unchanged,
    /// Says the same as an earlier row of the file.
    Duplicate {
        /// That row.
        of: u64,
    },
    /// Set aside, for every one of these reasons.
    Refused(Vec<Problem>),
}

/// A sorted row.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRow {
    /// Row number as a spreadsheet shows it.
    pub row: u64,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// All rows of a list, sorted.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In the order of the file, as many as were read.
    pub rows: Vec<PlannedRow>,
    /// The answer of `import`.
    pub summary: ImportSummary,
    settings: PlanSettings,
}

/// First row of a document in the file.
struct First {
    index: usize,
    row: u64,
    /// Computed once the document occurs a second time.
    content: Option<u64>,
    differs: bool,
}

/// Sorts every row. `lookup` is asked once for each row that is neither refused nor a duplicate, in order.
pub fn plan(list: &List, settings: PlanSettings, lookup: &mut dyn FnMut(&CandidateRow) -> Known) -> Plan {
    let firsts = find_firsts(list, &settings);
    let mut summary = ImportSummary::begin(
        &settings.import_id,
        &list.file_sha256,
        list.encoding,
        list.kind.name(),
    );
    for problem in &list.warnings {
        summary.warn(None, problem);
    }
    let mut rows = Vec::with_capacity(list.rows_read() as usize);
    let reader = RowReader::new(list, &settings);
    for (index, row) in list.rows().enumerate() {
        let place = row.place();
        let (scope, outcome, problems) = match reader.read(row) {
            ReadRow::Refused { scope, problems } => (scope, Outcome::Refused(problems), Vec::new()),
            ReadRow::Candidate(candidate) => {
                let outcome = match firsts.get(&candidate.id) {
                    Some(first) if first.differs => Outcome::Refused(vec![differs(first.row)]),
                    Some(first) if first.index != index => Outcome::Duplicate { of: first.row },
                    _ => match lookup(&candidate) {
                        Known::New => Outcome::New,
                        Known::Unchanged => Outcome::Unchanged,
                        Known::Updated => Outcome::Updated,
                        Known::Refused(problem) => Outcome::Refused(vec![problem]),
                    },
                };
                (candidate.scope, outcome, candidate.problems)
            }
        };
        for problem in &problems {
            assert!(problem.severity != Severity::Error, "an error refuses the row");
            summary.warn(Some(place), problem);
        }
        summary.count(place, scope.name(), &outcome);
        rows.push(PlannedRow { row: place, outcome });
    }
    Plan {
        rows,
        summary,
        settings,
    }
}

impl Plan {
    /// The rows that make or change a document, read again from the list, in order.
    pub fn candidates<'p>(&'p self, list: &'p List) -> impl Iterator<Item = CandidateRow> + 'p {
        let reader = RowReader::new(list, &self.settings);
        self.rows.iter().enumerate().filter_map(move |(index, planned)| {
            if !matches!(planned.outcome, Outcome::New | Outcome::Updated) {
                return None;
            }
            match reader.read(list.row(index)?) {
                ReadRow::Candidate(candidate) => Some(*candidate),
                ReadRow::Refused { .. } => None,
            }
        })
    }
}

fn differs(first: u64) -> Problem {
    Problem::error(
        "DUPLICATE_DIFFERS",
        "",
        format!(
            "The file has this organisation several times with different content, first in row {first}; keep one."
        ),
    )
}

fn find_firsts(list: &List, settings: &PlanSettings) -> HashMap<DocumentId, First> {
    let mut firsts: HashMap<DocumentId, First> = HashMap::new();
    let reader = RowReader::new(list, settings);
    for (index, row) in list.rows().enumerate() {
        let ReadRow::Candidate(candidate) = reader.read(row) else {
            continue;
        };
        match firsts.entry(candidate.id) {
            Entry::Vacant(entry) => {
                entry.insert(First {
                    index,
                    row: candidate.row,
                    content: None,
                    differs: false,
                });
            }
            Entry::Occupied(entry) => {
                let first = entry.into_mut();
                let content = first
                    .content
                    .or_else(|| match reader.read(list.row(first.index)?) {
                        ReadRow::Candidate(candidate) => Some(content_of(candidate.record)),
                        ReadRow::Refused { .. } => None,
                    });
                first.content = content;
                first.differs |= content != Some(content_of(candidate.record));
            }
        }
    }
    firsts
}

/// A number that equal rows share: names and addresses count in normalised form.
fn content_of(mut record: Record) -> u64 {
    let texts = match &mut record {
        Record::Organisation(record) => {
            let name = match record.name.take() {
                Some(Dated::Scalar(name)) => Some(name),
                _ => None,
            };
            [name, record.address.take()]
        }
        Record::Union(record) => [record.name.take(), None],
        _ => [None, None],
    };
    let mut writer = HashWriter(DefaultHasher::new());
    serde_json::to_writer(&mut writer, &record)
        .expect("a record is plain data and the hasher takes every byte");
    for text in texts.iter().flatten() {
        writer.0.write(normalise(text).as_bytes());
        writer.0.write_u8(0xff);
    }
    writer.0.finish()
}

struct HashWriter(DefaultHasher);

impl Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
