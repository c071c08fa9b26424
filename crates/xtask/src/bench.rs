//! Benches: what is measured, on which machine, beside which goal (`design.md` 11; shape of `--json` in `cli.md`).

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::process::{Programs, is_release};
use crate::say;

mod bootstrap;
mod delay;
mod enrolled;
pub(crate) mod facts;
mod figures;
mod floor;
mod gate;
mod intake;
mod pages;
mod prepared;
mod prepared_log;
mod slow_line;
mod storm;
mod sync;

/// Registers that `bench sync` measures, in organisations.
const SYNC_SIZES: [u64; 3] = [1_000, 10_000, 30_000];
/// The country of a storm or a bootstrap: 1,000,000 organisations at 3,000 nodes.
const NODES: usize = 3_000;
const ORGANISATIONS_A_NODE: f64 = 1_000_000.0 / 3_000.0;
/// Most memory of an aggregator of that size.
const MEMORY_BYTES_MAX: u64 = 1_500_000_000;

/// `bench`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to measure.
    name: Name,
    /// How many organisations; several times for several sizes (sync).
    #[arg(long)]
    organisations: Vec<u64>,
    /// How many nodes (gate, bootstrap, storm).
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3_200))]
    nodes: Option<u64>,
    /// Writes the documents as JSON Lines, so that other tools can be measured on the same content (sync, figures, pages).
    #[arg(long)]
    dump: Option<PathBuf>,
    /// Keeps the facts that the cube is built of here, and takes those that are there (figures).
    #[arg(long)]
    facts: Option<PathBuf>,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// Sessions between the shipped programs, over mutual TLS, direct and over a long way.
    Sync,
    /// New documents and edits at the aggregator, by its CPU time.
    Gate,
    /// The whole country into an aggregator that holds nothing.
    Bootstrap,
    /// The end of a month: every node within a minute, pages and kills meanwhile.
    Storm,
    /// The cube: building it, and questions to it.
    Figures,
    /// The workspace: lists, search, the first page after a start.
    Pages,
}

/// Runs one.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let one = |otherwise: u64| match arguments.organisations[..] {
        [] => Ok(otherwise),
        [one] => Ok(one),
        _ => Err(anyhow::anyhow!("only bench sync takes several sizes")),
    };
    let dump = arguments.dump.as_deref();
    let nodes = |otherwise| match arguments.nodes {
        Some(nodes) => usize::try_from(nodes),
        None => Ok(otherwise),
    };
    let report = match arguments.name {
        Name::Sync if arguments.organisations.is_empty() => sync::run(root, &SYNC_SIZES, dump)?,
        Name::Sync => sync::run(root, &arguments.organisations, dump)?,
        Name::Gate => gate::run(&Programs::build(root)?, one(20_000)?, nodes(8)?)?,
        Name::Bootstrap => {
            let organisations = one(1_000_000)?;
            let usual = (organisations as f64 / ORGANISATIONS_A_NODE).ceil() as usize;
            bootstrap::run(&Programs::build(root)?, organisations, nodes(usual.min(NODES))?)?
        }
        Name::Storm => {
            let nodes = nodes(NODES)?;
            let usual = (nodes as f64 * ORGANISATIONS_A_NODE) as u64;
            storm::run(&Programs::build(root)?, one(usual)?, nodes)?
        }
        Name::Figures => figures::run(one(1_000_000)?, dump, arguments.facts.as_deref())?,
        Name::Pages => pages::run(root, one(50_000)?, dump)?,
    };
    report.print(arguments.json)
}

/// What one bench found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    bench: &'static str,
    machine: Machine,
    rows: Vec<Row>,
    /// How it was measured, where that is not plain.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Machine {
    cores: usize,
    memory_mb: u64,
    profile: &'static str,
}

/// One case; what does not apply is left out.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    case: &'static str,
    scale: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_up: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_down: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trips: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_rss_kb: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_cpu_seconds: Option<f64>,
    /// What a way there and back takes on the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<f64>,
    /// The least that the round trips take, and the least bytes, both ways together.
    #[serde(skip_serializing_if = "Option::is_none")]
    floor_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor_bytes: Option<u64>,
    /// CPU time of the node, or of all nodes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    node_cpu_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
}

impl Row {
    /// States goals, each with whether it is met.
    fn goals(mut self, goals: &[(String, bool)]) -> Self {
        let text: Vec<&str> = goals.iter().map(|(goal, _)| goal.as_str()).collect();
        self.goal = Some(text.join(", "));
        self.met = Some(goals.iter().all(|(_, met)| *met));
        self
    }
}

