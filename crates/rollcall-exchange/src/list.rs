//! A list as read: rows of text, where each comes from, and what its columns mean.
//! Owns the steps from bytes to rows; what a row says is for `candidate`, what becomes of it for `plan`.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::problem::Problem;
use sha2::{Digest, Sha256};

use crate::candidate::is_kept;
use crate::columns::{Column, Field, Meaning, assign, missing, normalise_head};
use crate::date_cell::{DayOrder, day_order};
use crate::file_type::{FileType, file_type};
use crate::header::find_header;
use crate::limit::SPREADSHEET_ROWS;
use crate::place::Places;
use crate::separated::{choose_separator, read_separated};
use crate::sheet::{Row, Sheet};
use crate::sniff::decode;
use crate::workbook::read_workbook;

/// What a list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// Employers.
    Organisations,
    /// Grassroots unions.
    Unions,
}

impl ListKind {
    /// The name in `--as` and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organisations => "organisations",
            Self::Unions => "unions",
        }
    }
}

/// The two forms of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFormat {
    /// Separated text.
    Csv,
    /// A workbook.
    Xlsx,
}

/// What somebody said about the file. The default leaves everything to be found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Encoding of a text without an order mark.
    pub encoding: Option<String>,
    /// Sheet of a workbook.
    pub sheet: Option<String>,
    /// Column and field, `--map COLUMN=FIELD`.
    pub map: Vec<(String, String)>,
    /// What the list is about.
    pub as_kind: Option<ListKind>,
    /// Separator of a text.
    pub separator: Option<char>,
    /// Control total: how many rows there must be.
    pub rows_expected: Option<u64>,
    /// Whether 03/04/2026 is in April.
    pub day_first: Option<bool>,
}

/// A list as read.
#[derive(Debug)]
pub struct List {
    /// Name of the file, as given.
    pub file_name: String,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub file_sha256: String,
    /// Encoding of the text; `UTF-8` for a workbook.
    pub encoding: &'static str,
    /// Separated text or workbook.
    pub format: ListFormat,
    /// What it is about.
    pub kind: ListKind,
    /// Columns in order.
    pub columns: Vec<Column>,
    /// What is to be known about the file as a whole.
    pub warnings: Vec<Problem>,
    pub(crate) sheet: Sheet,
    /// Index of the first row below the head.
    pub(crate) first: usize,
    /// By column.
    pub(crate) day_orders: Vec<Option<DayOrder>>,
    pub(crate) places: Places,
}

/// Reads a list from the bytes of a file.
///
/// # Errors
/// The reason why nothing of the file is read, with a code of `reliability.md` 4.
pub fn read_list(bytes: &[u8], file_name: &str, options: &ReadOptions) -> Result<List, Problem> {
    let file_type = file_type(bytes, file_name)?;
    let (sheet, merged_rows, encoding, format) = match file_type {
        FileType::Archive => {
            let read = read_workbook(bytes, options.sheet.as_deref())?;
            (read.sheet, read.merged_rows, "UTF-8", ListFormat::Xlsx)
        }
        FileType::Text => {
            let (text, encoding) = decode(bytes, options.encoding.as_deref())?;
            (read_text(&text, options)?, Vec::new(), encoding, ListFormat::Csv)
        }
    };
    let header = find_header(&sheet, &options.map)?;
    let first = header + 1;
    let head_row = sheet.row(header).expect("the head row was found in the sheet");
    if let Some((from, to)) = merged_rows.iter().find(|(_, to)| *to > head_row.place()) {
        return Err(Problem::error(
            "MERGED_CELLS",
            format!("row {to}"),
            format!("Cells are merged over rows {from} to {to} of the data. Split them and fill every row."),
        ));
    }
    check_totals(&sheet, first, options)?;
    let heads: Vec<&str> = head_row.cells().collect();
    let (columns, mut warnings) = assign(&heads, &options.map)?;
    if !columns
        .iter()
        .any(|column| column.meaning == Meaning::Field(Field::Name))
    {
        return Err(missing(Field::Name.title(), &heads));
    }
    let kind = options
        .as_kind
        .unwrap_or_else(|| guess_kind(&sheet, first, &columns));
    for column in &columns {
        if let Meaning::Field(field) = column.meaning
            && !is_kept(kind, field)
        {
            let message = format!(
                "The column {:?} is left out: a list of {} has no such field.",
                column.head,
                kind.name()
            );
            warnings.push(Problem::warning("COLUMN_UNKNOWN", column.head.as_str(), message));
        }
    }
    let day_orders = settle_day_orders(&sheet, first, &columns, options)?;
    Ok(List {
        file_name: file_name.to_owned(),
        file_sha256: Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        encoding,
        format,
        kind,
        columns,
        warnings,
        sheet,
        first,
        day_orders,
        places: Places::default(),
    })
}

