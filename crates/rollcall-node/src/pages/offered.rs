//! Organisations that other federations hand over to this one and that wait for its signature: a task of the start page.
//! Who may sign is asked by `rollcall-replica`.

use std::collections::BTreeSet;

use rollcall_core::id::DocumentKind;
use rollcall_core::record::Record;
use rollcall_replica::handover::Right;
use rollcall_replica::{Error, Replica};
use rollcall_web::layout::Frame;
use rollcall_web::page::organisations::OfferedRow;

use super::entry_list::{self, HANDOVERS};
use super::{record_page, words};

/// Scopes written here of which it is asked.
const SCOPES_MAX: usize = 20;
/// Organisations of a scope that are looked at, the last changed first; those that were given away are among them.
const LOOKED_AT_MAX: usize = 100;

/// The handovers that may be signed here, the last changed organisation first.
///
/// # Errors
/// The store's.
pub(super) fn read(frame: &Frame, replica: &Replica) -> Result<Vec<OfferedRow>, Error> {
    let mut offered = Vec::new();
    let mut seen = BTreeSet::new();
    let Some(list) = entry_list::find(DocumentKind::Organisation, HANDOVERS) else {
        return Ok(offered);
    };
    for scope in replica.scopes_written()?.iter().take(SCOPES_MAX) {
        let elsewhere = replica
            .store()
            .read(|reader| reader.listed_elsewhere(scope, DocumentKind::Organisation, LOOKED_AT_MAX))?;
        for row in elsewhere {
            let id = row.document_id;
            if !seen.insert(id) {
                continue;
            }
            let document = match replica.document(id) {
                // What cannot be read says so on its own page.
                Err(Error::Document { .. }) => continue,
                other => other?,
            };
            let Right::Acceptance(open) = replica.right(&document)? else {
                continue;
            };
            let Record::Organisation(record) = document.record().0 else {
                continue;
            };
            let giver = row.listing.home.map(|home| words::division(home.as_str()));
            for handover in record.handovers.iter().filter(|entry| open.contains(&entry.id)) {
                let on = words::date(frame, &handover.on.to_string());
                let giver = giver.as_deref().unwrap_or_default();
                offered.push(OfferedRow {
                    name: row.listing.name.clone(),
                    href: record_page::href(DocumentKind::Organisation, id),
                    sign_href: list.entry_href(&record_page::entries_href(id), &handover.id),
                    about: frame.fill("organisations.offered_by", &[giver, &on]),
                });
            }
        }
    }
    Ok(offered)
}
