//! `import-batches` and `export-batches`: files of nodes that somebody carried here, and the answers to them
//! (`protocol.md` 1.21). A file's sender is whoever its signature proves, and may do what that peer may do at this moment;
//! the end of its TLS certificate does not matter here, its revocation does.

use std::path::Path;

use anyhow::Context;
use rollcall_command::clock::{now_ms, time_text};
use rollcall_command::fresh_file::FreshFile;
use rollcall_command::output::{Refused, print_json, print_line};
use rollcall_command::upkeep::refused_replica;
use rollcall_replica::Replica;
use rollcall_replica::by_file::{FileRefused, FileTaken, Fits};
use rollcall_rpc::signing::Ed25519;
use rollcall_rpc::{FileError, FilePart, Recipient, SealedFile, SealedWriter, VerifyingKey};
use rollcall_store::enrolment::EnrolmentRow;
use rollcall_sync::batch_file::{DownPart, UpHead, UpPart};
use rollcall_sync::message::Receipt;
use serde::Serialize;

use crate::cli::ImportBatches;
use crate::enrolment::context_of;
use crate::files::Files;

/// `import-batches --json`, and `export-batches --json` without what was taken.
#[derive(Debug, Serialize)]
struct Shown {
    outcome: &'static str,
    reason: Option<&'static str>,
    peer: String,
    /// The file's name and time, as its node gave them.
    id: String,
    made: String,
    /// When the same file was taken before.
    taken_before: Option<String>,
    pushed: Counted,
    pulled: Counted,
    quarantined: u64,
    answer: Option<String>,
    receipt: Option<ShownReceipt>,
}

#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Counted {
    changes: u64,
    documents: u64,
}

#[derive(Debug, Serialize)]
struct ShownReceipt {
    time: String,
    documents: u64,
    digest: String,
    position: u64,
}

/// What an answer holds.
#[derive(Default)]
struct Answered {
    pulled: Counted,
    receipt: Option<Receipt>,
}

fn refused_file(path: &Path, error: &FileError) -> Refused {
    Refused::new(error.code(), format!("{}: {error}.", path.display()))
}

fn refused_node(error: &FileRefused) -> Refused {
    Refused::new(error.code(), error.to_string())
}

/// Runs `import-batches`.
///
/// # Errors
/// `ENVELOPE_*`, `SIGNATURE_BAD`, `PEER_UNKNOWN`, `KEY_REVOKED`, `SENDER_MISMATCH`, `QUOTA`, `FILE`, `FILE_EXISTS`; the store's.
/// Nothing is taken of a file that is not whole and signed; of one whose batch is refused, what came before it stays.
pub fn run_import(args: &ImportBatches) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    let replica = Replica::new(files.open_store()?);
    let out = args.answer.as_deref().map(FreshFile::create).transpose()?;
    let (peer, head, taken, newest) = take(&files, &replica, &args.file)?;
    let answered = match out {
        Some(out) => answer(&files, &replica, &peer, &newest, out)?,
        None => Answered::default(),
    };
    let (outcome, reason) = match (taken.before_ms, taken.fits) {
        (Some(_), _) => ("already_taken", None),
        (None, Fits::Continues) => ("taken", None),
        (None, Fits::Behind) => ("held", None),
        (None, Fits::Gap) => ("continue", Some("no_cursor")),
        (None, Fits::Parted) => ("continue", Some("chain_mismatch")),
    };
    let shown = Shown {
        outcome,
        reason,
        peer,
        id: hex(&head.file_id),
        made: time_text(head.made_ms),
        taken_before: taken.before_ms.map(time_text),
        pushed: Counted {
            changes: taken.pushed.changes,
            documents: taken.pushed.documents,
        },
        pulled: answered.pulled,
        quarantined: taken.pushed.quarantined,
        answer: args.answer.as_ref().map(|path| path.display().to_string()),
        receipt: answered.receipt.as_ref().map(shown_receipt),
    };
    if args.json {
        return print_json(&shown);
    }
    let said = match (taken.before_ms, taken.fits) {
        (Some(before_ms), _) => format!("taken on {} already", time_text(before_ms)),
        (None, Fits::Continues) => format!("{} changes taken", taken.pushed.changes),
        (None, Fits::Behind) => "nothing in it is new: a later file, or a session, brought it".to_owned(),
        (None, Fits::Gap) => {
            "it goes on behind the end of the log that is held here; the answer asks the node for what is lacking"
                .to_owned()
        }
        (None, Fits::Parted) => {
            "the node was put back from a copy and its log has parted from the one held here; the answer tells it so"
                .to_owned()
        }
    };
    print_line(format_args!("{} of {}: {said}", shown.peer, shown.made))?;
    match &shown.answer {
        Some(answer) => tell_answer(answer, &shown),
        None => print_line(format_args!(
            "export-batches {} FILE writes the answer",
            shown.peer
        )),
    }
}

