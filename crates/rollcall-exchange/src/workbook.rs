//! An XLSX sheet into rows of text cells, streaming (`reliability.md` 4, rows 36 to 42 and 51).
//! Owns the choice of the sheet and what a typed cell reads as; the archive was looked through by `archive` before.
//! Never asks the reader for a whole range: two far cells make it allocate everything between them.

use std::io::Cursor;
use std::panic::catch_unwind;

use calamine::{DataRef, Dimensions, Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use rollcall_core::problem::Problem;

use crate::archive;
use crate::date_cell::date_of_serial;
use crate::limit::{COLUMNS_MAX, FIELD_BYTES_MAX, ROWS_BLANK_MAX, ROWS_MAX};
use crate::separated::too_many_rows;
use crate::sheet::{Mark, Sheet};

type Workbook<'b> = Xlsx<Cursor<&'b [u8]>>;

/// A sheet and its merged regions: first row, last row (as a spreadsheet numbers them).
pub(crate) struct SheetRead {
    pub(crate) sheet: Sheet,
    pub(crate) merged_rows: Vec<(u64, u64)>,
}

/// Reads one sheet of a workbook. The library computes places of cells unchecked: where that overflows it stops, which
/// is caught and told like any other damage.
pub(crate) fn read_workbook(bytes: &[u8], asked: Option<&str>) -> Result<SheetRead, Problem> {
    catch_unwind(|| read(bytes, asked))
        .unwrap_or_else(|_| Err(unreadable("a value in it is none that a sheet can hold")))
}

fn read(bytes: &[u8], asked: Option<&str>) -> Result<SheetRead, Problem> {
    let inspection = archive::inspect(bytes)?;
    let mut workbook: Workbook<'_> = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
    let name = choose_sheet(&mut workbook, asked)?;
    let sheet = read_sheet(&mut workbook, &name)?;
    let merged: Vec<Dimensions> = if inspection.has_merged_cells {
        workbook.merge_cells_by_sheet_name(&name).map_err(damaged)?
    } else {
        Vec::new()
    };
    let merged_rows = merged
        .iter()
        .map(|region| (u64::from(region.start.0) + 1, u64::from(region.end.0) + 1))
        .collect();
    Ok(SheetRead { sheet, merged_rows })
}

fn damaged(error: XlsxError) -> Problem {
    if matches!(error, XlsxError::Password) {
        return crate::file_type::encrypted_file();
    }
    unreadable(&error.to_string())
}

fn unreadable(why: &str) -> Problem {
    let message = format!("The workbook cannot be read ({why}). Open it and save it again.");
    Problem::error("FILE_DAMAGED", "", message)
}

/// The sheet asked for, or the only one that holds anything.
fn choose_sheet(workbook: &mut Workbook<'_>, asked: Option<&str>) -> Result<String, Problem> {
    let sheets: Vec<(String, bool)> = workbook
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet)
        .map(|sheet| (sheet.name.clone(), sheet.visible != SheetVisible::Visible))
        .collect();
    let choose = |among: &[(String, bool)]| {
        let names: Vec<String> = among
            .iter()
            .map(|(name, hidden)| {
                if *hidden {
                    format!("{name} (hidden)")
                } else {
                    name.clone()
                }
            })
            .collect();
        Problem::error(
            "SHEET_CHOOSE",
            "",
            format!(
                "The workbook has several sheets; say which: {}.",
                names.join(", ")
            ),
        )
    };
    if let Some(asked) = asked {
        return match sheets.iter().find(|(name, _)| name.trim() == asked.trim()) {
            Some((name, _)) => Ok(name.clone()),
            None => {
                let names: Vec<String> = sheets.iter().map(|(name, _)| name.replace('"', "'")).collect();
                let message = format!(
                    "There is no such sheet; the workbook has \"{}\".",
                    names.join(", ")
                );
                Err(Problem::error("SHEET_UNKNOWN", "", message))
            }
        };
    }
    let mut filled = Vec::new();
    for (name, hidden) in sheets {
        let mut cells = workbook.worksheet_cells_reader(&name).map_err(damaged)?;
        while let Some(cell) = cells.next_cell().map_err(damaged)? {
            if !matches!(cell.get_value(), DataRef::Empty) {
                filled.push((name, hidden));
                break;
            }
        }
    }
    match &filled[..] {
        [] => Err(Problem::error(
            "FILE_EMPTY",
            "",
            "No sheet of the workbook has any content.",
        )),
        [(only, _)] => Ok(only.clone()),
        several => Err(choose(several)),
    }
}

