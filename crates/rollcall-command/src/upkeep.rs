//! The commands that keep a store in order: `backup`, `restore`, `verify`, `rebuild`. The same on node and aggregator.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use rollcall_replica::Replica;
use rollcall_store::owner::Place;
use rollcall_store::{Role, Store};
use serde::Serialize;

use crate::clock::now_ms;
use crate::large::{self, Large, large_documents};
use crate::output::{Refused, print_json, print_line};

/// One fault as printed.
#[derive(Debug, Serialize)]
struct ShownFault {
    kind: String,
    place: String,
    message: String,
}

/// Answer of `verify --json`.
#[derive(Debug, Serialize)]
struct Verified {
    documents: u64,
    faults: Vec<ShownFault>,
    /// No faults: documents that come near the size from which on nothing more is taken of them.
    large: Vec<Large>,
}

/// Runs `backup`.
///
/// # Errors
/// The store's; no half a backup is left behind.
pub fn run_backup(store: &Store, to: &Path) -> anyhow::Result<()> {
    store.backup(to).map_err(|error| refused(&error))?;
    print_line(format_args!("backup written to {}", to.display()))
}

/// Runs `restore`; `place` says whose backup belongs there.
///
/// # Errors
/// `BACKUP_OTHER_NODE` for the backup of another store; the store's. The store in place stays then.
pub fn run_restore(from: &Path, to: &Path, place: &Place) -> anyhow::Result<()> {
    let restored = rollcall_store::backup::restore(from, to, place, now_ms());
    let kept = restored.map_err(|error| match &error {
        rollcall_store::Error::OtherStore(misfit)
            if place.role == Role::Node && misfit.may_be_taken_over() =>
        {
            let message = format!(
                "{error}. If the keys of that node are gone and this one takes its place, say --take-over and enrol it anew \
                 afterwards."
            );
            Refused::new("BACKUP_OTHER_NODE", message)
        }
        _ => refused(&error),
    })?;
    match kept {
        Some(kept) => print_line(format_args!(
            "restored; the replaced store is kept as {}",
            kept.display()
        )),
        None => print_line("restored"),
    }
}

/// Runs `verify`; `further` adds what only the caller can check (signatures), where the file can be read.
///
/// # Errors
/// `VERIFY_FAULTS` where anything is wrong, `STORE_DAMAGED` where not even that can be told.
pub fn run_verify(
    replica: &Replica,
    further: impl FnOnce() -> anyhow::Result<Vec<(String, String)>>,
    json: bool,
) -> anyhow::Result<()> {
    let found = match replica.verify() {
        Err(rollcall_replica::Error::Store(error)) if is_damage(&error) => {
            replica.store().mark_damaged(&[error.to_string()]);
            return Err(refused(&error).into());
        }
        found => found.context("verify the store")?,
    };
    let mut faults: Vec<ShownFault> = found
        .into_iter()
        .map(|fault| ShownFault {
            kind: format!("{:?}", fault.kind),
            place: fault.place,
            message: fault.message,
        })
        .collect();
    let file: Vec<String> = faults
        .iter()
        .filter(|fault| fault.kind == "File")
        .map(|fault| fault.message.clone())
        .collect();
    if !file.is_empty() {
        replica.store().mark_damaged(&file);
    } else {
        faults.extend(further()?.into_iter().map(|(place, message)| ShownFault {
            kind: "Signature".to_owned(),
            place,
            message,
        }));
    }
    let documents = match replica.store().read(|reader| reader.documents_count()) {
        // What is wrong with the file is listed.
        Err(error) if is_damage(&error) && !faults.is_empty() => 0,
        documents => documents.map_err(|error| refused(&error))?,
    };
    let count = faults.len();
    let large = match large_documents(replica) {
        Err(error) if is_damage(&error) && !faults.is_empty() => Vec::new(),
        large => large.map_err(|error| refused(&error))?,
    };
    if json {
        print_json(&Verified {
            documents,
            faults,
            large,
        })?;
    } else {
        for fault in &faults {
            print_line(format_args!("{} {}: {}", fault.kind, fault.place, fault.message))?;
        }
        for one in &large {
            print_line(format_args!(
                "large {} {}: {}",
                one.document,
                one.name,
                large::sentence(one.bytes)
            ))?;
        }
        print_line(format_args!("{documents} documents checked, {count} faults"))?;
    }
    if count == 0 {
        Ok(())
    } else {
        Err(Refused::new(
            "VERIFY_FAULTS",
            format!("{count} faults were found; they are listed above."),
        )
        .into())
    }
}

