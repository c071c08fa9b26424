//! The national aggregator: sync server, enrolment authority, figures and console in one process.
//!
//! Composition only: documents, store, session, figures and pages are the lower crates'.

pub mod accounts;
pub mod app;
pub mod by_file;
pub mod cli;
pub mod enrolment;
pub mod federation;
pub mod files;
pub mod init;
pub mod live;
pub mod pages;
pub mod peers;
pub mod recovery;
pub mod retry;
pub mod router;
pub mod serve;
pub mod service;
pub mod unknown_peer;

use anyhow::Context;
use cli::{Cli, Command, Config, Federation, Receipt, Recovery};
use files::Files;
use rollcall_command::data::Data;
use rollcall_command::output::print_line;
use rollcall_command::quarantine::{self, Quarantine};
use rollcall_command::{figures, findings, logs, receipt_file, upkeep};
use rollcall_replica::Replica;

/// Runs one command.
///
/// # Errors
/// What the command says; exit status 1.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Init(args) => init::run(&args),
        Command::Serve(args) => {
            let config = Files::new(&args.data.folder).load_config();
            let (log, json) =
                config.map_or(("info".to_owned(), false), |config| (config.log, config.log_json));
            logs::start(&log, json);
            let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
            runtime.block_on(serve::run(args))
        }
        Command::Federation {
            command: Federation::Import { file, data },
        } => federation::run_import(&Files::new(&data.folder), &file),
        Command::Federation {
            command: Federation::List { data, json },
        } => federation::run_list(&Files::new(&data.folder), json),
        Command::Token(args) => peers::run_token(&args),
        Command::Peers { data, json } => peers::run_peers(&Files::new(&data.folder), json),
        Command::Revoke { peer, reason, data } => {
            peers::run_revoke(&Files::new(&data.folder), &peer, &reason)
        }
        Command::ImportBatches(args) => by_file::run_import(&args),
        Command::ExportBatches {
            peer,
            file,
            data,
            json,
        } => by_file::run_export(&Files::new(&data.folder), &peer, &file, json),
        Command::BatchKey { data } => print_line(Files::new(&data.folder).load_seal_key()?.recipient()),
        Command::Unfence { peer, reason, data } => {
            peers::run_unfence(&Files::new(&data.folder), &peer, &reason)
        }
        Command::Recovery { command } => match command {
            Recovery::Show { data, json } => recovery::run_show(&Files::new(&data.folder), json),
            Recovery::SignOff { reason, data } => recovery::run_sign_off(&Files::new(&data.folder), &reason),
        },
        Command::Account { command } => accounts::run(&command),
        Command::Quarantine { command } => match command {
            Quarantine::List { data, all, json } => quarantine::run_list(&replica(&data)?, all, json),
            Quarantine::Show { id, data, json } => quarantine::run_show(&replica(&data)?, id, json),
            Quarantine::Release { id, data, json } => {
                let replica = replica(&data)?;
                let row = quarantine::find(&replica, id)?;
                quarantine::must_be_open(&row)?;
                quarantine::tell(id, &retry::retry(&replica, &row)?, json)
            }
            Quarantine::Discard { id, reason, data } => {
                quarantine::run_discard(&replica(&data)?, id, &reason)
            }
        },
        Command::Receipt { command } => match command {
            Receipt::Export { peer, file, data } => {
                receipt_file::run_export(&peers::last_receipt(&replica(&data)?, &peer)?, &file)
            }
            Receipt::Verify { file, key, json } => {
                receipt_file::run_verify(&file, &key, &rollcall_rpc::signing::Ed25519, json)
            }
            Receipt::Key { data } => {
                let key = Files::new(&data.folder).load_signing_key()?.verifying_key();
                print_line(key.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
        },
        Command::Figures { data, question } => figures::run_figures(&answering(&data)?, &question),
        Command::Subsidies { data, question } => figures::run_subsidies(&answering(&data)?, &question),
        Command::Findings { data, question } => findings::run_findings(&answering(&data)?, &question),
        Command::Export {
            file,
            data,
            format: _,
        } => {
            let out = std::fs::File::create(&file).with_context(|| format!("create {}", file.display()))?;
            let count = answering(&data)?
                .export_records(std::io::BufWriter::new(out))
                .context("write the records")?;
            print_line(format_args!("{count} records written"))
        }
        Command::Backup { file, data } => upkeep::run_backup(&Files::new(&data.folder).open_store()?, &file),
        Command::Restore { file, data } => {
            let files = Files::new(&data.folder);
            upkeep::run_restore(&file, &files.store(), &files.place()?)
        }
        Command::Verify { data, json } => {
            let replica = replica(&data)?;
            upkeep::run_verify(&replica, || evidence_faults(&replica), json)
        }
        Command::Rebuild { data, json } => upkeep::run_rebuild(&replica(&data)?, json),
        Command::Config {
            command: Config::Check { data },
        } => {
            let files = Files::new(&data.folder);
            let config = files.load_config()?;
            files.load_authority()?;
            files.load_signing_key()?;
            print_line(format_args!(
                "sync server on {}, console on {}",
                config.sync_addr, config.web_addr
            ))
        }
    }
}

fn replica(data: &Data) -> anyhow::Result<Replica> {
    Ok(Replica::new(Files::new(&data.folder).open_store()?))
}

/// For answers about the register, which stand still where another aggregator has taken the place of this one.
fn answering(data: &Data) -> anyhow::Result<Replica> {
    let replica = replica(data)?;
    recovery::warn_replaced(replica.store())?;
    Ok(replica)
}

/// Batches whose kept signature is not the node's.
fn evidence_faults(replica: &Replica) -> anyhow::Result<Vec<(String, String)>> {
    Ok(replica.evidence_faults(&rollcall_rpc::signing::Ed25519)?)
}
