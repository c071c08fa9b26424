//! A copy that becomes a store of its own sends what nobody has, and nothing else.

use super::*;
use crate::commit::NewChange;
use crate::testing::{Draft, Fixture};

#[test]
fn another_store_begins_its_log_with_what_has_no_position() {
    let fixture = Fixture::new(Role::Node);
    let sent = Draft::new(1).edit(&[330106]);
    let sent = crate::commit::DocumentCommit {
        new_changes: vec![NewChange {
            position: 4,
            committed_at_ms: 40,
            ..sent.new_changes[0].clone()
        }],
        ..sent
    };
    let waiting = Draft::new(2).edit(&[330106]);
    for commit in [sent, waiting.clone()] {
        fixture.commit(commit).expect("committed");
    }
    let (store_id, epoch) = (StoreId([8; 16]), LogEpoch([8; 8]));
    fixture
        .store
        .write("become", move |writer| {
            writer.set_mark(Mark::Fenced, true)?;
            writer.become_store(store_id, epoch)
        })
        .wait()
        .expect("another store");
    fixture
        .store
        .read(|reader| {
            assert_eq!(
                (reader.identity().store_id, reader.identity().log_epoch),
                (store_id, epoch)
            );
            let log = reader.origin_rows(0, 9)?;
            assert_eq!(log.len(), 1);
            assert_eq!(log[0].hash, waiting.new_changes[0].hash);
            assert!(!reader.is_marked(Mark::Fenced)? && !reader.is_marked(Mark::TakesPlace)?);
            Ok(())
        })
        .expect("read");
    assert_eq!(fixture.faults(), []);
}
