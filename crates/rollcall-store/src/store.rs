//! A store: one database file with its lock, its writer thread and its readers.
//! Owns creating, opening, closing and what a store says about itself; what is in it belongs to the other modules.
//!
//! Several processes may have one store open. Beside the file lies `<file>.lock`, which each of them holds shared;
//! who gets it alone knows that nobody else is there, and that a write-ahead log left behind means an unclean stop.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_core::id::{LogEpoch, StoreId};
use rusqlite::Connection;

use crate::error::{Error, engine};
use crate::migration;
use crate::sqlite::{APPLICATION_ID, Announced, Pending, Pool, Reader, RowExt, Use, Writer, WriterHandle};
use crate::sqlite::{connect, connect_plain, quick_check, start, stepped};

/// Which of the two programs a store belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Keeps a log of its own changes and sends it up.
    #[default]
    Node,
    /// Gives positions and keeps the log of all.
    Aggregator,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Aggregator => "aggregator",
        }
    }
}

/// What a new store is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOptions {
    /// Whose.
    pub role: Role,
    /// Its id, random.
    pub store_id: StoreId,
    /// First spell of its log, random.
    pub log_epoch: LogEpoch,
    /// Its name for people.
    pub name: String,
}

/// What a store is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Its id, for ever.
    pub store_id: StoreId,
    /// Spell of its log; another one after a restore.
    pub log_epoch: LogEpoch,
    /// Whose.
    pub role: Role,
    /// Its name for people.
    pub name: String,
}

/// A store, open. Clones share it; it closes with the last one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// Ending of the file beside a store that says that it is damaged, and how.
pub(crate) const DAMAGED: &str = ".damaged";

struct Inner {
    path: PathBuf,
    writer: WriterHandle,
    pool: Pool,
    identity: Mutex<Identity>,
    _lock: File,
}

