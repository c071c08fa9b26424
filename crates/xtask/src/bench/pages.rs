//! `bench pages`: the workspace of a node as a clerk meets it: lists, search while somebody types, the first page after a
//! start (`design.md` 11). The shipped program as a process, its pages over HTTP on loopback, one after the other.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rollcall_core::id::FederationId;
use rollcall_core::record::Record;

use super::{Report, Row, percentile};
use crate::browser::Browser;
use crate::live::Scratch;
use crate::loopback::{Node, number};
use crate::process::{self, Programs};
use crate::say;
use crate::seed::{SeedConfig, generate};

/// The federation whose register it is.
const FEDERATION: &str = "330106";
/// Documents held when the start is measured, at most half of all.
const START_DOCUMENTS: usize = 30_000;
/// Starts that are measured.
const STARTS: usize = 5;
/// How often each case is asked; its pages are asked in turn.
const ASKED: usize = 150;
/// How long one page of a list may take.
const LIST_MS: f64 = 100.0;
/// How long the answer to what was typed so far may take.
const SEARCH_MS: f64 = 30.0;
/// How long from the start of the program to its first page.
const START_MS: f64 = 1000.0;

/// A case, the longest it may take, and its pages.
const CASES: [(&str, f64, &[&str]); 9] = [
    (
        "organisations, by page",
        LIST_MS,
        &[
            "/organisations",
            "/organisations?page=2",
            "/organisations?page=500",
        ],
    ),
    (
        "organisations, filtered",
        LIST_MS,
        &[
            "/organisations?standing=uncovered",
            "/organisations?standing=out_of_scope&page=20",
            "/organisations?stage=established",
            "/organisations?category=kindergarten&form=joint",
            "/organisations?area=330106",
            "/organisations?standing=conflict",
        ],
    ),
    (
        "search by pinyin initials, typed",
        SEARCH_MS,
        &[
            "/organisations?q=y",
            "/organisations?q=ye",
            "/organisations?q=yey",
            "/organisations?q=hzyey",
        ],
    ),
    (
        "search by name, typed",
        SEARCH_MS,
        &[
            "/organisations?q=%E5%B9%BC",
            "/organisations?q=%E5%B9%BC%E5%84%BF",
            "/organisations?q=%E5%B9%BC%E5%84%BF%E5%9B%AD",
            "/organisations?q=%E5%8D%8F%E4%BC%9A%20%E8%A5%BF",
        ],
    ),
    (
        "search by code, typed",
        SEARCH_MS,
        &[
            "/organisations?q=52",
            "/organisations?q=523301",
            "/organisations?q=52330106mj",
        ],
    ),
    (
        "search with a filter",
        LIST_MS,
        &[
            "/organisations?q=yey&standing=uncovered",
            "/organisations?q=xh&category=other&page=3",
        ],
    ),
    (
        "unions, by page and searched",
        LIST_MS,
        &["/unions", "/unions?page=10", "/unions?q=%E8%81%94%E5%90%88"],
    ),
    (
        "subsidies, by page and searched",
        LIST_MS,
        &[
            "/subsidies",
            "/subsidies?page=3",
            "/subsidies?q=%E8%81%94%E5%90%88",
        ],
    ),
    ("import, sync", LIST_MS, &["/import", "/sync"]),
];

/// Measures every case.
pub(crate) fn run(root: &Path, organisations: u64, dump: Option<&Path>) -> Result<Report> {
    let programs = Programs::build(root)?;
    let scratch = Scratch::new("bench-pages")?;
    let folder = scratch.path();
    let (first, rest) = write_register(organisations, folder)?;
    if let Some(dump) = dump {
        let mut all = std::fs::read(&first).context("read the register")?;
        all.extend(std::fs::read(&rest).context("read the register")?);
        std::fs::write(dump, all).with_context(|| format!("write {}", dump.display()))?;
    }
    let node = Node::offline(&programs, folder, FEDERATION)?;
    let mut report = Report::new("pages");
    say::note(format!(
        "bench: entering {organisations} organisations at the node"
    ));
    node.import(&first, &["--as", "records"])?;
    choose_password(&node)?;
    report.rows.extend(starts(&node)?);
    node.import(&rest, &["--as", "records"])?;

    let server = node.serve()?;
    let mut browser = Browser::open(&format!("http://{}", server.address("web http://")?))?;
    browser.sign_in_again(&node.account.name)?;
    for (case, limit_ms, pages) in CASES {
        report
            .rows
            .push(asked(&mut browser, case, organisations, limit_ms, pages)?);
    }
    let memory = Row {
        case: "memory of the node",
        scale: organisations,
        peak_rss_kb: process::peak_rss_kb(server.id()),
        ..Row::default()
    };
    report.rows.push(memory);
    report.notes.push(format!(
        "each case asked {ASKED} times over its pages in turn; from the request to the last byte of the page"
    ));
    report
        .notes
        .push("a start is from the call of the program to its first page, or to its first list with signing in between".to_owned());
    server.stop()?;
    Ok(report)
}

