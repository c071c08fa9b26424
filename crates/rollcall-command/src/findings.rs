//! The command `findings`: alerts across documents, and what is kept apart.

use clap::Args;
use rollcall_replica::Replica;
use rollcall_replica::projection::Projection;
use serde::Serialize;

use crate::clock::today;
use crate::figures::day;
use crate::output::{print_json, print_line};

/// Changes kept apart that are listed at most.
const APART_MAX: usize = 1_000;

/// Flags of `findings`.
#[derive(Debug, Clone, Default, Args)]
pub struct FindingsArgs {
    /// The day to describe; today unless given.
    #[arg(long)]
    pub as_of: Option<String>,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// One alert as printed.
#[derive(Debug, Serialize)]
struct ShownFinding {
    rule: String,
    document: String,
    code: Option<String>,
    name: String,
    other: Option<String>,
    other_code: Option<String>,
    other_name: Option<String>,
    message: String,
}

/// Runs `findings`.
///
/// # Errors
/// `PARAM_INVALID`, or the store's.
pub fn run_findings(replica: &Replica, args: &FindingsArgs) -> anyhow::Result<()> {
    let as_of = day(args.as_of.as_ref())?.unwrap_or_else(today);
    let projection = Projection::build(replica)?;
    let mut shown = Vec::new();
    for finding in projection.cube().findings(as_of) {
        let called = replica.called(finding.document)?.unwrap_or_default();
        let other = match finding.other {
            Some(other) => replica.called(other)?,
            None => None,
        };
        shown.push(ShownFinding {
            rule: finding.rule.to_string(),
            document: finding.document.to_string(),
            code: called.code,
            name: called.name,
            other: finding.other.map(|other| other.to_string()),
            other_code: other.as_ref().and_then(|other| other.code.clone()),
            other_name: other.map(|other| other.name),
            message: finding.message.clone(),
        });
    }
    shown.extend(apart(replica)?);
    if args.json {
        return print_json(&shown);
    }
    for finding in shown {
        let code = finding.code.unwrap_or(finding.document);
        let other = match (finding.other_code.or(finding.other), finding.other_name) {
            (Some(code), Some(name)) => format!(" / {code} {name}"),
            (Some(code), None) => format!(" / {code}"),
            (None, _) => String::new(),
        };
        print_line(format_args!(
            "{} {code} {}{other}: {}",
            finding.rule, finding.name, finding.message
        ))?;
    }
    Ok(())
}

/// What is kept apart, and what was written again because its number was taken: somebody should look at both edits.
fn apart(replica: &Replica) -> anyhow::Result<Vec<ShownFinding>> {
    let rows = replica.store().read(|reader| reader.quarantine_all(APART_MAX))?;
    let open = rows.into_iter().filter(|row| {
        let rescued = row.outcome == "rescued" && row.refused.code == "FORKED";
        row.released_ms.is_none() || rescued
    });
    let shown = open.map(|row| {
        let called = replica.called(row.refused.document_id)?.unwrap_or_default();
        Ok(ShownFinding {
            rule: row.refused.code.clone(),
            document: row.refused.document_id.to_string(),
            code: called.code,
            name: called.name,
            other: None,
            other_code: None,
            other_name: None,
            message: match row.note.as_str() {
                "" => row.refused.message,
                note => format!("{} {}: {note}", row.refused.message, row.outcome),
            },
        })
    });
    shown.collect()
}
