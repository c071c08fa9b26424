//! The commands `organisation` and `conflicts`: everything a page can do to an organisation.

use std::collections::BTreeMap;

use anyhow::Context;
use rollcall_command::clock::{now_ms, random, time_text, today};
use rollcall_command::output::{self, Refused, print_json, print_line};
use rollcall_command::upkeep::refused_replica;
use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_doc::{Conflict, EditBy, HistoryEntry};
use rollcall_replica::Replica;
use rollcall_replica::edit::Editing;
use rollcall_replica::projection::Projection;
use rollcall_store::listing::{ListingOrder, ListingQuery};
use serde::Serialize;
use serde_json::Value;

use crate::cli::{Conflicts, Organisation};
use crate::files::{Config, Files};

/// Kinds that `conflicts` and the arguments of `organisation` may mean, likeliest first.
pub(crate) const KINDS: [DocumentKind; 7] = [
    DocumentKind::Organisation,
    DocumentKind::Union,
    DocumentKind::Subsidy,
    DocumentKind::Fund,
    DocumentKind::SameAs,
    DocumentKind::Federation,
    DocumentKind::Campaign,
];

/// One row of `organisation list --json`.
#[derive(Debug, Serialize)]
struct ShownRow {
    document: DocumentId,
    code: Option<String>,
    name: String,
    responsible: Option<String>,
    conflicts: u32,
    sent: bool,
}

/// One conflict of `conflicts list --json`.
#[derive(Debug, Serialize)]
struct ShownConflict {
    document: DocumentId,
    code: Option<String>,
    name: String,
    field: String,
    values: Vec<ShownValue>,
}

#[derive(Debug, Serialize)]
struct ShownValue {
    id: String,
    value: Value,
    author: String,
    time: String,
    reason: String,
}

/// One edit of `organisation history --json`.
#[derive(Debug, Serialize)]
struct ShownChange {
    change: String,
    author: String,
    time: String,
    reason: String,
    position: Option<u64>,
    edits: Vec<ShownEdit>,
}

#[derive(Debug, Serialize)]
struct ShownEdit {
    field: String,
    old: Option<Value>,
    new: Option<Value>,
}

/// The account of the command line: an account of its own (`protocol.md` 1.10).
pub fn command_line_account(config: &Config) -> String {
    format!(
        "{}/command-line",
        config.federation.split('/').next().unwrap_or(&config.federation)
    )
}

/// Runs `organisation`.
///
/// # Errors
/// `NOT_FOUND`, problems of the values, the store's.
pub fn run(command: &Organisation) -> anyhow::Result<()> {
    match command {
        Organisation::List {
            filter,
            data,
            limit,
            json,
        } => {
            let replica = Replica::new(Files::new(&data.folder).open_store()?);
            list(&replica, filter.as_deref(), *limit, *json)
        }
        Organisation::Show { code, data, json } => {
            let replica = Replica::new(Files::new(&data.folder).open_store()?);
            show(&replica, find(&replica, code, &KINDS[..2])?, *json)
        }
        Organisation::Set {
            code,
            fields,
            data,
            reason,
            json,
        } => {
            let files = Files::new(&data.folder);
            let replica = Replica::new(files.open_store()?);
            let id = find(&replica, code, &KINDS[..2])?;
            let by = editing(&files, reason)?;
            let changed = set(&replica, id, fields, &by)?;
            if *json {
                return print_json(&serde_json::json!({ "document": id, "change": changed.map(hex) }));
            }
            print_line(if changed.is_some() {
                "saved"
            } else {
                "nothing changed"
            })
        }
        Organisation::History { code, data, json } => {
            let replica = Replica::new(Files::new(&data.folder).open_store()?);
            history(&replica, find(&replica, code, &KINDS[..2])?, *json)
        }
    }
}

