//! `bench storm`: the end of a month (`reliability.md` 3.5, T15). Thousands of nodes with stores and certificates of their
//! own have edited and all begin within a minute; again after thirty days without a network; again while the aggregator is
//! killed and started anew. Somebody looks at the overview all the while, and what was acknowledged is looked for at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rollcall_command::clock::random;
use rollcall_core::date::Day;
use rollcall_rpc::Traffic;
use rollcall_store::Store;
use rollcall_sync::backoff::delay_ms;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::enrolled::{Enrolled, enrol};
use super::intake::runtime;
use super::{Report, Row, memory_goal, percentile};
use crate::browser::Browser;
use crate::live::Scratch;
use crate::loopback::{Centre, number};
use crate::process::{self, Programs};
use crate::say;
use crate::seed::Registers;

mod node;
mod visitor;

use node::{Done, Edits, Ended, Node};
use visitor::{Seen, Visitor};

/// Nodes for which the goals are stated; fewer begin within less time, so that as many begin in a second.
const STATED_NODES: f64 = 3_000.0;
/// Within this time all of them begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(60);
/// Nodes that send at a time while the registers are entered, before anything is measured.
const AT_A_TIME: usize = 48;
/// Files and connections that a node's session holds open, with room to spare.
const FILES_A_SESSION: u64 = 12;
/// The same for everything else.
const FILES_BESIDE: u64 = 500;
/// A node that is not through by then has failed for good.
const GIVE_UP: Duration = Duration::from_secs(1_800);
/// Longest session of 99 of 100 nodes.
const SESSION_P99: Duration = Duration::from_secs(120);
/// Longest answer of the console meanwhile, milliseconds.
const PAGE_MS: f64 = 500.0;

/// One run of it.
struct Storm {
    case: &'static str,
    page_case: &'static str,
    edits: Edits,
    /// Whether the aggregator is killed when half of the nodes have begun.
    kills: bool,
    all_done: Duration,
}

const STORMS: [Storm; 3] = [
    Storm {
        case: "month's end",
        page_case: "overview at month's end",
        edits: Edits {
            every: 10,
            moves: &[],
            joined: 1,
            // 2025-10-31
            counted_on: Day(20392),
        },
        kills: false,
        all_done: Duration::from_secs(300),
    },
    Storm {
        case: "after 30 days offline",
        page_case: "overview after 30 days",
        edits: Edits {
            every: 3,
            moves: &["天目山路1号", "天目山路2号"],
            joined: 2,
            // 2025-11-30
            counted_on: Day(20422),
        },
        kills: false,
        all_done: Duration::from_secs(900),
    },
    Storm {
        case: "killed and started anew",
        page_case: "overview, killed and anew",
        edits: Edits {
            every: 10,
            moves: &[],
            joined: 3,
            // 2025-12-31
            counted_on: Day(20453),
        },
        kills: true,
        all_done: Duration::from_secs(300),
    },
];

/// Enrols and fills the nodes, then measures every storm.
pub(crate) fn run(programs: &Programs, organisations: u64, nodes: usize) -> Result<Report> {
    let scratch = Scratch::new("bench-storm")?;
    let wanted = FILES_A_SESSION * nodes as u64 + FILES_BESIDE;
    let files = process::allow_open_files(wanted)?;
    let sessions =
        usize::try_from(files.saturating_sub(FILES_BESIDE) / FILES_A_SESSION).unwrap_or(usize::MAX);
    ensure!(
        sessions >= AT_A_TIME,
        "let this program open {wanted} files first: ulimit -n {wanted}"
    );
    let runtime = runtime()?;
    let registers = Registers::log_normal(1, nodes, organisations);
    let mut centre = Centre::make(programs, scratch.path())?;
    centre.start()?;
    say::note(format!(
        "bench: enrolling {nodes} nodes, entering {} organisations",
        registers.organisations()
    ));
    let enrolled = enrol(&runtime, &centre, &registers.federations())?;
    let numbered: Vec<(usize, Enrolled)> = enrolled.into_iter().enumerate().collect();
    let made: Result<Vec<Node>> = numbered
        .into_par_iter()
        .with_max_len(1)
        .map(|(index, enrolled)| Node::make(enrolled, scratch.path(), registers.of(index)))
        .collect();
    say::note("bench: the nodes send their registers");
    let at_once = Pace {
        within: Duration::ZERO,
        at_a_time: AT_A_TIME.min(sessions),
    };
    let (mut nodes, first) = runtime.block_on(weather(made?, at_once))?;
    ensure!(
        first.iter().all(|done| done.proven),
        "not every register was taken"
    );
    let mut browser = Browser::open(&centre.web())?;
    browser.sign_in(&centre.account)?;

    let mut report = Report::new("storm");
    let mut written = registers.organisations();
    for storm in &STORMS {
        let pace = Pace {
            within: BEGIN_WITHIN.mul_f64((nodes.len() as f64 / STATED_NODES).min(1.0)),
            at_a_time: sessions,
        };
        let edited = storm.edit(&nodes, &registers)?;
        written += edited;
        say::note(format!("bench: {}, {edited} changes", storm.case));
        (nodes, browser) =
            storm.measure(&runtime, &mut centre, (nodes, edited), browser, pace, &mut report)?;
    }
    say::note("bench: looking for what was acknowledged");
    report.rows.push(kept(&centre, &nodes, written)?);
    report.notes.push(format!(
        "{} nodes with {} organisations; s is from the first call to the last proof, p50 and p99 are of a node from its first call \
         to its proof, waits between its sessions included; the goal is for a session",
        nodes.len(),
        registers.organisations()
    ));
    report.notes.push(
        "CPU s is the aggregator's and, beside it, that of all nodes, which share the cores".to_owned(),
    );
    centre.stop()?;
    Ok(report)
}

