//! What the pages share: the replica, its files, a cube and an index of names that follow it, sessions run from here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_core::campaign::Settings;
use rollcall_replica::Replica;
use rollcall_replica::name_index::NameIndex;
use rollcall_replica::projection::Projection;
use rollcall_stats::Cube;
use rollcall_web::Error;

use crate::files::Files;
use crate::pages::sync::PastSession;

/// Sync sessions that are remembered, until the program ends.
const SESSIONS_MAX: usize = 20;

/// The running node, as pages see it.
#[derive(Clone)]
pub struct App {
    /// Its documents.
    pub replica: Replica,
    /// Where it keeps things.
    pub files: Files,
    projection: Arc<Mutex<Projection>>,
    names: Arc<Mutex<NameIndex>>,
    sessions: Arc<Mutex<VecDeque<PastSession>>>,
}

impl App {
    /// Builds the cube and the index of names.
    ///
    /// # Errors
    /// The store's.
    pub fn new(replica: Replica, files: Files) -> Result<Self, rollcall_replica::Error> {
        let projection = Arc::new(Mutex::new(Projection::build(&replica)?));
        let names = Arc::new(Mutex::new(NameIndex::build(replica.store())?));
        Ok(Self {
            replica,
            files,
            projection,
            names,
            sessions: Arc::default(),
        })
    }

    /// Asks the cube, brought up to date first, on a thread that may block.
    ///
    /// # Errors
    /// The replica's, as a page.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Replica, &Cube) -> Result<T, rollcall_replica::Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.with(move |app| {
            let mut projection = app.projection.lock().unwrap_or_else(PoisonError::into_inner);
            projection.follow(&app.replica)?;
            question(&app.replica, projection.cube())
        })
        .await
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
            .map_err(as_page)
    }

    /// The campaign's settings in force. Blocks.
    ///
    /// # Errors
    /// The store's.
    pub fn settings(&self) -> Result<Settings, rollcall_replica::Error> {
        let mut projection = self.projection.lock().unwrap_or_else(PoisonError::into_inner);
        projection.follow(&self.replica)?;
        Ok(projection.cube().settings().clone())
    }

    /// Asks the index of names, brought up to date first. Blocks.
    ///
    /// # Errors
    /// The store's.
    pub fn names<T>(&self, question: impl FnOnce(&NameIndex) -> T) -> Result<T, rollcall_replica::Error> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.follow(self.replica.store())?;
        Ok(question(&names))
    }

    /// Remembers a sync session that was run from a page.
    pub fn keep_session(&self, session: PastSession) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.push_front(session);
        sessions.truncate(SESSIONS_MAX);
    }

    /// The sync sessions run from pages, newest first.
    pub fn sessions(&self) -> Vec<PastSession> {
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}

/// A replica's refusal as a page: what a person can do something about is said as it stands, the rest is a defect.
pub fn as_page(error: rollcall_replica::Error) -> Error {
    use rollcall_replica::Error as Refusal;
    match &error {
        Refusal::NoDocument(_) => Error::NotFound,
        Refusal::Store(store) if store.code().is_none() && !store.is_transient() => Error::internal(error),
        Refusal::Document { .. } | Refusal::File(_) => Error::internal(error),
        _ => Error::refused(error.code(), error.to_string()),
    }
}
