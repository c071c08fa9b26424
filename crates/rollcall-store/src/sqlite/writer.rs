//! The writer thread: takes every closure that waits, runs each in a savepoint, commits them together, then answers.
//! A closure that fails or panics leaves nothing behind and does not disturb the others. An answer means durable.
//! A stepped writer does the same without a thread, when it is told to or an answer is waited for.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::Writer;
use crate::error::{Error, engine};

/// Closures that may wait; further callers wait for room.
const QUEUE_MAX: usize = 64;
/// After this long without work the write-ahead log is folded away.
const IDLE: Duration = Duration::from_secs(2);
/// A write-ahead log from here on is worth a warning.
const WAL_BYTES_WARN: u64 = 64 * 1024 * 1024;

/// What a closure is told: the writer, or why there is none.
type Turn<'w> = Result<&'w mut Writer, Error>;
/// What it leaves to do once the group has ended, with the group's fate.
type Finish = Box<dyn FnOnce(Option<Error>) + Send>;
/// A closure with its answer's way back; gives its failure, if any.
type Run = Box<dyn FnOnce(Turn<'_>) -> (Option<Fate>, Finish) + Send>;

pub(crate) struct Job {
    name: &'static str,
    run: Run,
}

/// The writer's end that a store holds.
pub(crate) enum WriterHandle {
    /// A thread commits.
    Thread {
        sender: Mutex<Option<SyncSender<Job>>>,
        thread: Mutex<Option<JoinHandle<()>>>,
        /// Counts groups.
        groups: watch::Receiver<u64>,
    },
    /// Whoever steps it commits.
    Stepped(Arc<Stepped>),
    /// Nobody: the store is damaged and nothing more is written to it.
    Refusing,
}

/// A writer without a thread: closures wait until somebody steps it.
pub(crate) struct Stepped {
    writer: Mutex<Writer>,
    waiting: Mutex<VecDeque<Job>>,
}

impl Stepped {
    /// Commits the first `limit` closures that wait, as one group; how many there were.
    pub(crate) fn step(&self, limit: usize) -> usize {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(limit).min(QUEUE_MAX);
        let jobs: Vec<Job> = waiting.drain(..count).collect();
        drop(waiting);
        let mut jobs = jobs.into_iter();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        while jobs.len() > 0 {
            commit_group(&mut writer, &mut jobs);
        }
        count
    }

    /// How many closures wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A writer that commits when it is stepped.
pub(crate) fn stepped(writer: Writer) -> WriterHandle {
    WriterHandle::Stepped(Arc::new(Stepped {
        writer: Mutex::new(writer),
        waiting: Mutex::default(),
    }))
}

/// Starts the thread.
pub(crate) fn start(writer: Writer, path: &Path) -> Result<WriterHandle, Error> {
    let (sender, receiver) = sync_channel(QUEUE_MAX);
    let wal = crate::store::beside(path, "-wal");
    let (counter, groups) = watch::channel(0);
    let thread = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || serve(writer, &receiver, &wal, &counter))
        .map_err(|source| Error::io("start writer of", path, source))?;
    Ok(WriterHandle::Thread {
        sender: Mutex::new(Some(sender)),
        thread: Mutex::new(Some(thread)),
        groups,
    })
}

impl WriterHandle {
    /// Hands over a closure. Blocks while the queue is full.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        f: impl FnOnce(&mut Writer) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        let (answer, receiver) = oneshot::channel();
        let run = Box::new(move |turn: Turn<'_>| {
            let result = match turn {
                Ok(writer) => catch_unwind(AssertUnwindSafe(|| f(writer)))
                    .unwrap_or_else(|_| Err(Error::Panicked(name))),
                Err(error) => Err(error),
            };
            let failure = result.as_ref().err().map(Fate::of);
            let finish: Finish = Box::new(move |fate| {
                // Nobody listening any more is fine: the caller chose not to wait.
                let _ = answer.send(match fate {
                    Some(error) => result.and(Err(error)),
                    None => result,
                });
            });
            (failure, finish)
        });
        let job = Job { name, run };
        match self {
            Self::Thread { sender, .. } => {
                let sender = sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(sender) = sender
                    && let Err(unsent) = sender.send(job)
                {
                    drop(unsent);
                }
                Pending {
                    receiver,
                    stepped: None,
                }
            }
            Self::Refusing => {
                let (_, finish) = (job.run)(Err(Error::ReadOnly));
                finish(None);
                Pending {
                    receiver,
                    stepped: None,
                }
            }
            Self::Stepped(stepped) => {
                let mut waiting = stepped.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.push_back(job);
                Pending {
                    receiver,
                    stepped: Some(Arc::clone(stepped)),
                }
            }
        }
    }

    /// Counts up after every group this writer has committed; stands still for one that is stepped or refuses.
    pub(crate) fn groups(&self) -> watch::Receiver<u64> {
        match self {
            Self::Thread { groups, .. } => groups.clone(),
            Self::Stepped(_) | Self::Refusing => watch::channel(0).1,
        }
    }

    /// Lets the thread finish what waits, and waits for it; what waits for a step is lost, as in a process that is killed.
    pub(crate) fn close(&self) {
        let (sender, thread) = match self {
            Self::Thread { sender, thread, .. } => (sender, thread),
            Self::Refusing => return,
            Self::Stepped(stepped) => {
                let mut waiting = stepped.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let lost = std::mem::take(&mut *waiting);
                drop(waiting);
                drop(lost);
                return;
            }
        };
        drop(sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer thread panicked");
        }
    }
}

