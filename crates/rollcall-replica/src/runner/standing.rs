//! What a session at the aggregator has beside its frames: what it is told while it is open, and its turn.

use rollcall_sync::session::server::ServerEvent;
use tokio::sync::watch;

use super::turns::Turn;

/// What an open session is told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Last position at which the log grew in the peer's scopes.
    pub position: u64,
    /// That two stores work with the peer's certificate.
    pub fenced: bool,
    /// That it is to end, and why.
    pub leave: Option<Leave>,
}

/// What a session has beside its frames.
pub struct Standing {
    /// What it is told while it is open.
    pub told: watch::Receiver<Told>,
    /// Its turn; none where nobody else is there to wait for.
    pub turn: Option<Turn>,
}

/// How a session is to end, before the node has it end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// Stable code, told to the node.
    pub code: String,
    /// Plain sentence, told to the node.
    pub message: String,
    /// What is under way is still answered.
    pub drain: bool,
}

/// Waits until a session that does not stay open is to be cut: nothing else of what it may be told concerns it.
pub(super) async fn cut(told: &mut Option<watch::Receiver<Told>>) -> ServerEvent {
    if let Some(told) = told {
        let leave = told.wait_for(|told| told.leave.as_ref().is_some_and(|leave| !leave.drain));
        if let Ok(told) = leave.await
            && let Some(Leave { code, message, .. }) = told.leave.clone()
        {
            return ServerEvent::Cut { code, message };
        }
    }
    std::future::pending().await
}