/// How nodes begin.
#[derive(Clone, Copy)]
struct Pace {
    within: Duration,
    /// Sessions that may be open at a time in this process.
    at_a_time: usize,
}

impl Storm {
    /// Lets every node edit; how many changes that makes.
    fn edit(&self, nodes: &[Node], registers: &Registers) -> Result<u64> {
        let edited: Result<Vec<usize>> = nodes
            .par_iter()
            .enumerate()
            .with_max_len(1)
            .map(|(index, node)| node.edit(registers.of(index), &self.edits))
            .collect();
        Ok(edited?.into_iter().sum::<usize>() as u64)
    }

    fn measure(
        &self,
        runtime: &Runtime,
        centre: &mut Centre,
        (nodes, edited): (Vec<Node>, u64),
        browser: Browser,
        pace: Pace,
        report: &mut Report,
    ) -> Result<(Vec<Node>, Browser)> {
        let mut used = Used::begin(centre)?;
        let own_before = process::cpu_seconds(std::process::id()).context("read the own CPU time")?;
        let visitor = Visitor::begin(browser, centre.account.name.clone());
        let begun = Instant::now();
        let storm = runtime.spawn(weather(nodes, pace));
        if self.kills {
            std::thread::sleep(pace.within / 2);
            used.stop(centre)?;
            centre.kill();
            let killed = Instant::now();
            centre.start()?;
            let down = killed.elapsed();
            report.notes.push(format!(
                "{}: the aggregator answered again {:.1} s after the kill",
                self.case,
                down.as_secs_f64()
            ));
            used.go_on();
        }
        let (nodes, done) = runtime.block_on(storm).context("run the storm")??;
        let seconds = begun.elapsed().as_secs_f64();
        let (browser, seen) = visitor.end()?;
        used.stop(centre)?;
        let own_after = process::cpu_seconds(std::process::id()).context("read the own CPU time")?;
        let row = Row {
            seconds: Some(seconds),
            server_cpu_seconds: Some(used.cpu_seconds),
            node_cpu_seconds: Some(own_after - own_before),
            peak_rss_kb: Some(used.peak_rss_kb),
            ..self.row(&done)
        };
        report.rows.push(self.with_goals(row, &done, edited));
        report.rows.push(self.pages(&seen));
        report.notes.push(format!(
            "{}: {}, {} looks unanswered, {} told that the figures are being counted, longest {:.0} ms",
            self.case,
            told(&done),
            seen.unanswered,
            seen.counting,
            seen.times_ms.last().copied().unwrap_or_default()
        ));
        Ok((nodes, browser))
    }

    fn row(&self, done: &[Done]) -> Row {
        let mut took: Vec<f64> = done.iter().map(|done| done.took.as_secs_f64() * 1000.0).collect();
        took.sort_by(f64::total_cmp);
        let traffic = done.iter().fold(Traffic::default(), |sum, done| Traffic {
            bytes_sent: sum.bytes_sent + done.traffic.bytes_sent,
            bytes_received: sum.bytes_received + done.traffic.bytes_received,
        });
        Row {
            case: self.case,
            scale: done.len() as u64,
            bytes_up: Some(traffic.bytes_sent),
            bytes_down: Some(traffic.bytes_received),
            round_trips: done.iter().map(|done| u64::from(done.round_trips)).max(),
            p50_ms: Some(percentile(&took, 50)),
            p99_ms: Some(percentile(&took, 99)),
            ..Row::default()
        }
    }

    fn with_goals(&self, row: Row, done: &[Done], edited: u64) -> Row {
        let failed = done.iter().filter(|done| !done.proven).count();
        let seconds = row.seconds.unwrap_or_default();
        let p99 = longest_p99(done);
        let peak = row.peak_rss_kb.unwrap_or_default();
        Row {
            per_second: Some(edited as f64 / seconds.max(0.001)),
            ..row
        }
        .goals(&[
            (format!("none fails ({failed})"), failed == 0),
            (
                format!("all done ≤ {} s", self.all_done.as_secs()),
                seconds <= self.all_done.as_secs_f64(),
            ),
            (
                format!("session p99 ({p99:.1} s) ≤ {} s", SESSION_P99.as_secs()),
                p99 <= SESSION_P99.as_secs_f64(),
            ),
            memory_goal(peak),
        ])
    }

