//! The aggregator's command line (`cli.md`): names and flags are a contract.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use rollcall_command::account::Account;
use rollcall_command::data::Data;
use rollcall_command::figures::{FiguresArgs, SubsidiesArgs};
use rollcall_command::findings::FindingsArgs;
use rollcall_command::quarantine::Quarantine;

/// The national aggregator: sync server, enrolment authority, national figures.
#[derive(Debug, Parser)]
#[command(name = "rollcall-aggregator", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes store, authority and configuration.
    Init(Init),
    /// Runs sync server and console.
    Serve(Serve),
    /// Directory of federations.
    Federation {
        /// What to do with it.
        #[command(subcommand)]
        command: Federation,
    },
    /// Prints one enrolment token, one line.
    Token(Token),
    /// Who is enrolled, last heard, version, position, certificate end.
    Peers {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Refuses a peer from now on.
    Revoke {
        /// Peer id.
        peer: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Store.
        #[command(flatten)]
        data: Data,
    },
    /// Takes a file that a node's export-batches wrote.
    ImportBatches(ImportBatches),
    /// Writes the answer to the newest file of a peer.
    ExportBatches {
        /// Peer id.
        peer: String,
        /// Where to; a file that is there already stays.
        file: PathBuf,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Prints the public key that nodes seal their files for.
    BatchKey {
        /// Store.
        #[command(flatten)]
        data: Data,
    },
    /// Ends the fence of a peer whose copy was found and switched off.
    Unfence {
        /// Peer id.
        peer: String,
        /// How the copy was dealt with; kept in the audit trail.
        #[arg(long)]
        reason: String,
        /// Store.
        #[command(flatten)]
        data: Data,
    },
    /// What an aggregator that was restored still waits for.
    Recovery {
        /// What to do with it.
        #[command(subcommand)]
        command: Recovery,
    },
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
    /// Signed receipts as files.
    Receipt {
        /// What to do with them.
        #[command(subcommand)]
        command: Receipt,
    },
    /// National establishment rates.
    Figures {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// Question.
        #[command(flatten)]
        question: FiguresArgs,
    },
    /// National subsidy totals.
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
    /// Writes every document out as records.
    Export {
        /// Where to.
        file: PathBuf,
        /// Store.
        #[command(flatten)]
        data: Data,
        /// Form of the file.
        #[arg(long, value_parser = ["records"], default_value = "records")]
        format: String,
    },
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
        /// Which backup.
        file: PathBuf,
        /// Store.
        #[command(flatten)]
        data: Data,
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
    /// Drops facts and lists and reads them from the documents again.
    Rebuild {
        /// Store.
        #[command(flatten)]
        data: Data,
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
    /// Name of the aggregator.
    #[arg(long, default_value = "全国总工会")]
    pub name: String,
    /// Further names or addresses that nodes will call it by; may be repeated.
    #[arg(long = "host")]
    pub hosts: Vec<String>,
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
    /// Address of the sync server; port 0 is picked by the system.
    #[arg(long)]
    pub sync_addr: Option<String>,
    /// Address of the console; port 0 is picked by the system.
    #[arg(long)]
    pub web_addr: Option<String>,
}

/// `federation`.
#[derive(Debug, Subcommand)]
pub enum Federation {
    /// Takes in a directory: CSV with code and name, or records.
    Import {
        /// Which file.
        file: PathBuf,
        /// Store.
        #[command(flatten)]
        data: Data,
    },
    /// Lists the directory.
    List {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
}

/// `token`.
#[derive(Debug, Args)]
pub struct Token {
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// The scope it may write.
    #[arg(long)]
    pub federation: String,
    /// Further scopes it keeps for federations without a node; may be repeated.
    #[arg(long)]
    pub also: Vec<String>,
    /// Federations whose scopes, with all below, it reads; may be repeated.
    #[arg(long)]
    pub replicas: Vec<String>,
    /// The node may carry files of nodes that do not reach the aggregator.
    #[arg(long)]
    pub relay: bool,
    /// How long the token can be used.
    #[arg(long, default_value = "72h")]
    pub expires_in: String,
    /// Name of the node it is for.
    #[arg(long, default_value = "")]
    pub name: String,
}

/// `import-batches`.
#[derive(Debug, Args)]
pub struct ImportBatches {
    /// The node's file.
    pub file: PathBuf,
    /// Store.
    #[command(flatten)]
    pub data: Data,
    /// Writes the answer here; a file that is there already stays.
    #[arg(long)]
    pub answer: Option<PathBuf>,
    /// JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `recovery`.
#[derive(Debug, Subcommand)]
pub enum Recovery {
    /// Who has been heard since the restore, and who has not.
    Show {
        /// Store.
        #[command(flatten)]
        data: Data,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Ends it although somebody has not been heard.
    SignOff {
        /// Why; kept in the audit trail with the names of those who were not heard.
        #[arg(long)]
        reason: String,
        /// Store.
        #[command(flatten)]
        data: Data,
    },
}

/// `receipt`.
#[derive(Debug, Subcommand)]
pub enum Receipt {
    /// Writes the last receipt given to a peer to a file.
    Export {
        /// Peer id.
        peer: String,
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
    /// Prints the public key that receipts are signed with.
    Key {
        /// Store.
        #[command(flatten)]
        data: Data,
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
