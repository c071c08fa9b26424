//! `/organisations/export`: the register as a workbook, separated text or records, streamed from a file of its own.

use std::fs;
use std::io::{BufWriter, Seek, SeekFrom};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use rollcall_exchange::ListFormat;
use rollcall_web::Error;
use rollcall_web::form::CheckedQuery;
use rollcall_web::login::Clerk;
use rollcall_web::page::organisations::OrganisationFilter;
use serde::Deserialize;
use tokio::io::AsyncReadExt;

use super::organisations::all_found;
use super::today;
use super::upload::Uploads;
use crate::app::App;

/// Media type of a workbook.
pub(super) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// Bytes read at a time.
const CHUNK_SIZE_BYTES: usize = 64 * 1024;

/// Which form the file has.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Xlsx,
    Csv,
    Records,
}

/// The query.
#[derive(Debug, Deserialize)]
pub struct ExportQuery {
    format: Format,
}

/// Writes the file and sends it: a list holds what the filter leaves, records are always all.
///
/// # Errors
/// `PARAM_INVALID`, the store's or the file's.
pub async fn download(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    CheckedQuery(ExportQuery { format }): CheckedQuery<ExportQuery>,
    CheckedQuery(filter): CheckedQuery<OrganisationFilter>,
) -> Result<Response, Error> {
    let as_of = today(&signed_in);
    let now_ms = signed_in.visit.site.now_unix_ms();
    let names = app.clone();
    let only = app
        .ask(move |_, cube| all_found(&names, cube, &filter, as_of))
        .await?;
    let file = app
        .with(move |app| {
            let (_, path) = Uploads::of(&app.files).begin(now_ms)?;
            let file = fs::File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)?;
            // Open and without a name: it goes away with the answer, however that ends.
            fs::remove_file(&path)?;
            let mut out = BufWriter::new(file);
            match format {
                Format::Records => app.replica.export_records(&mut out)?,
                Format::Xlsx => app
                    .replica
                    .export_list(ListFormat::Xlsx, &mut out, as_of, only.as_ref())?,
                Format::Csv => app
                    .replica
                    .export_list(ListFormat::Csv, &mut out, as_of, only.as_ref())?,
            };
            let mut file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            Ok(file)
        })
        .await?;
    let (media_type, ending) = match format {
        Format::Xlsx => (XLSX, "xlsx"),
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Records => ("application/x-ndjson", "jsonl"),
    };
    Ok(attachment(
        tokio::fs::File::from_std(file),
        media_type,
        &format!("organisations-{as_of}.{ending}"),
    ))
}

/// A file to be saved, read as it is sent.
pub(super) fn attachment(file: tokio::fs::File, media_type: &'static str, file_name: &str) -> Response {
    let chunks = stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK_SIZE_BYTES];
        let size = file.read(&mut chunk).await?;
        chunk.truncate(size);
        Ok::<_, std::io::Error>((size > 0).then(|| (Bytes::from(chunk), file)))
    });
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(disposition) = HeaderValue::try_from(format!("attachment; filename=\"{file_name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}
