//! The writer thread: takes every closure that waits, and holds its transaction open a little for those announced, runs
//! them as a group, then answers. A stepped writer does the same without a thread, when it is told to or an answer is
//! waited for.

mod fold;
mod group;

use std::collections::VecDeque;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::Writer;
use crate::error::Error;
use fold::Folding;
use group::{Closure, Job, commit_group};

/// Closures that may wait; further callers wait for room.
const QUEUE_MAX: usize = 64;
/// Closures in one transaction from which on it is not held open for more.
const HELD_MAX: usize = 4;
/// How long a transaction is held open, from its beginning, for closures that are announced. Committing them together
/// writes each page that they share once.
const HOLD: Duration = Duration::from_millis(200);
/// How often a writer that holds looks whether what was announced is still coming.
const HOLD_LOOK: Duration = Duration::from_millis(1);
/// After this long without work the write-ahead log is folded away.
const IDLE: Duration = Duration::from_secs(2);

/// The writer's end that a store holds.
pub(crate) enum WriterHandle {
    /// A thread commits.
    Thread {
        sender: Mutex<Option<SyncSender<Job>>>,
        thread: Mutex<Option<JoinHandle<()>>>,
        /// Counts groups.
        groups: watch::Receiver<u64>,
        announced: Arc<AtomicUsize>,
    },
    /// Whoever steps it commits.
    Stepped(Arc<Stepped>),
    /// Nobody: the store is damaged and nothing more is written to it.
    Refusing,
}

/// A writer without a thread: closures wait until somebody steps it.
pub(crate) struct Stepped {
    writer: Mutex<(Writer, Folding)>,
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
        let mut held = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (writer, folding) = &mut *held;
        while jobs.len() > 0 {
            commit_group(writer, &mut jobs);
            folding.after_group(writer.db());
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
        writer: Mutex::new((writer, Folding::default())),
        waiting: Mutex::default(),
    }))
}

/// Starts the thread.
pub(crate) fn start(writer: Writer, path: &Path) -> Result<WriterHandle, Error> {
    let (sender, receiver) = sync_channel(QUEUE_MAX);
    let wal = crate::store::beside(path, "-wal");
    let (counter, groups) = watch::channel(0);
    let announced = Arc::new(AtomicUsize::new(0));
    let coming = Arc::clone(&announced);
    let thread = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || serve(writer, &receiver, &coming, &wal, &counter))
        .map_err(|source| Error::io("start writer of", path, source))?;
    Ok(WriterHandle::Thread {
        sender: Mutex::new(Some(sender)),
        thread: Mutex::new(Some(thread)),
        groups,
        announced,
    })
}

impl WriterHandle {
    /// Hands over a closure. Blocks while the queue is full.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        f: impl FnOnce(&mut Writer) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        let mut f = Some(f);
        let once = move |writer: &mut Writer| {
            let f = f.take().expect("what cannot be repeated runs once");
            f(writer)
        };
        self.hand_over(name, once, false)
    }

    /// Hands over a closure that may run again after what it did was rolled back, so that it needs no savepoint.
    pub(crate) fn write_repeatable<T: Send + 'static>(
        &self,
        name: &'static str,
        f: impl FnMut(&mut Writer) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        self.hand_over(name, f, true)
    }

    /// Says that a closure is on its way.
    pub(crate) fn announce(&self) -> Announced {
        let announced = match self {
            Self::Thread { announced, .. } => Arc::clone(announced),
            Self::Stepped(_) | Self::Refusing => Arc::default(),
        };
        announced.fetch_add(1, Ordering::Relaxed);
        Announced(announced)
    }

    fn hand_over<T: Send + 'static>(
        &self,
        name: &'static str,
        f: impl FnMut(&mut Writer) -> Result<T, Error> + Send + 'static,
        repeatable: bool,
    ) -> Pending<T> {
        let (answer, receiver) = oneshot::channel();
        let mut job: Job = Box::new(Closure::new(name, f, repeatable, answer));
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
                job.run(Err(Error::ReadOnly));
                job.finish(None);
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

fn serve(
    mut writer: Writer,
    receiver: &Receiver<Job>,
    announced: &AtomicUsize,
    wal: &Path,
    groups: &watch::Sender<u64>,
) {
    let (mut folded, mut folding) = (true, Folding::default());
    loop {
        let first = if folded {
            receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            receiver.recv_timeout(IDLE)
        };
        match first {
            Ok(job) => {
                let mut incoming = Incoming {
                    first: Some(job),
                    receiver,
                    announced,
                    taken: 0,
                    until: Instant::now() + HOLD,
                };
                commit_group(&mut writer, &mut incoming);
                folding.after_group(writer.db());
                groups.send_modify(|count| *count += 1);
                folded = false;
            }
            Err(RecvTimeoutError::Timeout) => {
                folding.when_idle(writer.db(), wal);
                folded = true;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Closures for one transaction: what waits, then what is announced and comes in time.
struct Incoming<'r> {
    first: Option<Job>,
    receiver: &'r Receiver<Job>,
    announced: &'r AtomicUsize,
    taken: usize,
    until: Instant,
}

impl Incoming<'_> {
    fn hold(&self) -> Option<Job> {
        while self.taken < HELD_MAX && self.announced.load(Ordering::Relaxed) > 0 {
            let left = self.until.checked_duration_since(Instant::now())?;
            match self.receiver.recv_timeout(left.min(HOLD_LOOK)) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        // One that was announced may have come between the look at the queue and the look at the announcements.
        self.receiver.try_recv().ok()
    }
}

impl Iterator for Incoming<'_> {
    type Item = Job;

    fn next(&mut self) -> Option<Job> {
        if self.taken == QUEUE_MAX {
            return None;
        }
        let job = match self.first.take() {
            Some(job) => Some(job),
            None => match self.receiver.try_recv() {
                Ok(job) => Some(job),
                Err(TryRecvError::Empty) => self.hold(),
                Err(TryRecvError::Disconnected) => None,
            },
        };
        self.taken += usize::from(job.is_some());
        job
    }
}

/// A closure is on its way to the writer, until this is dropped.
#[must_use = "the announcement ends when it is dropped"]
pub struct Announced(Arc<AtomicUsize>);

impl Drop for Announced {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
