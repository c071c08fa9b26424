//! The reject file: the refused rows with the columns they came in and the reason (`design.md` 7).
//! Owns the added column; columns of persons come back empty. The corrected file is imported as it is.

use std::io::{Seek, Write};

use crate::columns::{Meaning, REASON_TITLE};
use crate::error::Error;
use crate::list::{List, ListFormat};
use crate::plan::{Outcome, Plan};
use crate::write::ListWriter;

/// Writes the refused rows and gives their number.
///
/// # Errors
/// The writer below fails.
pub fn write_rejects<W: Write + Seek + Send>(
    list: &List,
    plan: &Plan,
    format: ListFormat,
    out: W,
) -> Result<u64, Error> {
    let mut heads: Vec<&str> = list.columns.iter().map(|column| column.head.as_str()).collect();
    // A file that was sent back once has the column already.
    let reason_at = list
        .columns
        .iter()
        .position(|column| column.head == REASON_TITLE && column.meaning != Meaning::Personal)
        .unwrap_or(heads.len());
    if reason_at == heads.len() {
        heads.push(REASON_TITLE);
    }
    let mut writer = ListWriter::begin(format, out, &heads)?;
    let mut refused = 0;
    for (index, planned) in plan.rows.iter().enumerate() {
        let (Outcome::Refused(problems), Some(row)) = (&planned.outcome, list.row(index)) else {
            continue;
        };
        let reasons: Vec<String> = problems
            .iter()
            .map(|problem| match problem.place.as_str() {
                "" => format!("{}: {}", problem.code, problem.message),
                place => format!("{} ({place}): {}", problem.code, problem.message),
            })
            .collect();
        let mut cells: Vec<String> = list.shown(row).map(str::to_owned).collect();
        cells.resize(heads.len(), String::new());
        cells[reason_at] = reasons.join(" ");
        writer.row(&cells)?;
        refused += 1;
    }
    writer.finish()?;
    Ok(refused)
}
