//! What no lesson is about and must hold all the same: durability, completeness, proof, permission.

use super::{Detector, Sabotage};

pub(super) const LIST: &[Sabotage] = &[
    Sabotage {
        // No test on a running system sees this one: what the kernel holds survives the process. The detector asks the
        // open connection for its setting.
        id: "no-fsync",
        lesson: None,
        file: "crates/rollcall-store/src/sqlite/connection.rs",
        text: "PRAGMA synchronous = FULL; PRAGMA fullfsync = 1;",
        instead: "PRAGMA synchronous = OFF; PRAGMA fullfsync = 1;",
        breaks: "What was acknowledged is lost with the power.",
        detector: Detector {
            package: "rollcall-store",
            test: "store::tests::every_connection_has_the_settings_of_a_live_store",
        },
    },
    Sabotage {
        id: "answer-before-commit",
        lesson: None,
        file: "crates/rollcall-store/src/sqlite/writer/group.rs",
        text: "Done::Kept => kept.push(job),",
        instead: "Done::Kept => job.finish(None),",
        breaks: "Whoever writes is answered while the transaction is still open.",
        detector: Detector {
            package: "rollcall-store",
            test: "sqlite::writer::tests::nobody_is_answered_before_the_group_is_committed",
        },
    },
    Sabotage {
        id: "applied-before-commit",
        lesson: None,
        file: "crates/rollcall-sync/src/session/client.rs",
        text: "self.effects.push_back(ClientEffect::ApplyDown(batch));",
        instead: "self.effects.push_back(ClientEffect::Send(ClientFrame::Applied { position: batch.to, \
                  set: SetSum::default() })); self.effects.push_back(ClientEffect::ApplyDown(batch));",
        breaks: "A node says that it holds a batch before it does: the cursor runs ahead of the commit.",
        detector: Detector {
            package: "rollcall-sync",
            test: "session::live_tests::a_batch_is_said_to_be_held_only_after_its_commit",
        },
    },
    Sabotage {
        id: "cursor-from-anywhere",
        lesson: None,
        file: "crates/rollcall-store/src/cursor.rs",
        text: "if held != step.from || step.to.position < step.from.position {",
        instead: "if step.to.position < step.from.position {",
        breaks: "A cursor moves though it does not stand where the batch begins.",
        detector: Detector {
            package: "rollcall-store",
            test: "cursor::tests::a_cursor_moves_only_from_where_it_stands_and_never_back",
        },
    },
    Sabotage {
        id: "last-change-dropped",
        lesson: None,
        file: "crates/rollcall-store/src/commit.rs",
        text: "in (held.map_or(0, |row| row.changes_count)..).zip(&commit.new_changes) {",
        instead: "in (held.map_or(0, |row| row.changes_count)..)\
                  .zip(commit.new_changes.iter().take(commit.new_changes.len().max(2) - 1)) {",
        breaks: "Of several changes of a document the last is acknowledged and not written.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::up::every_change_that_is_acknowledged_is_held",
        },
    },
    Sabotage {
        id: "sum-stays-behind",
        lesson: None,
        file: "crates/rollcall-store/src/commit.rs",
        text: "self.swap_digest(&scope, &held.digest, &commit.digest)?;",
        instead: "self.swap_digest(&scope, &held.digest, &held.digest)?;",
        breaks: "The sum of a scope stays that of the document as it was (L23).",
        detector: Detector {
            package: "rollcall-store",
            test: "scope::tests::a_scope_s_sum_is_that_of_its_documents",
        },
    },
    Sabotage {
        id: "receipt-of-old-roots",
        lesson: None,
        file: "crates/rollcall-replica/src/roots.rs",
        text: "known.as_ref().filter(|known| known.set == set)",
        instead: "known.as_ref().filter(|known| known.set.count == set.count)",
        breaks: "A receipt is signed over the roots of an earlier one as long as the number of \
                 documents is the same.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::down::a_receipt_after_an_edit_states_what_is_held_then",
        },
    },
    Sabotage {
        id: "any-signature",
        lesson: None,
        file: "crates/rollcall-replica/src/take_up.rs",
        text: "if keys.is_batch_signed(&peer.signing_key, peer.store_id, peer.log_epoch, batch) {",
        instead: "if keys.is_batch_signed(&peer.signing_key, peer.store_id, peer.log_epoch, batch) \
                  || !batch.signature.is_empty() {",
        breaks: "A batch is taken with whatever stands where its signature belongs.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::up::a_batch_with_the_signature_of_another_is_refused",
        },
    },
    Sabotage {
        id: "everybody-may-write",
        lesson: None,
        file: "crates/rollcall-replica/src/judge.rs",
        text: "let allowed = may_write(|scope| peer.access.may_write(scope), &write, related);",
        instead: "let allowed = may_write(|_| true, &write, related);",
        breaks: "A peer writes documents of any federation.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::up::what_a_peer_may_not_write_is_kept_apart",
        },
    },
    Sabotage {
        id: "taker-writes-at-once",
        lesson: None,
        file: "crates/rollcall-sync/src/permission.rs",
        text: "let mut keepers = write.homes_before.difference(write.takers);",
        instead: "let mut keepers = write.homes_before.iter();",
        breaks: "Whoever a handover names as the taker writes everything before it has accepted.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::handover::a_taker_s_edit_is_kept_apart_until_its_acceptance_and_can_be_taken_afterwards",
        },
    },
    Sabotage {
        id: "any-number",
        lesson: None,
        file: "crates/rollcall-doc/src/gate/admit.rs",
        text: "let due = last.map_or(1, |last| last.seq + 1);",
        instead: "let due = change.seq;",
        breaks: "The gate takes a second change under an actor's number, and one that leaves numbers out.",
        detector: Detector {
            package: "rollcall-doc",
            test: "gate::tests::a_second_change_at_a_number_is_a_fork_and_the_first_stays",
        },
    },
];
