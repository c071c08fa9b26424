//! Administrative divisions (GB/T 2260, `domain.md` 10): every county-and-above code since 1981, now and by date.
//! Owns names, levels, parents and successors; leaves the files to `table`, places given by names to `place`, and
//! federations, which may be moved by a document, to `federation`. Changes take effect on 1 January of their year.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::date::Day;
use crate::term::Level;

mod name;
mod place;
mod table;

pub use place::ResolveError;

/// The code of the national level.
pub const NATIONAL: u32 = 100_000;

static DIVISIONS: LazyLock<Divisions> = LazyLock::new(|| {
    Divisions::read(
        include_str!("../data/divisions.csv"),
        include_str!("../data/division_history.csv"),
    )
});

/// One code with all that it ever stood for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// Six digits.
    pub code: u32,
    /// Its level; a code keeps it for life.
    pub level: Level,
    /// Pinyin without tones where the code is in use; a display aid.
    pub name_latin: Option<&'static str>,
    /// Whether the code is in use now.
    pub in_use: bool,
    /// What it stood for, oldest first.
    pub versions: Vec<DivisionVersion>,
}

/// What a code stood for in a span of years.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DivisionVersion {
    /// Full name.
    pub name: &'static str,
    /// First year.
    pub from_year: i32,
    /// First year in which it no longer holds.
    pub until_year: Option<i32>,
    /// Division directly above.
    pub parent: u32,
    /// Codes that took it over, or parts of it, and the year in which they did.
    pub successors: Vec<(u32, i32)>,
}

/// The tables, read once.
#[derive(Debug)]
pub struct Divisions {
    by_code: BTreeMap<u32, Division>,
}

impl Divisions {
    /// The tables compiled into the program.
    pub fn get() -> &'static Self {
        &DIVISIONS
    }

    /// The division of a code, now or ever.
    pub fn find(&self, code: u32) -> Option<&Division> {
        self.by_code.get(&code)
    }

    /// The division of a code in use now.
    pub fn find_in_use(&self, code: u32) -> Option<&Division> {
        self.by_code.get(&code).filter(|division| division.in_use)
    }

    /// All codes in use now, in order.
    pub fn in_use(&self) -> impl Iterator<Item = &Division> {
        self.by_code.values().filter(|division| division.in_use)
    }

    /// Whether a code was in use on a day. The national code always is.
    pub fn in_use_at(&self, code: u32, on: Day) -> bool {
        code == NATIONAL
            || self
                .find(code)
                .is_some_and(|division| division.version_in(year_of(on)).is_some())
    }

    /// The level of a code now or ever; `None` where it never was in the standard.
    pub fn level(&self, code: u32) -> Option<Level> {
        if code == NATIONAL {
            Some(Level::National)
        } else {
            self.find(code).map(|division| division.level)
        }
    }

    /// The latest name of a code.
    pub fn name(&self, code: u32) -> Option<&'static str> {
        if code == NATIONAL {
            return Some("全国");
        }
        self.find(code)?.versions.last().map(|version| version.name)
    }

    /// The name of a code on a day; outside its years the nearest one it had.
    pub fn name_at(&self, code: u32, on: Day) -> Option<&'static str> {
        if code == NATIONAL {
            return self.name(code);
        }
        self.find(code)?
            .version_near(year_of(on))
            .map(|version| version.name)
    }

    /// The division directly above, latest; `None` for the nation and for unknown codes.
    pub fn parent(&self, code: u32) -> Option<u32> {
        self.find(code)?.versions.last().map(|version| version.parent)
    }

    /// The division directly above on a day. A code that is retired by then goes the way of its only successor,
    /// where it has exactly one, so that the county of a dissolved prefecture hangs under the present one.
    pub fn parent_at(&self, code: u32, on: Day) -> Option<u32> {
        let year = year_of(on);
        let mut division = self.find(code)?;
        for _ in 0..8 {
            match (division.version_in(year), division.only_successor_by(year)) {
                (None, Some(successor)) if successor != code => match self.find(successor) {
                    Some(next) if next.level == division.level => division = next,
                    _ => break,
                },
                _ => break,
            }
        }
        division.version_near(year).map(|version| version.parent)
    }

    /// The code that stands for this one in the hierarchy of a day: itself while it is in use, after that its only
    /// successor, before that its only predecessor; where there are several or none, the nearest of four and of two
    /// digits in use. `None` where not even that exists.
    pub fn standing_at(&self, code: u32, on: Day) -> Option<u32> {
        let year = year_of(on);
        let mut code = code;
        for _ in 0..8 {
            if self.in_use_at(code, on) {
                return Some(code);
            }
            let Some(division) = self.find(code) else { break };
            let ends = division.versions.iter().filter_map(|version| version.until_year);
            let others: BTreeSet<u32> = match ends.filter(|end| *end <= year).max() {
                Some(end) => {
                    let successors = division.versions.iter().flat_map(|version| &version.successors);
                    successors
                        .filter(|(_, since)| *since == end)
                        .map(|(to, _)| *to)
                        .collect()
                }
                None => {
                    let becomes = |of: &&Division| {
                        let mut successors = of.versions.iter().flat_map(|version| &version.successors);
                        successors.any(|(to, _)| *to == code)
                    };
                    let in_use = self.by_code.values().filter(|of| of.version_in(year).is_some());
                    in_use.filter(becomes).map(|of| of.code).collect()
                }
            };
            let mut others = others.into_iter();
            match (others.next(), others.next()) {
                (Some(only), None) => code = only,
                _ => break,
            }
        }
        [code / 100 * 100, code / 10_000 * 10_000]
            .into_iter()
            .find(|above| self.in_use_at(*above, on))
    }

    /// Everything above a code, nearest first, ending with the nation; empty for unknown codes.
    pub fn ancestors(&self, code: u32) -> Vec<u32> {
        std::iter::successors(self.parent(code), |above| self.parent(*above)).collect()
    }

    /// Everything above a code on a day, nearest first, ending with the nation.
    pub fn ancestors_at(&self, code: u32, on: Day) -> Vec<u32> {
        std::iter::successors(self.parent_at(code, on), |above| self.parent_at(*above, on)).collect()
    }

    /// Whether `code` is `area` or lies in it.
    pub fn contains(&self, area: u32, code: u32) -> bool {
        area == code || area == NATIONAL || self.ancestors(code).contains(&area)
    }

    /// The codes that took over from one that is no longer in use, with the year; empty while it is in use.
    pub fn successors(&self, code: u32) -> &[(u32, i32)] {
        self.find(code)
            .filter(|division| !division.in_use)
            .and_then(|division| division.versions.last())
            .map_or(&[], |version| &version.successors)
    }

    /// The code itself if it was ever in the standard, else its prefecture's, else its province's;
    /// `None` where not even the first two digits exist.
    pub fn nearest(&self, code: u32) -> Option<u32> {
        [code, code / 100 * 100, code / 10_000 * 10_000]
            .into_iter()
            .find(|code| *code == NATIONAL || self.by_code.contains_key(code))
    }
}

