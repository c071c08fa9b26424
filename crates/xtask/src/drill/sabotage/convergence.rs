//! Convergence: lessons L9 to L15.

use super::{Detector, Sabotage};

pub(super) const LIST: &[Sabotage] = &[
    Sabotage {
        id: "L9-digest-of-its-own",
        lesson: Some(9),
        file: "crates/rollcall-replica/src/take_down.rs",
        text: "let commit = prepared.commit_down(incoming, origin, now_ms)?;",
        instead: "let commit = prepared.commit_down(incoming, origin, now_ms)?.map(|commit| DocumentCommit { digest: \
                  rollcall_sync::fingerprint::change_hash(commit.heads.as_flattened()), ..commit });",
        breaks: "A node names the state of what came down by another rule than of what was written.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::down::both_ends_name_one_state_alike_whether_it_was_written_or_came",
        },
    },
    Sabotage {
        id: "L9-kept-apart-counts",
        lesson: Some(9),
        file: "crates/rollcall-replica/src/receipt.rs",
        text: "let apart = receipt.quarantined.iter().copied().collect();",
        instead: "let apart = BTreeSet::new();",
        breaks: "A node compares with what is kept apart, which the aggregator leaves out.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::down::what_is_kept_apart_is_in_no_root_of_either_end",
        },
    },
    Sabotage {
        id: "L10-no-repair",
        lesson: Some(10),
        file: "crates/rollcall-sync/src/session/client/proof.rs",
        text: "ReceiptCheck::Different if self.repairs < REPAIRS_MAX => {",
        instead: "ReceiptCheck::Different if self.repairs < REPAIRS_MAX => { return self.settle(SessionEnd::CaughtUp);",
        breaks: "A difference that the receipt shows is taken note of, and nobody repairs it.",
        detector: Detector {
            package: "rollcall-sync",
            test: "session::tests::a_set_that_differs_after_draining_is_repaired_by_digest",
        },
    },
    Sabotage {
        id: "L11-repairs-uncounted",
        lesson: Some(11),
        file: "crates/rollcall-store/src/self_check.rs",
        text: "self.set_counter(REPAIRS, self.counter(REPAIRS)? + 1);",
        instead: "self.counter(REPAIRS)?;",
        breaks: "However often both ends differ and are repaired, `status` says that it never happened.",
        detector: Detector {
            package: "rollcall-store",
            test: "self_check::tests::repairs_and_corrections_are_counted",
        },
    },
    Sabotage {
        id: "L12-lost-ack",
        lesson: Some(12),
        file: "crates/rollcall-sync/src/session/server.rs",
        text: "let resent = !unknown",
        instead: "let resent = false && !unknown",
        breaks: "After a lost ack the node sends the batch again in every session, and never hears \
                 what became of it.",
        detector: Detector {
            package: "rollcall-sync",
            test: "session::tests::a_lost_ack_is_answered_by_taking_the_batch_again",
        },
    },
    Sabotage {
        id: "L13-heads-from-the-library",
        lesson: Some(13),
        file: "crates/rollcall-doc/src/gate/trial.rs",
        text: "let copy = held.with_changes(changes).map_err(|_| \"it cannot be applied\")?;",
        instead: "let copy = held.with_changes(changes).map_err(|_| \"it cannot be applied\")?; \
                  let heads: BTreeSet<[u8; 32]> = copy.heads().into_iter().collect();",
        breaks: "The gate takes the library's word for the heads instead of working them out from \
                 what the changes follow.",
        detector: Detector {
            package: "rollcall-doc",
            test: "gate::tests::the_trial_itself_refuses_what_the_library_leaves_waiting",
        },
    },
    Sabotage {
        id: "L14-orphan-dropped",
        lesson: Some(14),
        file: "crates/rollcall-replica/src/kept_apart.rs",
        text: "writer.save_pending(&change)?;",
        instead: "drop(change);",
        breaks: "A change that waits for another is answered as waiting, and is kept nowhere.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::up::a_change_that_lacks_another_waits_outside_its_document_until_it_comes",
        },
    },
    Sabotage {
        id: "L15-receipt-beyond-its-batch",
        lesson: Some(15),
        file: "crates/rollcall-replica/src/send_down.rs",
        text: "let receipt = match receipt_without.filter(|_| drained) {",
        instead: "let receipt = match receipt_without {",
        breaks: "A receipt says everything up to a position that the batch it comes with does not reach.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::down::a_receipt_comes_with_the_batch_that_reaches_its_position",
        },
    },
];