fn tell_answer(path: &str, shown: &Shown) -> anyhow::Result<()> {
    print_line(format_args!(
        "answer with {} changes written to {path}{}",
        shown.pulled.changes,
        match &shown.receipt {
            Some(receipt) => format!(", receipt over {} documents", receipt.documents),
            None => ", without a receipt: a further file of the node is needed".to_owned(),
        }
    ))
}

/// Runs `export-batches`.
///
/// # Errors
/// `NOT_FOUND` where no file of the peer was taken, `KEY_REVOKED`, `FILE`, `FILE_EXISTS`; the store's.
pub fn run_export(files: &Files, peer: &str, file: &Path, json: bool) -> anyhow::Result<()> {
    let replica = Replica::new(files.open_store()?);
    let head = newest_head(&replica, peer)?;
    let Some(head) = head else {
        let message = format!("No file of {peer} was taken: the node exports one first, empty or not.");
        return Err(Refused::new("NOT_FOUND", message).into());
    };
    let answered = answer(files, &replica, peer, &head, FreshFile::create(file)?)?;
    let shown = Shown {
        outcome: "answered",
        reason: None,
        peer: peer.to_owned(),
        id: hex(&head.file_id),
        made: time_text(head.made_ms),
        taken_before: None,
        pushed: Counted::default(),
        pulled: answered.pulled,
        quarantined: 0,
        answer: Some(file.display().to_string()),
        receipt: answered.receipt.as_ref().map(shown_receipt),
    };
    if json {
        return print_json(&shown);
    }
    tell_answer(&file.display().to_string(), &shown)
}

/// Takes a file: whose it was, its head, what became of it, and the head of the newest file of that peer.
fn take(
    files: &Files,
    replica: &Replica,
    path: &Path,
) -> anyhow::Result<(String, UpHead, FileTaken, UpHead)> {
    let failed = |error: FileError| refused_file(path, &error);
    let refused = |error: FileRefused| refused_node(&error);
    let seal_key = files.load_seal_key()?;
    let file = SealedFile::<UpPart>::open(path, &seal_key).map_err(failed)?;
    let UpPart::Head(head) = file.head() else {
        return Err(refused(FileRefused::Order).into());
    };
    let row = replica
        .store()
        .read(|reader| reader.enrolment_by_serial(&head.certificate))
        .context("read who sent it")?;
    let Some(row) = row else {
        let message = "The certificate that the file names is not on record here; enrol the node again.";
        return Err(Refused::new("PEER_UNKNOWN", message).into());
    };
    let signer = VerifyingKey::from_slice(&row.signing_key).context("read the node's key")?;
    file.check_signature(&signer).map_err(failed)?;
    check_admitted(&row)?;
    let peer = row.peer_id.clone();
    let context = replica.store().read(|reader| context_of(reader, row))?;
    let mut taking = replica.begin_file(context, head).map_err(refused)?;
    for part in file.parts().map_err(failed)? {
        taking.check(&part.map_err(failed)?, &Ed25519).map_err(refused)?;
    }
    taking.rewind();
    for part in file.parts().map_err(failed)? {
        taking
            .take(replica, &part.map_err(failed)?, &Ed25519, now_ms())
            .map_err(refused)?;
    }
    let before = newest_head(replica, &peer)?;
    let is_newest = before
        .as_ref()
        .is_none_or(|before| before.file_id == head.file_id || head.is_after(before));
    let bytes = file.head().to_bytes().context("keep the head")?;
    let taken = replica
        .finish_file(taking, head, bytes, is_newest, now_ms())
        .map_err(|error| refused_replica(&error))?;
    let newest = match before {
        Some(before) if !is_newest => before,
        _ => (**head).clone(),
    };
    Ok((peer, (**head).clone(), taken, newest))
}

