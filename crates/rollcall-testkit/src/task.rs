//! Sessions as tasks that somebody polls by hand, each in the time of its process.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rollcall_replica::runner::on_this_thread;

thread_local! {
    static NOW_MS: Cell<i64> = const { Cell::new(0) };
}

/// The clock of the process whose turn it is, Unix milliseconds.
pub(crate) fn clock() -> i64 {
    NOW_MS.get()
}

/// Says what the clock shows from now on.
pub(crate) fn set_clock(now_ms: i64) {
    NOW_MS.set(now_ms);
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A task.
pub(crate) struct Task<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    woken: Arc<Flag>,
}

impl<T> Task<T> {
    /// A session, which is to run once it is polled.
    pub(crate) fn new(session: impl Future<Output = T> + 'static) -> Self {
        Self {
            future: Box::pin(on_this_thread(session)),
            woken: Arc::new(Flag(AtomicBool::new(true))),
        }
    }

    /// Whether polling it may lead on.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::SeqCst)
    }

    /// Runs it until it waits; its result once it has one, or what it panicked with.
    pub(crate) fn poll(&mut self) -> Option<Result<T, String>> {
        self.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut context = Context::from_waker(&waker);
        match catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(&mut context))) {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(result)) => Some(Ok(result)),
            Err(panic) => Some(Err(panic_text(panic.as_ref()))),
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without words".to_owned())
}
