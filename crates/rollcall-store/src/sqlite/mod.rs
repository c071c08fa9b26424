//! The SQLite engine: connections and their settings, the writer thread, the pool of readers, typed rows.
//! Everything that names the engine's types is here or private to the module that uses it.

mod connection;
mod pool;
mod row;
mod writer;

pub(crate) use connection::{APPLICATION_ID, Use, connect, connect_plain, integrity_check, quick_check};
pub(crate) use pool::Pool;
pub(crate) use row::{RowExt, hashes_of, to_i64};
pub(crate) use writer::{WriterHandle, start, stepped};

use std::cell::RefCell;
use std::collections::BTreeMap;

use rollcall_core::id::{ActorId, FederationId, StoreId};
use rusqlite::{Connection, Params, Row};

use crate::Hash;
use crate::cursor::Cursor;
use crate::error::{Error, engine};
use crate::store::Identity;

pub use writer::{Announced, Pending};

/// One snapshot of the store. Everything that can be asked is a method, grouped by module.
pub struct Reader {
    db: Connection,
    identity: Identity,
    staged: RefCell<Staged>,
}

/// One write transaction: reads what a [`Reader`] reads, its own writes included, and changes things.
pub struct Writer {
    reader: Reader,
}

/// What a closure has counted up and not yet written: numbers that many commits change are written once.
#[derive(Default)]
pub(crate) struct Staged {
    pub(crate) counters: BTreeMap<&'static str, (i64, bool)>,
    pub(crate) scopes: BTreeMap<FederationId, StagedScope>,
    pub(crate) origin_end: Option<Cursor>,
    /// Actors known to be bound, and to which store.
    pub(crate) actors: BTreeMap<ActorId, StoreId>,
    /// Whether anything at all is kept apart and open; not asked yet where `None`.
    pub(crate) kept_apart: Option<bool>,
}

/// One scope's running numbers.
#[derive(Clone, Default)]
pub(crate) struct StagedScope {
    pub(crate) documents_count: u64,
    pub(crate) digest_sum: Hash,
    pub(crate) chain: Hash,
    pub(crate) last_position: u64,
    pub(crate) dirty: bool,
}

impl std::ops::Deref for Writer {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Writer {
    pub(crate) fn new(db: Connection) -> Result<Self, Error> {
        let mut reader = Reader::new(db, Identity::default());
        reader.refresh_identity()?;
        Ok(Self { reader })
    }

    pub(crate) fn refresh_identity(&mut self) -> Result<(), Error> {
        self.reader.refresh_identity()
    }
}

impl Reader {
    pub(crate) fn new(db: Connection, identity: Identity) -> Self {
        Self {
            db,
            identity,
            staged: RefCell::default(),
        }
    }

    /// What this store is, as of this snapshot.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn db(&self) -> &Connection {
        &self.db
    }

    pub(crate) fn staged(&self) -> &RefCell<Staged> {
        &self.staged
    }

    /// Runs a statement that returns no rows; how many rows it changed.
    pub(crate) fn run(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(engine)
    }

    /// The first row, if there is one.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut statement = self.db.prepare_cached(sql).map_err(engine)?;
        let mut rows = statement.query(params).map_err(engine)?;
        rows.next().map_err(engine)?.map(read).transpose()
    }

    /// Every row, one after the other.
    pub(crate) fn each(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut statement = self.db.prepare_cached(sql).map_err(engine)?;
        let mut rows = statement.query(params).map_err(engine)?;
        while let Some(row) = rows.next().map_err(engine)? {
            read(row)?;
        }
        Ok(())
    }

    /// Every row at once.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        self.each(sql, params, |row| {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The count or other number that a statement always gives.
    pub(crate) fn number(&self, sql: &str, params: impl Params) -> Result<u64, Error> {
        self.one(sql, params, |row| row.u64(0))?
            .ok_or(Error::Damaged("a count"))
    }

    /// A counter's value.
    pub(crate) fn counter(&self, name: &'static str) -> Result<i64, Error> {
        if let Some((value, _)) = self.staged.borrow().counters.get(name) {
            return Ok(*value);
        }
        let value = self.one("SELECT value FROM counter WHERE name = ?1", [name], |row| {
            row.i64(0)
        })?;
        let value = value.unwrap_or(0);
        self.staged.borrow_mut().counters.insert(name, (value, false));
        Ok(value)
    }

    /// Moves a counter; written by [`Reader::flush`].
    pub(crate) fn set_counter(&self, name: &'static str, value: i64) {
        self.staged.borrow_mut().counters.insert(name, (value, true));
    }

    /// Writes what was counted up, so that tables and numbers agree.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let mut staged = self.staged.borrow_mut();
        for (scope, numbers) in staged.scopes.iter_mut().filter(|(_, numbers)| numbers.dirty) {
            self.run(
                "INSERT INTO scope (scope, documents_count, digest_sum, chain, last_position) \
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (scope) DO UPDATE SET documents_count = ?2, \
                 digest_sum = ?3, chain = ?4, last_position = ?5",
                rusqlite::params![
                    scope.as_str(),
                    to_i64(numbers.documents_count),
                    numbers.digest_sum,
                    numbers.chain,
                    to_i64(numbers.last_position)
                ],
            )?;
            numbers.dirty = false;
        }
        for (name, (value, dirty)) in staged.counters.iter_mut().filter(|(_, (_, dirty))| *dirty) {
            self.run(
                "INSERT INTO counter (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
                rusqlite::params![name, *value],
            )?;
            *dirty = false;
        }
        Ok(())
    }

    /// Forgets what was read ahead or counted up, at the beginning and end of a closure.
    pub(crate) fn discard(&self) {
        self.staged.take();
    }

    pub(crate) fn refresh_identity(&mut self) -> Result<(), Error> {
        self.identity = crate::store::load_identity(self)?;
        Ok(())
    }
}
