//! What a session at the node did, and what one that stays open is told.

use std::time::Duration;

use rollcall_sync::message::Receipt;
use rollcall_sync::session::client::SessionEnd;
use tokio::sync::watch;

use crate::take_down::Taken;

/// What a session did (`cli.md` sync).
#[derive(Debug, Clone, Default)]
pub struct SyncReport {
    /// How it ended.
    pub end: Option<SessionEnd>,
    /// Changes and documents sent.
    pub pushed: Taken,
    /// Changes and documents received.
    pub pulled: Taken,
    /// Flights there and back after the handshake.
    pub round_trips: u32,
    /// The receipt that proves it, checked in this run against the own set.
    pub receipt: Option<Receipt>,
    /// Milliseconds from the first frame to the end.
    pub duration_ms: u64,
    /// Milliseconds that connecting took before it, where the caller measured them.
    pub connect_ms: u64,
}

/// What a session that stays open is told from outside, and whom it tells.
pub struct Staying<'a> {
    /// End of the own log, as it grows by whichever process.
    pub own_end: watch::Receiver<u64>,
    /// Whether somebody here wants the session to end.
    pub close: watch::Receiver<bool>,
    /// How often both ends compare what they hold while nothing changes.
    pub compare_every: Duration,
    /// How old the session becomes.
    pub age: Duration,
    /// Told each time both ends are proven equal: what came of it since the last time.
    pub settled: &'a mut (dyn FnMut(&SyncReport) + Send),
}
