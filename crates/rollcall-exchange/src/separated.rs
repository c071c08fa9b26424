//! Separated text (CSV) into rows: quotes, any line ends, and the limits of `reliability.md` 4 rows 9, 10, 11, 27.
//! Owns parsing and the choice of separator; the text is already decoded. Rows are numbered as a spreadsheet
//! numbers them: a line break inside quotes does not count.

use rollcall_core::problem::Problem;

use crate::columns::is_known_head;
use crate::limit::{COLUMNS_MAX, FIELD_BYTES_MAX, ROW_BYTES_MAX, ROWS_MAX, SPREADSHEET_ROWS};
use crate::sheet::Sheet;

const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];
/// Rows in which a head is looked for.
pub(crate) const HEAD_ROWS: usize = 20;

/// Reads the whole text.
pub(crate) fn read_separated(text: &str, separator: u8) -> Result<Sheet, Problem> {
    let mut parser = Parser::new(text, separator);
    parser.run(u64::MAX)?;
    if parser.rows_seen > ROWS_MAX {
        return Err(too_many_rows(parser.rows_seen));
    }
    Ok(parser.sheet)
}

/// More rows than allowed; the very number at which spreadsheets cut is named as such.
pub(crate) fn too_many_rows(rows: u64) -> Problem {
    if SPREADSHEET_ROWS.contains(&rows) {
        return Problem::error(
            "MAYBE_CUT",
            "",
            format!(
                "The file ends exactly at the spreadsheet limit of {rows} rows; rows may be missing. Export again in parts."
            ),
        );
    }
    Problem::error(
        "FILE_TOO_BIG",
        "",
        format!(
            "The file has {rows} rows; at most {} are read at once. Split it.",
            ROWS_MAX - 1
        ),
    )
}

/// Chooses the separator by the heads: the one that gives the most known column names, or else the only one that
/// occurs in the first row that has any.
pub(crate) fn choose_separator(text: &str, is_mapped: &dyn Fn(&str) -> bool) -> Result<u8, Problem> {
    let mut scores = [(0_usize, b','); 3];
    for (slot, separator) in scores.iter_mut().zip(SEPARATORS) {
        let mut parser = Parser::new(text, separator);
        // With the wrong separator quotes may seem open; what was read before counts.
        let _whole = parser.run(HEAD_ROWS as u64);
        let best = parser
            .sheet
            .rows_from(0)
            .map(|row| {
                row.cells()
                    .filter(|cell| is_known_head(cell) || is_mapped(cell))
                    .count()
            })
            .max();
        *slot = (best.unwrap_or(0), separator);
    }
    scores.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let unsure = || {
        Problem::error(
            "SEPARATOR_UNSURE",
            "",
            "The heading holds several of comma, semicolon and tab; say which one separates the columns.",
        )
    };
    match scores {
        [(best, _), (second, _), _] if best > 0 && best == second && has_several(text) => Err(unsure()),
        [(best, separator), ..] if best > 0 => Ok(separator),
        _ => {
            let line = text
                .lines()
                .find(|line| line.bytes().any(|byte| SEPARATORS.contains(&byte)));
            let found: Vec<u8> = SEPARATORS
                .into_iter()
                .filter(|separator| line.is_some_and(|line| line.as_bytes().contains(separator)))
                .collect();
            match found[..] {
                [] => Ok(b','),
                [only] => Ok(only),
                _ => Err(unsure()),
            }
        }
    }
}

fn has_several(text: &str) -> bool {
    text.split(['\r', '\n']).take(HEAD_ROWS).any(|line| {
        SEPARATORS
            .into_iter()
            .filter(|separator| line.as_bytes().contains(separator))
            .count()
            > 1
    })
}

struct Parser<'t> {
    bytes: &'t [u8],
    text: &'t str,
    at: usize,
    separator: u8,
    rows_seen: u64,
    sheet: Sheet,
    field: String,
}

