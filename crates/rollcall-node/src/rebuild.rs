//! `rebuild --from-centre` and `take-back`: a store that is damaged is set aside, what it had not sent is saved to a file,
//! and a new one is filled from the aggregator (`protocol.md` 4.7, R8).

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use rollcall_command::accounts::{FirstAccount, audit, create, one_time_password};
use rollcall_command::clock::{now_ms, random};
use rollcall_command::output::{Refused, print_json, print_line};
use rollcall_command::receipt_file::from_hex;
use rollcall_command::upkeep::{refused, refused_replica};
use rollcall_core::id::{DocumentId, DocumentKind, FederationId, LogEpoch, StoreId};
use rollcall_replica::Replica;
use rollcall_replica::take_down::Taken;
use rollcall_store::cursor::Grant;
use rollcall_store::salvage::{Salvage, UnsentChange, salvage};
use rollcall_store::successor::Mark;
use rollcall_store::{CreateOptions, Role, Store};
use rollcall_sync::session::client::SessionEnd;
use serde::{Deserialize, Serialize};

use crate::files::{Config, Files};
use crate::link::sync_now;

/// First line of a file of unsent changes.
const FORM: &str = "rollcall-unsent-1";
/// Files of unsent changes that may lie in a data directory.
const FILES_MAX: u32 = 1_000;
/// Longest line of such a file: a change of 256 KB in hexadecimal, and its names.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Sessions within which a new store is filled.
const SESSIONS_MAX: usize = 3;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    form: String,
    store: Option<StoreId>,
}

/// One saved change.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    document: String,
    kind: String,
    name: String,
    change: String,
    bytes: String,
}

/// What is said of a saved change.
#[derive(Debug, Serialize)]
struct ShownUnsent<'a> {
    document: &'a str,
    kind: &'a str,
    name: &'a str,
    change: &'a str,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl From<&UnsentChange> for Saved {
    fn from(change: &UnsentChange) -> Self {
        Self {
            document: change.document_id.to_string(),
            kind: change.kind.name().to_owned(),
            name: change.name.clone(),
            change: hex(&change.hash),
            bytes: hex(&change.bytes),
        }
    }
}

impl Saved {
    fn read(line: &str) -> Option<UnsentChange> {
        let saved: Self = serde_json::from_str(line).ok()?;
        Some(UnsentChange {
            document_id: saved.document.parse::<DocumentId>().ok()?,
            kind: DocumentKind::ALL
                .into_iter()
                .find(|kind| kind.name() == saved.kind)?,
            name: saved.name,
            hash: from_hex(&saved.change)?.try_into().ok()?,
            bytes: from_hex(&saved.bytes)?,
        })
    }
}

