//! `/import/{import_id}`: what a dry run or an import gave; carrying it out, dropping it, taking it back.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rollcall_command::accounts::audit;
use rollcall_exchange::Field;
use rollcall_web::form::{CheckedForm, with_notice};
use rollcall_web::layout::{Frame, Tone};
use rollcall_web::locale::Locale;
use rollcall_web::login::{Clerk, SignedIn};
use rollcall_web::page::import::{ImportPlan, ImportProblem, ImportState};
use rollcall_web::{Error, Page};
use serde::Deserialize;

use super::import::counts;
use super::upload::{Ran, Uploads};
use super::{editing, export, words};
use crate::app::App;

/// Problems shown; the workbook of refused rows has them all.
const PROBLEMS_MAX: usize = 50;
/// Warnings shown.
const WARNINGS_MAX: usize = 10;

/// A summary as it is kept: the keys of `import --json` that the page shows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kept {
    file_sha256: String,
    encoding: String,
    #[serde(rename = "as")]
    read_as: String,
    scope: std::collections::BTreeMap<String, u64>,
    warnings: Vec<KeptProblem>,
    problems: Vec<KeptProblem>,
    warnings_left_out: u64,
    problems_left_out: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeptProblem {
    row: Option<u64>,
    column: Option<String>,
    code: String,
    message: String,
}

/// A form with nothing in it but the hidden fields.
#[derive(Debug, Deserialize)]
pub struct Nothing {}

/// Shows the page.
///
/// # Errors
/// `NOT_FOUND`, the store's.
pub async fn show(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    Path(import_id): Path<String>,
) -> Result<Page<ImportPlan>, Error> {
    Ok(Page(load(&app, &signed_in, import_id).await?))
}

async fn load(app: &App, signed_in: &SignedIn, import_id: String) -> Result<ImportPlan, Error> {
    let frame = signed_in.frame("nav.import");
    app.with(move |app| {
        let uploads = Uploads::of(&app.files);
        let upload = uploads.load(&import_id)?;
        let done = app.replica.store().read(|reader| reader.import(&import_id))?;
        let state = match (&done, &upload) {
            (Some(done), _) if done.undone_ms.is_some() => ImportState::Undone,
            (Some(_), _) => ImportState::Committed,
            (None, Some(_)) => ImportState::DryRun,
            (None, None) => return Err(rollcall_replica::Error::NoDocument(import_id)),
        };
        let summary = match (&done, &upload) {
            (Some(done), _) => serde_json::from_str(&done.summary).unwrap_or_default(),
            (None, upload) => upload
                .as_ref()
                .map(|upload| upload.summary.clone())
                .unwrap_or_default(),
        };
        let file_name = done.map(|done| done.file_name);
        let columns = upload
            .as_ref()
            .map(|upload| upload.columns.clone())
            .unwrap_or_default();
        let file_name = file_name
            .or(upload.map(|upload| upload.file_name))
            .unwrap_or_default();
        let open = uploads.is_open(&import_id);
        let rejects = uploads.rejects(&import_id).is_file();
        Ok(plan_page(
            frame, &import_id, file_name, state, &summary, columns, open, rejects,
        ))
    })
    .await
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one page, each from another place"
)]
fn plan_page(
    frame: Frame,
    import_id: &str,
    file_name: String,
    state: ImportState,
    summary: &serde_json::Value,
    columns: Vec<(String, Option<String>)>,
    open: bool,
    rejects: bool,
) -> ImportPlan {
    let counts = counts(summary);
    let kept: Kept = serde_json::from_value(summary.clone()).unwrap_or_default();
    let mut warnings: Vec<String> = kept
        .warnings
        .iter()
        .take(WARNINGS_MAX)
        .map(|kept| line(&frame, kept))
        .collect();
    let more = (kept.warnings.len().saturating_sub(WARNINGS_MAX)) as u64 + kept.warnings_left_out;
    if more > 0 {
        warnings.push(format!("… + {}", frame.number(more)));
    }
    let known = |(head, field): (String, Option<String>)| {
        let field = field.and_then(|name| Field::ALL.iter().find(|field| field.name() == name));
        (head, field.map(|field| column_name(&frame, *field)))
    };
    let dry_run = state == ImportState::DryRun;
    ImportPlan {
        file_name,
        file_sha256: kept.file_sha256,
        encoding: kept.encoding,
        problem: None,
        read_as: match kept.read_as.as_str() {
            "unions" => "unions",
            "records" => "records",
            _ => "organisations",
        },
        state,
        counts,
        scope: kept.scope.into_iter().filter(|(_, rows)| *rows > 0).collect(),
        columns: columns.into_iter().map(known).collect(),
        warnings,
        problems_total: kept.problems.len() as u64 + kept.problems_left_out,
        problems: kept
            .problems
            .into_iter()
            .take(PROBLEMS_MAX)
            .map(|problem| ImportProblem {
                row: problem.row.unwrap_or(0),
                message: frame.sentence(&problem.code, &problem.message),
                column: words::column(&frame, &problem.column.unwrap_or_default()),
                code: problem.code,
                tone: Tone::Attention,
            })
            .collect(),
        rejects_href: rejects.then(|| format!("/import/{import_id}/rejects")),
        commit_action: (dry_run && open && counts.writes() > 0)
            .then(|| format!("/import/{import_id}/commit")),
        undo_action: match state {
            ImportState::DryRun => Some(format!("/import/{import_id}/drop")),
            ImportState::Committed => Some(format!("/import/{import_id}/undo")),
            ImportState::Undone => None,
        },
        frame,
    }
}

