//! What a list may hold at most (`reliability.md` 4, rows 10, 11, 33, 36). Owns the numbers and nothing else.
//! Together they keep an import below 200 MB of memory.

/// Bytes of a file.
pub const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Rows of a list, the head counted.
pub const ROWS_MAX: u64 = 200_001;
/// Bytes of one cell.
pub const FIELD_BYTES_MAX: usize = 32 * 1024;
/// Bytes of one row.
pub const ROW_BYTES_MAX: usize = 256 * 1024;
/// Columns.
pub const COLUMNS_MAX: usize = 1_000;
/// Cells, blank ones between others counted.
pub const CELLS_MAX: usize = 5_000_000;
/// Bytes of text in all cells together.
pub const TEXT_BYTES_MAX: usize = 80 * 1024 * 1024;
/// Bytes that a workbook may unpack to.
pub const UNPACKED_BYTES_MAX: u64 = 200 * 1024 * 1024;
/// Bytes that the table of shared strings may unpack to: the reader holds it whole.
pub const STRINGS_BYTES_MAX: u64 = 80 * 1024 * 1024;
/// Unpacked to packed.
pub const UNPACKED_RATIO_MAX: u64 = 100;
/// A small workbook may have any ratio.
pub const UNPACKED_RATIO_FREE_BYTES: u64 = 1024 * 1024;
/// Parts of a workbook.
pub const PARTS_MAX: usize = 1_000;
/// Depth of elements in a part of a workbook.
pub const XML_DEPTH_MAX: usize = 64;
/// Attributes of one element.
pub const XML_ATTRIBUTES_MAX: usize = 1_000;
/// Rows that may be blank between two that are not.
pub const ROWS_BLANK_MAX: u64 = 100_000;
/// Numbers of rows at which spreadsheets cut.
pub const SPREADSHEET_ROWS: [u64; 2] = [65_536, 1_048_576];
/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 200;
/// Bytes of one line of a records file.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Depth of objects and lists in a record.
pub const RECORD_DEPTH_MAX: usize = 32;
/// Problems and warnings that a summary lists; the rest is counted, and the reject file has them all.
pub const SUMMARY_PROBLEMS_MAX: usize = 1_000;
