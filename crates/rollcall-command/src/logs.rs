//! Logs by `tracing`, to standard error only: text, or JSON lines for a collector.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// Starts logging. `filter` is a level, or levels by target: `info,rollcall_replica=debug`; `ROLLCALL_LOG` wins over it.
pub fn start(filter: &str, json: bool) {
    let stated = std::env::var("ROLLCALL_LOG").ok();
    let parsed = stated
        .as_deref()
        .and_then(|stated| stated.parse::<Targets>().ok());
    let filter = parsed
        .or_else(|| format!("{filter},automerge=warn").parse().ok())
        .unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    let output = fmt::layer().with_writer(std::io::stderr);
    let output = if json {
        output.json().boxed()
    } else {
        output.with_ansi(false).boxed()
    };
    if registry().with(output.with_filter(filter)).try_init().is_err() {
        tracing::debug!("logging was started already");
    }
}