/// Runs `rebuild --from-centre`.
///
/// # Errors
/// `NOT_ENROLLED`, a store that is in use, the connection's and the session's codes. A new store that could not be filled
/// yet is filled by the next sync.
pub fn run_from_centre(files: &Files, json: bool) -> anyhow::Result<()> {
    let config = files.load_config()?;
    files.client_config(&config)?;
    let path = files.store();
    // A disk that is new holds nothing to save.
    let is_there = path.exists();
    let saved = if is_there {
        salvage(&path).map_err(|error| refused(&error))?
    } else {
        Salvage::default()
    };
    let unsent: Vec<Saved> = saved.unsent.iter().map(Saved::from).collect();
    let unsent_file = save_unsent(files, saved.store_id, &unsent)?;
    let aside = is_there.then(|| rollcall_store::backup::set_aside(&path));
    let aside = aside.transpose().map_err(|error| refused(&error))?;
    let made = make(files, &config, &saved);
    let (store, first) = match made {
        Ok(made) => made,
        Err(error) => {
            // The old store is better than none.
            if let Some(aside) = &aside {
                let _ = std::fs::rename(aside, &path);
            }
            return Err(error);
        }
    };
    let replica = Replica::new(store);
    let filled = fill(files, &replica);
    let (outcome, pulled) = match &filled {
        Ok((outcome, pulled)) => (*outcome, *pulled),
        Err(_) => ("not_filled_yet", Taken::default()),
    };
    if json {
        print_json(&serde_json::json!({
            "outcome": outcome,
            "store": replica.store().identity().store_id.to_string(),
            "set_aside": aside,
            "accounts": saved.accounts.len(),
            "account": first.as_ref().map(|first| &first.name),
            "password": first.as_ref().map(|first| &first.password),
            "unreadable": saved.unreadable,
            "whole": is_there && is_whole(&saved),
            "unsent_file": unsent_file,
            "unsent": unsent.iter().map(|saved| ShownUnsent {
                document: &saved.document, kind: &saved.kind, name: &saved.name, change: &saved.change,
            }).collect::<Vec<_>>(),
            "pulled": { "changes": pulled.changes, "documents": pulled.documents },
        }))?;
    } else {
        match &aside {
            Some(aside) => print_line(format_args!("the store as it was is kept as {}", aside.display()))?,
            None => print_line("there was no store; a new one is made")?,
        }
        print_line(format_args!(
            "{} accounts taken over, {} rows could not be read",
            saved.accounts.len(),
            saved.unreadable
        ))?;
        if let Some(first) = &first {
            print_line(format_args!(
                "no account could be read: account {} password {} (to be changed at the first sign-in)",
                first.name, first.password
            ))?;
        }
        for saved in &unsent {
            let name = if saved.name.is_empty() {
                &saved.document
            } else {
                &saved.name
            };
            print_line(format_args!(
                "not sent: {} {name} change {}",
                saved.kind, saved.change
            ))?;
        }
        match &unsent_file {
            Some(file) => print_line(format_args!(
                "{} changes were not sent; they are saved in {}, take-back enters them again",
                unsent.len(),
                file.display()
            ))?,
            None if !is_there => {}
            None if is_whole(&saved) => print_line("nothing was lost: everything had been sent")?,
            None => print_line(
                "whether everything had been sent could not be read; keep the store as it was until the entries of the last days are looked through",
            )?,
        }
        print_line(format_args!(
            "{outcome}: {} documents and {} changes fetched",
            pulled.documents, pulled.changes
        ))?;
    }
    filled.map(drop)
}

/// Whether what was not sent could be read, all of it.
fn is_whole(saved: &Salvage) -> bool {
    saved.store_id.is_some() && saved.unreadable == 0
}

/// Writes the unsent changes to a file of their own; none where there are none.
fn save_unsent(files: &Files, store: Option<StoreId>, unsent: &[Saved]) -> anyhow::Result<Option<PathBuf>> {
    if unsent.is_empty() {
        return Ok(None);
    }
    let free = (1..=FILES_MAX)
        .map(|number| files.folder().join(format!("unsent-{number}.jsonl")))
        .find(|path| !path.exists());
    let path = free.context("find a name for the file of unsent changes")?;
    let opening = Opening {
        form: FORM.to_owned(),
        store,
    };
    let mut text = serde_json::to_string(&opening)?;
    for saved in unsent {
        text.push('\n');
        text.push_str(&serde_json::to_string(saved)?);
    }
    text.push('\n');
    rollcall_rpc::authority::write_private(&path, text.as_bytes())
        .with_context(|| format!("write {}", path.display()))?;
    Ok(Some(path))
}

