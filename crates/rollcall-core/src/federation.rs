//! The directory of federations (`domain.md` 4 and 6 rule 5): who is above whom at a date, and what they are called.
//! Every division code is a federation from the start; a federation's document moves or names it by date.

use std::collections::BTreeMap;

use crate::date::Day;
use crate::division::{Divisions, NATIONAL};
use crate::fact::FederationFacts;
use crate::id::FederationId;
use crate::organisation::level_of_division;
use crate::term::Level;

/// Deeper than any real hierarchy; ends a circle of parents.
const DEPTH_MAX: usize = 12;

/// Federations by id.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    stated: BTreeMap<FederationId, Vec<FederationFacts>>,
}

/// The territorial federations above (and including) one, by level.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Province, or nothing for the national level.
    pub province: Option<FederationId>,
    /// Prefecture, or nothing above it and where there is none.
    pub prefecture: Option<FederationId>,
    /// County, or nothing above it.
    pub county: Option<FederationId>,
}

impl Directory {
    /// The divisions, changed by what the federations' documents state.
    pub fn new<'a>(stated: impl IntoIterator<Item = &'a FederationFacts>) -> Self {
        let mut directory = Self::default();
        for facts in stated {
            directory.insert(facts.clone());
        }
        directory
    }

    /// Adds one version.
    pub fn insert(&mut self, facts: FederationFacts) {
        let versions = self.stated.entry(facts.id.clone()).or_default();
        versions.push(facts);
        versions.sort_by(|a, b| {
            (a.from, a.until, &a.name, &a.parent).cmp(&(b.from, b.until, &b.name, &b.parent))
        });
    }

    /// Takes one version out, equal to `facts`.
    pub fn remove(&mut self, facts: &FederationFacts) {
        if let Some(versions) = self.stated.get_mut(&facts.id)
            && let Some(index) = versions.iter().position(|version| version == facts)
        {
            versions.remove(index);
        }
    }

    /// Federations that have a document, in order.
    pub fn stated(&self) -> impl Iterator<Item = &FederationFacts> {
        self.stated.values().flatten()
    }

    fn version_at(&self, id: &FederationId, on: Day) -> Option<&FederationFacts> {
        self.stated.get(id)?.iter().rev().find(|version| {
            version.from.is_none_or(|from| from <= on) && version.until.is_none_or(|until| on <= until)
        })
    }

    /// The federation directly above at a date; `None` for the national level. A code outside the tables hangs
    /// under the nearest division, an industrial union without a stated parent under the territorial one.
    pub fn parent_at(&self, id: &FederationId, on: Day) -> Option<FederationId> {
        let code = id.division();
        if code == NATIONAL && id.line().is_none() {
            return None;
        }
        if let Some(parent) = self.version_at(id, on).and_then(|version| version.parent.clone()) {
            return Some(parent);
        }
        if id.line().is_some() {
            return Some(FederationId::of_division(code));
        }
        let divisions = Divisions::get();
        let above = match divisions.parent_at(code, on) {
            Some(parent) => parent,
            None => divisions
                .nearest(code)
                .filter(|nearest| *nearest != code)
                .unwrap_or(NATIONAL),
        };
        Some(FederationId::of_division(above))
    }

    /// The federation and everything above it at a date, nearest first.
    pub fn chain_at(&self, id: &FederationId, on: Day) -> Vec<FederationId> {
        std::iter::successors(Some(id.clone()), |below| self.parent_at(below, on))
            .take(DEPTH_MAX)
            .collect()
    }

    /// Whether `id` is `area` or below it at a date. Everything is below the national level.
    pub fn is_within(&self, area: &FederationId, id: &FederationId, on: Day) -> bool {
        *area == FederationId::national() || self.chain_at(id, on).contains(area)
    }

    /// Whether a federation's document of the date marks it as active: expected to report even without organisations.
    pub fn is_active(&self, id: &FederationId, on: Day) -> bool {
        self.version_at(id, on).is_some_and(|version| version.active)
    }

    /// Level of a federation at a date.
    pub fn level_at(&self, id: &FederationId, on: Day) -> Level {
        self.version_at(id, on)
            .map_or_else(|| level_of_division(id.division()), |version| version.level)
    }

    /// The row of each territorial level that a federation counts in. An industrial union counts in the area of its
    /// territorial parent, a code that is not in use at the date where the one lies that stands for it.
    pub fn place_at(&self, id: &FederationId, on: Day) -> Place {
        let mut place = Place::default();
        let mut next = Some(id.clone());
        for _ in 0..DEPTH_MAX {
            let Some(above) = next.and_then(|id| self.standing_at(id, on)) else {
                break;
            };
            if above.line().is_none() {
                let slot = match self.level_at(&above, on) {
                    Level::National => None,
                    Level::Province => Some(&mut place.province),
                    Level::Prefecture => Some(&mut place.prefecture),
                    Level::County => Some(&mut place.county),
                };
                if let Some(slot) = slot {
                    slot.get_or_insert_with(|| above.clone());
                }
            }
            next = self.parent_at(&above, on);
        }
        place
    }

    /// The federation that stands for one in the hierarchy of a date: itself if it is industrial or has a document.
    fn standing_at(&self, id: FederationId, on: Day) -> Option<FederationId> {
        if id.line().is_some() || self.version_at(&id, on).is_some() {
            return Some(id);
        }
        Divisions::get()
            .standing_at(id.division(), on)
            .map(FederationId::of_division)
    }

    /// The first day since which the hierarchy has been what it is on a day. Divisions change with the year, the
    /// directory with what federations' documents state.
    pub fn unchanged_since(&self, on: Day) -> Day {
        let turn_of_year = Day::from_ymd(on.ymd().0, 1, 1).unwrap_or(Day::MIN);
        let stated = self
            .stated()
            .flat_map(|facts| [facts.from, facts.until.map(Day::next)]);
        stated
            .flatten()
            .filter(|turn| *turn <= on)
            .fold(turn_of_year, Day::max)
    }

    /// Name of a federation at a date: its document's, else that of its division.
    pub fn name_at(&self, id: &FederationId, on: Day) -> String {
        if let Some(version) = self.version_at(id, on) {
            return version.name.clone();
        }
        let name = Divisions::get().name_at(id.division(), on);
        match (name, id.line()) {
            (Some(name), None) => name.to_owned(),
            (Some(name), Some(line)) => format!("{name}/{line}"),
            (None, _) => id.to_string(),
        }
    }
}

