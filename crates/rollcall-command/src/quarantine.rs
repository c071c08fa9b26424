//! The arguments of `quarantine`, its commands `list | show | discard` and what `release` prints: changes kept apart, the same on node and
//! aggregator (`protocol.md` 4.7, R7). Trying again is the programs', who know the sender.

use anyhow::Context;
use clap::Subcommand;
use rollcall_replica::Replica;
use rollcall_replica::quarantine::Retried;
use rollcall_store::quarantine::QuarantineRow;
use serde::Serialize;

use crate::clock::{now_ms, time_text};
use crate::data::Data;
use crate::output::{Refused, print_json, print_line};
use crate::upkeep::refused_replica;

/// Rows printed at most.
const ROWS_MAX: usize = 10_000;

/// `quarantine`.
#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// Lists what is kept apart.
    List {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// With what was taken, written again or discarded since.
        #[arg(long)]
        all: bool,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Shows one change with its bytes.
    Show {
        /// Its number.
        id: u64,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Tries one once more.
    Release {
        /// Its number.
        id: u64,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Sets one aside for good.
    Discard {
        /// Its number.
        id: u64,
        /// Why; kept in the audit trail.
        #[arg(long)]
        reason: String,
        /// Store.
        #[command(flatten)]
        data: Data,
    },
}

/// One change kept apart, as printed.
#[derive(Debug, Serialize)]
struct Shown {
    id: u64,
    document: String,
    kind: &'static str,
    name: String,
    code: String,
    message: String,
    since: String,
    store: String,
    attempts: u64,
    program: String,
    outcome: String,
    note: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shown(replica: &Replica, row: &QuarantineRow) -> anyhow::Result<Shown> {
    let refused = &row.refused;
    let called = replica.called(refused.document_id).context("read the name")?;
    let name = called.unwrap_or_default().name;
    Ok(Shown {
        id: row.quarantine_id,
        document: refused.document_id.to_string(),
        kind: refused.kind.name(),
        name,
        code: refused.code.clone(),
        message: refused.message.clone(),
        since: time_text(row.first_seen_ms),
        store: refused.origin_store.to_string(),
        attempts: row.attempts,
        program: refused.program.clone(),
        outcome: row.outcome.clone(),
        note: row.note.clone(),
        change: None,
        bytes: None,
    })
}

/// Runs `quarantine list`; `all`: closed rows too.
///
/// # Errors
/// The store's.
pub fn run_list(replica: &Replica, all: bool, json: bool) -> anyhow::Result<()> {
    let rows = replica
        .store()
        .read(|reader| {
            if all {
                reader.quarantine_all(ROWS_MAX)
            } else {
                reader.quarantine(ROWS_MAX)
            }
        })
        .context("read the quarantine")?;
    let rows: Vec<Shown> = rows
        .iter()
        .map(|row| shown(replica, row))
        .collect::<anyhow::Result<_>>()?;
    if json {
        return print_json(&rows);
    }
    if rows.is_empty() {
        return print_line("nothing is kept apart");
    }
    for row in rows {
        let name = if row.name.is_empty() {
            &row.document
        } else {
            &row.name
        };
        let end = match row.outcome.as_str() {
            "" => String::new(),
            outcome => format!(" ({outcome}: {})", row.note),
        };
        print_line(format_args!(
            "{} {} {name} since {}: {}{end}",
            row.id, row.code, row.since, row.message
        ))?;
    }
    Ok(())
}

/// The row of a number.
///
/// # Errors
/// `NOT_FOUND` where there is none.
pub fn find(replica: &Replica, id: u64) -> anyhow::Result<QuarantineRow> {
    let row = replica
        .store()
        .read(|reader| reader.quarantine_row(id))
        .context("read the quarantine")?;
    row.ok_or_else(|| {
        Refused::new(
            "NOT_FOUND",
            format!("Nothing is kept apart under number {id}; quarantine list shows what is."),
        )
        .into()
    })
}

/// Runs `quarantine show`: everything, the bytes too.
///
/// # Errors
/// `NOT_FOUND`; the store's.
pub fn run_show(replica: &Replica, id: u64, json: bool) -> anyhow::Result<()> {
    let row = find(replica, id)?;
    let mut shown = shown(replica, &row)?;
    shown.change = row.refused.hash.as_ref().map(|hash| hex(hash));
    shown.bytes = Some(hex(&row.refused.bytes));
    if json {
        return print_json(&shown);
    }
    for (name, value) in [
        ("document", &shown.document),
        ("name", &shown.name),
        ("code", &shown.code),
        ("message", &shown.message),
        ("since", &shown.since),
        ("from store", &shown.store),
        ("tried last by", &shown.program),
        ("ended", &shown.outcome),
        ("note", &shown.note),
        ("change", shown.change.as_ref().unwrap_or(&String::new())),
        ("bytes", shown.bytes.as_ref().unwrap_or(&String::new())),
    ] {
        if !value.is_empty() {
            print_line(format_args!("{name:<14} {value}"))?;
        }
    }
    Ok(())
}

/// Says what a further attempt came to.
///
/// # Errors
/// The code with which the change stays apart.
pub fn tell(id: u64, retried: &Retried, json: bool) -> anyhow::Result<()> {
    let (outcome, line) = match retried {
        Retried::Taken => ("taken", "taken"),
        Retried::Fetched => ("fetched", "sound by this program; the next sync fetches it"),
        Retried::Refused(code) => {
            let message =
                format!("Change {id} stays apart; nothing was changed. discard sets it aside for good.");
            return Err(Refused::new(code.clone(), message).into());
        }
    };
    if json {
        print_json(&serde_json::json!({ "id": id, "outcome": outcome }))
    } else {
        print_line(format_args!("{id}: {line}"))
    }
}

/// Refuses to try again what has ended.
///
/// # Errors
/// `ALREADY_DONE`.
pub fn must_be_open(row: &QuarantineRow) -> anyhow::Result<()> {
    if row.released_ms.is_none() {
        return Ok(());
    }
    let message = format!(
        "Change {} is no longer kept apart: {}.",
        row.quarantine_id, row.outcome
    );
    Err(Refused::new("ALREADY_DONE", message).into())
}

/// Runs `quarantine discard`.
///
/// # Errors
/// `NOT_FOUND`, `ALREADY_DONE`; the store's.
pub fn run_discard(replica: &Replica, id: u64, reason: &str) -> anyhow::Result<()> {
    must_be_open(&find(replica, id)?)?;
    replica
        .discard_quarantined(id, "system", reason, now_ms())
        .map_err(|error| refused_replica(&error))?;
    print_line(format_args!(
        "{id} is set aside for good; its bytes stay on record"
    ))
}
