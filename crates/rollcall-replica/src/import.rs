//! Taking in records and lists: every row sorted first, then one transaction for the whole file, undoable.
//! Owns comparing rows with documents and who may keep them; reading files is `rollcall-exchange`.

use std::collections::{BTreeSet, HashMap};
use std::io::BufRead;
use std::sync::mpsc::{Receiver, sync_channel};

use rollcall_core::date::Day;
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use rollcall_exchange::{
    CandidateRow, ImportSummary, Known, List, Outcome, Plan, PlanSettings, RecordReader, RowProblem, plan,
};
use rollcall_store::commit::DocumentCommit;
use rollcall_store::import::ImportRow;
use rollcall_store::{Hash, Writer};
use serde::{Deserialize, Serialize};

use crate::edit::Editing;
use crate::error::Error;
use crate::handover::Keeping;
use crate::home::{home_at, with_home};
use crate::parallel;
use crate::prepare::commit_local;
use crate::replica::Replica;

/// A file as it came.
#[derive(Debug, Clone)]
pub struct ImportFile {
    /// Name of the import, for undoing it.
    pub import_id: String,
    /// Name of the file, without its folder.
    pub file_name: String,
    /// SHA-256 of its bytes.
    pub sha256: Hash,
}

/// One change that an import made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) document_id: DocumentId,
    pub(crate) change: Hash,
    pub(crate) new: bool,
}

/// Documents prepared at a time.
const CHUNK: usize = 256;
/// Chunks that may wait for the transaction.
const CHUNKS_WAITING: usize = 4;

/// The rows could not all be prepared.
#[derive(Debug, thiserror::Error)]
#[error("the import was stopped")]
struct Stopped;

/// A document's rows in the file.
struct Item {
    id: DocumentId,
    kind: DocumentKind,
    rows: Vec<(u64, Record)>,
}

/// What became of an item.
struct Done {
    outcomes: Vec<(u64, Outcome)>,
    commit: Option<DocumentCommit>,
}

impl Replica {
    /// Sorts and, unless it is a dry run, takes in a records file. `open` gives the file's bytes from the start each time.
    ///
    /// # Errors
    /// The file cannot be read, or the store's; nothing is taken in then.
    pub fn import_records<R: BufRead>(
        &self,
        file: &ImportFile,
        open: impl Fn() -> std::io::Result<R>,
        by: &Editing,
        dry_run: bool,
    ) -> Result<ImportSummary, Error> {
        let mut summary = ImportSummary::begin(&file.import_id, &hex(&file.sha256), "UTF-8", "records");
        self.warn_if_known(file, &mut summary)?;
        let mut times: HashMap<DocumentId, u32> = HashMap::new();
        let mut reader = RecordReader::new(open()?);
        while let Some((_, record)) = reader.next_record()? {
            if let Some(id) = record.ok().and_then(|record| record.document_id()) {
                *times.entry(id).or_default() += 1;
            }
        }
        times.retain(|_, times| *times > 1);
        let mut reader = RecordReader::new(open()?);
        let mut later: HashMap<DocumentId, Item> = HashMap::new();
        let mut refused = Vec::new();
        let mut failed = None;
        let items = std::iter::from_fn(|| {
            loop {
                match reader.next_record() {
                    Ok(Some((row, Ok(record)))) => match record.document_id() {
                        Some(id) if times.contains_key(&id) => {
                            let kind = record.kind();
                            let item = later.entry(id).or_insert_with(|| Item {
                                id,
                                kind,
                                rows: Vec::new(),
                            });
                            item.rows.push((row, record));
                            if item.rows.len() == times[&id] as usize {
                                return later.remove(&id);
                            }
                        }
                        Some(id) => {
                            return Some(Item {
                                id,
                                kind: record.kind(),
                                rows: vec![(row, record)],
                            });
                        }
                        None => refused.push((row, no_key())),
                    },
                    Ok(Some((row, Err(problem)))) => refused.push((row, problem)),
                    Ok(None) => return None,
                    Err(error) => {
                        failed = Some(error);
                        return None;
                    }
                }
            }
        });
        let mut counted = Vec::new();
        let result = self.take_items(items, file, by, dry_run, &mut counted);
        if let Some(error) = failed {
            return Err(error.into());
        }
        result?;
        counted.extend(
            refused
                .into_iter()
                .map(|(row, problem)| (row, Outcome::Refused(vec![problem]))),
        );
        counted.sort_by_key(|(row, _)| *row);
        for (row, outcome) in &counted {
            summary.count_outcome(*row, outcome);
        }
        summary.scope.clear();
        if !dry_run {
            self.save_summary(file, &summary)?;
        }
        Ok(summary)
    }

