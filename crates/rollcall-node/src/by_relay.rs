//! `sync --relay`, and what `serve` does where the aggregator cannot be reached: sealed files through a node above. An
//! answer comes when the relay has got through: at once, or with a later call.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rollcall_command::clock::random;
use rollcall_command::output::{Refused, print_json, print_line};
use rollcall_replica::Replica;
use rollcall_replica::by_file::{AnswerEnd, AnswerTaken};
use rollcall_rpc::authority::RELAY_NAME;
use rollcall_rpc::{Client, ClientConfig, FileError};
use rollcall_sync::limits::RELAY_FILES_MAX;
use serde::Serialize;

use crate::by_file::{self, Exported, ShownImport};
use crate::files::Files;
use crate::link::take_turn;

/// Between two looks for an answer.
const LOOK: Duration = Duration::from_millis(250);
/// Files sent in one run: what one answer asks for, the next brings.
const ROUNDS_MAX: usize = 3;

/// Codes of answers that are passed over.
const PASSED_OVER: [&str; 8] = [
    "ANSWER_OLD",
    "ENVELOPE_DAMAGED",
    "ENVELOPE_FORMAT",
    "ENVELOPE_KIND",
    "ENVELOPE_NEWER",
    "ENVELOPE_READER",
    "ENVELOPE_TOO_BIG",
    "SIGNATURE_BAD",
];

/// `sync --relay --json`.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    import: ShownImport,
    /// The file sent last.
    sent: Option<Exported>,
    /// Answers taken in this run.
    answers: usize,
}

/// What a run came to.
#[derive(Default)]
pub struct Run {
    /// Answers taken, the last one last.
    pub answers: Vec<AnswerTaken>,
    /// The file sent last.
    pub sent: Option<Exported>,
}

/// Runs `sync --relay`.
///
/// # Errors
/// The connection's codes, `RELAY_FULL`, those of `export-batches` and `import-batches`.
pub async fn run(
    files: &Files,
    replica: &Replica,
    relay: &str,
    wait: Duration,
    json: bool,
) -> anyhow::Result<()> {
    let run = round(files, replica, relay, wait, true).await?;
    let mut import = by_file::show(replica, run.answers.last())?;
    for earlier in run.answers.iter().rev().skip(1) {
        import.add(earlier);
    }
    let shown = Shown {
        import,
        answers: run.answers.len(),
        sent: run.sent,
    };
    if json {
        return print_json(&shown);
    }
    print_line(format_args!(
        "{}: {} answers, {} changes acknowledged, received {}, {} waiting",
        shown.import.outcome,
        shown.answers,
        shown.import.pushed.changes,
        shown.import.pulled.changes,
        shown.import.waiting.changes
    ))
}

/// Fetches what lies at the relay; where `send` says so, sends what waits, and waits for the answer, for so long.
///
/// # Errors
/// As `run`.
pub async fn round(
    files: &Files,
    replica: &Replica,
    relay: &str,
    wait: Duration,
    send: bool,
) -> anyhow::Result<Run> {
    let _turn = take_turn(files).await?;
    let config = ClientConfig {
        url: relay.to_owned(),
        server_name: Some(RELAY_NAME.to_owned()),
        ..files.client_config(&files.load_config()?)?
    };
    let client = Client::connect(&config)
        .await
        .map_err(|error| Refused::new(error.code(), error.to_string()))?;
    let mut run = Run::default();
    for _ in 0..RELAY_FILES_MAX {
        let lay = call(files, replica, &client, None, &mut run).await?;
        if !lay {
            break;
        }
    }
    for _ in 0..if send { ROUNDS_MAX } else { 0 } {
        let place = part(files);
        let exporting = {
            let (files, replica, place) = (files.clone(), replica.clone(), place.clone());
            tokio::task::spawn_blocking(move || by_file::export(&files, &replica, &place, false))
        };
        let exported = exporting.await.context("write the file")??;
        let sent = call(files, replica, &client, Some(&place), &mut run).await;
        drop_file(&place).await;
        sent?;
        let id = exported.file_id;
        run.sent = Some(exported);
        let until = tokio::time::Instant::now() + wait;
        while !is_answered(&run, &id) && tokio::time::Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            call(files, replica, &client, None, &mut run).await?;
        }
        let again = run
            .answers
            .last()
            .is_some_and(|taken| matches!(taken.end, AnswerEnd::Again(_)));
        if !again || !is_answered(&run, &id) {
            break;
        }
    }
    client.close().await;
    Ok(run)
}

fn is_answered(run: &Run, file_id: &[u8; 16]) -> bool {
    run.answers.iter().any(|taken| taken.file_id == *file_id)
}

/// Brings a file, or nothing, and takes what lay there for this node; whether anything did. What cannot be taken is
/// passed over: a relay may lose, keep back or spoil files, and the next one brings the same again.
async fn call(
    files: &Files,
    replica: &Replica,
    client: &Client,
    file: Option<&Path>,
    run: &mut Run,
) -> anyhow::Result<bool> {
    let source = match file {
        Some(path) => Some(tokio::fs::File::open(path).await.context("read the file")?),
        None => None,
    };
    let place = part(files);
    let mut answer = tokio::fs::File::create(&place)
        .await
        .context("write the answer")?;
    let carried = client.carry(source, &mut answer).await;
    drop(answer);
    let taken = match carried {
        Ok(0) => Ok(None),
        Ok(_) => {
            let (files, replica, place) = (files.clone(), replica.clone(), place.clone());
            let taking = tokio::task::spawn_blocking(move || by_file::import(&files, &replica, &place));
            taking.await.context("take the answer")?.map(Some)
        }
        Err(error) => Err(refused(&error).into()),
    };
    drop_file(&place).await;
    match taken {
        Ok(Some(taken)) => {
            run.answers.push(taken);
            Ok(true)
        }
        Ok(None) => Ok(false),
        Err(error) if is_passed_over(&error) => {
            tracing::warn!("an answer from the relay is not taken: {error}");
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

fn refused(error: &FileError) -> Refused {
    Refused::new(error.code(), error.to_string())
}

/// Whether this is about one file that lay at the relay, and says nothing of the node or the aggregator.
fn is_passed_over(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| PASSED_OVER.contains(&refused.code.as_str()))
}

fn part(files: &Files) -> std::path::PathBuf {
    let name: String = random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    files.folder().join(format!("relay-{name}.part"))
}

async fn drop_file(path: &Path) {
    if let Err(error) = tokio::fs::remove_file(path).await {
        tracing::warn!("a file could not be dropped: {error}");
    }
}
