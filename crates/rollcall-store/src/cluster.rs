//! Which of several aggregators with one store id came last (`protocol.md` 4.7 R2, L8): after a restore on another machine the
//! old one may still run. Each restore raises a number, the cluster epoch, above that of the backup and of the store whose
//! place it takes; a node keeps the greatest it has met.
//! Who believes whom is the session's.

use std::path::Path;

use rollcall_core::id::LogEpoch;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, engine};
use crate::sqlite::{Reader, RowExt, Writer};
use crate::store::Role;

const EPOCH: &str = "cluster_epoch";
const REPLACED_BY: &str = "replaced_by";

impl Reader {
    /// At an aggregator its own number, 0 if it was never restored; at a node the greatest it has met.
    pub fn cluster_epoch(&self) -> Result<u64, Error> {
        Ok(self.cluster_number(EPOCH)?.unwrap_or(0))
    }

    /// The number of the aggregator that took the place of this one, where a node has proven that there is one.
    pub fn replaced_by(&self) -> Result<Option<u64>, Error> {
        self.cluster_number(REPLACED_BY)
    }

    fn cluster_number(&self, key: &str) -> Result<Option<u64>, Error> {
        self.one("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            let bytes = row
                .blob(0)?
                .try_into()
                .map_err(|_| Error::Damaged("the cluster epoch"))?;
            Ok(u64::from_be_bytes(bytes))
        })
    }
}

impl Writer {
    /// At a node: this is the greatest number it has met.
    pub fn set_cluster_epoch(&mut self, epoch: u64) -> Result<(), Error> {
        self.set_cluster_number(EPOCH, epoch)
    }

    /// This aggregator was replaced by the one with this number: it takes and sends nothing any more until it is restored.
    pub fn note_replaced(&mut self, by: u64) -> Result<(), Error> {
        self.need(Role::Aggregator, "a successor")?;
        self.set_cluster_number(REPLACED_BY, by)
    }

    /// Begins a new spell of an aggregator's log that has lost its last part, and a recovery with everybody who is
    /// enrolled: its number is greater than any before, and at least `at_least`, the moment in Unix milliseconds.
    pub fn begin_anew(&mut self, log_epoch: LogEpoch, at_least: u64) -> Result<(), Error> {
        self.need(Role::Aggregator, "recovery")?;
        let before = self.cluster_epoch()?.max(self.replaced_by()?.unwrap_or(0));
        self.rotate_log_epoch(log_epoch)?;
        self.begin_recovery()?;
        self.set_cluster_number(EPOCH, at_least.max(before.saturating_add(1)))?;
        self.run("DELETE FROM meta WHERE key = ?1", [REPLACED_BY])?;
        Ok(())
    }

    fn set_cluster_number(&mut self, key: &str, number: u64) -> Result<(), Error> {
        self.run(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
            (key, &number.to_be_bytes()[..]),
        )?;
        Ok(())
    }
}

/// The greatest number that the store at `path` knows of, its own or its successor's, if `copy` is a copy of that store:
/// what is put in its place has to count before both. `None` where there is no such store, or it cannot be read any more,
/// which must not keep anybody from putting a sound one there.
pub(crate) fn greatest_known(path: &Path, copy: &Path) -> Option<u64> {
    if !path.exists() {
        return None;
    }
    let known = || {
        let ((replaced, number), (restored, _)) =
            (identity_and_greatest(path)?, identity_and_greatest(copy)?);
        Ok(number.filter(|_| replaced == restored))
    };
    known().unwrap_or_else(|error: Error| {
        tracing::warn!("the store that is replaced does not say which aggregator it was: {error}");
        None
    })
}

/// Store id and greatest number of a file, which stays as it is.
fn identity_and_greatest(path: &Path) -> Result<(Vec<u8>, Option<u64>), Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(engine)?;
    let select = "SELECT value FROM meta WHERE key = 'store_id'";
    let store_id: Vec<u8> = db.query_row(select, [], |row| row.get(0)).map_err(engine)?;
    // Numbers are eight bytes, the greatest first, so that they sort as they count.
    let select = "SELECT max(value) FROM meta WHERE key IN (?1, ?2)";
    let greatest: Option<Vec<u8>> = db
        .query_row(select, [EPOCH, REPLACED_BY], |row| row.get(0))
        .map_err(engine)?;
    let greatest = greatest.map(|bytes| bytes.try_into().map(u64::from_be_bytes));
    let damaged = |_| Error::Damaged("the cluster epoch");
    Ok((store_id, greatest.transpose().map_err(damaged)?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Fixture;

    use super::*;

    #[test]
    fn each_recovery_has_a_greater_number_and_ends_the_fence_of_the_one_before() {
        let fixture = Fixture::new(Role::Aggregator);
        let read = || {
            let ask = |reader: &Reader| Ok((reader.cluster_epoch()?, reader.replaced_by()?));
            fixture.store.read(ask).expect("read")
        };
        assert_eq!(read(), (0, None));
        let anew = |at_least| {
            let work = move |writer: &mut Writer| writer.begin_anew(LogEpoch([at_least as u8; 8]), at_least);
            fixture.store.write("anew", work).wait().expect("anew");
            read()
        };
        assert_eq!(anew(70), (70, None));
        assert_eq!(anew(60), (71, None), "a clock that runs behind");
        let replaced = fixture.store.write("replaced", |writer| writer.note_replaced(90));
        replaced.wait().expect("noted");
        assert_eq!(read(), (71, Some(90)));
        assert_eq!(anew(80), (91, None));
    }
}
