//! The node's command line (`cli.md`): names and flags are a contract.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use rollcall_command::account::Account;
use rollcall_command::data::Data;
use rollcall_command::figures::{FiguresArgs, SubsidiesArgs};
use rollcall_command::findings::FindingsArgs;
use rollcall_command::quarantine::Quarantine;

/// The local node: register, sync and figures of one federation.
#[derive(Debug, Parser)]
#[command(name = "rollcall-node", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a node: keys here, certificate from the aggregator; or offline, to be enrolled later.
    Init(Init),
    /// Enrols a node that was made offline.
    Enrol(Enrol),
    /// Runs the workspace and keeps in sync.
    Serve(Serve),
    /// Takes in a list or records.
    Import(Import),
    /// Takes an import back.
    Undo(Undo),
    /// Organisations of the register.
    Organisation {
        /// What to do with them.
        #[command(subcommand)]
        command: Organisation,
    },
    /// Open conflicts.
    Conflicts {
        /// What to do with them.
        #[command(subcommand)]
        command: Conflicts,
    },
    /// One sync session; with --watch stays and reports.
    Sync(Sync),
    /// Writes what the aggregator has not acknowledged to a file, for somebody to carry there.
    ExportBatches(ExportBatches),
    /// Takes the answer to such a file.
    ImportBatches(ImportBatches),
    /// What is held, waiting and proven.
    Status(Status),
    /// Who may sign in, as what.
    Account {
        /// What to do with them.
        #[command(subcommand)]
        command: Account,
    },
    /// Changes kept apart.
    Quarantine {
        /// What to do with them.
        #[command(subcommand)]
        command: Quarantine,
    },
    /// The aggregator's signed receipts as files.
    Receipt {
        /// What to do with them.
        #[command(subcommand)]
        command: Receipt,
    },
    /// Takes changes back that `rebuild --from-centre` saved out of a damaged store.
    TakeBack {
        /// Which file.
        file: PathBuf,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Establishment rates of the scopes held.
    Figures {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// Question.
        #[command(flatten)]
        question: FiguresArgs,
    },
    /// Subsidy totals of the scopes held.
    Subsidies {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// Question.
        #[command(flatten)]
        question: SubsidiesArgs,
    },
    /// Alerts across documents.
    Findings {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// Question.
        #[command(flatten)]
        question: FindingsArgs,
    },
    /// Writes the register out.
    Export(Export),
    /// Copies the store while it is in use.
    Backup {
        /// Where to.
        file: PathBuf,
        /// Store.
        #[command(flatten)]
        data: Data,
    },
    /// Puts a backup in the place of the store; the replaced one is kept beside it.
    Restore {
        /// Which backup; one that was made of this store.
        file: PathBuf,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// The keys of the backup's node are gone and those here take their place; the node is enrolled anew afterwards.
        #[arg(long)]
        take_over: bool,
    },
    /// Checks every chain, sum, hash and signature.
    Verify {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Drops facts and lists and reads them from the documents again; or makes a new store out of what the aggregator holds.
    Rebuild {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// Sets the store aside, begins a new one and fetches everything; what was not sent is saved to a file.
        #[arg(long)]
        from_centre: bool,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// The configuration.
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: Config,
    },
}

/// `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// Enrolment token, one line.
    #[arg(long, required_unless_present = "offline")]
    pub token: Option<String>,
    /// Address of the aggregator, `https://host:port`.
    #[arg(long, required_unless_present = "offline")]
    pub aggregator: Option<String>,
    /// Without a network; enrolled later by `enrol`.
    #[arg(long, requires = "federation", conflicts_with_all = ["token", "aggregator"])]
    pub offline: bool,
    /// The scope it will write, for --offline.
    #[arg(long)]
    pub federation: Option<String>,
    /// Name of the node.
    #[arg(long)]
    pub name: Option<String>,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `enrol`.
#[derive(Debug, Args)]
pub struct Enrol {
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// Enrolment token, one line.
    #[arg(long)]
    pub token: String,
    /// Address of the aggregator.
    #[arg(long)]
    pub aggregator: String,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// Address of the workspace; port 0 is picked by the system.
    #[arg(long)]
    pub web_addr: Option<String>,
    /// Do not sync in the background.
    #[arg(long)]
    pub no_sync: bool,
    /// Address where files of nodes are taken that do not reach the aggregator; port 0 is picked by the system.
    #[arg(long)]
    pub relay_addr: Option<String>,
}

/// `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// CSV, XLSX or JSON Lines.
    pub file: PathBuf,
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// What the rows are.
    #[arg(long = "as", value_parser = ["organisations", "unions", "subsidies", "records"])]
    pub as_kind: Option<String>,
    /// Sort the rows, change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Which column is which field; may be repeated.
    #[arg(long = "map", value_name = "COLUMN=FIELD")]
    pub map: Vec<String>,
    /// Encoding, where guessing is wrong.
    #[arg(long)]
    pub encoding: Option<String>,
    /// Sheet of a workbook.
    #[arg(long)]
    pub sheet: Option<String>,
    /// Writes refused rows with their reasons here.
    #[arg(long)]
    pub rejects: Option<PathBuf>,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `undo`.
#[derive(Debug, Args)]
pub struct Undo {
    /// Which import.
    pub import_id: String,
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `organisation`.
#[derive(Debug, Subcommand)]
pub enum Organisation {
    /// Lists organisations, all or those that match.
    List {
        /// Part of name or code.
        filter: Option<String>,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// At most so many.
        #[arg(long, default_value_t = 1_000_000)]
        limit: usize,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Shows one.
    Show {
        /// Credit code, record id or document id.
        code: String,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Changes fields of one.
    Set {
        /// Credit code, record id or document id.
        code: String,
        /// `FIELD=VALUE`, such as `address=…`, `name@2024-01-01=…`, `coverage/c1/until=2024-05-01`.
        #[arg(required = true)]
        fields: Vec<String>,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// Why; kept in the history.
        #[arg(long)]
        reason: String,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Every edit of one.
    History {
        /// Credit code, record id or document id.
        code: String,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

/// `conflicts`.
#[derive(Debug, Subcommand)]
pub enum Conflicts {
    /// Lists them.
    List {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Settles one.
    Settle {
        /// Document id or code.
        document: String,
        /// Field.
        field: String,
        /// Id of the value that holds.
        #[arg(long)]
        take: String,
        /// Why; kept in the history.
        #[arg(long)]
        reason: String,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

/// `sync`.
#[derive(Debug, Args)]
pub struct Sync {
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// Stays and reports.
    #[arg(long)]
    pub watch: bool,
    /// By a file through the relay at `https://host:port`, where the aggregator is out of reach.
    #[arg(long, conflicts_with = "watch")]
    pub relay: Option<String>,
    /// Seconds to wait for the answer, with --relay; it can be fetched later.
    #[arg(long, default_value_t = 20, requires = "relay")]
    pub wait: u64,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `export-batches`.
#[derive(Debug, Args)]
pub struct ExportBatches {
    /// Where to; a file that is there already stays.
    pub file: PathBuf,
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// Everything this node has, and asks for everything: where both ends are found to differ.
    #[arg(long)]
    pub all: bool,
    /// Key that the aggregator opens files with, as its batch-key prints it; kept. Enrolment brings it.
    #[arg(long)]
    pub recipient: Option<String>,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `import-batches`.
#[derive(Debug, Args)]
pub struct ImportBatches {
    /// The answer.
    pub file: PathBuf,
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// Where to.
    pub file: PathBuf,
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// Form of the file.
    #[arg(long, value_parser = ["xlsx", "csv", "records", "automerge"])]
    pub format: String,
    /// Which document, for --format automerge: credit code, record id or document id.
    #[arg(long, required_if_eq("format", "automerge"))]
    pub document: Option<String>,
}

/// `receipt`.
#[derive(Debug, Subcommand)]
pub enum Receipt {
    /// Writes the last receipt to a file.
    Export {
        /// Where to.
        file: PathBuf,
        /// Store.
        #[command(flatten)]
        data: Data,
    },
    /// Checks a receipt with the aggregator's public key alone.
    Verify {
        /// Which file.
        file: PathBuf,
        /// The key, 64 hexadecimal digits.
        #[arg(long)]
        key: String,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

/// `config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Reads the configuration and says what it would do.
    Check {
        /// Store.
        #[command(flatten)]
        data: Data,
    },
}
