//! `bench figures`: the cube in this process, fed with facts of real documents (`design.md` 5).
//! The facts are made by another process, so that nothing of the country is in this one's memory but the cube.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rollcall_core::campaign::Settings;
use rollcall_core::date::Day;
use rollcall_core::fact::Facts;
use rollcall_core::figure::Dimension;
use rollcall_core::id::{DocumentId, FederationId};
use rollcall_stats::{Cube, FiguresQuery, Heard};

use super::facts::Made;
use super::{Report, Row, percentile};
use crate::live::Scratch;
use crate::process::own_rss_kb;

/// Questions asked.
const QUESTIONS: usize = 400;
/// Documents taken in one by one.
const MERGES: usize = 200;
/// Moment of the last sign of life of every federation: 2025-01-02.
pub(crate) const HEARD_MS: i64 = 1_735_776_000_000;

/// Measures building and asking. With a folder of facts, they are made there if need be and kept.
pub(crate) fn run(organisations: u64, dump: Option<&Path>, facts: Option<&Path>) -> Result<Report> {
    let scratch = Scratch::new("bench-figures")?;
    let folder = facts.unwrap_or(scratch.path());
    let made = match Made::load(folder, organisations) {
        Some(made) => made,
        None => make(organisations, dump, folder)?,
    };
    let stored = folder.join("facts");
    let mut report = Report::new("figures");
    report.rows.push(facts_row(&made));

    let before_kb = own_rss_kb().unwrap_or_default();
    let begun = Instant::now();
    let mut cube = Cube::new(Settings::default());
    each_fact(&stored, |id, facts| cube.upsert(id, facts))?;
    let seconds = begun.elapsed().as_secs_f64();
    let after_kb = own_rss_kb().unwrap_or_default();
    report.rows.push(
        Row {
            case: "cube from stored facts",
            scale: organisations,
            seconds: Some(seconds),
            per_second: Some(made.documents as f64 / seconds),
            peak_rss_kb: Some(after_kb),
            ..Row::default()
        }
        .goals(&[
            ("≤ 60 s".to_owned(), seconds <= 60.0),
            ("≤ 300 MB".to_owned(), after_kb <= 300_000_000 / 1024),
        ]),
    );
    let heard = Heard {
        last_heard_ms: made
            .federations
            .iter()
            .map(|federation| (federation.clone(), HEARD_MS))
            .collect(),
        enrolled: made.federations.clone(),
        today: None,
    };
    let described = cube.describe();
    let (asked, largest) = questions_row(&cube, &heard, &made, organisations)?;
    report.rows.push(asked);
    report.rows.push(series_row(&cube, &heard, organisations)?);
    report
        .rows
        .push(merges_row(&mut cube, &heard, &stored, organisations)?);
    report.notes.push(format!(
        "{} documents, each made from its own record ({} records were refused and are left out) by another process; stored facts are {:.0} MB in a file, read and \
         decoded while the cube is built; the store's rows are not part of it",
        made.documents,
        made.refused,
        made.bytes as f64 / 1e6
    ));
    report.notes.push(format!(
        "resident memory is that of this whole process; it grew by {:.0} MB while the cube was built, and is {:.0} MB after all questions",
        after_kb.saturating_sub(before_kb) as f64 * 1024.0 / 1e6,
        own_rss_kb().unwrap_or_default() as f64 * 1024.0 / 1e6
    ));
    report.notes.push(largest);
    report.notes.push(described);
    Ok(report)
}

/// Makes the facts in a process of its own.
fn make(organisations: u64, dump: Option<&Path>, folder: &Path) -> Result<Made> {
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    command
        .arg("bench-facts")
        .arg("--organisations")
        .arg(organisations.to_string());
    command.arg("--out").arg(folder);
    if let Some(dump) = dump {
        command.arg("--dump").arg(dump);
    }
    let status = command.status().context("start the maker of facts")?;
    ensure!(status.success(), "the maker of facts failed");
    Made::load(folder, organisations).context("read what was made")
}

fn facts_row(made: &Made) -> Row {
    let micros = made.reading.as_secs_f64() * 1e6 / made.documents.max(1) as f64;
    Row {
        case: "facts from a document state, per core",
        scale: made.documents,
        per_second: Some(1e6 / micros),
        p50_ms: None,
        ..Row::default()
    }
    .goals(&[(format!("≤ 150 µs ({micros:.0} on average)"), micros <= 150.0)])
}

/// Hands every stored fact on as the store would.
fn each_fact(stored: &Path, mut found: impl FnMut(DocumentId, Facts)) -> Result<()> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(stored).context("open the facts")?);
    let mut bytes = Vec::new();
    loop {
        let mut length = [0; 4];
        match file.read_exact(&mut length) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read.context("read the facts")?,
        }
        let mut id = [0; 16];
        file.read_exact(&mut id).context("read the facts")?;
        bytes.resize(u32::from_le_bytes(length) as usize, 0);
        file.read_exact(&mut bytes).context("read the facts")?;
        found(
            DocumentId(id),
            postcard::from_bytes(&bytes).context("decode the facts")?,
        );
    }
}