enum FieldEnd {
    Separator,
    Row,
    Text,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, separator: u8) -> Self {
        let (sheet, field) = (Sheet::of_text(), String::new());
        Self {
            bytes: text.as_bytes(),
            text,
            at: 0,
            separator,
            rows_seen: 0,
            sheet,
            field,
        }
    }

    /// Reads until the end, or until so many rows are read. Beyond the limit rows are counted and not kept.
    fn run(&mut self, rows: u64) -> Result<(), Problem> {
        while self.at < self.bytes.len() && self.rows_seen < rows {
            self.rows_seen += 1;
            let place = self.rows_seen;
            let keep = place <= ROWS_MAX;
            let row_start = self.at;
            let mut width = 0;
            loop {
                let end = self.read_field(place)?;
                width += 1;
                if width > COLUMNS_MAX {
                    return Err(Problem::error(
                        "TOO_MANY_COLUMNS",
                        format!("row {place}"),
                        format!("Row {place} has more than {COLUMNS_MAX} columns."),
                    ));
                }
                if self.at - row_start > ROW_BYTES_MAX {
                    return Err(Problem::error(
                        "ROW_TOO_LONG",
                        format!("row {place}"),
                        format!("Row {place} is longer than {ROW_BYTES_MAX} bytes."),
                    ));
                }
                if keep {
                    self.sheet.push(&self.field)?;
                }
                if !matches!(end, FieldEnd::Separator) {
                    break;
                }
            }
            if keep {
                self.sheet.end_row(place);
            }
        }
        Ok(())
    }

    /// Reads one field into `self.field` and what ends it.
    fn read_field(&mut self, place: u64) -> Result<FieldEnd, Problem> {
        self.field.clear();
        let mut too_long = false;
        if self.bytes.get(self.at) == Some(&b'"') {
            self.at += 1;
            loop {
                let Some(length) = self.bytes[self.at..].iter().position(|byte| *byte == b'"') else {
                    return Err(Problem::error(
                        "QUOTE_OPEN",
                        format!("row {place}"),
                        format!("A quotation mark opened in row {place} is never closed."),
                    ));
                };
                too_long |= self.field.len() + length > FIELD_BYTES_MAX;
                if !too_long {
                    self.field.push_str(&self.text[self.at..self.at + length]);
                }
                self.at += length + 1;
                if self.bytes.get(self.at) != Some(&b'"') {
                    break;
                }
                self.field.push('"');
                self.at += 1;
            }
        }
        let separator = self.separator;
        let length = self.bytes[self.at..]
            .iter()
            .position(|byte| *byte == separator || *byte == b'\n' || *byte == b'\r')
            .unwrap_or(self.bytes.len() - self.at);
        if too_long || self.field.len() + length > FIELD_BYTES_MAX {
            return Err(Problem::error(
                "FIELD_TOO_LONG",
                format!("row {place}"),
                format!("A cell of row {place} is longer than {FIELD_BYTES_MAX} bytes."),
            ));
        }
        self.field.push_str(&self.text[self.at..self.at + length]);
        self.at += length;
        match self.bytes.get(self.at) {
            None => Ok(FieldEnd::Text),
            Some(byte) if *byte == separator => {
                self.at += 1;
                Ok(FieldEnd::Separator)
            }
            Some(byte) => {
                let pair = *byte == b'\r' && self.bytes.get(self.at + 1) == Some(&b'\n');
                self.at += if pair { 2 } else { 1 };
                Ok(FieldEnd::Row)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(u64, Vec<String>)> {
        let sheet = read_separated(text, b',').expect("readable");
        sheet
            .rows_from(0)
            .map(|row| (row.place(), row.cells().map(str::to_owned).collect()))
            .collect()
    }

    fn row(place: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (place, cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn quotes_line_ends_and_blank_lines_are_read() {
        assert_eq!(
            rows("a,b\r\n\r\n\"x, \"\"y\"\"\nz\",2\rq,\n,,\nlast,1"),
            [
                row(1, &["a", "b"]),
                row(3, &["x, \"y\"\nz", "2"]),
                row(4, &["q", ""]),
                row(6, &["last", "1"])
            ]
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_row() {
        let wide = ",".repeat(1000);
        for (text, code, place) in [
            ("a\nb,\"c\nd".to_owned(), "QUOTE_OPEN", "row 2"),
            (format!("a\n{}", "x".repeat(33_000)), "FIELD_TOO_LONG", "row 2"),
            (
                format!("a\n\"{}\"", "x".repeat(33_000)),
                "FIELD_TOO_LONG",
                "row 2",
            ),
            (
                format!("a\n{}", "x,".repeat(10).replace('x', &"x".repeat(30_000))),
                "ROW_TOO_LONG",
                "row 2",
            ),
            (format!("a\n{wide}"), "TOO_MANY_COLUMNS", "row 2"),
            ("a\n".repeat(200_002), "FILE_TOO_BIG", ""),
            ("a\n".repeat(1_048_576), "MAYBE_CUT", ""),
        ] {
            let problem = read_separated(&text, b',').expect_err(code);
            assert_eq!((problem.code.as_str(), problem.place.as_str()), (code, place));
        }
    }

    #[test]
    fn the_separator_is_the_one_that_gives_known_heads() {
        for (text, separator) in [
            ("名称,地址\nx;y,z", Some(b',')),
            ("名称;地址\nx,y;z", Some(b';')),
            ("某某区名单,2023;2024\n名称\t地址", Some(b'\t')),
            ("名称\n甲", Some(b',')),
            ("名称;地址,城市\na;b,c", None),
        ] {
            assert_eq!(choose_separator(text, &|_| false).ok(), separator, "{text}");
        }
    }
}