/// The toolkit's text hangs on the name; a field that has none there is shown as our own lists head it.
fn column_name(frame: &Frame, field: Field) -> &'static str {
    let has_text = frame.locale.lookup(&format!("field.{}", field.name())).is_some();
    if has_text || frame.locale == Locale::English {
        field.name()
    } else {
        field.title()
    }
}

fn line(frame: &Frame, problem: &KeptProblem) -> String {
    let row = problem
        .row
        .map(|row| format!("{} {}", frame.text("import.row"), frame.number(row)));
    let place: Vec<String> = row
        .into_iter()
        .chain(
            problem
                .column
                .as_deref()
                .map(|column| words::column(frame, column)),
        )
        .collect();
    let sentence = frame.sentence(&problem.code, &problem.message);
    if place.is_empty() {
        format!("{sentence} [{}]", problem.code)
    } else {
        format!("{}: {sentence} [{}]", place.join(", "), problem.code)
    }
}

/// Gives the refused rows as a workbook.
///
/// # Errors
/// `NOT_FOUND` where there are none.
pub async fn rejects(
    State(app): State<App>,
    Clerk(_signed_in): Clerk,
    Path(import_id): Path<String>,
) -> Result<Response, Error> {
    let uploads = Uploads::of(&app.files);
    let upload = {
        let (uploads, id) = (uploads.clone(), import_id.clone());
        app.with(move |_| uploads.load(&id)).await?
    };
    if upload.is_none() {
        return Err(Error::NotFound);
    }
    let file = tokio::fs::File::open(uploads.rejects(&import_id))
        .await
        .map_err(|_| Error::NotFound)?;
    Ok(export::attachment(
        file,
        export::XLSX,
        &format!("rejects-{import_id}.xlsx"),
    ))
}

/// Carries the import out. Where it is refused its page says why; nothing is taken in then.
///
/// # Errors
/// `ALREADY_DONE`, `NOT_FOUND`, the store's.
pub async fn commit(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    Path(import_id): Path<String>,
    form: CheckedForm<Nothing>,
) -> Result<Response, Error> {
    let mut by = editing(&signed_in, "");
    let (asked, shown) = (app.clone(), import_id.clone());
    let carried_out = form.submit_once(|_| async move {
        let address = format!("/import/{import_id}");
        let ran = app
            .with(move |app| {
                let uploads = Uploads::of(&app.files);
                if app
                    .replica
                    .store()
                    .read(|reader| reader.import(&import_id))?
                    .is_some()
                {
                    return Ok(None);
                }
                let open = uploads.is_open(&import_id);
                let Some(upload) = uploads.load(&import_id)?.filter(|_| open) else {
                    return Err(rollcall_replica::Error::NoDocument(import_id));
                };
                by.reason = format!("import {}", upload.file_name);
                let ran = uploads.run(app, upload, &by, false)?;
                if let Ran::Sorted(upload) = &ran {
                    let detail = format!("{} {}", upload.import_id, counts(&upload.summary).writes());
                    audit(
                        app.replica.store(),
                        &by.author,
                        "list_imported",
                        &detail,
                        by.now_ms,
                    )?;
                    uploads.close(&upload.import_id)?;
                }
                Ok(Some(ran))
            })
            .await?;
        match ran {
            None => Err(Error::AlreadyDone),
            Some(Ran::Refused(problem)) => Err(Error::refused(problem.code, problem.message)),
            Some(Ran::Sorted(_)) => Ok(with_notice(&address, "imported")),
        }
    });
    let answer = carried_out.await;
    let Err(Error::Refused { code, message }) = answer else {
        return answer;
    };
    let mut page = load(&asked, &signed_in, shown).await?;
    page.problem = Some(format!("{} [{code}]", page.frame.sentence(&code, &message)));
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response())
}

/// Drops an upload that was not carried out.
///
/// # Errors
/// `ALREADY_DONE` where it was, `NOT_FOUND`.
pub async fn discard(
    State(app): State<App>,
    Clerk(_signed_in): Clerk,
    Path(import_id): Path<String>,
    form: CheckedForm<Nothing>,
) -> Result<Response, Error> {
    form.submit_once(|_| async move {
        let dropped = app
            .with(move |app| {
                if app
                    .replica
                    .store()
                    .read(|reader| reader.import(&import_id))?
                    .is_some()
                {
                    return Ok(false);
                }
                Uploads::of(&app.files).discard(&import_id)?;
                Ok(true)
            })
            .await?;
        if dropped {
            Ok(with_notice("/import", "import_dropped"))
        } else {
            Err(Error::AlreadyDone)
        }
    })
    .await
}

/// Takes an import back.
///
/// # Errors
/// `NOT_FOUND`, `ALREADY_DONE` where it was taken back before, the store's.
pub async fn undo(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    Path(import_id): Path<String>,
    form: CheckedForm<Nothing>,
) -> Result<Response, Error> {
    let mut by = editing(&signed_in, "");
    form.submit_once(|_| async move {
        let address = format!("/import/{import_id}");
        let undone = app
            .with(move |app| {
                let row = app.replica.store().read(|reader| reader.import(&import_id))?;
                match row {
                    None => return Err(rollcall_replica::Error::NoDocument(import_id)),
                    Some(row) if row.undone_ms.is_some() => return Ok(false),
                    Some(row) => by.reason = format!("undo import {}", row.file_name),
                }
                let undone = app.replica.undo_import(&import_id, &by)?;
                let detail = format!(
                    "{import_id} {} put back, {} closed, {} left",
                    undone.reverted, undone.closed, undone.left
                );
                audit(
                    app.replica.store(),
                    &by.author,
                    "import_undone",
                    &detail,
                    by.now_ms,
                )?;
                Ok(true)
            })
            .await?;
        if undone {
            Ok(with_notice(&address, "import_undone"))
        } else {
            Err(Error::AlreadyDone)
        }
    })
    .await
}