/// Runs `rebuild`.
///
/// # Errors
/// The store's; `REBUILD_PARTIAL` where documents could not be read: what was known of them stays.
pub fn run_rebuild(replica: &Replica, json: bool) -> anyhow::Result<()> {
    let rebuilt = replica.rebuild(now_ms()).context("rebuild facts")?;
    let (documents, unread) = (rebuilt.documents, rebuilt.unread.len());
    if json {
        print_json(&serde_json::json!({ "documents": documents, "unread": unread }))?;
    } else {
        print_line(format_args!("facts and lists of {documents} documents read anew"))?;
    }
    let Some(first) = rebuilt.unread.first() else {
        return Ok(());
    };
    let message = format!(
        "{unread} documents cannot be read; figures and lists keep what was known of them. At a node rebuild --from-centre \
         fetches them again, at the aggregator restore a backup. The first: {first}"
    );
    Err(Refused::new("REBUILD_PARTIAL", message).into())
}

/// Opens a store; one that is damaged is opened to be read, and said so on standard error with what to do.
///
/// # Errors
/// The store's codes; `STORE_DAMAGED` where not even reading is possible.
pub fn open_store(path: &Path, remedy: &str) -> anyhow::Result<Store> {
    let damaged = match Store::open(path) {
        Ok(store) => return Ok(store),
        Err(error) if is_damage(&error) => error,
        Err(error) => return Err(refused(&error).into()),
    };
    match Store::open_damaged(path) {
        Ok(store) => {
            let sentence = "The data file is damaged: it is only read from now on, nothing more is written.";
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stderr(), "STORE_DAMAGED: {sentence} {remedy}");
            tracing::info!("opened to be read only: {damaged}");
            Ok(store)
        }
        Err(_) => {
            let message = format!("The data file is damaged and cannot be read. {remedy} ({damaged})");
            Err(Refused::new("STORE_DAMAGED", message).into())
        }
    }
}

/// Has a store remember the public key of the keys beside it, so that its backups are told from those of others. Where the
/// keys cannot be read, or nothing can be written, it is left to the next time: whoever needs them says so.
pub fn note_keys(store: &Store, key: impl FnOnce() -> anyhow::Result<Vec<u8>>) {
    let is_noted = store.read(|reader| reader.signing_key());
    if store.is_read_only() || !matches!(is_noted, Ok(None)) {
        return;
    }
    let Ok(key) = key() else { return };
    let noted = store
        .write("note keys", move |writer| writer.set_signing_key(&key))
        .wait();
    if let Err(error) = noted {
        tracing::info!("the store could not note whose keys it is used with: {error}");
    }
}

/// Remembers damage that something else than `verify` met, as that does: a page that the engine cannot read, a value or a
/// document whose stored bytes cannot be what was written. The store is only read from its next opening on.
pub fn mark_if_damaged(replica: &Replica, error: &rollcall_replica::Error) {
    let finding = match error {
        rollcall_replica::Error::Store(error) if is_damage(error) => error.to_string(),
        // What came may be at fault, too; only what is stored counts.
        rollcall_replica::Error::Document { id, .. } => match replica.document(*id) {
            Err(rollcall_replica::Error::Document { .. }) => format!("document {id} cannot be read"),
            _ => return,
        },
        _ => return,
    };
    replica.store().mark_damaged(&[finding]);
}

fn is_damage(error: &rollcall_store::Error) -> bool {
    matches!(
        error,
        rollcall_store::Error::Corrupt(_) | rollcall_store::Error::Damaged(_)
    )
}

/// A store's error as a refusal with its code.
pub fn refused(error: &rollcall_store::Error) -> Refused {
    Refused::new(error.code().unwrap_or("STORE"), error.to_string())
}

/// A replica's error as a refusal with its code.
pub fn refused_replica(error: &rollcall_replica::Error) -> Refused {
    Refused::new(error.code(), error.to_string())
}
