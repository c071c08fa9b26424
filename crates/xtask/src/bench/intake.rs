//! What the aggregator takes in of nodes that have everything ready: prepares them, lets them send, and measures both
//! ends. Shared by `bench gate` and `bench bootstrap`.

use std::time::Instant;

use anyhow::{Context, Result};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use tokio::runtime::Runtime;

use super::Row;
use super::enrolled::{Enrolled, enrol};
use super::prepared::{Prepared, Sent, sync_all};
use crate::loopback::Centre;
use crate::process;
use crate::seed::Registers;

/// Nodes that send at a time: fewer than connections that one address may have while it shakes hands.
const AT_A_TIME: usize = 48;

/// The runtime on which nodes of a bench run, beside the aggregator on the same cores.
pub(super) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")
}

/// Enrols a node for each register and prepares all that it will send.
pub(super) fn prepare(
    runtime: &Runtime,
    centre: &Centre,
    registers: &Registers,
    edited: bool,
) -> Result<Vec<Prepared>> {
    let enrolled = enrol(runtime, centre, &registers.federations())?;
    let numbered: Vec<(usize, Enrolled)> = enrolled.into_iter().enumerate().collect();
    numbered
        .into_par_iter()
        .with_max_len(1)
        .map(|(index, enrolled)| Prepared::make(enrolled, registers.of(index), edited))
        .collect()
}

/// What an intake came to.
pub(super) struct Intake {
    /// Nodes that sent; each holds a receipt now that it has checked.
    pub(super) nodes: Vec<Prepared>,
    /// What each session came to.
    pub(super) sent: Vec<Sent>,
    /// From the first call to the last receipt.
    pub(super) seconds: f64,
    /// CPU time of the aggregator meanwhile, its threads together.
    pub(super) server_cpu: f64,
    /// CPU time of this process meanwhile: every node.
    pub(super) node_cpu: f64,
    peak_rss_kb: Option<u64>,
}

impl Intake {
    /// Lets every node send.
    pub(super) fn run(runtime: &Runtime, centre: &Centre, nodes: Vec<Prepared>) -> Result<Self> {
        let (server, own) = (centre.process()?, std::process::id());
        let cpu = |process| process::cpu_seconds(process).context("read the CPU time of a process");
        process::reset_peak(server);
        let (server_before, own_before) = (cpu(server)?, cpu(own)?);
        let begun = Instant::now();
        let done = sync_all(runtime, nodes, AT_A_TIME)?;
        let seconds = begun.elapsed().as_secs_f64();
        let (nodes, sent) = done.into_iter().unzip();
        Ok(Self {
            nodes,
            sent,
            seconds,
            server_cpu: cpu(server)? - server_before,
            node_cpu: cpu(own)? - own_before,
            peak_rss_kb: process::peak_rss_kb(server),
        })
    }

    /// As a row, without a goal.
    pub(super) fn row(&self, case: &'static str, documents: u64) -> Row {
        let mut took: Vec<f64> = self
            .sent
            .iter()
            .map(|sent| sent.took.as_secs_f64() * 1000.0)
            .collect();
        took.sort_by(f64::total_cmp);
        Row {
            case,
            scale: documents,
            seconds: Some(self.seconds),
            per_second: Some(documents as f64 / self.seconds.max(0.001)),
            bytes_up: Some(self.sent.iter().map(|sent| sent.traffic.bytes_sent).sum()),
            bytes_down: Some(self.sent.iter().map(|sent| sent.traffic.bytes_received).sum()),
            round_trips: self.sent.iter().map(|sent| u64::from(sent.round_trips)).max(),
            peak_rss_kb: self.peak_rss_kb,
            server_cpu_seconds: Some(self.server_cpu),
            node_cpu_seconds: Some(self.node_cpu),
            p50_ms: Some(super::percentile(&took, 50)),
            p99_ms: Some(super::percentile(&took, 99)),
            ..Row::default()
        }
    }

    /// How often nodes had to call again.
    pub(super) fn called_again(&self) -> u32 {
        self.sent.iter().map(|sent| sent.attempts - 1).sum()
    }
}
