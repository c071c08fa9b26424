//! HTTP/2 as both ends set it up (`protocol.md` 1.18, `reliability.md` 5.2).

use std::time::Duration;

use tokio_util::task::TaskTracker;

/// Unread bytes of one call.
pub(crate) const STREAM_WINDOW: u32 = 1024 * 1024;
/// Unread bytes of a connection: four calls' worth, so that one unread call does not starve the others.
pub(crate) const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Calls at a time on one connection.
pub(crate) const STREAMS_MAX: u32 = 8;
/// Largest set of request or response headers, bytes.
pub(crate) const HEADER_LIST_MAX: u32 = 8 * 1024;
/// Largest frame, bytes.
pub(crate) const FRAME_MAX: u32 = 16 * 1024;
/// While a call is open the other end is asked this often whether it is there,
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// and has this long to say so.
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs hyper's own tasks where the owner of the connection waits for them.
#[derive(Clone)]
pub(crate) struct Executor(pub(crate) TaskTracker);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
