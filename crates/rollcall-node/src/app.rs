//! What the pages share: the replica, its files, a cube and an index of names that follow it, sessions run from here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_core::campaign::Settings;
use rollcall_replica::Replica;
use rollcall_replica::name_index::NameIndex;
use rollcall_replica::projection::SharedProjection;
use rollcall_stats::Cube;
use rollcall_web::Error;

use crate::files::Files;
use crate::pages::sync::PastSession;
use crate::reach::Reach;

/// Sync sessions that are remembered, until the program ends.
const SESSIONS_MAX: usize = 20;

/// The running node, as pages see it.
#[derive(Clone)]
pub struct App {
    /// Its documents.
    pub replica: Replica,
    /// Where it keeps things.
    pub files: Files,
    /// Whether the background's calls are answered.
    pub reach: Reach,
    projection: Arc<SharedProjection>,
    names: Arc<Mutex<Option<NameIndex>>>,
    sessions: Arc<Mutex<VecDeque<PastSession>>>,
}

impl App {
    /// Over a replica; cube and index of names are built by [`App::prepare`] or by the first page that needs them.
    pub fn new(replica: Replica, files: Files) -> Self {
        Self {
            replica,
            files,
            reach: Reach::default(),
            projection: Arc::default(),
            names: Arc::default(),
            sessions: Arc::default(),
        }
    }

    /// Builds the cube and, on another thread, the index of names. Pages that need one wait until it is whole. Blocks.
    ///
    /// # Errors
    /// The store's; that of the cube where both fail.
    pub fn prepare(&self) -> Result<(), rollcall_replica::Error> {
        std::thread::scope(|scope| {
            let names = scope.spawn(|| self.names(|_| ()));
            let projection = self.projected(|_| ());
            let names = names
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            projection.and(names)
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
        self.with(move |app| app.projected(|cube| question(&app.replica, cube))?)
            .await
    }

    /// Asks the cube, built or brought up to date first. Blocks.
    fn projected<T>(&self, question: impl FnOnce(&Cube) -> T) -> Result<T, rollcall_replica::Error> {
        self.projection
            .ask(&self.replica, |projection| question(projection.cube()))
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
        self.projected(|cube| cube.settings().clone())
    }

    /// Asks the index of names, built or brought up to date first. Blocks.
    ///
    /// # Errors
    /// The store's.
    pub fn names<T>(&self, question: impl FnOnce(&NameIndex) -> T) -> Result<T, rollcall_replica::Error> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let names = match &mut *names {
            Some(names) => {
                names.follow(self.replica.store())?;
                names
            }
            none => none.insert(NameIndex::build(self.replica.store())?),
        };
        Ok(question(names))
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
