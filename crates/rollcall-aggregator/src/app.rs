//! What the pages share: the replica and a cube that follows it.

use std::sync::Arc;
use std::time::Duration;

use rollcall_replica::Replica;
use rollcall_replica::projection::SharedProjection;
use rollcall_stats::Cube;
use rollcall_web::Error;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The log counts as still when nothing was committed for so long.
const STILL: Duration = Duration::from_secs(2);
/// The cube follows a log that is never still after so long all the same.
const FOLLOW_AFTER: Duration = Duration::from_secs(300);

/// The running aggregator, as pages see it.
#[derive(Clone)]
pub struct App {
    /// Its documents.
    pub replica: Replica,
    projection: Arc<SharedProjection>,
}

impl App {
    /// Over a replica; the cube is built by [`App::keep_up`] or by the first page that needs it, so that nodes are served
    /// at once.
    pub fn new(replica: Replica) -> Self {
        Self {
            replica,
            projection: Arc::default(),
        }
    }

    /// Builds the cube, then brings it up to date whenever much has come and it is quiet again, so that who looks next
    /// does not wait for it; who looks meanwhile does that himself.
    pub async fn keep_up(self, shutdown: CancellationToken) {
        let mut commits = self.replica.store().commits();
        self.follow().await;
        while let Some(Ok(())) = shutdown.run_until_cancelled(commits.changed()).await {
            let begun = Instant::now();
            let until_still = async {
                while let Ok(Ok(())) = timeout(STILL, commits.changed()).await
                    && begun.elapsed() < FOLLOW_AFTER
                {}
            };
            if shutdown.run_until_cancelled(until_still).await.is_none() {
                return;
            }
            self.follow().await;
        }
    }

    async fn follow(&self) {
        if let Err(error) = self.ask(|_, _| Ok(())).await {
            tracing::warn!("the cube could not follow the store: {error}");
        }
    }

    /// Asks the cube, built or brought up to date first, on a thread that may block.
    ///
    /// # Errors
    /// The replica's, as a page.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Replica, &Cube) -> Result<T, rollcall_replica::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let app = self.clone();
        tokio::task::spawn_blocking(move || {
            app.projection
                .ask(&app.replica, |cube| question(&app.replica, cube))?
        })
        .await
        .map_err(Error::internal)?
        .map_err(|error| Error::Refused {
            code: error.code(),
            message: error.to_string(),
        })
    }
}