    fn pages(&self, seen: &Seen) -> Row {
        let worst = percentile(&seen.times_ms, 99);
        Row {
            case: self.page_case,
            scale: seen.times_ms.len() as u64,
            p50_ms: Some(percentile(&seen.times_ms, 50)),
            p99_ms: Some(worst),
            ..Row::default()
        }
        .goals(&[(
            format!("p99 < {PAGE_MS:.0} ms"),
            worst < PAGE_MS && !seen.times_ms.is_empty(),
        )])
    }
}

/// What the aggregator's process used, over a kill as well.
struct Used {
    cpu_seconds: f64,
    peak_rss_kb: u64,
    before: f64,
}

impl Used {
    fn begin(centre: &Centre) -> Result<Self> {
        process::reset_peak(centre.process()?);
        Ok(Self {
            cpu_seconds: 0.0,
            peak_rss_kb: 0,
            before: cpu_seconds(centre)?,
        })
    }

    /// Another process goes on; it is measured from its begin.
    fn go_on(&mut self) {
        self.before = 0.0;
    }

    fn stop(&mut self, centre: &Centre) -> Result<()> {
        self.cpu_seconds += cpu_seconds(centre)? - self.before;
        let peak = process::peak_rss_kb(centre.process()?).context("read the aggregator's peak")?;
        self.peak_rss_kb = self.peak_rss_kb.max(peak);
        Ok(())
    }
}

fn cpu_seconds(centre: &Centre) -> Result<f64> {
    process::cpu_seconds(centre.process()?).context("read the aggregator's CPU time")
}

/// Lets every node begin at a moment of its own and call until it is through; in their order, with what came of each.
async fn weather(nodes: Vec<Node>, pace: Pace) -> Result<(Vec<Node>, Vec<Done>)> {
    let places = Arc::new(Semaphore::new(pace.at_a_time));
    let mut calling = JoinSet::new();
    for (index, mut node) in nodes.into_iter().enumerate() {
        let places = Arc::clone(&places);
        let wait = pace
            .within
            .mul_f64(u32::from_be_bytes(random()) as f64 / f64::from(u32::MAX));
        calling.spawn(async move {
            tokio::time::sleep(wait).await;
            let done = call_until_proven(&mut node, &places).await?;
            anyhow::Ok((index, node, done))
        });
    }
    let mut through = Vec::new();
    while let Some(ended) = calling.join_next().await {
        through.push(ended.context("run a node")??);
    }
    through.sort_by_key(|(index, ..)| *index);
    Ok(through.into_iter().map(|(_, node, done)| (node, done)).unzip())
}

/// Calls as the node's own program does, with its waits between failures.
async fn call_until_proven(node: &mut Node, places: &Semaphore) -> Result<Done> {
    let begun = Instant::now();
    let mut done = Done::default();
    let mut failures = 0;
    while begun.elapsed() < GIVE_UP {
        let attempt = {
            let _place = places.acquire().await?;
            node.call().await?
        };
        done.add(begun, &attempt);
        let Ended::Again(stated_ms, _) = attempt.end else {
            break;
        };
        failures += 1;
        let wait_ms = delay_ms(failures, u64::from_be_bytes(random()), stated_ms);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
    Ok(done)
}

/// The longest session of 99 of 100 nodes, seconds.
fn longest_p99(done: &[Done]) -> f64 {
    let mut longest: Vec<f64> = done.iter().map(|done| done.longest.as_secs_f64()).collect();
    longest.sort_by(f64::total_cmp);
    percentile(&longest, 99)
}

/// Why nodes had to call again, and how often.
fn told(done: &[Done]) -> String {
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for reason in done.iter().flat_map(|done| &done.again) {
        *reasons.entry(reason).or_default() += 1;
    }
    let calls = done.iter().map(|done| done.again.len()).max().unwrap_or_default() + 1;
    let list: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    if list.is_empty() {
        "nobody had to call again".to_owned()
    } else {
        format!("called again for {}; one node {calls} times", list.join(", "))
    }
}

/// Looks every acknowledged change up in the aggregator's log, at the position that the node was told; they have to be all
/// that were written. Then lets the aggregator verify all it holds.
fn kept(centre: &Centre, nodes: &[Node], written: u64) -> Result<Row> {
    let store = Store::open(&centre.data.join("store.db")).context("open the aggregator's store")?;
    let (mut promised, mut lost) = (0_u64, 0_u64);
    store
        .read(|reader| {
            for promise in nodes.iter().flat_map(|node| &node.promised) {
                let held = reader.change_position(promise.document_id, &promise.hash)?;
                promised += 1;
                lost += u64::from(held.map(|(position, _)| position) != Some(promise.position));
            }
            Ok(())
        })
        .context("look for what was acknowledged")?;
    drop(store);
    let begun = Instant::now();
    let verified = centre.ask(&["verify"])?;
    Ok(Row {
        case: "acknowledged changes found again",
        scale: promised,
        seconds: Some(begun.elapsed().as_secs_f64()),
        ..Row::default()
    }
    .goals(&[
        (format!("all of {written}"), promised == written),
        (format!("none lost ({lost})"), lost == 0),
        (
            format!("verify: {} documents sound", number(&verified, "/documents")),
            verified["faults"].as_array().is_some_and(Vec::is_empty),
        ),
    ]))
}
