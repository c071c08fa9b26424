//! A replica that looks after itself: once a day every scope is counted again from its rows. A sum that was wrong is put
//! right, and the next comparison with the other end finds whatever else was.

use std::time::Duration;

use crate::error::Error;
use crate::replica::Replica;
use crate::runner::blocking;

/// Between two counts, milliseconds.
const EVERY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Not right after the start, when there is enough to do.
const LOOK: Duration = Duration::from_secs(300);

impl Replica {
    /// Counts every scope again from its rows; how many sums were wrong and are right now.
    ///
    /// # Errors
    /// The store's.
    pub fn recount(&self, now_ms: i64) -> Result<u64, Error> {
        let mut corrected = 0;
        // One scope at a time, so that nobody waits for long.
        for scope in self.read(|reader| Ok(reader.scopes_by_rows()?))? {
            let differs = self.read(|reader| Ok(reader.recount(&scope)? != reader.scope(&scope)?.set))?;
            if differs {
                tracing::error!(
                    scope = scope.as_str(),
                    "the sum is not that of the documents; it is corrected"
                );
                let work = move |writer: &mut rollcall_store::Writer| writer.correct_scope(&scope);
                corrected += u64::from(self.store().write("correct scope", work).wait()?);
            }
        }
        let work = move |writer: &mut rollcall_store::Writer| writer.note_recount(now_ms);
        self.store().write("note recount", work).wait()?;
        Ok(corrected)
    }

    /// Notes a repair that found documents to differ.
    pub(crate) fn note_repair(&self, documents: u64, now_ms: i64) -> Result<(), Error> {
        tracing::warn!(
            documents_count = documents,
            "both ends differed and were repaired"
        );
        let work = move |writer: &mut rollcall_store::Writer| writer.note_repair(documents, now_ms);
        Ok(self.store().write("note repair", work).wait()?)
    }
}

/// Counts once a day, for as long as it is polled.
pub async fn recount_daily(replica: Replica, clock: fn() -> i64) {
    loop {
        tokio::time::sleep(LOOK).await;
        let replica = replica.clone();
        let done = blocking(move || {
            let last_ms = replica.read(|reader| Ok(reader.self_check()?))?.recounted_ms;
            if clock().saturating_sub(last_ms) >= EVERY_MS {
                replica.recount(clock())?;
            }
            Ok::<_, Error>(())
        });
        if let Err(error) = done.await {
            tracing::warn!("the scopes could not be counted again: {error}");
        }
    }
}