/// Runs `conflicts`.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT_UNKNOWN`, the store's.
pub fn run_conflicts(command: &Conflicts) -> anyhow::Result<()> {
    match command {
        Conflicts::List { data, json } => {
            let replica = Replica::new(Files::new(&data.folder).open_store()?);
            list_conflicts(&replica, *json)
        }
        Conflicts::Settle {
            document,
            field,
            take,
            reason,
            data,
            json,
        } => {
            let files = Files::new(&data.folder);
            let replica = Replica::new(files.open_store()?);
            let id = find(&replica, document, &KINDS)?;
            let by = editing(&files, reason)?;
            let changed = replica
                .edit(id, &by, |document| document.settle(field, take))
                .map_err(|error| refused_replica(&error))?;
            if *json {
                return print_json(&serde_json::json!({ "document": id, "change": changed.map(hex) }));
            }
            print_line("settled")
        }
    }
}

fn editing(files: &Files, reason: &str) -> anyhow::Result<Editing> {
    let config = files.load_config()?;
    Ok(Editing {
        author: command_line_account(&config),
        reason: output::reason(reason)?,
        now_ms: now_ms(),
        heads: None,
    })
}

/// The document that somebody means.
pub(crate) fn find(
    replica: &Replica,
    reference: &str,
    kinds: &[DocumentKind],
) -> Result<DocumentId, Refused> {
    replica
        .find(reference, kinds)
        .map_err(|error| refused_replica(&error))
}

/// Saves `FIELD=VALUE` edits as one change.
///
/// # Errors
/// Problems of the values; nothing is saved then.
pub fn set(
    replica: &Replica,
    id: DocumentId,
    fields: &[String],
    by: &Editing,
) -> anyhow::Result<Option<[u8; 32]>> {
    let saved = replica.edit(id, by, |document| {
        // Each assignment sees the ones before it, so that two figures of one count end up in one entry.
        let mut scratch = document.clone();
        let trying = EditBy {
            actor: ActorId(random()),
            author: by.author.clone(),
            reason: String::new(),
            time_ms: by.now_ms,
            heads: None,
        };
        let mut edits = BTreeMap::new();
        for text in fields {
            let Some((field, value)) = text.split_once('=') else {
                let message = format!("{text:?} is not FIELD=VALUE.");
                return Err(vec![Problem::error("PARAM_INVALID", text.clone(), message)]);
            };
            let planned = scratch.set(field, value)?;
            if let Err(error) = scratch.apply_edits(&planned, &trying) {
                return Err(vec![Problem::error(
                    "PARAM_INVALID",
                    text.clone(),
                    error.to_string(),
                )]);
            }
            for edit in planned {
                edits.insert(edit.field.clone(), edit);
            }
        }
        Ok(edits.into_values().collect())
    });
    Ok(saved.map_err(|error| refused_replica(&error))?)
}

fn list(replica: &Replica, filter: Option<&str>, limit: usize, json: bool) -> anyhow::Result<()> {
    let query = ListingQuery {
        kind: Some(DocumentKind::Organisation),
        text: filter.unwrap_or_default().to_lowercase(),
        order: ListingOrder::Name,
        limit,
        ..ListingQuery::default()
    };
    let page = replica
        .store()
        .read(|reader| reader.listings(&query))
        .context("read the list")?;
    let rows = page.rows.into_iter().map(|row| ShownRow {
        document: row.document_id,
        code: row.listing.code,
        name: row.listing.name,
        responsible: row.listing.home.map(|home| home.to_string()),
        conflicts: row.listing.conflicts,
        sent: row.position != rollcall_store::UNSENT,
    });
    if json {
        return print_json(&rows.collect::<Vec<_>>());
    }
    for row in rows {
        let code = row.code.unwrap_or_else(|| row.document.to_string());
        print_line(format_args!("{code} {}", row.name))?;
    }
    Ok(())
}

