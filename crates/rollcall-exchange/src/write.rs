//! Lists out: a workbook with nothing but text cells, or CSV that no spreadsheet computes
//! (`reliability.md` 4 row 28, 5.2). Streams: a million rows in constant memory.

use std::io::{Seek, Write};

use rust_xlsxwriter::Workbook;

use crate::clean::is_formula_like;
use crate::error::Error;
use crate::limit::SPREADSHEET_ROWS;
use crate::list::ListFormat;

/// Writes one list, row by row.
pub struct ListWriter<W: Write + Seek + Send> {
    body: Body<W>,
}

enum Body<W: Write + Seek + Send> {
    Csv(Box<csv::Writer<W>>),
    Xlsx {
        workbook: Box<Workbook>,
        out: W,
        next_row: u32,
    },
}

impl<W: Write + Seek + Send> std::fmt::Debug for ListWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let format = match self.body {
            Body::Csv(_) => ListFormat::Csv,
            Body::Xlsx { .. } => ListFormat::Xlsx,
        };
        f.debug_struct("ListWriter")
            .field("format", &format)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Seek + Send> ListWriter<W> {
    /// Begins a list with its head row. CSV is UTF-8 with an order mark, so that spreadsheets read it rightly.
    ///
    /// # Errors
    /// The writer below fails.
    pub fn begin(format: ListFormat, mut out: W, heads: &[&str]) -> Result<Self, Error> {
        let body = match format {
            ListFormat::Csv => {
                out.write_all("\u{feff}".as_bytes())?;
                Body::Csv(Box::new(
                    csv::WriterBuilder::new()
                        .terminator(csv::Terminator::CRLF)
                        .from_writer(out),
                ))
            }
            ListFormat::Xlsx => {
                let mut workbook = Box::new(Workbook::new());
                workbook
                    .add_worksheet_with_constant_memory()?
                    .set_freeze_panes(1, 0)?;
                Body::Xlsx {
                    workbook,
                    out,
                    next_row: 0,
                }
            }
        };
        let mut writer = Self { body };
        writer.row(heads)?;
        Ok(writer)
    }

    /// Adds a row; every cell is text.
    ///
    /// # Errors
    /// The writer below fails, or the sheet is full.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[S]) -> Result<(), Error> {
        match &mut self.body {
            Body::Csv(writer) => {
                for cell in cells {
                    let cell = cell.as_ref();
                    if needs_guard(cell) {
                        writer.write_field(format!("'{cell}"))?;
                    } else {
                        writer.write_field(cell)?;
                    }
                }
                writer.write_record(None::<&[u8]>)?;
            }
            Body::Xlsx {
                workbook, next_row, ..
            } => {
                if u64::from(*next_row) >= SPREADSHEET_ROWS[1] {
                    return Err(Error::TooManyRows);
                }
                let sheet = workbook.worksheet_from_index(0)?;
                for (column, cell) in cells.iter().enumerate() {
                    let column = u16::try_from(column).map_err(|_| Error::TooManyRows)?;
                    if !cell.as_ref().is_empty() {
                        sheet.write_string(*next_row, column, cell.as_ref())?;
                    }
                }
                *next_row += 1;
            }
        }
        Ok(())
    }

    /// Ends the list and gives back what it was written to.
    ///
    /// # Errors
    /// The writer below fails.
    pub fn finish(self) -> Result<W, Error> {
        match self.body {
            Body::Csv(writer) => writer.into_inner().map_err(|error| Error::Io(error.into_error())),
            Body::Xlsx {
                mut workbook,
                mut out,
                ..
            } => {
                workbook.save_to_writer(&mut out)?;
                out.flush()?;
                Ok(out)
            }
        }
    }
}

/// A lone negative number is no formula.
fn needs_guard(cell: &str) -> bool {
    is_formula_like(cell)
        && !cell.strip_prefix('-').is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
}
