//! Facts as rows: what documents state, by position, in the caller's encoding. Derived and dropped at will.
//! The current row of a document is the one at its greatest position; a node's own unsent edits come last of all.

use rollcall_core::id::{DocumentId, DocumentKind};
use rusqlite::params;

use crate::UNSENT;
use crate::error::Error;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};

/// From which position facts hold, or [`UNSENT`]; and the facts in the caller's encoding.
/// In a commit at the aggregator [`UNSENT`] stands for the position that the commit is given.
pub type FactRow = (u64, Vec<u8>);

/// Facts on their way to a cube.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact<'r> {
    /// Whose.
    pub document_id: DocumentId,
    /// Of which kind.
    pub kind: DocumentKind,
    /// From which position they hold, or [`UNSENT`].
    pub position: u64,
    /// In the caller's encoding.
    pub facts: &'r [u8],
}

fn pass(row: &rusqlite::Row<'_>, f: &mut impl FnMut(Fact<'_>) -> Result<(), Error>) -> Result<(), Error> {
    f(Fact {
        document_id: row.document_id(0)?,
        kind: row.kind(1)?,
        position: row.u64(2)?,
        facts: row.blob(3)?,
    })
}

impl Reader {
    /// Streams the current facts of every document, in no particular order.
    pub fn facts_current(&self, mut f: impl FnMut(Fact<'_>) -> Result<(), Error>) -> Result<(), Error> {
        self.each(
            "SELECT document_id, kind, position, facts FROM fact WHERE current = 1",
            [],
            |row| pass(row, &mut f),
        )
    }

    /// Streams the facts of every document as they stood at a position: its greatest row up to there.
    pub fn facts_at(
        &self,
        position: u64,
        mut f: impl FnMut(Fact<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.each(
            "SELECT f.document_id, f.kind, f.position, f.facts FROM \
             (SELECT document_id, max(position) AS position FROM fact WHERE position <= ?1 GROUP BY document_id) AS at \
             JOIN fact f ON f.document_id = at.document_id AND f.position = at.position",
            [to_i64(position)],
            |row| pass(row, &mut f),
        )
    }

    /// Streams the current facts of documents that were read anew after a revision, by this or another process, at most
    /// so many where there is a limit. Gives the revision to ask from next time; begin with [`Reader::facts_revision`] of the snapshot that was
    /// read.
    pub fn facts_since(
        &self,
        revision: u64,
        limit: Option<usize>,
        mut f: impl FnMut(Fact<'_>) -> Result<(), Error>,
    ) -> Result<u64, Error> {
        let (mut reached, mut passed) = (revision, 0);
        self.each(
            "SELECT document_id, kind, position, facts, revision FROM fact WHERE revision > ?1 AND current = 1 \
             ORDER BY revision LIMIT ?2",
            (to_i64(revision), limit.map_or(-1, |limit| to_i64(limit as u64))),
            |row| {
                reached = row.u64(4)?;
                passed += 1;
                pass(row, &mut f)
            },
        )?;
        if Some(passed) == limit {
            Ok(reached)
        } else {
            self.facts_revision()
        }
    }

    /// Last revision of facts in this snapshot.
    pub fn facts_revision(&self) -> Result<u64, Error> {
        u64::try_from(self.counter("fact_revision")?).map_err(|_| Error::Damaged("the fact revision"))
    }

    /// Whether a document has facts at positions, not only of edits that have none.
    pub(crate) fn has_settled_facts(&self, document_id: DocumentId) -> Result<bool, Error> {
        let found = self.one(
            "SELECT 1 FROM fact WHERE document_id = ?1 AND position < ?2 LIMIT 1",
            (document_id.as_bytes(), to_i64(UNSENT)),
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// The facts of one document, by position.
    pub fn facts_of(&self, document_id: DocumentId) -> Result<Vec<FactRow>, Error> {
        self.all(
            "SELECT position, facts FROM fact WHERE document_id = ?1 ORDER BY position",
            [document_id.as_bytes()],
            |row| Ok((row.u64(0)?, row.blob(1)?.to_vec())),
        )
    }
}

impl Writer {
    /// Writes facts of a document that were read anew: rows at the same positions are replaced, the row of unsent
    /// edits goes unless it is given again, other positions stay.
    pub fn save_facts(&mut self, document_id: DocumentId, facts: &[FactRow]) -> Result<(), Error> {
        let kind = self
            .document(document_id)?
            .ok_or(Error::NoDocument(document_id))?
            .kind;
        self.write_facts(document_id, kind, facts, false)
    }

    /// Drops the facts of a document, to be written anew in the same transaction.
    pub fn drop_facts(&mut self, document_id: DocumentId) -> Result<(), Error> {
        self.run(
            "DELETE FROM fact WHERE document_id = ?1",
            [document_id.as_bytes()],
        )?;
        Ok(())
    }

    pub(crate) fn write_facts(
        &mut self,
        document_id: DocumentId,
        kind: DocumentKind,
        facts: &[FactRow],
        fresh: bool,
    ) -> Result<(), Error> {
        if facts.is_empty() {
            return Ok(());
        }
        let mut latest = None;
        if !fresh {
            self.run(
                "DELETE FROM fact WHERE document_id = ?1 AND position = ?2",
                (document_id.as_bytes(), to_i64(UNSENT)),
            )?;
            latest = self.one(
                "SELECT position FROM fact WHERE document_id = ?1 ORDER BY position DESC LIMIT 1",
                [document_id.as_bytes()],
                |row| row.u64(0),
            )?;
        }
        // Nearly always one row comes that is the latest. Replacing rows and marking the latest among them is dearer, and
        // in a savepoint much dearer: the engine keeps a journal for each statement that may change several rows.
        if let [(position, facts)] = facts
            && latest.is_none_or(|latest| latest < *position)
        {
            if let Some(latest) = latest {
                self.run(
                    "UPDATE fact SET current = 0 WHERE document_id = ?1 AND position = ?2",
                    (document_id.as_bytes(), to_i64(latest)),
                )?;
            }
            let row = (document_id, kind, *position, facts.as_slice());
            return self.write_fact(
                "INSERT INTO fact (revision, document_id, position, kind, current, facts) \
                 VALUES (?1, ?2, ?3, ?4, 1, ?5)",
                row,
            );
        }
        for (position, facts) in facts {
            let row = (document_id, kind, *position, facts.as_slice());
            self.write_fact(
                "INSERT OR REPLACE INTO fact (revision, document_id, position, kind, current, facts) \
                 VALUES (?1, ?2, ?3, ?4, 0, ?5)",
                row,
            )?;
        }
        self.mark_current(document_id)
    }

    fn write_fact(
        &mut self,
        sql: &str,
        (document_id, kind, position, facts): (DocumentId, DocumentKind, u64, &[u8]),
    ) -> Result<(), Error> {
        let revision = self.counter("fact_revision")? + 1;
        self.set_counter("fact_revision", revision);
        self.run(
            sql,
            params![
                revision,
                document_id.as_bytes(),
                to_i64(position),
                kind.number(),
                facts
            ],
        )?;
        Ok(())
    }

    /// After changes got positions: the row of unsent edits moves to the position of the document's last change,
    /// if it is right there and nothing lies between. `false` if facts must be read anew.
    /// `last_position` is that of the document's last change, [`UNSENT`] while one has none; `settled` says whether the
    /// document has facts at positions.
    pub(crate) fn settle_facts(
        &mut self,
        document_id: DocumentId,
        acknowledged: (u64, u64),
        last_position: u64,
        settled: bool,
    ) -> Result<bool, Error> {
        let id = document_id.as_bytes();
        let (first, last) = acknowledged;
        if first != last || last_position > last {
            return Ok(false);
        }
        let between = "SELECT count(*) FROM fact WHERE document_id = ?1 AND position >= ?2 AND position < ?3";
        if settled && self.number(between, (id, to_i64(first), to_i64(UNSENT)))? > 0 {
            return Ok(false);
        }
        let revision = self.counter("fact_revision")? + 1;
        let moved = self.run(
            "UPDATE fact SET revision = ?2, position = ?3 WHERE document_id = ?1 AND position = ?4",
            params![id, revision, to_i64(last), to_i64(UNSENT)],
        )?;
        self.set_counter("fact_revision", revision);
        Ok(moved == 1)
    }

    fn mark_current(&mut self, document_id: DocumentId) -> Result<(), Error> {
        self.run(
            "UPDATE fact SET current = (position = (SELECT max(position) FROM fact WHERE document_id = ?1)) \
             WHERE document_id = ?1",
            [document_id.as_bytes()],
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Draft, Fixture, id};
    use crate::{Role, Store};

    fn collect(
        f: impl FnOnce(&mut dyn FnMut(Fact<'_>) -> Result<(), Error>) -> Result<(), Error>,
    ) -> Vec<(DocumentId, u64, u8)> {
        let mut all = Vec::new();
        f(&mut |fact| {
            all.push((
                fact.document_id,
                fact.position,
                fact.facts.last().copied().unwrap_or(0),
            ));
            Ok(())
        })
        .expect("read");
        all.sort();
        all
    }

    fn at(store: &Store, position: u64) -> Vec<(DocumentId, u64, u8)> {
        collect(|f| store.read(|reader| reader.facts_at(position, f)))
    }

    fn current(store: &Store) -> Vec<(DocumentId, u64, u8)> {
        collect(|f| store.read(|reader| reader.facts_current(f)))
    }

    #[test]
    fn facts_stand_as_of_any_position_and_as_of_now() {
        let fixture = Fixture::new(Role::Aggregator);
        let (mut one, mut two) = (Draft::new(1), Draft::new(2));
        for commit in [one.edit(&[330106]), two.edit(&[330106]), one.edit(&[330106])] {
            fixture.commit(commit).expect("commit");
        }
        let sorted = |mut rows: Vec<(DocumentId, u64, u8)>| {
            rows.sort();
            rows
        };
        assert_eq!(at(&fixture.store, 0), []);
        assert_eq!(at(&fixture.store, 1), [(id(1), 1, 1)]);
        assert_eq!(at(&fixture.store, 2), sorted(vec![(id(1), 1, 1), (id(2), 2, 1)]));
        assert_eq!(at(&fixture.store, 3), sorted(vec![(id(1), 3, 2), (id(2), 2, 1)]));
        assert_eq!(current(&fixture.store), at(&fixture.store, 3));
    }

    #[test]
    fn another_process_can_follow_by_revision() {
        let fixture = Fixture::new(Role::Node);
        let since = |revision: u64| {
            let mut next = 0;
            let rows = collect(|f| {
                next = fixture
                    .store
                    .read(|reader| reader.facts_since(revision, None, f))?;
                Ok(())
            });
            (rows, next)
        };
        let (mut one, mut two) = (Draft::new(1), Draft::new(2));
        fixture.commit(one.edit(&[330106])).expect("commit");
        fixture.commit(two.edit(&[330106])).expect("commit");
        let (rows, next) = since(0);
        assert_eq!(rows.len(), 2);
        assert_eq!(since(next), (vec![], next));
        // One at a time it comes to the same.
        let (mut reached, mut parts) = (0, Vec::new());
        for _ in 0..2 {
            parts.extend(collect(|f| {
                reached = fixture
                    .store
                    .read(|reader| reader.facts_since(reached, Some(1), f))?;
                Ok(())
            }));
        }
        parts.sort();
        assert_eq!((parts, reached), (rows, next));
        // An unsent row that is written again is seen again, although its position stays.
        fixture.commit(two.edit(&[330106])).expect("commit");
        let (rows, after) = since(next);
        assert_eq!((rows, after > next), (vec![(id(2), UNSENT, 2)], true));
        // A row at an earlier position is not the current one and does not reach a follower.
        let write = fixture.store.write("old", |writer| {
            writer.save_facts(id(1), &[(3, vec![1]), (UNSENT, vec![9])])
        });
        write.wait().expect("saved");
        assert_eq!(since(after).0, [(id(1), UNSENT, 9)]);
        assert_eq!(at(&fixture.store, 3), [(id(1), 3, 1)]);
        assert_eq!(fixture.faults(), []);
    }

    #[test]
    fn facts_can_be_dropped_and_are_not_written_for_nobody() {
        let fixture = Fixture::new(Role::Aggregator);
        fixture.commit(Draft::new(1).edit(&[330106])).expect("commit");
        fixture
            .store
            .write("drop", |writer| writer.drop_facts(id(1)))
            .wait()
            .expect("dropped");
        assert_eq!(current(&fixture.store), []);
        let unknown = fixture
            .store
            .write("unknown", |writer| writer.save_facts(id(9), &[(1, vec![1])]))
            .wait();
        assert!(matches!(unknown, Err(Error::NoDocument(_))));
        fixture
            .store
            .write("again", |writer| writer.save_facts(id(1), &[(1, vec![1])]))
            .wait()
            .expect("saved");
        assert_eq!(current(&fixture.store), [(id(1), 1, 1)]);
    }
}