impl Division {
    fn version_in(&self, year: i32) -> Option<&DivisionVersion> {
        self.versions
            .iter()
            .rev()
            .find(|version| version.from_year <= year && version.until_year.is_none_or(|until| year < until))
    }

    fn version_near(&self, year: i32) -> Option<&DivisionVersion> {
        self.version_in(year)
            .or_else(|| {
                self.versions
                    .iter()
                    .rev()
                    .find(|version| version.from_year <= year)
            })
            .or_else(|| self.versions.first())
    }

    fn only_successor_by(&self, year: i32) -> Option<u32> {
        let last = self.versions.last()?;
        match last.successors[..] {
            [(code, since)] if last.until_year.is_some() && since <= year => Some(code),
            _ => None,
        }
    }
}

fn year_of(on: Day) -> i32 {
    on.ymd().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_stood_for_by_what_it_became_or_came_from() {
        let standing = |code, on: &str| Divisions::get().standing_at(code, on.parse().expect("a day"));
        for (code, on, expected) in [
            (330_106, "2024-12-31", Some(330_106)),
            (540_422, "2024-12-31", Some(540_481)),
            (540_422, "2016-12-31", Some(540_422)),
            (540_481, "2016-12-31", Some(540_422)),
            (330_191, "2024-12-31", Some(330_100)),
            (100_000, "2024-12-31", Some(100_000)),
            (990_101, "2024-12-31", None),
        ] {
            assert_eq!(standing(code, on), expected, "{code} {on}");
        }
    }

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    #[test]
    fn the_tables_hold_what_the_standard_counts() {
        let of = |level| {
            Divisions::get()
                .in_use()
                .filter(|division| division.level == level)
                .count()
        };
        assert_eq!(
            (of(Level::Province), of(Level::Prefecture), of(Level::County)),
            (34, 333, 2846)
        );
        assert_eq!(
            Divisions::get()
                .by_code
                .values()
                .map(|d| d.versions.len())
                .sum::<usize>(),
            6823
        );
    }

    #[test]
    fn parents_follow_the_data_and_not_only_the_digits() {
        let table = Divisions::get();
        for (code, parent) in [
            (330_106, 330_100),
            (110_101, 110_000),
            (429_004, 420_000),
            (659_001, 650_000),
            (441_900, 440_000),
            (330_000, 100_000),
        ] {
            assert_eq!(table.parent(code), Some(parent), "{code}");
        }
        assert_eq!(table.ancestors(330_106), [330_100, 330_000, 100_000]);
        assert!(table.contains(330_000, 330_106) && !table.contains(330_200, 330_106));
        assert_eq!(table.parent(100_000), None);
    }

    #[test]
    fn names_and_parents_change_on_the_first_of_january() {
        let table = Divisions::get();
        assert_eq!(table.name_at(340_102, day("2001-12-31")), Some("东市区"));
        assert_eq!(table.name_at(340_102, day("2002-01-01")), Some("瑶海区"));
        assert_eq!(table.parent_at(341_402, day("2010-12-31")), Some(341_400));
        assert_eq!(table.parent_at(341_402, day("2011-01-01")), Some(340_100));
        assert!(!table.in_use_at(341_402, day("2011-01-01")));
        assert_eq!(table.successors(341_423), [(341_402, 2006), (340_522, 2011)]);
    }

    #[test]
    fn an_unknown_code_goes_to_its_nearest_prefix() {
        let table = Divisions::get();
        for (code, nearest) in [
            (522_320, Some(522_300)),
            (330_199, Some(330_100)),
            (110_190, Some(110_000)),
            (330_106, Some(330_106)),
            (100_000, Some(100_000)),
            (990_101, None),
        ] {
            assert_eq!(table.nearest(code), nearest, "{code}");
        }
    }
}
