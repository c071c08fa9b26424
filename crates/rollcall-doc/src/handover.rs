//! Handovers as far as they decide who keeps a document (`protocol.md` 1.9): whom entries name as takers, which of them
//! are complete, and what a change does about them. Who may write on that account is asked elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::id::FederationId;
use rollcall_core::record::HandoverEntry;

use crate::content::Content;
use crate::facts::entry::{Readings, readings};
use crate::members::Members;
use crate::mention::Mentions;
use crate::read::{dated_text, named_entries};
use crate::schema::split_amendment;

/// Name of the container of handovers.
pub(crate) const HANDOVERS: &str = "handovers";
/// Name of the container of the federations that keep an organisation.
const RESPONSIBLE: &str = "responsible";
/// The field of a handover that the taker signs.
const ACCEPTED_ON: &str = "accepted_on";

/// The handovers of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handovers {
    /// The taker of each entry, whatever became of it. Entries are made once, so this only grows.
    takers: BTreeMap<String, FederationId>,
    /// Entries that wait for the second signature.
    open: BTreeSet<String>,
    /// Federations that keep the document for another reason: named as responsible at any time, or taker of a handover
    /// with both signatures.
    keepers: BTreeSet<FederationId>,
}

impl Handovers {
    /// Reads them; costs next to nothing where there are none.
    pub(crate) fn read(content: &Content) -> Self {
        let mut handovers = Self::default();
        let cells = content.container(HANDOVERS);
        if cells.is_empty() {
            return handovers;
        }
        for cell in cells {
            for (name, held) in named_entries(cell) {
                let to = held.value.as_text().and_then(taker);
                handovers.takers.extend(to.map(|to| (name.into_owned(), to)));
            }
        }
        // What cannot be read is named as a problem with the facts.
        let mut problems = Vec::new();
        let standing = readings::<HandoverEntry>(content, HANDOVERS, &mut problems);
        for entry in standing.into_iter().flat_map(Readings::all) {
            if entry.accepted_on.is_some() {
                handovers.keepers.insert(entry.to);
            } else {
                handovers.open.insert(entry.id);
            }
        }
        for held in content
            .container(RESPONSIBLE)
            .iter()
            .flat_map(|cell| cell.values())
        {
            let said = held.value.as_text().and_then(dated_text);
            let keeper = said.and_then(|said| said.value.parse().ok());
            handovers.keepers.extend(keeper);
        }
        handovers
    }

    /// Federations that are at home in the document only as takers of handovers that are not complete.
    pub fn bound(&self) -> BTreeSet<FederationId> {
        let takers = self.takers.values();
        takers
            .filter(|taker| !self.keepers.contains(*taker))
            .cloned()
            .collect()
    }

    /// Whether some handover names this federation as the taker, complete or not.
    pub fn names(&self, federation: &FederationId) -> bool {
        self.takers.values().any(|taker| taker == federation)
    }

    /// Entries that this federation may still sign.
    pub fn open_to<'a>(
        &'a self,
        is_taker: impl Fn(&FederationId) -> bool + 'a,
    ) -> impl Iterator<Item = &'a str> {
        let open = self.open.iter();
        open.filter(move |entry| self.takers.get(*entry).is_some_and(&is_taker))
            .map(String::as_str)
    }

    /// The takers whose acceptance is all that was written; none where anything else was, or an acceptance of what nobody
    /// hands over.
    pub fn accepted_by(&self, written: &Written) -> BTreeSet<FederationId> {
        let takers = written.acceptances.keys().map(|entry| self.takers.get(entry));
        takers
            .collect::<Option<BTreeSet<_>>>()
            .filter(|_| !written.more)
            .map(|takers| takers.into_iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Works in a change that was let in: a handover that waited for its acceptance is complete, whoever claimed the
    /// document keeps it.
    pub fn follow(&mut self, change: &Mentions) {
        self.keepers.extend(change.claims.iter().cloned());
        let dated = change.written.acceptances.iter().filter(|(_, has_day)| **has_day);
        for (entry, _) in dated {
            if self.open.remove(entry) {
                self.keepers.extend(self.takers.get(entry).cloned());
            }
        }
    }
}

/// The taker that an entry names.
fn taker(entry: &str) -> Option<FederationId> {
    Members::read(entry)?.text("to")?.parse().ok()
}

/// What changes write, as far as it bears on who keeps the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Handovers whose acceptance is written, by entry; whether with a day.
    acceptances: BTreeMap<String, bool>,
    /// Whether anything else is.
    more: bool,
    /// Whether afterwards others may keep it: something about responsible federations or handovers is written.
    pub keepers: bool,
}

impl Written {
    /// Adds one value written at a key of a container, or of the root.
    pub(crate) fn note(&mut self, container: Option<&str>, key: &str, text: Option<&str>) {
        let amended = split_amendment(key).filter(|_| container == Some("amendments"));
        let of = amended.map_or(container, |(container, ..)| Some(container));
        self.keepers |= matches!(of, Some(HANDOVERS | RESPONSIBLE));
        match amended {
            Some((HANDOVERS, entry, ACCEPTED_ON)) => {
                self.acceptances.insert(entry.to_owned(), text.is_some());
            }
            _ => self.more = true,
        }
    }

