//! Copies of a store: made while it is in use, checked, and marked so that a restored one begins a new spell of its
//! log (`protocol.md` L8). Restoring keeps the replaced file beside the new one.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rollcall_core::id::LogEpoch;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::cluster;
use crate::error::{Error, engine};
use crate::owner::{Owner, Place, SIGNING_KEY};
use crate::sqlite::{RowExt, Writer, connect_plain, integrity_check, quick_check};
use crate::store::{DAMAGED, Role, Store, beside, check_is_store};

/// Pages copied before others get a turn.
const PAGES_PER_STEP: i32 = 1_000;
const PAUSE: Duration = Duration::from_millis(5);
/// Replaced files that may lie beside a store before one has to be moved away.
const REPLACED_MAX: u32 = 1_000;

impl Store {
    /// Copies the store to a new file while it is in use, checks the copy and marks it as one.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        if to.exists() {
            return Err(Error::FileExists(to.to_owned()));
        }
        let part = beside(to, ".part");
        let copied = copy(self.path(), &part)
            .and_then(|()| mark(&part, None))
            .and_then(|()| settle(&part, to));
        if copied.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        copied
    }

    /// Checks the whole file as the engine sees it: pages, trees, and each index against its table.
    pub fn integrity_check(&self) -> Result<(), Error> {
        self.read(|reader| integrity_check(reader.db()))
    }
}

/// Puts a backup in the place of a store that nobody has open; where the replaced file now lies, if there was one. One of
/// another store than belongs there is [`Error::OtherStore`].
/// `now_ms` is the moment, Unix milliseconds: of two restored aggregators the later one counts ([`crate::cluster`]), and of
/// one restored over another the restored one, whatever the clock says.
pub fn restore(from: &Path, to: &Path, place: &Place, now_ms: i64) -> Result<Option<PathBuf>, Error> {
    if !from.is_file() {
        return Err(Error::FileMissing(from.to_owned()));
    }
    let lock_path = beside(to, ".lock");
    let failed = |error| Error::io("lock", &lock_path, error);
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(failed)?;
    lock.try_lock().map_err(|_| Error::InUse(to.to_owned()))?;
    let part = beside(to, ".part");
    let _ = std::fs::remove_file(&part);
    let moment = u64::try_from(now_ms).unwrap_or(0);
    let prepared = copy(from, &part).and_then(|()| {
        place.check(&Owner::read(&part)?, Owner::in_place(to).as_ref())?;
        if place.takes_over {
            forget_keys(&part)?;
        }
        let replaced = cluster::greatest_known(to, &part).map_or(0, |known| known.saturating_add(1));
        mark(&part, Some(moment.max(replaced)))
    });
    if prepared.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    prepared?;
    let replaced = if to.exists() { Some(set_aside(to)?) } else { None };
    settle(&part, to)?;
    Ok(replaced)
}

/// If this is a copy that is opened for the first time: gives its log the new epoch and takes the mark away.
pub(crate) fn rotate_if_restored(
    writer: &mut Writer,
    epoch: impl FnOnce() -> Result<LogEpoch, Error>,
) -> Result<(), Error> {
    let marked = "SELECT 1 FROM meta WHERE key = 'restored_from'";
    if writer.one(marked, [], |_| Ok(()))?.is_none() {
        return Ok(());
    }
    let epoch = epoch()?;
    writer.db().execute_batch("BEGIN IMMEDIATE").map_err(engine)?;
    let rotated = rotate(writer, marked, epoch);
    writer.discard();
    if rotated.is_err() && !writer.db().is_autocommit() {
        writer.db().execute_batch("ROLLBACK").map_err(engine)?;
    }
    rotated
}

