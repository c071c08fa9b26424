//! Lists in and out: CSV, XLSX, GB18030 and records.
//!
//! Refuses to know: stores, Automerge, accounts and clocks. A caller hands in bytes, says what it holds already and
//! gets back what would become of every row. Read in this order: from bytes to rows, from rows to records, from
//! records to outcomes, and out again.

pub mod limit;

mod archive;
mod file_type;
mod separated;
mod sheet;
mod sniff;
mod workbook;

mod columns;
mod header;
mod list;

mod clean;
mod code_cell;
mod count_cell;
mod date_cell;
mod place;
mod word;

mod candidate;
mod entered;
mod plan;
mod row_value;
mod summary;

mod export;
mod records;
mod report;
mod write;

mod error;

pub use candidate::{CandidateRow, RowKey, ScopeTag};
pub use clean::holds_personal_number;
pub use columns::{Column, Field, Meaning};
pub use entered::{read_count, read_date};
pub use error::Error;
pub use export::{organisation_cells, organisation_heads, union_cells, union_heads};
pub use list::{List, ListFormat, ListKind, ReadOptions, read_list};
pub use plan::{Known, Outcome, Plan, PlanSettings, PlannedRow, plan};
pub use records::{RecordLine, RecordReader, RecordWriter};
pub use report::write_rejects;
pub use summary::{ImportSummary, RowProblem};
pub use write::ListWriter;
