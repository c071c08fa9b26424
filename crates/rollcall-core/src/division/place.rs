//! A place given by names: which code it has. Owns the order in which names are tried; how one is written is `name`'s.

use super::name::{PLACEHOLDERS, clean, fits_name};
use super::{Division, Divisions, NATIONAL};
use crate::term::Level;

/// Why a place name gives no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No part of the place was given.
    #[error("no place is given")]
    Empty,
    /// No division of this name in the place above.
    #[error("no division is called {0:?} there")]
    Unknown(String),
    /// More than one fits: a person must say which.
    #[error("{name:?} may be any of {candidates:?}")]
    Ambiguous {
        /// The name as given.
        name: String,
        /// The codes that fit.
        candidates: Vec<u32>,
    },
}

impl Divisions {
    /// Reads a place given by names, short (`北京`, `内蒙古`, `东城`) or full, each may be empty. A county of a name
    /// that occurs in several prefectures needs the city. Names in use come before former names.
    ///
    /// # Errors
    /// Nothing given, nothing of that name, or more than one.
    pub fn resolve(&self, province: &str, city: &str, county: &str) -> Result<u32, ResolveError> {
        let (province, city, county) = (clean(province), clean(city), clean(county));
        let mut area = NATIONAL;
        let mut given = false;
        for (name, deepest) in [
            (province, Level::Province),
            (city, Level::County),
            (county, Level::County),
        ] {
            if name.is_empty() || PLACEHOLDERS.contains(&name) {
                continue;
            }
            // Lists repeat a municipality as its own city, and a city as its own county.
            let repeats = given
                && self
                    .by_code
                    .get(&area)
                    .is_some_and(|division| division.is_called(name));
            area = match self.resolve_in(area, name, deepest, !repeats) {
                Err(ResolveError::Unknown(_)) if repeats => area,
                found => found?,
            };
            given = true;
        }
        if given { Ok(area) } else { Err(ResolveError::Empty) }
    }

    fn resolve_in(&self, area: u32, name: &str, deepest: Level, former: bool) -> Result<u32, ResolveError> {
        let within = |division: &&Division| division.level <= deepest && self.contains(area, division.code);
        let attempts: [fn(&Division, &str) -> bool; 3] = [
            |division, name| division.in_use && division.has_full_name_now(name),
            |division, name| division.in_use && division.is_called_now(name),
            |division, name| !division.in_use && division.is_called(name),
        ];
        for fits in attempts.into_iter().take(if former { 3 } else { 2 }) {
            let mut candidates: Vec<&Division> = self
                .by_code
                .values()
                .filter(|division| division.code != area && fits(division, name))
                .filter(within)
                .collect();
            // A prefecture comes before a county of the same short name inside it (吉林, 朝阳).
            if let Some(highest) = candidates.iter().map(|division| division.level).min() {
                candidates.retain(|division| division.level == highest);
            }
            match candidates[..] {
                [] => {}
                [only] => return Ok(only.code),
                _ => {
                    return Err(ResolveError::Ambiguous {
                        name: name.to_owned(),
                        candidates: candidates.iter().map(|division| division.code).collect(),
                    });
                }
            }
        }
        Err(ResolveError::Unknown(name.to_owned()))
    }
}

impl Division {
    fn has_full_name_now(&self, name: &str) -> bool {
        self.versions.last().is_some_and(|version| version.name == name)
    }

    fn is_called_now(&self, name: &str) -> bool {
        self.versions
            .last()
            .is_some_and(|version| fits_name(version.name, self.level, name))
    }

    fn is_called(&self, name: &str) -> bool {
        self.versions
            .iter()
            .any(|version| fits_name(version.name, self.level, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_names_are_read_short_and_full_and_doubt_is_reported() {
        let table = Divisions::get();
        for (province, city, county, code) in [
            ("北京", "", "东城", 110_101),
            ("北京市", "北京市", "朝阳区", 110_105),
            ("内蒙古", "", "", 150_000),
            ("新疆自治区", "", "", 650_000),
            ("广西壮族自治区", "南宁", "", 450_100),
            ("浙江", "杭州", "西湖", 330_106),
            ("浙江省", "西湖区", "", 330_106),
            ("湖北", "仙桃", "", 429_004),
            ("吉林", "吉林", "", 220_200),
            ("云南", "西双版纳", "", 532_800),
            ("", "", "平陆县", 140_829),
            ("安徽", "合肥", "庐阳", 340_103),
        ] {
            assert_eq!(
                table.resolve(province, city, county),
                Ok(code),
                "{province} {city} {county}"
            );
        }
        assert!(matches!(
            table.resolve("", "", "鼓楼区"),
            Err(ResolveError::Ambiguous { candidates, .. }) if candidates.len() > 2
        ));
        assert_eq!(
            table.resolve("浙江", "", "石家庄"),
            Err(ResolveError::Unknown("石家庄".to_owned()))
        );
        assert_eq!(table.resolve(" ", "N/A", ""), Err(ResolveError::Empty));
    }

    #[test]
    fn every_division_in_use_is_found_by_its_full_names() {
        let table = Divisions::get();
        for division in table.in_use() {
            let line: Vec<u32> = table.ancestors(division.code);
            let name = |code: u32| table.name(code).expect("a name");
            let found = match line[..] {
                [_] => table.resolve(name(division.code), "", ""),
                [province, _] => table.resolve(name(province), name(division.code), ""),
                [city, province, _] => table.resolve(name(province), name(city), name(division.code)),
                _ => panic!("{} has {line:?} above it", division.code),
            };
            assert_eq!(found, Ok(division.code), "{}", name(division.code));
        }
    }
}
