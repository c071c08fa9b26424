//! `bench gate`: what new documents and edits cost the aggregator, from the wire to the durable commit: signatures, the
//! gate, verification, facts, the log (`design.md` 11). Several nodes have all their batches ready and send them at once.

use anyhow::{Context, Result};

use super::intake::{Intake, prepare, runtime};
use super::prepared::Prepared;
use super::{Report, Row, at_least};
use crate::live::Scratch;
use crate::loopback::Centre;
use crate::process::{self, Programs};
use crate::say;
use crate::seed::Registers;

/// New documents a second and core.
const NEW_PER_CORE: f64 = 8_000.0;
const MICROSECONDS: f64 = 1_000_000.0;

/// Measures new documents, then one edit of each.
pub(crate) fn run(programs: &Programs, organisations: u64, nodes: usize) -> Result<Report> {
    let scratch = Scratch::new("bench-gate")?;
    let runtime = runtime()?;
    let registers = Registers::even(1, nodes, organisations);
    let documents = registers.organisations();
    let mut centre = Centre::make(programs, scratch.path())?;
    centre.start()?;
    say::note(format!(
        "bench: preparing {documents} organisations at {nodes} nodes"
    ));
    let nodes = prepare(&runtime, &centre, &registers, true)?;

    let mut report = Report::new("gate");
    let alone = loaded_alone(&nodes)?;
    report.rows.push(per_core(
        "loaded once, alone, per core",
        documents,
        documents as f64 / alone,
    ));
    let new = Intake::run(&runtime, &centre, nodes)?;
    report.rows.push(new.row("new documents", documents));
    let rate = documents as f64 / new.server_cpu.max(0.01);
    report
        .rows
        .push(per_core("new documents, per core", documents, rate).goals(&[at_least(rate, NEW_PER_CORE)]));
    let mut nodes = new.nodes;
    nodes.iter_mut().for_each(|node| {
        node.turn_over();
    });
    let edited = Intake::run(&runtime, &centre, nodes)?;
    report
        .rows
        .push(edited.row("one field of each edited", documents));
    let rate = documents as f64 / edited.server_cpu.max(0.01);
    report.rows.push(per_core("edits, per core", documents, rate));
    report.notes.push(
        "per core: documents by CPU seconds of the aggregator's process, TLS, receipts and answers included"
            .to_owned(),
    );
    report.notes.push(format!(
        "loaded once, alone: {:.0} µs a document in this process, decoded and by Automerge, which is the gate's trial and the \
         least that any path takes here; the whole path takes {:.2} times that; the goal leaves {:.0} µs",
        alone / documents as f64 * MICROSECONDS,
        new.server_cpu / alone,
        MICROSECONDS / NEW_PER_CORE
    ));
    report.notes.push(
        "the nodes share the cores: their CPU seconds stand beside; p50 and p99 are of whole sessions"
            .to_owned(),
    );
    centre.stop()?;
    Ok(report)
}

/// CPU seconds that it takes here to load every document that the nodes will send, one after the other.
fn loaded_alone(nodes: &[Prepared]) -> Result<f64> {
    let cpu = || process::cpu_seconds(std::process::id()).context("read the CPU time of a process");
    let before = cpu()?;
    nodes.iter().try_for_each(Prepared::load_each)?;
    Ok((cpu()? - before).max(0.01))
}

fn per_core(case: &'static str, scale: u64, rate: f64) -> Row {
    Row {
        case,
        scale,
        per_second: Some(rate),
        ..Row::default()
    }
}
