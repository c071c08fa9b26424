//! `bench bootstrap`: the whole country's registers into an aggregator that holds nothing, and what a session costs
//! afterwards in which nothing has changed (`design.md` 9, `protocol.md` 4.8). The nodes have everything ready.

use anyhow::{Result, ensure};
use rollcall_sync::session::client::SessionEnd;

use super::intake::{Intake, prepare, runtime};
use super::{Report, memory_goal};
use crate::live::Scratch;
use crate::loopback::Centre;
use crate::process::Programs;
use crate::say;
use crate::seed::Registers;

/// Organisations for which the goals are stated, and how long they may take.
const STATED: f64 = 1_000_000.0;
const STATED_SECONDS: f64 = 240.0;
/// Largest session in which nothing has changed, bytes both ways.
const UNCHANGED_BYTES_MAX: u64 = 1024;
/// Nodes that ask again afterwards.
const ASKED_AGAIN: usize = 300;

/// Measures the intake, then sessions without a change.
pub(crate) fn run(programs: &Programs, organisations: u64, nodes: usize) -> Result<Report> {
    let scratch = Scratch::new("bench-bootstrap")?;
    let runtime = runtime()?;
    let registers = Registers::log_normal(1, nodes, organisations);
    let documents = registers.organisations();
    let mut centre = Centre::make(programs, scratch.path())?;
    centre.start()?;
    say::note(format!(
        "bench: preparing {documents} organisations at {nodes} nodes"
    ));
    let nodes = prepare(&runtime, &centre, &registers, false)?;

    let mut report = Report::new("bootstrap");
    say::note("bench: the nodes send");
    let intake = Intake::run(&runtime, &centre, nodes)?;
    let row = intake.row("everything into an empty aggregator", documents);
    let allowed = STATED_SECONDS * documents as f64 / STATED;
    let peak = row.peak_rss_kb.unwrap_or_default();
    report.rows.push(row.goals(&[
        (
            format!("≤ {allowed:.1} s (4 min for 1 000 000)"),
            intake.seconds <= allowed,
        ),
        memory_goal(peak),
    ]));
    report.notes.push(format!(
        "{} nodes, the largest with {} documents; they called again {} times",
        intake.nodes.len(),
        intake
            .nodes
            .iter()
            .map(super::prepared::Prepared::documents)
            .max()
            .unwrap_or_default(),
        intake.called_again()
    ));
    report.notes.push(format!(
        "nodes and aggregator share the cores: {:.1} CPU seconds of the nodes, {:.1} of the aggregator",
        intake.node_cpu, intake.server_cpu
    ));

    let mut nodes = intake.nodes;
    nodes.sort_by_key(|node| std::cmp::Reverse(node.documents()));
    let step = nodes.len().div_ceil(ASKED_AGAIN).max(1);
    let again = nodes.into_iter().step_by(step).collect();
    let unchanged = Intake::run(&runtime, &centre, again)?;
    for sent in &unchanged.sent {
        ensure!(
            sent.end == SessionEnd::InSync,
            "something had changed: {:?}",
            sent.end
        );
    }
    let largest = unchanged
        .sent
        .iter()
        .map(|sent| sent.traffic.bytes_sent + sent.traffic.bytes_received)
        .max()
        .unwrap_or_default();
    let sessions = unchanged.sent.len() as u64;
    let row = unchanged.row("nothing changed, each node once", sessions);
    let trips = row.round_trips.unwrap_or_default();
    report.rows.push(row.goals(&[
        (format!("1 round trip ({trips})"), trips == 1),
        (
            format!("≤ 1 KB (largest {largest} B)"),
            largest <= UNCHANGED_BYTES_MAX,
        ),
    ]));
    centre.stop()?;
    Ok(report)
}
