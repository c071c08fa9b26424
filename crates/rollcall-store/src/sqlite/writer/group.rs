//! One transaction of several closures: whoever fails fails alone and leaves nothing behind, whoever is answered is
//! durable.
//!
//! A savepoint for each closure would do, but keeps a copy of every page that the closure touches. So a closure runs
//! without one as long as everything before it in the transaction can be done again: should it fail, the transaction is
//! rolled back and the others run once more, then in savepoints.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use super::super::Writer;
use crate::error::{EngineError, Error, engine};

/// What a closure is told: the writer, or why there is none.
pub(crate) type Turn<'w> = Result<&'w mut Writer, Error>;

/// A closure with its answer's way back.
pub(crate) type Job = Box<dyn Work>;

pub(crate) trait Work: Send {
    /// For messages.
    fn name(&self) -> &'static str;
    /// Whether it may run again after what it did was rolled back.
    fn can_repeat(&self) -> bool;
    /// Runs it and keeps its answer; gives its failure, if any.
    fn run(&mut self, turn: Turn<'_>) -> Option<Fate>;
    /// Answers: with what it came to, or where that was well, with what became of the group.
    fn finish(self: Box<Self>, fate: Option<Error>);
}

pub(super) struct Closure<T, F> {
    name: &'static str,
    f: F,
    repeatable: bool,
    result: Result<T, Error>,
    answer: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Closure<T, F> {
    pub(super) fn new(
        name: &'static str,
        f: F,
        repeatable: bool,
        answer: oneshot::Sender<Result<T, Error>>,
    ) -> Self {
        Self {
            name,
            f,
            repeatable,
            result: Err(Error::Closed),
            answer,
        }
    }
}

impl<T: Send, F: FnMut(&mut Writer) -> Result<T, Error> + Send> Work for Closure<T, F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn can_repeat(&self) -> bool {
        self.repeatable
    }

    fn run(&mut self, turn: Turn<'_>) -> Option<Fate> {
        self.result = match turn {
            Ok(writer) => {
                catch_unwind(AssertUnwindSafe(|| (self.f)(writer))).unwrap_or(Err(Error::Panicked(self.name)))
            }
            Err(error) => Err(error),
        };
        self.result.as_ref().err().map(Fate::of)
    }

    fn finish(self: Box<Self>, fate: Option<Error>) {
        // Nobody listening any more is fine: the caller chose not to wait.
        let _ = self.answer.send(match fate {
            Some(error) => self.result.and(Err(error)),
            None => self.result,
        });
    }
}

/// Runs closures in one transaction until there are no more, and commits it. Ends early where the engine rolled the whole
/// of it back; who has not run by then gets a transaction of its own.
pub(super) fn commit_group(writer: &mut Writer, jobs: &mut dyn Iterator<Item = Job>) {
    let mut kept: Vec<Job> = Vec::new();
    let mut again: VecDeque<Job> = VecDeque::new();
    let mut careful = false;
    let mut fate = None;
    while let Some(mut job) = again.pop_front().or_else(|| jobs.next()) {
        if writer.db().is_autocommit()
            && let Err(error) = begin(writer)
        {
            let told = Fate::of(&error);
            // Who comes once the first has been answered may find the store free again.
            let waiting: Vec<Job> = std::iter::once(job).chain(again).chain(jobs).collect();
            for mut job in waiting {
                job.run(Err(told.error()));
                job.finish(None);
            }
            return;
        }
        let bare = !careful && kept.iter().all(|job| job.can_repeat());
        match run_one(writer, job.as_mut(), bare) {
            Done::Kept => kept.push(job),
            Done::Undone(error) => {
                job.finish(error);
                if bare {
                    careful = true;
                    again.extend(std::mem::take(&mut kept));
                }
            }
            Done::Lost(error, lost) => {
                job.finish(error);
                kept.extend(again);
                fate = Some(lost);
                break;
            }
        }
    }
    if fate.is_none()
        && !writer.db().is_autocommit()
        && let Err(error) = writer.db().execute_batch("COMMIT").map_err(engine)
    {
        fate = Some(Fate::of(&error));
    }
    writer.discard();
    if !writer.db().is_autocommit()
        && let Err(error) = writer.db().execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a write transaction could not be rolled back");
    }
    for job in kept {
        job.finish(fate.as_ref().map(Fate::error));
    }
}

fn begin(writer: &mut Writer) -> Result<(), Error> {
    writer.db().execute_batch("BEGIN IMMEDIATE").map_err(engine)?;
    writer.reader.refresh_identity().inspect_err(|_| {
        // The error that matters is the first one; an open transaction is ended again at the next begin.
        let _ = writer.db().execute_batch("ROLLBACK");
    })
}

/// What became of a closure.
enum Done {
    /// It stands in the transaction.
    Kept,
    /// Nothing of it is left, nor, where it had no savepoint, of the transaction; an error besides its own.
    Undone(Option<Error>),
    /// The engine lost the whole transaction on the way.
    Lost(Option<Error>, Fate),
}

/// Runs one closure, in a savepoint unless it is `bare`.
fn run_one(writer: &mut Writer, job: &mut dyn Work, bare: bool) -> Done {
    let (begin, keep, undo) = if bare {
        ("", "", "ROLLBACK")
    } else {
        (
            "SAVEPOINT closure",
            "RELEASE closure",
            "ROLLBACK TO closure; RELEASE closure",
        )
    };
    writer.discard();
    if let Err(error) = writer.db().execute_batch(begin).map_err(engine) {
        let fate = Fate::of(&error);
        job.run(Err(error));
        return if writer.db().is_autocommit() {
            Done::Lost(None, fate)
        } else {
            Done::Undone(None)
        };
    }
    let failure = job.run(Ok(writer));
    let mut kept = failure.is_none();
    let mut error = None;
    if kept && let Err(unwritten) = writer.flush() {
        kept = false;
        error = Some(unwritten);
    }
    writer.discard();
    if writer.db().is_autocommit() {
        // The engine ended the transaction by itself, which it does when the disk is full or failing.
        tracing::warn!(
            transaction = job.name(),
            "the engine rolled a whole transaction back"
        );
        let fate = failure.or(error.as_ref().map(Fate::of)).unwrap_or(Fate::DiskFull);
        return Done::Lost(Some(fate.error()), fate);
    }
    match writer
        .db()
        .execute_batch(if kept { keep } else { undo })
        .map_err(engine)
    {
        Ok(()) if kept => Done::Kept,
        Ok(()) => Done::Undone(error),
        Err(failure) => {
            let fate = Fate::of(&failure);
            Done::Lost(Some(failure), fate)
        }
    }
}

/// Why a whole group failed; can be told to each of its members.
pub(crate) enum Fate {
    DiskFull,
    Busy,
    ReadOnly,
    Engine(EngineError),
}

impl Fate {
    fn of(error: &Error) -> Self {
        match error {
            Error::DiskFull => Self::DiskFull,
            Error::Busy => Self::Busy,
            Error::ReadOnly => Self::ReadOnly,
            Error::Engine(error) => Self::Engine(error.clone()),
            other => Self::Engine(EngineError {
                code: 0,
                message: other.to_string(),
            }),
        }
    }

    fn error(&self) -> Error {
        match self {
            Self::DiskFull => Error::DiskFull,
            Self::Busy => Error::Busy,
            Self::ReadOnly => Error::ReadOnly,
            Self::Engine(error) => Error::Engine(error.clone()),
        }
    }
}
