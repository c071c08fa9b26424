//! The local node: register, lists, figures and sync of one federation, with a workspace in the browser.
//!
//! Composition only: documents, store, session, figures and page templates are the lower crates'.

pub mod accounts;
pub mod app;
pub mod by_file;
pub mod by_relay;
pub mod cli;
pub mod dialer;
pub mod files;
pub mod import;
pub mod init;
pub mod link;
pub mod organisation;
pub mod pages;
pub mod reach;
pub mod rebuild;
pub mod relay;
pub mod router;
pub mod serve;
pub mod sync;

use anyhow::Context;
use cli::{Cli, Command, Config, Receipt};
use files::Files;
use rollcall_command::clock::now_ms;
use rollcall_command::data::Data;
use rollcall_command::output::{Refused, print_line};
use rollcall_command::quarantine::{self, Quarantine};
use rollcall_command::{figures, findings, logs, receipt_file, upkeep};
use rollcall_replica::Replica;
use rollcall_sync::session::client::ReceiptCheck;

/// Runs one command.
///
/// # Errors
/// What the command says; exit status 1.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    if !matches!(cli.command, Command::Serve(_)) {
        logs::start("warn", false);
    }
    match cli.command {
        Command::Init(args) => init::run_init(&args),
        Command::Enrol(args) => init::run_enrol(&args),
        Command::Serve(args) => {
            let config = Files::new(&args.data.folder).load_config();
            let (log, json) =
                config.map_or(("info".to_owned(), false), |config| (config.log, config.log_json));
            logs::start(&log, json);
            let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
            runtime.block_on(serve::run(args))
        }
        Command::Import(args) => import::run(&args),
        Command::Undo(args) => import::run_undo(&args),
        Command::Organisation { command } => organisation::run(&command),
        Command::Conflicts { command } => organisation::run_conflicts(&command),
        Command::Sync(args) => sync::run(&args),
        Command::ExportBatches(args) => by_file::run_export(&args),
        Command::ImportBatches(args) => by_file::run_import(&args),
        Command::Status(args) => sync::run_status(&args),
        Command::Account { command } => accounts::run(&command),
        Command::Quarantine { command } => match command {
            Quarantine::List { data, all, json } => quarantine::run_list(&replica(&data)?, all, json),
            Quarantine::Show { id, data, json } => quarantine::run_show(&replica(&data)?, id, json),
            Quarantine::Release { id, data, json } => {
                let replica = replica(&data)?;
                let row = quarantine::find(&replica, id)?;
                quarantine::must_be_open(&row)?;
                let retried = replica
                    .retry_quarantined(&row, None, now_ms())
                    .map_err(|error| upkeep::refused_replica(&error))?;
                quarantine::tell(id, &retried, json)
            }
            Quarantine::Discard { id, reason, data } => {
                quarantine::run_discard(&replica(&data)?, id, &reason)
            }
        },
        Command::Receipt { command } => match command {
            Receipt::Export { file, data } => {
                let receipt = sync::last_receipt(&replica(&data)?)?;
                let none = || Refused::new("NOT_FOUND", "There is no receipt yet; run sync first.");
                receipt_file::run_export(&receipt.ok_or_else(none)?, &file)
            }
            Receipt::Verify { file, key, json } => {
                receipt_file::run_verify(&file, &key, &rollcall_rpc::signing::Ed25519, json)
            }
        },
        Command::TakeBack { file, data, json } => {
            rebuild::run_take_back(&Files::new(&data.folder), &file, json)
        }
        Command::Figures { data, question } => figures::run_figures(&replica(&data)?, &question),
        Command::Subsidies { data, question } => figures::run_subsidies(&replica(&data)?, &question),
        Command::Findings { data, question } => findings::run_findings(&replica(&data)?, &question),
        Command::Export(args) => import::run_export(&args),
        Command::Backup { file, data } => upkeep::run_backup(&Files::new(&data.folder).open_store()?, &file),
        Command::Restore {
            file,
            data,
            take_over,
        } => {
            let files = Files::new(&data.folder);
            upkeep::run_restore(&file, &files.store(), &files.place(take_over)?)
        }
        Command::Verify { data, json } => {
            let files = Files::new(&data.folder);
            let replica = Replica::new(files.open_store()?);
            upkeep::run_verify(&replica, || receipt_faults(&files, &replica), json)
        }
        Command::Rebuild {
            data,
            from_centre: true,
            json,
        } => rebuild::run_from_centre(&Files::new(&data.folder), json),
        Command::Rebuild {
            data,
            from_centre: false,
            json,
        } => upkeep::run_rebuild(&replica(&data)?, json),
        Command::Config {
            command: Config::Check { data },
        } => {
            let files = Files::new(&data.folder);
            let config = files.load_config()?;
            files.load_signing_key()?;
            let aggregator = match &config.aggregator {
                Some(url) => {
                    files.client_config(&config)?;
                    format!("syncs with {url} every {} s", config.sync_seconds)
                }
                None => "not enrolled".to_owned(),
            };
            print_line(format_args!("workspace on {}, {aggregator}", config.web_addr))
        }
    }
}

fn replica(data: &Data) -> anyhow::Result<Replica> {
    Ok(Replica::new(Files::new(&data.folder).open_store()?))
}

/// Kept receipts whose signature is not the aggregator's.
fn receipt_faults(files: &Files, replica: &Replica) -> anyhow::Result<Vec<(String, String)>> {
    let config = files.load_config()?;
    let (Ok(key), store_id) = (config.receipt_key(), replica.store().identity().store_id) else {
        return Ok(Vec::new());
    };
    let mut faults = Vec::new();
    for row in replica
        .store()
        .read(|reader| reader.receipts(store_id, usize::from(u16::MAX)))?
    {
        let place = format!("receipt of {}", rollcall_command::clock::time_text(row.time_ms));
        match rollcall_sync::message::Receipt::from_bytes(&row.bytes) {
            Some(receipt) if key.verify_receipt(&receipt).is_ok() && receipt.hash() == row.hash => {}
            Some(_) => faults.push((place, "the signature is not the aggregator's".to_owned())),
            None => faults.push((place, "the receipt cannot be read".to_owned())),
        }
    }
    let newest = sync::last_receipt(replica)?;
    if let Some(receipt) = newest {
        let check = replica.check_receipt(&receipt, &key.0, &rollcall_rpc::signing::Ed25519)?;
        if check == ReceiptCheck::Different {
            tracing::warn!("the last receipt is about another state; sync brings a new one");
        }
    }
    Ok(faults)
}