/// The questions, and what it takes to read the rows of the largest answer one by one.
fn questions_row(cube: &Cube, heard: &Heard, made: &Made, scale: u64) -> Result<(Row, String)> {
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    let federations: Vec<&FederationId> = made.federations.iter().collect();
    let mut times = Vec::with_capacity(QUESTIONS);
    let mut largest = None;
    for _ in 0..QUESTIONS {
        let question = random_question(&mut chance, &federations);
        let begun = Instant::now();
        let answer = cube
            .figures(&question, heard)
            .with_context(|| format!("ask {question:?}"))?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        let answer = std::hint::black_box(answer);
        if largest.as_ref().is_none_or(|(rows, _)| *rows < answer.rows.len()) {
            largest = Some((answer.rows.len(), answer));
        }
    }
    let (rows, answer) = largest.context("at least one question was asked")?;
    let begun = Instant::now();
    let read: u64 = answer.rows.iter().map(|row| row.figures.in_scope).sum();
    let nanoseconds = begun.elapsed().as_secs_f64() * 1e9 / rows as f64;
    std::hint::black_box(read);
    let note = format!("the largest answer has {rows} rows; to read them takes {nanoseconds:.0} ns a row");
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
    let row = Row {
        case: "a random question",
        scale,
        p50_ms: Some(p50),
        p99_ms: Some(p99),
        ..Row::default()
    };
    Ok((row.goals(&[("p99 ≤ 20 ms".to_owned(), p99 <= 20.0)]), note))
}

fn series_row(cube: &Cube, heard: &Heard, scale: u64) -> Result<Row> {
    let day = |year, month, day| Day::from_ymd(year, month, day).context("a calendar date");
    let question = FiguresQuery {
        by: vec![Dimension::Province, Dimension::Category],
        series: Some((day(2023, 1, 1)?, day(2024, 12, 31)?)),
        ..FiguresQuery::at(day(2024, 12, 31)?)
    };
    let mut times = Vec::new();
    for _ in 0..21 {
        let begun = Instant::now();
        let answer = cube.figures(&question, heard).context("ask for the series")?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        drop(std::hint::black_box(answer));
    }
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
    Ok(Row {
        case: "24 month ends by province and category",
        scale,
        p50_ms: Some(p50),
        p99_ms: Some(p99),
        ..Row::default()
    }
    .goals(&[("≤ 100 ms".to_owned(), p50 <= 100.0)]))
}

/// From taking a document in, its workers or its members changed, to the headline and its table by province.
fn merges_row(cube: &mut Cube, heard: &Heard, stored: &Path, scale: u64) -> Result<Row> {
    let mut merges = Vec::new();
    let mut seen = 0_usize;
    let stride = (scale as usize / MERGES).max(1);
    each_fact(stored, |id, facts| {
        seen += 1;
        if seen.is_multiple_of(stride) {
            merges.push((id, facts));
        }
    })?;
    let question = FiguresQuery {
        by: vec![Dimension::Province],
        ..FiguresQuery::at(Day::from_ymd(2024, 12, 31).context("a calendar date")?)
    };
    let mut times = Vec::new();
    for (id, mut facts) in merges {
        match &mut facts {
            Facts::Organisation(facts) => facts.counts.iter_mut().for_each(|count| {
                count.workers = count.workers.map(|workers| workers + 1);
            }),
            Facts::Union(facts) => facts.mistaken = !facts.mistaken,
            Facts::Fund(_)
            | Facts::Subsidy(_)
            | Facts::SameAs(_)
            | Facts::Federation(_)
            | Facts::Campaign(_) => {}
        }
        let begun = Instant::now();
        cube.upsert(id, facts);
        let answer = cube.figures(&question, heard).context("ask for the headline")?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        drop(std::hint::black_box(answer));
    }
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
    Ok(Row {
        case: "a merged document to the visible figure",
        scale,
        p50_ms: Some(p50),
        p99_ms: Some(p99),
        ..Row::default()
    }
    .goals(&[("p99 ≤ 1 s".to_owned(), p99 <= 1000.0)]))
}

/// Up to three dimensions, up to two filters, any day of 2022 to 2024, every second time below some federation.
fn random_question(chance: &mut ChaCha8Rng, federations: &[&FederationId]) -> FiguresQuery {
    let mut below = |bound: usize| (chance.next_u64() % bound.max(1) as u64) as usize;
    let mut question = FiguresQuery::at(Day(18_993 + below(1_096) as i32));
    for _ in 0..below(4) {
        let dimension = Dimension::ALL[below(Dimension::ALL.len())];
        if !question.by.contains(&dimension) {
            question.by.push(dimension);
        }
    }
    for _ in 0..below(3) {
        let (dimension, values) = FILTERS[below(FILTERS.len())];
        question
            .filters
            .push((dimension, values[below(values.len())].to_owned()));
    }
    if below(2) == 0 {
        let federation = federations[below(federations.len())];
        let code = federation.division();
        let area = [code, code / 100 * 100, code / 10_000 * 10_000][below(3)];
        question.area = Some(FederationId::of_division(area));
    }
    question
}

const FILTERS: [(Dimension, &[&str]); 7] = [
    (
        Dimension::Province,
        &["110000", "320000", "330000", "440000", "510000"],
    ),
    (
        Dimension::Kind,
        &["social_group", "private_non_enterprise", "foundation"],
    ),
    (
        Dimension::Category,
        &["kindergarten", "school", "hospital", "other"],
    ),
    (Dimension::Group, &["A", "B"]),
    (Dimension::Level, &["province", "prefecture", "county"]),
    (Dimension::Form, &["own", "joint", "federation", "none"]),
    (Dimension::Size, &["0", "1-24", "25-99", "100-199", "200+"]),
];
