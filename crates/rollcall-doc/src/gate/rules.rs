//! Whether every operation of a decoded change writes what the kind of document may hold, where it may stand.
//! Owns the passage from operations to the schema.

use rollcall_core::id::{ActorId, DocumentKind};

use super::Refusal;
use super::walker::PlainChange;
use crate::place;
use crate::schema::{self, KEY_BYTES_MAX};

/// Checks every operation against the schema of the kind.
pub(super) fn check(kind: DocumentKind, genesis: ActorId, change: &PlainChange<'_>) -> Result<(), Refusal> {
    let schema = schema::of(kind);
    let refuse = |path: &str, key: &str, expected: &str| {
        Refusal::new("SCHEMA", format!("{path}{key}: {expected} is expected"))
    };
    let mut written = Vec::with_capacity(change.operations.len());
    for operation in &change.operations {
        if operation.key.len() > KEY_BYTES_MAX {
            return Err(Refusal::too_big(format!(
                "a key of {} bytes, the limit is {KEY_BYTES_MAX}",
                operation.key.len()
            )));
        }
        let refuse = |path: &str, expected: &str| refuse(path, operation.key, expected);
        let Some(place) = place::of_operation(kind, genesis, change, operation) else {
            return Err(refuse("", "one of the document's own containers"));
        };
        written.push(place);
        if place
            .container
            .is_some_and(|container| schema.containers[container].makes_once())
            && !operation.preds.is_empty()
        {
            return Err(refuse(
                "",
                "an entry that replaces none: entries are made once and never overwritten",
            ));
        }
        match place.container {
            None => schema
                .check_agreed(place.key, operation.value)
                .map_err(|expected| refuse("", expected))?,
            Some(container) => schema
                .check_entry(container, place.key, operation.value)
                .map_err(|expected| refuse(&format!("{}/", schema.containers[container].name), expected))?,
        }
    }
    written.sort_unstable();
    match written.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(refuse(
            "",
            twice[0].key,
            "one value: a change writes no place twice",
        )),
        None => Ok(()),
    }
}
