//! All automation: what people and CI run is `cargo xtask …`, by hand and there the same.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rollcall_core::id::FederationId;
use rollcall_testkit::fuzz::Target;

mod bench;
mod browser;
mod check;
mod demo;
mod drill;
mod fuzz;
mod live;
mod loopback;
mod metadata;
mod policy;
mod process;
mod say;
mod seed;
mod soak;
mod suite;
mod tidy;

#[derive(Parser)]
#[command(name = "xtask", about = "All automation.")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Format, dependency policy, tidy, lints.
    Check,
    /// Does the tree still look like its picture?
    Tidy,
    /// Everything that must pass before a change lands.
    Test {
        /// The large numbers.
        #[arg(long)]
        full: bool,
    },
    /// An aggregator and six nodes on loopback with a generated country; the pages stay up.
    Demo {
        /// End instead of staying.
        #[arg(long)]
        exit: bool,
    },
    /// Writes a generated country as records files, one per federation.
    Seed {
        /// How many organisations.
        #[arg(long)]
        organisations: u64,
        /// Same seed, same bytes.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Folder for the files.
        #[arg(long)]
        out: PathBuf,
        /// Only these federations; given several times.
        #[arg(long = "federation")]
        federations: Vec<FederationId>,
    },
    /// Simulates sync under faults: many seeds, or one of them.
    Soak {
        /// How many seeds.
        #[arg(long, default_value_t = 500, conflicts_with = "seed")]
        seeds: u64,
        /// The first of them.
        #[arg(long, default_value_t = 0, conflicts_with = "seed")]
        from: u64,
        /// Only this one.
        #[arg(long)]
        seed: Option<u64>,
        /// Every move of it.
        #[arg(long, requires = "seed")]
        trace: bool,
        /// The session of that seed that fuzz target F4 runs: three stores, hardly a frame arrives as it was sent.
        #[arg(long, requires = "seed")]
        hostile: bool,
    },
    /// Plants bugs in a copy of the tree, one at a time, and says which of them the tests find.
    Drill {
        /// Only these, by their names, with commas between.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Draws those that the whole suite is run for.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// For how many of them the whole suite is run.
        #[arg(long, default_value_t = 3)]
        whole: usize,
        /// One JSON document on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Bent bytes against frames (F1), walker (F2), gate (F3) and sessions (F4); seeds reproduce.
    Fuzz {
        /// Which of them; all where none is named.
        #[arg(long)]
        target: Option<Target>,
        /// How long each runs.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// At most so many inputs of each; 1 replays a finding.
        #[arg(long)]
        inputs: Option<u64>,
    },
    /// Measures, and says which goals are met.
    Bench(bench::Arguments),
    /// Makes the facts for `bench figures`.
    #[command(hide = true)]
    BenchFacts {
        /// How many organisations.
        #[arg(long)]
        organisations: u64,
        /// Writes the documents as JSON Lines besides.
        #[arg(long)]
        dump: Option<PathBuf>,
        /// Folder for the facts.
        #[arg(long)]
        out: PathBuf,
    },
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    match live::guard(move || run(task)) {
        Ok(code) => code,
        Err(error) => {
            say::note(format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new("."));
    match task {
        Task::Check => check::run(root),
        Task::Tidy => tidy::run(root, &metadata::Metadata::load(root)?),
        Task::Test { full } => suite::run(root, full),
        Task::Demo { exit } => demo::run(root, exit),
        Task::Seed {
            organisations,
            seed,
            out,
            federations,
        } => {
            let federations = (!federations.is_empty()).then_some(federations);
            let written = seed::write_files(
                &seed::SeedConfig {
                    organisations,
                    seed,
                    federations,
                },
                &out,
            )?;
            say::line(format!(
                "{} organisations, {} records, {} bytes in {} files",
                written.organisations, written.records, written.bytes, written.files
            ));
            Ok(())
        }
        Task::Soak {
            seed: Some(seed),
            trace,
            hostile,
            ..
        } => soak::seed(seed, hostile, trace),
        Task::Soak { seeds, from, .. } => soak::seeds(from, seeds),
        Task::Drill {
            only,
            seed,
            whole,
            json,
        } => drill::run(root, &only, drill::Draw { seed, whole })?.print(json),
        Task::Fuzz {
            target,
            seconds,
            seed,
            inputs,
        } => fuzz::run(root, target, seconds, seed, inputs),
        Task::Bench(arguments) => bench::run(root, &arguments),
        Task::BenchFacts {
            organisations,
            dump,
            out,
        } => bench::facts::make(organisations, &out, dump.as_deref()),
    }
}
