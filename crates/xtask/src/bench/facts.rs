//! Facts of a generated country in a file, as the store keeps them: what `bench figures` builds the cube of.
//! Every record becomes a document of its own; its facts go to the file as length, id and bytes.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use indicatif::ProgressBar;
use rollcall_core::id::{ActorId, DocumentId, FederationId};
use rollcall_core::record::Record;
use rollcall_doc::{Document, EditBy};
use serde::{Deserialize, Serialize};

use super::figures::HEARD_MS;
use crate::seed::{SeedConfig, generate};

/// Records handed to a worker at once.
const HANDFUL: usize = 256;
/// Threads that make documents.
const WORKERS: usize = 2;

/// What the country became.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) organisations: u64,
    pub(crate) documents: u64,
    /// Records that no document could be made of; they are told, not hidden.
    pub(crate) refused: u64,
    pub(crate) bytes: u64,
    pub(crate) federations: BTreeSet<FederationId>,
    /// Time of reading facts out of documents alone, over all threads.
    pub(crate) reading: Duration,
}

impl Made {
    /// What was made in a folder before, if it is a country of this size.
    pub(crate) fn load(folder: &Path, organisations: u64) -> Option<Self> {
        let bytes = std::fs::read(folder.join("made")).ok()?;
        let made: Self = postcard::from_bytes(&bytes).ok()?;
        (made.organisations == organisations).then_some(made)
    }
}

/// Makes the facts of a country in a folder: `facts`, and `made` once they are complete.
pub(crate) fn make(organisations: u64, folder: &Path, dump: Option<&Path>) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let made = make_facts(organisations, &folder.join("facts"), dump)?;
    std::fs::write(folder.join("made"), postcard::to_stdvec(&made)?).context("write what was made")
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
    let mut made = Made {
        organisations,
        ..Made::default()
    };
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
