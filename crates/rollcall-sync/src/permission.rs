//! Who may write what (`protocol.md` 1.8, 1.9): one pure function, deny by default.
//! Owns the rule over scopes; whether an area lies in another is asked of the caller.

use std::collections::BTreeSet;

use rollcall_core::id::{DocumentKind, FederationId};

/// What is known of a write when it is judged.
#[derive(Debug)]
pub struct Write<'a> {
    /// Kind of the document.
    pub kind: DocumentKind,
    /// Federations it is at home in already; empty for a new document.
    pub homes_before: &'a BTreeSet<FederationId>,
    /// Those of them where it is at home only because a handover that is not complete names them as takers.
    pub takers: &'a BTreeSet<FederationId>,
    /// Takers whose acceptance of a handover is all that is written; empty where anything else is.
    pub accepted_by: &'a BTreeSet<FederationId>,
    /// Federations that the new changes claim it for.
    pub homes_named: &'a BTreeSet<FederationId>,
    /// Divisions of an organisation's location and registration authority after the changes.
    pub places: &'a [u32],
}

/// Why a write is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// `FOREIGN_JURISDICTION`: neither at home with the writer nor claimed for it, or handed over to it only and no
    /// acceptance.
    ForeignJurisdiction,
    /// `FOREIGN_AREA`: claimed, but the writer's area neither holds nor lies in the organisation's.
    ForeignArea,
}

impl Denied {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ForeignJurisdiction => "FOREIGN_JURISDICTION",
            Self::ForeignArea => "FOREIGN_AREA",
        }
    }
}

/// Whether a peer may make this write. `writes` says which scopes it writes, `related(area, place)` whether one division
/// holds the other.
///
/// # Errors
/// The reason, where it may not.
pub fn may_write(
    writes: impl Fn(&FederationId) -> bool,
    write: &Write<'_>,
    related: impl Fn(u32, u32) -> bool,
) -> Result<(), Denied> {
    let mut keepers = write.homes_before.difference(write.takers);
    if keepers.any(&writes) {
        return Ok(());
    }
    if !write.accepted_by.is_empty() && write.accepted_by.iter().all(&writes) {
        return Ok(());
    }
    let mut claimed = write.homes_named.iter().filter(|home| writes(home)).peekable();
    if claimed.peek().is_none() {
        return Err(Denied::ForeignJurisdiction);
    }
    if write.kind != DocumentKind::Organisation || write.places.is_empty() {
        return Ok(());
    }
    if claimed.any(|home| write.places.iter().any(|place| related(home.division(), *place))) {
        Ok(())
    } else {
        Err(Denied::ForeignArea)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(codes: &[&str]) -> BTreeSet<FederationId> {
        codes
            .iter()
            .map(|code| code.parse().expect("a federation"))
            .collect()
    }

    #[test]
    fn a_federation_writes_what_is_at_home_or_claimed_within_its_area_and_nothing_else() {
        let related = |a: u32, b: u32| a / 10_000 == b / 10_000;
        let own = set(&["330106"]);
        for (before, named, places, expected) in [
            (set(&["330106"]), set(&[]), vec![440100], Ok(())),
            (set(&[]), set(&["330106"]), vec![330106], Ok(())),
            (set(&[]), set(&["330106"]), vec![440100], Err(Denied::ForeignArea)),
            (set(&["330105"]), set(&["330106"]), vec![330105], Ok(())),
            (
                set(&["330105"]),
                set(&[]),
                vec![330106],
                Err(Denied::ForeignJurisdiction),
            ),
            (
                set(&[]),
                set(&["330105"]),
                vec![330106],
                Err(Denied::ForeignJurisdiction),
            ),
        ] {
            let none = set(&[]);
            let write = Write {
                kind: DocumentKind::Organisation,
                homes_before: &before,
                takers: &none,
                accepted_by: &none,
                homes_named: &named,
                places: &places,
            };
            assert_eq!(
                may_write(|scope| own.contains(scope), &write, related),
                expected,
                "{before:?} {named:?}"
            );
        }
    }

    #[test]
    fn the_taker_of_an_open_handover_writes_its_acceptance_and_what_a_stranger_might() {
        let own = set(&["330106", "330108"]);
        let foreign = Err(Denied::ForeignJurisdiction);
        for (before, takers, accepted_by, named, expected) in [
            (
                ["440100", "330106"],
                set(&["330106"]),
                set(&["330106"]),
                set(&[]),
                Ok(()),
            ),
            (
                ["440100", "330106"],
                set(&["330106"]),
                set(&[]),
                set(&[]),
                foreign,
            ),
            // A complete handover binds nobody.
            (["440100", "330106"], set(&[]), set(&[]), set(&[]), Ok(())),
            // Whoever keeps it for another federation as well is not bound.
            (["330108", "330106"], set(&["330106"]), set(&[]), set(&[]), Ok(())),
            // Nobody signs for another.
            (
                ["440100", "330106"],
                set(&["330106", "440200"]),
                set(&["330106", "440200"]),
                set(&[]),
                foreign,
            ),
            (
                ["440100", "330106"],
                set(&["330106"]),
                set(&[]),
                set(&["330106"]),
                Err(Denied::ForeignArea),
            ),
        ] {
            let write = Write {
                kind: DocumentKind::Organisation,
                homes_before: &set(&before),
                takers: &takers,
                accepted_by: &accepted_by,
                homes_named: &named,
                places: &[440_100],
            };
            let related = |a: u32, b: u32| a / 10_000 == b / 10_000;
            assert_eq!(
                may_write(|scope| own.contains(scope), &write, related),
                expected,
                "{before:?} {takers:?} {accepted_by:?} {named:?}"
            );
        }
    }
}
