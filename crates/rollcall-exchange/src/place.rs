//! Where an organisation is, from the names in a row, from its address or from its code (`domain.md` 10 and 14).
//! Owns the order of these and remembers what it resolved; the tables are in `rollcall_core::division`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rollcall_core::division::{Divisions, NATIONAL, ResolveError};
use rollcall_core::term::Level;

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

/// Resolves names, each combination once: a list has few places and is read several times.
#[derive(Debug, Default)]
pub(crate) struct Places {
    resolved: Mutex<HashMap<PlaceNames, Result<u32, ResolveError>>>,
    /// By area.
    counties: Mutex<HashMap<u32, Vec<(u32, &'static str)>>>,
}

/// A list with more different places than this is not worth remembering.
const REMEMBERED_MAX: usize = 20_000;

impl Places {
    /// The division of these names.
    pub(crate) fn resolve(&self, names: &PlaceNames) -> Result<u32, ResolveError> {
        // Whatever another thread left half done, an entry is whole or not there.
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = resolved.get(names) {
            return known.clone();
        }
        let found = Divisions::get().resolve(&names.province, &names.city, &names.county);
        if resolved.len() < REMEMBERED_MAX {
            resolved.insert(names.clone(), found.clone());
        }
        found
    }

    /// The division that a text begins with (四川省成都市都江堰市聚源镇), or the one county of `area` that it names.
    pub(crate) fn in_text(&self, text: &str, area: Option<u32>) -> Option<u32> {
        let names = names_in_address(text);
        let city_only = PlaceNames {
            county: String::new(),
            ..names.clone()
        };
        let whole = || (!names.is_empty()).then(|| self.resolve(&names).ok()).flatten();
        let in_area = || self.county_in_area(text, area?);
        // 广州市经济开发区: no county, but the city is right.
        let city = || {
            (!city_only.is_empty())
                .then(|| self.resolve(&city_only).ok())
                .flatten()
        };
        whole().or_else(in_area).or_else(city)
    }

    /// The only county of an area whose name, full or else short, occurs in the text.
    fn county_in_area(&self, text: &str, area: u32) -> Option<u32> {
        let mut areas = self.counties.lock().unwrap_or_else(PoisonError::into_inner);
        let counties = areas.entry(area).or_insert_with(|| {
            let table = Divisions::get();
            let inside = table.in_use().filter(|division| {
                division.level == Level::County && area != NATIONAL && table.contains(area, division.code)
            });
            inside
                .filter_map(|division| Some((division.code, table.name(division.code)?)))
                .collect()
        });
        let only = |fits: &dyn Fn(&str) -> bool| {
            let mut found = counties
                .iter()
                .filter(|(_, name)| fits(name))
                .map(|(code, _)| *code);
            let first = found.next()?;
            found.next().is_none().then_some(first)
        };
        let short = |name: &str| {
            name.strip_suffix(['区', '县', '市'])
                .filter(|short| short.chars().count() >= 2)
                .map(str::to_owned)
        };
        only(&|name| text.contains(name))
            .or_else(|| only(&|name| short(name).is_some_and(|short| text.contains(&short))))
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
    fn a_text_tells_the_place_it_begins_with_or_the_county_of_an_area() {
        let places = Places::default();
        for (text, area, code) in [
            ("四川省成都市都江堰市聚源镇大合村", None, Some(510_181)),
            ("广州市海珠区土华村东华大路东6号", None, Some(440_105)),
            ("广州市永福路45号", None, Some(440_100)),
            ("广州市经济技术开发区志诚大道", None, Some(440_100)),
            ("海珠区新滘上冲二队", None, Some(440_105)),
            ("白云区机场路", None, None),
            ("白云区机场路", Some(440_100), Some(440_111)),
            ("广州黄埔爱心幼儿园", Some(440_100), Some(440_112)),
            ("天河路与海珠路", Some(440_100), None),
            ("北京市朝阳区某街", None, Some(110_105)),
            ("新华镇松园大道11号", None, None),
            ("白云区机场路", Some(100_000), None),
            ("", None, None),
        ] {
            assert_eq!(places.in_text(text, area), code, "{text}");
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
