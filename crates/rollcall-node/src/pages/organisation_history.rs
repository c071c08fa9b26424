//! Who gave which value when and why: the conflicts of one record and its whole history, in the reader's words.

use rollcall_doc::Document;
use rollcall_replica::{Error, Replica};
use rollcall_web::form::encode;
use rollcall_web::layout::Frame;
use rollcall_web::page::organisation::{ConflictValue, ConflictView, HistoryRow};

use super::words::{self, AuthorNames};

/// The open conflicts, each with where it is settled: below `href`, the page of the record.
pub(super) fn conflicts(
    frame: &Frame,
    document: &Document,
    names: &AuthorNames,
    href: &str,
) -> Vec<ConflictView> {
    document
        .conflicts()
        .into_iter()
        .map(|conflict| ConflictView {
            values: conflict
                .values
                .into_iter()
                .map(|held| ConflictValue {
                    text: words::value(frame, &conflict.field, &held.value),
                    id: held.id,
                    author: names.show(frame, &held.author),
                    at: frame.locale.moment(held.time_ms),
                    reason: words::reason(frame, held.reason),
                })
                .collect(),
            action: format!("{href}/settle?field={}", encode(&conflict.field)),
            field: words::field(frame, &conflict.field),
        })
        .collect()
}

/// Every edit, newest first, with the position at which the centre holds it.
pub(super) fn history(
    frame: &Frame,
    replica: &Replica,
    document: &Document,
    names: &AuthorNames,
) -> Result<Vec<HistoryRow>, Error> {
    let mut rows = Vec::new();
    for entry in document.history().into_iter().rev() {
        let position = replica
            .store()
            .read(|reader| reader.change_position(document.id(), &entry.change))?;
        let position = position
            .map(|(position, _)| position)
            .filter(|position| *position > 0);
        let short: String = entry
            .change
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let changes = entry.edits.iter().map(|edit| {
            let show = |value: &Option<serde_json::Value>| {
                value
                    .as_ref()
                    .map_or_else(|| "—".to_owned(), |value| words::value(frame, &edit.field, value))
            };
            let name = words::field(frame, &edit.field);
            match &edit.old {
                Some(_) => format!("{name}: {} → {}", show(&edit.old), show(&edit.new)),
                None => format!("{name}: {}", show(&edit.new)),
            }
        });
        rows.push(HistoryRow {
            at: frame.locale.moment(entry.time_ms),
            author: names.show(frame, &entry.author),
            changes: changes.collect(),
            reason: words::reason(frame, entry.reason),
            received: position.is_some(),
            change_id: match position {
                Some(position) => format!(
                    "{short} · {} {}",
                    frame.text("figure.position"),
                    frame.number(position)
                ),
                None => short,
            },
        });
    }
    Ok(rows)
}