    /// Sorts the rows of a list against the documents held.
    ///
    /// # Errors
    /// The store's.
    pub fn plan_list(&self, list: &List, settings: PlanSettings) -> Result<Plan, Error> {
        let written = self.scopes_written()?;
        let mut failed = None;
        let mut plan = plan(
            list,
            settings,
            &mut |candidate| match self.known(candidate, &written) {
                Ok(known) => known,
                Err(error) => {
                    failed = Some(error);
                    Known::Unchanged
                }
            },
        );
        if let Some(error) = failed {
            return Err(error);
        }
        let file = ImportFile {
            import_id: plan.summary.import_id.clone(),
            file_name: list.file_name.clone(),
            sha256: unhex(&plan.summary.file_sha256),
        };
        self.warn_if_known(&file, &mut plan.summary)?;
        Ok(plan)
    }

    /// Takes in the rows that a plan found new or changed, as one undoable act.
    ///
    /// # Errors
    /// The store's; nothing is taken in then.
    pub fn commit_plan(&self, list: &List, plan: &mut Plan, by: &Editing) -> Result<(), Error> {
        let file = ImportFile {
            import_id: plan.summary.import_id.clone(),
            file_name: list.file_name.clone(),
            sha256: unhex(&plan.summary.file_sha256),
        };
        let mut counted = Vec::new();
        {
            let items = plan.candidates(list).map(|candidate| {
                let kind = candidate.record.kind();
                Item {
                    id: candidate.id,
                    kind,
                    rows: vec![(candidate.row, candidate.record)],
                }
            });
            self.take_items(items, &file, by, false, &mut counted)?;
        }
        let before: HashMap<u64, Outcome> = plan
            .rows
            .iter()
            .map(|planned| (planned.row, planned.outcome.clone()))
            .collect();
        for (row, outcome) in &counted {
            if let (Outcome::Refused(problems), Some(was)) = (outcome, before.get(row))
                && let Some(problem) = problems.first()
            {
                plan.summary.refuse_after_all(*row, was, problem);
            }
        }
        self.save_summary(&file, &plan.summary)
    }

    fn known(&self, candidate: &CandidateRow, written: &BTreeSet<FederationId>) -> Result<Known, Error> {
        let held = self.held(candidate.id, candidate.record.kind())?;
        let homes = self.read(|reader| Ok(reader.homes_of(candidate.id)?))?;
        let named = home_at(&candidate.record, written.first());
        let kept = Self::keeps(written, &homes) || (homes.is_empty() && Self::keeps(written, named.as_ref()));
        if !kept {
            return Ok(Known::Refused(foreign(named.as_ref().or(homes.first()))));
        }
        let offered = Keeping::of(&held.document, homes).is_offered(|home| Self::keeps(written, [home]));
        Ok(
            match held.document.plan(&with_home(
                candidate.record.clone(),
                held.row.is_none(),
                written.first(),
            )) {
                Err(mut problems) => Known::Refused(if problems.is_empty() {
                    no_key()
                } else {
                    problems.swap_remove(0)
                }),
                Ok(_) if held.row.is_none() => Known::New,
                Ok(edits) if edits.is_empty() => Known::Unchanged,
                // No list has a column for signatures.
                Ok(_) if offered => Known::Refused(handover_open()),
                Ok(_) => Known::Updated,
            },
        )
    }

    /// Prepares items in parallel and commits them in one transaction; outcomes by row in `counted`.
    fn take_items(
        &self,
        items: impl Iterator<Item = Item>,
        file: &ImportFile,
        by: &Editing,
        dry_run: bool,
        counted: &mut Vec<(u64, Outcome)>,
    ) -> Result<(), Error> {
        let written = self.scopes_written()?;
        let mut items = items.peekable();
        let (sender, receiver) = sync_channel::<Result<Vec<DocumentCommit>, Stopped>>(CHUNKS_WAITING);
        let pending = (!dry_run).then(|| {
            let (file, by) = (file.clone(), by.clone());
            self.store()
                .write("import", move |writer| commit_all(writer, &receiver, &file, &by))
        });
        let mut result = Ok(());
        while items.peek().is_some() {
            let chunk: Vec<Item> = items.by_ref().take(CHUNK).collect();
            let done = parallel::map(chunk, |item| self.take_item(item, by, &written));
            let mut commits = Vec::new();
            for done in done {
                match done {
                    Ok(done) => {
                        counted.extend(done.outcomes);
                        commits.extend(done.commit);
                    }
                    Err(error) => result = Err(error),
                }
            }
            if result.is_err() {
                break;
            }
            if !dry_run && sender.send(Ok(commits)).is_err() {
                break;
            }
        }
        if result.is_err() && !dry_run {
            // The transaction undoes itself; if it is gone already, it has.
            let _ = sender.send(Err(Stopped));
        }
        drop(sender);
        match (pending, result) {
            (Some(pending), Ok(())) => Ok(pending.wait()?),
            (Some(pending), Err(error)) => {
                let _ = pending.wait();
                Err(error)
            }
            (None, result) => result,
        }
    }

