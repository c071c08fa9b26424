//! Sync by file, as far as it has to be remembered: at the aggregator which files of a peer were taken and where its node
//! stood in the newest of them; at a node which receipt came by file.

use rusqlite::params;

use crate::Hash;
use crate::error::Error;
use crate::receipt::BatchEvidence;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};
use rollcall_core::id::{LogEpoch, StoreId};

/// Key of the receipt that came by file.
const BY_FILE: &str = "receipt_by_file";

/// A file of a peer's node that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchFileRow {
    /// The peer's name in the enrolment.
    pub peer_id: String,
    /// The node's name of it.
    pub file_id: [u8; 16],
    /// When it was first taken to its end, Unix milliseconds.
    pub taken_ms: i64,
    /// Where the node stood, in the caller's encoding.
    pub head: Vec<u8>,
}

fn batch_file(row: &rusqlite::Row<'_>) -> Result<BatchFileRow, Error> {
    Ok(BatchFileRow {
        peer_id: row.text(0)?,
        file_id: row.bytes(1)?,
        taken_ms: row.i64(2)?,
        head: row.blob(3)?.to_vec(),
    })
}

impl Reader {
    /// A file of a peer, where it is remembered.
    pub fn batch_file(&self, peer_id: &str, file_id: &[u8; 16]) -> Result<Option<BatchFileRow>, Error> {
        self.one(
            "SELECT peer_id, file_id, taken_ms, head FROM batch_file WHERE peer_id = ?1 AND file_id = ?2",
            (peer_id, file_id),
            batch_file,
        )
    }

    /// The file of a peer that the next answer is for.
    pub fn newest_batch_file(&self, peer_id: &str) -> Result<Option<BatchFileRow>, Error> {
        self.one(
            "SELECT peer_id, file_id, taken_ms, head FROM batch_file WHERE peer_id = ?1 AND newest = 1",
            [peer_id],
            batch_file,
        )
    }

    /// The signatures over a spell of a store's log behind a position, by position.
    pub fn evidence_after(
        &self,
        origin_store: StoreId,
        log_epoch: LogEpoch,
        after: u64,
        limit: usize,
    ) -> Result<Vec<BatchEvidence>, Error> {
        self.all(
            "SELECT origin_store, log_epoch, to_position, end_chain, signature, signing_key, received_at_ms, links \
             FROM batch_evidence WHERE origin_store = ?1 AND log_epoch = ?2 AND to_position > ?3 \
             ORDER BY to_position LIMIT ?4",
            (
                origin_store.as_bytes(),
                log_epoch.as_bytes(),
                to_i64(after),
                to_i64(limit as u64),
            ),
            crate::receipt::batch_evidence,
        )
    }

    /// The receipt that came by file last, whether or not a later one came otherwise.
    pub fn receipt_by_file(&self) -> Result<Option<Hash>, Error> {
        self.one("SELECT value FROM meta WHERE key = ?1", [BY_FILE], |row| {
            row.hash(0)
        })
    }
}

impl Writer {
    /// Remembers that a file was taken; `newest` where the next answer is for it. The same again keeps its time. Of each
    /// peer at most `keep` are remembered, the newest among them.
    pub fn save_batch_file(&mut self, file: &BatchFileRow, newest: bool, keep: u64) -> Result<(), Error> {
        if newest {
            self.run(
                "UPDATE batch_file SET newest = 0 WHERE peer_id = ?1",
                [&file.peer_id],
            )?;
        }
        self.run(
            "INSERT INTO batch_file (peer_id, file_id, taken_ms, head, newest) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (peer_id, file_id) DO UPDATE SET newest = max(newest, ?5)",
            params![file.peer_id, file.file_id, file.taken_ms, file.head, newest],
        )?;
        self.run(
            "DELETE FROM batch_file WHERE peer_id = ?1 AND file_id NOT IN (SELECT file_id FROM batch_file \
             WHERE peer_id = ?1 ORDER BY newest DESC, taken_ms DESC, file_id LIMIT ?2)",
            (&file.peer_id, to_i64(keep)),
        )?;
        Ok(())
    }

    /// Remembers which receipt came by file.
    pub fn note_receipt_by_file(&mut self, hash: &Hash) -> Result<(), Error> {
        self.run(
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
            (BY_FILE, hash),
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;
    use crate::testing::Fixture;

    fn file(n: u8, taken_ms: i64) -> BatchFileRow {
        BatchFileRow {
            peer_id: "330106-1".to_owned(),
            file_id: [n; 16],
            taken_ms,
            head: vec![n; 40],
        }
    }

    #[test]
    fn of_a_peer_the_newest_file_and_some_before_it_are_remembered() {
        let fixture = Fixture::new(Role::Aggregator);
        let save = |row: BatchFileRow, newest: bool| {
            let work = move |writer: &mut Writer| writer.save_batch_file(&row, newest, 3);
            fixture.store.write("save", work).wait().expect("saved");
        };
        let held = |n: u8| {
            fixture
                .store
                .read(|reader| reader.batch_file("330106-1", &[n; 16]))
                .expect("read")
        };
        let newest = |peer: &str| {
            fixture
                .store
                .read(|reader| reader.newest_batch_file(peer))
                .expect("read")
        };
        assert_eq!(newest("330106-1"), None);
        save(file(1, 100), true);
        save(file(2, 200), true);
        save(file(1, 900), false);
        assert_eq!(newest("330106-1"), Some(file(2, 200)));
        assert_eq!(held(1), Some(file(1, 100)), "the same again keeps its time");
        for n in 3..=9 {
            save(file(n, 100 * i64::from(n)), false);
        }
        assert_eq!(newest("330106-1"), Some(file(2, 200)), "older ones go first");
        assert_eq!((held(1), held(7)), (None, None));
        assert_eq!((held(8), held(9)), (Some(file(8, 800)), Some(file(9, 900))));
        assert_eq!(newest("330106-2"), None);
    }

    #[test]
    fn evidence_goes_on_behind_a_position() {
        let fixture = Fixture::new(Role::Aggregator);
        let evidence = |to_position| BatchEvidence {
            origin_store: StoreId([5; 16]),
            log_epoch: LogEpoch([6; 8]),
            to_position,
            end_chain: [7; 32],
            signature: vec![8; 64],
            signing_key: vec![9; 32],
            received_at_ms: 10,
            links: vec![11; crate::receipt::LINK_BYTES],
        };
        for to_position in [4, 2, 9] {
            let work = move |writer: &mut Writer| writer.save_evidence(&evidence(to_position));
            fixture.store.write("save", work).wait().expect("saved");
        }
        let after = |position, limit| {
            let read =
                |reader: &Reader| reader.evidence_after(StoreId([5; 16]), LogEpoch([6; 8]), position, limit);
            fixture.store.read(read).expect("read")
        };
        assert_eq!(after(0, 2), [evidence(2), evidence(4)]);
        assert_eq!(after(2, 10), [evidence(4), evidence(9)]);
        assert_eq!(after(9, 10), []);
    }

    #[test]
    fn the_receipt_that_came_by_file_is_remembered() {
        let fixture = Fixture::new(Role::Node);
        let by_file = || {
            fixture
                .store
                .read(|reader| reader.receipt_by_file())
                .expect("read")
        };
        assert_eq!(by_file(), None);
        for n in [1, 2] {
            let work = move |writer: &mut Writer| writer.note_receipt_by_file(&[n; 32]);
            fixture.store.write("note", work).wait().expect("noted");
            assert_eq!(by_file(), Some([n; 32]));
        }
    }
}
