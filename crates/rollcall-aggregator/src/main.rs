//! The program: parses, starts logging, runs one command.

use std::process::ExitCode;

use clap::Parser;
use rollcall_aggregator::cli::Cli;

fn main() -> ExitCode {
    rollcall_command::output::finish(rollcall_aggregator::run(Cli::parse()))
}
