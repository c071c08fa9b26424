//! Finds the row that names the columns, below title rows if there are any (`domain.md` 14).
//! Owns the search; what the heads mean is for `columns`.

use rollcall_core::problem::Problem;

use crate::columns::{is_known_head, normalise_head};
use crate::separated::HEAD_ROWS;
use crate::sheet::Sheet;

/// Index of the head row: the first of the rows with the most known heads.
pub(crate) fn find_header(sheet: &Sheet, map: &[(String, String)]) -> Result<usize, Problem> {
    let mapped: Vec<String> = map.iter().map(|(column, _)| normalise_head(column)).collect();
    let mut best = (0, 0);
    for (index, row) in sheet.rows_from(0).take(HEAD_ROWS).enumerate() {
        let known = row
            .cells()
            .filter(|cell| is_known_head(cell) || mapped.contains(&normalise_head(cell)))
            .count();
        if known > best.0 {
            best = (known, index);
        }
    }
    if best.0 == 0 {
        return Err(Problem::error(
            "NO_HEADER",
            "row 1",
            format!(
                "Row 1 should hold the column names, such as 名称, 统一社会信用代码, 住所; it holds {}. \
                 Where these are names, say what they mean with --map COLUMN=FIELD.",
                sheet
                    .rows_from(0)
                    .next()
                    .map(|row| row.cells().take(12).collect::<Vec<_>>().join(", "))
                    .unwrap_or_default()
            ),
        ));
    }
    if best.1 + 1 >= sheet.len() {
        return Err(Problem::error("NO_ROWS", "", "Only a heading row was found."));
    }
    Ok(best.1)
}
