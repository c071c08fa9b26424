//! Logs by `tracing`, to standard error only: text, or JSON lines for a collector.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. `filter` in the notation of `tracing`; `ROLLCALL_LOG` wins over it.
pub fn start(filter: &str, json: bool) {
    let filter = EnvFilter::try_from_env("ROLLCALL_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("{filter},automerge=warn")));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if json {
        builder.json().finish().try_init()
    } else {
        builder.with_ansi(false).finish().try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
}
