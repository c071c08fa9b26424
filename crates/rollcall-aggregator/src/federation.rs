//! The command `federation`: the directory. Every division of the reference tables is a federation from the start;
//! records add industrial ones and dated changes.

use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use rollcall_command::clock::now_ms;
use rollcall_command::output::{Refused, print_json, print_line};
use rollcall_core::division::Divisions;
use rollcall_core::id::DocumentKind;
use rollcall_core::record::{FederationRecord, Record};
use rollcall_exchange::RecordReader;
use rollcall_replica::Replica;
use serde::Serialize;

use crate::files::Files;

/// One federation as printed.
#[derive(Debug, Serialize)]
struct Shown {
    code: String,
    name: String,
    level: &'static str,
    parent: Option<String>,
}

/// Takes in federation records.
///
/// # Errors
/// `RECORD_KIND` for records of another kind; nothing is taken in then.
pub fn run_import(files: &Files, path: &Path) -> anyhow::Result<()> {
    let store = files.open_store()?;
    let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut reader = RecordReader::new(BufReader::new(file));
    let mut records: Vec<FederationRecord> = Vec::new();
    while let Some((line, record)) = reader.next_record().context("read the file")? {
        match record {
            Ok(Record::Federation(record)) => records.push(record),
            Ok(other) => {
                let message = format!(
                    "Line {line} is a record of {}, not of a federation.",
                    other.kind().name()
                );
                return Err(Refused::new("RECORD_KIND", message).into());
            }
            Err(problem) => {
                return Err(Refused::new(problem.code, format!("Line {line}: {}", problem.message)).into());
            }
        }
    }
    let replica = Replica::new(store);
    let count = replica.own_records(
        records.into_iter().map(Record::Federation),
        "100000/system",
        now_ms(),
    )?;
    print_line(format_args!("{count} federations new or changed"))
}

/// Lists the directory.
///
/// # Errors
/// The store's.
pub fn run_list(files: &Files, json: bool) -> anyhow::Result<()> {
    let store = files.open_store()?;
    let divisions = Divisions::get();
    let mut shown: Vec<Shown> = divisions
        .in_use()
        .map(|division| Shown {
            code: format!("{:06}", division.code),
            name: divisions.name(division.code).unwrap_or_default().to_owned(),
            level: divisions
                .level(division.code)
                .map_or("county", |level| level.name()),
            parent: divisions
                .parent(division.code)
                .map(|parent| format!("{parent:06}")),
        })
        .collect();
    let replica = Replica::new(store);
    for id in replica.documents_of(DocumentKind::Federation)? {
        if let (Record::Federation(record), _) = replica.record(id)? {
            shown.push(Shown {
                code: record.code.to_string(),
                name: record.name,
                level: record.level.name(),
                parent: record.parent.map(|parent| parent.to_string()),
            });
        }
    }
    if json {
        return print_json(&shown);
    }
    for federation in shown {
        print_line(format_args!(
            "{} {} {}",
            federation.code, federation.level, federation.name
        ))?;
    }
    Ok(())
}