fn read_sheet(workbook: &mut Workbook<'_>, name: &str) -> Result<Sheet, Problem> {
    let epoch_1904 = workbook.has_1904_epoch();
    let mut sheet = Sheet::of_workbook(epoch_1904);
    let mut cells = workbook.worksheet_cells_reader(name).map_err(damaged)?;
    let mut text = String::new();
    // Row and number of cells of the row that is being filled.
    let mut open: Option<(u64, usize)> = None;
    let mut rows_end = 0;
    while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(damaged)? {
        let (place, column) = (u64::from(cell.pos.0) + 1, cell.pos.1 as usize);
        let mark = match (&cell.value, &cell.formula) {
            (DataRef::Empty, None) => continue,
            (DataRef::Empty, Some(_)) => Some(Mark::FormulaWithoutValue),
            (DataRef::Error(_), _) => Some(Mark::ErrorValue),
            _ => None,
        };
        if column >= COLUMNS_MAX {
            return Err(too_wide(place, column));
        }
        let width = match open {
            Some((row, width)) if row == place && column >= width => width,
            Some((row, _)) if row >= place => {
                return Err(Problem::error(
                    "FILE_DAMAGED",
                    format!("row {place}"),
                    "The cells of the sheet are not in order. Open the workbook and save it again.",
                ));
            }
            before => {
                let last = before.map_or(0, |(row, _)| row);
                if last > 0 && place - last > ROWS_BLANK_MAX {
                    return Err(too_wide(place, column));
                }
                if last > 0 && last <= ROWS_MAX {
                    sheet.end_row(last);
                }
                0
            }
        };
        rows_end = place;
        open = Some((place, column + 1));
        if place > ROWS_MAX {
            continue;
        }
        for _ in width..column {
            sheet.push("")?;
        }
        text.clear();
        write_value(&cell.value, epoch_1904, &mut text);
        if text.len() > FIELD_BYTES_MAX {
            return Err(Problem::error(
                "FIELD_TOO_LONG",
                format!("row {place}"),
                format!("A cell of row {place} is longer than {FIELD_BYTES_MAX} bytes."),
            ));
        }
        sheet.push(&text)?;
        if let Some(mark) = mark {
            sheet.mark(mark);
        }
    }
    if rows_end > ROWS_MAX {
        return Err(too_many_rows(rows_end));
    }
    if rows_end > 0 {
        sheet.end_row(rows_end);
    }
    Ok(sheet)
}

fn too_wide(place: u64, column: usize) -> Problem {
    Problem::error(
        "SHEET_TOO_WIDE",
        format!("row {place}"),
        format!(
            "There is a cell far from the others (row {place}, column {}). Delete it or copy the list into a new sheet.",
            column + 1
        ),
    )
}

fn write_value(value: &DataRef<'_>, epoch_1904: bool, text: &mut String) {
    match value {
        DataRef::Empty => {}
        DataRef::String(value) => text.push_str(value),
        DataRef::SharedString(value) => text.push_str(value),
        DataRef::Int(value) => write_number(*value as f64, text),
        DataRef::Float(value) => write_number(*value, text),
        DataRef::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        DataRef::DateTime(moment) if !moment.is_duration() && moment.as_f64() >= 1.0 => {
            text.push_str(&date_of_serial(moment.as_f64().trunc() as i64, epoch_1904));
        }
        DataRef::DateTime(moment) => write_number(moment.as_f64(), text),
        DataRef::DateTimeIso(value) | DataRef::DurationIso(value) => text.push_str(value),
        DataRef::Error(error) => text.push_str(&error.to_string()),
    }
}

/// A number of more than 15 digits has lost the others already; it is shown so that nobody takes it for an id.
fn write_number(value: f64, text: &mut String) {
    if value.abs() >= 1e15 {
        text.push_str(&format!("{value:E}"));
    } else {
        text.push_str(&value.to_string());
    }
}
