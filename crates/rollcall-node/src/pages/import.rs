//! `/import`: imports made before, and the upload, which is sorted at once and written to nothing but its own file.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rollcall_store::import::ImportRow as StoredImport;
use rollcall_web::form::UploadRequest;
use rollcall_web::login::{Clerk, SignedIn};
use rollcall_web::page::import::{ImportChoice, ImportCounts, ImportRow, ImportUpload};
use rollcall_web::{Error, Page};

use super::editing;
use super::upload::{Ran, Upload, Uploads};
use super::words::AuthorNames;
use crate::app::App;

/// Bytes of a list (`reliability.md` 4 row 11); what is larger goes through the command line as records.
pub const LIST_SIZE_BYTES_MAX: usize = 20 * 1024 * 1024;
/// Imports shown.
const IMPORTS_MAX: usize = 50;

/// Shows the page.
///
/// # Errors
/// The store's.
pub async fn form(State(app): State<App>, Clerk(signed_in): Clerk) -> Result<Page<ImportUpload>, Error> {
    Ok(Page(page(&app, &signed_in, ImportChoice::default(), None).await?))
}

async fn page(
    app: &App,
    signed_in: &SignedIn,
    chosen: ImportChoice,
    problem: Option<String>,
) -> Result<ImportUpload, Error> {
    let frame = signed_in.frame("nav.import");
    let shown = frame.clone();
    let imports = app
        .with(move |app| {
            let store = app.replica.store();
            let names = AuthorNames::load(store)?;
            let imports = store.read(|reader| reader.imports(IMPORTS_MAX))?;
            let row = |row: StoredImport| ImportRow {
                href: format!("/import/{}", row.import_id),
                at: shown.locale.moment(row.at_ms),
                author: names.show(&shown, &row.account),
                counts: serde_json::from_str(&row.summary)
                    .map(|summary| counts(&summary))
                    .unwrap_or_default(),
                undone: row.undone_ms.is_some(),
                undo_action: row
                    .undone_ms
                    .is_none()
                    .then(|| format!("/import/{}/undo", row.import_id)),
                file_name: row.file_name,
            };
            Ok(imports.into_iter().map(row).collect())
        })
        .await?;
    Ok(ImportUpload {
        frame,
        chosen,
        problem,
        action: "/import".to_owned(),
        size_bytes_max: LIST_SIZE_BYTES_MAX as u64,
        encodings: vec!["utf-8", "gb18030"],
        imports,
    })
}

/// How the rows were sorted, from a summary as it is kept.
pub(super) fn counts(summary: &serde_json::Value) -> ImportCounts {
    let count = |name: &str| summary.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
    ImportCounts {
        rows_read: count("rows_read"),
        new: count("new"),
        updated: count("updated"),
        unchanged: count("unchanged"),
        duplicate: count("duplicate"),
        refused: count("refused"),
    }
}

/// Takes a file and sorts its rows. Where nothing of it can be read, or it does not arrive whole, the form says why.
///
/// # Errors
/// `FORM_NOT_OURS`, the store's.
pub async fn submit(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    request: UploadRequest,
) -> Result<Response, Error> {
    let uploads = Uploads::of(&app.files);
    let by = editing(&signed_in, "");
    let (import_id, path) = uploads.begin(by.now_ms).map_err(Error::internal)?;
    let mut sink = tokio::fs::File::create(&path).await.map_err(Error::internal)?;
    let read = request.read(&mut sink, LIST_SIZE_BYTES_MAX as u64).await;
    drop(sink);
    let received = match read {
        Ok(received) => received,
        Err(error) => {
            drop_file(&path).await;
            return not_received(&app, &signed_in, error).await;
        }
    };
    let field = |name: &str| {
        received
            .fields
            .get(name)
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    };
    let given = |name: &str| Some(field(name)).filter(|text| !text.is_empty());
    let upload = Upload {
        import_id: import_id.clone(),
        file_name: received.file_name.clone(),
        read_as: field("as"),
        encoding: given("encoding"),
        sheet: given("sheet"),
        columns: Vec::new(),
        summary: serde_json::Value::Null,
    };
    let chosen = ImportChoice {
        read_as: field("as"),
        encoding: field("encoding"),
        sheet: field("sheet"),
    };
    let ran = std::sync::atomic::AtomicBool::new(false);
    let answer = received
        .submit_once(|| async {
            ran.store(true, std::sync::atomic::Ordering::Relaxed);
            let uploads = uploads.clone();
            match app.with(move |app| uploads.run(app, upload, &by, true)).await? {
                Ran::Sorted(upload) => Ok(format!("/import/{}", upload.import_id)),
                Ran::Refused(problem) => Err(Error::refused(problem.code, problem.message)),
            }
        })
        .await;
    // A second sending of the same form was answered with the first one's result.
    if answer.is_err() || !ran.load(std::sync::atomic::Ordering::Relaxed) {
        drop_file(&path).await;
    }
    let Err(Error::Refused { code, message }) = answer else {
        return answer;
    };
    let problem = format!("{} [{code}]", signed_in.visit.locale.sentence(&code, &message));
    let page = page(&app, &signed_in, chosen, Some(problem)).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response())
}

/// The form with why its file did not arrive whole; what is no matter of the file stays an error.
async fn not_received(app: &App, signed_in: &SignedIn, error: Error) -> Result<Response, Error> {
    if !matches!(
        error,
        Error::TooBig { .. } | Error::UploadCut | Error::ParamInvalid { .. }
    ) {
        return Err(error);
    }
    let problem = error.told(signed_in.visit.locale);
    let page = page(app, signed_in, ImportChoice::default(), Some(problem)).await?;
    Ok((error.status(), Page(page)).into_response())
}

/// What cannot be removed now goes with the next clearing up.
async fn drop_file(path: &std::path::Path) {
    if let Err(error) = tokio::fs::remove_file(path).await {
        tracing::warn!(%error, "an upload could not be dropped");
    }
}
