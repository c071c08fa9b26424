//! Where a program keeps its data: the argument every command has.

use std::path::PathBuf;

use clap::Args;

/// Where the program keeps its data.
#[derive(Debug, Clone, Args)]
pub struct Data {
    /// Data directory.
    #[arg(long = "data", env = "ROLLCALL_DATA")]
    pub folder: PathBuf,
}
