//! What the pages share: the replica, its files, and a cube that follows it.

use std::sync::{Arc, Mutex, PoisonError};

use rollcall_replica::Replica;
use rollcall_replica::projection::Projection;
use rollcall_stats::Cube;
use rollcall_web::Error;

use crate::files::Files;

/// The running node, as pages see it.
#[derive(Clone)]
pub struct App {
    /// Its documents.
    pub replica: Replica,
    /// Where it keeps things.
    pub files: Files,
    projection: Arc<Mutex<Projection>>,
}

impl App {
    /// Builds the cube.
    ///
    /// # Errors
    /// The store's.
    pub fn new(replica: Replica, files: Files) -> Result<Self, rollcall_replica::Error> {
        let projection = Arc::new(Mutex::new(Projection::build(&replica)?));
        Ok(Self { replica, files, projection })
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
        .map_err(|error| Error::refused(error.code(), error.to_string()))
    }

    /// Asks documents and store, without the cube.
    ///
    /// # Errors
    /// The replica's, as a page.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, rollcall_replica::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let app = self.clone();
        tokio::task::spawn_blocking(move || work(&app))
            .await
            .map_err(Error::internal)?
            .map_err(|error| Error::refused(error.code(), error.to_string()))
    }
}
