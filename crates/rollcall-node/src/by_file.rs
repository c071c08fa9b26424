//! `export-batches` and `import-batches`: sync by a file that somebody carries (`protocol.md` 1.21), on the command line
//! and for the page that does the same.

use std::path::Path;

use anyhow::Context;
use rollcall_command::clock::{now_ms, time_text};
use rollcall_command::fresh_file::FreshFile;
use rollcall_command::output::{Refused, print_json, print_line};
use rollcall_command::upkeep::refused_replica;
use rollcall_replica::Replica;
use rollcall_replica::by_file::{Again, AnswerEnd, AnswerTaken, FileRefused, Writer};
use rollcall_replica::take_down::Taken;
use rollcall_rpc::peer_identity::CertificateFacts;
use rollcall_rpc::{FileError, Recipient, RpcError, SealedFile, SealedWriter};
use rollcall_store::successor::Mark;
use rollcall_sync::batch_file::{DownPart, UpPart};
use serde::Serialize;

use crate::cli;
use crate::files::{Files, not_enrolled};
use crate::link::{VERSION, check_writable, load_keys, take_turn};
use crate::sync::{BY_FILE, Counted, ShownReceipt, Waiting, shown_receipt};

/// `export-batches --json`.
#[derive(Debug, Serialize)]
pub struct Exported {
    file: String,
    /// Name of the file, which the answer repeats.
    id: String,
    made: String,
    /// Everything went in.
    whole: bool,
    changes: u64,
    documents: u64,
    bytes: u64,
}

/// `import-batches --json`.
#[derive(Debug, Serialize)]
struct ShownImport {
    outcome: &'static str,
    reason: Option<&'static str>,
    pushed: Counted,
    pulled: Counted,
    quarantined: u64,
    waiting: Waiting,
    receipt: Option<ShownReceipt>,
    /// The aggregator was restored and has not heard everybody since.
    rebuilding: bool,
}

/// What is wrong with a file, as a refusal.
pub(crate) fn refused_file(path: &Path, error: &FileError) -> Refused {
    Refused::new(error.code(), format!("{}: {error}.", path.display()))
}

fn refused_answer(error: &FileRefused) -> Refused {
    Refused::new(error.code(), error.to_string())
}

/// Runs `export-batches`.
///
/// # Errors
/// `NOT_ENROLLED`, `RECIPIENT_*`, `FILE_EXISTS`, `FILE`, `STORE_DAMAGED`; the store's. No half a file is left behind.
pub fn run_export(args: &cli::ExportBatches) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    if let Some(text) = &args.recipient {
        keep_recipient(&files, text)?;
    }
    let replica = Replica::new(files.open_store()?);
    let exported = export(&files, &replica, &args.file, args.all)?;
    if args.json {
        return print_json(&exported);
    }
    print_line(format_args!(
        "{} changes of {} documents written to {}; carry it to the aggregator: import-batches FILE --answer FILE",
        exported.changes, exported.documents, exported.file
    ))
}

fn keep_recipient(files: &Files, text: &str) -> anyhow::Result<()> {
    let recipient: Recipient = text
        .parse()
        .map_err(|error: RpcError| Refused::new(error.code(), error.to_string()))?;
    let mut config = files.load_config()?;
    config.batch_key = Some(recipient.to_string());
    files.save_config(&config)
}

/// Writes a file for the aggregator.
///
/// # Errors
/// As `run_export`.
pub fn export(files: &Files, replica: &Replica, to: &Path, all: bool) -> anyhow::Result<Exported> {
    check_writable(replica)?;
    let recipient = files.load_config()?.batch_key()?;
    let (keys, seal_key) = (load_keys(files)?, files.load_seal_key()?);
    let certificate = files.certificate().ok_or_else(not_enrolled)?;
    let certificate = CertificateFacts::read_pem(&certificate).context("read the certificate")?;
    let now_ms = now_ms();
    let by = Writer {
        version: VERSION,
        certificate: &certificate.serial,
        answer_to: seal_key.recipient().0,
    };
    let failed = |error: FileError| refused_file(to, &error);
    let store = |error: rollcall_replica::Error| refused_replica(&error);
    replica.rescue_forked(now_ms).map_err(store)?;
    let head = replica.file_head(&by, all, now_ms).map_err(store)?;
    let out = FreshFile::create(to)?;
    let mut out = SealedWriter::begin(out, &recipient).map_err(failed)?;
    let mut exported = Exported {
        file: to.display().to_string(),
        id: head.file_id.iter().map(|byte| format!("{byte:02x}")).collect(),
        made: time_text(head.made_ms),
        whole: head.whole,
        changes: 0,
        documents: 0,
        bytes: 0,
    };
    let mut batches = replica.send_by_file(&head, keys.sign.as_ref());
    out.add(&UpPart::Head(Box::new(head.clone()))).map_err(failed)?;
    while let Some(batch) = batches.next_batch().map_err(store)? {
        exported.documents += batch.documents.len() as u64;
        exported.changes += changes_in(&batch);
        out.add(&UpPart::Batch(Box::new(batch))).map_err(failed)?;
    }
    let out = out.finish(&files.load_signing_key()?).map_err(failed)?;
    exported.bytes = out.keep()?;
    Ok(exported)
}

