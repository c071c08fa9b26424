//! What can fail while lists and records are written or read; the content of a list never is an error here.

/// Failure of a reader or writer that was handed in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reader or writer below failed.
    #[error("the file cannot be read or written")]
    Io(#[from] std::io::Error),
    /// Separated text cannot be written.
    #[error("the list cannot be written as CSV")]
    Csv(#[from] csv::Error),
    /// A workbook cannot be written.
    #[error("the list cannot be written as a workbook")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
    /// A record cannot be written as JSON.
    #[error("the record cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// More rows than a sheet has.
    #[error("a sheet has {} rows; write the list as CSV or in parts", crate::limit::SPREADSHEET_ROWS[1])]
    TooManyRows,
}