/// Where the node of a peer stood in the newest of its files.
fn newest_head(replica: &Replica, peer: &str) -> anyhow::Result<Option<UpHead>> {
    let row = replica
        .store()
        .read(|reader| reader.newest_batch_file(peer))
        .context("read the newest file")?;
    match row.map(|row| UpPart::from_bytes(&row.head)) {
        Some(Ok(UpPart::Head(head))) => Ok(Some(*head)),
        Some(Ok(UpPart::Batch(_)) | Err(_)) => Err(Refused::new(
            "STORE_DAMAGED",
            "The head of the newest file cannot be read; run verify.",
        )
        .into()),
        None => Ok(None),
    }
}

fn check_admitted(row: &EnrolmentRow) -> Result<(), Refused> {
    match &row.revoked {
        Some((_, reason)) => Err(Refused::new(
            "KEY_REVOKED",
            format!("This node has been revoked: {reason}."),
        )),
        None => Ok(()),
    }
}

/// Writes the answer to a file of this peer.
fn answer(
    files: &Files,
    replica: &Replica,
    peer: &str,
    head: &UpHead,
    out: FreshFile,
) -> anyhow::Result<Answered> {
    let failed = |error: FileError| Refused::new(error.code(), error.to_string());
    let store = |error: rollcall_replica::Error| refused_replica(&error);
    let row = replica
        .store()
        .read(|reader| reader.enrolment(peer))
        .context("read the peer")?;
    let row = row.ok_or_else(|| Refused::new("NOT_FOUND", format!("There is no peer {peer}.")))?;
    check_admitted(&row)?;
    let context = replica.store().read(|reader| context_of(reader, row))?;
    let signing_key = files.load_signing_key()?;
    let mut answering = replica
        .begin_answer(context, head, &signing_key, now_ms())
        .map_err(store)?;
    let mut out = SealedWriter::begin(out, &Recipient(head.answer_to)).map_err(failed)?;
    out.add(&DownPart::Head(Box::new(answering.head().clone())))
        .map_err(failed)?;
    let mut answered = Answered::default();
    while let Some(part) = answering.next_part().map_err(store)? {
        match &part {
            DownPart::Batch(batch) => {
                answered.pulled.documents += batch.documents.len() as u64;
                let changes = batch.documents.iter().map(|document| document.changes.len());
                answered.pulled.changes += changes.sum::<usize>() as u64;
            }
            DownPart::Receipt(receipt) => answered.receipt = Some((**receipt).clone()),
            DownPart::Head(_) | DownPart::Ack(_) => {}
        }
        out.add(&part).map_err(failed)?;
    }
    out.finish(&signing_key).map_err(failed)?.keep()?;
    Ok(answered)
}

fn shown_receipt(receipt: &Receipt) -> ShownReceipt {
    ShownReceipt {
        time: time_text(receipt.time_ms),
        documents: receipt.documents,
        digest: hex(&receipt.root()),
        position: receipt.position,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
