//! Whose answers a figure rests on (`domain.md` 6, edge rule 13): which federations should have answered, which
//! have been heard after the as-of date, and since when the others are silent.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::date::Day;
use rollcall_core::figure::Completeness;
use rollcall_core::id::FederationId;

use crate::cube::Cube;

/// What is known about the federations' nodes.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Federations with an enrolled writer.
    pub enrolled: BTreeSet<FederationId>,
    /// When each was last heard (a signed batch or a session without changes), Unix milliseconds.
    pub last_heard_ms: BTreeMap<FederationId, i64>,
    /// The day on which it is asked. It is not over, so who was heard on it is heard as well as can be.
    pub today: Option<Day>,
}

impl Heard {
    /// What is known about one federation.
    pub(crate) fn of(&self, federation: &FederationId) -> HeardOf {
        HeardOf {
            enrolled: self.enrolled.contains(federation),
            last_heard_ms: self.last_heard_ms.get(federation).copied(),
            today: self.today,
        }
    }
}

/// What is known about the federations that a cube has places for, and which others may be expected.
#[derive(Debug, Default)]
pub(crate) struct HeardPlaces {
    /// By number of the place.
    by_place: Vec<HeardOf>,
    /// Federations that may be expected though no document of an organisation or union names them, in order.
    pub(crate) silent: Vec<(FederationId, HeardOf)>,
}

impl HeardPlaces {
    /// Goes once through the places, whose numbers are given in order of their federations, and through who was heard.
    pub(crate) fn new(cube: &Cube, order: &[u32], heard: &Heard) -> Self {
        let mut by_place = vec![HeardOf::default(); order.len()];
        let mut silent = BTreeSet::new();
        let mut enrolled = heard.enrolled.iter().peekable();
        let mut last_heard = heard.last_heard_ms.iter().peekable();
        for number in order {
            let place = cube.places.value(*number);
            while let Some(other) = enrolled.next_if(|federation| *federation < place) {
                silent.insert(other);
            }
            while last_heard
                .next_if(|(federation, _)| *federation < place)
                .is_some()
            {}
            let moment = last_heard.next_if(|(federation, _)| *federation == place);
            by_place[*number as usize] = HeardOf {
                enrolled: enrolled.next_if(|federation| *federation == place).is_some(),
                last_heard_ms: moment.map(|(_, moment)| *moment),
                today: heard.today,
            };
        }
        silent.extend(enrolled);
        let active = cube.directory.stated().filter(|facts| facts.active);
        silent.extend(
            active
                .map(|facts| &facts.id)
                .filter(|id| !cube.places.contains(id)),
        );
        Self {
            by_place,
            silent: silent
                .into_iter()
                .map(|federation| (federation.clone(), heard.of(federation)))
                .collect(),
        }
    }

    /// What is known about a place; of one that nobody asked for, nothing.
    pub(crate) fn of(&self, place: u32) -> HeardOf {
        self.by_place.get(place as usize).copied().unwrap_or_default()
    }
}

/// What is known about one federation's node.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HeardOf {
    pub(crate) enrolled: bool,
    last_heard_ms: Option<i64>,
    today: Option<Day>,
}

impl HeardOf {
    /// Whether it was heard after the end of a day; while the day is not over, whether today.
    pub(crate) fn after(self, on: Day) -> bool {
        self.last_heard_ms.is_some_and(|moment| {
            let moment = Day::of_unix_ms(moment);
            moment > on || self.today.is_some_and(|today| on >= today && moment >= today)
        })
    }

    /// Counts the federation in.
    pub(crate) fn count(self, completeness: &mut Completeness, on: Day) {
        completeness.scopes_expected += 1;
        completeness.scopes_heard += u64::from(self.after(on));
        completeness.scopes_without_node += u64::from(!self.enrolled);
        if let Some(moment) = self.last_heard_ms {
            let oldest = completeness
                .oldest_heard
                .map_or(moment, |known| known.min(moment));
            completeness.oldest_heard = Some(oldest);
        }
    }
}

/// Taiwan, Hong Kong and Macao are never expected.
pub(crate) fn may_be_expected(federation: &FederationId) -> bool {
    !matches!(federation.division() / 10_000, 71 | 81 | 82)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sign_of_life_after_the_day_counts_as_heard() {
        let federation: FederationId = "330106".parse().expect("a federation");
        let day: Day = "2023-12-31".parse().expect("a day");
        for (moment, after) in [(1_704_038_399_999, false), (1_704_038_400_000, true)] {
            let heard = Heard {
                last_heard_ms: BTreeMap::from([(federation.clone(), moment)]),
                ..Heard::default()
            };
            let mut counted = Completeness::default();
            heard.of(&federation).count(&mut counted, day);
            assert_eq!(counted.scopes_heard, u64::from(after));
            assert_eq!(heard.of(&federation).after(day), after);
        }
        let mut counted = Completeness::default();
        Heard::default().of(&federation).count(&mut counted, day);
        assert_eq!(
            (
                counted.scopes_expected,
                counted.scopes_heard,
                counted.scopes_without_node
            ),
            (1, 0, 1)
        );
    }

    #[test]
    fn on_a_day_that_is_not_over_its_own_signs_of_life_count() {
        let federation: FederationId = "330106".parse().expect("a federation");
        let day = |text: &str| text.parse::<Day>().expect("a day");
        // Last heard in the middle of 2023-12-31.
        for (today, on, heard) in [
            ("2023-12-31", "2023-12-31", true),
            ("2023-12-31", "2024-06-30", true),
            ("2023-12-31", "2023-12-30", true),
            ("2024-01-01", "2024-01-01", false),
            ("2024-01-01", "2023-12-31", false),
        ] {
            let asked = Heard {
                last_heard_ms: BTreeMap::from([(federation.clone(), 1_703_995_200_000)]),
                today: Some(day(today)),
                ..Heard::default()
            };
            assert_eq!(asked.of(&federation).after(day(on)), heard, "{today} {on}");
        }
    }
}