impl Report {
    fn new(bench: &'static str) -> Self {
        let memory_kb = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
        let machine = Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mb: memory_kb.unwrap_or_default() / 1024,
            profile: if is_release() {
                "release (opt-level 3, linked as one piece, overflow checks)"
            } else {
                "dev (opt-level 3, pages and command lines 0, overflow checks)"
            },
        };
        Self {
            bench,
            machine,
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// As a table, or as one JSON document.
    pub(crate) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return say::json(self);
        }
        let machine = &self.machine;
        say::line(format!(
            "bench {}: {} cores, {} MB, profile {}",
            self.bench, machine.cores, machine.memory_mb, machine.profile
        ));
        let head = [
            "case", "N", "delay", "s", "× floor", "per s", "up", "down", "× floor", "trips", "peak MB",
            "disk MB", "CPU s", "node s", "p50 ms", "p99 ms", "met", "goal",
        ];
        let rows: Vec<Vec<String>> = self.rows.iter().map(cells).collect();
        let used: Vec<usize> = (0..head.len())
            .filter(|column| rows.iter().any(|row| row[*column] != EMPTY))
            .collect();
        let head: Vec<&str> = used.iter().map(|column| head[*column]).collect();
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| used.iter().map(|column| row[*column].clone()).collect())
            .collect();
        say::table(&head, &rows);
        for note in &self.notes {
            say::line(format!("  {note}"));
        }
        Ok(())
    }
}

/// A cell that does not apply.
const EMPTY: &str = "–";

fn cells(row: &Row) -> Vec<String> {
    let empty = || EMPTY.to_owned();
    let whole = |number: Option<u64>| number.map_or_else(empty, say::thousands);
    let fine =
        |number: Option<f64>, digits: usize| number.map_or_else(empty, |number| format!("{number:.digits$}"));
    let megabytes =
        |bytes: Option<u64>| bytes.map_or_else(empty, |bytes| format!("{:.1}", bytes as f64 / 1e6));
    let times =
        |measured: Option<f64>, floor: Option<f64>| measured.zip(floor).map(|(one, other)| one / other);
    let bytes = row.bytes_up.unwrap_or_default() + row.bytes_down.unwrap_or_default();
    vec![
        row.case.to_owned(),
        say::thousands(row.scale),
        fine(row.delay_ms, 0),
        fine(row.seconds, 3),
        fine(
            times(row.seconds.map(|seconds| seconds * 1000.0), row.floor_ms),
            2,
        ),
        fine(row.per_second, 0),
        whole(row.bytes_up),
        whole(row.bytes_down),
        fine(
            times(Some(bytes as f64), row.floor_bytes.map(|floor| floor as f64)),
            2,
        ),
        whole(row.round_trips),
        megabytes(row.peak_rss_kb.map(|kilobytes| kilobytes * 1024)),
        megabytes(row.disk_bytes),
        fine(row.server_cpu_seconds, 2),
        fine(row.node_cpu_seconds, 2),
        fine(row.p50_ms, 2),
        fine(row.p99_ms, 2),
        row.met
            .map_or_else(empty, |met| if met { "yes" } else { "NO" }.to_owned()),
        row.goal.clone().unwrap_or_else(empty),
    ]
}

/// A rate that has to be reached.
fn at_least(rate: f64, goal: f64) -> (String, bool) {
    (format!("≥ {goal:.0}/s"), rate >= goal)
}

/// Whether an aggregator of a whole country stayed within its memory.
fn memory_goal(peak_rss_kb: u64) -> (String, bool) {
    (
        format!("peak ≤ {} MB", MEMORY_BYTES_MAX / 1_000_000),
        peak_rss_kb * 1024 <= MEMORY_BYTES_MAX,
    )
}

/// The value below which so many of a hundred lie; the list is sorted.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        for (percent, value) in [(50, 100.0), (99, 198.0), (100, 200.0)] {
            assert_eq!(percentile(&sorted, percent).to_string(), f64::to_string(&value));
        }
    }

    fn row<'a>(report: &'a Report, case: &str) -> &'a Row {
        let row = report.rows.iter().find(|row| row.case == case);
        row.unwrap_or_else(|| panic!("no row {case}: {report:?}"))
    }

    #[test]
    fn every_document_of_nodes_that_have_all_ready_is_taken_and_proven() {
        let report = gate::run(&Programs::built().expect("built"), 120, 3).expect("measured");
        assert_eq!(row(&report, "new documents").scale, 120);
        assert!(row(&report, "one field of each edited").bytes_up < row(&report, "new documents").bytes_up);
    }

    #[test]
    fn a_bootstrap_ends_with_sessions_that_have_nothing_to_say() {
        let report = bootstrap::run(&Programs::built().expect("built"), 150, 6).expect("measured");
        assert_eq!(row(&report, "everything into an empty aggregator").scale, 150);
        let again = row(&report, "nothing changed, each node once");
        assert_eq!(
            (again.scale, again.round_trips, again.met),
            (6, Some(1), Some(true))
        );
    }

    #[test]
    fn a_storm_loses_nothing_though_the_aggregator_is_killed_in_it() {
        let report = storm::run(&Programs::built().expect("built"), 90, 6).expect("measured");
        for case in ["month's end", "after 30 days offline", "killed and started anew"] {
            assert_eq!(row(&report, case).met, Some(true), "{report:?}");
        }
        let kept = row(&report, "acknowledged changes found again");
        // The registers, and at least one edit of each in every storm.
        assert!(kept.scale >= 90 + 3 * 6 && kept.met == Some(true), "{kept:?}");
    }
}
