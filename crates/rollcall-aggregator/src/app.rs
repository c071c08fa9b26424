//! What the pages share: the replica and a cube that follows it.

use std::sync::{Arc, Mutex, PoisonError};

use rollcall_replica::Replica;
use rollcall_replica::projection::Projection;
use rollcall_stats::Cube;
use rollcall_web::Error;

/// The running aggregator, as pages see it.
#[derive(Clone)]
pub struct App {
    /// Its documents.
    pub replica: Replica,
    projection: Arc<Mutex<Projection>>,
}

impl App {
    /// Builds the cube.
    ///
    /// # Errors
    /// The store's.
    pub fn new(replica: Replica) -> Result<Self, rollcall_replica::Error> {
        let projection = Arc::new(Mutex::new(Projection::build(&replica)?));
        Ok(Self { replica, projection })
    }

    /// Asks the cube, brought up to date first, on a thread that may block.
    ///
    /// # Errors
    /// The replica's, as a page.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Replica, &Cube) -> Result<T, rollcall_replica::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let app = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut projection = app.projection.lock().unwrap_or_else(PoisonError::into_inner);
            projection.follow(&app.replica)?;
            question(&app.replica, projection.cube())
        })
        .await
        .map_err(Error::internal)?
        .map_err(|error| Error::Refused {
            code: error.code(),
            message: error.to_string(),
        })
    }
}