/// The federation responsible where nothing else is recorded (`domain.md` 6 rule 5): registered nationally, the
/// national level; at a province, the provincial federation of the authority; otherwise the lowest division of the
/// location, or of the authority where no location is recorded.
pub fn default_responsible(level: Level, authority: Option<u32>, location: Option<u32>) -> FederationId {
    let known = |code: Option<u32>| code.and_then(|code| Divisions::get().nearest(code));
    match (level, authority) {
        (Level::National, Some(_)) => FederationId::national(),
        (Level::Province, Some(authority)) => FederationId::of_division(authority / 10_000 * 10_000),
        _ => FederationId::of_division(known(location).or(known(authority)).unwrap_or(NATIONAL)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> FederationId {
        text.parse().expect("a federation")
    }

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    #[test]
    fn places_have_a_remainder_above_each_level() {
        let directory = Directory::default();
        let on = day("2024-12-31");
        let texts = |text: &str| {
            let place = directory.place_at(&id(text), on);
            [place.province, place.prefecture, place.county].map(|part| part.map(|part| part.to_string()))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(texts("330106"), [some("330000"), some("330100"), some("330106")]);
        assert_eq!(texts("110101"), [some("110000"), None, some("110101")]);
        assert_eq!(texts("330000/education"), [some("330000"), None, None]);
        assert_eq!(texts("100000"), [None, None, None]);
        // Never in the standard: attributed to the prefecture. Retired: where its successor lies.
        assert_eq!(texts("522320"), [some("520000"), some("522300"), None]);
        assert_eq!(texts("540422"), [some("540000"), some("540400"), some("540481")]);
        assert!(directory.is_within(&id("330000"), &id("330106"), on));
        assert!(!directory.is_within(&id("330200"), &id("330106"), on));
    }

    #[test]
    fn a_document_moves_a_federation_from_its_date() {
        let moved = FederationFacts {
            id: id("330106"),
            name: "西湖区总工会".to_owned(),
            level: Level::County,
            parent: Some(id("330200")),
            from: Some(day("2024-07-01")),
            until: None,
            active: false,
        };
        let directory = Directory::new([&moved]);
        assert_eq!(
            directory.parent_at(&id("330106"), day("2024-06-30")),
            Some(id("330100"))
        );
        assert_eq!(
            directory.parent_at(&id("330106"), day("2024-07-01")),
            Some(id("330200"))
        );
        assert_eq!(
            directory.name_at(&id("330106"), day("2024-07-01")),
            "西湖区总工会"
        );
        for (on, since) in [
            ("2024-06-30", "2024-01-01"),
            ("2024-12-31", "2024-07-01"),
            ("2025-03-01", "2025-01-01"),
        ] {
            assert_eq!(directory.unchanged_since(day(on)), day(since));
        }
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let version = |of: &str, parent: &str| FederationFacts {
            id: id(of),
            name: String::new(),
            level: Level::County,
            parent: Some(id(parent)),
            from: None,
            until: None,
            active: false,
        };
        let directory = Directory::new(&[version("330105", "330106"), version("330106", "330105")]);
        assert!(directory.chain_at(&id("330105"), day("2024-01-01")).len() <= DEPTH_MAX);
    }

    #[test]
    fn the_default_follows_the_level_of_registration() {
        for (level, authority, location, responsible) in [
            (Level::National, Some(100_000), Some(110_101), "100000"),
            (Level::Province, Some(330_000), Some(330_106), "330000"),
            (Level::Prefecture, Some(330_100), Some(330_106), "330106"),
            (Level::County, Some(330_106), None, "330106"),
            (Level::County, Some(330_190), Some(330_199), "330100"),
            (Level::County, None, None, "100000"),
        ] {
            assert_eq!(
                default_responsible(level, authority, location).as_str(),
                responsible
            );
        }
    }
}
