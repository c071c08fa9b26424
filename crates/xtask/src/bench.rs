//! Benches: what is measured, on which machine, beside which goal (`design.md` 11; shape of `--json` in `cli.md`).

use serde::Serialize;

use crate::say;

pub(crate) mod facts;
pub(crate) mod figures;
pub(crate) mod pages;
pub(crate) mod sync;

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
            profile: "dev (opt-level 3, pages and command lines 0, overflow checks)",
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
            "case", "N", "s", "per s", "up", "down", "trips", "peak MB", "disk MB", "CPU s", "node s",
            "p50 ms", "p99 ms", "met", "goal",
        ];
        let rows: Vec<Vec<String>> = self.rows.iter().map(cells).collect();
        say::table(&head, &rows);
        for note in &self.notes {
            say::line(format!("  {note}"));
        }
        Ok(())
    }
}

fn cells(row: &Row) -> Vec<String> {
    let empty = || "–".to_owned();
    let whole = |number: Option<u64>| number.map_or_else(empty, say::thousands);
    let fine =
        |number: Option<f64>, digits: usize| number.map_or_else(empty, |number| format!("{number:.digits$}"));
    let megabytes =
        |bytes: Option<u64>| bytes.map_or_else(empty, |bytes| format!("{:.1}", bytes as f64 / 1e6));
    vec![
        row.case.to_owned(),
        say::thousands(row.scale),
        fine(row.seconds, 3),
        fine(row.per_second, 0),
        whole(row.bytes_up),
        whole(row.bytes_down),
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
}
