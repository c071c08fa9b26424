//! `bench figures`: the cube in this process, fed with facts of real documents (`design.md` 5).
//! Every record of the generated country becomes a document; its facts are kept in a file as the store keeps them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use indicatif::ProgressBar;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rollcall_core::campaign::Settings;
use rollcall_core::date::Day;
use rollcall_core::fact::Facts;
use rollcall_core::figure::Dimension;
use rollcall_core::id::{ActorId, DocumentId, FederationId};
use rollcall_core::record::Record;
use rollcall_doc::{Document, EditBy};
use rollcall_stats::{Cube, FiguresQuery, Heard};

use super::{Report, Row, percentile};
use crate::live::Scratch;
use crate::process::own_rss_kb;
use crate::seed::{SeedConfig, generate};

/// Questions asked.
const QUESTIONS: usize = 400;
/// Records handed to a worker at once.
const HANDFUL: usize = 256;
/// Threads that make documents.
const WORKERS: usize = 2;
/// Moment of the last sign of life of every federation: 2025-01-02.
const HEARD_MS: i64 = 1_735_776_000_000;

/// Measures building and asking.
pub(crate) fn run(organisations: u64, dump: Option<&Path>) -> Result<Report> {
    let scratch = Scratch::new("bench-figures")?;
    let stored = scratch.path().join("facts");
    let made = make_facts(organisations, &stored, dump)?;
    let mut report = Report::new("figures");
    report.rows.push(facts_row(&made));

    let before_kb = own_rss_kb().unwrap_or_default();
    let begun = Instant::now();
    let cube = build(&stored)?;
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
    report
        .rows
        .push(questions_row(&cube, &heard, &made, organisations)?);
    report.rows.push(series_row(&cube, &heard, organisations)?);
    report.notes.push(format!(
        "{} documents, each made from its own record ({} records were refused and are left out); stored facts are {:.0} MB in a file, read and decoded while the cube \
         is built; the store's rows are not part of it",
        made.documents,
        made.refused,
        made.bytes as f64 / 1e6
    ));
    report.notes.push(format!(
        "resident memory is that of the whole process with the cube; it grew by {:.0} MB while the cube was built",
        after_kb.saturating_sub(before_kb) as f64 * 1024.0 / 1e6
    ));
    report.notes.push(cube.describe());
    Ok(report)
}

/// What the country became.
#[derive(Default)]
struct Made {
    documents: u64,
    /// Records that no document could be made of; they are told, not hidden.
    refused: u64,
    bytes: u64,
    federations: BTreeSet<FederationId>,
    /// Time of reading facts out of documents alone, over all threads.
    reading: Duration,
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

/// Records to documents to facts, on two threads; facts go to the file as length, id and bytes.
fn make_facts(organisations: u64, to: &Path, dump: Option<&Path>) -> Result<Made> {
    let bar = ProgressBar::new(organisations);
    let create = |path: &Path| {
        File::create(path)
            .map(BufWriter::new)
            .with_context(|| format!("create {}", path.display()))
    };
    let out = Mutex::new(create(to)?);
    let mut dump = dump.map(create).transpose()?;
    let (sender, receiver) = sync_channel::<Vec<Record>>(4 * WORKERS);
    let receiver = Mutex::new(receiver);
    let mut made = Made::default();
    std::thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| scope.spawn(|| work(&receiver, &out)))
            .collect();
        let mut handful = Vec::with_capacity(HANDFUL);
        for (federation, record) in generate(&SeedConfig {
            organisations,
            seed: 1,
            federations: None,
        }) {
            made.federations.insert(federation);
            bar.inc(u64::from(matches!(record, Record::Organisation(_))));
            if let Some(dump) = &mut dump {
                writeln!(dump, "{}", serde_json::to_string(&record)?)?;
            }
            handful.push(record);
            if handful.len() == HANDFUL {
                let full = std::mem::replace(&mut handful, Vec::with_capacity(HANDFUL));
                sender.send(full).context("hand records to the workers")?;
            }
        }
        sender.send(handful).context("hand records to the workers")?;
        drop(sender);
        for worker in workers {
            let share = worker.join().map_err(|_| anyhow!("a worker failed"))??;
            made.documents += share.documents;
            made.refused += share.refused;
            made.bytes += share.bytes;
            made.reading += share.reading;
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    out.into_inner()
        .map_err(|_| anyhow!("a worker failed"))?
        .flush()
        .context("write the facts")?;
    if let Some(mut dump) = dump {
        dump.flush().context("write the documents")?;
    }
    Ok(made)
}

/// One worker's share; the federations are left to the one who hands out.
fn work(receiver: &Mutex<Receiver<Vec<Record>>>, out: &Mutex<BufWriter<File>>) -> Result<Made> {
    let mut share = Made::default();
    loop {
        let next = receiver.lock().map_err(|_| anyhow!("a worker failed"))?.recv();
        let Ok(records) = next else {
            return Ok(share);
        };
        let mut block = Vec::new();
        for record in &records {
            let id = record.document_id().context("a generated record has a key")?;
            let mut document = Document::create(record.kind(), id);
            let Ok(edits) = document.plan(record) else {
                share.refused += 1;
                continue;
            };
            document.apply_edits(&edits, &editor(id))?;
            let begun = Instant::now();
            let (facts, _) = document.facts();
            share.reading += begun.elapsed();
            share.documents += 1;
            let bytes = postcard::to_stdvec(&facts)?;
            block.extend(
                u32::try_from(bytes.len())
                    .context("facts are small")?
                    .to_le_bytes(),
            );
            block.extend(id.0);
            block.extend(bytes);
        }
        share.bytes += block.len() as u64;
        out.lock()
            .map_err(|_| anyhow!("a worker failed"))?
            .write_all(&block)?;
    }
}

fn editor(id: DocumentId) -> EditBy {
    EditBy {
        actor: ActorId(id.0),
        author: "330106/1".to_owned(),
        reason: "bench".to_owned(),
        time_ms: HEARD_MS,
        heads: None,
    }
}

fn build(stored: &Path) -> Result<Cube> {
    let mut cube = Cube::new(Settings::default());
    let mut file = BufReader::with_capacity(1 << 20, File::open(stored).context("open the facts")?);
    let mut bytes = Vec::new();
    loop {
        let mut length = [0; 4];
        match file.read_exact(&mut length) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(cube),
            read => read.context("read the facts")?,
        }
        let mut id = [0; 16];
        file.read_exact(&mut id).context("read the facts")?;
        bytes.resize(u32::from_le_bytes(length) as usize, 0);
        file.read_exact(&mut bytes).context("read the facts")?;
        let facts: Facts = postcard::from_bytes(&bytes).context("decode the facts")?;
        cube.upsert(DocumentId(id), facts);
    }
}

fn questions_row(cube: &Cube, heard: &Heard, made: &Made, scale: u64) -> Result<Row> {
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    let federations: Vec<&FederationId> = made.federations.iter().collect();
    let mut times = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let question = random_question(&mut chance, &federations);
        let begun = Instant::now();
        let answer = cube
            .figures(&question, heard)
            .with_context(|| format!("ask {question:?}"))?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        drop(std::hint::black_box(answer));
    }
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
    Ok(Row {
        case: "a random question",
        scale,
        p50_ms: Some(p50),
        p99_ms: Some(p99),
        ..Row::default()
    }
    .goals(&[("p99 ≤ 20 ms".to_owned(), p99 <= 20.0)]))
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