impl Store {
    /// Makes a new store. Refuses a file that exists.
    pub fn create(path: &Path, options: &CreateOptions) -> Result<Self, Error> {
        let mut open = OpenOptions::new();
        open.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
        match open.open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Error::FileExists(path.to_owned()));
            }
            Err(error) => return Err(Error::io("create", path, error)),
        }
        let filled = fill(path, options);
        if filled.is_err() {
            // Half a store must not stand in the way of the next attempt.
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(beside(path, suffix));
            }
        }
        filled?;
        Self::open(path)
    }

    /// Opens a store, brings it to this program's version, checks it after an unclean stop,
    /// and begins a new spell of its log if it is a restored copy.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let epoch = || {
            let mut epoch = LogEpoch::default();
            getrandom::fill(&mut epoch.0).map_err(|_| Error::Random)?;
            Ok(epoch)
        };
        Self::open_with(path, epoch, |writer| start(writer, path))
    }

    /// Opens a store without a thread of its own: closures wait until [`Store::step`] or [`Pending::wait`], and are lost
    /// when it is dropped, as in a process that is killed. A restored copy begins the spell `epoch`. For simulations,
    /// where the same seed gives the same run.
    pub fn open_stepped(path: &Path, epoch: LogEpoch) -> Result<Self, Error> {
        Self::open_with(path, || Ok(epoch), |writer| Ok(stepped(writer)))
    }

    fn open_with(
        path: &Path,
        epoch: impl FnOnce() -> Result<LogEpoch, Error>,
        start: impl FnOnce(Writer) -> Result<WriterHandle, Error>,
    ) -> Result<Self, Error> {
        if !path.is_file() {
            return Err(Error::FileMissing(path.to_owned()));
        }
        let (lock, alone) = take_lock(path)?;
        if let Some(findings) = known_damage(path) {
            return Err(Error::Corrupt(findings));
        }
        let left_behind = std::fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0);
        check_is_store(&connect_plain(path)?, path)?;
        let db = connect(path, Use::Write)?;
        if alone && left_behind {
            tracing::warn!(path = %path.display(), "the store was not closed cleanly, checking it");
            if let Err(error) = quick_check(&db) {
                note_damage(path, &error);
                return Err(error);
            }
        }
        migration::migrate(&db)?;
        let pool = Pool::new(path.to_owned());
        let mut writer = Writer::new(db)?;
        crate::backup::rotate_if_restored(&mut writer, epoch)?;
        let identity = writer.identity().clone();
        let writer = start(writer)?;
        let inner = Inner {
            path: path.to_owned(),
            writer,
            pool,
            identity: Mutex::new(identity),
            _lock: lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Opens a store that is known to be damaged, to be read as far as it can be. Every write is [`Error::ReadOnly`].
    pub fn open_damaged(path: &Path) -> Result<Self, Error> {
        let (lock, _) = take_lock(path)?;
        check_is_store(&connect_plain(path)?, path)?;
        let db = connect(path, Use::Read)?;
        let identity = Writer::new(db)?.identity().clone();
        let inner = Inner {
            path: path.to_owned(),
            writer: WriterHandle::Refusing,
            pool: Pool::new(path.to_owned()),
            identity: Mutex::new(identity),
            _lock: lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Whether nothing is written to it because it is damaged.
    pub fn is_read_only(&self) -> bool {
        matches!(self.inner.writer, WriterHandle::Refusing)
    }

    /// Remembers beside the file that it is damaged: from now on it is only read, until it is rebuilt or restored.
    pub fn mark_damaged(&self, findings: &[String]) {
        note_damage(self.path(), &Error::Corrupt(findings.to_vec()));
    }

    /// What this store is, as of the last transaction of this process.
    pub fn identity(&self) -> Identity {
        self.inner
            .identity
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Runs `f` on one snapshot. Blocks: call it where blocking is allowed, and not inside another `read`.
    pub fn read<T>(&self, f: impl FnOnce(&Reader) -> Result<T, Error>) -> Result<T, Error> {
        let before = self.identity();
        self.inner.pool.read(&before, |reader| {
            if *reader.identity() != before {
                self.set_identity(reader.identity().clone());
            }
            f(reader)
        })
    }

    /// Hands `f` to the writer thread, which commits it together with whatever else waits.
    /// Blocks only while the queue is full. A closure that fails or panics is rolled back alone.
    /// A closure must not wait for another write: it runs on the thread that would do it.
    pub fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        f: impl FnOnce(&mut Writer) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        self.inner.writer.write(name, f)
    }

    /// As [`Store::write`], for what may be done again: where a closure of the group fails, those before it run once
    /// more. It costs less, above all in a group.
    pub fn write_repeatable<T: Send + 'static>(
        &self,
        name: &'static str,
        f: impl FnMut(&mut Writer) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        self.inner.writer.write_repeatable(name, f)
    }

    /// Says that a closure is being prepared, until the announcement is dropped: the writer holds its transaction open a
    /// little for it, so that both are committed together.
    pub fn announce(&self) -> Announced {
        self.inner.writer.announce()
    }

    /// Changes after every commit of this process, and ends when the store is closed. Commits of other processes do not
    /// show here: whoever follows those too looks at positions now and then.
    pub fn commits(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.writer.groups()
    }

    /// Commits up to `limit` closures that wait in a stepped store, as one group; how many there were.
    /// A store with a thread commits by itself and has none.
    pub fn step(&self, limit: usize) -> usize {
        match &self.inner.writer {
            WriterHandle::Stepped(stepped) => stepped.step(limit),
            WriterHandle::Thread { .. } | WriterHandle::Refusing => 0,
        }
    }

    /// How many closures wait for a step.
    pub fn steps_waiting(&self) -> usize {
        match &self.inner.writer {
            WriterHandle::Stepped(stepped) => stepped.waiting(),
            WriterHandle::Thread { .. } | WriterHandle::Refusing => 0,
        }
    }

    /// Finishes what waits and closes, for every clone.
    pub fn close(self) {
        self.inner.shut();
    }

    fn set_identity(&self, identity: Identity) {
        *self.inner.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn shut(&self) {
        self.writer.close();
        self.pool.clear();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shut();
    }
}

/// Findings of an earlier check, where the file is known to be damaged.
fn known_damage(path: &Path) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(beside(path, DAMAGED)).ok()?;
    Some(text.lines().map(str::to_owned).collect())
}

/// Writes down beside the file that it is damaged: the write-ahead log that led to the check may be gone next time.
fn note_damage(path: &Path, error: &Error) {
    let findings = match error {
        Error::Corrupt(findings) => findings.join("\n"),
        other => other.to_string(),
    };
    if let Err(error) = std::fs::write(beside(path, DAMAGED), findings) {
        tracing::error!(path = %path.display(), "cannot write down that the store is damaged: {error}");
    }
}

/// A file beside another, such as `store.db-wal`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Refuses a file that is not a store, or one from a newer program.
pub(crate) fn check_is_store(db: &Connection, path: &Path) -> Result<(), Error> {
    let pragma = |name: &str| {
        db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
            .map_err(engine)
    };
    match pragma("application_id") {
        Ok(id) if id == i64::from(APPLICATION_ID) => {}
        Ok(_) => return Err(Error::NotAStore(path.to_owned())),
        Err(Error::Corrupt(_)) => return Err(Error::NotAStore(path.to_owned())),
        Err(error) => return Err(error),
    }
    let found = u32::try_from(pragma("user_version")?).unwrap_or(u32::MAX);
    if found > migration::VERSION {
        Err(Error::Newer { found })
    } else {
        Ok(())
    }
}

/// Takes the lock beside the store; `true` if nobody else has the store open.
pub(crate) fn take_lock(path: &Path) -> Result<(File, bool), Error> {
    let lock_path = beside(path, ".lock");
    let failed = |error| Error::io("lock", &lock_path, error);
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(failed)?;
    let alone = lock.try_lock().is_ok();
    if alone {
        lock.unlock().map_err(failed)?;
    }
    // Waits only for somebody who is just looking, as above, or is putting a backup in this place.
    lock.lock_shared().map_err(failed)?;
    Ok((lock, alone))
}

/// Reads what the store says about itself.
pub(crate) fn load_identity(reader: &Reader) -> Result<Identity, Error> {
    let mut identity = Identity::default();
    reader.each("SELECT key, value FROM meta", [], |row| {
        let value = row.blob(1)?;
        match row.text(0)?.as_str() {
            "store_id" => identity.store_id = row.store_id(1)?,
            "log_epoch" => identity.log_epoch = row.log_epoch(1)?,
            "role" if value == Role::Aggregator.name().as_bytes() => identity.role = Role::Aggregator,
            "name" => identity.name = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(identity)
}

fn fill(path: &Path, options: &CreateOptions) -> Result<(), Error> {
    let db = connect(path, Use::Write)?;
    db.execute_batch(&format!(
        "BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID};"
    ))
    .map_err(engine)?;
    migration::apply(&db, 0)?;
    let rows: [(&str, &[u8]); 4] = [
        ("store_id", options.store_id.as_bytes()),
        ("log_epoch", options.log_epoch.as_bytes()),
        ("role", options.role.name().as_bytes()),
        ("name", options.name.as_bytes()),
    ];
    for (key, value) in rows {
        db.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", (key, value))
            .map_err(engine)?;
    }
    db.execute_batch("COMMIT").map_err(engine)
}

impl Reader {
    pub(crate) fn need(&self, role: Role, what: &'static str) -> Result<(), Error> {
        if self.identity().role == role {
            Ok(())
        } else {
            Err(Error::WrongRole(what))
        }
    }
}

impl Writer {
    /// Lets the file grow to at most so many pages, or as the disk allows; writes beyond it are [`Error::DiskFull`].
    pub fn limit_pages(&mut self, pages: Option<u32>) -> Result<(), Error> {
        let sql = format!("PRAGMA max_page_count = {}", pages.unwrap_or(u32::MAX - 1));
        self.one(&sql, [], |_| Ok(())).map(drop)
    }

    /// Gives the store another name.
    pub fn set_name(&mut self, name: &str) -> Result<(), Error> {
        self.run("UPDATE meta SET value = ?1 WHERE key = 'name'", [name.as_bytes()])?;
        self.refresh_identity()
    }
}

#[cfg(test)]
mod tests;