/// The register as two files: what is held when the start is measured, and the rest.
fn write_register(organisations: u64, folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let federation: FederationId = FEDERATION.parse().context("read the federation's code")?;
    let config = SeedConfig {
        organisations,
        seed: 1,
        federations: Some(vec![federation]),
    };
    let paths = (folder.join("first.jsonl"), folder.join("rest.jsonl"));
    let create = |path: &Path| {
        File::create(path)
            .map(BufWriter::new)
            .with_context(|| format!("create {}", path.display()))
    };
    let (mut first, mut rest) = (create(&paths.0)?, create(&paths.1)?);
    let mut records: Vec<Record> = generate(&config).map(|(_, record)| record).collect();
    // Unions and money among the first, so that the start has of everything.
    records.sort_by_key(|record| matches!(record, Record::Organisation(_)));
    let held_at_start = records.len().div_ceil(2).min(START_DOCUMENTS);
    for (number, record) in records.iter().enumerate() {
        let file = if number < held_at_start {
            &mut first
        } else {
            &mut rest
        };
        writeln!(file, "{}", serde_json::to_string(record)?)?;
    }
    first.flush()?;
    rest.flush().context("write the register")?;
    Ok(paths)
}

/// What an account is asked for once, so that later sign-ins are like those of every day.
fn choose_password(node: &Node) -> Result<()> {
    let server = node.serve()?;
    let mut browser = Browser::open(&format!("http://{}", server.address("web http://")?))?;
    browser.sign_in(&node.account)?;
    server.stop()
}

/// To the first page, which is the one to sign in on, and to the first list of whoever signs in there at once.
fn starts(node: &Node) -> Result<[Row; 2]> {
    let documents = number(&node.ask(&["status"])?, "/documents");
    let (mut pages, mut lists) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begun = Instant::now();
        let server = node.serve()?;
        let mut browser = Browser::open(&format!("http://{}", server.address("web http://")?))?;
        let page = browser.get("/login")?;
        pages.push(milliseconds(begun.elapsed()));
        browser.sign_in_again(&node.account.name)?;
        let list = browser.get("/organisations")?;
        lists.push(milliseconds(begun.elapsed()));
        for answer in [page, list] {
            ensure!(answer.status.is_success(), "a first page is {}", answer.status);
        }
        server.stop()?;
    }
    Ok([
        row("start to the first page", documents, START_MS, pages),
        row("start, sign-in, first list", documents, START_MS, lists),
    ])
}

fn asked(
    browser: &mut Browser,
    case: &'static str,
    organisations: u64,
    limit_ms: f64,
    pages: &[&str],
) -> Result<Row> {
    let mut times = Vec::with_capacity(ASKED);
    for page in pages.iter().cycle().take(ASKED) {
        let begun = Instant::now();
        let answer = browser.get(page)?;
        times.push(milliseconds(begun.elapsed()));
        ensure!(
            answer.status.is_success(),
            "{page} is answered with {}",
            answer.status
        );
    }
    Ok(row(case, organisations, limit_ms, times))
}

fn row(case: &'static str, scale: u64, limit_ms: f64, mut times: Vec<f64>) -> Row {
    times.sort_by(f64::total_cmp);
    let worst = percentile(&times, 99);
    Row {
        case,
        scale,
        p50_ms: Some(percentile(&times, 50)),
        p99_ms: Some(worst),
        ..Row::default()
    }
    .goals(&[(format!("p99 < {limit_ms:.0} ms"), worst < limit_ms)])
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
