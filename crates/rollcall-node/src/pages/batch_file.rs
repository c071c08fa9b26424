//! `/sync/file` and `/sync/answer`: sync by a file that somebody carries, for offices where nobody uses a command line.

use std::fs;

use axum::extract::State;
use axum::response::Response;
use rollcall_command::output::Refused;
use rollcall_replica::by_file::{AnswerEnd, AnswerTaken};
use rollcall_web::Error;
use rollcall_web::form::{CheckedForm, UploadRequest, with_notice};
use rollcall_web::login::Clerk;

use super::export::attachment;
use super::import_plan::Nothing;
use super::sync::PastSession;
use super::upload::Uploads;
use crate::app::App;
use crate::by_file;
use crate::link::take_turn;

/// Largest answer that a page takes, bytes; what is larger goes through the command line.
pub const ANSWER_SIZE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A command's refusal as a page.
fn refusal(error: anyhow::Error) -> Error {
    match error.downcast::<Refused>() {
        Ok(refused) => Error::refused(refused.code, refused.message),
        Err(error) => Error::internal(error.into_boxed_dyn_error()),
    }
}

/// Writes the file for the aggregator and sends it to be saved.
///
/// # Errors
/// `NOT_ENROLLED`, `RECIPIENT_*`, the store's or the file's.
pub async fn download(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    _checked: CheckedForm<Nothing>,
) -> Result<Response, Error> {
    let now_ms = signed_in.visit.site.now_unix_ms();
    let written = tokio::task::spawn_blocking(move || {
        let (_, path) = Uploads::of(&app.files).begin(now_ms)?;
        by_file::export(&app.files, &app.replica, &path, false)?;
        let file = fs::File::open(&path)?;
        // Open and without a name: it goes away with the answer, however that ends.
        fs::remove_file(&path)?;
        Ok((file, app.files.load_config()?.federation))
    });
    let (file, federation) = written.await.map_err(Error::internal)?.map_err(refusal)?;
    let name = format!(
        "rollcall-{}-{}.batches",
        federation.replace('/', "-"),
        super::today(&signed_in)
    );
    Ok(attachment(
        tokio::fs::File::from_std(file),
        "application/octet-stream",
        &name,
    ))
}

/// Takes the answer to such a file.
///
/// # Errors
/// `TOO_BIG`, `UPLOAD_CUT`, and what `import-batches` refuses.
pub async fn submit(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    request: UploadRequest,
) -> Result<Response, Error> {
    let begun_unix_ms = signed_in.visit.site.now_unix_ms();
    let (_, path) = Uploads::of(&app.files)
        .begin(begun_unix_ms)
        .map_err(Error::internal)?;
    let mut sink = tokio::fs::File::create(&path).await.map_err(Error::internal)?;
    let read = request.read(&mut sink, ANSWER_SIZE_BYTES_MAX as u64).await;
    drop(sink);
    let answer = match read {
        Ok(received) => {
            let (from, bytes) = (path.clone(), received.size_bytes);
            received
                .submit_once(|| async move {
                    let taken = take(&app, from).await;
                    app.keep_session(PastSession::by_file(begun_unix_ms, bytes, &taken));
                    let notice = match taken.map_err(refusal)?.end {
                        AnswerEnd::Proven { .. } => "answer_taken",
                        AnswerEnd::Again(_) => "answer_continue",
                    };
                    Ok(with_notice("/sync", notice))
                })
                .await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = tokio::fs::remove_file(&path).await {
        tracing::warn!(%error, "an answer could not be dropped");
    }
    answer
}

async fn take(app: &App, from: std::path::PathBuf) -> anyhow::Result<AnswerTaken> {
    let _turn = take_turn(&app.files).await?;
    let app = app.clone();
    tokio::task::spawn_blocking(move || by_file::import(&app.files, &app.replica, &from)).await?
}
