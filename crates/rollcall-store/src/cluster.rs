//! Which of several aggregators with one store id came last (`protocol.md` 4.7 R2, L8): after a restore on another machine the
//! old one may still run. Each restore raises a number, the cluster epoch; a node keeps the greatest it has met.
//! Who believes whom is the session's.

use rollcall_core::id::LogEpoch;

use crate::error::Error;
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
