//! Sequence logs and storage: lessons L16 to L20.

use super::{Detector, Sabotage};

pub(super) const LIST: &[Sabotage] = &[
    Sabotage {
        id: "L16-position-before-the-lock",
        lesson: Some(16),
        file: "crates/rollcall-store/src/sqlite/mod.rs",
        text: "self.staged.take();",
        instead: "drop(self.staged.borrow());",
        breaks: "Counters read in one transaction are believed in the next: a position is chosen \
                 before the lock is held.",
        detector: Detector {
            package: "rollcall-store",
            test: "store::tests::two_handles_on_one_file_see_each_other_and_take_turns",
        },
    },
    Sabotage {
        id: "L17-echo",
        lesson: Some(17),
        file: "crates/rollcall-replica/src/send_down.rs",
        text: ".partition(|change| change.origin_store == peer.store_id && change.origin_epoch == peer.log_epoch);",
        instead: ".partition(|_| false);",
        breaks: "A node is sent its own changes back.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::down::nobody_is_sent_what_it_sent_itself",
        },
    },
    Sabotage {
        id: "L18-cursor-stays-behind",
        lesson: Some(18),
        file: "crates/rollcall-replica/src/take_down.rs",
        text: "upstream.down_position = reached.to;",
        instead: "upstream.down_position = reached.from;",
        breaks: "The transaction that commits a batch leaves the cursor where it was.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::down::the_cursor_is_written_with_the_batch_that_it_covers",
        },
    },
    Sabotage {
        id: "L19-deleted-by-the-clock",
        lesson: Some(19),
        file: "crates/rollcall-store/src/quarantine.rs",
        text: "self.give_up_pending(&change, program, now_ms)?;",
        instead: "self.remove_pending(document_id, &change.hash)?;",
        breaks: "A change that has waited for a week is deleted instead of being kept apart.",
        detector: Detector {
            package: "rollcall-store",
            test: "quarantine::tests::what_has_waited_too_long_is_kept_apart_and_not_deleted",
        },
    },
    Sabotage {
        id: "L20-deleted-by-place",
        lesson: Some(20),
        file: "crates/rollcall-store/src/branch.rs",
        text: "\"DELETE FROM change WHERE document_id = ?1 AND hash = ?2\",",
        instead: "\"DELETE FROM change WHERE document_id = ?1 AND ordinal >= \
                  (SELECT ordinal FROM change WHERE document_id = ?1 AND hash = ?2)\",",
        breaks: "With a branch goes whatever was stored after it, and not only what was archived by \
                 its hash.",
        detector: Detector {
            package: "rollcall-store",
            test: "branch::tests::only_the_changes_of_the_branch_are_taken_out",
        },
    },
];
