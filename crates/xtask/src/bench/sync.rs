//! `bench sync`: sessions between the shipped programs as processes, over mutual TLS on loopback (`design.md` 11).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rollcall_core::id::FederationId;
use rollcall_core::record::Record;
use serde_json::Value;

use super::{Report, Row, at_least, delay, percentile};
use crate::live::Scratch;
use crate::loopback::{Centre, Node, number, text};
use crate::process::{self, Programs};
use crate::say;
use crate::seed::{SeedConfig, generate};

/// The federation whose register is synced, and the one that reads it.
pub(super) const WRITER: &str = "330106";
pub(super) const READER: &str = "330100";
/// Documents a second of PouchDB with a CouchDB-protocol server at N = 10,000: first sync 2.2 s, second client 2.4 s.
const POUCHDB_FIRST: f64 = 10_000.0 / 2.2;
const POUCHDB_SECOND: f64 = 10_000.0 / 2.4;
/// Long ways that sessions are measured over: what one there and back takes.
const ROUND_TRIPS: [Duration; 2] = [Duration::from_millis(40), Duration::from_millis(150)];
/// How often a case without a change is measured.
const ROUNDS: usize = 9;

/// Measures every case with registers of these sizes, direct and over long ways.
pub(crate) fn run(root: &Path, sizes: &[u64], dump: Option<&Path>) -> Result<Report> {
    let programs = Programs::build(root)?;
    let mut report = Report::new("sync");
    for (number, organisations) in sizes.iter().copied().enumerate() {
        measure(
            &programs,
            organisations,
            dump.filter(|_| number == 0),
            &mut report,
        )?;
        for round_trip in ROUND_TRIPS {
            delay::measure(&programs, organisations, round_trip, &mut report)?;
        }
    }
    report.notes.push("s is connecting (TCP, TLS, HTTP/2) and session as the client sees them; bytes without the TLS handshake".to_owned());
    report.notes.push(
        "peak and CPU s are the aggregator's during the case, node s is the CPU time of the whole of the node's process; \
         disk is the aggregator's store with the log of writes"
            .to_owned(),
    );
    report.notes.push(delay::explanation());
    Ok(report)
}

fn measure(programs: &Programs, organisations: u64, dump: Option<&Path>, report: &mut Report) -> Result<()> {
    let scratch = Scratch::new("bench-sync")?;
    let folder = scratch.path();
    let changed = (organisations / 100).max(1);
    let (all, edited) = (folder.join("documents.jsonl"), folder.join("edited.jsonl"));
    write_documents(organisations, changed, &all, &edited)?;
    if let Some(dump) = dump {
        std::fs::copy(&all, dump).with_context(|| format!("write {}", dump.display()))?;
    }
    let mut centre = Centre::make(programs, folder)?;
    centre.start()?;
    let writer = centre.enrol(folder, "writer", WRITER, &[])?;
    say::note(format!(
        "bench: entering {organisations} organisations at the node"
    ));
    let answer = writer.import(&all, &["--as", "records"])?;
    ensure!(
        number(&answer, "/new") == organisations,
        "not all were taken in: {answer}"
    );

    let bench = Bench {
        centre: &centre,
        organisations,
    };
    let (first, session) = bench.session("first sync", organisations, &writer)?;
    ensure!(
        number(&session, "/pushed/documents") == organisations,
        "not all were sent: {session}"
    );
    let wire = first.bytes_up.unwrap_or_default() as f64 / organisations as f64;
    let rate = first.per_second.unwrap_or_default();
    let cpu = first.server_cpu_seconds.unwrap_or_default().max(0.01);
    report.rows.push(first.goals(&[
        at_least(rate, 2.5 * POUCHDB_FIRST),
        (format!("≤ 300 B/doc ({wire:.0})"), wire <= 300.0),
        bench.memory_goal()?,
    ]));
    let apply = organisations as f64 / cpu;
    report.rows.push(
        Row {
            case: "apply at the aggregator, per core",
            scale: organisations,
            per_second: Some(apply),
            ..Row::default()
        }
        .goals(&[at_least(apply, 8_000.0)]),
    );
    report.rows.push(bench.nothing_changed(&writer)?);
    report.rows.push(bench.edited(&writer, &edited, changed)?);

    let reader = centre.enrol(folder, "reader", READER, &["--replicas", WRITER])?;
    let (second, _) = bench.session("second fresh client", organisations, &reader)?;
    let status = reader.ask(&["status"])?;
    ensure!(
        number(&status, "/documents") == organisations,
        "not all were received: {status}"
    );
    let rate = second.per_second.unwrap_or_default();
    report
        .rows
        .push(second.goals(&[at_least(rate, 2.5 * POUCHDB_SECOND), bench.memory_goal()?]));
    centre.stop()
}

/// What every case needs.
pub(super) struct Bench<'a> {
    pub(super) centre: &'a Centre,
    pub(super) organisations: u64,
}

