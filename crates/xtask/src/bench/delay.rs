//! Sessions over a long way, beside the least that they could take: what `bench sync` measures direct, through a line on
//! which every byte arrives later (`protocol.md` 4.8).

use std::time::Duration;

use anyhow::{Result, ensure};

use super::floor::{Floor, ROUND_TRIPS};
use super::slow_line::SlowLine;
use super::sync::{Bench, READER, WRITER, write_documents};
use super::{Report, Row};
use crate::live::Scratch;
use crate::loopback::{Centre, number, text};
use crate::process::Programs;
use crate::say;

/// Measures every case with a register of this size over one way.
pub(super) fn measure(
    programs: &Programs,
    organisations: u64,
    round_trip: Duration,
    report: &mut Report,
) -> Result<()> {
    let scratch = Scratch::new("bench-delay")?;
    let folder = scratch.path();
    let changed = (organisations / 100).max(1);
    let (all, edited) = (folder.join("documents.jsonl"), folder.join("edited.jsonl"));
    write_documents(organisations, changed, &all, &edited)?;
    let mut centre = Centre::make(programs, folder)?;
    centre.start()?;
    let line = SlowLine::open(centre.sync_addr(), round_trip)?;
    let writer = centre.enrol(folder, "writer", WRITER, &[])?;
    let reader = centre.enrol(folder, "reader", READER, &["--replicas", WRITER])?;
    for node in [&writer, &reader] {
        node.call_at(&line.address())?;
    }
    say::note(format!(
        "bench: {organisations} organisations over {} ms",
        round_trip.as_millis()
    ));
    writer.import(&all, &["--as", "records"])?;
    let bench = Bench {
        centre: &centre,
        organisations,
    };
    let first = Floor::of_unsent(&writer)?;
    let (row, answer) = bench.session("first sync", organisations, &writer)?;
    ensure!(
        number(&answer, "/pushed/documents") == organisations,
        "not all were sent: {answer}"
    );
    report.rows.push(first.beside(row, round_trip));

    let (row, answer) = bench.session("nothing changed, cold", organisations, &writer)?;
    ensure!(
        text(&answer, "/outcome") == "in_sync",
        "something had changed: {answer}"
    );
    let row = Row {
        per_second: None,
        ..one_round_trip(row)
    };
    report.rows.push(Floor::of_nothing().beside(row, round_trip));

    let answer = writer.import(&edited, &["--as", "records"])?;
    ensure!(
        number(&answer, "/updated") == changed,
        "not all were edited: {answer}"
    );
    let floor = Floor::of_unsent(&writer)?;
    let (row, _) = bench.session("1% edited offline", changed, &writer)?;
    report.rows.push(floor.beside(one_round_trip(row), round_trip));

    let floor = Floor::of_all(&writer)?;
    let (row, _) = bench.session("second fresh client", organisations, &reader)?;
    let held = number(&reader.ask(&["status"])?, "/documents");
    ensure!(held == organisations, "{held} documents were received");
    report.rows.push(floor.beside(row, round_trip));
    centre.stop()
}

/// How the floors come about, in a sentence.
pub(super) fn explanation() -> String {
    format!(
        "delay is a way there and back, half of it each way; the floor of s is {ROUND_TRIPS} of them (TCP, TLS 1.3, the session) \
         and no work at all; the floor of bytes is the changes compressed in one piece, ids, and what proves and frames them"
    )
}

fn one_round_trip(row: Row) -> Row {
    let trips = row.round_trips.unwrap_or_default();
    row.goals(&[(format!("1 round trip ({trips})"), trips == 1)])
}
