//! The one I/O loop: carries out the effects of a session at either end, over frames that somebody else moves.
//! Owns the order of waiting; what a session wants is decided by `rollcall-sync`.

pub mod client;
mod committing;
pub mod link;
pub mod report;
pub mod server;
pub mod standing;
pub mod turns;

tokio::task_local! {
    static HERE: ();
}

/// Runs a session without threads of its own, so that whoever simulates it decides what happens when.
pub fn on_this_thread<F: Future>(session: F) -> impl Future<Output = F::Output> {
    HERE.scope((), session)
}

/// A closure on a thread where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    if HERE.try_with(|()| ()).is_ok() {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// A closure beside whatever comes next; nothing where a session has no threads of its own.
pub(crate) fn meanwhile<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<tokio::task::JoinHandle<T>> {
    HERE.try_with(|()| ())
        .is_err()
        .then(|| tokio::task::spawn_blocking(work))
}
