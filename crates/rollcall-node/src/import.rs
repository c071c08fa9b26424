//! The commands `import`, `undo` and `export`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read};
use std::path::Path;

use anyhow::Context;
use rollcall_command::clock::{now_ms, random, today};
use rollcall_command::output::{Refused, print_json, print_line};
use rollcall_command::upkeep::refused_replica;
use rollcall_core::problem::Problem;
use rollcall_exchange::{
    ImportSummary, ListFormat, ListKind, PlanSettings, ReadOptions, read_list, write_rejects,
};
use rollcall_replica::Replica;
use rollcall_replica::edit::Editing;
use rollcall_replica::import::ImportFile;
use rollcall_replica::projection::Projection;
use sha2::{Digest, Sha256};

use crate::cli::{Export, Import, Undo};
use crate::files::Files;
use crate::organisation::{KINDS, command_line_account, find};

/// Problems and warnings printed for a person; `--json` has more of them.
const PRINTED_MAX: usize = 20;

/// Largest list, bytes (`reliability.md` 4 row 11); records have no such limit.
const LIST_BYTES_MAX: u64 = 20 * 1024 * 1024;

/// Runs `import`.
///
/// # Errors
/// `FILE_MISSING`; the file's code of `reliability.md` 4 where it cannot be read at all; the store's.
pub fn run(args: &Import) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    let config = files.load_config()?;
    let replica = Replica::new(files.open_store()?);
    if !args.file.is_file() {
        let message = format!("There is no file {}.", args.file.display());
        return Err(Refused::new("FILE_MISSING", message).into());
    }
    let name = args
        .file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let by = Editing {
        author: command_line_account(&config),
        reason: format!("import {name}"),
        now_ms: now_ms(),
        heads: None,
    };
    let summary = match args.as_kind.as_deref() {
        Some("records" | "subsidies") => import_records(&replica, &args.file, &name, &by, args.dry_run)?,
        kind => import_list(&replica, args, &name, kind, &by)?,
    };
    if args.json {
        return print_json(&summary);
    }
    print_summary(&summary, args.dry_run)
}

/// A name for an import.
pub fn new_import_id() -> String {
    random::<8>().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn import_records(
    replica: &Replica,
    path: &Path,
    name: &str,
    by: &Editing,
    dry_run: bool,
) -> anyhow::Result<ImportSummary> {
    let file = ImportFile {
        import_id: new_import_id(),
        file_name: name.to_owned(),
        sha256: hash_file(path)?,
    };
    let open = || File::open(path).map(BufReader::new);
    Ok(replica
        .import_records(&file, open, by, dry_run)
        .map_err(|error| refused_replica(&error))?)
}

fn import_list(
    replica: &Replica,
    args: &Import,
    name: &str,
    kind: Option<&str>,
    by: &Editing,
) -> anyhow::Result<ImportSummary> {
    let size = std::fs::metadata(&args.file)
        .with_context(|| format!("open {}", args.file.display()))?
        .len();
    if size > LIST_BYTES_MAX {
        let message = format!("The file has {size} bytes; split it into parts of at most {LIST_BYTES_MAX}.");
        return Err(Refused::new("FILE_TOO_BIG", message).into());
    }
    let bytes = std::fs::read(&args.file).with_context(|| format!("read {}", args.file.display()))?;
    let mut map = Vec::new();
    for pair in &args.map {
        let (column, field) = pair
            .split_once('=')
            .ok_or_else(|| Refused::new("PARAM_INVALID", format!("{pair:?} is not COLUMN=FIELD.")))?;
        map.push((column.to_owned(), field.to_owned()));
    }
    let options = ReadOptions {
        encoding: args.encoding.clone(),
        sheet: args.sheet.clone(),
        map,
        as_kind: match kind {
            Some("organisations") => Some(ListKind::Organisations),
            Some("unions") => Some(ListKind::Unions),
            _ => None,
        },
        ..ReadOptions::default()
    };
    let list = read_list(&bytes, name, &options).map_err(|problem| refused(&problem))?;
    drop(bytes);
    let campaign = Projection::build(replica)
        .context("read the facts")?
        .cube()
        .settings()
        .clone();
    let area = replica
        .scopes_written()
        .context("read the scopes")?
        .first()
        .map(|scope| scope.division());
    let settings = PlanSettings {
        import_id: new_import_id(),
        today: today(),
        counts_on: None,
        area: area.filter(|area| *area != 100_000),
        campaign,
    };
    let mut plan = replica
        .plan_list(&list, settings)
        .map_err(|error| refused_replica(&error))?;
    // Before anything is written, so that a place where it cannot be does not come out afterwards.
    let rejects = args.rejects.as_deref().map(create_rejects).transpose()?;
    if !args.dry_run {
        replica
            .commit_plan(&list, &mut plan, by)
            .map_err(|error| refused_replica(&error))?;
    }
    if let Some((format, out)) = rejects {
        write_rejects(&list, &plan, format, out).context("write the refused rows")?;
    }
    Ok(plan.summary)
}

/// The file of refused rows, in the form that its name says.
fn create_rejects(path: &Path) -> anyhow::Result<(ListFormat, BufWriter<File>)> {
    let workbook = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx"));
    let format = if workbook {
        ListFormat::Xlsx
    } else {
        ListFormat::Csv
    };
    let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
    Ok((format, BufWriter::new(file)))
}

fn refused(problem: &Problem) -> Refused {
    let said = problem.place.is_empty() || problem.message.contains(&problem.place);
    let place = if said {
        String::new()
    } else {
        format!(" ({})", problem.place)
    };
    Refused::new(problem.code.clone(), format!("{}{place}", problem.message))
}

fn hash_file(path: &Path) -> anyhow::Result<[u8; 32]> {
    let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file
            .read(&mut buffer)
            .with_context(|| format!("read {}", path.display()))?;
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..read]);
    }
}