fn read_text(text: &str, options: &ReadOptions) -> Result<Sheet, Problem> {
    let is_mapped = |cell: &str| {
        let cell = normalise_head(cell);
        options
            .map
            .iter()
            .any(|(column, _)| normalise_head(column) == cell)
    };
    let separator = match options.separator {
        Some(separator) if separator.is_ascii() && !matches!(separator, '"' | '\r' | '\n') => separator as u8,
        Some(separator) => {
            return Err(Problem::error(
                "SEPARATOR_UNSURE",
                "",
                format!("{separator:?} cannot separate columns."),
            ));
        }
        None => choose_separator(text, &is_mapped)?,
    };
    read_separated(text, separator)
}

/// Rows 12 and 13 of `reliability.md` 4: a file that ends where spreadsheets cut, and the control total.
fn check_totals(sheet: &Sheet, first: usize, options: &ReadOptions) -> Result<(), Problem> {
    let rows = (sheet.len() - first) as u64;
    let last = sheet.row(sheet.len() - 1).map_or(0, |row| row.place());
    match options.rows_expected {
        Some(expected) if expected != rows => Err(Problem::error(
            "CONTROL_TOTAL",
            "",
            format!("{expected} rows were announced, the file has {rows}."),
        )),
        None if SPREADSHEET_ROWS.contains(&last) => Err(Problem::error(
            "MAYBE_CUT",
            format!("row {last}"),
            format!(
                "The file ends exactly at the spreadsheet limit of {last} rows; rows may be missing. State how many there must be."
            ),
        )),
        _ => Ok(()),
    }
}

/// Mostly union codes make a list of unions; a list without codes is one if its heads say so.
fn guess_kind(sheet: &Sheet, first: usize, columns: &[Column]) -> ListKind {
    let position = |field| {
        columns
            .iter()
            .position(|column| column.meaning == Meaning::Field(field))
    };
    let is_union = match position(Field::Code) {
        Some(code) => {
            let codes = sheet
                .rows_from(first)
                .filter_map(|row| CreditCode::parse(row.cell(code)).ok());
            let (unions, all) = codes.fold((0_usize, 0_usize), |(unions, all), code| {
                (unions + usize::from(code.prefix().starts_with('8')), all + 1)
            });
            unions * 2 > all
        }
        None => position(Field::Name).is_some_and(|name| {
            let head = normalise_head(&columns[name].head);
            head.contains("工会") || head == "union name"
        }),
    };
    if is_union {
        ListKind::Unions
    } else {
        ListKind::Organisations
    }
}

fn settle_day_orders(
    sheet: &Sheet,
    first: usize,
    columns: &[Column],
    options: &ReadOptions,
) -> Result<Vec<Option<DayOrder>>, Problem> {
    let chosen = options.day_first.map(|day_first| {
        if day_first {
            DayOrder::DayFirst
        } else {
            DayOrder::MonthFirst
        }
    });
    let settle = |(index, column): (usize, &Column)| {
        if !matches!(
            column.meaning,
            Meaning::Field(Field::RegisteredOn | Field::StatusOn | Field::CountedOn)
        ) {
            return Ok(None);
        }
        match day_order(sheet.rows_from(first).map(|row| row.cell(index))) {
            _ if chosen.is_some() => Ok(chosen),
            Ok(order) => Ok(order),
            Err(cell) => Err(Problem::error(
                "DATE_AMBIGUOUS",
                column.head.as_str(),
                format!(
                    "{cell} may be read with the day or the month first; choose once for the column {:?}.",
                    column.head
                ),
            )),
        }
    };
    columns.iter().enumerate().map(settle).collect()
}

impl List {
    /// Rows below the head that hold anything.
    pub fn rows_read(&self) -> u64 {
        (self.sheet.len() - self.first) as u64
    }

    /// The first rows with their place, for a preview; columns of persons stay empty.
    pub fn sample(&self, rows: usize) -> Vec<(u64, Vec<String>)> {
        self.rows()
            .take(rows)
            .map(|row| (row.place(), self.shown(row).map(str::to_owned).collect()))
            .collect()
    }

    /// Whether a field has a column.
    pub fn has(&self, field: Field) -> bool {
        self.position(field).is_some()
    }

    pub(crate) fn position(&self, field: Field) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.meaning == Meaning::Field(field))
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.sheet.rows_from(self.first)
    }

    pub(crate) fn row(&self, index: usize) -> Option<Row<'_>> {
        self.sheet.row(self.first + index)
    }

    /// The cells of a row without those of persons.
    pub(crate) fn shown<'s>(&'s self, row: Row<'s>) -> impl Iterator<Item = &'s str> {
        self.columns
            .iter()
            .enumerate()
            .map(move |(index, column)| match column.meaning {
                Meaning::Personal => "",
                Meaning::Field(_) | Meaning::Unknown => row.cell(index),
            })
    }
}
