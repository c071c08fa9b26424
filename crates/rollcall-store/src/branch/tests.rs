//! A branch leaves its document: sums, facts and log still agree, and its bytes are archived.

use super::*;
use crate::Role;
use crate::quarantine::QuarantineRow;
use crate::testing::{Draft, Fixture, id};

#[test]
fn a_branch_is_archived_and_the_store_still_agrees_with_itself() {
    let fixture = Fixture::new(Role::Node);
    let mut draft = Draft::new(1);
    let first = draft.edit(&[330106]);
    let second = draft.edit(&[330106]);
    for commit in [&first, &second, &Draft::new(2).edit(&[330106])] {
        fixture.commit(commit.clone()).expect("committed");
    }
    let lost = second.new_changes[0].clone();
    let archive = BranchArchive {
        document_id: id(1),
        expected_digest: second.digest,
        branch: vec![lost.hash],
        heads: first.heads.clone(),
        digest: first.digest,
        facts: first.facts.clone(),
        code: "FORKED".to_owned(),
        message: "its number was taken".to_owned(),
        note: "written again".to_owned(),
        program: "1".to_owned(),
        now_ms: 9,
    };
    let stale = BranchArchive {
        expected_digest: [9; 32],
        ..archive.clone()
    };
    let run = |archive: BranchArchive| {
        fixture
            .store
            .write("archive", move |writer| writer.archive_branch(&archive))
            .wait()
    };
    assert!(matches!(run(stale), Err(Error::Stale(_))));
    run(archive).expect("archived");
    assert_eq!(fixture.faults(), [], "origin log, sums and facts agree");
    fixture
        .store
        .read(|reader| {
            assert_eq!(reader.change_hashes(id(1))?, first.heads);
            assert_eq!(reader.kept_change(id(1), &lost.hash)?, Some(lost.bytes.clone()));
            assert_eq!(reader.documents_quarantined()?, [], "nothing is open");
            let kept: Vec<QuarantineRow> = reader.quarantine_all(9)?;
            assert_eq!(kept[0].outcome, "rescued");
            assert_eq!(reader.origin_end()?.position, 3, "the log keeps its place");
            Ok(())
        })
        .expect("read");
    fixture
        .commit(draft_after(&first).edit(&[330106]))
        .expect("the document goes on from there");
    assert_eq!(fixture.faults(), []);
}

#[test]
fn only_the_changes_of_the_branch_are_taken_out() {
    let fixture = Fixture::new(Role::Node);
    let mut draft = Draft::new(1);
    let [first, second, third] = [(); 3].map(|()| draft.edit(&[330106]));
    for commit in [&first, &second, &third] {
        fixture.commit(commit.clone()).expect("committed");
    }
    let hash = |commit: &crate::commit::DocumentCommit| commit.new_changes[0].hash;
    // What came after the branch does not follow it.
    let archive = BranchArchive {
        document_id: id(1),
        expected_digest: third.digest,
        branch: vec![hash(&second)],
        heads: third.heads.clone(),
        digest: third.digest,
        facts: third.facts.clone(),
        code: "FORKED".to_owned(),
        message: "its number was taken".to_owned(),
        note: "written again".to_owned(),
        program: "1".to_owned(),
        now_ms: 9,
    };
    fixture
        .store
        .write("archive", move |writer| writer.archive_branch(&archive))
        .wait()
        .expect("archived");
    let left = fixture
        .store
        .read(|reader| reader.change_hashes(id(1)))
        .expect("read");
    assert_eq!(left, [hash(&first), hash(&third)]);
    let kept = |hash| {
        fixture
            .store
            .read(|reader| reader.kept_change(id(1), &hash))
            .expect("read")
    };
    assert_eq!(kept(hash(&second)), Some(second.new_changes[0].bytes.clone()));
    assert_eq!(kept(hash(&third)), None, "what stays is not archived");
}

/// The document as after its first change.
fn draft_after(first: &crate::commit::DocumentCommit) -> Draft {
    let mut draft = Draft::new(1);
    draft.edit(&[330106]);
    draft.edit(&[330106]);
    draft.digest = Some(first.digest);
    draft
}