fn print_summary(summary: &ImportSummary, dry_run: bool) -> anyhow::Result<()> {
    let done = if dry_run { "dry run" } else { "import" };
    print_line(format_args!(
        "{done} {}: {} rows read = {} new + {} updated + {} unchanged + {} duplicate + {} refused",
        summary.import_id,
        summary.rows_read,
        summary.new,
        summary.updated,
        summary.unchanged,
        summary.duplicate,
        summary.refused
    ))?;
    for (scope, count) in &summary.scope {
        print_line(format_args!("  {scope}: {count}"))?;
    }
    for problem in summary.warnings.iter().chain(&summary.problems).take(PRINTED_MAX) {
        let row = problem.row.map(|row| format!("row {row} ")).unwrap_or_default();
        print_line(format_args!("  {row}{} {}", problem.code, problem.message))?;
    }
    let found = summary.warnings.len() + summary.problems.len();
    let found = found as u64 + summary.warnings_left_out + summary.problems_left_out;
    match found.saturating_sub(PRINTED_MAX as u64) {
        0 => Ok(()),
        more => print_line(format_args!(
            "  and {more} more; --rejects FILE writes the refused rows with the reasons"
        )),
    }
}

/// Runs `undo`.
///
/// # Errors
/// `NOT_FOUND` where there is no such import; `ALREADY_DONE` where it was taken back already.
pub fn run_undo(args: &Undo) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    let config = files.load_config()?;
    let replica = Replica::new(files.open_store()?);
    let by = Editing {
        author: command_line_account(&config),
        reason: format!("undo import {}", args.import_id),
        now_ms: now_ms(),
        heads: None,
    };
    let undone = replica
        .undo_import(&args.import_id, &by)
        .map_err(|error| refused_replica(&error))?;
    if args.json {
        return print_json(&serde_json::json!({
            "import_id": args.import_id, "reverted": undone.reverted, "closed": undone.closed, "left": undone.left,
        }));
    }
    print_line(format_args!(
        "{} documents put back, {} new ones closed as mistaken, {} left as edited since",
        undone.reverted, undone.closed, undone.left
    ))
}

/// Runs `export`.
///
/// # Errors
/// `NOT_FOUND` where there is no such document; the file's, the store's.
pub fn run_export(args: &Export) -> anyhow::Result<()> {
    let replica = Replica::new(Files::new(&args.data.folder).open_store()?);
    if let Some(reference) = &args.document {
        return export_document(&replica, reference, args);
    }
    let half = args.file.with_extension("part");
    let out = File::create(&half).with_context(|| format!("create {}", half.display()))?;
    let out = BufWriter::new(out);
    let count = match args.format.as_str() {
        "records" => replica.export_records(out),
        "xlsx" => replica.export_list(ListFormat::Xlsx, out, today(), None),
        _ => replica.export_list(ListFormat::Csv, out, today(), None),
    };
    let count = count.inspect_err(|_| {
        // The refusal is what is told; a file that cannot be removed either stays under its name as a part.
        let _ = std::fs::remove_file(&half);
    });
    let count = count.map_err(|error| refused_replica(&error))?;
    std::fs::rename(&half, &args.file).with_context(|| format!("write {}", args.file.display()))?;
    print_line(format_args!("{count} rows written"))
}

/// One document with its whole history, in the file format of the library that keeps it.
fn export_document(replica: &Replica, reference: &str, args: &Export) -> anyhow::Result<()> {
    if args.format != "automerge" {
        return Err(Refused::new("PARAM_INVALID", "--document goes with --format automerge only").into());
    }
    let document = find(replica, reference, &KINDS)
        .and_then(|id| replica.document(id).map_err(|error| refused_replica(&error)))?;
    let bytes = document.to_automerge_file();
    std::fs::write(&args.file, &bytes).with_context(|| format!("write {}", args.file.display()))?;
    print_line(format_args!("{} bytes written", bytes.len()))
}