fn show(replica: &Replica, id: DocumentId, json: bool) -> anyhow::Result<()> {
    let document = replica.document(id).context("open the document")?;
    let (record, problems) = document.record();
    let conflicts: Vec<String> = document
        .conflicts()
        .into_iter()
        .map(|conflict| conflict.field)
        .collect();
    let projection = Projection::build(replica).context("read the facts")?;
    let status = projection.cube().organisation(id, today());
    let status = serde_json::to_value(&status).context("write the status")?;
    let heads: Vec<String> = document.heads().into_iter().map(hex).collect();
    let shown = serde_json::json!({
        "document": id, "record": record, "status": status, "problems": problems,
        "conflicts": conflicts, "heads": heads,
    });
    if json {
        print_json(&shown)
    } else {
        print_line(serde_json::to_string_pretty(&shown)?)
    }
}

fn history(replica: &Replica, id: DocumentId, json: bool) -> anyhow::Result<()> {
    let document = replica.document(id).context("open the document")?;
    let mut shown = Vec::new();
    for entry in document.history() {
        let position = replica
            .store()
            .read(|reader| reader.change_position(id, &entry.change))?;
        shown.push(shown_change(
            entry,
            position
                .map(|(position, _)| position)
                .filter(|position| *position > 0),
        ));
    }
    if json {
        return print_json(&shown);
    }
    for change in shown {
        let position = change
            .position
            .map_or("not sent".to_owned(), |position| format!("position {position}"));
        print_line(format_args!(
            "{} {} {} {}",
            change.time, change.author, position, change.reason
        ))?;
        for edit in change.edits {
            let text = |value: Option<Value>| value.map_or("–".to_owned(), |value| value.to_string());
            print_line(format_args!(
                "  {}: {} -> {}",
                edit.field,
                text(edit.old),
                text(edit.new)
            ))?;
        }
    }
    Ok(())
}

fn shown_change(entry: HistoryEntry, position: Option<u64>) -> ShownChange {
    ShownChange {
        change: hex(entry.change),
        author: entry.author,
        time: time_text(entry.time_ms),
        reason: entry.reason,
        position,
        edits: entry
            .edits
            .into_iter()
            .map(|edit| ShownEdit {
                field: edit.field,
                old: edit.old,
                new: edit.new,
            })
            .collect(),
    }
}

fn list_conflicts(replica: &Replica, json: bool) -> anyhow::Result<()> {
    let query = ListingQuery {
        with_conflicts: true,
        order: ListingOrder::Conflicts,
        limit: usize::from(u16::MAX),
        ..ListingQuery::default()
    };
    let page = replica
        .store()
        .read(|reader| reader.listings(&query))
        .context("read the conflicts")?;
    let mut shown = Vec::new();
    for row in page.rows {
        let document = replica.document(row.document_id).context("open the document")?;
        for conflict in document.conflicts() {
            shown.push(shown_conflict(
                row.document_id,
                row.listing.code.clone(),
                &row.listing.name,
                conflict,
            ));
        }
    }
    if json {
        return print_json(&shown);
    }
    for conflict in shown {
        let code = conflict.code.unwrap_or_else(|| conflict.document.to_string());
        print_line(format_args!("{code} {} {}", conflict.name, conflict.field))?;
        for value in conflict.values {
            print_line(format_args!(
                "  {} {} by {} at {}",
                value.id, value.value, value.author, value.time
            ))?;
        }
    }
    Ok(())
}

fn shown_conflict(
    document: DocumentId,
    code: Option<String>,
    name: &str,
    conflict: Conflict,
) -> ShownConflict {
    let values = conflict.values.into_iter().map(|value| ShownValue {
        id: value.id,
        value: value.value,
        author: value.author,
        time: time_text(value.time_ms),
        reason: value.reason,
    });
    ShownConflict {
        document,
        code,
        name: name.to_owned(),
        field: conflict.field,
        values: values.collect(),
    }
}

/// A hash as text.
pub fn hex(hash: [u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