fn rotate(writer: &mut Writer, marked: &str, epoch: LogEpoch) -> Result<(), Error> {
    // Asked again inside the transaction: of two processes only the first rotates.
    if writer.one(marked, [], |_| Ok(()))?.is_some() {
        writer.refresh_identity()?;
        let before = writer.identity().log_epoch;
        if writer.identity().role == Role::Aggregator {
            let restored_at = writer.one("SELECT value FROM meta WHERE key = 'restored_at'", [], |row| {
                let bytes = row
                    .blob(0)?
                    .try_into()
                    .map_err(|_| Error::Damaged("the moment of a restore"))?;
                Ok(u64::from_be_bytes(bytes))
            })?;
            writer.begin_anew(epoch, restored_at.unwrap_or(0))?;
        } else {
            writer.rotate_log_epoch(epoch)?;
        }
        writer.flush()?;
        writer.run(
            "DELETE FROM meta WHERE key IN ('restored_from', 'restored_at')",
            [],
        )?;
        writer.run(
            "INSERT INTO meta (key, value) VALUES ('rotated_from', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1",
            [before.as_bytes()],
        )?;
        tracing::warn!(from = %before, to = %epoch, "this store is a restored copy: its log begins a new epoch");
    }
    writer.db().execute_batch("COMMIT").map_err(engine)
}

/// Copies a store with the engine's online backup, so that it may be in use.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let source = connect_plain(from)?;
    // One snapshot: otherwise every write by another process would make the copy begin again.
    source.execute_batch("BEGIN").map_err(engine)?;
    check_is_store(&source, from)?;
    create_private(to)?;
    let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(engine)?;
    {
        let backup = Backup::new(&source, &mut target).map_err(engine)?;
        loop {
            match backup.step(PAGES_PER_STEP).map_err(engine)? {
                StepResult::Done => break,
                StepResult::More => {}
                // Another connection holds a lock for a moment.
                _ => std::thread::sleep(PAUSE),
            }
        }
    }
    target.close().map_err(|(_, error)| engine(error))
}

/// Marks a copy with where it comes from and, if it is put in place, with the number that it is to have at least there;
/// makes it a single file, and checks it.
fn mark(copy: &Path, restored_at: Option<u64>) -> Result<(), Error> {
    let db = connect_plain(copy)?;
    db.execute_batch(
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; \
         INSERT OR REPLACE INTO meta (key, value) \
         SELECT 'restored_from', value FROM meta WHERE key = 'log_epoch';",
    )
    .map_err(engine)?;
    if let Some(number) = restored_at {
        let set = "INSERT OR REPLACE INTO meta (key, value) VALUES ('restored_at', ?1)";
        db.execute(set, [&number.to_be_bytes()[..]]).map_err(engine)?;
    }
    quick_check(&db)?;
    db.close().map_err(|(_, error)| engine(error))
}

/// The store is used with other keys from now on; its next opening notes which.
fn forget_keys(copy: &Path) -> Result<(), Error> {
    let db = connect_plain(copy)?;
    db.execute("DELETE FROM meta WHERE key = ?1", [SIGNING_KEY])
        .map_err(engine)?;
    db.close().map_err(|(_, error)| engine(error))
}

/// Gives a finished copy its name, durably.
fn settle(part: &Path, to: &Path) -> Result<(), Error> {
    let file = File::open(part).map_err(|error| Error::io("open", part, error))?;
    file.sync_all().map_err(|error| Error::io("write", part, error))?;
    drop(file);
    std::fs::rename(part, to).map_err(|error| Error::io("rename", part, error))?;
    sync_folder(to)
}

/// Moves a store that nobody has open out of the way, with its write-ahead log; where it now lies.
pub fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    let free = (1..=REPLACED_MAX)
        .map(|n| beside(path, &format!(".replaced-{n}")))
        .find(|path| !path.exists());
    let aside = free.ok_or_else(|| Error::FileExists(beside(path, &format!(".replaced-{REPLACED_MAX}"))))?;
    for suffix in ["-wal", "-shm", DAMAGED, ""] {
        let from = beside(path, suffix);
        if from.exists() {
            std::fs::rename(&from, beside(&aside, suffix))
                .map_err(|error| Error::io("rename", &from, error))?;
        }
    }
    Ok(aside)
}

fn create_private(path: &Path) -> Result<(), Error> {
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path)
        .map(drop)
        .map_err(|error| Error::io("create", path, error))
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> Result<(), Error> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Error::io("write", folder, error))
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests;
