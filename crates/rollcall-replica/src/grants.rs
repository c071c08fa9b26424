//! Which scopes a peer may write or read, worked out from its enrolment and the hierarchy (`cli.md` head, `protocol.md` 1.8).
//! A federation above keeps the scopes below it for those that have no writer of their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use rollcall_core::division::Divisions;
use rollcall_core::id::FederationId;

/// What a peer is enrolled for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enrolled {
    /// Scopes it writes.
    pub write: BTreeSet<FederationId>,
    /// Federations whose scopes, with all below, it reads.
    pub replicas: BTreeSet<FederationId>,
}

/// A peer's access to scopes.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// What it is enrolled for.
    pub enrolled: Enrolled,
    /// Scopes with a writer of their own, this peer's included; one list for all peers.
    pub writers: Arc<BTreeSet<FederationId>>,
}

impl Access {
    /// Whether it may write documents at home in this scope.
    pub fn may_write(&self, scope: &FederationId) -> bool {
        self.enrolled.write.contains(scope)
            || (!self.writers.contains(scope)
                && self.enrolled.write.iter().any(|above| lies_below(above, scope)))
    }

    /// Whether it holds this scope at all.
    pub fn may_read(&self, scope: &FederationId) -> bool {
        self.may_write(scope)
            || self
                .enrolled
                .replicas
                .iter()
                .any(|above| above == scope || lies_below(above, scope))
    }
}

/// Federations above a scope, as [`lies_below`] sees them, and the scope itself.
pub fn at_or_above(scope: &FederationId) -> Vec<FederationId> {
    let mut above = vec![scope.clone()];
    let divisions = Divisions::get().ancestors(scope.division());
    let areas = std::iter::once(scope.division()).chain(divisions);
    above.extend(areas.map(FederationId::of_division));
    above.push(FederationId::national());
    above.sort();
    above.dedup();
    above
}

/// Whether `scope` lies below `above` in the territorial hierarchy.
pub fn lies_below(above: &FederationId, scope: &FederationId) -> bool {
    above != scope
        && above.line().is_none()
        && (above.division() == scope.division() || area_holds(above.division(), scope.division()))
}

/// Whether one division holds the other.
pub fn related(one: u32, other: u32) -> bool {
    one == other || area_holds(one, other) || area_holds(other, one)
}

fn area_holds(area: u32, division: u32) -> bool {
    Divisions::get().contains(area, division)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> FederationId {
        text.parse().expect("a federation")
    }

    #[test]
    fn a_federation_above_keeps_what_has_no_writer_of_its_own() {
        let access = Access {
            enrolled: Enrolled {
                write: [scope("330000")].into(),
                replicas: [scope("330100")].into(),
            },
            writers: Arc::new([scope("330000"), scope("330106")].into()),
        };
        for (text, write, read) in [
            ("330000", true, true),
            ("330106", false, true),
            ("330105", true, true),
            ("330000/education", true, true),
            ("440000", false, false),
            ("100000", false, false),
        ] {
            assert_eq!(access.may_write(&scope(text)), write, "write {text}");
            assert_eq!(access.may_read(&scope(text)), read, "read {text}");
        }
    }

    #[test]
    fn whoever_lies_above_is_named() {
        for text in ["330106", "330000/education", "100000", "330106/education"] {
            let scope = scope(text);
            let above = at_or_above(&scope);
            assert!(above.contains(&scope));
            for other in [
                "330106",
                "330100",
                "330000",
                "100000",
                "440000",
                "330000/education",
            ] {
                let other: FederationId = other.parse().expect("a federation");
                assert_eq!(
                    above.contains(&other),
                    other == scope || lies_below(&other, &scope),
                    "{other} {scope}"
                );
            }
        }
    }
}
