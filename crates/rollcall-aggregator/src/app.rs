//! What the pages share: the replica and a cube that follows it.

use std::sync::Arc;
use std::time::Duration;

use rollcall_replica::Replica;
use rollcall_replica::projection::{Projection, SharedProjection};
use rollcall_web::Error;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The log counts as still when nothing was committed for so long.
const STILL: Duration = Duration::from_secs(2);
/// The cube follows a log that is never still after so long all the same.
const FOLLOW_AFTER: Duration = Duration::from_secs(300);
/// It follows as often as this while somebody looks,
const FOLLOW_WATCHED: Duration = Duration::from_millis(50);
/// which is taken to last so long after every look.
const WATCHED_FOR: Duration = Duration::from_secs(60);
/// Who looks is told after so long that the figures are still being counted.
const PATIENCE: Duration = Duration::from_millis(200);

/// The running aggregator, as pages see it.
#[derive(Clone)]
pub struct App {
    /// Its documents.
    pub replica: Replica,
    projection: Arc<SharedProjection>,
    looked: Arc<watch::Sender<Option<Instant>>>,
}

impl App {
    /// Over a replica; the cube is built by [`App::keep_up`] or by the first page that needs it, so that nodes are served
    /// at once.
    pub fn new(replica: Replica) -> Self {
        Self {
            replica,
            projection: Arc::default(),
            looked: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Builds the cube, then brings it up to date: all the time while somebody looks, who then does not wait for what has
    /// come in since, and otherwise whenever it is quiet again, which costs less.
    pub async fn keep_up(self, shutdown: CancellationToken) {
        let mut commits = self.replica.store().commits();
        self.follow().await;
        while let Some(Ok(())) = shutdown.run_until_cancelled(commits.changed()).await {
            if shutdown
                .run_until_cancelled(self.until_due(&mut commits))
                .await
                .is_none()
            {
                return;
            }
            self.follow().await;
        }
    }

    /// Waits until the cube should follow what has begun to come in.
    async fn until_due(&self, commits: &mut watch::Receiver<u64>) {
        let (begun, mut looked) = (Instant::now(), self.looked.subscribe());
        while begun.elapsed() < FOLLOW_AFTER {
            let watched = looked
                .borrow_and_update()
                .is_some_and(|last| last.elapsed() < WATCHED_FOR);
            if watched {
                return tokio::time::sleep(FOLLOW_WATCHED).await;
            }
            tokio::select! {
                committed = timeout(STILL, commits.changed()) => {
                    if !matches!(committed, Ok(Ok(()))) {
                        return;
                    }
                }
                // Its sender is `self`.
                _ = looked.changed() => {}
            }
        }
    }

    async fn follow(&self) {
        loop {
            let app = self.clone();
            match tokio::task::spawn_blocking(move || app.projection.advance(&app.replica)).await {
                Ok(Ok(true)) => return,
                Ok(Ok(false)) => {}
                Ok(Err(error)) => return tracing::warn!("the cube could not follow the store: {error}"),
                Err(error) => return tracing::error!("the cube could not follow the store: {error}"),
            }
        }
    }

    /// Asks the cube, brought up to date first, on a thread that may block.
    ///
    /// # Errors
    /// `BEING_COUNTED` while it is built or takes in so much that nobody should wait for it; the replica's, as a page.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Replica, &Projection) -> Result<T, rollcall_replica::Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.looked.send_replace(Some(Instant::now()));
        let answered = self
            .projection
            .ask_within(PATIENCE, &self.replica, question)
            .await;
        answered
            .map_err(|error| Error::refused(error.code(), error.to_string()))?
            .ok_or(Error::BeingCounted)
    }
}

#[cfg(test)]
mod tests {
    use rollcall_core::id::{LogEpoch, StoreId};
    use rollcall_store::{CreateOptions, Role, Store};

    use super::*;

    #[tokio::test]
    async fn who_looks_while_the_figures_are_counted_is_told_so_and_answered_afterwards() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = CreateOptions {
            role: Role::Aggregator,
            store_id: StoreId([1; 16]),
            log_epoch: LogEpoch([1; 8]),
            name: "centre".to_owned(),
        };
        let store = Store::create(&folder.path().join("store.db"), &options).expect("a store");
        let app = App::new(Replica::new(store));
        let (begun, counting) = std::sync::mpsc::channel();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let counter = app.clone();
        let count = tokio::task::spawn_blocking(move || {
            counter.projection.ask(&counter.replica, |_| {
                begun.send(()).expect("somebody waits");
                finished.recv().expect("somebody lets it end");
            })
        });
        counting.recv().expect("the count begins");
        let looked = app.ask(|_, projection| Ok(projection.position())).await;
        assert!(matches!(looked, Err(Error::BeingCounted)), "{looked:?}");
        finish.send(()).expect("it still counts");
        count.await.expect("joined").expect("counted");
        let looked = app.ask(|_, projection| Ok(projection.position())).await;
        assert_eq!(looked.expect("answered"), 0);
    }
}
