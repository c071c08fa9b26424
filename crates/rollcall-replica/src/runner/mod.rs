//! The one I/O loop: carries out the effects of a session at either end, over frames that somebody else moves.
//! Owns the order of waiting; what a session wants is decided by `rollcall-sync`.

pub mod client;
pub mod server;

/// A closure on a thread where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