fn serve(mut writer: Writer, receiver: &Receiver<Job>, wal: &Path, groups: &watch::Sender<u64>) {
    let mut folded = true;
    loop {
        let first = if folded {
            receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            receiver.recv_timeout(IDLE)
        };
        match first {
            Ok(job) => {
                let mut jobs = vec![job];
                while jobs.len() < QUEUE_MAX {
                    match receiver.try_recv() {
                        Ok(job) => jobs.push(job),
                        Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                    }
                }
                let mut jobs = jobs.into_iter();
                while jobs.len() > 0 {
                    commit_group(&mut writer, &mut jobs);
                }
                groups.send_modify(|count| *count += 1);
                folded = false;
            }
            Err(RecvTimeoutError::Timeout) => {
                fold(&writer, wal);
                folded = true;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// One transaction. Stops early if the engine rolled the whole of it back; the rest then gets one of its own.
fn commit_group(writer: &mut Writer, jobs: &mut impl ExactSizeIterator<Item = Job>) {
    // Alone in its transaction a closure needs no savepoint, whose journal costs as much as a third of the writing.
    let alone = jobs.len() == 1;
    let begun = begin(writer);
    if let Err(error) = begun {
        let code = Fate::of(&error);
        for job in jobs {
            let (_, finish) = (job.run)(Err(code.error()));
            finish(None);
        }
        return;
    }
    let mut finishes = Vec::new();
    let mut fate = None;
    for job in jobs.by_ref() {
        let (finish, lost) = run_one(writer, job, alone);
        match finish {
            Done::Kept(finish) => finishes.push(finish),
            Done::RolledBack(finish, error) => finish(error),
        }
        if let Some(lost) = lost {
            fate = Some(lost);
            break;
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
    for finish in finishes {
        finish(fate.as_ref().map(Fate::error));
    }
}

fn begin(writer: &mut Writer) -> Result<(), Error> {
    writer.db().execute_batch("BEGIN IMMEDIATE").map_err(engine)?;
    writer.reader.refresh_identity().inspect_err(|_| {
        // The error that matters is the first one; an open transaction is ended again below and at the next begin.
        let _ = writer.db().execute_batch("ROLLBACK");
    })
}

enum Done {
    Kept(Finish),
    RolledBack(Finish, Option<Error>),
}

/// Runs one closure in its savepoint; says whether the whole transaction was lost on the way.
fn run_one(writer: &mut Writer, job: Job, alone: bool) -> (Done, Option<Fate>) {
    let name = job.name;
    let (begin, keep, undo) = if alone {
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
        let (_, finish) = (job.run)(Err(error));
        return (
            Done::RolledBack(finish, None),
            writer.db().is_autocommit().then_some(fate),
        );
    }
    let (failure, finish) = (job.run)(Ok(writer));
    let mut kept = failure.is_none();
    let mut error = None;
    if kept && let Err(unwritten) = writer.flush() {
        kept = false;
        error = Some(unwritten);
    }
    writer.discard();
    if writer.db().is_autocommit() {
        // The engine ended the transaction by itself, which it does when the disk is full or failing.
        tracing::warn!(transaction = name, "the engine rolled a whole transaction back");
        let fate = failure.or(error.as_ref().map(Fate::of)).unwrap_or(Fate::DiskFull);
        return (Done::RolledBack(finish, Some(fate.error())), Some(fate));
    }
    match writer
        .db()
        .execute_batch(if kept { keep } else { undo })
        .map_err(engine)
    {
        Ok(()) if kept => (Done::Kept(finish), None),
        Ok(()) => (Done::RolledBack(finish, error), None),
        Err(failure) => {
            let fate = Fate::of(&failure);
            (Done::RolledBack(finish, Some(failure)), Some(fate))
        }
    }
}

/// Why a whole group failed; can be told to each of its members.
enum Fate {
    DiskFull,
    Busy,
    ReadOnly,
    Engine(crate::error::EngineError),
}

impl Fate {
    fn of(error: &Error) -> Self {
        match error {
            Error::DiskFull => Self::DiskFull,
            Error::Busy => Self::Busy,
            Error::ReadOnly => Self::ReadOnly,
            Error::Engine(error) => Self::Engine(error.clone()),
            other => Self::Engine(crate::error::EngineError {
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

/// Folds the write-ahead log into the file, without making anybody wait for it.
fn fold(writer: &Writer, wal: &Path) {
    let _ = writer.db().busy_timeout(Duration::from_millis(50));
    let busy = writer
        .db()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    let _ = writer.db().busy_timeout(super::connection::BUSY_TIMEOUT);
    let size_bytes = std::fs::metadata(wal).map_or(0, |metadata| metadata.len());
    match busy {
        Ok(0) => {}
        Ok(_) if size_bytes >= WAL_BYTES_WARN => {
            tracing::warn!(
                size_bytes,
                "the write-ahead log cannot be folded: somebody reads for long"
            );
        }
        Ok(_) => tracing::debug!(size_bytes, "the write-ahead log is in use"),
        Err(error) => tracing::warn!(%error, "the write-ahead log could not be folded"),
    }
}

/// An answer on its way: await it, or [`Pending::wait`] for it. Dropping it does not stop the transaction.
#[must_use = "only the answer says whether the transaction was committed"]
pub struct Pending<T> {
    receiver: oneshot::Receiver<Result<T, Error>>,
    stepped: Option<Arc<Stepped>>,
}

impl<T> Pending<T> {
    /// Blocks this thread until the transaction is durable or refused.
    pub fn wait(mut self) -> Result<T, Error> {
        struct Unpark(std::thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        if let Some(stepped) = &self.stepped {
            while stepped.step(QUEUE_MAX) > 0 {}
        }
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(Error::Closed)))
    }
}

#[cfg(test)]
mod tests;