/// A new store in the place of the one that is set aside, and the first account where none could be read.
fn make(files: &Files, config: &Config, saved: &Salvage) -> anyhow::Result<(Store, Option<FirstAccount>)> {
    let federation: FederationId = config.federation.parse().context("read the federation")?;
    let options = CreateOptions {
        role: Role::Node,
        store_id: StoreId(random()),
        log_epoch: LogEpoch(random()),
        name: saved.name.clone().unwrap_or_else(|| config.name.clone()),
    };
    let store = Store::create(&files.store(), &options).map_err(|error| refused(&error))?;
    let accounts = saved.accounts.clone();
    let grants = vec![Grant {
        scope: federation.clone(),
        write: true,
    }];
    let work = move |writer: &mut rollcall_store::Writer| {
        writer.set_mark(Mark::TakesPlace, true)?;
        writer.save_grants(&grants)?;
        accounts
            .iter()
            .try_for_each(|account| writer.create_account(account))
    };
    store
        .write("begin anew", work)
        .wait()
        .map_err(|error| refused(&error))?;
    let first = if saved.accounts.is_empty() {
        let first = FirstAccount {
            name: "admin".to_owned(),
            password: one_time_password(),
        };
        let hash = rollcall_web::login::hash_password(&first.password).context("hash the password")?;
        create(&store, federation.as_str(), &first.name, hash, "administrator")
            .map_err(|error| refused(&error))?;
        Some(first)
    } else {
        None
    };
    let before = saved
        .store_id
        .map_or_else(|| "unknown".to_owned(), |id| id.to_string());
    audit(&store, "system", "rebuilt_from_centre", &before, now_ms()).map_err(|error| refused(&error))?;
    Ok((store, first))
}

fn fill(files: &Files, replica: &Replica) -> anyhow::Result<(&'static str, Taken)> {
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let mut pulled = Taken::default();
    for _ in 0..SESSIONS_MAX {
        let (report, _) = runtime.block_on(sync_now(files, replica))?;
        pulled.changes += report.pulled.changes;
        pulled.documents += report.pulled.documents;
        match report.end {
            Some(SessionEnd::InSync | SessionEnd::CaughtUp | SessionEnd::Repaired(_)) => {
                return Ok(("rebuilt", pulled));
            }
            Some(SessionEnd::Refused { code, message }) => return Err(Refused::new(code, message).into()),
            _ => {}
        }
    }
    let message = "The new store could not be filled yet; the next sync goes on.";
    Err(Refused::new("LINK_LOST", message).into())
}

/// Runs `take-back`.
///
/// # Errors
/// `FILE` where it is none of ours; the store's.
pub fn run_take_back(files: &Files, file: &Path, json: bool) -> anyhow::Result<()> {
    let unsent = read_unsent(file)?;
    let replica = Replica::new(files.open_store()?);
    let taken = replica
        .take_back(&unsent, now_ms())
        .map_err(|error| refused_replica(&error))?;
    if json {
        return print_json(&serde_json::json!({
            "read": unsent.len(), "written": taken.written, "held": taken.held, "refused": taken.refused,
        }));
    }
    print_line(format_args!(
        "{} changes read: {} entered again, {} were there already, {} cannot be entered",
        unsent.len(),
        taken.written,
        taken.held,
        taken.refused
    ))
}

fn read_unsent(file: &Path) -> anyhow::Result<Vec<UnsentChange>> {
    let failed =
        |error: std::io::Error| Refused::new("FILE", format!("Cannot read {}: {error}.", file.display()));
    let not_ours = |line: usize| {
        let message = format!("{} line {line} is not a saved change.", file.display());
        Refused::new("FILE", message)
    };
    let mut lines = BufReader::new(std::fs::File::open(file).map_err(failed)?).lines();
    let first = lines.next().transpose().map_err(failed)?.unwrap_or_default();
    let opening = serde_json::from_str::<Opening>(&first);
    if !opening.is_ok_and(|opening| opening.form == FORM) {
        return Err(not_ours(1).into());
    }
    let mut unsent = Vec::new();
    for (index, line) in lines.enumerate() {
        let line = line.map_err(failed)?;
        if line.len() > LINE_BYTES_MAX {
            return Err(not_ours(index + 2).into());
        }
        unsent.push(Saved::read(&line).ok_or_else(|| not_ours(index + 2))?);
    }
    Ok(unsent)
}