    fn take_item(&self, item: Item, by: &Editing, written: &BTreeSet<FederationId>) -> Result<Done, Error> {
        let held = self.held(item.id, item.kind)?;
        let homes = match held.row {
            Some(_) => self.read(|reader| Ok(reader.homes_of(item.id)?))?,
            None => Vec::new(),
        };
        let kept = |home: &FederationId| Self::keeps(written, [home]);
        let mut keeping = Keeping::of(&held.document, homes.iter().cloned());
        let mut document = held.document.clone();
        let mut changes = Vec::new();
        let mut outcomes = Vec::new();
        for (row, record) in item.rows {
            let named = home_at(&record, written.first());
            if !(Self::keeps(written, &homes) || Self::keeps(written, named.as_ref())) {
                let problem = foreign(named.as_ref().or(homes.first()));
                outcomes.push((row, Outcome::Refused(vec![problem])));
                continue;
            }
            let first = held.row.is_none() && changes.is_empty();
            let edits = match document.plan(&with_home(record, first, written.first())) {
                Ok(edits) => edits,
                Err(problems) => {
                    outcomes.push((row, Outcome::Refused(problems)));
                    continue;
                }
            };
            match self.write_edits(&document, &edits, by)? {
                Some((after, change)) => {
                    let offered = keeping.is_offered(kept);
                    if keeping.follow_here(kept, &change.mentions).is_err() {
                        let problem = if offered {
                            handover_open()
                        } else {
                            foreign(homes.first().or(named.as_ref()))
                        };
                        outcomes.push((row, Outcome::Refused(vec![problem])));
                        continue;
                    }
                    document = after;
                    changes.push(change);
                    outcomes.push((row, if first { Outcome::New } else { Outcome::Updated }));
                }
                None => outcomes.push((row, Outcome::Unchanged)),
            }
        }
        let commit = if changes.is_empty() {
            None
        } else {
            Some(commit_local(&held, &document, &changes, self.origin(), by.now_ms))
        };
        Ok(Done { outcomes, commit })
    }

    fn warn_if_known(&self, file: &ImportFile, summary: &mut ImportSummary) -> Result<(), Error> {
        let earlier = self.read(|reader| Ok(reader.imports_of_file(&file.sha256)?))?;
        if let Some(import) = earlier.first() {
            let message = format!(
                "This very file was imported on {} as {}.",
                Day::of_unix_ms(import.at_ms),
                import.import_id
            );
            // First, so that no number of other warnings pushes it out.
            let warning = RowProblem {
                row: None,
                column: None,
                code: "ALREADY_IMPORTED".to_owned(),
                message,
            };
            summary.warnings.insert(0, warning);
        }
        Ok(())
    }

    /// Writes the summary beside what the transaction recorded.
    fn save_summary(&self, file: &ImportFile, summary: &ImportSummary) -> Result<(), Error> {
        let (id, text) = (
            file.import_id.clone(),
            serde_json::to_string(summary).unwrap_or_default(),
        );
        let work = move |writer: &mut Writer| match writer.import(&id)? {
            Some(mut row) => {
                row.summary = text;
                writer.save_import(&row)
            }
            None => Ok(()),
        };
        Ok(self.store().write("import summary", work).wait()?)
    }
}

fn commit_all(
    writer: &mut Writer,
    chunks: &Receiver<Result<Vec<DocumentCommit>, Stopped>>,
    file: &ImportFile,
    by: &Editing,
) -> Result<(), rollcall_store::Error> {
    let mut made = Vec::new();
    for chunk in chunks {
        for commit in chunk.map_err(rollcall_store::Error::refused)? {
            let new = commit.expected_digest.is_none();
            made.extend(commit.new_changes.iter().map(|change| Made {
                document_id: commit.document_id,
                change: change.hash,
                new,
            }));
            writer.commit_document(&commit)?;
        }
    }
    writer.save_import(&ImportRow {
        import_id: file.import_id.clone(),
        file_sha256: file.sha256,
        file_name: file.file_name.clone(),
        account: by.author.clone(),
        at_ms: by.now_ms,
        summary: "{}".to_owned(),
        undo: postcard::to_allocvec(&made).expect("ids and hashes can be written"),
        undone_ms: None,
    })
}

fn foreign(home: Option<&FederationId>) -> Problem {
    let message = match home {
        Some(home) => format!("This is kept by federation {home}, which this node does not write."),
        None => "Nothing says which federation keeps this; give the responsible federation.".to_owned(),
    };
    Problem::error("FOREIGN_JURISDICTION", "responsible", message)
}

fn handover_open() -> Problem {
    let message = "This is being handed over to this federation; accept the handover first, until then nothing else of it \
                   can be changed here.";
    Problem::error("HANDOVER_OPEN", "handovers", message)
}

fn no_key() -> Problem {
    Problem::error(
        "ID_MISSING",
        "id",
        "The record has neither a code nor an id; give one.",
    )
}

fn hex(bytes: &Hash) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Hash {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = std::str::from_utf8(pair)
            .ok()
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .unwrap_or(0);
    }
    bytes
}
