//! Rows of text cells with their place in the file, packed into one buffer.
//! Owns storage and its limits; does not know where the rows come from nor what they mean.

use std::collections::BTreeMap;

use rollcall_core::problem::Problem;

use crate::limit::{CELLS_MAX, TEXT_BYTES_MAX};

/// Why a cell of a workbook has no usable value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A formula that was never computed.
    FormulaWithoutValue,
    /// `#REF!` and the like.
    ErrorValue,
}

/// A table as read.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<u32>,
    rows: Vec<RowSpan>,
    /// First cell of the row that is being filled.
    open: u32,
    marks: BTreeMap<u32, Mark>,
    /// Whether a missing cell at the end of a row is a fault, as in separated text.
    pub(crate) exact_width: bool,
    /// Whether serial dates count from 1904.
    pub(crate) epoch_1904: bool,
}

#[derive(Debug, Clone, Copy)]
struct RowSpan {
    place: u32,
    first: u32,
    end: u32,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'s> {
    sheet: &'s Sheet,
    span: RowSpan,
}

impl Sheet {
    /// A table of separated text, in which every row has all cells.
    pub(crate) fn of_text() -> Self {
        Self {
            exact_width: true,
            ..Self::default()
        }
    }

    /// A sheet of a workbook with its system of serial dates.
    pub(crate) fn of_workbook(epoch_1904: bool) -> Self {
        Self {
            epoch_1904,
            ..Self::default()
        }
    }

    /// Adds a cell to the open row.
    pub(crate) fn push(&mut self, cell: &str) -> Result<(), Problem> {
        if self.ends.len() >= CELLS_MAX || self.text.len() + cell.len() > TEXT_BYTES_MAX {
            return Err(Problem::error(
                "FILE_TOO_BIG",
                "",
                format!(
                    "The table holds more than {CELLS_MAX} cells or {TEXT_BYTES_MAX} bytes of text; split it."
                ),
            ));
        }
        self.text.push_str(cell);
        self.ends
            .push(u32::try_from(self.text.len()).expect("the text is limited to far less"));
        Ok(())
    }

    /// Marks the cell added last.
    pub(crate) fn mark(&mut self, mark: Mark) {
        if let Some(last) = self.ends.len().checked_sub(1) {
            self.marks.insert(last as u32, mark);
        }
    }

    /// Ends the open row; one without any text or mark is dropped.
    pub(crate) fn end_row(&mut self, place: u64) {
        let span = RowSpan {
            place: u32::try_from(place).unwrap_or(u32::MAX),
            first: self.open,
            end: self.ends.len() as u32,
        };
        let row = Row { sheet: self, span };
        if row.is_blank() {
            self.ends.truncate(self.open as usize);
            self.text.truncate(self.start(self.open));
        } else {
            self.rows.push(span);
            self.open = span.end;
        }
    }

    /// Rows that are not blank.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row of this index, if there is one.
    pub(crate) fn row(&self, index: usize) -> Option<Row<'_>> {
        self.rows.get(index).map(|span| Row {
            sheet: self,
            span: *span,
        })
    }

    /// All rows from this index on.
    pub(crate) fn rows_from(&self, index: usize) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().skip(index).map(|span| Row {
            sheet: self,
            span: *span,
        })
    }

    fn start(&self, cell: u32) -> usize {
        cell.checked_sub(1)
            .map_or(0, |before| self.ends[before as usize] as usize)
    }
}

impl<'s> Row<'s> {
    /// Row number as a spreadsheet shows it, from 1.
    pub(crate) fn place(&self) -> u64 {
        u64::from(self.span.place)
    }

    /// Cells in the row.
    pub(crate) fn width(&self) -> usize {
        (self.span.end - self.span.first) as usize
    }

    /// The text of a cell; blank where the row is shorter.
    pub(crate) fn cell(&self, column: usize) -> &'s str {
        if column >= self.width() {
            return "";
        }
        let cell = self.span.first + column as u32;
        &self.sheet.text[self.sheet.start(cell)..self.sheet.ends[cell as usize] as usize]
    }

    /// Why the cell has no value, if it has none.
    pub(crate) fn mark(&self, column: usize) -> Option<Mark> {
        if self.sheet.marks.is_empty() || column >= self.width() {
            return None;
        }
        self.sheet.marks.get(&(self.span.first + column as u32)).copied()
    }

    /// All cells.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &'s str> {
        let row = *self;
        (0..row.width()).map(move |column| row.cell(column))
    }

    /// Whether there is neither text nor a mark in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.cells().all(|cell| cell.trim().is_empty())
            && (0..self.width()).all(|column| self.mark(column).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_rows_leave_no_trace_and_places_stay() {
        let mut sheet = Sheet::default();
        for (place, cells) in [(1, vec!["a", "b"]), (2, vec!["", " "]), (4, vec!["", "c"])] {
            for cell in cells {
                sheet.push(cell).expect("small");
            }
            sheet.end_row(place);
        }
        let rows: Vec<(u64, Vec<&str>)> = sheet
            .rows_from(0)
            .map(|row| (row.place(), row.cells().collect()))
            .collect();
        assert_eq!(rows, [(1, vec!["a", "b"]), (4, vec!["", "c"])]);
        assert_eq!(sheet.row(1).expect("two rows").cell(7), "");
    }
}