impl Bench<'_> {
    /// Runs one session and measures it at both ends.
    pub(super) fn session(&self, case: &'static str, scale: u64, node: &Node) -> Result<(Row, Value)> {
        let server = self.centre.process()?;
        process::reset_peak(server);
        let before = process::cpu_seconds(server).context("read the aggregator's CPU time")?;
        let node_before = process::finished_cpu_seconds().context("read the nodes' CPU time")?;
        let answer = node.sync()?;
        let node_after = process::finished_cpu_seconds().context("read the nodes' CPU time")?;
        let after = process::cpu_seconds(server).context("read the aggregator's CPU time")?;
        ensure!(
            matches!(text(&answer, "/outcome"), "in_sync" | "caught_up"),
            "{case} ended otherwise: {answer}"
        );
        let seconds = (number(&answer, "/connect_ms") + number(&answer, "/duration_ms")) as f64 / 1000.0;
        let row = Row {
            case,
            scale,
            seconds: Some(seconds),
            per_second: Some(scale as f64 / seconds.max(0.001)),
            bytes_up: Some(number(&answer, "/bytes_sent")),
            bytes_down: Some(number(&answer, "/bytes_received")),
            round_trips: Some(number(&answer, "/round_trips")),
            peak_rss_kb: process::peak_rss_kb(server),
            disk_bytes: Some(disk_bytes(&self.centre.data)?),
            server_cpu_seconds: Some(after - before),
            node_cpu_seconds: Some(node_after - node_before),
            ..Row::default()
        };
        Ok((row, answer))
    }

    fn nothing_changed(&self, node: &Node) -> Result<Row> {
        let mut seconds = Vec::new();
        let mut last = None;
        for _ in 0..ROUNDS {
            let (row, answer) = self.session("nothing changed, cold", self.organisations, node)?;
            ensure!(
                text(&answer, "/outcome") == "in_sync",
                "something had changed: {answer}"
            );
            seconds.push(row.seconds.unwrap_or_default());
            last = Some(row);
        }
        seconds.sort_by(f64::total_cmp);
        let (median, worst) = (percentile(&seconds, 50), percentile(&seconds, 99));
        let row = last.context("no round was run")?;
        let bytes = row.bytes_up.unwrap_or_default() + row.bytes_down.unwrap_or_default();
        let trips = row.round_trips.unwrap_or_default();
        Ok(Row {
            seconds: Some(median),
            per_second: None,
            p50_ms: Some(median * 1000.0),
            p99_ms: Some(worst * 1000.0),
            ..row
        }
        .goals(&[
            (format!("1 round trip ({trips})"), trips == 1),
            (format!("≤ 1 KB ({bytes} B)"), bytes <= 1024),
            ("≤ 20 ms cold".to_owned(), median <= 0.020),
        ]))
    }

    fn edited(&self, node: &Node, file: &Path, changed: u64) -> Result<Row> {
        let answer = node.import(file, &["--as", "records"])?;
        ensure!(
            number(&answer, "/updated") == changed,
            "not all were edited: {answer}"
        );
        let (row, answer) = self.session("1% edited offline", changed, node)?;
        ensure!(
            number(&answer, "/pushed/documents") == changed,
            "not all were sent: {answer}"
        );
        let bytes = row.bytes_up.unwrap_or_default() + row.bytes_down.unwrap_or_default();
        let (trips, seconds) = (
            row.round_trips.unwrap_or_default(),
            row.seconds.unwrap_or_default(),
        );
        // The goal is stated for 100 documents.
        let allowed = 20 * 1024 * changed.max(100) / 100;
        Ok(row.goals(&[
            (format!("1 round trip ({trips})"), trips == 1),
            (format!("≤ {} KB ({bytes} B)", allowed / 1024), bytes <= allowed),
            ("≤ 25 ms".to_owned(), seconds <= 0.025),
        ]))
    }

    /// 80 MB and 300 bytes an organisation.
    fn memory_goal(&self) -> Result<(String, bool)> {
        let allowed = 80_000_000 + 300 * self.organisations;
        let peak = process::peak_rss_kb(self.centre.process()?).context("read the aggregator's peak")? * 1024;
        Ok((format!("peak ≤ {:.0} MB", allowed as f64 / 1e6), peak <= allowed))
    }
}

/// N organisations of one federation as records, and some of them with another address.
pub(super) fn write_documents(organisations: u64, changed: u64, all: &Path, edited: &Path) -> Result<()> {
    let federation: FederationId = WRITER.parse().context("read the federation's code")?;
    let config = SeedConfig {
        organisations,
        seed: 1,
        federations: Some(vec![federation]),
    };
    let create = |path: &Path| {
        File::create(path)
            .map(BufWriter::new)
            .with_context(|| format!("create {}", path.display()))
    };
    let (mut all, mut edited) = (create(all)?, create(edited)?);
    let step = (organisations / changed).max(1);
    let mut written = 0;
    for (_, record) in generate(&config) {
        let Record::Organisation(mut organisation) = record else {
            continue;
        };
        let line = |organisation| serde_json::to_string(&Record::Organisation(organisation));
        writeln!(all, "{}", line(organisation.clone())?)?;
        if written % step == 0 && written / step < changed {
            organisation.address = Some(format!("西湖区文三路{written}号"));
            writeln!(edited, "{}", line(organisation)?)?;
        }
        written += 1;
    }
    all.flush()?;
    edited.flush().context("write the documents")
}

fn disk_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let metadata = entry?.metadata()?;
        bytes += if metadata.is_file() { metadata.len() } else { 0 };
    }
    Ok(bytes)
}
