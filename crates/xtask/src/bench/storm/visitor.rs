//! Somebody who looks at the aggregator's overview all the while, and how long each look takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use http::StatusCode;

use crate::browser::Browser;

/// Time between two looks.
const BETWEEN: Duration = Duration::from_millis(200);

/// What the visitor saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How long each page took, milliseconds; sorted.
    pub(super) times_ms: Vec<f64>,
    /// Looks that were not answered, because the aggregator was down.
    pub(super) unanswered: u32,
    /// Looks, among those answered, that were told that the figures are being counted.
    pub(super) counting: u32,
}

/// The visitor, signed in and looking.
pub(super) struct Visitor {
    leave: Arc<AtomicBool>,
    looking: JoinHandle<Result<(Browser, Seen)>>,
}

impl Visitor {
    /// Begins to look.
    pub(super) fn begin(mut browser: Browser, name: String) -> Self {
        let leave = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&leave);
        let looking = std::thread::spawn(move || {
            let mut seen = Seen::default();
            while !told.load(Ordering::Relaxed) {
                let begun = Instant::now();
                match browser.get("/") {
                    Ok(answer) if answer.status == StatusCode::SEE_OTHER => browser.sign_in_again(&name)?,
                    Ok(answer) => {
                        let counting = answer.status == StatusCode::SERVICE_UNAVAILABLE
                            && answer.body.contains("BEING_COUNTED");
                        seen.counting += u32::from(counting);
                        ensure!(
                            answer.status.is_success() || counting,
                            "the overview is answered with {}",
                            answer.status
                        );
                        seen.times_ms.push(begun.elapsed().as_secs_f64() * 1000.0);
                    }
                    Err(_) => {
                        seen.unanswered += 1;
                        // Fails as well for as long as nobody is there; the next look tries again.
                        let _ = browser.connect_again();
                    }
                }
                std::thread::sleep(BETWEEN);
            }
            seen.times_ms.sort_by(f64::total_cmp);
            Ok((browser, seen))
        });
        Self { leave, looking }
    }

    /// Stops looking.
    pub(super) fn end(self) -> Result<(Browser, Seen)> {
        self.leave.store(true, Ordering::Relaxed);
        self.looking
            .join()
            .map_err(|_| anyhow!("the visitor fell over"))?
            .context("look at the overview")
    }
}
