//! Restore, clone, rewind: lessons L1 to L8.

use super::{Detector, Sabotage};

pub(super) const LIST: &[Sabotage] = &[
    Sabotage {
        id: "L1-own-checkpoint",
        lesson: Some(1),
        file: "crates/rollcall-sync/src/session/client.rs",
        text: "if ack.cursor == self.hello.acknowledged && !self.hello.digest_first {",
        instead: "if ack.cursor.position <= self.hello.acknowledged.position && !self.hello.digest_first {",
        breaks: "A node goes on from its own checkpoint though the restored aggregator says that it \
                 holds less.",
        detector: Detector {
            package: "rollcall-sync",
            test: "session::tests::an_aggregator_restored_from_an_old_backup_gets_the_rest_again",
        },
    },
    Sabotage {
        id: "L2-no-chain",
        lesson: Some(2),
        file: "crates/rollcall-replica/src/take_up.rs",
        text: "if *position == held.position && chain != held.chain {",
        instead: "if *position > batch.to && chain != held.chain {",
        breaks: "The log of a restored node that has written on counts as the one that is held: \
                 only numbers are compared.",
        detector: Detector {
            package: "rollcall-replica",
            test: "tests::up::a_piece_that_is_sent_again_must_meet_the_chain_that_is_held",
        },
    },
    Sabotage {
        id: "L3-epoch-of-the-other-end",
        lesson: Some(3),
        file: "crates/rollcall-sync/src/session/server.rs",
        text: ".is_some_and(|known| known != (state.store_id, state.log_epoch))",
        instead: ".is_some_and(|known| known.0 != state.store_id)",
        breaks: "What a node knows of the aggregator before a restore is taken for knowledge of the \
                 one after it.",
        detector: Detector {
            package: "rollcall-sync",
            test: "session::tests::after_a_restore_of_the_aggregator_digests_are_compared_and_neither_log_is_sent_again",
        },
    },
    Sabotage {
        id: "L4-restore-keeps-epoch",
        lesson: Some(4),
        file: "crates/rollcall-store/src/backup.rs",
        text: "writer.rotate_log_epoch(epoch)?;",
        instead: "let _ = epoch;",
        breaks: "A restored store goes on in the spell of its log that it had, under numbers that \
                 were given before.",
        detector: Detector {
            package: "rollcall-store",
            test: "backup::tests::restoring_keeps_the_replaced_store_beside_the_restored_one",
        },
    },
    Sabotage {
        id: "L4-acknowledged-survives",
        lesson: Some(4),
        file: "crates/rollcall-store/src/commit.rs",
        text: "\"UPDATE upstream SET acked_position = 0, acked_chain = ?1\",",
        instead: "\"UPDATE upstream SET acked_chain = ?1\",",
        breaks: "A new spell of the log is numbered anew, but how far the old one was acknowledged stays.",
        detector: Detector {
            package: "rollcall-store",
            test: "commit::tests::a_new_epoch_begins_with_what_has_no_position_and_positions_stay",
        },
    },
    Sabotage {
        id: "L5-ahead-is-nothing",
        lesson: Some(5),
        file: "crates/rollcall-sync/src/session/server.rs",
        text: "return Verdict::Repair(RepairReason::ReceiverAhead);",
        instead: "return Verdict::CatchUp;",
        breaks: "An aggregator that holds more of a log than its node has treats the session as any other.",
        detector: Detector {
            package: "rollcall-sync",
            test: "session::tests::a_node_restored_from_an_old_backup_starts_a_new_spell_of_its_log",
        },
    },
    Sabotage {
        id: "L6-same-spell-after-rollback",
        lesson: Some(6),
        file: "crates/rollcall-replica/src/upstream.rs",
        text: "let work = move |writer: &mut rollcall_store::Writer| writer.rotate_log_epoch(epoch);",
        instead: "let epoch = self.store().identity().log_epoch; \
                  let work = move |writer: &mut rollcall_store::Writer| writer.rotate_log_epoch(epoch);",
        breaks: "A node that finds itself rolled back numbers its log anew under the name of the old spell.",
        detector: Detector {
            package: "rollcall-testkit",
            test: "world::tests::a_node_that_finds_itself_behind_begins_a_new_spell_and_goes_on",
        },
    },
    Sabotage {
        id: "L7-actor-reused",
        lesson: Some(7),
        file: "crates/rollcall-replica/src/replica.rs",
        text: ".or_insert_with(|| ActorId(self.random()))",
        instead: ".or_insert_with(|| ActorId(DocumentId::derive(DocumentKind::Organisation, account).0))",
        breaks: "An account writes under the same actor in every process that it ever works in.",
        detector: Detector {
            package: "rollcall-testkit",
            test: "world::tests::nobody_writes_under_a_number_of_an_earlier_process",
        },
    },
    Sabotage {
        id: "L8-backup-keeps-identity",
        lesson: Some(8),
        file: "crates/rollcall-store/src/backup.rs",
        text: "SELECT 'restored_from', value FROM meta WHERE key = 'log_epoch';",
        instead: "SELECT 'copied_from', value FROM meta WHERE key = 'log_epoch';",
        breaks: "A backup does not say that it is one, and whoever opens it takes it for the store itself.",
        detector: Detector {
            package: "rollcall-store",
            test: "backup::tests::a_backup_made_while_others_write_is_whole_and_begins_its_own_epoch_once",
        },
    },
];
