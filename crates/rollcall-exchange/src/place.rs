//! Where an organisation is, from the names in a row, from its address or from its code (`domain.md` 10 and 14).
//! Owns the order of these and remembers what it resolved; the tables are in `rollcall_core::division`.

use std::collections::HashMap;

use rollcall_core::division::{Divisions, NATIONAL, ResolveError};

/// Names of a place as a row has them; each may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct PlaceNames {
    pub(crate) province: String,
    pub(crate) city: String,
    pub(crate) county: String,
}

impl PlaceNames {
    pub(crate) fn is_empty(&self) -> bool {
        self.province.is_empty() && self.city.is_empty() && self.county.is_empty()
    }
}

/// Resolves names, each combination once.
#[derive(Debug, Default)]
pub(crate) struct Places {
    resolved: HashMap<PlaceNames, Result<u32, ResolveError>>,
}

/// A list with more different places than this is not worth remembering.
const REMEMBERED_MAX: usize = 20_000;

impl Places {
    /// The division of these names.
    pub(crate) fn resolve(&mut self, names: &PlaceNames) -> Result<u32, ResolveError> {
        if let Some(known) = self.resolved.get(names) {
            return known.clone();
        }
        let found = Divisions::get().resolve(&names.province, &names.city, &names.county);
        if self.resolved.len() < REMEMBERED_MAX {
            self.resolved.insert(names.clone(), found.clone());
        }
        found
    }

    /// The division that an address begins with, inside `area` where the address alone leaves doubt.
    pub(crate) fn in_address(&mut self, address: &str, area: Option<u32>) -> Option<u32> {
        let names = names_in_address(address);
        if names.is_empty() {
            return None;
        }
        let whole = self.resolve(&names).ok();
        if whole.is_some() {
            return whole;
        }
        // 海珠区...: in the area of whoever reads the list.
        let hinted = area
            .filter(|area| *area != NATIONAL && names.province.is_empty())
            .and_then(|area| {
                let name = |code: u32| Divisions::get().name(code).unwrap_or_default().to_owned();
                let line = std::iter::once(area)
                    .chain(Divisions::get().ancestors(area))
                    .filter(|code| *code != NATIONAL);
                let mut line: Vec<u32> = line.collect();
                line.reverse();
                let mut hint = names.clone();
                hint.province = line.first().map(|code| name(*code)).unwrap_or_default();
                if hint.city.is_empty() {
                    hint.city = line.get(1).map(|code| name(*code)).unwrap_or_default();
                }
                self.resolve(&hint).ok()
            });
        hinted.or_else(|| {
            // 新华镇 or a zone in the place of the county: the city is still right.
            let without_county = PlaceNames {
                county: String::new(),
                ..names.clone()
            };
            (!without_county.is_empty() && !names.county.is_empty())
                .then(|| self.resolve(&without_county).ok())
                .flatten()
        })
    }
}

/// The present division of a code that may be retired or never have been in the standard.
pub(crate) fn present_division(code: u32) -> Option<u32> {
    let table = Divisions::get();
    let mut code = table.nearest(code)?;
    for _ in 0..8 {
        if code == NATIONAL || table.find_in_use(code).is_some() {
            return Some(code);
        }
        code = match *table.successors(code) {
            [(only, _)] if table.find(only).is_some() => only,
            _ => table.parent(code)?,
        };
    }
    None
}

/// The deeper of two divisions where one lies in the other; else the first.
pub(crate) fn deeper(first: u32, second: u32) -> u32 {
    if Divisions::get().contains(first, second) {
        second
    } else {
        first
    }
}

/// Cuts 四川省成都市都江堰市聚源镇 into its first three steps. A step is at most nine characters.
fn names_in_address(address: &str) -> PlaceNames {
    let mut names = PlaceNames::default();
    let mut rest = address.trim();
    let steps: [(&mut String, &[&str]); 3] = [
        (&mut names.province, &["特别行政区", "自治区", "省"]),
        (&mut names.city, &["自治州", "地区", "市", "盟"]),
        (&mut names.county, &["自治县", "区", "县", "市", "旗"]),
    ];
    for (slot, endings) in steps {
        let end = endings
            .iter()
            .filter_map(|ending| rest.find(ending).map(|at| at + ending.len()))
            .filter(|end| (2..=9).contains(&rest[..*end].chars().count()))
            .min();
        if let Some(end) = end.filter(|end| rest[..*end].chars().all(is_han)) {
            *slot = rest[..end].to_owned();
            rest = &rest[end..];
        }
    }
    names
}

fn is_han(c: char) -> bool {
    ('\u{3400}'..='\u{9fff}').contains(&c) || u32::from(c) >= 0x20000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_the_place_it_begins_with() {
        let mut places = Places::default();
        for (address, area, code) in [
            ("四川省成都市都江堰市聚源镇大合村", None, Some(510_181)),
            ("广州市海珠区土华村东华大路东6号", None, Some(440_105)),
            ("广州市永福路45号", None, Some(440_100)),
            ("海珠区新滘上冲二队", None, Some(440_105)),
            ("白云区机场路", None, None),
            ("白云区机场路", Some(440_100), Some(440_111)),
            ("北京市朝阳区某街", None, Some(110_105)),
            ("新华镇松园大道11号", None, None),
            ("", None, None),
        ] {
            assert_eq!(places.in_address(address, area), code, "{address}");
        }
    }

    #[test]
    fn retired_and_unknown_codes_lead_to_a_present_division() {
        for (code, present) in [
            (330_106, Some(330_106)),
            (110_103, Some(110_101)),
            (520_490, Some(520_400)),
            (100_000, Some(100_000)),
            (990_000, None),
        ] {
            assert_eq!(present_division(code), present, "{code}");
        }
        assert_eq!(deeper(140_200, 140_212), 140_212);
        assert_eq!(deeper(140_200, 330_106), 140_200);
    }
}