    /// Adds what another change writes.
    pub(crate) fn extend(&mut self, other: Written) {
        self.acceptances.extend(other.acceptances);
        self.more |= other.more;
        self.keepers |= other.keepers;
    }
}

#[cfg(test)]
mod tests {
    use rollcall_core::id::DocumentKind;

    use super::*;
    use crate::document::{Document, LocalChange};
    use crate::samples::{by, empty, import, parse, write};

    const CODE: &str = "52140829MJ1938921G";

    fn federations(codes: &[&str]) -> BTreeSet<FederationId> {
        codes
            .iter()
            .map(|code| code.parse().expect("a federation"))
            .collect()
    }

    /// An organisation of the giver with these handovers.
    fn handed(entries: &str) -> Document {
        let record = parse(&format!(
            r#"{{"type":"organisation","code":"{CODE}","responsible":"140829","handovers":[{entries}]}}"#
        ));
        let mut document = empty(&record);
        import(&mut document, &record, &by(1));
        document
    }

    fn set(document: &mut Document, field: &str, value: &str, number: u8) -> LocalChange {
        let edits = document.set(field, value).expect("an edit");
        write(document, &edits, &by(number))
    }

    #[test]
    fn a_taker_is_bound_until_a_handover_that_stands_is_accepted() {
        let open = r#"{"id":"h1","to":"140830","on":"2024-01-10"}"#;
        let accepted = r#"{"id":"h1","to":"140830","on":"2024-01-10","accepted_on":"2024-01-20"}"#;
        let back = r#"{"id":"h2","to":"140829","on":"2024-02-10"}"#;
        for (entries, bound) in [
            (open.to_owned(), vec!["140830"]),
            (accepted.to_owned(), vec![]),
            // Whoever gave it away and gets it back was its keeper all the time.
            (format!("{accepted},{back}"), vec![]),
            (format!("{open},{back}"), vec!["140830"]),
        ] {
            assert_eq!(
                handed(&entries).handovers().bound(),
                federations(&bound),
                "{entries}"
            );
        }
        let mut document = handed(open);
        set(&mut document, "handovers/h1/withdrawn", "2024-01-15 mistake", 1);
        set(&mut document, "handovers/h1/accepted_on", "2024-01-20", 2);
        let handovers = document.handovers();
        assert_eq!(
            handovers.bound(),
            federations(&["140830"]),
            "what was taken back binds for good"
        );
        assert_eq!(handovers.open_to(|_| true).count(), 0);
        set(&mut document, "responsible@2024-03-01", "140830", 1);
        assert_eq!(
            document.handovers().bound(),
            federations(&[]),
            "the giver named it responsible"
        );
        assert!(
            document
                .handovers()
                .names(&"140830".parse().expect("a federation"))
        );
        let none = Document::create(DocumentKind::Organisation, document.id());
        assert_eq!(none.handovers(), Handovers::default());
    }

    #[test]
    fn an_acceptance_is_told_from_everything_else_that_a_change_writes() {
        let entries =
            r#"{"id":"h1","to":"140830","on":"2024-01-10"},{"id":"h2","to":"140881","on":"2024-01-10"}"#;
        let document = handed(entries);
        let handovers = document.handovers();
        let mentions = |members: &str| {
            let record = parse(&format!(r#"{{"type":"organisation","code":"{CODE}",{members}}}"#));
            import(&mut document.clone(), &record, &by(2)).mentions
        };
        let signed = |id: &str, to: &str| {
            format!(r#"{{"id":"{id}","to":"{to}","on":"2024-01-10","accepted_on":"2024-01-20"}}"#)
        };
        let (one, other) = (signed("h1", "140830"), signed("h2", "140881"));
        for (members, accepted_by, keepers) in [
            (format!(r#""handovers":[{one}]"#), vec!["140830"], true),
            (
                format!(r#""handovers":[{one},{other}]"#),
                vec!["140830", "140881"],
                true,
            ),
            (format!(r#""handovers":[{one}],"address":"新址""#), vec![], true),
            (
                format!(r#""handovers":[{}]"#, signed("h3", "140830")),
                vec![],
                true,
            ),
            (r#""responsible":"140830""#.to_owned(), vec![], true),
            (r#""address":"新址""#.to_owned(), vec![], false),
        ] {
            let written = mentions(&members).written;
            assert_eq!(
                handovers.accepted_by(&written),
                federations(&accepted_by),
                "{members}"
            );
            assert_eq!(written.keepers, keepers, "{members}");
        }
        let mut after = handovers.clone();
        after.follow(&mentions(&format!(r#""handovers":[{one}]"#)));
        assert_eq!(after.bound(), federations(&["140881"]));
        let mut taken_out = document.clone();
        set(&mut taken_out, "handovers/h1/accepted_on", "2024-01-20", 2);
        let undated = set(&mut taken_out, "handovers/h1/accepted_on", "", 2).mentions;
        assert_eq!(
            handovers.accepted_by(&undated.written),
            federations(&["140830"]),
            "it is the taker's to correct"
        );
        let mut after = handovers.clone();
        after.follow(&undated);
        assert_eq!(after, handovers, "and completes nothing");
    }
}