fn changes_in(batch: &rollcall_sync::message::Batch) -> u64 {
    let changes = batch.documents.iter().map(|document| document.changes.len());
    changes.sum::<usize>() as u64
}

/// Runs `import-batches`.
///
/// # Errors
/// `NOT_ENROLLED`, `ENVELOPE_*`, `SIGNATURE_BAD`, `ANSWER_OLD`, `CLONED`, `BAD_RECEIPT`, `DIVERGED`, `FILE`, `STORE_DAMAGED`;
/// the store's.
pub fn run_import(args: &cli::ImportBatches) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    let replica = Replica::new(files.open_store()?);
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    // A session that another process keeps open lets go meanwhile.
    let _turn = runtime.block_on(take_turn(&files))?;
    let taken = import(&files, &replica, &args.file)?;
    let shown = show(&replica, &taken)?;
    if args.json {
        return print_json(&shown);
    }
    print_line(format_args!(
        "{}: {} changes acknowledged, received {}, {} waiting",
        shown.outcome, shown.pushed.changes, shown.pulled.changes, shown.waiting.changes
    ))?;
    match &taken.end {
        AnswerEnd::Proven { receipt, .. } => print_line(format_args!(
            "{} documents are held by the national office, proven at {}",
            receipt.documents,
            time_text(receipt.time_ms)
        )),
        AnswerEnd::Again(again) => print_line(sentence(*again)),
    }
}

/// Takes the answer to a file. The caller has its turn.
///
/// # Errors
/// As `run_import`.
pub fn import(files: &Files, replica: &Replica, from: &Path) -> anyhow::Result<AnswerTaken> {
    check_writable(replica)?;
    let keys = load_keys(files)?;
    let (seal_key, signer) = (files.load_seal_key()?, files.load_config()?.receipt_key()?);
    let failed = |error: FileError| refused_file(from, &error);
    let refused = |error: FileRefused| refused_answer(&error);
    let file = SealedFile::<DownPart>::open(from, &seal_key).map_err(failed)?;
    file.check_signature(&signer).map_err(failed)?;
    // Read to its end before anything is taken.
    for part in file.parts().map_err(failed)? {
        part.map_err(failed)?;
    }
    let DownPart::Head(head) = file.head() else {
        return Err(refused(FileRefused::Order).into());
    };
    let mut taking = replica
        .begin_taking_answer((**head).clone(), now_ms())
        .map_err(refused)?;
    for part in file.parts().map_err(failed)? {
        taking.take(part.map_err(failed)?).map_err(refused)?;
    }
    Ok(taking.finish(&keys).map_err(refused)?)
}

/// The outcome of an answer, as sessions name theirs; `continue` where a further file is needed.
pub(crate) fn outcome(taken: &AnswerTaken) -> &'static str {
    let moved = |taken: &Taken| taken.changes > 0;
    let moved = moved(&taken.pushed) || moved(&taken.pulled);
    match &taken.end {
        AnswerEnd::Proven { repaired: true, .. } => "repaired",
        AnswerEnd::Proven { .. } | AnswerEnd::Again(Again::Overtaken) if moved => "caught_up",
        AnswerEnd::Proven { .. } | AnswerEnd::Again(Again::Overtaken) => "in_sync",
        AnswerEnd::Again(_) => "continue",
    }
}

fn show(replica: &Replica, taken: &AnswerTaken) -> anyhow::Result<ShownImport> {
    let counted = |taken: &Taken| Counted {
        changes: taken.changes,
        documents: taken.documents,
    };
    let (receipt, reason) = match &taken.end {
        AnswerEnd::Proven { receipt, .. } => (Some(shown_receipt(receipt, BY_FILE, Some(true))), None),
        AnswerEnd::Again(again) => (None, Some(again.name())),
    };
    let (waiting, rebuilding) = replica
        .store()
        .read(|reader| Ok((Waiting::read(reader)?, reader.is_marked(Mark::Rebuilding)?)))
        .context("read what waits")?;
    Ok(ShownImport {
        outcome: outcome(taken),
        reason,
        pushed: counted(&taken.pushed),
        pulled: counted(&taken.pulled),
        quarantined: taken.pushed.quarantined + taken.pulled.quarantined,
        waiting,
        receipt,
        rebuilding,
    })
}

/// What is to be done next, where an answer proved nothing.
fn sentence(again: Again) -> &'static str {
    match again {
        Again::EpochChanged => {
            "the aggregator was restored and asks for everything this node wrote: run export-batches once more"
        }
        Again::NoCursor | Again::Incomplete => {
            "the aggregator lacks something between: run export-batches once more"
        }
        Again::ChainMismatch => {
            "this node was put back from a copy; nothing is lost: run export-batches once more, it holds everything"
        }
        Again::DigestMismatch => "both ends differ: run export-batches once more, it holds everything",
        Again::NewerEdits => {
            "edits were made since, so the receipt cannot be compared: run export-batches once more"
        }
        Again::Overtaken => "a newer receipt is held already",
    }
}
